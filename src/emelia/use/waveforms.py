"""Reads a recording from what Python programs hand on: a path, bytes, or samples with their rate.

The result is a waveform: float32 (T,), mono, full scale at 1.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from emelia.audio import Wave, decode
from emelia.audio.channels import MIX, Mixer
from emelia.audio.heard import Heard
from emelia.audio.limits import check_length, check_shape
from emelia.audio.stores.objects import is_remote
from emelia.errors import AudioError, ConfigError, TooLongError
from emelia.storage import expanded

LONGEST = 300.0  # s of one recording that gets one answer
_FULL_SCALE = {"int16": 2.0**15, "int32": 2.0**31}
_MOST_CHANNELS = 32
_EXPECTED = (
    "expected a path, the bytes of a file, samples with rate=, (samples, rate), or a dict with "
    "array and sampling_rate or with bytes or path"
)

# A path, bytes, an open file, samples, a pair of samples and rate, or a dict of Hugging Face.
Source = str | Path | bytes | NDArray[Any] | Any


def read(
    source: Source,
    rate: int | None = None,
    *,
    channel: str = MIX,
    heard: Heard | None = None,
    longest: float | None = None,
) -> tuple[Wave, int]:
    """The waveform of a source at its own rate, and that rate in Hz.

    Raises:
        AudioError: it cannot be decoded or used, or lasts longer than `longest`, of `LONGEST` s
            where it is None.
        ConfigError: samples without a rate, or a rate without samples.
    """
    found, rate = plain(source, rate)
    longest = LONGEST if longest is None else longest
    try:
        if isinstance(found, np.ndarray):
            return _from_array(found, rate, channel, heard or Heard(), longest)
        return decode(found, max_seconds=longest, channel=channel, heard=heard)
    except TooLongError as error:
        more = "Or follow it over time: --timeline, Recognizer.timeline."
        raise TooLongError(f"{error} {more}") from None


def one_rate(rate: int | None, sr: int | None) -> int | None:
    """The rate of samples, which may be given by either name.

    Raises:
        ConfigError: both are given, and differ.
    """
    if rate is not None and sr is not None and rate != sr:
        raise ConfigError(f"rate={rate} and sr={sr}: give one of them.")
    return sr if rate is None else rate


def plain(
    source: Source, rate: int | None = None
) -> tuple[str | Path | bytes | BinaryIO | NDArray[Any], int | None]:
    """A source as a path, an address, bytes, an open file or samples; and the rate of samples.

    Raises:
        AudioError: it is nothing of that kind.
        ConfigError: samples without a rate, or a rate without samples.
    """
    source, rate = _unpacked(source, rate)
    found = _file(source)
    if found is not None and rate is not None:
        raise ConfigError(f"rate={rate}: a recording knows its own rate; leave it out.")
    if found is not None:
        return found, None
    samples = _samples(source)
    if rate is None:
        raise ConfigError("samples without a rate; give it in Hz, as in rate=16000.")
    return samples, _hertz(rate)


def _unpacked(source: Any, rate: Any) -> tuple[Any, Any]:
    """What a dict, a pair or a decoder of `datasets` holds, and its rate."""
    if isinstance(source, Mapping):
        return _from_dict(source)
    if isinstance(source, tuple) and len(source) == 2 and rate is None:
        first, second = source
        if _is_number(first) != _is_number(second):
            return (second, first) if _is_number(first) else (first, second)
    if hasattr(source, "get_all_samples"):  # an AudioDecoder of torchcodec, which `datasets` gives
        samples = source.get_all_samples()
        return samples.data, samples.sample_rate
    return source, rate


def _from_dict(source: Mapping[Any, Any]) -> tuple[Any, Any]:
    for key in ("array", "raw"):
        if source.get(key) is not None:
            return source[key], source.get("sampling_rate")
    for key in ("bytes", "path"):
        if source.get(key) is not None:
            return source[key], None
    keys = ", ".join(map(str, source)) or "none"
    raise AudioError(f"dict with the keys {keys[:80]}: {_EXPECTED}.")


def _file(source: Any) -> str | Path | bytes | BinaryIO | None:
    """A path, the address of an object, bytes or an open file; None for other things."""
    if is_remote(source):
        return source
    if isinstance(source, str | Path):
        return expanded(source)
    if isinstance(source, bytes):
        return source
    if isinstance(source, bytearray | memoryview):
        return bytes(source)
    if hasattr(source, "read") and hasattr(source, "seek"):
        if hasattr(source, "encoding"):
            raise AudioError("a file opened as text: open it with the mode 'rb'.")
        return cast("BinaryIO", source)
    return None


def _samples(source: Any) -> NDArray[Any]:
    """Samples of any array-like: a list, a tensor, a series."""
    if isinstance(source, np.ma.MaskedArray) and np.ma.is_masked(source):
        raise AudioError("masked array: some samples are masked; fill them first.")
    if not (isinstance(source, list | tuple) or hasattr(source, "__array__")):
        raise AudioError(f"{_short(source)}: {_EXPECTED}.")
    if hasattr(source, "detach"):  # a tensor that has gradients, or lies on a GPU
        source = source.detach().cpu()
        if getattr(source, "is_floating_point", bool)():  # NumPy has no bfloat16
            source = source.float()
    try:
        return np.asarray(source)
    except Exception as error:  # each kind of array has errors of its own
        told = str(error).partition("\n")[0]
        raise AudioError(f"{_short(source)}: no samples ({told}); {_EXPECTED}.") from None


def _is_number(value: Any) -> bool:
    return np.ndim(value) == 0 if isinstance(value, int | float | np.generic) else False


def _hertz(rate: Any) -> int:
    """A rate as a whole number; 16000.0 is one, text is not."""
    whole = int(rate) if isinstance(rate, float) and rate.is_integer() else rate
    try:
        if isinstance(rate, bool):
            raise TypeError
        return operator.index(whole)
    except TypeError:
        raise ConfigError(f"rate={rate!r}: expected whole Hz, as in rate=16000.") from None


def _short(value: Any) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) < 40 else f"{type(value).__name__}"


def _from_array(
    samples: NDArray[Any], rate: int | None, channel: str, heard: Heard, longest: float
) -> tuple[Wave, int]:
    assert rate is not None  # `plain` has seen to it
    check_shape(rate, 1, "array")
    wave = wave_from_array(samples, rate, channel, heard)
    check_length(wave.size, rate, "array", longest)
    return wave, rate


def wave_from_array(
    samples: NDArray[Any], rate: int, channel: str = MIX, heard: Heard | None = None
) -> Wave:
    """A waveform from samples of int16, int32 or float; of channels see `Mixer`.

    Args:
        samples: (T,), (T, channels) or (channels, T): the shorter side, of 32 at most, is the
            channels.
        rate: Hz.
        channel: `mix`, `left`, `right` or a number from 1.
        heard: takes what is to be told of the channels.

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
    if scaled.ndim == 1:
        scaled = scaled[:, None]
    elif _channels(scaled.shape, name) == 0:
        scaled = scaled.T
    mixer = Mixer(channel, name, heard or Heard())
    with np.errstate(over="ignore", invalid="ignore"):  # what float32 cannot hold is told of below
        wave = mixer(scaled, rate)
    mixer.finish()
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
