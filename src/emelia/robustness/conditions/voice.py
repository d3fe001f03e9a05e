"""Conditions of how much is said when: pauses, silence around, and length."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from emelia.audio import Wave
from emelia.audio.corruption.mixing import power
from emelia.config import SAMPLE_RATE
from emelia.results.stress import Wanted
from emelia.robustness.conditions.condition import Around, Condition, alone
from emelia.robustness.sounds import white

_SAME = Wanted(unchanged=0.95)
_FAINT = -50  # dB below the voice
_GAP = 0.2  # s between clips that are joined


def pauses() -> Iterator[Condition]:
    """Silence and faint noise beside the voice, which say nothing of it."""
    for seconds in (1, 17):
        change = alone(np.pad, (0, seconds * SAMPLE_RATE))
        yield Condition("pauses", f"{seconds} s of zeros behind", change, _SAME, 0, seconds)
    yield Condition("pauses", "7 s of faint noise behind", _noise_behind, _SAME, 0, 7)
    yield Condition("pauses", "1 s of zeros in the middle", alone(_pause), _SAME, 0, 1)
    yield Condition("pauses", "2 s of zeros around", alone(np.pad, 2 * SAMPLE_RATE), _SAME, 0, 4)


def length() -> Iterator[Condition]:
    """Less of a clip, and clips of one speaker and emotion joined."""
    for seconds in (0.5, 1, 2):
        yield Condition("length", f"first {seconds:g} s", alone(_first, seconds))
    for seconds in (10, 30, 60):
        wanted = Wanted(accurate=seconds > 10)
        yield Condition("length", f"joined to {seconds} s", alone(np.asarray), wanted, seconds)


def joined(waves: Iterator[Wave], seconds: float) -> Wave:
    """Clips one after the other, with short pauses, until they last so long."""
    parts: list[Wave] = []
    gap = np.zeros(round(_GAP * SAMPLE_RATE), np.float32)
    size = 0
    for wave in waves:
        level = wave / max(1e-9, float(np.abs(wave).max()))  # recorded at different levels
        parts += [level, gap]
        size += len(level) + len(gap)
        if size >= seconds * SAMPLE_RATE:
            break
    return np.concatenate(parts)


def _first(wave: Wave, seconds: float) -> Wave:
    return wave[: round(seconds * SAMPLE_RATE)]


def _noise_behind(wave: Wave, around: Around) -> Wave:
    faint = white(7 * SAMPLE_RATE, around.rng)
    faint *= np.sqrt(power(wave) * 10 ** (_FAINT / 10))
    return np.concatenate([wave, faint])


def _pause(wave: Wave) -> Wave:
    """At the quietest tenth of a second of the middle third, where speakers pause."""
    size = SAMPLE_RATE // 10
    third = len(wave) // 3
    starts = range(third, max(third + 1, 2 * third - size), size)
    quietest = min(starts, key=lambda start: power(wave[start : start + size]))
    place = quietest + min(size, len(wave) - quietest) // 2
    return np.concatenate([wave[:place], np.zeros(SAMPLE_RATE, np.float32), wave[place:]])
