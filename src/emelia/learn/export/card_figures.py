"""Figures for a model's card: accuracy, UAR and calibration on one part of the clips."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emelia import metrics
from emelia.config.thresholds import Thresholds
from emelia.corpora.records import UNKNOWN_SPEAKER
from emelia.learn.export.temperature import Answers
from emelia.results import Calibration

_COVERAGES = tuple(round(0.1 * tenth, 1) for tenth in range(10, 0, -1))


def figures(
    answers: Answers, classes: Sequence[str], temperature: float, limits: Thresholds
) -> dict[str, Any]:
    """Figures of one part for a card; shares, each headline as [value, low, high] of 95 %.

    Returns:
        clips, speakers, nameless (clips of unknown ones, where there are), accuracy, uar, note
        (on the intervals), what `confidence` gives, accepted and accepted_accuracy, per_class,
        confusion (rows true), per_speaker of those who are known, per_sex where somebody's is
        known, and per_corpus where the clips come from several.
    """
    before, after = (answers.probabilities(t) for t in (1.0, temperature))
    worth = Calibration(answers.truth, before[None], after[None], answers.speakers, (temperature,))
    predicted = after.argmax(axis=1)
    scores = metrics.scores(answers.truth, predicted, classes)
    found = {
        **_headline(answers.truth, predicted, answers.speakers),
        **confidence(worth),
        **_accepted(answers.truth, after, limits.accepted(classes, after)),
        "reliability": [bin for bin in worth.bins if bin["n"]],
        "risk_coverage": [[share, worth.curve.accuracy_at(share)] for share in _COVERAGES],
        "per_class": scores["per_class"],
        "confusion": scores["confusion"],
    }
    people = metrics.per_group(answers.truth, predicted, answers.speakers)
    found["per_speaker"] = {name: own for name, own in people.items() if name != UNKNOWN_SPEAKER}
    genders = metrics.per_group(answers.truth, predicted, answers.genders)
    if named := {name: own for name, own in genders.items() if name}:
        found["per_sex"] = named  # the name that cards have always had
    if len(set(answers.corpora)) > 1:
        found["per_corpus"] = _per_corpus(answers, after)
    return dict(_rounded(found))


def confidence(worth: Calibration) -> dict[str, Any]:
    """Figures of the confidences.

    Returns:
        ece and brier as [before, after temperature], ece_interval of the one after, ece_perfect
        (what perfect confidences would show), and aurc (area under the risk-coverage curve).
    """
    return {
        "ece": [worth.error_before, worth.error],
        "ece_interval": [worth.interval.low, worth.interval.high],
        "ece_perfect": worth.perfect,
        "brier": [worth.brier_before, worth.brier],
        "aurc": worth.area,
    }


def _accepted(
    truth: metrics.Labels, probabilities: NDArray[np.float64], accepted: NDArray[np.bool_]
) -> dict[str, Any]:
    """The share of sure answers, and how many of them are right; None where nothing is sure."""
    right = (probabilities.argmax(axis=1) == truth)[accepted]
    return {
        "accepted": float(accepted.mean()),
        "accepted_accuracy": float(right.mean()) if right.size else None,
    }


def _per_corpus(answers: Answers, chances: NDArray[np.float64]) -> dict[str, Any]:
    names, speakers = np.array(answers.corpora), np.array(answers.speakers)
    found = {}
    for name in np.unique(names):
        truth, given = answers.truth[own := names == name], chances[own]
        found[str(name)] = {
            **_headline(truth, given.argmax(axis=1), speakers[own].tolist()),
            "ece": metrics.calibration_error(truth, given),
        }
    return found


def _headline(
    truth: metrics.Labels, predicted: metrics.Labels, speakers: Sequence[str]
) -> dict[str, Any]:
    known = set(speakers) - {UNKNOWN_SPEAKER}
    found: dict[str, Any] = {"clips": len(truth), "speakers": len(known)}
    if nameless := sum(name == UNKNOWN_SPEAKER for name in speakers):
        found["nameless"] = nameless
    confusion = metrics.confusion_matrix(truth, predicted)
    for name, metric in metrics.OVERALL.items():
        ends = metrics.interval(truth, predicted, speakers, name)
        found[name] = [float(metric.of(confusion)), ends.low, ends.high]
        found["note"] = ends.note
    return found


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_rounded(inner) for inner in value]
    return round(value, 4) if isinstance(value, float) else value
