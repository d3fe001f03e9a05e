"""Multinomial logistic regression by L-BFGS: a linear layer for standardised features.

N clips, C classes; D features, of each of which mean and deviation over frames are given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from emelia.learn.data.class_mask import hide
from emelia.learn.training.nuisance_penalty import damp, damping

STEPS = 100  # of L-BFGS; more change no prediction
SMALL = 1e-3  # deviation added, so that a constant feature is not blown up
Weights = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Solution:
    """A linear layer for standardised features; it may use the first K of them alone."""

    mean: Tensor  # (2D,)
    deviation: Tensor  # (2D,)
    weight: Tensor  # (C, K)
    bias: Tensor  # (C,)
    loss: float  # mean cross-entropy on the clips it was solved on, in nats

    def __call__(self, x: Tensor) -> Tensor:
        """Logits (N, C) of features (N, 2D)."""
        used = self.weight.shape[1]
        return ((x - self.mean) / self.deviation)[:, :used] @ self.weight.T + self.bias


def average(solutions: Sequence[Solution]) -> Solution:
    """The layer whose logits are the mean of those of several, solved on the same clips."""
    width = max(each.weight.shape[1] for each in solutions)
    weights = [F.pad(each.weight, (0, width - each.weight.shape[1])) for each in solutions]
    return Solution(
        solutions[0].mean,
        solutions[0].deviation,
        torch.stack(weights).mean(0),
        torch.stack([each.bias for each in solutions]).mean(0),
        sum(each.loss for each in solutions) / len(solutions),
    )


def combine(own: Solution, prior: Solution, share: float) -> Solution:
    """The layer whose logits are those of `own` plus `share` times those of `prior`."""
    width = prior.weight.shape[1]
    ratio = (own.deviation / prior.deviation)[:width]
    shifted = ((own.mean - prior.mean) / prior.deviation)[:width]
    weight = F.pad(own.weight, (0, max(0, width - own.weight.shape[1]))).clone()
    weight[:, :width] += share * prior.weight * ratio
    bias = own.bias + share * (prior.bias + prior.weight @ shifted)
    return Solution(own.mean, own.deviation, weight, bias, own.loss)


def solve(
    x: NDArray[np.float32],
    labels: NDArray[np.int64],
    weights: Weights,
    penalty: float,
    classes: int,
    columns: int,
    steps: int = STEPS,
    nuisance: NDArray[np.float32] | None = None,
    given: Tensor | None = None,
    shown: Tensor | None = None,
) -> Solution:
    """Fit the classes (N,) on the first K = `columns` of the features (N, 2D).

    Args:
        weights: (N,), of each clip in the loss.
        penalty: on squared weights of standardised features.
        nuisance: offsets (G, 2D) whose variance is added to the penalty; see `nuisance_penalty`.
        given: logits (N, C) that are added to those of the layer, by another one.
        shown: bool (N, C), the classes that each clip's softmax is over; None: all.
    """
    inputs, truth = torch.from_numpy(x), torch.from_numpy(labels)
    share = torch.from_numpy(weights / weights.sum()).float()[:, None]
    mean = (share * inputs).sum(0)
    deviation = (share * (inputs - mean).square()).sum(0).sqrt() + SMALL
    inputs = ((inputs - mean) / deviation)[:, :columns]
    damped = None  # along which directions, and by how much
    if nuisance is not None:
        damped = damping((torch.from_numpy(nuisance) / deviation)[:, :columns])
        inputs = damp(inputs, damped)
    layer = torch.nn.Linear(columns, classes)
    torch.nn.init.zeros_(layer.weight)
    torch.nn.init.zeros_(layer.bias)
    search = torch.optim.LBFGS(
        layer.parameters(), max_iter=steps, line_search_fn="strong_wolfe", tolerance_grad=1e-5
    )

    def losses() -> Tensor:
        found = layer(inputs) if given is None else layer(inputs) + given
        found = found if shown is None else hide(found, shown)
        return F.cross_entropy(found, truth, reduction="none")

    def cost() -> Tensor:
        search.zero_grad()
        entropy = losses()
        total = (share[:, 0] * entropy).sum() + penalty / 2 * layer.weight.square().sum()
        total.backward()  # type: ignore[no-untyped-call]
        return total

    search.step(cost)  # type: ignore[no-untyped-call]
    loss = (share[:, 0] * losses()).sum().item()
    weight = layer.weight.detach()
    weight = weight if damped is None else damp(weight, damped)
    return Solution(mean, deviation, weight, layer.bias.detach(), loss)
