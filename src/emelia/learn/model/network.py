"""The networks: spectrograms (B, 1, M, F) and their lengths (B,) to logits (B, C).

B clips, M bands, F frames, C classes. Frames past a clip's end are kept at zero between
layers, which is what a convolution's own padding shows a clip alone; pooling looks at a
clip's own frames only. So every clip gets the output, and gives the gradient, that it
would at batch size 1. `emelia`'s batch norm learns from the valid frames of the whole
batch, as batch norm does, so there the equality holds in evaluation.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn

from emelia.config import ModelConfig
from emelia.errors import ConfigError
from emelia.learn.model.encoders import new_encoder
from emelia.learn.model.layers import (
    AttentiveStatistics,
    Average,
    MaskedBatchNorm,
    Residual,
    halve,
    hide,
    valid,
)


class Network(nn.Module):
    """What all networks share: how many frames they need, and a linear layer at the end.

    A network is `output(dropout(pool(maps)))`, and each pooled value is a sum over the columns
    of the last feature map. So each logit is such a sum, too: of `contributions` and the bias.
    """

    output: nn.Linear
    min_frames: int = 1  # shorter clips are padded with silence before they come here
    fixed_frames: int = 0  # every clip is brought to this many frames; 0: any length
    padding: str = "silence"  # or mean: what short clips are padded with
    stride: int = 1  # frames to a column of the last map
    offset: int = 0  # frames by which its first column begins before the clip

    @property
    def classes(self) -> int:
        """C, the number of classes."""
        return self.output.out_features

    def contributions(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """What each column of the last feature map adds to each logit, in evaluation.

        Args:
            x: (B, 1, M, F), and `lengths`: (B,), as for `forward`.

        Returns:
            Contributions (B, C, G), zero past a clip's end: summed over G, with the output's
            bias, they are what `forward` gives. And the number of columns of each clip (B,).
        """
        raise NotImplementedError

    def layers(self) -> list[nn.Module]:
        """Pre-trained layers, first to last, which may have learning rates of their own."""
        return []


class Variable(Network):
    """The founding study's network for spectrograms of any length, with 3 or 4 convolutions.

    Convolutions of 16, 32, 64 (, 128) channels, max-pooling between them, then the average
    over bands and frames, dropout and one linear layer. No batch norm.
    """

    def __init__(self, config: ModelConfig, classes: int, bands: int) -> None:
        super().__init__()
        _check_size(config, bands, frames=0)
        channels = [1, *(config.width * 2**i for i in range(config.layers))]
        pairs = pairwise(channels)
        self.convolutions = nn.ModuleList(nn.Conv2d(i, o, 3, padding=1) for i, o in pairs)
        self.pooling = nn.MaxPool2d(2)
        self.average = Average()
        self.dropout = nn.Dropout(config.dropout)
        self.output = nn.Linear(channels[-1], classes)
        self.min_frames = self.stride = 2 ** (config.layers - 1)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        x, lengths = self.columns(x, lengths)
        logits: Tensor = self.output(self.dropout(self.average(x, lengths)))  # (B, C)
        return logits

    def contributions(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        x, lengths = self.columns(x, lengths)
        return self.output.weight @ (x / lengths[:, None, None]), lengths

    def columns(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """The last map, averaged over bands, (B, D, G) and its columns of each clip (B,)."""
        x = hide(x, lengths)
        *pooled, last = self.convolutions
        for convolution in pooled:
            lengths = lengths // 2  # an odd last frame has no partner: dropped, alone and here
            # ReLU after pooling is the same function for a quarter of the work.
            x = self.pooling(convolution(x)).relu()  # (B, ch, M, F) -> (B, 2ch, M/2, F/2)
            x = hide(x, lengths)
        x = last(x).relu()  # (B, 32, M/4, F/4) -> (B, 64, M/4, F/4)
        return hide(x.mean(2), lengths), lengths  # (B, 64, M/4, F/4) -> (B, 64, F/4)


class Resized(Network):
    """The founding study's network for spectrograms of one size, with 3 or 4 convolutions.

    Each convolution with batch norm and max-pooling; dropout and one linear layer on the
    flattened map. Clips come padded with silence, or interpolated, to `config.frames`.
    """

    def __init__(self, config: ModelConfig, classes: int, bands: int) -> None:
        super().__init__()
        _check_size(config, bands, config.frames)
        channels = [1, *(config.width * 2**i for i in range(config.layers))]
        pairs = list(pairwise(channels))
        self.convolutions = nn.ModuleList(nn.Conv2d(i, o, 3, padding=1) for i, o in pairs)
        self.norms = nn.ModuleList(nn.BatchNorm2d(o) for _, o in pairs)
        self.pooling = nn.MaxPool2d(2)
        self.flatten = nn.Flatten()
        self.dropout = nn.Dropout(config.dropout)
        shrink = 2**config.layers
        flat = channels[-1] * (bands // shrink) * (config.frames // shrink)
        self.output = nn.Linear(flat, classes)
        self.min_frames = self.fixed_frames = config.frames
        self.stride = shrink

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        x = self.maps(x)  # (B, ch, M', F')
        logits: Tensor = self.output(self.dropout(self.flatten(x)))  # (B, 64, 16, 32) -> (B, C)
        return logits

    def contributions(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        x = self.maps(x)
        weight = self.output.weight.view(-1, *x.shape[1:])  # every column has its own
        columns = (weight * x[:, None]).sum((2, 3))  # (B, C, ch, M', F') -> (B, C, F')
        return columns, torch.full_like(lengths, x.shape[3])

    def maps(self, x: Tensor) -> Tensor:
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            x = self.pooling(norm(convolution(x))).relu()  # (B, ch, M, F) -> (B, 2ch, M/2, F/2)
        return x


class Emelia(Network):
    """Residual blocks and attentive statistics pooling, for spectrograms of any length."""

    stride, offset = 4, 2  # column g has its centre at frame 4 g

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
        pooled = self.pool(*self.columns(x, lengths))
        logits: Tensor = self.output(self.dropout(pooled))  # (B, C)
        return logits

    def contributions(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        x, lengths = self.columns(x, lengths)
        return self.output.weight @ self.pool.shares(x, lengths), lengths

    def columns(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """The last map, bands and channels as one, (B, D, G) and its columns of each clip (B,)."""
        x = hide(x, lengths)  # (B, 1, M, F)
        lengths = halve(lengths)
        x = hide(self.norm(self.stem(x), lengths).relu(), lengths)  # (B, w, M/2, F/2)
        for block in self.blocks:
            x, lengths = block(x, lengths)  # (B, 1.5w, M/4, F/4), (B, 2w, M/8, F/4), ...
        return x.flatten(1, 2), lengths  # (B, 3w, M/16, F/4) -> (B, 3w * M/16, F/4)


class Encoder(Network):
    """A pre-trained encoder, attentive statistics of its frames, and one linear layer.

    Before training attention is even, so that a linear layer solved on mean and deviation over
    frames fits in. `shift` and `scale` standardise pooled features, which therefore all learn
    equally fast.
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, config: ModelConfig, classes: int, bands: int) -> None:
        super().__init__()
        self.encoder = new_encoder(config.encoder, config.blocks, bands, config.architecture)
        self.stride, self.offset = self.encoder.stride, self.encoder.offset
        self.min_frames = self.encoder.min_frames
        self.all_layers = config.pool_layers == "all"
        features = self.encoder.width * (len(self.encoder.blocks) if self.all_layers else 1)
        self.pool = AttentiveStatistics(features)
        self.attend_evenly()
        self.register_buffer("shift", torch.zeros(2 * features))
        self.register_buffer("scale", torch.ones(2 * features))
        self.dropout = nn.Dropout(config.dropout)
        self.output = nn.Linear(2 * features, classes)

    @property
    def attends(self) -> bool:
        """Whether pooling weighs frames."""
        return any(bool(parameter.any()) for parameter in self.pool.score.parameters())

    def attend_evenly(self) -> None:
        """Give every frame the same weight in pooling."""
        nn.init.zeros_(self.pool.score.weight)
        nn.init.zeros_(cast(Tensor, self.pool.score.bias))

    def forward(self, x: Tensor, lengths: Tensor, position: int = 0) -> Tensor:
        logits, _, _ = self.forward_with_frames(x, lengths, position)
        return logits

    def forward_with_frames(
        self, x: Tensor, lengths: Tensor, position: int = 0
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Logits (B, C), the encoder's last frames (B, D, N) and how many each clip has (B,).

        Args:
            position: encoder frames before the first of these, where clips are crops.
        """
        frames, counts = self.frames(x, lengths, position)
        pooled = (self.pool(frames, counts) - self.shift) * self.scale  # (B, 2D)
        return self.output(self.dropout(pooled)), frames[:, -self.encoder.width :], counts

    def frames(self, x: Tensor, lengths: Tensor, position: int = 0) -> tuple[Tensor, Tensor]:
        """The frames that are pooled: after the last block, or after each, stacked."""
        if not self.all_layers:
            found: tuple[Tensor, Tensor] = self.encoder(x.squeeze(1), lengths, position)
            return found
        layers, counts = self.encoder.hidden_states(x.squeeze(1), lengths, position)
        return torch.cat(layers[1:], 1), counts  # (B, blocks x D, N)

    def contributions(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        columns, lengths = self.pooled_columns(x, lengths)
        return self.output.weight @ columns, lengths

    def pooled_columns(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """What each column adds to each pooled feature, standardised: (B, 2D, N), counts (B,)."""
        x, lengths = self.frames(x, lengths)
        shares = self.pool.shares(x, lengths)  # (B, 2D, N)
        shift = self.shift[:, None] / lengths[:, None, None] * valid(x, lengths)
        return (shares - shift) * self.scale[:, None], lengths

    def layers(self) -> list[nn.Module]:
        return self.encoder.layers()


# By `model.name`; a new network is registered here.
NETWORKS: dict[str, Callable[[ModelConfig, int, int], Network]] = {
    "variable": Variable,
    "resized": Resized,
    "emelia": Emelia,
    "encoder": Encoder,
}


def build(config: ModelConfig, classes: int, bands: int) -> Network:
    """Make a network with random weights, drawn from torch's current random state.

    Raises:
        ConfigError: its pooling would leave nothing of so few bands or frames, or its encoder
            is unknown or takes other bands.
    """
    network = NETWORKS[config.name](config, classes, bands)
    network.padding = config.padding
    return network


def _check_size(config: ModelConfig, bands: int, frames: int) -> None:
    """Refuse fewer bands or frames than pooling halves away; `frames` is 0 where any will do."""
    need = 2 ** (config.layers if frames else config.layers - 1)
    frames = frames or need  # shorter clips are padded
    if min(bands, frames) < need:
        raise ConfigError(
            f"model.layers: a {config.name} network of {config.layers} needs at least {need} bands "
            f"and {need} frames, got {bands} and {frames}. Take fewer layers."
        )


def parameters(network: nn.Module) -> int:
    """Number of weights."""
    return sum(p.numel() for p in network.parameters())
