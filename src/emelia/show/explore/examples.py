"""Chooses one recording of each emotion to show, of one speaker and sentence if possible."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from emelia.audio import Wave, resample
from emelia.audio.mel import log_mel
from emelia.config import SAMPLE_RATE, digest
from emelia.corpora.scan import decode_again
from emelia.errors import AudioError, StorageError
from emelia.show.explore.data import Clip, Exploration, values
from emelia.show.explore.measure import FRONT_END, Array, cache
from emelia.show.explore.problems import Problem

LONGEST = 8.0  # s of an example, for a page has to carry it
_FORMAT = 2  # of the spectrograms that are kept


@dataclass(frozen=True)
class Example:
    """A recording chosen to show an emotion."""

    clip: Clip
    wave: Wave  # 16 kHz
    spectrogram: Array  # (128, F) dB below its loudest point

    @property
    def cut(self) -> bool:
        """Whether it is the beginning of a longer recording."""
        return self.clip.measures.seconds > self.wave.size / SAMPLE_RATE + 0.01


def examples(exploration: Exploration, problems: Sequence[Problem]) -> list[Example]:
    """Choose a recording of each emotion, of one speaker and sentence where that is possible.

    Clips with problems are left out where there are others.
    """
    doubtful = {name for problem in problems for name in problem.clips}
    found = []
    for clip in _chosen(exploration, doubtful):
        with suppress(AudioError):  # gone since it was measured
            found.append(_example(clip))
    return found


def _chosen(exploration: Exploration, doubtful: set[str]) -> list[Clip]:
    """A clip of each emotion, of the speaker and sentence that have most emotions in common."""
    usual = {
        e: float(np.median(values(exploration.of(e), "seconds"))) for e in exploration.emotions
    }
    groups: dict[tuple[str, ...], dict[str, Clip]] = defaultdict(dict)

    def oddness(clip: Clip) -> tuple[bool, float]:
        seconds = abs(clip.measures.seconds - usual[clip.utterance.emotion])
        return clip.utterance.id in doubtful, float(seconds)

    for clip in sorted(exploration.clips, key=oddness):
        who, said, emotion = (
            getattr(clip.utterance, name) for name in ("speaker", "sentence", "emotion")
        )
        # From one speaker saying one sentence to anybody: the closer, the better emotions compare.
        for group in ((who, said), (who,), ()):
            groups[group].setdefault(emotion, clip)

    def fitness(group: tuple[str, ...]) -> tuple[float, ...]:
        odd = [oddness(clip) for clip in groups[group].values()]
        return len(odd), -sum(bad for bad, _ in odd), len(group), -sum(far for _, far in odd)

    best = max(groups, key=fitness)
    return [groups[best].get(e, groups[()][e]) for e in exploration.emotions]


def _example(clip: Clip) -> Example:
    wave, rate = decode_again(clip.utterance)
    speech = resample(wave[: round(LONGEST * rate)], rate)
    return Example(clip, speech, _spectrogram(clip, speech))


def _spectrogram(clip: Clip, speech: Wave) -> Array:
    """The spectrogram of a recording, from the cache if it can be."""
    key = digest(["spectrogram", _FORMAT, LONGEST, clip.utterance.digest], length=64)
    found = cache().get(key)
    if found is None or found.shape != (FRONT_END.mels, 1 + speech.size // FRONT_END.hop):
        found = log_mel(speech, FRONT_END)
        with suppress(StorageError):  # a cache that cannot be written costs only time
            cache().put(key, found)
    return found
