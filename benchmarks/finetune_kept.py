"""Does a taught model that is kept answer strangers no worse than the model as it was?

    python benchmarks/finetune_kept.py [CORPORA] [--model NAME | --runs FOLDER] [--sizes 5,10,20]
        [--draws 5] [--into FILE] [--name BLOCK]

CORPORA are names or folders, with commas between them, of what the model has not seen. With
`--runs`, FOLDER has what `unseen_corpora.py train` keeps of a recipe, and each corpus has the
training that left it out. For each
draw up to four speakers are drawn, one at least left for the test, and so many clips of each
emotion from them, shared out among the speakers. The model learns from these as `emelia finetune`
does, and is kept or left as it was by the same rule: only clips that are learnt from have a say in
it. Both are asked about every clip of all other speakers. Emotions that the model does not know
are left out.
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
from emelia.corpora import CORPORA, Corpus, Utterance
from emelia.corpora.splits.scheme import Fold
from emelia.learn.data.loader import Clip, Loader
from emelia.learn.export.calibrate import threshold
from emelia.learn.export.temperature import Answers, answers_of, read_answers, temperature
from emelia.learn.model.network import Encoder
from emelia.learn.study.cell import logit_records
from emelia.learn.study.finetuning import finetuning_recipe, unseen
from emelia.learn.study.keeping import Verdict, judge, restricted
from emelia.learn.study.warm_start import EarlierRun, read
from emelia.learn.training import pooled_features
from emelia.learn.training.hardware import CPU
from emelia.learn.training.inference import logits
from emelia.learn.training.init import initial_linear_layer
from emelia.learn.training.job import TrainingJob
from emelia.learn.training.runs import Run
from emelia.learn.training.trainer import train
from emelia.metrics import uar
from emelia.show.tables import write_block
from emelia.table import Table
from emelia.use.bundled import find_model
from emelia.use.model import read_card

UNHEARD = "casia,turev,ased"
TEACHERS = 4  # speakers who are learnt from, at most


@dataclass(frozen=True)
class Bench:
    """What all draws share."""

    start: EarlierRun
    run: Run  # the model as it was, asked for the labels of the corpus alone
    limits: tuple[float, float]  # its own temperature and threshold
    corpus: Corpus
    clips: Mapping[str, Clip]  # by id
    settings: Sequence[str] = ()  # changes of the recipe

    def of(self, utterances: Sequence[Utterance]) -> list[Clip]:
        return [self.clips[u.id] for u in utterances]


@dataclass(frozen=True)
class Draw:
    """What came of one draw, on test clips."""

    before: float  # UAR
    taught: float
    verdict: Verdict
    sure: Mapping[str, tuple[int, int, int]]  # right, accepted and all answers, by who answers

    @property
    def kept(self) -> float:
        """UAR of what the model file would be."""
        return self.taught if self.verdict.better else self.before


def draw(corpus: Corpus, count: int, seed: int) -> Fold:
    """So many clips of each emotion, as far as there are, of a few speakers; the rest tests."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(sorted(corpus.speakers)).tolist()
    teachers = order[: min(TEACHERS, len(order) - 1)]
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


def teach(bench: Bench, fold: Fold) -> Draw:
    """Teach the model on a fold, judge it by what is held out of that, and ask both on the test."""
    run = bench.start.run()
    prior = initial_linear_layer(run.recipe, bench.corpus.emotions, run) is not None
    recipe = finetuning_recipe(
        run.recipe, bench.start.name, fold.train, bench.settings, prior=prior
    )
    job = TrainingJob(recipe, fold, bench.corpus.emotions, 0, CPU.fabric(), init=bench.start.run())
    loader = Loader(recipe, bench.corpus.emotions)
    trained = train(job, loader, bench.of(fold.validation))
    held_out = {
        "before": answers(bench.run.network, trained.checked),
        "taught": answers_of(
            logit_records(trained.checked, trained.answers), len(bench.corpus.emotions)
        ),
    }
    verdict = judge(held_out["before"], held_out["taught"])
    test = bench.of(fold.test)
    asked = {
        "before": answers(bench.run.network, test), "taught": answers(trained.network, test)
    }  # fmt: skip
    limits = {who: _limits(held_out[who]) for who in held_out}
    kept = "taught" if verdict.better else "before"
    sure = {
        "before": _sure(asked["before"], bench.limits),
        "taught": _sure(asked["taught"], limits["taught"]),
        "kept": _sure(asked[kept], limits[kept]),
    }
    return Draw(_uar(asked["before"]), _uar(asked["taught"]), verdict, sure)


@torch.no_grad()
def answers(network: Encoder, clips: Sequence[Clip]) -> Answers:
    """Of an encoder with even attention from cached features, else as usual."""
    if not isinstance(network, Encoder) or network.pool.score.weight.any():
        return answers_of(logit_records(clips, logits(network, clips)), network.classes)
    pooled = pooled_features.pooled(network, clips)
    x = torch.from_numpy(
        pooled_features.layer_features(pooled, pooled.shape[1] - 1, network.all_layers)
    )
    found = network.output((x - network.shift) * network.scale)
    return answers_of(logit_records(clips, found), network.classes)


def _limits(held_out: Answers) -> tuple[float, float]:
    heat = temperature(held_out)
    return heat, threshold(held_out, heat).limit


def _sure(asked: Answers, limits: tuple[float, float]) -> tuple[int, int, int]:
    chances = asked.probabilities(limits[0])
    accepted = chances.max(axis=1) >= limits[1]
    right = accepted & (chances.argmax(axis=1) == asked.truth)
    return int(right.sum()), int(accepted.sum()), len(chances)


def _uar(asked: Answers) -> float:
    return uar(asked.truth, asked.logits.argmax(axis=1))


def line(name: str, size: int, draws: Sequence[Draw]) -> tuple[str, ...]:
    """One corpus and number of clips."""
    shown = [[one.before for one in draws], [one.taught for one in draws],
             [one.kept for one in draws]]  # fmt: skip
    worse = sum(one.kept < one.before for one in draws)
    taught = sum(one.verdict.better for one in draws)
    sums = {who: np.sum([one.sure[who] for one in draws], axis=0) for who in draws[0].sure}
    return (
        name, str(size), *map(_spread, shown), f"{taught} of {len(draws)}", str(worse),
        *map(_right, sums.values()),
    )  # fmt: skip


def _spread(found: Sequence[float]) -> str:
    values = 100 * np.array(found)
    return f"{values.mean():.1f} ± {values.std(ddof=1) if len(values) > 1 else 0:.1f}"


def _right(sums: NDArray[np.int64]) -> str:
    right, accepted, every = map(int, sums)
    return f"{100 * right / max(1, accepted):.0f} of {100 * accepted / every:.0f}"


def table(lines: Sequence[tuple[str, ...]], name: str, draws: int) -> Table:
    """All of them."""
    columns = (
        "corpus", "clips a class", "UAR % before", "UAR % taught", "UAR % kept", "taught kept",
        "kept worse", "sure before", "sure taught", "sure kept",
    )  # fmt: skip
    note = (
        f"Mean and standard deviation over {draws} draws of up to {TEACHERS} speakers, tested on "
        "all others. Before: the model as it was, asked for the corpus's emotions alone; kept: "
        "what held-out clips among those that are learnt from decide for; kept worse: draws in "
        "which that has less UAR than before. Sure: so many % are right of so many % of the "
        "answers that are not `unsure`; before with the threshold that ships, after with one that "
        "the held-out clips chose."
    )
    return Table(f"What is kept of {name}, taught a few clips", columns, tuple(lines), note)


def main() -> None:
    """Read the options and print the table."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("corpora", nargs="?", default=UNHEARD)
    options.add_argument("--model", default="default", help="one that ships, or a file")
    options.add_argument("--runs", type=Path, help="trainings that left corpora out")
    options.add_argument("--sizes", default="5,10,20", help="clips a class")
    options.add_argument("--draws", type=int, default=5)
    options.add_argument("--into", help="also write the table into this Markdown file")
    options.add_argument("--name", default="finetune-kept", help="block of that file")
    options.add_argument("--set", action="append", default=[], help="a setting, KEY=VALUE")
    chosen = options.parse_args()
    torch.set_num_threads(1)
    lines = []
    for name in chosen.corpora.split(","):
        bench = prepare(_left_out(chosen.runs, name) or chosen.model, name, chosen.set)
        for size in map(int, chosen.sizes.split(",")):
            drawn = [teach(bench, draw(bench.corpus, size, n)) for n in range(chosen.draws)]
            lines.append(line(bench.corpus.name, size, drawn))
            console.say("  ".join(lines[-1]))
    found = table(lines, chosen.runs.name if chosen.runs else chosen.model, chosen.draws)
    found.print()
    if chosen.into:
        write_block(Path(chosen.into), chosen.name, found.markdown())


def _left_out(runs: Path | None, name: str) -> str:
    """The folder, named by what it left out, of the training that left a corpus out."""
    found = [path for path in runs.iterdir() if name in path.name.split("+")] if runs else []
    return str(found[0]) if found else ""


def prepare(model: str, name: str, settings: Sequence[str]) -> Bench:
    """Read a model, or the run of one, and a corpus that it has not seen."""
    place = Path(find_model(model))
    start = read(place)
    classes = start.run().classes
    if place.is_dir():
        limits = _limits(read_answers(place, len(classes))["validation"])
    else:
        limits = read_card(place).temperature, read_card(place).threshold
    merged = list(CORPORA[name].merges) if name in CORPORA else []  # `calm` would count as neutral
    corpus = read_corpus(name, emotions=classes, complete=False, apart=merged)
    if unseen(corpus, start.seen) != corpus:
        raise SystemExit(f"{model}: has seen clips of {name}. Take another model.")
    run = restricted(start.run(), corpus.emotions)
    loaded = Loader(run.recipe, corpus.emotions).load(corpus.utterances)
    clips = {clip.utterance.id: clip for clip in loaded}
    return Bench(start, run, limits, corpus, clips, settings)


if __name__ == "__main__":
    main()
