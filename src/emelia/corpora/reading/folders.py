"""Read a folder without a manifest: folder names, or else file names, tell the emotion.

The emotion of a file is its folder at the level where most folders have the name of an emotion
(`anger`, `Angry`); other folders at this level are classes, too. Where no folder names an emotion,
the innermost folder is the class, whatever its name. Folders of speakers (`Actor_03`, `speaker1`,
or Joy beside Anna and Li) are not emotions. Where all folders are speakers, or hold files of the
same several emotions, the file names tell the emotion (`speaker1/calm_01.wav`). `speaker_search`
finds the speakers. Where two words of a path may be the emotion, a note says which was chosen.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from emelia.corpora.reading.emotion_search import (
    Found,
    Place,
    by_folders,
    by_names,
    emotion_in,
    emotions_in,
    level_at,
)
from emelia.corpora.reading.person_names import is_no_person, is_numbered_person
from emelia.corpora.reading.speaker_search import EmotionSource, abridged, find_speakers
from emelia.corpora.records import UNKNOWN_SPEAKER, Fields, Labels
from emelia.emotions import EMOTIONS, canonical

_SETTLE = "write a manifest.csv with the columns file, emotion, speaker"
_NOWHERE = "lies in no folder that names its emotion"


def read_folders(files: Sequence[Path]) -> Labels:
    """Label files by their folders, or by their names where the folders are speakers."""
    labels = Labels()
    reading = _read(files)
    told = reading.told
    labels.reasons = {file: _reason(file) for file in files if file not in told}
    voices = find_speakers(told)
    for file, one in told.items():
        speaker = voices.speakers.get(file, UNKNOWN_SPEAKER)
        labels.fields[file] = Fields(one.emotion, speaker)
    if told:
        labels.notes = [*_notes(told, len(labels.reasons)), *_doubts(reading), voices.note]
    return labels


@dataclass(frozen=True)
class _Reading:
    """Where each file names its emotion, and what folders and file names tell in addition."""

    told: dict[Path, EmotionSource]  # without files whose path names no emotion
    folders: Found
    names: Found
    elsewhere: tuple[Path, ...]  # with the emotion at another position than the others


def _read(files: Sequence[Path]) -> _Reading:
    folders, names = by_folders(files), by_names(files)
    by_name = not folders.emotions or names.weight > folders.weight
    holding = _by_folder(files)
    if by_name and (not holding or _names_tell(files, holding, names.emotions)):
        return _Reading(_tell(files, {}, names), folders, names, names.elsewhere)
    if not folders.emotions:
        return _Reading(_tell(files, holding, names), folders, names, ())
    others = [file for file in files if file not in folders.emotions]
    levels = {**_beside(others, folders.place), **folders.levels}
    told = _tell(files, levels, by_names(others))
    return _Reading(told, folders, names, folders.elsewhere)


def _tell(
    files: Sequence[Path], levels: Mapping[Path, int], names: Found
) -> dict[Path, EmotionSource]:
    told = {}
    for file in files:
        if file in levels:
            told[file] = EmotionSource(canonical(file.parts[levels[file]]), levels[file])
        elif file in names.emotions:
            told[file] = EmotionSource(names.emotions[file], None)
    return told


def _beside(files: Sequence[Path], place: Place | None) -> dict[Path, int]:
    """The folder of each file at the position where other files have an emotion."""
    at = {file: level_at(file, place) for file in files}
    return {
        file: level
        for file, level in at.items()
        if level is not None and not is_numbered_person(file.parts[level])
    }


def _by_folder(files: Sequence[Path]) -> dict[Path, int]:
    """Index of the innermost folder of each file that is not a speaker."""
    inner = {file: len(file.parts) - 2 for file in files if len(file.parts) > 1}
    people = {file for file, i in inner.items() if is_numbered_person(file.parts[i])}
    around = {}
    for file in people:
        outer = [
            i for i, name in enumerate(file.parts[:-1])
            if not is_numbered_person(name) and not is_no_person(name)
        ]  # fmt: skip
        if outer:
            around[file] = outer[-1]
    found = {file: i for file, i in inner.items() if file not in people} | around
    # One folder around all of them is the corpus and no emotion.
    single = len({file.parts[: i + 1] for file, i in around.items()}) < 2
    return {f: i for f, i in found.items() if not (single and f in people)}


def _names_tell(
    files: Sequence[Path], by_folder: Mapping[Path, int], by_name: Mapping[Path, str]
) -> bool:
    """Whether file names, not folders, tell the emotions: most emotions lie in several folders.

    Where each emotion of the file names has a folder of its own, as `surprise` in `positive`, the
    folders are the labels.
    """
    if 2 * len(by_name) <= len(files):
        return False
    lies = defaultdict(set)
    for file, emotion in by_name.items():
        lies[emotion].add(file.parts[by_folder[file]] if file in by_folder else "")
    folders = {name for names in lies.values() for name in names}
    if len(folders) < 2:
        return len(lies) > 1  # a folder of everything
    return 2 * sum(len(names) > 1 for names in lies.values()) > len(lies)


def _reason(file: Path) -> str:
    if emotion := emotion_in(file.stem):
        return f"{_NOWHERE}, and its name tells {emotion} only where others tell something else"
    if several := emotions_in(file.stem):
        return f"{_NOWHERE}, and its name tells several ({', '.join(several)})"
    people = [name for name in file.parts[:-1] if is_numbered_person(name)]
    if people:
        return f"the folder {people[-1]} names a person, and the file name no emotion"
    return f"{_NOWHERE}, and its name tells none" if len(file.parts) > 1 else _NOWHERE


def _notes(told: Mapping[Path, EmotionSource], left_out: int) -> list[str]:
    notes = []
    classes = sorted({one.emotion for one in told.values()})
    known = [name for name in classes if name in EMOTIONS]
    if not known:
        notes.append(f"No folder is named after a known emotion; classes: {abridged(classes)}.")
    elif 2 * len(known) < len(classes):
        notes.append(
            f"Only {abridged(known)} of {len(classes)} classes names a known emotion; classes: "
            f"{abridged(classes)}. If these are people, {_SETTLE}."
        )
    named = [file for file, one in told.items() if one.level is None]
    if named:
        notes.append(
            f"The emotion of {len(named)} of {len(told)} recordings is taken from the file name, "
            f"such as {told[named[0]].emotion} from {named[0].name}."
        )
    if left_out > len(told):
        notes.append(
            f"Only {len(told)} of {len(told) + left_out} recordings have a known emotion, "
            f"{abridged(classes)}; the others are left out. If people are called so, {_SETTLE}."
        )
    return notes


def _doubts(reading: _Reading) -> list[str]:
    """Notes on files whose path may name another emotion, with what to do about it."""
    told, notes = reading.told, []
    others = _others(reading)
    if others:
        # Show a file that may be wrong rather than one that is clear.
        file = max(others, key=lambda one: others[one][1])
        word, likely = others[file]
        other = f"though {word} may be it too" if likely else f"and {word} is taken for a name"
        notes.append(
            f"{len(others)} of {len(told)} recordings have two words in their path that may be "
            f"the emotion: {file} is read as {told[file].emotion}, {other}. If that is wrong, "
            f"{_SETTLE}."
        )
    if odd := reading.elsewhere:
        notes.append(
            f"{len(odd)} of {len(told)} recordings name their emotion at another place than the "
            f"others: {odd[0]} is read as {told[odd[0]].emotion}. If that is wrong, {_SETTLE}."
        )
    return notes


def _others(reading: _Reading) -> dict[Path, tuple[str, bool]]:
    """Files with another emotion in their path: the word, and whether it may be the right one."""
    told, folders, names = reading.told, reading.folders, reading.names
    found = {}
    for file, one in told.items():
        if one.level is None and folders.emotions.get(file, one.emotion) != one.emotion:
            found[file] = (file.parts[folders.levels[file]], folders.weight[0] > 0.5)
        named = names.emotions.get(file, one.emotion) if names.weight[0] > 0.5 else one.emotion
        if one.level is not None and named != one.emotion:
            found[file] = (f"{named} in its name", True)
        if rival := (names if one.level is None else folders).rivals.get(file):
            found[file] = rival
    return found
