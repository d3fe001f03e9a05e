"""SAVEE: four British men say 15 sentences in each of seven emotions, 30 in neutral.

File names: emotion letters and sentence in a folder per speaker, `DC/sa05.wav`, or the
speaker in front, `DC_sa05.wav`. Most sentences differ from emotion to emotion, so a
sentence is known by emotion and number; the few that all emotions share are not marked.
"""

from __future__ import annotations

import re
from pathlib import Path

from emelia.corpora.records import CorpusSpec, Fields

_NAME = re.compile(r"(?:(DC|JE|JK|KL)_)?((a|d|f|h|n|sa|su)([0-3]\d))", re.ASCII)
_SPEAKERS = ("DC", "JE", "JK", "KL")
_EMOTIONS = {
    "a": "anger",
    "d": "disgust",
    "f": "fear",
    "h": "happiness",
    "n": "neutral",
    "sa": "sadness",
    "su": "surprise",
}


def parse(path: Path) -> Fields | None:
    """Read emotion, sentence and speaker from a path."""
    match = _NAME.fullmatch(path.stem)
    if match is None:
        return None
    speaker, sentence, letters, number = match.groups()
    speaker = speaker or path.parent.name
    last = 30 if letters == "n" else 15
    if speaker not in _SPEAKERS or not 1 <= int(number) <= last:
        return None
    return Fields(_EMOTIONS[letters], speaker, sentence, gender="male")


SPEC = CorpusSpec(
    name="savee",
    title="Surrey Audio-Visual Expressed Emotion",
    homepage="http://kahlan.eps.surrey.ac.uk/savee/",
    licence="for research, after registration",
    citation=(
        "S. Haq, P. J. B. Jackson: Speaker-dependent Audio-visual Emotion Recognition. AVSP 2009, "
        "53-58."
    ),
    language="English",
    clips=480,
    speakers=4,
    emotions={name: 120 if name == "neutral" else 60 for name in _EMOTIONS.values()},
    parse=parse,
    obtain="register at http://kahlan.eps.surrey.ac.uk/savee/, then download AudioData.zip",
    note="Men only.",
    names="emotion letters and sentence in a folder per speaker, as in 'DC/sa05.wav'",
)
