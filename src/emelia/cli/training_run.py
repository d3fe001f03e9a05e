"""One training with a progress bar, and the figures of its answers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from emelia import console
from emelia.api.training import check_folder, result_of
from emelia.cli.evaluation_output import leave_page, show
from emelia.errors import RunError
from emelia.learn.export.calibrate import threshold
from emelia.learn.export.temperature import for_calibration, read_answers
from emelia.results import Cell
from emelia.results.evaluation import of_cell
from emelia.storage import ensure_writable, lock, write_atomically

if TYPE_CHECKING:
    from emelia.learn.study.tasks import Task
    from emelia.learn.study.tracking import Tracker
    from emelia.learn.training.hardware import Hardware


def make_cell(
    task: Task, folder: Path, resume: bool, hardware: Hardware, tracker: Tracker | None = None
) -> Cell:
    """Train and test, with a bar; the run folder then holds the network and result.json.

    With `resume` a result of this very training that is there already is taken.

    Raises:
        RunError: the folder holds another training, or an unfinished one and `resume` is not set.
        typer.Exit: Ctrl-C; what is kept was told.
    """
    from emelia.learn.study.cell import Interrupted, forget_checkpoint, run_cell

    if hardware.rank:  # the first process of several writes and tells
        run_cell(task, folder, lambda done, total, facts: None, hardware)
        raise typer.Exit
    if resume and (kept := result_of(task, folder)):
        forget_checkpoint(folder)
        return kept
    check_folder(folder, resume)
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
    """Print the test figures of a training, and leave a page in its run folder."""
    limit, warnings = _threshold(cell, folder)
    found = replace(of_cell(cell, limit), warnings=warnings)
    show(found)
    leave_page(found, folder)


def _threshold(cell: Cell, folder: Path) -> tuple[float | None, tuple[str, ...]]:
    """The threshold that an export would have; a warning where nothing tells it."""
    try:
        validation = read_answers(folder, len(cell.classes))["validation"]
    except RunError as error:
        return None, (f"nothing is said of its confidence: {error}",)
    chose = for_calibration(validation, cell.settings["train"]["selection_groups"])
    return threshold(chose, cell.temperature).limit, ()


def _what_is_kept(folder: Path) -> str:
    if (folder / "run.json").exists():
        return f"stopped early. The best epoch so far is in {folder}; --resume goes on."
    return "stopped before the first epoch was over: there is nothing to keep yet."
