"""What are several networks worth together? Their calibrated answers averaged, clip by clip.

    python benchmarks/averaged_answers.py RESULTS [RESULTS ...] [--split SPLIT]
        [--digests DIGEST,DIGEST,...] [--into FILE [--name NAME]]

RESULTS are files of a study's cells. Of each split, every training (a recipe with its settings
and seed) that has answered the same clips is shown alone, and all of them together. An ensemble
costs as much as all its members, so it is reported here and nowhere else.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emelia import console, metrics
from emelia.results import Cell, read_results
from emelia.results.rows import grouped
from emelia.show.tables import Table, with_interval, write_block

Member = tuple[str, list[Cell]]


def members(cells: Sequence[Cell]) -> list[Member]:
    """Trainings by name, with the cells of their folds in one order."""
    by_training = grouped(cells, lambda cell: (cell.recipe, cell.recipe_digest, cell.seed))
    return [
        (f"{recipe} ({digest}), seed {seed}", sorted(found, key=lambda cell: cell.fold))
        for (recipe, digest, seed), found in by_training.items()
    ]


def answers(cells: Sequence[Cell]) -> tuple[list[tuple[str, str]], NDArray[np.float64]]:
    """Fold and id of every clip, and its probabilities (N, C) at each fold's temperature."""
    ids = [(cell.fold, str(p["id"])) for cell in cells for p in cell.predictions]
    return ids, np.concatenate([cell.calibrated for cell in cells])


def line(title: str, cells: Sequence[Cell], chances: NDArray[np.float64]) -> tuple[str, ...]:
    """A row: accuracy and UAR with their intervals, over all folds."""
    truth = _truth(cells)
    speakers = [speaker for cell in cells for speaker in cell.speakers]
    found = chances.argmax(1)
    row = [title]
    for name, figure in (("accuracy", metrics.accuracy), ("uar", metrics.uar)):
        ends = metrics.interval(truth, found, speakers, name)  # type: ignore[arg-type]
        row.append(with_interval(figure(truth, found), ends))
    return tuple(row)


def _truth(cells: Sequence[Cell]) -> NDArray[np.int64]:
    return np.concatenate([cell.truth for cell in cells])


def table(split: str, cells: Sequence[Cell]) -> Table | None:
    """Every training of a split and all together; None where there is but one."""
    told = [(title, found, *answers(found)) for title, found in members(cells)]
    ids = max((each[2] for each in told), key=len)
    told = [each for each in told if each[2] == ids]
    if len(told) < 2:
        return None
    rows = [line(title, found, chances) for title, found, _, chances in told]
    together = np.mean([chances for *_, chances in told], axis=0)
    rows.append(line(f"all {len(told)} together", told[0][1], together))
    alone = [(_truth(found), each.argmax(1)) for _, found, _, each in told]
    note = (
        f"{len(ids)} test clips of {told[0][1][0].corpus}, {split}. Alone, mean and standard "
        f"deviation of the accuracy: {_spread([metrics.accuracy(*each) for each in alone])}; "
        f"of UAR: {_spread([metrics.uar(*each) for each in alone])}."
    )
    return Table(
        f"Averaged answers, {split}", ("training", "accuracy %", "UAR %"), tuple(rows), note
    )


def _spread(shares: Sequence[float]) -> str:
    return f"{100 * np.mean(shares):.1f} ± {100 * np.std(shares, ddof=1):.1f} %"


def main() -> None:
    """Read the options and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("results", nargs="+", type=Path)
    parser.add_argument("--split", default="")
    parser.add_argument("--digests", default="", help="of the recipes to take; all otherwise")
    parser.add_argument("--into", type=Path)
    parser.add_argument("--name", default="averaged", help="of the block in that file")
    options = parser.parse_args()
    cells = [cell for path in options.results for cell in read_results(path)]
    wanted = options.digests.split(",") if options.digests else []
    if missing := sorted(set(wanted) - {cell.recipe_digest for cell in cells}):
        parser.error(f"--digests: {', '.join(missing)} not found in those files.")
    cells = [cell for cell in cells if not wanted or cell.recipe_digest in wanted]
    by_split = grouped(cells, lambda cell: (cell.corpus, cell.split))
    tables = [
        made
        for (_, split), found in by_split.items()
        if options.split in ("", split) and (made := table(split, found))
    ]
    for made in tables:
        console.table(made.title, made.columns, made.rows, made.note)
    if options.into:
        text = "\n\n".join(made.markdown() for made in tables)
        write_block(options.into, options.name, text)


if __name__ == "__main__":
    main()
