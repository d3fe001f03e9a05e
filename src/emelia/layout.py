"""How a table is laid out in a given width: side by side, in blocks, or a row below the other.

Names and numbers are never broken; other text is, at blanks. Text stands left, numbers right.
"""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Callable, Sequence
from typing import NamedTuple

Rows = Sequence[Sequence[str]]

_GAP = 2  # blanks between two columns
_LINES = 4  # of a cell, at most, before another layout is chosen
_NARROWEST = 12  # characters a column of text is given before it is wrapped further
# "56.1", "+0.4*", "56.1 (50.3–61.9)*", "21.5 MB", "3/6", "0:12.3"; what is missing is a dash.
_NUMBER = re.compile(
    r"[-+−<>±~]?\d[\d.,:/]*(e[-+]?\d+)?( / \d[\d.,]*)?\*?"
    r"([ \xa0]?(%|[kMG]?B|dB|k?Hz|m?s|min|h|×))?( ?\([^()]*\))?\*?"
)
_MISSING = ("", "-", "–", "?", "·")
_JOINED = "\xa0"  # a blank that is not broken at: in "F1 %" and "(95 %)"


class _Column(NamedTuple):
    """A column: its name, its cells, and how narrow it may be."""

    name: str
    cells: Sequence[str]
    numbers: bool
    natural: int
    whole: int  # so that only its name is wrapped
    least: int  # so that no word is broken and no cell is very high


def lines(columns: Sequence[str], rows: Rows, width: int, rule: str = "─") -> list[str]:
    """The lines of a table that is at most `width` wide; wider only where one name is.

    Args:
        columns: their names.
        rows: as many texts each.
        width: of the terminal, in characters.
        rule: the character of the line below the names.
    """
    made = _columns(columns, rows)
    first, *others = made
    if _needed(made) <= width:
        told = _grid(made, width, rule)
    elif all(c.numbers and _needed([first, c]) <= width for c in others):
        told = _blocks(first, others, width, rule)
    else:
        told = _stacked(columns, rows, width)
    return [line.replace(_JOINED, " ") for line in told]


def fits(columns: Sequence[str], rows: Rows, width: int) -> bool:
    """Whether all columns can stand side by side."""
    return _needed(_columns(columns, rows)) <= width


def size(text: str) -> int:
    """How many places of a terminal a text takes: East Asian signs two, accents above none."""
    return sum(
        0 if unicodedata.combining(sign) else 1 + (unicodedata.east_asian_width(sign) in "WF")
        for sign in text
    )


def wrapped(text: str, width: int) -> list[str]:
    """The lines of a text, broken at blanks alone: a word longer than the width stays whole."""
    if size(text) <= width:
        return [text]
    return textwrap.wrap(text, max(width, 1), break_long_words=False, break_on_hyphens=False) or [
        ""
    ]


def _columns(names: Sequence[str], rows: Rows) -> list[_Column]:
    cells = list(zip(*rows, strict=True)) or [()] * len(names)
    return [
        _column(place, name, own)
        for place, (name, own) in enumerate(zip(names, cells, strict=True))
    ]


def _column(place: int, name: str, cells: Sequence[str]) -> _Column:
    name, *cells = (re.sub(r" (?=[%×])", _JOINED, text) for text in (name, *cells))
    # The first column holds names, be they numbers: those of speakers are.
    numbers = place > 0 and all(c in _MISSING or _NUMBER.fullmatch(c) for c in cells)
    parts = _halves if numbers else _words
    longest = max(map(size, cells), default=0)
    head = max(map(size, _words(name)), default=1)
    least = max([head, *(size(part) for cell in cells for part in parts(cell))])
    if not numbers:
        most = _NARROWEST if place else 2 * _NARROWEST  # names are looked for
        least = max(least, min(longest, max(most, -(-longest // (_LINES - 1)))))
    return _Column(name, cells, numbers, max(size(name), longest), max(head, longest), least)


def _words(text: str) -> list[str]:
    return text.split(" ")


def _halves(text: str) -> list[str]:
    """A figure and its interval, which may stand below it: "56.1 (50.3–61.9)"."""
    figure, blank, ends = text.partition(" (")
    return [figure, f"({ends}"] if blank else [text]


def _needed(columns: Sequence[_Column]) -> int:
    return sum(column.least for column in columns) + _GAP * (len(columns) - 1)


def _grid(columns: Sequence[_Column], width: int, rule: str) -> list[str]:
    widths = _widths(columns, width - _GAP * (len(columns) - 1))
    head = _row([c.name for c in columns], columns, widths, wrapped, bottom=True)
    body = [
        line
        for cells in zip(*(column.cells for column in columns), strict=True)
        for line in _row(cells, columns, widths, _broken)
    ]
    return [*head, rule * (sum(widths) + _GAP * (len(widths) - 1)), *body]


def _widths(columns: Sequence[_Column], room: int) -> list[int]:
    """The width of each column: names of columns are wrapped first, then text, then intervals."""
    widths = [column.natural for column in columns]
    floors = (
        [c.whole for c in columns],
        [c.whole if c.numbers else c.least for c in columns],
        [c.least for c in columns],
    )
    for least in floors:
        while sum(widths) > room:
            spare = [(w, place) for place, w in enumerate(widths) if w > least[place]]
            if not spare:
                break
            widths[max(spare)[1]] -= 1
    return widths


def _broken(text: str, width: int) -> list[str]:
    if size(text) > width and _NUMBER.fullmatch(text):
        return _halves(text)
    return wrapped(text, width)


def _row(
    cells: Sequence[str], columns: Sequence[_Column], widths: Sequence[int],
    broken: Callable[[str, int], list[str]], *, bottom: bool = False,
) -> list[str]:  # fmt: skip
    """The lines of one row; names of columns stand at the bottom of theirs."""
    parts = [broken(cell, width) for cell, width in zip(cells, widths, strict=True)]
    high = max(map(len, parts))
    for own in parts:
        missing = [""] * (high - len(own))
        own[:] = [*missing, *own] if bottom else [*own, *missing]
    told = [
        (" " * _GAP).join(map(_padded, level, widths, (c.numbers for c in columns)))
        for level in zip(*parts, strict=True)
    ]
    return [line.rstrip() for line in told]


def _padded(text: str, width: int, right: bool) -> str:
    space = " " * (width - size(text))
    return space + text if right else text + space


def _blocks(first: _Column, others: Sequence[_Column], width: int, rule: str) -> list[str]:
    """The first column with as many others as fit, then again with the next ones."""
    groups: list[list[_Column]] = [[]]
    for column in others:
        if _needed([first, *groups[-1], column]) > width:
            groups.append([])
        groups[-1].append(column)
    parts = [["", *_grid([first, *group], width, rule)] for group in groups]
    return [line for part in parts for line in part][1:]


def _stacked(columns: Sequence[str], rows: Rows, width: int) -> list[str]:
    """A name, and below it a line for each column."""
    wide = max(map(size, columns[1:]), default=0)
    told = []
    for name, *cells in rows:
        told.append(name)
        for column, cell in zip(columns[1:], cells, strict=True):
            if cell:
                head, *more = wrapped(cell, width - wide - 4)
                told.append(f"  {_padded(column, wide, False)}  {head}")
                told += [" " * (wide + 4) + line for line in more]
        told.append("")
    return told[:-1]
