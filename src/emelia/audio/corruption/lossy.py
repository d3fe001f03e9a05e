"""Waveforms as they come back from lossy codecs."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from emelia.audio.decoding import decode
from emelia.audio.limits import Wave
from emelia.config import SAMPLE_RATE
from emelia.errors import MissingExtraError

_TINY = 1e-9  # a peak of silence, which is not scaled up


def through_file(
    wave: NDArray[Any], rate: int, peak: float, form: str, kind: str, **how: Any
) -> Wave:
    """A waveform (T,) as it comes back from a file that libsndfile writes (T,).

    Args:
        wave: at 16 kHz.
        rate: of the file, in Hz.
        peak: the level at which it is written.
        form: libsndfile's name of the container.
        kind: libsndfile's name of the codec.
        how: further arguments of `soundfile.write`.
    """
    with io.BytesIO() as file:
        soundfile.write(
            file, _at_rate(_with_peak(wave, peak), rate), rate, format=form, subtype=kind, **how
        )
        file.seek(0)
        made, _ = soundfile.read(file, dtype="float32")
    return _back(made, rate, len(wave))


def through_ffmpeg(
    wave: Wave, rate: int, peak: float, container: str, codec: str, bit_rate: int
) -> Wave:
    """A waveform (T,) as it comes back from a file that FFmpeg writes (T,).

    Args:
        wave: at 16 kHz.
        rate: of the file, in Hz.
        peak: the level at which it is written.
        container: FFmpeg's name of it.
        codec: FFmpeg's name of the encoder.
        bit_rate: in bits a second.

    Raises:
        MissingExtraError: PyAV is not installed.
    """
    sound = _at_rate(_with_peak(wave, peak), rate)
    made, heard_rate = decode(_encoded(sound, rate, container, codec, bit_rate))
    return _back(made, heard_rate, len(wave))


def encodes(codec: str) -> bool:
    """Whether FFmpeg, as it is installed, has this encoder."""
    try:
        from av.codec import Codec

        Codec(codec, "w")
    except (ImportError, ValueError):
        return False
    return True


def _encoded(sound: NDArray[Any], rate: int, container: str, codec: str, bit_rate: int) -> bytes:
    try:
        import av
    except ImportError:
        raise MissingExtraError(f"the codec {codec}", "PyAV", "media") from None
    file = io.BytesIO()
    with av.open(file, "w", format=container) as media:
        stream: Any = media.add_stream(codec, rate=rate, layout="mono")
        stream.bit_rate = bit_rate
        # Encoders of speech take frames of one size, the last of them filled up.
        cut = av.AudioResampler(stream.format.name, "mono", rate, frame_size=stream.frame_size)
        frame = av.AudioFrame.from_ndarray(sound[None].astype(np.float32), "flt", "mono")
        frame.sample_rate = rate
        for piece in [*cut.resample(frame), *cut.resample(None), None]:
            media.mux(stream.encode(piece))
    return file.getvalue()


def _with_peak(wave: NDArray[Any], peak: float) -> NDArray[Any]:
    return wave * (peak / max(_TINY, float(np.abs(wave).max(initial=0))))


def _at_rate(wave: NDArray[Any], rate: int) -> NDArray[Any]:
    return wave if rate == SAMPLE_RATE else np.asarray(soxr.resample(wave, SAMPLE_RATE, rate))


def _back(made: Wave, rate: int, size: int) -> Wave:
    back = made if rate == SAMPLE_RATE else soxr.resample(made, rate, SAMPLE_RATE)
    return np.pad(back, (0, max(0, size - len(back))))[:size].astype(np.float32)
