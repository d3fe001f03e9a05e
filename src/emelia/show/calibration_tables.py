"""The table of a study's confidence: calibration, and what its temperatures changed."""

from __future__ import annotations

from collections.abc import Sequence

from emelia.results import Calibration, Row, Study
from emelia.show.tables import Table, label, percent, titled

WANTED = 0.9  # of the accepted answers are to be right


def table(study: Study) -> Table:
    """What the confidence of each recipe is worth, and what its temperatures changed."""
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
    """Such as "5.1 % (3.9–7.0; 2.9 would be perfect)", starred where that is too narrow."""
    perfect = percent(worth.perfect)
    return f"{percent(worth.error)} % ({_ends(worth)}; {perfect} would be perfect)"


def _line(row: Row, worth: Calibration, fitted: bool) -> tuple[str, ...]:
    own = (percent(worth.error_before), f"{worth.brier_before:.3f}") if worth.fitted else ("–", "–")
    return (
        label(row),
        f"{percent(worth.error)} ({_ends(worth)}; {percent(worth.perfect)})",
        f"{worth.brier:.3f}",
        *(own if fitted else ()),
        percent(worth.area),
        percent(worth.risk),
        percent(worth.curve.accuracy_at(0.5)),
        percent(worth.curve.coverage_for(WANTED)),
        _temperatures(worth),
    )


def _ends(worth: Calibration) -> str:
    star = "*" if worth.interval.too_narrow else ""
    return f"{percent(worth.interval.low)}–{percent(worth.interval.high)}{star}"


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
