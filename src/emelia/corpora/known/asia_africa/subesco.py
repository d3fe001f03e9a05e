"""SUBESCO: 20 actors say ten Bangla sentences in seven emotions, five times each.

File names: gender, number and name of the speaker, sentence, emotion, take.
`F_01_OISHI_S_1_ANGRY_1.wav` is the first woman, sentence 1, anger, take 1. Women and men
are numbered apart.
"""

from __future__ import annotations

import re
from pathlib import Path

from emelia.corpora.records import GENDERS, CorpusSpec, Fields
from emelia.corpora.sources import Zenodo
from emelia.emotions import canonical

_NAME = re.compile(
    r"([FM])_(0[1-9]|10)_[A-Z]+_S_(\d{1,2})"
    r"_(ANGRY|DISGUST|FEAR|HAPPY|NEUTRAL|SAD|SURPRISE)_([1-5])",
    re.ASCII | re.IGNORECASE,
)


def parse(path: Path) -> Fields | None:
    """Read speaker, sentence, emotion and take from a file name."""
    match = _NAME.fullmatch(path.stem)
    if match is None:
        return None
    letter, number, sentence, emotion, take = match.groups()
    speaker, gender = f"{letter.upper()}{number}", GENDERS[letter.lower()]
    return Fields(canonical(emotion), speaker, sentence, take, gender)


SPEC = CorpusSpec(
    name="subesco",
    title="SUST Bangla Emotional Speech Corpus",
    homepage="https://zenodo.org/records/4526477",
    licence="CC BY 4.0",
    citation=(
        "S. Sultana, M. S. Rahman, M. R. Selim, M. Z. Iqbal: SUST Bangla Emotional Speech Corpus "
        "(SUBESCO): An audio-only emotional speech corpus for Bangla. PLOS ONE 16(4), 2021, "
        "e0250173."
    ),
    language="Bangla",
    clips=7000,
    speakers=20,
    emotions=dict.fromkeys(
        ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"), 1000
    ),
    parse=parse,
    source=Zenodo("4526477", ("*.zip",)),
    names="speaker, sentence, emotion, take, as in 'F_01_OISHI_S_1_ANGRY_1.wav'",
)
