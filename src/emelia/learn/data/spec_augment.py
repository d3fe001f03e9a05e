"""What is drawn anew for every piece of a clip that is learnt from: its place, changes, masks.

The changes are what separates one corpus from another: the speaker's throat, the tempo, the
colour of microphone and room, noise, somebody else in the background. They are made on a log-mel
spectrogram in decibels, which costs next to nothing. M bands, F frames.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from emelia.config import FeatureConfig, Recipe
from emelia.learn.data.augment import mask_spectrogram

Spec = NDArray[np.float32]

THROAT = 0.12  # a band moves by up to this share of its number, up or down
TEMPO = (0.8, 1.25)  # times as many frames
COLOUR = 4.0  # dB, standard deviation of the gain at each of
BENDS = 6  # places between which it is a straight line
NOISE_BELOW = (20.0, 80.0)  # dB under the loudest point
NOISE_COLOUR = 6.0  # dB, as for COLOUR
OTHER_BELOW = (4.0, 24.0)  # dB, of the speech in the background
CHANCES = {"throat": 0.5, "tempo": 0.4, "colour": 0.6, "noise": 0.4, "other": 0.1}
FAINTEST = 1e-3  # of the noise's mean power, which a single cell may fall to


def vary(
    spec: Spec, silence: Spec, other: Callable[[], Spec], recipe: Recipe, rng: np.random.Generator
) -> Spec:
    """Cut a random piece, change and mask it, where the recipe does so each epoch.

    Args:
        spec: (M, F) in the units of the recipe's features, and `silence`: (M,), a silent frame.
        other: draws another clip's spectrogram.
    """
    config = recipe.augment
    changed = config.spec_augment > 0 and rng.random() < config.spec_augment
    if config.crop:  # what may become shorter is cut longer first
        spec = piece(spec, math.ceil(config.crop / TEMPO[0]) if changed else config.crop, rng)
    if changed:
        spec = _in_decibels(spec, other(), recipe.features, rng)
    if config.crop:
        spec = piece(spec, config.crop, rng)
    if config.masks_each_epoch:
        spec = mask_spectrogram(spec, config, rng, silence)
    return spec


def change(spec: Spec, other: Spec, rng: np.random.Generator, top_db: float) -> Spec:
    """Some of the changes, at random.

    Args:
        spec: (M, F) in dB, and `other`: (M, F'), a clip to be heard in the background.
        top_db: what lies further below the loudest point is raised to there.

    Returns:
        (M, F''), where F'' differs from F if the tempo was changed.
    """
    chosen = {name: rng.random() < chance for name, chance in CHANCES.items()}
    if chosen["throat"]:
        spec = move_bands(spec, float(np.exp(rng.uniform(-THROAT, THROAT))))
    if chosen["tempo"]:
        spec = stretch(spec, float(rng.uniform(*TEMPO)))
    if chosen["colour"]:
        spec = spec + bent(len(spec), COLOUR, rng)
    if chosen["noise"]:
        level = spec.max() - rng.uniform(*NOISE_BELOW) + bent(len(spec), NOISE_COLOUR, rng)
        spec = add(spec, level + _flicker(spec.shape, rng))
    if chosen["other"]:
        spec = add(spec, other - rng.uniform(*OTHER_BELOW))
    return np.asarray(np.maximum(spec, spec.max() - top_db), np.float32)


def move_bands(spec: Spec, factor: float) -> Spec:
    """Band m sounds as band m x factor did: a shorter throat below 1, a longer one above."""
    return _at(spec, np.minimum(np.arange(len(spec)) * factor, len(spec) - 1))


def stretch(spec: Spec, factor: float) -> Spec:
    """`factor` times as many frames, interpolated: slower above 1."""
    frames = spec.shape[1]
    return _at(spec.T, np.linspace(0, frames - 1, max(1, round(frames * factor)))).T


def add(spec: Spec, other: Spec) -> Spec:
    """The sum of two sounds' powers, as long as the first."""
    found = np.array(spec, np.float32)
    frames = min(spec.shape[1], other.shape[1])
    powers = 10 ** (found[:, :frames] / 10) + 10 ** (other[:, :frames] / 10)
    found[:, :frames] = 10 * np.log10(powers)
    return found


def bent(bands: int, deviation: float, rng: np.random.Generator) -> Spec:
    """A gain in dB for each band (M, 1): random at a few places, straight between them."""
    gains = rng.normal(0, deviation, BENDS)
    line = np.interp(np.arange(bands), np.linspace(0, bands - 1, BENDS), gains)
    return line[:, None].astype(np.float32)


def piece(spec: Spec, frames: int, rng: np.random.Generator) -> Spec:
    """Frames in a row from anywhere in a spectrogram (M, F); all where it has no more."""
    if spec.shape[1] <= frames:
        return spec
    start = int(rng.integers(spec.shape[1] - frames + 1))
    return spec[:, start : start + frames]


def _in_decibels(
    spec: Spec, other: Spec, features: FeatureConfig, rng: np.random.Generator
) -> Spec:
    unit = features.decibels
    found = change(spec * unit, other * unit, rng, features.top_db) / unit
    # Other than Whisper's, the scale is relative to the loudest point.
    return found if features.scale == "whisper" else found - found.max()


def _flicker(shape: tuple[int, int], rng: np.random.Generator) -> Spec:
    """Noise around its mean: the power of a cell is exponentially distributed."""
    power = np.maximum(rng.standard_exponential(shape, np.float32), FAINTEST)
    return np.asarray(10 * np.log10(power), np.float32)


def _at(rows: Spec, places: NDArray[np.float64]) -> Spec:
    """Rows between rows, interpolated."""
    below = np.floor(places).astype(int)
    above = np.minimum(below + 1, len(rows) - 1)
    share = (places - below)[:, None].astype(np.float32)
    return np.asarray(rows[below] * (1 - share) + rows[above] * share, np.float32)
