"""What confidences are worth: calibration, and what is left when unsure answers are refused.

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
    """What share of answers is accepted from a confidence on, and how many of these are right.

    One place each of K confidences that occur, the highest first, so that coverage rises to 1.
    """

    confidence: Numbers  # (K,), the least that is accepted
    coverage: Numbers  # (K,)
    accuracy: Numbers  # (K,), of the accepted
    area: float  # under the curve of risk, 1 - accuracy, over coverage (AURC): 0 best

    def accuracy_at(self, coverage: float) -> float:
        """Share of right answers where at least this share of answers is accepted."""
        return float(self.accuracy[np.searchsorted(self.coverage, coverage - 1e-12)])

    def coverage_for(self, accuracy: float) -> float:
        """The largest share of answers of which at least this share is right; 0 for none."""
        return float(self.coverage[self.accuracy >= accuracy - 1e-12].max(initial=0))


def with_temperature(probabilities: ArrayLike, temperature: float) -> Numbers:
    """Divide the logits behind probabilities (..., C): softmax(log p / T), also where p is 0."""
    powers = np.asarray(probabilities, dtype=np.float64) ** (1 / temperature)
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def brier_score(truth: ArrayLike, probabilities: ArrayLike) -> float:
    """Mean squared distance to the truth, summed over classes: 0 best, 2 worst (Brier 1950)."""
    true, chances = as_probabilities(truth, probabilities)
    return float(((chances - np.eye(chances.shape[1])[true]) ** 2).sum(axis=1).mean())


def reliability(
    truth: ArrayLike, probabilities: ArrayLike, bins: int = 10
) -> list[dict[str, float]]:
    """Clips by the confidence in their predicted class, in bins of equal width (low, high].

    Returns:
        A bin each: `low`, `high`, `n`, mean `confidence` and `accuracy`; both 0 where n is 0.
    """
    true, chances = as_probabilities(truth, probabilities)
    sure = chances.max(axis=1)
    right = chances.argmax(axis=1) == true
    edges = np.linspace(0, 1, bins + 1)
    place = _bins(sure, bins)
    count = np.bincount(place, minlength=bins)
    confidence = share_of(np.bincount(place, sure, bins), count)
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
    """Expected calibration error: mean gap of confidence and accuracy over `reliability` bins.

    Guo et al. 2017, On Calibration of Modern Neural Networks.
    """
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
    """Bootstrap interval of 95 % of the calibration error, drawn as `interval` draws.

    Resamples have fewer different clips, so their error is larger on average; the interval is
    moved back by as much. It speaks of the figure that test sets of this size give, to be
    compared with `perfect_calibration_error`. With probabilities (S, N, C) of S seeds, every
    resample is the same for all seeds and its figure is their mean.
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
    """The calibration error that perfect confidences would show on average: 0 with endless clips.

    Answers with the confidences of `probabilities` (N, C) are drawn right as often as these say.
    """
    chances = np.asarray(probabilities, dtype=np.float64)
    sure = chances.max(axis=1)
    place, rng = _bins(sure, bins), np.random.default_rng(seed)
    errors = [
        np.abs(np.bincount(place, sure - (rng.random(len(sure)) < sure), bins)).sum()
        for _ in range(n)
    ]
    return float(np.mean(errors) / len(sure))


def risk_coverage(truth: ArrayLike, probabilities: ArrayLike) -> RiskCoverage:
    """Accept the surest answers first, those of equal confidence together.

    The area is the mean, over all answers, of the risk of accepting those at least as sure.
    """
    true, chances = as_probabilities(truth, probabilities)
    confidence, place, count = np.unique(
        -chances.max(axis=1), return_inverse=True, return_counts=True
    )
    accepted = count.cumsum()
    right = np.bincount(place, chances.argmax(axis=1) == true).cumsum() / accepted
    area = float(((1 - right) * count).sum() / len(true))
    return RiskCoverage(-confidence, accepted / len(true), right, area)


def _gaps(truth: ArrayLike, probabilities: NDArray[np.float64], bins: int) -> Numbers:
    """(N, bins): confidence less 1 where right, less 0 where wrong, in the bin of each answer.

    The calibration error is the sum over bins of the size of their means.
    """
    true, chances = as_probabilities(truth, probabilities)
    sure, right = chances.max(axis=1), chances.argmax(axis=1) == true
    gaps = np.zeros((len(true), bins))
    gaps[np.arange(len(true)), _bins(sure, bins)] = sure - right
    return gaps


def _bins(sure: NDArray[np.float64], bins: int) -> Labels:
    """The bin (low, high] of each confidence."""
    edges = np.linspace(0, 1, bins + 1)
    return np.clip(np.searchsorted(edges, sure) - 1, 0, bins - 1)
