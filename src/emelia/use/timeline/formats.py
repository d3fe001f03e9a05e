"""Timelines as files that other programs read.

- `json`: one object a line.
- `csv`: a row a segment; the columns once, however many recordings.
- `rttm`: NIST's Rich Transcription Time Marked, `SPEAKER` lines with the emotion as the name.
- `audacity`: a label track, to be imported beside the sound.
- `srt`, `vtt`: subtitles, SubRip and WebVTT.

Times are rounded to milliseconds; what is nothing then is left out. A segment whose confidence
is low reads `not sure (anger 40 %)`, in RTTM and CSV its confidence says so.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import PurePath
from typing import Any, NamedTuple

from emelia.use.timeline.segments import Segment
from emelia.use.timeline.timeline import Timeline


class Format(NamedTuple):
    """How timelines are written.

    Attributes:
        suffix: of a file.
        write: one timeline as text.
        header: what begins a file, given the emotions of the model.
        joins: several timelines may follow each other in one file.
    """

    suffix: str
    write: Callable[[Timeline], str]
    header: Callable[[Sequence[str]], str] = lambda emotions: ""
    joins: bool = True


def in_words(segment: Segment) -> str:
    """A segment's answer as one would say it."""
    words = f"{segment.emotion} {100 * segment.confidence:.0f} %"
    return f"not sure ({words})" if segment.unsure else words


def clock(seconds: float, mark: str = ".") -> str:
    """Write a time as 01:02:03.045; `mark` stands before the milliseconds."""
    whole, milliseconds = divmod(_milliseconds(seconds), 1000)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours:02}:{minute:02}:{second:02}{mark}{milliseconds:03}"


def _json(timeline: Timeline) -> str:
    # Names that are not plain text travel escaped, and arrive as they were.
    odd = not timeline.path.isprintable()
    return f"{json.dumps(timeline.to_dict(), ensure_ascii=odd, allow_nan=False)}\n"


_COLUMNS = ("path", "start", "end", "emotion", "confidence", "unsure")


def _csv_header(emotions: Sequence[str]) -> str:
    return _row([*_COLUMNS, *emotions])


def _csv(timeline: Timeline) -> str:
    return "".join(_row(_values(timeline, segment)) for segment in _segments(timeline))


def _values(timeline: Timeline, segment: Segment) -> list[Any]:
    told = segment.to_dict()
    shares = told.pop("probabilities")
    told.update(
        path=timeline.path,
        start=f"{segment.start:.3f}",
        end=f"{segment.end:.3f}",
        unsure=str(segment.unsure).lower(),
    )
    return [*(told[column] for column in _COLUMNS), *(shares[e] for e in timeline.emotions)]


def _row(values: Sequence[Any]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(values)
    return line.getvalue()


def _rttm(timeline: Timeline) -> str:
    """Ten fields parted by spaces, so that a name may have none."""
    name = _one_word(PurePath(timeline.path).stem)
    return "".join(
        f"SPEAKER {name} 1 {start / 1000:.3f} {(end - start) / 1000:.3f} <NA> <NA> "
        f"{_one_word(segment.emotion)} {segment.confidence:.4f} <NA>\n"
        for segment, start, end in _spans(timeline)
    )


def _audacity(timeline: Timeline) -> str:
    return "".join(
        f"{start / 1000:.6f}\t{end / 1000:.6f}\t{_one_line(in_words(segment))}\n"
        for segment, start, end in _spans(timeline)
    )


def _srt(timeline: Timeline) -> str:
    return "".join(
        f"{number}\n{clock(start / 1000, ',')} --> {clock(end / 1000, ',')}\n"
        f"{_one_line(in_words(segment))}\n\n"
        for number, (segment, start, end) in enumerate(_spans(timeline), 1)
    )


def _vtt(timeline: Timeline) -> str:
    return "".join(
        f"{clock(start / 1000)} --> {clock(end / 1000)}\n{_escaped(in_words(segment))}\n\n"
        for segment, start, end in _spans(timeline)
    )


FORMATS = {
    "json": Format(".json", _json),
    "csv": Format(".csv", _csv, _csv_header),
    "rttm": Format(".rttm", _rttm),
    "audacity": Format(".txt", _audacity, joins=False),
    "srt": Format(".srt", _srt, joins=False),
    "vtt": Format(".vtt", _vtt, lambda emotions: "WEBVTT\n\n", joins=False),
}


def _milliseconds(seconds: float) -> int:
    return round(1000 * seconds)


def _spans(timeline: Timeline) -> Iterator[tuple[Segment, int, int]]:
    """Segments with their begin and end in milliseconds, as far as there is something between."""
    for segment in timeline.segments:
        start, end = _milliseconds(segment.start), _milliseconds(segment.end)
        if start < end:
            yield segment, start, end


def _segments(timeline: Timeline) -> Iterator[Segment]:
    return (segment for segment, _, _ in _spans(timeline))


def _one_line(text: str) -> str:
    """Without line breaks, tabs and other control characters."""
    return " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", " ", text).split())


def _one_word(text: str) -> str:
    return _one_line(text).replace(" ", "_") or "<NA>"


def _escaped(text: str) -> str:
    """As the text of a WebVTT cue, where < and & begin something."""
    return _one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
