"""TurEV-DB: six Turkish speakers say single words in four emotions.

File names: speaker, emotion letters, word, in a folder per emotion, `Angry/1157_kz_acik.wav`.
The letters are kz in the folder Angry, hl in Sad, mt in Happy and sk in Calm; files
in the folder of another emotion are not TurEV-DB's. One word has a digit behind it,
`7895_hl_ogul1`, which counts as the take. `calm` counts as neutral unless it is asked for
by name, as that of other corpora does.
"""

from __future__ import annotations

import re
from pathlib import Path

from emelia.corpora.records import CorpusSpec, Fields, lies_under_another

_NAME = re.compile(
    r"(1157|1234|1358|1984|6783|7895)_(hl|kz|mt|sk)_([^\W\d_]+)(\d?)",  # words in any alphabet
    re.IGNORECASE,
)
_EMOTIONS = {"hl": "sadness", "kz": "anger", "mt": "happiness", "sk": "calm"}


def parse(path: Path) -> Fields | None:
    """Read speaker, emotion, word and take from a file name."""
    match = _NAME.fullmatch(path.stem)
    if match is None:
        return None
    speaker, letters, word, take = match.groups()
    emotion = _EMOTIONS[letters.lower()]
    if lies_under_another(path, emotion):
        return None
    return Fields(emotion, speaker, word.lower(), take)


SPEC = CorpusSpec(
    name="turev",
    title="Turkish Emotion Voice Database (TurEV-DB)",
    homepage="not settled",
    licence="README: CC BY-NC-ND 4.0, licence file: GPL-3; not settled",
    citation="not settled.",
    language="Turkish",
    clips=1735,
    speakers=6,
    emotions={"anger": 487, "calm": 408, "happiness": 357, "sadness": 483},
    parse=parse,
    obtain="look for TurEV-DB; its address is not settled",
    merges={"calm": "neutral"},
    note="Single words, mostly shorter than a second; the gender of the speakers is not settled.",
    names="speaker, emotion letters, word, as in '1157_kz_acik.wav'",
)
