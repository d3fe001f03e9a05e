"""The envelope of a waveform of any length, in bounded memory, for drawing it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emelia.audio.limits import Wave
from emelia.config import SAMPLE_RATE

_FINEST = 160  # samples of a step at first: 10 ms
_MOST = 4_000  # steps kept; a power of two of them becomes one when there are more


class Envelope:
    """Lowest and highest sample of each step; steps become longer as the sound goes on."""

    def __init__(self) -> None:
        self.samples = 0
        self._step = _FINEST
        self._rest = np.zeros(0, np.float32)
        self._ranges = np.zeros((0, 2), np.float32)

    def feed(self, wave: Wave) -> None:
        """Take the next samples, float32 (T,) at 16 kHz."""
        self.samples += len(wave)
        wave = np.concatenate([self._rest, wave])
        whole = len(wave) // self._step * self._step
        steps, self._rest = wave[:whole].reshape(-1, self._step), wave[whole:].copy()
        self._ranges = np.concatenate([self._ranges, _ranges(steps)])
        while len(self._ranges) > _MOST:
            self._coarsen()

    def read(self) -> tuple[float, NDArray[np.float32]]:
        """Seconds of a step, and the lowest and highest sample of each, (N, 2)."""
        rest = self._rest.reshape(1, -1) if len(self._rest) else np.zeros((0, 1), np.float32)
        return self._step / SAMPLE_RATE, np.concatenate([self._ranges, _ranges(rest)])

    def _coarsen(self) -> None:
        """Join pairs of steps; an odd last one becomes samples again, with the same extremes."""
        if len(self._ranges) % 2:
            low, high = self._ranges[-1]
            ends = np.full(self._step, low, np.float32)
            ends[-1] = high
            self._rest = np.concatenate([ends, self._rest])
            self._ranges = self._ranges[:-1]
        pairs = self._ranges.reshape(-1, 2, 2)
        self._ranges = np.stack([pairs[:, :, 0].min(axis=1), pairs[:, :, 1].max(axis=1)], axis=1)
        self._step *= 2


def _ranges(steps: Wave) -> NDArray[np.float32]:
    """Lowest and highest sample of each step: (N, S) -> (N, 2)."""
    return np.stack([steps.min(axis=1), steps.max(axis=1)], axis=1)
