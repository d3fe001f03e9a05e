"""Level, noise, pitch, speaking rate and clipping of sounds whose answers are known."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from emelia.audio import analysis, decode

RATE = 16_000
Wave = NDArray[np.float32]


def sine(hz: float, seconds: float = 1.0, amplitude: float = 0.5, rate: int = RATE) -> Wave:
    time = np.arange(round(seconds * rate)) / rate
    return np.float32(amplitude * np.sin(2 * np.pi * hz * time))


def buzz(hz: float, seconds: float) -> Wave:
    """Harmonics of a steady voice."""
    return np.float32(sum(sine(k * hz, seconds, 0.3 / k) for k in range(1, 15)))


def noise(seconds: float, deviation: float) -> Wave:
    return np.float32(deviation * np.random.default_rng(0).standard_normal(round(seconds * RATE)))


def syllables(rate: float, seconds: float = 3.0) -> Wave:
    """A voice that swells and fades `rate` times a second."""
    swell = 0.5 - 0.5 * np.cos(2 * np.pi * rate * np.arange(round(seconds * RATE)) / RATE)
    return np.float32(swell * buzz(150, seconds))


def speaking_rate(wave: Wave) -> float:
    return analysis.speaking_rate(wave, RATE, np.isfinite(analysis.pitch(wave, RATE)))


@pytest.mark.parametrize("amplitude", [1.0, 0.1, 0.001])
def test_the_level_of_a_sine_is_3_db_below_its_peak(amplitude: float) -> None:
    expected = 20 * math.log10(amplitude) - 10 * math.log10(2)
    assert analysis.level(sine(200, amplitude=amplitude)) == pytest.approx(expected, abs=0.01)


def test_an_offset_is_no_level() -> None:
    assert analysis.level(sine(200) + np.float32(0.3)) == pytest.approx(-9.03, abs=0.01)
    assert analysis.level(np.full(16_000, 0.3, np.float32)) == -math.inf
    assert analysis.level(np.zeros(16_000, np.float32)) == -math.inf


def test_power_is_the_variance_around_each_frame() -> None:
    wave = noise(0.5, 0.1) + np.float32(0.2)
    powers = analysis.power(wave, RATE)
    assert powers.shape == (51,)
    assert powers[20] == pytest.approx(wave[3200 - 256 : 3200 + 256].var(dtype=np.float64))
    assert powers[0] == pytest.approx(wave[:256].var(dtype=np.float64))


@pytest.mark.parametrize("decibels", [10, 20, 30, 40, 50, 60])
def test_the_snr_of_a_mixture_is_found_to_1_db(decibels: float) -> None:
    speech = buzz(150, 4.0) * (np.sin(2 * np.pi * 0.5 * np.arange(4 * RATE) / RATE) > 0)
    power = float(np.square(speech[speech != 0]).mean())
    mixture = speech + noise(4.0, math.sqrt(power / 10 ** (decibels / 10)))
    assert analysis.snr(analysis.power(np.float32(mixture), RATE)) == pytest.approx(decibels, abs=1)


def test_the_snr_has_limits() -> None:
    silence = np.zeros(RATE, np.float32)
    assert math.isnan(analysis.snr(analysis.power(silence, RATE)))
    assert analysis.snr(analysis.power(sine(200, 2.0), RATE)) < 1  # nothing to tell it from
    pauses = np.concatenate([sine(200), silence])  # digital silence is no background
    assert analysis.snr(analysis.power(pauses, RATE)) >= 0


def test_what_sounds_is_told_from_pauses_and_background() -> None:
    wave = np.concatenate([np.zeros(RATE), sine(200, 1.0), np.zeros(2 * RATE)]) + noise(4.0, 0.002)
    heard = analysis.sounding(analysis.power(np.float32(wave), RATE))
    assert heard.sum() * analysis.HOP == pytest.approx(1.0, abs=0.05)
    assert heard[105:195].all()
    assert analysis.sounding(analysis.power(sine(200), RATE)).all()


@pytest.mark.parametrize("hz", [80.0, 110.0, 220.0, 440.0, 550.0])
@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
def test_the_pitch_of_a_tone_is_its_frequency(hz: float, rate: int) -> None:
    found = analysis.pitch(sine(hz, rate=rate), rate)
    assert found.shape == (1 + rate // round(0.01 * rate),)
    assert np.isfinite(found).mean() > 0.9
    assert np.nanmedian(found) == pytest.approx(hz, rel=0.01)


def test_the_pitch_of_a_voice_is_its_fundamental_and_follows_it() -> None:
    time = np.arange(2 * RATE) / RATE
    hertz = 150 + 50 * time
    phase = 2 * np.pi * np.cumsum(hertz) / RATE
    found = analysis.pitch(np.float32(sum(0.2 * np.sin(k * phase) / k for k in range(1, 10))), RATE)
    frames = np.arange(20, 180)
    np.testing.assert_allclose(found[frames], 150 + 50 * 0.01 * frames, rtol=0.03)


def test_noise_and_silence_have_no_pitch() -> None:
    assert np.isnan(analysis.pitch(noise(2.0, 0.1), RATE)).all()
    assert np.isnan(analysis.pitch(np.zeros(RATE, np.float32), RATE)).all()


def test_pauses_between_words_have_no_pitch() -> None:
    wave = np.concatenate([buzz(200, 0.5), np.zeros(RATE // 2), buzz(200, 0.5)])
    voiced = np.isfinite(analysis.pitch(np.float32(wave + noise(1.5, 0.001)), RATE))
    assert voiced[5:45].all()
    assert not voiced[55:95].any()


def test_the_pitch_does_not_depend_on_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    wave = syllables(3.0)
    whole = analysis.pitch(wave, RATE)
    monkeypatch.setattr(analysis, "_BLOCK", 37)
    np.testing.assert_allclose(analysis.pitch(wave, RATE), whole)


@pytest.mark.parametrize("rate", [2.0, 4.0, 6.0])
def test_pulses_are_counted_as_syllables(rate: float) -> None:
    assert speaking_rate(syllables(rate)) == pytest.approx(rate, rel=0.1)


def test_silence_around_speech_does_not_slow_it() -> None:
    silence = np.zeros(2 * RATE, np.float32)
    padded = np.concatenate([silence, syllables(4.0), silence])
    assert speaking_rate(padded) == pytest.approx(speaking_rate(syllables(4.0)), rel=0.05)
    assert math.isnan(speaking_rate(silence))


def test_voiceless_peaks_are_no_syllables() -> None:
    hiss = noise(3.0, 0.2) * np.abs(syllables(4.0))
    assert speaking_rate(np.float32(hiss)) == 0


def test_a_clipped_sine_is_found_at_any_level() -> None:
    for ceiling in (1.0, 0.2):
        wave = np.clip(1.5 * sine(200, amplitude=1.0), -1, 1) * np.float32(ceiling)
        expected = np.mean(np.abs(np.sin(2 * np.pi * 200 * np.arange(RATE) / RATE)) >= 1 / 1.5)
        assert analysis.clipped(wave) == pytest.approx(expected * RATE, rel=0.05)


def test_what_is_not_clipped_is_not_called_so() -> None:
    assert analysis.clipped(sine(200)) == 0
    assert analysis.clipped(np.float32(np.round(sine(200) * 32768) / 32768)) == 0
    faint = sine(50, amplitude=0.002) + noise(1.0, 0.00005)
    assert analysis.clipped(np.float32(np.round(faint * 32768) / 32768)) == 0
    assert analysis.clipped(np.float32(np.round(sine(50, amplitude=0.002) * 32768) / 32768)) == 0
    assert analysis.clipped(noise(2.0, 0.1)) == 0
    assert analysis.clipped(np.full(RATE, 0.5, np.float32)) == 0
    assert analysis.clipped(np.zeros(RATE, np.float32)) == 0


@pytest.mark.parametrize("samples", [1, 2, 100, 600])
def test_very_short_recordings_have_figures_too(samples: int) -> None:
    wave = sine(300)[:samples]
    powers = analysis.power(wave, RATE)
    pitch = analysis.pitch(wave, RATE)
    assert powers.shape == pitch.shape == (1 + samples // 160,)
    assert np.isnan(pitch).all()  # too short for a voice
    assert analysis.clipped(wave) == 0
    analysis.snr(powers)
    analysis.speaking_rate(wave, RATE, np.isfinite(pitch))


def test_most_of_a_known_recording_is_silence(corpora: Callable[[str], Path]) -> None:
    wave, rate = decode(corpora("aesdd") / "sadness" / "s19 (6).flac")
    heard = analysis.sounding(analysis.power(wave, rate))
    assert wave.size / rate > 12
    assert heard.mean() < 0.3
    assert not heard[:500].any()  # five seconds of nothing
