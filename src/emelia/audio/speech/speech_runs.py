"""The runs of speech in a recording, from their first sound to their last.

Pauses of up to 0.75 s belong to a run, and bursts of less than 0.25 s do not count where there is
more. A waveform is float32 (T,) at 16 kHz.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from emelia.audio.limits import Wave
from emelia.audio.speech.detector import FRAME, has_speech, sounding, speech_probabilities
from emelia.config import SAMPLE_RATE

PAUSE = round(0.75 * SAMPLE_RATE)  # samples without speech that end a run
SHORTEST = round(0.25 * SAMPLE_RATE)  # samples of speech in a run
# Probabilities of speech in a frame: one that makes a run, and that of all that belong to it.
_CERTAIN, _MAYBE = 0.5, 0.35
_BEFORE, _AFTER = 2560, 1600  # samples kept around it: the detector is late, more at the beginning
_GRAIN = 320  # samples, 20 ms: over which power is measured where speech begins and ends
_FLOOR = 3e-4  # of the loudest grain's power: -35 dB
_LEVEL = 0.5  # the peak at which speech is looked for
_FAINT = 1e-4  # -80 dB of full scale: a few steps of 16 bits


class Run(NamedTuple):
    """A run of speech from `start` to `end`, in samples of the recording."""

    start: int
    end: int


def speech_runs(wave: Wave) -> list[Run]:
    """The runs of speech in a waveform, in order, at whatever level and offset it is."""
    return [Run(start, end) for start, end in runs(_at_usual_level(wave))]


def joined(wave: Wave, found: Sequence[Run]) -> Wave:
    """The runs of a waveform, one after the other; empty where there are none."""
    return np.concatenate([wave[:0], *(wave[run.start : run.end] for run in found)])


def _at_usual_level(wave: Wave) -> Wave:
    """A copy without DC offset and with a peak of 0.5, so that level does not change its runs.

    What is too faint to be a recording is left as it is.
    """
    copy = wave - wave.mean(dtype=np.float64).astype(np.float32) if wave.size else wave
    peak = max(0.0, float(copy.max(initial=0.0)), -float(copy.min(initial=0.0)))
    if peak <= _FAINT:
        return wave
    # The detector depends a little on the level; a louder copy is to have the same runs.
    copy *= np.float32(_LEVEL / peak)
    return copy


def runs(wave: Wave) -> list[tuple[int, int]]:
    """Begin and end of each run of speech in a waveform at 16 kHz, in samples, in order.

    The detector hears all of it, as live sound could not be: so what stands before or after
    speech does not decide where it begins and ends. Pauses of up to 0.75 s belong to a run, and
    what is shorter than 0.25 s is none where there are longer ones. Where the detector is sure
    of no frame, as in a shout, but somebody speaks, it is all that is louder than the noise.
    """
    found = _stretches(speech_probabilities(wave)) if len(wave) else []
    if not found and has_speech(wave):
        found = [sounding(wave)]
    longer = [(start, end) for start, end in found if end - start >= SHORTEST]
    return [
        _sharpened(wave, max(0, start - _BEFORE), min(len(wave), end + _AFTER))
        for start, end in longer or found
    ]


def _stretches(probabilities: NDArray[np.float32]) -> list[tuple[int, int]]:
    """Frames (N,) that may be speech, joined over pauses, where some are speech for certain."""
    maybe = np.flatnonzero(probabilities >= _MAYBE)
    breaks = np.flatnonzero(np.diff(maybe) * FRAME > PAUSE) + 1
    return [
        (int(own[0]) * FRAME, (int(own[-1]) + 1) * FRAME)
        for own in np.split(maybe, breaks)
        if own.size and probabilities[own].max() >= _CERTAIN
    ]


def _sharpened(wave: Wave, start: int, end: int) -> tuple[int, int]:
    """The samples where sound begins and ends in a run of speech.

    The detector's frames lie otherwise in a copy with another pause in front. A sound does not,
    so that with any pause the same samples are heard.
    """
    if end - start <= _GRAIN:
        return start, end
    power = np.cumsum(np.square(wave[start:end], dtype=np.float64))
    power = power[_GRAIN:] - power[:-_GRAIN]
    loud = np.flatnonzero(power > _FLOOR * power.max())
    if not loud.size:
        return start, end
    return max(start, start + int(loud[0]) - _GRAIN), min(end, start + int(loud[-1]) + 2 * _GRAIN)
