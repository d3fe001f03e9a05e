"""Training the network of a recipe on a fold: initial weights, fit, and refit on all clips.

A pre-trained encoder first gets a linear layer that is solved on its frozen features. Then the
network is fitted, and validation chooses the epoch. Where the recipe says `refit`, it is fitted
once more, on training and validation clips, for as many epochs as were chosen. V validation clips,
C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from emelia.config import Recipe
from emelia.corpora import Utterance
from emelia.errors import ConfigError
from emelia.learn.data.loader import Clip, Loader
from emelia.learn.data.sampling import (
    first_of_corpora,
    target_corpora,
)
from emelia.learn.model.network import Encoder, Network
from emelia.learn.training import linear_layer, pooled_features
from emelia.learn.training.checkpoints import Epoch, Progress
from emelia.learn.training.distill import check_teacher, teacher_of
from emelia.learn.training.fit import FitJob, fit
from emelia.learn.training.inference import logits
from emelia.learn.training.init import (
    has_reference,
    initial_linear_layer,
    least_squares_weights,
)
from emelia.learn.training.job import TrainingClips, TrainingJob, drawn, first, weights_of
from emelia.learn.training.logistic import Solution
from emelia.learn.training.nuisance_penalty import STRENGTHS
from emelia.learn.training.runs import CHECKPOINT
from emelia.learn.training.source_space import SourceSpace, adapted, source_space
from emelia.text import counted

SPACE_CLIPS = 4000  # on which a source space is measured, at most; some minutes
_SAVE_EVERY = 600.0  # s between two checkpoints within an epoch that is long
REFIT_CHECKPOINT = f"again-{CHECKPOINT}"


@dataclass(frozen=True)
class TrainedNetwork:
    """A network, how its training went, and the clips to calibrate it on."""

    recipe: Recipe  # with what validation chose filled in
    network: Network
    training: Progress
    checked: Sequence[Clip]  # V clips that chose
    answers: Tensor  # logits (V, C) for them, by a network that was not trained on them
    space: SourceSpace | None = None  # how sources differ, where the recipe measures it


@dataclass(frozen=True)
class FrozenEncoder:
    """An encoder with its initial weights, and what held-out speakers chose of it."""

    network: Encoder
    choice: linear_layer.Choice
    prior: Solution | None = None  # the linear layer of the initial run, where it is drawn towards


def train(job: TrainingJob, loader: Loader, validation: Sequence[Clip]) -> TrainedNetwork:
    """Train a network on a fold.

    Raises:
        ConfigError: the initial run, the teacher or the corpora do not fit the recipe.
        Diverged: the loss is no longer a number.
        ModelError: the weights of an encoder are missing.
    """
    check_teacher(job.recipe, job.classes, job.teacher)
    if most := job.recipe.train.corpus_clips:
        kept = tuple(first_of_corpora(job.fold.train, most))
        job = replace(job, fold=replace(job.fold, train=kept))
    job = _with_blocks(job, job.init.recipe.model.blocks if job.init else 0)
    fold, frozen = job.fold, None
    if job.solves_linear_layer:
        clips = loader.load(first(job, fold.train))
        job = _with_encoder(job, clips)
        frozen = _choose(job, [*clips, *validation], validation)
        job = _with_blocks(job, frozen.choice.blocks)
    network, training = _fit(job, loader, fold.train, validation, frozen)
    checked, answers = validation, logits(network, validation)
    if job.recipe.train.refit and training.best_epoch and not training.interrupted:
        job.report(training.epoch, training.epoch, "once more, validation clips too")
        every = (*fold.train, *fold.validation)
        refitted, again = _fit(job, loader, every, validation, frozen, training.best_epoch)
        training = replace(training, interrupted=again.interrupted)
        network = network if again.interrupted else refitted  # half a fit is worse than the first
        if frozen and training.best_epoch == 1:
            # The linear layer alone is kept: cross-validation answered more speakers with it.
            checked, answers = frozen.choice.clips, torch.from_numpy(frozen.choice.answers)
    if job.recipe.train.source_space:
        space = _space(job, loader, network)
    else:
        space = _kept_space(job) if training.best_epoch == 1 else None
    return TrainedNetwork(job.recipe, network, training, checked, answers, space)


def _kept_space(job: TrainingJob) -> SourceSpace | None:
    """That of the initial run, where features and classes are its, and only the layer is new."""
    if not job.keeps_attention or not job.init or not job.init.space:
        return None
    return job.init.space.of_classes([job.init.classes.index(name) for name in job.classes])


def _space(job: TrainingJob, loader: Loader, network: Network) -> SourceSpace | None:
    """How the speakers of the training clips differ in what the trained network pools."""
    if not isinstance(network, Encoder):
        return None
    clips = loader.load(drawn(job.fold.train, SPACE_CLIPS, job.seed))
    epochs = job.recipe.train.epochs
    x = pooled_features.pooled_by(
        network, clips, lambda done: job.report(epochs, epochs, f"{counted(done, 'clip')} compared")
    )
    weights = weights_of(job, clips, target_corpora(clips))
    labels, utterances = linear_layer.labels(clips), [clip.utterance for clip in clips]
    return source_space(x, labels, utterances, weights, len(job.classes))


def _with_blocks(job: TrainingJob, blocks: int) -> TrainingJob:
    """Fill in how many blocks an encoder has, where the recipe leaves it open."""
    model = job.recipe.model
    if model.name != "encoder" or model.blocks:
        return job
    return replace(job, recipe=replace(job.recipe, model=replace(model, blocks=blocks)))


def _with_encoder(job: TrainingJob, clips: Sequence[Clip]) -> TrainingJob:
    """Fill in the weights of an encoder that is initialised by least squares on training clips."""
    if job.init or not has_reference(job.recipe.model):
        return job
    job.report(0, job.recipe.train.epochs, "solving the encoder")
    weights = least_squares_weights(job.recipe, len(job.classes), clips, job.teacher)
    return replace(job, encoder=weights)


def _fit(
    job: TrainingJob,
    loader: Loader,
    utterances: Sequence[Utterance],
    validation: Sequence[Clip],
    frozen: FrozenEncoder | None,
    stop: int = 0,
) -> tuple[Network, Progress]:
    """Fit a network; once more, for exactly `stop` epochs, where that is not 0."""
    torch.manual_seed(job.seed)
    network, clips = job.initial_network(), TrainingClips(job, loader, utterances)
    loss = None
    if frozen:
        few = loader.load(first(job, utterances)) if job.recipe.train.solve_clips else clips(0)
        loss = _solve(job, network, few, validation, frozen)

    def report(epoch: Epoch) -> None:
        job.report(int(epoch["epoch"]), stop, f"once more, loss {epoch['loss']:.3f}")

    fit_job = FitJob(
        job.recipe,
        clips,
        validation,
        seed=job.seed,
        name=f"{job.name}-again" if stop else job.name,
        checkpoint=job.folder and job.folder / (REFIT_CHECKPOINT if stop else CHECKPOINT),
        fabric=job.fabric,
        watch=() if stop else job.watch,
        first_loss=loss,
        stop=stop,
        teacher=teacher_of(network, job.recipe, job.teacher),
        on_epoch=report if stop else job.on_epoch,
        save_every=_SAVE_EVERY if job.stream else 0.0,
    )
    training = fit(network, fit_job)
    network.cpu()
    return network, training


def _choose(job: TrainingJob, clips: list[Clip], validation: Sequence[Clip]) -> FrozenEncoder:
    """Choose block and penalty by cross-validation or, without `refit`, on validation clips."""
    network, target, train = job.initial_network(), target_corpora(validation), job.recipe.train
    assert isinstance(network, Encoder)
    x = _pooled(job, network, clips)
    prior = _prior(job, x)
    held_out = _folds(job, clips, target) if train.refit else []
    if len(held_out) < 2:  # the clips of a single fold would leave none to fit to
        held_out = [linear_layer.mask_of(validation, clips)]
    choice = linear_layer.choose(
        x,
        clips,
        weights_of(job, clips, target),
        held_out,
        len(job.classes),
        blocks=job.recipe.model.blocks,
        all_layers=job.all_layers,
        strengths=STRENGTHS if train.nuisance_penalty else (),
        averaged=train.penalty == "averaged",
        prior=prior,
        masked=train.class_mask,
    )
    return FrozenEncoder(network, choice, prior)


def _prior(job: TrainingJob, x: pooled_features.Array) -> Solution | None:
    """The linear layer of the initial run for the classes of this one, if it is drawn towards.

    Where that run knows how sources differ, the offset of the one that the clips come from is
    taken off first, as recognition would do it, without their labels.

    Args:
        x: (N, L, 2D), features of all clips.

    Raises:
        ConfigError: there is none that fits.
    """
    if job.recipe.train.penalty != "prior":
        return None
    found = initial_linear_layer(job.recipe, job.classes, job.init) if job.init else None
    if found is None:
        raise ConfigError(
            'train.penalty: "prior" needs an initial run (--init-from) with a solved linear layer '
            "for the same features, that knows all of these classes; set it to averaged."
        )
    assert job.init
    if not job.init.space:
        return found
    used = pooled_features.layer_features(x, job.recipe.model.blocks, job.all_layers)
    return adapted(found, job.init.space, used)


def _folds(job: TrainingJob, clips: Sequence[Clip], target: set[str]) -> list[linear_layer.Mask]:
    """Hold out what will be new in the test, speakers or a corpus, or what the recipe asks for."""
    by_corpus = job.recipe.train.selection_groups == "corpora"
    if by_corpus or target.isdisjoint(u.corpus for u in job.fold.test):
        if by_corpus and len({clip.utterance.corpus for clip in clips}) < 2:
            raise ConfigError(
                "train.selection_groups: all that is learnt from is of one corpus, so none can be "
                "left out; join others by +, or set it to speakers."
            )
        return linear_layer.corpus_folds(clips)
    return linear_layer.speaker_folds(clips, target)


def _solve(
    job: TrainingJob,
    network: Network,
    clips: Sequence[Clip],
    validation: Sequence[Clip],
    frozen: FrozenEncoder,
) -> float:
    """Give a network its linear layer; return the training loss of that."""
    assert isinstance(network, Encoder)
    pooled = _pooled(job, frozen.network, clips)
    x = pooled_features.layer_features(pooled, frozen.choice.blocks, job.all_layers)
    weights = weights_of(job, clips, target_corpora(validation))
    masked = job.recipe.train.class_mask
    data = linear_layer.FittingSet(x, clips, weights, len(job.classes), frozen.prior, masked)
    solution = data.solve(frozen.choice.hyperparameters)
    linear_layer.set_linear_layer(solution, network, attentive=job.keeps_attention)
    return solution.loss


def _pooled(job: TrainingJob, network: Encoder, clips: Sequence[Clip]) -> pooled_features.Array:
    """Pooled features (N, L, 2D), with progress."""
    epochs = job.recipe.train.epochs
    return pooled_features.pooled(
        network,
        clips,
        lambda done: job.report(0, epochs, f"{counted(done, 'clip')} encoded"),
        attentive=job.keeps_attention,
    )
