"""The figures of a corpus: data in, matplotlib Figure out.

Every figure fits the width of a phone. Shades grow evenly lighter for any colour vision, and
go from purple to orange where there is a middle. Spectrograms are in dB below
the loudest point, with mel bands from bottom to top.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from emelia.audio.mel import hz_to_mel
from emelia.config import SAMPLE_RATE
from emelia.show.explore.data import Exploration
from emelia.show.explore.examples import Example
from emelia.show.explore.measure import BANDS, FRONT_END, Array
from emelia.show.style import (
    FAINT,
    GRID,
    INK,
    OKABE_ITO,
    SHADES,
    Values,
    draw_wave,
    empty_figure,
    legend,
    new_figure,
    plain,
    words,
)
from emelia.text import by_length

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDE, _NARROW = 4.6, 3.5  # inches: two or three beside each other
_TICKS = (0, 500, 1000, 2000, 4000, 8000)  # Hz
_RANGE = 80  # dB that are shown of a spectrogram
_GENDERS = {"female": OKABE_ITO[1], "male": OKABE_ITO[0], "": FAINT}
_MOST_SPEAKERS = 60  # rows that can still be read
FRAME = FRONT_END.hop / SAMPLE_RATE  # s


def classes(exploration: Exploration) -> Figure:
    """Draw the number of clips of each emotion, by gender where it is known."""
    names = exploration.emotions[::-1]
    drawn, axes = new_figure(_WIDE, 0.9 + 0.36 * len(names))
    genders = [s for s in _GENDERS if any(c.utterance.gender == s for c in exploration.clips)]
    start = np.zeros(len(names))
    for gender in genders:
        counts = [sum(c.utterance.gender == gender for c in exploration.of(n)) for n in names]
        label = gender or "gender unknown"
        colour = _GENDERS[gender] if len(genders) > 1 else OKABE_ITO[0]
        axes.barh(range(len(names)), counts, left=start, color=colour, height=0.7, label=label)
        start += counts
    for place, count in enumerate(start):
        axes.text(count, place, f" {count:.0f}", va="center", fontsize=9, color=INK)
    axes.set_yticks(range(len(names)), list(map(words, names)))
    axes.set_xlim(0, 1.12 * start.max())
    axes.set_xlabel("clips")
    if len(genders) > 1:
        legend(axes, 3)
    return drawn


def speakers(exploration: Exploration) -> Figure | None:
    """Draw the clips of each speaker and emotion; None where there are too many speakers."""
    names = by_length({c.utterance.speaker for c in exploration.clips})
    if not 1 < len(names) <= _MOST_SPEAKERS:
        return None
    counts = np.zeros((len(names), len(exploration.emotions)), dtype=int)
    for clip in exploration.clips:
        at = names.index(clip.utterance.speaker)
        counts[at, exploration.emotions.index(clip.utterance.emotion)] += 1
    drawn, axes = new_figure(_WIDE, 1.0 + 0.24 * len(names))
    axes.imshow(counts, cmap=SHADES, vmin=0, aspect="auto")
    for (i, j), count in np.ndenumerate(counts):
        light = count > 0.5 * counts.max()
        colour = "#000000" if light else "#ffffff"
        axes.text(j, i, str(count), ha="center", va="center", fontsize=8, color=colour)
    emotions = list(map(words, exploration.emotions))
    axes.set_xticks(range(len(emotions)), emotions, rotation=35, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(names)), list(map(words, names)))
    axes.set_ylabel("speaker")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    return drawn


def histogram(values: Values, label: str, mark: float | None = None, named: str = "") -> Figure:
    """Draw a histogram of values with their median; `mark` is one to compare them with."""
    drawn, axes = new_figure(_WIDE, 2.6)
    axes.hist(values, bins=_bins(values).tolist(), color=OKABE_ITO[0])
    median = float(np.median(values))
    axes.axvline(median, color=INK, linewidth=1.5, label=f"median {median:.3g}")
    if mark is not None:
        axes.axvline(mark, color=OKABE_ITO[1], linewidth=1.5, linestyle="--", label=named)
    axes.set_xlabel(label)
    axes.set_ylabel("clips")
    axes.grid(axis="y", color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    legend(axes)
    return drawn


def ridges(groups: Mapping[str, Values], label: str, logarithmic: bool = False) -> Figure:
    """Draw the distribution in each group, with median, quartiles and range."""
    drawn, axes = new_figure(_NARROW, 0.8 + 0.4 * len(groups))
    bins = _bins(np.concatenate(list(groups.values())), logarithmic)
    # On a logarithmic axis the middle of a bin is the geometric mean of its ends.
    middles = np.sqrt(bins[1:] * bins[:-1]) if logarithmic else (bins[1:] + bins[:-1]) / 2
    for place, values in zip(range(len(groups))[::-1], groups.values(), strict=True):
        # Smoothed with the neighbouring bins, since the histogram of few clips is ragged.
        shape = np.convolve(np.histogram(values, bins)[0], [0.25, 0.5, 0.25], mode="same")
        height = place + 0.72 * shape / max(shape.max(), 1e-9)
        axes.fill_between(middles, place, height, color=OKABE_ITO[0], alpha=0.45, linewidth=0)
        low, middle, high = np.percentile(values, [25, 50, 75])
        axes.plot([values.min(), values.max()], [place, place], color=FAINT, linewidth=1)
        axes.plot([low, high], [place, place], color=OKABE_ITO[0], linewidth=3)
        axes.plot(middle, place, "o", color=INK, markersize=5)
    axes.set_yticks(range(len(groups))[::-1], list(map(words, groups)))
    axes.set_ylim(-0.3, len(groups) - 0.1)
    if logarithmic:
        _log_axis(axes, bins)
    axes.set_xlabel(label)
    axes.grid(axis="x", color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    return drawn


def example(one: Example, seconds: float, peak: float) -> Figure:
    """Waveform above spectrogram, on axes of `seconds` and `peak` that all examples share."""
    drawn = empty_figure(_NARROW, 3.1)
    above, below = drawn.subplots(2, 1, sharex=True, height_ratios=(1, 2.2))
    draw_wave(above, one.wave, SAMPLE_RATE, peak)
    above.set_ylabel("amplitude")
    plain(below)
    mel_image(below, one.spectrogram, (0, one.spectrogram.shape[1] * FRAME))
    below.set_xlim(0, seconds)
    below.set_xlabel("s")
    return drawn


def mean_spectrogram(resized: Array, difference: Array, most: float) -> Figure:
    """An emotion's mean spectrogram, and how far it lies above or below that of all clips.

    Args:
        resized: dB (64, 48) over the share of the clip that is gone.
        difference: dB (64, 48).
        most: dB at the ends of the colours of the difference.
    """
    drawn = empty_figure(_NARROW, 2.3)
    both = drawn.subplots(1, 2, sharey=True)
    shades: list[dict[str, Any]] = [
        {"cmap": SHADES, "vmin": -60, "vmax": -10},
        {"cmap": "PuOr_r", "vmin": -most, "vmax": most},
    ]
    for axes, values, shade in zip(both, (resized, difference), shades, strict=True):
        plain(axes)
        image = mel_image(axes, values, (0, 100), **shade)
        axes.set_xlabel("% of the clip")
        bar = drawn.colorbar(image, ax=axes, location="top", aspect=30)
        bar.ax.tick_params(labelsize=8, colors=INK)
        bar.outline.set_visible(False)
    both[0].set_title("mean, dB", fontsize=9, color=INK)
    both[1].set_title("against all, dB", fontsize=9, color=INK)
    return drawn


def mel_place(hertz: Values) -> Values:
    """Where frequencies lie on Slaney's mel axis from 0 to 8 kHz, as shares of it."""
    low, high = hz_to_mel(FRONT_END.fmin), hz_to_mel(FRONT_END.fmax)
    return np.array([(hz_to_mel(hz) - low) / (high - low) for hz in hertz])


def hertz_of(band: int) -> float:
    """Hz at the centre of a band of a resized spectrogram."""
    hertz = np.arange(FRONT_END.fmin, FRONT_END.fmax)
    return float(np.interp((band + 0.5) / BANDS, mel_place(hertz), hertz))


def mel_image(axes: Axes, values: Array, extent: tuple[float, float], **shade: Any) -> Any:
    """Draw a spectrogram from `extent` to `extent`, with its mel bands labelled in kHz."""
    options: dict[str, Any] = {"cmap": SHADES, "vmin": -_RANGE, "vmax": 0} | shade
    options |= {"origin": "lower", "aspect": "auto", "interpolation": "none"}
    image = axes.imshow(values, extent=(*extent, 0, 1), **options)
    labels = [f"{hz / 1000:g}" for hz in _TICKS]
    axes.set_yticks(mel_place(np.array(_TICKS, dtype=float)), labels)
    axes.set_ylabel("kHz")
    axes.label_outer()
    return image


def _bins(values: Values, logarithmic: bool = False, count: int = 40) -> Values:
    low, high = float(values.min()), float(values.max())
    if low == high:  # a bar of some width
        margin = 0.1 * abs(low) or 0.5
        low, high = low - margin, high + margin
    if logarithmic:
        return np.geomspace(low, high, count + 1)
    return np.linspace(low, high, count + 1)


def _log_axis(axes: Axes, bins: Values) -> None:
    """Half a dozen round numbers on a logarithmic axis."""
    from matplotlib.ticker import NullLocator

    axes.set_xscale("log")
    steps = [s * 10.0**p for p in range(-2, 5) for s in (1, 1.5, 2, 3, 4, 6, 8)]
    shown = [step for step in steps if bins[0] <= step <= bins[-1]]
    axes.set_xticks(shown, [f"{step:g}" for step in shown])
    axes.xaxis.set_minor_locator(NullLocator())
