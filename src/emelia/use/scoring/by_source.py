"""Scores adapted to the sources of a collection, made of what the journal holds of each recording.

The network has heard every recording once. Then all of them tell the offsets of their sources, and
the answers are made anew: with more recordings the same is done again, and nothing is heard twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from emelia.text import counted
from emelia.use.adaptation.source import FEWEST, SourceProfile
from emelia.use.answer import COLUMNS, Prediction
from emelia.use.inputs import Recording, path_of, values_of
from emelia.use.pooling import SHORTEST
from emelia.use.recognizer import Recognizer
from emelia.use.scoring.journal import Row

FOLDER = "folder"  # in place of a column
ADAPTED = "adapted"  # the column that tells to how many clips an answer is adapted
_ROW = len(COLUMNS) - 1  # cells of a row before the probabilities
_NAMED = 3  # sources, at most

SourceOf = Callable[[Recording, str], str | None]


def heard_row(answer: Prediction, emotions: Sequence[str]) -> Row:
    """A row of the journal: cells of the table, and what an answer is adapted by."""
    row = answer.row(emotions, decimals=6)
    if answer.coordinates is None or answer.log_probabilities is None:
        return row
    # Five decimals are a hundredth of a percent of what clips of one source differ by.
    places = [round(value, 5) for value in answer.coordinates.astype(np.float64).tolist()]
    return (*row, [places, [round(value, 6) for value in answer.log_probabilities.tolist()]])


def cells(row: Row, emotions: Sequence[str]) -> Row:
    """The cells of the table in a row of the journal."""
    return row[: _ROW + len(emotions)]


def source_of(where: str | Path, by: str) -> SourceOf:
    """What tells the source of a recording, and of a channel of it: None where it is unknown.

    Args:
        where: the collection.
        by: `folder`, a column of a table, or "" where all are of one source.

    Raises:
        AudioError: there is no such column.
    """
    names = values_of(where, by) if by not in ("", FOLDER) else {}

    def tell(one: Recording, channel: str) -> str | None:
        name: str | None = ""
        if by:
            name = str(Path(path_of(one)).parent) if by == FOLDER else names.get(one)
        # The two sides of a call are two voices on two telephones.
        return f"{name} [{channel}]" if channel and name is not None else name

    return tell


class Adapting:
    """Answers of a collection, adapted to its sources.

    Args:
        recognizer: of the model whose rows they are. The source it has is where each begins.
        own: whether the collection's own recordings tell their sources.
    """

    def __init__(self, recognizer: Recognizer, own: bool) -> None:
        self._recognizer, self._own = recognizer, own
        self._profiles: dict[str, SourceProfile] = {}
        self._adapted: dict[str, Recognizer] = {}
        self._used: Counter[str] = Counter()  # recordings, by source
        self._nameless = self._changed = 0

    def add(self, source: str | None, row: Row) -> None:
        """Let a recording tell of its source."""
        if source is None:
            self._nameless += 1
            return
        if source not in self._profiles:
            known = self._recognizer.source
            self._profiles[source] = known.copy() if known else SourceProfile(self._recognizer.card)
        answer = self._heard(row)
        if self._own and answer.coordinates is not None and answer.speech >= SHORTEST:
            self._profiles[source].add(answer.coordinates)
            self._used[source] += 1

    def row(self, source: str | None, row: Row) -> Sequence[Any]:
        """The cells of a recording, once all have been added."""
        answer = self._heard(row)
        told = answer
        if source is not None:
            if source not in self._adapted:
                self._adapted[source] = self._recognizer.used_to(self._profiles[source])
            told = self._adapted[source].again(answer)
        self._changed += told.emotion != answer.emotion
        values = told.row(self._recognizer.emotions, decimals=6)
        return (*values[:_ROW], told.adapted, *values[_ROW:])

    def __str__(self) -> str:
        enough = [name for name, profile in self._profiles.items() if profile.enough]
        used = counted(sum(self._used[name] for name in enough), "recording")
        told = used + (f" of {len(enough)} sources" if len(enough) > 1 else "")
        if not self._own and self._recognizer.source:
            told = f"a source of {counted(self._recognizer.source.clips, 'recording')}"
        return f"adapted to {told}; {counted(self._changed, 'answer')} changed"

    def warnings(self) -> list[str]:
        """What is answered plainly though adapting was asked for, a line a reason."""
        told = []
        if few := [name for name, profile in self._profiles.items() if not profile.enough]:
            some = ", ".join(name or "the collection" for name in few[:_NAMED])
            more = f" and {len(few) - _NAMED} more" if len(few) > _NAMED else ""
            told.append(f"fewer than {FEWEST} recordings with enough speech: {some}{more}")
        if self._nameless:
            told.append(f"{counted(self._nameless, 'recording')} without a source")
        return [f"answered plainly: {reason}." for reason in told]

    def _heard(self, row: Row) -> Prediction:
        emotions = self._recognizer.emotions
        emotion, confidence, unsure, seconds, speech, *shares = cells(row, emotions)
        places, logs = (*row[_ROW + len(emotions) :], (None, None))[0]
        nothing = np.zeros((0, 0), np.float32)
        return Prediction(
            emotion, confidence, {} if shares[0] is None else dict(zip(emotions, shares,
            strict=True)), unsure, seconds, speech, nothing, nothing[0:], 0.0,
            coordinates=None if places is None else np.array(places, np.float32),
            log_probabilities=None if logs is None else np.array(logs),
        )  # fmt: skip
