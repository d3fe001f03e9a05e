"""What a network is trained from and with, and which of the clips; what the steps of it share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from lightning_fabric import Fabric
from torch import Tensor

from emelia.config import Recipe
from emelia.corpora import Utterance
from emelia.corpora.splits.scheme import Fold
from emelia.learn.data.loader import Clip, Loader
from emelia.learn.data.sampling import sampling_probabilities
from emelia.learn.data.stored import stored
from emelia.learn.model.encoders import has_weights
from emelia.learn.model.network import Network
from emelia.learn.training.checkpoints import Epoch
from emelia.learn.training.init import initial_network
from emelia.learn.training.logistic import Weights
from emelia.learn.training.runs import Run
from emelia.text import counted

Report = Callable[[int, int, str], None]  # done, total, facts


@dataclass(frozen=True)
class TrainingJob:
    """All that a network is trained from and with.

    Attributes:
        name: of the cell; a checkpoint of another one is refused.
        folder: for checkpoints; None keeps none.
        init: the run whose weights the network begins with.
        teacher: the run that is distilled from.
        watch: clips whose figures are recorded each epoch.
        report: called with epochs done, epochs at most and facts in words.
        encoder: weights of an encoder that is initialised by least squares; filled in.
        stream: leave training clips on disk, and keep the checkpoint within an epoch too.
    """

    recipe: Recipe
    fold: Fold
    classes: tuple[str, ...]
    seed: int
    fabric: Fabric
    name: str = ""
    folder: Path | None = None
    init: Run | None = None
    teacher: Run | None = None
    watch: Sequence[Clip] = ()
    report: Report = lambda done, total, facts: None
    on_epoch: Callable[[Epoch], None] = lambda epoch: None
    encoder: Mapping[str, Tensor] = field(default_factory=dict)
    stream: bool = False

    @property
    def solves_linear_layer(self) -> bool:
        """Whether a linear layer is solved first, on the features of a pre-trained encoder."""
        model = self.recipe.model
        return model.name == "encoder" and (self.init is not None or has_weights(model.encoder))

    @property
    def all_layers(self) -> bool:
        """Whether the frames after each block are pooled, not those after the last alone."""
        return self.recipe.model.pool_layers == "all"

    @property
    def keeps_attention(self) -> bool:
        """Whether a solved layer is for what the initial run's attention pools."""
        return self.recipe.train.penalty == "prior"

    def initial_network(self) -> Network:
        """The network before it is trained on this fold."""
        return initial_network(self.recipe, self.classes, self.init, self.encoder)


@dataclass
class TrainingClips:
    """The training clips of a job, loaded when they are first asked for."""

    job: TrainingJob
    loader: Loader
    utterances: Sequence[Utterance]
    loaded: Sequence[Clip] = ()

    def __call__(self, epoch: int) -> Sequence[Clip]:
        """The same ones in every epoch."""
        if not self.loaded:
            if self.job.stream:
                self.loaded = stored(self.loader, self.utterances, self._tick)
            else:
                self.loaded = self.loader.training(self.utterances, self._tick)
        return self.loaded

    def _tick(self, done: int) -> None:
        if done % 50 == 0:
            self.job.report(0, self.job.recipe.train.epochs, f"{counted(done, 'clip')} made ready")


def first(job: TrainingJob, utterances: Sequence[Utterance]) -> Sequence[Utterance]:
    """Those that the first linear layer is chosen and solved on, drawn by the seed."""
    most = job.recipe.train.solve_clips
    return drawn(utterances, most, job.seed) if most else utterances


def drawn(utterances: Sequence[Utterance], most: int, seed: int) -> Sequence[Utterance]:
    """So many utterances at most, in their order."""
    if len(utterances) <= most:
        return utterances
    places = np.random.default_rng(seed).choice(len(utterances), most, replace=False)
    return [utterances[place] for place in sorted(places)]


def weights_of(job: TrainingJob, clips: Sequence[Clip], target: set[str]) -> Weights:
    """Weight (N,) of each clip: how often it would be drawn, 1 on average."""
    train = job.recipe.train
    if train.balance == "none" and not train.target_share:
        return np.ones(len(clips))
    weights: Weights = sampling_probabilities(clips, train.balance, target, train.target_share)
    return weights * len(clips)
