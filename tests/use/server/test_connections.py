"""Clients that are silent, slow, foreign or broken cost those that behave nothing."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import resource
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import httpx
import pytest
from websockets.frames import Frame, Opcode

pytest.importorskip("fastapi")
from test_server import encoded, refused, served, session, speech, upload

from emelia.use.server import ServerSettings
from emelia.use.server.errors import RequestError
from emelia.use.server.jobs import Job, Jobs
from emelia.use.server.metrics import Metrics
from emelia.use.server.middleware import HEADERS
from emelia.use.server.network import connections, protocols
from emelia.use.server.network.connections import Connections

SILENT = 2000


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with served() as client:
        yield client


def address(client: httpx.Client) -> tuple[str, int]:
    return client.base_url.host, client.base_url.port or 80


def count(client: httpx.Client, name: str) -> float:
    found = re.search(rf"^{re.escape(name)} (\S+)$", client.get("/metrics").text, re.MULTILINE)
    return float(found[1]) if found else 0.0


@contextmanager
def silent_ones(client: httpx.Client, wanted: int) -> Iterator[None]:
    """So many connections that say nothing, or as many as this machine allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, wanted + 600)), hard))
    possible = min(wanted, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 600)
    with ExitStack() as stack:
        for _ in range(possible):
            stack.enter_context(socket.create_connection(address(client), timeout=10))
        yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_who_behaves_is_answered_while_thousands_are_silent(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with served() as client, silent_ones(client, SILENT), caplog.at_level(logging.WARNING):
        for _ in range(3):  # each on a connection of its own
            with httpx.Client(base_url=client.base_url, timeout=20, trust_env=False) as one:
                assert one.get("/healthz").status_code == 200
        assert upload(client, encoded(speech())).status_code == 200
        assert count(client, "emelia_silent_closed_total") > 0
        assert count(client, "emelia_connections") <= 200
    assert not [r for r in caplog.records if r.name in ("asyncio", "uvicorn.error")]


class Line:
    """A connection of a test: silent or not, and whether it was closed."""

    def __init__(self, silent: bool = True) -> None:
        self.silent, self.closed = silent, False

    def drop(self) -> None:
        self.closed = True


def test_places_are_kept_for_those_that_ask() -> None:
    metrics = Metrics()
    places = Connections(metrics, most=4, each=3)
    lines, more = [Line(), Line(silent=False), Line()], Line()
    assert all(places.take(line, "192.0.2.1") for line in lines)
    places.active(lines[0])
    assert places.take(more, "192.0.2.1")  # it has three: its own longest silent goes
    assert [line.closed for line in lines] == [False, False, True]
    assert places.take(Line(silent=False), "192.0.2.2")
    assert places.take(Line(silent=False), "192.0.2.3")  # all are taken: who has most gives one
    assert lines[0].closed and not more.closed
    more.silent = False
    assert not places.take(Line(), "192.0.2.4")
    places.free(more)
    assert places.take(Line(), "192.0.2.4")
    assert b"emelia_connections 4.0" in metrics.text()


def test_a_connection_that_says_nothing_is_closed_early(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocols, "_SILENT_SECONDS", 0.2)
    with socket.create_connection(address(client), timeout=10) as line:
        assert line.recv(1) == b""


def test_who_reads_nothing_of_an_answer_is_left(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocols, "_UNREAD_SECONDS", 0.2)
    with socket.socket() as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.connect(address(client))
        with suppress(ConnectionError):  # it is left before it has asked for all
            for _ in range(60):
                line.sendall(b"GET /clip.flac HTTP/1.1\r\nHost: localhost\r\n\r\n")
                time.sleep(0.02)
        line.settimeout(5)
        with suppress(ConnectionResetError):
            while line.recv(65_536):
                pass


def test_where_all_are_being_answered_the_next_is_told_so(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocols.HttpConnection, "silent", property(lambda self: False))
    monkeypatch.setattr("emelia.use.server.uvicorn_runner.places", lambda: 1)
    with served() as client, caplog.at_level(logging.INFO, "emelia.server"):
        assert client.get("/healthz").status_code == 200
        with socket.create_connection(address(client), timeout=10) as line:
            told_below(line, 503, "as many clients")
        metrics = client.get("/metrics").text
        assert 'emelia_requests_total{route="connection",status="503"} 1.0' in metrics
        assert 'emelia_rejected_total{reason="full"} 1.0' in metrics
    assert "connection 503, 1 of them" in caplog.text


def told_below(line: socket.socket, status: int, text: str) -> None:
    """The answer has the body and the headers that every refusal has."""
    with line.makefile("rb") as file:
        head, _, body = file.read().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert text in json.loads(body)["error"] and json.loads(body)["status"] == status
    lines = head.decode().lower()
    assert all(name in lines for name in HEADERS) and "no-store" in lines


@pytest.mark.parametrize(
    "given",
    [
        b"this is no HTTP\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET /v1/live HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: websocket"
        b"\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n\r\n",
    ],
    ids=["noise", "no host", "no handshake"],
)
def test_what_is_no_request_is_refused_as_all_is(client: httpx.Client, given: bytes) -> None:
    before = count(client, 'emelia_rejected_total{reason="malformed"}')
    with socket.create_connection(address(client), timeout=10) as line:
        line.sendall(given)
        told_below(line, 400, "no HTTP request")
    assert count(client, 'emelia_rejected_total{reason="malformed"}') == before + 1


def test_a_refused_handshake_says_why(client: httpx.Client) -> None:
    with socket.create_connection(address(client), timeout=10) as line:
        line.sendall(
            b"GET /v1/live HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\n"
            b"Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        told_below(line, 403, "only the page of this server")


def test_requests_on_a_kept_connection_do_not_wait_for_each_other(client: httpx.Client) -> None:
    def seconds() -> float:
        begun = time.perf_counter()
        assert client.get("/healthz").status_code == 200
        return time.perf_counter() - begun

    # The wait for an acknowledgement is 40 ms, every time.
    assert min(seconds() for _ in range(40)) < 0.03


def test_a_wrong_method_is_told_which_is_right(client: httpx.Client) -> None:
    answer = client.get("/v1/predict")
    refused(answer, 405)
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ("Bearer open-sesame", 200), ("bearer open-sesame", 200), ("BEARER  open-sesame", 200),
        ("xxxBearer open-sesame", 401), ("Basic Bearer open-sesame", 401), ("open-sesame", 401),
        ("Bearer open-sesame x", 401), ("Bearer", 401),
    ],
)  # fmt: skip
def test_the_whole_of_the_header_is_the_token(
    tokened: httpx.Client, given: str, status: int
) -> None:
    answer = tokened.get("/v1/models", headers={"authorization": given})
    assert answer.status_code == status


@pytest.fixture(scope="module")
def tokened() -> Iterator[httpx.Client]:
    with served(token="open-sesame") as client:
        yield client


def test_a_name_that_others_may_point_here_needs_a_token_or_to_be_named() -> None:
    """DNS rebinding: the page of evil.example asks evil.example, which is now this machine."""
    open_to_all = {"host": "0.0.0.0"}
    for settings, names, others in (
        (open_to_all, ["192.0.2.7", "[::1]", "localhost"], ["evil.example", "", "0x7f.1"]),
        ({**open_to_all, "token": "open-sesame"}, ["192.0.2.7", "evil.example"], []),
        ({**open_to_all, "names": ("Mine",)}, ["mine", "localhost"], ["evil.example", "192.0.2.7"]),
        ({}, ["localhost", "127.0.0.1"], ["evil.example", "192.0.2.7"]),
    ):
        server = ServerSettings(**settings)  # type: ignore[arg-type]
        assert all(map(server.takes, names)) and not any(map(server.takes, others))


def test_text_that_is_none_ends_a_session_without_a_traceback(
    client: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    with session(client) as live:
        frame = Frame(Opcode.TEXT, b"\xff\xfe")
        live.socket.sendall(frame.serialize(mask=True))
        with suppress(Exception):
            live.recv(timeout=10)
        assert live.close_code == 1007
    assert client.get("/healthz").status_code == 200
    assert not caplog.records or not any(record.exc_info for record in caplog.records)


async def three_jobs(grace: float, release: bool) -> list[str]:
    """How three jobs end, of which two wait for the first, when the server is told to stop."""
    jobs, begun, over = Jobs(1, 9, Metrics()), threading.Event(), threading.Event()

    def work(job: Job) -> str:
        begun.set()
        over.wait(10)
        return "done"

    running = [asyncio.create_task(jobs.run(work, Job(60))) for _ in range(3)]
    while not begun.is_set():
        await asyncio.sleep(0.01)
    jobs.finish(grace)
    with pytest.raises(RequestError, match="being stopped"), jobs.place():
        pass
    if release:
        over.set()
    ended = await asyncio.gather(*running, return_exceptions=True)
    over.set()
    jobs.close()
    return [str(one) for one in ended]


def test_who_waits_is_answered_before_the_server_ends() -> None:
    assert asyncio.run(three_jobs(grace=10, release=True)) == ["done"] * 3


def test_who_waits_longer_than_the_server_may_is_told() -> None:
    ended = asyncio.run(three_jobs(grace=0.1, release=False))
    assert all("being stopped" in one for one in ended)


@pytest.mark.parametrize(
    ("host", "names", "mine", "called"),
    [
        ("127.0.0.1", (), True, "127.0.0.1"),
        ("localhost", (), True, "localhost"),
        ("::1", (), True, "::1"),
        ("0.0.0.0", (), False, "by its address alone"),
        ("voices", (), False, "by its address alone"),
        ("0.0.0.0", ("voices.example",), False, "0.0.0.0"),
    ],
)
def test_a_server_knows_who_reaches_it_and_what_it_is_called(
    host: str, names: tuple[str, ...], mine: bool, called: str
) -> None:
    settings = ServerSettings(host=host, names=names)
    assert (settings.loopback, settings.called) == (mine, called)


def test_a_name_that_is_none_of_this_machine_is_not_taken_there() -> None:
    here, open_ones = ServerSettings(), ServerSettings(host="0.0.0.0")
    assert here.takes("localhost") and open_ones.takes("localhost")
    assert not here.takes("elsewhere.example") and not open_ones.takes("elsewhere.example")
    assert not here.takes("192.0.2.1") and open_ones.takes("192.0.2.1")


def test_refusals_are_logged_once_a_second_with_their_number(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    places = Connections(Metrics())
    with caplog.at_level(logging.INFO, "emelia.server"):
        for moment in (100.0, 100.2, 100.9, 101.0, 101.5, 102.1):
            now[0] = moment
            places.refused(503)
    assert [record.args for record in caplog.records] == [(503, 1), (503, 3), (503, 2)]


def test_who_has_most_gives_the_place_and_it_is_told() -> None:
    metrics = Metrics()
    places = Connections(metrics, most=3, each=9)
    alone, one, two = Line(), Line(), Line()
    assert places.take(alone, "192.0.2.1")
    assert places.take(one, "192.0.2.2") and places.take(two, "192.0.2.2")
    assert places.take(Line(), "192.0.2.3")
    assert (alone.closed, one.closed, two.closed) == (False, True, False)
    places.free(two)
    assert b"emelia_connections 2.0" in metrics.text()
    assert b"emelia_silent_closed_total 1.0" in metrics.text()


def test_places_are_asked_of_the_system_and_no_more_than_it_gives() -> None:
    assert (connections.PLACES, connections.PLACES_EACH) == (200, 100), "as the docs promise"
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
        wanted = min(328, hard) if hard != resource.RLIM_INFINITY else 328
        assert connections.places() == max(8, min(200, wanted - 128))
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1024), hard))
        assert connections.places() == 200
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == max(soft, 1024)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
