"""Limits for all decoders, whatever the header of a file says: rate, channels, length."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emelia.errors import AudioError, FormatError, TooLongError

Wave = NDArray[np.float32]  # (T,)

ACCEPTED = "WAV (PCM or float), FLAC, Ogg (Vorbis or Opus), MP3, M4A and WebM"
_RATES = (1_000, 384_000)  # Hz
_CHANNELS = 32


def unknown_format(name: str, what: str) -> FormatError:
    """The error for a container or codec that is not decoded."""
    return FormatError(f"{name}: {what}; expected {ACCEPTED}.")


def check_shape(rate: int, channels: int, name: str) -> None:
    """Raise AudioError for a rate (Hz) or a number of channels that no recording of speech has."""
    low, high = _RATES
    if not low <= rate <= high:
        raise AudioError(f"{name}: {rate} Hz; expected a rate of {low} to {high} Hz.")
    if not 1 <= channels <= _CHANNELS:
        raise AudioError(f"{name}: {channels} channels; expected 1 to {_CHANNELS}.")


def check_length(
    frames: int, rate: int, name: str, max_seconds: float, *, so_far: bool = False
) -> None:
    """Raise TooLongError for a recording of more than `max_seconds`.

    Args:
        frames: length of the recording in samples, or of what was read `so_far`.
        rate: Hz.
        name: of the recording, for the message.
        max_seconds: the limit.
        so_far: the end of the recording is not reached yet.

    Raises:
        TooLongError: `frames` are longer.
    """
    if frames > max_seconds * rate:
        seconds = round(frames / rate, 1)
        known = seconds > max_seconds and not so_far
        lasts = f"{seconds:.1f}" if known else f"more than {max_seconds:g}"
        raise TooLongError(f"{name}: lasts {lasts} s; the limit is {max_seconds:g} s. Cut it.")


def mix(block: NDArray[np.float32], name: str) -> Wave:
    """Average the channels: (T, channels) -> (T,).

    Raises:
        AudioError: a sample is NaN or infinite.
    """
    if not np.isfinite(block).all():  # float formats may hold NaN, which spreads to all features
        raise AudioError(f"{name}: has samples that are not numbers (NaN or infinite).")
    mono = (
        block[:, 0] if block.shape[1] == 1 else block.mean(axis=1)
    )  # ten times as fast as the mean
    return np.asarray(mono, dtype=np.float32)
