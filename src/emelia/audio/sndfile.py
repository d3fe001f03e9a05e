"""Decode by libsndfile, which is always there: WAV, FLAC, Ogg, MP3, AIFF, CAF, AU and others."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
import soundfile
from numpy.typing import NDArray

from emelia.audio.containers.headers import WAVE_CODECS, Header, read_header
from emelia.audio.containers.kinds import FLAC, MPEG, OGG, WAV, Kind
from emelia.audio.containers.mp3_headers import told_by_tag
from emelia.audio.containers.mp3_joined import promised, stretches
from emelia.audio.containers.ogg import chains
from emelia.audio.containers.part import Part
from emelia.audio.heard import UNFINISHED, Heard
from emelia.audio.limits import check_length, check_shape, no_recording
from emelia.errors import AudioError

Block = NDArray[np.float32]  # (T, channels)

_PCM = {"PCM_U8", "PCM_S8", "PCM_16", "PCM_24", "PCM_32"}
_LINEAR = {*_PCM, "FLOAT", "DOUBLE"}
_G711 = {"ULAW", "ALAW"}
_TELEPHONE = {*_LINEAR, *_G711, "IMA_ADPCM", "MS_ADPCM", "GSM610"}
_CODECS: dict[str, set[str]] = {
    "WAV": {*_TELEPHONE, "MPEG_LAYER_III", "G721_32"},
    "WAVEX": _TELEPHONE,
    "RF64": _TELEPHONE,
    "W64": _TELEPHONE,
    "AIFF": {*_TELEPHONE, "DWVW_12", "DWVW_16", "DWVW_24"},
    "CAF": {*_LINEAR, *_G711, "ALAC_16", "ALAC_20", "ALAC_24", "ALAC_32"},
    "AU": {*_LINEAR, *_G711, "G721_32", "G723_24", "G723_40"},
    "NIST": {*_PCM, *_G711},
    "FLAC": _PCM,
    "OGG": {"VORBIS", "OPUS"},
    "MP3": {"MPEG_LAYER_I", "MPEG_LAYER_II", "MPEG_LAYER_III"},
}
_UPLOADS = {
    "WAV": {*_LINEAR, *_G711},
    "WAVEX": {*_LINEAR, *_G711},
    "FLAC": _PCM,
    "OGG": {"VORBIS", "OPUS"},
    "MP3": {"MPEG_LAYER_III"},
}
_WAVE_TAGS = (1, 2, 3, 6, 7, 0x11, 0x31, 0x55)  # of WAV, as in `WAVE_CODECS`
_UPLOAD_TAGS = (1, 3, 6, 7)
_BLOCK = 2**20  # most samples, of all channels together, read at once
_BLOCK_SECONDS = 30  # and most seconds: a block at a low rate grows when it is resampled
_CAREFUL = 1024  # samples read at once where the decoder failed, so that few are lost
_UNKNOWN = 2**62  # frames: a stream whose header gives no length counts at least this many
# In libsndfile's words for what is no damage.
_NOT_KNOWN = ("unsupported", "not supported", "unimplemented", "not implemented")


class Refused(Exception):
    """A kind or codec that libsndfile does not read; the text names it."""


class _Sequential(soundfile.SoundFile):  # type: ignore[misc]
    """A file read without seeking, which fails in streams of unknown length."""

    def seekable(self) -> bool:
        return False


def read_sndfile(
    file: BinaryIO, kind: Kind, start: int, name: str, most: float, heard: Heard, upload: bool
) -> Iterator[tuple[Block, int]]:
    """Decode block by block: float32 (T, channels) and the rate in Hz.

    Args:
        file: open for reading.
        kind: of the file.
        start: where in the file it begins.
        name: for messages.
        most: seconds.
        heard: takes what its header promises.
        upload: take only the codecs that are taken of uploads.

    Raises:
        Refused: libsndfile does not read its codec.
        AudioError: it is damaged from the beginning, or too long.
    """
    some, failure = False, None
    for part in _parts(file, kind, start, name, heard, upload):
        try:
            for block in _decoded(part, kind, name, most, heard, upload):
                some = True
                yield block
        except soundfile.LibsndfileError as error:
            failure = failure or error
    if failure and some:
        heard.failed = True
    elif failure:
        raise _error(failure, kind, name)


def behind(file: BinaryIO, start: int, head: bytes = b"") -> BinaryIO:
    """A file from `start` on, with another head if one is given."""
    file.seek(0)
    return Part(file, start, head=head) if start or head else file  # type: ignore[return-value]


def whole_ogg(file: BinaryIO, start: int, heard: Heard) -> BinaryIO:
    """An Ogg file from `start` on, with a last page that is whole."""
    found = chains(file, start)
    heard.failed = any(chain.cut for chain in found)
    if len(found) == 1 and found[0].cut:
        return found[0].part(file)  # type: ignore[return-value]
    return behind(file, start)


def _parts(
    file: BinaryIO, kind: Kind, start: int, name: str, heard: Heard, upload: bool
) -> Iterator[Any]:
    """The files that are joined in one, each with a header that can be believed."""
    if kind is MPEG:
        yield from _mpeg(file, start, heard)
    elif kind is OGG:
        yield from _ogg(file, start, heard)
    else:
        yield behind(file, start, _head(file, kind, start, name, heard, upload))


def _mpeg(file: BinaryIO, start: int, heard: Heard) -> Iterator[Any]:
    found = stretches(file, start, file.seek(0, os.SEEK_END))
    heard.failed = found[-1].cut
    heard.declared = promised(found)
    if len(found) == 1 and not heard.declared:
        heard.declared = told_by_tag(file, start)
    for one in found:
        yield Part(file, one.start, one.end, one.head)


def _ogg(file: BinaryIO, start: int, heard: Heard) -> Iterator[Any]:
    found = chains(file, start)
    for chain in found:
        if chain.codec not in ("Vorbis", "Opus"):
            raise Refused(f"Ogg with {chain.codec}")
        heard.declared += chain.declared
        heard.failed = heard.failed or chain.cut
    if not found:
        yield behind(file, start)
    for chain in found:
        yield chain.part(file)


def _head(
    file: BinaryIO, kind: Kind, start: int, name: str, heard: Heard, upload: bool
) -> bytes:  # fmt: skip
    """The head of a file where its own misleads; checks the codec of WAV."""
    header = read_header(file, start)
    heard.declared = header.declared
    if kind is WAV:
        _check_tag(header, name, upload)
    if header.unfinished:
        heard.warn(UNFINISHED)
    file.seek(start)
    same = b"RF64" if file.read(4) == b"BW64" else b""  # two names of one format
    return same + header.head[len(same) :]


def _check_tag(header: Header, name: str, upload: bool) -> None:
    tag = header.codec
    if not tag:
        raise no_recording(name, "WAV with no codec")
    if tag not in (_UPLOAD_TAGS if upload else _WAVE_TAGS):
        raise Refused(f"WAV with {WAVE_CODECS.get(tag, f'codec 0x{tag:04x}')}")


def _decoded(
    part: Any, kind: Kind, name: str, most: float, heard: Heard, upload: bool
) -> Iterator[tuple[Block, int]]:
    with _opened(part) as sound:
        _check_header(sound, name, most, upload)
        if kind is FLAC and sound.frames < _UNKNOWN:
            heard.declared = sound.frames / sound.samplerate
        done = 0
        try:
            for block in _read(sound, name, most):
                done += len(block)
                yield block, int(sound.samplerate)
            return
        except soundfile.LibsndfileError as error:
            failure = error
    for block, rate in _salvaged(part, done):
        done += len(block)
        yield block, rate
    if not done:
        raise failure
    heard.failed = True


def _opened(part: Any) -> _Sequential:
    part.seek(0)
    return _Sequential(part)


def _salvaged(part: Any, done: int) -> Iterator[tuple[Block, int]]:
    """What can be read behind the first `done` samples, in small pieces up to the damage."""
    with _opened(part) as sound:
        try:
            while True:
                most = min(done, _BLOCK // 32) or _CAREFUL
                block = sound.read(most, dtype="float32", always_2d=True)
                if not done and len(block):
                    yield block, int(sound.samplerate)
                if len(block) < most:
                    return
                done = max(0, done - most)
        except soundfile.LibsndfileError:
            return


def _error(error: soundfile.LibsndfileError, kind: Kind, name: str) -> Exception:
    text = error.error_string.rstrip(".")
    whole = kind not in (FLAC, OGG, MPEG)  # which have no codec that libsndfile lacks
    if whole and any(word in text.lower() for word in _NOT_KNOWN):
        return Refused(f"{kind.name} with this codec")
    return AudioError(
        f"{name}: cannot be decoded ({text}). It is damaged or cut short; use an intact copy."
    )


def _check_header(
    sound: soundfile.SoundFile, name: str, max_seconds: float, upload: bool
) -> None:  # fmt: skip
    if sound.subtype not in (_UPLOADS if upload else _CODECS).get(sound.format, ()):
        raise Refused(f"{sound.format} with {sound.subtype}")
    check_shape(sound.samplerate, sound.channels, name)
    if sound.frames < _UNKNOWN:
        check_length(sound.frames, sound.samplerate, name, max_seconds)


def _read(sound: soundfile.SoundFile, name: str, max_seconds: float) -> Iterator[Block]:
    """Read block by block, so that a false length in the header costs at most one block."""
    most = min(max(1, _BLOCK // sound.channels), _BLOCK_SECONDS * sound.samplerate)
    frames = 0
    while True:
        block = sound.read(most, dtype="float32", always_2d=True)
        frames += len(block)
        check_length(frames, sound.samplerate, name, max_seconds, so_far=True)
        if len(block):
            yield block
        if len(block) < most:  # the end; libsndfile would slowly fill one more block with zeros
            return
