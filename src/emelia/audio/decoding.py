"""Decode recordings to waveforms: float32 (T,), mono, full scale at 1, with their rate in Hz.

Files may be damaged or made to do harm. So the format is recognised by the first bytes, only WAV
(PCM, float), FLAC, Ogg (Vorbis, Opus), MP3 and, with the extra `media`, M4A and WebM are given to
a decoder, and the length is limited, whatever the header says. Messages begin with the path, or
with `upload` where a recording comes as bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile

from emelia.audio.limits import ACCEPTED, Wave, check_length, check_shape, mix, unknown_format
from emelia.audio.media import container_of, read_media
from emelia.errors import AudioError

_PCM = {"PCM_U8", "PCM_S8", "PCM_16", "PCM_24", "PCM_32"}
_CODECS = {
    "WAV": {*_PCM, "FLOAT", "DOUBLE"},
    "WAVEX": {*_PCM, "FLOAT", "DOUBLE"},
    "FLAC": _PCM,
    "OGG": {"VORBIS", "OPUS"},
    "MP3": {"MPEG_LAYER_III"},
}
_BLOCK = 2**20  # most samples, of all channels together, read at once
_BLOCK_SECONDS = 30  # and most seconds: a block at a low rate grows when it is resampled
_UNKNOWN = 2**62  # frames: a stream whose header gives no length counts at least this many


def decode(source: str | Path | bytes, *, max_seconds: float = 3600.0) -> tuple[Wave, int]:
    """Decode a recording and average its channels.

    Returns:
        The waveform (T,) at the recording's own rate, and that rate.

    Raises:
        AudioError: the recording is missing, no regular file, of another format, damaged, empty,
            longer than `max_seconds`, or has samples that are NaN or infinite.
        MissingExtraError: it is M4A or WebM, and PyAV is not installed.
    """
    with opened(BytesIO(source) if isinstance(source, bytes) else source) as (file, name):
        try:
            return _decode(file, name, max_seconds)
        except OSError as error:
            raise unreadable(name, error) from None


@contextmanager
def opened(source: str | Path | BinaryIO) -> Iterator[tuple[BinaryIO, str]]:
    """Open a recording, or use one that is open; yields it with its name for messages.

    Raises:
        AudioError: there is no such file, or it cannot be read.
    """
    if not isinstance(source, str | Path):
        yield source, "upload"
        return
    path = Path(source)
    try:
        if not path.is_file():
            raise AudioError(f"{path}: {_why_no_file(path)}")
        file = path.open("rb")
    except OSError as error:
        raise unreadable(str(path), error) from None
    with file:
        yield file, str(path)


def unreadable(name: str, error: OSError) -> AudioError:
    """The error for a file that the operating system cannot read."""
    return AudioError(f"{name}: cannot be read ({error.strerror or error}).")


def read_blocks(file: BinaryIO, name: str, max_seconds: float) -> Iterator[tuple[Wave, int]]:
    """Decode a recording block by block: mono float32 (T,) and the rate in Hz, always the same.

    Raises:
        AudioError, MissingExtraError: see `decode`; some only after several blocks.
    """
    container = container_of(file)
    if container:
        blocks = read_media(file, container, name, max_seconds)
    else:
        blocks = _read_soundfile(file, name, max_seconds)
    frames = 0
    for block, rate in blocks:
        frames += len(block)
        yield block, rate
    if not frames:
        raise AudioError(f"{name}: holds no samples (0 s); expected a recording.")


def content_digest(wave: Wave, rate: int) -> str:
    """SHA-256 of rate and samples: equal for equal sound, whatever the file format."""
    samples = np.ascontiguousarray(wave, dtype="<f4").tobytes()
    return sha256(f"{rate} Hz\n".encode() + samples).hexdigest()


class _Sequential(soundfile.SoundFile):  # type: ignore[misc]
    """A file read without seeking, which fails in streams of unknown length."""

    def seekable(self) -> bool:
        return False


def _decode(file: BinaryIO, name: str, max_seconds: float) -> tuple[Wave, int]:
    blocks, rates = zip(*read_blocks(file, name, max_seconds), strict=True)
    return np.concatenate(blocks), rates[0]


def _read_soundfile(file: BinaryIO, name: str, max_seconds: float) -> Iterator[tuple[Wave, int]]:
    _check_container(file, name)
    file.seek(0)
    try:
        with _Sequential(file) as sound:
            _check_header(sound, name, max_seconds)
            for block in _read(sound, name, max_seconds):
                yield block, int(sound.samplerate)
    except soundfile.LibsndfileError as error:
        raise AudioError(
            f"{name}: cannot be decoded ({error.error_string.rstrip('.')}). "
            "It is damaged or cut short; use an intact copy."
        ) from None


def _why_no_file(path: Path) -> str:
    if path.is_dir():
        return "is a folder; expected one recording."
    return "is not a regular file." if path.exists() else "no such file."


def _check_container(file: BinaryIO, name: str) -> None:
    """Raise FormatError for a format that is not decoded, by the first bytes."""
    head = file.read(12)
    while head[:3] == b"ID3" and len(head) == 12:  # a tag before the sound; its size is 4 x 7 bits
        size = sum(byte << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
        file.seek(size - 2, 1)
        head = file.read(12)
    mpeg = head[:1] == b"\xff" and head[1:2] >= b"\xe0"
    if not head:
        raise AudioError(f"{name}: is empty; expected {ACCEPTED}.")
    if not (mpeg or head[:4] in (b"fLaC", b"OggS") or _is_wave(head)):
        raise unknown_format(name, "not a known format")
    if _is_wave(head) and (tag := _wave_codec(file)) not in (1, 3):
        codec = "no codec" if tag is None else f"codec 0x{tag:04x}"
        raise unknown_format(name, f"WAV with {codec}")


def _is_wave(head: bytes) -> bool:
    return head[:4] == b"RIFF" and head[8:12] == b"WAVE"


def _wave_codec(file: BinaryIO) -> int | None:
    """The format tag of a WAV file: 1 is PCM, 3 float. `file` stands after `WAVE`."""
    for _ in range(100):  # chunks; more than a few only in a file made to waste time
        marker = file.read(8)
        size = int.from_bytes(marker[4:8], "little")
        if marker[:4] == b"fmt ":
            fields = file.read(min(size, 26))
            tag = int.from_bytes(fields[:2], "little")
            return int.from_bytes(fields[24:26], "little") if tag == 0xFFFE else tag
        if len(marker) < 8:
            break
        file.seek(size + size % 2, 1)
    return None


def _check_header(sound: soundfile.SoundFile, name: str, max_seconds: float) -> None:
    if sound.subtype not in _CODECS.get(sound.format, ()):
        raise unknown_format(name, f"{sound.format} with {sound.subtype}")
    check_shape(sound.samplerate, sound.channels, name)
    if sound.frames < _UNKNOWN:
        check_length(sound.frames, sound.samplerate, name, max_seconds)


def _read(sound: soundfile.SoundFile, name: str, max_seconds: float) -> Iterator[Wave]:
    """Read block by block, so that a false length in the header costs at most one block."""
    most = min(max(1, _BLOCK // sound.channels), _BLOCK_SECONDS * sound.samplerate)
    frames = 0
    while True:
        block = sound.read(most, dtype="float32", always_2d=True)
        frames += len(block)
        check_length(frames, sound.samplerate, name, max_seconds, so_far=True)
        if len(block):
            yield mix(block, name)
        if len(block) < most:  # the end; libsndfile would slowly fill one more block with zeros
            return
