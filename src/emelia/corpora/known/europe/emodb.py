"""EmoDB, the Berlin database: ten actors say ten German sentences in seven emotions.

File names: speaker, sentence, emotion letter, version. `03a01Wa.wav` is speaker 03,
sentence a01, anger (Wut), version a. The expected counts are those of the whole
corpus; a part of it, for example of four emotions, is read just the same.
"""

from __future__ import annotations

import re
from functools import partial

from emelia.corpora.records import CorpusSpec, parse_name
from emelia.corpora.sources import Zenodo

_NAME = re.compile(
    r"(?P<speaker>03|08|09|1[0-6])(?P<sentence>[ab]\d\d)(?P<emotion>[WLEAFTN])(?P<take>[a-z])",
    re.ASCII,
)
_EMOTIONS = {
    "W": "anger",  # Wut
    "L": "boredom",  # Langeweile
    "E": "disgust",  # Ekel
    "A": "fear",  # Angst
    "F": "happiness",  # Freude
    "T": "sadness",  # Trauer
    "N": "neutral",
}
_WOMEN = {"08", "09", "13", "14", "16"}
parse = partial(parse_name, _NAME, women=_WOMEN, emotion=_EMOTIONS)

SPEC = CorpusSpec(
    name="emodb",
    title="Berlin Database of Emotional Speech (EmoDB)",
    homepage="http://emodb.bilderbar.info",
    licence="CC0 according to its publisher",
    citation=(
        "F. Burkhardt, A. Paeschke, M. Rolfes, W. Sendlmeier, B. Weiss: A Database of German "
        "Emotional Speech. Interspeech 2005, 1517-1520."
    ),
    language="German",
    clips=535,
    speakers=10,
    emotions={
        "anger": 127,
        "boredom": 81,
        "disgust": 46,
        "fear": 69,
        "happiness": 71,
        "neutral": 79,
        "sadness": 62,
    },
    parse=parse,
    source=Zenodo("7447302", ("emodb.zip",)),
    names="speaker, sentence, emotion letter, version, as in '03a01Wa.wav'",
)
