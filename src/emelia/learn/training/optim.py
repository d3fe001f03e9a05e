"""How fast what learns: the optimizer, the learning rate over time, and an encoder's own rates."""

from __future__ import annotations

import math

from torch import nn
from torch.optim import Adam, AdamW, Optimizer

from emelia.config import TrainConfig
from emelia.learn.model.network import Network
from emelia.learn.training.distill import Teacher


def make_optimizer(
    network: Network, config: TrainConfig, teacher: Teacher | None = None
) -> Optimizer:
    """Make the optimizer a recipe names; an encoder's blocks learn at rates of their own."""
    kind = AdamW if config.optimizer == "adamw" else Adam
    for part in network.layers()[: config.frozen]:
        part.requires_grad_(False)
    *old, (new, share) = paces(network, config)
    if teacher and teacher.project:
        new = [*new, *teacher.project.parameters()]
    groups = [{"params": parameters, "share": pace} for parameters, pace in (*old, (new, share))]
    return kind(groups, lr=config.lr, weight_decay=config.weight_decay)


def paces(network: Network, config: TrainConfig) -> list[tuple[list[nn.Parameter], float]]:
    """Parameters and the share of the learning rate they learn at; what is new comes last.

    An encoder's last block learns at the whole rate, each earlier one at `layer_decay` of the next.
    """
    parts = network.layers()
    own = {id(p) for part in parts for p in part.parameters()}
    rest = [p for p in network.parameters() if id(p) not in own]
    depths = range(len(parts) - 1, -1, -1)
    shares = [config.layer_decay**depth for depth in depths]
    old = [(list(part.parameters()), share) for part, share in zip(parts, shares, strict=True)]
    return [*old, (rest, 1.0)]


def rate_at(config: TrainConfig, done: float) -> float:
    """Learning rate after a share of all steps: a rise from 0, then constant or half a cosine."""
    if done < config.warmup:
        return config.lr * done / config.warmup
    if config.schedule == "constant":
        return config.lr
    rest = (done - config.warmup) / (1 - config.warmup)
    return config.lr * (1 + math.cos(math.pi * rest)) / 2
