"""How good predictions are, how sure one may be of that, and whether two models differ.

Conventions: `truth` and `predicted` are class numbers (N,), `probabilities` (N, C) with
rows that sum to 1. Figures are shares of 1, not percent. Where a share has nothing to
be a share of (a class never predicted, or absent), it is 0, scikit-learn's
`zero_division=0`. Arrays that are empty or do not fit each other are the caller's
fault: ValueError.

Metrics: accuracy is the share of right answers; UAR (unweighted average recall) the mean
recall over the classes present in `truth`, so that no class counts for its size; `macro`
figures are means over all named classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Labels = NDArray[np.int64]  # (N,)
Numbers = NDArray[np.float64]

FEWEST_SPEAKERS = 6  # for an interval that speaks of new speakers


def accuracy(truth: ArrayLike, predicted: ArrayLike) -> float:
    """Share of clips that are right."""
    true, guess = _labels(truth, predicted)
    return float((true == guess).mean())


def uar(truth: ArrayLike, predicted: ArrayLike) -> float:
    """Mean recall over the classes present in `truth`."""
    return float(_uar(confusion_matrix(truth, predicted)))


def confusion_matrix(truth: ArrayLike, predicted: ArrayLike, classes: int = 0) -> Labels:
    """Count clips by class: (C, C), rows true, columns predicted.

    `classes` is C; 0 takes the largest class number that occurs.
    """
    true, guess = _labels(truth, predicted)
    size = classes or int(max(true.max(), guess.max())) + 1
    if max(true.max(), guess.max()) >= size:
        raise ValueError(f"class number {max(true.max(), guess.max())} given, with {size} classes.")
    return np.bincount(true * size + guess, minlength=size * size).reshape(size, size)


def precision(confusion: Labels) -> Numbers:
    """Of the clips given to each class, the share that belongs to it: (C,)."""
    return _share(np.diag(confusion), confusion.sum(axis=0))


def recall(confusion: Labels) -> Numbers:
    """Of the clips of each class, the share that is found: (C,)."""
    return _share(np.diag(confusion), confusion.sum(axis=1))


def f1(confusion: Labels) -> Numbers:
    """Harmonic mean of precision and recall of each class: (C,)."""
    return _share(2 * np.diag(confusion), confusion.sum(axis=0) + confusion.sum(axis=1))


def scores(truth: ArrayLike, predicted: ArrayLike, classes: Sequence[str]) -> dict[str, Any]:
    """Everything above for JSON: overall figures, `per_class` by name, `confusion` as lists."""
    confusion = confusion_matrix(truth, predicted, len(classes))
    columns = {"precision": precision(confusion), "recall": recall(confusion), "f1": f1(confusion)}
    support = confusion.sum(axis=1)
    return {
        "n": int(support.sum()),
        "accuracy": accuracy(truth, predicted),
        "uar": float(_uar(confusion)),
        **{f"macro_{name}": float(values.mean()) for name, values in columns.items()},
        "per_class": {
            label: {name: float(values[i]) for name, values in columns.items()}
            | {"support": int(support[i])}
            for i, label in enumerate(classes)
        },
        "confusion": confusion.tolist(),
    }


def per_group(
    truth: ArrayLike, predicted: ArrayLike, groups: Sequence[str]
) -> dict[str, dict[str, float]]:
    """`n`, `accuracy` and `uar` of each speaker, gender or the like, by name."""
    true, guess = _labels(truth, predicted)
    names = _as_long(groups, true, "groups")
    table = {}
    for name in np.unique(names):
        own = names == name
        table[str(name)] = {
            "n": int(own.sum()),
            "accuracy": accuracy(true[own], guess[own]),
            "uar": uar(true[own], guess[own]),
        }
    return table


def brier_score(truth: ArrayLike, probabilities: ArrayLike) -> float:
    """Mean squared distance to the truth, summed over classes: 0 best, 2 worst (Brier 1950)."""
    true, chances = _chances(truth, probabilities)
    return float(((chances - np.eye(chances.shape[1])[true]) ** 2).sum(axis=1).mean())


def reliability(
    truth: ArrayLike, probabilities: ArrayLike, bins: int = 10
) -> list[dict[str, float]]:
    """Clips by the confidence in their predicted class, in bins of equal width (low, high].

    Returns:
        A bin each: `low`, `high`, `n`, mean `confidence` and `accuracy`; both 0 where n is 0.
    """
    true, chances = _chances(truth, probabilities)
    sure = chances.max(axis=1)
    right = chances.argmax(axis=1) == true
    edges = np.linspace(0, 1, bins + 1)
    place = np.clip(np.searchsorted(edges, sure) - 1, 0, bins - 1)
    count = np.bincount(place, minlength=bins)
    confidence = _share(np.bincount(place, sure, bins), count)
    hits = _share(np.bincount(place, right, bins), count)
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


@dataclass(frozen=True, slots=True)
class Interval:
    """A bootstrap interval; `clustered` tells whether speakers were drawn before clips."""

    low: float
    high: float
    clustered: bool
    level: float = 0.95

    @property
    def too_narrow(self) -> bool:
        """True where it only speaks of other clips of the same few speakers."""
        return not self.clustered

    @property
    def note(self) -> str:
        """A line to print beside it; empty where there is nothing to say."""
        if self.clustered:
            return ""
        return (
            f"too narrow: drawn by clip, since there are fewer than {FEWEST_SPEAKERS} test "
            "speakers; new speakers vary more"
        )


def interval(
    truth: ArrayLike,
    predicted: ArrayLike,
    speakers: Sequence[str],
    metric: Literal["accuracy", "uar"] = "uar",
    n: int = 2000,
    seed: int = 0,
) -> Interval:
    """Percentile bootstrap of 95 %: speakers drawn with replacement, then clips of each.

    Clips of one speaker are alike, so drawing clips alone claims too much; it is done only
    below six speakers, and marked. Drawing speakers alone claims too much where a few
    happen to be alike; so both are drawn (Davison and Hinkley 1997, section 3.8). With
    predictions (S, N) of S seeds, every resample is the same for all seeds and its figure
    is their mean.
    """
    pairs = [_labels(truth, row) for row in np.atleast_2d(np.asarray(predicted))]
    true, guesses = pairs[0][0], np.vstack([guess for _, guess in pairs])  # (N,), (S, N)
    names, speaker = np.unique(_as_long(speakers, true, "speakers"), return_inverse=True)
    clustered = len(names) >= FEWEST_SPEAKERS
    if not clustered:
        speaker = np.zeros_like(speaker)
    # Clips with the same speaker, truth and predictions are copies of one unit, U of them.
    patterns = np.vstack([speaker, true, guesses])
    units, unit, copies = np.unique(patterns, axis=1, return_inverse=True, return_counts=True)
    confusions = _by_unit(true, guesses, unit)  # (U, S, C, C), of all copies
    single = confusions.reshape(len(copies), -1) / copies[:, None]
    weights = _draws(units[0], copies, n, np.random.default_rng(seed))
    drawn = (weights @ single).reshape(n, *confusions.shape[1:])
    values = {"accuracy": _accuracy, "uar": _uar}[metric](drawn).mean(axis=1)
    low, high = np.quantile(values, [0.025, 0.975])
    return Interval(float(low), float(high), clustered)


def mcnemar(truth: ArrayLike, a: ArrayLike, b: ArrayLike) -> float:
    """Two-sided exact p value that `a` and `b` are right equally often on the same clips.

    McNemar 1947 with the binomial distribution: of the clips that just one gets right,
    half should fall to each.
    """
    true, first = _labels(truth, a)
    _, second = _labels(truth, b)
    only_a = int(((first == true) & (second != true)).sum())
    only_b = int(((first != true) & (second == true)).sum())
    total, term, tail = only_a + only_b, 1, 0
    for k in range(min(only_a, only_b) + 1):
        tail += term  # sum of binomial coefficients, in whole numbers
        term = term * (total - k) // (k + 1)
    return min(1.0, float(2 * tail / 2**total))


def holm(p_values: Sequence[float]) -> list[float]:
    """P values adjusted for their number, in the order given (Holm 1979, step-down)."""
    values = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    scaled = values[order] * np.arange(len(values), 0, -1)
    adjusted = np.empty(len(values))
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(scaled))
    return [float(value) for value in adjusted]


def _draws(owner: Labels, copies: Labels, n: int, rng: np.random.Generator) -> Labels:
    """How often each unit is drawn in each resample (n, U): owners first, then clips of each."""
    owners = int(owner.max()) + 1
    times = rng.multinomial(owners, np.full(owners, 1 / owners), size=n)  # (n, owners)
    weights = np.empty((n, len(copies)), np.int64)
    for number in range(owners):
        own = owner == number
        clips = int(copies[own].sum())
        weights[:, own] = rng.multinomial(times[:, number] * clips, copies[own] / clips)
    return weights


def _by_unit(true: Labels, guesses: Labels, unit: Labels) -> Labels:
    """Confusion matrices of each unit and seed: (U, S, C, C)."""
    seeds, size, units = len(guesses), int(max(true.max(), guesses.max())) + 1, int(unit.max()) + 1
    cell = ((unit * seeds + np.arange(seeds)[:, None]) * size + true) * size + guesses  # (S, N)
    counts = np.bincount(cell.reshape(-1), minlength=units * seeds * size * size)
    return counts.reshape(units, seeds, size, size)


def _accuracy(confusion: NDArray[Any]) -> Numbers:
    """(..., C, C) -> (...)."""
    return _share(np.trace(confusion, axis1=-2, axis2=-1), confusion.sum(axis=(-2, -1)))


def _uar(confusion: NDArray[Any]) -> Numbers:
    """(..., C, C) -> (...)."""
    support = confusion.sum(axis=-1)
    recalls = _share(np.diagonal(confusion, axis1=-2, axis2=-1), support)
    return _share(recalls.sum(axis=-1), (support > 0).sum(axis=-1))


def _share(part: NDArray[Any], whole: NDArray[Any]) -> Numbers:
    """Divide, 0 where whole is 0."""
    out = np.zeros(np.shape(part))
    np.divide(part, whole, out=out, where=whole > 0)
    return out


def _labels(truth: ArrayLike, predicted: ArrayLike) -> tuple[Labels, Labels]:
    """Check that both are class numbers (N,)."""
    true, guess = np.asarray(truth), np.asarray(predicted)
    if true.ndim != 1 or not true.size:
        raise ValueError(f"truth of shape {true.shape}: expected (N,) with at least one clip.")
    if guess.shape != true.shape:
        raise ValueError(f"predictions of shape {guess.shape} for {true.size} clips.")
    for array in (true, guess):
        if array.dtype.kind not in "iu" or array.min() < 0:
            raise ValueError(f"expected class numbers from 0, got {array.dtype} {array.min()}.")
    return true.astype(np.int64), guess.astype(np.int64)


def _chances(truth: ArrayLike, probabilities: ArrayLike) -> tuple[Labels, Numbers]:
    """Check probabilities (N, C) against truth (N,)."""
    chances = np.asarray(probabilities, dtype=np.float64)
    if chances.ndim != 2 or not chances.size or not np.allclose(chances.sum(axis=1), 1, atol=1e-3):
        raise ValueError(f"probabilities of shape {chances.shape}: expected (N, C), rows sum to 1.")
    true, _ = _labels(truth, chances.argmax(axis=1))
    if true.max() >= chances.shape[1]:
        raise ValueError(f"class number {true.max()} given, with {chances.shape[1]} classes.")
    return true, chances


def _as_long(names: Sequence[str], true: Labels, what: str) -> NDArray[np.str_]:
    if len(names) != len(true):
        raise ValueError(f"{len(names)} {what} for {len(true)} clips.")
    return np.asarray(names, dtype=np.str_)
