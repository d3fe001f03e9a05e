"""The limits hold by themselves: each is met where nothing else would end the matter."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import nullcontext
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("fastapi")
from conftest import RATE
from fastapi import Request
from test_server import FORM, encoded, served, upload

from emelia.audio.heard import Heard
from emelia.audio.sandbox import DecoderFault, Sandbox, parent, replies
from emelia.errors import TooLongError
from emelia.use.server.errors import RequestError
from emelia.use.server.jobs import Job, Jobs
from emelia.use.server.metrics import Metrics
from emelia.use.server.settings import ServerSettings
from emelia.use.server.uploads import read_upload

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="these are rights of Linux")
HEAD = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
MUCH = 2**26  # bytes
# What the tests wait for is a tenth of this; on a busy machine that may take long.
PATIENCE = 10.0  # s

_opened: list[str] | None = None  # files opened for writing, while somebody wants to know


def _watch(event: str, given: tuple[Any, ...]) -> None:
    if _opened is not None and event == "open" and given[2] & (os.O_WRONLY | os.O_RDWR):
        _opened.append(str(given[0]))


def test_an_upload_never_touches_the_disk(tmp_path: Path) -> None:
    """All that this process opens while it answers is seen; one cannot stop an audit hook."""
    global _opened
    sys.addaudithook(_watch)
    silence = encoded(np.zeros(60 * RATE, np.float32))  # large, and soon answered
    with served(max_mb=2) as client:
        assert upload(client, silence[:1000]).status_code == 200  # loads what it loads
        try:
            _opened = []
            (tmp_path / "seen").touch()  # the hook works
            (tmp_path / "seen").write_bytes(b"")
            assert upload(client, silence).status_code == 200
        finally:
            found, _opened = _opened, None
    assert [name for name in found or () if name != str(tmp_path / "seen")] == []
    assert found


def test_an_endless_upload_is_refused_before_it_is_held() -> None:
    sent = count()

    async def receive() -> dict[str, Any]:
        number = next(sent)
        assert number < 100, "it reads on"
        data = bytes(100_000) if number else HEAD
        return {"type": "http.request", "body": data, "more_body": True}

    settings = ServerSettings(max_mb=1)
    service: Any = SimpleNamespace(settings=settings, until_stopped=lambda _: nullcontext())
    headers = [(b"content-type", FORM["content-type"].encode())]
    request = Request({"type": "http", "headers": headers}, receive)
    with pytest.raises(RequestError) as refusal:
        asyncio.run(asyncio.wait_for(read_upload(request, service), PATIENCE))
    assert refusal.value.status == 413 and next(sent) < 14


def test_a_job_that_does_not_look_at_its_time_is_left() -> None:
    """The client gets its answer; the thread keeps its place until it has ended."""

    async def late() -> tuple[float, float]:
        jobs, begun = Jobs(1, 1, Metrics()), time.monotonic()
        with pytest.raises(TimeoutError):
            await jobs.run(lambda job: time.sleep(1), Job(0.05))
        left = time.monotonic() - begun
        with pytest.raises(TimeoutError):  # no thread is free yet
            await jobs.run(lambda job: None, Job(0.05))
        await jobs.run(lambda job: None, Job(PATIENCE))
        return left, time.monotonic() - begun

    left, free = asyncio.run(late())
    assert left < 0.7 and free >= 1


def gauges(metrics: Metrics) -> tuple[float, float]:
    """How many jobs run and wait, as `/metrics` tells."""
    lines = dict(line.split(" ") for line in metrics.text().decode().splitlines() if line[0] != "#")
    return float(lines["emelia_jobs_running"]), float(lines["emelia_jobs_waiting"])


def test_who_runs_and_waits_is_told_at_every_moment() -> None:
    async def moments() -> list[tuple[float, float]]:
        metrics, over = Metrics(), threading.Event()
        jobs, seen = Jobs(1, 2, metrics), [gauges(metrics)]

        async def one() -> None:
            with jobs.place():
                await jobs.run(lambda job: over.wait(PATIENCE), Job(PATIENCE))

        with jobs.place():
            seen.append(gauges(metrics))  # an upload that arrives
        first = asyncio.create_task(one())
        while gauges(metrics)[0] < 1:
            await asyncio.sleep(0.01)
        others = [asyncio.create_task(one()) for _ in range(2)]
        while gauges(metrics)[1] < 2:
            await asyncio.sleep(0.01)
        seen.append(gauges(metrics))
        over.set()
        await asyncio.gather(first, *others)
        seen.append(gauges(metrics))
        jobs.close()
        return seen

    assert asyncio.run(moments()) == [(0, 0), (0, 1), (1, 2), (0, 0)]


def test_a_server_that_stops_takes_nothing_and_leaves_what_runs_after_its_grace() -> None:
    async def stopped() -> list[str]:
        jobs, begun = Jobs(1, 1, Metrics()), time.monotonic()
        with jobs.place():
            running = asyncio.create_task(jobs.run(lambda job: time.sleep(1.5), Job(PATIENCE)))
            await asyncio.sleep(0.1)
            jobs.finish(0.2)
            told = await asyncio.gather(running, return_exceptions=True)
        assert time.monotonic() - begun < 1.4
        with pytest.raises(RequestError, match="being stopped"), jobs.place():
            pass
        jobs.close()
        return [str(one) for one in told]

    assert "being stopped" in asyncio.run(stopped())[0]


# Of a child, whatever it does


def test_a_child_that_sends_more_than_the_longest_recording_is_left(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = ends
    second = np.zeros(RATE, "<f4").tobytes()
    for _ in range(3):  # one second may be too many: it is what a resampler may add
        replies.reply(theirs, replies.WAVE, second, 1.0)
    found = []
    with pytest.raises(EOFError):
        for wave, _ in replies.replies(ours, 1.0, time.monotonic() + PATIENCE, Heard()):
            found.append(wave.size)
    assert found == [RATE, RATE]


@pytest.mark.parametrize(("kind", "size"), [(replies.WAVE, MUCH + 4), (b"a", 4097), (b"h", 4097)])
def test_a_child_that_claims_a_large_reply_is_left_before_it_is_read(
    ends: tuple[socket.socket, socket.socket], kind: bytes, size: int
) -> None:
    ours, theirs = ends
    theirs.sendall(replies._REPLY.pack(kind, size, 1.0))
    with pytest.raises(EOFError):
        list(replies.replies(ours, 1e6, time.monotonic() + 0.5, Heard()))


def test_what_a_child_tells_beside_the_sound_arrives(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    (ours, theirs), heard, told = ends, Heard(), Heard()
    told.channels = 2
    replies.reply(theirs, replies.HEARD, replies.packed(told))
    replies.reply(theirs, replies.END, b"")
    assert list(replies.replies(ours, 1.0, time.monotonic() + PATIENCE, heard)) == []
    assert heard.channels == 2
    replies.reply(theirs, b"l", b"upload: is longer than the limit. Cut it.".ljust(4096))
    with pytest.raises(TooLongError):
        list(replies.replies(ours, 1.0, time.monotonic() + PATIENCE, heard))


def test_who_does_not_tell_how_a_child_ended_is_not_waited_for(
    ends: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parent, "_PATIENCE", 0.05)
    begun = time.monotonic()
    assert isinstance(parent._why(ends[0]), DecoderFault)
    assert time.monotonic() - begun < 1


SPIN = """
import signal, sys
from emelia.audio.sandbox import rights
rights.GRACE = float(sys.argv[1])
rights.give_up(2**26, 0)
exec(sys.argv[2])
while True: pass
"""


@LINUX
@pytest.mark.parametrize(
    ("grace", "first", "by"),
    [
        ("0.1", "", signal.SIGALRM),
        ("0.9", "signal.signal(signal.SIGALRM, signal.SIG_IGN)", signal.SIGXCPU),
    ],
)
def test_a_child_that_computes_for_ever_is_ended_by_the_kernel(
    grace: str, first: str, by: signal.Signals
) -> None:
    run = subprocess.run([sys.executable, "-c", SPIN, grace, first], check=False, timeout=60)
    assert run.returncode == -by


@LINUX
def test_a_child_that_takes_too_long_is_left_and_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """It computes and says nothing, so that no closed connection ends it."""
    before = (
        "from emelia.audio.sandbox import child, rights\nrights.GRACE = 0.3\n"
        "def _answer(*_):\n    while True: pass\nchild._answer = _answer\n"
    )
    code = parent._FORK_SERVER.replace("fork_server(*", f"{before}fork_server(*")
    monkeypatch.setattr(parent, "_FORK_SERVER", code)
    sandbox = Sandbox(megabytes=64)
    try:
        sandbox.start()
        begun = time.monotonic()
        with pytest.raises(TimeoutError):
            list(sandbox.stream(encoded(np.zeros(8)), max_seconds=9, deadline=begun + 0.2))
        assert time.monotonic() - begun < PATIENCE / 4
        server = sandbox._process.pid
        living = Path(f"/proc/{server}/task/{server}/children")
        assert living.read_text(), "it was there"
        while living.read_text():
            assert time.monotonic() - begun < PATIENCE, "the child goes on"
            time.sleep(0.02)
    finally:
        sandbox.close()
