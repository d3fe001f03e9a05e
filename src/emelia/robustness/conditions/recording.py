"""Conditions of the recording itself: small changes, level, clipping, microphones."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from emelia.audio import Wave
from emelia.audio.corruption.filters import pass_band, respond
from emelia.audio.corruption.lossy import encodes, through_ffmpeg, through_file
from emelia.audio.corruption.mixing import add_at_snr, amplify, clip_peaks, power
from emelia.config import SAMPLE_RATE
from emelia.results.stress import Wanted
from emelia.robustness.conditions.condition import Around, Change, Condition, alone, mixed
from emelia.robustness.sounds import tone, traffic, white

_SMALL = Wanted(unchanged=0.95)
_PLACED = Wanted(unchanged=0.8)
_TILTED = Wanted(unchanged=0.8, lost=0.02)
_OCTAVES = np.array([0, 62.5, 125, 250, 500, 1000, 2000, 4000, 8000])  # Hz
_FULL_SCALE = 2**15  # of 16 bits
_PEAK = 0.7  # at which codecs are given a recording
_APART = 20  # samples between two microphones: 43 cm


def small() -> Iterator[Condition]:
    """Changes that nobody hears or minds."""
    for name, change in (*_ends(), *_filtered(), *_disturbed(), *_coded()):
        yield Condition("small", name, change, _SMALL)
    yield Condition("small", "room noise 0.5 s around", _room_noise, _SMALL, lengthens=1)


def level() -> Iterator[Condition]:
    """Recordings that are quiet, or grow louder on the way."""
    for gain in (-20, -40, -60):
        yield Condition("level", f"{gain} dB at 16 bit", alone(_quiet, gain), _SMALL)
    for gain in (10, 20, 30):
        yield Condition("level", f"gain rises {gain} dB", alone(_rising, gain))


def clipping() -> Iterator[Condition]:
    """An overdriven amplifier."""
    for share in (0.02, 0.2, 0.4, 0.6):
        name = f"{100 * share:g} % of samples clipped"
        yield Condition("clipping", name, alone(clip_peaks, share))


def microphones() -> Iterator[Condition]:
    """Other frequency responses, and two microphones mixed."""
    for slope in (-6, -3, 3, 6):
        yield Condition("microphones", f"tilt {slope:+} dB/octave", alone(_tilted, slope), _TILTED)
    yield Condition("microphones", f"two mixed {_APART} samples apart", alone(_two), _PLACED)
    yield Condition("microphones", "headset of 150-5000 Hz", alone(pass_band, 150, 5000), _PLACED)


def _ends() -> Iterator[tuple[str, Change]]:
    """Samples more or less at both ends."""
    for size in (100, 500, 1000):
        yield f"{size} zeros in front", alone(np.pad, (size, 0))
        yield f"{size} zeros behind", alone(np.pad, (0, size))
        yield f"{size} samples less in front", alone(_cut, size, 0)
        yield f"{size} samples less behind", alone(_cut, 0, size)


def _filtered() -> Iterator[tuple[str, Change]]:
    for gain in (-2, -1, 1, 2):
        yield f"gain {gain:+} dB", alone(amplify, gain)
    for hertz in (50, 100, 150):
        yield f"high-pass {hertz} Hz", alone(pass_band, hertz, None)
    for hertz in (7500, 7000, 6500):
        yield f"low-pass {hertz} Hz", alone(pass_band, None, hertz)


def _disturbed() -> Iterator[tuple[str, Change]]:
    for db in (35, 40, 45):
        yield f"white noise {db} dB", mixed(white, db)
    for db in (40, 45, 50):
        yield f"tone of 5-7 kHz {db} dB", mixed(tone, db)
    for share in (0.001, 0.002, 0.003):
        yield f"{100 * share:g} % of samples clipped", alone(clip_peaks, share)


def _coded() -> Iterator[tuple[str, Change]]:
    yield "Ogg Vorbis", alone(through_file, SAMPLE_RATE, _PEAK, "OGG", "VORBIS")
    if encodes("libopus"):
        opus = alone(through_ffmpeg, 48_000, _PEAK, "webm", "libopus", 32_000)
        yield "WebM Opus 32 kbit/s", opus
    if encodes("libmp3lame"):
        mp3 = alone(through_ffmpeg, SAMPLE_RATE, _PEAK, "mp3", "libmp3lame", 64_000)
        yield "MP3 64 kbit/s", mp3


def _cut(wave: Wave, front: int, behind: int) -> Wave:
    """Fewer samples at an end, but never fewer than half of a clip."""
    front, behind = min(front, len(wave) // 2), min(behind, len(wave) // 2)
    return wave[front : len(wave) - behind]


def _room_noise(wave: Wave, around: Around) -> Wave:
    """The clip amid the noise of a quiet room, 40 dB below its voice."""
    padded = np.pad(wave, SAMPLE_RATE // 2)
    noise = traffic(len(padded), around.rng)
    snr = 40 - 10 * np.log10(power(wave) / max(1e-12, power(padded)))
    return add_at_snr(padded, noise, float(snr))


def _quiet(wave: Wave, gain_db: float) -> Wave:
    """So quiet that 16 bits round it noticeably."""
    level = amplify(wave / max(1e-9, float(np.abs(wave).max())), gain_db)
    return np.asarray(np.round(level * _FULL_SCALE) / _FULL_SCALE, np.float32)


def _rising(wave: Wave, gain_db: float) -> Wave:
    """So many dB more from beginning to end, evenly in dB."""
    return np.asarray(wave * 10 ** (np.linspace(-gain_db, 0, len(wave)) / 20), np.float32)


def _tilted(wave: Wave, slope: float) -> Wave:
    """So many dB more each octave, around 1 kHz."""
    gains = slope * np.log2(np.maximum(_OCTAVES, _OCTAVES[1]) / 1000)
    return respond(wave, _OCTAVES, gains)


def _two(wave: Wave) -> Wave:
    late = np.pad(wave, (_APART, 0))[: len(wave)]
    return np.asarray((wave + late) / 2, np.float32)
