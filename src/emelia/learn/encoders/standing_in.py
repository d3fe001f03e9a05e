"""What a convolutional encoder must be to stand in for one with attention: least squares.

B clips, N frames of speech, D features, R gathered, H hidden. Block by block, on what the encoder
itself hears by then: of what attention adds, most is a linear function of the frame and of means
over its neighbours, so that is solved for and cut to its R strongest directions; then the hidden
units that matter most are kept and the way out of them is solved anew. A clip's mean counts beside
its frames, for that is what a linear layer hears. No gradient, no labels; training then begins
with an encoder that hears.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from emelia.learn.encoders.mel import AROUND, MelEncoder, Neighbours
from emelia.learn.encoders.whisper import Block, WhisperEncoder
from emelia.learn.layers import valid

HALF = AROUND // 2
# First and last frame of what is meant, from the frame itself on: it, and before and after it.
WINDOWS = ((0, 0), (-2, 2), (-8, -1), (1, 8), (-HALF, HALF))
MEANS = 30.0  # what a clip's mean counts, times its frames
RIDGE = 1e-3  # of the mean square of what is solved on
BATCH = 8  # clips heard at a time


@dataclass
class Heard:
    """A batch on its way through both encoders, side by side."""

    theirs: Tensor  # (B, N, D)
    ours: Tensor  # (B, N, D)
    mask: Tensor  # (B, 1, 1, N) a clip's own frames

    @property
    def missing(self) -> Tensor:
        """What ours is short of: (B, N, D)."""
        return self.theirs - self.ours


@dataclass
class Sums:
    """Products of what is solved from, K columns and one of ones, summed over frames and means."""

    square: Tensor  # (K + 1, K + 1)
    right: Tensor  # (K + 1, D) with what is solved for

    def solve(self) -> tuple[Tensor, Tensor]:
        """Weight (K, D) and bias (D,) of the ridge regression."""
        ridge = RIDGE * self.square.diagonal().mean()
        even = ridge * torch.eye(len(self.square), dtype=self.square.dtype)
        found = torch.linalg.solve(self.square + even, self.right).float()
        return found[:-1], found[-1]

    def covariance(self) -> Tensor:
        """How the columns vary together (K, K), in all."""
        total = self.square[-1]
        return (self.square - torch.outer(total, total) / total[-1])[:-1, :-1].float()


def can_stand_in(encoder: nn.Module, source: nn.Module) -> bool:
    """Whether one encoder may become what another is: of ours, of one width, block for block."""
    return (
        isinstance(encoder, MelEncoder)
        and isinstance(source, WhisperEncoder)
        and not isinstance(source, MelEncoder)
        and (encoder.width, len(encoder.blocks)) == (source.width, len(source.blocks))
    )


@torch.no_grad()
def stand_in(encoder: MelEncoder, source: WhisperEncoder, clips: Sequence[Tensor]) -> None:
    """Give an encoder the weights with which it hears clips most as its source does.

    Args:
        encoder, source: of one width; the source has as many blocks, or more.
        clips: spectrograms (M, F); an hour of speech, of which most is what it will hear.
    """
    encoder.conv1.load_state_dict(source.conv1.state_dict())
    encoder.conv2.load_state_dict(source.conv2.state_dict())
    heard = [_begin(encoder, clips[i : i + BATCH]) for i in range(0, len(clips), BATCH)]
    for ours, theirs in zip(encoder.blocks, source.blocks, strict=False):
        assert isinstance(ours, Neighbours) and isinstance(theirs, Block)
        _gather(ours, theirs, heard)
        _perceive(ours, theirs, heard)


def _begin(encoder: MelEncoder, clips: Sequence[Tensor]) -> Heard:
    lengths = torch.tensor([clip.shape[1] for clip in clips])
    batch = pad_sequence([clip.T for clip in clips], batch_first=True).transpose(1, 2)
    x, counts = encoder.begin(batch, lengths)
    return Heard(x, x, valid(x.transpose(1, 2), counts)[:, :, None] > 0)


def _gather(ours: Neighbours, theirs: Block, heard: Sequence[Heard]) -> None:
    """Solve for what stands in for attention; both go on as after it."""
    ours.attn_ln.load_state_dict(theirs.attn_ln.state_dict())
    for clips in heard:
        clips.theirs = clips.theirs + theirs.attn(theirs.attn_ln(clips.theirs), clips.mask)
    _keep_strongest(ours, _sums(heard, lambda c: _means(ours.attn_ln(c.ours), c)))
    _put(ours.up, _sums(heard, lambda c: ours.gather(c.ours, c.mask)))
    for clips in heard:
        clips.ours = clips.ours + ours.up(ours.gather(clips.ours, clips.mask))


def _means(y: Tensor, clips: Heard) -> Tensor:
    """Means over the windows of each frame: (B, N, D) -> (B, N, windows x D)."""
    hidden = (y * clips.mask[:, 0, 0, :, None]).transpose(1, 2)
    padded, frames = F.pad(hidden, (HALF, HALF)), y.shape[1]
    parts = [(padded[..., HALF + a : HALF + b + frames], b - a + 1) for a, b in WINDOWS]
    return torch.cat([F.avg_pool1d(part, span, 1) for part, span in parts], 1).transpose(1, 2)


def _keep_strongest(ours: Neighbours, sums: Sums) -> None:
    """Keep the directions in which most is added: each one feature, of one window."""
    weight, _ = sums.solve()  # (windows x D, D)
    size, vary = weight.shape[1], sums.covariance()
    parts: list[tuple[float, tuple[int, int], Tensor]] = []
    for place, window in enumerate(WINDOWS):
        own = slice(place * size, (place + 1) * size)
        w = weight[own]
        strengths, directions = torch.linalg.eigh(w.T @ vary[own, own] @ w)
        parts += zip(strengths.tolist(), [window] * size, (w @ directions).T, strict=True)
    parts.sort(key=lambda part: -part[0])
    ours.near.weight.zero_()
    for place, (_, (first, last), row) in enumerate(parts[: ours.down.out_features]):
        ours.down.weight[place] = row / row.norm().clamp(min=1e-9)
        ours.near.weight[place, 0, HALF + first : HALF + last + 1] = 1 / (last - first + 1)


def _perceive(ours: Neighbours, theirs: Block, heard: Sequence[Heard]) -> None:
    """Keep the hidden units that add most and solve for what they add; both go on."""
    ours.mlp_ln.load_state_dict(theirs.mlp_ln.state_dict())
    first, last, into, out = (
        cast(nn.Linear, mlp[place]) for mlp in (theirs.mlp, ours.mlp) for place in (0, 2)
    )
    for clips in heard:
        clips.theirs = clips.theirs + theirs.mlp(theirs.mlp_ln(clips.theirs))
    every = _sums(heard, lambda c: F.gelu(first(ours.mlp_ln(c.ours))))
    added = every.covariance().diagonal() * last.weight.square().sum(0)
    kept = added.topk(into.out_features).indices.sort().values
    into.weight.copy_(first.weight[kept])
    into.bias.copy_(first.bias[kept])
    columns = torch.cat([kept, torch.tensor([len(first.weight)])])
    _put(out, Sums(every.square[columns][:, columns], every.right[columns]))
    for clips in heard:
        clips.ours = clips.ours + ours.mlp(ours.mlp_ln(clips.ours))


def _sums(heard: Sequence[Heard], see: Callable[[Heard], Tensor]) -> Sums:
    """Sum up what ours sees of clips (B, N, K), and what it is short of there."""
    square = right = torch.zeros(())
    for clips in heard:
        own = clips.mask[:, 0, 0]
        x, y = (_rows(x, own) for x in (see(clips), clips.missing))
        ones = _rows(x.new_ones(*own.shape, 1), own)
        x = torch.cat([x, ones], 1)
        square, right = square + (x.T @ x).double(), right + (x.T @ y).double()
    return Sums(square, right)


def _rows(x: Tensor, own: Tensor) -> Tensor:
    """Frames that are clips' own (B, N, D), and the means of clips: (N of all + B, D)."""
    count = own.sum(1, keepdim=True)
    mean = (x * own[:, :, None]).sum(1) / count
    return torch.cat([x[own], mean * (MEANS * count).sqrt()])


def _put(layer: nn.Linear, sums: Sums) -> None:
    weight, bias = sums.solve()
    layer.weight.copy_(weight.T)
    layer.bias.copy_(bias)
