"""MESD: women, men and children say single Mexican Spanish words in six emotions.

File names: emotion, kind of voice, word list, word. `Anger_F_A_abajo.wav` is anger, a
woman (F; M is a man, C a child), list A, the word `abajo`. Words of list A are said in
every emotion, those of list B in the one they fit.
"""

from __future__ import annotations

import re
from pathlib import Path

from emelia.corpora.records import CorpusSpec, Fields
from emelia.emotions import canonical

_NAME = re.compile(r"(Anger|Disgust|Fear|Happiness|Neutral|Sadness)_([CFM])_[AB]_(\w.*)")
# The names tell only the kind of voice, not the speaker. With kinds as speakers, no speaker is in
# two parts of a split. The gender of the children is not published.
_GENDERS = {"F": "female", "M": "male", "C": ""}


def parse(path: Path) -> Fields | None:
    """Read emotion, kind of voice and word from a file name."""
    match = _NAME.fullmatch(path.stem)
    if match is None:
        return None
    emotion, voice, word = match.groups()
    return Fields(canonical(emotion), voice, word.lower(), gender=_GENDERS[voice])


SPEC = CorpusSpec(
    name="mesd",
    title="Mexican Emotional Speech Database",
    homepage="https://data.mendeley.com/datasets/cy34mh68j9/5",
    licence="CC BY 4.0",
    citation=(
        "M. M. Duville, L. M. Alonso-Valerdi, D. I. Ibarra-Zarate: Mexican Emotional Speech "
        "Database Based on Semantic, Frequency, Familiarity, Concreteness, and Cultural Shaping of "
        "Affective Prosody. Data 6(12), 2021, 130."
    ),
    language="Spanish",
    clips=862,
    speakers=3,
    emotions={
        "anger": 143,
        "disgust": 144,
        "fear": 144,
        "happiness": 144,
        "neutral": 143,
        "sadness": 144,
    },
    parse=parse,
    obtain="download it at https://data.mendeley.com/datasets/cy34mh68j9/5",
    note=(
        "Single words. Eleven people speak; the names tell only women (F), men (M) and children "
        "(C), which stand as three speakers here."
    ),
    names="emotion, voice, word list, word, as in 'Anger_F_A_abajo.wav'",
)
