"""Answers as text: lines to read, rows of CSV, lines of JSON."""

from __future__ import annotations

import csv
import io
import json
import shutil
import sys
from collections.abc import Sequence

from emelia.use.recognizer import NO_SPEECH, Prediction

_BAR = 20  # characters
_WORDS = 24  # "not sure (happiness 34 %)" and the like
_FIELDS = ("path", "emotion", "confidence", "unsure", "seconds", "speech")


def in_words(answer: Prediction) -> str:
    """One answer in words: the emotion, `not sure` or `no speech`."""
    if answer.emotion == NO_SPEECH:
        return NO_SPEECH
    words = f"{answer.emotion} {_percent(answer.confidence)}"
    return f"not sure ({words})" if answer.unsure else words


def as_lines(name: str, answer: Prediction) -> list[str]:
    """All of one answer: the emotion, and below it every probability."""
    width = max(map(len, answer.probabilities), default=0)
    lines = [f"{_on_one_line(name)}: {in_words(answer)}"]
    for label, share in sorted(answer.probabilities.items(), key=lambda item: -item[1]):
        lines.append(f"  {label:<{width}}  {_bar(share)}{_percent(share):>5}")
    return lines


def as_line(name: str, answer: Prediction, width: int) -> str:
    """One answer of many; `width` is that of the names on a terminal, 0 elsewhere."""
    name = _on_one_line(name)
    if not width:
        return f"{name}: {in_words(answer)}"
    shown = name if len(name) <= width else f"…{name[1 - width :]}"
    return f"{shown:<{width}}  {_bar(answer.confidence)}{in_words(answer)}"


def width_of(names: Sequence[str]) -> int:
    """The width that names of recordings get on this terminal; 0 where there is none."""
    if not sys.stdout.isatty():
        return 0
    room = shutil.get_terminal_size().columns - _BAR - _WORDS - 4
    return min(max(map(len, names)), max(room, 12))


def as_json(name: str, answer: Prediction) -> str:
    """One JSON object on one line: the path, then the fields of `Prediction.to_dict`."""
    # Names that are not plain text travel escaped, and arrive as they were.
    odd = not name.isprintable()
    return json.dumps({"path": name, **answer.to_dict()}, ensure_ascii=odd)


def csv_header(emotions: Sequence[str]) -> str:
    """The columns of `as_csv`: the fields, then a probability for each emotion."""
    return _row([*_FIELDS, *emotions])


def as_csv(name: str, answer: Prediction, emotions: Sequence[str]) -> str:
    """One row; where there is no speech the probabilities are empty."""
    values = {"path": name, **answer.to_dict()}
    shares = values["probabilities"]
    return _row([*(values[f] for f in _FIELDS), *(shares.get(e, "") for e in emotions)])


def _row(values: Sequence[object]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(
        [str(v).lower() if isinstance(v, bool) else v for v in values]
    )
    return line.getvalue()


def _bar(share: float) -> str:
    """A bar for a share from 0 to 1, on a terminal."""
    if not sys.stdout.isatty():
        return ""
    full = round(share * _BAR)
    try:
        "█░".encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return f"{'#' * full:<{_BAR}}  "
    return f"{'█' * full}{'░' * (_BAR - full)}  "


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _on_one_line(name: str) -> str:
    return " ".join(name.splitlines())
