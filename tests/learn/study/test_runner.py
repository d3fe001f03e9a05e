"""A study keeps every finished cell, whatever happens to it, and never makes one twice."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import pickle
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from tiny import child, epochs_in, figures, wait_for

from emelia import errors
from emelia.config import (
    AugmentConfig,
    FeatureConfig,
    ModelConfig,
    Recipe,
    TrainConfig,
    load_recipe,
)
from emelia.corpora import Corpus, read_corpus
from emelia.corpora.splits.scheme import make_split
from emelia.errors import ConfigError, EmeliaError, MissingExtraError, RunError, StorageError
from emelia.learn.data.loader import Loader
from emelia.learn.study import runner as study
from emelia.learn.study.cell import Interrupted, run_cell
from emelia.learn.study.recipes import find_recipes
from emelia.learn.study.runner import cell_folder, run_study
from emelia.learn.study.tasks import Task, tasks
from emelia.learn.study.warm_start import EarlierRun
from emelia.learn.training import hardware
from emelia.learn.training.hardware import Hardware
from emelia.learn.training.inference import predict
from emelia.learn.training.runs import load_run
from emelia.results import read_results
from emelia.storage import lock

MakeCorpus = Callable[..., Path]
FEATURES = FeatureConfig(mels=16)
VARIABLE = Recipe(
    "variable", features=FEATURES, model=ModelConfig(width=2), train=TrainConfig(3, 0, 4, lr=0.01)
)
RESIZED = replace(VARIABLE, name="resized", model=ModelConfig("resized", 2, 2, frames=16))
SOARING = replace(VARIABLE, name="soaring", train=replace(VARIABLE.train, lr=1e30))


def silent(name: str, done: int, total: int, facts: str) -> None:
    """Tell nobody."""


@pytest.fixture
def corpus(small_corpus: MakeCorpus) -> Corpus:
    """Three speakers say two emotions twice."""
    return read_corpus(small_corpus())


def cells_of(corpus: Corpus, *recipes: Recipe, split: str = "loso", seeds: int = 1) -> list[Task]:
    return tasks(corpus, make_split(corpus, split), recipes, range(seeds))


def lines(out: Path) -> list[str]:
    return (out / "results.jsonl").read_text().splitlines()


def trained(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the cells run from now on, as they are run."""
    names: list[str] = []
    real = study.run_cell

    def noted(task: Task, *rest: Any) -> Any:
        names.append(task.name)
        return real(task, *rest)

    monkeypatch.setattr(study, "run_cell", noted)
    return names


# What is written


def test_every_cell_is_a_line_and_a_run_folder(corpus: Corpus, tmp_path: Path) -> None:
    wanted, ended = cells_of(corpus, VARIABLE, RESIZED, seeds=2), []
    outcome = run_study(wanted, tmp_path, silent, end=lambda name, facts: ended.append(name))
    cells = read_results(tmp_path)
    assert len(lines(tmp_path)) == len(cells) == len(wanted) == 2 * 3 * 2
    assert [c.to_json() for c in outcome.cells] == lines(tmp_path)
    assert ended == [task.name for task in wanted]
    assert [c.key for c in cells] == [task.key for task in wanted]
    assert len({c.key for c in cells}) == len(cells)
    for cell, task in zip(cells, wanted, strict=True):
        found = (cell.recipe, cell.fold, cell.seed, cell.split, cell.corpus)
        assert found == (task.recipe.name, task.fold.name, task.seed, "loso", "corpus")
        assert [p["id"] for p in cell.predictions] == sorted(u.id for u in task.fold.test)
        assert (cell.train_clips, cell.validation_clips, cell.folds) == (4, 4, 3)
        assert len(cell.history) == 3 and cell.settings["model"]["width"] == 2
        assert cell.architecture and cell.architecture.parameters == cell.parameters


def test_the_run_folder_of_a_cell_answers_as_the_cell_did(corpus: Corpus, tmp_path: Path) -> None:
    task = cells_of(corpus, RESIZED)[0]
    cell = run_study([task], tmp_path, silent).cells[0]
    run = load_run(cell_folder(tmp_path, task))
    clips = Loader(run.recipe, run.classes).load(task.fold.test)
    assert predict(run.network, clips) == pytest.approx(cell.probabilities, abs=6e-5)  # rounded
    assert run.about["best_epoch"] == cell.best_epoch
    assert run.about["parts"]["test"] == [u.id for u in task.fold.test]
    heard = {u.digest for u in (*task.fold.train, *task.fold.validation)}
    assert set(run.about["heard"]) == heard
    assert not (cell_folder(tmp_path, task) / "checkpoint.safetensors").exists()


def test_only_a_split_that_peeks_writes_test_figures_down(
    small_corpus: MakeCorpus, tmp_path: Path
) -> None:
    corpus = read_corpus(small_corpus(sentences=6, seconds=0.3))
    peeking = run_study(cells_of(corpus, VARIABLE, split="author-80-20"), tmp_path / "a", silent)
    honest = run_study(cells_of(corpus, VARIABLE)[:1], tmp_path / "b", silent)
    for epoch in peeking.cells[0].history:
        assert {"test_accuracy", "test_uar"} <= epoch.keys()
    assert not any(key.startswith("test") for epoch in honest.cells[0].history for key in epoch)


def test_a_seed_changes_figures_and_repeats_them(corpus: Corpus, tmp_path: Path) -> None:
    two = cells_of(corpus, VARIABLE, seeds=2)
    first, other = (run_study([two[n]], tmp_path / "a", silent).cells[0] for n in (0, 3))
    again = run_study([two[0]], tmp_path / "b", silent).cells[0]
    assert figures(first) == figures(again)
    assert first.history != other.history


# Once and never twice


def test_a_finished_cell_is_never_run_again(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names, wanted = trained(monkeypatch), cells_of(corpus, VARIABLE, RESIZED)
    assert run_study(wanted[:2], tmp_path, silent).reused == 0
    before = lines(tmp_path)
    outcome = run_study(wanted, tmp_path, silent)
    assert (outcome.reused, len(outcome.cells)) == (2, 6)
    assert names == [task.name for task in wanted]
    assert run_study(wanted, tmp_path, silent).reused == 6
    assert names == [task.name for task in wanted]
    assert lines(tmp_path)[:2] == before and len(lines(tmp_path)) == 6


def test_a_cell_asked_for_twice_is_run_once(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names, wanted = trained(monkeypatch), cells_of(corpus, VARIABLE)[:1]
    run_study(wanted * 3, tmp_path, silent)
    assert len(names) == len(lines(tmp_path)) == 1


def test_trainings_of_another_precision_are_not_set_beside_those_there(
    corpus: Corpus, tmp_path: Path
) -> None:
    half, wanted = Hardware(precision="bf16-mixed"), cells_of(corpus, VARIABLE)[:2]
    run_study(wanted[:1], tmp_path, silent, hardware=half)
    (before,) = read_results(tmp_path)
    assert before.precision == "bf16-mixed"
    about = json.loads((cell_folder(tmp_path, wanted[0]) / "run.json").read_text("utf-8"))
    assert about["precision"] == "bf16-mixed"
    with pytest.raises(ConfigError, match=r"in bf16-mixed, and these would be in 32-true\. Add"):
        run_study(wanted, tmp_path, silent)
    assert len(lines(tmp_path)) == 1
    other = run_study(wanted[:1], tmp_path / "whole", silent).cells[0]
    assert other.precision == "32-true" and other.key == before.key
    losses = [[line["loss"] for line in cell.history] for cell in (before, other)]
    assert losses[0] != losses[1] and losses[0] == pytest.approx(losses[1], rel=0.05)


def test_a_training_is_not_gone_on_with_in_another_precision(
    corpus: Corpus, tmp_path: Path
) -> None:
    (task, *_), seen = cells_of(corpus, VARIABLE), []

    def stop(done: int, total: int, facts: str) -> None:
        seen.append(done)
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises((KeyboardInterrupt, Interrupted)):
        run_cell(task, tmp_path, stop)
    with pytest.raises(RunError, match=r"of another training .*precision"):
        run_cell(task, tmp_path, stop, Hardware("cpu", "bf16-mixed"))
    assert run_cell(task, tmp_path, lambda *_: None).precision == "32-true"


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("flags\t\t: fpu avx512f avx512_bf16 avx512_vnni", "bf16-mixed"),
        ("model name: x\nflags : fpu amx_bf16 amx_tile\n", "bf16-mixed"),
        ("Features : fp asimd bf16", "bf16-mixed"),
        ("flags : fpu avx2 avx512f", "32-true"),
        ("model name : avx512_bf16 in name alone", "32-true"),
        (None, "32-true"),
    ],
)
def test_auto_is_bfloat16_where_the_processor_multiplies_it(
    told: str | None, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hardware, "_CPU_INFO", tmp_path / "cpuinfo")
    monkeypatch.setattr("platform.system", lambda: "Linux")
    if told is not None:
        (tmp_path / "cpuinfo").write_text(told)
    assert Hardware("cpu", "auto").precision == expected
    assert Hardware("cpu", "32-true").precision == "32-true"


def test_other_settings_or_other_clips_are_other_cells(corpus: Corpus) -> None:
    first = cells_of(corpus, VARIABLE)[0]
    fewer = replace(first.fold, train=first.fold.train[1:])
    others = [
        replace(first, recipe=replace(VARIABLE, augment=AugmentConfig(copies=2))),
        replace(first, seed=1),
        replace(first, fold=fewer),
        replace(first, data=replace(first.data, corpus_digest="other")),
        replace(first, data=replace(first.data, split="folds-3")),
        # Another start or teacher of the same name and place.
        *(
            replace(first, **{role: EarlierRun("a", Path("a"), digest, cast(Any, None))})
            for role in ("init", "teacher")
            for digest in ("one", "other")
        ),
    ]
    # A start and a teacher of one digest are told apart by the recipe, which names them.
    assert len({first.key, *(task.key for task in others)}) == 8
    assert first.key == replace(first, recipe=replace(VARIABLE, title="Other words")).key


# What goes wrong


def test_a_recipe_that_fails_does_not_stop_the_others(corpus: Corpus, tmp_path: Path) -> None:
    wanted, ended = cells_of(corpus, SOARING, VARIABLE), {}
    outcome = run_study(wanted, tmp_path, silent, end=ended.__setitem__)
    assert [cell.recipe for cell in outcome.cells] == ["variable"] * 3
    assert list(outcome.failed) == [f"soaring fold {n} seed 0" for n in (1, 2, 3)]
    assert all("no longer a number" in reason for reason in outcome.failed.values())
    assert ended["soaring fold 1 seed 0"] == "failed" and len(ended) == 6
    assert len(lines(tmp_path)) == 3


def test_what_could_not_be_written_down_is_not_trained_again(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = cells_of(corpus, VARIABLE)[:1]

    def full(path: Path, line: str) -> None:
        raise StorageError(f"{path}: the disk is full.")

    with monkeypatch.context() as patch, pytest.raises(StorageError, match="full"):
        patch.setattr(study, "append_line", full)
        run_study(wanted, tmp_path, silent)
    assert not (tmp_path / "results.jsonl").exists()

    def refuse(*_: Any) -> None:
        raise AssertionError("it trained again")

    monkeypatch.setattr(Loader, "training", refuse)
    assert len(run_study(wanted, tmp_path, silent).cells) == len(lines(tmp_path)) == 1
    assert not (cell_folder(tmp_path, wanted[0]) / "checkpoint.safetensors").exists()


def test_ctrl_c_keeps_what_is_finished_and_the_next_start_goes_on(
    corpus: Corpus, tmp_path: Path
) -> None:
    wanted, seen = cells_of(corpus, VARIABLE), []

    def stop(name: str, done: int, total: int, facts: str) -> None:
        seen.append((name, done))
        if name == wanted[1].name and done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_study(wanted, tmp_path / "cut", stop)
    assert len(lines(tmp_path / "cut")) == 1
    cut = run_study(wanted, tmp_path / "cut", silent)
    whole = run_study(wanted, tmp_path / "whole", silent)
    assert [figures(c) for c in cut.cells] == [figures(c) for c in whole.cells]


def test_a_damaged_line_stops_it_before_anything_is_trained(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = trained(monkeypatch)
    (tmp_path / "results.jsonl").write_text('{"key": "12345678"}\n')
    with pytest.raises(RunError, match=r"results\.jsonl, line 1: .*Delete the line"):
        run_study(cells_of(corpus, VARIABLE), tmp_path, silent)
    assert not names and lines(tmp_path) == ['{"key": "12345678"}']


def test_two_studies_do_not_work_in_one_folder(corpus: Corpus, tmp_path: Path) -> None:
    with lock(tmp_path), pytest.raises(StorageError, match="another process is working here"):
        run_study(cells_of(corpus, VARIABLE), tmp_path, silent)


def test_every_error_survives_the_way_from_process_to_process() -> None:
    kinds = [k for k in vars(errors).values() if isinstance(k, type)]
    plain = [k("what came; what to do") for k in kinds if k is not MissingExtraError]
    assert len(plain) >= 7
    for error in (*plain, MissingExtraError("a room", "pyroomacoustics", "train")):
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again)) == (type(error), str(error))
        assert again.exit_code == error.exit_code


# Side by side


def test_a_killed_worker_is_one_clear_line_and_nothing_is_lost(
    corpus: Corpus, tmp_path: Path
) -> None:
    wanted = cells_of(corpus, SOARING, VARIABLE, replace(RESIZED, train=TrainConfig(500, 0, 4)))

    def kill(name: str, done: int, total: int, facts: str) -> None:
        if name.startswith("resized") and done >= 2:  # after the six short ones
            for process in multiprocessing.active_children():
                os.kill(process.pid or 0, signal.SIGKILL)

    with pytest.raises(EmeliaError, match=r"process was killed.*run the same command again") as e:
        run_study(wanted, tmp_path, kill, jobs=2)
    assert "\n" not in str(e.value)
    assert not multiprocessing.active_children()
    kept = read_results(tmp_path)
    assert {cell.recipe for cell in kept} == {"variable"}, "though another recipe failed"
    alone = run_study(wanted[3:6], tmp_path / "alone", silent)
    by_key = {cell.key: figures(cell) for cell in alone.cells}
    assert all(figures(cell) == by_key[cell.key] for cell in kept), "one job or two, all the same"
    outcome = run_study(wanted[3:6], tmp_path, silent)
    assert (outcome.reused, len(outcome.cells)) == (len(kept), 3)


@pytest.mark.parametrize(
    ("by", "told"),
    [
        (signal.SIGSEGV, r"crashed \(SIGSEGV: segmentation fault\)\..* please report it\.$"),
        (signal.SIGTERM, r"was ended by SIGTERM\. Finished .* run the same command again\.$"),
    ],
)
def test_what_ended_a_worker_is_called_by_its_name(
    corpus: Corpus, tmp_path: Path, by: signal.Signals, told: str
) -> None:
    def end(name: str, done: int, total: int, facts: str) -> None:
        for process in multiprocessing.active_children():
            os.kill(process.pid or 0, by)

    long = replace(VARIABLE, train=TrainConfig(500, 0, 4))
    with pytest.raises(EmeliaError, match=f"a training process {told}") as e:
        run_study(cells_of(corpus, long), tmp_path, end, jobs=2)
    assert "memory" not in str(e.value) and "\n" not in str(e.value)


def children(pid: int) -> list[int]:
    try:
        return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def works(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def has_torch(pid: int) -> bool:
    """Whether a worker has begun to import torch, which takes it seconds."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_text()  # its parent's, at first
        return "spawn_main" in command and "libtorch" in Path(f"/proc/{pid}/maps").read_text()
    except OSError:
        return False


@pytest.fixture
def slow(tmp_path: Path) -> Path:
    """A recipe that takes a second or two a cell."""
    path = tmp_path / "slow.toml"
    path.write_text(
        "[model]\nwidth = 2\n[features]\nmels = 16\n"
        "[train]\nepochs = 40\npatience = 0\nlr = 0.01\nbatch_size = 2\n"
    )
    return path


@pytest.fixture
def process(corpus: Corpus, slow: Path, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A study of `slow` with two workers in `killed`, in a process group of its own."""
    if not Path("/proc/self/task").is_dir():
        pytest.skip("needs /proc to find the workers")
    options = ("--out", str(tmp_path / "killed"), "--recipes", str(slow), "--jobs", "2")
    process = child(
        "study", str(corpus.root), *options, cache=tmp_path / "cache", start_new_session=True
    )
    yield process
    with contextlib.suppress(ProcessLookupError):  # where a test has left nothing behind
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def test_ctrl_c_is_the_parent_s_and_one_clear_line(
    process: subprocess.Popen[str], tmp_path: Path
) -> None:
    # A terminal sends it to the workers too, perhaps before they have got ready for it.
    wait_for(lambda: any(map(has_torch, children(process.pid))), process)
    for pid in filter(has_torch, children(process.pid)):
        os.kill(pid, signal.SIGINT)
    out = tmp_path / "killed"
    wait_for(lambda: (out / "results.jsonl").exists() and lines(out), process)
    os.killpg(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130, told
    assert "Traceback" not in told
    assert [line for line in told.splitlines() if line.startswith("emelia: ")] == [
        "emelia: interrupted. What is finished is kept: the same command goes on from there."
    ]


def test_a_killed_study_started_again_equals_an_unbroken_one(
    corpus: Corpus, slow: Path, process: subprocess.Popen[str], tmp_path: Path
) -> None:
    out = tmp_path / "killed"

    def in_the_middle() -> bool:  # a cell is finished and another begun, not nearly finished
        done = {cell.key for cell in read_results(out)}
        begun = [f for f in (out / "cells").glob("*") if f.name.split("-")[-1] not in done]
        return bool(done) and any(0 < epochs_in(folder) < 20 for folder in begun)

    wait_for(in_the_middle, process)
    workers = children(process.pid)
    process.kill()
    process.wait(timeout=60)
    wait_for(lambda: not any(map(works, workers)))  # they do not go on by themselves
    kept = lines(out)
    assert len(kept) in (1, 2), "killed in the middle, or this would prove nothing"

    wanted = cells_of(corpus, load_recipe(slow))
    again = run_study(wanted, out, silent)
    assert again.reused == len(kept) and lines(out)[: len(kept)] == kept
    whole = run_study(wanted, tmp_path / "whole", silent)
    found, expected = (sorted(o.cells, key=lambda c: c.fold) for o in (again, whole))
    assert [figures(c) for c in found] == [figures(c) for c in expected]


def test_the_history_can_be_read_while_a_training_runs(
    small_corpus: Callable[..., Path], tmp_path: Path
) -> None:
    seen: list[int] = []

    def look(name: str, done: int, total: int, facts: str) -> None:
        if facts.startswith("loss"):
            (path,) = (tmp_path / "out").glob("cells/*/history.jsonl")
            seen.append(len(path.read_text().splitlines()))

    corpus = read_corpus(small_corpus(speakers=3))
    found = make_split(corpus, "loso")
    recipes = find_recipes("variable-3", ["model.width=2", "train.epochs=2"])
    run_study(tasks(corpus, found, recipes, [0])[:1], tmp_path / "out", look)
    assert seen == [1, 2]
