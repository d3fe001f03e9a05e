"""Slaney's mel scale, linear up to 1 kHz and logarithmic above, and spectrograms for pictures.

Source: M. Slaney, Auditory Toolbox, Interval Research report 1998-010; librosa's default.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emelia.audio.limits import Wave
from emelia.config import SAMPLE_RATE, FeatureConfig
from emelia.errors import MissingExtraError

# 200/3 Hz a mel up to 1 kHz; above it 27 mels for a factor of 6.4.
_LINEAR, _KNEE, _LOG_STEP = 200 / 3, 1000.0, math.log(6.4) / 27
_CACHED = 2**17  # samples of the frames that are transformed together: half a megabyte
_GROUPS = 4  # of bands
AMIN = 1e-10  # power below which librosa's power_to_db does not go


def hz_to_mel(hz: float) -> float:
    """Mel value of a frequency in Hz."""
    if hz < _KNEE:
        return hz / _LINEAR
    return _KNEE / _LINEAR + math.log(hz / _KNEE) / _LOG_STEP


def mel_to_hz(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Frequencies in Hz of mel values (M,), as an array (M,)."""
    knee = _KNEE / _LINEAR
    above = _KNEE * np.exp(_LOG_STEP * (np.maximum(mel, knee) - knee))
    return np.where(mel < knee, mel * _LINEAR, above)


def empty_bands(config: FeatureConfig) -> int:
    """How many mel bands hold no frequency of the Fourier transform, and are always silent."""
    if config.kind == "wave" or config.fmax <= config.fmin:
        return 0
    mels = np.linspace(hz_to_mel(config.fmin), hz_to_mel(config.fmax), config.mels + 2)
    edges = mel_to_hz(mels)
    frequencies = np.arange(config.n_fft // 2 + 1) * SAMPLE_RATE / config.n_fft
    # A band is a triangle from one edge to the next but one; its ends weigh nothing.
    first = np.searchsorted(frequencies, edges[:-2], side="right")
    return int((first >= np.searchsorted(frequencies, edges[2:], side="left")).sum())


def mel_filters(config: FeatureConfig) -> NDArray[np.float32]:
    """Triangular filters (mels, n_fft / 2 + 1), each of unit area, on Slaney's mel scale.

    Rounded to float32 before and after the scaling, as librosa does, so that both agree
    to 1e-6 dB in float64. Source: M. Slaney, Auditory Toolbox, Interval Research report
    1998-010; librosa's default.
    """
    low, high = hz_to_mel(config.fmin), hz_to_mel(config.fmax)
    edges = mel_to_hz(np.linspace(low, high, config.mels + 2))  # (mels + 2,)
    bins = np.fft.rfftfreq(config.n_fft, 1 / SAMPLE_RATE)
    rise = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    fall = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    triangles = np.maximum(0, np.minimum(rise, fall)).astype(np.float32)
    triangles *= (2 / (edges[2:] - edges[:-2]))[:, None]
    return triangles


class MelBands:
    """Sound to mel bands, some frames at a time, which stay in the processor's cache.

    The Fourier transform is scipy's, in single precision. Bands are multiplied in a few groups,
    each with the frequencies alone that it weighs.

    Attributes:
        filters: of `mel_filters`, (M, n_fft / 2 + 1).
    """

    def __init__(self, config: FeatureConfig) -> None:
        self.config, self.filters = config, mel_filters(config)
        self._at_once = max(1, _CACHED // config.n_fft)
        before = (config.n_fft - config.window) // 2
        taper = np.hanning(config.window + 1)[:-1]
        after = config.n_fft - config.window - before
        self._taper = np.pad(taper, (before, after)).astype(np.float32)
        self._groups = [
            (slice(rows[0], rows[-1] + 1), used, np.ascontiguousarray(self.filters[rows, used].T))
            for rows in np.array_split(np.arange(config.mels), _GROUPS)
            if (used := _extent(self.filters[rows].any(axis=0)))
        ]

    def __call__(self, wave: Wave, root: bool = False) -> NDArray[np.float32]:
        """Power in each band of centred frames, or magnitude for `root`: (T,) -> (M, F).

        Raises:
            MissingExtraError: scipy is not installed.
        """
        c = self.config
        padded = np.pad(wave, c.n_fft // 2)
        frames = np.lib.stride_tricks.sliding_window_view(padded, c.n_fft)[:: c.hop]
        bands = np.zeros((len(frames), c.mels), np.float32)
        # Large arrays come from the system anew each time, which takes as long as the sums.
        tapered = np.empty((self._at_once, c.n_fft), np.float32)
        powers = np.empty((self._at_once, c.n_fft // 2 + 1), np.float32)
        for start in range(0, len(frames), self._at_once):
            some = frames[start : start + self._at_once]
            squares = _fft(np.multiply(some, self._taper, out=tapered[: len(some)])).view(
                np.float32
            )
            np.square(squares, out=squares)
            power = np.add(squares[:, ::2], squares[:, 1::2], out=powers[: len(some)])
            if root:
                np.sqrt(power, out=power)
            for rows, used, weights in self._groups:
                np.matmul(power[:, used], weights, out=bands[start : start + len(some), rows])
        return np.ascontiguousarray(bands.T)


def _extent(those: Any) -> slice | None:
    """From the first to the last of those that are true; None where none is."""
    places = np.flatnonzero(those)
    return slice(places[0], places[-1] + 1) if places.size else None


def _fft(frames: NDArray[np.float32]) -> NDArray[np.complex64]:
    """The spectra of frames (N, n_fft), which numpy takes several times as long for."""
    try:
        from scipy import fft
    except ImportError:
        raise MissingExtraError("a mel spectrogram", "scipy", "train") from None
    spectra: NDArray[np.complex64] = fft.rfft(frames, axis=1, overwrite_x=True)
    return spectra


def log_mel(speech: Wave, config: FeatureConfig) -> NDArray[np.float32]:
    """The mel spectrogram of 16 kHz speech (mels, F), in dB relative to its maximum.

    Raises:
        MissingExtraError: scipy is not installed.
    """
    decibels = 10 * np.log10(np.maximum(MelBands(config)(speech), AMIN))
    decibels -= decibels.max()
    found: NDArray[np.float32] = np.maximum(decibels, -config.top_db)
    return found
