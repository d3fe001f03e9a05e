"""Sounds behind a voice, made without any recording but those of the corpus itself.

Each is float32 (T,) at 16 kHz; its level is set where it is mixed in.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from emelia.audio import Wave
from emelia.audio.corruption.filters import pass_band
from emelia.audio.corruption.mixing import power
from emelia.config import SAMPLE_RATE

Generator = np.random.Generator

_CHORDS = ((0, 4, 7), (9, 12, 16), (5, 9, 12), (7, 11, 14))  # semitones of I, vi, IV and V
_HARMONICS = 8  # of a note of the music
_BEAT = (0.4, 0.7)  # s
_COUGH = 0.35  # s
_TINY = 1e-9


def white(size: int, rng: Generator) -> Wave:
    """White noise."""
    return rng.standard_normal(size).astype(np.float32)


def traffic(size: int, rng: Generator) -> Wave:
    """Noise as of a street or a fan: its power falls by 6 dB an octave, from 50 Hz on."""
    spectrum = np.fft.rfft(rng.standard_normal(size))
    hertz = np.fft.rfftfreq(size, 1 / SAMPLE_RATE)
    shaped = spectrum * np.where(hertz > 50, 50 / np.maximum(hertz, 50), 0)
    return np.fft.irfft(shaped, size).astype(np.float32)


def babble(size: int, rng: Generator, voices: Sequence[Wave]) -> Wave:
    """Several people talking at once, equally loud: each from a random moment on, over and over."""
    total = np.zeros(size)
    for voice in voices:
        level = max(_TINY, float(np.sqrt(power(voice))))
        total += np.resize(np.roll(voice, int(rng.integers(len(voice)))), size) / level
    return total.astype(np.float32)


def music(size: int, rng: Generator) -> Wave:
    """Chords of sawtooth-like notes with a bass, in a random key and tempo."""
    beat = round(rng.uniform(*_BEAT) * SAMPLE_RATE)
    root = 110 * 2 ** (rng.integers(12) / 12)  # Hz
    total = np.zeros(size + beat)
    for number, start in enumerate(range(0, size, beat)):
        tones = _CHORDS[number // 4 % len(_CHORDS)]
        for semitones in (tones[0] - 12, *tones):
            total[start : start + beat] += _note(root * 2 ** (semitones / 12), beat)
    return total[:size].astype(np.float32)


def _note(hertz: float, size: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    time = np.arange(size) / SAMPLE_RATE
    waves = [np.sin(2 * np.pi * k * hertz * time) / k for k in range(1, _HARMONICS + 1)]
    return np.asarray(np.sum(waves, axis=0) * np.exp(-2 * time))


def cough(size: int, rng: Generator) -> Wave:
    """One burst of noise as a cough is, somewhere in so many samples."""
    length = min(size, round(_COUGH * SAMPLE_RATE))
    time = np.arange(length) / SAMPLE_RATE
    burst = pass_band(white(length, rng), 300, 4000) * np.exp(-time / 0.08)
    total = np.zeros(size, np.float32)
    start = int(rng.integers(size - length + 1))
    total[start : start + length] = burst
    return total


def tone(size: int, rng: Generator) -> Wave:
    """A tone between 5 and 7 kHz."""
    hertz = rng.uniform(5000, 7000)
    return np.sin(2 * np.pi * hertz * np.arange(size) / SAMPLE_RATE).astype(np.float32)
