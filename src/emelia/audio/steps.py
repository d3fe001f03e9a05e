"""Steps that clean a waveform, each a function without side effects.

A waveform is float32 (T,), mono, full scale at 1; a rate is in Hz. Every step returns a new
waveform and does not change its input.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import soxr
from numpy.typing import NDArray

from emelia.audio.decoding import decode
from emelia.audio.limits import Wave
from emelia.audio.speech.speech_runs import joined, speech_runs
from emelia.config import SAMPLE_RATE, AudioConfig
from emelia.errors import AudioError, ConfigError, MissingExtraError

_NOISE_SHARE = 0.1  # of the frames, the quietest, that count as noise
_NOISE_SECONDS = 0.25  # of noise, at least
_SEED_FRAME = 1024  # samples, noisereduce's default
_DIGITAL_SILENCE = 1e-8  # of the loudest frame's power: -80 dB, where the gate's range ends
_TINY = float(np.finfo(np.float32).tiny)  # dividing by a smaller peak would overflow
_LOUDNESS_BLOCK = 0.4  # s, the gating block of BS.1770


def resample(wave: Wave, rate: int, to: int = SAMPLE_RATE) -> Wave:
    """Resample with soxr HQ to ceil(T * to / rate) samples, as librosa does."""
    if rate == to:
        return wave.copy()
    length = math.ceil(wave.size * (to / rate))
    out = np.zeros(length, np.float32)
    made = soxr.resample(wave, rate, to, quality="HQ")[:length]  # may differ by one sample
    out[: made.size] = made
    return out


def remove_dc(wave: Wave) -> Wave:
    """Subtract the mean (DC offset)."""
    return np.asarray(wave - wave.mean(dtype=np.float64), dtype=np.float32)


def normalise_peak(wave: Wave) -> Wave:
    """Scale so that the largest absolute sample is 1; silence stays silence."""
    peak = float(np.abs(wave).max(initial=0.0))
    return np.divide(wave, peak if peak >= _TINY else 1.0, dtype=np.float32)


def normalise_loudness(wave: Wave, rate: int, lufs: float = -23.0) -> Wave:
    """Scale to an integrated loudness (ITU-R BS.1770-4) of `lufs`, or less to keep peaks <= 1.

    Loudness is measured at peak 1, since the absolute gate of -70 LUFS would take a very quiet
    recording for silence. A clip shorter than the standard's block of 0.4 s is padded with zeros
    for measuring, and the value corrected for them. Silence stays silence.

    Raises:
        MissingExtraError: pyloudnorm is not installed.
    """
    try:
        from pyloudnorm import Meter
    except ImportError:
        raise MissingExtraError("loudness normalisation", "pyloudnorm", "train") from None
    level = normalise_peak(wave)
    block = math.ceil(_LOUDNESS_BLOCK * rate)
    padded = np.pad(level.astype(np.float64), (0, max(0, block - wave.size)))
    measured = Meter(rate).integrated_loudness(padded)
    if not math.isfinite(measured):
        return level
    measured += 10 * math.log10(padded.size / wave.size)
    return level * np.float32(min(1.0, 10 ** ((lufs - measured) / 20)))


def noise_profile(wave: Wave, rate: int) -> Wave:
    """Cut out the background noise: the quietest tenth of all 32 ms frames, at least 0.25 s.

    Frames of digital silence do not count. Stretches are joined by crossfades of 8 ms, since a
    click would count as noise in every band. The result is empty where the clip has fewer than
    twice the frames needed: then pauses cannot be told from speech.
    """
    size = max(4, round(0.032 * rate))
    fade = size // 4
    frames = wave[: wave.size // size * size].reshape(-1, size)
    power = frames.var(axis=1, dtype=np.float64)
    heard = np.flatnonzero(power > _DIGITAL_SILENCE * power.max(initial=0.0))
    shortest = math.ceil(_NOISE_SECONDS * rate / (size - fade))
    wanted = max(shortest, math.ceil(_NOISE_SHARE * heard.size))
    if heard.size < 2 * wanted:
        return wave[:0].copy()
    quiet = np.sort(heard[np.argsort(power[heard], kind="stable")[:wanted]])
    runs = np.split(quiet, np.flatnonzero(np.diff(quiet) > 1) + 1)
    return _join([wave[run[0] * size : (run[-1] + 1) * size] for run in runs], fade)


def reduce_noise(wave: Wave, rate: int) -> Wave:
    """Reduce stationary noise: gate each frequency at the level of `noise_profile`.

    It is noisereduce's stationary method with frames of 32 ms every 8 ms. The gate is smoothed
    over 25 ms but hardly over frequency: noisereduce's default of 500 Hz would mix the harmonics
    of a voice with the gaps between them. A clip without noise profile is returned unchanged.

    Raises:
        MissingExtraError: noisereduce is not installed.
    """
    noise = noise_profile(wave, rate)
    if not noise.size:
        return wave.copy()
    n_fft = 2 ** round(math.log2(0.032 * rate))
    cleaned = _noisereduce()(
        wave, rate, stationary=True, y_noise=noise, n_fft=n_fft,
        freq_mask_smooth_hz=2 * rate / n_fft, time_mask_smooth_ms=25,
        chunk_size=1024 * n_fft, padding=4 * n_fft, n_jobs=1, use_tqdm=False,
    )  # fmt: skip
    return np.asarray(cleaned, dtype=np.float32)


def reduce_noise_founding(wave: Wave, rate: int) -> Wave:
    """Reduce noise as the founding study did, for comparison: its first second is the noise.

    The study names its noise profile and its package, noisereduce, which uses a profile only in
    its stationary method; the other settings are noisereduce's defaults. The first second often
    holds speech, which is then reduced, too. A clip shorter than a frame of 1024 samples is
    returned unchanged.
    """
    if wave.size < _SEED_FRAME:
        return wave.copy()
    cleaned = _noisereduce()(wave, rate, stationary=True, y_noise=wave[:rate], n_fft=_SEED_FRAME)
    return np.asarray(cleaned, dtype=np.float32)


def trim_silence(wave: Wave, rate: int, below_db: float) -> Wave:
    """Cut 20 ms frames from both ends that lie `below_db` dB or more under the loudest frame.

    Raises:
        ConfigError: `below_db` is not above 0: the loudest frame itself would be cut.
    """
    if not below_db > 0:
        raise ConfigError(f"trim_db: {below_db:g}; expected decibels below the peak, above 0.")
    size = max(1, round(0.02 * rate))
    # Zeros fill the last frame, which only lowers its power.
    frames = np.pad(wave, (0, -wave.size % size)).reshape(-1, size)
    power = np.square(frames, dtype=np.float64).mean(axis=1)
    loud = np.flatnonzero(power >= power.max(initial=0.0) * 10 ** (-below_db / 10))
    return wave[loud[0] * size : (loud[-1] + 1) * size].copy() if loud.size else wave.copy()


def prepare(wave: Wave, rate: int, config: AudioConfig) -> Wave:
    """Resample to 16 kHz, then keep speech, remove DC, reduce noise, trim and level as configured.

    Where speech is to be kept and none is found, all is.

    Raises:
        AudioError: `wave` is not of shape (T,), is empty, or has NaN or infinite samples.
    """
    if wave.ndim != 1 or not wave.size or not np.isfinite(wave).all():
        raise AudioError(f"array of shape {wave.shape}: expected finite samples of shape (T,).")
    # Resampled first, so that all other steps work at one rate.
    wave = resample(wave.astype(np.float32, copy=False), rate)
    if config.speech and (found := speech_runs(wave)):
        wave = joined(wave, found)
    if config.dc:
        wave = remove_dc(wave)
    if config.denoise == "quiet":
        wave = reduce_noise(wave, SAMPLE_RATE)
    elif config.denoise == "founding":
        wave = reduce_noise_founding(wave, SAMPLE_RATE)
    if config.trim_db:
        wave = trim_silence(wave, SAMPLE_RATE, config.trim_db)
    if config.level == "peak":
        wave = normalise_peak(wave)
    elif config.level == "loudness":
        wave = normalise_loudness(wave, SAMPLE_RATE)
    return wave


def preprocess_audio(path: str | Path) -> tuple[Wave, int]:
    """Decode, resample to 16 kHz, subtract the mean, bring the peak to 1.

    Returns:
        The waveform (T,) and 16000.

    Raises:
        AudioError: see `decode`.
    """
    wave, rate = decode(path)
    return prepare(wave, rate, AudioConfig()), SAMPLE_RATE


def _noisereduce() -> Callable[..., NDArray[np.floating]]:
    try:
        from noisereduce import reduce_noise
    except ImportError:
        raise MissingExtraError("noise reduction", "noisereduce", "train") from None
    return cast("Callable[..., NDArray[np.floating]]", reduce_noise)


def _join(stretches: Sequence[Wave], fade: int) -> Wave:
    """Crossfade stretches over `fade` samples, with sine ramps, which keep the power of noise."""
    ramp = np.sin(np.pi / 2 * (np.arange(fade) + 0.5) / fade)
    joined = np.zeros(sum(s.size for s in stretches) - fade * (len(stretches) - 1))
    start = 0
    for number, stretch in enumerate(stretches):
        piece = stretch.astype(np.float64)
        if number > 0:
            piece[:fade] *= ramp
        if number < len(stretches) - 1:
            piece[-fade:] *= ramp[::-1]
        joined[start : start + piece.size] += piece
        start += piece.size - fade
    return joined.astype(np.float32)
