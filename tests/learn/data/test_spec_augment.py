"""Changes drawn anew for every crop: each does what its numbers say, in decibels."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from emelia.config import recipe_from
from emelia.errors import ConfigError
from emelia.learn.data import spec_augment

Spec = NDArray[np.float32]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def speech(frames: int = 400, bands: int = 80) -> Spec:
    """A band that is loud, over noise 60 dB below."""
    spec = rng(1).normal(-60, 3, (bands, frames)).astype(np.float32)
    spec[20] = 0
    return spec


def test_a_longer_vocal_tract_moves_bands_down_and_a_shorter_one_up() -> None:
    assert spec_augment.warp_bands(speech(), 1.1)[18, 0] == pytest.approx(-12, abs=3)  # 19.8
    assert spec_augment.warp_bands(speech(), 0.8)[25].max() == 0  # 25 x 0.8 = 20
    np.testing.assert_array_equal(spec_augment.warp_bands(speech(), 1.0), speech())


def test_a_slower_clip_has_more_frames_and_begins_and_ends_alike() -> None:
    spec = speech(100)
    slow = spec_augment.stretch(spec, 1.25)
    assert slow.shape == (80, 125)
    np.testing.assert_allclose(slow[:, [0, -1]], spec[:, [0, -1]], atol=1e-4)
    assert spec_augment.stretch(spec[:, :1], 0.5).shape == (80, 1)


def test_powers_are_added_and_the_length_stays() -> None:
    ten = np.full((3, 10), 10, np.float32)
    np.testing.assert_allclose(spec_augment.add(ten, ten), 10 + 10 * np.log10(2), rtol=1e-6)
    partly = spec_augment.add(ten, ten[:, :4])
    np.testing.assert_allclose(partly[:, 4:], 10)
    assert (partly[:, :4] > 13).all()
    assert spec_augment.add(ten, np.full((3, 20), -90, np.float32)).shape == (3, 10)


def test_noise_noises_around_the_power_it_is_given() -> None:
    silent = np.full((80, 2000), -300, np.float32)
    noisy = spec_augment.add(silent, -40 + spec_augment._noise(silent.shape, rng()))
    assert 10 * np.log10((10 ** (noisy / 10)).mean()) == pytest.approx(-40, abs=0.1)


def test_gains_are_the_same_in_every_frame_and_linear_between_a_few_bands() -> None:
    gains = np.stack([spec_augment.random_gains(81, 4.0, rng(seed))[:, 0] for seed in range(300)])
    bends = np.linspace(0, 80, spec_augment.POINTS).astype(int)
    np.testing.assert_allclose(gains[:, bends].std(0), 4.0, atol=0.6)
    assert np.abs(np.diff(gains[:, : bends[1] + 1], 2)).max() < 1e-4  # straight in between


def test_changes_follow_from_the_generator_and_leave_what_they_were_given() -> None:
    spec, other = speech(), speech(50)
    first, again = (spec_augment.change(spec, other, rng(7), 80.0) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(spec, speech())
    shapes = set()
    for seed in range(40):
        made = spec_augment.change(spec, other, rng(seed), 50.0)
        assert made.dtype == np.float32 and np.isfinite(made).all()
        assert made.max() - made.min() <= 50.0 + 1e-3
        shapes.add(made.shape[1])
    assert min(shapes) >= 320 and max(shapes) <= 500 and 400 in shapes and len(shapes) > 5


def test_each_change_is_made_of_some_clips_and_not_of_others() -> None:
    assert all(0 < share < 1 for share in spec_augment.PROBABILITIES.values())


@pytest.mark.parametrize("name", spec_augment.PROBABILITIES)
def test_each_change_does_its_own(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        spec_augment,
        "PROBABILITIES",
        {one: float(one == name) for one in spec_augment.PROBABILITIES},
    )
    spec, other = speech(), np.full((80, 400), -20, np.float32)
    apart = []
    for seed in range(10):
        made = spec_augment.change(spec, other, rng(seed), 300.0)
        assert (made.shape == spec.shape) == (name != "tempo")
        if name != "tempo":
            apart.append(made - spec)
    if name == "tract":
        loudest = {int(d[:, 0].argmax()) for d in apart}
        assert min(loudest) < 20 < max(loudest)  # the loud band is elsewhere, in both directions
    elif name == "response":
        assert max(d.std(1).max() for d in apart) < 1e-4 < min(d.std(0).max() for d in apart)
    elif name == "noise":
        assert all(d.min() > -1e-3 and d.max() > 3 for d in apart)
        assert all(abs(d[20]).max() < 1 for d in apart)  # 20 dB and more below the loudest
    elif name == "speech":  # 24 to 44 dB below the loud band, above all others
        assert all(14 < d[30].mean() < 36 and abs(d[20]).max() < 1 for d in apart)


def made(features: str, *settings: str, seed: int = 0, frames: int = 400) -> Spec:
    recipe = recipe_from({"features": features, "augment": {"spec_augment": 1.0}}, settings)
    spec = speech(frames) / recipe.features.decibels
    return spec_augment.augment_crop(spec, spec[:, 0], lambda: spec, recipe, rng(seed))


def test_a_crop_has_its_length_whatever_its_tempo_became() -> None:
    found = {made("whisper", "augment.crop=300", seed=seed).shape for seed in range(30)}
    assert found == {(80, 300)}
    assert made("whisper", "augment.crop=300", frames=90).shape[1] <= 113


def test_scales_relative_to_the_loudest_point_stay_so() -> None:
    for seed in range(20):
        relative = made("speech-80", "features.standardise=none", seed=seed)
        assert relative.max() == 0 and relative.min() >= -80.001
        assert made("whisper", seed=seed).min() >= made("whisper", seed=seed).max() - 2.001


def test_what_is_not_in_decibels_is_refused() -> None:
    for features in ("founding", "mfcc"):
        with pytest.raises(ConfigError, match="in decibels"):
            recipe_from({"features": features, "augment": {"spec_augment": 0.5}})


def test_places_between_two_rows_have_both_by_their_share() -> None:
    rows = np.array([[0.0], [10.0], [40.0]], np.float32)
    found = spec_augment._at(rows, np.array([0.0, 0.25, 1.5, 2.0]))
    np.testing.assert_allclose(found[:, 0], [0.0, 2.5, 25.0, 40.0])


def test_the_gains_of_a_narrow_spectrogram_reach_its_last_band() -> None:
    """The bends lie evenly from the first band to the last."""
    gains = spec_augment.random_gains(6, 4.0, rng(3))[:, 0]
    np.testing.assert_allclose(gains, rng(3).normal(0, 4.0, 6), rtol=1e-6)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_nothing_or_everything_is_changed_at_the_ends_of_the_probability(share: float) -> None:
    recipe = recipe_from({"features": "whisper", "augment": {"spec_augment": share}})
    for seed in range(8):
        spec = speech() / recipe.features.decibels
        args = (spec, spec[:, 0], lambda spec=spec: spec, recipe, rng(seed))
        found = spec_augment.augment_crop(*args)
        same = found.shape == spec.shape and np.array_equal(found, spec)
        assert same or share, "nothing is to be changed"
