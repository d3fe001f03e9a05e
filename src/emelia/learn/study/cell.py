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
from emelia.learn.export.temperature import answers_of, choosing, temperature
from emelia.learn.model.layer_table import architecture
from emelia.learn.model.network import Network, parameters
from emelia.learn.study.tasks import Task, ids
from emelia.learn.training.checkpoints import BY_CORPUS, Epoch
from emelia.learn.training.checkpoints import Progress as Training
from emelia.learn.training.hardware import CPU, Hardware
from emelia.learn.training.inference import logits
from emelia.learn.training.runs import (
    CHECKPOINT,
    save_answers,
    save_history,
    save_run,
    versions,
)
from emelia.learn.training.trainer import AGAIN, Lesson, learn
from emelia.results import Cell
from emelia.text import percent

Tell = Callable[[int, int, str], None]  # done, total, facts


class Interrupted(Exception):
    """Ctrl-C ended the training; the best epoch so far, if any, is in the run folder."""


def run_cell(task: Task, folder: Path, tell: Tell, hardware: Hardware = CPU) -> Cell:
    """Train and test one cell, going on from its checkpoint where there is one.

    Once the cell is kept, `forget_checkpoint`: until then it saves training again.

    Args:
        folder: becomes the run folder.
        tell: called with epochs done, epochs at most and facts in words.

    Raises:
        Interrupted: Ctrl-C; the run folder has the best so far, run again to go on.
    """
    torch.set_num_threads(hardware.threads)
    history: list[Epoch] = []

    def note(epoch: Epoch) -> None:
        history.append(epoch)
        save_history(folder, history)
        tell(len(history), recipe.train.epochs, facts(epoch))

    recipe, classes = task.recipe, task.setting.classes
    loader = Loader(recipe, classes, task.seed)
    validation, test = loader.load(task.fold.validation), loader.load(task.fold.test)
    lesson = Lesson(
        recipe,
        task.fold,
        classes,
        task.seed,
        hardware.fabric(),
        task.key,
        folder,
        start=task.start.run() if task.start else None,
        teacher=task.teacher.run() if task.teacher else None,
        watch=test if task.setting.peeks else (),
        tell=tell,
        on_epoch=note,
    )
    learnt = learn(lesson, loader, validation)
    training = learnt.training
    if not training.best_epoch:
        raise Interrupted
    asked = logits(learnt.network, test, len(classes))
    checked = logit_records(learnt.checked, learnt.answers)
    save_answers(folder, validation=checked, test=logit_records(test, asked))
    known = about(task, training)
    save_run(folder, learnt.recipe, classes, learnt.network, training.history, known)
    if training.interrupted:
        raise Interrupted
    found, heat = answers(test, asked.softmax(1).numpy()), _temperature(checked, task)
    cell = _cell(task, learnt.network, training, found, heat)
    return replace(cell, blocks=learnt.recipe.model.blocks)


def forget_checkpoint(folder: Path) -> None:
    """Remove what only an unfinished training needs."""
    for name in (CHECKPOINT, AGAIN):
        (folder / name).unlink(missing_ok=True)


def about(task: Task, training: Training) -> dict[str, Any]:
    """What a run folder keeps of where its network came from."""
    parts = dict(zip(("train", "validation", "test"), ids(task.fold), strict=True))
    origins = {"start": task.start, "teacher": task.teacher}
    heard = {u.digest for u in (*task.fold.train, *task.fold.validation)}
    heard |= {digest for origin in origins.values() if origin for digest in origin.heard}
    return {
        **asdict(task.setting),
        "fold": task.fold.name,
        "seed": task.seed,
        "best_epoch": training.best_epoch,
        "interrupted": training.interrupted,
        "audit": task.audit,
        "parts": parts,
        **{
            name: {"name": origin.name, "digest": origin.digest, "corpora": origin.corpora}
            for name, origin in origins.items()
            if origin
        },
        "heard": sorted(heard),  # digests of the audio that training or choosing has seen
        "versions": versions(),
    }


def facts(epoch: Epoch) -> str:
    """One epoch in words."""
    corpora = {k.removeprefix(BY_CORPUS): v for k, v in epoch.items() if k.startswith(BY_CORPUS)}
    own = [f"{corpus} {percent(share)}" for corpus, share in corpora.items()]
    each = f" ({', '.join(own)})" if own else ""
    return f"loss {epoch['loss']:.3f}, validation UAR {percent(epoch['validation_uar'])} %{each}"


def _temperature(checked: Sequence[dict[str, Any]], task: Task) -> float:
    """Fitted on validation answers; 1 where they are no numbers, so that nothing can be."""
    try:
        found = answers_of(checked, len(task.setting.classes))
        return temperature(choosing(found, task.recipe.train.selection_groups))
    except ValueError:
        return 1.0


def _cell(
    task: Task,
    network: Network,
    training: Training,
    found: Sequence[dict[str, Any]],
    heat: float,
) -> Cell:
    setting = task.setting
    return Cell(
        key=task.key,
        corpus=setting.corpus,
        corpus_digest=setting.corpus_digest,
        recipe=task.recipe.name,
        recipe_digest=task.recipe.digest,
        settings=asdict(task.recipe),
        split=setting.split,
        protocol=setting.protocol,
        fold=task.fold.name,
        seed=task.seed,
        classes=setting.classes,
        parameters=parameters(network),
        seconds=round(math.fsum(line["seconds"] for line in training.history), 2),
        train_clips=len(task.fold.train),
        validation_clips=len(task.fold.validation),
        best_epoch=training.best_epoch,
        history=tuple(_rounded(line) for line in training.history),
        predictions=tuple(found),
        audit=task.audit,
        versions=versions(),
        demo=setting.demo,
        folds=setting.folds,
        division=setting.division,
        temperature=heat,
        layers=architecture(network, task.recipe).records(),
    )


def answers(clips: Sequence[Clip], chances: NDArray[np.float32]) -> list[dict[str, Any]]:
    """One record a clip: who spoke, what was meant, what the network says."""
    return [
        {
            "id": clip.utterance.id,
            "speaker": clip.utterance.speaker,
            "gender": clip.utterance.gender,
            "truth": clip.label,
            # Small ones keep their digits: a temperature can make them large.
            "probabilities": [float(f"{p:.4g}") for p in row],
        }
        for clip, row in zip(clips, chances, strict=True)
    ]


def logit_records(clips: Sequence[Clip], found: Tensor) -> list[dict[str, Any]]:
    """One record a clip with its logits, of which calibration is made."""
    return [
        {
            "id": clip.utterance.id,
            "corpus": clip.utterance.corpus,
            "speaker": clip.utterance.speaker,
            "gender": clip.utterance.gender,
            "truth": clip.label,
            "logits": [float(f"{value:.6g}") for value in row],
        }
        for clip, row in zip(clips, found.tolist(), strict=True)
    ]


def _rounded(line: Epoch) -> Epoch:
    return {key: float(f"{value:.6g}") for key, value in line.items()}
