"""What a study will cost is counted from the pace of each recipe."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from emelia.cli.cost import tell_cost
from emelia.corpora import read_corpus
from emelia.corpora.splits.scheme import make_split
from emelia.learn.study.forecast import Pace, pace, passes, shortened
from emelia.learn.study.recipes import find_recipes
from emelia.learn.study.tasks import tasks
from emelia.learn.training.hardware import CPU


def task(name: str, fold: str = "1") -> Any:
    (recipe,) = find_recipes(name)
    parts = {"name": fold, "train": range(80), "validation": range(20)}
    return SimpleNamespace(
        recipe=recipe, fold=SimpleNamespace(**parts), seed=0, key=f"{name} {fold}"
    )


def test_a_training_takes_as_many_passes_as_epochs_and_copies_ask_for() -> None:
    one, found = task("variable-3"), Pace(0.1, 0.01)
    assert passes([one, one]) == 2 * 60 * one.recipe.augment.copies * 80
    assert found.of(one) == pytest.approx(100 * (0.1 + 0.01 * 60))
    more = replace(one.recipe, augment=replace(one.recipe.augment, copies=3))
    assert found.of(one, more) == pytest.approx(3 / one.recipe.augment.copies * found.of(one))


def test_quick_has_three_folds_and_ten_epochs() -> None:
    tasks = [task("variable-3") for _ in range(6)]
    assert shortened(tasks, {"variable-3": Pace(0.0, 0.01)}) == pytest.approx(3 * 100 * 0.01 * 10)


def test_a_recipe_is_measured_on_a_few_clips(small_corpus: Callable[..., Path]) -> None:
    corpus = read_corpus(str(small_corpus()))
    (recipe,) = find_recipes("variable-3", ["model.width=2", "features.mels=16"])
    first, *_ = tasks(corpus, make_split(corpus, "loso"), [recipe], [0])
    measured = pace(first)
    assert measured.once > 0 and measured.each > 0


def test_a_study_says_before_it_begins_what_it_and_less_of_it_will_take(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    paces = {"variable-3": Pace(0.0, 0.01), "emelia": Pace(0.0, 0.1)}
    monkeypatch.setattr(
        "emelia.learn.study.forecast.pace", lambda task, hardware: paces[task.recipe.name]
    )
    wanted = [task(name, str(fold)) for name in paces for fold in range(6)]
    expected = tell_cost(wanted, wanted, tmp_path, 2, CPU)
    assert expected == pytest.approx(sum(paces[t.recipe.name].of(t) for t in wanted) / 2)
    told = capsys.readouterr().out
    assert told.startswith("12 trainings: 2 recipes x 6 folds x 1 seed.\nAbout ")
    assert "2 at a time, as measured on a few clips" in told
    assert re.search(r"--quick about \d+ min; --recipes variable-3 about \d+ min; --rec", told)
    assert tell_cost(wanted[:1], (), tmp_path, 2, CPU) == 0.0, "too short to be measured"
    assert capsys.readouterr().out == "1 training: 1 recipe x 1 fold x 1 seed.\n"
