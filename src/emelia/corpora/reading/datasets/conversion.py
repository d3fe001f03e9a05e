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
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePosixPath
from urllib.parse import parse_qsl

from emelia.caches import cache_root
from emelia.corpora.records import GENDERS, UNKNOWN_SPEAKER
from emelia.errors import CorpusError, StorageError
from emelia.listing.columns import ROLES, pick
from emelia.listing.sheet import is_missing, read_sheet, read_text, value
from emelia.storage import file_stamp
from emelia.text import counted

NOTES = "notes.txt"
TIED = "several labels, none of them more often than the others"
_VERSION = "3"  # of the converted form; raise it with any change
_MAGIC = {b"RIFF": ".wav", b"fLaC": ".flac", b"OggS": ".ogg", b"ID3": ".mp3", b"\xff": ".mp3"}
_ROLES = ("emotion", "speaker", "sentence", "gender", "part", "file", "start", "end", "duration")
# Beside the audio itself, a column `file` has paths on the machine of those who made the table.
_FIRST = {"file": "audio"}
_OPTIONS = ("label", "speaker", "sentence", "gender", "audio", "start", "end", "split", "table")
_SAY_WHICH = "Say which it is, as in ?label=NAME."
_COLUMNS = ("file", "emotion", "speaker", "sentence", "take", "gender", "split", "start", "end")


@dataclass(frozen=True)
class Row:
    """One recording, as a row of a table describes it."""

    name: str  # of the file in the data set; may be empty
    audio: bytes | Path | None  # content of the file, or its path
    label: str
    speaker: str = ""
    sentence: str = ""
    gender: str = ""
    part: str = ""
    start: str = ""  # of a segment, as the table has it
    end: str = ""
    duration: str = ""
    problem: str = ""  # why it cannot be used, as in "3 rows ..."


def parse_place(text: str) -> tuple[str, dict[str, str]]:
    """Divide a place from its options: `data/emo?label=x` -> `data/emo`, {"emotion": "x"}.

    Raises:
        CorpusError: there is no such option.
    """
    place, _, query = text.partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    known = {**ROLES, "split": "split", "table": "table"}
    if odd := [name for name in options if name not in known]:
        raise CorpusError(f"{text}: no option {odd[0]!r}; expected {', '.join(_OPTIONS)}.")
    return place, {known[name]: value for name, value in options.items()}


def pick_columns(
    there: Sequence[str],
    options: Mapping[str, str],
    where: Path,
    needed: Sequence[str],
    *,
    segments: bool = False,
) -> dict[str, str]:
    """The column for each role (label, speaker, ...): the one asked for, or one of a usual name.

    Args:
        there: names of all columns.
        options: columns by role that are asked for.
        where: the table, for messages.
        needed: roles without which it cannot be read.
        segments: look for times, too. Audio of data sets is mostly cut already, and times are
            those of what it was cut from.

    Raises:
        CorpusError: a column that is asked for or needed is missing.
    """
    try:
        times = {} if segments else dict.fromkeys(("start", "end", "duration"), "")
        picked = pick(there, {**times, **options}, _ROLES, _FIRST)
    except ValueError as error:
        raise CorpusError(f"{where}: {error}. {_SAY_WHICH}") from None
    for role in needed:
        if role not in picked:
            what = {"file": "audio", "emotion": "label"}.get(role, role)
            raise CorpusError(
                f"{where}: no column for the {what}; there are {', '.join(there)}. "
                f"Say which it is, as in ?{what}=NAME."
            )
    return picked


def read_records(table: Path) -> list[dict[str, str]]:
    """The rows of a CSV file of a data set, by column.

    Raises:
        CorpusError: it cannot be read, or a row has another number of cells than columns.
    """
    try:
        lines = read_sheet(read_text(table)).lines
    except (OSError, ValueError) as error:
        raise CorpusError(f"{table}: not a table of recordings ({error}).") from None
    for row, line in enumerate(lines, 1):
        if line.problem:
            what = "more" if line.surplus > 0 else "fewer"
            raise CorpusError(
                f"{table}: row {row} has {what} cells than there are columns ({line.problem}). Put "
                "cells with a comma inside into quotes."
            )
    return [line.cells for line in lines]


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
    text, told = io.StringIO(), False
    odd: dict[str, list[int]] = {}  # rows left out, counted from 1, by reason
    table = csv.writer(text)
    table.writerow((*_COLUMNS, "duration"))
    written = set()
    for number, row in enumerate(rows, 1):
        reason = _unusable(row)
        file = folder / "audio" / _name(row) if not reason else folder
        clip = (file.name, row.start, row.end, row.duration)
        if not reason and clip in written:
            reason = "the audio of an earlier one again"
        if reason:
            odd.setdefault(reason, []).append(number)
            continue
        if not os.path.lexists(file):  # else another segment of it came before
            _place(row.audio, file)
        written.add(clip)
        told = told or bool(value(row.speaker))
        gender = GENDERS.get(row.gender.strip().lower(), "")
        speaker = value(row.speaker) or UNKNOWN_SPEAKER
        table.writerow(
            (f"audio/{file.name}", row.label, speaker, row.sentence, "", gender, row.part,
             row.start, row.end, row.duration)
        )  # fmt: skip
    if not written:
        reasons = (
            "; ".join(f"{counted(len(rows), 'row')}: {why}" for why, rows in odd.items())
            or "no rows"
        )
        raise CorpusError(f"{folder.name}: no row of the data set can be used ({reasons}).")
    notes = [
        f"{counted(len(left), 'row')} left out: {reason}{_named(left) if reason == TIED else ''}."
        for reason, left in odd.items()
    ]
    if not told:
        notes.append(
            "The data set does not tell who speaks, so speaker-independent splits are impossible; "
            "if a column does, say which, as in ?speaker=NAME."
        )
    (folder / NOTES).write_text("".join(f"{note}\n" for note in notes), encoding="utf-8")
    (folder / "manifest.csv").write_text(text.getvalue(), encoding="utf-8", newline="")


def _named(rows: Sequence[int], most: int = 8) -> str:
    """Which rows they are, counted from 1: `: rows 3, 8`."""
    more = f" and {len(rows) - most} more" if len(rows) > most else ""
    return f": rows {', '.join(map(str, rows[:most]))}{more}"


def _unusable(row: Row) -> str:
    if row.problem:
        return row.problem
    if is_missing(row.label):
        return "no label"
    return "no audio" if row.audio is None or row.audio == b"" else ""


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
