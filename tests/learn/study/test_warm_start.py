"""Earlier runs to begin with or to learn from: the right one is found, and none that has peeked."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_encoder import NAME, SOLVED, make_known

from emelia.config import ModelConfig, Recipe, TrainConfig
from emelia.corpora import Corpus, read_corpus
from emelia.corpora.splits.scheme import Split, audit, make_split
from emelia.errors import ConfigError, ModelError, RunError
from emelia.learn.study.ablations import with_variants
from emelia.learn.study.runner import cell_folder, run_study
from emelia.learn.study.tasks import StudyData, Task, tasks
from emelia.learn.study.warm_start import EarlierRuns, find_run
from emelia.learn.training.runs import load_run
from emelia.results import read_results, studies, variant_of

PLAIN = Recipe("plain", model=ModelConfig(width=2), train=TrainConfig(1, lr=0.01))
STUDENT = replace(PLAIN, name="student", train=TrainConfig(1, lr=0.01, distill_alpha=0.5))


@pytest.fixture(autouse=True)
def _small(one_thread: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    with torch.random.fork_rng():
        make_known(monkeypatch, tmp_path / "weights")
        yield


@pytest.fixture
def corpus(small_corpus: Callable[..., Path]) -> Corpus:
    return read_corpus(small_corpus(seconds=0.3))


@pytest.fixture
def split(corpus: Corpus) -> Split:
    return make_split(corpus, "loso")


def silent(name: str, done: int, total: int, facts: str) -> None:
    """Tell nobody."""


def trained(
    corpus: Corpus, split: Split, out: Path, recipe: Recipe = PLAIN, **runs: Path
) -> list[Task]:
    """Train a recipe on all folds; return its cells."""
    wanted = tasks(corpus, split, [recipe], [0], **runs)
    assert not run_study(wanted, out, silent).failed
    return wanted


def test_a_study_gives_the_run_of_the_same_fold(
    corpus: Corpus, split: Split, tmp_path: Path
) -> None:
    done = trained(corpus, split, tmp_path / "s")
    for task in done:
        found = find_run(tmp_path / "s", "loso", task.fold)
        assert found is not None
        assert found.place == cell_folder(tmp_path / "s", task)
        run = found.run()
        assert run.about["fold"] == task.fold.name
        seen = {u.digest for u in (*task.fold.train, *task.fold.validation)}
        assert found.seen == seen
    assert EarlierRuns.of(None, "loso", [])(done[0].fold) is None


def test_a_run_that_has_seen_test_clips_is_refused(
    corpus: Corpus, split: Split, tmp_path: Path
) -> None:
    first, second, _ = trained(corpus, split, tmp_path / "s")
    folder = cell_folder(tmp_path / "s", first)
    assert find_run(folder, "loso", first.fold) is not None
    with pytest.raises(RunError, match=r"has heard 4 clips that fold 2 tests with, .* among them"):
        find_run(folder, "loso", second.fold)
    with pytest.raises(RunError, match="has heard"):
        tasks(corpus, split, [PLAIN], [0], init=folder)
    (one,) = tasks(corpus, split, [PLAIN], [0], init=folder, only=first.fold.name)
    assert (one.fold, one.data.folds) == (first.fold, 3)
    with pytest.raises(RunError, match="has heard"):
        tasks(corpus, split, [STUDENT], [0], teacher=folder)


def test_clips_that_initial_run_and_teacher_have_seen_are_passed_on(
    corpus: Corpus, split: Split, tmp_path: Path
) -> None:
    first, *_ = trained(corpus, split, tmp_path / "s")
    folder = cell_folder(tmp_path / "s", first)
    fold = first.fold
    for name, given in (("start", "init"), ("teacher", "teacher")):  # in run.json, and here
        # The next training hears one clip only; those of the run before it still count.
        little = replace(split, folds=(replace(fold, train=fold.train[:1]),))
        recipe = STUDENT if name == "teacher" else PLAIN
        (task,) = trained(corpus, little, tmp_path / name, recipe, **{given: folder})
        about = load_run(cell_folder(tmp_path / name, task)).about
        assert set(about["heard"]) == {u.digest for u in (*fold.train, *fold.validation)}
        assert about[name]["name"] == folder.name
        assert len(about[name]["digest"]) == 16


def test_variants_still_say_what_they_are_variants_of(
    corpus: Corpus, split: Split, tmp_path: Path
) -> None:
    first, *_ = trained(corpus, split, tmp_path / "s")
    plain, *variants = with_variants([PLAIN], ablate=True, remedy=False)
    assert {one.group for one in variants} == {variant_of(plain.digest)}
    started = tasks(corpus, split, [plain, *variants], [0], tmp_path / "s", only=first.fold.name)
    base, *others = [task.recipe for task in started]
    assert base.digest != plain.digest  # it says what it begins with
    assert {one.group for one in others} == {variant_of(base.digest)}


def test_other_folds_of_the_same_name_are_another_division(corpus: Corpus, split: Split) -> None:
    data = StudyData.of(corpus, split)
    assert data.division == StudyData.of(corpus, split).division
    turned = replace(split, folds=tuple(reversed(split.folds)))
    assert data.division != StudyData.of(corpus, turned).division
    assert data.division != StudyData.of(corpus, replace(split, added=(corpus,))).division


def test_a_recipe_says_what_it_began_with_so_that_results_are_not_mixed(
    corpus: Corpus, split: Split, tmp_path: Path
) -> None:
    out = tmp_path / "s"
    alone = trained(corpus, split, out)
    begun = trained(corpus, split, tmp_path / "t", init=out)
    assert len({t.recipe.digest for t in begun}) == 1, "one row, though each fold has its own run"
    assert begun[0].recipe.model.init.startswith("plain@")
    assert {t.key for t in begun}.isdisjoint({t.key for t in alone})
    cells = [*read_results(out), *read_results(tmp_path / "t")]
    rows = studies(cells)[0].rows
    assert [len(row.cells) for row in rows] == [3, 3]
    assert rows[1].cells[0].settings["model"]["init"] == begun[0].recipe.model.init


def test_a_recipe_is_the_same_wherever_its_earlier_runs_lie(
    corpus: Corpus, split: Split, tmp_path: Path
) -> None:
    trained(corpus, split, tmp_path / "s")
    shutil.copytree(tmp_path / "s", tmp_path / "elsewhere" / "moved")
    places = (tmp_path / "s", tmp_path / "elsewhere" / "moved")
    for way in ("init", "teacher"):
        here, there = (
            tasks(corpus, split, [STUDENT], [0], **{"teacher": places[0], way: place})
            for place in places
        )
        assert [task.recipe for task in here] == [task.recipe for task in there]
        assert [task.key for task in here] == [task.key for task in there], "nothing runs again"
    run = cell_folder(tmp_path / "s", trained(corpus, split, tmp_path / "s")[0])
    shutil.copytree(run, tmp_path / "named by hand")
    fold = split.folds[0]
    names = {
        EarlierRuns.of(place, "loso", [fold]).name for place in (run, tmp_path / "named by hand")
    }
    assert len(names) == 1


@pytest.mark.parametrize("broken", ["{", "[]", "{}"])
def test_a_damaged_run_is_reported(
    broken: str, corpus: Corpus, split: Split, tmp_path: Path
) -> None:
    first, *_ = trained(corpus, split, tmp_path / "s")
    folder = cell_folder(tmp_path / "s", first)
    (folder / "run.json").write_text(broken)
    for place in (folder, tmp_path / "s"):
        with pytest.raises(RunError, match=r"damaged|does not say|no run of split"):
            find_run(place, "loso", first.fold)


def test_errors_tell_places_that_are_no_run_apart(
    corpus: Corpus, split: Split, tmp_path: Path
) -> None:
    fold = split.folds[0]
    with pytest.raises(RunError, match="no such folder"):
        find_run(tmp_path / "nowhere", "loso", fold)
    (tmp_path / "empty").mkdir()
    with pytest.raises(RunError, match="no run of split loso, fold 1; expected one"):
        find_run(tmp_path / "empty", "loso", fold)
    two = tasks(corpus, split, [PLAIN, replace(PLAIN, model=ModelConfig(width=3))], [0])
    run_study([t for t in two if t.fold.name == "1"], tmp_path / "two", silent)
    with pytest.raises(RunError, match="2 runs of split loso, fold 1"):
        find_run(tmp_path / "two", "loso", fold)
    trained(corpus, split, tmp_path / "s")
    folder = next((tmp_path / "s" / "cells").glob("*fold-1*"))
    (folder / "model.safetensors").unlink()
    with pytest.raises(RunError, match="not a whole run folder"):
        find_run(folder, "loso", fold)
    about = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**about, "heard": []}))
    (folder / "model.safetensors").write_bytes(b"")
    with pytest.raises(RunError, match="does not say which clips it has heard"):
        find_run(folder, "loso", fold)


def test_a_teacher_needs_students_and_they_a_teacher(
    corpus: Corpus, split: Split, tmp_path: Path
) -> None:
    trained(corpus, split, tmp_path / "s")
    with pytest.raises(ConfigError, match=r"student: train\.distill_alpha .* asks for a teacher"):
        tasks(corpus, split, [PLAIN, STUDENT], [0])
    with pytest.raises(ConfigError, match="--teacher: plain learns from none"):
        tasks(corpus, split, [PLAIN], [0], teacher=tmp_path / "s")
    made = tasks(corpus, split, [PLAIN, STUDENT], [0], teacher=tmp_path / "s")
    assert {(t.recipe.name, t.teacher is not None) for t in made} == {
        ("plain", False), ("student", True),
    }  # fmt: skip
    assert made[0].recipe == PLAIN, "who learns from nobody is the experiment it was"


def test_a_recipe_that_was_begun_with_a_run_is_not_trained_without_it(
    corpus: Corpus, split: Split
) -> None:
    begun = replace(PLAIN, model=replace(PLAIN.model, init="runs@0123"))
    with pytest.raises(ConfigError, match=r"begins with the weights of runs@0123 .* --init-from"):
        tasks(corpus, split, [begun], [0])
    assert EarlierRuns.of(None, split.name, split.folds).name == ""


def test_missing_weights_are_reported_before_anything_is_trained(
    corpus: Corpus, split: Split, tmp_path: Path
) -> None:
    assert len(tasks(corpus, split, [SOLVED], [0])) == 3
    (tmp_path / "weights" / "tiny.safetensors").unlink()
    with pytest.raises(ModelError, match=rf"{NAME}: tiny\.safetensors is not in"):
        tasks(corpus, split, [SOLVED], [0])


def test_the_cell_and_the_run_say_how_many_blocks_were_chosen(
    corpus: Corpus, split: Split, tmp_path: Path
) -> None:
    one = replace(split, folds=split.folds[:1])
    (task,) = trained(corpus, one, tmp_path / "s", SOLVED)
    (cell,) = read_results(tmp_path / "s")
    run = load_run(cell_folder(tmp_path / "s", task))
    assert cell.blocks == run.recipe.model.blocks >= 1
    assert cell.settings["model"]["blocks"] == 0, "the recipe leaves it open"
    assert cell.recipe_digest == SOLVED.digest


def test_a_split_that_was_audited_is_not_audited_again(
    corpus: Corpus, split: Split, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, audits = tasks(corpus, split, [PLAIN], [0]), audit(split)
    monkeypatch.setattr("emelia.learn.study.tasks.audit", lambda split: pytest.fail("again"))
    given = tasks(corpus, split, [PLAIN], [0], audits=audits)
    assert [task.audit for task in given] == [task.audit for task in plain] == audits
