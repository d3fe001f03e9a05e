"""Reads the file of a form in bounded memory and bounded time, never to disk."""

from __future__ import annotations

import asyncio

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from emelia.use.server.errors import PAGES, RequestError
from emelia.use.server.service import Service
from emelia.use.server.settings import ServerSettings

_FORM = 65_536  # bytes that names and borders of a form may take
_EXPECTED = "expected a form (multipart/form-data) with the recording in the field `file`"


class _Form:
    """Collects the field `file` of a form that comes in pieces, and the names of other fields."""

    def __init__(self, boundary: bytes) -> None:
        self.file: bytearray | None = None
        self.others: list[str] = []
        self._field = bytearray()
        self._value = bytearray()
        self._ours = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_begin": self._begin_header,
                "on_header_field": self._add_field,
                "on_header_value": self._add_value,
                "on_header_end": self._end_header,
                "on_part_data": self._add_data,
            },
        )
        self.write = self._parser.write
        self.finish = self._parser.finalize

    def _begin(self) -> None:
        self._ours = False

    def _begin_header(self) -> None:
        self._field, self._value = bytearray(), bytearray()

    def _add_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _add_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        if self._field.lower() == b"content-disposition":
            _, options = parse_options_header(bytes(self._value))
            name = options.get(b"name", b"")
            if name == b"file" and self.file is None:
                self.file, self._ours = bytearray(), True
            else:
                self.others.append(name.decode("latin-1")[:40])

    def _add_data(self, data: bytes, start: int, end: int) -> None:
        if self._ours and self.file is not None:
            self.file += data[start:end]


async def read_upload(request: Request, service: Service) -> bytearray:
    """Read the recording in the form of a request.

    Raises:
        RequestError: 400 malformed, 408 too slow, 413 too large, 415 no form, 422 no file in it,
            503 the server stops.
    """
    settings = service.settings
    form = _form_of(request)
    most = settings.max_bytes + _FORM
    # What is claimed is only a first check: `_fill` counts the bytes that do come.
    claimed = request.headers.get("content-length", "0")
    if claimed.isdecimal() and int(claimed) > most:
        raise _too_large(settings)
    try:
        async with asyncio.timeout(settings.upload_seconds) as patience:
            with service.until_stopped(patience):
                await _fill(form, request, most, settings)
    except TimeoutError:
        service.refuse_when_stopping()
        raise RequestError(
            408,
            f"the upload did not arrive within {settings.upload_seconds:g} s, or stood still for "
            f"{settings.upload_pause:g} s. Try again.",
        ) from None
    if form.file is None:
        raise RequestError(422, f"the form has no field `file`; {_EXPECTED}.")
    if "file" in form.others:
        raise RequestError(422, "the form has several fields `file`; send a request for each.")
    if form.others:
        raise RequestError(
            422,
            f"form field {form.others[0]!r}: would be ignored; {_EXPECTED} alone, and all else in "
            f"the query, as in ?model=. {PAGES}",
        )
    if len(form.file) > settings.max_bytes:
        raise _too_large(settings)
    return form.file


def _form_of(request: Request) -> _Form:
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind != b"multipart/form-data":
        raise RequestError(
            415, f"the body is {kind.decode('latin-1')[:60] or 'untyped'}; {_EXPECTED}."
        )
    try:
        return _Form(options[b"boundary"])
    except (KeyError, FormParserError):
        raise RequestError(400, f"the form has no usable boundary; {_EXPECTED}.") from None


async def _fill(form: _Form, request: Request, most: int, settings: ServerSettings) -> None:
    """Feed a form with the body of a request, which may be longer than it claims."""
    read, more = 0, True
    try:
        while more:
            message = await asyncio.wait_for(request.receive(), settings.upload_pause)
            if message["type"] == "http.disconnect":
                raise RequestError(400, "the upload broke off. Try again.")
            read += len(message["body"])
            if read > most:
                raise _too_large(settings)
            form.write(message["body"])
            more = message["more_body"]
        form.finish()
    except FormParserError as error:
        raise RequestError(400, f"the form is damaged ({error}); {_EXPECTED}.") from None


def _too_large(settings: ServerSettings) -> RequestError:
    return RequestError(
        413,
        f"the upload is larger than {settings.max_mb:g} MB. "
        "Cut the recording, or compress it (FLAC, Opus, MP3).",
    )
