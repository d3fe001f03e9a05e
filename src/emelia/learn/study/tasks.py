"""What is to be trained: every recipe on every fold with every seed, each a task of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from emelia.config import Recipe, digest
from emelia.config.former import former_word
from emelia.corpora import Corpus
from emelia.corpora.splits.scheme import Fold, Split, audit
from emelia.learn.model.encoders import ready
from emelia.learn.study.warm_start import Origin, Origins, check_teaching, with_origins
from emelia.learn.training.runs import new_network
from emelia.results import variant_of


@dataclass(frozen=True)
class Setting:
    """What all cells of a study share."""

    corpus: str
    corpus_digest: str
    classes: tuple[str, ...]
    split: str
    protocol: str
    peeks: bool
    folds: int
    demo: bool = False
    places: tuple[str, ...] = ()  # where the corpora lay
    corpora: tuple[dict[str, Any], ...] = ()  # what is known of them, for a model's card
    # digest by name of the last of them, which are only trained on
    added: Mapping[str, str] = field(default_factory=dict)
    division: str = ""  # names who is in which part of which fold, and what is added

    @classmethod
    def of(cls, corpus: Corpus, split: Split) -> Setting:
        """Gather it from a corpus and a split of it."""
        sources = (*corpus.sources, *split.added)
        added = {source.name: source.digest for source in split.added}
        return cls(
            corpus.name,
            corpus.digest,
            corpus.emotions,
            split.name,
            split.protocol,
            split.tests_every_epoch,
            len(split.folds),
            corpus.name == "demo",
            tuple(str(source.root) for source in sources),
            tuple(_facts_of(source) for source in sources),
            added,
            digest([[[fold.name, ids(fold)] for fold in split.folds], added]),
        )


def _facts_of(corpus: Corpus) -> dict[str, Any]:
    about: dict[str, Any] = {"name": corpus.name, "clips": len(corpus.utterances)}
    if corpus.spec:
        about |= {key: getattr(corpus.spec, key) for key in ("title", "language", "licence")}
        about["home"] = corpus.spec.homepage  # the name that cards have had from the first
    return about


@dataclass(frozen=True)
class Task:
    """A cell still to be made."""

    setting: Setting
    recipe: Recipe
    fold: Fold
    audit: dict[str, Any]
    seed: int
    start: Origin | None = None
    teacher: Origin | None = None

    @cached_property
    def key(self) -> str:
        """Eight characters that name the cell: data, recipe, split, fold and seed."""
        s = self.setting
        parts = [s.corpus_digest, former_word(s.split), self.fold.name, ids(self.fold)]
        # Only where there are such, so that all others keep their names.
        more: list[Any] = [dict(s.added)] if s.added else []
        more += [origin.digest for origin in (self.start, self.teacher) if origin]
        return digest([*parts, self.recipe.digest, self.seed, *more])

    @property
    def name(self) -> str:
        """For people, and for the cell's folder."""
        return f"{self.recipe.name} fold {self.fold.name} seed {self.seed}"


def ids(fold: Fold) -> list[list[str]]:
    """Ids of a fold's training, validation and test clips."""
    return [[u.id for u in part] for part in (fold.train, fold.validation, fold.test)]


def tasks(
    corpus: Corpus,
    split: Split,
    recipes: Sequence[Recipe],
    seeds: Sequence[int],
    start: Path | None = None,
    teacher: Path | None = None,
    only: str = "",
) -> list[Task]:
    """All cells of a study, a whole seed before the next.

    Args:
        start: run folder whose weights every network begins with, or a study's folder, of
            which each cell takes the run of its own fold.
        teacher: run folder, or a study's, whose answers are learnt from by the recipes that
            have a use for them.
        only: the name of a fold, to leave out the others.

    Raises:
        ConfigError: the network of a recipe cannot be built, or a teacher has no pupil, or a
            pupil no teacher.
        ModelError: the weights of an encoder are missing.
        RunError: start or teacher is none, or has heard clips that would be tested.
    """
    setting, audits = Setting.of(corpus, split), audit(split)
    folds = [one for one in zip(split.folds, audits, strict=True) if only in ("", one[0].name)]
    begun, taught = (
        Origins.of(place, split.name, [fold for fold, _ in folds]) for place in (start, teacher)
    )
    recipes = _renamed(
        recipes,
        [
            with_origins(
                ready(recipe, not start or (recipe.train.feature_distill > 0 and not teacher)),
                begun.name,
                taught.name,
            )
            for recipe in recipes
        ],
    )
    check_teaching(recipes, taught.name)
    for recipe in recipes:
        new_network(recipe, len(setting.classes))
    return [
        Task(setting, r, f, a, seed, begun(f), taught(f) if r.train.taught else None)
        for seed in seeds
        for r in recipes
        for f, a in folds
    ]


def _renamed(before: Sequence[Recipe], after: Sequence[Recipe]) -> list[Recipe]:
    """Let variants say what they are variants of, where that has another digest now."""
    groups = {
        variant_of(old.digest): variant_of(new.digest)
        for old, new in zip(before, after, strict=True)
    }
    return [replace(recipe, group=groups.get(recipe.group, recipe.group)) for recipe in after]
