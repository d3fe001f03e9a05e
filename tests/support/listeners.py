"""A recognizer whose answers are known, and sound whose speech is known, for long recordings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from toy_model import CARD
from vowels import vowels

from emelia.config.thresholds import Thresholds

RATE = 16_000  # Hz
EMOTIONS = ("anger", "fear", "sadness")


class Loudness:
    """Hears anger in loud windows and sadness in quiet ones; counts what it was asked."""

    card = CARD
    emotions = EMOTIONS
    thresholds = Thresholds(0.5)
    adapted = 0

    def __init__(self) -> None:
        self.asked: list[int] = []  # samples of each window

    def probabilities(self, waves: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        self.asked += [len(wave) for wave in waves]
        loud = np.array([min(1.0, 10 * np.abs(wave).mean()) for wave in waves])
        return np.stack([0.9 * loud, np.full(len(waves), 0.1), 0.9 - 0.9 * loud], 1).astype("f4")


def hiss(seconds: float, level: float = 0.001, seed: int = 0) -> NDArray[np.float32]:
    """Steady noise."""
    noise = np.random.default_rng(seed).standard_normal(round(seconds * RATE))
    return np.asarray(level * noise, np.float32)


def talk(*parts: float) -> NDArray[np.float32]:
    """Seconds of pause, speech, pause, speech, ... in a quiet room."""
    sound = hiss(sum(parts))
    at = 0
    for number, seconds in enumerate(parts):
        size = round(seconds * RATE)
        if number % 2:
            sound[at : at + size] += vowels(seconds)[: len(sound[at : at + size])]
        at += size
    return sound


def cuts(wave: NDArray[np.float32], seed: int) -> list[NDArray[np.float32]]:
    """The wave in pieces of random length, some of them empty."""
    rng = np.random.default_rng(seed)
    return np.split(wave, np.sort(rng.integers(0, len(wave), 60)))
