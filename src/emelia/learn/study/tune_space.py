"""The search space around a recipe, and the trials of a search. No torch here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from emelia.config import Recipe
from emelia.errors import ConfigError
from emelia.learn.study.ablations import is_solved, variant

Values = Mapping[str, Any]  # by setting, as for --set


@dataclass(frozen=True)
class Dimension:
    """One setting of the search space: between two ends, or among options."""

    key: str  # "train.lr"
    low: float = 0.0
    high: float = 0.0
    log: bool = False  # drawn on a logarithmic scale
    options: tuple[Any, ...] = ()  # instead of the ends


@dataclass(frozen=True)
class Trial:
    """Settings that were tried, and their score."""

    number: int
    state: str  # finished, or pruned: stopped early because others were better by then
    uar: float | None  # mean validation UAR of the inner folds; None where pruned
    values: Values
    folds: tuple[float, ...]  # validation UAR of each inner fold that was finished
    seconds: float


@dataclass(frozen=True)
class SearchResult:
    """All trials of a search, and how much each setting matters."""

    trials: tuple[Trial, ...]
    importances: Values = field(default_factory=dict)  # shares of 1, the largest first

    @property
    def best(self) -> Trial:
        """The finished trial with the highest UAR, the first of equals."""
        finished = [trial for trial in self.trials if trial.uar is not None]
        return max(finished, key=lambda trial: (trial.uar, -trial.number))


def space(recipe: Recipe) -> tuple[Dimension, ...]:
    """The settings to search, around the values of the recipe.

    What would change nothing is left out: mixup where a batch is one clip, the strength of
    changed copies where there are none, the width of an encoder.

    Raises:
        ConfigError: the recipe solves a linear layer and has no gradient steps.
    """
    if is_solved(recipe):
        raise ConfigError(
            f"{recipe.name}: only a linear layer is solved, which has nothing to search. Let it "
            "learn further, for example --set train.epochs=10."
        )
    augment, model, train = recipe.augment, recipe.model, recipe.train
    rate = max(train.lr, 1e-6)
    decays = _with(train.weight_decay, 0.0, 1e-4, 1e-3, 1e-2, 0.1)
    dimensions = [
        Dimension("train.lr", rate / 10, min(10 * rate, 100), log=True),
        Dimension("train.schedule", options=("constant", "cosine")),
        Dimension("train.weight_decay", options=decays),
        Dimension("model.dropout", 0.0, max(0.6, model.dropout)),
        *_of_network(recipe),
        Dimension("augment.mask_probability", 0.0, 1.0),
    ]
    if train.batch_size > 1:
        dimensions.append(
            Dimension("augment.mixup", options=_with(augment.mixup, 0.0, 0.1, 0.2, 0.4))
        )
    if augment.copies > 1:
        # A few steps, not any number: the copies of each are made once and kept in the cache.
        steps = _with(augment.probability, 0.3, 0.6, 0.9)
        dimensions.append(Dimension("augment.probability", options=steps))
    return tuple(dimensions)


def _of_network(recipe: Recipe) -> list[Dimension]:
    """The width of a network, or the layer-wise learning rates of a pre-trained encoder."""
    if recipe.model.name != "encoder":
        return [Dimension("model.width", options=_widths(recipe.model.width))]
    return [Dimension("train.layer_decay", options=_with(recipe.train.layer_decay, 0.5, 0.7, 1.0))]


def own_values(recipe: Recipe, dimensions: Sequence[Dimension]) -> dict[str, Any]:
    """The recipe's own values of these settings."""
    return {dimension.key: _get(recipe, dimension.key) for dimension in dimensions}


def with_values(recipe: Recipe, values: Values, name: str = "") -> Recipe:
    """The recipe with these values; itself where they are its own."""
    rounded = {key: _rounded(value) for key, value in values.items()}
    if all(_rounded(_get(recipe, key)) == value for key, value in rounded.items()):
        return recipe
    if not recipe.augment.mask_probability:  # else only copies are masked, and there may be none
        rounded["augment.masks_each_epoch"] = True
    return variant(recipe, rounded, name or recipe.name)


def _get(recipe: Recipe, key: str) -> Any:
    part, _, name = key.partition(".")
    return getattr(getattr(recipe, part), name)


def _with(own: float, *others: float) -> tuple[float, ...]:
    return tuple(sorted({own, *others}))


def _widths(own: int) -> tuple[int, ...]:
    """From half to twice the recipe's own."""
    return tuple(sorted({max(1, own * quarters // 4) for quarters in (2, 3, 4, 6, 8)}))


def _rounded(value: Any) -> Any:
    """Three digits, which is more than a search can tell apart."""
    return float(f"{value:.3g}") if isinstance(value, float) else value
