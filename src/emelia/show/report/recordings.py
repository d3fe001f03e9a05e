"""Finds the recordings behind a study's answers on this disk.

A run folder tells where the corpus lay. That folder is used only if its corpus still has the digest
of the study: then an id names the very recording that was tested.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from emelia.audio import Wave, decode, resample
from emelia.config import SAMPLE_RATE
from emelia.corpora import Corpus, read_corpus
from emelia.errors import EmeliaError
from emelia.results import Cell, Row
from emelia.text import from_json

LONGEST = 4.0  # s of a recording on a page, which has to carry it
Recordings = Mapping[str, Path]  # by the id of a clip


@dataclass(frozen=True)
class ClipAnswer:
    """What a network answered to a test clip."""

    clip: str  # its id
    speaker: str
    meant: str
    said: str
    confidence: float


def places_of(results: Iterable[Path]) -> list[str]:
    """Where the corpora of studies lay, from the run folders beside their results."""
    found: dict[str, None] = {}
    for file in results:
        # One run is enough, since all runs of a study have one corpus.
        for run in sorted((file.parent / "cells").glob("*/run.json"))[:1]:
            try:
                about = from_json(run.read_text(encoding="utf-8"))
                places, added = about.get("places", []), about.get("added", {})
            except (OSError, ValueError):  # a report does without
                continue
            # Places of corpora that were only added to the training come last; none of their clips
            # is tested.
            if tested := places[: len(places) - len(added)]:
                found["+".join(map(str, tested))] = None
    return list(found)


def recordings(sample: Cell, places: Sequence[str]) -> dict[str, Path]:
    """Paths of the recordings of a study by clip id; none where no folder holds that corpus."""
    for place in places:
        try:
            corpus = read_corpus(place, None, sample.classes)
        except (EmeliaError, OSError):
            continue
        if corpus.digest == sample.corpus_digest:
            return _by_id(corpus)
    return {}


def _by_id(corpus: Corpus) -> dict[str, Path]:
    # Of a segment the page would play the whole recording.
    return {u.id: u.path for u in corpus.utterances if u.span is None}


def mistakes(row: Row, most: int) -> list[ClipAnswer]:
    """The wrong answers of the first seed, highest confidence first."""
    wrong = [one for one in _answers(row) if one.meant != one.said]
    return sorted(wrong, key=lambda one: (-one.confidence, one.clip))[:most]


def surest(row: Row) -> ClipAnswer | None:
    """The right answer with the highest confidence, or None."""
    right = [one for one in _answers(row) if one.meant == one.said]
    return min(right, key=lambda one: (-one.confidence, one.clip), default=None)


def _answers(row: Row) -> Iterator[ClipAnswer]:
    """All answers of the first seed, without those of trainings that diverged."""
    for cell in row.counted[0]:
        answers = zip(cell.predictions, cell.truth, cell.predicted, strict=True)
        for (said, truth, guess), chances in zip(answers, cell.calibrated, strict=True):
            if not np.isnan(chances).any():
                names = cell.classes[truth], cell.classes[guess]
                yield ClipAnswer(
                    str(said["id"]), str(said["speaker"]), *names, float(chances[guess])
                )


def beginning(path: Path) -> tuple[Wave, bool]:
    """The first seconds of a recording (T,) at 16 kHz, and whether it is longer.

    Raises:
        AudioError: it cannot be read.
    """
    wave, rate = decode(path)
    most = round(LONGEST * rate)
    return resample(wave[:most], rate), wave.size > most


def flac(speech: Wave) -> bytes:
    """A waveform (T,) at 16 kHz as a FLAC file of 16 bit, which browsers play."""
    file = io.BytesIO()
    soundfile.write(file, speech, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    return file.getvalue()
