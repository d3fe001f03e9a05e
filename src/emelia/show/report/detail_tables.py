"""The tables of a report beside the main ones: data, layers, classes, genders, others' figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from emelia import metrics
from emelia.config import SAMPLE_RATE, Recipe
from emelia.corpora.known import CORPORA
from emelia.corpora.records import CorpusSpec
from emelia.results import Architecture, Row, Study
from emelia.results.rows import grouped
from emelia.show.describe import way
from emelia.show.report.published import Reference, founding, references
from emelia.show.speakers import apart, heard_before
from emelia.show.tables import titled
from emelia.show.tries import is_try
from emelia.table import Table
from emelia.text import by_length, percent, points, with_interval


def specs(study: Study) -> list[CorpusSpec]:
    """What is known of the corpora of a study: title, licence, home."""
    return [CORPORA[name] for name in study.sample.corpus.split("+") if name in CORPORA]


def clips(study: Study) -> Table:
    """Test clips of the study by speaker and class, each counted once."""
    sample = study.sample
    tested = {
        str(p["id"]): (str(p["speaker"]), int(p["truth"]))
        for row in study.rows
        for cell in row.cells
        for p in cell.predictions
    }
    counts = Counter(tested.values())
    names = by_length({who for who, _ in counts})
    numbers = range(len(sample.classes))
    lines = [_counts(name, [counts[name, i] for i in numbers]) for name in names]
    if len(names) > 1:
        sums = [sum(counts[name, i] for name in names) for i in numbers]
        lines.append(_counts("all", sums))
    title = titled(sample, "Test clips by speaker and class")
    return Table(title, ("speaker", *sample.classes, "all"), tuple(lines))


def overall(row: Row) -> Table:
    """Accuracy, UAR and the means over classes of precision, recall and F1, with intervals."""
    matrix, spans = row.confusion, row.class_intervals
    named = [
        ("accuracy", row.accuracy, row.accuracy_interval),
        ("UAR", row.uar, row.uar_interval),
        (
            "macro precision",
            float(metrics.macro(matrix, metrics.precision(matrix))),
            spans["precision"][-1],
        ),
        ("macro F1", row.macro_f1, spans["f1"][-1]),
    ]
    lines = tuple((name, with_interval(share, span)) for name, share, span in named)
    return Table(titled(row.cells[0], "Overall"), ("figure", "% (95 %)"), lines)


def classes(row: Row) -> Table:
    """Precision, recall and F1 of each class of one recipe, over all seeds, with intervals."""
    matrix, spans = row.confusion, row.class_intervals
    figures = {name: metric.of(matrix) for name, metric in metrics.PER_CLASS.items()}
    clips = matrix.sum(axis=1) // len(row.counted)
    lines = tuple(
        (
            name,
            str(clips[i]),
            *(with_interval(v[i], spans[k][i]) if clips[i] else "–" for k, v in figures.items()),
        )
        for i, name in enumerate(row.cells[0].classes)
    )
    title = titled(row.cells[0], "By class")
    titles = [f"{title} (95 %)" for title in metrics.titles(metrics.PER_CLASS)]
    columns = ("class", "clips", *titles)
    return Table(title, columns, lines)


def genders(study: Study) -> Table:
    """Accuracy and UAR of each recipe on each gender; no rows where the corpus does not tell it."""
    found = [_by_gender(row) for row in study.rows]
    names = sorted({name for own in found for name in own if name})
    lines = [
        (row.recipe, *(_both(own.get(name)) for name in names))
        for row, own in zip(study.rows, found, strict=True)
    ]
    title = titled(study.sample, "Accuracy / UAR % by gender of the speaker")
    return Table(title, ("recipe", *names), tuple(lines) if len(names) > 1 else ())


def layers(recipe: Recipe, found: Architecture) -> Table:
    """The layers of a network with output shapes, parameters and receptive fields."""
    lines = tuple(
        (
            layer.name,
            _shape(layer.shape),
            f"{layer.parameters:,}",
            f"{layer.sees[0]} × {layer.sees[1]}" if layer.sees else "all",
        )
        for layer in found.layers
    )
    note = (
        f"Input {_shape(found.input)} (channels × bands × frames, {_length(recipe, found)}). "
        f"A place of the last map sees {_reach(recipe, found)}. "
        f"{found.parameters:,} parameters in all."
    )
    columns = ("layer", "gives", "parameters", "sees")
    return Table("Layers", columns, lines, note)


def seconds_seen(recipe: Recipe, frames: int) -> float:
    """Seconds that so many frames cover, windows of the first and the last included."""
    return ((frames - 1) * recipe.features.hop + recipe.features.window) / SAMPLE_RATE


def elsewhere(study: Study) -> Table:
    """Published accuracies under like conditions, with the best one here among them.

    The founding study's are always there, so that nobody misses them.
    """
    sample, best = study.sample, study.best
    if is_try(study):
        return Table(f"Published accuracies on {sample.corpus}", ("system",), ())
    known = references(sample.corpus, apart(study))
    others = [one for one in founding(sample.corpus) if one not in known]
    lines, place = [_reference(one) for one in known], None
    if best and (known or others):
        # Among the others in the order of accuracy, so that one sees what is better.
        place = sum(one.accuracy > 100 * best.accuracy for one in known)
        here = with_interval(best.accuracy, best.accuracy_interval)
        lines.insert(
            place, (f"{best.recipe} (here)", here, _of_study(study), sample.split, "this report")
        )
    lines += [_reference(one) for one in others]
    note = (
        "± is the deviation over runs. Where test speakers were seen in training, a figure says "
        "nothing about new people. Splits differ, so a few points tell nothing."
    )
    columns = ("system", "accuracy %", "test speakers", "split", "source")
    return Table(f"Published accuracies on {sample.corpus}", columns, tuple(lines), note, place)


def random_against_apart(found: Sequence[Study]) -> Table:
    """Each way of training where test speakers were seen before, beside where they were not."""
    lines = []
    for corpus in grouped(found, lambda s: (s.sample.corpus, s.sample.classes)).values():
        heard = [(s, r) for s in corpus if heard_before(s) for r in s.complete]
        unseen = [(s, r) for s in corpus if apart(s) for r in s.complete]
        lines += [
            _difference(one, other, row, twin)
            for one, row in heard
            for other, twin in unseen
            if _same(row, twin)
        ]
    columns = (
        "recipe", "seen before", "best test epoch %", "accuracy %",
        "unseen", "accuracy % (95 %)", "claimed too much", "epochs run",
    )  # fmt: skip
    gaps = [float(line[-2]) for line in lines]
    over = sum(gap > 0 for gap in gaps)
    note = (
        f"In {over} of {len(gaps)} pairs the random split claims more than new speakers get, "
        f"{points(float(np.mean(gaps or [0])))} points on average. "
        "A pair is one recipe, but for how long it trains, tested on speakers it has seen and on "
        "speakers it has not. Claimed too much: points from what the random split gives, by its "
        "best test epoch where that was recorded, to what new speakers get."
    )
    return Table("What random splits would have claimed", columns, tuple(lines), note)


def _difference(one: Study, other: Study, row: Row, twin: Row) -> tuple[str, ...]:
    peek = row.best_test_accuracy
    # Figures of random splits are mostly published with their best test epoch.
    claimed = row.accuracy if peek is None else peek
    return (
        row.cells[0].recipe,
        one.sample.split,
        "–" if peek is None else percent(peek),
        percent(row.accuracy),
        other.sample.split,
        with_interval(twin.accuracy, twin.accuracy_interval),
        f"{100 * (claimed - twin.accuracy):+.1f}",
        " / ".join(str(max(len(c.history) for c in r.cells)) for r in (row, twin)),
    )


def _same(row: Row, twin: Row) -> bool:
    """Whether two rows were trained in one way; settings that are not known must be equal."""
    ours, theirs = (way(r.cells[0].settings) for r in (row, twin))
    if ours or theirs:
        return ours == theirs
    return row.cells[0].recipe_digest == twin.cells[0].recipe_digest


def _reference(one: Reference) -> tuple[str, ...]:
    spread = "" if one.spread is None else f" ± {one.spread:.1f}"
    figure = f"{one.accuracy:.1f}{spread}"
    return one.system, figure, _heard(one.apart), one.protocol, one.source


def _of_study(study: Study) -> str:
    return _heard(False) if heard_before(study) else _heard(True) if apart(study) else "unknown"


def _heard(apart: bool) -> str:
    return "unseen" if apart else "seen in training"


def _by_gender(row: Row) -> dict[str, dict[str, float]]:
    genders = [str(p.get("gender", "")) for cell in row.counted[0] for p in cell.predictions]
    seeds = len(row.predicted)
    truth = np.tile(row.truth, seeds)
    return metrics.per_group(truth, row.predicted.reshape(-1), genders * seeds)


def _both(figures: dict[str, float] | None) -> str:
    return f"{percent(figures['accuracy'])} / {percent(figures['uar'])}" if figures else "–"


def _counts(name: str, numbers: Sequence[int]) -> tuple[str, ...]:
    return (name, *map(str, numbers), str(sum(numbers)))


def _shape(shape: Sequence[int]) -> str:
    return " × ".join(f"{size:,}" for size in shape)


def _reach(recipe: Recipe, found: Architecture) -> str:
    if found.sees is None:
        return "the whole clip, however long"
    bands, frames = found.sees
    return f"{bands} bands and {frames} frames, {seconds_seen(recipe, frames):.2f} s"


def _length(recipe: Recipe, found: Architecture) -> str:
    if recipe.model.name == "resized":
        return "to which every clip is brought"
    seconds = found.input[2] * recipe.features.hop / SAMPLE_RATE
    return f"here of a clip of {seconds:.0f} s; any length fits"
