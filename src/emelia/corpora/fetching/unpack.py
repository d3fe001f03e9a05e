"""Unpack downloaded archives safely: plain files only, inside the folder, limited in size.

`shutil.unpack_archive` has no limit on size and number, which an archive made to fill the disk
(a "zip bomb") would exploit.
"""

from __future__ import annotations

import gzip
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from emelia.errors import CorpusError, StorageError

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
MOST_FILES = 200_000
MOST_BYTES = 200 * 2**30
MOST_TIMES = 50  # the largest ratio of unpacked size to archive size; sound has less
_BLOCK = 2**20  # bytes; a smaller archive may grow to MOST_TIMES blocks
_DAMAGED = (
    zipfile.BadZipFile, gzip.BadGzipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError,
    NotImplementedError, RuntimeError, ValueError, OverflowError,
)  # fmt: skip


def is_archive(name: str) -> bool:
    """Whether a file is an archive, by its name."""
    return name.lower().endswith(SUFFIXES)


def safe_path(name: str, what: str) -> Path:
    """A file name from a list or an archive, as a path that stays inside the target folder.

    Raises:
        CorpusError: it is absolute, empty, leads out of the folder or is one of Windows.
    """
    path = PurePosixPath(name)
    odd = "\\" in name or ":" in name or "\0" in name
    if odd or path.is_absolute() or ".." in path.parts or not path.parts:
        raise CorpusError(f"{what}: holds a file of the name {name!r}, which is not safe.")
    return Path(*path.parts)


def unpack(archive: Path, folder: Path) -> int:
    """Unpack an archive into a folder and return the number of files.

    Raises:
        CorpusError: it is damaged, or holds links, devices, too many or too large files.
        StorageError: the folder cannot be written.
    """
    most = min(MOST_BYTES, MOST_TIMES * max(archive.stat().st_size, _BLOCK))
    read = _from_zip if archive.name.lower().endswith(".zip") else _from_tar
    count = total = 0
    with _translate_errors(archive):
        for name, content in read(archive):
            count += 1
            if count > MOST_FILES:
                raise CorpusError(f"{archive}: holds more than {MOST_FILES} files.")
            total += _write(content, folder / safe_path(name, str(archive)), most - total, archive)
    return count


def _from_zip(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    with zipfile.ZipFile(archive) as file:
        for member in file.infolist():
            kind = stat.S_IFMT(member.external_attr >> 16)
            if member.is_dir():
                continue
            if kind not in (0, stat.S_IFREG):
                raise _not_plain(archive, member.filename)
            with file.open(member) as content:
                yield member.filename, content


def _from_tar(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    with tarfile.open(archive) as file:
        for member in file:
            if member.isdir():
                continue
            content = file.extractfile(member) if member.isreg() else None
            if content is None:
                raise _not_plain(archive, member.name)
            with content:
                yield member.name, content


def _not_plain(archive: Path, name: str) -> CorpusError:
    return CorpusError(f"{archive}: {name!r} is a link or device; expected plain files.")


def _write(content: IO[bytes], path: Path, most: int, archive: Path) -> int:
    """Write one file and return its size in bytes; the size the archive claims is not trusted."""
    size = 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        target = path.open("xb")
    except FileExistsError:
        raise CorpusError(f"{archive}: holds {path.name!r} twice.") from None
    except OSError as error:
        raise StorageError(f"{path}: cannot be written ({error.strerror}).") from error
    with target:
        while block := content.read(_BLOCK):
            size += len(block)
            if size > most:
                raise CorpusError(
                    f"{archive}: unpacks to more than {MOST_TIMES} times its size, or more than "
                    f"{MOST_BYTES >> 30} GB; no corpus does."
                )
            target.write(block)
    return size


@contextmanager
def _translate_errors(archive: Path) -> Iterator[None]:
    try:
        yield
    except _DAMAGED as error:
        raise CorpusError(f"{archive}: damaged or no archive ({error}).") from None
    except OSError as error:
        if error.errno is None:  # bz2 raises a bare OSError for damaged data
            raise CorpusError(f"{archive}: damaged or no archive ({error}).") from None
        raise StorageError(f"{archive}: cannot be unpacked ({error.strerror}).") from error
