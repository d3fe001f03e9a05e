"""Channels are mixed where that is right, and told of where it hides something."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile
from conftest import voice
from numpy.typing import NDArray

from emelia.audio import decode, sndfile
from emelia.audio.channels import channel_names, check_channel, named
from emelia.audio.heard import Heard
from emelia.errors import AudioError, ConfigError

Wave = NDArray[np.float32]
RATE = 16_000  # Hz


def recorded(*channels: Wave) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.stack(channels, axis=1), RATE, format="WAV", subtype="FLOAT")
    return file.getvalue()


def listen(data: bytes, channel: str = "mix") -> tuple[Wave, list[str]]:
    heard = Heard()
    return decode(data, channel=channel, heard=heard)[0], heard.warnings


def silence(seconds: float) -> Wave:
    return np.zeros(round(seconds * RATE), np.float32)


def noise(like: Wave, level: float, seed: int) -> Wave:
    return np.random.default_rng(seed).normal(0, level, like.size).astype(np.float32)


@pytest.mark.parametrize("block", [2**20, 40_000])
@pytest.mark.parametrize("offset", [0.0, 0.1])
def test_of_channels_that_cancel_the_louder_is_taken(
    block: int, offset: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sndfile, "_BLOCK", block)
    wave = voice(150, 4, 0)
    heard, (warning,) = listen(recorded(offset - 0.8 * wave, wave + offset))
    np.testing.assert_array_equal(heard, wave + np.float32(offset))
    assert warning.startswith("its channels cancel each other")


def test_channels_that_nearly_cancel_count_too() -> None:
    wave = voice(150, 4, 0)
    level = 0.05 * float(wave.std())
    heard, (warning,) = listen(recorded(wave + noise(wave, level, 1), noise(wave, level, 2) - wave))
    assert heard.std() == pytest.approx(wave.std(), rel=0.01) and "cancel" in warning


@pytest.mark.parametrize("second", [1.0, 0.5, -0.3, 0.0])
def test_other_channels_are_mixed_without_a_word(second: float) -> None:
    wave = voice(150, 4, 0)
    heard, warnings = listen(recorded(wave, np.float32(second) * wave))
    np.testing.assert_allclose(heard, (1 + second) / 2 * wave, atol=1e-6)
    assert not warnings


def test_a_call_with_a_party_a_channel_is_told_of() -> None:
    one, other = voice(120, 3, 0), voice(220, 3, 1)
    first, second = np.append(one, silence(3)), np.append(silence(3), 0.3 * other)
    crosstalk = 0.02 * second
    data = recorded(first + crosstalk + noise(first, 1e-4, 0), second + noise(first, 1e-4, 1))
    _, (warning,) = listen(data)
    assert "2 channels differ" in warning and "left, right or each" in warning
    for channel, wave in (("left", first), ("right", second)):
        heard, warnings = listen(data, channel)
        assert not warnings and np.corrcoef(heard, wave)[0, 1] > 0.99


def test_a_stereo_recording_of_one_speaker_is_no_call() -> None:
    wave = voice(150, 4, 0)
    late = np.roll(wave, 8)  # 17 cm farther
    _, warnings = listen(recorded(wave + noise(wave, 0.003, 0), 0.7 * late + noise(wave, 0.003, 1)))
    assert not warnings


def test_two_who_speak_at_the_same_time_are_told_of() -> None:
    one, other = voice(120, 5, 0), np.roll(voice(220, 5, 1), RATE // 3)
    _, (warning,) = listen(recorded(one, 0.6 * other))
    assert "2 channels differ" in warning


def test_one_who_speaks_in_a_room_with_two_microphones_is_no_call() -> None:
    wave, rng = voice(150, 5, 0), np.random.default_rng(0)
    echo = rng.standard_normal(RATE // 4) * np.exp(-np.arange(RATE // 4) / 1_200)
    echo[0] = 6
    far = np.convolve(wave, echo)[: wave.size].astype(np.float32)
    far = np.roll(0.5 * far / np.abs(far).max(), 50)  # a metre farther
    assert not listen(recorded(wave, far + noise(wave, 0.002, 1)))[1]


def test_a_channel_that_is_not_there_is_named() -> None:
    data = recorded(voice(150, 1, 0))
    assert listen(data, "left")[0].size == RATE
    with pytest.raises(AudioError, match=r"^upload: has 1 channel, and no channel right\."):
        listen(data, "right")


def test_channels_have_names() -> None:
    assert channel_names(1) == ("mono",) and channel_names(2) == ("left", "right")
    assert channel_names(3) == ("1", "2", "3")
    assert named("a.wav", "left") == "a.wav [left]" and named("a.wav", "mono") == "a.wav"
    with pytest.raises(ConfigError, match=r"channel: 'middle'; expected mix, left, right, each\."):
        check_channel("middle")
