"""Read a manifest: a table that lists the recordings of a corpus with their labels.

Its first row names the columns, separated by comma, semicolon or tab: `file` (relative to the
manifest), `emotion` and, where known, `speaker`, `sentence`, `take`, `gender`, `split` (the
official part) and, for segments, `start` and `end` or `duration` in seconds. Other usual names are
understood (`listing.columns`); `manifest.csv?emotion=LABEL&file=WAV` says which columns they are.

A row that cannot be used is left out with the reason, and the others are read. A recording with
several rows gets the emotion that most of them give, as several people may have judged it.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from emelia.audio.excerpts import Span
from emelia.audio.files import SUFFIXES
from emelia.corpora.reading.speaker_rules import speakers_by_rule
from emelia.corpora.reading.speaker_search import EmotionSource
from emelia.corpora.records import GENDERS, PART_WORDS, UNKNOWN_SPEAKER, Fields, Labels
from emelia.emotions import EMOTIONS, canonical
from emelia.errors import CorpusError
from emelia.listing.columns import column_of_files, pick
from emelia.listing.finding import find_file
from emelia.listing.raters import labels_in, majority
from emelia.listing.sheet import Sheet, read_sheet, read_text, value
from emelia.listing.spans import span_of, without_other_times
from emelia.text import counted, listed

REQUIRED = ("file", "emotion")
OPTIONAL = ("speaker", "sentence", "take", "gender")
_ROLES = (*REQUIRED, *OPTIONAL, "part", "start", "end", "duration")


def read_manifest(
    path: Path, chosen: Mapping[str, str] | None = None, speakers_from: str = ""
) -> Labels:
    """Label the files a manifest lists.

    Args:
        chosen: columns by role, where the usual names do not tell them.
        speakers_from: the rule of `speaker_rules` for clips without a speaker in the table.

    Raises:
        CorpusError: it is not CSV, a column is missing, or no row can be used.
    """
    sheet = _sheet(path)
    try:
        columns = pick(sheet.columns, chosen or {}, _ROLES)
    except ValueError as error:
        raise CorpusError(f"{path}: {error}.") from None
    if "file" not in columns and (name := column_of_files(sheet, SUFFIXES)):
        columns["file"] = name
    if missing := [role for role in REQUIRED if role not in columns]:
        raise _not_a_manifest(path, f"its first row has no column {', '.join(missing)}", sheet)
    try:
        reader = _Reader(path, without_other_times(columns, sheet.lines))
    except ValueError as error:
        raise CorpusError(f"{path}: {error}.") from None
    for line in sheet.lines:
        if line.problem:
            reader.refuse(line.number, line.problem)
        else:
            reader.add(line.number, line.cells)
    return reader.finish(speakers_from)


class _Reader:
    """Collects what the rows of a manifest tell."""

    def __init__(self, path: Path, columns: Mapping[str, str]) -> None:
        self._path, self._columns = path, columns
        self._labels = Labels()
        self._rows: dict[Path, list[Fields]] = {}  # of each clip
        self._unlabelled = 0
        self._again = 0  # rows for clips that have one
        self._odd_genders = Counter[str]()

    def refuse(self, number: int, reason: str) -> None:
        """Leave out a row."""
        self._labels.reasons[Path(f"{self._path.name}:{number}")] = reason

    def add(self, number: int, cells: Mapping[str, str]) -> None:
        """Take what a row tells of a clip."""
        row = {role: value(cells[column]) for role, column in self._columns.items()}
        if not row["file"]:
            self.refuse(number, "names no file")
        elif not (labels := [word for word in labels_in(row["emotion"]) if value(word)]):
            self._unlabelled += 1
        else:
            try:
                span = span_of(cells, self._columns)
            except ValueError as error:
                self.refuse(number, str(error))
                return
            clip = self._clip(row["file"], span)
            self._again += clip in self._rows
            told = [self._fields({**row, "emotion": label}) for label in labels]
            self._rows.setdefault(clip, []).extend(told)

    def finish(self, speakers_from: str) -> Labels:
        """The labels of all clips, with notes on rows that do not count.

        Raises:
            CorpusError: there are none.
        """
        for clip, rows in self._rows.items():
            emotion = majority([row.emotion for row in rows])
            if emotion:
                self._labels.fields[clip] = replace(rows[0], emotion=emotion)
            else:
                told = sorted({row.emotion for row in rows})
                self._labels.reasons[clip] = f"its raters disagree ({listed(told)} alike)"
        if speakers_from:
            self._fill_in_speakers(speakers_from)
        self._labels.notes += self._notes(speakers_from)
        if not self._labels.fields:
            raise self._nothing()
        return self._labels

    def _clip(self, name: str, span: Span | None) -> Path:
        """The key of a clip: its file relative to the manifest and, of a segment, its times."""
        folder = self._path.parent
        file = Path(os.path.relpath(find_file(folder, name), folder))
        if span is None:
            return file
        clip = Path(f"{file}#t={span}")
        self._labels.spans[clip] = (file, span)
        return clip

    def _fields(self, row: Mapping[str, str]) -> Fields:
        speaker = row.get("speaker", "")
        if speaker.lower() in ("", UNKNOWN_SPEAKER):
            speaker = UNKNOWN_SPEAKER
        word = row.get("gender", "").lower()
        gender = GENDERS.get(word, "")
        self._odd_genders[word] += bool(word and not gender)
        part = PART_WORDS.get(row.get("part", "").lower(), "")
        self._labels.words[row["emotion"]] = emotion = canonical(row["emotion"])
        sentence, take = row.get("sentence", ""), row.get("take", "")
        return Fields(emotion, speaker, sentence, take, gender, part)

    def _fill_in_speakers(self, rule: str) -> None:
        fields = self._labels.fields
        nameless = [clip for clip, told in fields.items() if told.speaker == UNKNOWN_SPEAKER]
        sources = {clip: EmotionSource(fields[clip].emotion, _level(clip)) for clip in nameless}
        if sources:
            found = speakers_by_rule(sources, rule)
            self._labels.notes.append(found.note)
            for clip, speaker in found.speakers.items():
                fields[clip] = replace(fields[clip], speaker=speaker)

    def _notes(self, speakers_from: str) -> list[str]:
        notes = []
        if "speaker" not in self._columns and not speakers_from:
            notes.append(
                "No column tells who speaks, so speaker-independent splits are impossible; if one "
                f"does, say which: '{self._path.name}?speaker=NAME'; paths may: --speakers-from."
            )
        if self._unlabelled:
            rows = counted(self._unlabelled, "row")
            notes.append(f"{rows} without an emotion left out.")
        if self._again:
            notes.append(
                f"{counted(self._again, 'row')} for clips that are listed before: the emotion "
                "that most rows give counts."
            )
        if odd := [word for word, rows in self._odd_genders.items() if rows]:
            notes.append(
                f"The gender {listed(odd[:5])} in {counted(self._odd_genders.total(), 'row')} is "
                "not known as female or male and left empty."
            )
        return notes

    def _nothing(self) -> CorpusError:
        reasons = self._labels.reasons
        if reasons:
            name, reason = next(iter(reasons.items()))
            why = f"no row of it can be used ({name}: {reason})"
        elif self._unlabelled:
            why = f"none of its {counted(self._unlabelled, 'row')} has an emotion"
        else:
            why = "lists no files; expected a row for each recording"
        return CorpusError(f"{self._path}: {why}.")


def _level(clip: Path) -> int | None:
    """Index of the folder with the name of an emotion; None where there is none."""
    levels = [i for i, name in enumerate(clip.parts[:-1]) if canonical(name) in EMOTIONS]
    return levels[-1] if levels else None


def _sheet(path: Path) -> Sheet:
    if path.suffix.lower() in SUFFIXES:
        raise CorpusError(
            f"{path}: one recording; expected a folder of them or a CSV manifest. `emelia process` "
            "and `emelia predict` take single ones."
        )
    try:
        text = read_text(path)
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read ({error.strerror}).") from None
    except ValueError as error:
        raise _not_a_manifest(path, str(error)) from None
    try:
        return read_sheet(text)
    except ValueError as error:
        raise CorpusError(f"{path}: {error}.") from None


def _not_a_manifest(path: Path, reason: str, sheet: Sheet | None = None) -> CorpusError:
    there = f" (it has {', '.join(sheet.columns)})" if sheet and sheet.columns else ""
    return CorpusError(
        f"{path}: not a manifest, {reason}{there}; expected a folder of recordings or a CSV file "
        f"with the columns {', '.join(REQUIRED)} (and {', '.join(OPTIONAL)} where known). Where "
        f"they have other names, say so: '{path.name}?file=NAME&emotion=NAME'."
    )
