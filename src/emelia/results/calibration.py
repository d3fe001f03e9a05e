"""Calibration of one recipe, before and after temperature scaling.

Figures are means over seeds. Shapes: N test clips, S seeds, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from emelia import metrics
from emelia.metrics import Interval, Labels, RiskCoverage

Probabilities = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Calibration:
    """Probabilities of a recipe for its test clips, without and with its temperatures."""

    truth: Labels  # (N,)
    before: Probabilities  # (S, N, C)
    after: Probabilities  # (S, N, C)
    speakers: Sequence[str]  # N of them
    temperatures: tuple[float, ...]  # one for each training, 1 where none was fitted

    @property
    def fitted(self) -> bool:
        """Whether any training has a temperature; otherwise before and after are equal."""
        return any(temperature != 1 for temperature in self.temperatures)

    @cached_property
    def error(self) -> float:
        """Expected calibration error (10 bins) with temperatures."""
        return fmean(metrics.calibration_error(self.truth, row) for row in self.after)

    @cached_property
    def error_before(self) -> float:
        return fmean(metrics.calibration_error(self.truth, row) for row in self.before)

    @cached_property
    def interval(self) -> Interval:
        """95 % interval of `error`."""
        return metrics.calibration_interval(self.truth, self.after, self.speakers)

    @cached_property
    def perfect(self) -> float:
        """Mean error of perfectly calibrated answers with these confidences."""
        return fmean(metrics.perfect_calibration_error(row) for row in self.after)

    @cached_property
    def brier(self) -> float:
        return fmean(metrics.brier_score(self.truth, row) for row in self.after)

    @cached_property
    def brier_before(self) -> float:
        return fmean(metrics.brier_score(self.truth, row) for row in self.before)

    @cached_property
    def area(self) -> float:
        """Area under the risk-coverage curve, with temperatures."""
        return fmean(metrics.risk_coverage(self.truth, row).area for row in self.after)

    @property
    def risk(self) -> float:
        """Share of wrong answers: the area if confidence told nothing."""
        return 1 - metrics.accuracy(self._truths, self._pooled(self.after).argmax(axis=1))

    @cached_property
    def curve(self) -> RiskCoverage:
        """Risk-coverage curve of the answers of all seeds, with temperatures."""
        return metrics.risk_coverage(self._truths, self._pooled(self.after))

    @cached_property
    def bins(self) -> list[dict[str, float]]:
        """Reliability bins of the answers of all seeds, with temperatures."""
        return metrics.reliability(self._truths, self._pooled(self.after))

    @cached_property
    def bins_before(self) -> list[dict[str, float]]:
        """The same without temperatures."""
        return metrics.reliability(self._truths, self._pooled(self.before))

    @property
    def sureness(self) -> float:
        """Mean confidence, with temperatures."""
        return float(self.after.max(axis=-1).mean())

    @property
    def _truths(self) -> Labels:
        return np.tile(self.truth, len(self.after))  # (S * N,)

    def _pooled(self, chances: Probabilities) -> Probabilities:
        return chances.reshape(-1, chances.shape[-1])  # (S * N, C)
