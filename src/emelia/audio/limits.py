"""Limits for all decoders, whatever the header of a file says: rate, channels, length."""

from __future__ import annotations

import shlex
from pathlib import PurePath

import numpy as np
from numpy.typing import NDArray

from emelia.errors import AudioError, FormatError, TooLongError

Wave = NDArray[np.float32]  # (T,)

# The kinds that people have most; docs/formats.md lists all.
ACCEPTED = "WAV, FLAC, Ogg, MP3, AIFF, M4A, WebM, AMR and others"
UPLOADS = "WAV (PCM, float or G.711), FLAC, Ogg (Vorbis or Opus), MP3, M4A and WebM"
_RATES = (1_000, 384_000)  # Hz
MOST_CHANNELS = 32


def unknown_format(name: str, what: str, upload: bool = False) -> FormatError:
    """The error for a container or codec that is not decoded, or not where it is an upload."""
    told = f"is not taken as an upload; expected {UPLOADS}"
    if not upload:
        told = f"is not read; expected {ACCEPTED}"
    return FormatError(f"{name}: {what} {told}. Convert it: `{conversion(name)}`")


def no_recording(name: str, what: str) -> FormatError:
    """The error for a file that no program would take for a recording."""
    return FormatError(f"{name}: {what}; expected {ACCEPTED}.")


def conversion(name: str) -> str:
    """The command that makes a WAV file of any recording."""
    path = "recording" if name in ("upload", "") else name
    new = PurePath(path).with_suffix(".wav")
    if str(new) == path:  # it would be read and written at once
        new = new.with_name(f"{new.stem}-pcm.wav")
    return f"ffmpeg -i {shlex.quote(path)} {shlex.quote(str(new))}"


def check_shape(rate: int, channels: int, name: str) -> None:
    """Raise AudioError for a rate (Hz) or a number of channels that no recording of speech has."""
    low, high = _RATES
    if not low <= rate <= high:
        raise AudioError(f"{name}: {rate} Hz; expected a rate of {low} to {high} Hz.")
    if not 1 <= channels <= MOST_CHANNELS:
        raise AudioError(f"{name}: {channels} channels; expected 1 to {MOST_CHANNELS}.")


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
