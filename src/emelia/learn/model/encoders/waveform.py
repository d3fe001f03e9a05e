"""Encoders of waveforms: wav2vec 2.0, HuBERT, WavLM and data2vec, made of transformers' parts.

B clips, T samples at 16 kHz, N encoder frames (25 ms every 20 ms in the published models),
D features. The parts are put together here and not by transformers, where a batch changes a
clip: padding counts in the group norm of wav2vec2-base and its kin, and leaks through the
positions of data2vec. Here that norm is over a clip's own frames, and what lies past its end is
hidden from all other layers, so every clip has the features it has alone. Left out are what
only pre-training needs (masked frames, dropped layers, quantiser) and the layer norm after the
last block of some models, since one that is cut has none. Dropout is as in pre-training.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from emelia.errors import MissingExtraError
from emelia.learn.model.layers import hide, valid
from emelia.packages import package

FAMILIES = ("wav2vec2", "hubert", "wavlm", "data2vec-audio")  # model_type in config.json
# Names of parameters in their files, and here.
NAMES = {
    "feature_extractor.conv_layers.": "convolutions.",
    "feature_projection.": "projection.",
    "encoder.pos_conv_embed.": "positions.",
    "encoder.layer_norm.": "norm.",
    "encoder.layers.": "blocks.",
    "conv.weight_g": "conv.parametrizations.weight.original0",  # before torch 2.1
    "conv.weight_v": "conv.parametrizations.weight.original1",
}


class WaveEncoder(nn.Module):
    """Convolutions, positions and some transformer blocks, of random weights.

    Attributes:
        stride: samples to an encoder frame.
        offset: samples by which the first frame begins before the clip.
        min_frames: samples a clip has at least; shorter ones are padded with zeros.
    """

    offset = 0

    def __init__(self, config: Any, blocks: int) -> None:
        """Build the first `blocks` of what a transformers configuration describes."""
        super().__init__()
        config.num_hidden_layers, config.add_adapter = blocks, False
        model = _transformers().AutoModel.from_config(config, trust_remote_code=False)
        self.width: int = config.hidden_size
        self.stride = math.prod(config.conv_stride)
        self.convolutions = model.feature_extractor.conv_layers
        self.projection = model.feature_projection
        self.positions = model.encoder.pos_conv_embed
        # Where blocks normalise what comes in, this norm would follow the last one.
        before = getattr(config, "do_stable_layer_norm", False)
        self.norm = nn.Identity() if before else model.encoder.layer_norm
        self.dropout = model.encoder.dropout
        self.blocks: nn.ModuleList = model.encoder.layers
        self.relative = config.model_type == "wavlm"  # positions also in attention
        self.min_frames = 1
        for kernel, stride in zip(config.conv_kernel[::-1], config.conv_stride[::-1], strict=True):
            self.min_frames = (self.min_frames - 1) * stride + kernel

    def forward(self, x: Tensor, lengths: Tensor, position: int = 0) -> tuple[Tensor, Tensor]:
        """Features after the last block.

        Args:
            x: (B, 1, T) waveforms in the scale of the front end, and `lengths` (B,), samples
                of each clip.
            position: changes nothing, as positions are computed from the frames.

        Returns:
            (B, D, N), and encoder frames of each clip (B,).
        """
        layers, lengths = self.hidden_states(x, lengths, position)
        return layers[-1], lengths

    def layers(self) -> list[nn.Module]:
        """What comes before the first block, as one module, and the blocks."""
        before = [self.convolutions, self.projection, self.positions, self.norm]
        return [nn.ModuleList(before), *self.blocks]

    def hidden_states(
        self, x: Tensor, lengths: Tensor, position: int = 0
    ) -> tuple[list[Tensor], Tensor]:
        """Features (B, D, N) before the first block and after each, and frames of each clip."""
        x, lengths = self.convolve(x, lengths)
        x = x + self.embed_positions(x, lengths)
        found = [self.dropout(self.norm(x.transpose(1, 2)))]  # (B, D, N) -> (B, N, D)
        mask = valid(x, lengths)[:, 0]  # (B, N)
        through = self._through_relative if self.relative else self._through
        found += through(found[0], mask)
        return [y.transpose(1, 2) for y in found], lengths

    def convolve(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Waveforms (B, 1, T) to frames (B, D, N) one by one, and the frames of each clip."""
        for layer in self.convolutions:
            lengths = shorten(lengths, layer.conv)
            norm = getattr(layer, "layer_norm", None)
            if isinstance(norm, nn.GroupNorm):
                x = layer.activation(normalise(layer.conv(x), lengths, norm))
            else:
                x = layer(x)  # without padding, and any norm is over the features of a frame
        projected = self.projection(x.transpose(1, 2))
        y: Tensor = projected[0] if isinstance(projected, tuple) else projected
        return hide(y.transpose(1, 2), lengths), lengths

    def embed_positions(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Positional embeddings (B, D, N), by wide convolutions over the frames (B, D, N)."""
        if hasattr(self.positions, "layers"):  # data2vec
            for layer in self.positions.layers:
                x = hide(layer(x), lengths)
            return x
        norm = getattr(self.positions, "batch_norm", None)
        if norm is not None:  # some HuBERT; its statistics stay those of the pre-training
            x = F.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias)
            x = hide(x, lengths)
        y: Tensor = self.positions.activation(self.positions.padding(self.positions.conv(x)))
        return y

    def _through(self, x: Tensor, mask: Tensor) -> list[Tensor]:
        """The output of each block for x (B, N, D) and a mask (B, N), 0 past a clip's end."""
        scores = torch.zeros_like(mask).masked_fill(mask == 0, torch.finfo(x.dtype).min)
        found = []
        for block in self.blocks:
            x = block(x, attention_mask=scores[:, None, None])
            found.append(x)
        return found

    def _through_relative(self, x: Tensor, mask: Tensor) -> list[Tensor]:
        """The same in WavLM, whose blocks share the relative position bias of the first."""
        bias, found = None, []
        with warnings.catch_warnings():
            # transformers masks in two types at once, which torch has deprecated.
            warnings.filterwarnings("ignore", "Support for mismatched key_padding_mask")
            for block in self.blocks:
                x, bias = block(x, attention_mask=mask, position_bias=bias)
                found.append(x)
        return found


def normalise(x: Tensor, lengths: Tensor, norm: nn.GroupNorm) -> Tensor:
    """Group norm of one channel to a group, over each clip's own frames of x (B, D, N)."""
    mask, count = valid(x, lengths), lengths[:, None, None]
    x = x - (x * mask).sum(2, keepdim=True) / count
    variance = (x * mask).square().sum(2, keepdim=True) / count
    return x * (variance + norm.eps).rsqrt() * norm.weight[:, None] + norm.bias[:, None]


def shorten(lengths: Tensor, convolution: nn.Conv1d) -> Tensor:
    """Frames left by a convolution without padding."""
    return (lengths - convolution.kernel_size[0]) // convolution.stride[0] + 1


def configuration(values: dict[str, Any]) -> Any:
    """The transformers configuration that a config.json of one of `FAMILIES` stands for.

    Raises:
        MissingExtraError: transformers is not installed.
    """
    return _transformers().CONFIG_MAPPING[values["model_type"]].from_dict(values)


def _transformers() -> Any:
    try:
        return package("transformers")
    except ImportError:
        raise MissingExtraError("an encoder of waveforms", "transformers", "transfer") from None
