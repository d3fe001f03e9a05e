"""The figures of an evaluation as tables and sentences, for the terminal and the page."""

from __future__ import annotations

from collections import Counter

from emelia import metrics
from emelia.learn.export.card_figures import confidence
from emelia.results.evaluation import Evaluation
from emelia.table import Table
from emelia.text import between, by_length, counted, listed, percent, with_interval

_ONE_CLASS = "All clips are of one class, so that these figures show no skill."
_MOST = 12  # speakers that a terminal shows


def title(found: Evaluation) -> str:
    """Such as "default on recordings: 40 clips"; those of a training are test clips."""
    clips = "test clip" if found.cell else "clip"
    kind = " (synthetic speech)" if found.demo else ""
    return f"{found.model} on {found.corpus}: {counted(len(found.answers), clips)}{kind}"


def by_class(found: Evaluation) -> Table:
    """Precision, recall and F1 of each class; below it accuracy and UAR with their intervals."""
    unsure = Counter(one.truth for one in found.answers if one.unsure)
    silent = Counter(one.truth for one in found.answers if one.answer is None)
    more = ["not sure"] * (found.threshold is not None or bool(unsure)) + ["no speech"] * bool(
        silent
    )
    rows = []
    for i, name in enumerate(found.classes):
        own = found.scores["per_class"][name]
        shares = (percent(own[k]) if own["support"] else "–" for k in metrics.PER_CLASS)
        counts = {"not sure": unsure[i], "no speech": silent[i]}
        rows.append([name, *shares, str(own["support"]), *(str(counts[key]) for key in more)])
    columns = ["emotion", *metrics.titles(metrics.PER_CLASS), "clips", *more]
    return Table(title(found), columns, rows, _note(found))


def _note(found: Evaluation) -> str:
    shares = [
        f"{metric.title} {percent(found.scores[name])} % "
        f"({between(found.intervals[name].low, found.intervals[name].high)})"
        for name, metric in metrics.OVERALL.items()
    ]
    ends = found.intervals["uar"]
    note = (
        f"{', '.join(shares)}; 95 % intervals, {ends.note or 'speakers drawn first'}. "
        + f"Guessing reaches a UAR of {percent(found.chance)} %." * (not found.of_one_class)
        + _ONE_CLASS * found.of_one_class
    )
    if found.untested:
        note += f" UAR is the mean recall of the classes with clips: no {listed(found.untested)}."
    if found.silent:
        note += " An answer no speech counts as wrong."
    return note


def confusion(found: Evaluation) -> Table:
    """Clips by what is true and what was answered."""
    rows = [
        [name, *(str(count or "·") for count in row)]
        for name, row in zip(found.classes, found.confusion.tolist(), strict=True)
        if any(row)
    ]
    return Table("What was answered, in clips", ["true", *found.answered], rows)


def by_speaker(found: Evaluation, most: int | None = None) -> Table:
    """Accuracy and UAR of each known speaker; with `most` the lowest of many."""
    people = found.per_speaker
    names = by_length(people)
    note = ""
    if most and len(names) > most:
        names = sorted(names, key=lambda name: people[name]["accuracy"])[:most]
        note = f"The {most} lowest of {len(people)} speakers."
    rows = [
        [name, str(people[name]["n"]), *(percent(people[name][key]) for key in metrics.OVERALL)]
        for name in names
    ]
    columns = ["speaker", "clips", *metrics.titles(metrics.OVERALL)]
    return Table("By speaker", columns, rows, note)


def by_network(found: Evaluation) -> Table:
    """What each of several networks gets alone."""
    rows = [
        [str(number), str(len(part.answers)), *(percent(part.scores[k]) for k in metrics.OVERALL)]
        for number, part in enumerate(found.parts, 1)
    ]
    return Table("Each network alone", ["network", "clips", *metrics.titles(metrics.OVERALL)], rows)


def by_length_of_recording(found: Evaluation) -> Table:
    """Accuracy and UAR of the clips and of recordings that are made of them."""
    every = {"clips as they are": found}
    every |= {f"joined to {seconds} s": own for seconds, own in found.joined.items()}
    rows = [
        [name, str(len(own.answers)),
         *(with_interval(own.scores[k], own.intervals[k]) for k in metrics.OVERALL),
         percent(own.unsure / len(own.answers))]
        for name, own in every.items()
    ]  # fmt: skip
    shares = [f"{name} (95 %)" for name in metrics.titles(metrics.OVERALL)]
    columns = ["length", "recordings", *shares, "not sure %"]
    note = "Joined: clips of one speaker and emotion, one after the other."
    return Table("Long recordings", columns, rows, note)


def terminal_tables(found: Evaluation) -> list[Table]:
    """The tables to print; those that would say nothing are left out."""
    more = [confusion(found)]
    if len(found.per_speaker) > 1:
        more.append(by_speaker(found, _MOST))
    if found.parts:
        more.append(by_network(found))
    if found.joined:
        more.append(by_length_of_recording(found))
    return [by_class(found), *more]


def sentences(found: Evaluation) -> list[str]:
    """What confidences are worth, and how many answers are not sure or `no speech`."""
    return [*_calibration(found), *_coverage(found)]


def _calibration(found: Evaluation) -> list[str]:
    worth = found.calibration
    if worth is None:
        return []
    own = confidence(worth)
    (first, ece), (before, brier) = own["ece"], own["brier"]
    told = (
        f"ECE {percent(ece)} % ({between(*own['ece_interval'])}; "
        f"{percent(own['ece_perfect'])} would be perfect), Brier score {brier:.3f}"
    )
    if worth.fitted:
        told += (
            f"; without its temperature of {found.temperature:g} they are {percent(first)} % and "
            f"{before:.3f}"
        )
    area = f"AURC {percent(own['aurc'])} % ({percent(worth.risk)} if confidence told nothing)."
    return [f"{told}.", area]


def _coverage(found: Evaluation) -> list[str]:
    lines = []
    if found.threshold is not None or found.unsure:
        at = "" if found.threshold is None else f"At the threshold of {found.threshold:g} "
        share = percent(len(found.accepted) / len(found.answers))
        right = found.accepted_accuracy
        told = "" if right is None else f", and {percent(right)} % of these are right"
        lines.append(f"{at}{'it' if at else 'It'} accepts {share} % of the answers{told}.")
    counts = [
        f"{count:,} {what}"
        for count, what in ((found.unsure, "not sure"), (found.silent, "no speech"))
        if count
    ]
    if counts:
        lines.append(f"Of {counted(len(found.answers), 'answer')}: {listed(counts)}.")
    return lines
