"""What a child may send back, and the checks of it: its decoder may have been taken over."""

from __future__ import annotations

import math
import socket
import struct
import time
from collections.abc import Iterator

import numpy as np

from emelia.audio.heard import Heard
from emelia.audio.limits import MOST_CHANNELS, Wave
from emelia.audio.sandbox.sentences import known_error, known_warning
from emelia.config import SAMPLE_RATE
from emelia.errors import AudioError, FormatError, TooLongError

# Longest recording and time to decode it, in s, and the channel; then the file.
REQUEST = struct.Struct("<dd8s")
WAVE, HEARD, END = b"w", b"h", b"z"
ERRORS: dict[bytes, type[AudioError]] = {b"l": TooLongError, b"f": FormatError, b"a": AudioError}
_REPLY = struct.Struct("<cId")  # kind, bytes that follow, seconds expected in all
_MOST_TEXT = 4096  # bytes of what a child tells of a recording
_MOST = 2**26  # bytes of one reply


def reply(connection: socket.socket, kind: bytes, body: bytes, expected: float = 0.0) -> None:
    """Send one reply, in a child."""
    connection.sendall(_REPLY.pack(kind, len(body), expected) + body)


def packed(heard: Heard) -> bytes:
    """What is told of a recording, as `replies` reads it."""
    return "\n".join([str(heard.channels), *heard.warnings]).encode()


def replies(
    connection: socket.socket, max_seconds: float, deadline: float, heard: Heard
) -> Iterator[tuple[Wave, float]]:
    """Yield the blocks that a child sends, with the seconds expected in all.

    Raises:
        AudioError: what the child says of the file, in a sentence of ours.
        EOFError: it sends what no child of ours would, or has ended.
        TimeoutError: the deadline has passed.
    """
    left = math.ceil(max_seconds * SAMPLE_RATE) + SAMPLE_RATE
    while True:
        kind, size, expected = _REPLY.unpack(_receive(connection, _REPLY.size, deadline))
        if size > (_MOST if kind == WAVE else _MOST_TEXT):
            raise EOFError
        body = _receive(connection, size, deadline)
        if kind == END:
            return
        if kind == HEARD:
            _unpack(body, heard)
            continue
        if kind in ERRORS:
            raise ERRORS[kind](known_error(ERRORS[kind], body.decode(errors="replace")))
        if kind != WAVE or size % 4 or size // 4 > left:
            raise EOFError
        wave = np.frombuffer(body, "<f4").astype(np.float32)
        if not (np.isfinite(wave).all() and 0 <= expected < math.inf):
            raise EOFError
        left -= wave.size
        yield wave, min(expected, max_seconds)


def until(connection: socket.socket, deadline: float) -> float:
    """Set a connection's timeout to the deadline and return the seconds left."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    connection.settimeout(left)
    return left


def _unpack(body: bytearray, heard: Heard) -> None:
    """Take what a child tells of a recording.

    Raises:
        EOFError: it cannot be.
    """
    channels, *warnings = body.decode(errors="replace").split("\n")
    if channels not in map(str, range(1, MOST_CHANNELS + 1)):
        raise EOFError
    heard.channels = int(channels)
    for text in warnings:
        heard.warn(known_warning(text))


def _receive(connection: socket.socket, size: int, deadline: float) -> bytearray:
    """Receive exactly `size` bytes."""
    received = bytearray(size)
    view = memoryview(received)
    while view:
        until(connection, deadline)
        count = connection.recv_into(view)
        if not count:
            raise EOFError
        view = view[count:]
    return received
