"""A stretch of an open file that decoders read as if it were a file of its own."""

from __future__ import annotations

import io
import os
from typing import BinaryIO


class Part(io.RawIOBase):
    """The bytes from `start` to `end` of a file, read only.

    Args:
        file: open for reading; nobody else may read it at the same time.
        start: where the part begins.
        end: behind its last byte; the end of the file where it is None.
        head: replaces as many bytes at the beginning, as of a header that is mended.
        tail: follows at the end.
    """

    def __init__(
        self,
        file: BinaryIO,
        start: int = 0,
        end: int | None = None,
        head: bytes = b"",
        tail: bytes = b"",
    ) -> None:
        super().__init__()
        self._file, self._start, self._head, self._tail = file, start, head, tail
        self._body = (file.seek(0, os.SEEK_END) if end is None else end) - start
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        size = self._body + len(self._tail)
        self._at = max(0, offset + (0, self._at, size)[whence])
        return self._at

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        data = self._bytes(len(buffer))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def _bytes(self, most: int) -> bytes:
        """At most so many bytes from here, all out of one of the three pieces."""
        if self._at < len(self._head):
            return self._head[self._at : self._at + most]
        if self._at >= self._body:
            place = self._at - self._body
            return self._tail[place : place + most]
        self._file.seek(self._start + self._at)
        return self._file.read(min(most, self._body - self._at))
