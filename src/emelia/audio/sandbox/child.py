"""The fork server, and the child that decodes one recording and ends."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import socket
import struct
from io import BytesIO
from select import select

import numpy as np
import soundfile

from emelia.audio.sandbox.replies import END, ERRORS, HEARD, REQUEST, WAVE, packed, reply
from emelia.audio.sandbox.rights import give_up
from emelia.audio.streaming import stream
from emelia.errors import EmeliaError

STATUS = struct.Struct("<i")  # how a child ended: its exit code, or minus the signal
NO_MEMORY, NOT_OUR_LIMIT = 3, 4  # exit codes; the latter where a limit of others was reached
NOT_FORKED = 1000  # and the error of the system
_PROBE = 30.0  # s for a child to find out what this system can give up


def fork_server(descriptor: int, most_bytes: int) -> None:
    """Run the fork server: tell what this system lacks, then fork a child per connection.

    It ends when the parent has. Each request has two sockets: the child's, and the one on which
    the fork server tells how the child ended.
    """
    _load_decoders()
    ended, wake = socket.socketpair()
    for end in (ended, wake):
        end.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
    children: dict[int, socket.socket] = {}
    with socket.socket(fileno=descriptor) as control:
        control.sendall(_lacking(most_bytes))
        while True:
            ready, _, _ = select([control, ended], [], [])
            if ended in ready:
                with contextlib.suppress(BlockingIOError):
                    ended.recv(4096)
                _reap(children)
            if control in ready and not _take(control, (ended, wake), children, most_bytes):
                return


def _take(
    control: socket.socket,
    own: tuple[socket.socket, ...],
    children: dict[int, socket.socket],
    most_bytes: int,
) -> bool:
    """Fork a child for the next request; False where the parent has ended."""
    _, given, _, _ = socket.recv_fds(control, 1, 2)
    if len(given) < 2:
        return False
    status = socket.socket(fileno=given[1])
    try:
        child = os.fork()
    except OSError as error:  # too many processes, or no memory for one more
        _tell(status, NOT_FORKED + (error.errno or errno.ENOMEM))
    else:
        if not child:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for other in (control, status, *own, *children.values()):  # none of its business
                other.close()
            _child(given[0], most_bytes)
        children[child] = status
    os.close(given[0])
    return True


def _reap(children: dict[int, socket.socket]) -> None:
    """Tell of each child that has ended how it did."""
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            if status := children.pop(ended[0], None):
                _tell(status, os.waitstatus_to_exitcode(ended[1]))


def _tell(status: socket.socket, code: int) -> None:
    with status, contextlib.suppress(OSError):  # the parent may have left
        status.sendall(STATUS.pack(code))


def _lacking(most_bytes: int) -> bytes:
    """What this system lacks, found out by a child that gives up its rights; one line."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            lacking, _ = give_up(most_bytes, _PROBE)
            os.write(writer, ", ".join(lacking).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        told = file.read(4096)
    os.waitpid(child, 0)
    return told + b"\n"


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
    code, ours = 1, True
    try:
        os.dup2(1, 2)  # decoders write warnings to standard error; discard them
        with socket.socket(fileno=descriptor) as connection, connection.makefile("rb") as file:
            max_seconds, seconds, channel = REQUEST.unpack(file.read(REQUEST.size))
            _, ours = give_up(most_bytes, seconds)
            _answer(connection, file.read(), max_seconds, channel.rstrip(b"\0").decode())
        code = 0
    except MemoryError:
        code = NO_MEMORY if ours else NOT_OUR_LIMIT
    except OSError:  # the parent has left
        code = 0
    finally:
        os._exit(code)


def _answer(connection: socket.socket, data: bytes, max_seconds: float, channel: str) -> None:
    try:
        with stream(BytesIO(data), max_seconds=max_seconds, channel=channel, upload=True) as blocks:
            for block in blocks:
                reply(connection, WAVE, np.asarray(block, "<f4").tobytes(), blocks.expected)
            reply(connection, HEARD, packed(blocks.heard))
    except EmeliaError as error:
        kinds = [kind for kind, error_type in ERRORS.items() if isinstance(error, error_type)]
        reply(connection, kinds[0] if kinds else b"f", str(error).encode())  # or a missing extra
    else:
        reply(connection, END, b"")
