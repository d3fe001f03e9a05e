"""Our own encoder: a convolutional network that stands in for the first blocks of Whisper's.

B clips, M mel bands, F spectrogram frames of 10 ms, N = F / 2 encoder frames of 20 ms, D features.
It has Whisper's two convolutions (Radford et al. 2022). What attention would gather, R features of
a frame and its neighbours do, each through a kernel of its own; and its perceptrons are half as
wide. So it has no attention and half of the weights, and `standing_in` solves for them.
"""

from __future__ import annotations

from torch import Tensor, nn

from emelia.learn.model.encoders.whisper import WhisperEncoder

AROUND = 31  # frames that are gathered: 0.6 s


class MelEncoder(WhisperEncoder):
    """Two convolutions and some blocks, each a convolution and a perceptron."""

    def __init__(self, bands: int, width: int, blocks: int) -> None:
        super().__init__(bands, width, 1, 0)
        gathered, hidden = 5 * width // 12, 23 * width // 12  # two blocks of 384: 1.93 M weights
        self.blocks = nn.ModuleList(Neighbours(width, gathered, hidden) for _ in range(blocks))


class Neighbours(nn.Module):
    """A convolution over neighbours and a perceptron of two layers, each added to what came in."""

    def __init__(self, width: int, gathered: int, hidden: int) -> None:
        super().__init__()
        self.attn_ln = nn.LayerNorm(width)
        self.down = nn.Linear(width, gathered, bias=False)
        self.near = nn.Conv1d(
            gathered, gathered, AROUND, padding=AROUND // 2, groups=gathered, bias=False
        )
        self.up = nn.Linear(gathered, width)
        self.mlp = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))
        self.mlp_ln = nn.LayerNorm(width)

    def forward(self, x: Tensor, heard: Tensor) -> Tensor:
        """Features (B, N, D) to such; `heard` (B, 1, 1, N) tells a clip's own frames."""
        x = x + self.up(self.gather(x, heard))
        y: Tensor = x + self.mlp(self.mlp_ln(x))
        return y

    def gather(self, x: Tensor, heard: Tensor) -> Tensor:
        """What is around each frame: (B, N, D) -> (B, N, R)."""
        y = self.down(self.attn_ln(x)) * heard[:, 0, 0, :, None]
        found: Tensor = self.near(y.transpose(1, 2)).transpose(1, 2)
        return found
