"""What a parent takes from the child that decodes: checked, and only in time."""

from __future__ import annotations

import math
import socket
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from emelia.audio.heard import Heard
from emelia.audio.limits import MOST_CHANNELS
from emelia.audio.sandbox import rights
from emelia.audio.sandbox.parent import _environment
from emelia.audio.sandbox.replies import END, HEARD, WAVE, replies, reply
from emelia.errors import AudioError

SOUND = np.linspace(-1, 1, 800, dtype="<f4").tobytes()
# Of the kernel's tables for x86_64 and aarch64, the latter with ppoll in place of poll.
CALLS = {
    "read": (0, 63), "write": (1, 64), "close": (3, 57), "fstat": (5, 80), "poll": (7, 73),
    "lseek": (8, 62), "mmap": (9, 222), "mprotect": (10, 226), "munmap": (11, 215),
    "brk": (12, 214), "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139), "sched_yield": (24, 124), "mremap": (25, 216),
    "madvise": (28, 233), "nanosleep": (35, 101), "getpid": (39, 172), "sendto": (44, 206),
    "recvfrom": (45, 207), "exit": (60, 93), "gettimeofday": (96, 169), "gettid": (186, 178),
    "futex": (202, 98), "sched_getaffinity": (204, 123), "restart_syscall": (219, 128),
    "clock_gettime": (228, 113), "clock_nanosleep": (230, 115), "exit_group": (231, 94),
    "getrandom": (318, 278),
}  # fmt: skip


def taken(
    ends: tuple[socket.socket, socket.socket], *said: tuple[bytes, bytes, float]
) -> tuple[list[float], Heard]:
    """Samples are checked; the seconds expected with each block come back, and what was heard."""
    ours, theirs = ends
    for kind, body, expected in said:
        reply(theirs, kind, body, expected)
    heard, found = Heard(), []
    for wave, expected in replies(ours, 3.0, time.monotonic() + 5, heard):
        np.testing.assert_array_equal(wave, np.frombuffer(SOUND, "<f4"))
        found.append(expected)
    return found, heard


@pytest.mark.parametrize(("said", "told"), [(0.0, 0.0), (2.0, 2.0), (5.0, 3.0)])
def test_seconds_to_come_are_those_of_the_child_up_to_the_longest_allowed(
    ends: tuple[socket.socket, socket.socket], said: float, told: float
) -> None:
    assert taken(ends, (WAVE, SOUND, said), (END, b"", 0))[0] == [told]


@pytest.mark.parametrize("said", [-0.1, math.inf, math.nan])
def test_seconds_that_cannot_be_are_no_reply(
    ends: tuple[socket.socket, socket.socket], said: float
) -> None:
    with pytest.raises(EOFError):
        taken(ends, (WAVE, SOUND, said))


@pytest.mark.parametrize("count", [1, 2, MOST_CHANNELS])
def test_channels_are_told(ends: tuple[socket.socket, socket.socket], count: int) -> None:
    assert taken(ends, (HEARD, str(count).encode(), 0), (END, b"", 0))[1].channels == count


@pytest.mark.parametrize("count", [b"0", b"-1", b"two", str(MOST_CHANNELS + 1).encode(), b"\xff"])
def test_channels_that_cannot_be_are_no_reply(
    ends: tuple[socket.socket, socket.socket], count: bytes
) -> None:
    with pytest.raises(EOFError):
        taken(ends, (HEARD, count, 0))


def test_an_error_in_no_alphabet_is_still_an_error_of_the_recording(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    with pytest.raises(AudioError):
        taken(ends, (b"a", b"\xff\xfe", 0))


def test_a_child_that_sends_byte_by_byte_gets_no_more_time(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = ends
    over = threading.Event()

    def drip() -> None:
        while not over.wait(0.05):
            theirs.sendall(b"w")

    sender = threading.Thread(target=drip)
    sender.start()
    try:
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            list(replies(ours, 3.0, began + 0.4, Heard()))
    finally:
        over.set()
        sender.join()
    assert time.monotonic() - began < 5


def test_calls_that_a_child_may_make_are_those_of_the_kernels_tables() -> None:
    for place, (machine, number) in enumerate(
        {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}.items()
    ):
        assert rights._CALLS[machine] == (number, tuple(own[place] for own in CALLS.values()))


def test_the_fork_server_finds_this_package_wherever_it_lies() -> None:
    first = _environment()["PYTHONPATH"].split(":")[0]
    assert (Path(first) / "emelia" / "__init__.py").is_file()
