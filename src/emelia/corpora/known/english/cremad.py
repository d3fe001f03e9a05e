"""CREMA-D: 91 actors say twelve sentences in six emotions.

File names: actor, sentence, emotion, intensity. `1001_DFA_ANG_XX.wav` is actor 1001,
sentence DFA, anger, intensity not given; the others are LO, MD and HI. The label is the
emotion that was asked for, not what listeners heard.
"""

from __future__ import annotations

import re
from functools import partial

from emelia.corpora.records import CorpusSpec, parse_name
from emelia.corpora.sources import GitHub

_NAME = re.compile(
    r"(?P<speaker>10(?:0[1-9]|[1-8]\d|9[01]))"
    r"_(?P<sentence>DFA|IEO|IOM|ITH|ITS|IWL|IWW|MTI|TAI|TIE|TSI|WSI)"
    r"_(?P<emotion>ANG|DIS|FEA|HAP|NEU|SAD)_(?P<take>LO|MD|HI|XX?)",  # one file ends in one X
    re.ASCII,
)
# The actors of the corpus's own VideoDemographics.csv: 43 women, 48 men.
_WOMEN = set(map(str, (
    1002, 1003, 1004, 1006, 1007, 1008, 1009, 1010, 1012, 1013, 1018, 1020, 1021, 1024, 1025,
    1028, 1029, 1030, 1037, 1043, 1046, 1047, 1049, 1052, 1053, 1054, 1055, 1056, 1058, 1060,
    1061, 1063, 1072, 1073, 1074, 1075, 1076, 1078, 1079, 1082, 1084, 1089, 1091,
)))  # fmt: skip
parse = partial(parse_name, _NAME, women=_WOMEN)

SPEC = CorpusSpec(
    name="cremad",
    title="Crowd-sourced Emotional Multimodal Actors Dataset (CREMA-D)",
    homepage="https://github.com/CheyneyComputerScience/CREMA-D",
    licence="Open Database Licence (ODbL) 1.0",
    citation=(
        "H. Cao, D. G. Cooper, M. K. Keutmann, R. C. Gur, A. Nenkova, R. Verma: CREMA-D: "
        "Crowd-Sourced Emotional Multimodal Actors Dataset. IEEE Transactions on Affective "
        "Computing 5(4), 2014, 377-390."
    ),
    language="English",
    clips=7442,
    speakers=91,
    emotions={
        "anger": 1271,
        "disgust": 1271,
        "fear": 1271,
        "happiness": 1271,
        "neutral": 1087,
        "sadness": 1271,
    },
    parse=parse,
    source=GitHub("CheyneyComputerScience/CREMA-D", "master", "AudioWAV/", large=True),
    note="Labels are the emotions asked for; listeners recognised 41 % of them by ear alone.",
    names="actor, sentence, emotion, intensity, as in '1001_DFA_ANG_XX.wav'",
)
