"""Measures every recording of a corpus and collects what was found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from emelia.corpora import Corpus, Utterance
from emelia.errors import CorpusError
from emelia.processes import work
from emelia.show.explore.measure import (
    BANDS,
    COLUMNS,
    Array,
    Measures,
    measure,
    remembered,
    unpacked,
)
from emelia.table import data_frame

OnProgress = Callable[[int, int], None]  # recordings done, recordings in all
_BITS = {"PCM_S8": "8 bit", "PCM_U8": "8 bit", "FLOAT": "32 bit float", "DOUBLE": "64 bit float"}


@dataclass(frozen=True, slots=True)
class Clip:
    """One recording of the corpus, with its measures and how its file is stored."""

    utterance: Utterance
    measures: Measures
    format: str  # such as "FLAC, 16 bit"
    channels: int  # 0 where unknown
    fingerprint: Array  # (264,) of length 1, see `_fingerprint`


@dataclass(frozen=True)
class Exploration:
    """A corpus with the measures of its recordings."""

    corpus: Corpus
    clips: tuple[Clip, ...]
    mean_spectrograms: dict[str, Array]  # mean spectrogram (64, 48) of each emotion
    failed: dict[str, str] = field(default_factory=dict)  # id -> why it could not be measured

    @property
    def emotions(self) -> tuple[str, ...]:
        return tuple(self.mean_spectrograms)

    def to_frame(self) -> Any:
        """A pandas DataFrame with a row for each clip: its labels and measures.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        about = ("id", "emotion", "speaker", "gender")
        names = [one.name for one in fields(Measures)]
        rows = [
            [*(getattr(clip.utterance, name) for name in about), clip.format,
             *(getattr(clip.measures, name) for name in names)]
            for clip in self.clips
        ]  # fmt: skip
        return data_frame([*about, "format", *names], rows)

    def of(self, emotion: str) -> list[Clip]:
        """The clips of one emotion."""
        return [clip for clip in self.clips if clip.utterance.emotion == emotion]


def values(clips: Iterable[Clip], name: str) -> NDArray[np.float64]:
    """One measure of clips (N,), without those for which it could not be measured."""
    found = np.array([getattr(clip.measures, name) for clip in clips], dtype=np.float64)
    return found[np.isfinite(found)]


def gather(corpus: Corpus, jobs: int = 1, on_progress: OnProgress | None = None) -> Exploration:
    """Measure the recordings of a corpus; those measured before are read from the cache.

    Raises:
        CorpusError: none of them can be read any more.
        MissingExtraError: librosa is not installed.
    """
    clips: list[Clip] = []
    failed: dict[str, str] = {}
    sums: dict[str, NDArray[np.float64]] = {}
    for number, (utterance, found) in enumerate(_measured(corpus.utterances, jobs), 1):
        if isinstance(found, str):
            failed[utterance.id] = found
        else:
            numbers, resized = unpacked(found)
            clips.append(Clip(utterance, numbers, *_header(utterance), _fingerprint(resized)))
            # Sums, since the spectrograms of a large corpus do not fit into memory together.
            empty = np.zeros((BANDS, COLUMNS))
            sums[utterance.emotion] = sums.get(utterance.emotion, empty) + resized
        if on_progress:
            on_progress(number, len(corpus.utterances))
    if not clips:
        reason = next(iter(failed.values()))
        raise CorpusError(f"{corpus.name}: none of its recordings can be read now ({reason}).")
    clips.sort(key=lambda clip: clip.utterance.id)
    counts = Counter(clip.utterance.emotion for clip in clips)
    means = {e: np.asarray(sums[e] / counts[e], dtype=np.float32) for e in sorted(sums)}
    return Exploration(corpus, tuple(clips), means, failed)


def _measured(
    utterances: Sequence[Utterance], jobs: int
) -> Iterator[tuple[Utterance, Array | str]]:
    """Measures of every utterance; those in the cache first, so that no process starts for them."""
    unknown = []
    for utterance in utterances:
        if (found := remembered(utterance)) is None:
            unknown.append(utterance)
        else:
            yield utterance, found
    yield from zip(unknown, work(measure, unknown, jobs), strict=True)


def _header(utterance: Utterance) -> tuple[str, int]:
    """Format of a file, such as "FLAC, 16 bit", and its number of channels; 0 where unknown."""
    try:
        told = soundfile.info(utterance.path)
    except (soundfile.LibsndfileError, OSError):  # a container that libsndfile does not know
        return utterance.path.suffix[1:].upper(), 0
    kind = {"WAVEX": "WAV", "OGG": "Ogg"}.get(told.format, told.format)
    codec = {"OPUS": "Opus", "VORBIS": "Vorbis", "MPEG_LAYER_III": ""}.get(told.subtype)
    if codec is not None:
        return f"{kind} {codec}".strip(), told.channels
    bits = _BITS.get(told.subtype, told.subtype.replace("PCM_", "") + " bit")
    return f"{kind}, {bits}", told.channels


def _fingerprint(resized: Array) -> Array:
    """What tells recordings apart in a few numbers, whatever their level and codec.

    Bands up to 3.2 kHz, which narrow-band codecs keep, and what is no more than 45 dB below
    the loudest point, under which they write noise of their own.
    """
    kept = np.maximum(resized[: BANDS * 11 // 16], resized.max() - 45)
    coarse = kept.reshape(11, 4, COLUMNS // 2, 2).mean(axis=(1, 3))
    coarse -= coarse.mean(axis=1, keepdims=True)
    length = float(np.linalg.norm(coarse))
    return np.asarray(coarse / (length or 1.0), dtype=np.float32).ravel()
