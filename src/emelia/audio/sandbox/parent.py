"""Asks children for the sound of recordings: what the server has of its sandbox."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from emelia.audio.channels import MIX
from emelia.audio.heard import Heard
from emelia.audio.limits import Wave
from emelia.audio.sandbox.child import NO_MEMORY, NOT_FORKED, STATUS
from emelia.audio.sandbox.replies import REQUEST, replies, until
from emelia.errors import AudioError, ConfigError, EmeliaError

_PATIENCE = 2.0  # s to be told how a child ended
_START = 60.0  # s for the fork server to load the decoders
# The environment may hold secrets, such as the server's token: only what finds libraries is kept.
_KEPT = ("PYTHONHOME", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
_FORK_SERVER = """
import sys
from emelia.audio.sandbox.child import fork_server
fork_server(*map(int, sys.argv[1:]))
"""
_CRASHED = (
    "upload: the decoder gave up: the file is damaged, or needs more memory than a "
    "recording should. Use an intact copy, or convert it to WAV."
)
_CRASHES = (signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGABRT)
_log = logging.getLogger("emelia.audio")


class DecoderFault(EmeliaError):
    """A recording was not decoded, and not for a fault of it."""


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

    def start(self) -> list[str]:
        """Start the fork server, so that the first recording does not wait for it.

        Returns:
            The names of what should hold a child and is not to be had on this system.
        """
        with self._lock:
            self._start()
            return self._lacking

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
            DecoderFault: the child could not be started, or was ended by somebody else.
            TimeoutError: the deadline has passed.
        """
        (ours, theirs), (fate, tells) = socket.socketpair(), socket.socketpair()
        with ours, fate:
            self._give(theirs, tells)
            try:
                left = until(ours, deadline)
                ours.sendall(REQUEST.pack(max_seconds, left, channel.encode()))
                ours.sendall(data)
                ours.shutdown(socket.SHUT_WR)
                yield from replies(ours, max_seconds, deadline, heard or Heard())
            except (ConnectionError, EOFError):
                raise _why(fate) from None

    def close(self) -> None:
        """End the fork server; children end by themselves."""
        with self._lock:
            self._end()

    def _start(self) -> socket.socket:
        self._control, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _FORK_SERVER, str(theirs.fileno()), str(self._bytes)],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C reaches the parent only
                env=_environment(),
            )
        self._control.settimeout(_START)
        with contextlib.suppress(OSError):
            told = self._control.recv(4096)
            self._lacking = [name for name in told.decode().strip().split(", ") if name]
            self._control.settimeout(None)
            return self._control
        raise DecoderFault("the process that decodes recordings did not start.")

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

    def _give(self, child_end: socket.socket, tells: socket.socket) -> None:
        """Pass connections to the fork server; start a new one where the old has died."""
        with self._lock, child_end, tells:
            try:
                self._send(child_end, tells)
            except ConnectionError:
                self._end()
                self._send(child_end, tells)

    def _send(self, *ends: socket.socket) -> None:
        control = self._control or self._start()
        socket.send_fds(control, [b"+"], [end.fileno() for end in ends])


def _environment() -> dict[str, str]:
    home = str(Path(__file__).parents[3])  # where this package lies
    path = os.pathsep.join([home, *filter(None, [os.environ.get("PYTHONPATH")])])
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return {**kept, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


def _why(fate: socket.socket) -> Exception:
    """The error for a child that ended before it had answered."""
    fate.settimeout(_PATIENCE)
    try:
        (code,) = STATUS.unpack(fate.recv(STATUS.size))
    except (OSError, struct.error):  # the latter where it was closed
        return DecoderFault("the process that starts decoders has ended.")
    if code >= NOT_FORKED:
        return DecoderFault(f"no decoder could be started ({os.strerror(code - NOT_FORKED)}).")
    if code in (0, NO_MEMORY):
        return AudioError(_CRASHED)
    if -code in (signal.SIGALRM, signal.SIGXCPU):
        return TimeoutError()
    if -code in _CRASHES:
        _log.warning("a decoder crashed on a recording (%s)", signal.Signals(-code).name)
        return AudioError(_CRASHED)
    how = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
    return DecoderFault(f"a decoder {how}, perhaps for want of memory.")
