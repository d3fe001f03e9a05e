"""How the network of a recipe learns from a fold: begin, fit, and fit once more on all there is.

A network begins with what `beginning` gives it; a pre-trained encoder gets a linear layer that
is solved on its frozen features. Then it is fitted, and validation chooses the epoch. Where the
recipe says `refit`, it is made once more with the validation clips among the training clips, for
as many epochs as were chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor

from emelia.config import Recipe
from emelia.corpora import Utterance
from emelia.corpora.splits.scheme import Fold
from emelia.errors import ConfigError
from emelia.learn.data.loader import Clip, Loader
from emelia.learn.data.sampling import draw_chances, home_of
from emelia.learn.model.encoders import has_weights
from emelia.learn.model.network import Encoder, Network
from emelia.learn.training import init as beginning
from emelia.learn.training import linear_layer
from emelia.learn.training.checkpoints import Epoch, Progress
from emelia.learn.training.distill import check_teacher, teacher_of
from emelia.learn.training.fit import fit
from emelia.learn.training.inference import logits
from emelia.learn.training.logistic import Weights
from emelia.learn.training.nuisance_penalty import STRENGTHS
from emelia.learn.training.runs import CHECKPOINT, Run

AGAIN = f"again-{CHECKPOINT}"  # of the second fit
Tell = Callable[[int, int, str], None]  # done, total, facts


@dataclass(frozen=True)
class Lesson:
    """All that a network learns from and with."""

    recipe: Recipe
    fold: Fold
    classes: tuple[str, ...]
    seed: int
    fabric: Fabric
    name: str = ""  # of the cell, for its checkpoints
    folder: Path | None = None  # for them; None keeps none
    start: Run | None = None  # whose weights the network begins with
    teacher: Run | None = None
    watch: Sequence[Clip] = ()  # clips whose figures are written down each epoch
    tell: Tell = lambda done, total, facts: None
    on_epoch: Callable[[Epoch], None] = lambda epoch: None
    solved: Mapping[str, Tensor] = field(default_factory=dict)  # of an encoder; filled in

    @property
    def has_probe(self) -> bool:
        """Whether a linear layer is solved first, on an encoder that has learnt already."""
        model = self.recipe.model
        return model.name == "encoder" and (self.start is not None or has_weights(model.encoder))


@dataclass(frozen=True)
class Learnt:
    """A network, and how it became what it is."""

    recipe: Recipe  # with what validation chose filled in
    network: Network
    training: Progress
    checked: Sequence[Clip]  # clips that chose
    answers: Tensor  # logits (V, C) for them, by a network that had not learnt from them


@dataclass(frozen=True)
class Frozen:
    """An encoder as it learnt before, and what left-out speakers chose of it."""

    network: Encoder
    choice: linear_layer.Choice


@dataclass
class Clips:
    """The clips of a lesson, made when they are first asked for."""

    loader: Loader
    utterances: Sequence[Utterance]
    tick: Callable[[int], None]
    made: list[Clip] = field(default_factory=list)

    def __call__(self, epoch: int) -> Sequence[Clip]:
        """The same ones in every epoch."""
        if not self.made:
            self.made = self.loader.training(self.utterances, self.tick)
        return self.made


def learn(lesson: Lesson, loader: Loader, validation: Sequence[Clip]) -> Learnt:
    """Train a network on a fold.

    Raises:
        ConfigError: the start, the teacher or the corpora do not fit the recipe.
        Diverged: the loss is no longer a number.
        ModelError: the weights of an encoder are not there.
    """
    check_teacher(lesson.recipe, lesson.classes, lesson.teacher)
    lesson = _with_blocks(lesson, lesson.start.recipe.model.blocks if lesson.start else 0)
    train, every = lesson.fold.train, (*lesson.fold.train, *lesson.fold.validation)
    frozen = None
    if lesson.has_probe:
        heard = loader.load(train)
        lesson = _with_solved(lesson, heard)
        frozen = _choose(lesson, [*heard, *validation], validation)
        lesson = _with_blocks(lesson, frozen.choice.blocks)
    network, training = _fit(lesson, loader, train, validation, frozen)
    checked, answers = validation, logits(network, validation, len(lesson.classes))
    if lesson.recipe.train.refit and training.best_epoch and not training.interrupted:
        lesson.tell(training.epoch, training.epoch, "once more, validation clips too")
        whole, again = _fit(lesson, loader, every, validation, frozen, training.best_epoch)
        training = replace(training, interrupted=again.interrupted)
        network = network if again.interrupted else whole  # half a fit is worse than the first
        if frozen and training.best_epoch == 1:  # more speakers, answered the same way
            checked, answers = frozen.choice.clips, torch.from_numpy(frozen.choice.answers)
    return Learnt(lesson.recipe, network, training, checked, answers)


def _with_blocks(lesson: Lesson, blocks: int) -> Lesson:
    """Fill in how many blocks an encoder has, where the recipe leaves it open."""
    model = lesson.recipe.model
    if model.name != "encoder" or model.blocks:
        return lesson
    return replace(lesson, recipe=replace(lesson.recipe, model=replace(model, blocks=blocks)))


def _with_solved(lesson: Lesson, heard: Sequence[Clip]) -> Lesson:
    """Solve an encoder that stands in for another, on what training hears."""
    if lesson.start or not beginning.stands_in(lesson.recipe.model):
        return lesson
    lesson.tell(0, lesson.recipe.train.epochs, "solving the encoder")
    classes = len(lesson.classes)
    solved = beginning.solve_encoder(lesson.recipe, classes, heard, lesson.teacher)
    return replace(lesson, solved=solved)


def _fit(
    lesson: Lesson,
    loader: Loader,
    utterances: Sequence[Utterance],
    validation: Sequence[Clip],
    frozen: Frozen | None,
    stop: int = 0,
) -> tuple[Network, Progress]:
    torch.manual_seed(lesson.seed)
    network, clips = _begin(lesson), _clips(lesson, loader, utterances)
    loss = _solve(lesson, network, clips(0), validation, frozen) if frozen else None

    def again(epoch: Epoch) -> None:
        lesson.tell(int(epoch["epoch"]), stop, f"once more, loss {epoch['loss']:.3f}")

    training = fit(
        network,
        clips,
        validation,
        lesson.recipe,
        len(lesson.classes),
        seed=lesson.seed,
        name=f"{lesson.name}-again" if stop else lesson.name,
        checkpoint=lesson.folder and lesson.folder / (AGAIN if stop else CHECKPOINT),
        fabric=lesson.fabric,
        watch=() if stop else lesson.watch,
        probed=loss,
        stop=stop,
        teacher=teacher_of(network, lesson.recipe, lesson.teacher),
        on_epoch=again if stop else lesson.on_epoch,
    )
    network.cpu()
    return network, training


def _begin(lesson: Lesson) -> Network:
    """The network before it learns from this fold."""
    return beginning.begin(lesson.recipe, lesson.classes, lesson.start, lesson.solved)


def _choose(lesson: Lesson, heard: list[Clip], validation: Sequence[Clip]) -> Frozen:
    """Let speakers, or corpora, that were left out choose: each in turn, or those of validation."""
    network, home = _begin(lesson), home_of(validation)
    assert isinstance(network, Encoder)
    epochs, wanted = lesson.recipe.train.epochs, lesson.recipe.model.blocks
    x = linear_layer.pooled(network, heard, lambda n: lesson.tell(0, epochs, f"{n} clips encoded"))
    turns = _turns(lesson, heard, home) if lesson.recipe.train.refit else []
    if len(turns) < 2:  # nobody is left to learn from
        turns = [linear_layer.places(validation, heard)]
    weights = _weights(lesson, heard, home)
    classes, every = len(lesson.classes), lesson.recipe.model.pool_layers == "all"
    strengths = STRENGTHS if lesson.recipe.train.nuisance_penalty else ()
    averaged = lesson.recipe.train.penalty == "averaged"
    return Frozen(
        network,
        linear_layer.choose(x, heard, weights, turns, classes, wanted, every, strengths, averaged),
    )


def _turns(lesson: Lesson, heard: Sequence[Clip], home: set[str]) -> list[NDArray[np.bool_]]:
    """Leave out what the test has that training lacks, speakers or a corpus, or what is asked."""
    asked = lesson.recipe.train.selection_groups == "corpora"
    if asked or home.isdisjoint(u.corpus for u in lesson.fold.test):
        if asked and len({clip.utterance.corpus for clip in heard}) < 2:
            raise ConfigError(
                "train.selection_groups: all that is learnt from is of one corpus, so none can be "
                "left out; join others by +, or set it to speakers."
            )
        return linear_layer.corpus_turns(heard)
    return linear_layer.turns(heard, home)


def _solve(
    lesson: Lesson,
    network: Network,
    fitted: Sequence[Clip],
    validation: Sequence[Clip],
    frozen: Frozen,
) -> float:
    """Give an encoder its linear layer; return its training loss."""
    assert isinstance(network, Encoder)
    epochs, choice = lesson.recipe.train.epochs, frozen.choice
    x = linear_layer.pooled(
        frozen.network, fitted, lambda n: lesson.tell(0, epochs, f"{n} clips encoded")
    )
    x = linear_layer.features(x, choice.blocks, lesson.recipe.model.pool_layers == "all")
    heard = linear_layer.Heard(x, fitted, _weights(lesson, fitted, home_of(validation)))
    solution = heard.solve(len(lesson.classes), choice.settings)
    linear_layer.put(solution, network)
    return solution.loss


def _weights(lesson: Lesson, clips: Sequence[Clip], home: set[str]) -> Weights:
    """What each clip counts: as often as it would be drawn."""
    train = lesson.recipe.train
    if train.balance == "none" and not train.target_share:
        return linear_layer.alike(clips)
    weights: Weights = draw_chances(clips, train.balance, home, train.target_share)
    return weights * len(clips)


def _clips(lesson: Lesson, loader: Loader, utterances: Sequence[Utterance]) -> Clips:
    def tick(made: int) -> None:
        if made % 50 == 0:
            lesson.tell(0, lesson.recipe.train.epochs, f"{made} clips made ready")

    return Clips(loader, utterances, tick)
