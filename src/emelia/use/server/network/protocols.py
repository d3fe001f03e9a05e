"""HTTP and WebSocket as uvicorn speaks them, with limits of time and places.

uvicorn's own protocols wait for ever for the head of a request and for a client that reads nothing
of its answer, and refuse in plain text what is no HTTP. Methods that are not documented are
overridden for that: see tests/use/server/test_uvicorn_parts.py.
"""

from __future__ import annotations

import asyncio
import http
import json
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.datastructures import Headers
from websockets.http11 import Response

from emelia.use.server.errors import RequestError
from emelia.use.server.middleware import HEADERS
from emelia.use.server.network.connections import Connections

_SILENT_SECONDS = 5  # until the first byte
_HEAD_SECONDS = 15  # to send the head of a request; also to end a body nobody reads any more
_UNREAD_SECONDS = 30  # that an answer waits for its client to read on
_CLOSE_SECONDS = 2  # for a client to confirm the end of a WebSocket
_NO_HTTP = "this is no HTTP request that can be understood. `GET /docs` tells what can be asked."
_FULL = "as many clients are being answered as may be. Try again in a few seconds."


class HttpConnection(H11Protocol):
    """HTTP/1.1 with a place among all connections and a time limit for whoever is slow.

    A connection that waits for a request, or for the end of a body that nobody reads any more, is
    closed after `_HEAD_SECONDS` in all, however often it sends a byte.
    """

    _patience: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None
    _spoken = False

    def __init__(self, connections: Connections, *args: Any, **how: Any) -> None:
        super().__init__(*args, **how)
        self._places = connections
        self.access_log = False  # its lines would tell what was asked for

    @property
    def silent(self) -> bool:
        """Whether no request is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def drop(self) -> None:
        """Close it at once."""
        self.transport.abort()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if self._places.take(self, self.client[0] if self.client else ""):
            self._wait(_SILENT_SECONDS)
        else:
            self._refuse(503, _FULL)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        self.resume_writing()
        self._places.free(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():  # it was refused
            return
        if not self._spoken:
            self._spoken = True
            self._wait(_HEAD_SECONDS)
        super().data_received(data)
        if not self.silent:
            self._places.active(self)
            self._stop_waiting()

    def on_response_complete(self) -> None:
        self._places.active(self)
        self._wait(_HEAD_SECONDS)
        super().on_response_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread = self.loop.call_later(_UNREAD_SECONDS, self.drop)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def send_400_response(self, msg: str) -> None:
        if self.silent:
            self._refuse(400, _NO_HTTP)
        else:  # in the middle of an answer, to which nothing can be added
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            self.drop()

    def handle_websocket_upgrade(self, event: Any) -> None:
        self._stop_waiting()
        super().handle_websocket_upgrade(event)
        self._places.replace(self, self.transport.get_protocol())  # type: ignore[arg-type]

    def _refuse(self, status: int, text: str) -> None:
        self._places.refused(status)
        headers, body = _answer(status, text)
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        phrase = http.HTTPStatus(status).phrase
        self.transport.write(f"HTTP/1.1 {status} {phrase}\r\n{lines}\r\n".encode() + body)
        self.transport.close()

    def _wait(self, seconds: float) -> None:
        self._stop_waiting()
        self._patience = self.loop.call_later(seconds, self.transport.close)

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None


class WebSocketConnection(WebSocketsSansIOProtocol):
    """A WebSocket that keeps the place of the connection it began as."""

    def __init__(self, connections: Connections, *args: Any, **how: Any) -> None:
        super().__init__(*args, **how)
        self._places = connections
        self.close_timeout = _CLOSE_SECONDS
        accept = self.conn.accept

        def accepted(request: Any) -> Response:
            response = accept(request)
            return response if response.status_code == 101 else self._refusal(response)

        self.conn.accept = accepted  # type: ignore[method-assign]

    @property
    def silent(self) -> bool:
        """Whether the session is over, and only its client has not confirmed that."""
        return self.close_sent

    def drop(self) -> None:
        """Close it at once."""
        self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._places.free(self)
        super().connection_lost(exc)

    def send_receive_event_to_app(self) -> None:
        if self.curr_msg_data_type == "text" and not _is_text(b"".join(self.frames)):
            self.frames = []
            self._places.refused(400)
            self.conn.send_close(1007, "a text message that is no UTF-8")
            self.handle_parser_exception()
        else:
            super().send_receive_event_to_app()

    def _refusal(self, response: Response) -> Response:
        """The refusal of a handshake as all refusals are."""
        self._places.refused(400)
        headers, body = _answer(400, _NO_HTTP)
        return Response(400, http.HTTPStatus(400).phrase, Headers(headers), body)


def _answer(status: int, text: str) -> tuple[dict[str, str], bytes]:
    """Headers and body of a refusal that the application does not make itself."""
    body = json.dumps(RequestError(status, text).body).encode()
    return {
        **HEADERS,
        "cache-control": "no-store",
        "connection": "close",
        "content-length": str(len(body)),
        "content-type": "application/json",
    }, body


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
