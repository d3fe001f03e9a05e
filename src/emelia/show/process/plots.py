"""Figures of processing: a recording after each step, and the gain of noise reduction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from emelia.audio import resample
from emelia.audio.mel import log_mel
from emelia.config import SAMPLE_RATE
from emelia.show.explore.measure import FRONT_END
from emelia.show.explore.plots import mel_image
from emelia.show.process.noise import METHODS
from emelia.show.process.stages import Stage
from emelia.show.process.tables import Mean
from emelia.show.style import (
    FAINT,
    GRID,
    INK,
    OKABE_ITO,
    draw_wave,
    empty_figure,
    legend,
    new_figure,
    plain,
)
from emelia.text import decibels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDE, _NARROW = 7.0, 3.5  # inches
_ROW = 1.35  # inches of one stage
_FRAME = FRONT_END.hop / SAMPLE_RATE  # s


def overview(stages: Sequence[Stage]) -> Figure:
    """Draw all stages below each other: waveforms left, spectrograms right, on the same axes."""
    drawn = empty_figure(_WIDE, 0.4 + _ROW * len(stages))
    rows = drawn.subplots(len(stages), 2, sharex=True, squeeze=False)
    _draw([tuple(row) for row in rows], stages, stages)
    for row, stage in zip(rows, stages, strict=True):
        told = f"level {decibels(stage.figures.level)}, SNR {decibels(stage.figures.snr)}"
        for axes, text in zip(row, (stage.name, told), strict=True):
            axes.set_title(text, fontsize=9, color=INK, loc="left")
    for axes in rows[-1]:
        axes.set_xlabel("s")
    return drawn


def single(stage: Stage, others: Sequence[Stage]) -> Figure:
    """Draw one stage, waveform above spectrogram, on the axes of all others."""
    drawn = empty_figure(_NARROW, 3.1)
    above, below = drawn.subplots(2, 1, sharex=True, height_ratios=(1, 2.2))
    _draw([(above, below)], [stage], others)
    below.set_xlabel("s")
    return drawn


def gained(means: Sequence[Mean], measure: str, label: str) -> Figure:
    """Draw the gain of each method with each noise: means with intervals, zero marked."""
    rows = list(dict.fromkeys((mean.noise, mean.snr) for mean in means))
    drawn, axes = new_figure(4.6, 1.2 + 0.36 * len(rows))
    axes.axvline(0, color=FAINT, linewidth=1)
    for number, method in enumerate(METHODS):
        colour, mark = OKABE_ITO[number], "os"[number]
        for mean in (m for m in means if m.method == method):
            # Both methods lie on the line of their noise, one a little above and one a little
            # below.
            place = len(rows) - 1 - rows.index((mean.noise, mean.snr)) + 0.12 - 0.24 * number
            value, span = getattr(mean, measure)
            axes.plot([span.low, span.high], [place, place], color=colour, linewidth=2)
            axes.plot(value, place, mark, color=colour, markersize=5)
        axes.plot([], [], f"{mark}-", color=colour, label=method)
    names = [f"{noise}, {snr:g} dB" for noise, snr in rows]
    axes.set_yticks(range(len(rows)), names[::-1])
    axes.set_xlabel(label)
    axes.grid(axis="x", color=GRID, linewidth=0.6)
    legend(axes)
    return drawn


def _draw(
    places: Sequence[tuple[Axes, Axes]], stages: Sequence[Stage], others: Sequence[Stage]
) -> None:
    seconds = max(stage.wave.size / stage.rate for stage in others)
    peak = max(float(np.abs(stage.wave).max()) for stage in others) or 1.0
    for (left, right), stage in zip(places, stages, strict=True):
        draw_wave(left, stage.wave, stage.rate, peak)
        plain(right)
        spectrogram = log_mel(resample(stage.wave, stage.rate), FRONT_END)
        mel_image(right, spectrogram, (0, spectrogram.shape[1] * _FRAME))
        right.set_xlim(0, seconds)
        right.yaxis.set_tick_params(labelleft=True)  # which belong to the outermost only
        right.set_ylabel("kHz", fontsize=9, color=INK)
