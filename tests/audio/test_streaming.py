"""Long recordings are decoded block by block, with the samples of the whole."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import voice
from listeners import cuts

from emelia.audio import decode, resample
from emelia.audio.streaming import Resampler, stream
from emelia.errors import AudioError, TooLongError

RATES = (8_000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000)


@pytest.mark.parametrize("rate", [*RATES, 12_345])
def test_sound_resampled_in_pieces_is_sound_resampled_whole(rate: int) -> None:
    wave = voice(200, 1.3, rate)
    resampler = Resampler(rate)
    pieces = [resampler.feed(piece) for piece in cuts(wave, rate)]
    whole = np.concatenate([*pieces, resampler.flush()])
    expected = resample(wave, rate)
    assert whole.shape == expected.shape and whole.dtype == np.float32
    np.testing.assert_allclose(whole, expected, atol=1e-6)


def test_one_sample_is_enough() -> None:
    resampler = Resampler(8_000)
    made = np.concatenate([resampler.feed(np.ones(1, np.float32)), resampler.flush()])
    assert len(made) == 2


@pytest.mark.parametrize("rate", [999, 400_000])
def test_a_rate_that_no_speech_has_is_refused(rate: int) -> None:
    with pytest.raises(AudioError, match=f"{rate} Hz; expected a rate of"):
        Resampler(rate)


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_a_file_in_pieces_is_the_file_decoded_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, rate: int
) -> None:
    monkeypatch.setattr("emelia.audio.sndfile._BLOCK", 10_007)
    path = tmp_path / f"η φωνή μου.{suffix}"
    soundfile.write(path, np.stack([voice(150, 2, 0), voice(220, 2, 1)], 1), rate)
    with stream(path, max_seconds=60) as blocks:
        pieces = list(blocks)
        assert blocks.expected == pytest.approx(blocks.seconds, rel=0.01)
    assert len(pieces) > 3
    expected = resample(*decode(path))
    assert blocks.seconds == pytest.approx(len(expected) / 16_000)
    np.testing.assert_allclose(np.concatenate(pieces), expected, atol=1e-6)


def test_the_length_is_guessed_from_the_share_of_the_file_that_was_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emelia.audio.sndfile._BLOCK", 16_000)
    soundfile.write(path := tmp_path / "noise.flac", voice(150, 30, 0), 16_000)
    with stream(path, max_seconds=3600) as blocks:
        guesses = [blocks.expected for _ in blocks]
    assert all(25 < guess < 35 for guess in guesses[5:])


def test_bytes_in_memory_and_paths_as_text_are_read_too(tmp_path: Path) -> None:
    soundfile.write(path := tmp_path / "a.wav", wave := voice(150, 1, 0), 16_000, "FLOAT")
    for source in (str(path), BytesIO(path.read_bytes())):
        with stream(source, max_seconds=60) as blocks:
            np.testing.assert_array_equal(np.concatenate(list(blocks)), wave)


def problem(source: Path | BytesIO, max_seconds: float = 60) -> str:
    with pytest.raises(AudioError) as refused, stream(source, max_seconds=max_seconds) as blocks:
        list(blocks)
    return str(refused.value)


def test_errors_are_those_of_decoding_whole(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.wav"
    bad = {
        "text": b"this is text and no sound at all",
        "empty": b"",
        "no data": b"RIFF\x1c\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x80>\0\0\0}\0\0\2\0\x10\0",
    }
    for content in bad.values():
        wrong.write_bytes(content)
        with pytest.raises(AudioError) as refused:
            decode(wrong)
        assert problem(wrong) == str(refused.value)
    assert problem(tmp_path) == f"{tmp_path}: is a folder; expected one recording."
    assert problem(tmp_path / "gone") == f"{tmp_path / 'gone'}: no such file."
    assert problem(BytesIO(b"")).startswith("upload: is empty")


def test_samples_that_are_not_numbers_are_refused(tmp_path: Path) -> None:
    wave = voice(150, 1, 0)
    wave[12_345] = np.nan
    soundfile.write(path := tmp_path / "nan.wav", wave, 16_000, "FLOAT")
    assert "not numbers" in problem(path)


def test_a_file_cut_short_gives_its_beginning_and_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("emelia.audio.sndfile._BLOCK", 16_000)
    soundfile.write(path := tmp_path / "cut.flac", voice(150, 20, 0), 16_000)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with stream(path, max_seconds=60) as pieces:
        blocks = list(pieces)
        (warning,) = pieces.heard.warnings
    assert 5 < sum(block.size for block in blocks) / 16_000 < 15
    assert warning.endswith(" of 20.00 s could be read; the file is damaged or cut short.")


def test_what_is_too_long_is_refused_at_once(tmp_path: Path) -> None:
    soundfile.write(path := tmp_path / "long.wav", np.zeros(32_001), 16_000)
    with pytest.raises(TooLongError, match="the limit is 2 s"), stream(path, max_seconds=2) as b:
        list(b)


def test_trouble_of_the_reader_stays_the_readers(tmp_path: Path) -> None:
    soundfile.write(path := tmp_path / "a.wav", voice(150, 1, 0), 16_000)
    with pytest.raises(OSError, match="my own"), stream(path, max_seconds=60):
        raise OSError("my own")
