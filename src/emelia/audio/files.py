"""Recordings in a folder and those inside it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

# What a folder is searched for; the decoder itself goes by the bytes. The second row needs the
# extra `media`; without it such a file is named with the reason, not passed over.
SUFFIXES = (
    ".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3",
    ".m4a", ".mp4", ".webm", ".mka", ".mkv",
)  # fmt: skip


def files_below(root: Path) -> Iterator[str]:
    """Paths of the files with one of `SUFFIXES`, in any case, as `root` begins them.

    Links are followed, each folder is entered once; hidden files and folders are skipped.

    Raises:
        OSError: a folder cannot be listed.
    """
    entered: set[str] = set()
    for folder, inner, names in os.walk(root, followlinks=True, onerror=_give_up):
        real = os.path.realpath(folder)
        known = real in entered  # by a link that leads back
        entered.add(real)
        inner[:] = [] if known else sorted(name for name in inner if name[0] != ".")
        for name in [] if known else names:
            if name.lower().endswith(SUFFIXES) and name[0] != ".":
                yield os.path.join(folder, name)


def _give_up(error: OSError) -> None:
    raise error
