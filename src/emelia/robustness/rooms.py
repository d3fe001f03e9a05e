"""Rooms of a given reverberation time, by the image source method of 1979.

Training makes its rooms of decaying noise (`learn.data.transmission`): a test by the same method
would be one that it was trained for.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emelia.config import SAMPLE_RATE
from emelia.errors import MissingExtraError

Numbers = NDArray[np.float64]

ROOMS = 3  # of each reverberation time
_SMALL, _LARGE = (4.0, 3.5, 2.6), (7.0, 5.0, 3.2)  # metres, of a reverberation of 0.4 s
_WALL = 0.5  # metres, from voice or microphone to the next wall at least
_SPEED = 343.0  # metres a second


def decay_time(response: NDArray[Any]) -> float:
    """Reverberation time in seconds by Schroeder's integration, from -5 to -35 dB."""
    left = np.cumsum(np.square(response[::-1], dtype=np.float64))[::-1]
    level = 10 * np.log10(np.maximum(left / left[0], 1e-12))
    first, last = (int(np.argmax(level < edge)) for edge in (-5, -35))
    slope, _ = np.polyfit(np.arange(first, last) / SAMPLE_RATE, level[first:last], 1)
    return float(-60 / slope)


@lru_cache(maxsize=32)
def response(seconds: float, metres: float, number: int) -> Numbers:
    """The impulse response from a mouth to a microphone, from the direct sound on.

    Args:
        seconds: the reverberation time (RT60).
        metres: from mouth to microphone.
        number: which of `ROOMS` rooms.

    Raises:
        MissingExtraError: pyroomacoustics is not installed.
    """
    rng = np.random.default_rng((number, round(1000 * seconds)))
    # Larger rooms are those that sound longer.
    size = rng.uniform(_SMALL, _LARGE) * (seconds / 0.4) ** (1 / 3)
    mouth, microphone = _places(size, metres, rng)
    # The decay goes with -log(1 - absorption), by a factor that hangs on the shape: measured at
    # half the time, which needs an eighth of the reflections.
    half = seconds / 2
    guess = 1 - math.exp(-0.1 / half)
    tried = decay_time(_simulated(size, mouth, microphone, guess, half))
    absorption = 1 - math.exp(math.log(1 - guess) * tried / seconds)
    return _simulated(size, mouth, microphone, absorption, seconds)


def _places(size: Numbers, metres: float, rng: np.random.Generator) -> tuple[Numbers, Numbers]:
    """Mouth and microphone at a distance in a room, both away from its walls."""
    while True:
        mouth = rng.uniform(_WALL, size - _WALL)
        direction = rng.standard_normal(3) * (1, 1, 0.3)
        microphone = mouth + metres * direction / np.linalg.norm(direction)
        if (microphone > _WALL).all() and (microphone < size - _WALL).all():
            return mouth, microphone


def _simulated(
    size: Numbers, mouth: Numbers, microphone: Numbers, absorption: float, seconds: float
) -> Numbers:
    try:
        import pyroomacoustics
    except ImportError:
        raise MissingExtraError("simulating rooms", "pyroomacoustics", "stress") from None
    most = math.ceil(_SPEED * seconds / float(size.min()))  # reflections that arrive in this time
    room = pyroomacoustics.ShoeBox(
        size, fs=SAMPLE_RATE, materials=pyroomacoustics.Material(absorption), max_order=most
    )
    room.add_source(mouth)
    room.add_microphone(microphone)
    room.compute_rir()
    heard = np.asarray(room.rir[0][0], np.float64)[: round(1.2 * seconds * SAMPLE_RATE)]
    return heard[int(np.argmax(np.abs(heard))) :]
