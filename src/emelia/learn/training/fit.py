"""One readable fit(): the loop that teaches a network, and nothing it does not need.

The epoch is chosen on validation clips. After every epoch all that is needed to go on
is written in one file, and every random draw follows from the seed and the epoch, so a
resumed run gives the numbers of an unbroken one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from emelia.config import Recipe
from emelia.errors import EmeliaError
from emelia.learn.data.loader import Batch, Clip, training_batches
from emelia.learn.data.sampling import home_of
from emelia.learn.model.network import Network
from emelia.learn.training.checkpoints import BY_CORPUS, Epoch, Progress, restore, save_checkpoint
from emelia.learn.training.distill import Teacher
from emelia.learn.training.inference import logits
from emelia.learn.training.optim import make_optimizer, rate_at
from emelia.metrics import accuracy, uar
from emelia.processes import delay_ctrl_c

EpochClips = Callable[[int], Sequence[Clip]]  # training clips of an epoch


class Diverged(EmeliaError):
    """The loss is no longer a number: the learning rate is too high."""


def fit(
    network: Network,
    training: EpochClips,
    validation: Sequence[Clip],
    recipe: Recipe,
    classes: int,
    *,
    seed: int = 0,
    name: str = "",
    checkpoint: Path | None = None,
    fabric: Fabric | None = None,
    watch: Sequence[Clip] = (),
    probed: float | None = None,
    stop: int = 0,
    teacher: Teacher | None = None,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
) -> Progress:
    """Train until early stopping or the last epoch; leave the chosen epoch's weights in `network`.

    Args:
        training: gives the clips of an epoch; `validation` chooses the epoch.
        name: what is learnt from; a checkpoint of another name, recipe or seed is refused.
        checkpoint: file written after each epoch and, where it exists, gone on from.
        watch: test clips whose figures are only written down each epoch.
        probed: training loss of a linear layer that is already fitted to a frozen encoder; the
            network as it comes is then the first epoch.
        stop: the epoch after which to end, kept whatever validation says; 0 is the recipe's.
        teacher: who is learnt from too, made for this network.
        on_epoch: called with every line of the history, past ones too after a resume.

    Ctrl-C ends it early with the best so far and `interrupted` set.

    Raises:
        Diverged: the loss is no longer a number.
        RunError: the checkpoint is damaged or belongs to another training.
    """
    fabric = fabric or Fabric(accelerator="cpu", devices=1)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = make_optimizer(network, recipe.train, teacher)
    model, optimizer = fabric.setup(network, optimizer)
    lessons = _lessons(teacher.to(fabric.device), network) if teacher else list
    name = f"{recipe.digest}-{seed}-{name}"
    learning = nn.ModuleDict({"network": network})
    if teacher and teacher.project:
        learning["project"] = teacher.project
    average = _average(network, recipe.train.ema)
    if average:
        learning["average"] = average
    kept = cast(Network, average.module) if average else network  # validated
    progress, best = restore(checkpoint, name, learning, optimizer)
    home, choose = home_of(validation), "last" if stop else recipe.train.checkpoint
    for epoch in progress.history:
        on_epoch(epoch)
    try:
        while not progress.finished(recipe.train, stop):
            began = time.perf_counter()
            now = progress.epoch
            if probed is None or now:
                work = Work(fabric, model, optimizer, recipe, classes, seed, home, teacher, average)
                loss = _learn(work, lessons(training(now)), now)
            else:
                loss = probed
            line = _examine(kept, validation, watch, classes)
            _see_that_it_is_a_number(loss + line["validation_loss"], recipe, now + 1)
            rate = optimizer.param_groups[-1]["lr"]
            seconds = time.perf_counter() - began
            epoch = {"epoch": now + 1, "loss": loss, **line, "lr": rate, "seconds": seconds}
            with delay_ctrl_c():  # weights, checkpoint and history are of one epoch
                if progress.note(epoch, choose):
                    best = {key: value.clone() for key, value in kept.state_dict().items()}
                save_checkpoint(checkpoint, name, learning, optimizer, best, progress)
                on_epoch(epoch)
    except KeyboardInterrupt:
        progress.interrupted = True
    if best:
        network.load_state_dict(best)
    return progress


def _average(network: Network, decay: float) -> AveragedModel | None:
    """A network whose weights follow those of one that learns (Izmailov et al. 2018); None: off."""
    if not decay:
        return None
    follow = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
    average = AveragedModel(network, multi_avg_fn=follow, use_buffers=True)
    # Its first update copies: those weights are to be the ones before anything was learnt.
    average.update_parameters(network)
    return average


def _lessons(teacher: Teacher, pupil: Network) -> Callable[[Sequence[Clip]], Sequence[Clip]]:
    """Let a teacher hear clips; those that come again unchanged only once."""
    last: tuple[Sequence[Clip], list[Clip]] = ((), [])

    def taught(clips: Sequence[Clip]) -> list[Clip]:
        nonlocal last
        if last[0] is not clips:
            last = clips, teacher.teach(clips, pupil)
        return last[1]

    return taught


def predict(network: Network, clips: Sequence[Clip], classes: int) -> NDArray[np.float32]:
    """Probabilities (N, C) of clips, in their order."""
    return logits(network, clips, classes).softmax(1).numpy()


def class_weights(clips: Sequence[Clip], classes: int) -> Tensor:
    """Weights (C,) that make every class count the same, 1 on average over clips."""
    counts = torch.bincount(torch.tensor([clip.label for clip in clips]), minlength=classes)
    return len(clips) / (classes * counts.clamp(min=1))


@dataclass(frozen=True)
class Work:
    """What stays the same from epoch to epoch."""

    fabric: Fabric
    model: Any
    optimizer: Optimizer
    recipe: Recipe
    classes: int
    seed: int
    home: Collection[str]
    teacher: Teacher | None
    average: AveragedModel | None


def _learn(work: Work, clips: Sequence[Clip], epoch: int) -> float:
    """Go once through the training clips; return the mean loss."""
    torch.manual_seed(_mix(work.seed, epoch))  # for dropout
    rng = np.random.default_rng([work.seed, epoch])
    recipe, config, optimizer = work.recipe, work.recipe.train, work.optimizer
    weights = class_weights(clips, work.classes) if config.balance == "weights" else None
    work.model.train()
    total, seen = 0.0, 0
    wanted = config.samples_per_epoch or len(clips)
    for batch in training_batches(clips, recipe, work.model.module, work.classes, rng, work.home):
        for group in optimizer.param_groups:
            rate = rate_at(config, (epoch + seen / wanted) / config.epochs)
            group["lr"] = rate * group["share"]
        optimizer.zero_grad()
        loss = _loss(work, batch, weights)
        work.fabric.backward(loss)
        if config.clip_norm:
            work.fabric.clip_gradients(work.model, optimizer, max_norm=config.clip_norm)
        optimizer.step()
        if work.average:
            work.average.update_parameters(work.model.module)
        total += loss.item() * len(batch.lengths)
        seen += len(batch.lengths)
    return total / seen


def _see_that_it_is_a_number(loss: float, recipe: Recipe, epoch: int) -> None:
    if not math.isfinite(loss):
        rate = recipe.train.lr
        raise Diverged(
            f"{recipe.name}: the loss is no longer a number in epoch {epoch} at a learning "
            f"rate of {rate:g}. Lower it, for example --set train.lr={rate / 10:g}."
        )


def _loss(work: Work, batch: Batch, weights: Tensor | None) -> Tensor:
    inputs, lengths, targets, weights = work.fabric.to_device(
        (batch.inputs, batch.lengths, batch.targets, weights)
    )
    teacher, smoothing = work.teacher, work.recipe.train.label_smoothing
    place = (batch.start,) if batch.start else ()  # only encoders are told
    if teacher is None or not teacher.weight:
        found = work.model(inputs, lengths, *place)
        return F.cross_entropy(found, targets, weight=weights, label_smoothing=smoothing)
    with work.fabric.autocast():  # frames are wanted too, which the wrapped model does not give
        found, frames, counts = work.model.module.listen(inputs, lengths, *place)
        apart = teacher.difference(frames, counts, inputs, lengths, *place)
    entropy = F.cross_entropy(found, targets, weight=weights, label_smoothing=smoothing)
    return entropy + teacher.weight * apart


def _examine(
    network: Network, validation: Sequence[Clip], watch: Sequence[Clip], classes: int
) -> Epoch:
    """Figures of one epoch on validation and, where watched, test clips."""
    found = logits(network, validation, classes)
    truth = torch.tensor([clip.label for clip in validation])
    line = {"validation_loss": F.cross_entropy(found, truth).item()}
    line |= _figures("validation", validation, found)
    corpora = np.array([clip.utterance.corpus for clip in validation])
    for corpus in np.unique(corpora) if len(set(corpora)) > 1 else ():
        own = corpora == corpus
        line[f"{BY_CORPUS}{corpus}"] = uar(truth.numpy()[own], found.argmax(1).numpy()[own])
    if watch:
        line |= _figures("test", watch, logits(network, watch, classes))
    return line


def _figures(part: str, clips: Sequence[Clip], found: Tensor) -> Epoch:
    """Accuracy and UAR of logits (N, C)."""
    truth, answers = [clip.label for clip in clips], found.argmax(1).numpy()
    return {f"{part}_accuracy": accuracy(truth, answers), f"{part}_uar": uar(truth, answers)}


def _mix(seed: int, epoch: int) -> int:
    return int(np.random.SeedSequence([seed, epoch]).generate_state(1)[0])
