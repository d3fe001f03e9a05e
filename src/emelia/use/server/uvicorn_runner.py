"""Runs a server with uvicorn until it is told to stop.

uvicorn's own server raises a signal again after it has ended. That is changed here by overriding
methods that are not documented: see tests/use/server/test_uvicorn_parts.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import threading
from collections.abc import Callable, Generator
from functools import partial
from types import FrameType
from typing import Any, cast

import uvicorn
from fastapi import FastAPI

from emelia.errors import EmeliaError
from emelia.use.server.live import MOST_FRAME
from emelia.use.server.network.connections import Connections, places
from emelia.use.server.network.protocols import HttpConnection, WebSocketConnection
from emelia.use.server.service import Service
from emelia.use.server.settings import ServerSettings

_IDLE_SECONDS = 5  # between two requests
_AT_ONCE = 32  # connections taken before any of them is read: all of them need a descriptor
_QUEUE = 2048  # more of them wait in the kernel, without a descriptor of ours
_SPARE = 3  # s between our own patience and uvicorn's, which ends with a traceback
_log = logging.getLogger("emelia.server")


def serve(
    app: FastAPI,
    settings: ServerSettings,
    on_ready: Callable[[str], None] | None = None,
    listener: socket.socket | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM; running requests get some seconds to finish.

    Args:
        app: what `create_app` made.
        settings: of host, port and patience.
        on_ready: called with the address once connections are taken.
        listener: a socket that several processes listen on; its own by default.

    Raises:
        EmeliaError: the address cannot be listened on.
    """
    listener = listener or listen(settings)
    connections = Connections(app.state.service.metrics, places())
    config = uvicorn.Config(
        app,
        http=cast(Any, partial(HttpConnection, connections)),
        ws=cast(Any, partial(WebSocketConnection, connections)),
        loop="asyncio",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=_AT_ONCE,
        timeout_keep_alive=_IDLE_SECONDS,
        timeout_graceful_shutdown=round(settings.grace) + _SPARE,
        ws_max_size=2 * MOST_FRAME,
        ws_per_message_deflate=False,
    )
    address = address_of(settings, listener)
    server = _Server(config, app.state.service, lambda: on_ready and on_ready(address))
    with listener:
        asyncio.run(server.serve([listener]))


def address_of(settings: ServerSettings, listener: socket.socket) -> str:
    """What a browser on this machine opens."""
    return f"http://{_in_url(settings.host)}:{listener.getsockname()[1]}/"


def listen(settings: ServerSettings) -> socket.socket:
    """A socket that listens on the address of a server.

    Raises:
        EmeliaError: it cannot be listened on.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        listener = socket.create_server((settings.host, settings.port), family=family)
        # Connections inherit it: without it the body of an answer waits 40 ms for the client to
        # acknowledge the head.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listener
    except OSError as error:
        raise EmeliaError(
            f"{settings.host}, port {settings.port}: cannot be listened on "
            f"({error.strerror or error}). Choose another --host or --port."
        ) from None


def _in_url(host: str) -> str:
    """The host in the printed address: one that a browser on this machine can open."""
    # Those are no addresses to open; nothing listens because of this line.
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    return f"[{host}]" if ":" in host else host


def _tell(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log a fault of the event loop; in one line where the system refuses a connection."""
    if isinstance(error := context.get("exception"), OSError):
        _log.error("a connection could not be taken: %s", error.strerror or error)
    else:
        loop.default_exception_handler(context)


class _Server(uvicorn.Server):
    """A uvicorn server that reports when it is ready and does not raise the signal again."""

    def __init__(
        self, config: uvicorn.Config, service: Service, on_ready: Callable[[], object]
    ) -> None:
        super().__init__(config)
        self._service, self._on_ready = service, on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        asyncio.get_running_loop().set_exception_handler(_tell)
        await super().startup(sockets)
        for listener in sockets or ():
            listener.listen(_QUEUE)
        self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        if self.force_exit:  # a second Ctrl-C; uvicorn would leave our threads and processes
            await self.lifespan.shutdown()

    # Also ends without a signal, when the application itself stops the service.
    async def on_tick(self, counter: int) -> bool:
        return await super().on_tick(counter) or self._service.stopping.is_set()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._service.stop()
        super().handle_exit(sig, frame)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """As uvicorn's, but without raising the signals again at the end."""
        loop = asyncio.get_running_loop()
        here = threading.current_thread() is threading.main_thread()
        kinds = (signal.SIGINT, signal.SIGTERM) if here else ()
        for kind in kinds:
            loop.add_signal_handler(kind, self.handle_exit, kind, None)
        try:
            yield
        finally:
            for kind in kinds:
                loop.remove_signal_handler(kind)
