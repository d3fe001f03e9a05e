"""Calibration of confidences, and accuracy when answers of low confidence are rejected.

Conventions are those of `scores`. The confidence of an answer is the probability of its
predicted class. Sources: Guo et al. 2017, On Calibration of Modern Neural Networks; Geifman
and El-Yaniv 2017, Selective Classification for Deep Neural Networks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emelia.metrics.intervals import Interval, resamples
from emelia.metrics.scores import Labels, Numbers, as_probabilities, share_of


@dataclass(frozen=True, eq=False)
class RiskCoverage:
    """Coverage and accuracy when only answers of at least some confidence are accepted.

    One value for each of the K confidences that occur, highest first: coverage rises to 1.
    """

    confidence: Numbers  # (K,), the lowest that is accepted
    coverage: Numbers  # (K,), share of answers that are accepted
    accuracy: Numbers  # (K,), of the accepted answers
    area: float  # under the curve of risk, 1 - accuracy, over coverage (AURC): 0 best

    def accuracy_at(self, coverage: float) -> float:
        """Accuracy of the accepted answers at a coverage of at least this."""
        return float(self.accuracy[np.searchsorted(self.coverage, coverage - 1e-12)])

    def coverage_for(self, accuracy: float) -> float:
        """The largest coverage with at least this accuracy; 0 where there is none."""
        return float(self.coverage[self.accuracy >= accuracy - 1e-12].max(initial=0))


def with_temperature(probabilities: ArrayLike, temperature: float) -> Numbers:
    """Apply a temperature to probabilities (..., C): softmax(log p / T); p may be 0."""
    powers = np.asarray(probabilities, dtype=np.float64) ** (1 / temperature)
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def brier_score(truth: ArrayLike, probabilities: ArrayLike) -> float:
    """Brier score (1950): mean over clips of the squared errors of all classes; 0 best, 2 worst."""
    true, probability = as_probabilities(truth, probabilities)
    return float(((probability - np.eye(probability.shape[1])[true]) ** 2).sum(axis=1).mean())


def reliability(
    truth: ArrayLike, probabilities: ArrayLike, bins: int = 10
) -> list[dict[str, float]]:
    """Count clips by confidence, in bins of equal width (low, high].

    Returns:
        For each bin `low`, `high`, `n`, mean `confidence` and `accuracy`, both 0 where n is 0.
    """
    true, probability = as_probabilities(truth, probabilities)
    confidences = probability.max(axis=1)
    right = probability.argmax(axis=1) == true
    edges = np.linspace(0, 1, bins + 1)
    place = _bins(confidences, bins)
    count = np.bincount(place, minlength=bins)
    confidence = share_of(np.bincount(place, confidences, bins), count)
    hits = share_of(np.bincount(place, right, bins), count)
    return [
        {
            "low": float(edges[i]),
            "high": float(edges[i + 1]),
            "n": int(count[i]),
            "confidence": float(confidence[i]),
            "accuracy": float(hits[i]),
        }
        for i in range(bins)
    ]


def calibration_error(truth: ArrayLike, probabilities: ArrayLike, bins: int = 10) -> float:
    """Expected calibration error: mean gap of confidence and accuracy over `reliability` bins."""
    table = reliability(truth, probabilities, bins)
    total = sum(row["n"] for row in table)
    return sum(row["n"] * abs(row["confidence"] - row["accuracy"]) for row in table) / total


def calibration_interval(
    truth: ArrayLike,
    probabilities: ArrayLike,
    speakers: Sequence[str],
    bins: int = 10,
    n: int = 2000,
    seed: int = 0,
) -> Interval:
    """Bootstrap interval of 95 % of the calibration error, computed as by `interval`.

    Resamples have fewer different clips, so their error is larger on average; the interval is
    shifted back by this bias. It is an interval of the error at this number of clips, to be
    compared with `perfect_calibration_error`. With probabilities (S, N, C) of S seeds, each
    resample draws the same clips for all seeds, and its figure is their mean.
    """
    rows = np.asarray(probabilities, dtype=np.float64)
    gaps = [_gaps(truth, row, bins) for row in (rows if rows.ndim == 3 else rows[None])]
    weights, clustered = resamples(speakers, len(gaps[0]), n, seed)
    size = weights.sum(axis=1, keepdims=True)
    drawn = [np.abs(weights @ gap / size).sum(axis=1) for gap in gaps]
    values = np.mean(drawn, axis=0)
    error = np.mean([np.abs(gap.mean(axis=0)).sum() for gap in gaps])
    low, high = np.quantile(values, [0.025, 0.975]) - (values.mean() - error)
    return Interval(max(0.0, float(low)), float(high), clustered)


def perfect_calibration_error(
    probabilities: ArrayLike, bins: int = 10, n: int = 1000, seed: int = 0
) -> float:
    """The mean calibration error of perfectly calibrated answers: above 0, as clips are finite.

    Simulated: an answer with the confidence c of `probabilities` (N, C) is right with chance c.
    """
    probability = np.asarray(probabilities, dtype=np.float64)
    confidences = probability.max(axis=1)
    place, rng = _bins(confidences, bins), np.random.default_rng(seed)
    errors = [
        np.abs(
            np.bincount(place, confidences - (rng.random(len(confidences)) < confidences), bins)
        ).sum()
        for _ in range(n)
    ]
    return float(np.mean(errors) / len(confidences))


def risk_coverage(truth: ArrayLike, probabilities: ArrayLike) -> RiskCoverage:
    """The risk-coverage curve: answers are accepted by confidence, highest first.

    Its area is the mean over answers of the risk of accepting all at least as confident.
    """
    true, probability = as_probabilities(truth, probabilities)
    confidence, place, count = np.unique(
        -probability.max(axis=1), return_inverse=True, return_counts=True
    )
    accepted = count.cumsum()
    right = np.bincount(place, probability.argmax(axis=1) == true).cumsum() / accepted
    area = float(((1 - right) * count).sum() / len(true))
    return RiskCoverage(-confidence, accepted / len(true), right, area)


def _gaps(truth: ArrayLike, probabilities: NDArray[np.float64], bins: int) -> Numbers:
    """Confidence minus correctness (1 or 0), in the column of each answer's bin: (N, bins).

    The calibration error is the sum over bins of the absolute means.
    """
    true, probability = as_probabilities(truth, probabilities)
    confidence, right = probability.max(axis=1), probability.argmax(axis=1) == true
    gaps = np.zeros((len(true), bins))
    gaps[np.arange(len(true)), _bins(confidence, bins)] = confidence - right
    return gaps


def _bins(confidences: NDArray[np.float64], bins: int) -> Labels:
    """Index of the bin (low, high] of each confidence: (N,) -> (N,)."""
    edges = np.linspace(0, 1, bins + 1)
    return np.clip(np.searchsorted(edges, confidences) - 1, 0, bins - 1)
