"""What the user says of a corpus, where it cannot or should not be found out.

A layout lists the folders from the corpus folder down: `speaker/emotion`, `emotion/speaker`,
`*/emotion`, where `*` is a folder that tells nothing. Columns name those of a manifest. A map gives
labels another name: `θυμός=anger,stressed=-`, where `-` leaves their clips out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from emelia.corpora.reading.speaker_names import is_no_speaker
from emelia.corpora.reading.speaker_rules import speakers_by_rule
from emelia.corpora.reading.speaker_search import EmotionSource, find_speakers
from emelia.corpora.records import UNKNOWN_SPEAKER, Fields, Labels
from emelia.emotions import canonical
from emelia.errors import ConfigError
from emelia.listing.columns import ROLES
from emelia.text import counted, did_you_mean

LEAVE_OUT = "-"
_WORDS = ("emotion", "speaker", "*")


@dataclass(frozen=True)
class Rules:
    """What the user says of a corpus.

    Attributes:
        speakers_from: see `speaker_rules`.
        layout: folders, `speaker/emotion`; empty: found by names.
        columns: those of a manifest, by role.
        labels: other names of labels.
    """

    speakers_from: str = ""
    layout: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.layout:
            _folders(self.layout)
        if odd := [role for role in self.columns if role not in ROLES and role != "split"]:
            hint = did_you_mean(odd[0], ROLES, f"expected {', '.join(sorted(ROLES))}.")
            raise ConfigError(f"--columns: no role is called {odd[0]!r}; {hint}")

    @property
    def roles(self) -> dict[str, str]:
        """Columns of a manifest by role, as readers call these."""
        named = {"split": "part", **ROLES}
        return {named[role]: column for role, column in self.columns.items()}


def read_layout(files: Sequence[Path], rules: Rules) -> Labels:
    """Label files by the folders that the layout says; paths are relative to the corpus folder."""
    words = _folders(rules.layout)
    level = words.index("emotion")
    sources, labels = {}, Labels()
    for file in files:
        if len(file.parts) > len(words):
            sources[file] = EmotionSource(canonical(file.parts[level]), level)
            labels.words[file.parts[level]] = canonical(file.parts[level])
        else:
            labels.reasons[file] = f"lies in fewer folders than --layout {rules.layout} says"
    if not sources:
        return labels
    speakers: Mapping[Path, str] = {}
    if "speaker" in words:
        at = words.index("speaker")
        named = {file: file.parts[at] for file in sources}
        speakers = {file: name for file, name in named.items() if not is_no_speaker(name)}
    else:
        by_rule = rules.speakers_from
        found = speakers_by_rule(sources, by_rule) if by_rule else find_speakers(sources)
        speakers = found.speakers
        labels.notes.append(found.note)
    for file, one in sources.items():
        labels.fields[file] = Fields(one.emotion, speakers.get(file, UNKNOWN_SPEAKER))
    file, told = next(iter(labels.fields.items()))
    labels.notes.insert(
        0, f"Folders by --layout {rules.layout}: {file} is {told.emotion} of {told.speaker}."
    )
    return labels


def rename_labels(labels: Labels, other: Mapping[str, str]) -> None:
    """Give labels the names of a map, in place; say how many clips each concerns.

    Raises:
        ConfigError: a label of the map is none of the corpus.
    """
    names = {canonical(word): canonical(name) for word, name in other.items()}
    there = Counter(fields.emotion for fields in labels.fields.values())
    for word in names:
        if word not in there:
            hint = did_you_mean(word, there, f"there are {', '.join(sorted(there))}.")
            raise ConfigError(f"--map {word}: no clip has this label; {hint}")
    for file, fields in list(labels.fields.items()):
        name = names.get(fields.emotion)
        if name == LEAVE_OUT:
            del labels.fields[file]
        elif name:
            labels.fields[file] = replace(fields, emotion=name)
    labels.words = {}
    told = [
        f"{word} (left out)" if canonical(name) == LEAVE_OUT else f"{word} as {canonical(name)}"
        for word, name in other.items()
    ]
    clips = counted(sum(there[word] for word in names), "clip")
    labels.notes.append(f"Labels by --map, {clips}: {', '.join(told)}.")


def _folders(layout: str) -> list[str]:
    words = [word.strip().lower() for word in layout.strip("/").split("/")]
    odd = [word for word in words if word not in _WORDS]
    if odd or words.count("emotion") != 1 or words.count("speaker") > 1:
        raise ConfigError(
            f"--layout {layout}: expected folders from the corpus down, such as speaker/emotion, "
            "emotion/speaker or */emotion."
        )
    return words
