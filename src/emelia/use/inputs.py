"""Finds the recordings that a folder, list, glob pattern or path stands for."""

from __future__ import annotations

import csv
import glob
import io
import os
from collections.abc import Callable
from pathlib import Path

from emelia.audio.files import EXPECTED, Found, find_recordings
from emelia.errors import AudioError
from emelia.storage import expanded

_LISTS = (".txt", ".csv")
_COLUMNS = ("path", "file")  # of a CSV list; the first that is there


def recordings(where: str | Path, warn: Callable[[str], None] | None = None) -> list[str]:
    """Paths of all recordings that a path, list or pattern stands for, each once.

    Args:
        where: a folder, searched with those inside it, sorted by path; a .txt file with a path
            a line or a .csv file with a column `path` or `file`, in their order, relative paths
            from the list's folder; a pattern such as `talks/**/*.mp3`, sorted; one recording.
        warn: is told of what looks like a recording in a folder and cannot be read, a line a kind.

    Raises:
        AudioError: there is no such place, or no recording in it.
    """
    path = expanded(where)
    lines: list[str] = []
    if os.path.isdir(path):
        inside = _below(path)
        found = inside.files
        lines = [f"{where}: {line}" for line in inside.lines()]
    elif path.suffix.lower() in _LISTS and os.path.isfile(path):
        found = [str(path.parent / name) for name in _listed(path)]
    elif os.path.lexists(path):
        found = [str(path)]
    elif glob.has_magic(str(path)):
        found = sorted(name for name in glob.iglob(str(path), recursive=True) if _no_folder(name))
    else:
        raise AudioError(f"{where}: no such file or folder. Check the path.")
    if not found:
        raise AudioError(" ".join([f"{where}: no recordings here; expected .{EXPECTED}.", *lines]))
    for line in lines:
        if warn:
            warn(line)
    # A list may name a file twice, and one file needs one answer.
    return list(dict.fromkeys(found))


def _below(folder: Path) -> Found:
    try:
        return find_recordings(folder)
    except OSError as error:
        raise AudioError(
            f"{error.filename}: this folder cannot be read ({error.strerror})."
        ) from None


def _no_folder(name: str) -> bool:
    return not os.path.isdir(name)


def _listed(path: Path) -> list[str]:
    """The names in a list, without empty lines."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        names = _column(text, path) if path.suffix.lower() == ".csv" else text.split("\n")
    except (UnicodeDecodeError, csv.Error) as error:
        raise AudioError(f"{path}: not a list of recordings in UTF-8 ({error}).") from None
    except OSError as error:
        raise AudioError(f"{path}: cannot be read ({error.strerror or error}).") from None
    return [name for name in names if name.strip()]


def _column(text: str, path: Path) -> list[str]:
    table = csv.DictReader(io.StringIO(text))
    header = table.fieldnames or ()
    for name in _COLUMNS:
        if name in header:
            return [row[name] or "" for row in table]
    raise AudioError(
        f"{path}: columns {', '.join(header) or 'none'}; expected one named path or file."
    )
