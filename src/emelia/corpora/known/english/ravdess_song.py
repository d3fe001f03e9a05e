"""RAVDESS, the song part: 23 actors sing two sentences in six emotions.

File names are those of the speech part with 02 for the channel: `03-02-05-02-01-02-07.wav`.
Actor 18 did not sing, and no actor sang disgust or surprise.
"""

from __future__ import annotations

from pathlib import Path

from emelia.corpora.known.english import ravdess
from emelia.corpora.records import CorpusSpec, Fields

_SONG = "02"
_CLIPS = {name: 184 for name in ("calm", "happiness", "sadness", "anger", "fear")} | {"neutral": 92}


def parse(path: Path) -> Fields | None:
    """Read emotion, actor, statement, repetition and intensity from a file name."""
    fields = ravdess.parse_channel(path, _SONG)
    return fields if fields and fields.emotion in _CLIPS else None


SPEC = CorpusSpec(
    name="ravdess-song",
    title="Ryerson Audio-Visual Database of Emotional Speech and Song, song part",
    homepage=ravdess.SPEC.homepage,
    licence=ravdess.SPEC.licence,
    citation=ravdess.SPEC.citation,
    language=ravdess.SPEC.language,
    clips=1012,
    speakers=23,
    emotions=_CLIPS,
    parse=parse,
    obtain="download Audio_Song_Actors_01-24.zip at https://zenodo.org/records/1188976",
    merges=ravdess.SPEC.merges,
    note="Sung, on two short melodies; only two sentences.",
    names="seven numbers, the first two 03-02 or 01-02, as in '03-02-05-02-01-02-07.wav'",
)
