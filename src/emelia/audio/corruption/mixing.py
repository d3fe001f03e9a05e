"""Levels of waveforms, and one mixed with another at a signal-to-noise ratio."""

from __future__ import annotations

import numpy as np

from emelia.audio.limits import Wave

_SILENCE = 1e-12  # power of what is too quiet to be set in proportion


def power(wave: Wave) -> float:
    """Mean square of a waveform."""
    return float(np.mean(np.square(wave, dtype=np.float64)))


def add_at_snr(wave: Wave, noise: Wave, snr_db: float) -> Wave:
    """Add noise (T,) whose power lies `snr_db` below that of the waveform (T,)."""
    gain = np.sqrt(power(wave) / max(_SILENCE, power(noise)) * 10 ** (-snr_db / 10))
    return np.asarray(wave + gain * noise, np.float32)


def clip_peaks(wave: Wave, share: float) -> Wave:
    """Cut off the peaks of a share of the samples."""
    most = np.quantile(np.abs(wave), 1 - share)
    return np.asarray(np.clip(wave, -most, most), np.float32)


def amplify(wave: Wave, gain_db: float) -> Wave:
    """Change the level; what goes beyond full scale is kept."""
    return np.asarray(wave * 10 ** (gain_db / 20), np.float32)
