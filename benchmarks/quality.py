"""What do several trainings have on the mean, each fine-tuned with another seed?

    python benchmarks/quality.py RESULTS --digests DIGEST,DIGEST,... [--split SPLIT]

RESULTS are the cells of a study. A study that goes on from another run is a recipe of its own,
with a digest of its own, so that `emelia report` shows seeds of what was before as rows without
their mean. The README's means are of these:

    tuned.jsonl --digests 7e222c11,2b4f71ca,97924dfc --split loso+ravdess+emodb+nemo
    seeds.jsonl --digests cd5b8323,1259c58f,85faeda3
    shun.jsonl --digests 2803b66a,491f6eb6,aa8cc7e4
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, stdev

from emelia import console
from emelia.results import Row, read_results
from emelia.results.studies import summarise
from emelia.show.tables import Table, percent, with_interval


def chosen(results: Path, digests: Sequence[str], split: str = "") -> list[Row]:
    """The finished rows of these digests, in their order.

    Raises:
        SystemExit: there is not exactly one of each.
    """
    cells = [cell for cell in read_results(results) if split in ("", cell.split)]
    rows = [row for row in summarise(cells) if row.complete]
    found = [[row for row in rows if row.cells[0].recipe_digest == digest] for digest in digests]
    for digest, own in zip(digests, found, strict=True):
        if len(own) != 1:
            raise SystemExit(f"{results}: {len(own)} finished rows of {digest}, expected one.")
    return [row for (row,) in found]


def table(rows: Sequence[Row]) -> Table:
    """A line for each training, and their mean and standard deviation."""
    lines = [
        (
            f"{row.cells[0].recipe} ({row.cells[0].recipe_digest})",
            with_interval(row.accuracy, row.accuracy_interval),
            with_interval(row.uar, row.uar_interval),
        )
        for row in rows
    ]
    both = ([row.accuracy for row in rows], [row.uar for row in rows])
    lines.append((f"mean of {len(rows)}", *map(_spread, both)))
    return Table(rows[0].cells[0].split, ("training", "accuracy %", "UAR %"), tuple(lines))


def _spread(shares: Sequence[float]) -> str:
    deviation = f" ± {percent(stdev(shares))}" if len(shares) > 1 else ""
    return f"{percent(fmean(shares))}{deviation}"


def main() -> None:
    """Read the options and print the table."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("results", type=Path)
    options.add_argument("--digests", required=True, help="of the trainings, with commas")
    options.add_argument("--split", default="", help="where the results are of several")
    asked = options.parse_args()
    found = table(chosen(asked.results, asked.digests.split(","), asked.split))
    console.table(found.title, found.columns, found.rows, found.note)


if __name__ == "__main__":
    main()
