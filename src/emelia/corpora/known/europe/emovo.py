"""EMOVO: six actors say 14 Italian sentences in seven emotions.

File names: emotion, speaker, sentence. `rab-f1-b2.wav` is anger (rabbia), the first
woman, sentence b2. The speaker's first letter is the sex.
"""

from __future__ import annotations

import re
from pathlib import Path

from emelia.corpora.records import CorpusSpec, Fields

_NAME = re.compile(
    r"(dis|gio|neu|pau|rab|sor|tri)-([fm][1-3])-(b[1-3]|d[12]|l[1-4]|n[1-5])", re.ASCII
)
_EMOTIONS = {
    "dis": "disgust",  # disgusto
    "gio": "happiness",  # gioia
    "neu": "neutral",
    "pau": "fear",  # paura
    "rab": "anger",  # rabbia
    "sor": "surprise",  # sorpresa
    "tri": "sadness",  # tristezza
}


def parse(path: Path) -> Fields | None:
    """Read emotion, speaker and sentence from a file name."""
    match = _NAME.fullmatch(path.stem)
    if match is None:
        return None
    emotion, speaker, sentence = match.groups()
    gender = "female" if speaker[0] == "f" else "male"
    return Fields(_EMOTIONS[emotion], speaker, sentence, gender=gender)


SPEC = CorpusSpec(
    name="emovo",
    title="EMOVO Corpus: an Italian Emotional Speech Database",
    home="http://voice.fub.it/activities/corpora/emovo/index.html",
    licence="none is published with it; ask its authors",
    citation=(
        "G. Costantini, I. Iaderola, A. Paoloni, M. Todisco: EMOVO Corpus: an Italian Emotional "
        "Speech Database. LREC 2014, 3501-3504."
    ),
    language="Italian",
    clips=588,
    speakers=6,
    emotions=dict.fromkeys(_EMOTIONS.values(), 84),
    parse=parse,
    obtain="download it at http://voice.fub.it/activities/corpora/emovo/index.html",
    names="emotion, speaker, sentence, as in 'rab-f1-b2.wav'",
)
