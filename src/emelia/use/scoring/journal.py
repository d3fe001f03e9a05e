"""The journal of a scoring: an SQLite file with every row that is finished.

A run that was ended goes on from it. It stays when the table is written, so that the same command
later scores only what is new or has changed. It holds the settings the rows were made with, and
refuses others.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from emelia.audio.stores.objects import is_remote, mark_of_object
from emelia.errors import StorageError
from emelia.text import from_json

Row = tuple[Any, ...]  # the columns after `path`
Mark = tuple[int, int]  # bytes and time of change, which tell a file from its later self

_SCHEMA = """
CREATE TABLE IF NOT EXISTS about (one INTEGER PRIMARY KEY CHECK (one = 1), text TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS rows
    (path BLOB PRIMARY KEY, size INTEGER, changed INTEGER, row TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS failures (path BLOB PRIMARY KEY, reason TEXT NOT NULL) WITHOUT ROWID;
"""
_MIX = "mix"  # the channel, where none is noted
_COMMIT_EVERY = 1.0  # s of work a kill can cost at most
_REMEDIES = {
    "SQLITE_BUSY": "another process is working here. Wait until it has finished.",
    "SQLITE_FULL": "the disk is full. Free some space; the same command goes on from there.",
    "SQLITE_READONLY": "no permission to write here. Change it or choose another output.",
    "SQLITE_CANTOPEN": "cannot be written here. Choose another output.",
    "SQLITE_NOTADB": "damaged, or not one of ours. Delete it to start anew.",
    "SQLITE_CORRUPT": "damaged. Delete it to start anew.",
}


class Journal:
    """Finished rows by path, to be used in a `with` statement by one process at a time.

    Raises:
        StorageError: another process has it open, it belongs to other settings, it is
            damaged, or it cannot be written; also from every method.
    """

    def __init__(self, path: Path, about: Mapping[str, str]) -> None:
        self.path = path
        self._committed = time.monotonic()
        with self._refusals():
            self._base = sqlite3.connect(path, timeout=0, isolation_level=None)
            try:
                self._begin(dict(about))
            except BaseException:
                self._base.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.commit()
        finally:
            self._base.close()

    def has(self, path: str, mark: Mark) -> bool:
        """Whether a recording, as it is now, has been scored."""
        with self._refusals():
            found = self._base.execute(
                "SELECT size, changed FROM rows WHERE path = ?", (os.fsencode(path),)
            )
            return bool(found.fetchone() == mark)

    def rows(self, path: str) -> dict[str, Row]:
        """The rows of a recording by channel; none where it could not be scored."""
        with self._refusals():
            found = self._base.execute(
                "SELECT row FROM rows WHERE path = ?", (os.fsencode(path),)
            ).fetchone()
            return _rows_in(found[0]) if found else {}

    def reason(self, path: str) -> str | None:
        """Why a recording could not be scored in this run; None where it could."""
        query = "SELECT reason FROM failures WHERE path = ?"
        with self._refusals():
            found = self._base.execute(query, (os.fsencode(path),)).fetchone()
        return found[0] if found else None

    def add(self, path: str, mark: Mark, rows: Mapping[str, Row]) -> None:
        """Store the rows of a recording by channel; the only one is called ""."""
        with self._refusals():
            text = json.dumps(rows.get("", rows), ensure_ascii=False)
            self._base.execute(
                "REPLACE INTO rows VALUES (?, ?, ?, ?)", (os.fsencode(path), *mark, text)
            )
        self._commit_sometimes()

    def add_failure(self, path: str, reason: str) -> None:
        """Store why a recording could not be scored; the next run tries again."""
        with self._refusals():
            self._base.execute("DELETE FROM rows WHERE path = ?", (os.fsencode(path),))
            self._base.execute("REPLACE INTO failures VALUES (?, ?)", (os.fsencode(path), reason))
        self._commit_sometimes()

    def commit(self) -> None:
        """Write everything added so far to the disk."""
        with self._refusals():
            if self._base.in_transaction:
                self._base.execute("COMMIT")
            self._base.execute("BEGIN")
        self._committed = time.monotonic()

    def _begin(self, about: dict[str, str]) -> None:
        self._base.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._base.execute("BEGIN EXCLUSIVE")  # kept, with that mode, until the file is closed
        for statement in _SCHEMA.split(";\n"):
            self._base.execute(statement)
        found = self._base.execute("SELECT text FROM about").fetchone()
        if found:
            self._compare(dict(from_json(found[0])), about)
        self._base.execute("REPLACE INTO about VALUES (1, ?)", (json.dumps(about),))
        # What failed for want of memory or a disk may succeed now, so each run tries all of them
        # again.
        self._base.execute("DELETE FROM failures")
        self.commit()

    def _compare(self, before: dict[str, str], now: dict[str, str]) -> None:
        for key in {**before, **now}:
            if before.get(key) != now.get(key):
                raise StorageError(
                    f"{self.path}: begun with {key} {before.get(key, _MIX)}, "
                    f"now it is {now.get(key, _MIX)}. "
                    "Choose another output, or delete this file and the output to start anew."
                )

    def _commit_sometimes(self) -> None:
        if time.monotonic() - self._committed > _COMMIT_EVERY:
            self.commit()

    @contextlib.contextmanager
    def _refusals(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            name = getattr(error, "sqlite_errorname", "")
            remedy = next((text for code, text in _REMEDIES.items() if name.startswith(code)), "")
            reason = remedy or f"cannot be written ({error}). Check the disk."
            raise StorageError(f"{self.path}: {reason}") from error
        except (ValueError, TypeError):  # a row that is none
            raise StorageError(f"{self.path}: {_REMEDIES['SQLITE_CORRUPT']}") from None


def _rows_in(text: str) -> dict[str, Row]:
    """The rows of a recording by channel, as `Journal.add` writes them.

    Raises:
        ValueError, TypeError: the text is no such rows.
    """
    told = from_json(text)
    rows = told if isinstance(told, dict) else {"": told}  # a list is that of the whole recording
    if not all(isinstance(row, list) and row and isinstance(row[0], str) for row in rows.values()):
        raise ValueError
    return {channel: tuple(row) for channel, row in rows.items()}


def mark_of(path: str) -> Mark:
    """Size in bytes and time of change in ns of a file; zeros where there is none.

    A copy may keep the modification time of the file that it replaces; the change time differs.
    """
    if is_remote(path):
        return mark_of_object(path)
    try:
        status = os.stat(path)
    except OSError:
        return (0, 0)
    return (status.st_size, max(status.st_mtime_ns, status.st_ctime_ns))
