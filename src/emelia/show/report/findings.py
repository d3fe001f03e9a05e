"""Findings of a study as sentences, made from its figures alone.

Recipes are said to differ only where McNemar's test shows it after Holm's correction. Shares are in
percent, differences in points.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import isnan

import numpy as np

from emelia import metrics
from emelia.results import Pair, Row, Study
from emelia.show.report import confidence_section
from emelia.show.report.published import references
from emelia.show.speakers import apart, heard_before, known_speakers, nameless, who
from emelia.show.tables import SIGNIFICANT, flattened
from emelia.show.tries import is_try
from emelia.text import counted, listed, p_value, percent, points, with_interval

# What one may want to know the effect of; other settings merely go along with these.
_FACTORS = {
    "model.name": "the network",
    "model.layers": "the number of layers",
    "features.kind": "the features",
    "audio.denoise": "noise reduction",
    "augment.copies": "copies of each training clip",
}
_MISTAKE = 0.15  # share of a class from which a confusion is worth a sentence


def headline(study: Study) -> str:
    """One sentence: the best recipe with its intervals, or what is missing to name one."""
    best = study.best
    if best is None:
        done = max(len(row.counted[0]) for row in study.rows)
        return f"No recipe is complete yet: at most {done} of {study.rows[0].folds} folds are done."
    verb = "comes first with" if len(study.complete) > 1 else "reaches"
    text = (
        f"{best.recipe} {verb} {with_interval(best.accuracy, best.accuracy_interval)} % accuracy "
        f"and {with_interval(best.uar, best.uar_interval)} % UAR on {len(best.truth)} test clips "
        f"of {who(best)}."
    )
    if best.published is not None and not is_try(study):
        text += f" The founding study publishes {percent(best.published)} % accuracy for it."
    if is_try(study):
        text = f"A try with recipes cut short: {text}"
    return f"Synthetic speech only: {text}" if study.sample.demo else text


def findings(study: Study) -> list[str]:
    """All findings, the most important first; none where no recipe is complete."""
    best = study.best
    if best is None:
        return []
    told = [
        _against_chance(best),
        _against_the_rest(study, best),
        _elsewhere(study, best),
        *_published(study),
        _peeking(study),
        *_effects(study),
        _by_speaker(best),
        _mistakes(best),
        *confidence_section.conclusions(best),
        _validation(best),
    ]
    return [sentence for sentence in told if sentence]


def _against_chance(best: Row) -> str:
    chance = metrics.chance(best.truth)
    interval = best.uar_interval
    if chance == 1:
        return "All test clips are of one class, so guessing it is right always: it shows no skill."
    where = f"{percent(chance)} % UAR, which is what guessing reaches"
    if interval.low > chance:
        return f"The interval of {best.recipe} lies above {where}."
    return f"The interval of {best.recipe} does not lie above {where}: it shows no skill."


def _against_the_rest(study: Study, best: Row) -> str:
    """From which recipes the best one differs, and from which no difference is shown."""
    beaten: list[str] = []
    equal: list[str] = []
    for pair in study.pairs:
        if best.recipe in (pair.first, pair.second):
            other = pair.second if pair.first == best.recipe else pair.first
            (beaten if pair.adjusted < SIGNIFICANT else equal).append(other)
    parts = []
    if beaten:
        parts.append(f"it differs from {listed(beaten)}")
    if equal:
        parts.append(f"no difference is shown to {listed(equal)}")
    return f"On the same clips as {best.recipe}: {'; '.join(parts)}." if parts else ""


def _elsewhere(study: Study, best: Row) -> str:
    """Where published figures lie: above, inside or below the best recipe's interval."""
    sample = study.sample
    known = references(sample.corpus, apart=apart(study))
    if not known or is_try(study):
        return ""
    span = best.accuracy_interval
    above = [one.system for one in known if one.accuracy > 100 * span.high]
    below = [one.system for one in known if one.accuracy < 100 * span.low]
    inside = [one.system for one in known if one.system not in above + below]
    places = (("above it", above), ("inside it", inside), ("below it", below))
    told = [
        f"{counted(len(names), 'figure')} {where} ({listed(names)})"
        for where, names in places
        if names
    ]
    kind = "unseen in training" if apart(study) else "seen in training, too"
    if nameless(study) and not heard_before(study):
        kind += ", as here they may be"
    return (
        f"Against the interval of {best.recipe}, of the figures others have published with test "
        f"speakers {kind}: {'; '.join(told)}."
    )


def _published(study: Study) -> list[str]:
    """Published figures beside ours, chosen by the published rule where that was tried."""
    told: dict[str, list[str]] = {}
    gaps = {}
    for row in () if is_try(study) else study.complete:
        if row.published is None:
            continue
        ours, span = row.best_test_accuracy, row.best_test_interval
        if ours is None or span is None:
            gaps[row.recipe] = 100 * (row.published - row.accuracy)
            continue
        where = "inside" if span.low <= row.published <= span.high else "outside"
        figures = f"published {percent(row.published)}, here {with_interval(ours, span)}"
        told.setdefault(where, []).append(f"{row.recipe} ({figures})")
    sentences = [
        f"By the published rule, the best epoch on the test clips, the published accuracy lies "
        f"{where} our interval for {listed(names)}."
        for where, names in told.items()
    ]
    if gaps:
        sentences.append(
            f"The published accuracies of {listed(list(gaps))}, measured on a random split with "
            f"the best test epoch, are {_apart(gaps.values())} those here."
        )
    return sentences


def _peeking(study: Study) -> str:
    gains = [
        100 * (row.best_test_accuracy - row.accuracy)
        for row in study.complete
        if row.best_test_accuracy is not None
    ]
    if not gains:
        return ""
    return (
        f"Choosing the epoch on the test clips instead of on validation data would have claimed "
        f"{_span(gaps=gains)} points of accuracy, {points(float(np.mean(gains)))} on average."
    )


def _effects(study: Study) -> list[str]:
    """Pairs of recipes that differ in one factor only, grouped by factor."""
    effects: dict[tuple[str, str, str], list[Pair]] = {}
    rows = {row.recipe: row for row in study.complete}
    for pair in study.pairs:
        one, other = (_factors(rows[name]) for name in (pair.first, pair.second))
        changed = [key for key in _FACTORS if one[key] != other[key]]
        # With two changes nobody could tell which of them made the difference.
        if len(changed) == 1:
            key = changed[0]
            effects.setdefault((key, one[key], other[key]), []).append(pair)
    return [_effect(rows, *names, pairs) for names, pairs in effects.items()]


def _effect(rows: dict[str, Row], key: str, old: str, new: str, pairs: list[Pair]) -> str:
    told = []
    for pair in pairs:
        gap = 100 * (rows[pair.second].accuracy - rows[pair.first].accuracy)
        p = p_value(pair.adjusted)
        told.append(f"{pair.first} to {pair.second}: {points(gap)} points (p {p})")
    shown = sum(pair.adjusted < SIGNIFICANT for pair in pairs)
    verdict = "a difference" if shown else "no difference shown"
    if len(pairs) > 1 and shown:
        verdict = f"a difference in {shown} of {len(pairs)}"
    return f"Changing {_FACTORS[key]} from {old} to {new}: {verdict}. {'; '.join(told)}."


def _by_speaker(best: Row) -> str:
    own = sorted((share, name) for name, (_, share) in known_speakers(best).items())
    if len(own) < 2:
        return ""
    (low, hardest), (high, easiest) = own[0], own[-1]
    return (
        f"{best.recipe} gets {percent(low)} % of the clips of speaker {hardest} right "
        f"and {percent(high)} % of those of speaker {easiest}."
    )


def _mistakes(best: Row) -> str:
    """The largest confusion of one class with another."""
    names = best.cells[0].classes
    matrix = best.confusion
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    np.fill_diagonal(shares, 0)
    i, j = np.unravel_index(int(shares.argmax()), shares.shape)
    if shares[i, j] < _MISTAKE:
        return ""
    return (
        f"The commonest mistake of {best.recipe} is to take {names[i]} for {names[j]}: "
        f"{percent(shares[i, j])} % of the {names[i]} clips."
    )


def _validation(best: Row) -> str:
    gap = 100 * (best.validation_uar - best.uar)
    if isnan(gap):
        return ""
    return (
        f"Its validation data, which chose the epochs, gave {percent(best.validation_uar)} % UAR: "
        f"{_apart([gap])} that of the test clips."
    )


def _factors(row: Row) -> dict[str, str]:
    values = dict(flattened(row.cells[0].settings))
    return {key: str(values.get(key)) for key in _FACTORS}


def _span(gaps: Iterable[float]) -> str:
    low, high = points(min(gaps)), points(max(gaps))
    return low if low == high else f"{low} to {high}"


def _apart(gaps: Iterable[float]) -> str:
    """How far figures lie above others: "17.6 points above", "as high as", "-2.0 to +3.1 ..."."""
    found = [round(gap, 1) + 0.0 for gap in gaps]
    low, high = min(found), max(found)
    if low == high == 0:
        return "as high as"
    if low < 0 < high:
        return f"{points(low)} to {points(high)} points against"
    ends = sorted((abs(low), abs(high)))
    size = f"{ends[0]:.1f}" if low == high else f"{ends[0]:.1f} to {ends[1]:.1f}"
    return f"{size} points {'above' if high > 0 else 'below'}"
