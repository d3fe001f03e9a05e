"""Accepted formats are decoded to the same samples; other, damaged and long files are refused."""

from __future__ import annotations

import io
import os
import re
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from emelia import audio
from emelia.audio import decode, sndfile
from emelia.audio.decoding import read_blocks
from emelia.errors import AudioError, FormatError

RATE = 16_000  # Hz
Wave = NDArray[np.float32]

FORMATS = [
    ("WAV", "PCM_U8"),
    ("WAV", "PCM_16"),
    ("WAV", "PCM_24"),
    ("WAV", "FLOAT"),
    ("WAV", "DOUBLE"),
    ("WAVEX", "PCM_16"),
    ("FLAC", "PCM_16"),
    ("OGG", "VORBIS"),
    ("OGG", "OPUS"),
    ("MP3", "MPEG_LAYER_III"),
]


def encoded(wave: np.ndarray, rate: int = RATE, kind: str = "WAV", codec: str = "FLOAT") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, wave, rate, format=kind, subtype=codec)
    return file.getvalue()


@pytest.mark.parametrize(("kind", "codec"), FORMATS)
def test_every_accepted_format_gives_the_same_sound(
    wave: Wave, tmp_path: Path, kind: str, codec: str
) -> None:
    rate = 48_000 if codec == "OPUS" else 44_100
    data = encoded(wave, rate, kind, codec)
    (tmp_path / "clip").write_bytes(data)  # no extension: the bytes tell the format
    heard, got = decode(data)
    assert got == rate and heard.dtype == np.float32 and heard.shape == wave.shape
    assert np.corrcoef(heard, wave)[0, 1] > 0.99
    if kind in ("WAV", "WAVEX", "FLAC"):
        np.testing.assert_allclose(heard, wave, atol=1 / 127 if codec == "PCM_U8" else 4e-5)
    np.testing.assert_array_equal(heard, decode(tmp_path / "clip")[0])


def test_channels_are_mixed_to_their_mean(wave: Wave) -> None:
    heard, _ = decode(encoded(np.stack([wave, -0.5 * wave, 2 * wave], axis=1)))
    np.testing.assert_allclose(heard, wave * 2.5 / 3, atol=1e-6)


def test_a_recording_longer_than_a_block_is_read_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 5000)
    stereo = np.stack([noise, noise], axis=1)
    for kind, codec in FORMATS:
        data = encoded(stereo, 48_000, kind, codec)
        whole, _ = decode(data)
        with monkeypatch.context() as patch:
            patch.setattr(sndfile, "_BLOCK", 1000)
            np.testing.assert_array_equal(decode(data)[0], whole)


def test_a_flac_stream_of_unknown_length_is_read_to_its_end(wave: Wave) -> None:
    heard, _ = decode(flac_without_length(wave))
    np.testing.assert_allclose(heard, wave, atol=2e-5)


def flac_without_length(wave: Wave) -> bytes:
    """FLAC as written to a pipe: the 36 bits of STREAMINFO for the length are 0."""
    data = bytearray(encoded(wave, RATE, "FLAC", "PCM_16"))
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    return bytes(data)


def test_a_long_recording_is_refused_by_its_header_before_it_is_read(
    wave: Wave, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(sndfile, "_read")
    with pytest.raises(AudioError, match=r"^upload: lasts 2\.0 s; the limit is 1\.5 s"):
        decode(encoded(wave), max_seconds=1.5)


@pytest.mark.parametrize(
    ("more", "lasts"), [(1, "more than 2"), (RATE // 10, r"2\.1"), (10 * RATE, r"12\.0")]
)
def test_what_is_little_too_long_is_not_said_to_last_as_long_as_is_taken(
    more: int, lasts: str
) -> None:
    assert decode(encoded(np.zeros(2 * RATE)), max_seconds=2)
    with pytest.raises(AudioError, match=rf"^upload: lasts {lasts} s; the limit is 2 s\. Cut it"):
        decode(encoded(np.zeros(2 * RATE + more)), max_seconds=2)


def test_a_long_recording_is_refused_while_reading_where_the_header_does_not_tell(
    wave: Wave, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sndfile, "_BLOCK", 4000)
    read = []
    whole = soundfile.SoundFile.read
    monkeypatch.setattr(
        sndfile._Sequential, "read", lambda self, n, **how: read.append(n) or whole(self, n, **how)
    )
    with pytest.raises(AudioError, match=r"lasts more than 0\.6 s; the limit is 0\.6 s"):
        decode(flac_without_length(wave), max_seconds=0.6)
    assert sum(read) < len(wave)


def test_a_recording_of_exactly_the_limit_is_accepted(wave: Wave) -> None:
    assert len(decode(encoded(wave), max_seconds=2.0)[0]) == len(wave)


def test_a_path_that_is_no_recording_is_named_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    (tmp_path / "notes.wav").write_text("these are notes, not sound")
    os.mkfifo(tmp_path / "pipe.wav")
    for name, reason in {
        "missing.wav": "no such file",
        "": "is a folder; expected one recording",
        "pipe.wav": "is not a regular file",
        "empty.wav": "is empty; expected WAV",
        "notes.wav": "not a known format; expected WAV",
        "x" * 300: "cannot be read",
    }.items():
        with pytest.raises(AudioError, match=f"^{re.escape(str(tmp_path / name))}: {reason}"):
            decode(tmp_path / name)


@pytest.mark.skipif(not hasattr(os, "setuid"), reason="needs users")
def test_a_file_one_may_not_read_is_named_with_the_reason(tone: Callable[..., Path]) -> None:
    path = tone()
    path.chmod(0)
    path.parent.chmod(0o711)
    code = (  # as nobody, within the folder: those above it may be closed
        "import os, sys; from emelia.audio import decode; from emelia.errors import AudioError\n"
        "os.chdir(sys.argv[1])\n"
        "if os.getuid() == 0: os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "try: decode(sys.argv[2])\n"
        "except AudioError as error: print(error)"
    )
    command = [sys.executable, "-c", code, str(path.parent), path.name]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout == f"{path.name}: cannot be read (Permission denied).\n", done.stderr


@pytest.mark.parametrize(
    ("kind", "codec"),
    [
        ("WAV", "IMA_ADPCM"),
        ("WAV", "MS_ADPCM"),
        ("WAV", "GSM610"),
        ("AIFF", "PCM_16"),
        ("RF64", "PCM_16"),
        ("W64", "PCM_16"),
        ("NIST", "PCM_16"),
        ("AU", "PCM_16"),
    ],
)
def test_an_upload_of_another_format_never_reaches_the_decoder(
    wave: Wave, monkeypatch: pytest.MonkeyPatch, kind: str, codec: str
) -> None:
    data = encoded(wave, RATE, kind, codec)
    monkeypatch.delattr(sndfile, "_Sequential")
    for file in (data, b"ID3\4\0\0\0\0\1\0" + bytes(128) + data):  # a tag in front hides nothing
        with pytest.raises(
            FormatError, match=r"^upload: .* is not taken as an upload; expected WAV"
        ):
            list(read_blocks(io.BytesIO(file), "upload", 10, upload=True))


def test_a_codec_of_an_accepted_container_may_still_be_refused(
    wave: Wave, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sndfile._UPLOADS, "OGG", {"VORBIS"})
    file = io.BytesIO(encoded(wave, RATE, "OGG", "OPUS"))
    with pytest.raises(AudioError, match=r"^upload: OGG with OPUS is not taken .* expected WAV"):
        list(read_blocks(file, "upload", 10, upload=True))


def test_an_mp3_with_a_tag_in_front_is_read(wave: Wave) -> None:
    data = encoded(wave, RATE, "MP3", "MPEG_LAYER_III")
    heard, _ = decode(b"ID3\4\0\0\0\0\1\0" + bytes(128) + data)
    np.testing.assert_array_equal(heard, decode(data)[0])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_numbers_are_refused(wave: Wave, bad: float) -> None:
    wave[1234] = bad
    with pytest.raises(AudioError, match=r"^upload: has samples that are not numbers"):
        decode(encoded(wave))


def test_no_samples_and_impossible_rates_are_refused(wave: Wave) -> None:
    with pytest.raises(AudioError, match=r"^upload: holds no samples \(0 s\)"):
        decode(encoded(wave[:0]))
    for rate, reason in {0: "cannot be decoded", 500: "500 Hz; expected", 2**30: "Hz; exp"}.items():
        data = bytearray(encoded(wave, codec="PCM_16"))
        struct.pack_into("<I", data, 24, rate)
        with pytest.raises(AudioError, match=f"^upload: .*{reason}"):
            decode(bytes(data))


@pytest.mark.parametrize(("kind", "codec"), FORMATS)
def test_damaged_files_give_sound_or_one_clear_error(wave: Wave, kind: str, codec: str) -> None:
    rng = np.random.default_rng(0)
    data = encoded(wave[:4000], 48_000, kind, codec)
    refused = 0
    for _ in range(60):
        broken = bytearray(data[: rng.integers(len(data) // 8, len(data))])
        broken[rng.integers(0, min(100, len(broken)))] = rng.integers(0, 256)
        try:
            heard, _ = decode(bytes(broken), max_seconds=10)
        except AudioError as error:
            refused += 1
            assert str(error).startswith("upload: ") and "\n" not in str(error)
        else:
            assert heard.size and np.isfinite(heard).all()
    assert refused


def test_the_broken_file_of_aesdd_is_named_with_the_reason(
    corpora: Callable[[str], Path],
) -> None:
    path = corpora("aesdd") / "sadness" / "s05 (3).wav"
    with pytest.raises(AudioError, match=r"s05 \(3\)\.wav: cannot be decoded .*No 'data' chunk"):
        decode(path)


def test_the_digest_names_the_sound_and_not_the_file(wave: Wave) -> None:
    whole = np.round(wave * 32767).astype(np.int16)
    pcm, _ = decode(encoded(whole, RATE, "WAV", "PCM_16"))
    flac, _ = decode(encoded(whole, RATE, "FLAC", "PCM_16"))
    assert audio.content_digest(pcm, RATE) == audio.content_digest(flac, RATE)
    assert re.fullmatch("[0-9a-f]{64}", audio.content_digest(pcm, RATE))
    others = [(pcm[:-1], RATE), (pcm, 8_000), (np.roll(pcm, 1), RATE)]
    assert len({audio.content_digest(*other) for other in [(pcm, RATE), *others]}) == 4
