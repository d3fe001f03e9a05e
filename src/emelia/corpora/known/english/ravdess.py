"""RAVDESS, the speech part: 24 actors say two sentences in eight emotions.

File names are seven numbers: modality, channel, emotion, intensity, statement,
repetition, actor. `03-01-05-02-01-02-07.wav` is sound alone, speech, anger, strong,
statement 01, second repetition, actor 07; the sound of the videos begins with 01 instead.
Odd actors are men. `calm` counts as neutral unless it is asked for by name: other corpora do
not distinguish the two.
"""

from __future__ import annotations

import re
from pathlib import Path

from emelia.corpora.records import CorpusSpec, Fields
from emelia.corpora.sources import Zenodo

_NAME = re.compile(r"0[13]-(0[12])-(0[1-8])-(0[12])-(0[12])-(0[12])-(0[1-9]|1\d|2[0-4])", re.ASCII)
_SPEECH = "01"
_EMOTIONS = {
    "01": "neutral",
    "02": "calm",
    "03": "happiness",
    "04": "sadness",
    "05": "anger",
    "06": "fear",
    "07": "disgust",
    "08": "surprise",
}
_INTENSITIES = {"01": "normal", "02": "strong"}


def parse(path: Path) -> Fields | None:
    """Read emotion, actor, statement, repetition and intensity from a file name."""
    return parse_channel(path, _SPEECH)


def parse_channel(path: Path, wanted: str) -> Fields | None:
    """Read a file name of the channel `wanted`: 01 is speech, 02 song."""
    match = _NAME.fullmatch(path.stem)
    if match is None or match[1] != wanted:
        return None
    _, emotion, intensity, statement, repetition, actor = match.groups()
    take = f"{repetition} {_INTENSITIES[intensity]}"
    gender = "male" if int(actor) % 2 else "female"
    return Fields(_EMOTIONS[emotion], actor, statement, take, gender)


SPEC = CorpusSpec(
    name="ravdess",
    title="Ryerson Audio-Visual Database of Emotional Speech and Song, speech part",
    homepage="https://zenodo.org/records/1188976",
    licence="CC BY-NC-SA 4.0",
    citation=(
        "S. R. Livingstone, F. A. Russo: The Ryerson Audio-Visual Database of Emotional Speech "
        "and Song (RAVDESS). PLOS ONE 13(5), 2018, e0196391."
    ),
    language="English",
    clips=1440,
    speakers=24,
    emotions={"neutral": 96, **{name: 192 for name in _EMOTIONS.values() if name != "neutral"}},
    parse=parse,
    source=Zenodo(
        "1188976",
        ("Audio_Speech_Actors_01-24.zip",),
        {"Audio_Speech_Actors_01-24.zip": "md5:bc696df654c87fed845eb13823edef8a"},
    ),
    merges={"calm": "neutral"},
    note="Only two sentences; 13 clips of actors 09 and 20 are very quiet.",
    names="seven numbers, the first two 03-01 or 01-01, as in '03-01-05-02-01-02-07.wav'",
)
