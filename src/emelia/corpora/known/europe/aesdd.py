"""AESDD: Greek actors say the same 20 sentences in five emotions.

File names: emotion letter, sentence, speaker in brackets, perhaps a letter for a
second take: `a06 (5)b.wav` is anger, sentence 06, speaker 5, take b. A few files
write the speaker with two digits: `d03 (01).wav` is speaker 1.
"""

from __future__ import annotations

import re
from functools import partial

from emelia.corpora.records import CorpusSpec, parse_name
from emelia.corpora.sources import DagsHub, stored_checksums

_NAME = re.compile(
    r"(?P<emotion>[adfhs])(?P<sentence>0[1-9]|1\d|20) ?\(0?(?P<speaker>[1-9])\)(?P<take>[a-z]?)",
    re.ASCII,
)
_EMOTIONS = {"a": "anger", "d": "disgust", "f": "fear", "h": "happiness", "s": "sadness"}
parse = partial(parse_name, _NAME, emotion=_EMOTIONS)

SPEC = CorpusSpec(
    name="aesdd",
    title="Acted Emotional Speech Dynamic Database",
    homepage="http://m3c.web.auth.gr/research/aesdd-speech-emotion-recognition/",
    licence="published for research; a public mirror says CC BY 4.0; not settled",
    citation=(
        "N. Vryzas, R. Kotsakis, A. Liatsou, C. Dimoulas, G. Kalliris: Speech Emotion "
        "Recognition for Performance Interaction. J. Audio Eng. Soc. 66(6), 2018, 457-467."
    ),
    language="Greek",
    clips=604,
    speakers=6,
    emotions={"anger": 121, "disgust": 122, "fear": 120, "happiness": 119, "sadness": 122},
    parse=parse,
    source=DagsHub(
        "kingabzpro/Acted-Emotional-Speech-Dynamic-Database", partial(stored_checksums, "aesdd")
    ),
    note="The gender of the speakers is not published; all say the same 20 sentences.",
    names="emotion letter, sentence, speaker in brackets, as in 'a01 (1).wav'",
    # What the code of SERAB (arXiv 2110.03414) yields and later papers report.
    published={"train": ("2", "3", "6"), "validation": ("4",), "test": ("1", "5")},
)
