"""What holds on a corpus that was never heard? A linear layer on a frozen encoder, in several ways.

    python benchmarks/unheard_corpus.py [CORPORA] [--emotions A,B] [--recipe NAME]
        [--set KEY=VALUE] [--into FILE] [--name BLOCK]

Leave one corpus out, UAR on its clips over the emotions that are among them; four are asked for
where nothing else is said. The first table's ways need the clip alone: one block's frames or
those of every block; each clip's features standardised within the clip (instance normalisation);
a larger penalty on what tells speakers and corpora apart (`train.shun`). Those of the second need
unlabelled clips of the same source, by which features are standardised, drawn at random where
every emotion is about as frequent; or by those that came before, as in a stream, which begins
with what the other corpora have.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from emelia import console, metrics, read_corpus
from emelia.learn import probe
from emelia.learn.balance import draw_chances
from emelia.learn.catalogue import find_recipes
from emelia.learn.data import Clip, Loader
from emelia.learn.encoders import load_weights
from emelia.learn.logistic import SMALL
from emelia.learn.models import Encoder
from emelia.learn.nuisance import STRENGTHS
from emelia.learn.runs import new_network
from emelia.show.tables import Table, write_block

CORPORA, EMOTIONS = "aesdd+ravdess+emodb+nemo", "anger,happiness,neutral,sadness"
PENALTY = probe.PENALTIES[0]  # fixed: nothing is chosen on a corpus that tests
COUNTS = (10, 50)  # unlabelled clips of the source
PRIORS = (10, 50)  # clips of it that count as much as what is known of the other corpora
Features = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Speech:
    """Statistics (N, L, 2D) of clips, their labels and corpora (N,)."""

    x: Features
    clips: Sequence[Clip]
    labels: NDArray[np.int64]
    corpora: NDArray[np.str_]
    classes: int


Way = Callable[[Speech, Mask], Features]  # what is heard (N, K) where `Mask` tells the test


def block(number: int) -> Way:
    """Frames after one block."""
    return lambda speech, test: probe.features(speech.x, number, every=False)


def every(speech: Speech, test: Mask) -> Features:
    """Frames after every block."""
    return probe.features(speech.x, speech.x.shape[1] - 1, every=True)


def within(speech: Speech, test: Mask) -> Features:
    """The same, each block's means and deviations standardised within the clip."""
    n, levels, _ = speech.x.shape
    parts = speech.x.reshape(n, levels, 2, -1)
    parts = (parts - parts.mean(3, keepdims=True)) / parts.std(3, keepdims=True)
    return probe.features(parts.reshape(speech.x.shape), levels - 1, every=True)


def source(count: int) -> Way:
    """As `every`, standardised corpus by corpus: the test by `count` of its clips, 0 for all."""

    def standardised(speech: Speech, test: Mask) -> Features:
        rng, x = np.random.default_rng(0), every(speech, test).copy()
        for name in np.unique(speech.corpora):
            members = np.flatnonzero(speech.corpora == name)
            heard = members
            if count and test[members[0]]:
                heard = rng.choice(members, count, replace=False)
            x[members] = (x[members] - x[heard].mean(0)) / (x[heard].std(0) + SMALL)
        return x

    return standardised


def running(prior: int) -> Way:
    """As `source`, each test clip by those that came before it, in an order drawn at random.

    They begin with the mean and variance of the other corpora, which count as `prior` clips.
    """

    def standardised(speech: Speech, test: Mask) -> Features:
        plain, x = every(speech, test).astype(np.float64), source(0)(speech, test)
        order = np.random.default_rng(0).permutation(np.flatnonzero(test))
        so_far = np.arange(1, len(order) + 1)[:, None]  # the clip itself is among them
        moments = []
        for power in (1, 2):
            known = prior * (plain[~test] ** power).mean(0)
            moments.append((known + (plain[order] ** power).cumsum(0)) / (prior + so_far))
        deviation = np.sqrt(np.maximum(moments[1] - moments[0] ** 2, 0)) + SMALL
        x[order] = (plain[order] - moments[0]) / deviation
        return x

    return standardised


def answer(speech: Speech, test: Mask, way: Way, shun: float = 0.0) -> float:
    """UAR on a corpus that was left out."""
    x = way(speech, test)
    fitted = [clip for clip, out in zip(speech.clips, test, strict=True) if not out]
    weights = draw_chances(fitted, "corpora") * len(fitted)
    heard = probe.Heard(x[~test], fitted, weights)
    solution = heard.solve(speech.classes, [probe.Setting(x.shape[1], PENALTY, shun)])
    truth = speech.labels[test]
    return metrics.uar(truth, solution(torch.from_numpy(x[test])).argmax(1).numpy())


def hear(where: str, emotions: str, name: str, changes: Sequence[str]) -> Speech:
    """Encode the clips of all corpora, once: they are kept in the cache."""
    corpus = read_corpus(where, emotions=emotions.split(","))
    recipe = find_recipes(name, changes)[0]
    clips = Loader(recipe, corpus.emotions).load(corpus.utterances)
    network = new_network(recipe, len(corpus.emotions))
    assert isinstance(network, Encoder)
    load_weights(network.encoder, recipe.model.encoder)
    names = np.array([clip.utterance.corpus for clip in clips])
    classes = len(corpus.emotions)
    return Speech(probe.pooled(network, clips), clips, probe.labels(clips), names, classes)


def measure(speech: Speech, title: str, ways: dict[str, tuple[Way, float]], note: str) -> Table:
    """A line for each way, with how much is shunned; a column for each corpus left out."""
    names = list(dict.fromkeys(speech.corpora.tolist()))
    rows = []
    for label, (way, shun) in ways.items():
        found = [answer(speech, speech.corpora == name, way, shun) for name in names]
        rows.append((label, *(f"{100 * value:.1f}" for value in (*found, np.mean(found)))))
        console.say(" ".join(rows[-1]))
    return Table(title, ("UAR % without", *names, "mean"), tuple(rows), note)


def main() -> None:
    """Read the options and print the tables."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("corpora", nargs="?", default=CORPORA)
    options.add_argument("--emotions", default=EMOTIONS)
    options.add_argument("--recipe", default="whisper-base")
    options.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="change of the recipe"
    )
    options.add_argument("--name", default="unheard", help="the block of that file")
    options.add_argument("--into", type=Path, help="write the tables into this Markdown file")
    chosen = options.parse_args()
    speech = hear(chosen.corpora, chosen.emotions, chosen.recipe, chosen.set)
    blocks: dict[str, Way] = {f"block {n}": block(n) for n in range(1, speech.x.shape[1])}
    whole: dict[str, Way] = {**blocks, "every block": every}
    alone = {
        **{label: (way, 0.0) for label, way in whole.items()},
        "every block, standardised within the clip": (within, 0.0),
    }
    for shun in STRENGTHS:
        alone |= {f"{label}, shunning by {shun:g}": (way, shun) for label, way in whole.items()}
    more = {f"{n} clips of the source": (source(n), 0.0) for n in COUNTS}
    more["all clips of the source"] = source(0), 0.0
    more |= {f"those so far, prior of {n} clips": (running(n), 0.0) for n in PRIORS}
    emotions = len(set(speech.labels.tolist()))
    note = (
        f"{len(speech.clips)} clips of {emotions} emotions, {chosen.recipe} frozen, "
        f"{speech.x.shape[1] - 1} blocks, a penalty of {PENALTY}."
    )
    tables = [
        measure(speech, "The clip alone", alone, note),
        measure(speech, "Standardised by unlabelled clips of the source", more, note),
    ]
    for table in tables:
        console.table(table.title, table.columns, table.rows, table.note)
    if chosen.into:
        write_block(chosen.into, chosen.name, "\n\n".join(t.markdown() for t in tables))


if __name__ == "__main__":
    main()
