"""Cache folders of emelia and of the packages it uses.

It is the user's cache folder or, where that cannot be written, as in a container without a home
folder, a temporary one. Child processes share the temporary folder; it is deleted when the process
that made it ends.
"""

from __future__ import annotations

import atexit
import os
import shutil
import sys
import tempfile
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from platformdirs import user_cache_path

from emelia.errors import StorageError
from emelia.storage import ensure_writable, expanded

_SCRATCH = "EMELIA_SCRATCH"  # environment variable that names the temporary folder to children


def persistent_cache() -> Path:
    """The cache folder for later runs: $EMELIA_CACHE, or emelia's in the user's cache folder."""
    if chosen := os.environ.get("EMELIA_CACHE"):
        return expanded(chosen)
    try:
        return user_cache_path("emelia", appauthor=False)
    except RuntimeError:  # the user's home folder is unknown
        return Path("~/.cache/emelia")


def cache_root() -> Path:
    """The cache folder: `persistent_cache`, or a temporary folder where that cannot be written.

    Raises:
        StorageError: temporary files cannot be written either.
    """
    folder = persistent_cache()
    return folder if os.environ.get("EMELIA_CACHE") or _is_writable(folder) else scratch()


def writable_folder(usual: Path, name: str) -> Path:
    """A package's `usual` cache folder, or `name` in `cache_root` where that cannot be written.

    Raises:
        StorageError: see `cache_root`.
    """
    return usual if _is_writable(usual.absolute()) else cache_root() / name


def scratch() -> Path:
    """The temporary folder of this process and its children.

    Raises:
        StorageError: temporary files cannot be written.
    """
    if known := os.environ.get(_SCRATCH):
        return Path(known)
    made = Path(tempfile.mkdtemp(prefix="emelia-", dir=temporary()))
    os.environ[_SCRATCH] = str(made)
    atexit.register(_remove, made, os.getpid())
    return made


def temporary() -> Path:
    """The system's folder for temporary files.

    Raises:
        StorageError: no such folder can be written.
    """
    try:
        return Path(tempfile.gettempdir())
    except OSError:
        raise StorageError(
            "no folder for temporary files can be written. Let TMPDIR name one that can."
        ) from None


def set_numba_cache() -> None:
    """Set $NUMBA_CACHE_DIR to a folder that can be written; call it before importing librosa.

    numba caches compiled functions beside librosa's files, and fails where it cannot.
    """
    chosen, found = os.environ.get("NUMBA_CACHE_DIR"), find_spec("librosa")
    if found and found.origin:
        beside = Path(found.origin).parent / "core" / "__pycache__"
        if not _is_writable(Path(chosen).absolute() if chosen else beside):
            os.environ["NUMBA_CACHE_DIR"] = str(cache_root() / "numba")


def set_matplotlib_cache() -> None:
    """Set $MPLCONFIGDIR to a folder that can be written; call it before importing matplotlib.

    Otherwise matplotlib searches for fonts in every run, and warns of it.
    """
    chosen = os.environ.get("MPLCONFIGDIR")
    places = [Path(chosen).absolute()] if chosen else _matplotlib_folders()
    if not all(map(_is_writable, places)):
        os.environ["MPLCONFIGDIR"] = str(cache_root() / "matplotlib")


def _matplotlib_folders() -> list[Path]:
    """The folders where matplotlib keeps settings and cache."""
    if not sys.platform.startswith(("linux", "freebsd")):
        return [expanded("~/.matplotlib")]
    usual = {"XDG_CONFIG_HOME": "~/.config", "XDG_CACHE_HOME": "~/.cache"}
    return [expanded(os.environ.get(k) or home) / "matplotlib" for k, home in usual.items()]


@cache
def _is_writable(folder: Path) -> bool:
    """Whether files can be written in a folder; it is created where missing."""
    if not folder.is_absolute():  # without a home folder `~` stays, and would be created
        return False
    try:
        ensure_writable(folder)
    except StorageError:
        return False
    return True


def _remove(folder: Path, maker: int) -> None:
    if os.getpid() == maker:  # not in a fork, whose exit must not delete it
        shutil.rmtree(folder, ignore_errors=True)
