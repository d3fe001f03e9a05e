"""Write samples, as tables hold them, as the bytes of a WAV file."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import soundfile


def wav_of(samples: Sequence[Any], rate: int) -> bytes:
    """A WAV file of float samples with full scale at 1, or of 16-bit whole numbers.

    Args:
        samples: (T,), or of several channels, which are the shorter side.
        rate: in Hz.
    """
    array = np.asarray(samples)
    if array.ndim == 2 and array.shape[0] < array.shape[1]:
        array = array.T
    if array.dtype.kind == "i":  # lists of a table do not tell the width
        wide = np.abs(array).max(initial=0) >= 2**15
        array = array.astype(np.int32 if wide else np.int16)
        subtype = "PCM_32" if wide else "PCM_16"
    else:
        array, subtype = array.astype(np.float32), "FLOAT"
    file = io.BytesIO()
    soundfile.write(file, array, rate, format="WAV", subtype=subtype)
    return file.getvalue()
