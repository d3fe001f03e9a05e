"""A search finds better settings, goes on where it stopped, and never meets a test speaker."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from emelia.cli import app
from emelia.config import AugmentConfig, FeatureConfig, ModelConfig, Recipe, TrainConfig
from emelia.corpora import Corpus, read_corpus
from emelia.corpora.splits.scheme import Split, make_split
from emelia.errors import ConfigError, RunError, SplitError
from emelia.learn.data.loader import Loader
from emelia.learn.study import trials, tune
from emelia.learn.study.ablations import is_solved
from emelia.learn.study.recipes import all_recipes, find_recipes
from emelia.learn.study.tune_space import SearchResult, Trial, own_values, space, with_values
from emelia.learn.training import trainer
from emelia.learn.training.fit import Diverged
from emelia.results import read_results
from emelia.show.report import tuning
from emelia.show.style import png

pytest.importorskip("optuna")

SMALL = Recipe(
    "small",
    features=FeatureConfig(mels=16),
    model=ModelConfig(width=2),
    train=TrainConfig(2, 0, 4, lr=0.01),
)


def silent(done: int, total: int, facts: str) -> None:
    """Tell nobody."""


@pytest.fixture
def corpus(small_corpus: Callable[..., Path]) -> Corpus:
    """Four speakers say two emotions twice."""
    return read_corpus(small_corpus(speakers=4))


@pytest.fixture
def outer(corpus: Corpus) -> Split:
    return make_split(corpus, "loso")


def search_of(corpus: Corpus, outer: Split, recipe: Recipe = SMALL) -> tune.Search:
    return tune.Search(recipe, corpus.emotions, tune.inner_folds(corpus, outer.folds[0]))


# On whom


def test_inner_folds_hold_everybody_but_the_test_speakers(corpus: Corpus, outer: Split) -> None:
    first = outer.folds[0]
    inner = tune.inner_folds(corpus, first)
    heard = {u.id for u in (*first.train, *first.validation)}
    assert len(inner) == 3
    for fold in inner:
        assert {u.id for u in (*fold.train, *fold.validation)} == heard
        assert not {u.speaker for u in fold.train} & {u.speaker for u in fold.validation}
        assert fold.test == ()
    assert {u.id for fold in inner for u in fold.validation} == heard


def test_no_clip_of_a_test_speaker_reaches_the_search(
    corpus: Corpus, outer: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: set[str] = set()
    real = Loader.clip

    def spied(self: Loader, utterance: Any, *rest: Any) -> Any:
        loaded.add(utterance.speaker)
        return real(self, utterance, *rest)

    monkeypatch.setattr(Loader, "clip", spied)
    tune.search(search_of(corpus, outer), tmp_path, 2, silent)
    tested = {u.speaker for u in outer.folds[0].test}
    assert loaded == set(corpus.speakers) - tested
    assert tested, "or this would prove nothing"


def test_a_split_that_shares_speakers_is_refused(corpus: Corpus) -> None:
    fold = make_split(corpus, "founding-70-20-10").folds[0]
    with pytest.raises(SplitError, match="are also in"):
        tune.inner_folds(corpus, fold)


def test_too_few_speakers_are_refused(small_corpus: Callable[..., Path]) -> None:
    three = read_corpus(small_corpus(speakers=3))
    with pytest.raises(SplitError, match="2 speakers are left to search with; expected 3"):
        tune.inner_folds(three, make_split(three, "loso").folds[0])


# What is searched


def test_the_settings_searched_are_those_that_can_change_something() -> None:
    keys = {dimension.key for dimension in space(all_recipes()["emelia"])}
    assert keys == {
        "train.lr", "train.schedule", "train.weight_decay", "model.dropout", "model.width",
        "augment.mask_probability", "augment.mixup", "augment.probability",
    }  # fmt: skip
    keys = {
        dimension.key for dimension in space(all_recipes()["variable-3"])
    }  # one clip a batch, no copies
    assert not keys & {"augment.mixup", "augment.probability"}


@pytest.mark.parametrize("recipe", all_recipes().values(), ids=lambda r: r.name)
def test_a_recipe_s_own_values_lie_in_the_space_and_give_the_recipe(recipe: Recipe) -> None:
    if is_solved(recipe):  # there is nothing to search until it learns further
        recipe = replace(recipe, train=replace(recipe.train, epochs=10))
    dimensions = space(recipe)
    own = own_values(recipe, dimensions)
    for dimension in dimensions:
        value = own[dimension.key]
        assert value in dimension.options or dimension.low <= value <= dimension.high
    assert with_values(recipe, own) is recipe


def test_values_become_a_recipe_and_masks_are_drawn_where_there_are_no_copies() -> None:
    made = with_values(SMALL, {"train.lr": 0.0123456, "augment.mask_probability": 0.5}, "better")
    assert (made.name, made.train.lr) == ("better", 0.0123)
    assert made.augment == AugmentConfig(mask_probability=0.5, masks_each_epoch=True)


# Searching


def test_a_search_starts_with_the_recipe_itself_and_is_resumed(
    corpus: Corpus, outer: Split, tmp_path: Path
) -> None:
    wanted, told = search_of(corpus, outer), []
    first = tune.search(wanted, tmp_path, 2, silent)
    assert first.trials[0].values == own_values(SMALL, space(SMALL))
    again = tune.search(wanted, tmp_path, 4, lambda *news: told.append(news))
    assert again.trials[:2] == first.trials
    assert [done for done, *_ in told] == [2, 3, 4]
    assert all("best validation UAR" in facts for *_, facts in told)
    drawn = [t.values["train.lr"] for t in again.trials]
    assert len(set(drawn)) == 4, "it does not propose the same again"
    assert again.best.uar == max(t.uar for t in again.trials if t.uar is not None)


def test_the_score_is_the_mean_of_the_inner_folds(
    corpus: Corpus, outer: Split, tmp_path: Path
) -> None:
    (trial,) = tune.search(search_of(corpus, outer), tmp_path, 1, silent).trials
    assert len(trial.folds) == 3
    assert trial.uar == pytest.approx(sum(trial.folds) / 3)


def test_ctrl_c_keeps_finished_trials(corpus: Corpus, outer: Split, tmp_path: Path) -> None:
    wanted = search_of(corpus, outer)
    (first,) = tune.search(wanted, tmp_path, 1, silent).trials

    def stop(name: str, done: int, total: int, facts: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tune.search(wanted, tmp_path, 3, silent, stop)
    again = tune.search(wanted, tmp_path, 2, silent)
    assert again.trials[0] == first and [t.number for t in again.trials] == [1, 2]


def test_a_folder_of_another_search_is_refused(
    corpus: Corpus, outer: Split, tmp_path: Path
) -> None:
    tune.search(search_of(corpus, outer), tmp_path, 1, silent)
    other = replace(SMALL, model=ModelConfig(width=3))
    with pytest.raises(RunError, match="holds a search of another recipe"):
        tune.search(search_of(corpus, outer, other), tmp_path, 1, silent)


def test_a_damaged_journal_is_refused(corpus: Corpus, outer: Split, tmp_path: Path) -> None:
    (tmp_path / trials.JOURNAL).write_text("not JSON\nat all\n")
    with pytest.raises(RunError, match=r"trials\.journal: damaged"):
        tune.search(search_of(corpus, outer), tmp_path, 1, silent)


def test_settings_that_diverge_are_given_up_and_the_search_goes_on(
    corpus: Corpus, outer: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = trainer.fit, []

    def fit(network: Any, job: Any) -> Any:
        calls.append(1)
        if len(calls) == 4:  # the second trial's first inner fold
            raise Diverged("no longer a number")
        return real(network, job)

    monkeypatch.setattr(trainer, "fit", fit)
    found = tune.search(search_of(corpus, outer), tmp_path, 3, silent)
    assert [t.state for t in found.trials] == ["finished", "pruned", "finished"]


def test_hopeless_trials_are_given_up_early(
    corpus: Corpus, outer: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def fit(network: Any, job: Any) -> Any:
        calls.append(1)
        good = len(calls) <= 3 * trials._STARTUP
        line = {"epoch": 1.0, "validation_uar": 0.9 if good else 0.1, "validation_loss": 1.0}
        job.on_epoch(line)

        class Done:
            interrupted, history, best_epoch = False, (line,), 1

        return Done

    monkeypatch.setattr(trainer, "fit", fit)
    found = tune.search(search_of(corpus, outer), tmp_path, trials._STARTUP + 2, silent)
    assert [t.state for t in found.trials] == ["finished"] * trials._STARTUP + ["pruned"] * 2
    assert len(calls) == 3 * trials._STARTUP + 2, "one inner fold each was enough"


# Showing


def drawn(trials: int = 12) -> SearchResult:
    dimensions = space(SMALL)
    own = own_values(SMALL, dimensions)
    rows = [
        Trial(n + 1, "finished" if n % 4 else "pruned", 0.3 + n / 40 if n % 4 else None,
              {**own, "train.lr": 0.001 * (n + 1)}, (), 1.5)
        for n in range(1, trials)
    ]  # fmt: skip
    return SearchResult((Trial(1, "finished", 0.4, own, (), 2.0), *rows), {"train.lr": 0.7})


def test_trials_are_written_as_csv() -> None:
    lines = list(csv.DictReader(tuning.trials_csv(drawn(), space(SMALL)).splitlines()))
    assert len(lines) == 12
    assert (lines[1]["trial"], lines[1]["state"], lines[1]["train.lr"]) == (
        "2",
        "finished",
        "0.002",
    )
    assert lines[4]["validation_uar"] == ""


@pytest.mark.parametrize("found", [drawn(), replace(drawn(1), importances={})])
def test_the_picture_is_drawn(found: SearchResult) -> None:
    figure = tuning.picture(found, space(SMALL))
    assert len([a for a in figure.axes if a.get_visible()]) == 1 + len(space(SMALL))
    assert png(figure, 40).startswith(b"\x89PNG")


def test_the_table_says_where_nothing_better_was_found() -> None:
    own = own_values(SMALL, space(SMALL))
    assert "None was better" in tuning.best_table(drawn(1), own).note
    better = tuning.best_table(drawn(), own)
    assert "None was better" not in better.note
    assert ("train.lr", "0.01", "0.012", "70.0") in better.rows


# The command


def test_the_command_searches_tests_once_and_leaves_a_recipe(
    small_corpus: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, out = tmp_path / "small.toml", tmp_path / "out"
    recipe.write_text("[features]\nmels = 16\n[model]\nwidth = 2\n[train]\nbatch_size = 4\n")
    corpus = str(small_corpus(speakers=4))
    options = ["--epochs", "2", "--seeds", "1", "--split", "loso", "--fold", "2", "--out", str(out)]
    command = ["tune", str(recipe), corpus, *options]
    first = CliRunner().invoke(app, [*command, "--trials", "3"])
    assert first.exit_code == 0, first.output
    assert "Best settings found" in first.output
    page = (out / "tune.md").read_text()
    assert "speakers disjoint" in page and "Fold 2 alone" in page
    cells = read_results(out)
    assert {cell.fold for cell in cells} == {"2"} and len(cells) <= 2
    assert {p["speaker"] for cell in cells for p in cell.predictions} == {"2"}
    (again,) = find_recipes(str(out / "best.toml"))
    assert again.digest in {cell.recipe_digest for cell in cells}
    assert len((out / "trials.csv").read_text().splitlines()) == 4
    assert (out / "tuning.png").read_bytes().startswith(b"\x89PNG")

    journal = (out / trials.JOURNAL).read_text()
    assert all(json.loads(line) for line in journal.splitlines())
    second = CliRunner().invoke(app, [*command, "--trials", "3"])
    assert second.exit_code == 0, second.output
    assert read_results(out) == cells, "nothing is trained or tested again"


def test_one_recipe_and_a_known_fold_are_asked_for(small_corpus: Callable[..., Path]) -> None:
    corpus = str(small_corpus(speakers=4))
    several = CliRunner().invoke(app, ["tune", "founding", corpus])
    assert isinstance(several.exception, ConfigError) and "6 recipes" in str(several.exception)
    unknown = CliRunner().invoke(app, ["tune", "emelia", corpus, "--split", "loso", "--fold", "9"])
    assert isinstance(unknown.exception, SplitError) and "'9'" in str(unknown.exception)
