"""Settings: frozen dataclasses, read from short TOML files, changed by `--set a.b=value`.

A recipe is everything that changes a result and nothing else: device, workers and
verbosity live outside, so that the digest of a recipe names an experiment.
Unknown keys are refused with the nearest known one.
"""

from __future__ import annotations

import dataclasses
import json
import tomllib
import typing
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from difflib import get_close_matches
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

from emelia.errors import ConfigError

SAMPLE_RATE = 16_000  # Hz, the one rate inside emelia


@dataclass(frozen=True, slots=True)
class AudioConfig:
    """How a decoded recording becomes the waveform the front end hears."""

    dc: bool = True  # subtract the mean
    denoise: Literal["none", "quiet"] = "none"  # quiet: gate with the quietest frames as profile
    trim_db: float = 0.0  # cut silence at both ends, this far below the peak; 0 keeps it
    level: Literal["none", "peak", "loudness"] = "peak"


@dataclass(frozen=True, slots=True)
class FeatureConfig:
    """How a waveform becomes a spectrogram (M, F). The defaults are the seed study's."""

    kind: Literal["logmel", "mfcc"] = "logmel"
    n_fft: int = 2048  # samples
    window: int = 2048  # samples, Hann, centred in n_fft
    hop: int = 512  # samples: 32 ms
    mels: int = 128
    mfccs: int = 20  # coefficients kept where kind is mfcc
    fmin: float = 0.0  # Hz
    fmax: float = 8000.0  # Hz, the Nyquist frequency of 16 kHz
    top_db: float = 80.0  # dynamic range kept below each clip's loudest point
    standardise: Literal["none", "clip", "band"] = "clip"  # mean 0, deviation 1 over what


@dataclass(frozen=True, slots=True)
class AugmentConfig:
    """Changes made to training clips, and only to them."""

    copies: int = 1  # training set x N: the clip itself and N - 1 changed copies; 1 is off
    online: bool = False  # a fresh copy of each clip every epoch instead of N fixed ones
    balanced: bool = False  # more copies of rare classes, until all are as large as the largest
    probability: float = 0.6  # of each method, for each copy
    noise_snr_db: tuple[float, float] = (15.0, 40.0)  # equal ends switch a method off
    pitch_semitones: tuple[float, float] = (-4.0, 4.0)
    stretch_rate: tuple[float, float] = (0.85, 1.15)
    gain_db: tuple[float, float] = (0.0, 0.0)
    room: bool = False  # a simulated room (pyroomacoustics)
    mask_probability: float = 0.0  # of each mask below, for each copy or, if online, each epoch
    mask_fill: Literal["silence", "mean"] = "silence"
    frequency_mask: tuple[int, int] = (10, 30)  # mel bands
    time_mask: tuple[int, int] = (10, 50)  # frames
    masks_each_epoch: bool = False  # draw masks anew each epoch, also for fixed copies
    mixup: float = 0.0  # alpha of the Beta distribution; 0 is off
    crop: int = 0  # frames of a random training crop; 0 uses whole clips


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """Which network, and its size."""

    name: Literal["variable", "resized", "emelia"] = "variable"
    layers: int = 3  # convolutions of the seed's networks: 3 or 4
    width: int = 16  # channels of the first convolution; each next has twice as many
    dropout: float = 0.25
    frames: int = 256  # to which resized networks bring every clip


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """How the network learns."""

    epochs: int = 60
    patience: int = 15  # epochs without a better validation UAR; 0 never stops early
    batch_size: int = 1
    bucket: bool = True  # batches of clips of like length; False draws them at random
    lr: float = 1e-3
    optimizer: Literal["adam", "adamw"] = "adam"
    weight_decay: float = 0.0
    schedule: Literal["constant", "cosine"] = "constant"
    warmup: float = 0.0  # share of the steps over which the rate rises from 0
    label_smoothing: float = 0.0
    balance: Literal["none", "weights", "sampling"] = "none"  # remedy for unequal classes
    clip_norm: float = 0.0  # largest gradient norm; 0 is off


@dataclass(frozen=True, slots=True)
class Recipe:
    """One way of making a model: everything that changes its result, and nothing else."""

    name: str = "recipe"
    group: str = "own"
    title: str = ""  # one line for tables and help
    published: float = 0.0  # accuracy in percent that the seed study gives; 0 where it gives none
    published_epoch: int = 0  # the epoch it was reached in
    audio: AudioConfig = field(default_factory=AudioConfig)
    features: FeatureConfig = field(default_factory=FeatureConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    train: TrainConfig = field(default_factory=TrainConfig)

    @property
    def digest(self) -> str:
        """Eight characters that name this experiment.

        Words about it do not count, nor do settings at their default, so that a setting
        added later leaves the names of finished experiments as they were. A default,
        once used, is therefore never changed.
        """
        values = _differences(self, Recipe())
        for label in ("group", "title", "published", "published_epoch"):
            values.pop(label, None)
        return digest(values)


# Front ends by name, for recipes and for `--set features=NAME`.
PRESETS = {
    "seed": FeatureConfig(),
    "speech-64": FeatureConfig(n_fft=512, window=400, hop=160, mels=64),  # 25 ms every 10 ms
    "speech-80": FeatureConfig(n_fft=512, window=400, hop=160, mels=80),
    "mfcc": FeatureConfig(kind="mfcc", mfccs=40, standardise="band"),
}

# The numbers that make sense, where a type allows more. Those of `augment` stand with its methods.
LIMITS: dict[str, tuple[float, float]] = {
    "audio.trim_db": (0, 200),
    "features.n_fft": (16, 65_536),
    "features.window": (2, 65_536),
    "features.hop": (1, 65_536),
    "features.mels": (1, 1024),
    "features.mfccs": (1, 1024),
    "features.fmin": (0, SAMPLE_RATE / 2),
    "features.fmax": (0, SAMPLE_RATE / 2),
    "features.top_db": (1, 200),
    "model.layers": (1, 8),
    "model.width": (1, 1024),
    "model.dropout": (0, 1),
    "model.frames": (1, 100_000),
    "train.epochs": (1, 1_000_000),
    "train.patience": (0, 1_000_000),
    "train.batch_size": (1, 100_000),
    "train.lr": (0, 100),
    "train.weight_decay": (0, 100),
    "train.warmup": (0, 1),
    "train.label_smoothing": (0, 1),
    "train.clip_norm": (0, 1e9),
}


def digest(values: Any, length: int = 8) -> str:
    """A few hexadecimal characters that name a JSON-able value."""
    return sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:length]


def _differences(value: Any, default: Any) -> dict[str, Any]:
    """Fields of a dataclass that differ from another of its kind, nested."""
    found: dict[str, Any] = {}
    for name, ours in asdict(value).items():
        other = getattr(default, name)
        if is_dataclass(other):
            found[name] = _differences(getattr(value, name), other)
        elif ours != other:
            found[name] = ours
    return found


def load_recipe(path: Path, settings: Sequence[str] = ()) -> Recipe:
    """Read a recipe from TOML and apply `a.b=value` settings to it.

    Raises:
        ConfigError: the file is not TOML, or a key or value does not fit.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such recipe file.") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}).") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid TOML ({error}).") from None
    return recipe_from({"name": path.stem, **values}, settings)


def recipe_from(values: Mapping[str, Any], settings: Sequence[str] = ()) -> Recipe:
    """Build a recipe from nested mappings; see `load_recipe`. Settings count from left to right."""
    merged = dict(values)
    for setting in settings:
        _apply(merged, setting)
    if isinstance(merged.get("features"), str):
        merged["features"] = {"preset": merged["features"]}
    recipe = typing.cast(Recipe, _build(Recipe, merged, ""))
    _check(recipe)
    return recipe


def _apply(values: dict[str, Any], setting: str) -> None:
    """Write `a.b=value` into nested dictionaries; the value is TOML, bare words are strings."""
    key, sign, text = setting.partition("=")
    if not sign or not key.strip():
        raise ConfigError(f"--set {setting!r}: expected key=value, for example train.lr=0.001.")
    try:
        value = tomllib.loads(f"x = {text}")["x"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    *parents, last = key.strip().split(".")
    for parent in parents:
        inner = values.get(parent)
        if isinstance(inner, str):  # features=NAME
            inner = {"preset": inner}
        values[parent] = dict(inner) if isinstance(inner, Mapping) else {}
        values = values[parent]
    values[last] = value


def _check(recipe: Recipe) -> None:
    """Refuse numbers that make no sense, alone or together."""
    for key, (low, high) in LIMITS.items():
        part, _, name = key.partition(".")
        value = getattr(getattr(recipe, part), name)
        if not low <= value <= high:  # nor is NaN
            raise ConfigError(f"{key}: {value:g} does not fit; expected {low:g} to {high:g}.")
    f = recipe.features
    if f.window > f.n_fft:
        raise ConfigError(f"features.window: {f.window} is longer than n_fft, {f.n_fft}.")
    if f.fmin >= f.fmax:
        raise ConfigError(f"features.fmin: {f.fmin:g} is not below fmax, {f.fmax:g}.")
    if f.kind == "mfcc" and f.mfccs > f.mels:
        raise ConfigError(f"features.mfccs: {f.mfccs} are more than mels, {f.mels}.")


def _build(cls: type, values: Mapping[str, Any], where: str) -> Any:
    known = {f.name: f for f in fields(cls)}
    hints = typing.get_type_hints(cls)
    values = dict(values)
    preset = values.pop("preset", None) if cls is FeatureConfig else None
    for key in values:
        if key not in known:
            raise ConfigError(f"unknown setting {where}{key}; {_nearest(key, known, where)}")
    made = {key: _convert(hints[key], value, f"{where}{key}") for key, value in values.items()}
    if preset is None:
        return cls(**made)
    if not isinstance(preset, str) or preset not in PRESETS:
        hint = _nearest(str(preset), PRESETS)
        raise ConfigError(f"unknown preset {preset!r} for features; {hint}")
    return dataclasses.replace(PRESETS[preset], **made)


def _nearest(word: str, known: Collection[str], where: str = "") -> str:
    near = get_close_matches(word, known, n=1)
    return f"did you mean {where}{near[0]}?" if near else f"known are: {', '.join(known)}."


def _convert(hint: Any, value: Any, where: str) -> Any:
    """Check a TOML value against the annotation of its field."""
    if is_dataclass(hint):
        if not isinstance(value, Mapping):
            raise ConfigError(f"{where}: expected a table of settings, got {value!r}.")
        return _build(typing.cast(type, hint), value, f"{where}.")
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
