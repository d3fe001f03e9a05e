"""Download one file over HTTP: resume where an earlier attempt stopped, verify the checksum.

A partial download is `NAME.part`, with the server's version of the file (ETag) in
`NAME.part.etag`. The next attempt asks for the remaining bytes (Range), or for the whole file if
its ETag has changed.

The package pooch is not used: it starts an interrupted download again from the beginning, knows
neither git's checksums nor Git LFS, and unpacks archives without limits. Corpora have gigabytes.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable
from http.client import HTTPResponse
from pathlib import Path

from emelia.corpora.fetching.http import Pause, RetryableError, open_url, retry, translate_errors
from emelia.corpora.sources import Remote
from emelia.errors import CorpusError, StorageError

_BLOCK = 2**18  # bytes
_POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\noid sha256:([0-9a-f]{64})\nsize (\d+)\n"
)

OnBytes = Callable[[int], None]  # bytes of the file that have arrived


def download(remote: Remote, path: Path, on_bytes: OnBytes, pause: Pause = time.sleep) -> None:
    """Download a file to `path`, or leave nothing there; do nothing where it is already.

    Raises:
        CorpusError: it cannot be downloaded, or its checksum is another.
        StorageError: `path` cannot be written.
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
            _delete(part)  # the partial download was of another file
            _transfer(remote, part, on_bytes, pause)
        _verify(remote, part)
        part.replace(path)
        _delete(part)
    except OSError as error:  # of the disk: network errors have become CorpusError before
        raise StorageError(f"{path}: cannot be written ({error.strerror or error}).") from error


def checksum(path: Path, like: str) -> str:
    """The checksum of a file, computed by the algorithm of the checksum `like`."""
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
    """Download the content that a Git LFS pointer names; the pointer is verified, too."""
    place = path.with_name(f"{path.name}.pointer")
    pointer = Remote(remote.name, remote.url, remote.checksum, remote.size)
    download(pointer, place, lambda count: None, pause)
    match = _POINTER.fullmatch(place.read_bytes())
    if match is None:
        raise CorpusError(f"{remote.url}: expected a Git LFS pointer; the host has changed.")
    digest, size = match[1].decode(), int(match[2])
    download(Remote(remote.name, remote.large, f"sha256:{digest}", size), path, on_bytes, pause)


def _transfer(remote: Remote, part: Path, on_bytes: OnBytes, pause: Pause) -> None:
    retry(lambda: _resume(remote, part, on_bytes), remote.url, pause, progress=lambda: _size(part))


def _resume(remote: Remote, part: Path, on_bytes: OnBytes) -> None:
    """Ask for the missing bytes and append them."""
    start = _size(part)
    if remote.size and start >= remote.size:
        return  # complete, or too long, which the checksum will show
    with open_url(remote.url, _rest_of(part) if start else {}) as answer:
        if answer.status != 200 and not _is_rest(answer, start):
            _delete(part)
            raise RetryableError("the server does not send the rest of the file")
        here = start if answer.status == 206 else 0
        length = int(answer.headers.get("Content-Length") or 0)
        if remote.size and length and here + length != remote.size:
            _delete(part)
            raise CorpusError(
                f"{remote.url}: has {here + length} bytes, expected {remote.size}. The host has "
                "changed it; get it by hand."
            )
        etag = answer.headers.get("ETag", "")
        # A weak ETag does not promise equal bytes, which resuming needs.
        _etag(part).write_text("" if etag.startswith("W/") else etag)
        whole = here + length if length else 0
        with part.open("ab" if here else "wb") as file:
            while block := _read(answer, remote.url):
                file.write(block)
                here += len(block)
                on_bytes(here)
    if here < whole:
        raise RetryableError(f"the connection ended after {here} of {whole} bytes")


def _rest_of(part: Path) -> dict[str, str]:
    """Headers that ask for the bytes after the partial download, if the file is unchanged."""
    headers = {"Range": f"bytes={_size(part)}-"}
    if _etag(part).is_file() and (etag := _etag(part).read_text()):
        headers["If-Range"] = etag
    return headers


def _is_rest(answer: HTTPResponse, start: int) -> bool:
    """Whether the answer holds the bytes from `start` on."""
    match = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
    return answer.status == 206 and match is not None and int(match[1]) == start


def _read(answer: HTTPResponse, url: str) -> bytes:
    with translate_errors(url):
        return answer.read1(_BLOCK)


def _verify(remote: Remote, part: Path) -> None:
    if (found := checksum(part, remote.checksum)) != remote.checksum:
        _delete(part)
        raise CorpusError(
            f"{remote.url}: is not the file that was expected (its checksum is {found}, not "
            f"{remote.checksum}). Try again; if it stays so, the host has changed it."
        )


def _delete(part: Path) -> None:
    part.unlink(missing_ok=True)
    _etag(part).unlink(missing_ok=True)


def _etag(part: Path) -> Path:
    return part.with_name(f"{part.name}.etag")


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0
