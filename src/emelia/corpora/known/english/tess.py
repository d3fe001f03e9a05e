"""TESS: two actresses say "Say the word ..." with 200 words in seven emotions.

File names: actress, word, emotion. `OAF_back_angry.wav` is the older actress saying
`back` in anger; `ps` is the pleasant surprise. One file is called OA instead of OAF.
"""

from __future__ import annotations

import re
from pathlib import Path

from emelia.corpora.records import CorpusSpec, Fields
from emelia.corpora.sources import Dataverse
from emelia.emotions import canonical

_NAME = re.compile(r"(OA|YA)F?_([A-Za-z]+)_(angry|disgust|fear|happy|neutral|ps|sad)", re.ASCII)


def parse(path: Path) -> Fields | None:
    """Read actress, word and emotion from a file name."""
    match = _NAME.fullmatch(path.stem)
    if match is None:
        return None
    actress, word, emotion = match.groups()
    emotion = "surprise" if emotion == "ps" else canonical(emotion)
    return Fields(emotion, f"{actress}F", word.lower(), gender="female")


SPEC = CorpusSpec(
    name="tess",
    title="Toronto Emotional Speech Set",
    homepage="https://doi.org/10.5683/SP2/E8H2MF",
    licence="CC BY-NC-ND 4.0",
    citation=(
        "M. K. Pichora-Fuller, K. Dupuis: Toronto emotional speech set (TESS). Scholars Portal "
        "Dataverse, 2020."
    ),
    language="English",
    clips=2800,
    speakers=2,
    emotions=dict.fromkeys(
        ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"), 400
    ),
    parse=parse,
    source=Dataverse("https://borealisdata.ca", "doi:10.5683/SP2/E8H2MF"),
    note="Two speakers, so results say little about other people; surprise is a pleasant one.",
    names="actress, word, emotion, as in 'OAF_back_angry.wav'",
)
