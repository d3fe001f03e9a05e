"""Recipes from short TOML files, changed by `--set a.b=value`.

Unknown keys are refused with the nearest known one, values that do not fit with what would.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Collection, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Literal

from emelia.config.fields import Setting, all_settings, kinds_of
from emelia.config.former import is_retired, present_names
from emelia.config.front_end import PRESETS, FeatureConfig
from emelia.config.meanings import likely_setting, same_setting
from emelia.config.recipe import Recipe
from emelia.errors import ConfigError
from emelia.text import from_toml, nearest


def load_recipe(path: Path, settings: Sequence[str] = ()) -> Recipe:
    """Read a recipe from TOML and apply `a.b=value` settings to it.

    Raises:
        ConfigError: the file is not TOML, or a key or value does not fit.
    """
    try:
        values = from_toml(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such recipe file.") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}).") from None
    except ValueError as error:
        raise ConfigError(f"{path}: not valid TOML ({error}).") from None
    return recipe_from({"name": path.stem, **values}, settings)


def recipe_from(values: Mapping[str, Any], settings: Sequence[str] = ()) -> Recipe:
    """Build a recipe from nested mappings; see `load_recipe`. Settings count from left to right."""
    merged = dict(values)
    for setting in settings:
        _apply(merged, setting)
    if isinstance(merged.get("features"), str):
        merged["features"] = {"preset": merged["features"]}
    recipe = typing.cast(Recipe, build(Recipe, merged, ""))
    check(recipe)
    return recipe


def _apply(values: dict[str, Any], setting: str) -> None:
    """Write `a.b=value` into nested dictionaries; the value is TOML, bare words are strings."""
    key, sign, text = setting.partition("=")
    if not sign or not key.strip():
        raise ConfigError(f"--set {setting!r}: expected key=value, for example train.lr=0.001.")
    try:
        value = from_toml(f"x = {text}")["x"]
    except ValueError:
        value = text.strip()
    *parents, last = key.strip().split(".")
    for parent in parents:
        inner = values.get(parent)
        if isinstance(inner, str):  # features=NAME
            inner = {"preset": inner}
        values[parent] = dict(inner) if isinstance(inner, Mapping) else {}
        values = values[parent]
    values[last] = value


def check(recipe: Recipe) -> None:
    """Refuse values outside their range, and settings that contradict each other."""
    for key, about in all_settings(Recipe):
        part, _, name = key.partition(".")
        _check_alone(key, getattr(getattr(recipe, part), name), about, recipe)
    f = recipe.features
    if f.window > f.n_fft:
        raise ConfigError(f"features.window: {f.window} is longer than n_fft, {f.n_fft}.")
    if f.fmin >= f.fmax:
        raise ConfigError(f"features.fmin: {f.fmin:g} is not below fmax, {f.fmax:g}.")
    if f.kind == "wave" and f.hop != 1:
        raise ConfigError("features.hop: a waveform has a frame a sample; set features.hop=1.")
    if f.kind == "mfcc" and f.mfccs > f.mels:
        raise ConfigError(f"features.mfccs: {f.mfccs} are more than mels, {f.mels}.")
    if recipe.augment.spec_augment and not f.decibels:
        raise ConfigError(
            "augment.spec_augment: only spectrograms in decibels can be changed so; set "
            "features.standardise=none and features.kind=logmel, or leave it at 0."
        )
    if recipe.augment.position_jitter and (recipe.model.name != "encoder" or f.kind == "wave"):
        raise ConfigError(
            "augment.position_jitter: only encoders of spectrograms hear where a frame stands; set "
            "model.name=encoder, or leave it at 0."
        )
    if recipe.train.selection_groups != "speakers" and not recipe.train.refit:
        raise ConfigError(
            "train.selection_groups: only where a network is made once more are others left out "
            "than validation's speakers; set train.refit=true, or leave it at speakers."
        )


def _check_alone(key: str, value: Any, about: Setting, recipe: Recipe) -> None:
    """Refuse a setting outside its range, or one that the recipe's network does not have."""
    if about.within:
        (low, high), pair = about.within, isinstance(value, tuple)
        first, last = value if pair else (value, value)
        if not low <= first <= last <= high:  # nor is NaN
            kind = "a rising range" if pair else "a number"
            limits = f"within {low:g} to {high:g}"
            raise ConfigError(f"{key}: {value} does not fit; expected {kind} {limits}.")
    if about.solved_only and recipe.model.name != "encoder":
        part, _, name = key.partition(".")
        usual = getattr(getattr(Recipe(), part), name)
        if value != usual:
            raise ConfigError(
                f"{key}: only the linear layer on an encoder is solved, which this is about; "
                f"set model.name=encoder, or leave it at {str(usual).lower()}."
            )


def build(cls: type, values: Mapping[str, Any], where: str) -> Any:
    """Make a dataclass of settings from nested mappings; `where` begins the names in messages."""
    known = {f.name: f for f in fields(cls)}
    hints = kinds_of(cls)
    values = present_names(dict(values), where)
    values = {key: value for key, value in values.items() if not is_retired(where + key, value)}
    preset = values.pop("preset", None) if cls is FeatureConfig else None
    for key in values:
        if key not in known:
            raise ConfigError(f"unknown setting {where}{key}; {_meant(key, known, where)}")
    made = {key: _convert(hints[key], value, f"{where}{key}") for key, value in values.items()}
    if preset is None:
        return cls(**made)
    if not isinstance(preset, str) or preset not in PRESETS:
        hint = _nearest(str(preset), PRESETS)
        raise ConfigError(f"unknown preset {preset!r} for features; {hint}")
    return dataclasses.replace(PRESETS[preset], **made)


def _nearest(word: str, known: Collection[str], where: str = "") -> str:
    near = nearest(word, known)
    return f"did you mean {where}{near}?" if near else f"known are: {', '.join(known)}."


def _meant(key: str, known: Collection[str], where: str) -> str:
    """The setting that is spelt alike here or, of all sections, that means the same."""
    meanings = {name: about.meaning for name, about in all_settings(Recipe)}
    if same := same_setting(key, meanings):
        return f"did you mean {same}?"
    if nearest(key, known) or not (other := likely_setting(key, meanings)):
        return _nearest(key, known, where)
    return f"did you mean {other}?"


def _convert(hint: Any, value: Any, where: str) -> Any:
    """Check a TOML value against the annotation of its field."""
    if is_dataclass(hint):
        if not isinstance(value, Mapping):
            raise ConfigError(f"{where}: expected a table of settings, got {value!r}.")
        return build(typing.cast(type, hint), value, f"{where}.")
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        if value not in args:
            raise ConfigError(f"{where}: {value!r} is none of {', '.join(map(str, args))}.")
        return value
    if origin is tuple:
        if not isinstance(value, list | tuple) or len(value) != len(args):
            raise ConfigError(f"{where}: expected [from, to], got {value!r}.")
        return tuple(_convert(a, v, where) for a, v in zip(args, value, strict=True))
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, hint) or (hint is not bool and isinstance(value, bool)):
        raise ConfigError(f"{where}: expected {_KINDS[hint]}, got {value!r}.")
    return value


_KINDS = {int: "a whole number", float: "a number", str: "a word", bool: "true or false"}
