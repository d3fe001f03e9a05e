"""What differs between a training and its repetition is told, and nothing where all agrees."""

from __future__ import annotations

from dataclasses import replace

import fake_study
import pytest

from emelia.results import Cell
from emelia.results.repeats import differences, other_versions


@pytest.fixture(scope="module")
def cell() -> Cell:
    return fake_study.study(fake_study.loso(fake_study.utterances()), ["variable-3"], [0])[0]


def test_seconds_are_no_difference(cell: Cell) -> None:
    later = tuple({**epoch, "seconds": 1e6} for epoch in cell.history)
    assert differences(cell, replace(cell, seconds=1e6, history=later)) == []


def test_the_first_figure_that_differs_is_told(cell: Cell) -> None:
    epochs = [dict(epoch) for epoch in (*cell.history, *cell.history)]
    before = replace(cell, history=tuple(epochs))
    epochs[1] = {**epochs[1], "loss": 9.0}
    (told,) = differences(before, replace(cell, history=tuple(epochs)))
    assert "from epoch 2 on" in told and "now 9.0" in told
    (told,) = differences(before, replace(cell, history=tuple(epochs[:1])))
    assert told == f"the training: {len(epochs)} epochs, now 1."


def test_other_answers_are_counted(cell: Cell) -> None:
    first, *others = (dict(p) for p in cell.predictions)
    turned = {**first, "probabilities": first["probabilities"][::-1]}
    (told,) = differences(cell, replace(cell, predictions=(turned, *others)))
    most = max(
        abs(a - b) for a, b in zip(*(p["probabilities"] for p in (first, turned)), strict=True)
    )
    assert f"by up to {most:.2g}; 1 of {len(others) + 1} clips" in told
    (told,) = differences(cell, replace(cell, predictions=tuple(others)))
    assert told == "the test clips: 1 are in one of the two alone."


def test_epoch_temperature_and_classes_are_compared(cell: Cell) -> None:
    twice = replace(cell, history=cell.history * 2)
    other = replace(twice, best_epoch=twice.best_epoch + 1, temperature=2.5)
    chosen, warmth = differences(twice, other)
    assert chosen.startswith("the chosen epoch") and "now 2.5" in warmth
    (told,) = differences(cell, replace(cell, classes=cell.classes[::-1]))
    assert told.startswith("the classes")


def test_packages_of_other_versions_are_named(cell: Cell) -> None:
    one, other = replace(cell, versions={"a": "1"}), replace(cell, versions={"a": "2", "b": "3"})
    assert other_versions(one, other) == ["a 1, now 2", "b none, now 3"]
