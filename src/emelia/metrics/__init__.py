"""How good predictions are, how sure one may be of that, and whether two models differ."""

from emelia.metrics.intervals import (
    FEWEST_SPEAKERS,
    Interval,
    class_intervals,
    difference_interval,
    holm,
    interval,
    mcnemar,
    mean_interval,
)
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
    "class_intervals",
    "confusion_matrix",
    "difference_interval",
    "f1",
    "holm",
    "interval",
    "mcnemar",
    "mean_interval",
    "per_group",
    "precision",
    "recall",
    "reliability",
    "scores",
    "uar",
]
