"""Output of `emelia listen`: a live display on a terminal, lines elsewhere."""

from __future__ import annotations

import json
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from emelia import console
from emelia.audio.limits import Wave
from emelia.config.thresholds import Thresholds
from emelia.text import clock, percent
from emelia.use.answer import NO_SPEECH, Answer
from emelia.use.timeline.live import Event
from emelia.use.timeline.segments import Segment
from emelia.use.timeline.windows import Window

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

_BAR = 30  # characters
_HISTORY = 8  # segments shown
_QUIETEST = -60.0  # dB, where the meter begins
_STALE = 4.0  # s after which the last answer is no longer shown


class Listener:
    """Receives audio blocks and results; this base class keeps what the summary needs."""

    def __init__(self) -> None:
        self._spoken: dict[str, float] = {}  # s of each emotion

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        pass

    def tell(self, block: Wave | None, events: Sequence[Event], now: float, lag: float) -> None:
        """Take a block of sound and what was found.

        Args:
            block: samples (T,); None at the end.
            events: windows and segments.
            now: seconds heard so far.
            lag: seconds of them that no event speaks of yet.
        """
        for event in events:
            if isinstance(event, Segment):
                seconds = event.end - event.start
                name = "not sure" if event.unsure else event.emotion
                self._spoken[name] = self._spoken.get(name, 0.0) + seconds

    def sum_up(self, seconds: float) -> None:
        """Print the summary of the whole session."""
        speech = sum(self._spoken.values())
        parts = [
            f"{name} {percent(share / speech, 0)} %"
            for name, share in sorted(self._spoken.items(), key=lambda item: -item[1])
        ]
        found = f"{speech:.1f} s of speech: {', '.join(parts)}" if parts else NO_SPEECH
        console.say(f"Heard {seconds:.1f} s, {found}.")


class Lines(Listener):
    """A line for each segment, as soon as it is over."""

    def tell(self, block: Wave | None, events: Sequence[Event], now: float, lag: float) -> None:
        super().tell(block, events, now, lag)
        for event in events:
            if isinstance(event, Segment):
                console.say(segment_line(event))


class JsonLines(Listener):
    """A JSON object for each window and segment, and one at the end."""

    def tell(self, block: Wave | None, events: Sequence[Event], now: float, lag: float) -> None:
        super().tell(block, events, now, lag)
        for event in events:
            kind = "window" if isinstance(event, Window) else "segment"
            self._say({"type": kind, **event.to_dict(), "lag": round(max(0, now - event.end), 3)})

    def sum_up(self, seconds: float) -> None:
        spoken = {name: round(s, 3) for name, s in self._spoken.items()}
        self._say({"type": "end", "seconds": round(seconds, 3), "spoken": spoken})

    def _say(self, value: dict[str, Any]) -> None:
        console.write(json.dumps(value, ensure_ascii=False, allow_nan=False))


class Screen(Listener):
    """A live display: the level, the present answer, earlier segments."""

    def __init__(self, emotions: Sequence[str], thresholds: Thresholds) -> None:
        from rich.console import Console
        from rich.live import Live

        super().__init__()
        self._emotions, self._thresholds = emotions, thresholds
        self._level = 0.0  # the loudest sample of the last block
        self._now = self._lag = 0.0
        self._window: Window | None = None
        self._history: deque[Segment] = deque(maxlen=_HISTORY)
        self._live = Live(
            console=Console(highlight=False), get_renderable=self._picture, refresh_per_second=10
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._live.stop()

    def tell(self, block: Wave | None, events: Sequence[Event], now: float, lag: float) -> None:
        super().tell(block, events, now, lag)
        self._level = float(np.abs(block).max(initial=0.0)) if block is not None else 0.0
        self._now, self._lag = now, lag
        for event in events:
            if isinstance(event, Window):
                self._window = event
            else:
                self._history.append(event)

    def _picture(self) -> RenderableType:
        """Drawn by another thread, so what `tell` appends to is copied first."""
        from rich.console import Group
        from rich.text import Text

        heard = self._window if self._window and self._now - self._window.end < _STALE else None
        shares = heard.probabilities if heard else dict.fromkeys(self._emotions, 0.0)
        best = max(shares, key=lambda name: shares[name]) if heard else ""
        width = max(len(name) for name in (*self._emotions, "level"))
        lines = [
            Text(f"{clock(self._now)}   {self._lag:.1f} s behind   Ctrl-C ends", style="dim"),
            self._meter(width),
            Text(),
            *(_share_line(name, shares[name], width, name == best) for name in self._emotions),
            Text(),
            Text(f"now  {self._words(best, shares)}", style="bold"),
            Text(),
            *(Text(segment_line(segment)) for segment in tuple(self._history)),
        ]
        for line in lines:
            line.no_wrap, line.overflow = True, "ellipsis"
        return Group(*lines)

    def _words(self, best: str, shares: Mapping[str, float]) -> str:
        if not best:
            return NO_SPEECH
        share = shares[best]
        return Answer(best, share, dict(shares), self._thresholds.unsure(best, share)).in_words()

    def _meter(self, width: int) -> Text:
        from rich.text import Text

        decibels = max(20 * np.log10(max(self._level, 1e-9)), _QUIETEST)
        full = 1 - decibels / _QUIETEST
        style = "red" if self._level >= 1 else "green"
        note = "too loud" if self._level >= 1 else f"{decibels:4.0f} dB"
        return Text.assemble(f"{'level':<{width}}  ", (console.bar(full, _BAR), style), f"  {note}")


def make_listener(*, json: bool, emotions: Sequence[str], thresholds: Thresholds) -> Listener:
    """The listener for this format and this standard output."""
    if json:
        return JsonLines()
    return Screen(emotions, thresholds) if sys.stdout.isatty() else Lines()


def segment_line(segment: Segment) -> str:
    """A segment as a line: from, to, answer."""
    return f"{clock(segment.start):>9} {clock(segment.end):>9}  {segment.in_words()}"


def _share_line(name: str, share: float, width: int, best: bool) -> Text:
    from rich.text import Text

    text = f"{name:<{width}}  {console.bar(share, _BAR)}  {100 * share:3.0f} %"
    return Text(text, style="bold cyan" if best else "")
