"""The main tables of a study, for the terminal, Markdown and the report.

Shares are in percent with their 95 % interval: "56.1 (50.3–61.9)". A star marks an interval that is
too narrow, since few people speak in the test clips.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from emelia import metrics
from emelia.corpora.splits.audit import UNKNOWN_SPEAKERS, audit_lines
from emelia.errors import StorageError
from emelia.results import Cell, Row, Study
from emelia.show.speakers import known_speakers, nameless
from emelia.show.tries import TRY, is_try
from emelia.storage import write_atomically
from emelia.table import Table
from emelia.text import by_length, p_value, percent, with_interval

SIGNIFICANT = 0.05
_SPARE = ("folds", "seeds", "s a cell", "parameters", "sd over seeds", "published %", "macro F1 %")
DEMO = (
    "All figures here are of synthetic speech. They show that the machinery works and say "
    "nothing about people."
)


def main(study: Study) -> Table:
    """A row for each recipe: figures with intervals, size, time and how much is done."""
    published = any(row.published for row in study.rows)
    peeks = any(row.best_test_accuracy is not None for row in study.rows)
    extra = (["published %"] if published else []) + (["best test epoch % (95 %)"] if peeks else [])
    columns = (
        "recipe", "accuracy % (95 %)", "UAR % (95 %)", "sd over seeds", "macro F1 %",
        *extra, "parameters", "s a cell", "seeds", "folds",
    )  # fmt: skip
    lines = tuple(_main_line(row, published, peeks) for row in study.rows)
    best = study.rows.index(study.best) if study.best else None
    name = titled(study.sample, f"{study.sample.corpus}, {study.sample.split}")
    return Table(name, columns, lines, _main_note(study, published, peeks), best, _SPARE)


def speakers(study: Study) -> Table:
    """Accuracy of each recipe on each test speaker."""
    by_row = [known_speakers(row) for row in study.rows]
    clips = {name: own[name][0] for own in by_row for name in own}
    names = by_length(clips)
    lines = [
        (name, str(clips[name]), *(percent(own[name][1]) if name in own else "–" for own in by_row))
        for name in names
    ]
    if len(names) > 1:
        shares = [[share for _, share in own.values()] for own in by_row]
        lines.append(("highest - lowest", "", *(percent(max(s) - min(s)) for s in shares)))
    columns = ("speaker", "clips", *map(label, study.rows))
    return Table(titled(study.sample, "Accuracy % by test speaker"), columns, tuple(lines))


def pairs(study: Study) -> Table:
    """McNemar's test of each pair of complete recipes, smallest p first."""
    lines = tuple(
        (
            f"{pair.first} : {pair.second}",
            str(pair.seed),
            str(pair.clips),
            str(pair.only_first),
            str(pair.only_second),
            p_value(pair.p),
            p_value(pair.adjusted),
            "yes" if pair.adjusted < SIGNIFICANT else "not shown",
        )
        for pair in sorted(study.pairs, key=lambda pair: pair.p)
    )
    beside = ": read it beside the table by speaker" if speakers(study).rows else ""
    note = (
        f"McNemar's exact test on the same clips; they differ where p is under {SIGNIFICANT} after "
        "Holm's correction for all pairs. Clips of one speaker are alike, so p promises too much "
        f"for new speakers{beside}."
    )
    columns = (
        "pair", "seed", "clips", "only first right", "only second right",
        "p", "p (Holm)", "differ?",
    )  # fmt: skip
    return Table(titled(study.sample, "Do two recipes differ?"), columns, lines, note)


def titled(sample: Cell, text: str) -> str:
    """A title, with a note where the speech is synthetic."""
    return f"{text} (synthetic speech)" if sample.demo else text


def audit(study: Study) -> list[str]:
    """What training, validation and test parts share; folds that are alike have one line."""
    folds = {cell.fold: cell.audit for row in study.rows for cell in row.cells}
    ordered = [folds[name] for name in by_length(folds)]
    return audit_lines([one for one in ordered if "text" in one])


def seeds(study: Study) -> str:
    """The seeds that were run, finished or not: "0, 1, 2"."""
    numbers = sorted({cell.seed for row in study.rows for cell in row.cells})
    return ", ".join(map(str, numbers))


def write_block(path: Path, name: str, text: str) -> None:
    """Put Markdown between `<!-- begin NAME -->` and `<!-- end NAME -->` of a page.

    Markers that are not there yet are added at the end; a page that is not, is made.

    Raises:
        StorageError: the markers are not one pair, or the page cannot be read or written.
    """
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    page = _read_page(path)
    if begin not in page and end not in page:
        page = f"{page.rstrip()}\n\n{begin}\n{end}\n".lstrip()
    before, _, rest = page.partition(begin)
    _, closed, after = rest.partition(end)
    if not closed or page.count(begin) + page.count(end) > 2:
        raise StorageError(f"{path}: expected one {begin} and one {end} after it. Mend the page.")
    write_atomically(path, f"{before}{begin}\n\n{text}\n\n{end}{after}".encode())


def flattened(values: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    """Nested settings as pairs of `a.b` and value."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from flattened(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _main_line(row: Row, published: bool, peeks: bool) -> tuple[str, ...]:
    extra = []
    if published:
        extra.append("–" if row.published is None else percent(row.published))
    if peeks:
        share, interval = row.best_test_accuracy, row.best_test_interval
        extra.append("–" if share is None or not interval else with_interval(share, interval))
    return (
        label(row),
        with_interval(row.accuracy, row.accuracy_interval),
        with_interval(row.uar, row.uar_interval),
        "–" if row.accuracy_spread is None else percent(row.accuracy_spread),
        percent(row.macro_f1),
        *extra,
        f"{row.parameters:,}",
        f"{row.seconds:,.0f}",
        str(len(row.seeds)),
        f"{len(row.cells)}/{row.expected}",
    )


def _main_note(study: Study, published: bool, peeks: bool) -> str:
    notes = [f"{len(study.best.truth)} test clips." if study.best else ""]
    if any(row.accuracy_interval.too_narrow for row in study.rows) or peeks:
        notes.append(
            f"* by clip, too narrow: it speaks of other clips, not of other people "
            f"(for those, {metrics.FEWEST_SPEAKERS} test speakers are needed)."
        )
    if peeks:
        notes.append("Best test epoch: what choosing the epoch on the test clips would claim.")
    if published:
        notes.append("Published: of the founding study, best test epoch of a random 80/20 split.")
    if len(study.complete) < len(study.rows):
        notes.append("Incomplete recipes are shown for what is there and compared with nothing.")
    if nameless(study):
        notes.append(UNKNOWN_SPEAKERS)
    if is_try(study):
        notes.append(TRY)
    if study.sample.demo:
        notes.append(DEMO)
    return " ".join(filter(None, notes))


def drawn_from(row: Row) -> str:
    """What a figure of a recipe shows, for its caption: "n = 604 test clips; aesdd, loso"."""
    cell, seeds = row.cells[0], len(row.counted)
    each = f", {seeds} seeds" if seeds > 1 else ""
    return f"n = {len(row.truth)} test clips{each}; {cell.corpus}, {cell.split}"


def label(row: Row) -> str:
    """The name of a recipe, with a note where it is incomplete."""
    return row.recipe if row.complete else f"{row.recipe} (incomplete)"


def _read_page(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8") if path.exists() else ""
    except (OSError, UnicodeDecodeError):
        raise StorageError(f"{path}: cannot be read as text. Name a Markdown file.") from None
