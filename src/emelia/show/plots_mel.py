"""The picture of one recording and of the spectrogram made from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from emelia.audio import Wave
from emelia.config import SAMPLE_RATE, FeatureConfig
from emelia.show.canvas import INK, empty_figure, mel_band, plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLUMNS = 1200  # stretches in which a wave is drawn
_TICKS = (250, 500, 1000, 2000, 4000)  # Hz


def conversion(wave: Wave, values: NDArray[np.float32], features: FeatureConfig) -> Figure:
    """A recording at 16 kHz (T,) above its mel spectrogram (M, F) in dB, on one time axis."""
    figure = empty_figure(4.6, 3.8)
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[1, 2.4])
    seconds = len(wave) / SAMPLE_RATE
    size = max(1, len(wave) // _COLUMNS)
    parts = np.pad(wave, (0, -len(wave) % size)).reshape(-1, size)
    times = (np.arange(len(parts)) + 0.5) * size / SAMPLE_RATE
    top.fill_between(times, parts.min(axis=1), parts.max(axis=1), color=INK, linewidth=0.4)
    top.set_ylim(-1, 1)
    top.set_ylabel("wave")
    place: Any = (0, seconds, 0, len(values))  # left, right, bottom, top
    shade: Any = {"cmap": "magma", "aspect": "auto", "origin": "lower", "interpolation": "none"}
    image = bottom.imshow(values, extent=place, **shade)
    ticks = [hz for hz in _TICKS if features.fmin < hz < features.fmax]
    bottom.set_yticks(
        [mel_band(hz, features, features.mels) for hz in ticks], [f"{hz / 1000:g}" for hz in ticks]
    )
    bottom.set_ylabel("kHz")
    bottom.set_xlabel("s")
    for axes in (top, bottom):
        plain(axes)
    bar = figure.colorbar(image, ax=bottom, label="dB", pad=0.01, aspect=25)
    bar.ax.tick_params(labelsize=8, colors=INK)
    bar.ax.yaxis.label.set(fontsize=9, color=INK)
    return figure
