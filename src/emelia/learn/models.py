"""The networks: spectrograms (B, 1, M, F) and their lengths (B,) to logits (B, C).

B clips, M bands, F frames, C classes. Frames past a clip's end are kept at zero between
layers, which is what a convolution's own padding shows a clip alone; pooling looks at a
clip's own frames only. So every clip gets the output, and gives the gradient, that it
would at batch size 1. `emelia`'s batch norm learns from the valid frames of the whole
batch, as batch norm does, so there the equality holds in evaluation.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from emelia.config import ModelConfig
from emelia.errors import ConfigError


class Network(nn.Module):
    """What all networks share: how many frames they need."""

    min_frames: int = 1  # shorter clips are padded with silence before they come here
    fixed_frames: int = 0  # every clip is brought to this many frames; 0: any length
    padding: str = "silence"  # or mean: what short clips are padded with


def hide(x: Tensor, lengths: Tensor) -> Tensor:
    """Set frames past each clip's end to zero; x is (..., F) with clips first."""
    if int(lengths.min()) >= x.shape[-1]:
        return x
    return x * valid(x, lengths)


def valid(x: Tensor, lengths: Tensor) -> Tensor:
    """1 for frames of a clip, 0 past its end, shaped to multiply with x (B, ..., F)."""
    mask = torch.arange(x.shape[-1], device=x.device) < lengths[:, None]
    return mask.to(x.dtype).view(len(lengths), *[1] * (x.dim() - 2), x.shape[-1])


class Variable(Network):
    """The seed study's network for spectrograms of any length, with 3 or 4 convolutions.

    Convolutions of 16, 32, 64 (, 128) channels, max-pooling between them, then the average
    over bands and frames, dropout and one linear layer. No batch norm.
    """

    def __init__(self, config: ModelConfig, classes: int) -> None:
        super().__init__()
        channels = [1, *(config.width * 2**i for i in range(config.layers))]
        pairs = pairwise(channels)
        self.convolutions = nn.ModuleList(nn.Conv2d(i, o, 3, padding=1) for i, o in pairs)
        self.dropout = nn.Dropout(config.dropout)
        self.output = nn.Linear(channels[-1], classes)
        self.min_frames = 2 ** (config.layers - 1)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        x = hide(x, lengths)
        *pooled, last = self.convolutions
        for convolution in pooled:
            lengths = lengths // 2  # an odd last frame has no partner: dropped, alone and here
            # ReLU after pooling is the same function for a quarter of the work.
            x = F.max_pool2d(convolution(x), 2).relu()  # (B, ch, M, F) -> (B, 2ch, M/2, F/2)
            x = hide(x, lengths)
        x = last(x).relu()  # (B, 32, M/4, F/4) -> (B, 64, M/4, F/4)
        x = hide(x.mean(2), lengths).sum(2) / lengths[:, None]  # (B, 64, M/4, F/4) -> (B, 64)
        logits: Tensor = self.output(self.dropout(x))  # (B, C)
        return logits


class Resized(Network):
    """The seed study's network for spectrograms of one size, with 3 or 4 convolutions.

    Each convolution with batch norm and max-pooling; dropout and one linear layer on the
    flattened map. Clips come padded with silence, or interpolated, to `config.frames`.
    """

    def __init__(self, config: ModelConfig, classes: int, bands: int) -> None:
        super().__init__()
        channels = [1, *(config.width * 2**i for i in range(config.layers))]
        pairs = list(pairwise(channels))
        self.convolutions = nn.ModuleList(nn.Conv2d(i, o, 3, padding=1) for i, o in pairs)
        self.norms = nn.ModuleList(nn.BatchNorm2d(o) for _, o in pairs)
        self.dropout = nn.Dropout(config.dropout)
        shrink = 2**config.layers
        flat = channels[-1] * (bands // shrink) * (config.frames // shrink)
        self.output = nn.Linear(flat, classes)
        self.min_frames = self.fixed_frames = config.frames

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            x = F.max_pool2d(norm(convolution(x)), 2).relu()  # (B, ch, M, F) -> (B, 2ch, M/2, F/2)
        logits: Tensor = self.output(self.dropout(x.flatten(1)))  # (B, 64, 16, 32) -> (B, C)
        return logits


class Emelia(Network):
    """Our own: residual blocks and attentive statistics pooling, any length."""

    def __init__(self, config: ModelConfig, classes: int, bands: int) -> None:
        super().__init__()
        w = config.width
        self.stem = nn.Conv2d(1, w, 3, stride=2, padding=1, bias=False)
        self.norm = MaskedBatchNorm(w)
        self.blocks = nn.ModuleList(
            [Residual(w, 3 * w // 2, (2, 2)), Residual(3 * w // 2, 2 * w, (2, 1)),
             Residual(2 * w, 3 * w, (2, 1))]
        )  # fmt: skip
        features = 3 * w * -(-bands // 16)
        self.pool = AttentiveStatistics(features)
        self.dropout = nn.Dropout(config.dropout)
        self.output = nn.Linear(2 * features, classes)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        x = hide(x, lengths)  # (B, 1, M, F)
        lengths = halve(lengths)
        x = hide(self.norm(self.stem(x), lengths).relu(), lengths)  # (B, w, M/2, F/2)
        for block in self.blocks:
            x, lengths = block(x, lengths)  # (B, 1.5w, M/4, F/4), (B, 2w, M/8, F/4), ...
        x = x.flatten(1, 2)  # (B, 3w, M/16, F/4) -> (B, 3w * M/16, F/4)
        logits: Tensor = self.output(self.dropout(self.pool(x, lengths)))  # (B, C)
        return logits


def halve(lengths: Tensor) -> Tensor:
    """Frames left by a convolution of width 3, stride 2 and padding 1."""
    return (lengths + 1) // 2


class Residual(nn.Module):
    """Two convolutions and a way past them (He et al. 2016)."""

    def __init__(self, inputs: int, outputs: int, stride: tuple[int, int]) -> None:
        super().__init__()
        self.stride = stride
        self.first = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.past = nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False)
        self.norms = nn.ModuleList(MaskedBatchNorm(outputs) for _ in range(3))

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        after = halve(lengths) if self.stride[1] == 2 else lengths
        y = hide(
            self.norms[0](self.first(x), after).relu(), after
        )  # (B, i, M, F) -> (B, o, M', F')
        y = self.norms[1](self.second(y), after) + self.norms[2](self.past(x), after)
        return hide(y.relu(), after), after


class MaskedBatchNorm(nn.BatchNorm2d):
    """Batch norm whose statistics are those of the valid frames."""

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:  # type: ignore[override]
        if not self.training or int(lengths.min()) >= x.shape[-1]:
            return super().forward(x)
        x = x.to(self.weight.dtype)  # in mixed precision too, figures are kept in full
        mask = valid(x, lengths)  # (B, 1, 1, F)
        count = mask.sum() * x.shape[2]
        mean = (x * mask).sum((0, 2, 3)) / count
        centred = x - mean[:, None, None]
        variance = (centred * mask).square().sum((0, 2, 3)) / count
        self._remember(mean.detach(), (variance * count / (count - 1)).detach())
        scale = self.weight * (variance + self.eps).rsqrt()
        return centred * scale[:, None, None] + self.bias[:, None, None]

    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        assert self.running_mean is not None and self.running_var is not None  # for mypy
        assert self.momentum is not None and self.num_batches_tracked is not None
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance, self.momentum)
        self.num_batches_tracked.add_(1)


class AttentiveStatistics(nn.Module):
    """Weighted mean and deviation over frames, the weights learnt (Okabe et al. 2018)."""

    def __init__(self, features: int, hidden: int = 64) -> None:
        super().__init__()
        self.hidden = nn.Conv1d(features, hidden, 1)
        self.score = nn.Conv1d(hidden, features, 1)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        score = self.score(self.hidden(x).tanh())  # (B, D, F) -> (B, D, F)
        weight = score.masked_fill(valid(x, lengths) == 0, -torch.inf).softmax(2)
        mean = (weight * x).sum(2)  # (B, D)
        variance = (weight * (x - mean[:, :, None]).square()).sum(2)
        return torch.cat([mean, (variance + 1e-5).sqrt()], 1)  # (B, 2D)


def build(config: ModelConfig, classes: int, bands: int) -> Network:
    """Make a network with fresh weights from torch's current random state.

    Raises:
        ConfigError: its pooling would leave nothing of so few bands or frames.
    """
    if config.name != "emelia":
        _check_size(config, bands)
    network: Network
    if config.name == "variable":
        network = Variable(config, classes)
    elif config.name == "resized":
        network = Resized(config, classes, bands)
    else:
        network = Emelia(config, classes, bands)
    network.padding = config.padding
    return network


def _check_size(config: ModelConfig, bands: int) -> None:
    resized = config.name == "resized"
    need = 2 ** (config.layers if resized else config.layers - 1)  # each pooling halves
    frames = config.frames if resized else need  # any length: shorter clips are padded
    if min(bands, frames) < need:
        raise ConfigError(
            f"model.layers: a {config.name} network of {config.layers} needs at least {need} bands "
            f"and {need} frames, got {bands} and {frames}. Take fewer layers."
        )


def parameters(network: nn.Module) -> int:
    """Number of trainable values."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)
