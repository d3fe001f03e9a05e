"""The figures of a study; each function takes rows of it and returns a matplotlib Figure.

Every figure fits the width of a phone: one axes, text of 9 points. Where there are more lines than
colours, they are coloured by shades. Shares are drawn in percent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from emelia.audio import Wave
from emelia.config import SAMPLE_RATE, FeatureConfig
from emelia.metrics import Labels
from emelia.results import Cell, Row
from emelia.show.speakers import known_speakers
from emelia.show.style import (
    FAINT,
    GRID,
    INK,
    OKABE_ITO,
    SHADES,
    draw_wave,
    empty_figure,
    legend,
    mel_band,
    new_figure,
    plain,
)
from emelia.text import by_length, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDE, _NARROW = 4.6, 3.9  # inches
_MOST_NAMED = 8  # folds a legend can hold
_MOST_FOLLOWED = 12  # lines an eye can follow
_TICKS = (250, 500, 1000, 2000, 4000)  # Hz


def intervals(rows: Sequence[Row]) -> Figure:
    """Draw the accuracy of each recipe with its interval, and what is published of it."""
    figure, axes = new_figure(_WIDE, 1.1 + 0.42 * len(rows))
    places = np.arange(len(rows))[::-1]
    for place, row in zip(places, rows, strict=True):
        colour = OKABE_ITO[0] if row.complete else FAINT
        _bar(axes, place, row.accuracy, row.accuracy_interval, colour, "o")
        if row.best_test_accuracy is not None and row.best_test_interval is not None:
            shifted = place - 0.22
            _bar(axes, shifted, row.best_test_accuracy, row.best_test_interval, OKABE_ITO[1], "s")
        if row.published is not None:
            axes.plot(100 * row.published, place, "D", color=INK, fillstyle="none", markersize=6)
    # What a network reaches that always answers the commonest class.
    chance = 100 * np.bincount(rows[0].truth).max() / len(rows[0].truth)
    axes.axvline(chance, color=FAINT, linewidth=1, linestyle=":")
    axes.set_yticks(places, [row.recipe for row in rows])
    axes.set_ylim(-0.7, len(rows) - 0.4)
    axes.set_xlabel("accuracy %")
    axes.grid(axis="x", color=GRID, linewidth=0.6)
    _name_marks(axes, rows)
    return figure


def losses(row: Row) -> Figure:
    """Draw the loss on training and validation data over the epochs, a line for each cell.

    The chosen epoch is marked on the line of the validation data.
    """
    figure, axes = new_figure(_NARROW, 3.5)
    _draw(axes, row.cells, "loss", "-", 1)
    _draw(axes, row.cells, "validation_loss", "--", 1)
    _mark_chosen(axes, row.cells, "validation_loss", 1)
    axes.plot([], [], color=INK, linewidth=1, label="training")
    axes.plot([], [], color=INK, linewidth=1, linestyle="--", label="validation")
    _finish_curves(axes, "loss")
    return figure


def progress(row: Row) -> Figure:
    """Draw the UAR on validation data over the epochs, a line for each cell."""
    figure, axes = new_figure(_NARROW, 3.5)
    _draw(axes, row.cells, "validation_uar", "-", 100)
    _mark_chosen(axes, row.cells, "validation_uar", 100)
    folds = {cell.fold: colour for cell, colour in _coloured(row.cells)}
    if 1 < len(folds) <= _MOST_NAMED:
        for name, colour in folds.items():
            axes.plot([], [], color=colour, linewidth=1, label=f"fold {name}")
    if row.best_test_accuracy is not None:
        _draw(axes, row.cells, "test_accuracy", ":", 100)
        axes.plot([], [], color=INK, linewidth=1, linestyle=":", label="test accuracy %")
    _finish_curves(axes, "validation UAR %")
    return figure


def confusion(matrix: Labels, classes: Sequence[str], answered: Sequence[str] = ()) -> Figure:
    """Draw counts and shares of each true class, (C, C): rows true, columns predicted.

    Args:
        answered: names of the columns, where these are not the classes alone.
    """
    size = len(classes)
    figure, axes = new_figure(_NARROW, 3.5)
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap=SHADES, vmin=0, vmax=1)
    for i, j in np.ndindex(matrix.shape):
        axes.text(
            j,
            i,
            f"{percent(shares[i, j], 0)} %\n{matrix[i, j]}" if matrix[i].any() else "–",
            ha="center",
            va="center",
            color="#000000" if shares[i, j] > 0.6 else "#ffffff",
            fontsize=8 if size <= 6 else 6,
        )
    columns = answered or classes
    axes.set_xticks(range(len(columns)), columns, rotation=35, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(size), classes)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    return figure


def speakers(rows: Sequence[Row]) -> Figure:
    """Draw the accuracy on each test speaker, a mark for each recipe."""
    people = [known_speakers(row) for row in rows]
    names = by_length({name for own in people for name in own})
    figure, axes = new_figure(_WIDE, 1.3 + min(0.28, 3.4 / len(names)) * len(names))
    marks = "osD^vP*X<>"
    for number, (row, own) in enumerate(zip(rows, people, strict=True)):
        places = [len(names) - 1 - names.index(name) for name in own]
        shares = [100 * share for _, share in own.values()]
        mark, colour = marks[number % len(marks)], OKABE_ITO[number % len(OKABE_ITO)]
        axes.plot(shares, places, mark, color=colour, markersize=6, alpha=0.85, label=row.recipe)
    axes.set_yticks(range(len(names)), names[::-1])
    axes.set_ylabel("speaker")
    axes.set_xlabel("accuracy %")
    axes.grid(axis="y", color=GRID, linewidth=0.6)
    legend(axes)
    return figure


def _bar(axes: Axes, place: float, share: float, span: Any, colour: str, mark: str) -> None:
    axes.plot([100 * span.low, 100 * span.high], [place, place], color=colour, linewidth=2)
    axes.plot(100 * share, place, mark, color=colour, markersize=6)


def _name_marks(axes: Axes, rows: Sequence[Row]) -> None:
    axes.plot([], [], "o-", color=OKABE_ITO[0], label="epoch chosen on validation")
    if any(row.best_test_accuracy is not None for row in rows):
        axes.plot([], [], "s-", color=OKABE_ITO[1], label="best test epoch")
    if any(row.published is not None for row in rows):
        axes.plot([], [], "D", color=INK, fillstyle="none", label="published")
    axes.plot([], [], color=FAINT, linewidth=1, linestyle=":", label="commonest class")
    legend(axes)


def _draw(axes: Axes, cells: Sequence[Cell], key: str, style: str, scale: float) -> None:
    """One line a cell; where they are too many to follow, faint ones and their median."""
    many = len(cells) > _MOST_FOLLOWED
    for cell, colour in _coloured(cells):
        values = _over_epochs(cell, key, scale)
        axes.plot(
            np.arange(1, len(values) + 1), values, style, color=colour,
            linewidth=0.4 if many else 1, alpha=0.5 if many else 0.9,
        )  # fmt: skip
    if many:
        # As far as half of them go: where few are left, their median is of other cells.
        epochs = sorted(len(cell.history) for cell in cells)[len(cells) // 2]
        running = [c for c in cells if len(c.history) >= epochs]
        middle = np.median([_over_epochs(c, key, scale)[:epochs] for c in running], axis=0)
        axes.plot(np.arange(1, epochs + 1), middle, style, color=INK, linewidth=1.5)


def _mark_chosen(axes: Axes, cells: Sequence[Cell], key: str, scale: float) -> None:
    for cell, colour in _coloured(cells):
        value = scale * cell.history[cell.best_epoch - 1].get(key, np.nan)
        axes.plot(cell.best_epoch, value, "o", color=colour, markersize=5, markeredgecolor="w")


def _over_epochs(cell: Cell, key: str, scale: float) -> list[float]:
    """A figure of each epoch; NaN, which is not drawn, where it is missing."""
    return [scale * epoch.get(key, np.nan) for epoch in cell.history]


def _finish_curves(axes: Axes, what: str) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_xlabel("epoch")
    axes.set_ylabel(what)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axes.grid(color=GRID, linewidth=0.6)
    if axes.get_legend_handles_labels()[0]:
        legend(axes, 3)


def _coloured(cells: Sequence[Cell]) -> list[tuple[Cell, Any]]:
    """Each cell with the colour of its fold."""
    folds = list(dict.fromkeys(cell.fold for cell in cells))
    if len(folds) <= len(OKABE_ITO):
        colours: Any = OKABE_ITO
    else:
        from matplotlib import colormaps

        colours = colormaps[SHADES](np.linspace(0, 0.85, len(folds)))
    return [(cell, colours[folds.index(cell.fold)]) for cell in cells]


def conversion(wave: Wave, values: NDArray[np.float32], features: FeatureConfig) -> Figure:
    """Draw a recording (T,) at 16 kHz above its mel spectrogram (M, F) in dB, on one time axis."""
    figure = empty_figure(4.6, 3.8)
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[1, 2.4])
    seconds = len(wave) / SAMPLE_RATE
    draw_wave(top, wave, SAMPLE_RATE, 1, INK)
    top.set_ylabel("wave")
    place: Any = (0, seconds, 0, len(values))  # left, right, bottom, top
    shade: Any = {"cmap": SHADES, "aspect": "auto", "origin": "lower", "interpolation": "none"}
    image = bottom.imshow(values, extent=place, **shade)
    ticks = [hz for hz in _TICKS if features.fmin < hz < features.fmax]
    bottom.set_yticks(
        [mel_band(hz, features, features.mels) for hz in ticks], [f"{hz / 1000:g}" for hz in ticks]
    )
    bottom.set_ylabel("kHz")
    bottom.set_xlabel("s")
    plain(bottom)
    bar = figure.colorbar(image, ax=bottom, label="dB", pad=0.01, aspect=25)
    bar.ax.tick_params(labelsize=8, colors=INK)
    bar.ax.yaxis.label.set(fontsize=9, color=INK)
    return figure
