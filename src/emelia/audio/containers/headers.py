"""Headers that give the size of the sound: whether it is true, and mended where it is not.

A recorder that crashes leaves sizes of 0; a copy that broke off has less than the header says.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

_CHUNKS = 100  # more only in a file made to waste time
_NO_LIMIT = 0x7FFF_0000  # sizes from here on stand for sound of unknown length, sent as it is made
_MOST_HEAD = 2**20  # bytes before the sound that are mended
# Codecs of WAV that people meet, by format tag; libsndfile reads those of `READ`.
WAVE_CODECS = {
    0x0001: "PCM", 0x0002: "MS ADPCM", 0x0003: "float", 0x0006: "A-law", 0x0007: "mu-law",
    0x0008: "DTS", 0x0011: "IMA ADPCM", 0x0014: "G.723", 0x0022: "TrueSpeech",
    0x0031: "GSM 6.10", 0x0040: "G.721", 0x0042: "G.723.1", 0x0045: "G.726", 0x0050: "MP2",
    0x0055: "MP3", 0x0064: "G.726", 0x0083: "G.729", 0x00FF: "AAC", 0x0160: "WMA", 0x0161: "WMA",
    0x0162: "WMA Pro", 0x0163: "WMA lossless", 0x2000: "AC-3", 0x674F: "Vorbis", 0xA109: "Speex",
    0xF1AC: "FLAC",
}  # fmt: skip
_ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_AU_BYTES = {1: 1, 2: 1, 3: 2, 4: 3, 5: 4, 6: 4, 7: 8, 27: 1}  # of a sample, by encoding


class Header(NamedTuple):
    """What a header says.

    Attributes:
        codec: of WAV, its format tag; 0 elsewhere and where it has none.
        declared: seconds it promises; 0 where it promises none.
        head: the header with true sizes where it has others that would mislead; else empty.
        unfinished: its sizes were never filled in.
    """

    codec: int = 0
    declared: float = 0.0
    head: bytes = b""
    unfinished: bool = False


class _Chunk(NamedTuple):
    name: bytes
    at: int  # of its content
    size: int
    field: int  # where its size stands


def read_header(file: BinaryIO, start: int) -> Header:
    """The header of a WAV, RF64, W64, AIFF, CAF or AU file that begins at `start`."""
    file.seek(start)
    head = file.read(1024)
    if head[:7] == b"NIST_1A":
        return _nist(head)
    if head[:4] in (b"RIFF", b"RIFX", b"RF64", b"BW64"):
        return _wave(file, start, head)
    if head[:4] == b"FORM":
        return _aiff(file, start)
    if head[:4] == b"caff":
        return _caf(file, start)
    if head[:4] == b".snd":
        return _au(file, start, head)
    return _wave64(file, start) if head[:4] == b"riff" else Header()


def promised_length(file: BinaryIO, demuxer: str) -> float:
    """Seconds of sound that the header of a WMA or AVI file promises; 0 where it does not.

    FFmpeg guesses them from the size of the file, which is that of what is left.
    """
    file.seek(0)
    head = file.read(_MOST_HEAD // 8)
    if demuxer == "asf" and (at := head.find(_ASF_PROPERTIES)) >= 0 and len(head) > at + 88:
        lasts, _, preroll = struct.unpack_from("<3Q", head, at + 64)
        return float(max(0.0, lasts / 1e7 - preroll / 1000))
    at = head.find(b"auds") if demuxer == "avi" else -1
    if at >= 8 and head[at - 8 : at - 4] == b"strh" and len(head) > at + 36:
        scale, rate, _, length = struct.unpack_from("<4I", head, at + 20)
        return float(length * scale / rate) if rate else 0.0
    return 0.0


def _nist(head: bytes) -> Header:
    """NIST SPHERE: a header of lines such as `sample_count -i 32000`."""
    found = {
        key: int(value)
        for key, value in re.findall(rb"(sample_count|sample_rate) -i (\d+)", head[:1024])
    }
    rate = found.get(b"sample_rate")
    return Header(0, found.get(b"sample_count", 0) / rate if rate else 0.0)


def _chunks(file: BinaryIO, at: int, sizes: struct.Struct, even: bool) -> Iterator[_Chunk]:
    """The chunks of a file of chunks: four letters, a size, and as much content."""
    for _ in range(_CHUNKS):
        file.seek(at)
        marker = file.read(4 + sizes.size)
        if len(marker) < 4 + sizes.size:
            return
        size = sizes.unpack(marker[4:])[0]
        yield _Chunk(marker[:4], at + len(marker), size, at + 4)
        at += len(marker) + size + (size % 2 if even else 0)


def _wave(file: BinaryIO, start: int, head: bytes) -> Header:
    order = ">" if head[:4] == b"RIFX" else "<"
    codec, per_second, long_size, long_field = 0, 0, 0, 0
    for chunk in _chunks(file, start + 12, struct.Struct(f"{order}I"), even=True):
        file.seek(chunk.at)
        if chunk.name == b"ds64":
            long_field, long_size = chunk.at + 8, struct.unpack("<8xQ", file.read(16).ljust(16))[0]
        elif chunk.name == b"fmt ":
            fields = file.read(min(chunk.size, 26)).ljust(26, b"\0")
            codec, _, _, per_second = struct.unpack_from(f"{order}HHII", fields)
            if codec == 0xFFFE:
                codec = struct.unpack_from(f"{order}H", fields, 24)[0]
        elif chunk.name == b"data":
            if long_field and chunk.size == 0xFFFF_FFFF:
                chunk = chunk._replace(size=long_size, field=long_field)
                packing = struct.Struct("<Q")
            else:
                packing = struct.Struct(f"{order}I")
            return _judged(file, start, chunk, packing, per_second)._replace(codec=codec)
    return Header(codec)


def _judged(
    file: BinaryIO, start: int, chunk: _Chunk, packing: struct.Struct, per_second: float
) -> Header:
    """The header before a chunk of sound, by what there is of it."""
    left = file.seek(0, os.SEEK_END) - chunk.at
    unknown = chunk.size >= _NO_LIMIT and chunk.size > left
    unfinished = chunk.size == 0 and left > 0 and not _only_chunks(file, chunk.at, packing)
    declared = chunk.size / per_second if per_second and not unknown else 0.0
    # libsndfile believes a size of 0, and refuses one of 64 bits that is too large.
    if not unfinished and not (chunk.size > left and packing.size == 8):
        return Header(0, declared)
    return Header(0, declared, _patched(file, start, chunk, packing.pack(left)), unfinished)


def _patched(file: BinaryIO, start: int, chunk: _Chunk, size: bytes) -> bytes:
    """All before the sound, with another size of the sound."""
    if chunk.at - start > _MOST_HEAD:
        return b""
    file.seek(start)
    head = file.read(chunk.at - start)
    field = chunk.field - start
    return head[:field] + size + head[field + len(size) :]


def _only_chunks(file: BinaryIO, at: int, packing: struct.Struct) -> bool:
    """Whether chunks with names of letters fill the rest of a file, as behind no sound at all."""
    end = file.seek(0, os.SEEK_END)
    for chunk in _chunks(file, at, packing, even=True):
        if not all(32 <= byte < 127 for byte in chunk.name):
            return False
        if chunk.at + chunk.size >= end - 1:
            return chunk.at + chunk.size <= end
    return False


def _aiff(file: BinaryIO, start: int) -> Header:
    declared, bytes_per_second = 0.0, 0.0
    packing = struct.Struct(">I")
    for chunk in _chunks(file, start + 12, packing, even=True):
        if chunk.name == b"COMM":
            file.seek(chunk.at)
            channels, frames, bits, exponent, mantissa = struct.unpack(
                ">HIHHQ", file.read(18).ljust(18, b"\0")
            )
            rate = mantissa * 2.0 ** ((exponent & 0x7FFF) - 16383 - 63)  # 80 bits
            declared = frames / rate if rate else 0.0
            bytes_per_second = channels * -(-bits // 8) * rate
        elif chunk.name == b"SSND":
            found = _judged(file, start, chunk, packing, bytes_per_second)
            return found._replace(declared=declared)
    return Header()


def _caf(file: BinaryIO, start: int) -> Header:
    per_second = 0.0
    packing = struct.Struct(">q")
    for chunk in _chunks(file, start + 8, packing, even=False):
        if chunk.name == b"desc":
            file.seek(chunk.at)
            rate, packet, frames = struct.unpack(">d8xII", file.read(24).ljust(24, b"\0"))
            per_second = rate * packet / frames if frames else 0.0
        elif chunk.name == b"data":
            if chunk.size < 0:  # unknown by design
                return Header()
            return _judged(file, start, chunk, packing, per_second)
        elif chunk.size < 0:
            break
    return Header()


def _au(file: BinaryIO, start: int, head: bytes) -> Header:
    at, size, encoding, rate, channels = struct.unpack_from(">5I", head.ljust(24, b"\0"), 4)
    per_second = _AU_BYTES.get(encoding, 0) * rate * channels
    chunk = _Chunk(b"data", start + at, size, start + 8)
    return _judged(file, start, chunk, struct.Struct(">I"), per_second)


def _wave64(file: BinaryIO, start: int) -> Header:
    """Sony Wave64: names of 16 bytes, and sizes of 8 that count name and size."""
    at, per_second, packing = start + 40, 0, struct.Struct("<Q")
    for _ in range(_CHUNKS):
        file.seek(at)
        marker = file.read(40)
        size = int.from_bytes(marker[16:24], "little")
        if marker[:4] == b"fmt ":
            per_second = int.from_bytes(marker[32:36], "little")
        elif marker[:4] == b"data":
            chunk = _Chunk(b"data", at + 24, max(0, size - 24), at + 16)
            return Header(0, _judged(file, start, chunk, packing, per_second).declared)
        if size < 24:
            break
        at += -(-size // 8) * 8
    return Header()
