"""Find the file that a table means, where it was written on another machine.

Windows separates folders by backslashes; macOS writes accents as letters of their own; tables may
have absolute paths of the machine they were made on, or leave out `.wav`.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path, PureWindowsPath

from emelia.audio.files import SUFFIXES


def find_file(folder: Path, name: str) -> Path:
    """The file of this name below a folder; where there is none, the path it should have."""
    asked = Path(os.path.normpath(folder / _posix(folder, name)))
    return next((path for path in _places(folder, asked, name) if os.path.lexists(path)), asked)


def as_on_disk(path: Path) -> Path:
    """An existing path whose names differ from these only in how accents are written."""
    if os.path.lexists(path) or path.parent == path:
        return path
    parent = as_on_disk(path.parent)
    try:
        changed = parent.stat().st_mtime_ns
        return parent / _names(str(parent), changed).get(_composed(path.name), path.name)
    except OSError:
        return path


def _places(folder: Path, asked: Path, name: str) -> Iterator[Path]:
    """Where the file may lie, the most certain first."""
    yield asked
    yield as_on_disk(asked)
    if not asked.name.lower().endswith(SUFFIXES):
        for suffix in SUFFIXES:
            yield as_on_disk(asked.with_name(asked.name + suffix))
    plain = PureWindowsPath(name)  # understands both separators
    if plain.root or plain.drive:  # an absolute path of another machine: keep ever less of it
        for start in range(1, len(plain.parts)):
            yield as_on_disk(folder.joinpath(*plain.parts[start:]))


def _posix(folder: Path, name: str) -> str:
    """The name with slashes, unless a file has backslashes in its name."""
    return name if os.path.lexists(folder / name) else name.replace("\\", "/")


@lru_cache(maxsize=64)  # a table names many files of one folder
def _names(folder: str, _changed: int) -> dict[str, str]:
    """The names in a folder by their composed form; the time of change keeps it current."""
    return {_composed(name): name for name in os.listdir(folder)}


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)
