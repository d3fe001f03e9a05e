"""librosa, imported where it is needed and by one process at a time."""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext
from getpass import getuser
from typing import Any

from filelock import FileLock

from emelia.caches import set_numba_cache, temporary
from emelia.errors import MissingExtraError


def _user() -> str:
    """Tells users of a machine apart; in a container a number may have no name."""
    try:
        return getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def librosa(purpose: str) -> Any:
    """librosa, for a purpose that an error names.

    numba compiles parts of librosa at the first import and keeps them beside its files. Two
    processes that do so at once can leave parts that do not belong together, at which every
    later process crashes; so one waits for the other.

    Raises:
        MissingExtraError: librosa is not installed.
        StorageError: nothing can be written anywhere, not even temporary files.
    """
    set_numba_cache()
    lock = FileLock(temporary() / f"emelia-{_user()}-numba.lock")
    try:
        with nullcontext() if "librosa.core.pitch" in sys.modules else lock:
            import librosa
            import librosa.core.audio
            import librosa.core.pitch
    except ImportError:
        raise MissingExtraError(purpose, "librosa", "train") from None
    return librosa
