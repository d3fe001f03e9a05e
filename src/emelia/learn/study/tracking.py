"""Experiment tracking: trainings are reported to MLflow or TensorBoard while they run.

A tracker reads what a training writes: the history in its run folder, then its result. So no
training knows of it, those in other processes are tracked too, and a server that is gone costs one
warning and no training.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from emelia import console, metrics
from emelia.errors import ConfigError, MissingExtraError
from emelia.learn.study.tasks import Task
from emelia.packages import package
from emelia.results import Cell, read_results
from emelia.storage import read_lines
from emelia.text import from_json

TRACKERS = ("mlflow", "tensorboard")
_ARTEFACTS = ("run.json", "history.jsonl", "answers.json")  # of a run folder
_PARTS = ("audio", "features", "augment", "model", "train")  # of a recipe
_SECONDS = "10"  # to wait for a server, each time
_LONGEST = 500  # characters of a parameter; older servers take no more

Figures = Mapping[str, float]


class Sink(Protocol):
    """Where figures go."""

    def begin(self, name: str, key: str, about: Mapping[str, str]) -> int:
        """Open a training; return how many of its epochs are there already."""

    def epoch(self, key: str, number: int, figures: Figures) -> None:
        """Add the figures of one epoch, counted from 1."""

    def finish(self, key: str, figures: Figures, files: Sequence[Path], failed: bool) -> None:
        """Add what remains and close it."""


class Tracker:
    """Reports trainings to a sink; `tell` and `end` are callbacks of `run_study`."""

    def __init__(self, sink: Sink, tasks: Mapping[str, tuple[Task, Path]]) -> None:
        """`tasks`: by name, with the run folder of each."""
        self.sink, self.tasks = sink, tasks
        self.sent: dict[str, int] = {}  # epochs, by name of the training
        self.lost = False  # the sink has failed once: it is left alone

    def tell(self, name: str, done: int, total: int, facts: str) -> None:
        """Send the epochs that are new in the history of a training."""
        self._safely(lambda: self._send(name))

    def end(self, name: str, facts: str) -> None:
        """Close a training of a study, with its result where there is one."""
        task, folder = self.tasks[name]
        results = folder.parents[1] / "results.jsonl"
        cell = next((c for c in read_results(results) if c.key == task.key), None)
        self.finish(name, cell)

    def finish(self, name: str, cell: Cell | None) -> None:
        """Close a training with its test figures; None: it has failed."""
        task, folder = self.tasks[name]
        files = [folder / file for file in _ARTEFACTS if (folder / file).exists()]
        figures = _figures(cell) if cell else {}
        self._safely(lambda: self._send(name))
        self._safely(lambda: self.sink.finish(task.key, figures, files, cell is None))

    def report(self, name: str, files: Sequence[Path]) -> None:
        """Add the files that a study has written about all its trainings."""
        self._safely(lambda: self.sink.begin(name, name, {}))
        self._safely(lambda: self.sink.finish(name, {}, files, False))

    def _send(self, name: str) -> None:
        task, folder = self.tasks[name]
        if name not in self.sent:
            self.sent[name] = self.sink.begin(name, task.key, _about(task))
        for number, line in enumerate(read_lines(folder / "history.jsonl"), 1):
            if number > self.sent[name]:
                figures = {k: v for k, v in from_json(line).items() if k != "epoch"}
                self.sink.epoch(task.key, number, figures)
                self.sent[name] = number

    def _safely(self, call: Callable[[], object]) -> None:
        if self.lost:
            return
        try:
            call()
        except Exception as error:  # whatever it is, a training must not stop for it
            self.lost = True
            reason = re.sub(r"//[^/@\s]+@", "//", str(error).partition("\n")[0])[:300]
            console.warn(f"tracking has failed and is left off, training goes on: {reason}")


def tracker(kind: str, experiment: str, out: Path, tasks: Iterable[tuple[Task, Path]]) -> Tracker:
    """Make a tracker for trainings and their run folders.

    Args:
        kind: mlflow (at MLFLOW_TRACKING_URI, or in `mlruns`) or tensorboard (below `out`).
        experiment: what MLflow lists them under.

    Raises:
        ConfigError: there is no such tracker.
        MissingExtraError: what it needs is not installed.
    """
    if kind not in TRACKERS:
        raise ConfigError(f"--track {kind!r} is none of {', '.join(TRACKERS)}.")
    sink = MLflow(experiment) if kind == "mlflow" else TensorBoard(out / "tensorboard")
    return Tracker(sink, {task.name: (task, folder) for task, folder in tasks})


class MLflow:
    """An MLflow server, or a folder of its kind; DagsHub's servers are such too."""

    def __init__(self, experiment: str) -> None:
        # A training must not wait minutes for a server that is gone.
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", _SECONDS)
        os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # ./mlruns, without a database
        try:
            client = package("mlflow").MlflowClient
        except ImportError:
            raise MissingExtraError("--track mlflow", "mlflow-skinny", "track") from None
        here = Path("mlruns").absolute().as_uri()
        self.client: Any = client(os.environ.get("MLFLOW_TRACKING_URI") or here)
        self.name = experiment
        self.runs: dict[str, str] = {}  # MLflow's ids, by key

    @cached_property
    def experiment(self) -> str:
        """Its id."""
        found = self.client.get_experiment_by_name(self.name)
        return str(found.experiment_id if found else self.client.create_experiment(self.name))

    def begin(self, name: str, key: str, about: Mapping[str, str]) -> int:
        wanted = f"tags.`emelia.key` = '{key}' and attributes.status = 'RUNNING'"
        if found := self.client.search_runs([self.experiment], wanted, max_results=1):
            self.runs[key] = found[0].info.run_id  # it was cut short
            lines = self.client.get_metric_history(self.runs[key], "loss")
            return max((line.step for line in lines), default=0)
        run = self.client.create_run(self.experiment, run_name=name, tags={"emelia.key": key})
        self.runs[key] = run.info.run_id
        param = package("mlflow.entities").Param
        sent = [param(entry, value[:_LONGEST]) for entry, value in about.items()]
        self.client.log_batch(self.runs[key], params=sent)
        return 0

    def epoch(self, key: str, number: int, figures: Figures) -> None:
        metric, now = package("mlflow.entities").Metric, int(1000 * time.time())
        sent = [metric(name, value, now, number) for name, value in figures.items()]
        self.client.log_batch(self.runs[key], metrics=sent)

    def finish(self, key: str, figures: Figures, files: Sequence[Path], failed: bool) -> None:
        if figures:
            self.epoch(key, 0, figures)
        for file in files:
            self.client.log_artifact(self.runs[key], str(file))
        self.client.set_terminated(self.runs[key], "FAILED" if failed else "FINISHED")


class TensorBoard:
    """Event files that `tensorboard --logdir` shows."""

    def __init__(self, folder: Path) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise MissingExtraError("--track tensorboard", "tensorboard", "track") from None
        self.folder, self.make = folder, SummaryWriter
        self.writers: dict[str, Any] = {}

    def begin(self, name: str, key: str, about: Mapping[str, str]) -> int:
        place = self.folder / name.replace(" ", "-").replace("/", "-")
        self.writers[key] = self.make(str(place), purge_step=1)  # a resumed one is reported anew
        lines = "\n".join(f"    {entry} = {value}" for entry, value in about.items())
        self.writers[key].add_text("recipe", lines)
        return 0

    def epoch(self, key: str, number: int, figures: Figures) -> None:
        for name, value in figures.items():
            self.writers[key].add_scalar(name, value, number)
        self.writers[key].flush()

    def finish(self, key: str, figures: Figures, files: Sequence[Path], failed: bool) -> None:
        for name, value in figures.items():
            self.writers[key].add_scalar(name, value)
        self.writers.pop(key).close()


def _about(task: Task) -> dict[str, str]:
    """Parameters of a training: the recipe flattened, data, fold and seed."""
    data, recipe = task.data, asdict(task.recipe)
    about = {
        "recipe": task.recipe.name,
        "recipe_digest": task.recipe.digest,
        "corpus": data.corpus,
        "corpus_digest": data.corpus_digest,
        "split": data.split,
        "fold": task.fold.name,
        "seed": task.seed,
        "train_clips": len(task.fold.train),
    }
    flat = {f"{part}.{name}": v for part in _PARTS for name, v in recipe[part].items()}
    return {name: str(value) for name, value in {**about, **flat}.items()}


def _figures(cell: Cell) -> dict[str, float]:
    """Test figures of a finished training, and the size of it."""
    found = metrics.scores(cell.truth, cell.predicted, cell.classes)
    names = (*metrics.OVERALL, "macro_f1")
    chosen = {"best_epoch": cell.best_epoch, "parameters": cell.parameters}
    return {**{f"final_test_{n}": found[n] for n in names}, **chosen, "seconds_all": cell.seconds}
