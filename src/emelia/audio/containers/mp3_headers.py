"""What the first frame and the tags of an MP3 file tell of its length; headers mended or made."""

from __future__ import annotations

import re
from typing import BinaryIO

from emelia.audio.containers.mp3 import SEARCHED, Frame, frame_at


def has_header(content: bytes) -> bool:
    """Whether a frame is no sound but the header of a file."""
    return xing(content) >= 0 or _vbri(content)


def xing(content: bytes) -> int:
    """Where the Xing or Info header lies in a frame; -1 where it has none."""
    return max(content.find(b"Xing", 4, 60), content.find(b"Info", 4, 60))


def _vbri(content: bytes) -> bool:
    """Whether a frame is Fraunhofer's header, which has a place of its own."""
    return content[36:40] == b"VBRI"


def length_told(frame: Frame, content: bytes) -> float:
    """Seconds that the header of a file promises; 0 where it has none."""
    if _vbri(content):
        return int.from_bytes(content[50:54], "big") * frame.samples / frame.rate
    at = xing(content)
    if at < 0 or not content[at + 7] & 1:
        return 0.0
    samples = int.from_bytes(content[at + 8 : at + 12], "big") * frame.samples
    padding = int.from_bytes(content[at + 141 : at + 144], "big")  # as LAME and FFmpeg write it
    return max(0.0, (samples - (padding >> 12) - (padding & 0xFFF)) / frame.rate)


def mended(content: bytes, size: int) -> bytes:
    """The first frame with its true number of bytes where the header's is far off.

    Otherwise the decoder prints a warning of its own.
    """
    at = xing(content)
    if at < 0 or content[at + 7] & 3 != 3:
        return b""
    told = int.from_bytes(content[at + 12 : at + 16], "big")
    if abs(told - size) <= size // 100:
        return b""
    return content[: at + 12] + size.to_bytes(4, "big") + content[at + 16 :]


def header(content: bytes, frames: int) -> bytes:
    """A Xing header for a file that begins with `content` and has so many frames."""
    first, mono = content[1] >> 3 & 3 == 3, content[3] >> 6 == 3
    side = (17 if mono else 32) if first else (9 if mono else 17)
    # At the highest bit rate it has room, without a checksum it needs none.
    head = bytes([0xFF, content[1] | 1, content[2] & 0x0C | 0xE0, content[3]])
    frame = frame_at(head)
    assert frame is not None
    told = head + bytes(side) + b"Xing" + (1).to_bytes(4, "big") + frames.to_bytes(4, "big")
    return told.ljust(frame.size, b"\0")


def told_by_tag(file: BinaryIO, start: int) -> float:
    """Seconds that the ID3v2 tags before `start` promise (TLEN); 0 where they do not."""
    file.seek(0)
    found = re.search(
        rb"TLEN\0\0\0[\x02-\x40]..[\0-\3](?:\xff\xfe|\xfe\xff)?((?:\0?\d){1,12})",
        file.read(min(start, SEARCHED)),
        re.DOTALL,
    )
    return int(found[1].replace(b"\0", b"")) / 1000 if found else 0.0
