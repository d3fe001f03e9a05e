"""Pictures of a stress test: a dot for each condition, calibration, and groups with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from emelia.results.stress import Group, Stressed
from emelia.show.style import FAINT, GRID, INK, OKABE_ITO, legend, new_figure, words

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WIDE = 5.8  # inches
_ROW = 0.24  # inches of height for each row


def unchanged(conditions: Sequence[Stressed]) -> Figure:
    """The share of answers that stay, condition by condition, and what is wanted."""
    figure, axes = new_figure(_WIDE, 1.1 + _ROW * len(conditions))
    for place, one in enumerate(reversed(conditions)):
        share = 100 * one.unchanged
        colour = {True: OKABE_ITO[2], False: OKABE_ITO[1], None: OKABE_ITO[0]}[one.passed]
        axes.plot([0, share], [place, place], color=GRID, linewidth=2, zorder=1)
        axes.plot(share, place, "o", color=colour, markersize=5, clip_on=False, zorder=3)
        if one.wanted.unchanged is not None:
            wanted = 100 * one.wanted.unchanged
            axes.plot([wanted] * 2, [place - 0.35, place + 0.35], color=INK, linewidth=1)
    for number, label in ((2, "as wanted"), (1, "not as wanted"), (0, "nothing wanted")):
        axes.plot([], [], "o", color=OKABE_ITO[number], markersize=5, label=label)
    axes.plot([], [], color=INK, linewidth=1, label="least wanted")
    axes.set_yticks(range(len(conditions)), [words(o.name) for o in reversed(conditions)])
    axes.set_xlim(0, 100)
    axes.set_ylim(-0.8, len(conditions) - 0.2)
    axes.set_xlabel("answers unchanged %")
    axes.grid(axis="x", color=GRID, linewidth=0.6)
    legend(axes, 4)
    return figure


def confidence(conditions: Sequence[Stressed], plain: Stressed) -> Figure:
    """Mean confidence over accuracy: below the diagonal a model knows that it fares worse."""
    figure, axes = new_figure(3.9, 3.7)
    axes.plot([0, 100], [0, 100], ":", color=FAINT, linewidth=1, label="as sure as right")
    for number, name in enumerate(dict.fromkeys(one.category for one in conditions)):
        own = [o for o in conditions if o.category == name and o.confidence is not None]
        axes.scatter(
            [100 * o.found.scores["accuracy"] for o in own],
            [100 * (o.confidence or 0) for o in own],
            18, color=OKABE_ITO[number % len(OKABE_ITO)], marker="osD^vP*"[number % 7], label=name,
        )  # fmt: skip
    axes.plot(
        100 * plain.found.scores["accuracy"], 100 * (plain.confidence or 0), "x", color=INK,
        markersize=9, label="as they are",
    )  # fmt: skip
    axes.set_xlim(0, 100)
    axes.set_ylim(0, 100)
    axes.set_xlabel("right %")
    axes.set_ylabel("mean confidence %")
    legend(axes, 3)
    return figure


def groups(found: Sequence[Group]) -> Figure:
    """UAR of each group as the clips are, with its interval."""
    figure, axes = new_figure(_WIDE, 1.1 + _ROW * len(found))
    for place, one in enumerate(reversed(found)):
        value, ends = one.uar
        axes.plot([100 * ends.low, 100 * ends.high], [place] * 2, color=OKABE_ITO[0], linewidth=2)
        axes.plot(100 * value, place, "o", color=OKABE_ITO[0], markersize=5)
    names = [words(f"{one.kind} {one.name}") for one in reversed(found)]
    axes.set_yticks(range(len(found)), names)
    axes.set_xlim(0, 100)
    axes.set_ylim(-0.8, len(found) - 0.2)
    axes.set_xlabel("UAR % and its 95 % interval")
    axes.grid(axis="x", color=GRID, linewidth=0.6)
    return figure
