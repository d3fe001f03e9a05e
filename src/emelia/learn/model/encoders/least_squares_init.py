"""Least-squares initialisation of a convolutional encoder, so that it approximates a transformer.

N frames of speech, D features, R directions, H hidden units. Block by block, on the activations of
both encoders: most of what attention adds is a linear function of a frame and of means over its
neighbours, so that function is solved for and cut to its R strongest directions; then the H hidden
units of the perceptron that add most are kept, and its output layer is solved for again. There are
no gradients and no labels. Training then starts from weights that already encode speech.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from emelia.learn.model.encoders.mel_student import KERNEL, ConvolutionBlock, MelEncoder
from emelia.learn.model.encoders.whisper import Block, WhisperEncoder
from emelia.learn.model.layers import valid

SPANS = (1, 5, KERNEL)  # frames whose means stand for what is attended to
BATCH = 8  # clips encoded at a time
RIDGE = 1e-3  # L2 penalty, as a share of the mean square of the inputs


@dataclass
class ParallelBatch:
    """The activations of one batch of clips in both encoders."""

    theirs: Tensor  # (B, N, D), of the reference
    ours: Tensor  # (B, N, D)
    mask: Tensor  # (B, 1, 1, N), True for a clip's own frames

    def own(self, x: Tensor) -> Tensor:
        """Frames of clips, without the padding: (B, N, D) -> (N of all, D)."""
        return x[self.mask[:, 0, 0]]


def can_initialise(encoder: nn.Module, reference: nn.Module) -> bool:
    """Whether the one may be initialised from the other: ours, of one width, block for block."""
    return (
        isinstance(encoder, MelEncoder)
        and isinstance(reference, WhisperEncoder)
        and not isinstance(reference, MelEncoder)
        and (encoder.width, len(encoder.blocks)) == (reference.width, len(reference.blocks))
    )


@torch.no_grad()
def initialise(encoder: MelEncoder, reference: WhisperEncoder, clips: Sequence[Tensor]) -> None:
    """Give an encoder the weights with which its frames are closest to the reference's.

    Args:
        encoder, reference: of one width; the reference has as many blocks, or more.
        clips: spectrograms (M, F): some minutes of speech like that to be encoded later.
    """
    encoder.conv1.load_state_dict(reference.conv1.state_dict())
    encoder.conv2.load_state_dict(reference.conv2.state_dict())
    batches = [_embed(encoder, clips[i : i + BATCH]) for i in range(0, len(clips), BATCH)]
    for ours, theirs in zip(encoder.blocks, reference.blocks, strict=False):
        assert isinstance(ours, ConvolutionBlock) and isinstance(theirs, Block)
        _solve_convolution(ours, theirs, batches)
        _solve_perceptron(ours, theirs, batches)


def ridge(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Weight (K, D) and bias (D,) of the ridge regression from x (N, K) to y (N, D)."""
    ones = torch.cat([x, x.new_ones(len(x), 1)], 1)
    square = (ones.T @ ones).double()
    square += RIDGE * square.diagonal().mean() * torch.eye(len(square), dtype=square.dtype)
    found = torch.linalg.solve(square, (ones.T @ y).double()).to(x.dtype)
    return found[:-1], found[-1]


def _embed(encoder: MelEncoder, clips: Sequence[Tensor]) -> ParallelBatch:
    """The input of the first block, which is the same for both encoders."""
    lengths = torch.tensor([clip.shape[1] for clip in clips])
    batch = pad_sequence([clip.T for clip in clips], batch_first=True).transpose(1, 2)
    x, counts = encoder.embed(batch, lengths)
    return ParallelBatch(x, x, valid(x.transpose(1, 2), counts)[:, :, None] > 0)


def _solve_convolution(
    ours: ConvolutionBlock, theirs: Block, batches: Sequence[ParallelBatch]
) -> None:
    """Solve for the convolution that approximates attention, and apply both to the batches."""
    ours.attn_ln.load_state_dict(theirs.attn_ln.state_dict())
    for batch in batches:
        batch.theirs = batch.theirs + theirs.attn(theirs.attn_ln(batch.theirs), batch.mask)
    means = torch.cat([_means(ours.attn_ln(batch.ours), batch) for batch in batches])
    # What is still missing, not what attention added: later blocks make up for earlier errors.
    missing = torch.cat([batch.own(batch.theirs - batch.ours) for batch in batches])
    weight, _ = ridge(means, missing)
    _keep_strongest(ours, means, weight)
    mixed = torch.cat([batch.own(ours.mix(batch.ours, batch.mask)) for batch in batches])
    _set_linear(ours.up, *ridge(mixed, missing))
    for batch in batches:
        batch.ours = batch.ours + ours.up(ours.mix(batch.ours, batch.mask))


def _means(y: Tensor, batch: ParallelBatch) -> Tensor:
    """Means around each frame over each of the spans: (B, N, D) -> (N of all, spans x D)."""
    hidden = (y * batch.mask[:, 0, 0, :, None]).transpose(1, 2)
    found = [F.avg_pool1d(hidden, span, 1, span // 2).transpose(1, 2) for span in SPANS]
    return torch.cat([batch.own(x) for x in found], 1)


def _keep_strongest(ours: ConvolutionBlock, means: Tensor, weight: Tensor) -> None:
    """Keep the directions in which most is added, each of one span.

    Args:
        means: (N, spans x D), and `weight`: (spans x D, D), their regression weights.
    """
    parts: list[tuple[float, int, Tensor]] = []
    for span, x, w in zip(SPANS, means.chunk(len(SPANS), 1), weight.chunk(len(SPANS)), strict=True):
        added = x @ w
        added = added - added.mean(0)
        strengths, directions = torch.linalg.eigh(added.T @ added)
        parts += zip(strengths.tolist(), [span] * len(w), (w @ directions).T, strict=True)
    parts.sort(key=lambda part: -part[0])
    ours.near.weight.zero_()
    for place, (_, span, row) in enumerate(parts[: ours.down.out_features]):
        ours.down.weight[place] = row / row.norm().clamp(min=1e-9)
        start = (KERNEL - span) // 2
        ours.near.weight[place, 0, start : start + span] = 1 / span


def _solve_perceptron(
    ours: ConvolutionBlock, theirs: Block, batches: Sequence[ParallelBatch]
) -> None:
    """Keep the hidden units that add most, solve for their output layer, and apply both."""
    ours.mlp_ln.load_state_dict(theirs.mlp_ln.state_dict())
    first, last, into, out = (
        cast(nn.Linear, mlp[place]) for mlp in (theirs.mlp, ours.mlp) for place in (0, 2)
    )
    for batch in batches:
        batch.theirs = batch.theirs + theirs.mlp(theirs.mlp_ln(batch.theirs))
    hidden = torch.cat([b.own(F.gelu(first(ours.mlp_ln(b.ours)))) for b in batches])
    missing = torch.cat([b.own(b.theirs - b.ours) for b in batches])
    added = hidden.var(0) * last.weight.square().sum(0)
    kept = added.topk(into.out_features).indices.sort().values
    into.weight.copy_(first.weight[kept])
    into.bias.copy_(first.bias[kept])
    _set_linear(out, *ridge(hidden[:, kept], missing))
    for batch in batches:
        batch.ours = batch.ours + ours.mlp(ours.mlp_ln(batch.ours))


def _set_linear(layer: nn.Linear, weight: Tensor, bias: Tensor) -> None:
    layer.weight.copy_(weight.T)
    layer.bias.copy_(bias)
