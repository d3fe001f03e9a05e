"""Read a table from a text file as programs write them: Excel, pandas, Kaggle, R.

Cells are separated by comma, semicolon or tab, and may stand in quotes with blanks around; the
text is UTF-8, or UTF-16 with a byte order mark. Errors are ValueErrors that give the reason
alone, since a list and a manifest are not wrong in the same words.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from emelia.text import counted

# What programs write into a cell that has no value.
_MISSING = {
    *("", "-", "--", "–", "—"),
    *("nan", "na", "n/a", "#n/a", "<na>", "nat", "none", "null", "nil"),
}
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_SEPARATOR = re.compile(r"sep=(.)\r?\n", re.IGNORECASE)  # a first line for Excel alone


class Line(NamedTuple):
    """A row of a table: its line as an editor shows it, and the stripped cells by column."""

    number: int
    cells: dict[str, str]
    problem: str = ""  # why it cannot be used; then it has no cells
    surplus: int = 0  # cells more than columns; below 0: fewer


@dataclass(frozen=True)
class Sheet:
    """A table that was read."""

    columns: tuple[str, ...]  # as they are written, without blanks around
    lines: tuple[Line, ...]


def is_missing(cell: str) -> bool:
    """Whether a cell has no value: it is empty, `nan`, `N/A`, `None`, `-` or the like."""
    return cell.strip().lower() in _MISSING


def value(cell: str) -> str:
    """A cell without blanks around; empty where its value is missing."""
    return "" if is_missing(cell) else cell.strip()


def read_text(path: Path) -> str:
    """The text of a file in UTF-8 or, with a byte order mark, UTF-16; accents are composed.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no such text.
    """
    data = path.read_bytes()
    try:
        text = data.decode("utf-16" if data.startswith(_UTF_16) else "utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8 text (save it so; in Excel: CSV UTF-8)") from None
    if "\0" in text:
        raise ValueError("it is not UTF-8 text, it has NUL characters")
    return unicodedata.normalize("NFC", text)


def first_row(text: str) -> list[str]:
    """The cells of the first row that has any; empty where there is none."""
    rows = _rows(text)
    try:
        return next((cells for _, cells in rows), [])
    except csv.Error:
        return []


def read_sheet(text: str) -> Sheet:
    """Read a table whose first row names the columns.

    A row with more or fewer cells than columns becomes a line with a problem. Of columns of one
    name the first counts.

    Raises:
        ValueError: it is not CSV; the message begins with the line.
    """
    rows = _rows(text)
    columns: tuple[str, ...] = ()
    lines = []
    try:
        for number, cells in rows:
            if not columns:
                columns = tuple(cells)
            elif surplus := len(_trimmed(cells, len(columns))) - len(columns):
                problem = f"{counted(len(columns) + surplus, 'cell')}, expected {len(columns)}"
                lines.append(Line(number, {}, problem, surplus))
            else:  # reversed, so that the first of two columns of one name counts
                pairs = zip(reversed(columns), reversed(cells[: len(columns)]), strict=True)
                lines.append(Line(number, dict(pairs)))
    except csv.Error as error:
        last = lines[-1].number if lines else 1
        raise ValueError(f"not valid CSV after line {last} ({error})") from None
    return Sheet(columns, tuple(lines))


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """Line number and stripped cells of each row that is not empty.

    Raises:
        csv.Error: quotes that do not match.
    """
    told = _SEPARATOR.match(text)
    text, skipped = (text[told.end() :], 1) if told else (text, 0)
    delimiter = told[1] if told else _delimiter(text)
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, strict=True, skipinitialspace=True
    )
    for row in reader:
        cells = [cell.strip() for cell in row]
        if any(cells):
            yield reader.line_num + skipped, cells


def _delimiter(text: str) -> str:
    header = text.lstrip("\r\n").partition("\n")[0]
    outside = re.sub(r'"[^"]*"', "", header)
    return max(",;\t", key=outside.count)


def _trimmed(cells: list[str], most: int) -> list[str]:
    """Cells without the empty ones that spreadsheets put behind the last column."""
    return cells[:most] if not any(cells[most:]) else cells
