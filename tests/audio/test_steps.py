"""Every step changes a waveform as its name says, and preprocess_audio is the published one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from emelia import audio
from emelia.audio import decode
from emelia.config import AudioConfig
from emelia.errors import AudioError, ConfigError

RATE = 16_000  # Hz
Wave = NDArray[np.float32]


def decibels(signal: np.ndarray, other: np.ndarray) -> float:
    """Energy of one over energy of the other, in dB."""
    powers = [float(np.square(x, dtype=np.float64).sum()) for x in (signal, other)]
    return 10 * np.log10(powers[0] / powers[1])


def noisy_speech(wave: Wave, snr_db: float) -> tuple[Wave, Wave]:
    """The wave with white noise added, and the noise."""
    noise = np.random.default_rng(1).standard_normal(len(wave))
    noise *= 10 ** (-(snr_db + decibels(noise, wave)) / 20)
    return (wave + noise).astype(np.float32), noise.astype(np.float32)


# The founding document's preprocessing. librosa's other reader imports modules that Python retires.

retired = pytest.mark.filterwarnings("ignore:.* slated for removal in Python:DeprecationWarning")


def founding_document(path: Path) -> tuple[Wave, int]:
    """The published code, word for word but for its names."""
    import librosa

    sound, rate = librosa.load(path, sr=16000)
    sound = sound - np.mean(sound)
    return librosa.util.normalize(sound), rate


@retired
@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100, 48_000])
def test_preprocess_audio_is_the_founding_document_s(wave: Wave, tmp_path: Path, rate: int) -> None:
    stereo = np.stack([wave + 0.01, 0.3 * np.roll(wave, 50)], axis=1)[:-3]
    soundfile.write(tmp_path / "clip.wav", stereo, rate)
    same_as_founding_document(tmp_path / "clip.wav")


@retired
def test_preprocess_audio_is_the_founding_document_s_on_real_speech(
    corpora: Callable[[str], Path], tmp_path: Path
) -> None:
    for path in sorted(corpora("aesdd").glob("*/?07 (*).flac"))[::6]:
        same_as_founding_document(path)
        soundfile.write(tmp_path / "clip.wav", soundfile.read(path)[0], 44_100)
        same_as_founding_document(tmp_path / "clip.wav")


def same_as_founding_document(path: Path) -> None:
    want, want_rate = founding_document(path)
    got, rate = audio.preprocess_audio(path)
    assert rate == want_rate == RATE and got.dtype == want.dtype == np.float32
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-6)
    assert audio.preprocess_audio(str(path))[0].tobytes() == got.tobytes()


def test_preprocess_audio_leaves_silence_silent(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "silence.wav", np.zeros(4000), 8000)
    got, rate = audio.preprocess_audio(tmp_path / "silence.wav")
    assert rate == RATE and got.shape == (8000,) and not got.any()


# The steps


def test_resampling_keeps_a_tone_and_drops_what_the_new_rate_cannot_hold() -> None:
    time = np.arange(44_100) / 44_100
    low, high = (np.sin(2 * np.pi * hz * time).astype(np.float32) for hz in (440, 10_000))
    heard = audio.resample(low + high, 44_100)
    want = np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)
    assert heard.shape == (RATE,) and heard.dtype == np.float32
    assert decibels(want[800:-800], (heard - want)[800:-800]) > 60


def test_resampling_gives_as_many_samples_as_librosa() -> None:
    for rate, size in [(44_100, 1), (44_100, 2), (44_100, 1001), (8_000, 7), (48_000, 4)]:
        heard = audio.resample(np.ones(size, np.float32), rate)
        assert heard.shape == (-(-size * RATE // rate),)


def test_remove_dc_leaves_mean_zero(wave: Wave) -> None:
    heard = audio.remove_dc(wave + np.float32(0.3))
    assert abs(heard.mean(dtype=np.float64)) < 1e-7
    np.testing.assert_allclose(heard, wave - wave.mean(), atol=1e-6)


def test_normalise_peak_brings_the_largest_sample_to_one(wave: Wave) -> None:
    heard = audio.normalise_peak(wave * np.float32(1e-3))
    assert np.abs(heard).max() == 1 and np.corrcoef(heard, wave)[0, 1] > 0.999_999


def test_normalise_loudness_reaches_the_target_of_the_standard(wave: Wave) -> None:
    from pyloudnorm import Meter

    for target in (-23.0, -35.0):
        for gain in (1e-4, 0.1, 2.0):  # the first is quieter than the absolute gate
            heard = audio.normalise_loudness(wave * np.float32(gain), RATE, target)
            assert abs(Meter(RATE).integrated_loudness(heard.astype(float)) - target) < 0.05


def test_normalise_loudness_knows_the_reference_tone_of_the_standard() -> None:
    """BS.1770: a full-scale sine of 997 Hz in one channel measures -3.01 LUFS."""
    tone = np.sin(2 * np.pi * 997 * np.arange(3 * 48_000) / 48_000).astype(np.float32)
    heard = audio.normalise_loudness(tone, 48_000, lufs=-23.01)
    assert abs(20 * np.log10(np.abs(heard).max()) + 20) < 0.05


def test_normalise_loudness_never_clips() -> None:
    click = np.zeros(RATE, np.float32)
    click[5000] = 0.2
    assert np.abs(audio.normalise_loudness(click, RATE, lufs=-10)).max() == 1


def test_a_short_clip_is_levelled_as_a_long_one_of_the_same_sound() -> None:
    tone = 0.5 * np.sin(2 * np.pi * 500 * np.arange(RATE) / RATE).astype(np.float32)
    peaks = [np.abs(audio.normalise_loudness(tone[:n], RATE)).max() for n in (2000, RATE)]
    assert abs(20 * np.log10(peaks[0] / peaks[1])) < 0.3


def test_noise_reduction_raises_the_snr_and_keeps_the_speech(wave: Wave) -> None:
    for snr in (5, 10, 20):
        noisy, noise = noisy_speech(wave, snr)
        cleaned = audio.reduce_noise(noisy, RATE)
        speech = np.abs(wave) > 0.05
        pause = np.convolve(np.abs(wave) > 0.02, np.ones(1600), "same") == 0
        assert pause.sum() > RATE // 10
        assert cleaned.shape == wave.shape and cleaned.dtype == np.float32
        assert decibels(wave, cleaned - wave) > snr + 2
        assert abs(decibels(cleaned[speech], wave[speech])) < 1
        assert decibels(cleaned[pause], noise[pause]) < -15


def test_the_noise_profile_comes_from_the_pauses(wave: Wave) -> None:
    noisy, noise = noisy_speech(wave, 20)
    profile = audio.noise_profile(noisy, RATE)
    assert len(profile) >= RATE // 4
    assert abs(decibels(profile, noise[: len(profile)])) < 1
    spectrum = np.abs(np.fft.rfft(profile)) ** 2  # white, with no trace of the voice's harmonics
    assert 0.4 < spectrum[: len(spectrum) // 2].sum() / spectrum.sum() < 0.6


def test_the_joins_of_the_noise_profile_make_no_clicks() -> None:
    """Of slow hum, a hard join would leave steps that hold energy at high frequencies."""
    rng = np.random.default_rng(0)
    time = np.arange(4 * RATE) / RATE
    hum = (0.01 * np.sin(2 * np.pi * 37 * time)).astype(np.float32)
    loud = rng.uniform(-0.5, 0.5, len(hum)) * (np.arange(len(hum)) // 1024 % 2)  # every other 64 ms
    profile = audio.noise_profile((hum + loud).astype(np.float32), RATE)
    assert np.abs(np.diff(profile)).max() < 3 * np.abs(np.diff(hum)).max()


def test_the_noise_profile_passes_over_digital_silence(wave: Wave) -> None:
    noisy, noise = noisy_speech(wave, 20)
    muted = np.concatenate([np.zeros(RATE, np.float32), noisy, np.zeros(RATE, np.float32)])
    np.testing.assert_allclose(
        decibels(audio.noise_profile(muted, RATE), noise[:4000]),
        decibels(audio.noise_profile(noisy, RATE), noise[:4000]),
        atol=0.5,
    )


def test_clips_with_nothing_to_learn_noise_from_pass_unchanged(wave: Wave) -> None:
    for sound in (wave[:0], wave[:100], wave[: RATE // 2], np.zeros(RATE, np.float32)):
        np.testing.assert_array_equal(audio.reduce_noise(sound, RATE), sound)


def test_noise_reduction_gives_the_same_bytes_every_time(wave: Wave) -> None:
    noisy, _ = noisy_speech(np.tile(wave, 20), 10)  # longer than one chunk of the gate
    assert audio.reduce_noise(noisy, RATE).tobytes() == audio.reduce_noise(noisy, RATE).tobytes()


def test_noise_reduction_works_at_other_rates(wave: Wave) -> None:
    for rate in (8_000, 22_050, 48_000):
        noisy, _ = noisy_speech(audio.resample(wave, RATE, rate), 10)
        assert decibels(audio.reduce_noise(noisy, rate), noisy) < -0.1


def test_trimming_cuts_silence_at_both_ends_and_nothing_between(wave: Wave) -> None:
    faint = 1e-4 * np.random.default_rng(0).standard_normal(RATE).astype(np.float32)
    voice = wave[2000:20_000]
    gap = np.zeros(RATE // 2, np.float32)
    heard = audio.trim_silence(np.concatenate([faint, voice, gap, voice, faint]), RATE, 40.0)
    whole = 2 * len(voice) + len(gap)
    assert abs(len(heard) - whole) < 0.12 * RATE
    assert abs(decibels(heard, np.concatenate([voice, voice]))) < 0.05


def test_trimming_keeps_at_least_the_loudest_frame(wave: Wave) -> None:
    assert 0 < len(audio.trim_silence(wave, RATE, 1e-6)) <= 2 * RATE
    for silent in (np.zeros(1000, np.float32), np.zeros(1, np.float32)):
        np.testing.assert_array_equal(audio.trim_silence(silent, RATE, 30), silent)


@pytest.mark.parametrize("below_db", [0.0, -3.0, float("nan")])
def test_trimming_above_the_peak_is_refused(wave: Wave, below_db: float) -> None:
    with pytest.raises(ConfigError, match="expected decibels below the peak, above 0"):
        audio.trim_silence(wave, RATE, below_db)


STEPS: dict[str, Callable[[Wave], Wave]] = {
    "resample": lambda wave: audio.resample(wave, 44_100),
    "same rate": lambda wave: audio.resample(wave, RATE),
    "remove_dc": audio.remove_dc,
    "normalise_peak": audio.normalise_peak,
    "normalise_loudness": lambda wave: audio.normalise_loudness(wave, RATE),
    "reduce_noise": lambda wave: audio.reduce_noise(wave, RATE),
    "trim_silence": lambda wave: audio.trim_silence(wave, RATE, 30),
    "prepare": lambda wave: audio.prepare(wave, RATE, AudioConfig(False, "none", 0.0, "none")),
}


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_a_step_makes_a_new_waveform_and_leaves_the_old_one(
    wave: Wave, step: Callable[[Wave], Wave]
) -> None:
    before = wave.copy()
    heard = step(wave)
    assert heard.dtype == np.float32 and heard.ndim == 1
    assert not np.shares_memory(heard, wave)
    np.testing.assert_array_equal(wave, before)


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)
def test_a_step_leaves_silence_silent(step: Callable[[Wave], Wave]) -> None:
    heard = step(np.zeros(20_000, np.float32))
    assert heard.size and not heard.any()


def test_prepare_takes_the_steps_in_order(wave: Wave) -> None:
    noisy, _ = noisy_speech(audio.resample(wave, RATE, 44_100), 30)
    want = audio.remove_dc(audio.resample(noisy, 44_100))
    want = audio.trim_silence(audio.reduce_noise(want, RATE), RATE, 30)
    loud = audio.prepare(noisy, 44_100, AudioConfig(True, "quiet", 30.0, "loudness"))
    np.testing.assert_array_equal(loud, audio.normalise_loudness(want, RATE))
    peak = audio.prepare(noisy, 44_100, AudioConfig(True, "quiet", 30.0, "peak"))
    np.testing.assert_array_equal(peak, audio.normalise_peak(want))


@pytest.mark.parametrize("bad", [np.zeros((2, 100)), np.zeros(0), np.array([0.1, np.nan])])
def test_prepare_refuses_what_is_no_waveform(bad: np.ndarray) -> None:
    with pytest.raises(AudioError, match=r"expected finite samples of shape \(T,\)"):
        audio.prepare(bad, RATE, AudioConfig())


def test_prepare_works_on_every_kind_of_real_clip(corpora: Callable[[str], Path]) -> None:
    config = AudioConfig(denoise="quiet", trim_db=40.0)
    for path in [
        corpora("aesdd") / "sadness" / "s19 (6).flac",  # mostly silence
        *sorted(corpora("ravdess").rglob("03-01-02-01-01-01-09.*")),  # very quiet
        *sorted(corpora("nemo").rglob("*.o*"))[:2],
        *sorted(corpora("emodb").rglob("*.*a*"))[:2],
    ]:
        wave = audio.prepare(*decode(path), config)
        assert np.isfinite(wave).all() and np.abs(wave).max() == 1
