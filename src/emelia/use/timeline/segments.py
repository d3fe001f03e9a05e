"""Windows to segments: stretches of speech with one emotion.

Each moment of speech is judged by the mean of all windows that cover it: every one heard it,
none is nearer to it in principle, and a mean of probabilities neither lags behind like an
exponential average nor forgets how sure they were like a vote. Moments with the same answer in
a row are one segment; where there is no segment, there is no speech.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emelia.config.thresholds import Thresholds
from emelia.text import clock
from emelia.use.answer import Answer
from emelia.use.timeline.windows import Window

_MOMENT = 0.5  # s


@dataclass(frozen=True, slots=True)
class Segment(Answer):
    """Speech with one emotion from `start` to `end`, in seconds.

    Its probabilities are the means over the segment.
    """

    start: float
    end: float

    def __str__(self) -> str:
        return f"{clock(self.start)} to {clock(self.end)}: {self.in_words()}"

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {"start": round(self.start, 3), "end": round(self.end, 3), **self.fields()}


class Segments:
    """Joins windows, one after the other, into segments.

    Attributes:
        thresholds: confidences below which those to come are unsure.
    """

    def __init__(self, emotions: Sequence[str], thresholds: Thresholds) -> None:
        self._emotions, self.thresholds = emotions, thresholds
        self._open: list[Window] = []  # those that cover moments not yet judged
        self._judged = 0.0  # s
        self._begin = 0.0  # of the segment under way
        self._sum: NDArray[np.float64] | None = None  # its probabilities times seconds

    def feed(self, window: Window) -> list[Segment]:
        """Take the next window; return the segments that are over."""
        if not self._open:
            self._judged = self._begin = window.start
        # No window to come begins before this one: what lies before it is settled.
        done = [*self._judge(window.start)]
        self._open = [w for w in self._open if w.end > window.start] + [window]
        if window.last:
            done += [*self._judge(window.end), self._finish()]
            self._open = []
        return done

    def _judge(self, until: float) -> Iterator[Segment]:
        """Judge the moments before `until`; give the segments that end there."""
        if self._judged >= until:
            return
        edges = {w.start for w in self._open} | {w.end for w in self._open}
        # The end of a run comes soon after that of a window: too soon for an answer of its own.
        inside = sorted(edge for edge in edges if self._judged < edge < until - _MOMENT)
        # Between two edges the same windows cover every moment, so one mean holds for all of them.
        for start, end in pairwise([self._judged, *inside, until]):
            middle = (start + end) / 2
            covering = [w for w in self._open if w.start <= middle <= w.end]
            mean = np.mean([list(w.probabilities.values()) for w in covering], axis=0)
            if self._sum is not None and mean.argmax() != self._sum.argmax():
                yield self._finish()
            self._sum = (0.0 if self._sum is None else self._sum) + mean * (end - start)
            self._judged = end

    def _finish(self) -> Segment:
        assert self._sum is not None
        shares = self._sum / self._sum.sum()
        best = int(shares.argmax())
        segment = Segment(
            self._emotions[best],
            float(shares[best]),
            dict(zip(self._emotions, shares.tolist(), strict=True)),
            self.thresholds.unsure(self._emotions[best], float(shares[best])),
            self._begin,
            self._judged,
        )
        self._begin, self._sum = self._judged, None
        return segment
