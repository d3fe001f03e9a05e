"""CaFE: twelve actors say six sentences in Canadian French, in seven emotions.

File names: actor, emotion letter, intensity, sentence. `05-C-2-3.wav` is actor 05,
anger (colère), strong, sentence 3. Odd actors are men. The version at 192 kHz is in
AIFF, which is not read; take the one at 48 kHz.
"""

from __future__ import annotations

import re
from functools import partial

from emelia.corpora.records import CorpusSpec, parse_name
from emelia.corpora.sources import Zenodo

_NAME = re.compile(
    r"(?P<speaker>0[1-9]|1[0-2])-(?P<emotion>[CDJNPST])-(?P<take>[12])-(?P<sentence>[1-6])",
    re.ASCII,
)
_EMOTIONS = {
    "C": "anger",  # colère
    "D": "disgust",  # dégoût
    "J": "happiness",  # joie
    "N": "neutral",
    "P": "fear",  # peur
    "S": "surprise",
    "T": "sadness",  # tristesse
}
_INTENSITIES = {"1": "mild", "2": "strong"}
_WOMEN = {f"{actor:02d}" for actor in range(2, 13, 2)}
parse = partial(parse_name, _NAME, women=_WOMEN, emotion=_EMOTIONS, take=_INTENSITIES)

SPEC = CorpusSpec(
    name="cafe",
    title="Canadian French Emotional Speech Dataset (CaFE)",
    homepage="https://zenodo.org/records/1478765",
    licence="CC BY-NC-SA 4.0",
    citation=(
        "P. Gournay, O. Lahaie, R. Lefebvre: A Canadian French Emotional Speech Dataset. ACM "
        "Multimedia Systems Conference 2018, 399-402."
    ),
    language="French",
    clips=936,
    speakers=12,
    emotions={name: 72 if name == "neutral" else 144 for name in _EMOTIONS.values()},
    parse=parse,
    source=Zenodo("1478765", ("CaFE_48k.zip",)),
    names="actor, emotion letter, intensity, sentence, as in '05-C-2-3.wav'",
)
