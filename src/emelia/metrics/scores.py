"""How good predictions are.

Conventions: `truth` and `predicted` are class numbers (N,), `probabilities` (N, C) with
rows that sum to 1. Figures are shares of 1, not percent. Where a share has nothing to
be a share of (a class never predicted, or absent), it is 0, scikit-learn's
`zero_division=0`. Arrays that are empty or do not fit each other are the caller's
fault: ValueError.

Metrics: accuracy is the share of right answers; UAR (unweighted average recall) the mean
recall of the classes, so that no class counts for its size; `macro` figures are such means, too.

One rule for classes without clips in `truth`: nothing can be found of them, so no mean over
classes counts them, and guessing reaches a UAR of 1 by the number of the others (`chance`).
It is the rule of scikit-learn's `balanced_accuracy_score`, and its averages over
`labels=np.unique(truth)`. By themselves their figures are 0, with a support of 0; a table shows
none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Labels = NDArray[np.int64]  # (N,)
Numbers = NDArray[np.float64]


def accuracy(truth: ArrayLike, predicted: ArrayLike) -> float:
    """Share of clips that are right."""
    true, guess = as_labels(truth, predicted)
    return float((true == guess).mean())


def uar(truth: ArrayLike, predicted: ArrayLike) -> float:
    """Mean recall over the classes present in `truth`."""
    return float(uar_of(confusion_matrix(truth, predicted)))


def chance(truth: ArrayLike) -> float:
    """The UAR that guessing reaches, however it guesses: 1 by the classes present in `truth`."""
    return 1 / len(np.unique(as_labels(truth, truth)[0]))


def confusion_matrix(truth: ArrayLike, predicted: ArrayLike, classes: int = 0) -> Labels:
    """Count clips by class: (C, C), rows true, columns predicted.

    `classes` is C; 0 takes the largest class number that occurs.
    """
    true, guess = as_labels(truth, predicted)
    size = classes or int(max(true.max(), guess.max())) + 1
    if max(true.max(), guess.max()) >= size:
        raise ValueError(f"class number {max(true.max(), guess.max())} given, with {size} classes.")
    return np.bincount(true * size + guess, minlength=size * size).reshape(size, size)


def precision(confusion: NDArray[Any]) -> Numbers:
    """Of the clips given to each class, the share that belongs to it: (..., C, C) -> (..., C)."""
    return share_of(_right(confusion), confusion.sum(axis=-2))


def recall(confusion: NDArray[Any]) -> Numbers:
    """Of the clips of each class, the share that is found: (..., C, C) -> (..., C)."""
    return share_of(_right(confusion), confusion.sum(axis=-1))


def f1(confusion: NDArray[Any]) -> Numbers:
    """Harmonic mean of precision and recall of each class: (..., C, C) -> (..., C)."""
    return share_of(2 * _right(confusion), confusion.sum(axis=-2) + confusion.sum(axis=-1))


class Metric(NamedTuple):
    """A figure of predictions.

    Attributes:
        title: as tables write it.
        of: from confusion matrices (..., C, C), rows true: shares (...), or (..., C) where it is
            a figure of each class.
    """

    title: str
    of: Callable[[NDArray[Any]], Numbers]


def scores(truth: ArrayLike, predicted: ArrayLike, classes: Sequence[str]) -> dict[str, Any]:
    """Everything above for JSON: overall figures, `per_class` by name, `confusion` as lists."""
    confusion = confusion_matrix(truth, predicted, len(classes))
    columns = {name: metric.of(confusion) for name, metric in PER_CLASS.items()}
    support = confusion.sum(axis=1)
    return {
        "n": int(support.sum()),
        **{name: float(metric.of(confusion)) for name, metric in OVERALL.items()},
        **{f"macro_{name}": float(macro(confusion, values)) for name, values in columns.items()},
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
    """`n` and the figures of `OVERALL` of each speaker, gender or the like, by name."""
    true, guess = as_labels(truth, predicted)
    names = as_long(groups, len(true), "groups")
    table = {}
    for name in np.unique(names):
        own = names == name
        confusion = confusion_matrix(true[own], guess[own])
        table[str(name)] = {
            "n": int(own.sum()),
            **{name: float(metric.of(confusion)) for name, metric in OVERALL.items()},
        }
    return table


def accuracy_of(confusion: NDArray[Any]) -> Numbers:
    """(..., C, C) -> (...)."""
    return share_of(np.trace(confusion, axis1=-2, axis2=-1), confusion.sum(axis=(-2, -1)))


def uar_of(confusion: NDArray[Any]) -> Numbers:
    """(..., C, C) -> (...)."""
    return macro(confusion, recall(confusion))


def macro(confusion: NDArray[Any], values: NDArray[Any]) -> Numbers:
    """Mean of a figure of each class over those that have clips: (..., C, C), (..., C) -> (...)."""
    present = confusion.sum(axis=-1) > 0
    return share_of(np.where(present, values, 0).sum(axis=-1), present.sum(axis=-1))


# The one place of a metric: scores, intervals, cards and tables have all of these, in this order.
OVERALL = {"accuracy": Metric("accuracy", accuracy_of), "uar": Metric("UAR", uar_of)}
PER_CLASS = {
    "precision": Metric("precision", precision),
    "recall": Metric("recall", recall),
    "f1": Metric("F1", f1),
}


def titles(metrics: Mapping[str, Metric]) -> list[str]:
    """The columns of a table that shows these in percent: ["accuracy %", "UAR %"]."""
    return [f"{metric.title} %" for metric in metrics.values()]


def _right(confusion: NDArray[Any]) -> NDArray[Any]:
    """Clips of each class that are right: (..., C, C) -> (..., C)."""
    return np.diagonal(confusion, axis1=-2, axis2=-1)


def share_of(part: NDArray[Any], whole: NDArray[Any]) -> Numbers:
    """Divide, 0 where whole is 0."""
    out = np.zeros(np.shape(part))
    np.divide(part, whole, out=out, where=whole > 0)
    return out


def as_labels(truth: ArrayLike, predicted: ArrayLike) -> tuple[Labels, Labels]:
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


def as_chances(truth: ArrayLike, probabilities: ArrayLike) -> tuple[Labels, Numbers]:
    """Check probabilities (N, C) against truth (N,)."""
    chances = np.asarray(probabilities, dtype=np.float64)
    if chances.ndim != 2 or not chances.size or not np.allclose(chances.sum(axis=1), 1, atol=1e-3):
        raise ValueError(f"probabilities of shape {chances.shape}: expected (N, C), rows sum to 1.")
    true, _ = as_labels(truth, chances.argmax(axis=1))
    if true.max() >= chances.shape[1]:
        raise ValueError(f"class number {true.max()} given, with {chances.shape[1]} classes.")
    return true, chances


def as_long(names: Sequence[str], clips: int, what: str) -> NDArray[np.str_]:
    """Names (N,) of groups, one a clip; ValueError where there are not as many."""
    if len(names) != clips:
        raise ValueError(f"{len(names)} {what} for {clips} clips.")
    return np.asarray(names, dtype=np.str_)
