"""EmoGator: 357 speakers laugh, cry, sigh and scream; it has no words.

File names: person, class, instance. `000074-10-1.wav` is person 000074, disgust. Nine of
the thirty classes are read; recordings of the others are left out. Amusement and elation
count as happiness unless they are asked for by name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from emelia.corpora.records import NO_LANGUAGE, CorpusSpec, Fields, Labels, lies_under_another

_NAME = re.compile(r"(000\d{3})-(0[1-9]|[12]\d|30)-([1-9])", re.ASCII)
_PEOPLE = range(1, 358)
_EMOTIONS = {
    "02": "amusement",
    "03": "anger",
    "10": "disgust",
    "13": "elation",
    "15": "fear",
    "18": "neutral",
    "24": "sadness",
    "27": "surprise",
    "28": "surprise",  # a class of its own there
}
_MERGES = {"amusement": "happiness", "elation": "happiness"}


def parse(path: Path) -> Fields | None:
    """Read person, emotion and instance from a file name; the emotion of other classes is empty."""
    match = _NAME.fullmatch(path.stem)
    if match is None or int(match[1]) not in _PEOPLE:
        return None
    person, number, instance = match.groups()
    emotion = _EMOTIONS.get(number, "")
    if lies_under_another(path, _MERGES.get(emotion, emotion)):
        return None
    return Fields(emotion, person, take=f"{number}-{instance}")


def label(_root: Path, files: Sequence[Path]) -> Labels:
    """Label the recordings of the nine classes that are read."""
    labels, others = Labels(), dict[Path, str]()
    for file in files:
        fields = parse(file)
        if fields is None:
            labels.reasons[file] = SPEC.foreign
        elif fields.emotion:
            labels.fields[file] = fields
        else:
            others[file] = f"its class is none of {', '.join(_EMOTIONS)}"
    if not labels.fields:
        labels.reasons |= others
    elif others:  # one note for all: they are thousands
        labels.notes.append(
            f"{len(others)} clips of classes other than {', '.join(_EMOTIONS)} were left out."
        )
    return labels


SPEC = CorpusSpec(
    name="emogator",
    title="EmoGator, vocal bursts without words",
    homepage="not settled",
    licence="Apache-2.0",
    citation="Buhl: EmoGator, 2023.",
    language=NO_LANGUAGE,
    clips=0,  # speakers chose how often to record each class
    speakers=357,
    emotions=dict.fromkeys(sorted(set(_EMOTIONS.values())), 0),
    parse=parse,
    label=label,
    obtain="look for EmoGator; its address is not settled",
    merges=_MERGES,
    note=(
        "No speech: laughs, cries, sighs, screams. Each person has a room and a microphone of "
        "their own."
    ),
    names="person, class, instance, as in '000074-10-1.wav'",
)
