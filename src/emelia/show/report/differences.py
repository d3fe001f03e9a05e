"""The table of a recipe's variants: what each change does to the UAR, with its interval."""

from __future__ import annotations

from emelia import metrics
from emelia.corpora.records import UNKNOWN_SPEAKER
from emelia.results import Difference, Study, differences
from emelia.show.tables import SIGNIFICANT, titled
from emelia.table import Table
from emelia.text import p_value, with_ends, with_interval


def tables(study: Study) -> list[Table]:
    """One table for each recipe of which the study has variants."""
    return [_table(study, group) for group in differences(study)]


def points(one: Difference) -> str:
    """Such as "-3.1 (-6.0 to -0.4)", with a star where the interval is too narrow."""
    star = "*" if one.interval.too_narrow else ""
    low, high = one.interval.low, one.interval.high
    return f"{with_ends(100 * one.points, 100 * low, 100 * high)}{star}"


def _table(study: Study, group: list[Difference]) -> Table:
    base = group[0].base
    whole = (base.recipe, with_interval(base.uar, base.uar_interval), "", "", "", "")
    columns = (
        "recipe", "UAR % (95 %)", "difference, points (95 %)", "p", "p (Holm)", "differs?",
    )  # fmt: skip
    title = titled(study.sample, f"What a change does to {base.recipe}")
    return Table(title, columns, (whole, *map(_line, group)), _note(group))


def _line(one: Difference) -> tuple[str, ...]:
    return (
        one.variant.recipe,
        with_interval(one.variant.uar, one.variant.uar_interval),
        points(one),
        p_value(one.p),
        p_value(one.adjusted),
        "yes" if one.adjusted < SIGNIFICANT else "not shown",
    )


def _note(group: list[Difference]) -> str:
    seeds = sorted({seed for one in group for seed in one.seeds})
    note = (
        f"{len(group[0].base.truth)} test clips, seeds {', '.join(map(str, seeds))}. Difference: "
        "UAR with the change minus without it; below 0 the change costs. Its interval draws the "
        f"same speakers and clips for both. p: McNemar's exact test on seed {seeds[0]}; a change "
        f"differs where p is under {SIGNIFICANT} after Holm's correction for these variants."
    )
    if any(one.interval.too_narrow for one in group):
        known = "known " if UNKNOWN_SPEAKER in group[0].base.speakers else ""
        fewest = metrics.FEWEST_SPEAKERS
        note += f" * by clip, too narrow: fewer than {fewest} {known}test speakers."
    return note
