"""Corpora of one's own without a manifest: folders, and at need file names, tell the emotion.

The emotion of a file is the innermost folder around it whose name is one emelia knows
(`anger`, `Angry`), or else the folder beside such ones, or else the folder that holds it: labels
may be any words. Folders of people (`Actor_03`, `speaker1`) are no emotions. Where folders are
those of people, or hold files of the same several emotions, the file names tell the emotion
(`speaker1/calm_01.wav`). Who speaks is looked for by `voices`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from emelia.corpora.people import is_numbered_person, is_thing
from emelia.corpora.utterance import UNKNOWN_SPEAKER, Fields, Labels
from emelia.corpora.voices import Told, find_voices, some
from emelia.emotions import EMOTIONS, canonical

_NOWHERE = "lies in no folder that names its emotion"
# `sad` of `03_sad`, `angry` of `angryVoice2`
_WORD = re.compile(r"[A-Z]+(?![^\W\d_A-Z])|[^\W\d_][^\W\d_A-Z]*")


def read_folders(files: Sequence[Path]) -> Labels:
    """Label files by the folders they lie in, and by their names where folders are of people."""
    labels = Labels()
    told = _emotions(files)
    labels.reasons = {file: _reason(file) for file in files if file not in told}
    voices = find_voices(told)
    for file, one in told.items():
        speaker = voices.speakers.get(file, UNKNOWN_SPEAKER)
        labels.fields[file] = Fields(one.emotion, speaker)
    if told:
        labels.notes = [*_notes(told), voices.note]
    return labels


def emotion_in(stem: str) -> str:
    """The one known emotion among the words of a file name; empty for none or several."""
    found = {canonical(word) for word in _WORD.findall(stem)} & set(EMOTIONS)
    return found.pop() if len(found) == 1 else ""


def _emotions(files: Sequence[Path]) -> dict[Path, Told]:
    """What tells the emotion of each file; files of which nothing does are not in it."""
    known = {file: level for file in files if (level := _known_level(file)) is not None}
    told = {file: Told(canonical(file.parts[level]), level) for file, level in known.items()}
    rest = [file for file in files if file not in known]
    levels = sorted(set(known.values()), reverse=True)
    by_folder = _beside(rest, levels) if known else _by_folder(rest)
    by_name = {file: emotion for file in rest if (emotion := emotion_in(file.stem))}
    if not known and _names_tell(rest, by_folder, by_name):
        by_folder = {}
    for file in rest:
        if file in by_folder:
            told[file] = Told(canonical(file.parts[by_folder[file]]), by_folder[file])
        elif file in by_name:
            told[file] = Told(by_name[file], None)
    return {file: told[file] for file in files if file in told}


def _known_level(file: Path) -> int | None:
    """Place of the innermost folder that is named after an emotion."""
    levels = [i for i, name in enumerate(file.parts[:-1]) if canonical(name) in EMOTIONS]
    return levels[-1] if levels else None


def _beside(files: Sequence[Path], levels: Sequence[int]) -> dict[Path, int]:
    """Where folders of other files are named after emotions, the folder at that place."""
    found = {}
    for file in files:
        folders = file.parts[:-1]
        at = [i for i in levels if i < len(folders) and not is_numbered_person(folders[i])]
        if at:
            found[file] = at[0]
    return found


def _by_folder(files: Sequence[Path]) -> dict[Path, int]:
    """The folder that holds each file, or, where those are people, the one around them."""
    inner = {file: len(file.parts) - 2 for file in files if len(file.parts) > 1}
    people = {file for file, i in inner.items() if is_numbered_person(file.parts[i])}
    around = {}
    for file in people:
        outer = [
            i for i, name in enumerate(file.parts[:-1])
            if not is_numbered_person(name) and not is_thing(name)
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
    """Whether folders are not the emotions, but hold the same several ones by the file names.

    Where each emotion of the names lies in a folder of its own, as `surprise` in `positive`, the
    folders are labels.
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
    people = [name for name in file.parts[:-1] if is_numbered_person(name)]
    if people:
        return f"the folder {people[-1]} names a person, and the file name no emotion"
    return f"{_NOWHERE}, and its name tells none" if len(file.parts) > 1 else _NOWHERE


def _notes(told: Mapping[Path, Told]) -> list[str]:
    notes = []
    classes = sorted({one.emotion for one in told.values()})
    if not set(classes) & set(EMOTIONS):
        notes.append(f"No folder is named after a known emotion; classes: {some(classes)}.")
    named = [file for file, one in told.items() if one.level is None]
    if named:
        notes.append(
            f"The emotion of {len(named)} of {len(told)} recordings is taken from the file name, "
            f"such as {told[named[0]].emotion} from {named[0].name}."
        )
    return notes
