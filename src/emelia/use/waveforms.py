"""Reads a recording from a path, from the bytes of a file, or from samples with their rate.

The result is a waveform: float32 (T,), mono, full scale at 1.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emelia.audio import Wave, decode
from emelia.audio.limits import check_length, check_shape
from emelia.errors import AudioError, ConfigError, TooLongError

LONGEST = 300.0  # s of one recording that gets one answer
_FULL_SCALE = {"int16": 2.0**15, "int32": 2.0**31}
_MOST_CHANNELS = 32

Source = str | Path | bytes | NDArray[Any]


def read(source: Source, rate: int | None = None) -> tuple[Wave, int]:
    """The waveform of a source at its own rate, and that rate in Hz.

    Raises:
        AudioError: it cannot be decoded or used, or lasts longer than `LONGEST`.
        ConfigError: samples without a rate, or a rate without samples.
    """
    try:
        if isinstance(source, np.ndarray):
            return _from_array(source, rate)
        if rate is not None:
            raise ConfigError(f"rate={rate}: a recording knows its own rate; leave it out.")
        return decode(source, max_seconds=LONGEST)
    except TooLongError as error:
        more = "Or follow it over time: --timeline, Recognizer.timeline."
        raise TooLongError(f"{error} {more}") from None


def _from_array(samples: NDArray[Any], rate: int | None) -> tuple[Wave, int]:
    if rate is None:
        raise ConfigError("samples without a rate; give it in Hz, as in rate=16000.")
    wave = wave_from_array(samples)
    check_shape(rate, 1, "array")
    check_length(wave.size, rate, "array", LONGEST)
    return wave, rate


def wave_from_array(samples: NDArray[Any]) -> Wave:
    """A waveform from samples of int16, int32 or float; channels are averaged.

    Args:
        samples: (T,), (T, channels) or (channels, T): the shorter side, of 32 at most, is the
            channels.

    Raises:
        AudioError: another kind or shape, no samples, or some that are not numbers.
    """
    name = f"array of {samples.dtype}, shape {samples.shape}"
    if samples.dtype.kind != "f" and samples.dtype.name not in _FULL_SCALE:
        raise AudioError(f"{name}: expected samples as int16, int32 or float.")
    if samples.ndim not in (1, 2):
        raise AudioError(f"{name}: expected (T,), (T, channels) or (channels, T).")
    if not samples.size:
        raise AudioError(f"{name}: holds no samples; expected a recording.")
    scaled = samples / _FULL_SCALE.get(samples.dtype.name, 1.0)
    if scaled.ndim == 2:
        scaled = scaled.mean(axis=_channels(scaled.shape, name))
    with np.errstate(over="ignore"):  # what float32 cannot hold is told of below
        wave = scaled.astype(np.float32, copy=False)
    if not np.isfinite(wave).all():
        raise AudioError(f"{name}: has samples that are not numbers (NaN or infinite).")
    return wave


def _channels(shape: tuple[int, ...], name: str) -> int:
    """Which of two dimensions holds the channels."""
    if min(shape) > _MOST_CHANNELS or shape[0] == shape[1]:
        raise AudioError(
            f"{name}: which dimension is time? Expected (T, channels) or (channels, T) "
            f"with at most {_MOST_CHANNELS} channels and more samples than channels."
        )
    return int(np.argmin(shape))
