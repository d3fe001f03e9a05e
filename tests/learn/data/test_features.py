"""The front end is librosa's, alone and in a batch, and knows what silence looks like."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import pytest
import scipy.fft
import torch
from numpy.typing import NDArray

from emelia.audio import preprocess_audio
from emelia.audio.mel import empty_bands, mel_filters
from emelia.config import PRESETS, SAMPLE_RATE, FeatureConfig
from emelia.learn.data.features import FrontEnd, dct

Array = NDArray[Any]
RAW = {name: replace(config, standardise="none") for name, config in PRESETS.items()}
SPEECH = (  # the first, a long and a short one of AESDD, a folder per emotion
    "anger/a01 (1)",
    "sadness/s19 (2)",
    "fear/f07 (5)",
)


pytestmark = pytest.mark.usefixtures("one_thread")


def run(
    config: FeatureConfig, waves: list[Array], dtype: torch.dtype = torch.float32
) -> tuple[Array, list[int], Array]:
    """Spectrograms (B, M, F), numbers of frames and silent frames (B, M) of a padded batch."""
    batch = torch.zeros(len(waves), max(len(w) for w in waves), dtype=dtype)
    for row, wave in zip(batch, waves, strict=True):
        row[: len(wave)] = torch.from_numpy(wave)
    front_end = FrontEnd(config, dtype)
    spec, frames, silence = front_end(batch, torch.tensor([len(w) for w in waves]))
    return spec.numpy(), frames.tolist(), silence.numpy()


def one(config: FeatureConfig, wave: Array, dtype: torch.dtype = torch.float32) -> Array:
    """The spectrogram (M, F) of one clip."""
    return run(config, [wave], dtype)[0][0]


def mel_by_librosa(config: FeatureConfig, wave: Array, power: float = 2.0) -> Array:
    return librosa.feature.melspectrogram(
        y=wave,
        sr=SAMPLE_RATE,
        n_fft=config.n_fft,
        win_length=config.window,
        hop_length=config.hop,
        n_mels=config.mels,
        fmin=config.fmin,
        fmax=config.fmax,
        power=power,
    )


def by_librosa(config: FeatureConfig, wave: Array) -> Array:
    if config.kind == "pcen":
        return pcen_by_librosa(config, wave)
    mel = mel_by_librosa(config, wave)
    if config.scale == "whisper":
        return (librosa.power_to_db(mel, top_db=config.top_db) / 10 + 4) / 4
    if config.kind == "logmel":
        return librosa.power_to_db(mel, ref=np.max, top_db=config.top_db)
    return librosa.feature.mfcc(
        S=librosa.power_to_db(mel, top_db=config.top_db), n_mfcc=config.mfccs
    )


def pcen_by_librosa(config: FeatureConfig, wave: Array) -> Array:
    loud = mel_by_librosa(config, wave, power=1.0) * 2**31
    # librosa's smoother begins as after a steady 1; ours as after a steady first frame.
    begin = (1 - smoother(config)) * loud[:, :1].astype(np.float64)
    return librosa.pcen(loud, sr=SAMPLE_RATE, hop_length=config.hop, zi=begin)


def smoother(config: FeatureConfig) -> float:
    """What a frame counts."""
    t = 0.4 * SAMPLE_RATE / config.hop
    return float((np.sqrt(1 + 4 * t**2) - 1) / (2 * t**2))


def assert_equals_librosa(config: FeatureConfig, wave: Array) -> None:
    single, double = wave.astype(np.float32), wave.astype(np.float64)
    np.testing.assert_allclose(
        one(config, single), by_librosa(config, single), rtol=0, atol=5e-3
    )  # dB
    exact = one(config, double, torch.float64)
    np.testing.assert_allclose(exact, by_librosa(config, double), rtol=0, atol=1e-6)


@pytest.fixture(scope="module")
def speech(corpora: Callable[[str], Path]) -> list[Array]:
    """Real speech, as the recipes prepare it."""
    folder = corpora("aesdd")
    found = [next(folder.glob(f"{name}.*")) for name in SPEECH]
    return [preprocess_audio(path)[0] for path in found]


# librosa


@pytest.mark.parametrize("name", PRESETS)
def test_real_speech_looks_as_in_librosa(name: str, speech: list[Array]) -> None:
    for wave in speech:
        assert_equals_librosa(RAW[name], wave)


@pytest.mark.filterwarnings("ignore:n_fft=.* is too large")
@pytest.mark.parametrize("name", PRESETS)
def test_a_voice_looks_as_in_librosa(name: str, wave: Array) -> None:
    for sound in (wave, wave[:12_345], 0.01 * wave, wave[:700], np.r_[wave, np.zeros(9000)]):
        assert_equals_librosa(RAW[name], sound)


@pytest.mark.parametrize(
    "changes",
    [
        {"fmin": 60.0, "fmax": 7600.0},
        {"fmin": 1200.0},
        {"top_db": 40.0},
        {"hop": 161, "window": 399, "n_fft": 512, "mels": 40},
        {"n_fft": 1023, "window": 800},
        {"kind": "mfcc", "mfccs": 13, "mels": 40, "top_db": 60.0},
        {"kind": "pcen", "mels": 40, "hop": 300},
    ],
)
def test_other_settings_look_as_in_librosa(changes: dict[str, Any], wave: Array) -> None:
    assert_equals_librosa(replace(RAW["founding"], **changes), wave)


def test_mfccs_are_those_librosa_makes_from_the_waveform(wave: Array) -> None:
    expected = librosa.feature.mfcc(
        y=wave, sr=SAMPLE_RATE, n_mfcc=40, n_fft=2048, hop_length=512, n_mels=128, fmax=8000
    )
    np.testing.assert_allclose(one(RAW["mfcc"], wave), expected, rtol=0, atol=5e-3)


@pytest.mark.parametrize(
    "config",
    [
        *PRESETS.values(),
        FeatureConfig(fmin=50.0, fmax=7000.0),
        FeatureConfig(fmin=1500.0, mels=40),
        FeatureConfig(n_fft=1023, window=1023, mels=40),
    ],
)
def test_mel_filters_are_those_of_librosa(config: FeatureConfig) -> None:
    expected = librosa.filters.mel(
        sr=SAMPLE_RATE, n_fft=config.n_fft, n_mels=config.mels, fmin=config.fmin, fmax=config.fmax
    )
    ours = mel_filters(config)
    assert ours.shape == expected.shape == (config.mels, config.n_fft // 2 + 1)
    np.testing.assert_allclose(ours, expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(("coefficients", "bands"), [(20, 128), (40, 128), (13, 13), (1, 5)])
def test_the_dct_is_that_of_scipy(coefficients: int, bands: int) -> None:
    expected = scipy.fft.dct(np.eye(bands), axis=0, type=2, norm="ortho")[:coefficients]
    np.testing.assert_allclose(dct(coefficients, bands), expected, atol=1e-14)


def test_the_dct_keeps_angles_and_lengths() -> None:
    np.testing.assert_allclose(dct(64, 64) @ dct(64, 64).T, np.eye(64), atol=1e-13)


# Shapes and batches


@pytest.mark.parametrize("name", PRESETS)
def test_a_front_end_knows_its_bands_and_frames(name: str, wave: Array) -> None:
    front_end, config = FrontEnd(PRESETS[name]), PRESETS[name]
    spec = one(config, wave)
    assert front_end.bands == (40 if name == "mfcc" else config.mels)
    assert spec.shape == (front_end.bands, 1 + len(wave) // config.hop)
    assert front_end.frames(torch.tensor([1, config.hop - 1, config.hop])).tolist() == [1, 1, 2]


@pytest.mark.parametrize("standardise", ["none", "clip", "band"])
@pytest.mark.parametrize("name", PRESETS)
def test_a_clip_has_the_same_features_alone_and_in_a_batch(
    name: str, standardise: Any, wave: Array
) -> None:
    config = replace(PRESETS[name], standardise=standardise)
    clips = [wave, 0.03 * wave[5_000:18_001], wave[3000:3100], wave[9_000:20_240]]
    specs, frames, silences = run(config, clips)
    for clip, spec, count, silence in zip(clips, specs, frames, silences, strict=True):
        (alone,), (lone_count,), (lone_silence,) = run(config, [clip])
        assert count == lone_count == alone.shape[1]
        np.testing.assert_allclose(spec[:, :count], alone, rtol=1e-4, atol=1e-3)
        np.testing.assert_allclose(silence, lone_silence, rtol=1e-4, atol=1e-3)
        assert (spec[:, count:] == silence[:, None]).all()


@pytest.mark.parametrize("name", PRESETS)
def test_a_clip_that_ends_loudly_is_silent_past_its_end(name: str, wave: Array) -> None:
    hop = PRESETS[name].hop
    clip = (0.01 * wave[: 21 * hop - 1]).astype(np.float32)
    clip[-1] = 1.0  # loudest in the frame that the clip just does not have
    specs, frames, _ = run(RAW[name], [clip, wave])
    np.testing.assert_allclose(specs[0][:, : frames[0]], one(RAW[name], clip), atol=1e-3)


def test_the_batch_decides_nothing_in_double_precision(wave: Array) -> None:
    clips = [w.astype(np.float64) for w in (wave, wave[700:9_999])]
    for name in PRESETS:
        specs, frames, _ = run(PRESETS[name], clips, torch.float64)
        for clip, spec, count in zip(clips, specs, frames, strict=True):
            alone = one(PRESETS[name], clip, torch.float64)
            np.testing.assert_allclose(spec[:, :count], alone, rtol=0, atol=1e-9)


# Silence


@pytest.mark.parametrize("gain", [1.0, 1e-3, 1e-5])
@pytest.mark.parametrize("standardise", ["none", "clip", "band"])
@pytest.mark.parametrize("name", PRESETS)
def test_silence_is_what_a_silent_tail_looks_like(
    name: str, standardise: Any, gain: float, wave: Array
) -> None:
    config = replace(PRESETS[name], standardise=standardise)
    clip = np.r_[gain * wave, np.zeros(8_000, np.float32)].astype(np.float32)
    (spec,), _, (silence,) = run(config, [clip])
    np.testing.assert_allclose(spec[:, -1], silence, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("name", ["founding", "speech-64", "speech-80"])
def test_silence_is_the_lowest_level_of_a_loud_clip(name: str, wave: Array) -> None:
    (spec,), _, (silence,) = run(RAW[name], [wave])
    assert (silence == -80.0).all()
    assert spec.min() >= -80.0
    assert spec.max() == 0.0


# Standardising


def test_a_clip_is_brought_to_mean_0_and_deviation_1(wave: Array) -> None:
    spec, raw = one(FeatureConfig(), wave), one(RAW["founding"], wave)
    assert spec.mean() == pytest.approx(0, abs=1e-5)
    assert spec.std() == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(spec, (raw - raw.mean()) / raw.std(), atol=1e-4)


def test_each_band_is_brought_to_mean_0_and_deviation_1(wave: Array) -> None:
    config = FeatureConfig(standardise="band")
    spec, raw = one(config, wave), one(RAW["founding"], wave)
    np.testing.assert_allclose(spec.mean(1), 0, atol=1e-4)
    np.testing.assert_allclose(spec.std(1), 1, atol=1e-4)
    deviation = raw.std(1, keepdims=True)
    np.testing.assert_allclose(spec, (raw - raw.mean(1, keepdims=True)) / deviation, atol=1e-3)


@pytest.mark.parametrize("standardise", ["clip", "band"])
def test_loudness_does_not_matter_once_standardised(standardise: Any, wave: Array) -> None:
    config = FeatureConfig(standardise=standardise)
    np.testing.assert_allclose(one(config, wave), one(config, wave / 4), atol=1e-3)


# Odd clips


@pytest.mark.parametrize("standardise", ["none", "clip", "band"])
@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize(
    "clip",
    [
        np.zeros(1),
        np.zeros(16_000),
        np.ones(1),
        np.ones(16_000),
        np.full(16_000, 1e-30),
        np.eye(1, 200)[0],
        np.sin(np.arange(100)),
        np.sin(np.arange(511)),
    ],
    ids=["1 zero", "zeros", "1 one", "ones", "denormal", "click", "100 samples", "511 samples"],
)
def test_odd_clips_give_numbers_of_usual_size(name: str, standardise: Any, clip: Array) -> None:
    config = replace(PRESETS[name], standardise=standardise)
    (spec,), _, (silence,) = run(config, [clip.astype(np.float32)])
    largest = 3000 if name == "mfcc" else 800  # coefficient 0 is sqrt(128) times the mean in dB
    assert np.isfinite(spec).all()
    assert np.abs(spec).max() < largest
    assert np.abs(silence).max() < largest


@pytest.mark.parametrize("standardise", ["clip", "band"])
@pytest.mark.parametrize("name", PRESETS)
def test_a_silent_clip_is_zero_once_standardised(name: str, standardise: Any) -> None:
    config = replace(PRESETS[name], standardise=standardise)
    (spec,), _, (silence,) = run(config, [np.zeros(16_000, np.float32)])
    if not (name == "mfcc" and standardise == "clip"):  # there, coefficient 0 stands out
        np.testing.assert_allclose(spec, 0, atol=1e-3)
    # Coefficient 0 is near -1000, and its rounding, which differs from processor to processor, is
    # divided by no deviation: there alone the bound is wider.
    bounds = np.full(len(silence), 1e-3)
    bounds[0] = 5e-3 if (name, standardise) == ("mfcc", "band") else 1e-3
    assert (np.abs(silence - spec[:, 0]) <= bounds).all()


# A module


def test_a_front_end_has_nothing_to_learn_and_keeps_its_tables() -> None:
    front_end = FrontEnd(FeatureConfig())
    assert not list(front_end.parameters())
    assert set(front_end.state_dict()) == {"window", "filters", "dct", "past"}


def test_gradients_reach_the_waveform(wave: Array) -> None:
    sound = torch.from_numpy(wave)[None].requires_grad_()
    spec, _, _ = FrontEnd(FeatureConfig())(sound, torch.tensor([len(wave)]))
    spec.square().mean().backward()
    assert sound.grad is not None
    assert torch.isfinite(sound.grad).all()


@pytest.mark.parametrize(
    ("mels", "n_fft", "fmin", "fmax"),
    [
        (512, 512, 0.0, 8000.0),
        (256, 400, 0.0, 8000.0),
        (128, 2048, 0.0, 8000.0),
        (80, 256, 60.0, 4e3),
    ],
)
def test_empty_mel_bands_are_those_of_librosa(
    mels: int, n_fft: int, fmin: float, fmax: float
) -> None:
    import librosa

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        bank = librosa.filters.mel(sr=16_000, n_fft=n_fft, n_mels=mels, fmin=fmin, fmax=fmax)
    config = FeatureConfig(mels=mels, n_fft=n_fft, window=n_fft, fmin=fmin, fmax=fmax)
    assert empty_bands(config) == int((bank.max(axis=1) == 0).sum())
