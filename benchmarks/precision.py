"""Does training in bfloat16 learn as well as in float32, and how much faster is it?

    python benchmarks/precision.py [CORPUS] [--recipes A,B] [--seeds 3] [--epochs N] [--into FILE]

Each recipe is trained on the first fold of `--split` with each seed in both precisions, one after
the other, on one thread. UAR is of the fold's test speakers. Compare seconds within a row: a busy
machine slows both. What is finished is kept in `--out`: the same command goes on.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from statistics import fmean, stdev

import numpy as np

from emelia import console, read_corpus
from emelia.corpora.splits.scheme import make_split
from emelia.learn.study.recipes import find_recipes
from emelia.learn.study.runner import run_study
from emelia.learn.study.tasks import Task, tasks
from emelia.learn.training.hardware import PRECISIONS, Hardware
from emelia.metrics import uar
from emelia.results import Cell
from emelia.show.tables import write_block
from emelia.table import Table
from emelia.text import percent, points

RECIPES = "variable-3,resized-3,artificial-variable-4,emelia"


def main() -> None:
    """Train, compare, print and write down where asked."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("corpus", nargs="?", default="aesdd")
    options.add_argument("--recipes", default=RECIPES)
    options.add_argument("--split", default="loso")
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--epochs", type=int, help="of each training, at most")
    options.add_argument("--out", type=Path, default=Path("runs/precision"))
    options.add_argument("--into", help="also write the table into this Markdown file")
    chosen = options.parse_args()
    corpus = read_corpus(chosen.corpus)
    split = make_split(corpus, chosen.split)
    split = replace(split, folds=split.folds[:1])
    changes = [f"train.epochs={chosen.epochs}"] if chosen.epochs else []
    recipes = find_recipes(chosen.recipes, changes)
    wanted = tasks(corpus, split, recipes, range(chosen.seeds))
    cells = [_both(task, chosen.out) for task in wanted]
    rows = [
        _row(recipe.name, [pair for task, pair in zip(wanted, cells, strict=True)
                           if task.recipe.name == recipe.name])
        for recipe in recipes
    ]  # fmt: skip
    columns = ["recipe", "UAR % in float32", "in bfloat16", "difference",
               "s an epoch in float32", "in bfloat16", "times as fast"]  # fmt: skip
    note = (
        f"{corpus.name}, test fold {split.folds[0].name} of {chosen.split}; the mean over "
        f"{chosen.seeds} seeds, and their standard deviation; one thread."
    )
    text = Table("Training in float32 and in bfloat16", columns, rows, note).markdown()
    console.say(text)
    if chosen.into:
        write_block(Path(chosen.into), "precision", text)


def _both(task: Task, out: Path) -> list[Cell]:
    """The same training in each precision."""
    cells = []
    for precision in PRECISIONS:
        hardware = Hardware(precision=precision)
        outcome = run_study([task], out / precision, _say, 1, hardware)
        if outcome.failed:
            raise SystemExit(str(outcome.failed))
        cells += outcome.cells
    return cells


def _row(name: str, pairs: list[list[Cell]]) -> list[str]:
    found = [[100 * _uar(pair[side]) for pair in pairs] for side in (0, 1)]
    seconds = [fmean(pair[side].seconds / len(pair[side].history) for pair in pairs)
               for side in (0, 1)]  # fmt: skip
    gains = [after - before for before, after in zip(*found, strict=True)]
    return [
        name, *(f"{percent(fmean(own) / 100)} ± {_spread(own)}" for own in found),
        f"{points(fmean(gains))} ± {_spread(gains)}",
        *(f"{own:.2f}" for own in seconds), f"{seconds[0] / seconds[1]:.1f}",
    ]  # fmt: skip


def _uar(cell: Cell) -> float:
    answers = np.array([np.argmax(one["probabilities"]) for one in cell.predictions])
    return uar(cell.truth, answers)


def _spread(values: list[float]) -> str:
    return f"{stdev(values):.1f}" if len(values) > 1 else "-"


def _say(name: str, done: int, total: int, facts: str) -> None:
    if done == total:
        console.say(f"{name}: {facts}")


if __name__ == "__main__":
    main()
