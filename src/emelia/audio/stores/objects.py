"""Recordings in an object store or at a web address, through fsspec (extra `objects`).

A recording is fetched whole before it is decoded, as any other within the limits of `decode`;
what is larger than memory should hold waits in a temporary file.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from shutil import copyfileobj
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO, TypeGuard, cast

from emelia.audio.files import SUFFIXES
from emelia.errors import AudioError, MissingExtraError

# Not those that read this machine or run a command (file, local, ssh, simplecache::...).
_REMOTE = re.compile(r"(s3a?|gs|gcs|abfss?|az|hdfs|webhdfs|https?|memory)://[^:]", re.IGNORECASE)
_IN_MEMORY = 32_000_000  # bytes
_NS = 1_000_000_000


def is_remote(place: object) -> TypeGuard[str]:
    """Whether a place is the address of an object: s3://bucket/a.wav."""
    return isinstance(place, str) and bool(_REMOTE.match(place)) and "::" not in place


@contextmanager
def fetched(address: str) -> Iterator[BinaryIO]:
    """The content of an object as a file that is open for reading.

    Raises:
        AudioError: it is not there or cannot be read.
        MissingExtraError: the package for such addresses is not installed.
    """
    with SpooledTemporaryFile(_IN_MEMORY) as file:
        try:
            with _store(address).open(address, "rb") as there:
                copyfileobj(there, file, 1 << 20)
        except FileNotFoundError:
            raise AudioError(f"{address}: no such object.") from None
        except Exception as error:  # each kind of store has errors of its own
            raise _unreadable(address, error) from None
        file.seek(0)
        yield cast("BinaryIO", file)


def find_objects(place: str) -> list[str]:
    """Addresses of all recordings below a place, or that fit a pattern, sorted; or of one object.

    Raises:
        AudioError, MissingExtraError: see `fetched`.
    """
    if place.lower().endswith(SUFFIXES) and "*" not in place:
        return [place]
    try:
        store = _store(place)
        found = store.glob(place) if "*" in place else store.find(place)
        names = sorted(name for name in found if name.lower().endswith(SUFFIXES))
        return [name if is_remote(name) else str(store.unstrip_protocol(name)) for name in names]
    except MissingExtraError:
        raise
    except Exception as error:
        raise _unreadable(place, error) from None


def mark_of_object(address: str) -> tuple[int, int]:
    """Bytes and time of change of an object, or another number that changes with it."""
    try:
        about = _store(address).info(address)
    except Exception:
        return (0, 0)  # reading it will tell why
    changed = next((about[k] for k in ("LastModified", "mtime", "updated", "created", "ETag")
                    if about.get(k)), 0)  # fmt: skip
    when = changed.timestamp() if hasattr(changed, "timestamp") else None
    number = round(when * _NS) if when else zlib.crc32(str(changed).encode())
    return (int(about.get("size") or 0), number)


@lru_cache(maxsize=8)
def _store_of(scheme: str) -> Any:
    try:
        import fsspec
    except ImportError:
        raise MissingExtraError(f"reading {scheme}://", "fsspec", "objects") from None
    try:
        return fsspec.filesystem(scheme)
    except ImportError as error:
        needed = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs"}.get(scheme)
        package = needed or str(error).split()[-1]
        raise MissingExtraError(f"reading {scheme}://", package, "objects") from None


def _store(address: str) -> Any:
    return _store_of(address.partition("://")[0].lower())


def _unreadable(address: str, error: Exception) -> Exception:
    if isinstance(error, MissingExtraError | AudioError):
        return error
    told = (str(error).splitlines() or [type(error).__name__])[0][:200]
    return AudioError(f"{address}: cannot be read ({told}).")
