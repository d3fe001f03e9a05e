"""One file over HTTP: it goes on where it stopped, and is checked before it counts.

What has come stays in `NAME.part`, with the server's mark of the version (ETag) in
`NAME.part.etag`: a later start asks only for the rest, and for all if the file has
changed since. Whatever a server does with that, the checksum has the last word.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable
from http.client import HTTPResponse
from pathlib import Path

from emelia.corpora.fetching.http import Again, Pause, ask, failures, persist
from emelia.corpora.sources import Remote
from emelia.errors import CorpusError, StorageError

_BLOCK = 2**18  # bytes
_POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\noid sha256:([0-9a-f]{64})\nsize (\d+)\n"
)

OnBytes = Callable[[int], None]  # bytes of the file that are here


def download(remote: Remote, path: Path, on_bytes: OnBytes, pause: Pause = time.sleep) -> None:
    """Get a file whole and right, or not at all; nothing to do where it is already.

    Raises:
        CorpusError: it cannot be had, or is not what was promised.
        StorageError: it cannot be written.
    """
    if remote.large:
        _download_large(remote, path, on_bytes, pause)
        return
    try:
        if path.is_file() and checksum(path, remote.checksum) == remote.checksum:
            on_bytes(_size(path))
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.part")
        resumed = part.exists()
        _transfer(remote, part, on_bytes, pause)
        if resumed and checksum(part, remote.checksum) != remote.checksum:
            _forget(part)  # its beginning was of another file
            _transfer(remote, part, on_bytes, pause)
        _verify(remote, part)
        part.replace(path)
        _forget(part)
    except OSError as error:  # those of the network have become others by now
        raise StorageError(f"{path}: cannot be written ({error.strerror or error}).") from error


def checksum(path: Path, like: str) -> str:
    """The checksum of a file, by the algorithm of another checksum."""
    algorithm = like.partition(":")[0]
    if algorithm == "git":
        digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    else:
        digest = hashlib.new(algorithm, usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return f"{algorithm}:{digest.hexdigest()}"


def _download_large(remote: Remote, path: Path, on_bytes: OnBytes, pause: Pause) -> None:
    """Get the file that a pointer of Git LFS names; the pointer is checked like any file."""
    place = path.with_name(f"{path.name}.pointer")
    pointer = Remote(remote.name, remote.url, remote.checksum, remote.size)
    download(pointer, place, lambda count: None, pause)
    match = _POINTER.fullmatch(place.read_bytes())
    if match is None:
        raise CorpusError(f"{remote.url}: expected a pointer of Git LFS, its keeper has changed.")
    digest, size = match[1].decode(), int(match[2])
    download(Remote(remote.name, remote.large, f"sha256:{digest}", size), path, on_bytes, pause)


def _transfer(remote: Remote, part: Path, on_bytes: OnBytes, pause: Pause) -> None:
    persist(lambda: _go_on(remote, part, on_bytes), remote.url, pause, progress=lambda: _size(part))


def _go_on(remote: Remote, part: Path, on_bytes: OnBytes) -> None:
    """Ask for what is missing and append it."""
    start = _size(part)
    if remote.size and start >= remote.size:
        return  # whole, or too long: the checksum tells
    with ask(remote.url, _rest_of(part) if start else {}) as answer:
        if answer.status != 200 and not _is_rest(answer, start):
            _forget(part)
            raise Again("the server does not send the rest of the file")
        here = start if answer.status == 206 else 0
        length = int(answer.headers.get("Content-Length") or 0)
        if remote.size and length and here + length != remote.size:
            _forget(part)
            raise CorpusError(
                f"{remote.url}: has {here + length} bytes, expected {remote.size}. Its keeper has "
                "changed it; get it by hand."
            )
        mark = answer.headers.get("ETag", "")
        _etag(part).write_text("" if mark.startswith("W/") else mark)  # weak ones do not tell
        whole = here + length if length else 0
        with part.open("ab" if here else "wb") as file:
            while block := _read(answer, remote.url):
                file.write(block)
                here += len(block)
                on_bytes(here)
    if here < whole:
        raise Again(f"the connection ended after {here} of {whole} bytes")


def _rest_of(part: Path) -> dict[str, str]:
    """Headers that ask for what comes after the part, if the file is still the same."""
    headers = {"Range": f"bytes={_size(part)}-"}
    if _etag(part).is_file() and (mark := _etag(part).read_text()):
        headers["If-Range"] = mark
    return headers


def _is_rest(answer: HTTPResponse, start: int) -> bool:
    """Whether the answer is what comes after the first `start` bytes."""
    match = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
    return answer.status == 206 and match is not None and int(match[1]) == start


def _read(answer: HTTPResponse, url: str) -> bytes:
    with failures(url):
        return answer.read1(_BLOCK)


def _verify(remote: Remote, part: Path) -> None:
    if (found := checksum(part, remote.checksum)) != remote.checksum:
        _forget(part)
        raise CorpusError(
            f"{remote.url}: is not the file that was expected (its checksum is {found}, not "
            f"{remote.checksum}). Try again; if it stays so, its keeper has changed it."
        )


def _forget(part: Path) -> None:
    part.unlink(missing_ok=True)
    _etag(part).unlink(missing_ok=True)


def _etag(part: Path) -> Path:
    return part.with_name(f"{part.name}.etag")


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0
