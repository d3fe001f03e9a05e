"""What a condition is: a change of a waveform, and what is wanted of the answers to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from emelia.audio import Wave
from emelia.audio.corruption.mixing import add_at_snr
from emelia.results.stress import Wanted


class Around(NamedTuple):
    """What a change may use beside the waveform.

    Attributes:
        rng: of this clip; the levels of one category draw alike.
        voices: gives the waveforms of other clips, of other speakers where there are some.
        number: of the clip.
    """

    rng: np.random.Generator
    voices: Callable[[], Sequence[Wave]]
    number: int


Change = Callable[[Wave, Around], Wave]
NOTHING = Wanted()


@dataclass(frozen=True)
class Condition:
    """One way to change a clip.

    Attributes:
        category: of `CATEGORIES`.
        name: what is done, with its level.
        change: of a waveform (T,) at 16 kHz; its length may change.
        joined: seconds that clips of one speaker and emotion are joined to before; 0 for single
            clips.
        lengthens: seconds that it adds to a clip, for the estimate of the time.
    """

    category: str
    name: str
    change: Change
    wanted: Wanted = NOTHING
    joined: float = 0.0
    lengthens: float = 0.0

    @property
    def key(self) -> str:
        """A text that tells it from all others."""
        return f"{self.category}: {self.name}"


def alone(do: Callable[..., Any], *values: Any) -> Change:
    """The change by a function of the waveform and these values."""
    return lambda wave, around: np.asarray(do(wave, *values), np.float32)


def mixed(make: Callable[[int, np.random.Generator], Wave], snr_db: float) -> Change:
    """The change by a noise that is made for so many samples, and is `snr_db` weaker."""
    return lambda wave, around: add_at_snr(wave, make(len(wave), around.rng), snr_db)
