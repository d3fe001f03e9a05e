"""Find MPEG audio (MP3, MP2) by the headers of its frames: behind tags, zeros or junk."""

from __future__ import annotations

from typing import BinaryIO, NamedTuple

SEARCHED = 2**20  # bytes in which the first frame must lie
WINDOW = 2**16  # bytes read at once
_SURE = 4  # frames in a row that are no accident
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
    data = file.read(SEARCHED + WINDOW)
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


def tag_size(head: bytes) -> int:
    """Bytes of an ID3v2 tag with its head of ten; its size is 4 x 7 bits."""
    size = sum(byte << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
    return 10 + size
