"""The figures of confidence: reliability diagram and risk-coverage curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from emelia.metrics import RiskCoverage
from emelia.show.style import FAINT, GRID, OKABE_ITO, legend, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WIDE, _HIGH = 3.9, 3.5  # inches
_FEWEST = 10  # answers of which a share is drawn

Bins = Sequence[Mapping[str, float]]


def reliability(bins: Bins, before: Bins = ()) -> Figure:
    """Draw a reliability diagram: share of right answers over confidence; ideal is the diagonal.

    Args:
        bins: as `metrics.reliability` gives them.
        before: the same without the temperature, drawn as a line; none if there was no other.
    """
    figure, axes = new_figure(_WIDE, _HIGH)
    axes.plot([0, 100], [0, 100], color=FAINT, linewidth=1, linestyle=":", label="as sure as right")
    filled = [one for one in bins if one["n"]]
    most = max(one["n"] for one in filled)
    axes.bar(
        [50 * (one["low"] + one["high"]) for one in filled],
        [100 * one["n"] / sum(b["n"] for b in filled) for one in filled],
        width=[96 * (one["high"] - one["low"]) for one in filled],
        color=GRID,
        label="share of the answers",
    )
    if before:
        axes.plot(*_line(before), "--", color=OKABE_ITO[1], linewidth=1, label="uncalibrated")
    sure, right = _line(bins)
    axes.plot(sure, right, "-", color=OKABE_ITO[0], linewidth=1)
    sizes = [12 + 60 * one["n"] / most for one in filled]
    axes.scatter(sure, right, sizes, color=OKABE_ITO[0], zorder=3, clip_on=False, label="answers")
    axes.set_xlim(0, 100)
    axes.set_ylim(0, 100)
    axes.set_xlabel("confidence %")
    axes.set_ylabel("right %")
    legend(axes, 2 if before else 3)
    return figure


def risk_coverage(curve: RiskCoverage, answers: int) -> Figure:
    """Draw the share of wrong answers among the surest ones, over how many are accepted.

    Args:
        curve: as `metrics.risk_coverage` gives it.
        answers: how many there are; shares of fewer than 10 are not drawn.
    """
    figure, axes = new_figure(_WIDE, _HIGH)
    wrong = 100 * (1 - curve.accuracy)
    drawn = curve.coverage * answers >= min(_FEWEST, answers)
    axes.axhline(
        wrong[-1], color=FAINT, linewidth=1, linestyle=":", label="if confidence told nothing"
    )
    share = np.linspace(0.001, 1, 200)
    best = np.maximum(0, 1 - curve.accuracy[-1] / share)  # all right answers surer than any wrong
    axes.plot(
        100 * share, 100 * best, "--", color=OKABE_ITO[2], linewidth=1, label="if it told all"
    )
    axes.plot(
        100 * curve.coverage[drawn], wrong[drawn], color=OKABE_ITO[0], linewidth=1.5,
        label="answers",
    )  # fmt: skip
    axes.set_xlim(0, 100)
    axes.set_ylim(0, max(10.0, 1.15 * float(wrong[drawn].max())))
    axes.set_xlabel("surest answers accepted %")
    axes.set_ylabel("wrong among them %")
    axes.grid(color=GRID, linewidth=0.6)
    legend(axes, 2)
    return figure


def _line(bins: Bins) -> tuple[list[float], list[float]]:
    """Mean confidence and share of right answers of the bins that are not empty, in percent."""
    filled = [one for one in bins if one["n"]]
    return [100 * one["confidence"] for one in filled], [100 * one["accuracy"] for one in filled]
