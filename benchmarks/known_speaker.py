"""What is unlabelled speech of the speaker worth? A linear layer on a frozen encoder, six ways.

    python benchmarks/known_speaker.py [CORPUS] [--with CORPORA] [--blocks N] [--into FILE]

Leave one speaker out. The frozen features of a clip are standardised over all training clips, or
over those of its corpus (both need nothing of the person who is asked about), or over clips of its
speaker: all of them, or so many, drawn at random, without their labels. Block, statistics and
penalty are chosen inside each fold by speakers left out in turn. What needs speech of the speaker
is no recogniser of strangers, and is reported here alone.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from emelia import console, metrics, read_corpus
from emelia.corpora.adding import add
from emelia.corpora.splits import Fold, make_split
from emelia.learn import probe
from emelia.learn.balance import draw_chances
from emelia.learn.catalogue import find_recipes
from emelia.learn.data import Clip, Loader
from emelia.learn.encoders import load_weights
from emelia.learn.logistic import SMALL
from emelia.learn.models import Encoder
from emelia.learn.runs import new_network
from emelia.show.tables import Table, with_interval, write_block

AESDD = Path(__file__).parents[2] / "shared" / "corpora" / "aesdd"
COUNTS = (5, 10, 20)  # clips of the speaker
SHARE = 0.5  # of what clips count that goes to the corpus under test
Features = NDArray[np.float32]
Way = Callable[[Features, Sequence[Clip], NDArray[np.bool_], int], Features]


def over_all(x: Features, clips: Sequence[Clip], test: NDArray[np.bool_], seed: int) -> Features:
    """As they are: the probe itself standardises over its training clips."""
    return x


def by_corpus(x: Features, clips: Sequence[Clip], test: NDArray[np.bool_], seed: int) -> Features:
    """Each corpus by its training clips."""
    names = np.array([clip.utterance.corpus for clip in clips])
    return _by(x, names, lambda members: members & ~test)


def by_speaker(count: int) -> Way:
    """Each speaker by all clips; the one under test by `count` drawn ones, or all where 0."""

    def standardised(
        x: Features, clips: Sequence[Clip], test: NDArray[np.bool_], seed: int
    ) -> Features:
        rng = np.random.default_rng(seed)
        names = np.array([f"{clip.utterance.corpus} {clip.utterance.speaker}" for clip in clips])

        def heard(members: NDArray[np.bool_]) -> NDArray[np.bool_]:
            if not count or not (members & test).any():
                return members
            drawn = np.zeros(len(members), bool)
            drawn[rng.choice(np.flatnonzero(members), count, replace=False)] = True
            return drawn

        return _by(x, names, heard)

    return standardised


def _by(
    x: Features, names: NDArray[np.str_], heard: Callable[[NDArray[np.bool_]], NDArray[np.bool_]]
) -> Features:
    found = x.copy()
    for name in np.unique(names):
        members = names == name
        known = x[heard(members)]
        found[members] = (x[members] - known.mean(0)) / (known.std(0) + SMALL)
    return found


WAYS: dict[str, Way] = {
    "all training clips": over_all,
    "clips of its corpus": by_corpus,
    **{f"{n} clips of the speaker": by_speaker(n) for n in COUNTS},
    "all clips of the speaker": by_speaker(0),
}


def asked(
    x: Features, clips: Sequence[Clip], fold: Fold, way: Way, classes: int, seed: int, blocks: int
) -> NDArray[np.int64]:
    """Answers for a fold's test clips, in the order of `clips`."""
    tested = {u.id for u in fold.test}
    test = np.array([clip.utterance.id in tested for clip in clips])
    known = way(x, clips, test, seed)
    fitted = [clip for clip, out in zip(clips, test, strict=True) if not out]
    home = {u.corpus for u in fold.test}
    weights = draw_chances(fitted, "corpora", home, SHARE) * len(fitted)
    turns = probe.turns(fitted, home)
    choice = probe.choose(known[~test], fitted, weights, turns, classes, blocks)
    part = np.ascontiguousarray(known[:, choice.blocks])
    heard = probe.Heard(part[~test], fitted, weights)
    solution = heard.solve(classes, choice.settings)
    return np.asarray(solution(torch.from_numpy(part[test])).argmax(1).numpy())


def measure(where: str, others: str, name: str, seed: int, blocks: int) -> Table:
    """A line for each way."""
    corpus = read_corpus(where)
    split = make_split(corpus, "loso")
    if others:
        split = add(split, corpus, read_corpus(others))
    recipe = find_recipes(name)[0]
    utterances = {u.id: u for fold in split.folds for u in (*fold.train, *fold.test)}
    clips = Loader(recipe, corpus.emotions).load(list(utterances.values()))
    network = new_network(recipe, len(corpus.emotions))
    assert isinstance(network, Encoder)
    load_weights(network.encoder, recipe.model.encoder)
    x = probe.pooled(network, clips)
    rows = []
    for title, way in WAYS.items():
        truth, answers, speakers = [], [], []
        for fold in split.folds:
            found = asked(x, clips, fold, way, len(corpus.emotions), seed, blocks)
            there = {u.id for u in fold.test}
            mine = [clip for clip in clips if clip.utterance.id in there]
            truth += [clip.label for clip in mine]
            speakers += [clip.utterance.speaker for clip in mine]
            answers += found.tolist()
        ends = metrics.interval(truth, answers, speakers)
        rows.append((title, with_interval(metrics.accuracy(truth, answers), ends)))
        console.say(" ".join(rows[-1]))
    note = f"{len(truth)} test clips of {len(split.folds)} speakers, {split.protocol}"
    return Table(f"{name} on {corpus.name}", ("standardised over", "accuracy %"), tuple(rows), note)


def main() -> None:
    """Read the options and print the table."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("corpus", nargs="?", default=str(AESDD))
    options.add_argument("--with", dest="others", default="", help="corpora added to training")
    options.add_argument("--recipe", default="whisper-base")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--blocks", type=int, default=0, help="of the encoder; 0 has them chosen")
    options.add_argument("--into", type=Path, help="write the table into this Markdown file")
    chosen = options.parse_args()
    table = measure(chosen.corpus, chosen.others, chosen.recipe, chosen.seed, chosen.blocks)
    console.table(table.title, table.columns, table.rows, table.note)
    if chosen.into:
        write_block(chosen.into, "known-speaker", table.markdown())


if __name__ == "__main__":
    main()
