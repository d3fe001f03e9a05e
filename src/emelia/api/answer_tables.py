"""Tables of answers: the CSV of `emelia score`, of `emelia evaluate --out`, or of another system.

A table needs a column with answers. What is true stands in a column of its own, or is looked up in
a corpus by the path of the recording. Columns named like the labels, also as `p_LABEL`, hold
probabilities.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from emelia.corpora.records import GENDERS, UNKNOWN_SPEAKER, Corpus, Utterance
from emelia.emotions import NO_SPEECH, canonical
from emelia.errors import CorpusError
from emelia.listing.columns import pick
from emelia.listing.sheet import Line, read_sheet, read_text, value
from emelia.results.evaluation import ClipAnswer, Evaluation
from emelia.text import counted, listed

SUFFIXES = (".csv", ".tsv")
_ANSWER = ("answer", "predicted", "prediction", "pred", "output", "emotion", "label")
_TRUTH = ("truth", "true", "actual", "target", "gold", "reference", "label", "emotion")
_DIGITS = 3  # of the times of segments, which tables round
_FALSE = ("", "false", "0", "no")

Place = tuple[str, float | None, float | None]  # path or id, start and end of a segment (s)


@dataclass(frozen=True)
class _Columns:
    answer: str
    truth: str  # empty where the corpus tells
    places: Mapping[str, str]  # by role: file, speaker, gender, start, end
    chances: Mapping[str, str]  # by label
    unsure: str


def read_answers(path: Path, corpus: Corpus | None = None) -> Evaluation:
    """Read a table of answers; what is true is in the table or, if given, in a corpus.

    Raises:
        CorpusError: it is no such table, or none of its rows is a clip of the corpus.
    """
    try:
        sheet = read_sheet(read_text(path))
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read ({error.strerror or error}).") from None
    except ValueError as error:
        raise CorpusError(f"{path}: not a table of answers ({error}).") from None
    lines = [line for line in sheet.lines if not line.problem]
    columns = _columns(path, sheet.columns, lines, corpus is None)
    clips = _Clips(path, corpus) if corpus else None
    pairs = [(line, clips.find(line, columns) if clips else None) for line in lines]
    known = [(line, clip) for line, clip in pairs if clip or not clips]
    told = [_label(line, columns.answer) for line, _ in known]
    truth = [clip.emotion if clip else _label(line, columns.truth) for line, clip in known]
    usable = [i for i in range(len(known)) if told[i] and truth[i]]
    if not usable:
        raise CorpusError(
            f"{path}: {_nothing(len(lines), corpus)} Give the corpus that was scored, or a table "
            "with the columns truth and answer."
        )
    labels = {truth[i] for i in usable} | {told[i] for i in usable} | set(columns.chances)
    classes = tuple(sorted(labels - {NO_SPEECH}))
    answers = tuple(
        _answer(*known[i], truth[i], told[i], classes, columns, i) for i in usable
    )  # fmt: skip
    return Evaluation(
        path.stem, corpus.name if corpus else path.name, classes, answers,
        left_out=tuple(_left_out(sheet.lines, usable, corpus)),
        demo=corpus is not None and corpus.name == "demo",
    )  # fmt: skip


def _columns(path: Path, there: Sequence[str], lines: Sequence[Line], with_truth: bool) -> _Columns:
    by_name = {name.strip().lower(): name for name in reversed(there)}
    answer = next((by_name[name] for name in _ANSWER if name in by_name), "")
    truths = [by_name[name] for name in _TRUTH if by_name.get(name, answer) != answer]
    if not answer or (with_truth and not truths):
        lacking = "an answer" if not answer else "what is true"
        raise CorpusError(
            f"{path}: no column tells {lacking} (it has {', '.join(there) or 'none'}); expected "
            "truth and answer, or the table of `emelia score` and, after it, the corpus."
        )
    truth = truths[0] if with_truth else ""
    places = {
        role: name
        for role, name in pick(there, {}, ("file", "speaker", "gender", "start", "end")).items()
        if name not in (answer, truth)
    }
    if "id" in by_name:  # of `emelia evaluate`
        places.setdefault("file", by_name["id"])
    words = {_label(line, column) for line in lines for column in (answer, truth) if column}
    taken = {answer, truth, *places.values()}
    chances = {
        label: name
        for name in there
        if name not in taken
        for label in [canonical(name.removeprefix("p_"))]
        if label in words or name.startswith("p_")
    }
    more = _neighbours(there, by_name, chances)
    return _Columns(answer, truth, places, chances | more, by_name.get("unsure", ""))


def _neighbours(
    there: Sequence[str], by_name: Mapping[str, str], chances: Mapping[str, str]
) -> dict[str, str]:
    """Labels that were never answered: columns after `speech` in the tables of `emelia score`."""
    if "speech" not in by_name or not chances:
        return {}
    after = there[list(there).index(by_name["speech"]) + 1 :]
    return {canonical(name.removeprefix("p_")): name for name in after}


class _Clips:
    """The clips of a corpus by path, by id and, of segments, by their times."""

    def __init__(self, table: Path, corpus: Corpus) -> None:
        self._folder = table.parent
        self._found: dict[Place, Utterance] = {}
        for clip in (*corpus.utterances, *corpus.copies):
            start, end = (None, None) if clip.span is None else map(_rounded, clip.span)
            for name in (os.path.realpath(clip.path), clip.id):
                self._found[name, start, end] = clip
            self._found[clip.id, None, None] = clip

    def find(self, line: Line, columns: _Columns) -> Utterance | None:
        """The clip that a row is about."""
        if "file" not in columns.places:
            return None
        name = value(line.cells[columns.places["file"]])
        start, end = (_number(line, columns.places.get(role, "")) for role in ("start", "end"))
        paths = (name, os.path.realpath(name), os.path.realpath(self._folder / name))
        times = (_rounded(start), _rounded(end))
        return next((self._found[p, *times] for p in paths if (p, *times) in self._found), None)


def _answer(
    line: Line, clip: Utterance | None, truth: str, told: str, classes: tuple[str, ...],
    columns: _Columns, number: int,
) -> ClipAnswer:  # fmt: skip
    def cell(role: str) -> str:
        return value(line.cells[columns.places[role]]) if role in columns.places else ""

    gender = GENDERS.get(cell("gender").lower(), "")
    return ClipAnswer(
        clip.id if clip else cell("file") or str(number + 1),
        classes.index(truth),
        None if told == NO_SPEECH else classes.index(told),
        _chances(line, classes, columns),
        bool(columns.unsure) and value(line.cells[columns.unsure]).lower() not in _FALSE,
        clip.speaker if clip else cell("speaker") or UNKNOWN_SPEAKER,
        clip.gender if clip else gender,
    )


def _chances(line: Line, classes: Sequence[str], columns: _Columns) -> tuple[float, ...]:
    """Probabilities of the classes; empty where they are not all there or do not add up to 1."""
    if not columns.chances:
        return ()
    found = [_number(line, columns.chances.get(name, "")) for name in classes]
    shares = [share or 0.0 for share in found]
    return tuple(s / sum(shares) for s in shares) if 0.99 < sum(shares) < 1.01 else ()


def _label(line: Line, column: str) -> str:
    return canonical(value(line.cells[column]))


def _number(line: Line, column: str) -> float | None:
    try:
        return float(value(line.cells[column])) if column else None
    except ValueError:
        return None


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, _DIGITS)


def _nothing(rows: int, corpus: Corpus | None) -> str:
    where = f"is a clip of {corpus.name}" if corpus else "tells what is true and what was answered"
    return f"none of its {counted(rows, 'row')} {where}."


def _left_out(lines: Sequence[Line], usable: Sequence[int], corpus: Corpus | None) -> list[str]:
    left = len(lines) - len(usable)
    if not left:
        return []
    why = [f"no clips of {corpus.name}" if corpus else "without truth", "without an answer"]
    return [f"{counted(left, 'row')} left out: {listed(why).replace(' and ', ' or ')}."]
