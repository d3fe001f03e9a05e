"""Which kind of file a recording is, by its first bytes, and what reads it.

libsndfile is always there. PyAV, with FFmpeg inside, comes with the extra `media`. An upload is
read in fewer kinds: a file may be made to do harm, and each decoder may have faults.
"""

from __future__ import annotations

from typing import BinaryIO, NamedTuple

from emelia.audio.containers.mp3 import first_frame, frame_at, tag_size

_ZEROS = 2**24  # bytes of zeros in front that are passed over


class Kind(NamedTuple):
    """A kind of file.

    Attributes:
        name: for people.
        demuxer: FFmpeg's name for it; empty where PyAV is not asked.
        sndfile: libsndfile reads it, if not with every codec.
        upload: taken as an upload.
        other: no recording, whoever reads it.
    """

    name: str
    demuxer: str = ""
    sndfile: bool = False
    upload: bool = False
    other: bool = False


WAV = Kind("WAV", "wav", True, True)
OGG = Kind("Ogg", "ogg", True, True)
MPEG = Kind("MP3", "mp3", True, True)
FLAC = Kind("FLAC", "flac", True, True)
ADTS = Kind("AAC (ADTS)", "aac")
MOV = Kind("MP4, M4A, 3GP or MOV", "mov", upload=True)
TS = Kind("MPEG-TS", "mpegts")
_FIRST: tuple[tuple[int, bytes, Kind], ...] = (  # place, bytes, kind
    (0, b"fLaC", FLAC),
    (0, b"OggS", OGG),
    (0, b"riff\x2e\x91\xcf\x11", Kind("W64", "w64", True)),
    (0, b"caff", Kind("CAF", "caf", True)),
    (0, b".snd", Kind("AU", "au", True)),
    (0, b"NIST_1A", Kind("NIST SPHERE", "nistsphere", True)),
    (4, b"ftyp", MOV),
    *((4, atom, MOV) for atom in (b"moov", b"mdat", b"wide", b"pnot")),
    (0, b"\x1aE\xdf\xa3", Kind("WebM or Matroska", "matroska", upload=True)),
    (0, b"#!AMR", Kind("AMR", "amr")),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", Kind("WMA or ASF", "asf")),
    (0, b"FLV\1", Kind("FLV", "flv")),
    (0, b"\0\0\1\xba", Kind("MPEG-PS", "mpeg")),
    (0, b"\x0b\x77", Kind("AC-3", "ac3")),
    (0, b"wvpk", Kind("WavPack", "wv")),
    (0, b"MAC ", Kind("Monkey's Audio", "ape")),
    (0, b"TTA1", Kind("TTA", "tta")),
    (0, b"MPCK", Kind("Musepack", "mpc8")),
    (0, b"MP+", Kind("Musepack", "mpc")),
    (0, b".RMF", Kind("RealMedia", "rm")),
    (0, b".ra\xfd", Kind("RealAudio", "rm")),
    (0, b"Creative Voice File", Kind("VOC", "voc")),
    (0, b"\2dss", Kind("DSS", "dss")),
    (0, b"\3dss", Kind("DSS", "dss")),
    # Known, and read by neither.
    (0, b"\2ds2", Kind("DS2")),
    (0, b"\3ds2", Kind("DS2")),
    (0, b"\2#!SILK_V3", Kind("SILK")),
    (0, b"#!SILK_V3", Kind("SILK")),
    (0, b"#!EVRC", Kind("EVRC")),
    (0, b"#!EVS_MC1.0", Kind("EVS")),
    (0, b"MThd", Kind("MIDI, notes without sound", other=True)),
    (0, b"PK\3\4", Kind("a ZIP archive", other=True)),
    (0, b"Rar!", Kind("a RAR archive", other=True)),
    (0, b"\x1f\x8b", Kind("a gzip archive", other=True)),
    (0, b"7z\xbc\xaf", Kind("a 7z archive", other=True)),
    (0, b"%PDF", Kind("a PDF document", other=True)),
    (0, b"\x89PNG", Kind("a picture", other=True)),
    (0, b"\xff\xd8\xff", Kind("a picture", other=True)),
)
_RIFF = {
    b"WAVE": WAV,
    b"AVI ": Kind("AVI", "avi"),
    b"QLCM": Kind("QCELP", "qcp"),
}
_AIFF = Kind("AIFF", "aiff", True)
_RF64 = Kind("RF64", "wav", True)
_ALL = (WAV, OGG, MPEG, ADTS, TS, _AIFF, _RF64, *_RIFF.values(), *(kind for *_, kind in _FIRST))
NAMES = frozenset(kind.name for kind in _ALL)


def kind_of(file: BinaryIO) -> tuple[Kind | None, int]:
    """The kind of a file, None where it is unknown, and where it begins behind tags or junk."""
    start = _behind_tags(file)
    kind = _by_magic(file, start)
    if kind is None:
        start = _behind_zeros(file, start)
        kind = _by_magic(file, start)
    if kind is None and (found := first_frame(file, start)) >= 0:
        return MPEG, found
    return kind, start


def _by_magic(file: BinaryIO, start: int) -> Kind | None:
    file.seek(start)
    head = file.read(400)
    if head[:4] in (b"RIFF", b"RIFX"):
        return _RIFF.get(head[8:12])
    if head[:4] in (b"RF64", b"BW64") and head[8:12] == b"WAVE":
        return _RF64
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return _AIFF
    for place, magic, kind in _FIRST:
        if head.startswith(magic, place):
            return kind
    if head[:1] == b"\xff" and head[1:2] >= b"\xe0" and len(head) >= 4:
        if head[1] & 0xF6 == 0xF0:  # the sync word of AAC, with 0 where MPEG audio has its layer
            return ADTS
        if frame_at(head) or head[2] >> 4 == 0:  # the latter with a bit rate of its own
            return MPEG
    packets = (head[0:1] + head[188:189], head[4:5] + head[196:197])  # these with a time in front
    return TS if len(head) > 200 and b"GG" in packets else None


def _behind_tags(file: BinaryIO) -> int:
    """Where a file begins behind ID3v2 tags."""
    start = 0
    file.seek(0)
    while len(head := file.read(10)) == 10 and head[:3] == b"ID3":
        start += tag_size(head)
        file.seek(start)
    return start


def _behind_zeros(file: BinaryIO, start: int) -> int:
    """Where a file begins behind zeros; `start` where nothing else comes."""
    file.seek(start)
    at = start
    while (data := file.read(2**16)) and at < start + _ZEROS:
        if rest := data.lstrip(b"\0"):
            return at + len(data) - len(rest)
        at += len(data)
    return start
