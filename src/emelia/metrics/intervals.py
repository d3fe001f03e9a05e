"""Confidence intervals of metrics, and tests of whether two models differ.

Conventions are those of `scores`. Sources: Davison and Hinkley 1997, Bootstrap Methods and their
Application; Wilson 1927, J. Am. Stat. Assoc. 22; McNemar 1947, Psychometrika 12; Holm 1979,
Scand. J. Statistics 6.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from emelia.metrics.scores import (
    OVERALL,
    PER_CLASS,
    Labels,
    as_labels,
    as_names,
    macro,
    uar_of,
)

FEWEST_SPEAKERS = 6  # below this, resampling speakers tells nothing of new ones


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval; `clustered` tells whether speakers were drawn, then their clips."""

    low: float
    high: float
    clustered: bool
    level: float = 0.95

    @property
    def too_narrow(self) -> bool:
        """Whether it covers only the variation of clips, not that of speakers."""
        return not self.clustered

    @property
    def note(self) -> str:
        """A warning to print beside it; empty where there is none."""
        if self.clustered:
            return ""
        return (
            f"too narrow: drawn by clip, since fewer than {FEWEST_SPEAKERS} test speakers are "
            "known; new speakers vary more"
        )


def interval(
    truth: ArrayLike,
    predicted: ArrayLike,
    speakers: Sequence[str],
    metric: str = "uar",
    n: int = 2000,
    seed: int = 0,
) -> Interval:
    """Bootstrap percentile interval of 95 %: speakers are drawn with replacement, then their clips.

    Clips of one speaker are correlated, so an interval from drawing clips alone is too narrow; it
    is computed only for fewer than six speakers, and marked. Drawing speakers alone is too narrow
    where few speakers happen to agree, so both are drawn (Davison and Hinkley 1997, section 3.8).

    Args:
        truth: class numbers (N,).
        predicted: class numbers (N,), or (S, N) of S seeds: each resample draws the same clips
            for all seeds, and its figure is their mean.
        speakers: one name for each clip.
        metric: the figure.
        n: number of resamples.
        seed: of the random draws.
    """
    drawn, clustered = _resampled(truth, predicted, speakers, 0, n, seed)
    values = OVERALL[metric].of(drawn).mean(axis=1)
    return _between(values, clustered)


def difference_interval(
    truth: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    speakers: Sequence[str],
    n: int = 2000,
    seed: int = 0,
) -> Interval:
    """Interval of the UAR of `second` minus that of `first` on the same clips; see `interval`.

    Both are computed on the same resamples, so that speakers hard for both cancel out.
    """
    rows = [np.atleast_2d(np.asarray(one)) for one in (first, second)]
    drawn, clustered = _resampled(truth, np.vstack(rows), speakers, 0, n, seed)
    values, seeds = uar_of(drawn), len(rows[0])  # (n, S of both)
    return _between(values[:, seeds:].mean(axis=1) - values[:, :seeds].mean(axis=1), clustered)


def class_intervals(
    truth: ArrayLike,
    predicted: ArrayLike,
    speakers: Sequence[str],
    classes: int,
    n: int = 2000,
    seed: int = 0,
) -> dict[str, list[Interval]]:
    """Intervals of precision, recall and F1 of each class, computed as by `interval`.

    Returns:
        C + 1 intervals by metric: of each class, then of their mean (the macro figure). Resamples
        without clips of a class are left out for it; a class without clips has 0 to 0.
    """
    drawn, clustered = _resampled(truth, predicted, speakers, classes, n, seed)
    found = {}
    for name, metric in PER_CLASS.items():
        values = metric.of(drawn)  # (n, S, C)
        present = drawn[:, 0].sum(axis=-1) > 0  # (n, C), the same for all seeds
        means = values.mean(axis=1)
        columns = [means[present[:, i], i] for i in range(means.shape[1])]
        columns.append(macro(drawn, values).mean(axis=1))
        found[name] = [_between(column, clustered) for column in columns]
    return found


def _between(values: NDArray[np.float64], clustered: bool) -> Interval:
    low, high = np.quantile(values, [0.025, 0.975]) if values.size else (0.0, 0.0)
    return Interval(float(low), float(high), clustered)


def _resampled(
    truth: ArrayLike, predicted: ArrayLike, speakers: Sequence[str], classes: int, n: int, seed: int
) -> tuple[NDArray[np.float64], bool]:
    """Confusion matrices (n, S, C, C) of n resamples, and whether speakers were drawn."""
    pairs = [as_labels(truth, row) for row in np.atleast_2d(np.asarray(predicted))]
    true, guesses = pairs[0][0], np.vstack([guess for _, guess in pairs])  # (N,), (S, N)
    names, speaker = np.unique(as_names(speakers, len(true), "speakers"), return_inverse=True)
    clustered = len(names) >= FEWEST_SPEAKERS
    if not clustered:  # as if all clips were of one speaker: only clips are drawn
        speaker = np.zeros_like(speaker)
    # Clips with the same speaker, truth and predictions are copies of one unit, so that the
    # cost depends on the number U of units, which is far smaller than N.
    patterns = np.vstack([speaker, true, guesses])
    units, unit, copies = np.unique(patterns, axis=1, return_inverse=True, return_counts=True)
    confusions = _by_unit(true, guesses, unit, classes)  # (U, S, C, C), of all copies
    single = confusions.reshape(len(copies), -1) / copies[:, None]
    weights = _draws(units[0], copies, n, np.random.default_rng(seed))
    drawn = (weights @ single).reshape(n, *confusions.shape[1:])
    return drawn, clustered


def mean_interval(
    values: ArrayLike, speakers: Sequence[str], n: int = 2000, seed: int = 0
) -> Interval:
    """Interval of the mean of `values` (N,), one for each clip, computed as by `interval`."""
    numbers = np.asarray(values, dtype=np.float64)
    weights, clustered = resamples(speakers, len(numbers), n, seed)
    return _between(weights @ numbers / weights.sum(axis=1), clustered)


def resamples(speakers: Sequence[str], clips: int, n: int, seed: int) -> tuple[Labels, bool]:
    """Number of times each clip is drawn in each resample (n, N), and if speakers were drawn."""
    names, owner = np.unique(as_names(speakers, clips, "speakers"), return_inverse=True)
    clustered = len(names) >= FEWEST_SPEAKERS
    if not clustered:
        owner = np.zeros_like(owner)
    return _draws(owner, np.ones_like(owner), n, np.random.default_rng(seed)), clustered


def wilson(share: float, n: int) -> Interval:
    """Wilson score interval of 95 % for a `share`, 0 to 1, of n clips, by clip."""
    z = 1.959964  # of the normal distribution, at 97.5 %
    scale = 1 + z * z / n
    middle = (share + z * z / (2 * n)) / scale
    reach = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / scale
    return Interval(max(0.0, middle - reach), min(1.0, middle + reach), clustered=False)


def mcnemar(truth: ArrayLike, a: ArrayLike, b: ArrayLike) -> float:
    """P value of McNemar's exact two-sided test: `a` and `b` are right equally often.

    Of the clips that only one of them gets right, half should belong to each (binomial test).
    """
    true, first = as_labels(truth, a)
    _, second = as_labels(truth, b)
    only_a = int(((first == true) & (second != true)).sum())
    only_b = int(((first != true) & (second == true)).sum())
    total, term, tail = only_a + only_b, 1, 0
    for k in range(min(only_a, only_b) + 1):
        tail += term  # sum of binomial coefficients, in whole numbers
        term = term * (total - k) // (k + 1)
    return min(1.0, float(2 * tail / 2**total))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p values for multiple tests by Holm's step-down method, in the order given."""
    values = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    scaled = values[order] * np.arange(len(values), 0, -1)
    adjusted = np.empty(len(values))
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(scaled))
    return [float(value) for value in adjusted]


def _draws(owner: Labels, copies: Labels, n: int, rng: np.random.Generator) -> Labels:
    """Number of times each unit is drawn in each resample (n, U): owners first, then clips."""
    owners = int(owner.max()) + 1
    times = rng.multinomial(owners, np.full(owners, 1 / owners), size=n)  # (n, owners)
    weights = np.empty((n, len(copies)), np.int64)
    for number in range(owners):
        own = owner == number
        clips = int(copies[own].sum())
        weights[:, own] = rng.multinomial(times[:, number] * clips, copies[own] / clips)
    return weights


def _by_unit(true: Labels, guesses: Labels, unit: Labels, classes: int) -> Labels:
    """Confusion matrices of each unit and seed (U, S, C, C), with at least `classes` classes."""
    seeds, units = len(guesses), int(unit.max()) + 1
    size = max(classes, int(max(true.max(), guesses.max())) + 1)
    cell = ((unit * seeds + np.arange(seeds)[:, None]) * size + true) * size + guesses  # (S, N)
    counts = np.bincount(cell.reshape(-1), minlength=units * seeds * size * size)
    return counts.reshape(units, seeds, size, size)
