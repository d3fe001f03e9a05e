"""Earlier runs that a training begins with, or learns from: found, named and checked for leaks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from emelia.config import Recipe, digest
from emelia.corpora.splits.scheme import Fold
from emelia.errors import ConfigError, RunError
from emelia.learn.export.card import corpora_of
from emelia.learn.training.init import stands_in
from emelia.learn.training.runs import Run, load_run
from emelia.learn.training.seen import Heard


@dataclass(frozen=True, slots=True)
class Origin:
    """A run folder or model file, the digest of its weights, and those of clips it has heard."""

    name: str
    place: Path
    digest: str
    heard: frozenset[str]
    recipe: str = ""  # its name
    corpora: tuple[dict[str, Any], ...] = ()  # what is known of them, for a model's card

    def run(self) -> Run:
        """Read it.

        Raises:
            RunError, ModelError: it is damaged.
        """
        return _load(self.place)


@dataclass(frozen=True)
class Origins:
    """What each fold of a split begins with, or learns from."""

    name: str  # RECIPE@DIGEST of all of them, wherever they lie; empty where there are none
    by_fold: Mapping[str, Origin]

    @classmethod
    def of(cls, place: Path | None, split: str, folds: Sequence[Fold]) -> Origins:
        """Find them; see `origin`."""
        found = {fold.name: origin(place, split, fold) for fold in folds}
        there = {name: one for name, one in found.items() if one}
        digests = {one.digest for one in there.values()}
        made = "+".join(sorted({one.recipe for one in there.values()}))
        return cls(f"{made}@{digest(sorted(digests))}" if place else "", there)

    def __call__(self, fold: Fold) -> Origin | None:
        return self.by_fold.get(fold.name)


def with_origins(recipe: Recipe, start: str, teacher: str) -> Recipe:
    """Say in a recipe what its networks begin with and learn from, since that changes results.

    Raises:
        ConfigError: it was made for a start that is not named now.
    """
    if recipe.model.init and not start:
        raise ConfigError(
            f"{recipe.name}: begins with the weights of {recipe.model.init} (model.init). Name "
            'that run folder with --init-from, or leave it: --set model.init="".'
        )
    model = replace(recipe.model, init=start)
    train = replace(recipe.train, distill=teacher if recipe.train.taught else "")
    return replace(recipe, model=model, train=train)


def check_teaching(recipes: Sequence[Recipe], teacher: str) -> None:
    """See that there is a teacher exactly where one is learnt from.

    Raises:
        ConfigError: a recipe lacks its teacher, or no recipe has a use for one.
    """
    pupils = [recipe.name for recipe in recipes if recipe.train.taught]
    lacking = [recipe.name for recipe in recipes if recipe.train.taught and not _imitates(recipe)]
    if lacking and not teacher:
        raise ConfigError(
            f"{lacking[0]}: train.distill_alpha or train.feature_distill asks for a teacher. Name "
            "a run folder with --teacher, or set both to 0."
        )
    if teacher and recipes and not pupils:
        raise ConfigError(
            f"--teacher: {recipes[0].name} learns from none. Say how much it should, for example "
            "--set train.distill_alpha=0.5."
        )


def _imitates(recipe: Recipe) -> bool:
    """Whether all that it is taught comes from the encoder that its own stands in for."""
    return not recipe.train.distill_alpha and stands_in(recipe.model)


def origin(place: Path | None, split: str, fold: Fold) -> Origin | None:
    """The run in a folder or model file; in a study's folder the one of the same split and fold.

    Raises:
        RunError: there is none, or it has heard clips that this fold tests with.
        ModelError: a file that is no model, or not one that training can go on from.
    """
    if place is None:
        return None
    if not place.exists():
        raise RunError(
            f"{place}: no such folder or file; expected a run folder, a study's, or a model file."
        )
    alone = place.is_file() or (place / "run.json").is_file()
    found = read(place if alone else _of_fold(place, split, fold.name))
    _check(found, fold)
    return found


def read(place: Path) -> Origin:
    """The run in a folder or model file.

    Raises:
        RunError: there is none, or it does not say which clips it has heard.
        ModelError: a file that is no model, or not one that training can go on from.
    """
    name, file = place.resolve().name, place / "model.safetensors"
    if place.is_dir():
        about: Mapping[str, Any] = _about(place / "run.json")
        recipe = str(dict(about.get("recipe") or {}).get("name", ""))
    else:
        run = _load(place)
        name, file, about, recipe = place.stem, place, run.about, run.recipe.name
    try:
        weights = file.read_bytes()
    except OSError as error:
        raise RunError(f"{place}: not a whole run folder ({error}).") from None
    heard = Heard(about.get("heard") or ())
    if not heard:
        raise RunError(f"{place}: does not say which clips it has heard. Train it again.")
    weight = sha256(weights).hexdigest()[:16]
    return Origin(name, place, weight, heard, recipe, corpora_of(about))


def _load(place: Path) -> Run:
    if place.is_dir():
        return load_run(place)
    from emelia.learn.export.restore import network_of  # it needs onnx, which few trainings do

    return network_of(place)


def _of_fold(place: Path, split: str, fold: str) -> Path:
    found = []
    for file in sorted(place.glob("cells/*/run.json")):
        about = _about(file)
        if (about.get("split"), about.get("fold")) == (split, fold):
            found.append(file.parent)
    if len(found) == 1:
        return found[0]
    got = f"{len(found)} runs" if found else "no run"
    raise RunError(
        f"{place}: {got} of split {split}, fold {fold}; expected one. Name a run folder, or a "
        "study of the same split with one recipe and one seed."
    )


def _about(file: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise RunError(
            f"{file.parent}: not a run folder (it has no run.json). `emelia train RECIPE CORPUS` "
            "makes one."
        ) from None
    except (OSError, ValueError, TypeError) as error:
        raise RunError(f"{file}: damaged ({error}). Train it again with `emelia train`.") from None


def _check(origin: Origin, fold: Fold) -> None:
    if leaked := [u.id for u in fold.test if u.digest in origin.heard]:
        raise RunError(
            f"{origin.place}: has heard {len(leaked)} clips that fold {fold.name} tests with, "
            f"{leaked[0]} among them. Take a run that was trained on other speakers."
        )
