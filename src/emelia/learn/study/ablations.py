"""Variants of a recipe: ablations, and remedies for classes of unequal size.

A variant is a recipe like any other, with a digest of its own, so that an ordinary study runs
it. Its group names the recipe it is a variant of, by which tables know what to compare it with.
No torch here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from emelia.config import Recipe, all_settings
from emelia.config.reading import check
from emelia.results import variant_of

ALL_FROZEN = 1000  # more layers than any encoder has
_ENCODER: dict[str, dict[str, Any]] = {
    "frozen encoder": {"train.frozen": ALL_FROZEN},
    "linear layer only": {"train.epochs": 1},
}
_NO_REMEDY = {"train.balance": "none", "augment.balanced": False}
_REMEDIES: dict[str, dict[str, Any]] = {
    "class weights": {**_NO_REMEDY, "train.balance": "weights"},
    "class sampling": {**_NO_REMEDY, "train.balance": "sampling"},
    "balanced copies": {**_NO_REMEDY, "augment.balanced": True},
}


def with_variants(recipes: Iterable[Recipe], ablate: bool, remedy: bool) -> list[Recipe]:
    """The recipes, with their ablations and remedies where asked for; each experiment once."""
    kinds = [make for make, wanted in ((ablations, ablate), (remedies, remedy)) if wanted]
    made = [one for recipe in recipes for make in kinds for one in make(recipe)]
    return _distinct(made) if kinds else list(recipes)


def ablations(recipe: Recipe) -> list[Recipe]:
    """The recipe, and it without each technique it uses."""
    plain = {"augment": type(recipe.augment)()}  # all of its settings at once
    wanted = {"no augmentation": plain} | _techniques(solved=is_solved(recipe))
    if is_pretrained(recipe) and not is_solved(recipe):
        wanted |= _ENCODER
    made = (variant(recipe, settings, f"{recipe.name}, {n}") for n, settings in wanted.items())
    return _distinct([recipe, *made])


def _techniques(solved: bool) -> dict[str, dict[str, Any]]:
    """Settings that switch off each technique; they change nothing in a recipe that uses none.

    Args:
        solved: only techniques that change a linear layer that is solved.
    """
    found: dict[str, dict[str, Any]] = {}
    for key, about in all_settings(Recipe):
        for name, value in about.without.items() if about.solved or not solved else ():
            found.setdefault(name, {})[key] = value
    return found


def is_pretrained(recipe: Recipe) -> bool:
    """Whether its network is a pre-trained encoder."""
    return recipe.model.name == "encoder"


def is_solved(recipe: Recipe) -> bool:
    """Whether a linear layer is solved on such an encoder, without gradient steps."""
    return is_pretrained(recipe) and recipe.train.epochs == 1


def remedies(recipe: Recipe) -> list[Recipe]:
    """The recipe without a remedy for classes of unequal size, and with each of them."""
    plain = variant(recipe, _NO_REMEDY, f"{recipe.name}, no remedy")
    base = recipe if same_experiment(plain, recipe) else replace(plain, group="own")
    made = (variant(base, settings, f"{recipe.name}, {n}") for n, settings in _REMEDIES.items())
    return [base, *made]


def variant(recipe: Recipe, settings: Mapping[str, Any], name: str) -> Recipe:
    """A recipe with other settings, given as `part.name` or a whole `part`, under a new name.

    Raises:
        ConfigError: a value that makes no sense.
    """
    made = replace(recipe, name=name, group=variant_of(recipe.digest), title="")
    made = replace(made, published=0.0, published_epoch=0)
    for key, value in settings.items():
        part, _, entry = key.partition(".")
        value = replace(getattr(made, part), **{entry: value}) if entry else value
        made = replace(made, **{part: value})
    check(made)
    return made


def same_experiment(first: Recipe, second: Recipe) -> bool:
    """Whether two recipes differ in names and titles at most."""
    return replace(first, name=second.name).digest == second.digest


def _distinct(recipes: Iterable[Recipe]) -> list[Recipe]:
    """Each experiment once, under its first name."""
    found: dict[str, Recipe] = {}
    for recipe in recipes:
        found.setdefault(replace(recipe, name="").digest, recipe)
    return list(found.values())
