"""From a study to the one network that people use: its recipe, trained once more on all speakers.

The figures of the study are of networks that each left some speakers out; they stand for this one,
which no speaker is left to test. Temperature and threshold are chosen on the same held-out answers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from emelia.config import Recipe, recipe_from
from emelia.corpora import Corpus
from emelia.corpora.records import UNKNOWN_SPEAKER, Fold, Split
from emelia.corpora.splits.scheme import make_split
from emelia.errors import RunError
from emelia.learn.data.loader import Loader
from emelia.learn.export.temperature import Answers, read_answers
from emelia.learn.model.encoders import ready
from emelia.learn.study.cell import forget_checkpoint
from emelia.learn.study.tasks import StudyData
from emelia.learn.training.hardware import CPU, Hardware
from emelia.learn.training.job import TrainingJob
from emelia.learn.training.runs import save_answers, save_run, versions
from emelia.learn.training.trainer import train
from emelia.results import Cell, Row

Report = Callable[[int, int, str], None]  # epochs done, epochs at most, facts
_PARTS = ("validation", "test")


def final_recipe(row: Row) -> Recipe:
    """The recipe of a row with as many epochs as its folds took, and no choice of the epoch.

    Raises:
        RunError: it begins with another run or has a teacher, which a study's folder has not.
    """
    recipe = recipe_from(dict(row.cells[0].settings))
    if recipe.model.init or recipe.train.distill:
        raise RunError(
            f"{row.recipe}: begins with another run or is taught by one, of each fold its own. "
            "Train it with `emelia train` and export that run."
        )
    epochs = round(median(cell.best_epoch for cells in row.counted for cell in cells))
    # Trained once more with the clips that validated: that network has learnt from all.
    chosen = replace(recipe.train, epochs=epochs, patience=0, checkpoint="last", refit=True)
    return replace(recipe, train=chosen)


def train_final(
    row: Row, runs: Sequence[Path], corpus: Corpus, folder: Path, report: Report,
    hardware: Hardware = CPU,
) -> None:  # fmt: skip
    """Train a row's recipe on all speakers of its corpus, into a run folder.

    Args:
        row: of the study.
        runs: folders of its counted cells of the first seed, whose answers are kept with it.
        corpus: the study's.
        folder: becomes the run folder.
        report: called with epochs done, epochs at most, and facts in words.
        hardware: what to train on.

    Raises:
        RunError: the answers of a fold are gone, or training was interrupted.
    """
    sample, recipe = row.cells[0], ready(final_recipe(row), with_weights=True)
    parts = pooled([read_answers(one, len(sample.classes)) for one in runs])
    torch.set_num_threads(hardware.threads)
    fold = everything(corpus)
    loader = Loader(recipe, sample.classes, sample.seed)
    job = TrainingJob(
        recipe, fold, sample.classes, sample.seed, hardware.fabric(),
        f"{sample.key}-final", folder, report=report,
    )  # fmt: skip
    trained = train(job, loader, loader.load(fold.validation))
    if trained.training.interrupted:
        raise KeyboardInterrupt
    save_answers(folder, **{name: _records(parts[name]) for name in _PARTS})
    history = trained.training.history
    about = _about(row, corpus, recipe)
    save_run(folder, trained.recipe, sample.classes, trained.network, history, about)
    forget_checkpoint(folder)


def everything(corpus: Corpus) -> Fold:
    """A fold whose parts for training and validation are the whole corpus; nothing is tested."""
    people = len(set(corpus.speakers) - {UNKNOWN_SPEAKER})
    split = {0: "random-75-25", 1: "random-75-25", 2: "loso"}.get(people, f"folds-{min(5, people)}")
    first = make_split(corpus, split).folds[0]
    return Fold("all", (*first.train, *first.test), first.validation, ())


def pooled(parts: Sequence[dict[str, Answers]]) -> dict[str, Answers]:
    """The answers of all folds, by part."""
    return {name: _joined([one[name] for one in parts]) for name in _PARTS}


def _joined(answers: Sequence[Answers]) -> Answers:
    ids, corpora, speakers, genders = (
        tuple(value for one in answers for value in getattr(one, key))
        for key in ("ids", "corpora", "speakers", "genders")
    )
    truth = np.concatenate([one.truth for one in answers])
    logits = np.concatenate([one.logits for one in answers])
    return Answers(ids, corpora, speakers, genders, truth, logits)


def _records(answers: Answers) -> list[dict[str, Any]]:
    """Answers as `save_answers` writes them."""
    told = zip(
        answers.ids, answers.corpora, answers.speakers, answers.genders,
        answers.truth.tolist(), answers.logits.tolist(), strict=True,
    )  # fmt: skip
    keys = ("id", "corpus", "speaker", "gender", "truth", "logits")
    return [dict(zip(keys, one, strict=True)) for one in told]


def _about(row: Row, corpus: Corpus, recipe: Recipe) -> dict[str, Any]:
    """What run.json tells of it."""
    sample: Cell = row.cells[0]
    data = asdict(StudyData.of(corpus, Split("all", "", (everything(corpus),))))
    protocol = (
        f"{sample.protocol} The figures are those of {row.folds} such networks, each tested on "
        f"what it had not seen; this one learnt from all clips, for {recipe.train.epochs} epochs."
    )
    told = {"split": sample.split, "protocol": protocol, "peeks": False, "folds": row.folds}
    clips = [clip.id for clip in corpus.utterances]
    return {
        **data,
        **told,
        "fold": "all",
        "seed": sample.seed,
        "best_epoch": recipe.train.epochs,
        "interrupted": False,
        "audit": {},
        "parts": {"train": clips, "validation": [], "test": []},
        "heard": sorted({clip.digest for clip in corpus.utterances}),
        "versions": versions(),
    }
