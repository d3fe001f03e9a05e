"""Is a clip heard better whole, or as the mean of what its pieces are taken for?

    python benchmarks/test_time_crops.py STUDY CORPUS [--into FILE]

STUDY is a study's folder. Each of its networks that learnt from pieces of a fixed length answers
for the validation and test clips of its fold again: whole, and as the mean probability of pieces
as long as those it learnt from, spread evenly over the clip, at most two or four to a length.
What validation speaks for is what one would take; the test is only counted. A network that was made
once more with its validation clips is no longer asked for them.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emelia import console, metrics, read_corpus
from emelia.corpora import Corpus
from emelia.learn.data import Clip, Loader
from emelia.learn.runs import Run, load_run
from emelia.learn.training import predict
from emelia.show.tables import Table, write_block

DENSITIES = (0, 2, 4)  # pieces begun in the length of one; 0 is the clip whole
PARTS = ("validation", "test")
Chances = NDArray[np.float32]
Answers = tuple[NDArray[np.int64], NDArray[np.int64]]  # truth, found


def pieces(clip: Clip, frames: int, density: int) -> list[Clip]:
    """The clip whole, or in pieces that overlap and together cover it."""
    rest = clip.spec.shape[1] - frames
    if density == 0 or rest <= 0:
        return [clip]
    count = 1 + -(-rest * density // frames)
    starts = np.linspace(0, rest, count).round().astype(int)
    return [replace(clip, spec=clip.spec[:, s : s + frames]) for s in starts]


def chances(run: Run, clips: Sequence[Clip], density: int) -> Chances:
    """Probabilities (N, C), the mean over each clip's pieces."""
    cut = [pieces(clip, run.recipe.augment.crop, density) for clip in clips]
    found = predict(run.network, [piece for each in cut for piece in each], len(run.classes))
    ends = np.cumsum([len(each) for each in cut])[:-1]
    return np.stack([each.mean(0) for each in np.split(found, ends)])


def answer(run: Run, corpus: Corpus) -> dict[tuple[str, int], Answers]:
    """Truth and answers by part and density."""
    loader, known = Loader(run.recipe, run.classes), {u.id: u for u in corpus.utterances}
    found = {}
    for part in PARTS:
        if part == "validation" and run.recipe.train.refit:
            continue
        clips = loader.load([known[name] for name in run.about["parts"][part]])
        truth = np.array([clip.label for clip in clips])
        for density in DENSITIES:
            found[part, density] = truth, chances(run, clips, density).argmax(1)
    return found


def measure(runs: Sequence[Run], corpus: Corpus) -> Table:
    """A line for each recipe, all its folds and seeds together."""
    told: dict[tuple[str, str, int], list[Answers]] = defaultdict(list)
    for run in runs:
        name = f"{run.recipe.name} ({run.recipe.digest})"
        console.say(f"{name}, fold {run.about['fold']}, seed {run.about['seed']}")
        for (part, density), found in answer(run, corpus).items():
            told[name, part, density].append(found)
    rows = []
    for name in dict.fromkeys(name for name, _, _ in told):
        row = [name]
        for part, density in product(PARTS, DENSITIES):
            row.append(_uar(told[name, part, density]))
        rows.append(tuple(row))
    ways = ("whole", *(f"{density} to a length" for density in DENSITIES[1:]))
    columns = ("UAR %", *(f"{part}, {way}" for part in PARTS for way in ways))
    seeds = sorted({run.about["seed"] for run in runs})
    note = f"{len(runs)} networks of {corpus.name}, seeds {', '.join(map(str, seeds))}."
    return Table("Whole clips against pieces", columns, tuple(rows), note)


def _uar(answers: Sequence[Answers]) -> str:
    if not answers:
        return "–"
    truth, found = (np.concatenate(each) for each in zip(*answers, strict=True))
    return f"{100 * metrics.uar(truth, found):.1f}"


def main() -> None:
    """Read the options and print the table."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("study", type=Path)
    options.add_argument("corpus")
    options.add_argument("--into", type=Path)
    chosen = options.parse_args()
    runs = [load_run(file.parent) for file in sorted(chosen.study.glob("cells/*/run.json"))]
    runs = [run for run in runs if run.recipe.augment.crop]
    if not runs:
        raise SystemExit(f"{chosen.study}: no network in it learnt from pieces of a fixed length.")
    table = measure(runs, read_corpus(chosen.corpus))
    console.table(table.title, table.columns, table.rows, table.note)
    if chosen.into:
        write_block(chosen.into, "crops", table.markdown())


if __name__ == "__main__":
    main()
