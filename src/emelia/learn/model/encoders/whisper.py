"""Whisper's encoder (Radford et al. 2022), cut after a block, for clips of any length.

B clips, M = 80 mel bands, F spectrogram frames of 10 ms, N = F / 2 encoder frames of 20 ms,
D features. Parameters have OpenAI's names. Clips are not padded to 30 s: frames past a clip's
end are hidden from convolutions and attention, so every clip has the features it has alone.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from emelia.learn.model.layers import halve, hide, valid

POSITIONS = 10_000.0  # longest time scale of the sinusoids, in frames


class WhisperEncoder(nn.Module):
    """Two convolutions and some transformer blocks."""

    stride, offset = 2, 1  # spectrogram frames to an encoder frame; by which the first begins early
    min_frames = 1

    def __init__(self, bands: int, width: int, heads: int, blocks: int) -> None:
        super().__init__()
        self.width = width
        self.conv1 = nn.Conv1d(bands, width, 3, padding=1)
        self.conv2 = nn.Conv1d(width, width, 3, stride=2, padding=1)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(blocks))

    def forward(self, x: Tensor, lengths: Tensor, position: int = 0) -> tuple[Tensor, Tensor]:
        """Features after the last block.

        Args:
            x: (B, M, F) in Whisper's scale, and `lengths` (B,), frames of each clip.
            position: encoder frames before the first of these, where clips are crops.

        Returns:
            (B, D, N), and encoder frames of each clip (B,).
        """
        layers, lengths = self.hidden_states(x, lengths, position)
        return layers[-1], lengths

    def layers(self) -> list[nn.Module]:
        """What comes before the first block, as one module, and the blocks."""
        return [nn.ModuleList([self.conv1, self.conv2]), *self.blocks]

    def hidden_states(
        self, x: Tensor, lengths: Tensor, position: int = 0
    ) -> tuple[list[Tensor], Tensor]:
        """Features (B, D, N) before the first block and after each, and frames of each clip."""
        x, lengths = self.embed(x, lengths, position)
        mask = valid(x.transpose(1, 2), lengths)[:, :, None] > 0  # (B, 1, 1, N)
        found = [x]
        for block in self.blocks:
            found.append(block(found[-1], mask))
        return [y.transpose(1, 2) for y in found], lengths

    def embed(self, x: Tensor, lengths: Tensor, position: int = 0) -> tuple[Tensor, Tensor]:
        """The input of the first block: (B, M, F) -> (B, N, D), and the frames of each clip."""
        x = hide(F.gelu(self.conv1(hide(x, lengths))), lengths)
        x = F.gelu(self.conv2(x)).transpose(1, 2)  # (B, D, N) -> (B, N, D)
        return x + sinusoids(x.shape[1], self.width, position).to(x), halve(lengths)


class Block(nn.Module):
    """Self-attention and a perceptron of two layers, each added to its input."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attn = Attention(width, heads)
        self.attn_ln = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )
        self.mlp_ln = nn.LayerNorm(width)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        x = x + self.attn(self.attn_ln(x), mask)  # (B, N, D)
        y: Tensor = x + self.mlp(self.mlp_ln(x))
        return y


class Attention(nn.Module):
    """Multi-head self-attention among a clip's own frames; keys have no bias."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width, bias=False)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        query, key, value = (self._split(f(x)) for f in (self.query, self.key, self.value))
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        y: Tensor = self.out(mixed.transpose(1, 2).flatten(2))  # (B, H, N, D/H) -> (B, N, D)
        return y

    def _split(self, x: Tensor) -> Tensor:
        batch, frames, width = x.shape
        split = x.view(batch, frames, self.heads, width // self.heads)
        return split.transpose(1, 2)  # (B, N, D) -> (B, H, N, D/H)


def sinusoids(frames: int, width: int, position: int = 0) -> Tensor:
    """Positional embeddings (N, D): sines, then cosines, of geometrically spaced time scales."""
    half = width // 2
    scale = torch.exp(-math.log(POSITIONS) / (half - 1) * torch.arange(half))
    angle = torch.arange(position, position + frames)[:, None] * scale
    return torch.cat([angle.sin(), angle.cos()], 1)
