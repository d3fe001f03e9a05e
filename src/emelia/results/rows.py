"""Rows: the figures of one recipe on one split.

The test clips of all folds of a seed are pooled before a figure is computed, so that every clip
has the same weight; figures are means over seeds.

Shapes: N test clips, S seeds, C classes. Shares lie in [0, 1], times are in seconds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean, stdev
from typing import TypeVar

import numpy as np

from emelia import metrics
from emelia.metrics import Interval, Labels
from emelia.results.calibration import Calibration
from emelia.results.cells import Cell

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)

_FOUNDING_CORPUS = "aesdd"  # the corpus of the published figures


@dataclass(frozen=True)
class Row:
    """One recipe on one split; its figures are those of its finished seeds.

    A seed is finished when all its folds are there. Where no seed is finished, the figures are of
    the seed with most folds, and the row is not `complete`: it must not be compared.
    """

    recipe: str  # its name, with its digest where two recipes of a study share the name
    cells: tuple[Cell, ...]
    folds: int  # of the split

    @cached_property
    def seeds(self) -> tuple[int, ...]:
        """The finished seeds."""
        return tuple(s for s, cells in self._by_seed.items() if len(cells) == self.folds)

    @property
    def complete(self) -> bool:
        return bool(self.seeds)

    @property
    def expected(self) -> int:
        """Number of cells once every seed that was started is finished."""
        return self.folds * len(self._by_seed)

    @cached_property
    def counted(self) -> tuple[tuple[Cell, ...], ...]:
        """The cells that figures are computed from: S seeds, each with its folds in order."""
        if self.complete:
            return tuple(self._by_seed[seed] for seed in self.seeds)
        return (max(self._by_seed.values(), key=len),)

    @cached_property
    def ids(self) -> list[tuple[str, str]]:
        """Fold and id of each test clip, N of them."""
        return [(cell.fold, str(p["id"])) for cell in self.counted[0] for p in cell.predictions]

    @cached_property
    def speakers(self) -> list[str]:
        """Speaker of each test clip, N of them."""
        return [name for cell in self.counted[0] for name in cell.speakers]

    @cached_property
    def truth(self) -> Labels:
        """Class numbers (N,)."""
        return np.concatenate([cell.truth for cell in self.counted[0]])

    @cached_property
    def predicted(self) -> Labels:
        """Class numbers (S, N)."""
        return np.vstack([np.concatenate([c.predicted for c in cells]) for cells in self.counted])

    @cached_property
    def calibration(self) -> Calibration | None:
        """Calibration of its probabilities; None where a training diverged."""
        before, after = (
            np.stack([np.concatenate([getattr(c, kind) for c in cells]) for cells in self.counted])
            for kind in ("probabilities", "calibrated")
        )
        temperature = tuple(c.temperature for cells in self.counted for c in cells)
        if not np.isfinite(before).all():
            return None
        return Calibration(self.truth, before, after, self.speakers, temperature)

    @cached_property
    def accuracies(self) -> tuple[float, ...]:
        """Accuracy of each seed."""
        return tuple(metrics.accuracy(self.truth, row) for row in self.predicted)

    @cached_property
    def uars(self) -> tuple[float, ...]:
        """UAR of each seed."""
        return tuple(metrics.uar(self.truth, row) for row in self.predicted)

    @property
    def accuracy(self) -> float:
        return fmean(self.accuracies)

    @property
    def uar(self) -> float:
        return fmean(self.uars)

    @property
    def macro_f1(self) -> float:
        confusions = (self._confusion(row) for row in self.predicted)
        return fmean(float(metrics.macro(one, metrics.f1(one))) for one in confusions)

    @property
    def accuracy_spread(self) -> float | None:
        """Standard deviation over seeds; None for a single seed."""
        return stdev(self.accuracies) if len(self.accuracies) > 1 else None

    @cached_property
    def accuracy_interval(self) -> Interval:
        return metrics.interval(self.truth, self.predicted, self.speakers, "accuracy")

    @cached_property
    def uar_interval(self) -> Interval:
        return metrics.interval(self.truth, self.predicted, self.speakers, "uar")

    @cached_property
    def confusion(self) -> Labels:
        """Confusion matrix (C, C), rows true, columns predicted, summed over seeds."""
        return self._confusion(self.predicted.reshape(-1))

    @cached_property
    def per_speaker(self) -> dict[str, tuple[int, float]]:
        """Number of test clips of each speaker, and the accuracy on them, mean over seeds."""
        seeds = len(self.predicted)
        # Pooled over seeds, which all have the same clips.
        truth, guesses = np.tile(self.truth, seeds), self.predicted.reshape(-1)
        table = metrics.per_group(truth, guesses, self.speakers * seeds)
        return {name: (int(own["n"]) // seeds, own["accuracy"]) for name, own in table.items()}

    @cached_property
    def class_intervals(self) -> dict[str, list[Interval]]:
        """Intervals of precision, recall and f1: one for each class, the last for their mean."""
        classes = len(self.cells[0].classes)
        return metrics.class_intervals(self.truth, self.predicted, self.speakers, classes)

    @property
    def untested(self) -> tuple[str, ...]:
        """Classes without test clips, which means over classes leave out."""
        tested = set(self.truth.tolist())
        return tuple(name for i, name in enumerate(self.cells[0].classes) if i not in tested)

    @property
    def parameters(self) -> int:
        return self.cells[0].parameters

    @property
    def seconds(self) -> float:
        """Mean training time of a cell."""
        return fmean(cell.seconds for cell in self.cells)

    @property
    def published(self) -> float | None:
        """Accuracy that the founding study reports for the recipe; None on other corpora."""
        percent = self.cells[0].settings.get("published", 0.0)
        return percent / 100 if percent and self.cells[0].corpus == _FOUNDING_CORPUS else None

    @cached_property
    def best_test_accuracy(self) -> float | None:
        """Accuracy if the epoch is chosen on test data, as some studies do: too optimistic.

        The best epoch of each fold counts; None unless every epoch was tested.
        """
        folds = [cell for cells in self.counted for cell in cells]
        if not all("test_accuracy" in epoch for cell in folds for epoch in cell.history):
            return None
        right = [max(e["test_accuracy"] for e in cell.history) * len(cell.truth) for cell in folds]
        return sum(right) / self.predicted.size

    @property
    def best_test_interval(self) -> Interval | None:
        """Wilson interval, by clip: of each epoch only the accuracy is known."""
        share = self.best_test_accuracy
        return None if share is None else metrics.wilson(share, len(self.truth))

    @property
    def validation_uar(self) -> float:
        """Mean UAR on validation data at the chosen epochs."""
        chosen = (c.history[c.best_epoch - 1] for cells in self.counted for c in cells)
        return fmean(epoch.get("validation_uar", math.nan) for epoch in chosen)

    @cached_property
    def _by_seed(self) -> dict[int, tuple[Cell, ...]]:
        groups = grouped(self.cells, lambda cell: cell.seed)
        return {seed: tuple(sorted(groups[seed], key=_fold_order)) for seed in sorted(groups)}

    def _confusion(self, predicted: Labels) -> Labels:
        truth = np.tile(self.truth, predicted.size // self.truth.size)
        return metrics.confusion_matrix(truth, predicted, len(self.cells[0].classes))


def grouped(items: Iterable[T], key: Callable[[T], K]) -> dict[K, list[T]]:
    """Group items by key; keys and items keep the order of first occurrence."""
    groups: dict[K, list[T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def _fold_order(cell: Cell) -> tuple[int, str]:
    """Sort key that has fold 2 before fold 10."""
    return len(cell.fold), cell.fold
