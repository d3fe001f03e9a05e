"""Import librosa when it is needed, one process at a time."""

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
    """Name of the user; the number where it has no name, as in a container."""
    try:
        return getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def librosa(purpose: str) -> Any:
    """Return the module librosa; `purpose` says in an error what needs it.

    numba compiles parts of librosa at the first import and caches them on disk. Two processes
    that compile at the same time can leave a cache whose parts do not match, and every later
    process crashes. So one waits for the other.

    Raises:
        MissingExtraError: librosa is not installed.
        StorageError: not even temporary files can be written.
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
