"""Per-channel energy normalisation (PCEN): each mel band relative to its recent mean.

Wang, Getreuer, Hughes, Lyon and Saurous, Trainable Frontend for Robust and Far-Field Keyword
Spotting, ICASSP 2017, with the constants of librosa's `pcen` (Lostanlen et al. 2019). What is
steady, such as the colour of a microphone or the hum of a room, cancels out. B clips, M bands,
F frames, K frames of the smoother.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

GAIN, BIAS, POWER, EPS = 0.98, 2.0, 0.5, 1e-6
SECONDS = 0.4  # time constant of the smoother
CUT = 1e-6  # weight of all that is further in the past than K frames
LOUDNESS = 2.0**31  # a sample of 1 as an integer of 32 bits, for which the constants were chosen


def smoother(rate: float) -> NDArray[np.float64]:
    """Weights (K,) of the last K frames in the smoothed energy; their sum is 1.

    The impulse response of m[t] = (1 - s) m[t - 1] + s e[t], cut off where hardly any weight is
    left. As a convolution it needs no loop over frames, which an exported graph could not have.

    Args:
        rate: frames a second.
    """
    t = SECONDS * rate
    s = (math.sqrt(1 + 4 * t * t) - 1) / (2 * t * t)
    frames = 1 + math.ceil(math.log(CUT) / math.log1p(-s)) if s < 1 else 1
    weights = s * (1 - s) ** np.arange(frames - 1, -1, -1)
    weights[0] = 1 - weights[1:].sum()
    return np.asarray(weights)


def normalise(mel: Tensor, weights: Tensor) -> Tensor:
    """Mel magnitudes (B, M, F) to PCEN (B, M, F); silence is 0.

    Args:
        weights: (K,), see `smoother`. Before the first frame, all are as the first.
    """
    mel = mel * LOUDNESS
    rows = F.pad(mel.flatten(0, 1)[:, None], (len(weights) - 1, 0), mode="replicate")
    smooth = F.conv1d(rows, weights[None, None]).squeeze(1).view_as(mel)
    steady = torch.exp(-GAIN * torch.log(EPS + smooth))
    found: Tensor = (mel * steady + BIAS) ** POWER - BIAS**POWER
    return found
