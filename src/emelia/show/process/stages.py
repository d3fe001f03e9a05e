"""The waveform before and after each step of processing, and measures of it.

Both noise reductions are always applied; later steps continue from the one that is set.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, astuple, dataclass, fields
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from emelia import audio
from emelia.audio import Wave
from emelia.audio import analysis as sound
from emelia.caches import cache_root
from emelia.config import SAMPLE_RATE, AudioConfig, digest
from emelia.corpora import Utterance
from emelia.corpora.scan import decode_again
from emelia.errors import AudioError, StorageError
from emelia.storage import ArrayCache

DECODED, AT_16K, NO_OFFSET = "decoded, mono", "16 kHz", "offset removed"
OURS, FOUNDING = "noise reduced, ours", "noise reduced, founding study's"
TRIMMED = "trimmed"
_FORMAT = 2  # of the figures that are kept; raised when a step or a measure changes
_TINY = 1e-6  # a smaller peak is shown as -120 dB


class Step(NamedTuple):
    """One step: its name, the name of the stage it starts from, and the function."""

    name: str
    before: str
    make: Callable[[Wave, int], Wave]


@dataclass(frozen=True, slots=True)
class Figures:
    """Measures of a waveform; levels in dB below full scale."""

    seconds: float
    level: float  # RMS; -inf for silence
    peak: float
    snr: float  # dB, estimated from the waveform alone; NaN for silence


@dataclass(frozen=True)
class Stage:
    """A waveform after a step."""

    name: str
    before: str  # the stage it was made from; empty for the first
    wave: Wave
    rate: int

    @property
    def figures(self) -> Figures:
        """Measure it."""
        return Figures(
            seconds=self.wave.size / self.rate,
            level=sound.level(self.wave),
            peak=float(20 * np.log10(max(_TINY, np.abs(self.wave).max(initial=0.0)))),
            snr=sound.snr(sound.power(self.wave, self.rate)),
        )


def plan(config: AudioConfig) -> list[Step]:
    """The steps of `audio.prepare` in its order, with both noise reductions."""
    steps = [Step(AT_16K, DECODED, audio.resample)]
    if config.dc:
        steps.append(Step(NO_OFFSET, AT_16K, lambda wave, _: audio.remove_dc(wave)))
    last = steps[-1].name
    steps.append(Step(OURS, last, audio.reduce_noise))
    steps.append(Step(FOUNDING, last, audio.reduce_noise_founding))
    last = {"quiet": OURS, "founding": FOUNDING}.get(config.denoise, last)
    if config.trim_db:
        below = config.trim_db
        steps.append(Step(TRIMMED, last, lambda wave, rate: audio.trim_silence(wave, rate, below)))
        last = TRIMMED
    if config.level == "peak":
        steps.append(Step("peak at 1", last, lambda wave, _: audio.normalise_peak(wave)))
    elif config.level == "loudness":
        steps.append(Step("loudness of -23 LUFS", last, audio.normalise_loudness))
    return steps


def stages(wave: Wave, rate: int, config: AudioConfig) -> list[Stage]:
    """A decoded recording before all steps and after each."""
    made = {DECODED: Stage(DECODED, "", wave, rate)}
    for step in plan(config):
        before = made[step.before]
        after = step.make(before.wave, before.rate)
        made[step.name] = Stage(step.name, step.before, after, SAMPLE_RATE)
    return list(made.values())


def measured(task: tuple[Utterance, AudioConfig]) -> NDArray[np.float32] | str:
    """Measures of all stages of a recording (S, 4), cached; the reason as text where it fails."""
    utterance, config = task
    key = digest([_FORMAT, utterance.digest, asdict(config)], length=64)
    cache = ArrayCache(cache_root() / "processing")
    if (found := cache.get(key)) is not None:
        return found
    try:
        made = stages(*decode_again(utterance), config)
    except AudioError as error:
        return str(error).removeprefix(f"{utterance.path}: ")
    found = np.array([astuple(stage.figures) for stage in made], dtype=np.float32)
    with suppress(StorageError):  # a cache that cannot be written costs only time
        cache.put(key, found)
    return found


def changes(
    figures: NDArray[np.float32], config: AudioConfig
) -> dict[str, dict[str, NDArray[np.float64]]]:
    """What each step changed in each clip: step -> measure -> (N,), from figures (N, S, 4)."""
    steps = plan(config)
    place = {name: i for i, name in enumerate([DECODED, *(step.name for step in steps)])}
    found = {}
    for step in steps:
        with np.errstate(invalid="ignore"):  # silence has no level
            gap = figures[:, place[step.name]].astype(np.float64) - figures[:, place[step.before]]
        found[step.name] = {f.name: gap[:, i] for i, f in enumerate(fields(Figures))}
    return found
