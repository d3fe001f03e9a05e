"""Decode uploaded recordings in child processes with limited rights, memory and time.

An upload may be made to exploit a fault of a decoder. So a fork server, a process with the
decoders loaded, forks a child for every recording. The child can open neither files nor
connections, and has limits of memory and time. Its output, mono float32 at 16 kHz, is checked; a
child that crashes costs one recording, not the server.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from io import BytesIO

import numpy as np
import soundfile

from emelia.audio.channels import MIX
from emelia.audio.heard import Heard
from emelia.audio.limits import MOST_CHANNELS, Wave
from emelia.audio.streaming import stream
from emelia.config import SAMPLE_RATE
from emelia.errors import AudioError, ConfigError, EmeliaError, FormatError, TooLongError

# Longest recording and time to decode it, in s, and the channel; then the file.
_REQUEST = struct.Struct("<dd8s")
_REPLY = struct.Struct("<cId")  # kind, bytes that follow, seconds expected in all
_WAVE, _HEARD, _END = b"w", b"h", b"z"
_MOST_HEARD = 4096  # bytes of what a child tells of a recording
_ERRORS: dict[bytes, type[AudioError]] = {b"l": TooLongError, b"f": FormatError, b"a": AudioError}
_MOST = 2**26  # bytes of one reply
_GRACE = 1.0  # s that a child may run too long, so that the parent's TimeoutError comes first
_FORK_SERVER = """
import sys
from emelia.audio.sandbox import fork_server
fork_server(*map(int, sys.argv[1:]))
"""
_CRASHED = (
    "upload: the decoder gave up: the file is damaged, or needs more memory than a "
    "recording should. Use an intact copy, or convert it to WAV."
)


class Sandbox:
    """A fork server and its children; may be shared by threads.

    Args:
        megabytes: memory a child may use for one recording.

    Raises:
        ConfigError: this system cannot fork.
    """

    def __init__(self, megabytes: int = 512) -> None:
        if not hasattr(os, "fork"):
            raise ConfigError("decoding in child processes needs Linux or macOS, or WSL.")
        self._bytes = megabytes * 2**20
        self._lock = threading.Lock()
        self._control: socket.socket | None = None

    def start(self) -> None:
        """Start the fork server, so that the first recording does not wait for it."""
        with self._lock:
            self._start()

    def stream(
        self,
        data: bytes | bytearray,
        *,
        max_seconds: float,
        deadline: float,
        channel: str = MIX,
        heard: Heard | None = None,
    ) -> Iterator[tuple[Wave, float]]:
        """Decode a file block by block: mono float32 (T,) at 16 kHz.

        With each block comes an estimate of the seconds in all; 0 where unknown.

        Args:
            data: content of the file.
            max_seconds: the longest recording that is decoded.
            deadline: when to give up, in s of `time.monotonic()`.
            channel: see `decode`.
            heard: takes what is to be told beside the sound, at the end.

        Raises:
            AudioError: see `decode`; also where the decoder crashes.
            TimeoutError: the deadline has passed.
        """
        ours, theirs = socket.socketpair()
        with ours:
            self._give(theirs)
            try:
                left = _until(ours, deadline)
                ours.sendall(_REQUEST.pack(max_seconds, left, channel.encode()))
                ours.sendall(data)
                ours.shutdown(socket.SHUT_WR)
                yield from _replies(ours, max_seconds, deadline, heard or Heard())
            except (ConnectionError, EOFError):
                raise AudioError(_CRASHED) from None

    def close(self) -> None:
        """End the fork server; children end by themselves."""
        with self._lock:
            self._end()

    def _start(self) -> socket.socket:
        self._control, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _FORK_SERVER, str(theirs.fileno()), str(self._bytes)],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C reaches the parent only
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
            )
        return self._control

    def _end(self) -> None:
        if self._control is None:
            return
        self._control.close()  # which ends the fork server
        self._control = None
        try:
            self._process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _give(self, child_end: socket.socket) -> None:
        """Pass a connection to the fork server; start a new one where the old has died."""
        with self._lock, child_end:
            try:
                self._send(child_end)
            except ConnectionError:
                self._end()
                self._send(child_end)

    def _send(self, child_end: socket.socket) -> None:
        control = self._control or self._start()
        socket.send_fds(control, [b"+"], [child_end.fileno()])


def fork_server(descriptor: int, most_bytes: int) -> None:
    """Run the fork server: fork a child per connection, until the parent has ended."""
    _load_decoders()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # no zombies
    with socket.socket(fileno=descriptor) as control:
        while True:
            _, given, _, _ = socket.recv_fds(control, 1, 1)
            if not given:
                return
            with contextlib.suppress(OSError):  # too many processes: closing reports a crash
                if os.fork() == 0:
                    control.close()
                    _child(given[0], most_bytes)
            os.close(given[0])


def _load_decoders() -> None:
    """Import all that a child needs: later it cannot open files."""
    with contextlib.suppress(ImportError):
        import av.subtitles.stream  # noqa: F401  # PyAV imports it when it opens a file
    silence = BytesIO()
    soundfile.write(silence, np.zeros(8), 8_000, format="WAV")
    with stream(silence, max_seconds=1) as blocks:
        list(blocks)


def _child(descriptor: int, most_bytes: int) -> None:
    """Run a child: decode one recording and exit, whatever happens."""
    try:
        os.dup2(1, 2)  # decoders write warnings to standard error; discard them
        with socket.socket(fileno=descriptor) as connection, connection.makefile("rb") as file:
            max_seconds, seconds, channel = _REQUEST.unpack(file.read(_REQUEST.size))
            _confine(most_bytes, seconds)
            _answer(connection, file.read(), max_seconds, channel.rstrip(b"\0").decode())
    finally:
        os._exit(0)


def _confine(most_bytes: int, seconds: float) -> None:
    """Limit this process from now on: memory, time, no new files, connections or core dumps."""
    import resource

    signal.setitimer(signal.ITIMER_REAL, seconds + _GRACE)
    limits = {
        resource.RLIMIT_CPU: math.ceil(seconds + _GRACE),
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: 0,
    }
    with contextlib.suppress(OSError), open("/proc/self/statm", encoding="ascii") as file:
        pages = int(file.read().split()[0])
        limits[resource.RLIMIT_AS] = pages * resource.getpagesize() + most_bytes
    for kind, most in limits.items():
        resource.setrlimit(kind, (most, most))


def _answer(connection: socket.socket, data: bytes, max_seconds: float, channel: str) -> None:
    try:
        with stream(BytesIO(data), max_seconds=max_seconds, channel=channel, upload=True) as blocks:
            for block in blocks:
                _reply(connection, _WAVE, np.asarray(block, "<f4").tobytes(), blocks.expected)
            _reply(connection, _HEARD, _packed(blocks.heard))
    except EmeliaError as error:
        kinds = [kind for kind, error_type in _ERRORS.items() if isinstance(error, error_type)]
        _reply(connection, kinds[0] if kinds else b"f", str(error).encode())  # or a missing extra
    else:
        _reply(connection, _END, b"")


def _packed(heard: Heard) -> bytes:
    return "\n".join([str(heard.channels), *heard.warnings]).encode()


def _unpack(body: bytearray, heard: Heard) -> None:
    """Take what a child tells of a recording; only text, and little of it.

    Raises:
        EOFError: it cannot be.
    """
    channels, *warnings = body.decode(errors="replace").split("\n")
    if len(body) > _MOST_HEARD or channels not in map(str, range(1, MOST_CHANNELS + 1)):
        raise EOFError
    heard.channels = int(channels)
    for text in warnings:
        heard.warn("".join(letter for letter in text if letter.isprintable()))


def _reply(connection: socket.socket, kind: bytes, body: bytes, expected: float = 0.0) -> None:
    connection.sendall(_REPLY.pack(kind, len(body), expected) + body)


def _replies(
    connection: socket.socket, max_seconds: float, deadline: float, heard: Heard
) -> Iterator[tuple[Wave, float]]:
    """Yield what a child sends, checking everything: its decoder may have been taken over."""
    left = math.ceil(max_seconds * SAMPLE_RATE) + SAMPLE_RATE
    while True:
        kind, size, expected = _REPLY.unpack(_receive(connection, _REPLY.size, deadline))
        if size > _MOST:
            raise EOFError
        body = _receive(connection, size, deadline)
        if kind == _END:
            return
        if kind == _HEARD:
            _unpack(body, heard)
            continue
        if kind in _ERRORS:
            raise _ERRORS[kind](body.decode(errors="replace"))
        if kind != _WAVE or size % 4 or size // 4 > left:
            raise EOFError
        wave = np.frombuffer(body, "<f4").astype(np.float32)
        if not (np.isfinite(wave).all() and 0 <= expected < math.inf):
            raise EOFError
        left -= wave.size
        yield wave, min(expected, max_seconds)


def _receive(connection: socket.socket, size: int, deadline: float) -> bytearray:
    """Receive exactly `size` bytes."""
    received = bytearray(size)
    view = memoryview(received)
    while view:
        _until(connection, deadline)
        count = connection.recv_into(view)
        if not count:
            raise EOFError
        view = view[count:]
    return received


def _until(connection: socket.socket, deadline: float) -> float:
    """Set a connection's timeout to the deadline and return the seconds left."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    connection.settimeout(left)
    return left
