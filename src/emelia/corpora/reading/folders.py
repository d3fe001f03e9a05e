"""Read a folder without a manifest: folder names, or else file names, tell the emotion.

The emotion of a file is its folder at the level where most folders have the name of an emotion
(`anger`, `Angry`); other folders at this level are classes, too. Where no folder names an emotion,
the innermost folder is the class, whatever its name. Folders of speakers (`Actor_03`, `speaker1`,
or Joy beside Anna and Li) are not emotions. Where all folders are speakers, or hold files of the
same several emotions, the file names tell the emotion (`speaker1/calm_01.wav`). `speaker_search`
finds the speakers. Where two words of a path may be the emotion, a note says which was chosen.
"""

from __future__ import annotations

import unicodedata
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
    words_of,
)
from emelia.corpora.reading.speaker_names import is_no_speaker, is_numbered_speaker
from emelia.corpora.reading.speaker_rules import speakers_by_rule
from emelia.corpora.reading.speaker_search import EmotionSource, Sources, abridged, find_speakers
from emelia.corpora.records import UNKNOWN_SPEAKER, Fields, Labels
from emelia.emotions import EMOTIONS, canonical

_SETTLE = (
    "write a manifest.csv with the columns file, emotion, speaker, or say what the folders are: "
    "--layout speaker/emotion"
)
_NOWHERE = "lies in no folder that names its emotion"


def read_folders(files: Sequence[Path], speakers_from: str = "") -> Labels:
    """Label files by their folders, or by their names where the folders are speakers.

    Args:
        files: relative to the corpus folder.
        speakers_from: the rule of `speaker_rules`; empty: found by `speaker_search`.
    """
    composed = {Path(unicodedata.normalize("NFC", str(file))): file for file in files}
    if len(composed) < len(files):  # both ways of writing accents in one folder
        composed = {file: file for file in files}
    labels = _labels(list(composed), speakers_from)
    labels.fields = {composed[file]: fields for file, fields in labels.fields.items()}
    labels.reasons = {composed[file]: reason for file, reason in labels.reasons.items()}
    return labels


def _labels(files: Sequence[Path], speakers_from: str) -> Labels:
    labels = Labels()
    reading = _read(files)
    sources = reading.sources
    labels.reasons = {file: _reason(file) for file in files if file not in sources}
    if not sources:
        return labels
    found = speakers_by_rule(sources, speakers_from) if speakers_from else find_speakers(sources)
    for file, one in sources.items():
        speaker = found.speakers.get(file, UNKNOWN_SPEAKER)
        labels.fields[file] = Fields(one.emotion, speaker)
        labels.words |= {word: one.emotion for word in _written(file, one)}
    labels.notes = [*_notes(sources, len(labels.reasons)), *_doubts(reading), found.note]
    return labels


def _written(file: Path, one: EmotionSource) -> list[str]:
    """The words of a path that tell its emotion, as they are written."""
    if one.level is not None:
        return [file.parts[one.level]]
    return [word for word in words_of(file.stem) if canonical(word) == one.emotion]


@dataclass(frozen=True)
class _Reading:
    """Where each file names its emotion, and what folders and file names tell in addition."""

    sources: dict[Path, EmotionSource]  # without files whose path names no emotion
    folders: Found
    names: Found
    elsewhere: tuple[Path, ...]  # with the emotion at another position than the others


def _read(files: Sequence[Path]) -> _Reading:
    folders, names = by_folders(files), by_names(files)
    # File names only count where folders name emotions less well, and are not labels themselves.
    by_name = not folders.emotions or names.weight > folders.weight
    holding = _by_folder(files)
    if by_name and (not holding or _by_file_names(files, holding, names.emotions)):
        return _Reading(_emotion_sources(files, {}, names), folders, names, names.elsewhere)
    if not folders.emotions:  # classes of other names than those of emotions
        return _Reading(_emotion_sources(files, holding, names), folders, names, ())
    others = [file for file in files if file not in folders.emotions]
    levels = {**_beside(others, folders.place), **folders.levels}
    sources = _emotion_sources(files, levels, by_names(others))
    return _Reading(sources, folders, names, folders.elsewhere)


def _emotion_sources(
    files: Sequence[Path], levels: Mapping[Path, int], names: Found
) -> dict[Path, EmotionSource]:
    sources = {}
    for file in files:
        if file in levels:
            sources[file] = EmotionSource(canonical(file.parts[levels[file]]), levels[file])
        elif file in names.emotions:
            sources[file] = EmotionSource(names.emotions[file], None)
    return sources


def _beside(files: Sequence[Path], place: Place | None) -> dict[Path, int]:
    """The folder of each file at the position where other files have an emotion."""
    at = {file: level_at(file, place) for file in files}
    return {
        file: level
        for file, level in at.items()
        if level is not None and not is_numbered_speaker(file.parts[level])
    }


def _by_folder(files: Sequence[Path]) -> dict[Path, int]:
    """Index of the innermost folder of each file that is not a speaker."""
    inner = {file: len(file.parts) - 2 for file in files if len(file.parts) > 1}
    speakers = {file for file, i in inner.items() if is_numbered_speaker(file.parts[i])}
    around = {}
    for file in speakers:
        outer = [
            i for i, name in enumerate(file.parts[:-1])
            if not is_numbered_speaker(name) and not is_no_speaker(name)
        ]  # fmt: skip
        if outer:
            around[file] = outer[-1]
    found = {file: i for file, i in inner.items() if file not in speakers} | around
    # A single folder around all speakers is that of the corpus, not an emotion.
    single = len({file.parts[: i + 1] for file, i in around.items()}) < 2
    return {f: i for f, i in found.items() if not (single and f in speakers)}


def _by_file_names(
    files: Sequence[Path], by_folder: Mapping[Path, int], by_name: Mapping[Path, str]
) -> bool:
    """Whether file names, not folders, tell the emotions: most emotions lie in several folders.

    Where each emotion of the file names has a folder of its own, as `surprise` in `positive`, the
    folders are the labels.
    """
    if 2 * len(by_name) <= len(files):
        return False
    folders_of = defaultdict(set)
    for file, emotion in by_name.items():
        folders_of[emotion].add(file.parts[by_folder[file]] if file in by_folder else "")
    folders = {name for names in folders_of.values() for name in names}
    if len(folders) < 2:
        return len(folders_of) > 1  # a folder of everything
    return 2 * sum(len(names) > 1 for names in folders_of.values()) > len(folders_of)


def _reason(file: Path) -> str:
    if emotion := emotion_in(file.stem):
        return f"{_NOWHERE}, and its name tells {emotion} only where others tell something else"
    if several := emotions_in(file.stem):
        return f"{_NOWHERE}, and its name tells several ({', '.join(several)})"
    speakers = [name for name in file.parts[:-1] if is_numbered_speaker(name)]
    if speakers:
        return f"the folder {speakers[-1]} names a speaker, and the file name no emotion"
    return f"{_NOWHERE}, and its name tells none" if len(file.parts) > 1 else _NOWHERE


def _notes(sources: Sources, left_out: int) -> list[str]:
    notes = []
    classes = sorted({one.emotion for one in sources.values()})
    known = [name for name in classes if name in EMOTIONS]
    if not known:
        notes.append(f"No folder is named after a known emotion; classes: {abridged(classes)}.")
    elif 2 * len(known) < len(classes):
        notes.append(
            f"Only {abridged(known)} of {len(classes)} classes names a known emotion; classes: "
            f"{abridged(classes)}. If these are speakers, {_SETTLE}."
        )
    named = [file for file, one in sources.items() if one.level is None]
    if named:
        notes.append(
            f"The emotion of {len(named)} of {len(sources)} recordings is taken from the file "
            f"name, such as {sources[named[0]].emotion} from {named[0].name}."
        )
    if left_out > len(sources):
        notes.append(
            f"Only {len(sources)} of {len(sources) + left_out} recordings have a known emotion, "
            f"{abridged(classes)}; the others are left out. If these are names of speakers, "
            f"{_SETTLE}."
        )
    return notes


def _doubts(reading: _Reading) -> list[str]:
    """Notes on files whose path may name another emotion, with what to do about it."""
    sources, notes = reading.sources, []
    others = _others(reading)
    if others:
        # Show a file that may be wrong rather than one that is clear.
        file = max(others, key=lambda one: others[one][1])
        word, likely = others[file]
        other = f"though {word} may be it too" if likely else f"and {word} is taken for a name"
        notes.append(
            f"{len(others)} of {len(sources)} recordings have two words in their path that may be "
            f"the emotion: {file} is read as {sources[file].emotion}, {other}. If that is wrong, "
            f"{_SETTLE}."
        )
    if odd := reading.elsewhere:
        notes.append(
            f"{len(odd)} of {len(sources)} recordings name their emotion at another place than the "
            f"others: {odd[0]} is read as {sources[odd[0]].emotion}. If that is wrong, {_SETTLE}."
        )
    return notes


def _others(reading: _Reading) -> dict[Path, tuple[str, bool]]:
    """Files with another emotion in their path: the word, and whether it may be the right one."""
    sources, folders, names = reading.sources, reading.folders, reading.names
    found = {}
    for file, one in sources.items():
        if one.level is None and folders.emotions.get(file, one.emotion) != one.emotion:
            found[file] = (file.parts[folders.levels[file]], folders.weight[0] > 0.5)
        named = names.emotions.get(file, one.emotion) if names.weight[0] > 0.5 else one.emotion
        if one.level is not None and named != one.emotion:
            found[file] = (f"{named} in its name", True)
        if rival := (names if one.level is None else folders).rivals.get(file):
            found[file] = rival
    return found
