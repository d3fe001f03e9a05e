"""Refusals of the server: an HTTP status, and a sentence that says what to do."""

from __future__ import annotations

import logging

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from emelia.audio.sandbox import DecoderFault
from emelia.errors import AudioError, ConfigError, FormatError, TooLongError

# What metrics call each refusal.
REASONS = {
    400: "malformed",
    401: "token",
    403: "origin",
    404: "unknown",
    405: "method",
    408: "slow",
    413: "large",
    415: "format",
    421: "host",
    422: "unusable",
    429: "busy",
    500: "fault",
    503: "stopping",
    504: "time",
}
_log = logging.getLogger("emelia.server")
PAGES = "`GET /docs` lists what there is."


class RequestError(Exception):
    """A request that is refused or cannot be answered."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status

    @property
    def body(self) -> dict[str, object]:
        """The JSON body for the client."""
        return {"error": str(self), "status": self.status}

    @property
    def response(self) -> JSONResponse:
        """The HTTP response, with the headers its status needs."""
        headers = {429: {"Retry-After": "2"}, 401: {"WWW-Authenticate": "Bearer"}}
        return JSONResponse(self.body, self.status, headers.get(self.status))


def as_request_error(error: Exception) -> RequestError:
    """The refusal for an error; unforeseen errors are logged and become status 500."""
    if isinstance(error, RequestError):
        return error
    if isinstance(error, RequestValidationError):
        return RequestError(422, "; ".join(_fault(fault) for fault in error.errors()))
    if isinstance(error, TimeoutError):
        return RequestError(504, "took longer than this server allows. Send a shorter recording.")
    if isinstance(error, DecoderFault | MemoryError):  # foreseen: no traceback
        _log.error("a fault of the server: %s", str(error) or "no memory left.")
        return RequestError(500, "a fault of this server, not of the recording. Try again later.")
    for kind, status in _STATUS.items():
        if isinstance(error, kind):
            return RequestError(status, str(error))
    _log.error("a fault of the server", exc_info=error)
    return RequestError(500, "a fault of this server; its log tells more. Try again.")


_STATUS: dict[type[Exception], int] = {
    TooLongError: 413,
    FormatError: 415,
    AudioError: 422,
    ConfigError: 422,
}


def _fault(fault: dict[str, object]) -> str:
    """The sentence about one parameter that does not fit."""
    place = fault.get("loc")
    name = str(place[-1]) if isinstance(place, tuple | list) and place else "request"
    came = str(fault.get("input"))[:40]
    return f"{name}: {came!r}; {fault.get('msg')}. {PAGES}"
