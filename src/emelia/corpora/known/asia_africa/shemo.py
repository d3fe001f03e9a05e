"""ShEMO: 87 speakers from Persian radio plays in six emotions, chosen by twelve listeners.

File names: gender and number of the speaker, emotion letter, number. `F03S02.wav` is the
second sad utterance of woman 03. The plays are not read from a list, so there are no sentences
that two speakers share.
"""

from __future__ import annotations

import re
from functools import partial

from emelia.corpora.records import CorpusSpec, parse_name
from emelia.corpora.sources import GitHub

_NAME = re.compile(r"(?P<speaker>(?P<gender>[FM])\d\d)(?P<emotion>[AFHNSW])\d{2,3}", re.ASCII)
_EMOTIONS = {
    "A": "anger",
    "F": "fear",
    "H": "happiness",
    "N": "neutral",
    "S": "sadness",
    "W": "surprise",
}
parse = partial(parse_name, _NAME, emotion=_EMOTIONS)

SPEC = CorpusSpec(
    name="shemo",
    title="Sharif Emotional Speech Database (ShEMO)",
    homepage="https://github.com/mansourehk/ShEMO",
    licence="free of charge for academic purposes",
    citation=(
        "O. Mohamad Nezami, P. Jamshid Lou, M. Karami: ShEMO: a large-scale validated database for "
        "Persian speech emotion detection. Language Resources and Evaluation 53(1), 2019, 1-16."
    ),
    language="Persian",
    clips=3000,
    speakers=87,
    emotions=dict.fromkeys(_EMOTIONS.values(), 0),
    parse=parse,
    source=GitHub(
        "mansourehk/ShEMO",
        "ed2c666098ac7944dcb893300aaf7ca4f9e532ab",
        ("female.zip", "male.zip"),
    ),
    note="Fear is so rare that most figures leave it out.",
    names="speaker, emotion letter, number, as in 'F03S02.wav'",
)
