"""Our own encoder: a convolutional network that begins with what Whisper learnt, to be taught.

B clips, M mel bands, F spectrogram frames of 10 ms, N = F / 2 encoder frames of 20 ms, D features.
Whisper's two convolutions and its first perceptrons stay as they are (Radford et al. 2022). In
place of attention a convolution of each feature over its neighbours gathers what is around a
frame, and one matrix does what values and output did. So it has no attention, a fraction of the
weights, and much of the hearing.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from emelia.learn.encoders.whisper import WhisperEncoder

AROUND = 31  # frames that are gathered: 0.6 s


class MelEncoder(WhisperEncoder):
    """Two convolutions and some blocks, each a convolution and a perceptron."""

    def __init__(self, bands: int, width: int, blocks: int) -> None:
        super().__init__(bands, width, 1, 0)
        self.blocks = nn.ModuleList(Neighbours(width) for _ in range(blocks))


class Neighbours(nn.Module):
    """A convolution over neighbours and a perceptron of two layers, each added to what came in."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.near = nn.Conv1d(width, width, AROUND, padding=AROUND // 2, groups=width, bias=False)
        self.mix = nn.Linear(width, width)
        self.attn_ln = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )
        self.mlp_ln = nn.LayerNorm(width)
        nn.init.constant_(self.near.weight, 1 / AROUND)  # the mean over all of them

    def forward(self, x: Tensor, heard: Tensor) -> Tensor:
        """Features (B, N, D) to such; `heard` (B, 1, 1, N) tells a clip's own frames."""
        y = self.attn_ln(x) * heard[:, 0, 0, :, None]
        x = x + self.mix(self.near(y.transpose(1, 2)).transpose(1, 2))
        z: Tensor = x + self.mlp(self.mlp_ln(x))
        return z


def inherited(weights: Mapping[str, Tensor], encoder: MelEncoder) -> dict[str, Tensor]:
    """Weights for an encoder, from those of Whisper's; what Whisper lacks stays as it is."""
    found = {}
    for name, own in encoder.state_dict().items():
        block, _, part = name.rpartition(".mix.")
        if block:
            out, value = (weights[f"{block}.attn.{layer}.{part}"] for layer in ("out", "value"))
            first = weights[f"{block}.attn.out.weight"].float()
            found[name] = first @ value.float() + (out.float() if part == "bias" else 0)
        else:
            found[name] = weights.get(name, own).float()
    return found
