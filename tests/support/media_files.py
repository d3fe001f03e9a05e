"""Sound in the containers that phones and browsers record in."""

from __future__ import annotations

import io

import numpy as np
import pytest
from numpy.typing import NDArray

av = pytest.importorskip("av")

Wave = NDArray[np.float32]
RATE = 48_000  # Hz


def media_file(
    wave: Wave, container: str = "webm", codec: str = "opus", *, rate: int = RATE,
    channels: int = 1, live: bool = False,
) -> bytes:  # fmt: skip
    """Encode a waveform (T,) as PyAV does; the second channel is half as loud.

    A `live` file is written as a browser's recorder does, without its length.
    """
    layout = {1: "mono", 2: "stereo", 8: "7.1"}[channels]
    loud = np.array([1.0, *[0.5] * (channels - 1)], np.float32)
    packed = (wave[:, None] * loud * 32767).astype(np.int16).reshape(1, -1)
    file = io.BytesIO()
    with av.open(file, "w", format=container, options={"live": "1"} if live else {}) as out:
        stream = out.add_stream(codec, rate=rate, layout=layout)
        frame = av.AudioFrame.from_ndarray(packed, format="s16", layout=layout)
        frame.sample_rate = rate
        fit = av.AudioResampler(stream.format, layout, rate, stream.frame_size or 1024)
        for piece in fit.resample(frame) + fit.resample(None):
            out.mux(stream.encode(piece))
        out.mux(stream.encode(None))
    return file.getvalue()
