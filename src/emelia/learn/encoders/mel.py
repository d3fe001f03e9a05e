"""Our own encoder: a small convolutional network that can be taught by a large one.

B clips, M mel bands, F frames of 10 ms, N = F / 4 encoder frames of 40 ms, D features. Two
dimensions where bands are near each other in meaning, one afterwards, with dilation for reach
and squeeze-and-excitation (Hu et al. 2018), through which each frame hears of the whole clip.
"""

from __future__ import annotations

from torch import Tensor, nn

from emelia.learn.layers import MaskedBatchNorm, Residual, halve, hide, statistics

STEM = (32, 48, 64)  # channels of the two-dimensional part


class MelEncoder(nn.Module):
    """A stem in two dimensions and residual blocks in one."""

    stride, offset = 4, 2  # spectrogram frames to an encoder frame; by which the first begins early
    min_frames = 1

    def __init__(self, bands: int, width: int, blocks: int) -> None:
        super().__init__()
        self.width = width
        one, two, three = STEM
        self.stem = nn.Conv2d(1, one, 3, stride=2, padding=1, bias=False)
        self.norm = MaskedBatchNorm(one)
        self.planes = nn.ModuleList([Residual(one, two, (2, 2)), Residual(two, three, (2, 1))])
        self.flat = nn.Conv1d(three * -(-bands // 8), width, 1)
        self.blocks = nn.ModuleList(Line(width, 1 + depth) for depth in range(blocks))

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Features after the last block.

        Args:
            x: (B, M, F), and `lengths` (B,), frames of each clip.

        Returns:
            (B, D, N), and encoder frames of each clip (B,).
        """
        levels, lengths = self.each(x, lengths)
        return levels[-1], lengths

    def each(self, x: Tensor, lengths: Tensor) -> tuple[list[Tensor], Tensor]:
        """Features (B, D, N) before the first block and after each, and frames of each clip."""
        y = hide(x[:, None], lengths)  # (B, 1, M, F)
        lengths = halve(lengths)
        y = hide(self.norm(self.stem(y), lengths).relu(), lengths)  # (B, 32, M/2, F/2)
        for plane in self.planes:
            y, lengths = plane(y, lengths)  # (B, 48, M/4, F/4), (B, 64, M/8, F/4)
        found = [hide(self.flat(y.flatten(1, 2)), lengths)]  # (B, D, F/4)
        for block in self.blocks:
            found.append(block(found[-1], lengths))
        return found, lengths

    def layers(self) -> list[nn.Module]:
        """What comes before the first block, and the blocks."""
        return [nn.ModuleList([self.stem, self.norm, self.planes, self.flat]), *self.blocks]


class Line(nn.Module):
    """A dilated convolution over time between two that mix features; what came in is added."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.mix = nn.Conv1d(width, width, 1, bias=False)
        self.reach = nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation, bias=False)
        self.out = nn.Conv1d(width, width, 1, bias=False)
        self.norms = nn.ModuleList(MaskedBatchNorm(width) for _ in range(3))
        self.squeeze = nn.Linear(2 * width, width // 4)
        self.excite = nn.Linear(width // 4, width)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        y = hide(self._norm(0, self.mix(x), lengths).relu(), lengths)  # (B, D, N)
        y = hide(self._norm(1, self.reach(y), lengths).relu(), lengths)
        y = self._norm(2, self.out(y), lengths)
        gate = self.excite(self.squeeze(statistics(y, lengths)).relu())  # (B, D)
        return hide(x + y * gate.sigmoid()[:, :, None], lengths)

    def _norm(self, number: int, x: Tensor, lengths: Tensor) -> Tensor:
        normed: Tensor = self.norms[number](x[:, :, None], lengths)
        return normed.squeeze(2)
