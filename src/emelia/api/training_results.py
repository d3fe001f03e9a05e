"""What trainings leave, for Python: a run, and the finished trainings of a study."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emelia.results import Cell, Row, summarise
from emelia.results.evaluation import Evaluation, of_cell
from emelia.results.finding_cells import cells_at
from emelia.table import data_frame
from emelia.text import counted


@dataclass(frozen=True)
class Training:
    """A finished training: its run folder and its result."""

    folder: Path
    cell: Cell

    def __str__(self) -> str:
        return f"{self.folder}: {self.evaluation()}"

    def _repr_html_(self) -> str:
        return self.evaluation()._repr_html_()

    def evaluation(self) -> Evaluation:
        """Its answers for the test clips, and their figures."""
        return of_cell(self.cell)

    def to_frame(self) -> Any:
        """Its epochs as a pandas DataFrame: loss, validation loss, validation UAR, seconds, ...

        Raises:
            MissingExtraError: pandas is not installed.
        """
        columns = list(dict.fromkeys(key for epoch in self.cell.history for key in epoch))
        return data_frame(columns, [[e.get(c) for c in columns] for e in self.cell.history])


@dataclass(frozen=True)
class StudyResults:
    """The finished trainings of a study, in its folder."""

    folder: Path
    cells: tuple[Cell, ...]

    @property
    def rows(self) -> list[Row]:
        """The figures of each recipe."""
        return summarise(self.cells)

    def __str__(self) -> str:
        best = max(self.rows, key=lambda row: row.uar)
        return (
            f"{self.folder}: {counted(len(self.rows), 'recipe')}, "
            f"{counted(len(self.cells), 'training')}; best {best.recipe} "
            f"with a UAR of {100 * best.uar:.1f} %"
        )

    def _repr_html_(self) -> str:
        return str(self.to_frame().to_html(index=False))

    def to_frame(self) -> Any:
        """A pandas DataFrame with a row for each recipe; figures are shares with their interval.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        columns = [
            "recipe", "corpus", "split", "accuracy", "accuracy_low", "accuracy_high", "uar",
            "uar_low", "uar_high", "macro_f1", "parameters", "seconds", "seeds", "complete",
        ]  # fmt: skip
        rows = [
            [
                row.recipe, row.cells[0].corpus, row.cells[0].split,
                row.accuracy, row.accuracy_interval.low, row.accuracy_interval.high,
                row.uar, row.uar_interval.low, row.uar_interval.high,
                row.macro_f1, row.parameters, row.seconds, len(row.seeds), row.complete,
            ]
            for row in self.rows
        ]  # fmt: skip
        return data_frame(columns, rows)

    def answers(self) -> Any:
        """A pandas DataFrame with a row for each training and test clip.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        columns: list[str] = []
        rows = []
        for cell in self.cells:
            columns, own = of_cell(cell).rows()
            rows += [[cell.recipe, cell.fold, cell.seed, *row] for row in own]
        return data_frame(["recipe", "fold", "seed", *columns], rows)


def read_results(folder: str | Path) -> StudyResults:
    """The finished trainings in the folder of a study, or of a run.

    Raises:
        RunError: there are none, or they are damaged.
    """
    return StudyResults(Path(folder), cells_at(Path(folder)))
