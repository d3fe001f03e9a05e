"""Finds recordings that a corpus holds more than once: identical, or encoded again.

Clips with similar fingerprints are compared sample by sample. Two recordings of one person saying
one sentence in one way have similar fingerprints, but their waveforms do not correlate; those of
one recording do, whatever codec, rate, level or beginning its copies have. Measured on four corpora
(6,864 clips): different recordings up to 0.3, copies by MP3, Vorbis, Opus and at 8 kHz from 0.86.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from emelia.audio import Wave, resample
from emelia.config import digest
from emelia.corpora import Utterance
from emelia.corpora.scan import decode_again
from emelia.errors import AudioError, StorageError
from emelia.processes import work
from emelia.show.explore.data import Clip, Exploration
from emelia.show.explore.measure import cache

_FORMAT = 2  # of the comparisons that are kept
_LOOK_ALIKE = 0.8  # correlation of fingerprints
_NEAREST = 3  # clips that one is compared with, at most
_RATE = 6_000  # Hz: what every codec keeps of speech
_LOWEST = 150  # Hz: below, hum would make strangers alike
_LONGEST = 20.0  # s that are compared, of long recordings
_SAME = 0.6  # correlation of waveforms, as a whole and of half of their stretches
_STRETCH = 600  # samples, 0.1 s
_FAINT = 1e-3  # of the loudest stretch's energy
_BLOCK = 1_000  # clips whose fingerprints are compared at once


def identical(exploration: Exploration) -> list[list[Utterance]]:
    """Groups of recordings with the very same samples, with copies that were left out."""
    groups = defaultdict(list)
    for utterance in (*(c.utterance for c in exploration.clips), *exploration.corpus.copies):
        groups[utterance.digest].append(utterance)
    return [group for group in groups.values() if len(group) > 1]


def encoded_again(clips: Sequence[Clip], jobs: int = 1) -> list[list[Clip]]:
    """Groups of clips that hold the same recording in different samples."""
    each_once = {clip.utterance.digest: clip for clip in clips if clip.measures.level > -np.inf}
    pairs = list(_look_alikes(sorted(each_once.values(), key=_length)))
    groups: list[list[Clip]] = []
    for pair, same in zip(pairs, _compared(pairs, jobs), strict=True):
        if same:
            met = [group for group in groups if any(clip in group for clip in pair)]
            groups = [group for group in groups if group not in met]
            joined = {clip.utterance.id: clip for group in (*met, pair) for clip in group}
            groups.append(list(joined.values()))
    return groups


def _look_alikes(clips: Sequence[Clip]) -> Iterator[tuple[Clip, Clip]]:
    """Pairs with similar fingerprints; `clips` are sorted by length."""
    fingerprints = np.array([clip.fingerprint for clip in clips])
    lengths = np.array([_length(clip) for clip in clips])
    # Encoders add or cut some hundredths of a second; clips of other lengths cannot be copies.
    ends = np.searchsorted(lengths, 1.05 * lengths + 0.1, side="right")
    for start in range(0, len(clips), _BLOCK):
        last = min(start + _BLOCK, len(clips))
        alike = fingerprints[start:last] @ fingerprints[: ends[last - 1]].T
        for row in range(start, last):
            likeness = alike[row - start, row + 1 : ends[row]]
            for nearest in np.argsort(likeness)[::-1][:_NEAREST]:
                if likeness[nearest] >= _LOOK_ALIKE:
                    yield clips[row], clips[row + 1 + nearest]


def _length(clip: Clip) -> float:
    return clip.measures.core


def _compared(pairs: Sequence[tuple[Clip, Clip]], jobs: int) -> Sequence[bool]:
    """Whether each pair is one recording; kept, since decoding again takes its time."""
    wanted = [(one.utterance, other.utterance) for one, other in pairs]
    names = [[one.digest, other.digest] for one, other in wanted]
    key = digest(["same sound", _FORMAT, names], length=64)
    found = cache().get(key)
    if found is None:
        told = list(work(same_sound, wanted, jobs))
        found = np.array([bool(same) for same in told], dtype=np.float32)
        if None not in told:
            with suppress(StorageError):  # a cache that cannot be written costs only time
                cache().put(key, found)
    return [bool(same) for same in found]


def same_sound(pair: tuple[Utterance, Utterance]) -> bool | None:
    """Whether two files hold one recording: at some shift their waveforms correlate.

    They have to as a whole, and in half of their stretches of 0.1 s, where one long vowel of the
    same pitch is not enough. None where one is gone or was replaced since it was measured.
    """
    try:
        one, other = (_listen(utterance) for utterance in pair)
    except AudioError:
        return None
    # Room for both, so that the correlation of the FFT does not wrap around.
    size = 2 ** int(np.ceil(np.log2(one.size + other.size)))
    cross = np.fft.irfft(np.fft.rfft(one, size) * np.fft.rfft(other, size).conj(), size)
    lag = int(np.abs(cross).argmax())
    whole = abs(cross[lag]) / np.sqrt(np.square(one).sum() * np.square(other).sum())
    if not whole >= _SAME:
        return False
    shift = lag if lag < size // 2 else lag - size
    return _by_stretches(one[max(shift, 0) :], other[max(-shift, 0) :]) >= _SAME


def _listen(utterance: Utterance) -> NDArray[np.float64]:
    """The beginning of a recording (T,) at 6 kHz, without frequencies below 150 Hz."""
    wave, rate = decode_again(utterance)
    speech: Wave = resample(wave[: int(_LONGEST * rate)], rate, _RATE)
    spectrum = np.fft.rfft(speech.astype(np.float64))
    spectrum[: _LOWEST * speech.size // _RATE] = 0
    return np.fft.irfft(spectrum, speech.size)


def _by_stretches(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Median correlation of all stretches of 0.1 s that are loud enough in either."""
    count = min(one.size, other.size) // _STRETCH
    if not count:
        return 0.0
    first, second = (wave[: count * _STRETCH].reshape(count, -1) for wave in (one, other))
    energies = np.square(first).sum(axis=1), np.square(second).sum(axis=1)
    heard = np.any([e > _FAINT * e.max() for e in energies], axis=0)
    alike = np.abs((first * second).sum(axis=1)) / np.sqrt(energies[0] * energies[1] + 1e-30)
    return float(np.median(alike[heard]))
