"""Measurements of a recording: level, signal-to-noise ratio, pitch, speaking rate, clipping.

A waveform is float32 (T,), full scale at 1; a rate is in Hz. Contours have a frame every 10 ms,
the first at 0 s: F = 1 + T // hop. Powers are variances over 32 ms, so that a DC offset does not
count. Levels in dB are relative to a full-scale square wave.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from emelia.audio.library import librosa
from emelia.audio.limits import Wave

HOP = 0.01  # s
LOWEST, HIGHEST = 60.0, 600.0  # Hz, of a voice's fundamental frequency
_WINDOW = 0.032  # s
_ROUNDING = 1e-20  # the variance of equal samples may come to this by rounding
_SILENCE = 1e-8  # of the loudest frame's power: -80 dB, digital silence
_QUIETEST = 0.1  # share of the frames that count as background
_SOUND = 10**-3.5  # of the loudest frame's power: -35 dB, the level of weak consonants
_ABOVE_FLOOR = 4.0  # times the background's power, 6 dB
_SURELY = 0.16  # of the loudest frame's power: -8 dB, counts whatever the background
_ALIKE = 0.45  # least correlation of neighbouring periods of a voiced frame, as in Praat
_SHORTEST = 5  # frames of a voiced stretch
_BLOCK = 1000  # frames of pitch at once, to bound memory
_SYLLABLE = 10**-2.5  # of the loudest power: -25 dB, below which no syllable is counted
_DIP = 10**0.2  # 2 dB, on either side of a syllable
_RUN = 3  # equal samples at the very top or bottom
_JUMP = 3  # times the smallest step between two samples

Contour = NDArray[np.float64]  # (F,)
Mask = NDArray[np.bool_]  # (F,)


def level(wave: Wave) -> float:
    """RMS level without DC offset, in dB relative to full scale (0 or less); -inf for silence."""
    power = float(np.var(wave, dtype=np.float64)) if wave.size else 0.0
    return 10 * math.log10(power) if power > _ROUNDING else -math.inf


def power(wave: Wave, rate: int, window: float = _WINDOW) -> Contour:
    """Variance of the `window` seconds around each frame (F,); shorter at both ends."""
    hop, half = _hop(rate), max(1, round(window * rate / 2))
    middles = np.arange(0, wave.size + 1, hop)
    first, last = np.maximum(middles - half, 0), np.minimum(middles + half, wave.size)
    samples = np.maximum(last - first, 1)
    sums = np.concatenate([[0.0], np.cumsum(wave, dtype=np.float64)])
    squares = np.concatenate([[0.0], np.cumsum(np.square(wave, dtype=np.float64))])
    mean = (sums[last] - sums[first]) / samples
    variance = (squares[last] - squares[first]) / samples - mean**2
    return np.asarray(np.maximum(variance, 0.0))


def sounding(powers: Contour) -> Mask:
    """Frames with sound (F,): within 35 dB of the loudest and 6 dB above the background.

    Frames within 8 dB of the loudest always count, however strong the background is.
    """
    loudest = powers.max(initial=0.0)
    floor = min(_ABOVE_FLOOR * _background(powers), _SURELY * loudest)
    return np.asarray((powers >= max(_SOUND * loudest, floor)) & (powers > 0))


def snr(powers: Contour) -> float:
    """Signal-to-noise ratio of speech to background in dB, 0 to 80; NaN for silence.

    The background is the quietest tenth of the frames that are not digital silence; speech is
    the power of `sounding` frames above it. The recording needs pauses: without them, or with
    long reverberation, weak speech counts as noise and the ratio is too low.
    """
    heard = sounding(powers)
    if not heard.any():
        return math.nan
    noise = max(_background(powers), _SILENCE * powers.max())
    speech = float(powers[heard].mean()) - noise
    return min(80.0, max(0.0, 10 * math.log10(speech / noise))) if speech > noise else 0.0


def pitch(wave: Wave, rate: int) -> Contour:
    """Fundamental frequency in Hz of each frame (F,); NaN where a frame is not voiced.

    YIN (de Cheveigné and Kawahara, 2002, as in librosa) gives a frequency to every frame. A frame
    counts as voiced where it has sound and two stretches of 32 ms, one period apart, correlate
    by 0.45 or more, for at least 50 ms. Any periodic sound of 60 to 600 Hz counts as a voice.

    Raises:
        MissingExtraError: librosa is not installed.
    """
    heard = sounding(power(wave, rate))
    hop, half = _hop(rate), round(_WINDOW * rate)
    padded = np.pad(wave, (half, half + hop))
    found = np.full(heard.size, np.nan)
    for start in range(0, heard.size, _BLOCK):
        frames = np.arange(start, min(start + _BLOCK, heard.size))
        if heard[frames].any():
            block = padded[frames[0] * hop : frames[-1] * hop + 2 * half]
            found[frames] = _block_pitch(block, rate, hop, half)
    return np.where(_lasting(heard & np.isfinite(found)), found, np.nan)


def speaking_rate(wave: Wave, rate: int, voiced: Mask) -> float:
    """Syllables per second, from the first sound to the last; NaN for silence.

    Counts syllable nuclei as de Jong and Wempe (2009) do: `voiced` (F,) peaks of intensity within
    25 dB of the highest and 2 dB above the dips on either side. Slurred syllables are missed and
    a trembling one may count twice: use it to compare recordings.
    """
    powers = power(wave, rate)
    heard = np.flatnonzero(sounding(powers))
    if not heard.size:
        return math.nan
    # Two windows in a row smooth like Praat's intensity for voices down to 50 Hz.
    contour = _smoothed(power(wave, rate, 0.04), 4)
    peaks = [p for p in _peaks(contour, _DIP) if contour[p] >= _SYLLABLE * contour.max()]
    return float(voiced[peaks].sum() / ((heard[-1] - heard[0] + 1) * HOP))


def clipped(wave: Wave) -> int:
    """Samples in runs of three or more equal ones at the recording's highest or lowest value.

    Clipping before resampling or lossy coding leaves no such runs. A run must begin or end with
    a jump, so that neither silence nor the rounded peaks of a faint hum count.
    """
    steps = np.diff(np.unique(wave))
    jump = _JUMP * float(steps.min(initial=np.inf))
    return sum(_in_runs(wave, extreme, jump) for extreme in {wave.max(), wave.min()})


def _hop(rate: int) -> int:
    return max(1, round(HOP * rate))


def _background(powers: Contour) -> float:
    """Mean power of the quietest tenth of the frames that are not digital silence."""
    heard = np.sort(powers[powers > _SILENCE * powers.max(initial=0.0)])
    return float(heard[: max(1, round(_QUIETEST * heard.size))].mean()) if heard.size else 0.0


def _block_pitch(block: Wave, rate: int, hop: int, half: int) -> Contour:
    """Frequency in Hz of each frame of 2 x `half` samples; NaN where its periods differ."""
    found = librosa("measuring pitch").yin(
        block, fmin=LOWEST, fmax=HIGHEST, sr=rate, frame_length=2 * half, hop_length=hop,
        center=False,
    )  # fmt: skip
    periods = np.round(rate / found).astype(int)
    starts = np.arange(found.size) * hop + (half - periods) // 2
    inside = np.arange(half)
    one = block[starts[:, None] + inside].astype(np.float64)
    other = block[(starts + periods)[:, None] + inside].astype(np.float64)
    one -= one.mean(axis=1, keepdims=True)
    other -= other.mean(axis=1, keepdims=True)
    energy = np.sqrt((one**2).sum(axis=1) * (other**2).sum(axis=1))
    alike = (one * other).sum(axis=1) >= _ALIKE * np.maximum(energy, np.finfo(float).tiny)
    return np.where(alike, found, np.nan)


def _lasting(mask: Mask) -> Mask:
    """The mask without runs that are too short for a voice."""
    kept = np.zeros_like(mask)
    for start, end in zip(*_runs(mask), strict=True):
        kept[start:end] = end - start >= _SHORTEST
    return kept


def _smoothed(contour: Contour, frames: int) -> Contour:
    return np.convolve(contour, np.full(frames, 1 / frames), mode="same")


def _peaks(contour: Contour, ratio: float) -> list[int]:
    """Frames of the maxima that are at least `ratio` times the minimum before the next one."""
    found: list[int] = []
    rising, best, high, low = True, 0, 0.0, 0.0
    for frame, value in enumerate([*contour, 0.0]):
        if rising and value > high:
            best, high = frame, value
        elif rising and value * ratio <= high:
            found.append(best)
            rising, low = False, value
        elif not rising:
            low = min(low, value)
            if value > low * ratio:
                rising, best, high = True, frame, value
    return found


def _in_runs(wave: Wave, value: float, jump: float) -> int:
    """Count the samples in runs of a value, at least one end of which is a jump of `jump`."""
    starts, ends = _runs(wave == value)
    beside = np.pad(wave, 1, mode="edge")
    steep = np.maximum(abs(beside[starts] - value), abs(beside[ends + 1] - value)) >= jump
    lengths = ends - starts
    return int(lengths[steep & (lengths >= _RUN)].sum())


def _runs(mask: Mask) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """First index, and index after the last, of each run of true (two arrays)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask, [0]])))
    return edges[::2], edges[1::2]
