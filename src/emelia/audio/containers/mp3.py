"""Find the MPEG audio (MP3, MP2) in a file: behind tags, zeros or junk, and several files joined.

A decoder hears only the first of joined files: it trusts the number of frames in the first header,
or stops where the rate changes. So each is given to it as a file of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

SEARCHED = 2**20  # bytes in which the first frame must lie
_SURE = 4  # frames in a row that are no accident
_JUNK = 1024  # bytes between two frames that a decoder passes over by itself
_WINDOW = 2**16
_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
_KBITS = {  # by whether it is MPEG 1, and the layer
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}


class Frame(NamedTuple):
    """The header of one frame: its rate (Hz), layer, samples and size in bytes."""

    rate: int
    layer: int
    samples: int
    size: int


class Stretch(NamedTuple):
    """One of joined files.

    Attributes:
        start, end: its place in bytes.
        declared: seconds that its own header promises; 0 where it has none.
        head: that header mended; empty where it may stay.
    """

    start: int
    end: int
    declared: float = 0.0
    head: bytes = b""


def frame_at(head: bytes) -> Frame | None:
    """The frame that begins with these four bytes; None where they are no header."""
    if len(head) < 4 or head[0] != 0xFF or head[1] < 0xE0:
        return None
    version, layer = head[1] >> 3 & 3, 4 - (head[1] >> 1 & 3)
    bits, place, padding = head[2] >> 4, head[2] >> 2 & 3, head[2] >> 1 & 1
    if version == 1 or layer == 4 or bits in (0, 15) or place == 3:
        return None
    rate, first = _RATES[version][place], version == 3
    bitrate = 1000 * _KBITS[first, layer][bits - 1]
    if layer == 1:
        return Frame(rate, layer, 384, (12 * bitrate // rate + padding) * 4)
    samples = 576 if layer == 3 and not first else 1152
    return Frame(rate, layer, samples, samples // 8 * bitrate // rate + padding)


def first_frame(file: BinaryIO, start: int) -> int:
    """Where MPEG audio begins, from `start` on; -1 where there is none near."""
    file.seek(start)
    data = file.read(SEARCHED + _WINDOW)
    at = data.find(b"\xff")
    while 0 <= at < SEARCHED:
        if _row(data, at):
            return start + at
        at = data.find(b"\xff", at + 1)
    return -1


def _row(data: bytes, at: int) -> bool:
    """Whether several frames of one kind follow each other in `data`."""
    kind = None
    for _ in range(_SURE):
        frame = frame_at(data[at : at + 4])
        if frame is None or (kind and kind != (frame.rate, frame.layer)):
            return False
        kind, at = (frame.rate, frame.layer), at + frame.size
    return True


def stretches(file: BinaryIO, start: int, end: int) -> list[Stretch]:
    """Divide MPEG audio into the files that are joined in it.

    A new one begins where the rate changes, where a header of its own stands, and behind more junk
    than a decoder passes over.
    """
    begins = list(_begins(file, start, end))
    if not begins:  # no bit rate that is usual; the decoder may know better
        return [Stretch(start, end)]
    ends = [at for at, _, _ in begins[1:]]
    return [
        Stretch(at, stop, _declared(frame, content), _mended(content, stop - at))
        for (at, frame, content), stop in zip(begins, [*ends, end], strict=True)
    ]


def _begins(file: BinaryIO, start: int, end: int) -> Iterator[tuple[int, Frame, bytes]]:
    kind = None
    for at, frame, content, junk in _frames(file, start, end):
        joined = junk > _JUNK or _xing(content) >= 0
        if kind != (frame.rate, frame.layer) or joined:
            yield at, frame, content
        kind = (frame.rate, frame.layer)


def _frames(file: BinaryIO, at: int, end: int) -> Iterator[tuple[int, Frame, bytes, int]]:
    """Place, header and first bytes of each frame, and how much junk lies before it."""
    window, origin, junk = b"", at, 0
    while at + 4 <= end:
        if not origin <= at <= origin + len(window) - 256:
            file.seek(at)
            window, origin = file.read(_WINDOW), at
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


def tag_size(head: bytes) -> int:
    """Bytes of an ID3v2 tag with its head of ten; its size is 4 x 7 bits."""
    size = sum(byte << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
    return 10 + size


def _xing(content: bytes) -> int:
    """Where the Xing or Info header lies in a frame; -1 where it has none."""
    return max(content.find(b"Xing", 4, 60), content.find(b"Info", 4, 60))


def _declared(frame: Frame, content: bytes) -> float:
    """Seconds that the Xing or Info header of a file promises; 0 where it has none."""
    at = _xing(content)
    if at < 0 or not content[at + 7] & 1:
        return 0.0
    samples = int.from_bytes(content[at + 8 : at + 12], "big") * frame.samples
    padding = int.from_bytes(content[at + 141 : at + 144], "big")  # as LAME and FFmpeg write it
    return max(0.0, (samples - (padding >> 12) - (padding & 0xFFF)) / frame.rate)


def _mended(content: bytes, size: int) -> bytes:
    """The first frame with its true number of bytes where the header's is far off.

    Otherwise the decoder prints a warning of its own.
    """
    at = _xing(content)
    if at < 0 or content[at + 7] & 3 != 3:
        return b""
    told = int.from_bytes(content[at + 12 : at + 16], "big")
    if abs(told - size) <= size // 100:
        return b""
    return content[: at + 12] + size.to_bytes(4, "big") + content[at + 16 :]
