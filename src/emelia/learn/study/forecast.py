"""How long a study will take, from each recipe trained for a moment on a few of its clips.

It tells the order of magnitude: early stopping may end a training sooner, and processes that run
side by side slow each other down.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from emelia.config import Recipe
from emelia.corpora.records import Utterance
from emelia.corpora.splits.scheme import Fold
from emelia.learn.study.cell import run_cell
from emelia.learn.study.recipes import quick
from emelia.learn.study.tasks import Task
from emelia.learn.training.hardware import CPU, Hardware

# Passes over a clip, of all trainings, from where a measurement is worth its seconds.
WORTH = 40_000
QUICK_FOLDS = 3
_CLIPS = 24  # of training, and a third of them of each other part
_EPOCHS = 2  # the first has to load and warm up


@dataclass(frozen=True)
class Pace:
    """Seconds of a recipe on one core: once a clip, and for each pass over a clip."""

    once: float
    each: float

    def of(self, task: Task, recipe: Recipe | None = None) -> float:
        """Seconds that a training takes at most, with other epochs and copies if a recipe has."""
        recipe = recipe or task.recipe
        copies = recipe.augment.copies / task.recipe.augment.copies
        clips = len(task.fold.train) + len(task.fold.validation)
        return clips * copies * (self.once + self.each * recipe.train.epochs)


def passes(tasks: Sequence[Task]) -> int:
    """How often a clip is passed through a network in all trainings, at most."""
    return sum(
        task.recipe.train.epochs * task.recipe.augment.copies * len(task.fold.train)
        for task in tasks
    )


def pace(task: Task, hardware: Hardware = CPU) -> Pace:
    """Measure a recipe: train it for a moment on a few clips, in a folder that is removed."""
    train = replace(task.recipe.train, epochs=min(_EPOCHS, task.recipe.train.epochs))
    small = replace(task, recipe=replace(task.recipe, train=train), fold=_few(task))
    seconds: list[float] = []
    begun = time.perf_counter()

    def note(done: int, total: int, facts: str) -> None:
        if done:  # 0 tells of clips that are made ready
            seconds.append(time.perf_counter())

    with tempfile.TemporaryDirectory() as folder:
        run_cell(small, Path(folder) / "cell", note, hardware)
    clips = len(small.fold.train) + len(small.fold.validation)
    last = seconds[-1] - seconds[-2] if len(seconds) > 1 else 0.0
    return Pace((time.perf_counter() - begun - last * len(seconds)) / clips, last / clips)


def shortened(tasks: Sequence[Task], paces: Mapping[str, Pace]) -> float:
    """Seconds on one core of the same recipes with `--quick`: few epochs, three folds, one seed."""
    by_recipe: dict[str, list[Task]] = {}
    for task in tasks:
        by_recipe.setdefault(task.recipe.name, []).append(task)
    return sum(
        paces[name].of(task, quick(task.recipe))
        for name, own in by_recipe.items()
        for task in own[:QUICK_FOLDS]
    )


def _few(task: Task) -> Fold:
    """The fold with a few clips of each part, of every class."""
    fold = task.fold
    return replace(
        fold,
        train=_every(fold.train, _CLIPS),
        validation=_every(fold.validation, _CLIPS // 3),
        test=_every(fold.test, _CLIPS // 3),
    )


def _every(clips: Sequence[Utterance], most: int) -> tuple[Utterance, ...]:
    """At most so many clips, in turn from each class."""
    by_class: dict[str, list[Utterance]] = {}
    for clip in clips:
        by_class.setdefault(clip.emotion, []).append(clip)
    rounds = max(map(len, by_class.values()), default=0)
    ordered = [own[turn] for turn in range(rounds) for own in by_class.values() if turn < len(own)]
    return tuple(ordered[:most])
