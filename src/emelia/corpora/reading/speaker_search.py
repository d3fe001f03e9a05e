"""Find the speakers of a folder of recordings by the names of folders and files.

Speakers are the first of these that every file has:

1. folders with names of numbered speakers, `Actor_03`, `spk1`, at any level;
2. such a name inside the file names, `angry_spk1_03.wav`;
3. the folders above or below the emotion, if every emotion has several of them;
4. the file names up to the first `_`, `anna_001.wav`.

The last two count only if at least half of the names occur with two emotions or more, and if they
are not dates, sessions, takes or running numbers, which occur once with each emotion. In doubt the
speakers are unknown, with a note that says why: a split by running numbers would be called
speaker-independent and not be it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from emelia.corpora.reading.speaker_names import is_no_speaker, is_numbered_speaker, speaker_in
from emelia.emotions import EMOTIONS, canonical

_REMEDY = (
    "so speaker-independent splits are impossible. Put each speaker's files into a folder of "
    "their own, name the files SPEAKER_..., say it by --speakers-from, or write a manifest with a "
    "column speaker."
)


@dataclass(frozen=True)
class EmotionSource:
    """The emotion of a file, and the index of the folder that names it; None: the file name."""

    emotion: str
    level: int | None


@dataclass(frozen=True)
class SpeakersFound:
    """The speaker of each file, none where they are unknown, and a note for the user."""

    note: str
    speakers: Mapping[Path, str] = field(default_factory=dict)


Sources = Mapping[Path, EmotionSource]  # by file
Names = dict[Path, str]  # by file


def find_speakers(sources: Sources) -> SpeakersFound:
    """Find the speakers of files by the rules of this module."""
    doubt = ""
    for where, names, doubts in _candidates(sources):
        if len(names) < len(sources):
            continue
        reason = doubts(names, sources)
        if not reason:
            return SpeakersFound(f"Speakers are taken from the {where}: {shown(names)}.", names)
        doubt = reason  # that of the last rule, on file names, is reported
    said = doubt or "Neither folders nor file names tell who speaks"
    return SpeakersFound(f"{said}, {_REMEDY}")


def shown(speakers: Mapping[Path, str]) -> str:
    """The speakers, and a file of the first: `anna, ben (anna in sad/anna_1.wav)`."""
    names = sorted(set(speakers.values()))
    file = min(file for file, name in speakers.items() if name == names[0])
    return f"{abridged(names)} ({names[0]} in {file.as_posix()})"


def abridged(names: Sequence[str], most: int = 8) -> str:
    """The first names, and the number of the others: `a, b and 3 more`."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


Doubts = Callable[[Names, Sources], str]


def _candidates(sources: Sources) -> Iterator[tuple[str, Names, Doubts]]:
    """For each rule, where it looks, the name it finds for each file, and its check."""
    yield "folders", _each(sources, _speaker_around), lambda *_: ""
    yield "file names", _each(sources, lambda file, _: speaker_in(file.stem)), lambda *_: ""
    sessions = _sessions(sources)
    above, below = partial(_above, sessions=sessions), partial(_below, sessions=sessions)
    yield "folders", _each(sources, above), _doubts_of_groups
    yield "folders", _each(sources, below), _doubts_of_folders
    yield "file names", _each(sources, _prefix), _doubts_of_prefixes


def _each(sources: Sources, find: Callable[[Path, EmotionSource], str]) -> Names:
    return {file: name for file, one in sources.items() if (name := find(file, one))}


def _speaker_around(file: Path, one: EmotionSource) -> str:
    speakers = [
        n for i, n in enumerate(file.parts[:-1]) if i != one.level and is_numbered_speaker(n)
    ]
    return speakers[-1] if speakers else ""


def _sessions(sources: Sources) -> set[str]:
    """Folders with the name of an emotion that lie beside sessions, as `neutral` may."""
    levels = defaultdict(set)
    for file, one in sources.items():
        for level, name in enumerate(file.parts[:-1]):
            if level != one.level:
                levels[level].add(name)
    found = set()
    for names in levels.values():
        like = {name for name in names if canonical(name) in EMOTIONS}
        if all(map(is_no_speaker, names - like)) and (len(like) == 1 or names - like):
            found |= like
    return found


def _above(file: Path, one: EmotionSource, sessions: set[str]) -> str:
    """The folder around that of the emotion, or around a file whose name tells it."""
    level = len(file.parts) - 1 if one.level is None else one.level
    return _nearest(file.parts[:level][::-1], sessions)


def _below(file: Path, one: EmotionSource, sessions: set[str]) -> str:
    """The folder inside that of the emotion."""
    return "" if one.level is None else _nearest(file.parts[one.level + 1 : -1], sessions)


def _nearest(folders: Sequence[str], sessions: set[str]) -> str:
    """The first that may be a speaker (`anna` of `day1` and `anna`), or else the first."""
    speakers = [name for name in folders if not is_no_speaker(name)]
    return next((n for n in speakers if n not in sessions), next(iter([*speakers, *folders]), ""))


def _prefix(file: Path, _one: EmotionSource) -> str:
    return file.name.partition("_")[0] if "_" in file.stem else ""


def _doubts_of_groups(names: Names, sources: Sources) -> str:
    """Why folders are not speakers; empty where they may be."""
    heard = defaultdict(set)
    for file, name in names.items():
        heard[sources[file].emotion].add(name)
    if any(len(found) < 2 for found in heard.values()):
        return "The folders do not tell who speaks: not every emotion has several"
    return _doubts_of_names(names, sources, "folders")


def _doubts_of_folders(names: Names, sources: Sources) -> str:
    return _doubts_of_groups(names, sources) or _counts_up(names, sources, "folders")


def _doubts_of_prefixes(names: Names, sources: Sources) -> str:
    """Why the beginnings of file names are not speakers; empty where they may be."""
    if len(set(names.values())) < 2:
        prefix = next(iter(names.values()))
        return f"All file names begin with {prefix}_, which does not tell speakers apart"
    return _doubts_of_names(names, sources, "file names") or _counts_up(
        names, sources, "file names"
    )


def _doubts_of_names(names: Names, sources: Sources, where: str) -> str:
    spoken = defaultdict(set)
    for file, name in names.items():
        spoken[name].add(sources[file].emotion)
    emotions = _names_of_emotions(spoken)
    wrong = next((n for n in spoken if is_no_speaker(n) or n in emotions), "")
    dated = [file for file in names if where == "file names" and is_no_speaker(file.stem)]
    if wrong or dated:
        return f"The {where} do not tell who speaks ({wrong or dated[0].name} is not a speaker)"
    several = sum(len(emotions) > 1 for emotions in spoken.values())
    if 2 * several < len(spoken):
        return f"The {where} do not tell who speaks: most of their names occur with one emotion"
    return ""


def _names_of_emotions(spoken: Mapping[str, set[str]]) -> set[str]:
    """Names that are emotions: a speaker may be called Joy, but not most speakers."""
    known = {name: word for name in spoken if (word := canonical(name)) in EMOTIONS}
    if 2 * len(known) > len(spoken) and len(set(known.values())) > 1:
        return set(known)
    return {name for name, word in known.items() if spoken[name] == {word}}


def _counts_up(names: Names, sources: Sources, where: str) -> str:
    """Why names are running numbers or sentences: they occur once with each emotion.

    Each folder is counted separately, since in `train` and `test` numbers may begin anew.
    """
    level = (
        -1 if where == "file names" else -2
    )  # compare the folders of speakers within their parent
    cells = Counter(
        (file.parts[:level], name, sources[file].emotion) for file, name in names.items()
    )
    several = sum(clips > 1 for clips in cells.values())
    if 2 * several >= len(cells):
        return ""
    example = min(names.values(), key=lambda name: (len(name), name))
    return (
        f"The {where} do not tell who speaks: {example} and the like occur once with each "
        "emotion, as running numbers and sentences do"
    )
