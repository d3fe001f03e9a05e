"""What the server uses of uvicorn beyond its documentation is still there.

uvicorn has no documented way to count connections, to limit the time of a slow client, or to end
without raising the signal again. A version without one of these parts must not be installed: see
the bound in pyproject.toml.
"""

from __future__ import annotations

import inspect

import pytest

pytest.importorskip("uvicorn")
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

SERVER = ("startup", "shutdown", "on_tick", "handle_exit", "capture_signals")
PROTOCOL = (
    *("connection_made", "connection_lost", "data_received", "on_response_complete"),
    *("handle_websocket_upgrade", "pause_writing", "resume_writing", "send_400_response"),
)
SOCKET = ("connection_lost", "send_receive_event_to_app", "handle_parser_exception")


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (uvicorn.Server, SERVER),
        (H11Protocol, PROTOCOL),
        (WebSocketsSansIOProtocol, SOCKET),
    ],
    ids=["server", "http", "websocket"],
)
def test_methods_that_are_overridden_exist(kind: type, names: tuple[str, ...]) -> None:
    assert all(callable(getattr(kind, name, None)) for name in names)


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (uvicorn.Server, ("force_exit", "lifespan")),
        (H11Protocol, ("access_log", "cycle", "loop", "transport", "client")),
        (
            WebSocketsSansIOProtocol,
            ("close_sent", "close_timeout", "conn.accept", "curr_msg_data_type", "frames"),
        ),
        (RequestResponseCycle, ("disconnected", "message_event", "response_complete")),
    ],
    ids=["server", "http", "websocket", "cycle"],
)
def test_attributes_that_are_read_or_set_exist(kind: type, names: tuple[str, ...]) -> None:
    source = inspect.getsource(kind)
    assert all(f"self.{name}" in source for name in names)
