"""Slaney's mel scale, linear up to 1 kHz and logarithmic above, and spectrograms for pictures.

Source: M. Slaney, Auditory Toolbox, Interval Research report 1998-010; librosa's default.
"""

from __future__ import annotations

import math
import warnings

import numpy as np
from numpy.typing import NDArray

from emelia.audio.library import librosa
from emelia.audio.limits import Wave
from emelia.config import SAMPLE_RATE, FeatureConfig

# 200/3 Hz a mel up to 1 kHz; above it 27 mels for a factor of 6.4.
_LINEAR, _KNEE, _LOG_STEP = 200 / 3, 1000.0, math.log(6.4) / 27


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


def log_mel(speech: Wave, config: FeatureConfig) -> NDArray[np.float32]:
    """The mel spectrogram of 16 kHz speech (mels, F), in dB relative to its maximum.

    Computed by librosa, so that pictures do not need torch.

    Raises:
        MissingExtraError: librosa is not installed.
    """
    library = librosa("a mel spectrogram")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "n_fft", UserWarning)  # for a clip shorter than a window
        powers = library.feature.melspectrogram(
            y=speech, sr=SAMPLE_RATE, n_fft=config.n_fft, win_length=config.window,
            hop_length=config.hop, n_mels=config.mels, fmin=config.fmin, fmax=config.fmax,
        )  # fmt: skip
    decibels = library.power_to_db(powers, ref=np.max, top_db=config.top_db)
    return np.asarray(decibels, dtype=np.float32)
