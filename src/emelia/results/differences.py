"""The effect of a change to a recipe: each variant of a study compared with its recipe."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from emelia import metrics
from emelia.metrics import Interval, Labels
from emelia.results.rows import Row, grouped
from emelia.results.studies import Study

_MARK = "variant of "


def variant_of(digest: str) -> str:
    """The value of `group` in variants of the recipe with this digest."""
    return f"{_MARK}{digest}"


@dataclass(frozen=True)
class Difference:
    """A variant compared with its recipe, on the test clips of the seeds both have finished."""

    base: Row
    variant: Row
    seeds: tuple[int, ...]
    p: float  # McNemar's exact test on the first of these seeds
    adjusted: float  # after Holm's correction for all variants of the recipe

    @cached_property
    def points(self) -> float:
        """The variant's UAR minus the recipe's, in [-1, 1]: below 0 where the change is worse."""
        return _uar(self.base.truth, self._guesses(self.variant)) - _uar(
            self.base.truth, self._guesses(self.base)
        )

    @cached_property
    def interval(self) -> Interval:
        """95 % interval of `points`, from the same resamples for both."""
        before, after = (self._guesses(row) for row in (self.base, self.variant))
        return metrics.difference_interval(self.base.truth, before, after, self.base.speakers)

    def _guesses(self, row: Row) -> Labels:
        """Predictions (S, N) of `seeds`."""
        return row.predicted[[row.seeds.index(seed) for seed in self.seeds]]


def differences(study: Study) -> list[list[Difference]]:
    """The complete variants of each recipe that has some, in the order of the study."""
    bases = {row.cells[0].recipe_digest: row for row in study.complete}
    pairs = [(bases.get(_base_of(row)), row) for row in study.complete]
    found = [one for base, row in pairs if base and (one := _difference(base, row))]
    groups = grouped(found, lambda one: one.base.recipe).values()
    return [_adjusted(group) for group in groups]


def _base_of(row: Row) -> str:
    """Digest of the recipe that a row is a variant of; empty where it is none."""
    group = str(row.cells[0].settings.get("group", ""))
    return group.removeprefix(_MARK) if group.startswith(_MARK) else ""


def _difference(base: Row, variant: Row) -> Difference | None:
    seeds = tuple(seed for seed in base.seeds if seed in variant.seeds)
    if not seeds:
        return None
    first, second = (row.predicted[row.seeds.index(seeds[0])] for row in (base, variant))
    p = metrics.mcnemar(base.truth, first, second)
    return Difference(base, variant, seeds, p, p)


def _adjusted(group: list[Difference]) -> list[Difference]:
    adjusted = metrics.holm([one.p for one in group])
    return [dataclasses.replace(one, adjusted=p) for one, p in zip(group, adjusted, strict=True)]


def _uar(truth: Labels, predicted: Labels) -> float:
    """The mean over seeds."""
    return float(np.mean([metrics.uar(truth, row) for row in predicted]))
