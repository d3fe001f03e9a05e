"""Recipes made of a recipe: without each technique it uses, and with each remedy for rare classes.

A variant is a recipe like any other, with a digest of its own, so that an ordinary study runs
it. Its group says what it is a variant of: tables find the recipe to compare it with by that.
No torch here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from emelia.config import AugmentConfig, Recipe
from emelia.config.reading import check
from emelia.results import variant_of

# What a recipe is without a technique; where that changes nothing the recipe does not use it.
_NO_COPIES = {"augment.copies": 1, "augment.balanced": False}
_NO_MASKS = {"augment.mask_probability": 0.0, "augment.masks_each_epoch": False}
_TECHNIQUES: dict[str, dict[str, Any]] = {
    "no dropout": {"model.dropout": 0.0},
    "no early stopping": {"train.choose": "last", "train.patience": 0},
    "no augmentation": {"augment": AugmentConfig()},
    "no changed copies": _NO_COPIES,
    "no masks": _NO_MASKS,
    "no spectral changes": {"augment.spectral": 0.0},
    "no mixup": {"augment.mixup": 0.0},
    "no crops": {"augment.crop": 0},
    "no moved places": {"augment.place": 0},
    "no label smoothing": {"train.label_smoothing": 0.0},
    "constant learning rate": {"train.schedule": "constant", "train.warmup": 0.0},
    "no weight decay": {"train.weight_decay": 0.0},
    "no gradient clipping": {"train.clip_norm": 0.0},
    "no averaged weights": {"train.average": 0.0},
    "nothing frozen": {"train.frozen": 0},
    "no noise reduction": {"audio.denoise": "none"},
    "no home share": {"train.home_share": 0.0},
    "nothing shunned": {"train.shun": False},
    "one penalty": {"train.penalty": "chosen"},
    "speakers left out": {"train.left_out": "speakers"},
    "no refit": {"train.refit": False, "train.left_out": "speakers"},
    "no layer-wise rates": {"train.layer_decay": 1.0},
    "no teacher": {"train.teacher_share": 0.0, "train.imitate": 0.0},
    "no imitation": {"train.imitate": 0.0},
}
# Of these alone takes notice what is solved and not stepped.
_OF_SOLVED = (
    "no augmentation",
    "no changed copies",
    "no noise reduction",
    "no home share",
    "nothing shunned",
    "one penalty",
    "speakers left out",
    "no refit",
)
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
    wanted = _TECHNIQUES
    if is_solved(recipe):
        wanted = {name: _TECHNIQUES[name] for name in _OF_SOLVED}
    elif is_pretrained(recipe):
        wanted = _TECHNIQUES | _ENCODER
    made = (variant(recipe, settings, f"{recipe.name}, {n}") for n, settings in wanted.items())
    return _distinct([recipe, *made])


def is_pretrained(recipe: Recipe) -> bool:
    """Whether its network is an encoder that has learnt already."""
    return recipe.model.name == "encoder"


def is_solved(recipe: Recipe) -> bool:
    """Whether a linear layer is solved on such an encoder, and nothing learns in steps."""
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
    """Tell whether two recipes differ in words at most."""
    return replace(first, name=second.name).digest == second.digest


def _distinct(recipes: Iterable[Recipe]) -> list[Recipe]:
    """Each experiment once, under the name it came with first."""
    found: dict[str, Recipe] = {}
    for recipe in recipes:
        found.setdefault(replace(recipe, name="").digest, recipe)
    return list(found.values())
