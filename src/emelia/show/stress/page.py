"""The page of a stress test: `report.html`, one file that loads nothing.

Beside it lie its figures, `conditions.csv` with a row for each condition and `groups.csv` with one
for each gender, speaker, language and length, and `stress.json`, which the card of a model takes.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from emelia.results.stress import StressResults
from emelia.show.page import Figures, check_extras, render
from emelia.show.stress import plots, tables
from emelia.storage import write_atomically
from emelia.text import csv_text, percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAGE = "report.html"
_MOST_GROUPS = 40  # that are drawn


def write_page(found: StressResults, folder: Path, command: str = "") -> Path:
    """Write the page of a stress test and return its path.

    Args:
        found: the results.
        folder: where page, figures and tables go.
        command: what to type to make it again.

    Raises:
        StorageError: the folder cannot be written.
        MissingExtraError: matplotlib or jinja2 is not installed.
    """
    check_extras()
    drawn = Figures()
    text = render(
        "stress.html",
        name=tables.title(found),
        found=found,
        sentences=tables.sentences(found),
        summary=tables.by_category(found),
        overview=[drawn.picture(*one) for one in _overview(found)],
        parts=[
            (tables.of_category(found, name), drawn.picture(*_of_category(found, name)))
            for name in found.categories
        ],
        groups=tables.groups(found),
        command=command,
    )
    write_atomically(folder / PAGE, text.encode())
    for name, data in drawn.files.items():
        write_atomically(folder / name, data)
    return folder / PAGE


def write_tables(found: StressResults, folder: Path) -> None:
    """Write `conditions.csv`, `groups.csv`, and `stress.json` for the card of a model.

    Raises:
        StorageError: the folder cannot be written.
    """
    known = json.dumps(tables.for_card(found), ensure_ascii=False, indent=1)
    write_atomically(folder / tables.FOR_CARD, known.encode())
    columns, rows = found.rows()
    write_atomically(folder / "conditions.csv", csv_text([columns, *rows]).encode())
    head = [
        "kind", "name", "clips", "accuracy", "accuracy_low", "accuracy_high", "uar", "uar_low",
        "uar_high", "unsure", "unchanged", "unchanged_low", "unchanged_high",
    ]  # fmt: skip
    lines = []
    for one in found.groups:
        told = [
            ("", "", "") if of is None else (of[0], of[1].low, of[1].high)
            for of in (one.accuracy, one.uar, one.unchanged)
        ]
        lines.append([one.kind, one.name, one.clips, *told[0], *told[1], one.unsure, *told[2]])
    write_atomically(folder / "groups.csv", csv_text([head, *lines]).encode())


def _overview(found: StressResults) -> list[tuple[Figure, str, str, str]]:
    """Figures with name, caption and text alternative."""
    pictures = []
    plain = found.as_they_are
    if plain.confidence is not None and found.conditions:
        pictures.append(
            (
                plots.confidence(found.conditions, plain), "confidence",
                "Does confidence fall with accuracy? Above the diagonal it is too high",
                f"Mean confidence over accuracy of {len(found.conditions)} conditions.",
            )
        )  # fmt: skip
    if found.groups:
        shown = found.groups[:_MOST_GROUPS]
        pictures.append(
            (
                plots.groups(shown), "groups", "UAR of groups, clips as they are",
                "; ".join(f"{g.kind} {g.name} {percent(g.uar[0], 0)} %" for g in shown) + ".",
            )
        )  # fmt: skip
    return pictures


def _of_category(found: StressResults, name: str) -> tuple[Figure, str, str, str]:
    own = found.of(name)
    told = "; ".join(f"{one.name} {percent(one.unchanged, 0)} %" for one in own)
    caption = f"{tables.TITLES.get(name, name)}: share of the answers that stay as they were"
    return plots.unchanged(own), f"unchanged-{name}", caption, f"Unchanged answers: {told}."
