"""Fetching a corpus: all its files, checked, in its folder, or nothing there.

Work goes on in a hidden folder beside, `.NAME.fetch`, which stays until it is done, so
that a second start has only the rest to do. A fetched corpus bears a hidden mark.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from emelia.corpora.fetching.download import download
from emelia.corpora.fetching.http import get_json
from emelia.corpora.fetching.unpack import is_archive, safe_path, unpack
from emelia.corpora.records import CorpusSpec
from emelia.corpora.scan import audio_files
from emelia.corpora.sources import Remote
from emelia.errors import CorpusError, StorageError
from emelia.storage import ensure_writable, lock, write_atomically

MARK = ".fetched.json"
_PARALLEL = 4  # connections
_GROWTH = 3  # an archive and what is in it take at most so much of the archive's size

OnFetch = Callable[
    [int, int, int, int], None
]  # files done, in all, bytes done, in all (0: unknown)


def fetch(spec: CorpusSpec, folder: Path, on_progress: OnFetch | None = None) -> Path:
    """Download a corpus into a folder of its name in another, and return its folder.

    Raises:
        CorpusError: it may not be downloaded freely, cannot be had, or is not what was
            promised.
        StorageError: the folder cannot be written.
    """
    home = folder / spec.name
    if is_fetched(home):
        return home
    if spec.source is None:
        raise CorpusError(f"{spec.name}: cannot be fetched; {spec.obtain}. Its home is {spec.home}")
    if os.path.lexists(home):
        raise CorpusError(f"{home}: is there already, but was not fetched. Move it away first.")
    remotes = _list(spec)
    work = folder / f".{spec.name}.fetch"
    ensure_writable(work)
    with lock(work):
        _check_space(folder, remotes)
        _download_all(remotes, work / "files", on_progress)
        tree = _assemble(remotes, work)
        count = _check_content(spec, tree) if spec.clips else 0
        mark = {"corpus": spec.name, "home": spec.home, "licence": spec.licence, "clips": count}
        write_atomically(tree / MARK, json.dumps(mark, indent=2).encode())
        tree.rename(home)
    shutil.rmtree(work, ignore_errors=True)
    return home


def is_fetched(home: Path) -> bool:
    """Whether a folder holds a whole fetched corpus."""
    try:
        return bool(json.loads((home / MARK).read_text(encoding="utf-8"))["corpus"] == home.name)
    except (OSError, ValueError, LookupError, TypeError):
        return False


def _list(spec: CorpusSpec) -> list[Remote]:
    """The files to get; their names are safe, and each is there once."""
    remotes = spec.source.files(get_json) if spec.source else []
    names = {safe_path(remote.name, spec.home) for remote in remotes}
    if not remotes or len(names) < len(remotes):
        raise CorpusError(
            f"{spec.home}: the list of files is not as expected ({len(remotes)} files). Its keeper "
            "has changed it; get the corpus by hand."
        )
    return remotes


def _check_space(folder: Path, remotes: Sequence[Remote]) -> None:
    needed = sum(r.size * (_GROWTH if is_archive(r.name) else 1) for r in remotes)
    if needed > (free := shutil.disk_usage(folder).free):
        raise StorageError(
            f"{folder}: {free / 1e9:.1f} GB are free, about {needed / 1e9:.1f} GB are needed. Free "
            "some space or choose another folder with --to."
        )


def _download_all(remotes: Sequence[Remote], folder: Path, on_progress: OnFetch | None) -> None:
    """Download several files at once; the first failure or Ctrl-C stops them all."""
    stop, tally = threading.Event(), _Tally(remotes, on_progress)

    def one(remote: Remote) -> None:
        def count(size: int) -> None:
            if stop.is_set():
                raise CorpusError(f"{remote.name}: interrupted.")
            tally.add(remote, size)

        if not stop.is_set():
            download(remote, folder / safe_path(remote.name, remote.url), count, stop.wait)
            tally.finish()

    with ThreadPoolExecutor(_PARALLEL) as pool:
        try:
            for done in as_completed([pool.submit(one, remote) for remote in remotes]):
                done.result()
        finally:
            stop.set()


class _Tally:
    """How far several downloads are, told by one at a time."""

    def __init__(self, remotes: Sequence[Remote], on_progress: OnFetch | None) -> None:
        sizes = [remote.size for remote in remotes]
        known = all(sizes) and not any(remote.large for remote in remotes)
        self._files, self._bytes = len(remotes), sum(sizes) if known else 0
        self._each = {remote.name: 0 for remote in remotes}
        self._done = self._came = 0
        self._tell = on_progress
        self._lock = threading.Lock()

    def add(self, remote: Remote, size: int) -> None:
        with self._lock:
            self._came += size - self._each[remote.name]
            self._each[remote.name] = size
            self._say()

    def finish(self) -> None:
        with self._lock:
            self._done += 1
            self._say()

    def _say(self) -> None:
        if self._tell is not None:
            self._tell(self._done, self._files, self._came, self._bytes)


def _assemble(remotes: Sequence[Remote], work: Path) -> Path:
    """Put the corpus together in a folder of its own: archives unpacked, files as they are."""
    tree = work / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    for remote in remotes:
        name = safe_path(remote.name, remote.url)
        if is_archive(remote.name):
            unpack(work / "files" / name, tree)
        else:
            _place(work / "files" / name, tree / name)
    return tree


def _place(file: Path, target: Path) -> None:
    """Have a file in a second place too, without a copy where the disk can do that."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(file, target)
        except OSError:
            shutil.copyfile(file, target)
    except OSError as error:
        raise StorageError(f"{target}: cannot be written ({error.strerror}).") from error


def _check_content(spec: CorpusSpec, tree: Path) -> int:
    """The number of clips; none of a corpus is none."""
    files = audio_files(tree)
    count = sum(spec.parse(file) is not None for file in files)
    if 2 * count <= len(files) or not count:
        raise CorpusError(
            f"{spec.home}: {count} of {len(files)} recordings in the download have names of "
            f"{spec.name}'s ({spec.names}). Its keeper has changed it; get it by hand."
        )
    return count
