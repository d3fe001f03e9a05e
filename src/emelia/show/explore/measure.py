"""Measures one recording and caches the result by the digest of its sound.

Spectrograms are the founding study's (128 mel bands of 16 kHz, a frame every 32 ms) in dB below the
clip's loudest point, float32 (128, F). A resized spectrogram is of the stretch that holds 99 % of
the energy, brought to 64 bands and 48 columns whatever its length.
"""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import astuple, dataclass, fields

import numpy as np
from numpy.typing import NDArray

from emelia.audio import analysis as sound
from emelia.audio import resample
from emelia.audio.mel import log_mel
from emelia.caches import cache_root
from emelia.config import PRESETS, SAMPLE_RATE, digest
from emelia.corpora import Utterance
from emelia.corpora.scan import decode_again
from emelia.errors import AudioError, StorageError
from emelia.storage import ArrayCache

FRONT_END = PRESETS["founding"]
BANDS, COLUMNS = 64, 48  # of a resized
_FORMAT = 2  # of what is kept; raised when what is measured changes
_SEMITONES = 12  # in an octave
Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Measures:
    """What was measured of a recording; NaN where it could not be."""

    rate: float  # Hz, of the file
    seconds: float
    frames: float  # of its spectrogram
    level: float  # dB, RMS; -inf for silence
    peak: float  # largest absolute sample, full scale at 1
    snr: float  # dB
    pitch: float  # Hz, median of the voiced frames
    pitch_range: float  # semitones between the 5th and the 95th percentile
    voiced: float  # share of the frames
    speaking_rate: float  # syllables a second
    sounding: float  # seconds that are no pause
    core: float  # seconds that hold 99 % of the energy, from first to last
    clipped: float  # samples


_NUMBERS = len(fields(Measures))


def remembered(utterance: Utterance) -> Array | None:
    """The cached result of `measure`, or None."""
    return cache().get(_key(utterance))


def measure(utterance: Utterance) -> Array | str:
    """Measure a recording and cache the result.

    Returns:
        Measures and resized spectrogram in one array, see `unpacked`; the reason as text where the
        recording cannot be read.
    """
    try:
        wave, rate = decode_again(utterance)
    except AudioError as error:
        return str(error).removeprefix(f"{utterance.path}: ")
    speech = resample(wave, rate)
    powers = sound.power(speech, SAMPLE_RATE)
    heard = sound.sounding(powers)
    spectrogram = log_mel(speech, FRONT_END)
    first, last = _core(spectrogram)
    pitch = sound.pitch(speech, SAMPLE_RATE)
    voiced = np.isfinite(pitch)
    numbers = Measures(
        rate=rate,
        seconds=wave.size / rate,
        frames=spectrogram.shape[1],
        level=sound.level(wave),
        peak=float(np.abs(wave).max()),
        snr=sound.snr(powers),
        pitch=float(np.median(pitch[voiced])) if voiced.any() else math.nan,
        pitch_range=_range(pitch[voiced]),
        voiced=float(voiced.mean()),
        speaking_rate=sound.speaking_rate(speech, SAMPLE_RATE, voiced),
        sounding=float(heard.sum() * sound.HOP),
        core=(last - first) * FRONT_END.hop / SAMPLE_RATE,
        clipped=sound.clipped(wave),
    )
    resized = _resized(spectrogram, first, last)
    made = np.concatenate([np.array(astuple(numbers), dtype=np.float32), resized.ravel()])
    with suppress(StorageError):  # a cache that cannot be written costs only time
        cache().put(_key(utterance), made)
    return made


def unpacked(array: Array) -> tuple[Measures, Array]:
    """Split the array that `measure` made into measures and resized spectrogram (64, 48)."""
    numbers = [float(number) for number in array[:_NUMBERS]]
    return Measures(*numbers), array[_NUMBERS:].reshape(BANDS, COLUMNS)


def cache() -> ArrayCache:
    """The cache of measures and comparisons."""
    return ArrayCache(cache_root() / "exploration")


def _key(utterance: Utterance) -> str:
    return digest([_FORMAT, utterance.digest], length=64)


def _range(pitch: NDArray[np.float64]) -> float:
    if pitch.size < 2:
        return math.nan
    low, high = np.percentile(pitch, [5, 95])
    return float(_SEMITONES * math.log2(high / low))


def _core(spectrogram: Array) -> tuple[float, float]:
    """First and last frame, with fractions, of the stretch that holds 99 % of the energy.

    Unlike edges told by a threshold, these are where they were after any encoding.
    """
    energy = np.cumsum(np.sum(10.0 ** (spectrogram / 10), axis=0))
    ends = np.interp([0.005, 0.995], np.append(0, energy) / energy[-1], np.arange(energy.size + 1))
    return float(ends[0]), float(ends[1])


def _resized(spectrogram: Array, first: float, last: float) -> Array:
    """A stretch of a spectrogram in 64 bands and 48 columns, each a mean over its share of it."""
    bands = spectrogram.reshape(BANDS, -1, spectrogram.shape[1]).mean(axis=1)
    sums = np.cumsum(np.pad(bands, ((0, 0), (1, 0))), axis=1)
    # Differences of sums at fractional frames: clips of any length have the same columns.
    edges = np.linspace(first, last, COLUMNS + 1)
    read = np.array([np.interp(edges, np.arange(sums.shape[1]), line) for line in sums])
    return np.asarray(np.diff(read, axis=1) * (COLUMNS / (last - first)), dtype=np.float32)
