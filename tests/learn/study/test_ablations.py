"""A recipe is taken apart, and each part is measured against the whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fake_study import RECIPES, at_random, loso, study, utterances
from tiny import PLAIN, relabelled, toy, train
from typer.testing import CliRunner

from emelia import metrics
from emelia.cli import app
from emelia.config import AugmentConfig, Recipe, TrainConfig, load_recipe, recipe_toml
from emelia.errors import ConfigError
from emelia.learn.study.ablations import (
    ablations,
    remedies,
    same_experiment,
    variant,
    with_variants,
)
from emelia.learn.study.recipes import all_recipes
from emelia.results import Cell, differences, read_results, studies, variant_of
from emelia.show.report import differences as shown

EMELIA = all_recipes()["emelia"]


def parts(recipes: list[Recipe]) -> list[str]:
    return [recipe.name.partition(", ")[2] for recipe in recipes]


# Variants


def test_every_technique_of_our_recipe_is_ablated_once() -> None:
    made = ablations(EMELIA)
    assert made[0] is EMELIA
    assert parts(made)[1:] == [
        "no augmentation", "no changed copies", "no masks", "no mixup", "no crops", "no dropout",
        "no early stopping", "no weight decay", "constant learning rate", "no label smoothing",
    ]  # fmt: skip
    by_name = dict(zip(parts(made), made, strict=True))
    assert by_name["no dropout"].model.dropout == 0
    assert by_name["no early stopping"].train.checkpoint == "last"
    assert by_name["no augmentation"].augment == AugmentConfig()
    assert by_name["no masks"].augment.mixup == EMELIA.augment.mixup
    assert (by_name["constant learning rate"].train.warmup, EMELIA.train.warmup) == (0, 0.1)


def test_what_a_recipe_does_not_use_is_not_ablated() -> None:
    made = ablations(all_recipes()["variable-3"])
    assert parts(made) == ["", "no dropout", "no early stopping"]


def test_every_variant_is_an_experiment_of_its_own() -> None:
    for recipe in all_recipes().values():
        made = [*ablations(recipe), *remedies(recipe)[1:]]
        assert len({one.digest for one in made}) == len(made)
        assert all(not one.published for one in made[1:])


def test_variants_leave_the_digests_of_finished_experiments_as_they_were() -> None:
    assert TrainConfig().checkpoint == "best"
    assert EMELIA.digest == "7b3ce846"


def test_remedies_are_compared_with_the_recipe_without_one() -> None:
    plain, *others = remedies(EMELIA)
    assert plain is EMELIA
    assert [r.train.balance for r in others] == ["weights", "sampling", "none"]
    assert [r.augment.balanced for r in others] == [False, False, True]
    assert {r.group for r in others} == {variant_of(EMELIA.digest)}
    weighted = replace(EMELIA, train=replace(EMELIA.train, balance="weights"))
    plain, *others = remedies(weighted)
    assert (plain.name, plain.train.balance) == ("emelia, no remedy", "none")
    assert {r.group for r in others} == {variant_of(plain.digest)}
    assert len(others) == 3


def test_ablations_and_remedies_together_train_the_recipe_once() -> None:
    made = with_variants([EMELIA], ablate=True, remedy=True)
    assert len(made) == len(ablations(EMELIA)) + 3
    assert with_variants([EMELIA], ablate=False, remedy=False) == [EMELIA]


def test_a_variant_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"model\.dropout"):
        variant(EMELIA, {"model.dropout": 2.0}, "wild")


@pytest.mark.parametrize("recipe", [*all_recipes().values(), *ablations(EMELIA), Recipe()])
def test_a_recipe_written_as_toml_is_read_back_the_same(recipe: Recipe, tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    odd = replace(recipe, title='a "title" with \\ and \x7f and é')
    path.write_text(recipe_toml(odd), encoding="utf-8")
    assert load_recipe(path) == odd
    assert same_experiment(odd, recipe)


def test_the_last_epoch_is_kept_where_the_recipe_says_so() -> None:
    chosen = replace(PLAIN, train=replace(PLAIN.train, epochs=8, lr=0.1, patience=2))
    options = {"validation": relabelled(toy(60, seed=1))}
    best = train(chosen, **options)
    last = train(replace(chosen, train=replace(chosen.train, checkpoint="last")), **options)
    assert best.progress.best_epoch < len(best.history), "or this would prove nothing"
    assert last.progress.best_epoch == len(last.history) == 8
    assert all((last.weights[k] == v).all() for k, v in last.states[-1].items())


# Differences


def ablated(base: str = "emelia", other: str = "artificial") -> list[Cell]:
    """A study in which one recipe counts as a variant of another."""
    cells = study(loso(utterances(sentences=3)), (base, other))
    group = variant_of(RECIPES[base].digest)
    return [
        replace(c, recipe=f"{base}, worse", settings={**c.settings, "group": group})
        if c.recipe == other
        else c
        for c in cells
    ]


def test_a_variant_is_compared_with_its_recipe_over_all_seeds() -> None:
    (found,) = studies(ablated())
    ((one,),) = differences(found)
    whole, worse = found.rows
    assert (one.base.recipe, one.variant.recipe) == ("emelia", "emelia, worse")
    assert one.points == pytest.approx(worse.uar - whole.uar)
    assert one.interval.low < one.points < one.interval.high
    assert one.p == metrics.mcnemar(whole.truth, whole.predicted[0], worse.predicted[0])
    assert one.seeds == (0, 1)


def test_only_seeds_that_both_have_finished_count() -> None:
    cells = [c for c in ablated() if c.recipe == "emelia" or c.seed == 1]
    ((one,),) = differences(studies(cells)[0])
    assert one.seeds == (1,)
    assert one.points == pytest.approx(one.variant.uars[0] - one.base.uars[1])


def test_recipes_that_are_no_variants_are_not_compared() -> None:
    (found,) = studies(study(at_random(utterances()), ("emelia", "resized-3")))
    assert differences(found) == [] == shown.tables(found)


def test_the_interval_of_a_difference_is_narrower_than_its_parts_where_errors_go_together() -> None:
    rng = np.random.default_rng(0)
    truth, speakers = np.tile([0, 1, 2], 100), [str(n // 30) for n in range(300)]
    first = np.where(rng.random(300) < 0.3, (truth + 1) % 3, truth)
    second = np.where(rng.random(300) < 0.05, (truth + 2) % 3, first)
    paired = metrics.difference_interval(truth, first, second, speakers)
    single = metrics.interval(truth, first, speakers)
    assert paired.high - paired.low < 0.7 * (single.high - single.low)
    assert metrics.difference_interval(truth, first, first, speakers).high == 0
    swapped = metrics.difference_interval(truth, second, first, speakers)
    assert (swapped.low, swapped.high) == pytest.approx((-paired.high, -paired.low), abs=1e-3)


def test_the_table_shows_the_whole_recipe_first_and_every_difference() -> None:
    (found,) = studies(ablated())
    (table,) = shown.tables(found)
    ((one,),) = differences(found)
    assert [row[0] for row in table.rows] == ["emelia", "emelia, worse"]
    assert table.rows[1][2] == shown.points(one)
    assert table.rows[1][2].startswith(f"{100 * one.points:+.1f} (")
    assert "McNemar" in table.note


# The command


def test_a_study_with_ablations_shows_them_and_goes_on(
    small_corpus: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "report.html"  # pages have tests of their own, and take longest to draw
    monkeypatch.setattr("emelia.show.report.page.write_report", lambda *rest, **options: [page])
    recipe = tmp_path / "small.toml"
    recipe.write_text(
        "[features]\nmels = 16\n[model]\nwidth = 2\ndropout = 0.2\n"
        "[train]\nepochs = 2\npatience = 0\nbatch_size = 4\nlabel_smoothing = 0.1\n"
    )
    speakers = tmp_path / "speakers.toml"
    speakers.write_text('train = ["1"]\nvalidation = ["2"]\ntest = ["3"]\n')
    command = ["study", str(small_corpus()), "--recipes", str(recipe), "--out", str(tmp_path / "o")]
    command += ["--split", f"list:{speakers}"]
    first = CliRunner().invoke(app, [*command, "--jobs", "1"])
    assert first.exit_code == 0, first.output
    again = CliRunner().invoke(app, [*command, "--ablate", "--remedies", "--jobs", "1"])
    assert again.exit_code == 0, again.output
    assert "1 of 7 trainings were finished before" in again.output
    assert "What a change does to small" in again.output
    names = {cell.recipe for cell in read_results(tmp_path / "o")}
    assert names == {
        "small", "small, no dropout", "small, no early stopping", "small, no label smoothing",
        "small, class weights", "small, class sampling", "small, balanced copies",
    }  # fmt: skip
