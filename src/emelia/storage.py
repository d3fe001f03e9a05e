"""Safe file access: atomic writes, appended lines, locks, a cache of arrays.

If a writer is killed, readers find the old file or the new one, never a half, and every line whose
writing was confirmed. Errors of the operating system become a StorageError of one line.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import secrets
import tempfile
import time
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from emelia.errors import StorageError

_BLOCK = 65_536  # bytes searched at a time for the end of the last complete line
_DIGEST = 32  # bytes of a SHA-256
_PARTIAL = re.compile(r".*\.[0-9a-f]{8}\.part", re.DOTALL)
_OLD = 600.0  # s since a partial file was written to, that its writer may have been killed

_REASONS = {
    errno.ENOSPC: "the disk is full. Free some space or choose another folder.",
    errno.EDQUOT: "your disk quota is used up. Free some space or choose another folder.",
    errno.EROFS: "the disk is read-only. Choose another folder.",
    errno.EACCES: "no permission to write here. Change it or choose another folder.",
    errno.EPERM: "no permission to write here. Change it or choose another folder.",
    errno.EEXIST: "a file stands where a folder should be. Move it or choose another folder.",
    errno.ENOTDIR: "a file stands where a folder should be. Move it or choose another folder.",
    errno.EISDIR: "a folder stands where a file should be. Move it or choose another name.",
}


def expanded(place: str | Path) -> Path:
    """Replace a leading `~` as a shell does; it stays where the home folder is unknown.

    `Path.expanduser` raises an error there.
    """
    return Path(os.path.expanduser(place))


def file_stamp(path: Path) -> list[int]:
    """Size, modification time and change time (ns) of a file: another list after every change.

    A copy may keep size and modification time of the file it replaces; the change time differs.

    Raises:
        OSError: there is no such file.
    """
    status = path.stat()
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file: readers see the old content or the new, never a part.

    Raises:
        StorageError: it cannot be written; the old content is untouched.
    """
    with open_atomically(path) as file:
        file.write(data)


@contextlib.contextmanager
def open_atomically(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing; it appears under its name once the block ends without an error.

    For content too large for the memory that `write_atomically` needs.

    Raises:
        StorageError: it cannot be written; the old content is untouched.
    """
    if not path.name:
        raise StorageError(f"{path}: a folder; expected the name of a file.")
    # Cut, since a name may be as long as the system allows: 255 bytes, of four a letter at most.
    partial = path.with_name(f"{path.name[:50]}.{secrets.token_hex(4)}.part")
    with _translate_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        _clear_left_over(path.parent.absolute())
        try:
            with partial.open("wb") as file:
                _hold(file)
                yield file
                file.flush()
                os.fsync(file.fileno())  # else a power cut could leave an empty file
            partial.replace(path)
        finally:
            with contextlib.suppress(OSError):
                partial.unlink()


@cache
def _clear_left_over(folder: Path) -> None:
    """Remove what killed writers left in a folder; once a process, when it first writes there."""
    with contextlib.suppress(OSError):
        for entry in os.scandir(folder):
            if _PARTIAL.fullmatch(entry.name) and time.time() - entry.stat().st_mtime > _OLD:
                with contextlib.suppress(OSError), open(entry.path, "rb") as file:
                    if _hold(file):
                        os.unlink(entry.path)


def _hold(file: BinaryIO) -> bool:
    """Lock an open file until it is closed, also by the end of its process; False: another has."""
    try:
        import fcntl
    except ImportError:  # Windows, which does not remove a file that is open
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:  # some file systems have no locks: then its age decides
        return error.errno not in (errno.EAGAIN, errno.EACCES)
    return True


def append_line(path: Path, line: str) -> None:
    """Append one line durably; a half line that a killed writer left is removed first.

    Only one process at a time may append: hold a `lock`.

    Raises:
        StorageError: it cannot be written; the lines before are untouched.
    """
    if "\n" in line:
        raise ValueError("a line cannot have a line break inside")
    with _translate_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        # Unbuffered: on closing, a buffer would write again what the disk has refused.
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        with open(descriptor, "r+b", buffering=0) as file:
            end = _end_of_last_line(cast(BinaryIO, file))
            file.truncate(end)
            try:
                _write_all(cast(BinaryIO, file), end, f"{line}\n".encode())
            except OSError:
                file.truncate(end)
                raise


def read_lines(path: Path) -> list[str]:
    """The complete lines of a file, without a half last line; none where there is no file."""
    with _translate_errors(path, "cannot be read"):
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return []
    try:
        return data[: data.rfind(b"\n") + 1].decode().split("\n")[:-1]
    except UnicodeDecodeError as error:
        raise StorageError(
            f"{path}: not UTF-8 text at byte {error.start}, so it is damaged or not one of ours. "
            "Move it away to start anew."
        ) from None


def ensure_writable(folder: Path) -> None:
    """Make a folder and test that it can be written, before hours of work depend on it.

    Raises:
        StorageError: it cannot be created or written.
    """
    with _translate_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(4096))  # an empty file would fit even on a full disk
            file.flush()


@contextlib.contextmanager
def lock(path: Path) -> Iterator[None]:
    """Lock a file or folder against other processes; the lock of a killed process is released.

    The lock file is `.lock` inside a folder, or `NAME.lock` beside a file.

    Raises:
        StorageError: another process holds it, or the lock file cannot be written.
    """
    name = path / ".lock" if path.is_dir() else path.with_name(f"{path.name}.lock")
    held = FileLock(name, timeout=0)
    with _translate_errors(path):
        name.parent.mkdir(parents=True, exist_ok=True)
        try:
            held.acquire()
        except Timeout:
            raise StorageError(
                f"{path}: another process is working here. "
                "Wait until it has finished, or choose another folder."
            ) from None
    try:
        yield
    finally:
        held.release()


class ArrayCache:
    """A cache on disk of float32 or float16 arrays. A key names all that an array depends on.

    An entry is a .npy file followed by its SHA-256: a damaged one counts as missing.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def get(self, key: str) -> NDArray[np.floating[Any]] | None:
        """Return the array of a key; None where it is missing or damaged."""
        try:
            entry = self._path(key).read_bytes()
        except OSError:
            return None
        body, check = entry[:-_DIGEST], entry[-_DIGEST:]
        if sha256(body).digest() != check:
            return None
        try:
            array = np.lib.format.read_array(io.BytesIO(body), allow_pickle=False)
        except ValueError:  # not ours, though whoever wrote it knew the check
            return None
        return cast("NDArray[np.floating[Any]]", array)

    def put(self, key: str, array: NDArray[np.floating[Any]]) -> None:
        """Store an array under a key; other types than float16 become float32.

        Raises:
            StorageError: the folder cannot be written.
        """
        body, kind = io.BytesIO(), np.float16 if array.dtype == np.float16 else np.float32
        np.lib.format.write_array(body, np.asarray(array, dtype=kind), allow_pickle=False)
        data = body.getvalue()
        write_atomically(self._path(key), data + sha256(data).digest())

    def _path(self, key: str) -> Path:
        # Hashed, so that a key may be any text.
        return self.folder / f"{sha256(key.encode()).hexdigest()}.npy"


def _end_of_last_line(file: BinaryIO) -> int:
    """Position after the last line break; 0 where there is none."""
    end = file.seek(0, os.SEEK_END)
    while end:
        start = max(0, end - _BLOCK)
        file.seek(start)
        found = file.read(end - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


def _write_all(file: BinaryIO, position: int, data: bytes) -> None:
    file.seek(position)
    while data:  # an unbuffered write may take only a part
        data = data[file.write(data) :]
    os.fsync(file.fileno())


@contextlib.contextmanager
def _translate_errors(path: Path, verb: str = "cannot be written") -> Iterator[None]:
    """Turn an OSError into a StorageError that says what to do."""
    try:
        yield
    except OSError as error:
        reason = _REASONS.get(error.errno or 0)
        if reason is None or verb != "cannot be written":
            reason = f"{verb} ({error.strerror or error}). Check the path and the disk."
        raise StorageError(f"{path}: {reason}") from error
