"""Files without a length whose last piece is incomplete, of which FFmpeg says nothing.

A browser's recorder writes WebM so, a telephone AMR, a broadcast MPEG-TS.
"""

from __future__ import annotations

import os
from typing import BinaryIO

_TS_PACKETS = (188, 192)  # bytes, the latter with a time in front
_AMR = (13, 14, 16, 18, 20, 21, 27, 32, 6, 7, 6, 6, 1, 1, 1, 1)  # bytes of a frame, by its type
_AMR_WB = (18, 24, 33, 37, 41, 47, 51, 59, 61, 6, 1, 1, 1, 1, 1, 1)


def breaks_off(file: BinaryIO, demuxer: str) -> bool:
    """Whether the last piece of a file is incomplete; False where that cannot be told.

    Args:
        file: open for reading.
        demuxer: FFmpeg's name of its kind.
    """
    size = file.seek(0, os.SEEK_END)
    if demuxer == "matroska":
        return _matroska_end(file, size) > size
    if demuxer == "amr":
        return _amr_end(file, size) > size
    return demuxer == "mpegts" and all(size % packet for packet in _TS_PACKETS)


def _matroska_end(file: BinaryIO, size: int) -> int:
    """Where the last element ends; those of unknown length are gone through."""
    at = 0
    while at < size:
        file.seek(at)
        head = file.read(12)
        mark = 9 - head[0].bit_length()  # bytes of the name, by its leading zeros
        if mark > 4 or len(head) <= mark:
            return at
        bits = 9 - head[mark].bit_length()  # and of the length
        if bits > 8 or len(head) < mark + bits:
            return at
        length = int.from_bytes(head[mark : mark + bits], "big") - (1 << 7 * bits)
        unknown = length == (1 << 7 * bits) - 1
        at += mark + bits + (0 if unknown else length)
    return at


def _amr_end(file: BinaryIO, size: int) -> int:
    """Where the last frame ends."""
    file.seek(0)
    data = file.read(size)
    wide = data.startswith(b"#!AMR-WB\n")
    at, sizes = (9, _AMR_WB) if wide else (6, _AMR)
    while at < size:
        at += sizes[data[at] >> 3 & 15]
    return at
