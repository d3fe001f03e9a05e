"""Live recognition by WebSocket: float32 samples in, windows and segments out."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable

import numpy as np
from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from emelia.audio.limits import Wave
from emelia.use.server.errors import REASONS, RequestError, as_request_error
from emelia.use.server.middleware import has_token
from emelia.use.server.service import Service
from emelia.use.timeline.live import Event, Live
from emelia.use.timeline.windows import Window

router = APIRouter()
_PATH = "/v1/live"

MOST_FRAME = 2**20  # bytes of one message: 1.3 s at 192 kHz
_RATES = (8_000, 192_000)  # Hz
_BOUGHT = 2.0  # s of waiting for a second of sound: who paused catches up
_DONE, _TOO_BIG, _OURS = 1000, 1009, 4000  # close codes; 4000 and the status for a refusal

_log = logging.getLogger("emelia.server")


class _BigMessage(RequestError):
    """A message of more bytes than any client needs to send."""


@router.websocket(_PATH)
async def live(socket: WebSocket) -> None:
    """Serve one session; a refusal is sent before the connection is closed."""
    service: Service = socket.app.state.service
    await socket.accept()
    session = _Session(socket, service)
    code = 1006  # the client has gone
    try:
        code = await session.run()
    except WebSocketDisconnect:
        pass
    except Exception as error:
        code = await _refuse(socket, service, as_request_error(error))
    _log.info("live %s, %.1f s of sound", code, session.seconds)
    service.metrics.requests.labels(_PATH, str(code)).inc()


class _Session:
    """The session of one client."""

    def __init__(self, socket: WebSocket, service: Service) -> None:
        self._socket, self._service = socket, service
        self.seconds = 0.0  # of sound heard
        self._patience = service.settings.live_idle  # s that are waited for more

    async def run(self) -> int:
        """Recognise everything the client sends; return the WebSocket close code.

        Raises:
            RequestError: the client, its parameters or its sound are refused.
            WebSocketDisconnect: it has gone.
        """
        query = self._socket.query_params
        if not has_token(query.get("token", ""), self._service.settings):
            raise RequestError(401, "no token, or another; expected ?token=TOKEN in the address.")
        self._rate = _rate(query.get("rate", ""))
        recognizer = self._service.recognizer(query.get("model"), query.get("emotions", ""))
        client = self._socket.client.host if self._socket.client else ""
        recognizer = self._service.used_to(recognizer, client, query.get("source", ""))
        with self._service.live_place():
            self._live = Live(recognizer, rate=self._rate, adapt=recognizer.learns)
            while (message := await self._receive()) is not None:
                wave = self._samples(message)
                await self._tell(await self._service.in_live_thread(self._live.feed, wave))
            await self._tell(await self._service.in_live_thread(self._live.flush))
        adapted = {"adapted": self._live.adapted} if self._live.adapted else {}
        await self._socket.send_json({"type": "end", **adapted})
        await self._socket.close(_DONE)
        return _DONE

    async def _receive(self) -> bytes | None:
        """The bytes of the next samples; None at the end."""
        idle, begun = self._service.settings.live_idle, time.monotonic()
        try:
            async with asyncio.timeout(self._patience):
                message = await self._socket.receive()
        except TimeoutError:
            raise RequestError(408, f"no sound for {idle:g} s. Connect again to go on.") from None
        self._patience -= time.monotonic() - begun
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1006))
        if (text := message.get("text")) is None:
            data: bytes = message["bytes"]
            return data
        if text == "end":
            return None
        raise RequestError(422, f"text {text[:40]!r}; expected binary samples, or end.")

    def _samples(self, message: bytes) -> Wave:
        most = self._service.settings.live_seconds
        if len(message) > MOST_FRAME:
            raise _BigMessage(413, f"a message of {len(message)} bytes; at most {MOST_FRAME}.")
        if len(message) % 4:
            raise RequestError(
                422, f"{len(message)} bytes; expected float32 samples, 4 bytes each."
            )
        wave = np.frombuffer(message, "<f4").astype(np.float32)
        if not np.isfinite(wave).all():
            raise RequestError(422, "samples that are not numbers (NaN or infinite).")
        self.seconds += (seconds := wave.size / self._rate)
        # Only sound buys time, or messages without any would hold the place for ever.
        idle = self._service.settings.live_idle
        self._patience = min(idle, self._patience + _BOUGHT * seconds)
        self._service.metrics.decoded.inc(seconds)
        if self.seconds > most:
            raise RequestError(
                413, f"the session is longer than {most:g} s. Connect again to go on."
            )
        return np.clip(wave, -1.0, 1.0)

    async def _tell(self, found: Iterable[Event]) -> None:
        for event in found:
            is_window = isinstance(event, Window)
            kind = {"type": "window", "speech": True} if is_window else {"type": "segment"}
            await self._socket.send_json({**kind, **event.to_dict()})


async def _refuse(socket: WebSocket, service: Service, refusal: RequestError) -> int:
    """Send a refusal and close; return the close code."""
    service.metrics.rejected.labels(REASONS.get(refusal.status, "other")).inc()
    code = _TOO_BIG if isinstance(refusal, _BigMessage) else _OURS + refusal.status
    try:
        await socket.send_json({"type": "error", **refusal.body})
        await socket.close(code)
    except (WebSocketDisconnect, RuntimeError):  # it did not wait
        pass
    return code


def _rate(text: str) -> int:
    low, high = _RATES
    if not (text.isdecimal() and len(text) < 7 and low <= int(text) <= high):
        raise RequestError(422, f"rate {text[:20]!r}; expected ?rate= of {low} to {high} Hz.")
    return int(text)
