"""Spectrograms, padded batches of them, and what a network makes of each compared."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def clips_of(lengths: Sequence[int], bands: int = 128) -> list[Tensor]:
    """Spectrograms (M, F) as standardised ones are."""
    return [torch.randn(bands, length) for length in lengths]


def pad(clips: Sequence[Tensor], extra: int = 0, garbage: float = 3.0) -> tuple[Tensor, Tensor]:
    """A batch (B, 1, M, F) with `garbage` after each end, and the lengths (B,)."""
    lengths = torch.tensor([clip.shape[1] for clip in clips])
    bands = clips[0].shape[0]
    batch = garbage * torch.randn(len(clips), 1, bands, int(lengths.max()) + extra)
    for row, clip in zip(batch, clips, strict=True):
        row[0, :, : clip.shape[1]] = clip
    return batch, lengths


def gradients(network: nn.Module, logits: Tensor, label: int) -> tuple[Tensor, ...]:
    """Of the loss of one clip (1, C) by all parameters."""
    loss = F.cross_entropy(logits, torch.tensor([label]))
    return torch.autograd.grad(loss, list(network.parameters()), retain_graph=True)


def assert_near(ours: Sequence[Tensor], theirs: Sequence[Tensor], most: float = 1e-5) -> None:
    for a, b in zip(ours, theirs, strict=True):
        assert a.shape == b.shape
        assert (a - b).abs().max().item() <= most
