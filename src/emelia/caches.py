"""Where what can be made again is kept, by emelia and by packages that it uses.

That is the user's cache folder. Where nobody may write there, as in a container without a home,
a temporary folder takes its place: it is shared with the processes that are started and goes
with the one that made it.
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

_SCRATCH = "EMELIA_SCRATCH"  # tells processes that are started of the temporary folder


def persistent_cache() -> Path:
    """Where things are kept for later runs: $EMELIA_CACHE, or the user's cache folder."""
    if chosen := os.environ.get("EMELIA_CACHE"):
        return expanded(chosen)
    try:
        return user_cache_path("emelia", appauthor=False)
    except RuntimeError:  # nobody knows the user's home
        return Path("~/.cache/emelia")


def cache_root() -> Path:
    """Where things that can be made again are kept.

    It is `persistent_cache`, or a temporary folder where the user's cache folder cannot be written.

    Raises:
        StorageError: there is no place for temporary files either.
    """
    folder = persistent_cache()
    return folder if os.environ.get("EMELIA_CACHE") or _takes_files(folder) else scratch()


def writable_folder(usual: Path, name: str) -> Path:
    """The folder a package keeps things in, or one called `name` where that cannot be written.

    Raises:
        StorageError: see `cache_root`.
    """
    return usual if _takes_files(usual.absolute()) else cache_root() / name


def scratch() -> Path:
    """The temporary folder of this process and those it starts.

    Raises:
        StorageError: there is no place for temporary files.
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
        StorageError: there is none that can be written.
    """
    try:
        return Path(tempfile.gettempdir())
    except OSError:
        raise StorageError(
            "no folder for temporary files can be written. Let TMPDIR name one that can."
        ) from None


def set_numba_cache() -> None:
    """Before librosa is imported: let numba keep what it compiles where files can be written.

    It keeps it beside librosa's files, and refuses to work where it can be kept nowhere.
    """
    chosen, found = os.environ.get("NUMBA_CACHE_DIR"), find_spec("librosa")
    if found and found.origin:
        beside = Path(found.origin).parent / "core" / "__pycache__"
        if not _takes_files(Path(chosen).absolute() if chosen else beside):
            os.environ["NUMBA_CACHE_DIR"] = str(cache_root() / "numba")


def set_matplotlib_cache() -> None:
    """Before matplotlib is imported: let it keep its list of fonts where files can be written.

    Left alone it takes a temporary folder each time, and says so.
    """
    chosen = os.environ.get("MPLCONFIGDIR")
    places = [Path(chosen).absolute()] if chosen else _of_matplotlib()
    if not all(map(_takes_files, places)):
        os.environ["MPLCONFIGDIR"] = str(cache_root() / "matplotlib")


def _of_matplotlib() -> list[Path]:
    """Its own choice of folders, for settings and for what it keeps."""
    if not sys.platform.startswith(("linux", "freebsd")):
        return [expanded("~/.matplotlib")]
    usual = {"XDG_CONFIG_HOME": "~/.config", "XDG_CACHE_HOME": "~/.cache"}
    return [expanded(os.environ.get(k) or home) / "matplotlib" for k, home in usual.items()]


@cache
def _takes_files(folder: Path) -> bool:
    """Whether files can be written in a folder, which is made if it is not there."""
    if not folder.is_absolute():  # `~` of a user without a home would be a folder of that name
        return False
    try:
        ensure_writable(folder)
    except StorageError:
        return False
    return True


def _remove(folder: Path, maker: int) -> None:
    if os.getpid() == maker:  # and not a fork of it
        shutil.rmtree(folder, ignore_errors=True)
