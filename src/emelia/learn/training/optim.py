"""Optimizer, learning rate over time, and the layer-wise learning rates of an encoder."""

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
    """Make the optimizer a recipe names, and freeze the layers that it freezes."""
    kind = AdamW if config.optimizer == "adamw" else Adam
    for part in network.layers()[: config.frozen]:
        part.requires_grad_(False)
    *old, (new, share) = parameter_groups(network, config)
    if teacher and teacher.project:
        new = [*new, *teacher.project.parameters()]
    groups = [{"params": parameters, "share": own} for parameters, own in (*old, (new, share))]
    return kind(groups, lr=config.lr, weight_decay=config.weight_decay)


def parameter_groups(
    network: Network, config: TrainConfig
) -> list[tuple[list[nn.Parameter], float]]:
    """Parameters and their share of the learning rate; those outside of an encoder come last.

    An encoder's last block has the whole rate, each earlier one `layer_decay` of the next one's.
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
