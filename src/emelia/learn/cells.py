"""One cell of a study: a recipe trained on one fold with one seed, then tested once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from emelia.config import Recipe, digest
from emelia.corpora import Corpus, Utterance
from emelia.corpora.splits import Fold, Split, audit
from emelia.learn.checkpoint import Epoch
from emelia.learn.checkpoint import Progress as Training
from emelia.learn.data import Clip, Loader
from emelia.learn.hardware import CPU, Hardware
from emelia.learn.models import Network, parameters
from emelia.learn.runs import (
    CHECKPOINT,
    new_network,
    save_answers,
    save_history,
    save_run,
    versions,
)
from emelia.learn.training import fit, logits, predict
from emelia.results import Cell

Tell = Callable[[int, int, str], None]  # done, total, facts


@dataclass(frozen=True)
class Setting:
    """What all cells of a study share."""

    corpus: str
    corpus_digest: str
    classes: tuple[str, ...]
    split: str
    protocol: str
    peeks: bool
    folds: int
    demo: bool = False
    places: tuple[str, ...] = ()  # where the corpora lay
    corpora: tuple[dict[str, Any], ...] = ()  # what is known of them, for a model's card

    @classmethod
    def of(cls, corpus: Corpus, split: Split) -> Setting:
        """Gather it from a corpus and a split of it."""
        return cls(
            corpus.name,
            corpus.digest,
            corpus.emotions,
            split.name,
            split.protocol,
            split.peeks,
            len(split.folds),
            corpus.name == "demo",
            tuple(str(source.root) for source in corpus.sources),
            tuple(_facts_of(source) for source in corpus.sources),
        )


def _facts_of(corpus: Corpus) -> dict[str, Any]:
    about: dict[str, Any] = {"name": corpus.name, "clips": len(corpus.utterances)}
    if corpus.spec:
        about |= {
            key: getattr(corpus.spec, key) for key in ("title", "language", "licence", "home")
        }
    return about


@dataclass(frozen=True)
class Task:
    """A cell still to be made."""

    setting: Setting
    recipe: Recipe
    fold: Fold
    audit: dict[str, Any]
    seed: int

    @cached_property
    def key(self) -> str:
        """Eight characters that name the cell: data, recipe, split, fold and seed."""
        s = self.setting
        parts = [s.corpus_digest, s.split, self.fold.name, _ids(self.fold)]
        return digest([*parts, self.recipe.digest, self.seed])

    @property
    def name(self) -> str:
        """For people, and for the cell's folder."""
        return f"{self.recipe.name} fold {self.fold.name} seed {self.seed}"


def _ids(fold: Fold) -> list[list[str]]:
    return [[u.id for u in part] for part in (fold.train, fold.validation, fold.test)]


def tasks(
    corpus: Corpus, split: Split, recipes: Sequence[Recipe], seeds: Sequence[int]
) -> list[Task]:
    """All cells of a study, a whole seed before the next.

    Raises:
        ConfigError: the network of a recipe cannot be built.
    """
    setting, audits = Setting.of(corpus, split), audit(split)
    for recipe in recipes:
        new_network(recipe, len(setting.classes))
    folds = list(zip(split.folds, audits, strict=True))
    return [Task(setting, r, f, a, seed) for seed in seeds for r in recipes for f, a in folds]


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

    fabric, recipe, classes = hardware.fabric(), task.recipe, len(task.setting.classes)
    loader = Loader(recipe, task.setting.classes, task.seed)
    validation, test = loader.load(task.fold.validation), loader.load(task.fold.test)
    torch.manual_seed(task.seed)
    network = new_network(recipe, classes)
    training = fit(
        network,
        epoch_clips(loader, task.fold.train, tell, recipe.train.epochs),
        validation,
        recipe,
        classes,
        seed=task.seed,
        name=task.key,
        checkpoint=folder / CHECKPOINT,
        fabric=fabric,
        watch=test if task.setting.peeks else (),
        on_epoch=note,
    )
    network.cpu()
    if training.best_epoch:
        save_answers(
            folder,
            validation=logit_records(network, validation, classes),
            test=logit_records(network, test, classes),
        )
        save_run(
            folder, recipe, task.setting.classes, network, training.history, about(task, training)
        )
    if training.interrupted:
        raise Interrupted
    return _cell(task, network, training, test)


def forget_checkpoint(folder: Path) -> None:
    """Remove what only an unfinished training needs."""
    (folder / CHECKPOINT).unlink(missing_ok=True)


def about(task: Task, training: Training) -> dict[str, Any]:
    """What a run folder keeps of where its network came from."""
    parts = dict(zip(("train", "validation", "test"), _ids(task.fold), strict=True))
    heard = sorted({u.digest for u in (*task.fold.train, *task.fold.validation)})
    return {
        **asdict(task.setting),
        "fold": task.fold.name,
        "seed": task.seed,
        "best_epoch": training.best_epoch,
        "interrupted": training.interrupted,
        "audit": task.audit,
        "parts": parts,
        "heard": heard,  # digests of the audio that training or choosing has seen
        "versions": versions(),
    }


def facts(epoch: Epoch) -> str:
    """One epoch in words."""
    return f"loss {epoch['loss']:.3f}, validation UAR {100 * epoch['validation_uar']:.1f} %"


def epoch_clips(
    loader: Loader,
    utterances: Sequence[Utterance],
    tell: Tell = lambda done, total, facts: None,
    epochs: int = 0,
) -> Callable[[int], Sequence[Clip]]:
    """Give the clips of an epoch: one fixed set made at first use, or fresh copies each time."""
    fixed: list[Clip] = []

    def clips(epoch: int) -> Sequence[Clip]:
        if loader.recipe.augment.online:
            return loader.training(utterances, epoch)
        if not fixed:
            fixed.extend(loader.training(utterances, tick=lambda made: tick(epoch, made)))
        return fixed

    def tick(epoch: int, made: int) -> None:
        if made % 50 == 0:
            tell(epoch, epochs, f"{made} clips made ready")

    return clips


def _cell(task: Task, network: Network, training: Training, test: Sequence[Clip]) -> Cell:
    setting, chances = task.setting, predict(network, test, len(task.setting.classes))
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
        predictions=tuple(answers(test, chances)),
        audit=task.audit,
        versions=versions(),
        demo=setting.demo,
        folds=setting.folds,
    )


def answers(clips: Sequence[Clip], chances: NDArray[np.float32]) -> list[dict[str, Any]]:
    """One record a clip: who spoke, what was meant, what the network says."""
    return [
        {
            "id": clip.utterance.id,
            "speaker": clip.utterance.speaker,
            "gender": clip.utterance.gender,
            "truth": clip.label,
            "probabilities": [round(float(p), 4) for p in row],
        }
        for clip, row in zip(clips, chances, strict=True)
    ]


def logit_records(network: Network, clips: Sequence[Clip], classes: int) -> list[dict[str, Any]]:
    """One record a clip with its logits, of which calibration is made."""
    return [
        {
            "id": clip.utterance.id,
            "corpus": clip.utterance.corpus,
            "speaker": clip.utterance.speaker,
            "truth": clip.label,
            "logits": [float(f"{value:.6g}") for value in row],
        }
        for clip, row in zip(clips, logits(network, clips, classes).tolist(), strict=True)
    ]


def _rounded(line: Epoch) -> Epoch:
    return {key: float(f"{value:.6g}") for key, value in line.items()}
