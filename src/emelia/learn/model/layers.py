"""Layers of the networks, which keep the padding past a clip's end from changing anything.

B clips, M bands, F frames; lengths (B,) are the frames of each clip.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

FLOOR = 1e-5  # added to variances of the pooling
# Channels under which oneDNN's gradient of a strided 1x1 convolution writes outside its memory
# (torch 2.13, channels last): those of its longest vectors, AVX-512. With fewer, the positions
# that the stride would skip are cut out before, which is the same.
NARROW = 16


def hide(x: Tensor, lengths: Tensor) -> Tensor:
    """Set frames past each clip's end to zero; x is (..., F) with clips first."""
    # An exported graph cannot choose by a value; there it always multiplies.
    if not torch.compiler.is_compiling() and int(lengths.min()) >= x.shape[-1]:
        return x
    return x * valid(x, lengths)


def valid(x: Tensor, lengths: Tensor) -> Tensor:
    """1 for frames of a clip, 0 past its end, shaped to multiply with x (B, ..., F)."""
    mask = torch.arange(x.shape[-1], device=x.device) < lengths[:, None]
    return mask.to(x.dtype).view(x.shape[0], *[1] * (x.dim() - 2), x.shape[-1])


def halve(lengths: Tensor) -> Tensor:
    """Frames left by a convolution of width 3, stride 2 and padding 1."""
    return (lengths + 1) // 2


def statistics(x: Tensor, lengths: Tensor) -> Tensor:
    """Mean and deviation over each clip's own frames: (B, D, F) -> (B, 2D)."""
    mask, count = valid(x, lengths), lengths[:, None].to(x.dtype)
    mean = (x * mask).sum(2) / count
    centred = (x - mean[:, :, None]) * mask
    return torch.cat([mean, (centred.square().sum(2) / count + FLOOR).sqrt()], 1)


class Residual(nn.Module):
    """Residual block: two convolutions and a shortcut (He et al. 2016)."""

    def __init__(self, inputs: int, outputs: int, stride: tuple[int, int]) -> None:
        super().__init__()
        self.stride = stride
        self.first = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.skip, steps = ((1, 1), stride) if inputs >= NARROW else (stride, (1, 1))
        self.past = nn.Conv2d(inputs, outputs, 1, stride=steps, bias=False)
        self.norms = nn.ModuleList(MaskedBatchNorm(outputs) for _ in range(3))

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        after = halve(lengths) if self.stride[1] == 2 else lengths
        # (B, i, M, F) -> (B, o, M', F')
        y = hide(self.norms[0](self.first(x), after).relu(), after)
        bands, frames = self.skip
        past = self.norms[2](self.past(x[..., ::bands, ::frames]), after)
        y = self.norms[1](self.second(y), after) + past
        return hide(y.relu(), after), after


class Average(nn.Module):
    """Mean over each clip's own frames: (B, D, F), zero past its end, to (B, D)."""

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        return x.sum(2) / lengths[:, None]


class MaskedBatchNorm(nn.BatchNorm2d):
    """Batch norm whose statistics are those of the valid frames."""

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:  # type: ignore[override]
        if not self.training or int(lengths.min()) >= x.shape[-1]:
            return super().forward(x)
        x = x.to(self.weight.dtype)  # in mixed precision statistics would lose digits
        mask = valid(x, lengths)  # (B, 1, 1, F)
        count = mask.sum() * x.shape[2]
        mean = (x * mask).sum((0, 2, 3)) / count
        centred = x - mean[:, None, None]
        variance = (centred * mask).square().sum((0, 2, 3)) / count
        self._update_running(mean.detach(), (variance * count / (count - 1)).detach())
        scale = self.weight * (variance + self.eps).rsqrt()
        return centred * scale[:, None, None] + self.bias[:, None, None]

    def _update_running(self, mean: Tensor, variance: Tensor) -> None:
        assert self.running_mean is not None and self.running_var is not None  # for mypy
        assert self.momentum is not None and self.num_batches_tracked is not None
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance, self.momentum)
        self.num_batches_tracked.add_(1)


class AttentiveStatistics(nn.Module):
    """Attentive statistics pooling: weighted mean and deviation (Okabe et al. 2018)."""

    def __init__(self, features: int, hidden: int = 64) -> None:
        super().__init__()
        self.hidden = nn.Conv1d(features, hidden, 1)
        self.score = nn.Conv1d(hidden, features, 1)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        weight = self.weights(x, lengths)
        mean = (weight * x).sum(2)  # (B, D)
        variance = (weight * (x - mean[:, :, None]).square()).sum(2)
        return torch.cat([mean, (variance + FLOOR).sqrt()], 1)  # (B, 2D)

    def shares(self, x: Tensor, lengths: Tensor) -> Tensor:
        """What each frame contributes to `forward`: (B, D, F) -> (B, 2D, F).

        A deviation d is a sum over frames since d = d^2 / d, and d^2 is the weighted mean of
        squares.
        """
        weight = self.weights(x, lengths)
        means = weight * x
        squares = (x - means.sum(2, keepdim=True)).square() + FLOOR
        squares = weight * squares
        return torch.cat([means, squares / squares.sum(2, keepdim=True).sqrt()], 1)

    def weights(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Attention of each feature to each frame, (B, D, F), which sums to 1 over a clip's own."""
        score: Tensor = self.score(self.hidden(x).tanh())  # (B, D, F) -> (B, D, F)
        return score.masked_fill(valid(x, lengths) == 0, -torch.inf).softmax(2)
