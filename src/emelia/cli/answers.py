"""Answers as lines of text; `use.formats` writes them as CSV and JSON."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Sequence

from emelia import console
from emelia.audio.heard import incomplete
from emelia.errors import AudioError
from emelia.text import percent
from emelia.use.answer import Prediction
from emelia.use.formats import FORMATS
from emelia.use.inputs import Recording, columns_of, place_of

_BAR = 20  # characters
_WORDS = 24  # "not sure (happiness 34 %)" and the like


def writer(
    kind: str, names: Sequence[Recording], emotions: Sequence[str]
) -> Callable[[Recording, Prediction], None]:
    """The function that prints one answer; the header of CSV is printed at once."""
    if kind in FORMATS and (single := FORMATS[kind].single):
        columns = columns_of(names)
        if header := single.header(columns, emotions):
            console.write(header.removesuffix("\n"))
        return lambda name, answer: console.write(
            single.write(place_of(name, columns), answer, emotions).removesuffix("\n")
        )
    if len(names) == 1:
        return lambda name, answer: console.say("\n".join(as_lines(str(name), answer)))
    width = width_of([str(name) for name in names])
    return lambda name, answer: console.say(as_line(str(name), answer, width))


def complete(name: str, told: dict[str, Prediction]) -> dict[str, Prediction] | AudioError:
    """The answers to the channels of a recording; an error instead where it breaks off."""
    cut = incomplete(text for answer in told.values() for text in answer.warnings)
    return AudioError(f"{name}: {cut}") if cut else told


def as_lines(name: str, answer: Prediction) -> list[str]:
    """All of one answer: the emotion, and below it every probability."""
    width = max(map(len, answer.probabilities), default=0)
    lines = [f"{_on_one_line(name)}: {answer.in_words()}"]
    for label, share in sorted(answer.probabilities.items(), key=lambda item: -item[1]):
        lines.append(f"  {label:<{width}}  {_bar(share)}{percent(share, 0):>3} %")
    return lines


def as_line(name: str, answer: Prediction, width: int) -> str:
    """One answer of many; `width` is that of the names on a terminal, 0 elsewhere."""
    name = _on_one_line(name)
    if not width:
        return f"{name}: {answer.in_words()}"
    shown = name if len(name) <= width else f"…{name[1 - width :]}"
    return f"{shown:<{width}}  {_bar(answer.confidence)}{answer.in_words()}"


def width_of(names: Sequence[str]) -> int:
    """The width that names of recordings get on this terminal; 0 where there is none."""
    if not sys.stdout.isatty():
        return 0
    room = shutil.get_terminal_size().columns - _BAR - _WORDS - 4
    return min(max(map(len, names)), max(room, 12))


def _bar(share: float) -> str:
    """A bar for a share from 0 to 1, on a terminal."""
    return f"{console.bar(share, _BAR)}  " if sys.stdout.isatty() else ""


def _on_one_line(name: str) -> str:
    return " ".join(name.splitlines())
