"""The pages of an Ogg file: its codecs, the files chained in it, and a last page that is cut.

libsndfile hears only the first of chained files, and nothing of a file whose last page is cut. So
it is given each as a file of its own, and the last page as far as it goes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, NamedTuple

from emelia.audio.containers.part import Part

_HEAD = 27  # bytes of a page before its table of segments
_BEGINS, _ENDS = 2, 4  # flags of a page
_LONGEST = _HEAD + 255 + 255 * 255  # bytes of a page
_CODECS = {
    b"\x01vorbis": "Vorbis", b"OpusHead": "Opus", b"\x7fFLAC": "FLAC", b"Speex   ": "Speex",
    b"\x80theora": "Theora video", b"fishead\0": "a skeleton", b"OVP80": "VP8 video",
    b"PCM     ": "PCM", b"CELT    ": "CELT",
}  # fmt: skip


class _Page(NamedTuple):
    at: int
    flags: int
    granule: int
    table: bytes  # lengths of its segments
    size: int
    first: bytes  # of its content


@dataclass
class Chain:
    """One of chained files.

    Attributes:
        start: its place in bytes.
        codecs: of its streams.
        end: behind its last whole page.
        declared: seconds that a cut last page promises; 0 where nothing is cut or known.
        cut: its end is missing.
        tail: what is left of a cut page, as a page of its own.
    """

    start: int
    codecs: list[str] = field(default_factory=list)
    end: int = 0
    rate: int = 0
    skipped: int = 0  # samples at the beginning that are not heard
    granule: int = 0  # samples to the end of the last whole page
    declared: float = 0.0
    cut: bool = True
    tail: bytes = b""

    @property
    def codec(self) -> str:
        """The codecs in words."""
        return " and ".join(self.codecs)

    def part(self, file: BinaryIO) -> Part:
        """The chained file as one of its own."""
        return Part(file, self.start, self.end, tail=self.tail)


def chains(file: BinaryIO, start: int = 0) -> list[Chain]:
    """The files chained in an Ogg file, in order."""
    found: list[Chain] = []
    beginning = False
    size = file.seek(0, os.SEEK_END)
    for page in _pages(file, start, size):
        if page.flags & _BEGINS and not beginning:
            found.append(Chain(page.at))
        beginning = bool(page.flags & _BEGINS)
        if not found:
            continue
        if beginning:
            _note_codec(found[-1], page.first)
        _note_end(file, found[-1], page, size)
    return found


def _pages(file: BinaryIO, at: int, size: int) -> Iterator[_Page]:
    while at + _HEAD <= size:
        file.seek(at)
        data = file.read(_HEAD + 255 + 64)
        if data[:4] != b"OggS":
            file.seek(at)
            found = file.read(_LONGEST).find(b"OggS", 1)
            at += found if found > 0 else _LONGEST - 3
            continue
        table = data[_HEAD : _HEAD + data[26]]
        begin = _HEAD + len(table)
        page = _Page(
            at, data[5], int.from_bytes(data[6:14], "little", signed=True), table,
            begin + sum(table), data[begin : begin + 64],
        )  # fmt: skip
        yield page
        at += page.size


def _note_codec(chain: Chain, first: bytes) -> None:
    name = next((name for magic, name in _CODECS.items() if first.startswith(magic)), "")
    chain.codecs.append(name or "a codec we do not know")
    if name == "Opus":
        chain.rate, chain.skipped = 48_000, int.from_bytes(first[10:12], "little")
    elif name == "Vorbis":
        chain.rate = int.from_bytes(first[12:16], "little")


def _note_end(file: BinaryIO, chain: Chain, page: _Page, size: int) -> None:
    if page.at + page.size <= size:
        chain.end = page.at + page.size
        chain.granule = max(chain.granule, page.granule)
        chain.cut = not page.flags & _ENDS
        return
    chain.cut, chain.end = True, page.at
    if page.flags & _ENDS and chain.rate:
        chain.declared = max(0, page.granule - chain.skipped) / chain.rate
    file.seek(page.at)
    chain.tail = _cut_page(file.read(size - page.at), page, chain)


def _cut_page(data: bytes, page: _Page, chain: Chain) -> bytes:
    """The whole packets of a page that is cut, as the last page; empty where there is none."""
    begin = _HEAD + len(page.table)
    granule, kept, end, packet, size = chain.granule, 0, 0, begin, begin
    for count, length in enumerate(page.table, 1):
        size += length
        if size > len(data):
            break
        if length < 255:  # the end of a packet
            granule += _opus_samples(data[packet : packet + 2])
            kept, end, packet = count, size, size
    if not kept:
        return b""
    if chain.codec != "Opus":  # its decoder does not mind
        granule = page.granule
    head = data[:5] + bytes([page.flags | _ENDS])
    head += granule.to_bytes(8, "little", signed=True) + data[14:22] + bytes(4) + bytes([kept])
    cut = head + page.table[:kept] + data[begin:end]
    return cut[:22] + _checksum(cut).to_bytes(4, "little") + cut[26:]


def _opus_samples(packet: bytes) -> int:
    """Samples at 48 kHz of an Opus packet, by its first two bytes (RFC 6716, section 3)."""
    if not packet:
        return 0
    config, code = packet[0] >> 3, packet[0] & 3
    if config < 12:
        one = (480, 960, 1920, 2880)[config % 4]
    elif config < 16:
        one = (480, 960)[config % 2]
    else:
        one = (120, 240, 480, 960)[config % 4]
    return one * ((1, 2, 2)[code] if code < 3 else packet[-1] & 63)


def _checksum(data: bytes) -> int:
    """CRC-32 as Ogg has it: polynomial 0x04C11DB7, nothing reflected, from 0."""
    crc = 0
    for byte in data:
        crc = (crc << 8 & 0xFFFFFFFF) ^ _row(crc >> 24 ^ byte)
    return crc


def _row(value: int) -> int:
    crc = value << 24
    for _ in range(8):
        crc = (crc << 1 & 0xFFFFFFFF) ^ (0x04C11DB7 if crc >> 31 else 0)
    return crc
