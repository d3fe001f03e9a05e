"""How good predictions are, how sure one may be of that, and whether two models differ."""

from emelia.metrics.intervals import FEWEST_SPEAKERS, Interval, holm, interval, mcnemar
from emelia.metrics.scores import (
    Labels,
    accuracy,
    brier_score,
    calibration_error,
    confusion_matrix,
    f1,
    per_group,
    precision,
    recall,
    reliability,
    scores,
    uar,
)

__all__ = [
    "FEWEST_SPEAKERS",
    "Interval",
    "Labels",
    "accuracy",
    "brier_score",
    "calibration_error",
    "confusion_matrix",
    "f1",
    "holm",
    "interval",
    "mcnemar",
    "per_group",
    "precision",
    "recall",
    "reliability",
    "scores",
    "uar",
]
