"""Find where the paths of a corpus name the emotion: one position for all recordings.

A word alone is not enough: speakers, sentences and sessions may have the name of an emotion (Joy,
`surprise`, `neutral`). So words are compared by their position: a level of folders, or a part of
the file name, counted from the front or from the end. The position is chosen at which most
recordings, and most of the different words, name an emotion.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from emelia.emotions import EMOTIONS, canonical

# `sad` of `03_sad`, `angry` of `angryVoice2`
_WORD = re.compile(r"[A-Z]+(?![^\W\d_A-Z])|[^\W\d_][^\W\d_A-Z]*")
_FOLDERS, _SEPARATORS, _WORDS = "folders", ("_", "-", " "), "words"

Part = tuple[str, str]  # a word in lower case, and the emotion it names; empty if it names none
Place = tuple[str, int]  # how paths are cut, and which part: 0 is the first, -1 the last


@dataclass
class Tally:
    """The words at one position of all paths."""

    words: set[str] = field(default_factory=set)
    known: set[str] = field(default_factory=set)  # those that name emotions
    emotions: set[str] = field(default_factory=set)
    recordings: int = 0  # with the name of an emotion

    @property
    def share(self) -> float:
        """Share of the words that name emotions, 0 to 1."""
        return len(self.known) / len(self.words)

    def add(self, word: str, emotion: str) -> None:
        """Count the word at this position of one more recording."""
        self.words.add(word)
        if emotion:
            self.known.add(word)
            self.emotions.add(emotion)
            self.recordings += 1

    @property
    def alike(self) -> bool:
        """Whether all words are one emotion, as the name of a corpus or its only speaker may be."""
        return len(self.emotions) == 1 and self.known == self.words

    def weight(self, recordings: int) -> tuple[float, int]:
        """How well the position tells emotions, 0 to 1; then the number of emotions."""
        weight = self.share * self.recordings / recordings
        # One word everywhere is rather the name of the corpus than its only emotion.
        return (weight / 2 if self.alike else weight), len(self.emotions)


@dataclass(frozen=True)
class Found:
    """The emotions that one position tells."""

    emotions: Mapping[Path, str] = field(default_factory=dict)
    levels: Mapping[Path, int] = field(default_factory=dict)  # which part of the path names it
    elsewhere: tuple[Path, ...] = ()  # files that name it at another position
    weight: tuple[float, int] = (0.0, 0)
    place: Place | None = None
    rivals: Mapping[Path, tuple[str, bool]] = field(default_factory=dict)
    # Another emotion in the path, and whether its position may be the right one as well.


def by_folders(files: Sequence[Path]) -> Found:
    """The emotions that folder names tell."""
    return _find(files, (_FOLDERS,), _folder)


def by_names(files: Sequence[Path]) -> Found:
    """The emotions that file names tell."""
    return _find(files, (*_SEPARATORS, _WORDS), _part_of_name)


def emotion_in(text: str) -> str:
    """The emotion among the words of a name; empty where there is none, or several."""
    found = set(emotions_in(text))
    return found.pop() if len(found) == 1 else ""


def emotions_in(text: str) -> list[str]:
    """The emotions among the words of a name, in their order."""
    return [word for found in words_of(text) if (word := canonical(found)) in EMOTIONS]


def words_of(text: str) -> list[str]:
    """The words of a name; macOS writes accents as letters of their own, which are none."""
    return _WORD.findall(unicodedata.normalize("NFC", text))


def level_at(file: Path, place: Place | None) -> int | None:
    """Index of the folder at a position of a path; None where it has none there."""
    folders = len(file.parts) - 1
    if place is None or place[0] != _FOLDERS or not -folders <= place[1] < folders:
        return None
    return place[1] % folders


def _find(files: Sequence[Path], cuts: Sequence[str], understood: Callable[[str], Part]) -> Found:
    cutter = _Cutter(cache(understood))
    tallies = _tallies(files, cuts, cutter)
    weights = {place: tally.weight(len(files)) for place, tally in tallies.items() if tally.known}
    if not weights:
        return Found()
    place = max(weights, key=lambda one: _rank(weights[one], cuts.index(one[0]), one[1]))
    cut, index = place
    rows = {file: cutter.parts(file, cut) for file in files}
    told = {f: index % len(row) for f, row in rows.items() if _names_one(row, index)}
    more = _elsewhere(rows, told, tallies, cut)
    levels = told | more
    emotions = {file: rows[file][i][1] for file, i in levels.items()}
    rivals = {
        file: (cutter.texts(file, cut)[i], _may_tell(tallies, place, (cut, i)))
        for file, emotion in emotions.items()
        for i, (_, other) in enumerate(rows[file])
        if other not in ("", emotion)
    }
    return Found(emotions, levels, tuple(more), weights[place], place, rivals)


def _rank(weight: tuple[float, int], cut: int, index: int) -> tuple[float, ...]:
    """Sort key of positions: weight, then coarser parts, more emotions, the innermost."""
    return weight[0], -cut, weight[1], index


@dataclass(frozen=True)
class _Cutter:
    """Divides paths into parts; `understood` is cached, since most texts occur many times."""

    understood: Callable[[str], Part]

    def texts(self, file: Path, cut: str) -> Sequence[str]:
        if cut == _FOLDERS:
            return file.parts[:-1]
        return words_of(file.stem) if cut == _WORDS else file.stem.split(cut)

    def parts(self, file: Path, cut: str) -> list[Part]:
        return [self.understood(text) for text in self.texts(file, cut)]


def _folder(name: str) -> Part:
    word = canonical(name)
    return name.strip().lower(), word if word in EMOTIONS else ""


def _part_of_name(text: str) -> Part:
    return "".join(words_of(text)).lower(), emotion_in(text)


def _tallies(files: Sequence[Path], cuts: Sequence[str], cutter: _Cutter) -> dict[Place, Tally]:
    tallies: dict[Place, Tally] = defaultdict(Tally)
    for file in files:
        for cut in cuts:
            row = cutter.parts(file, cut)
            for i, (word, emotion) in enumerate(row):
                for index in (i, i - len(row)):
                    tallies[cut, index].add(word, emotion)
    return tallies


def _names_one(row: Sequence[Part], index: int) -> bool:
    return -len(row) <= index < len(row) and bool(row[index][1])


def _elsewhere(
    rows: Mapping[Path, Sequence[Part]],
    told: Mapping[Path, int],
    tallies: Mapping[Place, Tally],
    cut: str,
) -> dict[Path, int]:
    """Index of the emotion in paths that name one only, at another position than the others.

    A speaker called Joy also occurs beside an emotion; such words do not count.
    """
    beside = {word for f, i in told.items() for j, (word, _) in enumerate(rows[f]) if j != i}
    found = {}
    for file, row in rows.items():
        at = [i for i, (word, emotion) in enumerate(row) if emotion and word not in beside]
        if file not in told and len({row[i][1] for i in at}) == 1:
            found[file] = at[-1]
    if cut != _FOLDERS:
        return found
    return {
        f: i
        for f, i in found.items()
        if max(tallies[cut, at].share for at in (i, i - len(rows[f]))) > 0.5
    }


def _may_tell(tallies: Mapping[Place, Tally], place: Place, rival: Place) -> bool:
    """Whether the words at position `rival` are as much like emotions as those at `place`."""
    share = tallies[rival].share
    return not tallies[rival].alike and (share > 0.5 or share >= tallies[place].share)
