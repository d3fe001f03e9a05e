"""Recipes of the package: found by name, group or file; `founding` are the founding study's."""

from __future__ import annotations

import tomllib
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from emelia.config import (
    PRESETS,
    AudioConfig,
    AugmentConfig,
    FeatureConfig,
    Recipe,
    TrainConfig,
)
from emelia.errors import ConfigError
from emelia.learn.study.ablations import is_solved
from emelia.learn.study.recipes import (
    FOLDER,
    QUICK,
    QUICK_COPIES,
    QUICK_EPOCHS,
    all_recipes,
    find_recipes,
    quick,
)
from emelia.use.bundled import shipped
from emelia.use.model import read_card

# The founding study's table, each network with its author's better learning rate:
# network, convolutions, dropout, batch size, copies, learning rate, best accuracy, its epoch
FOUNDING = {
    "variable-3": ("variable", 3, 0.25, 1, 1, 1e-3, 74.38, 236),
    "variable-4": ("variable", 4, 0.25, 1, 1, 1e-3, 71.90, 88),
    "resized-3": ("resized", 3, 0.5, 8, 1, 1e-3, 55.37, 4),
    "resized-4": ("resized", 4, 0.5, 8, 1, 1e-4, 62.81, 32),
    "artificial-variable-4": ("variable", 4, 0.25, 1, 10, 1e-4, 70.25, 72),
    "artificial-resized-4": ("resized", 4, 0.5, 16, 10, 1e-3, 62.81, 17),
}
OURS = {"emelia", "mfcc", "denoised", "joint", "founding-denoise"}
TRANSFER = {
    "whisper-tiny": "whisper-tiny.en",
    "whisper-tiny-joint": "whisper-tiny.en",
    "whisper-base": "whisper-base",
    "whisper-base-joint": "whisper-base",
}


TUNED = {"whisper-base-tuned", "whisper-tiny-tuned"}
TAUGHT = {"mel", "mel-frames"}
MADE_BY = {name: f"shipped-{name}" for name in shipped()} | {"free": "shipped-default"}
SHIPPED = set(MADE_BY.values())
GUIDE = Path(__file__).parents[3] / "docs" / "guide.md"


def names(wanted: str, *settings: str) -> list[str]:
    return [recipe.name for recipe in find_recipes(wanted, settings)]


# Finding


def test_the_catalogue_holds_the_founding_recipes_and_ours() -> None:
    recipes = all_recipes()
    assert {n for n, r in recipes.items() if r.group == "founding"} == set(FOUNDING)
    assert {n for n, r in recipes.items() if r.group == "ours"} == OURS
    assert {n for n, r in recipes.items() if r.group == "transfer"} == TUNED | set(TRANSFER)
    assert {n for n, r in recipes.items() if r.group == "taught"} == TAUGHT
    assert {n for n, r in recipes.items() if r.group == "shipped"} == SHIPPED
    assert set(recipes) == {*FOUNDING, *OURS, *TRANSFER, *TUNED, *TAUGHT, *SHIPPED}


def test_the_founding_recipes_come_first_and_the_best_of_them_before_all() -> None:
    found = list(all_recipes())
    assert set(found[: len(FOUNDING)]) == set(FOUNDING)
    assert found[:2] == ["variable-3", "variable-4"]
    assert found[len(FOUNDING) :] == sorted(OURS | TAUGHT | TUNED | set(TRANSFER) | SHIPPED)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("emelia", ["emelia"]),
        ("emelia,variable-3", ["emelia", "variable-3"]),
        (" emelia , variable-3 ,", ["emelia", "variable-3"]),
        ("emelia,emelia", ["emelia"]),
        ("mfcc,ours", ["mfcc", "denoised", "emelia", "founding-denoise", "joint"]),
    ],
)
def test_recipes_come_in_the_order_asked_for_and_once(wanted: str, expected: list[str]) -> None:
    assert names(wanted) == expected


def test_a_group_names_all_its_recipes() -> None:
    assert set(names("founding")) == set(FOUNDING)
    assert set(names("ours")) == OURS
    assert set(names("transfer")) == TUNED | set(TRANSFER)
    assert names("all") == list(all_recipes())
    assert set(names("founding,ours,shipped,taught,transfer")) == set(names("all"))


def test_a_recipe_of_ones_own_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('features = "mfcc"\n[train]\nlr = 0.02\n')
    mine, shipped = find_recipes(f"{path},emelia", ["train.epochs=7"])
    assert (mine.name, mine.group) == ("mine", "own")
    assert mine.features == PRESETS["mfcc"]
    assert mine.train == TrainConfig(lr=0.02, epochs=7)
    assert shipped.name == "emelia"


def test_settings_change_every_recipe() -> None:
    found = find_recipes("founding,emelia", ["train.epochs=3", "features=speech-80"])
    assert {recipe.train.epochs for recipe in found} == {3}
    assert {recipe.features for recipe in found} == {PRESETS["speech-80"]}
    assert {recipe.digest for recipe in found}.isdisjoint(
        recipe.digest for recipe in all_recipes().values()
    )


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("variable3", "no recipe named 'variable3'; did you mean variable-3?"),
        ("emilia", "did you mean emelia?"),
        ("our", "did you mean ours?"),
        ("foundng", "did you mean founding?"),
        ("quetzalcoatl", "known are: variable-3, "),
        ("emelia,quetzalcoatl", "no recipe named 'quetzalcoatl'"),
        ("mine", "One of your own ends in .toml."),
        ("", "no recipe given"),
        (" , ", "no recipe given"),
        ("gone.toml", "gone.toml: no such recipe file"),
    ],
)
def test_an_unknown_recipe_is_refused_with_the_nearest(wanted: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        find_recipes(wanted)
    assert message in str(error.value)


@pytest.mark.parametrize(
    "setting",
    ["augment.copies=0", "augment.probability=2", "augment.time_mask=[9, 3]", "train.epochs=0"],
)
def test_settings_that_make_no_sense_are_refused_before_any_work(setting: str) -> None:
    with pytest.raises(ConfigError, match=setting.partition("=")[0]):
        find_recipes("emelia", [setting])


# The recipes


@pytest.mark.parametrize("name", FOUNDING)
def test_the_founding_recipes_have_the_settings_and_figures_of_its_study(name: str) -> None:
    recipe = all_recipes()[name]
    network, layers, dropout, batch_size, copies, lr, published, epoch = FOUNDING[name]
    model, train = recipe.model, recipe.train
    assert (model.name, model.layers, model.dropout) == (network, layers, dropout)
    assert (model.width, model.frames) == (16, 256)
    assert (train.batch_size, train.lr, train.optimizer) == (batch_size, lr, "adam")
    assert (train.schedule, train.weight_decay, train.label_smoothing) == ("constant", 0, 0)
    assert train.balance == "none"
    assert recipe.augment.copies == copies
    assert (recipe.published, recipe.published_epoch) == (published, epoch)
    assert recipe.audio == AudioConfig()
    assert recipe.features == FeatureConfig()


def test_the_seed_studys_front_end_is_the_default() -> None:
    f = FeatureConfig()
    assert (f.kind, f.n_fft, f.hop, f.mels, f.fmin, f.fmax) == ("logmel", 2048, 512, 128, 0, 8000)
    assert f.standardise == "clip"


@pytest.mark.parametrize("name", ["artificial-variable-4", "artificial-resized-4"])
def test_artificial_data_is_made_by_the_methods_of_the_seed_study(name: str) -> None:
    augment = all_recipes()[name].augment
    assert (augment.probability, augment.mask_probability) == (0.6, 0.6)
    assert augment.pitch_semitones == (-4.0, 4.0)
    assert (augment.frequency_mask, augment.time_mask) == ((10, 30), (10, 50))
    assert augment.stretch_rate == (1.0, 1.0)  # equal ends: off
    assert augment.noise_snr_db[0] < augment.noise_snr_db[1]
    assert augment.mask_fill == "silence"
    assert not (augment.room or augment.mixup or augment.crop)


def test_recipes_without_artificial_data_train_on_the_clips_themselves() -> None:
    plain = ("variable-3", "variable-4", "resized-3", "resized-4")
    for name in (*plain, "mfcc", "denoised", "founding-denoise"):
        assert all_recipes()[name].augment == AugmentConfig()


def test_mfcc_and_denoised_differ_from_variable_3_in_one_thing() -> None:
    recipes = all_recipes()
    base, mfcc, denoised = (recipes[name] for name in ("variable-3", "mfcc", "denoised"))
    assert mfcc.features == PRESETS["mfcc"]
    assert denoised.audio == AudioConfig(denoise="quiet")
    assert (mfcc.model, mfcc.train, mfcc.audio) == (base.model, base.train, base.audio)
    assert (denoised.model, denoised.train) == (base.model, base.train)
    assert denoised.features == base.features


@pytest.mark.parametrize(("name", "encoder"), TRANSFER.items())
def test_recipes_that_transfer_solve_a_linear_layer_on_an_encoder(name: str, encoder: str) -> None:
    recipe = all_recipes()[name]
    every = name == "whisper-tiny-joint"  # the model `default`: three blocks side by side
    assert (recipe.model.name, recipe.model.encoder) == ("encoder", encoder)
    assert (recipe.model.blocks, recipe.model.pool_layers) == ((3, "all") if every else (0, "last"))
    assert recipe.features == PRESETS["whisper"]
    assert (recipe.augment == AugmentConfig()) != name.endswith("-joint"), "others sound otherwise"
    assert recipe.train == TrainConfig(1, balance="corpora", refit=True)
    assert is_solved(recipe)
    assert not any(is_solved(all_recipes()[other]) for other in (*FOUNDING, *OURS, *TUNED, *TAUGHT))


def test_the_seeds_noise_reduction_differs_from_ours_in_nothing_else() -> None:
    recipes = all_recipes()
    ours, seeds = recipes["denoised"], recipes["founding-denoise"]
    assert (ours.audio, seeds.audio) == (
        AudioConfig(denoise="quiet"),
        AudioConfig(denoise="founding"),
    )
    assert replace(seeds, name=ours.name, title=ours.title, audio=ours.audio) == ours


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.toml")), ids=lambda path: path.stem)
def test_a_shipped_recipe_is_short_whole_and_described(path: Path) -> None:
    recipe = all_recipes()[path.stem]
    written = tomllib.loads(path.read_text(encoding="utf-8"))
    assert recipe.name == path.stem
    assert recipe.group == written["group"]
    assert 0 < len(recipe.title) < 60
    assert len(path.read_text().splitlines()) < 50
    assert (recipe.published > 0) == (recipe.published_epoch > 0) == (recipe.group == "founding")


def test_shipped_recipes_are_different_experiments() -> None:
    recipes = all_recipes().values()
    assert len({recipe.digest for recipe in recipes}) == len(recipes)
    assert len({recipe.title for recipe in recipes}) == len(recipes)


# What ships


@pytest.mark.parametrize(("name", "file"), shipped().items())
def test_what_ships_is_made_by_the_recipe_that_bears_its_name(name: str, file: Path) -> None:
    (recipe,), card = find_recipes(MADE_BY[name]), read_card(file)
    teacher = card.settings["train"].get("distill", "")
    assert bool(teacher) == recipe.train.uses_teacher
    recipe = replace(recipe, train=replace(recipe.train, distill=teacher))
    assert (card.recipe, card.recipe_digest) == (recipe.name, recipe.digest)
    epochs = 9 if teacher else 6
    assert is_solved(recipe) or (recipe.train.checkpoint, recipe.train.epochs) == ("last", epochs)
    assert "Begun with" in card.licence, "Whisper's first blocks, whatever comes after them"


def test_every_setting_is_in_a_recipe_or_the_guide_says_who_uses_it() -> None:
    said: set[str] = set()
    for path in FOLDER.glob("*.toml"):
        written = tomllib.loads(path.read_text(encoding="utf-8")).items()
        said |= {f"{part}.{key}" for part, own in written if isinstance(own, dict) for key in own}
    for preset in PRESETS.values():
        own, usual = asdict(preset), asdict(FeatureConfig())
        said |= {f"features.{key}" for key in own if own[key] != usual[key]}
    parts = {part: own for part, own in asdict(Recipe()).items() if isinstance(own, dict)}
    every = {f"{part}.{key}" for part, own in parts.items() for key in own}
    told = GUIDE.read_text(encoding="utf-8").split("who uses it |")[1].split("\n\n")[0]
    assert every - said == {key for key in every if f"`{key}`" in told}


# Trying out


def test_quick_takes_one_recipe_a_family_and_shortens_it() -> None:
    chosen = find_recipes(",".join(QUICK))
    assert {recipe.model.name for recipe in chosen} == {"variable", "resized", "emelia"}
    assert any(recipe.augment.copies > 1 and recipe.group == "founding" for recipe in chosen)
    for recipe in chosen:
        short = quick(recipe)
        assert short.train.epochs == min(recipe.train.epochs, QUICK_EPOCHS)
        assert short.augment.copies == min(recipe.augment.copies, QUICK_COPIES)
        assert short.model == recipe.model
        assert short.digest != recipe.digest  # its results are never taken for full ones
    assert quick(quick(chosen[0])) == quick(chosen[0])


@pytest.mark.parametrize(
    ("change", "kept"),
    [("train.epochs=7", 74.38), ("train.patience=0", 74.38), ("train.lr=0.01", 0)],
)
def test_a_recipe_changed_in_more_than_its_epochs_loses_its_published_figure(
    change: str, kept: float
) -> None:
    assert find_recipes("variable-3", [change])[0].published == kept
