"""Earlier runs as initial weights or as teachers: found, named and checked for leaks.

A leak is a clip that the earlier run has seen and that would be tested.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from emelia.config import Recipe, digest
from emelia.corpora.seen import SeenClips
from emelia.corpora.splits.scheme import Fold
from emelia.errors import ConfigError, RunError
from emelia.learn.export.card import corpora_of
from emelia.learn.training.init import has_reference
from emelia.learn.training.runs import Run, load_run, seen_clips
from emelia.text import from_json


@dataclass(frozen=True, slots=True)
class EarlierRun:
    """A run folder or model file, without its weights."""

    name: str
    place: Path
    digest: str  # of its weights
    seen: SeenClips
    recipe: str = ""  # its name
    corpora: tuple[dict[str, Any], ...] = ()  # what is known of them, for a model's card

    def run(self) -> Run:
        """Read it.

        Raises:
            RunError, ModelError: it is damaged.
        """
        return _load(self.place)


@dataclass(frozen=True)
class EarlierRuns:
    """The earlier run of each fold of a split."""

    name: str  # RECIPE@DIGEST of all of them, wherever they lie; empty where there are none
    by_fold: Mapping[str, EarlierRun]

    @classmethod
    def of(cls, place: Path | None, split: str, folds: Sequence[Fold]) -> EarlierRuns:
        """Find them; see `find_run`."""
        if place is None:
            return cls("", {})
        found = {fold.name: find_run(place, split, fold) for fold in folds}
        digests = {run.digest for run in found.values()}
        recipes = "+".join(sorted({run.recipe for run in found.values()}))
        return cls(f"{recipes}@{digest(sorted(digests))}", found)

    def __call__(self, fold: Fold) -> EarlierRun | None:
        return self.by_fold.get(fold.name)


def with_earlier_runs(recipe: Recipe, init: str, teacher: str) -> Recipe:
    """The recipe with the names of initial run and teacher, since they change results.

    Raises:
        ConfigError: it names initial weights, and none are given.
    """
    if recipe.model.init and not init:
        raise ConfigError(
            f"{recipe.name}: begins with the weights of {recipe.model.init} (model.init). Name "
            'that run folder with --init-from, or leave it: --set model.init="".'
        )
    model = replace(recipe.model, init=init)
    train = replace(recipe.train, distill=teacher if recipe.train.uses_teacher else "")
    return replace(recipe, model=model, train=train)


def check_teachers(recipes: Sequence[Recipe], teacher: str) -> None:
    """See that there is a teacher if, and only if, a recipe needs one.

    Raises:
        ConfigError: a recipe lacks its teacher, or no recipe uses the one that is given.
    """
    students = [recipe for recipe in recipes if recipe.train.uses_teacher]
    lacking = [recipe.name for recipe in students if not _has_own_teacher(recipe)]
    if lacking and not teacher:
        raise ConfigError(
            f"{lacking[0]}: train.distill_alpha or train.feature_distill asks for a teacher. Name "
            "a run folder with --teacher, or set both to 0."
        )
    if teacher and recipes and not students:
        raise ConfigError(
            f"--teacher: {recipes[0].name} learns from none. Say how much it should, for example "
            "--set train.distill_alpha=0.5."
        )


def _has_own_teacher(recipe: Recipe) -> bool:
    """Whether its encoder's reference is all the teacher it needs."""
    return not recipe.train.distill_alpha and has_reference(recipe.model)


def find_run(place: Path, split: str, fold: Fold) -> EarlierRun:
    """The run in a folder or model file; in a study's folder the one of the same split and fold.

    Raises:
        RunError: there is none, or it has seen clips that this fold tests with.
        ModelError: a file that is no model, or not one that training can start from.
    """
    if not place.exists():
        raise RunError(
            f"{place}: no such folder or file; expected a run folder, a study's, or a model file."
        )
    single = place.is_file() or (place / "run.json").is_file()
    found = read(place if single else _of_fold(place, split, fold.name))
    if leaked := [u.id for u in fold.test if u.digest in found.seen]:
        raise RunError(
            f"{found.place}: has seen {len(leaked)} clips that fold {fold.name} tests with, "
            f"{leaked[0]} among them. Take a run that was trained on other speakers."
        )
    return found


def read(place: Path) -> EarlierRun:
    """The run in a folder or model file.

    Raises:
        RunError: there is none, or it does not say which clips it has seen.
        ModelError: a file that is no model, or not one that training can start from.
    """
    name, file = place.resolve().name, place / "model.safetensors"
    if place.is_dir():
        about: Mapping[str, Any] = read_about(place / "run.json")
        recipe = str(dict(about.get("recipe") or {}).get("name", ""))
    else:
        run = _load(place)
        name, file, about, recipe = place.stem, place, run.about, run.recipe.name
    try:
        weights = file.read_bytes()
    except OSError as error:
        raise RunError(f"{place}: not a whole run folder ({error}).") from None
    seen = seen_clips(about)
    if not seen:
        raise RunError(f"{place}: does not say which clips it has seen. Train it again.")
    return EarlierRun(
        name, place, sha256(weights).hexdigest()[:16], seen, recipe, corpora_of(about)
    )


def _load(place: Path) -> Run:
    if place.is_dir():
        return load_run(place)
    from emelia.learn.export.restore import load_model_run  # it needs onnx: few trainings do

    return load_model_run(place)


def _of_fold(place: Path, split: str, fold: str) -> Path:
    """The folder of a study's only run of a split and fold."""
    found = []
    for file in sorted(place.glob("cells/*/run.json")):
        about = read_about(file)
        if (about.get("split"), about.get("fold")) == (split, fold):
            found.append(file.parent)
    if len(found) == 1:
        return found[0]
    got = f"{len(found)} runs" if found else "no run"
    raise RunError(
        f"{place}: {got} of split {split}, fold {fold}; expected one. Name a run folder, or a "
        "study of the same split with one recipe and one seed."
    )


def read_about(file: Path) -> dict[str, Any]:
    """What a run.json tells.

    Raises:
        RunError: it is missing or damaged.
    """
    try:
        return dict(from_json(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise RunError(
            f"{file.parent}: not a run folder (it has no run.json). `emelia train RECIPE CORPUS` "
            "makes one."
        ) from None
    except (OSError, ValueError, TypeError) as error:
        raise RunError(f"{file}: damaged ({error}). Train it again with `emelia train`.") from None
