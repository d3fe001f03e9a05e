"""Decode recordings of any length in constant memory: mono float32 at 16 kHz, block by block.

Formats, limits and errors are those of `decode`.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soxr

from emelia.audio.channels import MIX
from emelia.audio.decoding import opened, read_blocks, unreadable
from emelia.audio.heard import Heard
from emelia.audio.limits import Wave, check_shape
from emelia.config import SAMPLE_RATE

_FIRST = 0.001  # share of a file; what is read before is mostly header and tells no length


class Resampler:
    """Resamples sound that comes in blocks to 16 kHz.

    All blocks together equal `resample` of the whole, ceil(T * 16000 / rate) samples, up to
    rounding; the output lags a few milliseconds behind.

    Raises:
        AudioError: `rate` (Hz) is one that no recording of speech has.
    """

    def __init__(self, rate: int) -> None:
        check_shape(rate, 1, "sound")
        self._rate = rate
        self._soxr = soxr.ResampleStream(rate, SAMPLE_RATE, 1, dtype="float32", quality="HQ")
        self._taken = self._given = 0

    def feed(self, wave: Wave) -> Wave:
        """Take the next samples (T,) and return the samples at 16 kHz that are ready."""
        return wave if self._rate == SAMPLE_RATE else self._convert(wave)

    def flush(self) -> Wave:
        """Return the remaining samples at the end of the sound."""
        if self._rate == SAMPLE_RATE:
            return np.zeros(0, np.float32)
        rest = self._convert(np.zeros(0, np.float32), last=True)
        missing = math.ceil(self._taken * (SAMPLE_RATE / self._rate)) - self._given
        return np.pad(rest, (0, missing)) if missing > 0 else rest[: len(rest) + missing]

    def _convert(self, wave: Wave, last: bool = False) -> Wave:
        made: Wave = self._soxr.resample_chunk(wave.astype(np.float32, copy=False), last=last)
        self._taken += len(wave)
        self._given += len(made)
        return made


class Stream:
    """The blocks (T,) of a recording at 16 kHz; can be iterated once.

    Attributes:
        seconds: of sound yielded so far.
        heard: what is to be told of it; complete at the end.
    """

    def __init__(
        self, file: BinaryIO, name: str, max_seconds: float, channel: str, upload: bool
    ) -> None:
        self._file, self._name, self._max_seconds = file, name, max_seconds
        self._channel, self._upload = channel, upload
        self.heard = Heard()
        self._size = file.seek(0, os.SEEK_END)
        self.seconds = 0.0
        file.seek(0)

    @property
    def expected(self) -> float:
        """Estimated seconds in all, by the share of the file that was read; 0 where unknown."""
        share = self._file.tell() / max(1, self._size)
        return self.seconds / min(1.0, share) if share > _FIRST else 0.0

    def __iter__(self) -> Iterator[Wave]:
        resampler = None
        try:
            blocks = read_blocks(
                self._file, self._name, self._max_seconds,
                channel=self._channel, heard=self.heard, upload=self._upload,
            )  # fmt: skip
            for block, rate in blocks:
                resampler = resampler or Resampler(rate)
                yield self._counted(resampler.feed(block))
        except OSError as error:
            raise unreadable(self._name, error) from None
        if resampler:
            yield self._counted(resampler.flush())

    def _counted(self, block: Wave) -> Wave:
        self.seconds += len(block) / SAMPLE_RATE
        return block


@contextmanager
def stream(
    source: str | Path | BinaryIO,
    *,
    max_seconds: float,
    channel: str = MIX,
    upload: bool = False,
) -> Iterator[Stream]:
    """Open a recording to read it block by block.

    Args:
        source: a path, or a file that is open for reading.
        max_seconds: the longest recording that is taken.
        channel: see `decode`.
        upload: take only the formats that are taken of uploads.

    Raises:
        AudioError, MissingExtraError: see `decode`; damage and excess length are found only
            when reading has reached them.
    """
    with opened(source) as (file, name):
        yield Stream(file, name, max_seconds, channel, upload)
