"""Decode by PyAV what phones, browsers, cameras and recorders make and libsndfile does not read.

FFmpeg has hundreds of formats, each of which may have faults that a file made to do harm can
exploit. So a file is given to one demuxer, chosen by its first bytes, and to the decoders named
here, on an open file object; an upload to fewer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from emelia.audio.containers.endings import breaks_off
from emelia.audio.containers.headers import promised_length
from emelia.audio.containers.kinds import Kind
from emelia.audio.heard import Heard
from emelia.audio.limits import check_length, check_shape, unknown_format
from emelia.errors import AudioError, MissingExtraError

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream

Block = NDArray[np.float32]  # (T, channels)

_UPLOADS = ("aac", "alac", "flac", "mp3", "opus", "vorbis")
_PCM = tuple(
    f"pcm_{kind}"
    for kind in (
        "alaw", "mulaw", "u8", "s8", "s16le", "s16be", "s24le", "s24be", "s32le", "s32be", "f32le",
        "f32be", "f64le", "f64be", "bluray", "dvd", "s16le_planar",
    )
)  # fmt: skip
_CODECS = (
    *_UPLOADS, *_PCM, "aac_latm", "ac3", "adpcm_g722", "adpcm_g726", "adpcm_g726le",
    "adpcm_ima_qt", "adpcm_ima_wav", "adpcm_ms", "adpcm_swf", "adpcm_yamaha", "amr_nb", "amr_wb",
    "ape", "atrac3", "atrac3p", "cook", "dss_sp", "dts", "eac3", "g723_1", "g729", "gsm", "gsm_ms",
    "ilbc", "mace3", "mace6", "mp1", "mp2", "musepack7", "musepack8", "nellymoser", "qcelp",
    "qdm2", "qdmc", "ra_144", "ra_288", "shorten", "sipr", "speex", "truehd", "truespeech", "tta",
    "wavpack", "wmalossless", "wmapro", "wmav1", "wmav2", "wmavoice",
)  # fmt: skip
# FFmpeg's names for decoders of these codecs that differ from theirs; no other decoder is tried.
_ALSO = ("aac_fixed", "libopus", "libvorbis", "mp3float")
_MORE = (
    "ac3_fixed", "adpcm_g722", "amrnb", "amrwb", "dca", "g722", "g726", "g726le", "libgsm",
    "libgsm_ms", "libilbc", "libopencore_amrnb", "libopencore_amrwb", "libspeex", "mp1float",
    "mp2float", "mpc7", "mpc8", "real_144", "real_288",
)  # fmt: skip
_TRUE_LENGTHS = ("mov", "matroska", "flv")  # demuxers that do not guess the length
_BLOCK = 2**16  # samples per channel in a block, about


def installed() -> bool:
    """Whether PyAV is there."""
    try:
        import av  # noqa: F401
    except ImportError:
        return False
    return True


def read_media(
    file: BinaryIO, kind: Kind, name: str, max_seconds: float, heard: Heard, upload: bool
) -> Iterator[tuple[Block, int]]:
    """Decode the first sound track block by block: float32 (T, channels) and the rate in Hz.

    Raises:
        AudioError: the file has no sound or another codec, is damaged, or too long.
        MissingExtraError: PyAV is not installed.
    """
    try:
        import av
    except ImportError:
        raise MissingExtraError(f"reading {kind.name}", "PyAV", "media") from None
    codecs = _UPLOADS if upload else _CODECS
    promised = promised_length(file, kind.demuxer)
    heard.failed = heard.failed or breaks_off(file, kind.demuxer)
    file.seek(0)
    try:
        with av.open(
            file, "r", format=kind.demuxer, options=_options(upload), metadata_errors="ignore"
        ) as media:
            stream = _sound(media.streams.audio, kind, name, codecs, upload)
            if (tracks := len(media.streams.audio)) > 1:
                heard.warn(f"it has {tracks} sound tracks; the first was read.")
            heard.declared = heard.declared or promised or _declared(media, stream, kind.demuxer)
            if stream.duration and stream.time_base:  # not trusted: _blocks checks again
                seconds = float(stream.duration * stream.time_base)
                check_length(round(seconds * stream.rate), stream.rate, name, max_seconds)
            yield from _blocks(_frames(media, stream, heard), name, max_seconds)
    except (av.FFmpegError, ValueError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise AudioError(
            f"{name}: cannot be decoded ({reason}). It is damaged or cut short; use an intact copy."
        ) from None


def _options(upload: bool) -> dict[str, str]:
    decoders = (*_UPLOADS, *_ALSO) if upload else (*_CODECS, *_ALSO, *_MORE)
    return {
        "codec_whitelist": ",".join(decoders),
        "protocol_whitelist": "none",  # a file may refer to others, which are not opened
        "max_streams": "16",
    }


def _sound(
    streams: Any, kind: Kind, name: str, codecs: tuple[str, ...], upload: bool
) -> AudioStream:
    """The first sound track; FormatError where its codec is not decoded."""
    if not streams:
        raise AudioError(f"{name}: has no sound track; expected a recording.")
    stream: AudioStream = streams[0]
    context = stream.codec_context
    codec = context.codec.canonical_name if context else "no decoder we have"
    if codec not in codecs:
        raise unknown_format(name, f"{kind.demuxer} with {codec}", upload and codec in _CODECS)
    check_shape(stream.rate, stream.channels, name)
    return stream


def _declared(media: Any, stream: AudioStream, demuxer: str) -> float:
    """Seconds of sound that the header promises; 0 where it does not."""
    if demuxer not in _TRUE_LENGTHS:
        return 0.0
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    # The whole may last longer than its sound where there is a picture, too.
    return 0.0 if len(media.streams) > 1 or not media.duration else media.duration / 1e6


def _blocks(frames: Iterator[AudioFrame], name: str, most: float) -> Iterator[tuple[Block, int]]:
    """Join frames, of about 20 ms each, to blocks that are efficient to process."""
    pending: list[Block] = []
    rate = held = 0
    done = 0.0  # s
    for frame in frames:
        count = frame.layout.nb_channels
        changed = frame.sample_rate != rate or (pending and pending[0].shape[1] != count)
        if pending and (changed or held >= _BLOCK):
            yield np.concatenate(pending), rate
            pending, done, held = [], done + held / rate, 0
        rate = frame.sample_rate
        check_shape(rate, count, name)
        samples = round(done * rate) + held + frame.samples
        check_length(samples, rate, name, most, so_far=True)
        pending.append(_samples(frame))
        held += frame.samples
    if pending:
        yield np.concatenate(pending), rate


def _frames(media: Any, stream: AudioStream, heard: Heard) -> Iterator[AudioFrame]:
    """Decode packet by packet; one that is damaged costs itself, not those behind it."""
    import av

    some, failure = False, None
    packets = media.demux(stream)
    while True:
        try:
            for frame in next(packets).decode():
                if frame.samples:
                    some = True
                    yield frame
        except (StopIteration, EOFError):
            break
        except av.FFmpegError as error:
            failure = failure or error
            # A broadcast begins in the middle of a packet; AMR has pauses that are not decoded.
            heard.failed = heard.failed or (some and media.format.name != "amr")
    if not some and failure:
        raise failure


def _samples(frame: AudioFrame) -> Block:
    """Samples as float32 (T, channels), full scale at 1."""
    samples: NDArray[Any] = frame.to_ndarray()
    rows = samples.T if frame.format.is_planar else samples.reshape(-1, frame.layout.nb_channels)
    if rows.dtype.kind == "u":  # 8 bits, with silence in the middle
        rows = (rows.astype(np.float32) - 128) / 128
    elif rows.dtype.kind != "f":
        rows = rows / -float(np.iinfo(rows.dtype).min)
    return rows.astype(np.float32, copy=False)
