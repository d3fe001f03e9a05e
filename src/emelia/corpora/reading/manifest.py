"""Read a manifest: a CSV file that lists the recordings of a corpus with their labels.

Its first row names the columns, separated by comma, semicolon or tab: `file` (relative to the
manifest), `emotion`, `speaker` and, where known, `sentence`, `take`, `gender`; other columns are
ignored. The speaker is `unknown` where it is not known who speaks.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from emelia.audio.files import SUFFIXES
from emelia.corpora.records import GENDERS, UNKNOWN_SPEAKER, Fields, Labels
from emelia.emotions import canonical
from emelia.errors import CorpusError

REQUIRED = ("file", "emotion", "speaker")
OPTIONAL = ("sentence", "take", "gender")


def read_manifest(path: Path) -> Labels:
    """Label the files a manifest lists.

    Raises:
        CorpusError: it is not CSV, or a row cannot be used; the message gives file:row.
    """
    labels = Labels()
    for number, row in _rows(path):
        where = f"{path}:{number}"
        for column in REQUIRED:
            if not row[column]:
                hint = " (unknown where it is not known who speaks)" if column == "speaker" else ""
                raise CorpusError(
                    f"{where}: the column {column!r} is empty; every row needs one{hint}."
                )
        gender = {"": "", **GENDERS}.get(row["gender"].lower())
        if gender is None:
            raise CorpusError(
                f"{where}: gender {row['gender']!r} is none of female, male or empty."
            )
        file = Path(os.path.relpath(path.parent / row["file"].replace("\\", "/"), path.parent))
        if file in labels.fields:
            raise CorpusError(f"{where}: {row['file']} was listed before; list each file once.")
        emotion = canonical(row["emotion"])
        speaker = row["speaker"]
        if speaker.lower() == UNKNOWN_SPEAKER:
            speaker = UNKNOWN_SPEAKER
        labels.fields[file] = Fields(emotion, speaker, row["sentence"], row["take"], gender)
    if not labels.fields:
        raise CorpusError(f"{path}: lists no files; expected a row for each recording.")
    return labels


def _rows(path: Path) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Yield line numbers, as an editor shows them, and stripped cells by column."""
    if path.suffix.lower() in SUFFIXES:
        raise CorpusError(
            f"{path}: one recording; expected a folder of them or a CSV manifest. `emelia process` "
            "and `emelia predict` take single ones."
        )
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise _not_a_manifest(path, "it is not UTF-8 text") from None
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read ({error.strerror}).") from None
    header = text.partition("\n")[0]
    delimiter = max(",;\t", key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        columns = [name.strip().lower() for name in next(reader, [])]
        if missing := [name for name in REQUIRED if name not in columns]:
            raise _not_a_manifest(path, f"its first row has no column {', '.join(missing)}")
        for cells in reader:
            if not any(cells):
                continue
            if len(cells) != len(columns):
                raise CorpusError(
                    f"{path}:{reader.line_num}: {len(cells)} cells, expected {len(columns)}."
                )
            row = dict.fromkeys(OPTIONAL, "")
            row |= dict(zip(columns, (cell.strip() for cell in cells), strict=True))
            yield reader.line_num, row
    except csv.Error as error:
        raise CorpusError(f"{path}:{reader.line_num}: not valid CSV ({error}).") from None


def _not_a_manifest(path: Path, reason: str) -> CorpusError:
    return CorpusError(
        f"{path}: not a manifest, {reason}; expected a folder of recordings or a CSV file "
        f"with the columns {', '.join(REQUIRED)} (and {', '.join(OPTIONAL)} where known)."
    )
