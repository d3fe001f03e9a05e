"""Our own encoder, a convolutional network initialised from the first blocks of Whisper's.

B clips, M mel bands, F spectrogram frames of 10 ms, N = F / 2 encoder frames of 20 ms, D features.
It has Whisper's two convolutions (Radford et al. 2022). Attention is replaced by R features, each
convolved over time with a kernel of its own; and its perceptrons are half as wide. So it has no
attention and half of the weights, which `least_squares_init` solves for.
"""

from __future__ import annotations

from torch import Tensor, nn

from emelia.learn.model.encoders.whisper import WhisperEncoder

KERNEL = 31  # frames of a convolution: 0.6 s


class MelEncoder(WhisperEncoder):
    """Two convolutions and some blocks, each a convolution and a perceptron."""

    def __init__(self, bands: int, width: int, blocks: int) -> None:
        super().__init__(bands, width, 1, 0)
        mixed, hidden = 5 * width // 12, 23 * width // 12  # two blocks of 384: 1.93 M weights
        self.blocks = nn.ModuleList(ConvolutionBlock(width, mixed, hidden) for _ in range(blocks))


class ConvolutionBlock(nn.Module):
    """A depthwise convolution and a perceptron of two layers, each added to its input.

    Its parameters have the names of Whisper's where they do the same, `attn_ln` for one.
    """

    def __init__(self, width: int, mixed: int, hidden: int) -> None:
        """`mixed` is R, the number of features that are convolved."""
        super().__init__()
        self.attn_ln = nn.LayerNorm(width)
        self.down = nn.Linear(width, mixed, bias=False)
        self.near = nn.Conv1d(mixed, mixed, KERNEL, padding=KERNEL // 2, groups=mixed, bias=False)
        self.up = nn.Linear(mixed, width)
        self.mlp = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))
        self.mlp_ln = nn.LayerNorm(width)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(B, N, D) to (B, N, D); `mask` (B, 1, 1, N) is True for a clip's own frames."""
        x = x + self.up(self.mix(x, mask))
        y: Tensor = x + self.mlp(self.mlp_ln(x))
        return y

    def mix(self, x: Tensor, mask: Tensor) -> Tensor:
        """R features of each frame, convolved over its neighbours: (B, N, D) -> (B, N, R)."""
        y = self.down(self.attn_ln(x)) * mask[:, 0, 0, :, None]
        found: Tensor = self.near(y.transpose(1, 2)).transpose(1, 2)
        return found
