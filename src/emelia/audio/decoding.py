"""Decode recordings to waveforms: float32 (T,), mono, full scale at 1, with their rate in Hz.

Files may be damaged or made to do harm. So the format is recognised by the first bytes, only kinds
and codecs of a list are given to a decoder (docs/formats.md; fewer of uploads), and the length is
limited, whatever the header says. Of what is damaged or cut short all that can be read is given,
with a warning. Messages begin with the path, or with `upload` where a recording comes as bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soxr
from numpy.typing import NDArray

from emelia.audio.channels import MIX, Mixer
from emelia.audio.containers.kinds import OGG, kind_of
from emelia.audio.heard import Heard
from emelia.audio.limits import ACCEPTED, Wave, check_length, no_recording, unknown_format
from emelia.audio.media import installed, read_media
from emelia.audio.sndfile import Refused, behind, read_sndfile, whole_ogg
from emelia.audio.stores.objects import fetched, is_remote
from emelia.errors import AudioError, FormatError, MissingExtraError, TooLongError

Blocks = Iterator[tuple[NDArray[np.float32], int]]  # (T, channels) and the rate in Hz


def decode(
    source: str | Path | bytes | BinaryIO,
    *,
    max_seconds: float = 3600.0,
    channel: str = MIX,
    heard: Heard | None = None,
) -> tuple[Wave, int]:
    """Decode a recording and average its channels, or take one of them; see `channels.Mixer`.

    Args:
        source: a path, the bytes of a file, or a file that is open for reading.
        max_seconds: the longest recording that is taken.
        channel: `mix`, `left`, `right` or a number from 1.
        heard: takes what is to be told beside the sound.

    Returns:
        The waveform (T,) at the recording's own rate, and that rate.

    Raises:
        AudioError: the recording is missing, no regular file, of another format, so damaged that
            nothing can be read, empty, longer than `max_seconds`, has samples that are NaN or
            infinite, or lacks the channel.
        MissingExtraError: it needs PyAV, which is not installed.
    """
    with opened(BytesIO(source) if isinstance(source, bytes) else source) as (file, name):
        try:
            blocks = read_blocks(file, name, max_seconds, channel=channel, heard=heard)
            waves, rates = zip(*blocks, strict=True)
        except OSError as error:
            raise unreadable(name, error) from None
    return np.concatenate(waves), rates[0]


@contextmanager
def opened(source: str | Path | BinaryIO) -> Iterator[tuple[BinaryIO, str]]:
    """Open a recording, or use one that is open; yields it with its name for messages.

    Raises:
        AudioError: there is no such file, or it cannot be read.
    """
    if not isinstance(source, str | Path):
        yield source, "upload"
        return
    if is_remote(source):
        with fetched(source) as there:
            yield there, source
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


def read_blocks(
    file: BinaryIO,
    name: str,
    max_seconds: float,
    *,
    channel: str = MIX,
    heard: Heard | None = None,
    upload: bool = False,
) -> Iterator[tuple[Wave, int]]:
    """Decode a recording block by block: mono float32 (T,) and the rate in Hz, always the same.

    Args:
        file: open for reading.
        name: of the recording, for messages.
        max_seconds: the longest recording that is taken.
        channel: see `decode`.
        heard: filled at the end.
        upload: take only what is taken of uploads.

    Raises:
        AudioError, MissingExtraError: see `decode`; some only after several blocks.
    """
    heard = Heard() if heard is None else heard
    mixer = Mixer(channel, name, heard)
    frames, rate = 0, 1
    mixed = ((mixer(b, r), r) for b, r in _raw(file, name, max_seconds, heard, upload) if len(b))
    for wave, rate in _at_one_rate(mixed, heard):
        frames += len(wave)
        check_length(frames, rate, name, max_seconds, so_far=True)
        yield wave, rate
    if not frames:
        raise AudioError(f"{name}: holds no samples (0 s); expected a recording.")
    mixer.finish()
    heard.end(frames / rate)


def content_digest(wave: Wave, rate: int) -> str:
    """SHA-256 of rate and samples: equal for equal sound, whatever the file format."""
    samples = np.ascontiguousarray(wave, dtype="<f4").tobytes()
    return sha256(f"{rate} Hz\n".encode() + samples).hexdigest()


def _raw(file: BinaryIO, name: str, most: float, heard: Heard, upload: bool) -> Blocks:
    """All channels of a recording, by the library that reads its kind."""
    kind, start = kind_of(file)
    if kind is None:
        file.seek(0)
        if not file.read(1):
            raise AudioError(f"{name}: is empty; expected {ACCEPTED}.")
        raise no_recording(name, "not a known format")
    if kind.other:
        raise no_recording(name, f"not a known format ({kind.name})")
    if (upload and not kind.upload) or not (kind.sndfile or kind.demuxer):
        raise unknown_format(name, kind.name, upload and bool(kind.sndfile or kind.demuxer))
    if not kind.sndfile:
        yield from read_media(behind(file, start), kind, name, most, heard, upload)
        return
    try:
        yield from read_sndfile(file, kind, start, name, most, heard, upload)
    except Refused as refused:
        if upload:
            raise unknown_format(name, str(refused), True) from None
        if not installed():
            raise MissingExtraError(f"reading {refused}", "PyAV", "media") from None
        given = whole_ogg(file, start, heard) if kind is OGG else behind(file, start)
        try:
            yield from read_media(given, kind, name, most, heard, upload)
        except (FormatError, TooLongError):
            raise
        except AudioError:
            if kind is OGG:
                raise
            # Of a codec that neither reads nothing tells whether it is damaged.
            raise unknown_format(name, str(refused)) from None


def _at_one_rate(blocks: Iterator[tuple[Wave, int]], heard: Heard) -> Iterator[tuple[Wave, int]]:
    """Bring sound whose rate changes on the way, as of joined files, to that of its beginning."""
    first = now = 0
    converter: soxr.ResampleStream | None = None
    nothing = np.zeros(0, np.float32)
    for wave, rate in blocks:
        first = first or rate
        if rate != (now or rate):
            heard.warn(f"its rate changes from {now} to {rate} Hz, as of joined files.")
        if rate != now:
            if converter:
                yield converter.resample_chunk(nothing, last=True), first
            converter = None
            if rate != first:
                converter = soxr.ResampleStream(rate, first, 1, dtype="float32", quality="HQ")
        now = rate
        yield (converter.resample_chunk(wave) if converter else wave), first
    if converter:
        yield converter.resample_chunk(nothing, last=True), first


def _why_no_file(path: Path) -> str:
    if path.is_dir():
        return "is a folder; expected one recording."
    return "is not a regular file." if path.exists() else "no such file."
