"""Which moments of a recording spoke for the answer: the contributions of its frames, made fair.

A network that averages over frames has in each of them a part that all frames share: it is large,
and tells nothing of a moment. So what a frame says is taken against what a frame of speech says on
average; and frames without speech in them say nothing.

Shapes: T samples, C labels, F frames.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emelia.audio.limits import Wave

_QUIET = 30.0  # dB below the loudest frames, from where nothing is said
_LOUDEST = 0.95  # quantile of the levels of frames: a single click is not the measure


def against_average(
    saliency: NDArray[np.float32], speaking: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """What frames say (C, F) against the mean of frames with speech; 0 where there is none.

    Args:
        saliency: (C, F) what each frame adds to the logit of each label.
        speaking: (F,) which frames have speech in them.
    """
    if not speaking.any():
        return np.zeros_like(saliency)
    mean = saliency[:, speaking].mean(axis=1, keepdims=True)
    return np.where(speaking, saliency - mean, np.float32(0))


def speaking(sound: Wave, hop: int, frames: int) -> NDArray[np.bool_]:
    """Which frames of a waveform (T,) have speech in them: those not far below its loudest ones.

    Args:
        sound: speech with short pauses, as `find_speech` gives it.
        hop: samples from one frame to the next; frame f is centred at f * hop.
        frames: how many there are.
    """
    padded = np.pad(sound.astype(np.float64) ** 2, (hop, 2 * hop))
    sums = np.concatenate([[0.0], np.cumsum(padded)])
    starts = np.minimum(np.arange(frames) * hop, len(padded) - 2 * hop)
    power = (sums[starts + 2 * hop] - sums[starts]).clip(min=0)  # rounding goes below zero
    return np.asarray(power > np.quantile(power, _LOUDEST) * 10 ** (-_QUIET / 10))
