"""The tasks of a study: every recipe trained on every fold with every seed."""

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
from emelia.learn.study.warm_start import EarlierRun, EarlierRuns, check_teachers, with_earlier_runs
from emelia.learn.training.runs import new_network
from emelia.results import variant_of


@dataclass(frozen=True)
class StudyData:
    """The data of a study, which all of its cells share: corpora, classes and split."""

    corpus: str
    corpus_digest: str
    classes: tuple[str, ...]
    split: str
    protocol: str
    peeks: bool  # test figures are recorded every epoch
    folds: int
    demo: bool = False
    places: tuple[str, ...] = ()  # folders of the corpora
    corpora: tuple[dict[str, Any], ...] = ()  # what is known of them, for a model's card
    # digest by name of the last of them, which are only trained on
    added: Mapping[str, str] = field(default_factory=dict)
    division: str = ""  # digest of the parts of all folds, and of what is added

    @classmethod
    def of(cls, corpus: Corpus, split: Split) -> StudyData:
        """The data of a corpus and a split of it."""
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
    """A cell of a study before it is trained."""

    data: StudyData
    recipe: Recipe
    fold: Fold
    audit: dict[str, Any]
    seed: int
    init: EarlierRun | None = None
    teacher: EarlierRun | None = None

    @cached_property
    def key(self) -> str:
        """Eight characters that name the cell: data, recipe, split, fold and seed."""
        data = self.data
        parts = [data.corpus_digest, former_word(data.split), self.fold.name, ids(self.fold)]
        # Added only where there are such, so that all other cells keep their names.
        more: list[Any] = [dict(data.added)] if data.added else []
        more += [run.digest for run in (self.init, self.teacher) if run]
        return digest([*parts, self.recipe.digest, self.seed, *more])

    @property
    def name(self) -> str:
        """Recipe, fold and seed, for progress bars and the cell's folder."""
        return f"{self.recipe.name} fold {self.fold.name} seed {self.seed}"


def ids(fold: Fold) -> list[list[str]]:
    """Ids of a fold's training, validation and test clips."""
    return [[u.id for u in part] for part in (fold.train, fold.validation, fold.test)]


def tasks(
    corpus: Corpus,
    split: Split,
    recipes: Sequence[Recipe],
    seeds: Sequence[int],
    init: Path | None = None,
    teacher: Path | None = None,
    only: str = "",
    audits: Sequence[Mapping[str, Any]] | None = None,
) -> list[Task]:
    """All cells of a study, a whole seed before the next.

    Args:
        init: run folder whose weights every network begins with, or a study's folder, of
            which each cell takes the run of its own fold.
        teacher: run folder, or a study's, from which the recipes are distilled that use a teacher.
        only: the name of a fold, to leave out the others.
        audits: of the split's folds, where they are made already.

    Raises:
        ConfigError: the network of a recipe cannot be built, there is a teacher that no recipe
            uses, or none where one is used.
        ModelError: the weights of an encoder are missing.
        RunError: `init` or `teacher` is no run, or has seen clips that would be tested.
    """
    data = StudyData.of(corpus, split)
    audited = zip(split.folds, audit(split) if audits is None else audits, strict=True)
    folds = [(fold, dict(found)) for fold, found in audited if only in ("", fold.name)]
    inits, teachers = (
        EarlierRuns.of(place, split.name, [fold for fold, _ in folds]) for place in (init, teacher)
    )
    recipes = _renamed(
        recipes,
        [
            with_earlier_runs(
                # Weights in a file are read where no run has others, and for a reference encoder.
                ready(recipe, not init or (recipe.train.feature_distill > 0 and not teacher)),
                inits.name,
                teachers.name,
            )
            for recipe in recipes
        ],
    )
    check_teachers(recipes, teachers.name)
    for recipe in recipes:
        new_network(recipe, len(data.classes))  # raises here, not in every cell
    return [
        Task(data, r, f, a, seed, inits(f), teachers(f) if r.train.uses_teacher else None)
        for seed in seeds
        for r in recipes
        for f, a in folds
    ]


def _renamed(before: Sequence[Recipe], after: Sequence[Recipe]) -> list[Recipe]:
    """Recipes whose group names what they are variants of by the digest it has now."""
    groups = {
        variant_of(old.digest): variant_of(new.digest)
        for old, new in zip(before, after, strict=True)
    }
    return [replace(recipe, group=groups.get(recipe.group, recipe.group)) for recipe in after]
