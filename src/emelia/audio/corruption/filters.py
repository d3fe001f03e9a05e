"""Filters of microphones and lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emelia.audio.limits import Wave
from emelia.config import SAMPLE_RATE

_ORDER = 4  # of Butterworth filters: 24 dB an octave
_TAPS = 257  # of a microphone's response: 16 ms


def pass_band(wave: Wave, low: float | None, high: float | None) -> NDArray[Any]:
    """Keep what lies above `low` and below `high` Hz; None for no edge. Float64 (T,)."""
    from scipy import signal

    edges, kind = {
        (True, True): ([low, high], "band"),
        (True, False): (low, "high"),
        (False, True): (high, "low"),
    }[low is not None, high is not None]
    sections = signal.butter(_ORDER, edges, kind, fs=SAMPLE_RATE, output="sos")
    return np.asarray(signal.sosfilt(sections, wave))


def respond(wave: Wave, hertz: Sequence[float] | NDArray[Any], gains_db: NDArray[Any]) -> Wave:
    """Apply a frequency response of linear phase, given by gains at frequencies from 0 to 8 kHz."""
    from scipy import signal

    taps = signal.firwin2(_TAPS, hertz, 10 ** (gains_db / 20), fs=SAMPLE_RATE)
    return np.asarray(signal.fftconvolve(wave, taps, "same"), np.float32)


def convolve(wave: Wave, response: NDArray[Any]) -> Wave:
    """Convolve with the response of a room; the length stays."""
    from scipy import signal

    return np.asarray(signal.fftconvolve(wave, response)[: len(wave)], np.float32)
