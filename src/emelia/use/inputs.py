"""Finds the recordings that a folder, list, glob pattern or path stands for.

A list may name segments of recordings: then each row is an `Excerpt` and gets an answer of its own.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from emelia.audio import Wave
from emelia.audio.channels import MIX
from emelia.audio.excerpts import Span, decode_span
from emelia.audio.files import SUFFIXES, SUFFIXES_EXPECTED, Found, find_recordings
from emelia.audio.heard import Heard
from emelia.audio.stores.objects import find_objects, is_remote
from emelia.errors import AudioError
from emelia.listing.columns import ROLES, column_of_files, pick
from emelia.listing.finding import as_on_disk, find_file
from emelia.listing.parquet import as_csv
from emelia.listing.sheet import Line, Sheet, first_row, is_missing, read_sheet, read_text, value
from emelia.listing.spans import span_of, without_other_times
from emelia.storage import expanded

_TABLES = (".csv", ".tsv", ".parquet")
_LISTS = (".txt", *_TABLES)
_ROLES = ("file", "start", "end", "duration")


class Excerpt(NamedTuple):
    """A segment of a recording, a clip of a corpus, or a row of a list that tells neither.

    Attributes:
        path: of the recording, or the list and its line.
        span: None for the whole recording, or where the row has a problem.
        problem: why the row cannot be used.
        speaker: who speaks in it, where that is known.
        channel: where that speaker is heard, a number from 1; empty where all channels tell.
        digest: that its samples must have; empty takes any.
    """

    path: str
    span: Span | None
    problem: str = ""
    speaker: str = ""
    channel: str = ""
    digest: str = ""

    def __str__(self) -> str:
        if self.span is None:
            return self.path
        end = "end" if self.span.end is None else f"{self.span.end:.10g} s"
        who = f" {self.speaker}" if self.speaker else ""
        return f"{self.path} {self.span.start:.10g}–{end}{who}"


Recording = str | Excerpt


def path_of(recording: Recording) -> str:
    """The path of a recording, or of that which an excerpt is from."""
    return recording if isinstance(recording, str) else recording.path


def key_of(recording: Recording) -> str:
    """A text that tells a recording or excerpt from all others."""
    if isinstance(recording, str) or recording.span is None:
        return path_of(recording)
    who = f" {recording.speaker}" if recording.speaker else ""
    side = f" channel {recording.channel}" if recording.channel else ""
    return f"{recording.path}#t={recording.span}{who}{side}"


def columns_of(found: Iterable[Recording]) -> tuple[str, ...]:
    """The columns that tell where sound is: path; of segments start, end and, if known, speaker."""
    excerpts = [one for one in found if isinstance(one, Excerpt) and one.span]
    times = ("start", "end") if excerpts else ()
    return ("path", *times, *(("speaker",) if any(one.speaker for one in excerpts) else ()))


def place_of(recording: Recording, columns: Iterable[str]) -> dict[str, Any]:
    """What a row tells of the recording, by column: see `columns_of`; times are in seconds."""
    told: dict[str, Any] = {"path": path_of(recording)}
    if isinstance(recording, Excerpt):
        start, end = recording.span or (None, None)
        told |= {"start": start, "end": end, "speaker": recording.speaker}
    return {name: told.get(name) for name in columns}


def read_excerpt(
    excerpt: Excerpt, *, channel: str = MIX, heard: Heard | None = None
) -> tuple[Wave, int]:
    """The waveform (T,) of an excerpt, and its rate in Hz; see `decode` for the options.

    Of an excerpt that tells its channel that one is taken, unless another is asked for.

    Raises:
        AudioError: it goes beyond the recording, which cannot be used or has changed, or the row
            tells none.
    """
    if excerpt.problem:
        raise AudioError(f"{excerpt.path}: {excerpt.problem}.")
    side = excerpt.channel if channel == MIX and excerpt.channel else channel
    return decode_span(excerpt.path, excerpt.span, channel=side, heard=heard, digest=excerpt.digest)


def recordings(where: str | Path, warn: Callable[[str], None] | None = None) -> list[Recording]:
    """All recordings that a path, list or pattern stands for, each once.

    Args:
        where: a folder, or a place in an object store (s3://...), searched with those inside it,
            sorted by path; a .txt list with a path a line, or a table (.csv, .tsv, .parquet) with
            a column `path`, `file` or of another usual name, in their order, relative paths from
            the list's folder; columns `start` and `end` make excerpts; `list.csv?path=NAME` names
            a column; a pattern such as `talks/**/*.mp3`, sorted; one recording.
        warn: is told of what looks like a recording in a folder and cannot be read, a line a kind.

    Raises:
        AudioError: there is no such place, or no recording in it.
    """
    if is_remote(str(where)):
        if objects := find_objects(str(where)):
            return [*objects]
        raise AudioError(f"{where}: no recordings here; expected {SUFFIXES_EXPECTED}.")
    path, chosen = _place(where)
    lines: list[str] = []
    found: list[Recording]
    if os.path.isdir(path):
        inside = _below(path)
        found = [*inside.files]
        lines = [f"{where}: {line}" for line in inside.lines()]
    elif path.suffix.lower() in _LISTS and os.path.isfile(path):
        found = _listed(path, chosen)
    elif os.path.lexists(path):
        found = [str(path)]
    elif glob.has_magic(str(path)):
        names = glob.iglob(str(path), recursive=True)
        found = [*sorted(name for name in names if not os.path.isdir(name))]
    else:
        raise AudioError(f"{where}: no such file or folder. Check the path.")
    if not found:
        raise AudioError(
            " ".join([f"{where}: no recordings here; expected {SUFFIXES_EXPECTED}.", *lines])
        )
    for line in lines:
        if warn:
            warn(line)
    # A list may name a file twice, and one file needs one answer.
    return list(dict.fromkeys(found))


def _place(where: str | Path) -> tuple[Path, dict[str, str]]:
    """The path, and the columns by role that `list.csv?path=NAME` names."""
    path = as_on_disk(expanded(where))
    if not os.path.lexists(path):
        name, mark, query = str(where).rpartition("?")
        options = dict(parse_qsl(query, keep_blank_values=True))
        listed = expanded(name)
        known = options and all(ROLES.get(role) in _ROLES for role in options)
        if mark and known and listed.suffix.lower() in _LISTS and os.path.isfile(listed):
            return listed, {ROLES[role]: column for role, column in options.items()}
    return path, {}


def _below(folder: Path) -> Found:
    try:
        return find_recordings(folder)
    except OSError as error:
        raise AudioError(
            f"{error.filename}: this folder cannot be read ({error.strerror})."
        ) from None


def _listed(path: Path, chosen: Mapping[str, str]) -> list[Recording]:
    """The recordings and excerpts in a list."""
    lines = _lines_or_rows(path, chosen)
    return [one for one, _ in lines if one is not None]


def values_of(where: str | Path, column: str) -> dict[Recording, str]:
    """The values in a column of a list, by recording; none for those where it is empty.

    Raises:
        AudioError: it is no table, or has no such column.
    """
    path, chosen = _place(where)
    if path.suffix.lower() not in _LISTS or not os.path.isfile(path):
        raise AudioError(f"{where}: not a table, so it has no column {column!r}. Give a .csv.")
    lines = _lines_or_rows(path, chosen)
    names = next((cells for _, cells in lines if cells), {})
    if column not in names:
        raise AudioError(f"{where}: no column {column!r}; there are: {', '.join(names) or 'none'}.")
    # A line with a problem has no cells.
    found = [(one, value(cells.get(column, ""))) for one, cells in lines if one is not None]
    return {one: text for one, text in found if not is_missing(text)}


def _lines_or_rows(
    path: Path, chosen: Mapping[str, str]
) -> list[tuple[Recording | None, Mapping[str, str]]]:
    """What each line of a list names, None where that is no recording, and its cells."""
    try:
        text = as_csv(path) if path.suffix.lower() == ".parquet" else read_text(path)
        columns = pick(first_row(text), chosen, _ROLES, {"file": "path"})
        if path.suffix.lower() not in _TABLES and "file" not in columns and not _has_cells(text):
            return [(name, {}) for name in _lines(text, path.parent)]
        sheet = read_sheet(text)
    except OSError as error:
        raise AudioError(f"{path}: cannot be read ({error.strerror or error}).") from None
    except ValueError as error:
        raise AudioError(f"{path}: not a list of recordings in UTF-8 ({error}).") from None
    if "file" not in columns and (name := column_of_files(sheet, SUFFIXES)):
        columns["file"] = name
    if "file" not in columns or columns["file"].lower().endswith(SUFFIXES):
        sheet, columns = _without_header(sheet, path)
    try:
        columns = without_other_times(columns, sheet.lines)
    except ValueError as error:
        raise AudioError(f"{path}: {error}.") from None
    return [(_row(path, line, columns), line.cells) for line in sheet.lines]


def _has_cells(text: str) -> bool:
    """Whether lines are paths with something behind them, separated by tabs."""
    first = first_row(text)
    return len(first) > 1 and "\t" in text.lstrip().partition("\n")[0]


def _lines(text: str, folder: Path) -> Iterable[str]:
    """The paths of a list without columns, which may stand in quotes with blanks around."""
    for line in text.split("\n"):
        name = line.strip()
        comment = name.startswith("#") and not name.lower().endswith(SUFFIXES)
        if name and not comment:
            exact = folder / line  # a name may end with a blank
            plain = name[1:-1] if name[0] == name[-1] and name[0] in "\"'" else name
            if is_remote(plain):
                yield plain
                continue
            yield str(exact if os.path.lexists(exact) else find_file(folder, plain))


def _without_header(sheet: Sheet, path: Path) -> tuple[Sheet, dict[str, str]]:
    """A table that begins with a recording instead of names of columns."""
    column = next((c for c in sheet.columns if c.lower().endswith(SUFFIXES)), "")
    if not column:
        there = ", ".join(sheet.columns) or "none"
        raise AudioError(
            f"{path}: columns {there}; expected one named path or file. If it has another name, "
            f"say so: '{path.name}?path=NAME'."
        )
    first = Line(1, dict(zip(sheet.columns, sheet.columns, strict=True)))
    return Sheet(sheet.columns, (first, *sheet.lines)), {"file": column}


def _row(path: Path, line: Line, columns: Mapping[str, str]) -> Recording | None:
    """What a row names; None where it names no recording."""
    if line.problem:
        return Excerpt(f"{path}:{line.number}", None, line.problem)
    name = value(line.cells[columns["file"]])
    if is_missing(name):
        return None
    file = name if is_remote(name) else str(find_file(path.parent, name))
    try:
        span = span_of(line.cells, columns)
    except ValueError as error:
        return Excerpt(f"{path}:{line.number}", None, str(error))
    return Excerpt(file, span) if span else file
