"""Corpora that are read by name: one module each, and an embedded one of synthetic speech.

A corpus is a module with a `SPEC`, in the folder of its language, and is registered here.
"""

from emelia.corpora.known import demo
from emelia.corpora.known.asia_africa import ased, casia, esd, shemo, subesco, turev, urdu
from emelia.corpora.known.english import (
    cremad,
    emogator,
    iemocap,
    ravdess,
    ravdess_song,
    savee,
    tess,
)
from emelia.corpora.known.europe import aesdd, cafe, emodb, emovo, emozionalmente, mesd, nemo
from emelia.corpora.records import CorpusSpec

_MODULES = (
    aesdd, ased, cafe, casia, cremad, demo, emodb, emogator, emovo, emozionalmente, esd, iemocap,
    mesd, nemo, ravdess, ravdess_song, savee, shemo, subesco, tess, turev, urdu,
)  # fmt: skip
CORPORA: dict[str, CorpusSpec] = {module.SPEC.name: module.SPEC for module in _MODULES}
