"""The figures of a study: data in, matplotlib Figure out, SVG for pages.

Every figure fits the width of a phone: one axes, text of 9 points. It has no background,
and as SVG its ink turns light where the reader prefers dark pages. Colours are Okabe and
Ito's, which people with any colour vision can tell apart; where there are more lines than
colours, they run through cividis. Shares are drawn in percent.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from emelia.errors import MissingExtraError
from emelia.metrics import Labels
from emelia.results import Cell, Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Without the yellow, which is lost on white.
OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#333333")
_WIDE, _NARROW = 4.6, 3.9  # inches
_INK, _FAINT, _GRID = "#333333", "#999999", "#dddddd"
_ON_DARK = {_INK: "#dde2e0", _FAINT: "#7d8784", _GRID: "#3c4548", "#0072b2": "#4da6e0"}
_MOST_NAMED = 8  # folds a legend can hold
_MOST_FOLLOWED = 12  # lines an eye can follow


def intervals(rows: Sequence[Row]) -> Figure:
    """Accuracy of each recipe with its interval, beside what is published of it."""
    figure, axes = _figure(_WIDE, 1.1 + 0.42 * len(rows))
    places = np.arange(len(rows))[::-1]
    for place, row in zip(places, rows, strict=True):
        colour = OKABE_ITO[0] if row.complete else _FAINT
        _bar(axes, place, row.accuracy, row.accuracy_interval, colour, "o")
        if row.best_test_accuracy is not None and row.best_test_interval is not None:
            shifted = place - 0.22
            _bar(axes, shifted, row.best_test_accuracy, row.best_test_interval, OKABE_ITO[1], "s")
        if row.published is not None:
            axes.plot(100 * row.published, place, "D", color=_INK, fillstyle="none", markersize=6)
    chance = 100 * np.bincount(rows[0].truth).max() / len(rows[0].truth)
    axes.axvline(chance, color=_FAINT, linewidth=1, linestyle=":")
    axes.set_yticks(places, [row.recipe for row in rows])
    axes.set_ylim(-0.7, len(rows) - 0.4)
    axes.set_xlabel("accuracy %")
    axes.grid(axis="x", color=_GRID, linewidth=0.6)
    _name_marks(axes, rows)
    return figure


def losses(row: Row) -> Figure:
    """Loss on training and validation data over the epochs, one line a cell."""
    figure, axes = _figure(_NARROW, 3.5)
    _draw(axes, row.cells, "loss", "-", 1)
    _draw(axes, row.cells, "validation_loss", "--", 1)
    axes.plot([], [], color=_INK, linewidth=1, label="training")
    axes.plot([], [], color=_INK, linewidth=1, linestyle="--", label="validation")
    _finish_curves(axes, "loss")
    return figure


def progress(row: Row) -> Figure:
    """UAR on validation data over the epochs, one line a cell, the chosen epoch marked."""
    figure, axes = _figure(_NARROW, 3.5)
    _draw(axes, row.cells, "validation_uar", "-", 100)
    for cell, colour in _coloured(row.cells):
        share = 100 * cell.history[cell.best_epoch - 1].get("validation_uar", np.nan)
        axes.plot(cell.best_epoch, share, "o", color=colour, markersize=5, markeredgecolor="w")
    folds = {cell.fold: colour for cell, colour in _coloured(row.cells)}
    if 1 < len(folds) <= _MOST_NAMED:
        for name, colour in folds.items():
            axes.plot([], [], color=colour, linewidth=1, label=f"fold {name}")
    if row.best_test_accuracy is not None:
        _draw(axes, row.cells, "test_accuracy", ":", 100)
        axes.plot([], [], color=_INK, linewidth=1, linestyle=":", label="test accuracy %")
    _finish_curves(axes, "validation UAR %")
    return figure


def confusion(matrix: Labels, classes: Sequence[str]) -> Figure:
    """Counts and shares of each true class, (C, C): rows true, columns predicted."""
    size = len(classes)
    figure, axes = _figure(_NARROW, 3.5)
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="cividis", vmin=0, vmax=1)
    for i, j in np.ndindex(size, size):
        axes.text(
            j,
            i,
            f"{100 * shares[i, j]:.0f} %\n{matrix[i, j]}",
            ha="center",
            va="center",
            color="#000000" if shares[i, j] > 0.5 else "#ffffff",
            fontsize=8 if size <= 6 else 6,
        )
    axes.set_xticks(range(size), classes, rotation=35, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(size), classes)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    return figure


def speakers(rows: Sequence[Row]) -> Figure:
    """Accuracy on each test speaker, a mark a recipe."""
    names = sorted({n for row in rows for n in row.per_speaker}, key=lambda n: (len(n), n))
    figure, axes = _figure(_WIDE, 1.3 + min(0.28, 3.4 / len(names)) * len(names))
    marks = "osD^vP*X<>"
    for number, row in enumerate(rows):
        places = [len(names) - 1 - names.index(name) for name in row.per_speaker]
        shares = [100 * share for _, share in row.per_speaker.values()]
        mark, colour = marks[number % len(marks)], OKABE_ITO[number % len(OKABE_ITO)]
        axes.plot(shares, places, mark, color=colour, markersize=6, alpha=0.85, label=row.recipe)
    axes.set_yticks(range(len(names)), names[::-1])
    axes.set_ylabel("speaker")
    axes.set_xlabel("accuracy %")
    axes.grid(axis="y", color=_GRID, linewidth=0.6)
    _legend(axes)
    return figure


def svg(figure: Figure) -> bytes:
    """The figure as an SVG document, the same bytes each time, for light and dark pages."""
    from matplotlib import rc_context

    file = io.BytesIO()
    with rc_context({"svg.hashsalt": "emelia", "svg.fonttype": "path"}):
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    drawn = re.sub(rb' d="[^"]*"', _rounded, file.getvalue())
    return drawn.replace(b"<defs>", _dark_style().encode() + b"<defs>", 1)


def _rounded(path: re.Match[bytes]) -> bytes:
    """Tenths of a point are enough for a line, and halve the file."""
    return re.sub(rb"(\.\d)\d+| \n", rb"\1", path[0])


def _dark_style() -> str:
    """Swap the inks of the `style` attributes that matplotlib writes."""
    rules = [
        f'[style*="{kind}: {light}"]{{{kind}:{dark}!important}}'
        for light, dark in _ON_DARK.items()
        for kind in ("fill", "stroke")
    ]
    return f"<style>@media (prefers-color-scheme: dark){{{''.join(rules)}}}</style>"


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    """An empty figure in inches and its axes; no global state is touched."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError("drawing figures", "matplotlib", "plots") from None
    figure = Figure(figsize=(width, height), layout="constrained", facecolor="none")
    axes = figure.subplots()
    axes.set_facecolor("none")
    axes.spines[:].set_color(_FAINT)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=9, colors=_INK)
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set(fontsize=9, color=_INK)
    return figure, axes


def _bar(axes: Axes, place: float, share: float, span: Any, colour: str, mark: str) -> None:
    axes.plot([100 * span.low, 100 * span.high], [place, place], color=colour, linewidth=2)
    axes.plot(100 * share, place, mark, color=colour, markersize=6)


def _name_marks(axes: Axes, rows: Sequence[Row]) -> None:
    axes.plot([], [], "o-", color=OKABE_ITO[0], label="epoch chosen on validation")
    if any(row.best_test_accuracy is not None for row in rows):
        axes.plot([], [], "s-", color=OKABE_ITO[1], label="best test epoch")
    if any(row.published is not None for row in rows):
        axes.plot([], [], "D", color=_INK, fillstyle="none", label="published")
    axes.plot([], [], color=_FAINT, linewidth=1, linestyle=":", label="commonest class")
    _legend(axes)


def _legend(axes: Axes, columns: int = 2) -> None:
    """Below the axes, where it hides nothing."""
    figure = cast("Figure", axes.get_figure(root=True))
    figure.legend(
        loc="outside lower center", ncols=columns, fontsize=8, frameon=False, labelcolor=_INK
    )


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
        axes.plot(np.arange(1, epochs + 1), middle, style, color=_INK, linewidth=1.5)


def _over_epochs(cell: Cell, key: str, scale: float) -> list[float]:
    """A figure of each epoch; NaN, which is not drawn, where it is missing."""
    return [scale * epoch.get(key, np.nan) for epoch in cell.history]


def _finish_curves(axes: Axes, what: str) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_xlabel("epoch")
    axes.set_ylabel(what)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axes.grid(color=_GRID, linewidth=0.6)
    if axes.get_legend_handles_labels()[0]:
        _legend(axes, 3)


def _coloured(cells: Sequence[Cell]) -> list[tuple[Cell, Any]]:
    """Each cell with the colour of its fold."""
    folds = list(dict.fromkeys(cell.fold for cell in cells))
    if len(folds) <= len(OKABE_ITO):
        colours: Any = OKABE_ITO
    else:
        from matplotlib import colormaps

        colours = colormaps["cividis"](np.linspace(0, 0.9, len(folds)))
    return [(cell, colours[folds.index(cell.fold)]) for cell in cells]
