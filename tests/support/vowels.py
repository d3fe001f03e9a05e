"""Speech enough for a speech detector: vowels, made by a buzzing source and three formants."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

RATE = 16_000  # Hz
FORMANTS = (  # Hz: a, i, u, e and the vowel of "her"
    (730, 1090, 2440), (270, 2290, 3010), (300, 870, 2240), (530, 1840, 2480), (570, 840, 2410),
)  # fmt: skip
WIDTHS = (80, 90, 120)  # Hz, of the formants
SYLLABLE = 2_880  # samples: 0.18 s


def vowels(seconds: float = 2.0, pitch: float = 120.0) -> NDArray[np.float32]:
    """Syllables of a gliding voice, every fifth nearly silent; float32 (T,) at 16 kHz, peak 0.5."""
    time = np.arange(round(seconds * RATE)) / RATE
    glide = pitch * (1 + 0.1 * np.sin(2 * np.pi * 0.7 * time) + 0.02 * np.sin(10 * np.pi * time))
    pulses = np.diff(np.floor(np.cumsum(glide) / RATE), prepend=0)
    breath = 0.005 * np.random.default_rng(0).standard_normal(len(time))
    source = lfilter([1], [1, -0.97], pulses) + breath
    said = [_syllable(source[start : start + SYLLABLE], number)
            for number, start in enumerate(range(0, len(time), SYLLABLE))]  # fmt: skip
    sound = np.diff(np.concatenate(said), prepend=0)
    return np.asarray(0.5 * sound / np.abs(sound).max(), dtype=np.float32)


def _syllable(source: NDArray[np.float64], number: int) -> NDArray[np.float64]:
    place = np.arange(len(source))
    edges = np.clip(np.minimum(place, place[::-1]) / (0.02 * RATE), 0, 1)
    for formant, width in zip(FORMANTS[number % 5], WIDTHS, strict=True):
        radius = np.exp(-np.pi * width / RATE)
        turn = 2 * np.pi * formant / RATE
        source = lfilter([1 - radius], [1, -2 * radius * np.cos(turn), radius**2], source)
    return np.asarray(source * edges * (0.02 if number % 5 == 4 else 1))
