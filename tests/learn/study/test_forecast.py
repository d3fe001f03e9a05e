"""What a study will cost is counted from the pace of each recipe."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from emelia.learn.study.forecast import Pace, passes, shortened
from emelia.learn.study.recipes import find_recipes


def task(name: str) -> Any:
    (recipe,) = find_recipes(name)
    return SimpleNamespace(
        recipe=recipe, fold=SimpleNamespace(train=range(80), validation=range(20))
    )


def test_a_training_takes_as_many_passes_as_epochs_and_copies_ask_for() -> None:
    one, pace = task("variable-3"), Pace(0.1, 0.01)
    assert passes([one, one]) == 2 * 60 * one.recipe.augment.copies * 80
    assert pace.of(one) == pytest.approx(100 * (0.1 + 0.01 * 60))
    more = replace(one.recipe, augment=replace(one.recipe.augment, copies=3))
    assert pace.of(one, more) == pytest.approx(3 / one.recipe.augment.copies * pace.of(one))


def test_quick_has_three_folds_and_ten_epochs() -> None:
    tasks = [task("variable-3") for _ in range(6)]
    assert shortened(tasks, {"variable-3": Pace(0.0, 0.01)}) == pytest.approx(3 * 100 * 0.01 * 10)
