"""Trainings of a study, and trials of a search, on a Ray cluster: a task each.

They write into the folders that they would on one machine, so all nodes have to see these. A
training whose process or node ended goes on from its last epoch.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from emelia.errors import EmeliaError, StorageError
from emelia.learn.study.cell import Interrupted, run_cell
from emelia.learn.study.runner import Ended, Report, Runner, cell_folder
from emelia.learn.study.tasks import Task
from emelia.learn.study.trials import AskedTrial, TrialReport, TrialRunner, run_trial_of
from emelia.learn.training.hardware import Hardware
from emelia.results import Cell
from emelia.scale.cluster import Cluster
from emelia.scale.remote import Call, News, calls_on

LEAST_MEMORY = 1_500_000_000  # bytes: torch, and a small network
_CLIP_MEMORY = 300_000  # bytes of a spectrogram: 5 s, 128 bands, and what Python adds
_ENCODER_MEMORY = 2_000_000_000  # bytes: weights, gradients and moments of a pre-trained one


def trainings_on(cluster: Cluster) -> Runner:
    """What trains the tasks of a study on a cluster, for `run_study`."""

    def run(
        tasks: Sequence[Task], out: Path, report: Report, jobs: int, hardware: Hardware
    ) -> Ended:
        known = {task.name: task for task in tasks}
        calls = [
            Call(task.name, _train, (task, cell_folder(out, task), hardware), needs(task, hardware))
            for task in tasks
        ]
        for name, result in calls_on(cluster, calls, jobs, report):
            if isinstance(result, StorageError):  # every other training would meet it too
                raise result
            yield known[name], result

    return run


def trials_on(cluster: Cluster) -> TrialRunner:
    """What runs the trials of a search on a cluster, for `search`."""

    def run(
        asked: Sequence[AskedTrial], out: Path, report: TrialReport, hardware: Hardware
    ) -> Iterator[tuple[str, float | None]]:
        memory: dict[str, float] = {"num_cpus": hardware.threads, "memory": LEAST_MEMORY}
        calls = [
            # Optuna's own object holds the open journal; its number says which it is.
            Call(one.name, _try, (one.trial._trial_id, replace(one, trial=None), out, hardware),
                 memory)
            for one in asked
        ]  # fmt: skip
        for name, result in calls_on(cluster, calls, len(calls), report):
            if isinstance(result, EmeliaError):
                raise result
            yield name, result

    return run


def needs(task: Task, hardware: Hardware) -> dict[str, float]:
    """What a training needs of a node: cores, memory in bytes and, where it is asked for, a GPU."""
    clips = len(task.fold.train) * task.recipe.augment.copies
    memory = LEAST_MEMORY + _CLIP_MEMORY * round(clips)
    if task.recipe.model.name == "encoder":
        memory += _ENCODER_MEMORY
    found: dict[str, float] = {"num_cpus": hardware.threads, "memory": memory}
    return found | ({"num_gpus": 1} if hardware.device == "cuda" else {})


def _train(task: Task, folder: Path, hardware: Hardware, news: News) -> Cell:
    """On a node: train and test a cell."""
    try:
        return run_cell(
            task, folder, lambda done, total, facts: news(task.name, done, total, facts), hardware
        )
    except Interrupted:
        raise EmeliaError(f"stopped on {os.uname().nodename}; the same command goes on.") from None


def _try(number: int, asked: AskedTrial, out: Path, hardware: Hardware, news: News) -> float | None:
    """On a node: run a trial of a search."""
    return run_trial_of(number, asked, out, news, hardware)
