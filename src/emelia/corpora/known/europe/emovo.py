"""EMOVO: six actors say 14 Italian sentences in seven emotions.

File names: emotion, speaker, sentence. `rab-f1-b2.wav` is anger (rabbia), the first
woman, sentence b2. The speaker's first letter is the gender.
"""

from __future__ import annotations

import re
from functools import partial

from emelia.corpora.records import CorpusSpec, parse_name

_NAME = re.compile(
    r"(?P<emotion>dis|gio|neu|pau|rab|sor|tri)-(?P<speaker>(?P<gender>[fm])[1-3])"
    r"-(?P<sentence>b[1-3]|d[12]|l[1-4]|n[1-5])",
    re.ASCII,
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
parse = partial(parse_name, _NAME, emotion=_EMOTIONS)

SPEC = CorpusSpec(
    name="emovo",
    title="EMOVO Corpus: an Italian Emotional Speech Database",
    homepage="http://voice.fub.it/activities/corpora/emovo/index.html",
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
