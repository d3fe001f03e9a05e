"""Recordings that are unfinished, cut or joined are heard as far as they go, and it is told."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from emelia.audio import decode
from emelia.audio.heard import Heard
from emelia.errors import AudioError

Wave = NDArray[np.float32]
RATE = 16_000  # Hz
UNFINISHED = (
    "its header was never finished, as of a recording that broke off; what is there was read."
)


def tone(seconds: float = 6.0, rate: int = RATE, hz: float = 300) -> Wave:
    time = np.arange(round(seconds * rate)) / rate
    sound = 0.4 * np.sin(2 * np.pi * hz * time) * (0.6 + 0.4 * np.sin(6 * np.pi * time))
    noise = np.random.default_rng(0).normal(0, 0.02, time.size)
    return (sound + noise).astype(np.float32)


def encoded(wave: Wave, kind: str, codec: str, rate: int = RATE) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, wave, rate, format=kind, subtype=codec)
    return file.getvalue()


def listen(data: bytes) -> tuple[float, list[str]]:
    """Seconds that are heard, and the warnings."""
    heard = Heard()
    wave, rate = decode(data, heard=heard)
    assert np.isfinite(wave).all() and np.abs(wave).max() > 0.1
    return wave.size / rate, heard.warnings


def with_sizes(data: bytes, size: int) -> bytes:
    """A WAV file with these sizes of the whole and of the sound."""
    changed = bytearray(data)
    at = changed.index(b"data")
    changed[4:8] = changed[at + 4 : at + 8] = struct.pack("<I", size)
    return bytes(changed)


@pytest.mark.parametrize("codec", ["PCM_16", "ULAW", "FLOAT"])
@pytest.mark.parametrize(("size", "warnings"), [(0, [UNFINISHED]), (0xFFFF_FFFF, [])])
def test_a_wav_whose_header_was_never_finished_is_heard_whole(
    codec: str, size: int, warnings: list[str]
) -> None:
    data = encoded(tone(), "WAV", codec)
    seconds, told = listen(with_sizes(data, size))
    assert seconds == pytest.approx(6, abs=0.01) and told == warnings


def test_a_wav_with_no_sound_before_another_chunk_is_empty() -> None:
    data = with_sizes(encoded(tone(0), "WAV", "PCM_16"), 0)
    with pytest.raises(AudioError, match="holds no samples"):
        decode(data + b"LIST" + struct.pack("<I", 4) + b"INFO")


@pytest.mark.parametrize(("kind", "name", "field"), [("AU", b".snd", 8), ("RF64", b"ds64", 16)])
def test_other_unfinished_headers_are_mended(kind: str, name: bytes, field: int) -> None:
    data = bytearray(encoded(tone(), kind, "PCM_16"))
    at = data.index(name) + field
    data[at : at + 4] = bytes(4)
    seconds, told = listen(bytes(data))
    assert seconds == pytest.approx(6, abs=0.01) and told == [UNFINISHED]


@pytest.mark.parametrize(
    ("kind", "codec"),
    [
        ("WAV", "PCM_16"),
        ("WAV", "ALAW"),
        ("WAV", "IMA_ADPCM"),
        ("FLAC", "PCM_16"),
        ("MP3", "MPEG_LAYER_III"),
        ("AIFF", "PCM_16"),
        ("CAF", "PCM_16"),
        ("AU", "PCM_16"),
        ("W64", "PCM_16"),
        ("NIST", "PCM_16"),
    ],
)
def test_of_half_a_file_it_is_told_how_much_of_how_much_was_read(kind: str, codec: str) -> None:
    data = encoded(tone(), kind, codec)
    whole, quiet = listen(data)
    assert whole == pytest.approx(6, abs=0.05) and quiet == []
    seconds, (warning,) = listen(data[: len(data) // 2])
    assert 2 < seconds < 4
    assert warning.startswith(f"{seconds:.2f} of {whole:.2f} s could be read; the file is damaged")


@pytest.mark.parametrize("codec", ["OPUS", "VORBIS"])
@pytest.mark.parametrize("share", [0.5, 0.7, 0.95])
def test_of_a_cut_ogg_file_the_last_page_is_heard_as_far_as_it_goes(
    codec: str, share: float
) -> None:
    data = encoded(tone(), "OGG", codec)
    seconds, (warning,) = listen(data[: round(share * len(data))])
    assert share * 6 - 1.5 < seconds < 6
    assert warning.startswith(f"{seconds:.2f} ") and "could be read" in warning


@pytest.mark.parametrize("container", ["webm", "matroska", "flv"])
def test_half_a_film_is_heard_too(container: str) -> None:
    from media_files import media_file

    codec = {"webm": "opus", "matroska": "pcm_s16le", "flv": "aac"}[container]
    data = media_file(tone(6, 48_000), container, codec)
    seconds, (warning,) = listen(data[: len(data) // 2])
    assert 2 < seconds < 4
    assert warning.startswith(f"{seconds:.2f} of 6.0") and "could be read" in warning


@pytest.mark.parametrize(
    "front",
    [bytes(70_000), b"\x55" * 3000, np.random.default_rng(1).bytes(5000), b"GARBAGE" * 99],
    ids=["zeros", "padding", "noise", "text"],
)
def test_an_mp3_behind_other_bytes_is_found(front: bytes) -> None:
    data = encoded(tone(), "MP3", "MPEG_LAYER_III")
    np.testing.assert_array_equal(decode(front + data)[0], decode(data)[0])


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG"])
def test_zeros_and_tags_in_front_hide_no_file(kind: str) -> None:
    data = encoded(tone(), kind, "VORBIS" if kind == "OGG" else "PCM_16")
    for front in (bytes(4096), b"ID3\4\0\0\0\0\1\0" + bytes(128)):
        np.testing.assert_array_equal(decode(front + data)[0], decode(data)[0])


KINDS = [("MP3", "MPEG_LAYER_III"), ("OGG", "OPUS"), ("OGG", "VORBIS")]


@pytest.mark.parametrize(("kind", "codec"), KINDS)
def test_joined_files_are_heard_to_the_end(kind: str, codec: str) -> None:
    data = encoded(tone(2), kind, codec)
    seconds, told = listen(data + data)
    assert seconds == pytest.approx(4, abs=0.05) and told == []


@pytest.mark.parametrize(("kind", "codec"), KINDS)
@pytest.mark.parametrize("swap", [False, True])
def test_joined_files_of_two_rates_sound_at_the_first(kind: str, codec: str, swap: bool) -> None:
    rates = (48_000, 16_000) if swap else (16_000, 48_000)
    parts = [
        encoded(tone(2, r, hz), kind, codec, r) for r, hz in zip(rates, (300, 500), strict=True)
    ]
    heard = Heard()
    wave, rate = decode(b"".join(parts), heard=heard)
    assert rate == rates[0] and wave.size / rate == pytest.approx(4, abs=0.1)
    for half, hz in ((wave[: 2 * rate], 300), (wave[2 * rate :], 500)):
        spectrum = np.abs(np.fft.rfft(half))
        assert spectrum.argmax() * rate / half.size == pytest.approx(hz, abs=5)
    assert heard.warnings == [
        f"its rate changes from {rates[0]} to {rates[1]} Hz, as of joined files."
    ]


def test_a_joined_file_of_other_channels_is_mixed() -> None:
    one = encoded(tone(2), "OGG", "VORBIS")
    two = encoded(np.stack([tone(2)] * 2, axis=1), "OGG", "VORBIS")
    assert listen(one + two)[0] == pytest.approx(4, abs=0.05)


@pytest.mark.parametrize("make", [lambda d: d[:60], lambda d: d[: len(d) // 50]])
def test_what_ends_before_its_sound_is_still_refused(make: Callable[[bytes], bytes]) -> None:
    with pytest.raises(AudioError, match=r"damaged or cut short|holds no samples|not a known"):
        decode(make(encoded(tone(), "OGG", "VORBIS")))
