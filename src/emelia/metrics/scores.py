"""Accuracy, UAR, precision, recall, F1 and confusion matrices.

Conventions: `truth` and `predicted` are class numbers (N,), `probabilities` (N, C) with rows that
sum to 1; N clips, C classes. Figures lie in [0, 1]. A share whose denominator is 0 (of a class
never predicted, or absent) is 0, as scikit-learn's `zero_division=0`. Arrays that are empty or of
shapes that do not fit raise ValueError.

Accuracy is the share of right answers. UAR (unweighted average recall) is the mean recall of the
classes, so that large and small classes weigh alike; `macro` figures are such means, too.

Classes without clips in `truth` are left out of all means over classes, and guessing reaches a UAR
of 1 / (number of the other classes), see `chance`. That is the rule of scikit-learn's
`balanced_accuracy_score`, and of its averages over `labels=np.unique(truth)`. The figures of such
a class itself are 0, with a support of 0.
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
    """The expected UAR of guessing: 1 / (number of classes present in `truth`)."""
    return 1 / len(np.unique(as_labels(truth, truth)[0]))


def confusion_matrix(truth: ArrayLike, predicted: ArrayLike, classes: int = 0) -> Labels:
    """Count clips by class: (C, C), rows true, columns predicted.

    `classes` is C; 0 takes the largest class number that occurs.
    """
    true, guess = as_labels(truth, predicted)
    size = classes or int(max(true.max(), guess.max())) + 1
    if max(true.max(), guess.max()) >= size:
        raise ValueError(f"class number {max(true.max(), guess.max())} given, with {size} classes.")
    # Counting pairs as single numbers is far faster than np.add.at.
    return np.bincount(true * size + guess, minlength=size * size).reshape(size, size)


def precision(confusion: NDArray[Any]) -> Numbers:
    """Precision of each class: (..., C, C) -> (..., C)."""
    return share_of(_right(confusion), confusion.sum(axis=-2))


def recall(confusion: NDArray[Any]) -> Numbers:
    """Recall of each class: (..., C, C) -> (..., C)."""
    return share_of(_right(confusion), confusion.sum(axis=-1))


def f1(confusion: NDArray[Any]) -> Numbers:
    """F1, the harmonic mean of precision and recall, of each class: (..., C, C) -> (..., C)."""
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
    """All metrics as JSON: overall figures, `per_class` by name, `confusion` as lists."""
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
    """`n` and the figures of `OVERALL` of each group (speaker, gender, ...), by its name."""
    true, guess = as_labels(truth, predicted)
    names = as_names(groups, len(true), "groups")
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
    """Accuracy from confusion matrices: (..., C, C) -> (...)."""
    return share_of(np.trace(confusion, axis1=-2, axis2=-1), confusion.sum(axis=(-2, -1)))


def uar_of(confusion: NDArray[Any]) -> Numbers:
    """UAR from confusion matrices: (..., C, C) -> (...)."""
    return macro(confusion, recall(confusion))


def macro(confusion: NDArray[Any], values: NDArray[Any]) -> Numbers:
    """Mean of `values` over the classes that have clips: (..., C, C), (..., C) -> (...)."""
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
    """Number of right clips of each class: (..., C, C) -> (..., C)."""
    return np.diagonal(confusion, axis1=-2, axis2=-1)


def share_of(part: NDArray[Any], whole: NDArray[Any]) -> Numbers:
    """`part` / `whole`, and 0 where `whole` is 0."""
    out = np.zeros(np.shape(part))
    np.divide(part, whole, out=out, where=whole > 0)
    return out


def as_labels(truth: ArrayLike, predicted: ArrayLike) -> tuple[Labels, Labels]:
    """Check that both are class numbers (N,), and return them as int64."""
    true, guess = np.asarray(truth), np.asarray(predicted)
    if true.ndim != 1 or not true.size:
        raise ValueError(f"truth of shape {true.shape}: expected (N,) with at least one clip.")
    if guess.shape != true.shape:
        raise ValueError(f"predictions of shape {guess.shape} for {true.size} clips.")
    for array in (true, guess):
        if array.dtype.kind not in "iu" or array.min() < 0:
            raise ValueError(f"expected class numbers from 0, got {array.dtype} {array.min()}.")
    return true.astype(np.int64), guess.astype(np.int64)


def as_probabilities(truth: ArrayLike, probabilities: ArrayLike) -> tuple[Labels, Numbers]:
    """Check probabilities (N, C) against truth (N,), and return truth and probabilities."""
    probability = np.asarray(probabilities, dtype=np.float64)
    if (
        probability.ndim != 2
        or not probability.size
        or not np.allclose(probability.sum(axis=1), 1, atol=1e-3)
    ):
        raise ValueError(
            f"probabilities of shape {probability.shape}: expected (N, C), rows sum to 1."
        )
    true, _ = as_labels(truth, probability.argmax(axis=1))
    if true.max() >= probability.shape[1]:
        raise ValueError(f"class number {true.max()} given, with {probability.shape[1]} classes.")
    return true, probability


def as_names(names: Sequence[str], clips: int, what: str) -> NDArray[np.str_]:
    """Names of groups as an array (N,); ValueError where their number is not `clips`."""
    if len(names) != clips:
        raise ValueError(f"{len(names)} {what} for {clips} clips.")
    return np.asarray(names, dtype=np.str_)
