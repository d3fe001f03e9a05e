"""Divide MPEG audio into the files that are joined in it.

A decoder hears only the first of joined files: it trusts the number of frames in the first header,
or stops where the rate changes. So each is given to it as a file of its own. Where no header gives
that number it is guessed from the bit rate of the first frame, which may be far too low of a
variable one; so such a file gets a header.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, NamedTuple

from emelia.audio.containers.mp3 import WINDOW, Frame, frame_at, tag_size
from emelia.audio.containers.mp3_headers import has_header, header, length_told, mended, xing

_PADDING = 4  # bytes by which frames of one bit rate differ
_TRIMMED = 0.2  # s at most that a header tells to leave out at both ends


class Stretch(NamedTuple):
    """One of joined files.

    Attributes:
        start, end: its place in bytes; `start` lies in front of it where it gets a header.
        seconds: length of its frames.
        declared: seconds that its own header promises; 0 where it has none.
        head: what stands at `start` instead of what the file has there; empty where it may stay.
        cut: its last frame is incomplete, and no header tells how many there were.
    """

    start: int
    end: int
    seconds: float = 0.0
    declared: float = 0.0
    head: bytes = b""
    cut: bool = False


def stretches(file: BinaryIO, start: int, end: int) -> list[Stretch]:
    """Divide MPEG audio into the files that are joined in it.

    A new one begins where the rate changes, where a header of its own stands, and behind junk, from
    which a decoder may not find back.
    """
    found: list[_Joined] = []
    for at, frame, content, junk in _frames(file, start, end):
        if not found or found[-1].first[:2] != frame[:2] or junk or has_header(content):
            found.append(_Joined(at, frame, content))
        found[-1].add(at, frame)
    if not found:  # no bit rate that is usual; the decoder may know better
        return [Stretch(start, end)]
    ends = [one.start for one in found[1:]]
    return [one.stretch(stop) for one, stop in zip(found, [*ends, end], strict=True)]


@dataclass
class _Joined:
    """The frames of one of joined files: its first one, and what is known of all."""

    start: int
    first: Frame
    content: bytes  # the first bytes of the first frame
    frames: int = 0
    end: int = 0  # of the last frame
    sizes: set[int] = field(default_factory=set)

    def add(self, at: int, frame: Frame) -> None:
        self.frames, self.end = self.frames + 1, at + frame.size
        self.sizes.add(frame.size)

    def stretch(self, stop: int) -> Stretch:
        """The file up to `stop` at most, with a header that can be believed."""
        declared = length_told(self.first, self.content)
        end = min(self.end, stop)  # the decoder would tell of what lies between files
        head, start = mended(self.content, end - self.start), self.start
        varies = max(self.sizes) - min(self.sizes) > _PADDING
        if varies and self.first.layer == 3 and xing(self.content) < 0:
            head = header(self.content, self.frames)
            start -= len(head)
        seconds = self.frames * self.first.samples / self.first.rate
        return Stretch(start, end, seconds, declared, head, not declared and self.end > stop)


def promised(found: list[Stretch]) -> float:
    """Seconds that joined files promise together; 0 where none has a header.

    One without a header goes on with what misses its end before it, as behind damage.
    """
    whole = missing = 0.0
    for one in found:
        if one.declared:
            whole += one.declared
            missing += max(0.0, one.declared - one.seconds)
        else:
            more = one.seconds - missing
            whole += more if more > _TRIMMED else 0.0
            missing = max(0.0, missing - one.seconds)
    return whole if any(one.declared for one in found) else 0.0


def _frames(file: BinaryIO, at: int, end: int) -> Iterator[tuple[int, Frame, bytes, int]]:
    """Place, header and first bytes of each frame, and how much junk lies before it."""
    window, origin, junk = b"", at, 0
    while at + 4 <= end:
        if not origin <= at <= origin + len(window) - 256:
            file.seek(at)
            window, origin = file.read(WINDOW), at
        place = at - origin
        frame = frame_at(window[place : place + 4])
        # Behind junk, one header may be an accident; two that agree are not.
        if frame and junk and not _agrees(file, at + frame.size, end, frame):
            frame = None
        if frame:
            yield at, frame, window[place : place + min(frame.size, 200)], junk
            at, junk = at + frame.size, 0
            continue
        step = _to_next(window, place)
        at, junk = at + step, junk + step


def _agrees(file: BinaryIO, at: int, end: int, frame: Frame) -> bool:
    file.seek(at)
    other = frame_at(file.read(4))
    return at + 4 > end or (other is not None and other[:2] == frame[:2])


def _to_next(window: bytes, place: int) -> int:
    """Bytes to the next one that may begin a frame: over a tag, or other data."""
    if window[place : place + 3] == b"ID3" and len(window) >= place + 10:
        return tag_size(window[place : place + 10])
    found = window.find(b"\xff", place + 1)
    return (found if found > 0 else max(len(window), place + 1)) - place
