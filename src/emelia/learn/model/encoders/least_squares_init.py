"""What a convolutional encoder must be to stand in for one with attention: least squares.

N frames of speech, D features, R gathered, H hidden. Block by block, on what the encoder itself
hears by then: of what attention adds, most is a linear function of the frame and of means over
its neighbours, so that is solved for and cut to its R strongest directions; then the hidden units
that matter most are kept and the way out of them is solved anew. No gradient, no labels; training
then begins with an encoder that hears.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from emelia.learn.model.encoders.mel_student import AROUND, MelEncoder, Neighbours
from emelia.learn.model.encoders.whisper import Block, WhisperEncoder
from emelia.learn.model.layers import valid
from emelia.learn.model.least_squares import ridge

SPANS = (1, 5, AROUND)  # frames whose means stand for what is attended to
BATCH = 8  # clips heard at a time


@dataclass
class Heard:
    """A batch on its way through both encoders, side by side."""

    theirs: Tensor  # (B, N, D)
    ours: Tensor  # (B, N, D)
    mask: Tensor  # (B, 1, 1, N) a clip's own frames

    def own(self, x: Tensor) -> Tensor:
        """Frames of clips, without those past their ends: (B, N, D) -> (N of all, D)."""
        return x[self.mask[:, 0, 0]]


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
        clips: spectrograms (M, F); some minutes of speech, of which most is what it will hear.
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
    around = [_means(ours.attn_ln(clips.ours), clips) for clips in heard]
    missing = torch.cat([clips.own(clips.theirs - clips.ours) for clips in heard])
    every = torch.cat(around)
    weight, _ = ridge(every, missing)
    _keep_strongest(ours, every, weight)
    gathered = torch.cat([c.own(ours.gather(c.ours, c.mask)) for c in heard])
    _put(ours.up, *ridge(gathered, missing))
    for clips in heard:
        clips.ours = clips.ours + ours.up(ours.gather(clips.ours, clips.mask))


def _means(y: Tensor, clips: Heard) -> Tensor:
    """Means around each frame over each of the spans: (B, N, D) -> (N of all, spans x D)."""
    hidden = (y * clips.mask[:, 0, 0, :, None]).transpose(1, 2)
    found = [F.avg_pool1d(hidden, span, 1, span // 2).transpose(1, 2) for span in SPANS]
    return torch.cat([clips.own(x) for x in found], 1)


def _keep_strongest(ours: Neighbours, around: Tensor, weight: Tensor) -> None:
    """Keep the directions in which most is added: each one feature, of one span.

    Args:
        around: (N, spans x D), and `weight`: (spans x D, D), what of it is added.
    """
    parts: list[tuple[float, int, Tensor]] = []
    for span, x, w in zip(
        SPANS, around.chunk(len(SPANS), 1), weight.chunk(len(SPANS)), strict=True
    ):
        added = x @ w
        added = added - added.mean(0)
        strengths, directions = torch.linalg.eigh(added.T @ added)
        parts += zip(strengths.tolist(), [span] * len(w), (w @ directions).T, strict=True)
    parts.sort(key=lambda part: -part[0])
    ours.near.weight.zero_()
    for place, (_, span, row) in enumerate(parts[: ours.down.out_features]):
        ours.down.weight[place] = row / row.norm().clamp(min=1e-9)
        start = (AROUND - span) // 2
        ours.near.weight[place, 0, start : start + span] = 1 / span


def _perceive(ours: Neighbours, theirs: Block, heard: Sequence[Heard]) -> None:
    """Keep the hidden units that add most and solve for what they add; both go on."""
    ours.mlp_ln.load_state_dict(theirs.mlp_ln.state_dict())
    first, last, into, out = (
        cast(nn.Linear, mlp[place]) for mlp in (theirs.mlp, ours.mlp) for place in (0, 2)
    )
    for clips in heard:
        clips.theirs = clips.theirs + theirs.mlp(theirs.mlp_ln(clips.theirs))
    hidden = torch.cat([c.own(F.gelu(first(ours.mlp_ln(c.ours)))) for c in heard])
    missing = torch.cat([c.own(c.theirs - c.ours) for c in heard])
    added = hidden.var(0) * last.weight.square().sum(0)
    kept = added.topk(into.out_features).indices.sort().values
    into.weight.copy_(first.weight[kept])
    into.bias.copy_(first.bias[kept])
    _put(out, *ridge(hidden[:, kept], missing))
    for clips in heard:
        clips.ours = clips.ours + ours.mlp(ours.mlp_ln(clips.ours))


def _put(layer: nn.Linear, weight: Tensor, bias: Tensor) -> None:
    layer.weight.copy_(weight.T)
    layer.bias.copy_(bias)
