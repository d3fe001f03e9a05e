"""The readers that a place may ask for, and the known corpora that file names fit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from emelia.corpora.known import CORPORA
from emelia.corpora.reading.datasets.audformat import read_audformat
from emelia.corpora.reading.datasets.huggingface import read_hugging_face
from emelia.corpora.records import CorpusSpec
from emelia.text import nearest

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
        name: {file for file in files if spec.read_name(file) is not None}
        for name, spec in CORPORA.items()
    }
    return {name: found for name, found in fits.items() if found}


def known_among(name: str, among: Iterable[str]) -> str:
    """The end of a sentence on a name that is not known: the nearest, and all there are."""
    names = sorted(among)
    near = nearest(name, names)
    return (f"; did you mean {near}?" if near else ".") + f" Known are: {', '.join(names)}."
