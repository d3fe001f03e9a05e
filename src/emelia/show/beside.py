"""What lies beside a report for other programs: tables as CSV and LaTeX, every answer as CSV."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from emelia.results import Cell, Study
from emelia.show.page import file_name
from emelia.table import Table
from emelia.text import csv_text

_NAMED = ("elsewhere", "genders", "clips", "settings")  # tables of a section besides the main ones


def tables(section: Mapping[str, Any]) -> dict[str, bytes]:
    """Every table of a section of the report, by the names of its files in `tables/`."""
    files: dict[str, bytes] = {}
    for name, table in _all(section):
        stem = f"tables/{section['file']}-{_plain(name)}"
        files |= {f"{stem}.csv": table.csv().encode(), f"{stem}.tex": table.latex().encode()}
    return files


def answers(study: Study) -> dict[str, bytes]:
    """A CSV file with a row for each answer to a test clip, of every recipe, fold and seed.

    Probabilities, a column for each emotion, are calibrated where a temperature was fitted.
    """
    sample = study.sample
    head = [
        "recipe", "fold", "seed", "clip", "speaker", "emotion", "answer", "right", "confidence",
        *sample.classes,
    ]  # fmt: skip
    rows = [
        [row.recipe, *line] for row in study.rows for cell in row.cells for line in _lines(cell)
    ]
    name = file_name(f"answers-{sample.corpus}-{sample.split}.csv")
    return {name: csv_text([head, *rows]).encode()}


def _all(section: Mapping[str, Any]) -> Iterator[tuple[str, Table]]:
    yield "recipes", section["tables"][0]
    others = (*section["tables"][1:], *(section[name] for name in _NAMED))
    yield from ((table.title, table) for table in others if table.rows)
    for recipe in section["recipes"]:
        for table in filter(None, (*recipe.tables, recipe.layers)):
            yield f"{recipe.row.recipe}-{table.title}", table


def _plain(name: str) -> str:
    """A title as a part of a file name that needs no quotes in a terminal."""
    return re.sub(r"[^\w-]+", "-", name.lower()).strip("-")


def _lines(cell: Cell) -> Iterator[list[str]]:
    each = zip(cell.predictions, cell.truth, cell.predicted, cell.calibrated, strict=True)
    for clip, truth, guess, chances in each:
        yield [
            cell.fold, str(cell.seed), str(clip["id"]), str(clip["speaker"]), cell.classes[truth],
            cell.classes[guess], str(int(truth == guess)), f"{chances[guess]:.4f}",
            *(f"{chance:.4f}" for chance in chances),
        ]  # fmt: skip
