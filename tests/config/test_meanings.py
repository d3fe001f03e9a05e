"""Settings and recipes are found by what others call them."""

from __future__ import annotations

import pytest

from emelia.config.fields import all_settings
from emelia.config.meanings import _OTHER_NAMES
from emelia.config.reading import recipe_from
from emelia.config.recipe import Recipe
from emelia.errors import ConfigError
from emelia.learn.study.recipes import find_recipes


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("learning_rate", "train.lr"),
        ("train.learning_rate", "train.lr"),
        ("lr", "train.lr"),
        ("n_mels", "features.mels"),
        ("hop_length", "features.hop"),
        ("model.batch", "train.batch_size"),
        ("semitones", "augment.pitch_semitones"),
    ],
)
def test_a_setting_is_suggested_by_what_it_means(word: str, meant: str) -> None:
    with pytest.raises(ConfigError, match=rf"unknown setting {word}; did you mean {meant}\?"):
        recipe_from({"name": "own"}, [f"{word}=1"])


def test_other_names_lead_to_settings_and_each_to_one() -> None:
    settings = {name for name, _ in all_settings(Recipe)}
    assert set(_OTHER_NAMES) <= settings
    words = " ".join(_OTHER_NAMES.values()).split()
    assert len(words) == len(set(words))


@pytest.mark.parametrize(
    ("word", "meant"), [("cnn", "variable-3"), ("wav2vec2", "whisper-base"), ("noise", "denoised")]
)
def test_a_recipe_is_suggested_by_what_it_is(word: str, meant: str) -> None:
    with pytest.raises(ConfigError, match=f"no recipe named '{word}'; did you mean .*{meant}"):
        find_recipes(word)
