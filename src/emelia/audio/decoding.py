"""Recordings to waveforms: float32 (T,), mono, full scale at 1, with their rate in Hz.

Files come from strangers. So only WAV (PCM, float), FLAC, Ogg (Vorbis, Opus) and MP3
reach the decoder, told by their first bytes, and the length is checked before and
while samples are read. A message begins with the path, or `upload` for bytes.
"""

from __future__ import annotations

from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile
from numpy.typing import NDArray

from emelia.errors import AudioError

Wave = NDArray[np.float32]  # (T,)

ACCEPTED = "WAV (PCM or float), FLAC, Ogg (Vorbis or Opus) and MP3"
_PCM = {"PCM_U8", "PCM_S8", "PCM_16", "PCM_24", "PCM_32"}
_CODECS = {
    "WAV": {*_PCM, "FLOAT", "DOUBLE"},
    "WAVEX": {*_PCM, "FLOAT", "DOUBLE"},
    "FLAC": _PCM,
    "OGG": {"VORBIS", "OPUS"},
    "MP3": {"MPEG_LAYER_III"},
}
_RATES = (1_000, 384_000)  # Hz
_BLOCK = 2**20  # samples of all channels read at once
_UNKNOWN = 2**62  # frames: a stream whose header gives no length counts at least this many


def decode(source: str | Path | bytes, *, max_seconds: float = 3600.0) -> tuple[Wave, int]:
    """Read a recording and mix its channels to their mean.

    Returns:
        The waveform (T,) at the recording's own rate, and that rate.

    Raises:
        AudioError: missing, not a file, another format, damaged, empty, too long, or
            with samples that are not numbers.
    """
    if isinstance(source, bytes):
        return _decode(BytesIO(source), "upload", max_seconds)
    path = Path(source)
    try:
        if not path.is_file():
            raise AudioError(f"{path}: {_why_no_file(path)}")
        with path.open("rb") as file:
            return _decode(file, str(path), max_seconds)
    except OSError as error:
        raise AudioError(f"{path}: cannot be read ({error.strerror or error}).") from None


def content_digest(wave: Wave, rate: int) -> str:
    """SHA-256 of rate and samples: equal for equal sound, whatever file it came in."""
    samples = np.ascontiguousarray(wave, dtype="<f4").tobytes()
    return sha256(f"{rate} Hz\n".encode() + samples).hexdigest()


class _Sequential(soundfile.SoundFile):  # type: ignore[misc]
    """Reads onwards and never seeks, so that streams of unknown length end well."""

    def seekable(self) -> bool:
        return False


def _decode(file: BinaryIO, name: str, max_seconds: float) -> tuple[Wave, int]:
    _check_container(file, name)
    file.seek(0)
    try:
        with _Sequential(file) as sound:
            _check_header(sound, name, max_seconds)
            wave, rate = _read(sound, name, max_seconds), int(sound.samplerate)
    except soundfile.LibsndfileError as error:
        raise AudioError(
            f"{name}: cannot be decoded ({error.error_string.rstrip('.')}). "
            "It is damaged or cut short; use an intact copy."
        ) from None
    if not wave.size:
        raise AudioError(f"{name}: holds no samples (0 s); expected a recording.")
    return wave, rate


def _why_no_file(path: Path) -> str:
    if path.is_dir():
        return "is a folder; expected one recording."
    return "is not a regular file." if path.exists() else "no such file."


def _check_container(file: BinaryIO, name: str) -> None:
    """Refuse by its first bytes what the decoder should never see."""
    head = file.read(12)
    while head[:3] == b"ID3" and len(head) == 12:  # a tag in front; its length is 4 x 7 bits
        size = sum(byte << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
        file.seek(size - 2, 1)
        head = file.read(12)
    mpeg = head[:1] == b"\xff" and head[1:2] >= b"\xe0"
    if not head:
        raise AudioError(f"{name}: is empty; expected {ACCEPTED}.")
    if not (mpeg or head[:4] in (b"fLaC", b"OggS") or _is_wave(head)):
        raise AudioError(f"{name}: not a known format; expected {ACCEPTED}.")
    if _is_wave(head) and (tag := _wave_codec(file)) not in (1, 3):
        codec = "no codec" if tag is None else f"codec 0x{tag:04x}"
        raise AudioError(f"{name}: WAV with {codec}; expected {ACCEPTED}.")


def _is_wave(head: bytes) -> bool:
    return head[:4] == b"RIFF" and head[8:12] == b"WAVE"


def _wave_codec(file: BinaryIO) -> int | None:
    """The format tag of a WAV file, read from after `WAVE`: 1 is PCM, 3 float."""
    for _ in range(100):  # chunks; real files have a few
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
    codec = f"{sound.format} with {sound.subtype}"
    if sound.subtype not in _CODECS.get(sound.format, ()):
        raise AudioError(f"{name}: {codec}; expected {ACCEPTED}.")
    low, high = _RATES
    if not low <= sound.samplerate <= high:
        raise AudioError(f"{name}: {sound.samplerate} Hz; expected a rate of {low} to {high} Hz.")
    if sound.frames < _UNKNOWN:
        _check_length(sound.frames, sound.samplerate, name, max_seconds)


def _check_length(frames: int, rate: int, name: str, max_seconds: float) -> None:
    if frames > max_seconds * rate:
        raise AudioError(
            f"{name}: lasts {frames / rate:.0f} s or more; the limit is {max_seconds:g} s. Cut it."
        )


def _read(sound: soundfile.SoundFile, name: str, max_seconds: float) -> Wave:
    """Read block by block, so that a header that lies about the length costs one block."""
    blocks: list[Wave] = [np.zeros(0, np.float32)]
    frames = 0
    while True:
        block = sound.read(max(1, _BLOCK // sound.channels), dtype="float32", always_2d=True)
        frames += len(block)
        _check_length(frames, sound.samplerate, name, max_seconds)
        if not np.isfinite(block).all():
            raise AudioError(f"{name}: has samples that are not numbers (NaN or infinite).")
        blocks.append(block.mean(axis=1))  # (T, channels) -> (T,)
        if not len(block):
            return np.concatenate(blocks)
