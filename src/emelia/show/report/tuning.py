"""What a search for settings found: its trials as CSV, a figure and a Markdown page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from emelia.config import Recipe
from emelia.learn.study.tune_space import Dimension, SearchResult, Trial, Values
from emelia.show.style import FAINT, GRID, INK, OKABE_ITO, empty_figure, plain
from emelia.table import Table, escaped
from emelia.text import csv_text, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDE, _HIGH = 7.2, 2.1  # inches, of the whole figure and of one line of diagrams
_COLUMNS = 3


def trials_csv(found: SearchResult, dimensions: Sequence[Dimension]) -> str:
    """A CSV row for each trial, in the order they were tried; UAR is a share of 1."""
    keys = [dimension.key for dimension in dimensions]
    rows = [["trial", "state", "validation_uar", "seconds", *keys]]
    for trial in found.trials:
        score = "" if trial.uar is None else f"{trial.uar:.4f}"
        values = [_shown(trial.values[key]) for key in keys]
        rows.append([str(trial.number), trial.state, score, f"{trial.seconds:.1f}", *values])
    return csv_text(rows)


def picture(found: SearchResult, dimensions: Sequence[Dimension]) -> Figure:
    """Draw the importance of each setting, and the UAR of every trial over its value."""
    lines = -(-(len(dimensions) + 1) // _COLUMNS)
    figure = empty_figure(_WIDE, _HIGH * lines)
    first, *others = figure.subplots(lines, _COLUMNS, squeeze=False).flat
    _draw_importances(first, found.importances, dimensions)
    ordered = sorted(dimensions, key=lambda dimension: -found.importances.get(dimension.key, 0.0))
    for axes, dimension in zip(others, ordered, strict=False):
        _draw_slice(axes, found, dimension)
    for axes in others[len(dimensions) :]:
        axes.set_visible(False)
    return figure


def best_table(found: SearchResult, own: Values) -> Table:
    """The settings of the best trial beside the recipe's own."""
    best = found.best
    rows = tuple(
        (key, _shown(value), _shown(best.values[key]), _share(found.importances.get(key)))
        for key, value in own.items()
    )
    done = [trial for trial in found.trials if trial.uar is not None]
    first = found.trials[0]
    own_score = percent(first.uar) if first.uar is not None else "–"
    note = (
        f"Trial {best.number} of {len(found.trials)}, {len(found.trials) - len(done)} of which "
        f"were given up early: mean validation UAR {percent(best.uar or 0.0)} % on the inner "
        f"folds, the recipe itself {own_score} %. The best of many such figures flatters; the "
        "test figure does not. Importance: share in what makes the better trials better."
    )
    if all(best.values[key] == value for key, value in own.items()):
        note = f"None was better than the recipe's own settings. {note}"
    return Table("Best settings found", ("setting", "recipe", "best", "importance %"), rows, note)


def page(recipe: Recipe, tables: Sequence[Table], protocol: Sequence[str], command: str) -> str:
    """The Markdown page of a search; the figure beside it is `tuning.png`."""
    facts = [
        "Search: speakers of the test part were never seen in it. Those of the training and "
        "validation parts were dealt into inner folds; each trial trained on all but one of them "
        "and was judged on that one, in turn.",
        "Test: the recipe and the best settings, trained on the outer training part, their epoch "
        "chosen on the outer validation part.",
        *protocol,
    ]
    return "\n\n".join(
        [
            f"# {escaped(recipe.name)}, tuned",
            f"    {command}",
            "\n".join(f"- {escaped(fact)}" for fact in facts),
            *(table.markdown() for table in tables),
            "![Importance of each setting, and the UAR of every trial over it](tuning.png)",
            "A dot is a trial, the diamond the best one; a tick is one that was given up early.",
            "The settings are in `best.toml`, all trials in `trials.csv`.\n",
        ]
    )


def _draw_importances(axes: Axes, importances: Values, dimensions: Sequence[Dimension]) -> None:
    plain(axes)
    names = list(importances) or [dimension.key for dimension in dimensions]
    places = range(len(names))[::-1]
    axes.barh(places, [100 * importances.get(name, 0.0) for name in names], color=OKABE_ITO[0])
    axes.set_yticks(places, names, fontsize=7)
    axes.set_xlabel("importance %" if importances else "too few trials to tell")


def _draw_slice(axes: Axes, found: SearchResult, dimension: Dimension) -> None:
    """Validation UAR over the values of one setting, the best trial marked."""
    plain(axes)
    names = [_shown(option) for option in dimension.options]
    spots = [(_place(trial, dimension), trial) for trial in found.trials if trial.uar is not None]
    axes.plot(
        [place for place, _ in spots], [100 * (trial.uar or 0.0) for _, trial in spots], "o",
        color=OKABE_ITO[0], markersize=4, alpha=0.6,
    )  # fmt: skip
    best, colour = found.best, OKABE_ITO[1]
    axes.plot(_place(best, dimension), 100 * (best.uar or 0.0), "D", color=colour, markersize=6)
    low = min(100 * (trial.uar or 0.0) for _, trial in spots)
    for trial in found.trials:  # given up: where, but not how good
        if trial.uar is None:
            axes.plot(_place(trial, dimension), low, "|", color=FAINT, markersize=6)
    if names:
        axes.set_xticks(range(len(names)), names, fontsize=6)
        axes.set_xlim(-0.5, len(names) - 0.5)
    if dimension.log:
        axes.set_xscale("log")
    axes.set_xlabel(dimension.key, fontsize=8, color=INK)
    axes.set_ylabel("UAR %")
    axes.grid(axis="y", color=GRID, linewidth=0.6)


def _place(trial: Trial, dimension: Dimension) -> Any:
    """Where a trial stands on the axis: its value, or the index of the option."""
    value = trial.values[dimension.key]
    return dimension.options.index(value) if dimension.options else value


def _shown(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _share(share: float | None) -> str:
    return "–" if share is None else percent(share)
