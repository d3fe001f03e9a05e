"""One cell of a study: a recipe trained on one fold with one seed, then tested once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from emelia.learn.data.loader import Clip, Loader
from emelia.learn.export.temperature import answers_of, for_calibration, temperature
from emelia.learn.model.layer_table import architecture
from emelia.learn.model.network import Network, parameters
from emelia.learn.study.tasks import Task, ids
from emelia.learn.training.checkpoints import BY_CORPUS, Epoch
from emelia.learn.training.checkpoints import Progress as Training
from emelia.learn.training.hardware import CPU, Hardware
from emelia.learn.training.inference import logits
from emelia.learn.training.job import TrainingJob
from emelia.learn.training.runs import (
    CHECKPOINT,
    save_answers,
    save_history,
    save_run,
    versions,
)
from emelia.learn.training.trainer import REFIT_CHECKPOINT, train
from emelia.results import Cell
from emelia.text import percent

Report = Callable[[int, int, str], None]  # done, total, facts


class Interrupted(Exception):
    """Ctrl-C ended the training; the best epoch so far, if any, is in the run folder."""


def run_cell(task: Task, folder: Path, report: Report, hardware: Hardware = CPU) -> Cell:
    """Train and test one cell, resuming from its checkpoint where there is one.

    Call `forget_checkpoint` once the cell is kept: until then it saves training again.

    Args:
        folder: becomes the run folder.
        report: called with epochs done, epochs at most and facts in words.

    Raises:
        Interrupted: Ctrl-C; the run folder has the best epoch so far, run again to resume.
    """
    torch.set_num_threads(hardware.threads)
    writes = hardware.rank == 0  # of several processes only the first
    history: list[Epoch] = []

    def note(epoch: Epoch) -> None:
        history.append(epoch)
        if writes:
            save_history(folder, history)
        report(len(history), recipe.train.epochs, facts(epoch))

    recipe, classes = task.recipe, task.data.classes
    loader = Loader(recipe, classes, task.seed)
    validation, test = loader.load(task.fold.validation), loader.load(task.fold.test)
    job = TrainingJob(
        recipe,
        task.fold,
        classes,
        task.seed,
        hardware.fabric(),
        hardware.key(task.key),
        folder,
        init=task.init.run() if task.init else None,
        teacher=task.teacher.run() if task.teacher else None,
        watch=test if task.data.peeks else (),
        report=report,
        on_epoch=note,
        stream=hardware.stream,
    )
    trained = train(job, loader, validation)
    training = trained.training
    if not training.best_epoch:
        raise Interrupted
    found = logits(trained.network, test)
    checked = logit_records(trained.checked, trained.answers)
    if writes:
        save_answers(folder, validation=checked, test=logit_records(test, found))
        known = {**about(task, training), "precision": hardware.precision}
        save_run(
            folder, trained.recipe, classes, trained.network, training.history, known, trained.space
        )
    if training.interrupted:
        raise Interrupted
    predictions = prediction_records(test, found.softmax(1).numpy())
    cell = _cell(task, trained.network, training, predictions, _temperature(checked, task))
    return replace(cell, blocks=trained.recipe.model.blocks, precision=hardware.precision)


def forget_checkpoint(folder: Path) -> None:
    """Remove what only an unfinished training needs."""
    for name in (CHECKPOINT, REFIT_CHECKPOINT):
        (folder / name).unlink(missing_ok=True)


def about(task: Task, training: Training) -> dict[str, Any]:
    """What run.json tells of a training, besides recipe and classes."""
    parts = dict(zip(("train", "validation", "test"), ids(task.fold), strict=True))
    # Keys are as in run.json of earlier versions: `start` is the run of the initial weights, and
    # `heard` are the seen clips.
    runs = {"start": task.init, "teacher": task.teacher}
    seen = {u.digest for u in (*task.fold.train, *task.fold.validation)}
    seen |= {digest for run in runs.values() if run for digest in run.seen}
    return {
        **asdict(task.data),
        "fold": task.fold.name,
        "seed": task.seed,
        "best_epoch": training.best_epoch,
        "interrupted": training.interrupted,
        "audit": task.audit,
        "parts": parts,
        **{
            name: {
                "name": run.name,
                "digest": run.digest,
                "place": str(run.place.resolve()),
                "corpora": run.corpora,
            }
            for name, run in runs.items()
            if run
        },
        "heard": sorted(seen),
        "versions": versions(),
    }


def facts(epoch: Epoch) -> str:
    """Loss and validation UAR of an epoch in words."""
    corpora = {k.removeprefix(BY_CORPUS): v for k, v in epoch.items() if k.startswith(BY_CORPUS)}
    own = [f"{corpus} {percent(share)}" for corpus, share in corpora.items()]
    each = f" ({', '.join(own)})" if own else ""
    return f"loss {epoch['loss']:.3f}, validation UAR {percent(epoch['validation_uar'])} %{each}"


def _temperature(checked: Sequence[dict[str, Any]], task: Task) -> float:
    """Fitted on validation logits; 1 where they are not finite, so that none can be fitted."""
    try:
        found = answers_of(checked, len(task.data.classes))
        return temperature(for_calibration(found, task.recipe.train.selection_groups))
    except ValueError:
        return 1.0


def _cell(
    task: Task,
    network: Network,
    training: Training,
    predictions: Sequence[dict[str, Any]],
    temperature: float,
) -> Cell:
    data = task.data
    return Cell(
        key=task.key,
        corpus=data.corpus,
        corpus_digest=data.corpus_digest,
        recipe=task.recipe.name,
        recipe_digest=task.recipe.digest,
        settings=asdict(task.recipe),
        split=data.split,
        protocol=data.protocol,
        fold=task.fold.name,
        seed=task.seed,
        classes=data.classes,
        parameters=parameters(network),
        seconds=round(math.fsum(line["seconds"] for line in training.history), 2),
        train_clips=len(task.fold.train),
        validation_clips=len(task.fold.validation),
        best_epoch=training.best_epoch,
        history=tuple(_rounded(line) for line in training.history),
        predictions=tuple(predictions),
        audit=task.audit,
        versions=versions(),
        demo=data.demo,
        folds=data.folds,
        division=data.division,
        temperature=temperature,
        layers=architecture(network, task.recipe).records(),
    )


def prediction_records(
    clips: Sequence[Clip], probabilities: NDArray[np.float32]
) -> list[dict[str, Any]]:
    """One record a clip: speaker, true class and probabilities (N, C)."""
    return [
        {
            "id": clip.utterance.id,
            "speaker": clip.utterance.speaker,
            "gender": clip.utterance.gender,
            "truth": clip.label,
            # Small ones keep their digits: a temperature can make them large.
            "probabilities": [float(f"{p:.4g}") for p in row],
        }
        for clip, row in zip(clips, probabilities, strict=True)
    ]


def logit_records(clips: Sequence[Clip], logits: Tensor) -> list[dict[str, Any]]:
    """One record a clip: speaker, true class and logits (N, C), for calibration."""
    return [
        {
            "id": clip.utterance.id,
            "corpus": clip.utterance.corpus,
            "speaker": clip.utterance.speaker,
            "gender": clip.utterance.gender,
            "truth": clip.label,
            "logits": [float(f"{value:.6g}") for value in row],
        }
        for clip, row in zip(clips, logits.tolist(), strict=True)
    ]


def _rounded(line: Epoch) -> Epoch:
    return {key: float(f"{value:.6g}") for key, value in line.items()}
