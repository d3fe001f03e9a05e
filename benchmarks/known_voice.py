"""What is unlabelled speech of the speaker worth to a network from scratch?

    python benchmarks/known_voice.py [CORPUS] [--epochs N] [--way WAY] [--into FILE]

Leave one speaker out, the last epoch kept. The spectrogram of a clip is standardised, band by band,
over its own frames, over those of all training clips, or over all clips of its speaker, without
their labels. The first two need nothing of the person who is asked about; the last is no recogniser
of strangers, and is reported here alone.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from emelia import console, metrics, read_corpus
from emelia.config import Recipe
from emelia.corpora import Utterance
from emelia.corpora.splits import Fold, make_split
from emelia.learn.catalogue import find_recipes
from emelia.learn.data import Clip, Loader
from emelia.learn.features import FLAT
from emelia.learn.hardware import CPU
from emelia.learn.lessons import Lesson, learn
from emelia.learn.training import predict
from emelia.show.tables import Table, with_interval, write_block

AESDD = Path(__file__).parents[2] / "shared" / "corpora" / "aesdd"
Tick = Callable[[int], None]
Name = Callable[[Utterance], str]  # whose frames a clip is standardised over
Statistics = tuple[NDArray[np.float32], NDArray[np.float32]]  # mean and deviation of a band, (M,)
OWN, TRAINING = "its own frames", "all training clips"
WAYS: dict[str, Name] = {
    OWN: lambda utterance: OWN,
    TRAINING: lambda utterance: TRAINING,
    "all clips of the speaker": lambda utterance: utterance.speaker,
}


def statistics(specs: Sequence[NDArray[np.float32]]) -> Statistics:
    """Of all frames of spectrograms (M, F)."""
    frames = np.concatenate(specs, 1)
    return frames.mean(1), np.maximum(frames.std(1), FLAT)


class Known(Loader):
    """A loader whose spectrograms are standardised over the frames of several clips, unchanged."""

    def __init__(self, recipe: Recipe, classes: Sequence[str], seed: int, name: Name) -> None:
        super().__init__(recipe, classes, seed)
        self._name = name
        self._known: dict[str, Statistics] = {}

    def hear(self, utterances: Sequence[Utterance]) -> None:
        """Take the statistics of each name's clips; where none are heard, each clip has its own."""
        specs = defaultdict(list)
        for clip in super().load(utterances):
            specs[self._name(clip.utterance)].append(clip.spec)
        self._known = {name: statistics(found) for name, found in specs.items()}

    def load(self, utterances: Sequence[Utterance], tick: Tick | None = None) -> list[Clip]:
        """As a loader does, then standardised."""
        return [self._standardised(clip) for clip in super().load(utterances, tick)]

    def training(
        self, utterances: Sequence[Utterance], epoch: int = 0, tick: Tick | None = None
    ) -> list[Clip]:
        """As a loader does, then standardised; a changed copy like the clip it was made from."""
        return [self._standardised(clip) for clip in super().training(utterances, epoch, tick)]

    def _standardised(self, clip: Clip) -> Clip:
        known = self._known.get(self._name(clip.utterance))
        mean, deviation = known or statistics([clip.spec])
        spec = (clip.spec - mean[:, None]) / deviation[:, None]
        return replace(clip, spec=spec, silence=(clip.silence - mean) / deviation)


def plain(name: str, epochs: int) -> Recipe:
    """A recipe that does not standardise, and keeps its last epoch."""
    recipe = find_recipes(name)[0]
    train = replace(recipe.train, epochs=epochs, patience=0, choose="last")
    features = replace(recipe.features, standardise="none")
    return replace(recipe, features=features, train=train)


def heard(fold: Fold, name: Name) -> Sequence[Utterance]:
    """What a way may take its statistics from: only the speaker's own way hears the test."""
    known = {OWN: (), TRAINING: fold.train}
    return known.get(name(fold.test[0]), (*fold.train, *fold.validation, *fold.test))


def asked(recipe: Recipe, classes: Sequence[str], fold: Fold, seed: int, name: Name) -> list[int]:
    """Train on a fold; answers for its test clips, in order."""
    loader = Known(recipe, classes, seed, name)
    loader.hear(heard(fold, name))
    lesson = Lesson(recipe, fold, tuple(classes), seed, CPU.fabric())
    learnt = learn(lesson, loader, loader.load(fold.validation))
    chances = predict(learnt.network, loader.load(fold.test), len(classes))
    return [int(i) for i in chances.argmax(1)]


def measure(where: str, recipe: Recipe, seed: int, ways: Sequence[str] = tuple(WAYS)) -> Table:
    """A line for each way."""
    corpus = read_corpus(where)
    split, rows = make_split(corpus, "loso"), []
    tests = [u for fold in split.folds for u in fold.test]
    truth, speakers = [corpus.emotions.index(u.emotion) for u in tests], [u.speaker for u in tests]
    for title in ways:
        answers: list[int] = []
        for fold in split.folds:
            answers += asked(recipe, corpus.emotions, fold, seed, WAYS[title])
            console.say(f"{title}: {len(answers)} of {len(tests)} clips answered")
        ends = metrics.interval(truth, answers, speakers)
        rows.append((title, with_interval(metrics.accuracy(truth, answers), ends)))
        console.say(" ".join(rows[-1]))
    note = (
        f"{len(tests)} test clips of {len(set(speakers))} speakers, {split.protocol} Seed {seed}."
    )
    return Table(
        f"{recipe.name} on {corpus.name}", ("standardised over", "accuracy %"), tuple(rows), note
    )


def main() -> None:
    """Read the options and print the table."""
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("corpus", nargs="?", default=str(AESDD))
    options.add_argument("--recipe", default="emelia")
    options.add_argument("--epochs", type=int, default=15)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--way", action="append", choices=list(WAYS), help="only this; repeat")
    options.add_argument("--into", type=Path, help="write the table into this Markdown file")
    chosen = options.parse_args()
    torch.set_num_threads(1)
    recipe = plain(chosen.recipe, chosen.epochs)
    table = measure(chosen.corpus, recipe, chosen.seed, chosen.way or tuple(WAYS))
    console.table(table.title, table.columns, table.rows, table.note)
    if chosen.into:
        write_block(chosen.into, "known-voice", table.markdown())


if __name__ == "__main__":
    main()
