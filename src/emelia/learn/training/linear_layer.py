"""A linear layer on a frozen encoder: block, pooling and penalty chosen on held-out speakers.

N clips, L layers (the input of the first block and the output of each), D features, C classes.
It is a logistic regression on the mean, or mean and deviation, of each clip's frames. Chosen are
the block, the pooling and the penalty that answer held-out speakers best, whose answers also serve
calibration; or the layers of all poolings and penalties are averaged.

A layer may be drawn towards one that is there already (maximum a posteriori, with a Gaussian prior
around its weights): then only the difference from a share of it is penalised.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product, starmap

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from emelia.learn.data import class_mask
from emelia.learn.data.loader import Clip
from emelia.learn.model.network import Encoder
from emelia.learn.training import nuisance_penalty
from emelia.learn.training.logistic import STEPS, Solution, Weights, average, combine, solve
from emelia.learn.training.pooled_features import Array, layer_features
from emelia.metrics import uar

PENALTIES = (0.3, 0.1, 0.03)  # on squared weights of standardised features, to choose from
AVERAGED_PENALTIES = (1.0, *PENALTIES, 0.01)
# On the difference from a layer that is there, and of that layer: all of it, half, nothing.
PRIOR_PENALTIES, PRIOR_SHARES = (3000.0, 300.0, 30.0, 3.0, 0.3), (1.0, 0.5, 0.0)
QUICK_STEPS = 25  # of L-BFGS to compare candidates; 30 answer within 0.2 points of 100
GROUPS = 6  # of speakers that are held out in turn, at most
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Hyperparameters:
    """How a linear layer is solved."""

    columns: int  # D: the mean alone; 2D: the deviation too
    penalty: float  # on squared weights
    nuisance: float = 0.0  # weight of the penalty on differences between speakers and corpora
    prior: float = 0.0  # share of the layer that is there already


@dataclass(frozen=True, slots=True)
class Choice:
    """A block and the hyperparameters that were chosen on held-out clips."""

    blocks: int
    hyperparameters: tuple[Hyperparameters, ...]  # of one layer, or of those that are averaged
    answers: Array  # logits (V, C) for `clips`, by layers not fitted to them
    clips: tuple[Clip, ...]  # V of them


@dataclass(frozen=True, slots=True)
class FittingSet:
    """What a linear layer is fitted to."""

    x: Array  # (N, 2D)
    clips: Sequence[Clip]
    weights: Weights  # (N,)
    classes: int
    prior: Solution | None = None  # a layer that is there already
    masked: bool = False  # each clip's softmax is over the classes of its corpus

    def solve(self, candidates: Sequence[Hyperparameters], steps: int = STEPS) -> Solution:
        """The linear layer for these clips, the mean of those of all candidates."""
        return average([self._solve(one, steps) for one in candidates])

    def _solve(self, one: Hyperparameters, steps: int) -> Solution:
        truth, offsets = labels(self.clips), None
        if one.nuisance:
            utterances = [clip.utterance for clip in self.clips]
            strength = np.float32(one.nuisance**0.5)  # it acts on squared offsets
            offsets = nuisance_penalty.offsets(self.x, truth, utterances) * strength
        given = self.prior(torch.from_numpy(self.x)) if self.prior and one.prior else None
        found = solve(
            self.x, truth, self.weights, one.penalty, self.classes, one.columns, steps, offsets,
            None if given is None else one.prior * given, self._shown(),
        )  # fmt: skip
        return combine(found, self.prior, one.prior) if self.prior and one.prior else found

    def _shown(self) -> Tensor | None:
        """Bool (N, C), the classes that count for each clip; None: all."""
        if not self.masked:
            return None
        return class_mask.allowed(
            self.clips, class_mask.classes_of_corpora(self.clips), self.classes
        )

    def only(self, kept: Mask) -> FittingSet:
        """The clips that are marked (N,)."""
        clips = [clip for clip, keep in zip(self.clips, kept, strict=True) if keep]
        return replace(self, x=self.x[kept], clips=clips, weights=self.weights[kept])


def choose(
    x: Array,
    clips: Sequence[Clip],
    weights: Weights,
    held_out: Sequence[Mask],
    classes: int,
    *,
    blocks: int = 0,
    all_layers: bool = False,
    strengths: Sequence[float] = (),
    averaged: bool = False,
    prior: Solution | None = None,
    masked: bool = False,
) -> Choice:
    """Choose the block and the hyperparameters by cross-validation.

    Args:
        x: (N, L, 2D), features of all clips.
        weights: (N,) of each clip.
        held_out: for each fold, which clips are answered and not fitted to (N,).
        blocks: the only candidate, unless 0.
        all_layers: whether the layers below a block are used, too.
        strengths: candidates, besides 0, for the weight of the nuisance penalty.
        averaged: whether the layers of all penalties and poolings are averaged instead of one of
            them chosen; few speakers choose by chance, and the wrong one for the next.
        prior: a layer to draw towards; how much is chosen then, by the loss, and nothing else.
        masked: whether each clip's softmax is over the classes of its corpus, in fitting.
    """
    best = []
    for block in [blocks] if blocks else range(1, x.shape[1]):
        used = layer_features(x, block, all_layers)
        data = FittingSet(used, clips, weights, classes, prior, masked)
        folds, width = _CrossValidation(block, data, held_out), data.x.shape[1]
        if prior:
            each = product(PRIOR_PENALTIES, PRIOR_SHARES)
            return min(
                (folds.run((Hyperparameters(width, p, prior=share),)) for p, share in each),
                key=_best_loss,
            )
        penalties = AVERAGED_PENALTIES if averaged else PENALTIES
        every = tuple(starmap(Hyperparameters, product((width // 2, width), penalties)))
        groups = [every] if averaged else [(one,) for one in every]
        plain = max((folds.run(group) for group in groups), key=_score)
        # Every strength with every penalty would take three times as long.
        best += [plain, *(folds.run(_penalised(plain.hyperparameters, s)) for s in strengths)]
    return max(best, key=_score)


@dataclass(frozen=True, slots=True)
class _CrossValidation:
    """Folds in which the held-out clips are answered by a layer fitted to the others."""

    block: int
    data: FittingSet
    held_out: Sequence[Mask]

    def run(self, hyperparameters: tuple[Hyperparameters, ...]) -> Choice:
        answers: list[Tensor] = []
        clips: list[Clip] = []
        for mask in self.held_out:
            tested = self.data.only(mask)
            layer = self.data.only(~mask).solve(hyperparameters, QUICK_STEPS)
            answers.append(layer(torch.from_numpy(tested.x)))
            clips += tested.clips
        return Choice(self.block, hyperparameters, torch.cat(answers).numpy(), tuple(clips))


def _penalised(
    hyperparameters: Sequence[Hyperparameters], strength: float
) -> tuple[Hyperparameters, ...]:
    return tuple(replace(one, nuisance=strength) for one in hyperparameters)


def _score(choice: Choice) -> tuple[float, float]:
    """UAR, then the smaller loss."""
    truth = labels(choice.clips)
    loss = F.cross_entropy(torch.from_numpy(choice.answers), torch.from_numpy(truth))
    return uar(truth, choice.answers.argmax(1)), -loss.item()


def _best_loss(choice: Choice) -> float:
    """Cross-entropy at the temperature that is best for it, all classes alike."""
    answers, truth = torch.from_numpy(choice.answers), torch.from_numpy(labels(choice.clips))
    alike = truth.bincount(minlength=answers.shape[1]).clamp(min=1).float().reciprocal()
    return min(
        F.cross_entropy(answers / temperature, truth, weight=alike).item()
        for temperature in np.geomspace(0.25, 8, 16)
    )


def labels(clips: Sequence[Clip]) -> NDArray[np.int64]:
    """Class numbers (N,)."""
    return np.array([clip.label for clip in clips])


def mask_of(some: Sequence[Clip], clips: Sequence[Clip]) -> Mask:
    """Which of `clips` are among `some` (N,)."""
    wanted = {id(clip) for clip in some}
    return np.array([id(clip) in wanted for clip in clips])


def speaker_folds(clips: Sequence[Clip], target: set[str]) -> list[Mask]:
    """Masks (N,) of what each fold holds out: groups of speakers of the corpora under test."""
    speakers = sorted({clip.utterance.speaker for clip in clips if clip.utterance.corpus in target})
    groups = [set(speakers[i::GROUPS]) for i in range(min(GROUPS, len(speakers)))]
    return [np.array([clip.utterance.speaker in group for clip in clips]) for group in groups]


def corpus_folds(clips: Sequence[Clip]) -> list[Mask]:
    """Masks (N,) of what each fold holds out: one corpus, as where an unseen one is tested."""
    corpora = np.array([clip.utterance.corpus for clip in clips])
    return [corpora == corpus for corpus in np.unique(corpora)]


def linear_layer_of(network: Encoder) -> Solution:
    """The linear layer of a network, for what its own attention pools."""
    weight, bias = network.output.weight.detach(), network.output.bias.detach()
    return Solution(network.shift, 1 / network.scale, weight, bias, 0.0)


def set_linear_layer(solution: Solution, network: Encoder, *, attentive: bool = False) -> None:
    """Make a network answer as the solution does: features that it has not weigh 0.

    Args:
        attentive: whether it is for what the network's own attention pools, which then stays;
            attention is made even otherwise.
    """
    network.shift, network.scale = solution.mean, 1 / solution.deviation
    if not attentive:
        network.attend_evenly()
    with torch.no_grad():
        network.output.weight.zero_()
        network.output.weight[:, : solution.weight.shape[1]] = solution.weight
        network.output.bias.copy_(solution.bias)
