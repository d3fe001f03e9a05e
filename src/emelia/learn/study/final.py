"""From a study to the one network that people use: its recipe, trained once more on all speakers.

The figures of the study are of networks that each left some speakers out; they stand for this one,
which no speaker is left to test. Temperature and threshold are chosen on the same held-out answers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from emelia.config import Recipe, digest, recipe_from
from emelia.corpora import Corpus
from emelia.corpora.reading.extra_training import add_to_training
from emelia.corpora.records import UNKNOWN_SPEAKER, Fold, Split
from emelia.corpora.splits.scheme import make_split
from emelia.learn.data.loader import Loader
from emelia.learn.export.temperature import Answers, read_answers
from emelia.learn.model.encoders import ready
from emelia.learn.study.cell import about, forget_checkpoint
from emelia.learn.study.tasks import StudyData, Task
from emelia.learn.study.warm_start import EarlierRun, with_earlier_runs
from emelia.learn.training.hardware import Hardware
from emelia.learn.training.job import TrainingJob
from emelia.learn.training.runs import save_answers, save_run
from emelia.learn.training.trainer import train
from emelia.results import Row

Report = Callable[[int, int, str], None]  # epochs done, epochs at most, facts
_PARTS = ("validation", "test")


def final_recipe(
    row: Row, init: EarlierRun | None = None, teacher: EarlierRun | None = None
) -> Recipe:
    """The recipe of a row with as many epochs as its folds took, and no choice of the epoch."""
    names = [f"{run.recipe}@{digest([run.digest])}" if run else "" for run in (init, teacher)]
    recipe = with_earlier_runs(recipe_from(dict(row.cells[0].settings)), *names)
    epochs = round(median(cell.best_epoch for cells in row.counted for cell in cells))
    # Trained once more with the clips that validated: that network has learnt from all.
    chosen = replace(recipe.train, epochs=epochs, patience=0, checkpoint="last", refit=True)
    return replace(recipe, train=chosen)


def train_final(
    row: Row, runs: Sequence[Path], corpus: Corpus, folder: Path, report: Report,
    hardware: Hardware | None = None, others: Corpus | None = None, init: EarlierRun | None = None,
    teacher: EarlierRun | None = None,
) -> None:  # fmt: skip
    """Train a row's recipe on all speakers of its corpus, into a run folder.

    Args:
        row: of the study.
        runs: folders of its counted cells of the first seed, whose answers are kept with it.
        corpus: the study's.
        folder: becomes the run folder.
        report: called with epochs done, epochs at most, and facts in words.
        hardware: what to train on; this processor, in the precision of the study, by default.
        others: corpora that are added to training.
        init: the run whose weights the network begins with.
        teacher: the run that is distilled from.

    Raises:
        RunError: the answers of a fold are gone, or training was interrupted.
    """
    sample, recipe = row.cells[0], final_recipe(row, init, teacher)
    recipe = ready(recipe, with_weights=init is None)
    parts = pooled([read_answers(one, len(sample.classes)) for one in runs])
    hardware = hardware or Hardware(precision=sample.precision)
    torch.set_num_threads(hardware.threads)
    split = Split(sample.split, sample.protocol, (everything(corpus),))
    split = add_to_training(split, corpus, others) if others else split
    (fold,) = split.folds
    task = Task(StudyData.of(corpus, split), recipe, fold, {}, sample.seed, init, teacher)
    loader = Loader(recipe, sample.classes, sample.seed)
    job = TrainingJob(
        recipe, fold, sample.classes, sample.seed, hardware.fabric(),
        hardware.key(f"{sample.key}-final"), folder, report=report,
        init=init.run() if init else None, teacher=teacher.run() if teacher else None,
    )  # fmt: skip
    trained = train(job, loader, loader.load(fold.validation))
    if trained.training.interrupted:
        raise KeyboardInterrupt
    save_answers(folder, **{name: _records(parts[name]) for name in _PARTS})
    told = {
        **about(task, trained.training), **_unlike_a_cell(row, task),
        "precision": hardware.precision,
    }  # fmt: skip
    save_run(
        folder, trained.recipe, sample.classes, trained.network, trained.training.history, told
    )
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


def _unlike_a_cell(row: Row, task: Task) -> dict[str, Any]:
    """What run.json tells otherwise than that of a cell: nobody is left out, the split is named."""
    sample, epochs = row.cells[0], task.recipe.train.epochs
    protocol = (
        f"{sample.protocol} The figures are those of {row.folds} such networks, each tested on "
        f"what it had not seen; this one learnt from all clips, for {epochs} epochs."
    )
    clips = list(dict.fromkeys(u.id for u in (*task.fold.train, *task.fold.validation)))
    return {
        "split": sample.split,
        "protocol": protocol,
        "peeks": False,
        "folds": row.folds,
        "best_epoch": epochs,
        "interrupted": False,
        "parts": {"train": clips, "validation": [], "test": []},
    }
