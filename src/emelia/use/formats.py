"""Answers and timelines as files that other programs read.

A format is registered in `FORMATS`; command line and help find it there.

- `json`: one object a line.
- `csv`: a row a segment; the columns once, however many recordings.
- `rttm`: NIST's Rich Transcription Time Marked, `SPEAKER` lines with the emotion as the name.
- `audacity`: a label track, to be imported beside the sound.
- `srt`, `vtt`: subtitles, SubRip and WebVTT.

Times are rounded to milliseconds; what is nothing then is left out. A segment whose confidence
is low reads `not sure (anger 40 %)`, in RTTM and CSV its confidence says so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, NamedTuple

from emelia.text import as_unicode, csv_text
from emelia.use.answer import COLUMNS

if TYPE_CHECKING:  # the command line looks up names here, and is to start quickly
    from emelia.use.answer import Prediction
    from emelia.use.timeline.segments import Segment
    from emelia.use.timeline.timeline import Timeline

Emotions = Sequence[str]  # all that a model may answer
Place = Mapping[str, Any]  # path and, where segments are answered, start and end (s)


class Single(NamedTuple):
    """How the answer to one recording is written.

    Attributes:
        write: where the sound is, the answer and the model's emotions as a line.
        header: the line before all others, of the columns that tell where; "" for none.
    """

    write: Callable[[Place, Prediction, Emotions], str]
    header: Callable[[Sequence[str], Emotions], str] = lambda place, emotions: ""


class Format(NamedTuple):
    """How timelines are written and, where `single` is given, answers to whole recordings.

    Attributes:
        suffix: of a file.
        write: one timeline as text.
        header: what begins a file, given the emotions of the model.
        joins: several timelines may follow each other in one file.
    """

    suffix: str
    write: Callable[[Timeline], str]
    header: Callable[[Emotions], str] = lambda emotions: ""
    joins: bool = True
    single: Single | None = None


def timestamp(seconds: float, mark: str = ".") -> str:
    """A time as subtitles have it, 01:02:03.045; `mark` stands before the milliseconds."""
    whole, milliseconds = divmod(_milliseconds(seconds), 1000)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours:02}:{minute:02}:{second:02}{mark}{milliseconds:03}"


def _json(path: str, told: Mapping[str, Any]) -> str:
    # What cannot be printed travels escaped; half a character is none to other programs.
    told = {name: as_unicode(value) if value == path else value for name, value in told.items()}
    return json.dumps(told, ensure_ascii=not path.isprintable(), allow_nan=False) + "\n"


def _csv(timeline: Timeline) -> str:
    return csv_text(_values(timeline, segment) for segment, _, _ in _spans(timeline))


def _values(timeline: Timeline, segment: Segment) -> list[Any]:
    told = segment.to_dict() | {
        "path": timeline.path, "start": f"{segment.start:.3f}", "end": f"{segment.end:.3f}"
    }  # fmt: skip
    chances = told["probabilities"]
    return [*(told[column] for column in _SEGMENT), *(chances[e] for e in timeline.emotions)]


def _rttm(timeline: Timeline) -> str:
    """Lines of ten fields separated by spaces, which names must therefore not contain."""
    name = _one_word(PurePath(timeline.path).stem)
    return "".join(
        f"SPEAKER {name} 1 {start / 1000:.3f} {(end - start) / 1000:.3f} <NA> <NA> "
        f"{_one_word(segment.emotion)} {segment.confidence:.4f} <NA>\n"
        for segment, start, end in _spans(timeline)
    )


def _audacity(timeline: Timeline) -> str:
    return "".join(
        f"{start / 1000:.6f}\t{end / 1000:.6f}\t{_one_line(segment.in_words())}\n"
        for segment, start, end in _spans(timeline)
    )


def _srt(timeline: Timeline) -> str:
    return "".join(
        f"{number}\n{timestamp(start / 1000, ',')} --> {timestamp(end / 1000, ',')}\n"
        f"{_one_line(segment.in_words())}\n\n"
        for number, (segment, start, end) in enumerate(_spans(timeline), 1)
    )


def _vtt(timeline: Timeline) -> str:
    return "".join(
        f"{timestamp(start / 1000)} --> {timestamp(end / 1000)}\n{_escaped(segment.in_words())}\n\n"
        for segment, start, end in _spans(timeline)
    )


_SEGMENT = ("path", "start", "end", "emotion", "confidence", "unsure")  # columns of a CSV row
FORMATS = {
    "json": Format(
        ".json",
        lambda timeline: _json(timeline.path, timeline.to_dict()),
        single=Single(lambda place, answer, _: _json(place["path"], {**place, **answer.to_dict()})),
    ),
    "csv": Format(
        ".csv",
        _csv,
        lambda emotions: csv_text([(*_SEGMENT, *emotions)]),
        single=Single(
            lambda place, answer, emotions: csv_text(
                [(*place.values(), *answer.row(emotions, decimals=3))]
            ),
            lambda place, emotions: csv_text([(*place, *COLUMNS[1:], *emotions)]),
        ),
    ),
    "rttm": Format(".rttm", _rttm),
    "audacity": Format(".txt", _audacity, joins=False),
    "srt": Format(".srt", _srt, joins=False),
    "vtt": Format(".vtt", _vtt, lambda emotions: "WEBVTT\n\n", joins=False),
}


def _milliseconds(seconds: float) -> int:
    return round(1000 * seconds)


def _spans(timeline: Timeline) -> Iterator[tuple[Segment, int, int]]:
    """Segments with begin and end in ms, without those that are empty once rounded."""
    for segment in timeline.segments:
        start, end = _milliseconds(segment.start), _milliseconds(segment.end)
        if start < end:
            yield segment, start, end


def _one_line(text: str) -> str:
    """A text without line breaks, tabs and other control characters."""
    return " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", " ", text).split())


def _one_word(text: str) -> str:
    return _one_line(text).replace(" ", "_") or "<NA>"


def _escaped(text: str) -> str:
    """A text for a WebVTT cue, in which < and & must be escaped."""
    return _one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
