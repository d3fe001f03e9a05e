"""An answer reads the same for people, in JSON and in rows of tables, wherever it comes from."""

from __future__ import annotations

import numpy as np
import pytest

from emelia.use.answer import COLUMNS, NO_SPEECH, Answer, Prediction

EMOTIONS = ("anger", "fear")
SURE = Answer("anger", 0.7234567, {"anger": 0.7234567, "fear": 0.2765433}, False)


def prediction(emotion: str, confidence: float, chances: dict[str, float]) -> Prediction:
    empty = np.zeros(0, np.float32)
    return Prediction(
        emotion, confidence, chances, False, 3.14159265, 0.51234567, empty, empty, 0.01
    )


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (SURE, "anger 72 %"),
        (Answer("fear", 0.4, {}, True), "not sure (fear 40 %)"),
        (Answer(NO_SPEECH, 0.0, {}, False), "no speech"),
    ],
)
def test_it_is_said_in_words(answer: Answer, words: str) -> None:
    assert answer.in_words() == words


def test_its_fields_are_rounded_and_in_one_order() -> None:
    told = SURE.fields(seconds=1)
    assert list(told) == ["emotion", "confidence", "unsure", "seconds", "probabilities"]
    assert told["confidence"] == told["probabilities"]["anger"] == 0.723457


def test_a_prediction_is_a_row_of_the_columns() -> None:
    row = prediction("anger", 0.75, {"anger": 0.75, "fear": 0.25}).row(EMOTIONS, decimals=3)
    assert row == ("anger", 0.75, False, 3.142, 0.512, 0.75, 0.25)
    assert len(row) == len(COLUMNS) - 1 + len(EMOTIONS)
    silent = prediction(NO_SPEECH, 0.0, {}).row(EMOTIONS, decimals=6)
    assert silent == (NO_SPEECH, 0.0, False, 3.141593, 0.512346, None, None)
