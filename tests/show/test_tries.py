"""A study cut short is marked as a try and ranked against nobody; figures read as sentences."""

from __future__ import annotations

from dataclasses import replace

import pytest

from emelia.learn.study.recipes import find_recipes, quick
from emelia.show.report.findings import _apart
from emelia.show.tries import _is_cut
from emelia.text import about, percent, points


@pytest.mark.parametrize("name", ["variable-3", "artificial-variable-4", "emelia"])
def test_a_recipe_cut_short_is_a_try(name: str) -> None:
    from dataclasses import asdict
    from types import SimpleNamespace
    from typing import Any

    (recipe,) = find_recipes(name)

    def cell(of: Any) -> Any:
        return SimpleNamespace(recipe=name, settings=asdict(of))

    assert not _is_cut(cell(recipe)) and _is_cut(cell(quick(recipe)))
    own = replace(recipe, train=replace(recipe.train, epochs=recipe.train.epochs + 5))
    assert not _is_cut(cell(own))
    assert not _is_cut(SimpleNamespace(recipe="somebody's", settings={}))  # type: ignore[arg-type]


def test_nothing_is_minus_zero() -> None:
    assert percent(-0.0001) == "0.0" and points(-0.04) == "0.0" and points(0.04) == "0.0"
    assert points(17.6) == "+17.6" and points(-3.14) == "-3.1"


@pytest.mark.parametrize(
    ("gaps", "told"),
    [
        ([17.6], "17.6 points above"),
        ([-2.0, -5.04], "2.0 to 5.0 points below"),
        ([0.01, -0.04], "as high as"),
        ([-2.0, 3.1], "-2.0 to +3.1 points against"),
        ([0.0, 3.1], "0.0 to 3.1 points above"),
    ],
)
def test_gaps_are_told_without_signs_where_a_word_has_them(gaps: list[float], told: str) -> None:
    assert _apart(gaps) == told


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.2, "1 s"), (40, "40 s"), (1500, "25 min"), (50_000, "14 h"), (300_000, "3 days")],
)
def test_times_known_only_roughly_have_one_unit(seconds: float, told: str) -> None:
    assert about(seconds) == told
