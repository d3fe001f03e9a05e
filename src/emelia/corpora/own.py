"""Corpora of one's own: a folder per emotion, or a CSV manifest.

Folders: the emotion of a file is the innermost folder around it whose name is one
emelia knows (`anger`, `Angry`), or else the folder that holds it. The speaker is what
comes before the first `_` of the file name (`s1_001.wav`), if every name has such a
part, none of them is an emotion, and at least half of them occur with two emotions or
more; otherwise the speakers are unknown.

Manifest: a CSV file (comma, semicolon or tab) whose first row names the columns
`file`, `emotion`, `speaker` and, where known, `sentence`, `take`, `gender`; others are
ignored. Files are given relative to the manifest.
"""

from __future__ import annotations

import csv
import io
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from emelia.corpora.scan import SUFFIXES
from emelia.corpora.utterance import UNKNOWN_SPEAKER, Fields, Labels
from emelia.emotions import EMOTIONS, canonical
from emelia.errors import CorpusError

REQUIRED = ("file", "emotion", "speaker")
OPTIONAL = ("sentence", "take", "gender")
_GENDERS = {"": "", "f": "female", "female": "female", "m": "male", "male": "male"}


def read_folders(files: Sequence[Path]) -> Labels:
    """Label files by the folders they lie in."""
    labels = Labels()
    emotions = {file: emotion for file in files if (emotion := _emotion(file))}
    labels.reasons = {
        file: "lies in no folder that names its emotion" for file in files if file not in emotions
    }
    speakers = _speakers(emotions)
    for file, emotion in emotions.items():
        labels.fields[file] = Fields(emotion, speakers.get(file, UNKNOWN_SPEAKER))
    if emotions and not speakers:
        labels.notes.append(
            "The file names do not tell who speaks, so speaker-independent splits are impossible; "
            "name the files SPEAKER_..., or write a manifest."
        )
    elif speakers:
        names = sorted(set(speakers.values()))
        labels.notes.append(f"Speakers are taken from the file names: {_some(names)}.")
    if emotions and not set(emotions.values()) & set(EMOTIONS):
        classes = sorted(set(emotions.values()))
        labels.notes.append(f"No folder is named after a known emotion; classes: {_some(classes)}.")
    return labels


def read_manifest(path: Path) -> Labels:
    """Label the files a manifest lists.

    Raises:
        CorpusError: it is no CSV, or a row cannot be used; the message names file:row.
    """
    labels = Labels()
    for number, row in _rows(path):
        where = f"{path}:{number}"
        for column in REQUIRED:
            if not row[column]:
                raise CorpusError(f"{where}: the column {column!r} is empty; every row needs one.")
        gender = _GENDERS.get(row["gender"].lower())
        if gender is None:
            raise CorpusError(
                f"{where}: gender {row['gender']!r} is none of female, male or empty."
            )
        file = Path(os.path.relpath(path.parent / row["file"].replace("\\", "/"), path.parent))
        if file in labels.fields:
            raise CorpusError(f"{where}: {row['file']} was listed before; list each file once.")
        emotion = canonical(row["emotion"])
        labels.fields[file] = Fields(emotion, row["speaker"], row["sentence"], row["take"], gender)
    if not labels.fields:
        raise CorpusError(f"{path}: lists no files; expected a row for each recording.")
    return labels


def _rows(path: Path) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Row numbers as an editor shows them, and cells by column, stripped."""
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


def _emotion(file: Path) -> str:
    """The emotion a file's folders tell; empty for a file in no folder."""
    folders = [canonical(name) for name in reversed(file.parent.parts)]
    known = [name for name in folders if name in EMOTIONS]
    return next(iter(known + folders), "")


def _speakers(emotions: Mapping[Path, str]) -> dict[Path, str]:
    """Speakers by the rule in the module's docstring; empty where it does not hold."""
    prefixes = {file: file.name.partition("_")[0] for file in emotions if "_" in file.stem}
    spoken = defaultdict(set)
    for file, prefix in prefixes.items():
        spoken[prefix].add(emotions[file])
    several = sum(len(heard) > 1 for heard in spoken.values())
    named_after_emotions = any(canonical(prefix) in EMOTIONS or not prefix for prefix in spoken)
    if len(prefixes) < len(emotions) or named_after_emotions or 2 * several < len(spoken):
        return {}
    return prefixes


def _some(names: Sequence[str], most: int = 8) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
