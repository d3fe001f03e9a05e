"""Trainings are told to a tracker while they run, and no tracker can stop one."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from emelia.cli import app
from emelia.config import FeatureConfig, ModelConfig, Recipe, TrainConfig
from emelia.corpora import read_corpus
from emelia.corpora.splits.scheme import make_split
from emelia.errors import ConfigError, MissingExtraError
from emelia.learn.study.runner import cell_folder, run_study
from emelia.learn.study.tasks import Task, tasks
from emelia.learn.study.tracking import MLflow, TensorBoard, Tracker, tracker

SMALL = Recipe(
    "small",
    features=FeatureConfig(mels=16),
    model=ModelConfig(width=2),
    train=TrainConfig(3, 0, 4, lr=0.01),
)
SOARING = replace(SMALL, name="soaring", train=replace(SMALL.train, lr=1e30))


class Notes:
    """A sink that remembers what it is told."""

    def __init__(self, known: int = 0) -> None:
        self.known = known  # epochs it has from an earlier start
        self.begun: dict[str, Mapping[str, str]] = {}
        self.epochs: list[tuple[str, int]] = []
        self.losses: list[float] = []
        self.ended: dict[str, tuple[Mapping[str, float], list[str], bool]] = {}

    def begin(self, name: str, key: str, about: Mapping[str, str]) -> int:
        self.begun[name] = about
        return self.known

    def epoch(self, key: str, number: int, figures: Mapping[str, float]) -> None:
        self.epochs.append((key, number))
        self.losses.append(figures["loss"])

    def finish(
        self, key: str, figures: Mapping[str, float], files: Sequence[Path], failed: bool
    ) -> None:
        self.ended[key] = (figures, [file.name for file in files], failed)


class Gone(Notes):
    """A server that has died."""

    def begin(self, name: str, key: str, about: Mapping[str, str]) -> int:
        raise OSError("http://me:secret@tracking: connection refused\nand so on")


@pytest.fixture
def wanted(small_corpus: Callable[..., Path]) -> list[Task]:
    """One fold of a recipe that learns and of one that diverges."""
    corpus = read_corpus(small_corpus())
    made = tasks(corpus, make_split(corpus, "loso"), [SMALL, SOARING], [0])
    return [task for task in made if task.fold.name == "1"]


def follow(sink: Any, wanted: list[Task], out: Path) -> tuple[Tracker, Any]:
    follower = Tracker(sink, {task.name: (task, cell_folder(out, task)) for task in wanted})
    return follower, run_study(wanted, out, follower.tell, 1, end=follower.end)


def test_every_epoch_is_reported_once_and_then_the_result(
    wanted: list[Task], tmp_path: Path
) -> None:
    notes, (good, bad) = Notes(), wanted
    _, outcome = follow(notes, wanted, tmp_path)
    assert notes.epochs == [(good.key, n) for n in (1, 2, 3)]
    (cell,) = outcome.cells
    told = [line["loss"] for line in cell.history]
    assert notes.losses == pytest.approx(told, rel=1e-5)
    figures, files, failed = notes.ended[good.key]
    assert figures["final_test_accuracy"] == (cell.truth == cell.predicted).mean()
    assert files == ["run.json", "history.jsonl", "answers.json"] and not failed
    assert notes.ended[bad.key] == ({}, [], True)
    about = notes.begun[good.name]
    assert (about["train.lr"], about["model.width"], about["fold"]) == ("0.01", "2", "1")


def test_epochs_that_the_tracker_has_are_not_reported_again(
    wanted: list[Task], tmp_path: Path
) -> None:
    notes = Notes(known=2)
    follow(notes, wanted[:1], tmp_path)
    assert [number for _, number in notes.epochs] == [3]


def test_a_tracker_that_is_gone_costs_one_warning_and_no_training(
    wanted: list[Task], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    follower, outcome = follow(Gone(), wanted, tmp_path)
    assert len(outcome.cells) == 1 and follower.lost
    told = capsys.readouterr().err
    assert told.count("warning: tracking has failed") == 1
    assert "connection refused" in told and "secret" not in told and "and so on" not in told


def test_an_unknown_tracker_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'wandb' is none of mlflow, tensorboard"):
        tracker("wandb", "x", tmp_path, [])


@pytest.mark.parametrize(
    ("kind", "module", "package"),
    [
        ("mlflow", "mlflow", "mlflow-skinny"),
        ("tensorboard", "torch.utils.tensorboard", "tensorboard"),
    ],
)
def test_a_missing_package_is_named_before_anything_is_trained(
    kind: str, module: str, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=rf"{package}.*emelia\[track\]"):
        tracker(kind, "x", tmp_path, [])


@pytest.fixture
def plain_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave no setting of MLflow behind, and none of the person's in."""
    for name in ("TRACKING_URI", "HTTP_REQUEST_MAX_RETRIES", "HTTP_REQUEST_TIMEOUT",
                 "DISABLE_TELEMETRY", "ALLOW_FILE_STORE",
                 "SUPPRESS_PRINTING_URL_TO_STDOUT"):  # fmt: skip
        monkeypatch.setenv(f"MLFLOW_{name}", "")
        monkeypatch.delenv(f"MLFLOW_{name}")


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(
        "[features]\nmels = 16\n[model]\nwidth = 2\n"
        "[train]\nepochs = 2\npatience = 0\nbatch_size = 4\n"
    )
    return path


@pytest.mark.usefixtures("plain_settings")
@pytest.mark.filterwarnings("ignore::FutureWarning:mlflow", "ignore::DeprecationWarning:mlflow")
def test_mlflow_gets_parameters_figures_and_files_of_a_training(
    recipe: Path, small_corpus: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("mlflow")
    monkeypatch.chdir(tmp_path)
    command = ["train", str(recipe), str(small_corpus()), "--out", "run", "--track", "mlflow"]
    answer = CliRunner().invoke(app, command)
    assert answer.exit_code == 0, answer.output
    assert "tracking has failed" not in answer.output
    sink = MLflow("corpus folds-3")
    (run,) = sink.client.search_runs([sink.experiment])
    assert run.info.status == "FINISHED" and run.info.run_name == "small fold 1 seed 0"
    assert run.data.params["model.width"] == "2"
    lines = [json.loads(line) for line in Path("run/history.jsonl").read_text().splitlines()]
    history = sink.client.get_metric_history(run.info.run_id, "validation_uar")
    assert [(m.step, m.value) for m in history] == [
        (line["epoch"], line["validation_uar"]) for line in lines
    ]
    assert 0 <= run.data.metrics["final_test_uar"] <= 1
    files = {file.path for file in sink.client.list_artifacts(run.info.run_id)}
    assert {"run.json", "history.jsonl"} <= files
    assert not list(Path().rglob("mlflow.db"))


@pytest.mark.usefixtures("plain_settings")
@pytest.mark.filterwarnings("ignore::FutureWarning:mlflow", "ignore::DeprecationWarning:mlflow")
def test_an_interrupted_run_is_resumed_in_mlflow(
    wanted: list[Task], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("mlflow")
    monkeypatch.chdir(tmp_path)
    first = MLflow("again")
    assert first.begin("a", "k1", {"lr": "1"}) == 0
    first.epoch("k1", 1, {"loss": 0.5})
    again = MLflow("again")
    assert again.begin("a", "k1", {"lr": "1"}) == 1
    again.finish("k1", {"final_test_uar": 0.5}, [], False)
    assert MLflow("again").begin("a", "k1", {"lr": "1"}) == 0, "a finished one is not reopened"
    assert len(first.client.search_runs([first.experiment])) == 2


@pytest.mark.usefixtures("plain_settings")
@pytest.mark.filterwarnings("ignore::FutureWarning:mlflow", "ignore::DeprecationWarning:mlflow")
def test_a_dead_mlflow_server_does_not_stop_a_training(
    recipe: Path, small_corpus: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    command = ["train", str(recipe), str(small_corpus()), "--out", str(tmp_path / "run")]
    answer = CliRunner().invoke(app, [*command, "--track", "mlflow"])
    assert answer.exit_code == 0, answer.output
    assert answer.output.count("tracking has failed") == 1
    assert (tmp_path / "run" / "run.json").exists()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tensorboard_gets_every_epoch(wanted: list[Task], tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    _, outcome = follow(TensorBoard(tmp_path / "tensorboard"), wanted[:1], tmp_path)
    (folder,) = (tmp_path / "tensorboard").iterdir()
    events = EventAccumulator(str(folder)).Reload()
    told = [(e.step, e.value) for e in events.Scalars("loss")]
    assert told == [
        (n, pytest.approx(line["loss"], rel=1e-4))
        for n, line in enumerate(outcome.cells[0].history, 1)
    ]
    assert events.Scalars("final_test_uar")[0].value <= 1
