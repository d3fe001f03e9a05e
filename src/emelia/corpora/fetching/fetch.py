"""Download a corpus into a folder: all files, verified and unpacked, or no folder.

Downloads are collected in a hidden folder beside it, `.NAME.fetch`, which stays until all is done,
so that a second start downloads only the rest. A finished corpus has a hidden file `.fetched.json`.
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
from emelia.text import amount, from_json

MARK = ".fetched.json"
_PARALLEL = 4  # connections
_GROWTH = 3  # disk space for an archive and its content, in sizes of the archive; sound is dense

OnFetch = Callable[
    [int, int, int, int], None
]  # files done, files in all, bytes done, bytes in all (0: unknown)


def fetch(spec: CorpusSpec, folder: Path, on_progress: OnFetch | None = None) -> Path:
    """Download a corpus into `folder/NAME` and return that folder.

    Raises:
        CorpusError: it is not free to download, cannot be downloaded, or has other files
            than expected.
        StorageError: the folder cannot be written.
    """
    target = folder / spec.name
    if is_fetched(target):
        return target
    if spec.source is None:
        raise CorpusError(
            f"{spec.name}: cannot be fetched; {spec.obtain}. Its homepage is {spec.homepage}"
        )
    if os.path.lexists(target):
        raise CorpusError(f"{target}: is there already, but was not fetched. Move it away first.")
    remotes = _list_files(spec)
    work = folder / f".{spec.name}.fetch"
    ensure_writable(work)
    with lock(work):
        _check_space(folder, remotes)  # before hours of downloading
        _download_all(remotes, work / "files", on_progress)
        tree = _unpack_all(remotes, work)
        count = _check_content(spec, tree) if spec.clips else 0
        mark = {"corpus": spec.name, "home": spec.homepage, "licence": spec.licence, "clips": count}
        write_atomically(tree / MARK, json.dumps(mark, indent=2).encode())
        tree.rename(target)  # only a complete corpus gets the name
    shutil.rmtree(work, ignore_errors=True)
    return target


def is_fetched(target: Path) -> bool:
    """Whether a folder holds a corpus that was downloaded completely."""
    try:
        mark = from_json((target / MARK).read_text(encoding="utf-8"))
        return bool(mark["corpus"] == target.name)
    except (OSError, ValueError, LookupError, TypeError):
        return False


def _list_files(spec: CorpusSpec) -> list[Remote]:
    """The files to download; each name is safe and occurs once."""
    remotes = spec.source.files(get_json) if spec.source else []
    names = {safe_path(remote.name, spec.homepage) for remote in remotes}
    if not remotes or len(names) < len(remotes):
        raise CorpusError(
            f"{spec.homepage}: the list of files is not as expected ({len(remotes)} files). "
            "The host has changed it; get the corpus by hand."
        )
    return remotes


def _check_space(folder: Path, remotes: Sequence[Remote]) -> None:
    needed = sum(r.size * (_GROWTH if is_archive(r.name) else 1) for r in remotes)
    if needed > (free := shutil.disk_usage(folder).free):
        raise StorageError(
            f"{folder}: {amount(free / 1e9)} GB are free, about {amount(needed / 1e9)} GB are "
            "needed. Free some space or choose another folder with --to."
        )


def _download_all(remotes: Sequence[Remote], folder: Path, on_progress: OnFetch | None) -> None:
    """Download files in parallel; the first failure or Ctrl-C stops them all."""
    stop, progress = threading.Event(), _Progress(remotes, on_progress)

    def one(remote: Remote) -> None:
        def count(size: int) -> None:
            if stop.is_set():
                raise CorpusError(f"{remote.name}: interrupted.")
            progress.add(remote, size)

        if not stop.is_set():
            download(remote, folder / safe_path(remote.name, remote.url), count, stop.wait)
            progress.finish()

    with ThreadPoolExecutor(_PARALLEL) as pool:
        try:
            # As they complete, so that the first error stops the others at once.
            for done in as_completed([pool.submit(one, remote) for remote in remotes]):
                done.result()
        finally:
            stop.set()


class _Progress:
    """The progress of parallel downloads, reported by one thread at a time."""

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


def _unpack_all(remotes: Sequence[Remote], work: Path) -> Path:
    """Put the corpus together in `work/tree`: archives unpacked, other files as they are."""
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
    """Link a file to a second place, or copy it where the file system has no hard links."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(file, target)
        except OSError:
            shutil.copyfile(file, target)
    except OSError as error:
        raise StorageError(f"{target}: cannot be written ({error.strerror}).") from error


def _check_content(spec: CorpusSpec, tree: Path) -> int:
    """Count the clips that were downloaded.

    Raises:
        CorpusError: most recordings have names of another corpus, or there are none.
    """
    files = audio_files(tree)
    count = sum(spec.parse(file) is not None for file in files)
    if 2 * count <= len(files) or not count:
        raise CorpusError(
            f"{spec.homepage}: {count} of {len(files)} recordings in the download have names of "
            f"{spec.name}'s ({spec.names}). The host has changed it; get it by hand."
        )
    return count
