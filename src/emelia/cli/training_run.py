"""One training with a progress bar, and the figures of its answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import typer

from emelia import console, metrics
from emelia.cli.confidence import tell_confidence
from emelia.errors import RunError
from emelia.results import Cell
from emelia.storage import ensure_writable, lock, write_atomically
from emelia.table import Table
from emelia.text import between, percent

if TYPE_CHECKING:
    from emelia.learn.study.tasks import Task
    from emelia.learn.study.tracking import Tracker
    from emelia.learn.training.hardware import Hardware


def make_cell(
    task: Task, folder: Path, resume: bool, hardware: Hardware, tracker: Tracker | None = None
) -> Cell:
    """Train and test, with a bar; the run folder then holds the network and result.json.

    Raises:
        RunError: the folder holds another training, or an unfinished one and `resume` is not set.
        typer.Exit: Ctrl-C; what is kept was told.
    """
    from emelia.learn.study.cell import Interrupted, forget_checkpoint, run_cell

    _check_folder(folder, resume)
    ensure_writable(folder)
    with lock(folder), console.Progress() as progress:
        progress.start(task.name, task.recipe.train.epochs)

        def tell(done: int, total: int, facts: str) -> None:
            progress.step(task.name, done, facts)
            if tracker:
                tracker.tell(task.name, done, total, facts)

        try:
            cell = run_cell(task, folder, tell, hardware)
        except Interrupted:
            console.warn(_what_is_kept(folder))
            raise typer.Exit(130) from None
        progress.finish(task.name, f"epoch {cell.best_epoch} kept")
    write_atomically(folder / "result.json", cell.to_json().encode())
    forget_checkpoint(folder)
    if tracker:
        tracker.finish(task.name, cell)
    return cell


def show_cell(cell: Cell, folder: Path) -> None:
    """Print the test figures of a training and its calibration."""
    show_figures(
        cell.predictions,
        cell.classes,
        f"{cell.recipe} on {cell.corpus}: {len(cell.predictions)} test clips",
    )
    left_out = cell.settings["train"]["selection_groups"]
    tell_confidence(folder, cell.classes, cell.predictions, left_out)


def _what_is_kept(folder: Path) -> str:
    if (folder / "run.json").exists():
        return f"stopped early. The best epoch so far is in {folder}; --resume goes on."
    return "stopped before the first epoch was over: there is nothing to keep yet."


def _check_folder(folder: Path, resume: bool) -> None:
    from emelia.learn.training.runs import CHECKPOINT

    begun = (folder / CHECKPOINT).exists()
    if begun and not resume:
        raise RunError(
            f"{folder}: holds an unfinished training. Add --resume to go on, "
            "or choose another --out."
        )
    if not begun and (folder / "run.json").exists():
        raise RunError(f"{folder}: holds a finished training. Choose another --out, or remove it.")


def show_figures(
    answers: Sequence[Mapping[str, Any]], classes: tuple[str, ...], title: str
) -> None:
    """Print figures per class and, below, overall with intervals."""
    truth = np.array([answer["truth"] for answer in answers])
    predicted = np.array([answer["probabilities"] for answer in answers]).argmax(1)
    speakers = [answer["speaker"] for answer in answers]
    scores = metrics.scores(truth, predicted, classes)
    rows = [
        [
            name,
            *(percent(c[key]) if c["support"] else "–" for key in metrics.PER_CLASS),
            str(c["support"]),
        ]
        for name, c in scores["per_class"].items()
    ]
    ends = [metrics.interval(truth, predicted, speakers, name) for name in metrics.OVERALL]
    lines = [
        f"{metric.title} {percent(scores[name])} % ({between(end.low, end.high)})"
        for (name, metric), end in zip(metrics.OVERALL.items(), ends, strict=True)
    ]
    note = f"{', '.join(lines)}; 95 % intervals, {ends[0].note or 'speakers drawn first'}."
    if untested := [name for name, c in scores["per_class"].items() if not c["support"]]:
        note += f" UAR is the mean recall of the classes with clips: no {', '.join(untested)}."
    Table(title, ["emotion", *metrics.titles(metrics.PER_CLASS), "clips"], rows, note).print()
