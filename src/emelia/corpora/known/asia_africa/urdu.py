"""URDU: speakers in Urdu talk shows, in four emotions; nothing is acted or read.

File names: speaker, number, emotion letter with a number. `SM1_F10_A010.wav` is a man's
tenth recording, in anger. The second letter of the speaker is the gender.
"""

from __future__ import annotations

import re
from functools import partial

from emelia.corpora.records import CorpusSpec, parse_name
from emelia.corpora.sources import GitHub

_NAME = re.compile(
    r"(?P<speaker>S(?P<gender>[FM])\d{1,2})_F\d{1,3}_(?P<emotion>[AHNS])\d{2,4}", re.ASCII
)
_EMOTIONS = {"A": "anger", "H": "happiness", "N": "neutral", "S": "sadness"}
parse = partial(parse_name, _NAME, emotion=_EMOTIONS)

SPEC = CorpusSpec(
    name="urdu",
    title="URDU Dataset",
    homepage="https://github.com/siddiquelatif/URDU-Dataset",
    licence="for research only",
    citation=(
        "S. Latif, A. Qayyum, M. Usman, J. Qadir: Cross Lingual Speech Emotion Recognition: Urdu "
        "vs. Western Languages. Frontiers of Information Technology 2018, 88-93."
    ),
    language="Urdu",
    clips=400,
    speakers=29,  # that the names tell apart
    emotions=dict.fromkeys(_EMOTIONS.values(), 100),
    parse=parse,
    source=GitHub("siddiquelatif/URDU-Dataset", "HEAD", "", suffix=".wav"),
    note="38 speakers are published, the names tell 29 apart: some may be two people.",
    names="speaker, number, emotion letter with a number, as in 'SM1_F10_A010.wav'",
)
