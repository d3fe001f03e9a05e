"""Artificial data: every method does what its numbers say, repeatably, and to copies only."""

from __future__ import annotations

import hashlib
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from emelia.audio import decode, prepare
from emelia.config import SAMPLE_RATE, AudioConfig, AugmentConfig, recipe_from
from emelia.errors import ConfigError, MissingExtraError
from emelia.learn.data import augment
from emelia.learn.data.augment import (
    add_noise,
    augment_wave,
    copies_per_clip,
    copy_seed,
    draw_changes,
    mask_spectrogram,
    mixup,
    place_in_room,
    shift_pitch,
    stretch_time,
)

Wave = NDArray[np.float32]
OFF = AugmentConfig(
    probability=1.0, noise_snr_db=(0, 0), pitch_semitones=(0, 0), stretch_rate=(1, 1)
)
ALL = AugmentConfig(probability=1.0, room=True)
MASKS = AugmentConfig(mask_probability=1.0)


def tone_of(hz: float = 220.0, seconds: float = 2.0) -> Wave:
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return (0.3 * np.sin(2 * np.pi * hz * time)).astype(np.float32)


def middle(wave: Wave) -> Wave:
    return wave[len(wave) // 4 : 3 * len(wave) // 4]


def pitch(wave: Wave) -> float:
    """The strongest frequency in Hz."""
    spectrum = np.abs(np.fft.rfft(middle(wave) * np.hanning(len(middle(wave))), 1 << 19))
    return float(spectrum.argmax() * SAMPLE_RATE / (1 << 19))


def power_db(wave: Wave) -> float:
    return float(10 * np.log10(np.mean(wave.astype(np.float64) ** 2)))


# Waveforms


@pytest.mark.parametrize("snr_db", [0.0, 15.0, 40.0])
@pytest.mark.parametrize("slope", [-3.0, -1.0, 0.0])
def test_noise_has_the_ratio_asked_for(wave: Wave, snr_db: float, slope: float) -> None:
    noise = add_noise(wave, snr_db, slope, seed=1) - wave
    assert power_db(wave) - power_db(noise) == pytest.approx(snr_db, abs=0.1)


def test_noise_falls_by_its_slope_over_the_octaves() -> None:
    carrier = tone_of(seconds=8.0)
    noise = add_noise(carrier, -40.0, -3.0, seed=1) - carrier  # loud, for the rounding of float32
    power, hertz = np.abs(np.fft.rfft(noise)) ** 2, np.fft.rfftfreq(len(noise), 1 / SAMPLE_RATE)
    levels = [10 * np.log10(power[(hertz >= f) & (hertz < 2 * f)].mean()) for f in (125, 500, 2000)]
    assert np.diff(levels) == pytest.approx([-6.0, -6.0], abs=1.5)  # two octaves each


def test_noise_is_drawn_at_a_ratio_inside_the_range(wave: Wave) -> None:
    config = replace(OFF, noise_snr_db=(15.0, 40.0))
    ratios = []
    for seed in range(40):
        noise = augment_wave(wave, config, seed) - wave
        ratios.append(power_db(wave) - power_db(noise))
    assert 14.9 < min(ratios) < 19 and 36 < max(ratios) < 40.1
    drawn = draw_changes(config, 39).snr_db
    assert drawn is not None and ratios[-1] == pytest.approx(drawn, abs=0.1)


@pytest.mark.parametrize("semitones", [-4.0, -1.3, 2.5, 4.0])
def test_pitch_moves_by_the_semitones_while_length_and_level_stay(semitones: float) -> None:
    shifted = shift_pitch(tone_of(), semitones)
    assert 12 * np.log2(pitch(shifted) / 220) == pytest.approx(semitones, abs=0.05)
    assert len(shifted) == len(tone_of())
    assert power_db(middle(shifted)) == pytest.approx(power_db(tone_of()), abs=0.3)


@pytest.mark.parametrize("rate", [0.85, 1.1, 1.15])
def test_stretching_changes_the_duration_by_the_rate_and_keeps_pitch_and_level(rate: float) -> None:
    stretched = stretch_time(tone_of(), rate)
    assert len(stretched) == pytest.approx(len(tone_of()) / rate, abs=1)
    assert pitch(stretched) == pytest.approx(220, abs=0.5)
    assert power_db(middle(stretched)) == pytest.approx(power_db(tone_of()), abs=0.1)


def test_pitch_shift_and_stretch_leave_onsets_in_their_place() -> None:
    burst = tone_of()
    burst[: SAMPLE_RATE // 2] = 0
    for changed, rate in [(shift_pitch(burst, -4.0), 1.0), (stretch_time(burst, 0.85), 0.85)]:
        onset = int(np.argmax(np.abs(changed) > 0.1)) * rate / SAMPLE_RATE
        assert onset == pytest.approx(0.5, abs=0.005)


def test_a_room_prolongs_sounds_but_keeps_length_and_power() -> None:
    click = np.zeros(SAMPLE_RATE, np.float32)
    click[4000] = 0.5
    wet = place_in_room(click, seed=3)
    assert len(wet) == len(click) and power_db(wet) == pytest.approx(power_db(click), abs=0.01)
    late = wet[4000 + 160 :]  # 10 ms after the click
    assert np.sum(late**2) > 0.02 * np.sum(wet**2)
    assert not np.array_equal(wet, place_in_room(click, seed=4))


def test_a_method_whose_range_has_equal_ends_is_off(wave: Wave) -> None:
    point = replace(OFF, noise_snr_db=(20, 20), pitch_semitones=(2, 2))
    assert all(np.array_equal(augment_wave(wave, point, seed), wave) for seed in range(5))


def test_each_method_is_chosen_with_its_probability_and_by_itself() -> None:
    config = AugmentConfig(room=True)
    drawn = [draw_changes(config, copy_seed("clip", copy, 0)) for copy in range(4000)]
    names = ("semitones", "rate", "snr_db", "room")
    chosen = np.array([[getattr(c, name) is not None for name in names] for c in drawn])
    assert chosen.mean(axis=0) == pytest.approx([0.6] * 4, abs=0.03)  # 4 standard errors
    assert np.abs(np.corrcoef(chosen.T) - np.eye(4)).max() < 0.07


def test_the_copies_of_a_clip_are_those_of_earlier_versions() -> None:
    # Results and cards name recipes by a digest, which must go on meaning the same copies.
    found = draw_changes(AugmentConfig(probability=1.0, room=True), 5)
    assert (found.room, found.noise_seed) == (2601331231, 3759938106)
    drawn = (found.semitones, found.rate, found.snr_db, found.noise_slope)
    assert drawn == pytest.approx((-0.234218534, 1.094961294, 27.932405572, -1.559954596))


def test_masks_drawn_by_the_same_seed_do_not_follow_the_waveform_methods() -> None:
    config = AugmentConfig(mask_probability=0.6)
    both = []
    for seed in range(1000):
        shown = mask_spectrogram(
            np.ones((80, 90), np.float32), config, np.random.default_rng(seed), 0
        )
        both.append((draw_changes(config, seed).semitones is not None, (shown == 0).all(1).any()))
    assert abs(np.corrcoef(np.array(both).T)[0, 1]) < 0.13


def test_switching_one_method_off_leaves_the_draws_of_the_others() -> None:
    with_pitch = draw_changes(ALL, seed=5)
    without = draw_changes(replace(ALL, pitch_semitones=(0, 0), room=False), seed=5)
    assert without == replace(with_pitch, semitones=None, room=None)


def test_a_copy_never_clips_and_is_finite() -> None:
    loud = tone_of(150) * np.float32(3.3)  # a peak of 0.99
    config = replace(ALL, noise_snr_db=(0, 5))
    for seed in range(10):
        copy = augment_wave(loud, config, seed)
        assert np.isfinite(copy).all() and copy.dtype == np.float32
        assert 0.1 < np.abs(copy).max() <= 1


def test_silence_stays_silence() -> None:
    copy = augment_wave(np.zeros(SAMPLE_RATE, np.float32), ALL, seed=0)
    assert len(copy) > 0 and not copy.any()


@pytest.mark.parametrize("samples", [0, 1, 5, 400, 1599])
def test_very_short_waves_pass_unharmed(samples: int) -> None:
    short = tone_of()[:samples]
    copy = augment_wave(short, ALL, seed=0)
    assert np.array_equal(copy, short) and copy is not short


@pytest.mark.parametrize("samples", [1600, 1777, 3200])
def test_short_words_survive_every_method(samples: int) -> None:
    for seed in range(5):
        copy = augment_wave(tone_of()[:samples], ALL, seed)
        assert np.isfinite(copy).all() and 0.8 * samples < len(copy) < 1.2 * samples
        assert power_db(copy) > -40


def test_the_original_is_never_changed(wave: Wave) -> None:
    before = wave.copy()
    for seed in range(3):
        copy = augment_wave(wave, ALL, seed)
        copy[:] = 0
    assert np.array_equal(wave, before)
    wave.setflags(write=False)
    assert not np.array_equal(augment_wave(wave, ALL, 0), wave)


def test_real_speech_survives_every_method(corpora: Callable[[str], Path]) -> None:
    paths = sorted(corpora("aesdd").rglob("a0[1-3]*"))[:3]
    assert len(paths) == 3
    for path in paths:
        wave = prepare(*decode(path), AudioConfig())
        for seed in range(2):
            copy = augment_wave(wave, ALL, seed)
            assert np.isfinite(copy).all() and 0.2 < np.abs(copy).max() <= 1
            assert 1 / 1.16 < len(copy) / len(wave) < 1 / 0.84


# Seeds


def test_a_copy_has_the_same_bytes_whatever_was_drawn_before(wave: Wave) -> None:
    first = augment_wave(wave, ALL, seed=7)
    random.seed(99)
    np.random.seed(99)
    augment_wave(wave[:9000], ALL, seed=8)
    np.random.normal(size=5)
    assert augment_wave(wave, ALL, seed=7).tobytes() == first.tobytes()
    assert augment_wave(wave, ALL, seed=8).tobytes() != first.tobytes()


def test_a_copy_has_the_same_bytes_in_another_process() -> None:
    script = (
        "import hashlib, numpy as np\n"
        "from emelia.config import recipe_from, AugmentConfig\n"
        "from emelia.learn.data.augment import augment_wave, copy_seed\n"
        "wave = np.sin(np.arange(16000) * 0.1).astype(np.float32) / 2\n"
        "config = AugmentConfig(probability=1.0, room=True)\n"
        "copy = augment_wave(wave, config, copy_seed('abc', 3, 0))\n"
        "print(hashlib.sha256(copy.tobytes()).hexdigest())\n"
    )
    source = str(Path(augment.__file__).parents[3])
    environment = {"PYTHONPATH": source, "PATH": "/usr/bin:/bin", "PYTHONHASHSEED": "5"}
    other = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    np.random.normal(size=11)
    wave = np.sin(np.arange(16000) * 0.1).astype(np.float32) / 2
    here = augment_wave(wave, ALL, copy_seed("abc", 3, 0))
    assert other.stdout.strip() == hashlib.sha256(here.tobytes()).hexdigest()


def test_the_global_generators_are_left_as_they_were(wave: Wave) -> None:
    random.seed(1)
    np.random.seed(1)
    torch.manual_seed(1)
    expected = random.random(), np.random.random(), torch.rand(1).item()
    random.seed(1)
    np.random.seed(1)
    torch.manual_seed(1)
    augment_wave(wave, ALL, seed=0)
    assert (random.random(), np.random.random(), torch.rand(1).item()) == expected


def test_the_global_generators_are_put_back_after_an_error(wave: Wave) -> None:
    np.random.seed(1)
    random.seed(1)
    before = random.getstate(), np.random.get_state()[1].tolist()

    def fail(samples: Wave, rate: int) -> Wave:
        raise RuntimeError(f"{len(samples)} at {rate}, drawn {random.random()}, {np.random.rand()}")

    with pytest.raises(RuntimeError):
        augment._call(fail, wave)
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before


def test_seeds_of_copies_are_stable_distinct_and_fit_64_bits() -> None:
    assert copy_seed("abc", 1, 0) == int(hashlib.sha256(b"abc/1/0").hexdigest()[:16], 16)
    seeds = {
        copy_seed(digest, copy, seed)
        for digest in ("abc", "abe", "a/1")
        for copy in range(20)
        for seed in range(5)
    }
    assert len(seeds) == 300
    assert all(0 <= seed < 2**64 for seed in seeds)


def test_a_missing_package_is_named_with_its_extra(
    wave: Wave, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "audiomentations", None)
    with pytest.raises(MissingExtraError, match=r"audiomentations.*emelia\[train\]"):
        add_noise(wave, 3.0, 0.0, 0)
    monkeypatch.setattr(augment, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pyroomacoustics.*emelia\[train\]"):
        place_in_room(wave, 0)


# Spectrograms


def spectrogram(bands: int = 64, frames: int = 120) -> NDArray[np.float32]:
    return np.random.default_rng(0).normal(3.0, 1.0, (bands, frames)).astype(np.float32)


def hidden(spec: NDArray[np.float32], masked: NDArray[np.float32]) -> tuple[list[int], list[int]]:
    """The rows and the columns that are masked as a whole."""
    changed = spec != masked
    return changed.all(1).nonzero()[0].tolist(), changed.all(0).nonzero()[0].tolist()


def test_masks_are_one_block_of_bands_and_one_of_frames_filled_with_silence() -> None:
    spec = spectrogram()
    widths = []
    for seed in range(200):
        masked = mask_spectrogram(spec, MASKS, np.random.default_rng(seed), silence=-2.5)
        rows, columns = hidden(spec, masked)
        assert rows == list(range(rows[0], rows[-1] + 1))
        assert columns == list(range(columns[0], columns[-1] + 1))
        inside = np.zeros_like(spec, dtype=bool)
        inside[rows], inside[:, columns] = True, True
        assert (masked[inside] == -2.5).all() and (masked[~inside] == spec[~inside]).all()
        widths.append((len(rows), len(columns)))
    (fewest, shortest), (most, longest) = np.min(widths, axis=0), np.max(widths, axis=0)
    assert (fewest, most) == (10, 30) and 10 <= shortest < 13 and 47 < longest <= 50


def test_masks_reach_every_band_and_frame() -> None:
    spec = spectrogram(40, 60)
    rng = np.random.default_rng(0)
    changed = np.zeros(spec.shape)
    for _ in range(300):
        changed += mask_spectrogram(spec, MASKS, rng, silence=-9.0) != spec
    assert (changed > 0).all()


def test_masks_hold_the_mean_where_asked() -> None:
    spec = spectrogram()
    config = replace(MASKS, mask_fill="mean")
    masked = mask_spectrogram(spec, config, np.random.default_rng(0), silence=-2.5)
    assert masked[masked != spec] == pytest.approx(spec.mean(), abs=1e-6)
    assert spec.mean() > 2  # the mean of this clip, not 0


def test_silence_may_differ_from_band_to_band() -> None:
    spec, silence = spectrogram(), np.linspace(-9, -8, 64, dtype=np.float32)
    masked = mask_spectrogram(spec, MASKS, np.random.default_rng(0), silence)
    where = masked != spec
    assert (masked[where] == np.broadcast_to(silence[:, None], spec.shape)[where]).all()
    assert len(hidden(spec, masked)[0]) >= 10 and len(hidden(spec, masked)[1]) >= 10


def test_each_mask_is_drawn_with_its_probability() -> None:
    spec, rng = spectrogram(), np.random.default_rng(0)
    config = replace(MASKS, mask_probability=0.6)
    seen = []
    for _ in range(2000):
        rows, columns = hidden(spec, mask_spectrogram(spec, config, rng, -2.5))
        seen.append((bool(rows), bool(columns)))
    assert np.mean(seen, axis=0) == pytest.approx([0.6, 0.6], abs=0.045)  # 4 standard errors
    assert np.mean(np.all(seen, axis=1)) == pytest.approx(0.36, abs=0.045)


@pytest.mark.parametrize(("bands", "frames"), [(64, 9), (7, 120), (1, 1), (2, 3), (64, 0)])
def test_a_mask_covers_half_at_most(bands: int, frames: int) -> None:
    spec = spectrogram(bands, frames)
    for seed in range(20):
        masked = mask_spectrogram(spec, MASKS, np.random.default_rng(seed), silence=-2.5)
        kept = masked == spec
        assert kept.any(1).sum() >= bands / 2 or frames == 0
        assert kept.any(0).sum() >= frames / 2


def test_masking_returns_a_copy_and_repeats_by_its_generator() -> None:
    spec = spectrogram()
    before = spec.copy()
    masked = mask_spectrogram(spec, MASKS, np.random.default_rng(4), silence=-2.5)
    assert np.array_equal(
        masked, mask_spectrogram(spec, MASKS, np.random.default_rng(4), silence=-2.5)
    )
    untouched = mask_spectrogram(spec, AugmentConfig(), np.random.default_rng(4), silence=-2.5)
    assert np.array_equal(untouched, spec)
    untouched[:] = 0
    assert np.array_equal(spec, before)


# Batches


def test_mixup_equals_a_computation_by_hand() -> None:
    inputs = torch.randn(4, 1, 3, 10, generator=torch.Generator().manual_seed(0))
    targets, lengths = torch.eye(5)[[0, 2, 2, 4]], torch.tensor([10, 4, 7, 5])
    mixed, blend, longer = mixup(inputs, targets, lengths, 0.4, np.random.default_rng(3))
    rng = np.random.default_rng(3)
    partner, share = rng.permutation(4), rng.beta(0.4, 0.4, 4)
    assert sorted(partner) != list(partner)
    for i, j in enumerate(partner):
        lam = float(share[i])
        assert torch.allclose(mixed[i], lam * inputs[i] + (1 - lam) * inputs[j], atol=1e-6)
        assert torch.allclose(blend[i], lam * targets[i] + (1 - lam) * targets[j], atol=1e-6)
        assert longer[i] == max(lengths[i], lengths[j])
    assert torch.allclose(blend.sum(1), torch.ones(4))
    assert mixed.dtype == blend.dtype == torch.float32 and longer.dtype == lengths.dtype


def test_mixup_draws_its_shares_from_the_beta_distribution() -> None:
    # One clip shows a 1 and is of its own class: its mixed value is its share.
    batch, alpha, shares = torch.eye(16)[:, None, None], 0.3, []
    rng = np.random.default_rng(0)
    for _ in range(300):
        mixed, _, _ = mixup(batch, torch.eye(16), torch.ones(16), alpha, rng)
        own = mixed[:, 0, 0].diagonal()
        shares += own[own < 1].tolist()  # a clip paired with itself stays
    assert np.mean(shares) == pytest.approx(0.5, abs=0.03)
    assert np.var(shares) == pytest.approx(1 / (4 * (2 * alpha + 1)), abs=0.01)


def test_mixup_of_clips_padded_with_their_silence_mixes_silence_past_the_end() -> None:
    inputs = torch.tensor([[[1.0, 1.0, 1.0, 1.0]], [[2.0, 2.0, -5.0, -5.0]]])
    rng = np.random.default_rng(3)  # swaps the two
    mixed, blend, lengths = mixup(inputs, torch.eye(2), torch.tensor([4, 2]), 1.0, rng)
    assert lengths.tolist() == [4, 4]
    share = blend[1, 1].item()
    assert 0 < share < 1
    assert mixed[1, 0].tolist() == pytest.approx(
        [share * 2 + 1 - share] * 2 + [share * -5 + 1 - share] * 2
    )


def test_mixup_leaves_its_inputs_alone_and_is_off_at_zero() -> None:
    inputs, targets, lengths = torch.rand(3, 1, 2, 4), torch.eye(3), torch.tensor([4, 2, 3])
    before = inputs.clone(), targets.clone(), lengths.clone()
    same = mixup(inputs, targets, lengths, 0.0, np.random.default_rng(0))
    mixup(inputs, targets, lengths, 0.4, np.random.default_rng(0))
    for given, kept, returned in zip((inputs, targets, lengths), before, same, strict=True):
        assert torch.equal(given, kept) and torch.equal(returned, kept)


# The artificial set


def per_class(labels: list[int], counts: list[int]) -> dict[int, int]:
    sums: Counter[int] = Counter()
    for label, count in zip(labels, counts, strict=True):
        sums[label] += count
    return dict(sums)


def test_every_clip_gets_the_same_number_of_copies() -> None:
    assert copies_per_clip([0, 1, 1, 2], AugmentConfig(copies=10)) == [10, 10, 10, 10]
    assert copies_per_clip([], AugmentConfig(copies=10, balanced=True)) == []


@pytest.mark.parametrize("copies", [1, 2, 10])
def test_a_balanced_set_has_exactly_as_many_of_each_class(copies: int) -> None:
    labels = [0] * 17 + [1] * 5 + [2] * 1 + [3] * 16
    random.Random(0).shuffle(labels)
    counts = copies_per_clip(labels, AugmentConfig(copies=copies, balanced=True))
    assert per_class(labels, counts) == dict.fromkeys(range(4), 17 * copies)
    assert min(counts) >= copies
    for label in range(4):
        own = [count for count, other in zip(counts, labels, strict=True) if other == label]
        assert max(own) - min(own) <= 1


def test_what_does_not_divide_evenly_is_spread_over_the_clips() -> None:
    counts = copies_per_clip([0] * 9 + [1] * 6, AugmentConfig(copies=1, balanced=True))
    assert counts == [1] * 9 + [1, 2, 1, 2, 1, 2]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"pitch_semitones": (4.0, -4.0)}, "pitch_semitones"),
        ({"pitch_semitones": (0.0, 30.0)}, "-24 to 24"),
        ({"stretch_rate": (0.0, 1.0)}, "stretch_rate"),
        ({"probability": 1.2}, "probability"),
        ({"probability": float("nan")}, "probability"),
        ({"copies": 0}, "copies"),
        ({"frequency_mask": (-1, 5)}, "frequency_mask"),
    ],
)
def test_settings_no_method_can_follow_are_refused(
    change: dict[str, Callable[..., object]], named: str
) -> None:
    with pytest.raises(ConfigError, match=named):
        recipe_from({"augment": change})
