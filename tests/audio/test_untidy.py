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
from emelia.audio.containers.endings import breaks_off
from emelia.audio.containers.mp3 import frame_at
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


def mp3(mode: str = "CONSTANT", seconds: float = 6.0, header: bool = False) -> bytes:
    """An MP3 file without the header that tells its length, unless it is wanted."""
    file, wave = io.BytesIO(), tone(seconds)
    wave[wave.size // 4 : wave.size // 2] *= 0.01  # so that a variable bit rate varies
    soundfile.write(
        file, wave, RATE, format="MP3", subtype="MPEG_LAYER_III", bitrate_mode=mode,
        compression_level=0.5,
    )  # fmt: skip
    data = file.getvalue()
    first = frame_at(data[:4])
    assert first is not None
    return data if header else data[first.size :]


@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
def test_an_mp3_without_a_header_is_heard_whole_and_a_cut_one_is_told(mode: str) -> None:
    data = mp3(mode)
    seconds, told = listen(data)
    assert seconds == pytest.approx(6, abs=0.2) and told == []
    seconds, told = listen(data[: len(data) // 2 + 7])
    assert 1 < seconds < 5
    assert told == [f"{seconds:.2f} s could be read; the rest is damaged or cut off."]


def id3(frame: bytes) -> bytes:
    return b"ID3\3\0\0\0\0\0" + bytes([len(frame)]) + frame


@pytest.mark.parametrize("text", [b"\0" + b"6000", b"\1" + "6000".encode("utf-16")])
def test_the_length_of_an_mp3_may_stand_in_its_tags(text: bytes) -> None:
    tag = id3(b"TLEN" + struct.pack(">IH", len(text), 0) + text)
    data = mp3()
    assert listen(tag + data)[1] == []
    seconds, (warning,) = listen(tag + data[: len(data) // 3])
    assert warning.startswith(f"{seconds:.2f} of 6.00 s could be read")


def test_an_mp3_may_have_the_header_of_fraunhofer() -> None:
    data = mp3()
    frames = round(6 * RATE / 576)
    told = b"VBRI" + bytes(10) + frames.to_bytes(4, "big")
    head = (data[:4] + bytes(32) + told).ljust(frame_at(data[:4]).size, b"\0")  # type: ignore[union-attr]
    assert listen(head + data)[1] == []
    seconds, (warning,) = listen(head + data[: len(data) // 3])
    assert warning.startswith(f"{seconds:.2f} of {frames * 576 / RATE:.2f} s could be read")


@pytest.mark.parametrize("header", [True, False])
def test_behind_an_mp3_that_breaks_off_the_next_is_heard(header: bool) -> None:
    first, second = mp3(header=header), mp3(seconds=3, header=header)
    half = first[: len(first) // 2 + 7]
    seconds, told = listen(half + second)
    assert seconds == pytest.approx(6, abs=0.2)
    assert told == (
        [f"{seconds:.2f} of 9.00 s could be read; the file is damaged or cut short."]
        if header
        else []
    )


def test_a_damaged_spot_in_an_mp3_costs_only_itself() -> None:
    for data in (mp3(), mp3("VARIABLE", header=True)):
        middle = len(data) // 2
        assert listen(data[:middle] + data[middle + 100 :])[0] == pytest.approx(6, abs=0.3)


@pytest.mark.parametrize(("container", "codec"), [("webm", "libopus"), ("mpegts", "aac")])
def test_of_half_a_stream_without_a_length_it_is_told_too(container: str, codec: str) -> None:
    from media_files import media_file

    data = media_file(tone(6, 48_000), container, codec, live=container == "webm")
    assert listen(data)[1] == []
    seconds, (warning,) = listen(data[: round(0.6 * len(data)) + 3])
    assert warning == f"{seconds:.2f} s could be read; the rest is damaged or cut off."


def test_the_last_frame_of_amr_may_be_cut() -> None:
    frames = [
        bytes([kind << 3 | 4]).ljust(size, b"\0") for kind, size in ((7, 32), (0, 13), (8, 6))
    ]
    data = b"#!AMR\n" + b"".join(frames)
    assert not breaks_off(io.BytesIO(data), "amr")
    assert breaks_off(io.BytesIO(data[:-1]), "amr")


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
