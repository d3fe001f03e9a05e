"""Checks every request and logs it: its host, its origin, its token; adds security headers.

A browser also runs pages of other sites, and these can send requests to a server on the same
machine. So a request for another host name (one that an attacker points here: DNS rebinding), or
from the page of another origin, is refused, and our own page may load nothing from elsewhere.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import time
from collections.abc import Set
from typing import Any
from urllib.parse import urlsplit

from fastapi.datastructures import Headers

from emelia.use.server.errors import REASONS, RequestError, as_request_error
from emelia.use.server.service import Service
from emelia.use.server.settings import ServerSettings

# The page handles recordings of people: no other site may frame it, script it or read from it.
HEADERS = {
    "content-security-policy": (
        "default-src 'self'; media-src 'self' blob:; img-src 'self' data: blob:; "
        "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(self)",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}

_log = logging.getLogger("emelia.server")


class RequestChecks:
    """ASGI middleware between the network and the application."""

    def __init__(self, app: Any, service: Service, labels: Set[str]) -> None:
        self._app = app
        self._labels = labels
        self._settings = service.settings
        self._metrics = service.metrics
        self._stopping = service.stopping

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await self._answer(scope, receive, send)
        elif scope["type"] == "websocket" and (refusal := foreign_request(scope, self._settings)):
            self._metrics.rejected.labels(REASONS[refusal.status]).inc()
            await _refuse_handshake(RequestError(403, str(refusal)), send)
        else:
            await self._app(scope, receive, send)

    async def _answer(self, scope: Any, receive: Any, send: Any) -> None:
        begun, status = time.perf_counter(), 0

        async def watched(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = _with_ours(message.get("headers", ()), scope["path"])
            await send(message)

        try:
            refusal = foreign_request(scope, self._settings) or _without_token(
                scope, self._settings
            )
            app = refusal.response if refusal else self._app
            await app(scope, receive, watched)
        except Exception as error:
            if not status:
                await as_request_error(error).response(scope, receive, watched)
        except asyncio.CancelledError:
            if not self._stopping.is_set():  # else a client that did not take its answer in time
                raise
        finally:
            self._note(scope, status, time.perf_counter() - begun)

    def _note(self, scope: Any, status: int, seconds: float) -> None:
        # No other path: what clients ask for at random must not fill logs and metrics.
        found = "page" if status in (200, 304) else "other"
        route = scope["path"] if scope["path"] in self._labels else found
        self._metrics.requests.labels(route, str(status)).inc()
        self._metrics.latency.labels(route).observe(seconds)
        if status in REASONS:
            self._metrics.rejected.labels(REASONS[status]).inc()
        _log.info(
            "%s %s %s %.0f ms", scope["method"], route, status or "broken off", 1000 * seconds
        )


def foreign_request(scope: Any, settings: ServerSettings) -> RequestError | None:
    """A refusal for another host name or another origin; None where both are right."""
    headers = Headers(scope=scope)
    host, origin = headers.get("host", ""), headers.get("origin")
    if not settings.takes(_name(host)):
        return RequestError(
            421,
            f"host {host[:60]!r}: this server is called {settings.called}. Use that address, or "
            "start it with --name.",
        )
    reads = scope["type"] == "http" and scope["method"] in ("GET", "HEAD")
    if origin is not None and not reads and _address(origin) != host.lower():
        return RequestError(
            403,
            f"origin {origin[:60]!r}: only the page of this server may ask it. Open "
            f"http://{host[:60]}/; behind a proxy, let it keep the Host header.",
        )
    return None


def _address(origin: str) -> str:
    """Host name and port of an origin; empty where it is no address."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def has_token(given: str, settings: ServerSettings) -> bool:
    """Whether a token is right; compared in constant time, so that timing tells nothing."""
    if settings.token is None:
        return True
    return hmac.compare_digest(given.encode(), settings.token.encode())


def _without_token(scope: Any, settings: ServerSettings) -> RequestError | None:
    path = scope["path"]
    if not (path.startswith("/v1/") or path == "/metrics"):
        return None
    scheme, _, given = Headers(scope=scope).get("authorization", "").partition(" ")
    if settings.token is None or (
        scheme.lower() == "bearer" and has_token(given.strip(" "), settings)
    ):
        return None
    return RequestError(
        401, "no token, or another; expected the header `Authorization: Bearer TOKEN`."
    )


def _name(host: str) -> str:
    """The name in a Host header, without the port."""
    end = host.find("]") + 1 if host.startswith("[") else host.rfind(":")
    return (host[:end] if end > 0 else host).lower()


async def _refuse_handshake(refusal: RequestError, send: Any) -> None:
    """Answer the request for a WebSocket with the refusal that others get."""
    response = refusal.response
    headers = _with_ours(response.raw_headers, "/v1/")
    begin = {"type": "websocket.http.response.start", "status": refusal.status}
    await send({**begin, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": response.body})


def _with_ours(headers: Any, path: str) -> list[tuple[bytes, bytes]]:
    """The headers of a response with our security headers added."""
    there = {name.lower() for name, _ in headers}
    ours = HEADERS | ({"cache-control": "no-store"} if path.startswith("/v1/") else {})
    new = [(name.encode(), value.encode()) for name, value in ours.items()]
    return [*headers, *(pair for pair in new if pair[0] not in there)]
