"""All tables of a study in their order."""

from __future__ import annotations

from dataclasses import replace

from emelia.results import Study
from emelia.results.rows import Row
from emelia.show import tables
from emelia.show.report import confidence_section, differences
from emelia.show.tables import label, titled
from emelia.table import Table
from emelia.text import with_interval

NAMED_FOLDS = ("loco", "language")  # splits whose folds are corpora or languages


def all_tables(study: Study) -> list[Table]:
    """The main table and all others that have rows."""
    found = (
        tables.main(study),
        folds(study),
        tables.speakers(study),
        tables.pairs(study),
        confidence_section.table(study),
        *differences.tables(study),
    )
    return [table for table in found if table.rows]


def folds(study: Study) -> Table:
    """UAR of each recipe on each corpus or language that training had not seen."""
    split = study.sample.split
    names = dict.fromkeys(cell.fold for row in study.rows for cell in row.cells)
    named = split.partition("+")[0] in NAMED_FOLDS
    lines = [
        (name, *(_of_fold(row, name) for row in study.rows)) for name in (names if named else ())
    ]
    columns = ("not seen in training", *map(label, study.rows))
    return Table(titled(study.sample, "UAR % (95 %) by test part"), columns, tuple(lines))


def _of_fold(row: Row, fold: str) -> str:
    cells = tuple(cell for cell in row.cells if cell.fold == fold)
    if not cells:
        return "–"
    part = replace(row, cells=cells, folds=1)
    return with_interval(part.uar, part.uar_interval)
