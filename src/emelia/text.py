"""How figures, times, lists and hints are written: one spelling each, on every page.

Shares from 0 to 1 become percent and their intervals have a dash between the ends. Differences
and decibels may lie below zero, where a dash would read as a minus: theirs have "to".
"""

from __future__ import annotations

import csv
import io
import json
import math
import tomllib
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any, Protocol

# They turn the direction of writing.
TURNS = (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C)
_UNSEEN = dict.fromkeys([*range(9), 11, 12, *range(14, 32), 127, *TURNS], "\ufffd")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # how cells begin that a spreadsheet computes


class HasEnds(Protocol):
    """What is needed of a `metrics.Interval`; that stands on a layer above this one."""

    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...
    @property
    def too_narrow(self) -> bool: ...


def from_json(text: str | bytes) -> Any:
    """The value of a JSON text, which somebody may have damaged.

    Raises:
        ValueError: it is none, also where it is nested deeper than Python can follow.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def from_toml(text: str) -> dict[str, Any]:
    """The values of a TOML text, which somebody may have damaged.

    Raises:
        ValueError: it is none, also where it is nested deeper than Python can follow.
    """
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def percent(share: float, decimals: int = 1) -> str:
    """0.5607 -> "56.1"."""
    return f"{_rounded(100 * share, decimals):.{decimals}f}"


def points(difference: float, decimals: int = 1) -> str:
    """A difference in points with its sign, none where it is rounded to nothing: "+1.2", "0.0"."""
    rounded = _rounded(difference, decimals)
    return f"{rounded:{'+' if rounded else ''}.{decimals}f}"


def decibels(value: float) -> str:
    """A level: "-3.1 dB", never "-0.0 dB"; "unknown" where there is none (NaN)."""
    if math.isnan(value):
        return "unknown"
    return f"{value:.1f} dB" if math.isinf(value) else f"{_rounded(value, 1):.1f} dB"


def amount(value: float, decimals: int = 1) -> str:
    """How much there is: "41.3", and "0.03" where rounding would leave nothing of it."""
    if 0 < value < 0.5 * 10.0**-decimals:
        decimals = -math.floor(math.log10(value))
    return f"{value:.{decimals}f}"


def _rounded(value: float, decimals: int) -> float:
    """Rounded, and 0 added, so that no "-0.0" appears."""
    return round(value, decimals) + 0.0


def between(low: float, high: float) -> str:
    """Both ends of an interval of shares: (0.503, 0.619) -> "50.3–61.9"."""
    return f"{percent(low)}–{percent(high)}"


def interval(ends: HasEnds) -> str:
    """The ends of an interval of shares, "50.3–61.9", with a star where it is too narrow."""
    return between(ends.low, ends.high) + "*" * ends.too_narrow


def with_interval(share: float, ends: HasEnds) -> str:
    """A share with its interval: "56.1 (50.3–61.9)", with a star where that is too narrow."""
    return f"{percent(share)} ({between(ends.low, ends.high)})" + "*" * ends.too_narrow


def with_ends(value: float, low: float, high: float, decimals: int = 1, sign: str = "+") -> str:
    """A figure that may lie below zero, with its interval: "-3.1 (-6.0 to -0.4)".

    Args:
        sign: of the format: "+" writes one always, "" only below zero.
    """
    told = [f"{_rounded(one, decimals):{sign}.{decimals}f}" for one in (value, low, high)]
    return "{} ({} to {})".format(*told)


def p_value(p: float) -> str:
    """A p value to three decimals, of which more would mean nothing; "<0.001" below that."""
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def duration(seconds: float) -> str:
    """A time to the second: "0:07", "12:30" or "3:05:00"."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def about(seconds: float) -> str:
    """A time in one unit, for what is only known roughly: "40 s", "25 min", "14 h", "3 days"."""
    for unit, size, next_size in (("s", 1, 90), ("min", 60, 5400), ("h", 3600, 172_800)):
        if seconds < next_size:
            return f"{max(1, round(seconds / size))} {unit}"
    return f"{round(seconds / 86_400)} days"


def clock(seconds: float) -> str:
    """A time to the tenth of a second: "0:07.3" or "3:05:00.0"."""
    whole, tenth = divmod(round(10 * seconds), 10)
    return f"{duration(whole)}.{tenth}"


def listed(words: Sequence[str], last: str = "and") -> str:
    """["a", "b", "c"] -> "a, b and c"; "" for no words."""
    return f" {last} ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def counted(count: int, what: str) -> str:
    """(1, "clip") -> "1 clip"; (2000, "clip") -> "2,000 clips"."""
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def by_length(names: Iterable[str]) -> list[str]:
    """Names in the order of numbers: ["1", "2", "10"]."""
    return sorted(names, key=lambda name: (len(name), name))


def nearest(word: str, known: Iterable[str]) -> str:
    """The known name that is spelt most like a word; "" where none is like it."""
    return next(iter(get_close_matches(word, list(known), n=1)), "")


def did_you_mean(word: str, known: Iterable[str], otherwise: str) -> str:
    """The end of a message about an unknown name: "did you mean loso?", or `otherwise`."""
    near = nearest(word, known)
    return f"did you mean {near}?" if near else otherwise


def csv_text(rows: Iterable[Sequence[object]]) -> str:
    """Rows as CSV, each ended by a line feed; truth values are `true` and `false`."""
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows(map(csv_row, rows))
    return file.getvalue()


def csv_row(values: Iterable[object]) -> list[object]:
    """Values as CSV holds them; text that a spreadsheet would compute has a quote in front."""
    return [str(value).lower() if isinstance(value, bool) else _plain(value) for value in values]


def _plain(value: object) -> object:
    """A cell that Excel and the like take for text, as it is meant, and not for a formula."""
    if not isinstance(value, str):
        return value
    text = value.translate(_UNSEEN)
    return f"'{text}" if text.startswith(_FORMULA) and not _is_number(text) else text


def as_unicode(text: str) -> str:
    """The name of a file as text that every program can read: bytes that are none become \ufffd."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
