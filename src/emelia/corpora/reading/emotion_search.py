"""At which place of their paths the recordings of a corpus name their emotion: one for all.

People, sentences and sessions may be called like an emotion (Joy, `surprise`, `neutral`), so a
word alone does not tell. A place is a level of folders, or a part of the file names, counted from
the front or from the end. Of all places the one tells the emotion at which most recordings have
the name of one, and most of the words that occur are such names.
"""

from __future__ import annotations

import re
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
    """What stands at one place in all recordings."""

    words: set[str] = field(default_factory=set)
    known: set[str] = field(default_factory=set)  # those that name emotions
    emotions: set[str] = field(default_factory=set)
    recordings: int = 0  # with the name of an emotion

    @property
    def share(self) -> float:
        """The part of the words that name emotions, 0 to 1."""
        return len(self.known) / len(self.words)

    def add(self, word: str, emotion: str) -> None:
        """Count what stands at this place of one more recording."""
        self.words.add(word)
        if emotion:
            self.known.add(word)
            self.emotions.add(emotion)
            self.recordings += 1

    @property
    def alike(self) -> bool:
        """Whether it is the same everywhere, as the name of the corpus or its speaker may be."""
        return len(self.emotions) == 1 and self.known == self.words

    def weight(self, recordings: int) -> tuple[float, int]:
        """How well the place tells the emotion of so many recordings; then the emotions told."""
        weight = self.share * self.recordings / recordings
        return (weight / 2 if self.alike else weight), len(self.emotions)


@dataclass(frozen=True)
class Found:
    """The emotions that one place tells."""

    emotions: Mapping[Path, str] = field(default_factory=dict)
    levels: Mapping[Path, int] = field(default_factory=dict)  # which part of the path tells it
    elsewhere: tuple[Path, ...] = ()  # of these another place than that of the others
    weight: tuple[float, int] = (0.0, 0)
    place: Place | None = None
    rivals: Mapping[Path, tuple[str, bool]] = field(default_factory=dict)
    # another emotion's word in the path, and whether its place may as well be that of the emotion


def by_folders(files: Sequence[Path]) -> Found:
    """The emotions that folders tell."""
    return _find(files, (_FOLDERS,), _folder)


def by_names(files: Sequence[Path]) -> Found:
    """The emotions that file names tell."""
    return _find(files, (*_SEPARATORS, _WORDS), _part_of_name)


def emotion_in(text: str) -> str:
    """The one known emotion among the words of a name; empty for none or several."""
    found = set(emotions_in(text))
    return found.pop() if len(found) == 1 else ""


def emotions_in(text: str) -> list[str]:
    """The emotions that the words of a name tell."""
    return [word for found in _WORD.findall(text) if (word := canonical(found)) in EMOTIONS]


def level_at(file: Path, place: Place | None) -> int | None:
    """Which folder of a file lies at a place; None where it has none there."""
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
    """What decides between places: of equals the coarser cut, more emotions, the innermost."""
    return weight[0], -cut, weight[1], index


@dataclass(frozen=True)
class _Cutter:
    """Cuts paths into parts; `understood` remembers texts, since most occur many times."""

    understood: Callable[[str], Part]

    def texts(self, file: Path, cut: str) -> Sequence[str]:
        if cut == _FOLDERS:
            return file.parts[:-1]
        return _WORD.findall(file.stem) if cut == _WORDS else file.stem.split(cut)

    def parts(self, file: Path, cut: str) -> list[Part]:
        return [self.understood(text) for text in self.texts(file, cut)]


def _folder(name: str) -> Part:
    word = canonical(name)
    return name.strip().lower(), word if word in EMOTIONS else ""


def _part_of_name(text: str) -> Part:
    return "".join(_WORD.findall(text)).lower(), emotion_in(text)


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
    """Where the only emotion in a path is that lies deeper, or less deep, than in the others.

    Who is called Joy stands beside an emotion somewhere, and is none where she does not.
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
    """Whether the words at another place look like those of the place that was taken."""
    share = tallies[rival].share
    return not tallies[rival].alike and (share > 0.5 or share >= tallies[place].share)
