"""The calibration of a model: its temperature, and the thresholds below which it is not sure.

Both are chosen on validation clips or, for strangers' recordings, on corpora that trainings left
out. N clips, C classes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from emelia import metrics
from emelia.config.card import ADAPTED, UNSEEN
from emelia.config.thresholds import Thresholds
from emelia.learn.export.temperature import Answers, for_calibration, temperature
from emelia.source_offset import NEUTRAL
from emelia.text import listed, percent

TARGET_ACCURACY = 0.75  # of the accepted answers
MIN_COVERAGE = 0.2  # share of the answers that must be accepted
ORDINARY = 0.3  # of ordinary speech that is taken to be neutral; acted corpora have half as much
_FEWEST = 100  # answers by which an emotion gets a threshold of its own


@dataclass(frozen=True)
class Threshold:
    """The confidence below which an answer is `unsure`."""

    limit: float
    rule: str  # one sentence or two: how it was chosen, on what
    reached: bool  # whether the wanted accuracy is reached on validation clips
    own: Mapping[str, float] = field(default_factory=dict)  # higher ones, by emotion

    @property
    def limits(self) -> Thresholds:
        """It and those of single emotions."""
        return Thresholds(self.limit, self.own)


def threshold(
    answers: Answers,
    temperature: float,
    wanted: float = TARGET_ACCURACY,
    asked: str = "validation answers",
) -> Threshold:
    """The lowest confidence from which on a share `wanted` of the answers is right.

    Where there is none, it is the median confidence, and the rule says so.
    """
    probabilities = answers.probabilities(temperature)
    curve = metrics.risk_coverage(answers.truth, probabilities)
    enough = curve.coverage >= MIN_COVERAGE
    good = curve.confidence[enough & (curve.accuracy >= wanted)]
    goal, share = f"{100 * wanted:g} % of the accepted {asked}", 100 * MIN_COVERAGE
    if good.size:
        rule = (
            f"The lowest confidence at which {goal} are right, with at least {share:g} % accepted."
        )
        return Threshold(_floor(float(good[-1])), rule, True)
    rule = (
        f"The median confidence on validation clips: {goal} were to be right with at least "
        f"{share:g} % accepted, but no confidence gives more than "
        f"{percent(curve.accuracy[enough].max())} %."
    )
    return Threshold(_floor(float(np.median(probabilities.max(axis=1)))), rule, False)


@dataclass(frozen=True)
class Calibration:
    """What logits are divided by, and the confidence from which on answers are sure."""

    temperature: float
    threshold: Threshold


def calibrated(
    answers: Mapping[str, Answers],
    classes: Sequence[str],
    held_out: str,
    wanted: float = TARGET_ACCURACY,
) -> dict[str, Calibration]:
    """The calibration of each part: that of adapted answers differs from all others.

    Args:
        answers: by part. Those of corpora left out calibrate, where there are any, and give
            thresholds to single emotions, too.
        classes: the names of the classes.
        held_out: by what validation clips are left out; see `for_calibration`.
    """
    if UNSEEN in answers:
        plain = _for_strangers(answers[UNSEEN], classes, wanted)
    else:
        plain = _calibration(for_calibration(answers["validation"], held_out), wanted)
    found = dict.fromkeys((*answers, ADAPTED), plain)
    if ADAPTED in answers:
        found[ADAPTED] = _for_strangers(answers[ADAPTED], classes, wanted)
    return found


def _calibration(answers: Answers, wanted: float, asked: str = "validation answers") -> Calibration:
    scale = temperature(answers)
    return Calibration(scale, threshold(answers, scale, wanted, asked))


def _for_strangers(answers: Answers, classes: Sequence[str], wanted: float) -> Calibration:
    """The calibration for strangers' recordings, by answers to corpora left out."""
    each_alike = for_calibration(answers, "corpora")
    found = _calibration(each_alike, wanted, "answers to corpora left out")
    usual = found.threshold
    own = by_emotion(each_alike, found.temperature, classes, usual.limit, wanted)
    if not own:
        return found
    rule = (
        f"{usual.rule} {listed(list(own))}, which "
        f"{'is' if len(own) == 1 else 'are'} answered too often, have higher ones: as many of "
        f"their answers are right where {100 * ORDINARY:g} % of the speech is neutral."
    )
    return replace(found, threshold=replace(usual, own=own, rule=rule))


def by_emotion(
    answers: Answers, temperature: float, classes: Sequence[str], usual: float, wanted: float
) -> dict[str, float]:
    """Thresholds above the usual one, of emotions that ordinary speech would be taken for.

    Acted corpora have as much anger as neutral; people at a telephone do not. So neutral clips
    are weighted to be a share `ORDINARY` of all, and an emotion's threshold is the lowest
    confidence from which on a share `wanted` of its answers is right. Where none is, a tenth of
    its answers above the usual one stays sure.
    """
    if NEUTRAL not in classes:
        return {}
    probabilities = answers.probabilities(temperature)
    given, confidence = probabilities.argmax(1), probabilities.max(1)
    neutral = answers.truth == list(classes).index(NEUTRAL)
    weight = np.where(neutral, ORDINARY / neutral.mean(), (1 - ORDINARY) / (1 - neutral.mean()))
    found = {}
    for place, name in enumerate(classes):
        own = np.flatnonzero((given == place) & (confidence >= usual))
        if name == NEUTRAL or len(own) < _FEWEST:
            continue
        own = own[np.argsort(-confidence[own], kind="stable")]
        right = np.cumsum(weight[own] * (answers.truth[own] == place)) / np.cumsum(weight[own])
        if right[-1] < wanted:
            few = len(own) // 10
            good = np.flatnonzero(right[few:] >= wanted)
            last = own[few + (int(good[-1]) if good.size else 0)]
            found[name] = _floor(float(confidence[last]))
    return found


def _floor(value: float) -> float:
    """Round down to four decimals, so that what was accepted stays accepted."""
    return math.floor(value * 1e4) / 1e4
