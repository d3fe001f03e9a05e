"""IEMOCAP: ten actors in pairs, improvising and playing scenes; listeners chose the emotions.

A recording is `Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav`: session,
scene, and the woman (F) or man (M) who speaks. Its label is in the text file of the
scene, `Session1/dialog/EmoEvaluation/Ses01F_impro01.txt`, in a line such as

    [6.2901 - 8.2357]	Ses01F_impro01_F000	neu	[2.5000, 2.5000, 2.5000]

Excitement counts as happiness unless it is asked for by name. So the four classes of
most published figures are `--emotions anger,happiness,neutral,sadness` (5531 clips). Five classes
are these and frustration, or excitement as a class of its own: add `frustration` or `excitement`
to the list. Recordings whose listeners did not agree, or agreed on another emotion than those
offered, are left out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from emelia.corpora.records import GENDERS, CorpusSpec, Fields, Labels
from emelia.errors import CorpusError

_NAME = re.compile(r"Ses0([1-5])[FM]_((?:impro|script)\d\d\w*)_([FM])\w{3}", re.ASCII)
_SCENE = re.compile(r"Ses0[1-5][FM]_(?:impro|script)\d\d(?:_\d[a-z]?|[a-z])?", re.ASCII)
_LINE = re.compile(r"\[[\d.]+ - [\d.]+\]\s+(Ses\w+)\s+([a-z]{3})\s", re.ASCII)
_EMOTIONS = {
    "ang": "anger",
    "dis": "disgust",
    "exc": "excitement",
    "fea": "fear",
    "fru": "frustration",
    "hap": "happiness",
    "neu": "neutral",
    "sad": "sadness",
    "sur": "surprise",
}
_UNDECIDED = {"oth": "is none of the words offered", "xxx": "is not agreed on"}


def parse(path: Path) -> Fields | None:
    """Read the speaker from a file name; the emotion is not in it."""
    match = _NAME.fullmatch(path.stem)
    if match is None:
        return None
    session, _, letter = match.groups()
    return Fields("", f"{session}{letter}", gender=GENDERS[letter.lower()])


def label(root: Path, files: Sequence[Path]) -> Labels:
    """Label recordings by the text files of their scenes.

    Raises:
        CorpusError: the text file of a scene is missing.
    """
    labels = Labels()
    undecided: dict[Path, str] = {}
    scenes: dict[Path, dict[str, str]] = {}
    for file in files:
        if _SCENE.fullmatch(file.stem):  # a whole scene, with both speakers
            continue
        fields = parse(file)
        if fields is None:
            labels.reasons[file] = SPEC.foreign
            continue
        scene = _scene(root / file)
        if scene not in scenes:
            scenes[scene] = _codes(scene)
        code = scenes[scene].get(file.stem, "")
        if code in _EMOTIONS:
            labels.fields[file] = Fields(_EMOTIONS[code], fields.speaker, gender=fields.gender)
        elif code in _UNDECIDED:
            undecided[file] = code
        else:
            labels.reasons[file] = f"has no known label in {scene.name}"
    if not labels.fields:  # then the error shows the reasons
        labels.reasons |= {f: f"its emotion {_UNDECIDED[c]} ({c})" for f, c in undecided.items()}
    labels.notes += [
        f"{count} clips whose emotion {_UNDECIDED[code]} ({code}) were left out."
        for code, count in sorted(Counter(undecided.values()).items())
    ]
    return labels


def _scene(path: Path) -> Path:
    """The text file of the scene a recording is from."""
    sentences = next((folder for folder in path.parents if folder.name == "sentences"), None)
    if sentences is None:
        raise CorpusError(
            f"{path}: expected it in a folder sentences beside dialog, as in "
            "Session1/sentences/wav and Session1/dialog/EmoEvaluation."
        )
    return sentences.parent / "dialog" / "EmoEvaluation" / f"{path.stem.rpartition('_')[0]}.txt"


def _codes(scene: Path) -> dict[str, str]:
    """The emotion code of each recording of a scene."""
    try:
        text = scene.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise CorpusError(
            f"{scene}: cannot be read ({error.strerror}); it holds the labels of its scene."
        ) from None
    found = (_LINE.match(line) for line in text.splitlines())
    return {match[1]: match[2] for match in found if match}


SPEC = CorpusSpec(
    name="iemocap",
    title="Interactive Emotional Dyadic Motion Capture Database (IEMOCAP)",
    homepage="https://sail.usc.edu/iemocap/",
    licence="for research, after a signed licence",
    citation=(
        "C. Busso, M. Bulut, C.-C. Lee, A. Kazemzadeh, E. Mower, S. Kim, J. N. Chang, S. Lee, "
        "S. S. Narayanan: IEMOCAP: Interactive emotional dyadic motion capture database. Language "
        "Resources and Evaluation 42(4), 2008, 335-359."
    ),
    language="English",
    clips=7529,
    speakers=10,
    emotions={
        "anger": 1103,
        "disgust": 2,
        "excitement": 1041,
        "fear": 40,
        "frustration": 1849,
        "happiness": 595,
        "neutral": 1708,
        "sadness": 1084,
        "surprise": 107,
    },
    parse=parse,
    label=label,
    obtain="ask for it at https://sail.usc.edu/iemocap/iemocap_release.htm",
    merges={"excitement": "happiness"},
    note=(
        "Most figures are on four classes: --emotions anger,happiness,neutral,sadness; "
        "the two speakers of a session hear each other, so leave out both."
    ),
    names="session, scene, speaker, as in 'Ses01F_impro01_F000.wav'",
)
