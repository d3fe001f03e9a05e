"""Stretches of recordings: what a table's columns start, end and duration tell, in seconds."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from emelia.audio.excerpts import Span
from emelia.listing.columns import seconds_per
from emelia.listing.sheet import Line, is_missing

_TIMES = ("start", "end", "duration")
_DAYS = re.compile(r"(?:(?P<days>\d+) days?,? *)?(?P<clock>\d+(?::\d+){1,2}(?:[.,]\d+)?)?")
_NUMBER = re.compile(r"\d+(?:[.,]\d*)?(?:e[+-]?\d+)?|[.,]\d+")


def seconds(text: str) -> float:
    """A time in seconds: `1.5`, `1,5`, `0:01.5` or `0 days 00:00:01.5`.

    Raises:
        ValueError: it is no time.
    """
    word = text.strip().lower().removesuffix("s").strip()
    if _NUMBER.fullmatch(word):
        return float(word.replace(",", "."))
    told = _DAYS.fullmatch(word) or _DAYS.fullmatch(text.strip().lower())
    if not told or not told.group():
        raise ValueError(f"{text!r} is no time; expected seconds")
    parts = [float(part.replace(",", ".")) for part in (told["clock"] or "0").split(":")]
    total = 86_400.0 * float(told["days"] or 0)
    return total + sum(part * 60.0**place for place, part in enumerate(reversed(parts)))


def span_of(cells: Mapping[str, str], columns: Mapping[str, str]) -> Span | None:
    """The span that a row tells; None for the whole recording.

    Args:
        cells: of the row, by column.
        columns: by role; those of start, end and duration count.

    Raises:
        ValueError: it has a cell that is no time, or ends before it starts.
    """
    told = {
        role: seconds(cells[columns[role]]) * seconds_per(columns[role])
        for role in _TIMES
        if role in columns and not is_missing(cells.get(columns[role], ""))
    }
    start = told.get("start", 0.0)
    end = told.get("end", start + told["duration"] if "duration" in told else None)
    if end is not None and not (end > start and math.isfinite(end)):
        raise ValueError(f"the segment ends at {end:g} s, not after its start at {start:g} s")
    return Span(start, end) if told.keys() & {"start", "end", "duration"} else None


def without_other_times(columns: dict[str, str], lines: Sequence[Line]) -> dict[str, str]:
    """The columns without those that are called start or end and hold no times at all.

    Raises:
        ValueError: there are starts and nothing that tells ends, or ends alone.
    """
    kept = dict(columns)
    for role in _TIMES:
        cells = [line.cells[kept[role]] for line in lines if role in kept and line.cells]
        if cells and not any(_is_time(cell) for cell in cells):
            del kept[role]
    if "start" not in kept:
        kept.pop("duration", None)
    # A guess at the other end would give a label or an answer to the wrong stretch.
    for role, other in (("start", "end"), ("end", "start")):
        if role in kept and not {other, "duration"} & columns.keys():
            raise ValueError(
                f"the column {kept[role]} tells where segments {role}, none where they {other}; "
                f"say which does, as in ?{other}=NAME, or that files are to be read whole, ?{role}="
            )
    return kept


def _is_time(cell: str) -> bool:
    try:
        return seconds(cell) >= 0
    except ValueError:
        return False
