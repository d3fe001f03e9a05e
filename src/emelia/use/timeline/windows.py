"""Long sound to windows over speech, each with the probabilities of the emotions in it.

Sound comes in pieces, float32 (T,) at 16 kHz, and is forgotten as soon as no window needs it.
Speech is what the gate calls so, or in a recording that is there as a whole what is found by
hearing all of it: pauses of up to 0.75 s belong to it, bursts shorter than 0.25 s do not count.
Each run of speech gets a window every `hop` seconds from its beginning and a last one up to its
end, which is all of it where it is shorter than a window.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from emelia.audio.limits import Wave
from emelia.audio.speech.detector import FRAME, SpeechGate
from emelia.audio.speech.speech_runs import PAUSE, SHORTEST, Run, speech_runs
from emelia.config import SAMPLE_RATE, Card
from emelia.config.thresholds import Thresholds
from emelia.errors import ConfigError
from emelia.use.answer import rounded

WINDOW, HOP = 3.0, 1.0  # s, unless told
WINDOWS, HOPS = (0.5, 30.0), (0.1, 30.0)  # s, the shortest and the longest
_MARGIN = round(0.1 * SAMPLE_RATE)  # samples kept around a run: the gate is a little late


class Asked(Protocol):
    """What is needed of a recognizer."""

    card: Card
    emotions: tuple[str, ...]

    @property
    def thresholds(self) -> Thresholds:
        """Confidences below which an answer is unsure."""
        ...

    @property
    def adapted(self) -> int:
        """How many clips of a source answers are adapted to."""
        ...

    def as_it_goes(self, *, window: float, hop: float) -> Asked:
        """A recognizer that gets used to the source of what it hears."""
        ...

    def probabilities(self, waves: Sequence[Wave]) -> NDArray[np.float32]:
        """Probabilities (N, C) of waveforms at 16 kHz."""
        ...


@dataclass(frozen=True, slots=True)
class Window:
    """The answer to the sound from `start` to `end`, in seconds.

    Attributes:
        probabilities: of all emotions, adding up to 1.
        last: the window ends a run of speech.
    """

    start: float
    end: float
    probabilities: Mapping[str, float]
    last: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "start": round(self.start, 3),
            "end": round(self.end, 3),
            "probabilities": rounded(self.probabilities),
        }


class Windows:
    """Cuts sound that comes in pieces into windows over its speech; the pieces do not matter.

    Args:
        recognizer: what is asked about each window.
        window: seconds heard at once.
        hop: seconds from one window to the next, at most `window`.

    Raises:
        ConfigError: seconds that do not fit.
    """

    def __init__(
        self, recognizer: Asked, *, window: float = WINDOW, hop: float = HOP,
        check: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        check_windows(window, hop)
        self._check = check
        self._recognizer = recognizer
        self._gate = SpeechGate()
        self._window_and_hop = round(window * SAMPLE_RATE), round(hop * SAMPLE_RATE)
        self._runs = _Runs(*self._window_and_hop)
        self._sound = np.zeros(0, np.float32)
        self._dropped = 0  # samples before those in `_sound`

    @property
    def heard(self) -> float:
        """Seconds of sound fed so far."""
        return (self._dropped + len(self._sound)) / SAMPLE_RATE

    @property
    def settled(self) -> float:
        """Seconds up to which all windows have been returned."""
        return self._runs.settled / SAMPLE_RATE

    def feed(self, wave: Wave) -> list[Window]:
        """Take the next samples at 16 kHz; return the windows that are ready."""
        self._sound = np.concatenate([self._sound, wave])
        return self._ask(self._runs.follow(self._gate.feed(wave)))

    def flush(self) -> list[Window]:
        """Return the windows that are left, at the end of the sound."""
        ends = self._dropped + len(self._sound)
        spans = [*self._runs.follow(self._gate.flush()), *self._runs.finish(ends)]
        return self._ask(spans)

    def whole(self, wave: Wave) -> list[Window]:
        """Return all windows of a recording at 16 kHz; the same speech as `predict` hears.

        Instead of `feed` and `flush`.
        """
        self._sound = wave
        return [self._window(s) for r in speech_runs(wave) for s in _cut(r, *self._window_and_hop)]

    def _ask(self, spans: Iterable[_Span]) -> list[Window]:
        found = [self._window(span) for span in spans]
        needless = max(0, self._runs.needed - self._dropped)
        self._sound = self._sound[needless:].copy()
        self._dropped += needless
        return found

    def _window(self, span: _Span) -> Window:
        """Recognise one window alone: in a batch the last digits of its answer would change."""
        self._check()
        sound = self._sound[span.start - self._dropped : span.end - self._dropped]
        (shares,) = self._recognizer.probabilities([sound]).tolist()
        return Window(
            span.start / SAMPLE_RATE,
            span.end / SAMPLE_RATE,
            dict(zip(self._recognizer.emotions, shares, strict=True)),
            span.last,
        )


class _Span(NamedTuple):
    """A window in samples, before it is recognised."""

    start: int
    end: int
    last: bool


def _cut(run: Run, window: int, hop: int) -> Iterator[_Span]:
    """The windows of a run: from its beginning on, and a last one up to its end."""
    for start in range(run.start, run.end - window - FRAME, hop):
        yield _Span(start, start + window, last=False)
    yield _Span(max(run.start, run.end - window), run.end, last=True)


class _Runs:
    """Cuts windows from the decisions of the gate, frame by frame; all in samples."""

    def __init__(self, window: int, hop: int) -> None:
        self._window, self._hop = window, hop
        self._position = 0  # of the next frame
        self._begin: int | None = None  # of the run under way
        self._spoken = 0  # speech in it
        self._voiced = 0  # where its last speech ended
        self._next = 0  # window in it
        self._over = 0  # where the run before ended

    @property
    def needed(self) -> int:
        """The first sample that a window may still need."""
        if self._begin is None:
            return max(0, self._position - _MARGIN)
        return max(self._begin, min(self._next, self._voiced - self._window))

    @property
    def settled(self) -> int:
        """Up to here everything is cut."""
        if self._begin is None:
            return self._position
        begun = self._next > self._begin
        return self._next - self._hop + self._window if begun else self._begin

    def follow(self, decisions: Iterable[bool]) -> Iterator[_Span]:
        """Go on by a frame for each decision; give the windows that are ready."""
        for speech in decisions:
            if speech:
                yield from self._speak()
            elif self._begin is not None and self._position - self._voiced >= PAUSE:
                yield from self._close(self._voiced + _MARGIN)
            self._position += FRAME

    def finish(self, end: int) -> Iterator[_Span]:
        """Give the last window of a run that the sound ends with, at sample `end`."""
        if self._begin is not None:
            yield from self._close(min(end, self._voiced + _MARGIN))

    def _speak(self) -> Iterator[_Span]:
        if self._begin is None:
            self._begin = self._next = max(self._over, self._position - _MARGIN)
            self._spoken = 0
        self._spoken += FRAME
        self._voiced = self._position + FRAME
        # Only what ends a frame earlier, so that a last window always follows.
        while self._next + self._window <= self._position:
            yield _Span(self._next, self._next + self._window, last=False)
            self._next += self._hop

    def _close(self, end: int) -> Iterator[_Span]:
        assert self._begin is not None
        # Where windows of a run are out, they need a last one.
        if self._next > self._begin or self._spoken >= SHORTEST:
            yield _Span(max(self._begin, end - self._window), end, last=True)
        self._begin, self._over = None, end


def check_windows(window: float, hop: float) -> None:
    """Raise a ConfigError for seconds that do not fit."""
    for name, value, (least, most) in (("window", window, WINDOWS), ("hop", hop, HOPS)):
        if not least <= value <= most:  # nor is NaN
            raise ConfigError(f"{name}: {value:g} s; expected {least:g} to {most:g} s.")
    if hop > window:
        raise ConfigError(
            f"hop: {hop:g} s with windows of {window:g} s leaves gaps; expected at most {window:g}."
        )
