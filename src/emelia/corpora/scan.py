"""Find the recordings of a folder, and decode each to see whether it can be used.

Decoding a large corpus takes a minute, so the digests of decoded audio are cached, in a JSON file
per corpus folder. An entry is valid while path, size and times of change of the file are the same;
files that failed are tried again each time. Later code decodes a clip by `decode_again`, since the
file may have been replaced in the meantime.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import soundfile

from emelia.audio import Wave, content_digest, decode
from emelia.audio.excerpts import Span, cut, decode_span
from emelia.audio.files import FILMS, find_recordings
from emelia.audio.heard import Heard
from emelia.caches import cache_root
from emelia.corpora.records import Utterance
from emelia.errors import (
    AudioError,
    ChangedAudioError,
    CorpusError,
    MissingExtraError,
    StorageError,
)
from emelia.storage import file_stamp, write_atomically
from emelia.text import counted, from_json

OnProgress = Callable[[int, int], None]  # files done, files in all

# Another decoder may give other samples of a lossy file, and so another digest.
_MADE_BY = f"3 {soundfile.__libsndfile_version__}"


@dataclass
class Scan:
    """Digests of the files that can be used, and the reasons why others cannot."""

    digests: dict[Path, str] = field(default_factory=dict)
    reasons: dict[Path, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def audio_files(root: Path, notes: list[str] | None = None) -> list[Path]:
    """Recordings in a folder and its subfolders, as sorted paths relative to it.

    A film is left out where its sound lies there, too, as a file of the same name.

    Args:
        root: the folder, searched as by `find_recordings`.
        notes: takes a line for each kind of recording that is passed over.

    Raises:
        CorpusError: a folder cannot be listed.
    """
    try:
        found = find_recordings(root)
    except OSError as error:
        raise CorpusError(
            f"{error.filename}: this folder cannot be read ({error.strerror})."
        ) from None
    files = sorted(Path(name).relative_to(root) for name in found.files)
    heard = {file.stem for file in files if file.suffix.lower() not in FILMS}
    twice = {f for f in files if f.suffix.lower() in FILMS and f.stem in heard}
    if notes is not None:
        notes += found.lines()
        if twice:
            count = counted(len(twice), "film")
            notes.append(f"{count} passed over: the sound lies there in files of the same name.")
    return [file for file in files if file not in twice]


def scan(
    root: Path,
    files: Iterable[Path],
    on_progress: OnProgress | None = None,
    spans: Mapping[Path, tuple[Path, Span]] | None = None,
) -> Scan:
    """Decode the `files` (relative to `root`) that are not in the cache yet.

    Args:
        root: of the corpus.
        files: keys of the clips, which are files unless `spans` says otherwise.
        on_progress: called with (clips done, clips in all).
        spans: the recording of each clip that is a segment, and its place there.
    """
    known, files = _load(root), list(files)
    places = {file: (spans or {}).get(file, (file, None)) for file in files}
    stamps = {file: found for file in files if (found := _stamp(root / places[file][0]))}
    done = Scan()
    for file, found in stamps.items():
        entry = known.get(file.as_posix())
        if entry and entry[:-1] == found:
            done.digests[file] = entry[-1]
    fresh = [file for file in files if file not in done.digests]
    try:
        _decode_all(root, {file: places[file] for file in fresh}, done, on_progress)
    finally:  # an interrupted scan keeps what it has
        # If a file was replaced during the scan, the digest may be of the old content.
        told = {line.partition(": ")[0] for line in done.notes}  # are to be told of each time
        good = [
            f for f in fresh
            if f in done.digests and places[f][0].as_posix() not in told
            and stamps.get(f) == _stamp(root / places[f][0])
        ]  # fmt: skip
        if good:
            entries = {file.as_posix(): [*stamps[file], done.digests[file]] for file in good}
            _save(root, {**known, **entries})
    return done


def _decode_all(
    root: Path,
    places: Mapping[Path, tuple[Path, Span | None]],
    done: Scan,
    on_progress: OnProgress | None,
) -> None:
    wanted: dict[Path, dict[Path, Span | None]] = {}  # clips by recording: each is decoded once
    for clip, (recording, span) in places.items():
        wanted.setdefault(recording, {})[clip] = span
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # libsndfile works outside the GIL
        results = pool.map(_digests, (root / recording for recording in wanted), wanted.values())
        number = 0
        for recording, (found, warnings) in zip(wanted, results, strict=True):
            done.notes += [f"{recording.as_posix()}: {text}" for text in warnings]
            for clip, (digest, reason) in found.items():
                number += 1
                if digest:
                    done.digests[clip] = digest
                else:
                    done.reasons[clip] = reason
                if on_progress is not None:
                    on_progress(number, len(places))


def _digests(
    path: Path, clips: Mapping[Path, Span | None]
) -> tuple[dict[Path, tuple[str, str]], list[str]]:
    """For each clip of a recording its digest or the reason why it has none; and warnings."""
    heard = Heard()
    try:
        wave, rate = decode(path, heard=heard)
    except (AudioError, MissingExtraError, OSError) as error:
        told = str(error).removeprefix(f"{path}: ").replace(str(path.parent) + os.sep, "")
        return dict.fromkeys(clips, ("", told)), []
    found = {}
    for clip, span in clips.items():
        if heard.failed and span is None:  # half a clip may lack what its label is about
            return {clip: ("", heard.warnings[0]) for clip in clips}, []
        try:
            own = wave if span is None else cut(wave, rate, span, str(path))
            found[clip] = (content_digest(own, rate), "")
        except AudioError as error:
            found[clip] = ("", str(error).removeprefix(f"{path}: "))
    return found, heard.warnings


def decode_again(utterance: Utterance) -> tuple[Wave, int]:
    """Decode a clip again, and check that it is unchanged since the corpus was read.

    Features are cached under the digest found then, and must not be of other audio.

    Returns:
        The waveform (T,) and its rate in Hz.

    Raises:
        ChangedAudioError: the file has changed.
        AudioError: see `decode`.
    """
    try:
        return decode_span(utterance.path, utterance.span, digest=utterance.digest)
    except ChangedAudioError:
        _delete_cache(utterance.path)
        raise


def _delete_cache(path: Path) -> None:
    """Delete the cache of the corpus a recording belongs to: it is decoded anew next time."""
    above = [scan for folder in path.parents if (scan := _cache_file(folder)).exists()]
    # A manifest may list files outside its folder: then any cache may be the one.
    for scan in above or (cache_root() / "scans").glob("*.json"):
        with contextlib.suppress(OSError):
            scan.unlink()


def _stamp(path: Path) -> list[int]:
    """The `file_stamp` of a file; empty for a missing one, which decoding reports."""
    try:
        return file_stamp(path)
    except OSError:
        return []


def _cache_file(root: Path) -> Path:
    name = sha256(os.fsencode(root.resolve())).hexdigest()[:16]
    return cache_root() / "scans" / f"{name}.json"


def _load(root: Path) -> dict[str, list[Any]]:
    """Entries [size, times of change, digest] by path; none where the cache is damaged."""
    try:
        content = from_json(_cache_file(root).read_text(encoding="utf-8"))
        if content["made_by"] != _MADE_BY:
            return {}
        return {
            str(path): [*map(int, found), str(digest)]
            for path, (*found, digest) in content["files"].items()
        }
    except (OSError, ValueError, TypeError, LookupError, AttributeError):
        return {}


def _save(root: Path, entries: dict[str, list[Any]]) -> None:
    content = json.dumps({"made_by": _MADE_BY, "files": entries}, indent=0)
    with contextlib.suppress(StorageError):  # without the cache only time is lost
        write_atomically(_cache_file(root), content.encode())
