"""Confidence in a report: a table, figures of each recipe, sentences on the best one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from emelia.results import Calibration, Row, Study
from emelia.show.report import plots_calibration
from emelia.show.tables import label, titled
from emelia.table import Table
from emelia.text import interval, percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WANTED = 0.9  # of the accepted answers are to be right
_HALF = 0.5  # of the answers, the surest


def pictures(row: Row) -> list[tuple[Figure, str, str]]:
    """Figures of one recipe with caption and text alternative; none where a training diverged."""
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
            f"{row.recipe}, {kind.lower()}: {error}",
            f"{kind} of {row.recipe}, {error}. {_bins_in_words(worth)}",
        ),
        (
            curve,
            f"{row.recipe}, errors among the surest answers: area under the curve "
            f"{percent(worth.area)} %",
            f"Risk-coverage curve of {row.recipe}, area {percent(worth.area)} %. "
            f"{_curve_in_words(worth)}",
        ),
    ]


def conclusions(row: Row) -> list[str]:
    """Sentences: whether confidences match accuracy, and whether they tell right from wrong."""
    worth = row.calibration
    return [] if worth is None else [_sureness(row, worth), _selection(row, worth)]


def _sureness(row: Row, worth: Calibration) -> str:
    word = "surer" if worth.sureness > row.accuracy else "less sure"
    # On few clips even perfect confidences have some error: only more than that is an error shown.
    shown = worth.interval.low > worth.perfect
    verdict = "more than" if shown else "not shown to be more than"
    told = (
        f"{row.recipe} is {word} than it is right: it gives its answers {percent(worth.sureness)} "
        f"% on average and gets {percent(row.accuracy)} % right. Its expected calibration error, "
        f"{calibration_error(worth)}, is {verdict} perfect confidences would show"
    )
    if not worth.fitted:
        return f"{told}; no temperature was fitted, so its confidence is uncalibrated."
    gain = round(100 * (worth.error_before - worth.error), 1)
    before = percent(worth.error_before)
    if not gain:
        return f"{told}; the temperature leaves it as it is."
    if gain < 0:
        return f"{told}; the temperature adds {-gain:.1f} points to {before}."
    return f"{told}; the temperature takes away {gain:.1f} of {before} points."


def _selection(row: Row, worth: Calibration) -> str:
    gain = round(100 * (worth.risk - worth.area), 1)
    side = f"{abs(gain):.1f} points {'less' if gain > 0 else 'more'} than" if gain else "what it is"
    half = percent(worth.curve.accuracy_at(_HALF))
    return (
        f"Of the surest half of the answers of {row.recipe} {half} % are right, of all "
        f"{percent(1 - worth.risk)} %. The area under its risk-coverage curve is "
        f"{percent(worth.area)} %, {side} if confidence told nothing."
    )


def _bins_in_words(worth: Calibration) -> str:
    told = [
        f"{percent(one['low'], 0)} to {percent(one['high'], 0)} % sure, "
        f"{percent(one['accuracy'])} % right ({one['n']})"
        for one in worth.bins
        if one["n"]
    ]
    return f"Answers by confidence: {'; '.join(told)}."


def _curve_in_words(worth: Calibration) -> str:
    told = [
        f"{percent(share, 0)} % accepted, {percent(1 - worth.curve.accuracy_at(share))} % of them"
        for share in (0.25, 0.5, 0.75, 1.0)
    ]
    return f"Wrong among the surest answers: {'; '.join(told)}."


def table(study: Study) -> Table:
    """Calibration error, Brier score and risk-coverage of each recipe, with its temperatures."""
    found = [(row, row.calibration) for row in study.rows if row.calibration]
    fitted = any(worth.fitted for _, worth in found)
    columns = (
        "recipe", "ECE % (95 %; perfect)", "Brier", *(("ECE % before", "Brier before") * fitted),
        "AURC %", "wrong %", "right of surest half %", "surest % with 90 % right", "temperatures",
    )  # fmt: skip
    lines = tuple(_line(row, worth, fitted) for row, worth in found)
    title = titled(study.sample, "What confidence is worth")
    return Table(title, columns, lines, _note([worth for _, worth in found], fitted))


def calibration_error(worth: Calibration) -> str:
    """Such as "5.1 % (3.9–7.0; 2.9 would be perfect)", with a star where that is too narrow."""
    perfect = percent(worth.perfect)
    return f"{percent(worth.error)} % ({interval(worth.interval)}; {perfect} would be perfect)"


def _line(row: Row, worth: Calibration, fitted: bool) -> tuple[str, ...]:
    own = (percent(worth.error_before), f"{worth.brier_before:.3f}") if worth.fitted else ("–", "–")
    return (
        label(row),
        f"{percent(worth.error)} ({interval(worth.interval)}; {percent(worth.perfect)})",
        f"{worth.brier:.3f}",
        *(own if fitted else ()),
        percent(worth.area),
        percent(worth.risk),
        percent(worth.curve.accuracy_at(0.5)),
        percent(worth.curve.coverage_for(WANTED)),
        _temperatures(worth),
    )


def _temperatures(worth: Calibration) -> str:
    if not worth.fitted:
        return "uncalibrated"
    low, high = (f"{end(worth.temperatures):.2f}" for end in (min, max))
    return low if low == high else f"{low}–{high}"


def _note(found: Sequence[Calibration], fitted: bool) -> str:
    notes = [
        "ECE: how far confidence and accuracy are apart, over 10 bins, with its interval; after "
        "the semicolon, what perfect confidences would show on as many clips. AURC: area under "
        "the curve of errors among the surest answers; where confidence tells nothing it is the "
        "share that is wrong. Surest % with 90 % right: the largest share of the surest answers of "
        "which nine in ten are right."
    ]
    if fitted:
        notes.append(
            "Temperatures were fitted on the validation clips of each training; before: without."
        )
    if not all(worth.fitted for worth in found):
        notes.append("Uncalibrated: no temperature was fitted.")
    if any(worth.interval.too_narrow for worth in found):
        notes.append("* by clip, too narrow.")
    return " ".join(notes)
