"""What a report tells of confidence: two pictures of each recipe, and sentences on the best."""

from __future__ import annotations

from typing import TYPE_CHECKING

from emelia.results import Calibration, Row
from emelia.show import plots_calibration
from emelia.show.calibration_tables import calibration_error
from emelia.show.tables import percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_HALF = 0.5  # of the answers, the surest


def pictures(row: Row) -> list[tuple[Figure, str, str]]:
    """Figures with caption and content in words; none where a training diverged."""
    worth = row.calibration
    if worth is None:
        return []
    error = f"expected calibration error {calibration_error(worth)}"
    kind = "Reliability" if worth.fitted else "Reliability, uncalibrated"
    before = worth.bins_before if worth.fitted else ()
    curve = plots_calibration.risk_coverage(worth.curve, worth.after[..., 0].size)
    return [
        (
            plots_calibration.reliability(worth.bins, before),
            f"{kind}: {error}",
            f"{kind} of {row.recipe}, {error}. {_bins_in_words(worth)}",
        ),
        (
            curve,
            f"Errors among the surest answers: area under the curve {percent(worth.area)} %",
            f"Risk-coverage curve of {row.recipe}, area {percent(worth.area)} %. "
            f"{_curve_in_words(worth)}",
        ),
    ]


def conclusions(row: Row) -> list[str]:
    """Whether the confidence of an answer may be taken at its word, and what it tells."""
    worth = row.calibration
    return [] if worth is None else [_sureness(row, worth), _selection(row, worth)]


def _sureness(row: Row, worth: Calibration) -> str:
    word = "surer" if worth.sureness > row.accuracy else "less sure"
    shown = worth.interval.low > worth.perfect
    verdict = "more than" if shown else "not shown to be more than"
    told = (
        f"{row.recipe} is {word} than it is right: it gives its answers {percent(worth.sureness)} "
        f"% on average and gets {percent(row.accuracy)} % right. Its expected calibration error, "
        f"{calibration_error(worth)}, is {verdict} perfect confidences would show"
    )
    if not worth.fitted:
        return f"{told}; no temperature was fitted, so its confidence is uncalibrated."
    gain = 100 * (worth.error_before - worth.error)
    effect = "takes away" if gain > 0 else "adds"
    return (
        f"{told}; the temperature {effect} {abs(gain):.1f} of {percent(worth.error_before)} points."
    )


def _selection(row: Row, worth: Calibration) -> str:
    gain = 100 * (worth.risk - worth.area)
    half = percent(worth.curve.accuracy_at(_HALF))
    return (
        f"Of the surest half of the answers of {row.recipe} {half} % are right, of all "
        f"{percent(1 - worth.risk)} %. The area under its risk-coverage curve is "
        f"{percent(worth.area)} %, {abs(gain):.1f} points {'less' if gain > 0 else 'more'} than if "
        "confidence told nothing."
    )


def _bins_in_words(worth: Calibration) -> str:
    told = [
        f"{100 * one['low']:.0f} to {100 * one['high']:.0f} % sure, {percent(one['accuracy'])} % "
        f"right ({one['n']})"
        for one in worth.bins
        if one["n"]
    ]
    return f"Answers by confidence: {'; '.join(told)}."


def _curve_in_words(worth: Calibration) -> str:
    told = [
        f"{100 * share:.0f} % accepted, {percent(1 - worth.curve.accuracy_at(share))} % of them"
        for share in (0.25, 0.5, 0.75, 1.0)
    ]
    return f"Wrong among the surest answers: {'; '.join(told)}."
