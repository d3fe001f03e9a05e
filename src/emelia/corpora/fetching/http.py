"""Asking a server over HTTP: what may pass is tried again, what will not is told in one line."""

from __future__ import annotations

import functools
import json
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse
from typing import Any, TypeVar, cast
from urllib import request
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlsplit

from emelia import __version__
from emelia.errors import CorpusError

TRIES = 5  # in a row that bring nothing
TIMEOUT = 30.0  # seconds without a byte
_LONGEST_WAIT = 60.0  # seconds, whatever a server asks for
_LARGEST_ANSWER = 2**26  # bytes of JSON
_KEPT = "%/:=&?~#+!$,;'@()*[]"  # of an address; the rest, spaces for one, is quoted
_PASSING = {408, 425, 429, 500, 502, 503, 504}  # answers that may be others a little later

Pause = Callable[[float], Any]  # waits for some seconds
Result = TypeVar("Result")


class Again(Exception):
    """What went wrong may pass, after some seconds if the server says so."""

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


def get_json(url: str, pause: Pause = time.sleep) -> Any:
    """Get what a server tells as JSON.

    Raises:
        CorpusError: it cannot be had, or is something else.
    """
    text = persist(lambda: _read(url), url, pause)
    try:
        return json.loads(text)
    except ValueError:
        raise CorpusError(f"{url}: not the list of files that was expected.") from None


def persist(
    attempt: Callable[[], Result],
    url: str,
    pause: Pause = time.sleep,
    progress: Callable[[], int] = lambda: 0,
) -> Result:
    """Try until it works, or has failed some times in a row without `progress`.

    Raises:
        CorpusError: it did not work.
    """
    failures, reached = 0, progress()
    while True:
        try:
            return attempt()
        except Again as error:
            if (now := progress()) > reached:
                failures, reached = 0, now
            failures += 1
            if failures == TRIES:
                raise CorpusError(
                    f"{url}: {error}, {TRIES} times in a row. Try again later: what has come is "
                    "kept."
                ) from None
            pause(min(max(error.wait, 2.0**failures), _LONGEST_WAIT))


@contextmanager
def ask(url: str, headers: Mapping[str, str] | None = None) -> Iterator[HTTPResponse]:
    """Open an address; the answer has a status below 400, or is 416 (no such range).

    Raises:
        Again: the line or the server failed in a way that may pass.
        CorpusError: it failed for good.
    """
    sent = {"User-Agent": f"emelia/{__version__}", "Accept-Encoding": "identity"}
    with failures(url):
        try:
            made = request.Request(quote(url, safe=_KEPT), headers={**sent, **(headers or {})})
            answer = _opener().open(made, timeout=TIMEOUT)
        except HTTPError as error:
            if error.code != 416:
                raise
            answer = error
    with answer:
        yield cast(HTTPResponse, answer)


@contextmanager
def failures(url: str) -> Iterator[None]:
    """Tell failures of the line that may pass from those that will not."""
    try:
        yield
    except HTTPError as error:
        error.close()
        reason = f"the server answers {error.code} ({error.reason})"
        if error.code in _PASSING:
            wait = error.headers.get("Retry-After", "")
            raise Again(reason, float(wait) if wait.isdecimal() else 0.0) from None
        raise CorpusError(f"{url}: {reason}. The file may have moved.") from None
    except (URLError, OSError, HTTPException) as error:
        cause = getattr(error, "reason", error)
        if isinstance(cause, socket.gaierror):
            raise CorpusError(f"{url}: no such server, or no network. Check both.") from None
        if isinstance(cause, ssl.SSLCertVerificationError):
            raise CorpusError(f"{url}: the server does not prove who it is ({cause}).") from None
        if isinstance(error, URLError) and not isinstance(cause, Exception):
            raise CorpusError(f"{url}: {cause}.") from None
        raise Again(_reason(cause)) from None


def _read(url: str) -> bytes:
    with ask(url) as answer, failures(url):
        data = answer.read(_LARGEST_ANSWER)
    return data


def _reason(cause: object) -> str:
    if isinstance(cause, TimeoutError):
        return f"no answer for {TIMEOUT:g} s"
    return f"the connection failed ({cause or type(cause).__name__})"


class _Redirects(request.HTTPRedirectHandler):
    """Follow redirects, but never from a protected line to an open one."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, hdrs: Any, new: str) -> Any:
        if urlsplit(req.full_url).scheme == "https" and urlsplit(new).scheme != "https":
            raise URLError(f"the server leads away from https, to {new}")
        return super().redirect_request(req, fp, code, msg, hdrs, new)


@functools.cache
def _opener() -> request.OpenerDirector:
    """HTTP and HTTPS alone: no file, no FTP, wherever a server leads."""
    opener = request.OpenerDirector()
    for handler in (
        request.ProxyHandler,
        request.UnknownHandler,
        request.HTTPHandler,
        request.HTTPSHandler,
        request.HTTPDefaultErrorHandler,
        request.HTTPErrorProcessor,
        _Redirects,
    ):
        opener.add_handler(handler())
    return opener
