"""Decode the sound of M4A, MP4, WebM and Matroska files, as phones and browsers record, by PyAV.

FFmpeg has hundreds of formats, each of which may have faults that a file made to do harm can
exploit. So only two of its demuxers and six of its codecs are used, on an open file object.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from emelia.audio.limits import Wave, check_length, check_shape, mix, unknown_format
from emelia.errors import AudioError, MissingExtraError

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream

_CODECS = ("aac", "alac", "flac", "mp3", "opus", "vorbis")
# FFmpeg's names for the decoders of these codecs; no other decoder is tried.
_DECODERS = (*_CODECS, "aac_fixed", "libopus", "libvorbis", "mp3float")
_OPTIONS = {
    "codec_whitelist": ",".join(_DECODERS),
    "protocol_whitelist": "none",  # a file may refer to others, which are not opened
    "max_streams": "16",
}
_BLOCK = 2**16  # samples per channel in a block, about


def container_of(file: BinaryIO) -> str:
    """FFmpeg's demuxer for a file, by its first bytes; empty for other formats."""
    head = file.read(8)
    file.seek(0)
    if head[4:] == b"ftyp":
        return "mov"
    return "matroska" if head[:4] == b"\x1aE\xdf\xa3" else ""


def read_media(
    file: BinaryIO, container: str, name: str, max_seconds: float
) -> Iterator[tuple[Wave, int]]:
    """Decode the first sound track block by block: mono float32 (T,) and the rate in Hz.

    Raises:
        AudioError: the file has no sound or another codec, is damaged, or too long.
        MissingExtraError: PyAV is not installed.
    """
    try:
        import av
    except ImportError:
        raise MissingExtraError("reading M4A and WebM", "PyAV", "media") from None
    try:
        with av.open(
            file, "r", format=container, options=_OPTIONS, metadata_errors="ignore"
        ) as media:
            stream = _sound(media.streams.audio, container, name)
            if stream.duration and stream.time_base:  # not trusted: _blocks checks again
                seconds = float(stream.duration * stream.time_base)
                check_length(round(seconds * stream.rate), stream.rate, name, max_seconds)
            yield from _blocks(media.decode(stream), name, max_seconds)
    except (av.FFmpegError, ValueError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise AudioError(
            f"{name}: cannot be decoded ({reason}). It is damaged or cut short; use an intact copy."
        ) from None


def _sound(streams: Any, container: str, name: str) -> AudioStream:
    """The first sound track; FormatError where its codec is not decoded."""
    if not streams:
        raise AudioError(f"{name}: has no sound track; expected a recording.")
    stream: AudioStream = streams[0]
    context = stream.codec_context
    codec = context.codec.canonical_name if context else "no decoder we have"
    if codec not in _CODECS:
        raise unknown_format(name, f"{container} with {codec}")
    check_shape(stream.rate, stream.channels, name)
    return stream


def _blocks(frames: Iterator[AudioFrame], name: str, most: float) -> Iterator[tuple[Wave, int]]:
    """Join frames, of about 20 ms each, to blocks that are efficient to process."""
    pending: list[Wave] = []
    rate = done = held = 0
    for frame in frames:
        if frame.sample_rate != (rate := rate or frame.sample_rate):
            raise AudioError(f"{name}: changes its rate from {rate} to {frame.sample_rate} Hz.")
        check_shape(rate, frame.layout.nb_channels, name)
        check_length(done + held + frame.samples, rate, name, most, so_far=True)
        pending.append(mix(_samples(frame), name))
        held += frame.samples
        if held >= _BLOCK:
            yield np.concatenate(pending), rate
            pending, done, held = [], done + held, 0
    if pending:
        yield np.concatenate(pending), rate


def _samples(frame: AudioFrame) -> Wave:
    """Samples as float32 (T, channels), full scale at 1."""
    samples: NDArray[Any] = frame.to_ndarray()
    rows = samples.T if frame.format.is_planar else samples.reshape(-1, frame.layout.nb_channels)
    if rows.dtype.kind != "f":
        rows = rows / -float(np.iinfo(rows.dtype).min)
    return rows.astype(np.float32, copy=False)
