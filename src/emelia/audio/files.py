"""Find the recordings in a folder and its subfolders."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

# File names to search for; the decoder recognises formats by their bytes. The second row needs the
# extra `media`: without it such a file is found, and reported with the reason it is left out.
SUFFIXES = (
    ".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3",
    ".m4a", ".mp4", ".webm", ".mka", ".mkv",
)  # fmt: skip


def files_below(root: Path) -> Iterator[str]:
    """Yield the paths, beginning with `root`, of files with one of `SUFFIXES` in any case.

    Links are followed, but each folder is entered once; hidden files and folders are skipped.

    Raises:
        OSError: a folder cannot be listed.
    """
    entered: set[str] = set()
    for folder, inner, names in os.walk(root, followlinks=True, onerror=_give_up):
        real = os.path.realpath(folder)
        known = real in entered  # a link may lead back to a folder above
        entered.add(real)
        inner[:] = [] if known else sorted(name for name in inner if name[0] != ".")
        for name in [] if known else names:
            if name.lower().endswith(SUFFIXES) and name[0] != ".":
                yield os.path.join(folder, name)


def _give_up(error: OSError) -> None:
    raise error
