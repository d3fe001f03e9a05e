"""An answer is sure from its threshold on, that of its emotion where it has one of its own."""

from __future__ import annotations

import numpy as np

from emelia.config.thresholds import Thresholds

LIMITS = Thresholds(0.5, {"anger": 0.75})
CLASSES = ("anger", "sadness")


def test_an_answer_at_its_threshold_is_sure() -> None:
    assert not LIMITS.unsure("sadness", 0.5) and LIMITS.unsure("sadness", 0.49)
    assert not LIMITS.unsure("anger", 0.75) and LIMITS.unsure("anger", 0.74)


def test_of_many_answers_each_is_held_to_that_of_its_emotion() -> None:
    chances = np.array([[0.75, 0.25], [0.74, 0.26], [0.5, 0.5], [0.4, 0.6]])
    assert LIMITS.accepted(CLASSES, chances).tolist() == [True, False, False, True]
    assert Thresholds(0.5).accepted(CLASSES, np.array([[0.25, 0.5]])).tolist() == [True]


def test_thresholds_are_told_with_those_of_their_own() -> None:
    assert str(LIMITS) == "0.5 (anger 0.75)"
    assert str(Thresholds(0.5)) == "0.5"
