"""The corpora known by name, and the readers that a place may ask for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

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
from emelia.corpora.reading.datasets.audformat import read_audformat
from emelia.corpora.reading.datasets.huggingface import read_hugging_face
from emelia.corpora.records import CorpusSpec
from emelia.text import nearest

_MODULES = (
    aesdd, ased, cafe, casia, cremad, demo, emodb, emogator, emovo, emozionalmente, esd, iemocap,
    mesd, nemo, ravdess, ravdess_song, savee, shemo, subesco, tess, turev, urdu,
)  # fmt: skip
CORPORA: dict[str, CorpusSpec] = {module.SPEC.name: module.SPEC for module in _MODULES}
UNNAMED = ("manifest", "folders")  # readers of corpora that are not known by name
TABLE_READERS = {
    "hf": read_hugging_face,
    "audformat": read_audformat,
}  # of data sets kept as tables


def readers() -> dict[str, CorpusSpec | None]:
    """All readers by name; manifest and folders have no spec."""
    return {**CORPORA, **dict.fromkeys(UNNAMED)}


def files_of(files: Sequence[Path]) -> dict[str, set[Path]]:
    """The files whose names fit each known corpus, by its name; without corpora that fit none."""
    fits = {
        name: {file for file in files if spec.parse(file) is not None}
        for name, spec in CORPORA.items()
    }
    return {name: found for name, found in fits.items() if found}


def known_among(name: str, among: Iterable[str]) -> str:
    """The end of a sentence on a name that is not known: the nearest, and all there are."""
    names = sorted(among)
    near = nearest(name, names)
    return (f"; did you mean {near}?" if near else ".") + f" Known are: {', '.join(names)}."
