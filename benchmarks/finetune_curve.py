"""How much does a model gain from so many clips of a corpus that it has never heard?

    python benchmarks/finetune_curve.py [RUN] [CORPUS] [--emotions A,B,...]
        [--sizes 5,10,20,40] [--seeds 3] [--epochs 1] [--set KEY=VALUE] [--into FILE] [--name BLOCK]

For each seed two women and two men of the corpus are drawn, and so many clips of each emotion
from them, shared out among the four. The run is fine-tuned on these as `emelia finetune` does,
one of the four validating until all four are learnt from, and tested on everybody else. It must
have been trained without the corpus. With one epoch an encoder stays frozen: its features are
computed once, and only linear layers are solved. More epochs, or a network of another kind,
train for each line and seed.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from emelia import console, read_corpus
from emelia.corpora import Corpus, Utterance
from emelia.corpora.splits import Fold
from emelia.errors import CorpusError
from emelia.learn import probe
from emelia.learn.data import Clip, Loader
from emelia.learn.finetuning import gentler, unheard
from emelia.learn.hardware import CPU
from emelia.learn.keeping import ask
from emelia.learn.lessons import Lesson, learn
from emelia.learn.models import Encoder
from emelia.learn.origins import Origin, read
from emelia.learn.runs import Run
from emelia.learn.training import predict
from emelia.metrics import accuracy, uar
from emelia.show.tables import Table, write_block

RAVDESS = Path(__file__).parents[2] / "shared" / "corpora" / "ravdess"
WITHOUT = "runs/without-ravdess"
SIZES = "5,10,20,40"
TEACHERS = {"female": 2, "male": 2}  # how many of each are learnt from


@dataclass(frozen=True)
class Bench:
    """What all lines of the curve share."""

    run: Run
    corpus: Corpus
    clips: Mapping[str, Clip]  # by id
    epochs: int
    changes: Sequence[str] = ()  # of the recipe, as `emelia finetune --set` takes them

    def lesson(self, fold: Fold, model: str, seed: int) -> Lesson:
        """What `emelia finetune` would learn from."""
        settings = [f"train.epochs={self.epochs}", *self.changes]
        recipe = gentler(self.run.recipe, model, fold.train, settings)
        classes = self.corpus.emotions
        return Lesson(recipe, fold, classes, seed, CPU.fabric(), start=self.run)


def draw(corpus: Corpus, count: int, seed: int) -> Fold:
    """So many clips of each emotion, as far as there are, of two women and two men.

    Raises:
        CorpusError: there are not as many, or nobody says who is which.
    """
    rng = np.random.default_rng(seed)
    genders = {u.speaker: u.gender for u in corpus.utterances}
    teachers: list[str] = []
    for gender, wanted in TEACHERS.items():
        known = sorted(speaker for speaker, own in genders.items() if own == gender)
        if len(known) <= wanted:
            raise CorpusError(
                f"{corpus.name}: {len(known)} speakers are known to be {gender}, more than "
                f"{wanted} are needed. Take another corpus."
            )
        teachers += rng.permutation(known)[:wanted].tolist()
    heard = [u for name in corpus.emotions for u in _dealt(corpus, name, teachers, count, rng)]
    return Fold(
        str(seed),
        tuple(u for u in heard if u.speaker != teachers[-1]),
        tuple(u for u in heard if u.speaker == teachers[-1]),
        tuple(u for u in corpus.utterances if u.speaker not in teachers),
    )


def _dealt(
    corpus: Corpus, emotion: str, teachers: Sequence[str], count: int, rng: np.random.Generator
) -> list[Utterance]:
    """Clips of one emotion, in turns from each speaker."""
    order = rng.permutation(len(corpus.utterances))
    shuffled = [corpus.utterances[i] for i in order if corpus.utterances[i].emotion == emotion]
    own = [[u for u in shuffled if u.speaker == speaker] for speaker in teachers]
    turns = [u for turn in range(max(map(len, own))) for one in own for u in one[turn : turn + 1]]
    return turns[:count]


def after(bench: Bench, fold: Fold, model: str, seed: int) -> list[str]:
    """What the network answers for the test clips once it has learnt from the others."""
    lesson = bench.lesson(fold, model, seed)
    loader = Loader(lesson.recipe, lesson.classes, seed)
    network = learn(lesson, loader, [bench.clips[u.id] for u in fold.validation]).network
    test = [bench.clips[u.id] for u in fold.test]
    if bench.epochs == 1 and isinstance(network, Encoder):
        found = from_features(network, test, lesson.recipe.model.levels == "all")
    else:
        found = predict(network, test, len(lesson.classes)).argmax(1)
    return [lesson.classes[i] for i in found]


@torch.no_grad()
def from_features(network: Encoder, clips: Sequence[Clip], every: bool) -> NDArray[np.int64]:
    """Answers of a linear layer on a frozen encoder, whose features are computed but once."""
    pooled = probe.pooled(network, clips)
    x = torch.from_numpy(probe.features(pooled, pooled.shape[1] - 1, every))
    return network.output((x - network.shift) * network.scale).argmax(1).numpy()


def as_it_is(bench: Bench) -> dict[str, str]:
    """What the run answers with all its classes, by id."""
    found = ask(bench.run, bench.corpus.utterances)
    answers = found.logits.argmax(axis=1)
    return {id: bench.run.classes[i] for id, i in zip(found.ids, answers, strict=True)}


def figures(fold: Fold, answers: Sequence[str]) -> tuple[float, float]:
    """Accuracy and UAR."""
    truth = [u.emotion for u in fold.test]
    names = sorted({*truth, *answers})
    numbers = [[names.index(name) for name in part] for part in (truth, answers)]
    return accuracy(*numbers), uar(*numbers)


def curve(bench: Bench, start: Origin, sizes: Sequence[int], seeds: int) -> Table:
    """A line for the model as it is, and one for each number of clips."""
    known = set(bench.corpus.emotions) <= set(bench.run.classes)
    asked = as_it_is(bench) if known else {}
    folds = {n: [draw(bench.corpus, n, seed) for seed in range(seeds)] for n in sizes}
    rows = []
    if known:
        same = [figures(f, [asked[u.id] for u in f.test]) for f in folds[sizes[0]]]
        rows.append(("none: the model as it is", "0", *_spread(same)))
    for size, drawn in folds.items():
        same = [figures(f, after(bench, f, start.name, seed)) for seed, f in enumerate(drawn)]
        clips = len(drawn[0].train) + len(drawn[0].validation)
        rows.append((str(size), str(clips), *_spread(same)))
        console.say(f"{rows[-1][0]} clips a class: accuracy {rows[-1][2]}, UAR {rows[-1][3]}")
    drawn = folds[sizes[0]]
    note = (
        f"Mean and standard deviation over {seeds} draws of {sum(TEACHERS.values())} speakers, two "
        f"women and two men, tested on the other {len({u.speaker for u in drawn[0].test})}, whom "
        f"neither has heard. {bench.epochs} epoch{'s' * (bench.epochs > 1)}; classes: "
        f"{', '.join(bench.corpus.emotions)}. Where a class has fewer clips, all of them."
    )
    changes = "".join(f", {change}" for change in bench.changes)
    title = f"{start.name}, fine-tuned on clips of {bench.corpus.name}{changes}"
    return Table(title, ("clips a class", "clips", "accuracy %", "UAR %"), tuple(rows), note)


def _spread(found: Sequence[tuple[float, float]]) -> list[str]:
    values = 100 * np.array(found)
    deviation = values.std(axis=0, ddof=1) if len(found) > 1 else np.zeros(2)
    return [f"{m:.1f} ± {d:.1f}" for m, d in zip(values.mean(axis=0), deviation, strict=True)]


def main() -> None:
    """Read the options and print the table."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument(
        "run",
        nargs="?",
        default=WITHOUT,
        help="folder of a run that was trained without the corpus",
    )
    options.add_argument("corpus", nargs="?", default=str(RAVDESS))
    options.add_argument("--emotions", default="", help="only these classes, with commas")
    options.add_argument("--sizes", default=SIZES, help="clips a class")
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--epochs", type=int, default=1)
    options.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="change of the recipe"
    )
    options.add_argument("--into", help="also write the table into this Markdown file")
    options.add_argument("--name", default="finetune", help="block of that file")
    chosen = options.parse_args()
    if not Path(chosen.run).exists():  # as where all benchmarks are run
        console.warn(
            f"{chosen.run}: no such run. First: emelia train whisper-tiny-joint "
            f"aesdd+emodb+nemo --split folds-5 --out {chosen.run}"
        )
        return
    wanted = [name for name in chosen.emotions.split(",") if name]
    start, corpus = read(Path(chosen.run)), read_corpus(chosen.corpus, emotions=wanted)
    if unheard(corpus, start.heard) != corpus:
        raise SystemExit(f"{chosen.run}: has heard clips of {corpus.name}. Take another run.")
    run = start.run()
    loaded = Loader(run.recipe, corpus.emotions).load(corpus.utterances)
    clips = {clip.utterance.id: clip for clip in loaded}
    bench = Bench(run, corpus, clips, chosen.epochs, chosen.set)
    found = curve(bench, start, [int(size) for size in chosen.sizes.split(",")], chosen.seeds)
    console.table(found.title, found.columns, found.rows, found.note)
    if chosen.into:
        write_block(Path(chosen.into), chosen.name, found.markdown())


if __name__ == "__main__":
    main()
