"""nEMO: nine Polish actors say 90 sentences in six emotions; there is no disgust.

File names: speaker, emotion, sentence. `EB0_anger_12.wav` is speaker EB0, sentence 12;
a number stands for the same sentence whatever the speaker and the emotion.
"""

from __future__ import annotations

import re
from pathlib import Path

from emelia.corpora.records import CorpusSpec, Fields
from emelia.corpora.sources import GitHub
from emelia.emotions import canonical

_NAME = re.compile(r"([A-Z]{2}\d)_(anger|fear|happiness|neutral|sadness|surprised)_(\d{1,2})")
# Published in the corpus's own data.tsv.
_GENDERS = {
    **dict.fromkeys(("EB0", "IC0", "KD0", "MK0"), "female"),
    **dict.fromkeys(("KS0", "MP0", "SM0", "TP0", "WR0"), "male"),
}


def parse(path: Path) -> Fields | None:
    """Read speaker, emotion and sentence from a file name."""
    match = _NAME.fullmatch(path.stem)
    if match is None:
        return None
    speaker, emotion, sentence = match.groups()
    gender = _GENDERS.get(speaker, "")
    return Fields(canonical(emotion), speaker, f"{int(sentence):02d}", gender=gender)


SPEC = CorpusSpec(
    name="nemo",
    title="nEMO: Dataset of Emotional Speech in Polish",
    homepage="https://github.com/amu-cai/nEMO",
    licence="CC BY-NC-SA 4.0",
    citation=(
        "I. Christop: nEMO: Dataset of Emotional Speech in Polish. LREC-COLING 2024, 12111-12116."
    ),
    language="Polish",
    clips=4481,
    speakers=9,
    emotions={
        "anger": 749,
        "fear": 736,
        "happiness": 749,
        "neutral": 809,
        "sadness": 769,
        "surprise": 669,
    },
    parse=parse,
    source=GitHub("amu-cai/nEMO", "06f1f83dde8f1a780443a57d53b2af3971af34ab", "samples/"),
    names="speaker, emotion, sentence, as in 'EB0_anger_12.wav'",
)
