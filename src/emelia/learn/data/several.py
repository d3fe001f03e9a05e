"""Training on several devices: each takes its share of every batch of the recipe.

All processes draw the same batch with the same changes, and each takes some of its clips. Gradients
are averaged over processes by PyTorch (DDP), so each share weighs by its clips; batch norm takes
the statistics of the whole batch. What comes out is what one device makes of the same batch, to
rounding, but for dropout, which every process draws for itself.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import torch
from lightning_fabric import Fabric
from torch import Tensor, distributed, nn

from emelia.errors import RunError
from emelia.learn.data.loader import Batch
from emelia.learn.model.layers import MaskedBatchNorm, valid


def share_of(batch: Batch, rank: int, processes: int) -> tuple[Batch, float]:
    """The clips of a batch that a process takes, and the weight of their mean loss.

    The mean over processes of weight x loss is the loss of the batch. A batch with fewer clips than
    processes is taken whole by all.
    """
    count = len(batch.lengths)
    if count < processes or processes == 1:
        return batch, 1.0
    rows = slice(rank * count // processes, (rank + 1) * count // processes)
    lengths = batch.lengths[rows]
    part = replace(
        batch,
        inputs=batch.inputs[rows, ..., : int(lengths.max())],
        lengths=lengths,
        targets=batch.targets[rows],
        shown=None if batch.shown is None else batch.shown[rows],
    )
    return part, len(lengths) * processes / count


def share_statistics(network: nn.Module, fabric: Fabric) -> None:
    """Let the batch norm of a network take its statistics over all processes."""
    if fabric.world_size == 1:
        return
    for module in network.modules():
        for name, child in module.named_children():
            if isinstance(child, nn.BatchNorm2d):
                setattr(module, name, SharedBatchNorm.of(child))


def set_sharing(network: nn.Module, shared: bool) -> None:
    """Say whether the next batch is shared, or taken whole by each process."""
    for module in network.modules():
        if isinstance(module, SharedBatchNorm):
            module.shared = shared


def check_same(fabric: Fabric, epoch: int) -> None:
    """See that all processes resume after the same epoch.

    Raises:
        RunError: they have different checkpoints.
    """
    if fabric.broadcast(epoch) != epoch:
        raise RunError(
            "the processes of this training do not see one run folder. Put --out on a disk that "
            "all machines mount."
        )


def mean_of(fabric: Fabric, loss: Tensor) -> float:
    """The mean of a loss over all processes."""
    if fabric.world_size == 1:
        return loss.item()
    return float(cast(Tensor, fabric.all_reduce(loss.detach(), reduce_op="mean")))


class _Sum(torch.autograd.Function):
    """The sum over all processes; a gradient is that of what all of them made of the sum."""

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        return _summed(value)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _summed(gradient)


def _summed(value: Tensor) -> Tensor:
    found = value.clone()
    distributed.all_reduce(found)
    return found


def _sum(value: Tensor) -> Tensor:
    return cast(Tensor, _Sum.apply(value))  # type: ignore[no-untyped-call]


class SharedBatchNorm(MaskedBatchNorm):
    """Batch norm of the valid frames of all processes."""

    shared = True

    @classmethod
    def of(cls, norm: nn.BatchNorm2d) -> SharedBatchNorm:
        """One with the parameters of another, under the same names."""
        made = cls(norm.num_features, norm.eps, norm.momentum)
        made.weight, made.bias = norm.weight, norm.bias
        made.running_mean, made.running_var = norm.running_mean, norm.running_var
        made.num_batches_tracked = norm.num_batches_tracked
        return made

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        if lengths is None:
            lengths = torch.full((len(x),), x.shape[-1], device=x.device)
        if not self.training or not self.shared:
            return super().forward(x, lengths)
        x = x.to(self.weight.dtype)
        mask = valid(x, lengths)  # (B, 1, 1, F)
        count = _sum((mask.sum() * x.shape[2]).to(x.dtype))
        mean = _sum((x * mask).sum((0, 2, 3))) / count
        centred = x - mean[:, None, None]
        variance = _sum((centred * mask).square().sum((0, 2, 3))) / count
        self._update_running(mean.detach(), (variance * count / (count - 1)).detach())
        scale = self.weight * (variance + self.eps).rsqrt()
        normed: Tensor = centred * scale[:, None, None] + self.bias[:, None, None]
        return normed
