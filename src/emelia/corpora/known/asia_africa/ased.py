"""ASED: 65 Amharic speakers in five emotions, each clip agreed on by five of eight judges or more.

File names: emotion, three numbers, speaker. `n1-01-02-01-05.wav` is neutral (n1; f2 is fear,
h3 happiness, s4 sadness, a5 anger) by speaker 05. The fourth field is the gender, but which
number is which is not documented, so gender is left empty; five names have another number than the
other clips of their speaker. The second and third are not documented either: together they count
as the take, and the sentence is unknown.
"""

from __future__ import annotations

import re
from pathlib import Path

from emelia.corpora.records import CorpusSpec, Fields, lies_under_another

_NAME = re.compile(
    r"(n1|f2|h3|s4|a5)-(0[1-7]-0[12])-0[12]-(0[1-9]|[1-5]\d|6[0-5])",
    re.ASCII | re.IGNORECASE,  # one name begins with S4
)
_EMOTIONS = {"n1": "neutral", "f2": "fear", "h3": "happiness", "s4": "sadness", "a5": "anger"}


def parse(path: Path) -> Fields | None:
    """Read emotion, take and speaker from a file name."""
    match = _NAME.fullmatch(path.stem)
    if match is None:
        return None
    code, take, speaker = match.groups()
    emotion = _EMOTIONS[code.lower()]
    return None if lies_under_another(path, emotion) else Fields(emotion, speaker, take=take)


SPEC = CorpusSpec(
    name="ased",
    title="Amharic Speech Emotion Dataset",
    homepage="not settled",
    licence='"freely available", no licence file; not settled',
    citation="not settled.",
    language="Amharic",
    clips=2474,
    speakers=65,
    emotions={"anger": 486, "fear": 510, "happiness": 486, "neutral": 522, "sadness": 470},
    parse=parse,
    obtain="look for ASED; its address is not settled",
    note=(
        "Padded with digital silence; four pairs of clips are the same audio; 24 of the 65 "
        "speakers lack some emotion."
    ),
    names="emotion, three numbers, speaker, as in 'n1-01-02-01-05.wav'",
)
