"""Settings: read, changed and refused as written; a digest names what changes a result."""

from __future__ import annotations

import json
import typing
from dataclasses import asdict, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest

from emelia.config import (
    PRESETS,
    AudioConfig,
    AugmentConfig,
    FeatureConfig,
    ModelConfig,
    Recipe,
    TrainConfig,
    digest,
    load_recipe,
    recipe_from,
)
from emelia.config.former import RETIRED
from emelia.errors import ConfigError
from emelia.show.tables import flattened

PARTS: dict[str, type] = {
    "audio": AudioConfig,
    "features": FeatureConfig,
    "augment": AugmentConfig,
    "model": ModelConfig,
    "train": TrainConfig,
}
WORDS = {"group": "mine", "title": "a title", "published": 12.5, "published_epoch": 3}
SETTINGS = [(part, f.name) for part, cls in PARTS.items() for f in fields(cls)]


def other(cls: type, name: str) -> Any:
    """Another value of a setting than its default, within what the setting allows."""
    value, hint = getattr(cls(), name), typing.get_type_hints(cls)[name]
    if get_origin(hint) is Literal:
        return next(v for v in get_args(hint) if v != value)
    if isinstance(value, bool):
        return not value
    if isinstance(value, tuple):
        return (value[0], value[1] + 1)
    if name in ("fmax", "window"):  # cannot rise
        return value / 2 if name == "fmax" else value // 2
    if isinstance(value, str):
        return f"{value}else"
    if isinstance(value, int):
        return value + 1
    return value + 0.125


# Reading


def test_a_recipe_is_read_from_toml(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        'title = "Grüße"\n[audio]\ndc = false\n[augment]\nnoise_snr_db = [10, 20]\n'
        'time_mask = [5, 9]\n[model]\nname = "resized"\n[train]\nlr = 1\nepochs = 3\n',
        encoding="utf-8",
    )
    recipe = load_recipe(path)
    assert (recipe.name, recipe.title) == ("mine", "Grüße")
    assert recipe.audio == AudioConfig(dc=False)
    assert recipe.augment == AugmentConfig(noise_snr_db=(10.0, 20.0), time_mask=(5, 9))
    assert recipe.model == ModelConfig(name="resized")
    assert recipe.train == TrainConfig(lr=1.0, epochs=3)
    assert isinstance(recipe.train.lr, float)
    assert all(isinstance(end, float) for end in recipe.augment.noise_snr_db)
    assert recipe.features == FeatureConfig()


def test_an_empty_recipe_has_every_default() -> None:
    assert recipe_from({}) == Recipe()


def test_a_recipe_may_name_itself(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('name = "better"\n')
    assert load_recipe(path).name == "better"


def test_a_recipe_survives_json() -> None:
    given = {"features": "speech-80", "augment": {"copies": 3, "noise_snr_db": [-1, 1]}}
    recipe = recipe_from({"name": "x", **given}, ["train.lr=0.01"])
    again = recipe_from(json.loads(json.dumps(asdict(recipe))))
    assert again == recipe
    assert again.digest == recipe.digest


def test_a_recipe_cannot_be_changed_by_accident() -> None:
    with pytest.raises(AttributeError):
        Recipe().train.lr = 1.0  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"lr = = 3\n", "not valid TOML"),
        (b'title = "\xff"\n', "not valid TOML"),
        (b"train = 3\n", "train: expected a table of settings, got 3"),
        (b"[train]\nepoch = 3\n", "did you mean train.epochs?"),
    ],
)
def test_a_file_that_is_no_recipe_is_refused(tmp_path: Path, text: bytes, message: str) -> None:
    path = tmp_path / "broken.toml"
    path.write_bytes(text)
    with pytest.raises(ConfigError) as error:
        load_recipe(path)
    assert message in str(error.value)


def test_a_missing_recipe_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.toml: no such recipe file"):
        load_recipe(tmp_path / "gone.toml")


def test_a_folder_is_no_recipe_file(tmp_path: Path) -> None:
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(ConfigError, match=r"folder\.toml: cannot be read"):
        load_recipe(tmp_path / "folder.toml")


# --set


@pytest.mark.parametrize(
    ("setting", "path", "value"),
    [
        ("train.lr=0.0005", "train.lr", 0.0005),
        ("train.lr=1e-4", "train.lr", 0.0001),
        ("train.lr=1", "train.lr", 1.0),
        (" train.lr = 0.5 ", "train.lr", 0.5),
        ("train.epochs=7", "train.epochs", 7),
        ("train.refit=true", "train.refit", True),
        ("train.optimizer=adamw", "train.optimizer", "adamw"),
        ('train.optimizer="adamw"', "train.optimizer", "adamw"),
        ("augment.pitch_semitones=[-2, 2]", "augment.pitch_semitones", (-2.0, 2.0)),
        ("features.standardise=band", "features.standardise", "band"),
        ("title=two words = one title", "title", "two words = one title"),
    ],
)
def test_a_setting_is_written_as_in_toml(setting: str, path: str, value: Any) -> None:
    found = dict(flattened(asdict(recipe_from({}, [setting]))))[path]
    assert found == value
    assert type(found) is type(value)


def test_a_setting_changes_one_thing_only() -> None:
    given = {"train": {"epochs": 5, "lr": 0.1}, "model": {"width": 8}}
    recipe = recipe_from(given, ["train.lr=0.2"])
    assert recipe == Recipe(train=TrainConfig(epochs=5, lr=0.2), model=ModelConfig(width=8))
    assert given == {"train": {"epochs": 5, "lr": 0.1}, "model": {"width": 8}}


def test_of_two_settings_of_one_thing_the_last_counts() -> None:
    assert recipe_from({}, ["train.lr=0.2", "train.lr=0.3"]).train.lr == 0.3


@pytest.mark.parametrize("setting", ["train.lr", "=3", "", "  =3"])
def test_a_setting_without_key_and_value_is_refused(setting: str) -> None:
    with pytest.raises(ConfigError, match="expected key=value, for example"):
        recipe_from({}, [setting])


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("train.epoch=3", "unknown setting train.epoch; did you mean train.epochs?"),
        ("train.batchsize=3", "unknown setting train.batchsize; did you mean train.batch_size?"),
        ("tran.lr=3", "unknown setting tran; did you mean train?"),
        ("feature.mels=3", "unknown setting feature; did you mean features?"),
        ("features.mel=3", "unknown setting features.mel; did you mean features.mels?"),
        ("train.qqqq=3", "unknown setting train.qqqq; known are: epochs, patience, batch_size"),
        ("model.preset=seed", "unknown setting model.preset"),
        ("preset=seed", "unknown setting preset"),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest(setting: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        recipe_from({}, [setting])
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("train.lr=fast", "train.lr: expected a number, got 'fast'"),
        ("train.lr=true", "train.lr: expected a number, got True"),
        ("train.epochs=3.5", "train.epochs: expected a whole number, got 3.5"),
        ("train.epochs=true", "train.epochs: expected a whole number, got True"),
        ("train.refit=1", "train.refit: expected true or false, got 1"),
        ("title=3", "title: expected a word, got 3"),
        ("train.optimizer=sgd", "train.optimizer: 'sgd' is none of adam, adamw"),
        ("train.optimizer=[1]", "train.optimizer: [1] is none of adam, adamw"),
        ("augment.stretch_rate=3", "augment.stretch_rate: expected [from, to], got 3"),
        ("augment.stretch_rate=[1, 2, 3]", "stretch_rate: expected [from, to], got [1, 2, 3]"),
        ("augment.time_mask=[1.5, 3]", "augment.time_mask: expected a whole number, got 1.5"),
        ("train=3", "train: expected a table of settings, got 3"),
        ("train.lr.x=3", "train.lr: expected a number, got {'x': 3}"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused(setting: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        recipe_from({}, [setting])
    assert message in str(error.value)


@pytest.mark.parametrize(
    "setting",
    [
        "audio.trim_db=-1",
        "features.n_fft=0",
        "features.hop=0",
        "features.mels=0",
        "features.fmax=8001",
        "features.top_db=0",
        "model.layers=0",
        "model.width=0",
        "model.dropout=1.5",
        "model.frames=0",
        "train.epochs=0",
        "train.patience=-1",
        "train.batch_size=0",
        "train.lr=-0.1",
        "train.lr=nan",
        "train.lr=inf",
        "train.weight_decay=-1",
        "train.warmup=1.5",
        "train.label_smoothing=2",
        "train.clip_norm=-1",
    ],
)
def test_a_number_that_makes_no_sense_is_refused(setting: str) -> None:
    key = setting.partition("=")[0]
    with pytest.raises(ConfigError, match=rf"^{key}: .* expected .* to "):
        recipe_from({}, [setting])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["features.n_fft=512"], "features.window: 2048 is longer than n_fft, 512"),
        (["features.fmin=8000"], "features.fmin: 8000 is not below fmax, 8000"),
        (["features=mfcc", "features.mels=20"], "features.mfccs: 40 are more than mels, 20"),
        (
            ["augment.position_jitter=9"],
            "augment.position_jitter: only encoders of spectrograms hear where",
        ),
        (
            [
                "augment.position_jitter=9",
                "model.name=encoder",
                "features.kind=wave",
                "features.hop=1",
            ],
            "augment.position_jitter: only encoders of spectrograms hear where",
        ),
        (
            ["train.nuisance_penalty=true"],
            "train.nuisance_penalty: only the linear layer on an encoder is solved",
        ),
        (
            ["train.penalty=averaged"],
            "train.penalty: only the linear layer on an encoder is solved",
        ),
        (
            ["train.selection_groups=corpora"],
            "train.selection_groups: only the linear layer on an encoder is solved",
        ),
        (
            ["train.selection_groups=corpora", "model.name=encoder"],
            "train.selection_groups: only where a network is made once more",
        ),
    ],
)
def test_numbers_that_do_not_fit_each_other_are_refused(settings: list[str], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        recipe_from({}, settings)
    assert message in str(error.value)


def test_few_mel_bands_are_no_matter_of_mfccs_that_are_not_made() -> None:
    assert recipe_from({}, ["features.mels=12"]).features.mels == 12


# Presets


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_named_in_a_recipe_or_a_setting(name: str) -> None:
    expected = PRESETS[name]
    assert recipe_from({"features": name}).features == expected
    assert recipe_from({"features": {"preset": name}}).features == expected
    assert recipe_from({}, [f"features={name}"]).features == expected
    assert recipe_from({}, [f"features.preset={name}"]).features == expected


@pytest.mark.parametrize(
    ("given", "settings"),
    [
        ({"features": {"preset": "speech-64", "mels": 32}}, []),
        ({"features": {"preset": "speech-64"}}, ["features.mels=32"]),
        ({"features": "speech-64"}, ["features.mels=32"]),
        ({}, ["features=speech-64", "features.mels=32"]),
        ({}, ["features.preset=speech-64", "features.mels=32"]),
        ({"features": {"preset": "mfcc"}}, ["features=speech-64", "features.mels=32"]),
    ],
)
def test_settings_stand_on_top_of_a_preset(given: dict[str, Any], settings: list[str]) -> None:
    recipe = recipe_from(given, settings)
    assert recipe.features == replace(PRESETS["speech-64"], mels=32)


def test_a_preset_replaces_the_features_of_a_recipe() -> None:
    given = {"features": {"preset": "mfcc", "fmin": 100.0}}
    assert recipe_from(given, ["features=speech-80"]).features == PRESETS["speech-80"]
    assert recipe_from({}, ["features.fmin=9.0", "features=founding"]).features == FeatureConfig()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"features": "speech-65"}, "unknown preset 'speech-65' for features; did you mean"),
        ({"features": "quefrency"}, "known are: founding, speech-64, speech-80, whisper, mfcc"),
        ({"features": {"preset": ["seed"]}}, "unknown preset ['seed'] for features"),
        ({"features": 3}, "features: expected a table of settings, got 3"),
    ],
)
def test_an_unknown_preset_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        recipe_from(given)
    assert message in str(error.value)


# Settings of earlier versions


@pytest.mark.parametrize(("key", "usual"), RETIRED.items())
def test_what_an_earlier_version_wrote_at_its_default_is_still_read(key: str, usual: Any) -> None:
    part, _, name = key.partition(".")
    for value in (usual, tuple(usual) if isinstance(usual, list) else usual):
        recipe = recipe_from({part: {name: value}})
        assert recipe == Recipe() and recipe.digest == Recipe().digest
    assert name not in {f.name for f in fields(PARTS[part])}


@pytest.mark.parametrize(
    "setting",
    ["augment.online=true", "augment.gain_db=[-6.0, 6.0]", "train.encoder_lr=0.5", "model.depth=2"],
)
def test_what_an_earlier_version_alone_could_do_is_refused_and_told(setting: str) -> None:
    key = setting.partition("=")[0]
    with pytest.raises(ConfigError, match=rf"{key}: got .* this one always has .* Leave it out"):
        recipe_from({}, [setting])


def test_a_card_of_an_earlier_version_is_a_recipe_still() -> None:
    old = asdict(Recipe("old", train=TrainConfig(epochs=3)))
    old["train"] |= {"bucket": True, "encoder_lr": 1.0}
    old["augment"] |= {"online": False, "gain_db": [0.0, 0.0]}
    del old["train"]["selection_groups"]  # nor had it this
    assert recipe_from(old) == Recipe("old", train=TrainConfig(epochs=3))


# Digests


def with_other(part: str, name: str) -> Recipe:
    """One setting changed, whether or not it fits the rest."""
    return replace(Recipe(), **{part: PARTS[part](**{name: other(PARTS[part], name)})})


@pytest.mark.parametrize(("part", "name"), SETTINGS)
def test_every_setting_changes_the_digest(part: str, name: str) -> None:
    recipe = with_other(part, name)
    assert getattr(recipe, part) != PARTS[part]()
    assert recipe.digest != Recipe().digest


def test_no_two_settings_have_one_digest() -> None:
    found = {with_other(part, name).digest for part, name in SETTINGS}
    assert len(found) == len(SETTINGS)


def test_these_are_all_the_parts_of_a_recipe() -> None:
    parts = {f.name for f in fields(Recipe) if is_dataclass(getattr(Recipe(), f.name))}
    assert parts == set(PARTS)
    assert {f.name for f in fields(Recipe)} == {"name", *WORDS, *PARTS}


@pytest.mark.parametrize("word", WORDS)
def test_words_about_a_recipe_do_not_change_its_digest(word: str) -> None:
    recipe = recipe_from({word: WORDS[word]})
    assert recipe != Recipe()
    assert recipe.digest == Recipe().digest


def test_a_recipe_of_another_name_is_another_experiment() -> None:
    assert Recipe(name="a").digest != Recipe(name="b").digest


@pytest.mark.parametrize(("part", "name"), SETTINGS)
def test_a_default_spelt_out_does_not_change_the_digest(part: str, name: str) -> None:
    default = getattr(PARTS[part](), name)
    assert recipe_from({part: {name: default}}).digest == Recipe().digest


def test_a_number_means_the_same_whole_or_with_a_point() -> None:
    assert recipe_from({"train": {"lr": 1}}).digest == recipe_from({"train": {"lr": 1.0}}).digest
    whole, point = ({"augment": {"pitch_semitones": ends}} for ends in ([-1, 1], [-1.0, 1.0]))
    assert recipe_from(whole).digest == recipe_from(point).digest


def test_the_order_of_keys_does_not_change_the_digest() -> None:
    given: dict[str, Any] = {
        "name": "x",
        "model": {"width": 8, "layers": 4},
        "train": {"lr": 0.1, "epochs": 2},
    }
    turned = {
        key: dict(reversed(value.items())) if isinstance(value, dict) else value
        for key, value in reversed(given.items())
    }
    assert list(turned) != list(given)
    assert recipe_from(turned).digest == recipe_from(given).digest
    assert recipe_from(turned) == recipe_from(given)


def test_a_digest_is_hexadecimal_and_as_long_as_asked() -> None:
    assert len(Recipe().digest) == 8
    assert int(digest({"a": 1}, length=64), 16) > 0
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("variable-3", "e20e5003"),
        ("variable-4", "55fb3205"),
        ("resized-3", "b802029b"),
        ("resized-4", "7a77b3d0"),
        ("artificial-variable-4", "9fd4e65f"),
        ("artificial-resized-4", "238ee2bf"),
        ("denoised", "d9aecc39"),
        ("founding-denoise", "177db8d2"),
        ("mfcc", "322f06f8"),
        ("emelia", "7b3ce846"),
    ],
)
def test_shipped_recipes_keep_the_names_of_their_results(name: str, expected: str) -> None:
    # Committed results are found by these. One that differs starts a study anew.
    folder = Path(__file__).resolve().parents[2] / "src" / "emelia" / "learn" / "recipes"
    assert load_recipe(folder / f"{name}.toml").digest == expected


@pytest.mark.parametrize(
    ("audio", "outside"),
    [
        (AudioConfig(), AudioConfig(dc=False, level="none")),
        (AudioConfig(dc=False, level="none"), AudioConfig(dc=False, level="none")),
        *((audio, audio) for audio in (
            AudioConfig(denoise="quiet"), AudioConfig(trim_db=40), AudioConfig(level="loudness"),
        )),
    ],
)  # fmt: skip
def test_steps_are_outside_the_graph_where_it_cannot_do_all_of_them(
    audio: AudioConfig, outside: AudioConfig
) -> None:
    assert audio.outside_graph() == outside
