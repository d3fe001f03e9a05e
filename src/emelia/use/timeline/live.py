"""Recognises sound that is still coming in, fed in pieces.

Events are windows, and segments as soon as they are over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from emelia.audio.limits import Wave
from emelia.audio.streaming import Resampler
from emelia.config import SAMPLE_RATE
from emelia.config.thresholds import Thresholds
from emelia.use.timeline.segments import Segment, Segments
from emelia.use.timeline.windows import HOP, WINDOW, Asked, Window, Windows, check_windows

Event = Window | Segment


class Live:
    """Recognises sound that comes in pieces; the result does not depend on the pieces.

    A window comes out when the last of its sound has come in and has been found to be speech,
    half a second later at most; a segment when it is over. For one thread at a time.

    Args:
        recognizer: what is asked.
        rate: of the sound to come, in Hz.
        window: seconds heard at once.
        hop: seconds from one window to the next.
        adapt: get used to the source of the sound as it goes, from what the recognizer knows on.
        check: called before each window; what it raises ends the work.

    Raises:
        ConfigError: a window or hop that does not fit.
        ModelError: the model cannot be adapted.
        AudioError: a rate that no recording of speech has.
    """

    def __init__(
        self,
        recognizer: Asked,
        *,
        rate: int = SAMPLE_RATE,
        window: float = WINDOW,
        hop: float = HOP,
        adapt: bool = False,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self.rate = rate
        self._resampler = Resampler(rate)
        check_windows(window, hop)
        if adapt:
            recognizer = recognizer.as_it_goes(window=window, hop=hop)
        self._recognizer = recognizer
        self._windows = Windows(recognizer, window=window, hop=hop, check=check)
        self._segments = Segments(recognizer.emotions, recognizer.thresholds)

    @property
    def seconds(self) -> float:
        """Seconds of sound fed so far."""
        return self._windows.heard

    @property
    def lag(self) -> float:
        """Seconds of speech fed so far that no event covers yet."""
        return self._windows.heard - self._windows.settled

    @property
    def thresholds(self) -> Thresholds:
        """Confidences below which an answer is unsure now."""
        return self._recognizer.thresholds

    @property
    def adapted(self) -> int:
        """How many clips of its source answers are adapted to now; 0 where they are plain."""
        return self._recognizer.adapted

    def feed(self, wave: Wave) -> list[Event]:
        """Take the next samples, mono float32 (T,) at `rate`; return what is found."""
        return self._events(self._windows.feed(self._resampler.feed(wave)))

    def flush(self) -> list[Event]:
        """Return what is left, at the end of the sound; then it takes no more."""
        return [
            *self._events(self._windows.feed(self._resampler.flush())),
            *self._events(self._windows.flush()),
        ]

    def whole(self, wave: Wave) -> list[Event]:
        """What is found in a recording at 16 kHz that is there as a whole; instead of `feed`."""
        return self._events(self._windows.whole(wave))

    def _events(self, windows: Iterable[Window]) -> list[Event]:
        found: list[Event] = []
        # An adapted answer has other thresholds, and a stream may become adapted on its way.
        self._segments.thresholds = self.thresholds
        for window in windows:
            found += [window, *self._segments.feed(window)]
        return found
