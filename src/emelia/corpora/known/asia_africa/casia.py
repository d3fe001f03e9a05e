"""CASIA, the free part: four Mandarin speakers say the same 50 sentences in six emotions.

File names: a number in a folder per emotion in a folder per speaker, `wangzhe/angry/201.wav`.
The numbers run from 201 to 250 and stand for the same sentences in all folders. Such names are
common, so files count as CASIA's only with the folder of one of its four speakers.
"""

from __future__ import annotations

import re
from pathlib import Path

from emelia.corpora.records import CorpusSpec, Fields
from emelia.emotions import canonical

_NAME = re.compile(r"2(?:0[1-9]|[1-4]\d|50)", re.ASCII)
_SPEAKERS = ("ZhaoZuoxiang", "liuchanhg", "wangzhe", "zhaoquanyin")  # liuchanhg is spelt so there
_EMOTIONS = ("angry", "fear", "happy", "neutral", "sad", "surprise")


def parse(path: Path) -> Fields | None:
    """Read speaker, emotion and sentence from a path."""
    speaker, emotion = path.parent.parent.name, path.parent.name
    if speaker not in _SPEAKERS or emotion not in _EMOTIONS or not _NAME.fullmatch(path.stem):
        return None
    return Fields(canonical(emotion), speaker, path.stem)


SPEC = CorpusSpec(
    name="casia",
    title="CASIA Mandarin emotional speech, the free part",
    homepage="not settled",
    licence="circulates for research; not settled",
    citation="not settled.",
    language="Mandarin",
    clips=1200,
    speakers=4,
    emotions=dict.fromkeys(map(canonical, _EMOTIONS), 200),
    parse=parse,
    obtain="look for the free part of CASIA; who may pass it on is not settled",
    note="The gender of the speakers is not settled; all say the same 50 sentences.",
    names="number in a folder per emotion and speaker, as in 'wangzhe/angry/201.wav'",
)
