"""ESD: ten Mandarin and ten English speakers say the same 350 sentences in five emotions.

File names: speaker and number in a folder per emotion, `0011/Angry/0011_000351.wav`;
between them may stand a folder train, test or evaluation. Speakers 0001 to 0010 speak
Mandarin, 0011 to 0020 English. The numbers go on from emotion to emotion, 350 each.
"""

from __future__ import annotations

import re
from pathlib import Path

from emelia.corpora.records import CorpusSpec, Fields
from emelia.emotions import canonical

_NAME = re.compile(r"(00(?:0[1-9]|1\d|20))_(\d{6})", re.ASCII)
_EMOTIONS = ("Angry", "Happy", "Neutral", "Sad", "Surprise")
_SENTENCES = 350


def parse(path: Path) -> Fields | None:
    """Read speaker, emotion and sentence from a path."""
    match = _NAME.fullmatch(path.stem)
    emotion = next((name for name in path.parent.parts[-2:] if name in _EMOTIONS), "")
    if match is None or not emotion:
        return None
    speaker, number = match.groups()
    language = "zh" if int(speaker) <= 10 else "en"
    sentence = (int(number) - 1) % _SENTENCES + 1
    return Fields(canonical(emotion), speaker, f"{language}{sentence:03d}")


SPEC = CorpusSpec(
    name="esd",
    title="Emotional Speech Database (ESD)",
    homepage="https://github.com/HLTSingapore/Emotional-Speech-Data",
    licence="for research, after a signed licence",
    citation=(
        "K. Zhou, B. Sisman, R. Liu, H. Li: Emotional voice conversion: Theory, databases and ESD. "
        "Speech Communication 137, 2022, 1-18."
    ),
    language="English, Mandarin",
    clips=35000,
    speakers=20,
    emotions=dict.fromkeys(("anger", "happiness", "neutral", "sadness", "surprise"), 7000),
    parse=parse,
    obtain="sign the licence named at https://github.com/HLTSingapore/Emotional-Speech-Data",
    names="speaker and number in a folder per emotion, as in '0011/Angry/0011_000351.wav'",
)
