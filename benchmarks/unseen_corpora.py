"""What does a recipe for strangers' recordings make of corpora that its training left out?

    python benchmarks/unseen_corpora.py train RECIPE --leave aesdd+casia [--precision bf16-mixed]
        [--teacher runs/unseen/RECIPE]
    python benchmarks/unseen_corpora.py ask RECIPE [--into FILE] [--name BLOCK] [--answers FILE]

`train` trains a recipe on the corpora of `--corpora` without those of `--leave` and keeps, in a
folder of `--out`, what the network pools of the clips of the latter. `ask` reads all such folders
of a recipe: answers as they are; adapted to some unlabelled clips of the corpus or the speaker,
which are not scored; adapted to ten clips that all show one emotion; and collections of 50 clips,
adapted to themselves, of which a share shows one emotion. What is interrupted goes on.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from emelia import console, read_corpus
from emelia.config.card import ADAPTED, UNSEEN
from emelia.corpora import Corpus
from emelia.corpora.records import Fold, Split
from emelia.learn.data.loader import Loader
from emelia.learn.data.sampling import first_of_corpora
from emelia.learn.export.graph import Coordinates
from emelia.learn.model.network import Encoder
from emelia.learn.study.cell import forget_checkpoint, run_cell
from emelia.learn.study.recipes import find_recipes
from emelia.learn.study.tasks import tasks
from emelia.learn.training.hardware import Hardware
from emelia.learn.training.linear_layer import labels
from emelia.learn.training.pooled_features import pooled_by
from emelia.learn.training.runs import load_run
from emelia.metrics import accuracy, uar
from emelia.show.tables import write_block
from emelia.source_offset import Space, estimate, usual_prior
from emelia.table import Table

EMOTIONS = ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")
FOUR = ("anger", "happiness", "neutral", "sadness")
CORPORA = "aesdd+ravdess+emodb+nemo+casia+turev+ased"
MOST = 1500  # clips of a corpus that are asked about
VALIDATION = 25  # clips of each corpus that is trained on, to follow the training
SOURCES = (3, 10, 50)  # clips of the corpus that is adapted to
OF_SPEAKER = 5  # clips of the speaker
COLLECTION, SHARES = 50, (0.5, 0.7, 0.9, 1.0)
DRAWS = 5
Array = NDArray[np.float64]


def main() -> None:
    """Train, or ask, print, and write down where asked."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("what", choices=("train", "ask"))
    options.add_argument("recipe")
    options.add_argument("--corpora", default=CORPORA)
    options.add_argument("--emotions", default=",".join(EMOTIONS))
    options.add_argument("--leave", default="", help="corpora that are left out, joined by +")
    options.add_argument("--out", type=Path, default=Path("runs/unseen"))
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--precision", default="32-true")
    options.add_argument("--teacher", type=Path, help="folder of a recipe trained so, that teaches")
    options.add_argument("--set", action="append", default=[], help="a setting of the recipe")
    options.add_argument("--answers", type=Path, help="write what calibrates a model here")
    options.add_argument("--into", help="also write the tables into this Markdown file")
    options.add_argument("--name", default="unseen", help="of the block in it")
    chosen = options.parse_args()
    if chosen.what == "train":
        train(chosen)
    else:
        ask(chosen)


# Training


def train(chosen: argparse.Namespace) -> None:
    """Train on all corpora but those left out; keep what is pooled of the clips of these."""
    folder = chosen.out / chosen.recipe / chosen.leave
    (recipe,) = find_recipes(chosen.recipe, chosen.set)
    every = read_corpus(chosen.corpora, emotions=chosen.emotions.split(","))
    if not (folder / "run.json").exists():
        split = Split("left out", "corpora left out", (_fold(every, chosen.leave.split("+")),))
        teacher = chosen.teacher and chosen.teacher / chosen.leave
        (task,) = tasks(every, split, [recipe], [chosen.seed], teacher=teacher, audits=[{}])
        run_cell(task, folder, _say, Hardware(precision=chosen.precision))
        forget_checkpoint(folder)
    if not (folder / "pooled.npz").exists():
        _keep(folder, every, chosen.leave.split("+"))


def _fold(every: Corpus, leave: Sequence[str]) -> Fold:
    kept = [u for u in every.utterances if u.corpus not in leave]
    checked = {id(u) for u in first_of_corpora(kept, VALIDATION)}
    tested = [u for u in every.utterances if u.corpus in leave]
    return Fold(
        "+".join(leave),
        tuple(u for u in kept if id(u) not in checked),
        tuple(u for u in kept if id(u) in checked),
        tuple(first_of_corpora(tested, VALIDATION)),
    )


def _keep(folder: Path, every: Corpus, leave: Sequence[str]) -> None:
    run = load_run(folder)
    assert isinstance(run.network, Encoder) and run.space
    asked = first_of_corpora([u for u in every.utterances if u.corpus in leave], MOST)
    clips = Loader(run.recipe, run.classes, 0).load(asked)
    x = torch.from_numpy(pooled_by(run.network, clips))
    pooled = (x - run.network.shift) * run.network.scale
    coordinates = Coordinates(run.space)
    with torch.no_grad():
        found = {
            "logits": run.network.output(pooled),
            "coordinates": coordinates(pooled, run.network),
            "readout": coordinates.readout(run.network),
        }
    known = {key: value.numpy().astype(np.float32) for key, value in found.items()}
    np.savez(
        folder / "pooled.npz",
        **known,
        means=run.space.means.numpy(),
        variances=run.space.variances.numpy(),
        truth=labels(clips),
        classes=run.classes,
        corpus=[u.corpus for u in asked],
        speaker=[u.speaker for u in asked],
        id=[u.id for u in asked],
    )


def _say(done: int, total: int, facts: str) -> None:
    console.say(f"{done}/{total} {facts}")


# Asking


@dataclass(frozen=True)
class Unseen:
    """The clips of a corpus that a training left out."""

    name: str
    classes: tuple[str, ...]
    space: Space
    readout: Array  # (C, K)
    logits: Array  # (N, C)
    coordinates: Array  # (N, K)
    truth: NDArray[np.int64]
    speaker: NDArray[np.str_]
    id: NDArray[np.str_]

    @cached_property
    def plain(self) -> NDArray[np.int64]:
        """Answers (N,) as they are."""
        return self.logits.argmax(1)

    def adapted(self, to: NDArray[np.int64], asked: NDArray[np.int64]) -> Array:
        """Logits of some clips, adapted to others, both given by their places."""
        found = estimate(self.space, self.coordinates[to])
        return self.logits[asked] - found @ self.readout.T


def unseen(folder: Path) -> Iterator[Unseen]:
    """What is kept of every training of a recipe, corpus by corpus."""
    for path in sorted(folder.glob("*/pooled.npz")):
        kept = np.load(path)
        numbers = (kept[key].astype(np.float64) for key in ("means", "variances"))
        classes = tuple(kept["classes"].tolist()) if "classes" in kept else EMOTIONS
        space = Space(*numbers, usual_prior(classes))
        for name in np.unique(kept["corpus"]):
            own = kept["corpus"] == name
            rows = (kept[key][own] for key in ("logits", "coordinates", "truth", "speaker", "id"))
            logits, places, truth, speaker, ids = rows
            yield Unseen(
                str(name), classes, space, kept["readout"].astype(np.float64),
                logits.astype(np.float64), places.astype(np.float64), truth, speaker, ids,
            )  # fmt: skip


def ask(chosen: argparse.Namespace) -> None:
    """Answer plainly and adapted; print figures by corpus and their mean."""
    corpora = list(unseen(chosen.out / chosen.recipe))
    rows = [[corpus.name, *map(_number, _figures(corpus).values())] for corpus in corpora]
    figures = [_figures(corpus) for corpus in corpora]
    means = {key: np.nanmean([one[key] for one in figures]) for key in figures[0]}
    rows.append(["mean", *map(_number, means.values())])
    # A corpus a column: there are more figures than corpora.
    heads, *body = zip(["", *figures[0]], *rows, strict=True)
    table = Table(f"{chosen.recipe}, corpora left out", list(heads), [list(row) for row in body])
    text = table.markdown()
    console.say(text)
    if chosen.answers:
        chosen.answers.write_text(json.dumps(_answers(corpora)), encoding="utf-8")
    if chosen.into:
        write_block(Path(chosen.into), chosen.name, text)


def _number(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.1f}"


def _figures(corpus: Unseen) -> dict[str, float]:
    """Percentages, by what they are of."""
    found = {
        "accuracy": 100 * accuracy(corpus.truth, corpus.plain),
        "UAR of four": 100 * _four(corpus, corpus.truth, corpus.logits),
    }
    for clips in SOURCES:
        drawn = [_adapted(corpus, to) for to in _drawn(corpus, clips)]
        found[f"adapted to {clips}"] = float(
            np.mean([100 * accuracy(t, z.argmax(1)) for t, z in drawn])
        )
        found[f"UAR of four, {clips}"] = float(
            np.mean([100 * _four(corpus, t, z) for t, z in drawn])
        )
    one = [_gain(corpus, to) for to in _one_sided(corpus)]
    found["gain, ten of one emotion"] = 100 * float(np.mean(one))
    own = [_gain(corpus, to, rest) for to, rest in _of_speakers(corpus)]
    found["gain, five of the speaker"] = 100 * float(np.mean(own)) if own else np.nan
    for share in SHARES:
        gains = [(e, _gain(corpus, to, to)) for e, to in _collections(corpus, share)]
        found[f"gain, {100 * share:g} % one emotion"] = 100 * float(np.mean([g for _, g in gains]))
        calm = [g for emotion, g in gains if corpus.classes[emotion] == "neutral"]
        found[f"gain, {100 * share:g} % neutral"] = 100 * float(np.mean(calm)) if calm else np.nan
    return found


def _four(corpus: Unseen, truth: NDArray[np.int64], logits: Array) -> float:
    """UAR of the four commonest emotions alone, of those that a corpus has."""
    four = np.array([corpus.classes.index(name) for name in FOUR])
    own = np.isin(truth, four)
    return uar(truth[own], four[logits[own][:, four].argmax(1)])


def _adapted(corpus: Unseen, to: NDArray[np.int64]) -> tuple[NDArray[np.int64], Array]:
    rest = np.setdiff1d(np.arange(len(corpus.truth)), to)
    return corpus.truth[rest], corpus.adapted(to, rest)


def _gain(corpus: Unseen, to: NDArray[np.int64], asked: NDArray[np.int64] | None = None) -> float:
    """Accuracy of some clips, all but those adapted to by default, adapted less plain."""
    rest = np.setdiff1d(np.arange(len(corpus.truth)), to) if asked is None else asked
    truth = corpus.truth[rest]
    return accuracy(truth, corpus.adapted(to, rest).argmax(1)) - accuracy(truth, corpus.plain[rest])


def _drawn(corpus: Unseen, clips: int) -> Iterator[NDArray[np.int64]]:
    rng = np.random.default_rng(0)
    for _ in range(DRAWS):
        yield rng.choice(len(corpus.truth), clips, replace=False)


def _one_sided(corpus: Unseen) -> Iterator[NDArray[np.int64]]:
    """Ten clips of each emotion in turn."""
    rng = np.random.default_rng(1)
    for emotion in np.unique(corpus.truth):
        own = np.flatnonzero(corpus.truth == emotion)
        for _ in range(DRAWS):
            yield rng.choice(own, min(10, len(own)), replace=False)


def _of_speakers(corpus: Unseen) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Five clips of each speaker, and the speaker's other ones."""
    rng = np.random.default_rng(2)
    for name in np.unique(corpus.speaker):
        own = np.flatnonzero(corpus.speaker == name)
        for _ in range(DRAWS if len(own) >= 2 * OF_SPEAKER else 0):
            to = rng.choice(own, OF_SPEAKER, replace=False)
            yield to, np.setdiff1d(own, to)


def _collections(corpus: Unseen, share: float) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Fifty clips, of which a share shows one emotion, each emotion in turn."""
    rng = np.random.default_rng(3)
    for emotion in np.unique(corpus.truth):
        own = np.flatnonzero(corpus.truth == emotion)
        others = np.flatnonzero(corpus.truth != emotion)
        most = min(round(share * COLLECTION), len(own))
        for _ in range(DRAWS):
            to = [rng.choice(own, most, replace=False)]
            to.append(rng.choice(others, COLLECTION - round(share * COLLECTION), replace=False))
            yield int(emotion), np.concatenate(to)


def _answers(corpora: Sequence[Unseen]) -> dict[str, Any]:
    """Logits of all clips, plainly and adapted to ten others of their corpus."""
    parts: dict[str, list[dict[str, Any]]] = {UNSEEN: [], ADAPTED: []}
    for corpus in corpora:
        every = np.arange(len(corpus.truth))
        rng = np.random.default_rng(4)
        tenths = np.array_split(rng.permutation(every), 10)
        parts[UNSEEN] += _records(corpus, every, corpus.logits)
        for asked in tenths:
            to = rng.choice(np.setdiff1d(every, asked), 10, replace=False)
            parts[ADAPTED] += _records(corpus, asked, corpus.adapted(to, asked))
    return {"classes": list(corpora[0].classes), **parts}


def _records(corpus: Unseen, asked: NDArray[np.int64], logits: Array) -> list[dict[str, Any]]:
    return [
        {
            "id": str(corpus.id[place]),
            "corpus": corpus.name,
            "speaker": str(corpus.speaker[place]),
            "truth": int(corpus.truth[place]),
            "logits": [float(f"{value:.6g}") for value in row],
        }
        for place, row in zip(asked, logits, strict=True)
    ]


if __name__ == "__main__":
    main()
