"""HTTP requests that are repeated after temporary failures; others become one-line errors.

Python's urllib suffices, so that downloads need no further package.
"""

from __future__ import annotations

import functools
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
from emelia.text import from_json

TRIES = 5  # failures in a row, without a byte of progress, after which it gives up
TIMEOUT = 30.0  # seconds without a byte, after which a request has failed
_LONGEST_WAIT = 60.0  # seconds between attempts, even if a server asks for more
_LARGEST_ANSWER = 2**26  # bytes of JSON
_UNQUOTED = "%/:=&?~#+!$,;'@()*[]"  # characters of an address that are not quoted; a space is
_TEMPORARY = {408, 425, 429, 500, 502, 503, 504}  # HTTP status codes worth another attempt

Pause = Callable[[float], Any]  # waits for some seconds
Result = TypeVar("Result")


class RetryableError(Exception):
    """A failure that may be temporary; `wait` is the pause in seconds the server asks for."""

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


def get_json(url: str, pause: Pause = time.sleep) -> Any:
    """Return what an address answers, read as JSON.

    Raises:
        CorpusError: there is no answer, or it is not JSON.
    """
    text = retry(lambda: _read(url), url, pause)
    try:
        return from_json(text)
    except ValueError:
        raise CorpusError(f"{url}: not the list of files that was expected.") from None


def retry(
    attempt: Callable[[], Result],
    url: str,
    pause: Pause = time.sleep,
    progress: Callable[[], int] = lambda: 0,
) -> Result:
    """Call `attempt` until it succeeds, or has failed `TRIES` times in a row without progress.

    Args:
        attempt: raises RetryableError for a failure that may be temporary.
        url: for the message.
        pause: waits between attempts, each time twice as long.
        progress: the bytes that have arrived; more of them start the count of failures anew.

    Raises:
        CorpusError: it has failed too often.
    """
    failures, reached = 0, progress()
    while True:
        try:
            return attempt()
        except RetryableError as error:
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
def open_url(url: str, headers: Mapping[str, str] | None = None) -> Iterator[HTTPResponse]:
    """Open an address; the answer has a status below 400, or 416 (range not satisfiable).

    Raises:
        RetryableError: the connection or the server failed, perhaps temporarily.
        CorpusError: it failed permanently.
    """
    # Uncompressed, since sizes and the bytes to resume from are those of the file itself.
    sent = {"User-Agent": f"emelia/{__version__}", "Accept-Encoding": "identity"}
    with translate_errors(url):
        try:
            wanted = {**sent, **(headers or {})}
            # The opener knows http and https alone.
            made = request.Request(quote(url, safe=_UNQUOTED), headers=wanted)  # noqa: S310
            answer = _opener().open(made, timeout=TIMEOUT)
        except HTTPError as error:
            if error.code != 416:
                raise
            answer = error
    with answer:
        yield cast(HTTPResponse, answer)


@contextmanager
def translate_errors(url: str) -> Iterator[None]:
    """Turn network errors into RetryableError, or CorpusError where a retry cannot help."""
    try:
        yield
    except HTTPError as error:
        error.close()
        reason = f"the server answers {error.code} ({error.reason})"
        if error.code in _TEMPORARY:
            wait = error.headers.get("Retry-After", "")
            raise RetryableError(reason, float(wait) if wait.isdecimal() else 0.0) from None
        raise CorpusError(f"{url}: {reason}. The file may have moved.") from None
    except (URLError, OSError, HTTPException) as error:
        cause = getattr(error, "reason", error)
        if isinstance(cause, socket.gaierror):
            raise CorpusError(f"{url}: no such server, or no network. Check both.") from None
        if isinstance(cause, ssl.SSLCertVerificationError):
            raise CorpusError(f"{url}: the server does not prove who it is ({cause}).") from None
        if isinstance(error, URLError) and not isinstance(cause, Exception):
            raise CorpusError(f"{url}: {cause}.") from None
        raise RetryableError(_reason(cause)) from None


def _read(url: str) -> bytes:
    with open_url(url) as answer, translate_errors(url):
        data = answer.read(_LARGEST_ANSWER)
    return data


def _reason(cause: object) -> str:
    if isinstance(cause, TimeoutError):
        return f"no answer for {TIMEOUT:g} s"
    return f"the connection failed ({cause or type(cause).__name__})"


class _Redirects(request.HTTPRedirectHandler):
    """Follow redirects, but never from https to an unencrypted connection."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, hdrs: Any, new: str) -> Any:
        if urlsplit(req.full_url).scheme == "https" and urlsplit(new).scheme != "https":
            raise URLError(f"the server leads away from https, to {new}")
        return super().redirect_request(req, fp, code, msg, hdrs, new)


@functools.cache
def _opener() -> request.OpenerDirector:
    """An opener for HTTP and HTTPS only: a redirect to file: or ftp: is refused."""
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
