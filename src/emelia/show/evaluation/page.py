"""The page of an evaluation: figures, confusion matrix, calibration and, of a training, curves.

`report.html` is one file that loads nothing; beside it lie its figures, and `answers.csv` with a
row for each clip.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from emelia.results import Row
from emelia.results.evaluation import Evaluation
from emelia.show.evaluation import figures as told
from emelia.show.page import Figures, Picture, check_extras, render
from emelia.show.report import plots, plots_calibration
from emelia.storage import write_atomically
from emelia.table import Table
from emelia.text import counted, csv_text, percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAGE = "report.html"


def write_page(found: Evaluation, folder: Path, command: str = "") -> Path:
    """Write the page of an evaluation and return its path.

    Args:
        found: the evaluation; that of a training (`results.evaluation.of_cell`) has curves.
        folder: where page, figures and answers go.
        command: what to type to make it again.

    Raises:
        StorageError: the folder cannot be written.
        MissingExtraError: matplotlib or jinja2 is not installed.
    """
    check_extras()
    drawn = Figures()
    pictures = [drawn.picture(*one) for one in _pictures(found)]
    text = render(
        "evaluation.html",
        name=told.title(found),
        found=found,
        headline=_headline(found),
        sentences=told.sentences(found),
        pictures=pictures,
        curves=_curves(found, drawn),
        tables=_tables(found),
        command=command,
    )
    columns, rows = found.rows()
    files = drawn.files | {
        PAGE: text.encode(),
        "answers.csv": csv_text([columns, *rows]).encode(),
    }
    for name, data in files.items():
        write_atomically(folder / name, data)
    return folder / PAGE


def _headline(found: Evaluation) -> str:
    scores, clips = found.scores, counted(len(found.answers), "clip")
    right = (
        f"{found.model} answers {percent(scores['accuracy'], 0)} % of {clips} of {found.corpus} "
    )
    if found.of_one_class:
        return f"{right}rightly; they are all of one class, so that this shows no skill."
    return (
        f"{right}rightly; the mean over emotions (UAR) is {percent(scores['uar'], 0)} %, guessing "
        f"would reach {percent(found.chance, 0)} %."
    )


def _pictures(found: Evaluation) -> list[tuple[Figure, str, str, str]]:
    """Figures with name, caption and text alternative."""
    matrix = plots.confusion(found.confusion, found.classes, found.answered)
    drawn = [
        (
            matrix, "confusion", "Rows: what is true; columns: what was answered",
            f"Confusion matrix. {_recalls(found)}",
        )
    ]  # fmt: skip
    worth = found.calibration
    if worth is None:
        return drawn
    before = worth.bins_before if worth.fitted else ()
    error = f"Expected calibration error {percent(worth.error)} %"
    curve = plots_calibration.risk_coverage(worth.curve, len(worth.truth))
    area = f"area under the curve {percent(worth.area)} %"
    return [
        *drawn,
        (
            plots_calibration.reliability(worth.bins, before), "reliability",
            f"Are confidences right? {error}", f"Reliability diagram. {error}.",
        ),
        (
            curve, "risk-coverage", f"Errors among the surest answers: {area}",
            f"Risk-coverage curve, {area}.",
        ),
    ]  # fmt: skip


def _recalls(found: Evaluation) -> str:
    own = found.scores["per_class"]
    tested = [name for name in found.classes if own[name]["support"]]
    return "; ".join(f"{name} {percent(own[name]['recall'], 0)} % found" for name in tested) + "."


def _curves(found: Evaluation, drawn: Figures) -> Sequence[Picture]:
    """Loss and validation UAR over the epochs of a training; none of other models."""
    cell = found.cell
    if cell is None:
        return ()
    row = Row(cell.recipe, (cell,), 1)
    chosen = f"epoch {cell.best_epoch} of {len(cell.history)} is kept"
    return [
        drawn.picture(
            plots.losses(row), "loss", "Loss", f"Loss over {len(cell.history)} epochs; {chosen}."
        ),
        drawn.picture(
            plots.progress(row), "validation", f"UAR on validation clips: {chosen}",
            f"Validation UAR over {len(cell.history)} epochs; {chosen}.",
        ),
    ]  # fmt: skip


def _tables(found: Evaluation) -> list[Table]:
    tables = [told.by_class(found)]
    if len(found.per_speaker) > 1:
        tables.append(told.by_speaker(found))
    if found.parts:
        tables.append(told.by_network(found))
    if found.joined:
        tables.append(told.by_length_of_recording(found))
    return tables
