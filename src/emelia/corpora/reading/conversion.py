"""Convert data sets that are kept as tables to a folder with audio and a manifest, in the cache.

Rows of Hugging Face data sets and of audformat databases are written once as `audio/` and
`manifest.csv`: audio inside a table is unpacked, audio in files is linked. The folder's name
depends on the data set and the options: after a change of either another folder is made.
"""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import parse_qsl

from emelia.caches import cache_root
from emelia.corpora.reading.manifest import OPTIONAL, REQUIRED
from emelia.corpora.records import GENDERS, UNKNOWN_SPEAKER
from emelia.errors import CorpusError, StorageError
from emelia.storage import file_stamp

NOTES = "notes.txt"
_VERSION = "2"  # of the converted form; raise it with any change
_MAGIC = {b"RIFF": ".wav", b"fLaC": ".flac", b"OggS": ".ogg", b"ID3": ".mp3", b"\xff": ".mp3"}
# Usual names of the columns, the most certain first.
COLUMNS = {
    "label": ("emotion", "label", "labels", "emotion_label", "emotion_expressed", "category"),
    "speaker": ("speaker_id", "speaker", "speakers", "spk", "spk_id", "actor", "actor_id"),
    "sentence": ("sentence", "sentence_id", "transcription", "transcript", "text", "raw_text"),
    "gender": ("gender", "sex"),
    "audio": ("audio", "file", "file_name", "path"),
}


@dataclass(frozen=True)
class Row:
    """One recording, as a row of a table describes it."""

    name: str  # of the file in the data set; may be empty
    audio: bytes | Path | None  # content of the file, or its path
    label: str
    speaker: str = ""
    sentence: str = ""
    gender: str = ""


def parse_place(text: str) -> tuple[str, dict[str, str]]:
    """Divide a place from its options: `data/emo?label=x` -> `data/emo`, {"label": "x"}.

    Raises:
        CorpusError: there is no such option.
    """
    place, _, query = text.partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    known = (*COLUMNS, "split", "table")
    if odd := [name for name in options if name not in known]:
        raise CorpusError(f"{text}: no option {odd[0]!r}; expected {', '.join(known)}.")
    return place, options


def pick_columns(
    there: Sequence[str], options: Mapping[str, str], where: Path, needed: Sequence[str]
) -> dict[str, str]:
    """The column for each role (label, speaker, ...): the one asked for, or one of a usual name.

    Raises:
        CorpusError: a column that is asked for or needed is missing.
    """
    # Reversed, so that of columns equal but for case the first is found.
    lower = {name.lower(): name for name in reversed(there)}
    picked = {}
    for role, usual in COLUMNS.items():
        name = options.get(role) or next((lower[u] for u in usual if u in lower), "")
        if (name and name not in there) or (not name and role in needed):
            raise CorpusError(
                f"{where}: no column {name or f'for the {role}'}; there are {', '.join(there)}. "
                f"Say which it is, as in ?{role}=NAME."
            )
        if name:
            picked[role] = name
    return picked


def check_row_lengths(records: Sequence[dict[str, Any]], table: Path) -> None:
    """Check that no row of a CSV file has more cells than columns.

    Raises:
        CorpusError: a row has more, which csv.DictReader stores under the key None.
    """
    for number, record in enumerate(records, 1):
        if None in record:
            raise CorpusError(
                f"{table}: row {number} has more cells than there are columns. Put cells with a "
                "comma inside into quotes."
            )


def convert(name: str, rows: Iterable[Row], identity: object) -> Path:
    """Write rows as a folder with a manifest, unless it exists, and return the folder.

    Args:
        name: of the corpus.
        rows: not iterated where the folder exists.
        identity: all that the rows depend on, JSON-able.

    Raises:
        CorpusError: no row can be used.
        StorageError: the cache cannot be written.
    """
    # Hashed: the identity has paths and times, which make no folder name.
    key = sha256(json.dumps([_VERSION, name, identity]).encode()).hexdigest()[:12]
    folder = cache_root() / "datasets" / key / name
    if (folder / "manifest.csv").is_file():
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(".part", dir=folder.parent))
        try:
            made = work / name
            _write(rows, made)
            made.replace(folder)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    except OSError as error:
        if not (folder / "manifest.csv").is_file():  # another process may have been faster
            raise StorageError(f"{folder}: cannot be written ({error.strerror}).") from error
    return folder


def table_identity(root: Path, files: Sequence[Path], options: Mapping[str, str]) -> object:
    """What the rows of these table files depend on, for `convert`."""
    marks = [(f.relative_to(root).as_posix(), *file_stamp(f)) for f in files]
    return [str(root.resolve()), sorted(options.items()), marks]


def read_notes(folder: Path) -> list[str]:
    """The notes on the rows that `convert` has written."""
    return (folder / NOTES).read_text(encoding="utf-8").splitlines()


def _write(rows: Iterable[Row], folder: Path) -> None:
    (folder / "audio").mkdir(parents=True)
    text, odd, told = io.StringIO(), Counter[str](), False
    table = csv.writer(text)
    table.writerow((*REQUIRED, *OPTIONAL))
    for row in rows:
        reason = _unusable(row)
        file = folder / "audio" / _name(row) if not reason else folder
        if not reason and os.path.lexists(file):  # also a broken link, which reading reports
            reason = "repeat the audio of an earlier one"
        if reason:
            odd[reason] += 1
            continue
        _place(row.audio, file)
        told = told or bool(row.speaker)
        gender = GENDERS.get(row.gender.strip().lower(), "")
        speaker = row.speaker.strip() or UNKNOWN_SPEAKER
        table.writerow((f"audio/{file.name}", row.label, speaker, row.sentence, "", gender))
    if not any((folder / "audio").iterdir()):
        reasons = "; ".join(f"{count} rows {reason}" for reason, count in odd.items()) or "no rows"
        raise CorpusError(f"{folder.name}: no row of the data set can be used ({reasons}).")
    notes = [f"{count} rows {reason} and were left out." for reason, count in odd.items()]
    if not told:
        notes.append(
            "The data set does not tell who speaks, so speaker-independent splits are impossible; "
            "if a column does, say which, as in ?speaker=NAME."
        )
    (folder / NOTES).write_text("".join(f"{note}\n" for note in notes), encoding="utf-8")
    (folder / "manifest.csv").write_text(text.getvalue(), encoding="utf-8", newline="")


def _unusable(row: Row) -> str:
    if not row.label.strip():
        return "have no label"
    return "hold no audio" if row.audio is None or row.audio == b"" else ""


def _name(row: Row) -> str:
    """A unique file name that, unlike the original, no known corpus has."""
    original = PurePosixPath(row.name.replace("\\", "/"))
    if isinstance(row.audio, bytes):
        head = row.audio[:4]
        suffix = next((s for magic, s in _MAGIC.items() if head.startswith(magic)), original.suffix)
        digest = sha256(row.audio)
    else:
        suffix = original.suffix
        digest = sha256(row.name.encode(errors="surrogateescape"))
    stem = "".join(c if c.isalnum() or c in "-_. ()" else "_" for c in original.stem)[:80]
    return f"{digest.hexdigest()[:12]}-{stem}{suffix}" if stem else digest.hexdigest()[:12] + suffix


def _place(audio: bytes | Path | None, file: Path) -> None:
    if isinstance(audio, bytes):
        file.write_bytes(audio)
    elif audio is not None:
        try:
            os.symlink(audio.absolute(), file)
        except OSError:  # Windows does not let every user make links
            shutil.copyfile(audio, file)
