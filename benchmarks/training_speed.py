"""How fast `variable-3` trains in masked, length-bucketed batches, against batch size 1.

    python benchmarks/training_speed.py [CORPUS] [--threads 2] [--rounds 3] [--into FILE]

All ways compute the same function of a clip (tests/learn/model/test_networks.py proves it) and
are timed in turns within one run, so that a busy machine slows all of them; compare the ratios, not
the seconds. The second table is the time each needs to the same validation UAR, the founding
study's learning rate for batch size 1 and a larger one for batches.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from emelia import console, read_corpus
from emelia.config import Recipe
from emelia.corpora import Corpus
from emelia.corpora.splits.scheme import make_split, possible_splits
from emelia.learn.data.loader import Clip, Loader, training_batches
from emelia.learn.model.network import Network
from emelia.learn.study.recipes import find_recipes
from emelia.learn.training.checkpoints import Epoch
from emelia.learn.training.fit import FitJob, fit
from emelia.learn.training.runs import new_network
from emelia.show.tables import write_block
from emelia.table import Table

SIZES = (1, 4, 8, 16, 32)
AESDD = Path(__file__).parents[2] / "shared" / "corpora" / "aesdd"


class Reached(Exception):
    """The goal was reached."""


class Seed(nn.Sequential):
    """The founding study's own network and order of steps: convolution, ReLU, pooling."""

    def __init__(self, classes: int) -> None:
        super().__init__(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.25), nn.Linear(64, classes),
        )  # fmt: skip


def seed_epoch(clips: list[Clip], classes: int) -> float:
    """Seconds of one epoch of the founding study's loop: eager PyTorch, clip by clip."""
    torch.manual_seed(0)
    network = Seed(classes)
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    began = time.perf_counter()
    for i in np.random.default_rng(0).permutation(len(clips)):
        x = torch.from_numpy(np.ascontiguousarray(clips[i].spec))[None, None]
        loss = nn.functional.cross_entropy(network(x), torch.tensor([clips[i].label]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return time.perf_counter() - began


def epoch(clips: list[Clip], recipe: Recipe, classes: int) -> float:
    """Seconds of one epoch of emelia's loop."""
    torch.manual_seed(0)
    network = new_network(recipe, classes).to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(network.parameters(), recipe.train.lr)
    began = time.perf_counter()
    for batch in training_batches(clips, recipe, network, np.random.default_rng(0)):
        loss = nn.functional.cross_entropy(network(batch.inputs, batch.lengths), batch.targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return time.perf_counter() - began


def compare_epochs(clips: list[Clip], recipe: Recipe, classes: int, rounds: int) -> Table:
    """Seconds per epoch of each way, the median over rounds in turns."""
    ways = {"the founding study's loop, batch size 1": lambda: seed_epoch(clips, classes)}
    for size in SIZES:
        sized = with_batches(recipe, size)
        name = f"emelia, batch size {size}" + (", buckets and masks" if size > 1 else "")
        ways[name] = lambda sized=sized: epoch(clips, sized, classes)
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            seconds[name].append(way())
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    first, one = list(medians.values())[:2]
    rows = [
        (name, f"{value:.2f}", f"{first / value:.2f}", f"{one / value:.2f}",
         f"{min(seconds[name]):.2f}-{max(seconds[name]):.2f}")
        for name, value in medians.items()
    ]  # fmt: skip
    columns = ("way", "s an epoch", "x founding loop", "x batch size 1", "range")
    note = f"{len(clips)} clips, {torch.get_num_threads()} threads, median of {rounds} rounds."
    return Table("Training speed of variable-3", columns, tuple(rows), note)


def compare_goals(
    clips: list[Clip],
    validation: list[Clip],
    recipe: Recipe,
    classes: int,
    goal: float,
    most: int,
    seeds: int,
) -> Table:
    """Time each way needs to the same validation UAR, for several seeds."""
    rows = []
    for size, rate in ((1, 0.001), (8, 0.003), (16, 0.004)):
        train = replace(with_batches(recipe, size).train, lr=rate, epochs=most, patience=0)
        needed = [
            time_to(goal, clips, validation, replace(recipe, train=train), classes, seed)
            for seed in range(seeds)
        ]
        told = [f"{s:.0f} s ({e} epochs)" if s else f"not in {most} epochs" for s, e in needed]
        rows.append((f"batch size {size}, learning rate {rate:g}", *told))
    title = f"Time to a validation UAR of {100 * goal:.0f} %"
    return Table(title, ("way", *(f"seed {seed}" for seed in range(seeds))), tuple(rows))


def time_to(
    goal: float, clips: list[Clip], validation: list[Clip], recipe: Recipe, classes: int, seed: int
) -> tuple[float, int]:
    """Seconds and epochs until validation reaches the goal; 0 seconds if it never does."""
    torch.manual_seed(seed)
    network: Network = new_network(recipe, classes)
    history: list[Epoch] = []

    def note(line: Epoch) -> None:
        history.append(line)
        if line["validation_uar"] >= goal:
            raise Reached

    try:
        fit(network, FitJob(recipe, lambda _: clips, validation, seed, on_epoch=note))
    except Reached:
        return sum(line["seconds"] for line in history), len(history)
    return 0.0, len(history)


def with_batches(recipe: Recipe, size: int) -> Recipe:
    """Return a recipe with another batch size."""
    return replace(recipe, train=replace(recipe.train, batch_size=size))


def load(corpus: Corpus, recipe: Recipe) -> tuple[list[Clip], list[Clip]]:
    """Training and validation clips of a speaker-disjoint fold."""
    name = "published" if "published" in possible_splits(corpus) else "folds-3"
    fold = make_split(corpus, name).folds[0]
    loader = Loader(recipe, corpus.emotions)
    return loader.load(fold.train), loader.load(fold.validation)


def main() -> None:
    """Read the options and print both tables."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("corpus", nargs="?", default=str(AESDD) if AESDD.is_dir() else "demo")
    options.add_argument("--threads", type=int, default=2)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--goal", type=float, default=0.4, help="validation UAR to reach")
    options.add_argument("--seeds", type=int, default=2, help="of the race to the goal")
    options.add_argument("--epochs", type=int, default=25, help="at most, to the goal; 0: no goal")
    options.add_argument("--into", help="also write the tables into this Markdown file")
    chosen = options.parse_args()
    torch.set_num_threads(chosen.threads)
    (recipe,) = find_recipes("variable-3")
    corpus = read_corpus(chosen.corpus)
    training, validation = load(corpus, recipe)
    classes = len(corpus.emotions)
    tables = [compare_epochs(training, recipe, classes, chosen.rounds)]
    if chosen.epochs:
        tables.append(
            compare_goals(
                training, validation, recipe, classes, chosen.goal, chosen.epochs, chosen.seeds
            )
        )
    for table in tables:
        console.table(f"{table.title} on {corpus.name}", table.columns, table.rows, table.note)
    if chosen.into:
        text = "\n\n".join(table.markdown() for table in tables)
        write_block(Path(chosen.into), "training-speed", text)


if __name__ == "__main__":
    main()
