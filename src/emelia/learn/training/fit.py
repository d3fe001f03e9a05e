"""The training loop: epochs of gradient steps, the best one chosen on validation clips.

After every epoch all that is needed to go on is written in one file, and every random draw follows
from the seed and the epoch, so a resumed training gives the numbers of an uninterrupted one.
N clips, C classes.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from emelia.config import Recipe
from emelia.errors import ConfigError, EmeliaError
from emelia.learn.data import class_mask
from emelia.learn.data.loader import Batch, Clip, training_batches
from emelia.learn.data.sampling import target_corpora
from emelia.learn.data.several import (
    check_same,
    mean_of,
    set_sharing,
    share_of,
    share_statistics,
)
from emelia.learn.model.network import Encoder, Network
from emelia.learn.training.checkpoints import BY_CORPUS, Epoch, Progress, Saver, restore
from emelia.learn.training.distill import Teacher
from emelia.learn.training.hardware import CPU
from emelia.learn.training.inference import logits
from emelia.learn.training.optim import make_optimizer, rate_at
from emelia.metrics import accuracy, uar
from emelia.processes import delay_ctrl_c

EpochClips = Callable[[int], Sequence[Clip]]  # training clips of an epoch


class Diverged(EmeliaError):
    """The loss is no longer a number: the learning rate is too high."""


@dataclass(frozen=True)
class FitJob:
    """What a network is trained on, and how.

    Attributes:
        training: gives the clips of an epoch, counted from 0.
        validation: clips that choose the epoch.
        name: of the data; a checkpoint of another name, recipe or seed is refused.
        checkpoint: file written after each epoch and, where it exists, resumed from.
        watch: test clips whose figures are only recorded each epoch.
        first_loss: training loss of a linear layer that is already fitted to a frozen encoder; the
            network as it comes is then the first epoch.
        stop: the epoch after which to end, kept whatever validation says; 0 is the recipe's.
        teacher: made for this network; distilled from.
        on_epoch: called with every line of the history, past ones too after a resume.
        save_every: seconds after which the checkpoint is written within an epoch; 0: only after it.
    """

    recipe: Recipe
    training: EpochClips
    validation: Sequence[Clip]
    seed: int = 0
    name: str = ""
    checkpoint: Path | None = None
    fabric: Fabric = field(default_factory=CPU.fabric)
    watch: Sequence[Clip] = ()
    first_loss: float | None = None
    stop: int = 0
    teacher: Teacher | None = None
    on_epoch: Callable[[Epoch], None] = lambda epoch: None
    save_every: float = 0.0


def fit(network: Network, job: FitJob) -> Progress:
    """Train until early stopping or the last epoch; leave the chosen epoch's weights in `network`.

    Ctrl-C ends it early with the best so far and `interrupted` set.

    Raises:
        Diverged: the loss is no longer a number.
        RunError: the checkpoint is damaged or belongs to another training.
    """
    setup, config = _Setup.of(network, job), job.recipe.train
    name, saved = f"{job.recipe.digest}-{job.seed}-{job.name}", setup.modules()
    progress, best = restore(job.checkpoint, name, saved, setup.optimizer)
    check_same(job.fabric, progress.epoch)
    saver = Saver(job, name, saved, setup.optimizer, best, progress)
    training = _with_soft_labels(job, network) if job.teacher else job.training
    for epoch in progress.history:
        job.on_epoch(epoch)
    try:
        while not progress.finished(config, job.stop):
            epoch = _run_epoch(setup, training, progress.epoch, saver)
            with delay_ctrl_c():  # weights, checkpoint and history are of one epoch
                if progress.note(epoch, "last" if job.stop else config.checkpoint):
                    weights = setup.evaluated.state_dict()
                    best = {key: value.clone() for key, value in weights.items()}
                progress.within = None
                saver.best = best
                saver.save()
                job.on_epoch(epoch)
    except KeyboardInterrupt:
        progress.interrupted = True
    if best:
        network.load_state_dict(best)
    return progress


@dataclass(frozen=True)
class _Setup:
    """What stays the same from epoch to epoch."""

    job: FitJob
    network: Network
    model: Any  # the network as Fabric wraps it
    optimizer: Optimizer
    average: AveragedModel | None  # exponential moving average of the weights
    target: Collection[str]  # names of the corpora under test

    @classmethod
    def of(cls, network: Network, job: FitJob) -> _Setup:
        config = job.recipe.train
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        share_statistics(network, job.fabric)
        if job.fabric.world_size > 1 and job.teacher and job.teacher.feature_weight:
            raise ConfigError("train.feature_distill: trains on one device alone; set it to 0.")
        optimizer = make_optimizer(network, config, job.teacher)
        model, optimizer = job.fabric.setup(network, optimizer)
        if job.teacher:
            job.teacher.to(job.fabric.device)
        average = _average(network, config.ema)
        return cls(job, network, model, optimizer, average, target_corpora(job.validation))

    @property
    def evaluated(self) -> Network:
        """The network that validation measures and that is kept: with averaged weights, if any."""
        return cast(Network, self.average.module) if self.average else self.network

    def modules(self) -> nn.ModuleDict:
        """All that is trained, under the names that a checkpoint has for it."""
        found = nn.ModuleDict({"network": self.network})
        if self.job.teacher and self.job.teacher.project:
            found["project"] = self.job.teacher.project
        if self.average:
            found["average"] = self.average
        return found


def _average(network: Network, decay: float) -> AveragedModel | None:
    """A network whose weights are the moving average of another's (Izmailov et al. 2018)."""
    if not decay:
        return None
    follow = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
    average = AveragedModel(network, multi_avg_fn=follow, use_buffers=True)
    # Its first update copies the weights: they are to be those before the first step.
    average.update_parameters(network)
    return average


def _with_soft_labels(job: FitJob, student: Network) -> EpochClips:
    """Add soft labels to the clips of an epoch; a teacher answers the same list only once."""
    last: tuple[Sequence[Clip], list[Clip]] = ((), [])

    def labelled(epoch: int) -> list[Clip]:
        nonlocal last
        clips = job.training(epoch)
        if job.teacher and last[0] is not clips:
            last = clips, job.teacher.label(clips, student)
        return last[1]

    return labelled


def _run_epoch(setup: _Setup, training: EpochClips, number: int, saver: Saver) -> Epoch:
    """Train for one epoch, counted from 0, and evaluate; a line of the history."""
    job, began = setup.job, time.perf_counter()
    if job.first_loss is not None and number == 0:
        loss = job.first_loss
    else:
        loss = _train(setup, training(number), number, saver)
    # By one process, so that all choose the same epoch.
    first = job.fabric.is_global_zero
    line = _evaluate(setup.evaluated, job.validation, job.watch) if first else {}
    line = job.fabric.broadcast(line)
    _check_finite(loss + line["validation_loss"], job.recipe, number + 1)
    rate = setup.optimizer.param_groups[-1]["lr"]  # the last group is trained at the whole rate
    seconds = time.perf_counter() - began
    return {"epoch": number + 1, "loss": loss, **line, "lr": rate, "seconds": seconds}


def _train(setup: _Setup, clips: Sequence[Clip], epoch: int, saver: Saver) -> float:
    """Go once through the training clips; return the mean loss over clips."""
    job, config, optimizer = setup.job, setup.job.recipe.train, setup.optimizer
    fabric = job.fabric
    torch.manual_seed(_mix(job.seed, epoch) + fabric.global_rank)  # for dropout
    rng = np.random.default_rng([job.seed, epoch])
    weights = class_weights(clips, setup.network.classes) if config.balance == "weights" else None
    setup.model.train()
    position = saver.position(epoch)
    wanted = config.samples_per_epoch or len(clips)
    for batch in training_batches(
        clips, job.recipe, setup.network, rng, setup.target, position.batches, position.rng
    ):
        whole = len(batch.lengths)
        batch, share = share_of(batch, fabric.global_rank, fabric.world_size)
        set_sharing(setup.network, len(batch.lengths) < whole)
        for group in optimizer.param_groups:
            rate = rate_at(config, (epoch + position.clips / wanted) / config.epochs)
            group["lr"] = rate * group["share"]
        optimizer.zero_grad()
        loss = _loss(setup, batch, weights) * share
        fabric.backward(loss)
        if config.clip_norm:
            fabric.clip_gradients(setup.model, optimizer, max_norm=config.clip_norm)
        optimizer.step()
        if setup.average:
            setup.average.update_parameters(setup.network)
        position.add(mean_of(fabric, loss), whole)
        saver.save_sometimes(epoch, position, rng)
    return position.total / position.clips


def class_weights(clips: Sequence[Clip], classes: int) -> Tensor:
    """Weights (C,) that make every class count the same, 1 on average over clips."""
    counts = torch.bincount(torch.tensor([clip.label for clip in clips]), minlength=classes)
    return len(clips) / (classes * counts.clamp(min=1))


def _loss(setup: _Setup, batch: Batch, weights: Tensor | None) -> Tensor:
    """Cross-entropy of a batch and, where features are distilled, their distance."""
    job = setup.job
    inputs, lengths, targets, shown, weights = job.fabric.to_device(
        (batch.inputs, batch.lengths, batch.targets, batch.shown, weights)
    )
    smoothing, teacher = job.recipe.train.label_smoothing, job.teacher

    def cross_entropy(found: Tensor) -> Tensor:
        if shown is not None:
            return class_mask.cross_entropy(found, targets, shown, weights, smoothing)
        return F.cross_entropy(found, targets, weight=weights, label_smoothing=smoothing)

    position = (batch.position,) if batch.position else ()  # other networks than encoders have none
    if teacher is None or not teacher.feature_weight:
        found = setup.model(inputs, lengths, *position)
        return cross_entropy(found)
    # The wrapped model gives logits alone, so the frames come from the network inside it, for
    # which the wrapper's mixed precision has to be switched on here.
    network = cast(Encoder, setup.network)
    with job.fabric.autocast():
        found, frames, counts = network.forward_with_frames(inputs, lengths, *position)
        distance = teacher.feature_loss(frames, counts, inputs, lengths, *position)
    return cross_entropy(found) + teacher.feature_weight * distance


def _check_finite(loss: float, recipe: Recipe, epoch: int) -> None:
    if not math.isfinite(loss):
        rate = recipe.train.lr
        raise Diverged(
            f"{recipe.name}: the loss is no longer a number in epoch {epoch} at a learning "
            f"rate of {rate:g}. Lower it, for example --set train.lr={rate / 10:g}."
        )


def _evaluate(network: Network, validation: Sequence[Clip], watch: Sequence[Clip]) -> Epoch:
    """Figures of one epoch on validation and, where watched, test clips."""
    found = logits(network, validation)
    truth = torch.tensor([clip.label for clip in validation])
    line = {"validation_loss": F.cross_entropy(found, truth).item()}
    line |= _figures("validation", validation, found)
    corpora = np.array([clip.utterance.corpus for clip in validation])
    for corpus in np.unique(corpora) if len(set(corpora)) > 1 else ():
        own = corpora == corpus
        line[f"{BY_CORPUS}{corpus}"] = uar(truth.numpy()[own], found.argmax(1).numpy()[own])
    if watch:
        line |= _figures("test", watch, logits(network, watch))
    return line


def _figures(part: str, clips: Sequence[Clip], found: Tensor) -> Epoch:
    """Accuracy and UAR of logits (N, C)."""
    truth, predicted = [clip.label for clip in clips], found.argmax(1).numpy()
    return {f"{part}_accuracy": accuracy(truth, predicted), f"{part}_uar": uar(truth, predicted)}


def _mix(seed: int, epoch: int) -> int:
    """One seed of two, as torch's generator takes only one."""
    return int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0])
