"""A line of results is a finished cell, or an error says what is wrong with it."""

from __future__ import annotations

import json
from typing import Any

import fake_study
import pytest

from emelia.errors import RunError
from emelia.results import Cell


@pytest.fixture(scope="module")
def line() -> str:
    cells = fake_study.study(fake_study.loso(fake_study.utterances()), ["variable-3"], [0])
    values = json.loads(cells[0].to_json())
    values["history"] = values["history"][:1] * 3
    return json.dumps(values | {"best_epoch": 1})


@pytest.mark.parametrize("epoch", [1, 3])
def test_the_best_epoch_may_be_the_first_or_the_last(line: str, epoch: int) -> None:
    assert Cell.from_json(json.dumps(json.loads(line) | {"best_epoch": epoch})).best_epoch == epoch


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"best_epoch": 0}, "best epoch 0 of 3"), ({"best_epoch": 4}, "best epoch 4 of 3"),
        ({"temperature": 0.0}, "temperature 0.0"), ({"temperature": -1.0}, "temperature -1.0"),
        ({"temperature": float("nan")}, "temperature nan"), ({"history": []}, "best epoch 1 of 0"),
        ({"history": [{"loss": 1.0}, {"lr": 1.0}]}, "without loss"), ({"predictions": []}, "0"),
    ],
)  # fmt: skip
def test_what_no_training_can_have_left_is_refused(line: str, change: Any, told: str) -> None:
    with pytest.raises(RunError, match=told):
        Cell.from_json(json.dumps(json.loads(line) | change))


@pytest.mark.parametrize("truth", [True, 1.0, "1", None, -1, 99])
def test_a_truth_is_the_number_of_a_class(line: str, truth: object) -> None:
    values = json.loads(line)
    values["predictions"][0]["truth"] = truth
    with pytest.raises(RunError, match=r"an answer to|truth outside"):
        Cell.from_json(json.dumps(values))


def test_labels_are_whole_numbers_of_eight_bytes(line: str) -> None:
    cell = Cell.from_json(line)
    assert cell.truth.dtype == cell.predicted.dtype == "int64"
