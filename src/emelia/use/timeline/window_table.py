"""Many windows in little memory."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import overload

from emelia.use.timeline.windows import Window


class WindowTable(Sequence[Window]):
    """A sequence of windows in little memory: a day of them in a few megabytes."""

    def __init__(self, emotions: Sequence[str]) -> None:
        self.emotions = tuple(emotions)
        self._times = array("d")
        self._probabilities = array("f")
        self._last = bytearray()

    def append(self, window: Window) -> None:
        """Add a window at the end."""
        self._times.extend((window.start, window.end))
        self._probabilities.extend(window.probabilities[name] for name in self.emotions)
        self._last.append(window.last)

    def __len__(self) -> int:
        return len(self._last)

    @overload
    def __getitem__(self, place: int) -> Window: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Window]: ...
    def __getitem__(self, place: int | slice) -> Window | Sequence[Window]:
        if isinstance(place, slice):
            return [self[i] for i in range(*place.indices(len(self)))]
        place = range(len(self))[place]  # an IndexError where there is none
        size = len(self.emotions)
        row = self._probabilities[place * size : (place + 1) * size]
        start, end = self._times[2 * place : 2 * place + 2]
        probabilities = dict(zip(self.emotions, row, strict=True))
        return Window(start, end, probabilities, bool(self._last[place]))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]
