"""Augmentation that is drawn anew each epoch: crops, changes and masks of spectrograms.

The changes are those that separate one corpus from another: vocal tract length, tempo, the
frequency response of microphone and room, noise, somebody else in the background. They are made on
a log-mel spectrogram in decibels, which takes next to no time. M bands, F frames.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from emelia.config import FeatureConfig, Recipe
from emelia.learn.data.augment import mask_spectrogram

Spec = NDArray[np.float32]

TRACT = 0.12  # largest change of the logarithm of the vocal tract length
TEMPO = (0.8, 1.25)  # times as many frames
RESPONSE = 4.0  # dB, standard deviation of the gain at each of
POINTS = 6  # bands between which it is interpolated linearly
NOISE_BELOW = (20.0, 80.0)  # dB under the loudest point
NOISE_RESPONSE = 6.0  # dB, as RESPONSE
SPEECH_BELOW = (4.0, 24.0)  # dB that the speech in the background is quieter
PROBABILITIES = {"tract": 0.5, "tempo": 0.4, "response": 0.6, "noise": 0.4, "speech": 0.1}
FLOOR = 1e-3  # of the noise's mean power, for a single cell


def augment_crop(
    spec: Spec, silence: Spec, other: Callable[[], Spec], recipe: Recipe, rng: np.random.Generator
) -> Spec:
    """Cut a random crop, change and mask it, where the recipe does so each epoch.

    Args:
        spec: (M, F) in the units of the recipe's features, and `silence`: (M,), a silent frame.
        other: gives the spectrogram of a random other clip.
    """
    config = recipe.augment
    changed = config.spec_augment > 0 and rng.random() < config.spec_augment
    if config.crop:  # a change of tempo may shorten it, so it is cut longer first
        spec = crop(spec, math.ceil(config.crop / TEMPO[0]) if changed else config.crop, rng)
    if changed:
        spec = _in_decibels(spec, other(), recipe.features, rng)
    if config.crop:
        spec = crop(spec, config.crop, rng)
    if config.masks_each_epoch:
        spec = mask_spectrogram(spec, config, rng, silence)
    return spec


def change(spec: Spec, other: Spec, rng: np.random.Generator, top_db: float) -> Spec:
    """Make each change with its probability.

    Args:
        spec: (M, F) in dB, and `other`: (M, F'), a clip to be mixed in as speech in the background.
        top_db: what lies further below the loudest point is raised to there.

    Returns:
        (M, F''), where F'' differs from F if the tempo was changed.
    """
    chosen = {name: rng.random() < chance for name, chance in PROBABILITIES.items()}
    if chosen["tract"]:
        spec = warp_bands(spec, float(np.exp(rng.uniform(-TRACT, TRACT))))
    if chosen["tempo"]:
        spec = stretch(spec, float(rng.uniform(*TEMPO)))
    if chosen["response"]:
        spec = spec + random_gains(len(spec), RESPONSE, rng)
    if chosen["noise"]:
        level = spec.max() - rng.uniform(*NOISE_BELOW)
        level = level + random_gains(len(spec), NOISE_RESPONSE, rng)
        spec = add(spec, level + _noise(spec.shape, rng))
    if chosen["speech"]:
        spec = add(spec, other - rng.uniform(*SPEECH_BELOW))
    return np.asarray(np.maximum(spec, spec.max() - top_db), np.float32)


def warp_bands(spec: Spec, factor: float) -> Spec:
    """Move band m x `factor` to band m: below 1 a shorter vocal tract, above 1 a longer one."""
    return _at(spec, np.minimum(np.arange(len(spec)) * factor, len(spec) - 1))


def stretch(spec: Spec, factor: float) -> Spec:
    """(M, F) to (M, factor x F), interpolated: slower above 1."""
    frames = spec.shape[1]
    return _at(spec.T, np.linspace(0, frames - 1, max(1, round(frames * factor)))).T


def add(spec: Spec, other: Spec) -> Spec:
    """The sum of two spectrograms in power, both in dB, as long as the first."""
    found = np.array(spec, np.float32)
    frames = min(spec.shape[1], other.shape[1])
    powers = 10 ** (found[:, :frames] / 10) + 10 ** (other[:, :frames] / 10)
    found[:, :frames] = 10 * np.log10(powers)
    return found


def random_gains(bands: int, deviation: float, rng: np.random.Generator) -> Spec:
    """A gain in dB for each band (M, 1): random at a few bands, linear between them."""
    gains = rng.normal(0, deviation, POINTS)
    line = np.interp(np.arange(bands), np.linspace(0, bands - 1, POINTS), gains)
    return line[:, None].astype(np.float32)


def crop(spec: Spec, frames: int, rng: np.random.Generator) -> Spec:
    """So many frames from a random place of a spectrogram (M, F); all where it has no more."""
    if spec.shape[1] <= frames:
        return spec
    start = int(rng.integers(spec.shape[1] - frames + 1))
    return spec[:, start : start + frames]


def _in_decibels(
    spec: Spec, other: Spec, features: FeatureConfig, rng: np.random.Generator
) -> Spec:
    """Change a spectrogram in the units of the features."""
    unit = features.decibels
    found = change(spec * unit, other * unit, rng, features.top_db) / unit
    # Other than Whisper's, the scale is relative to the loudest point.
    return found if features.scale == "whisper" else found - found.max()


def _noise(shape: tuple[int, int], rng: np.random.Generator) -> Spec:
    """White noise (M, F) in dB relative to its mean power, which is exponentially distributed."""
    power = np.maximum(rng.standard_exponential(shape, np.float32), FLOOR)
    return np.asarray(10 * np.log10(power), np.float32)


def _at(rows: Spec, places: NDArray[np.float64]) -> Spec:
    """Rows at fractional places, interpolated linearly."""
    below = np.floor(places).astype(int)
    above = np.minimum(below + 1, len(rows) - 1)
    share = (places - below)[:, None].astype(np.float32)
    return np.asarray(rows[below] * (1 - share) + rows[above] * share, np.float32)
