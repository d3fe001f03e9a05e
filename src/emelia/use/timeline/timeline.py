"""The emotions along a recording of any length, in constant memory.

timeline = load("aesdd").timeline("interview.mp3")
for segment in timeline.segments:
print(segment.start, segment.end, segment.emotion)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emelia.audio import resample
from emelia.audio.channels import MIX, channel_names, named
from emelia.audio.heard import Heard
from emelia.audio.limits import Wave
from emelia.audio.streaming import Stream, stream
from emelia.config import SAMPLE_RATE
from emelia.table import data_frame
from emelia.text import duration, listed, percent
from emelia.use.answer import bars
from emelia.use.timeline.envelope import Envelope
from emelia.use.timeline.live import Event, Live
from emelia.use.timeline.segments import Segment
from emelia.use.timeline.window_table import WindowTable
from emelia.use.timeline.windows import HOP, WINDOW, Asked, Window
from emelia.use.waveforms import Source, plain, read

OnProgress = Callable[[float, float], None]  # seconds done, and about how many in all

LONGEST = 24 * 3600.0  # s of one recording
WHOLE = 60  # s: up to here a recording is heard as a whole before it is judged, as by `predict`
_BLOCK = 10 * SAMPLE_RATE  # samples between two calls of `on_progress`, at most


@dataclass(frozen=True, slots=True)
class Timeline:
    """The emotions along a recording.

    Attributes:
        path: the recording.
        seconds: its length.
        windows: what was heard in each window over speech.
        segments: speech with one emotion each, in order; between them there is no speech.
        model: name of the model.
        emotions: all it may answer.
        envelope: seconds of a step, and the lowest and highest sample of each, (N, 2).
        warnings: what was amiss with the recording, one sentence each.
        adapted: how many clips of its source the last answers are adapted to; 0 for plain ones.
    """

    path: str
    seconds: float
    windows: Sequence[Window]
    segments: tuple[Segment, ...]
    model: str
    emotions: tuple[str, ...]
    envelope: tuple[float, NDArray[np.float32]] = field(repr=False, compare=False)
    warnings: tuple[str, ...] = ()
    adapted: int = 0

    @property
    def speech(self) -> float:
        """Seconds of speech."""
        return sum(segment.end - segment.start for segment in self.segments)

    @property
    def shares(self) -> dict[str, float]:
        """Share of the speech, 0 to 1, in which each emotion is the most probable."""
        times = dict.fromkeys(self.emotions, 0.0)
        for segment in self.segments:
            times[segment.emotion] += segment.end - segment.start
        return {name: time / self.speech for name, time in times.items() if time}

    def __str__(self) -> str:
        by_share = sorted(self.shares.items(), key=lambda item: -item[1])
        told = listed([f"{name} {percent(share, 0)} %" for name, share in by_share])
        name = f"{self.path}: " if self.path else ""
        speech = f"{duration(self.speech)} of {duration(self.seconds)} speech"
        return f"{name}{speech}{f', {told}' if told else ''}"

    def _repr_html_(self) -> str:
        """The timeline as a notebook shows it: a line, and a bar for each share of the speech."""
        return f"<p>{escape(str(self))}</p>{bars(self.shares)}"

    def to_frame(self) -> Any:
        """The segments as a pandas DataFrame, a row for each.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        columns = ["start", "end", "emotion", "confidence", "unsure", *self.emotions]
        rows = [
            [one.start, one.end, one.emotion, one.confidence, one.unsure,
             *(one.probabilities[name] for name in self.emotions)]
            for one in self.segments
        ]  # fmt: skip
        return data_frame(columns, rows)

    def to_dict(self) -> dict[str, Any]:
        """All but the envelope, ready for JSON; `adapted`, warnings only where there are any."""
        return {
            "path": self.path,
            "seconds": round(self.seconds, 3),
            "speech": round(self.speech, 3),
            "model": self.model,
            "emotions": list(self.emotions),
            "segments": [segment.to_dict() for segment in self.segments],
            "windows": [window.to_dict() for window in self.windows],
            **({"adapted": self.adapted} if self.adapted else {}),
            **({"warnings": list(self.warnings)} if self.warnings else {}),
        }


class TimelineBuilder:
    """Makes a timeline from sound that comes in pieces, float32 (T,) at 16 kHz.

    In a recording of up to a minute the same is speech as for `predict`. What is longer
    passes a gate as it comes, and so does its beginning.

    Args:
        recognizer: what is asked about each window.
        window: seconds heard at once.
        hop: seconds from one window to the next.
        adapt: get used to the source of the sound as it goes.
        check: called before each window; what it raises ends the work.

    Raises:
        ConfigError: a window or hop that does not fit.
        ModelError: the model cannot be adapted.
    """

    def __init__(
        self, recognizer: Asked, *, window: float = WINDOW, hop: float = HOP, adapt: bool = False,
        check: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        self._live = Live(recognizer, window=window, hop=hop, adapt=adapt, check=check)
        self._envelope = Envelope()
        self._waiting: list[Wave] | None = []  # until it is known how long the recording is
        self._windows = WindowTable(recognizer.emotions)
        self._segments: list[Segment] = []
        self._model = recognizer.card.name

    @property
    def seconds(self) -> float:
        """Seconds fed so far."""
        return self._envelope.samples / SAMPLE_RATE

    def feed(self, wave: Wave) -> list[Event]:
        """Take the next samples; return the windows and segments found, in the order found."""
        self._envelope.feed(wave)
        if self._waiting is None:
            return self._keep(self._live.feed(wave))
        self._waiting.append(wave)
        if self.seconds <= WHOLE:
            return []
        begun, self._waiting = self._waiting, None
        return [event for piece in begun for event in self._keep(self._live.feed(piece))]

    def flush(self) -> list[Event]:
        """Return what is left, at the end of the sound."""
        if self._waiting is None:
            return self._keep(self._live.flush())
        whole, self._waiting = np.concatenate([np.zeros(0, np.float32), *self._waiting]), None
        return self._keep(self._live.whole(whole))

    def build(self, path: str = "", warnings: Sequence[str] = ()) -> Timeline:
        """The timeline of all that was fed, after `flush`."""
        return Timeline(
            path, self.seconds, self._windows, tuple(self._segments), self._model,
            self._windows.emotions, self._envelope.read(), tuple(warnings), self._live.adapted,
        )  # fmt: skip

    def _keep(self, events: list[Event]) -> list[Event]:
        for event in events:
            if isinstance(event, Window):
                self._windows.append(event)
            else:
                self._segments.append(event)
        return events


def timeline(
    recognizer: Asked,
    source: Source,
    *,
    window: float = WINDOW,
    hop: float = HOP,
    channel: str = MIX,
    on_progress: OnProgress | None = None,
    adapt: bool = False,
) -> Timeline:
    """Recognise the emotions along a recording of up to a day.

    Args:
        recognizer: what is asked about each window.
        source: a path, the bytes of a file, a file open for reading, or samples with their rate:
            see `Recognizer.predict`.
        window: seconds heard at once, 0.5 to 30.
        hop: seconds from one window to the next, 0.1 to `window`.
        channel: `mix`, `left`, `right` or a number from 1.
        on_progress: is told now and then of the seconds done, and of about how many there are.
        adapt: get used to the source of the recording as it goes.

    Raises:
        AudioError: it cannot be decoded or used; of a recording that is damaged half way the
            timeline goes as far as it can be read, and has a warning.
        ConfigError: a window or hop that does not fit.
        ModelError: the model cannot be adapted.
    """
    return _follow(recognizer, source, window, hop, channel, on_progress, adapt)[0]


def timelines(
    recognizer: Asked,
    source: Source,
    *,
    window: float = WINDOW,
    hop: float = HOP,
    on_progress: OnProgress | None = None,
    adapt: bool = False,
) -> dict[str, Timeline]:
    """A timeline of each channel by its name, left and right; see `timeline`."""
    first, count = _follow(recognizer, source, window, hop, "1", on_progress, adapt)
    others = (
        _follow(recognizer, source, window, hop, str(place), on_progress, adapt)[0]
        for place in range(2, count + 1)
    )
    found = zip(channel_names(count), (first, *others), strict=True)
    return {name: replace(one, path=named(one.path, name)) for name, one in found}


def _follow(
    recognizer: Asked, source: Source, window: float, hop: float, channel: str,
    on_progress: OnProgress | None, adapt: bool,
) -> tuple[Timeline, int]:  # fmt: skip
    """The timeline of a channel, and how many channels the recording has."""
    builder = TimelineBuilder(recognizer, window=window, hop=hop, adapt=adapt)
    path = str(source) if isinstance(source, str | Path) else ""
    with _opened(source, channel) as blocks:
        for block in blocks:
            for piece in _pieces(block):
                builder.feed(piece)
                if on_progress:
                    on_progress(builder.seconds, max(blocks.expected, builder.seconds))
    builder.flush()
    return builder.build(path, blocks.heard.warnings), blocks.heard.channels


@contextmanager
def _opened(source: Source, channel: str) -> Iterator[Stream | _Samples]:
    """The blocks of a recording at 16 kHz."""
    found, rate = plain(source)
    if isinstance(found, np.ndarray):
        heard = Heard()
        wave, rate = read(found, rate, channel=channel, heard=heard, longest=LONGEST)
        yield _Samples([resample(wave, rate)], heard)
        return
    file = BytesIO(found) if isinstance(found, bytes) else found
    with stream(file, max_seconds=LONGEST, channel=channel) as blocks:
        yield blocks


class _Samples(list[Wave]):
    """Samples that need no decoding, as blocks."""

    def __init__(self, blocks: list[Wave], heard: Heard) -> None:
        super().__init__(blocks)
        self.heard, self.expected = heard, 0.0


def _pieces(block: Wave) -> Iterator[Wave]:
    return (block[at : at + _BLOCK] for at in range(0, len(block), _BLOCK))
