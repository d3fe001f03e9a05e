"""The graph of a model file: from waveforms to probabilities, spectrogram and saliency.

B clips, T samples, F frames, M bands, C classes, G columns of the network's last feature map.

The graph begins with removal of the DC and peak normalisation, where the recipe has these audio
steps and no other comes between. `denoise`, `trim_db` and the level `loudness` are not made of
operators that a graph has; whoever uses the file applies them before
(`AudioConfig.outside_graph`). Steps that are done twice then change nothing. A clip has the same
outputs in every batch as alone.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from emelia.config import AudioConfig, Recipe
from emelia.learn.data.features import TraceableFrontEnd
from emelia.learn.model.network import Encoder, Network
from emelia.learn.training.source_space import SourceSpace

TINY = float(np.finfo(np.float32).tiny)  # a smaller peak is silence, as in `audio`


class Graph(nn.Module):
    """A trained network between its front end and the softmax."""

    def __init__(
        self,
        recipe: Recipe,
        network: Network,
        temperature: float = 1.0,
        space: SourceSpace | None = None,
    ) -> None:
        super().__init__()
        fits = isinstance(network, Encoder) and space
        self.space = Coordinates(space) if fits else None  # type: ignore[arg-type]
        self.audio, self.network, self.temperature = recipe.audio, network, temperature
        self.front_end = TraceableFrontEnd(recipe.features)
        self.eval()

    def forward(
        self, wave: Tensor, samples: Tensor, offset: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        """Compute all outputs of a model file.

        Args:
            wave: float32 (B, T) at 16 kHz; what lies past a clip's end changes nothing.
            samples: int64 (B,), at least 1 each.
            offset: float32 (B, K) or (1, K), that of the source, where the model has a space.

        Returns:
            Probabilities (B, C); the spectrogram (B, M, F) as the network saw it; saliency
            (B, C, F), what each frame adds to the logit of a class, relative to the mean of all
            classes; frames (B,); and, where the model has a space, its coordinates (B, K) without
            the offset.
        """
        wave = level(wave, samples, self.audio)
        spec, frames, silence = self.front_end(wave, samples)
        x, lengths = fit(spec, frames, silence, self.network)
        found = []
        if self.space:
            assert isinstance(self.network, Encoder)
            pooled, counts = self.network.pooled_columns(x[:, None], lengths)  # (B, D, G), (B,)
            columns = self.network.output.weight @ pooled
            found = [self.space(pooled.sum(2), self.network)]
        else:
            columns, counts = self.network.contributions(x[:, None], lengths)  # (B, C, G), (B,)
        logits = columns.sum(2) + self.network.output.bias
        if self.space and offset is not None:
            assert isinstance(self.network, Encoder)
            logits = logits - offset @ self.space.readout(self.network).T
        contrast = columns - columns.mean(1, keepdim=True)
        place = places(frames, spec.shape[2], counts, self.network)
        saliency = spread(contrast, place, frames)
        return (logits / self.temperature).softmax(1), spec, saliency, frames, *found


class Coordinates(nn.Module):
    """Where pooled features lie in a source space, and what an offset there adds to logits.

    It keeps the space as it was measured, so that fine-tuning finds it in a model file.
    """

    centre: Tensor  # (D,)
    directions: Tensor  # (K, D)
    back: Tensor  # (D, K)

    def __init__(self, space: SourceSpace) -> None:
        super().__init__()
        for name in ("centre", "directions", "back"):
            self.register_buffer(name, getattr(space, name))

    def forward(self, pooled: Tensor, network: Encoder) -> Tensor:
        """Coordinates (B, K) of standardised pooled features (B, D)."""
        return (pooled / network.scale + network.shift - self.centre) @ self.directions.T

    def readout(self, network: Encoder) -> Tensor:
        """What an offset adds to logits: (C, K)."""
        return network.output.weight @ (self.back * network.scale[:, None])


def level(wave: Tensor, samples: Tensor, audio: AudioConfig) -> Tensor:
    """Subtract the mean and divide by the peak of each clip's own samples, where asked for."""
    mask = _mask(samples, wave.shape[1])
    wave = torch.where(mask, wave, 0.0)
    if audio.dc and audio.denoise == "none" and not audio.trim_db:
        mean = wave.sum(1, keepdim=True) / samples[:, None]
        wave = torch.where(mask, wave - mean, 0.0)
    if audio.level == "peak":
        peak = wave.abs().amax(1, keepdim=True)
        wave = wave / torch.where(peak >= TINY, peak, 1.0)
    return wave


def fit(spec: Tensor, frames: Tensor, silence: Tensor, network: Network) -> tuple[Tensor, Tensor]:
    """Bring spectrograms to a size the network takes, as `loader.resize` does clip by clip.

    Returns:
        (B, M, F') and how many frames of it each clip has (B,).
    """
    mask = _mask(frames, spec.shape[2])[:, None]  # (B, 1, F)
    filling = silence[:, :, None]  # (B, M, 1)
    if network.padding == "mean":
        mean = (spec * mask).sum((1, 2)) / (frames * spec.shape[1])
        filling = mean[:, None, None].expand_as(filling)
    if network.fixed_frames:
        size = network.fixed_frames
        return interpolate(spec, frames, filling, size), torch.full_like(frames, size)
    padded = torch.where(mask, spec, filling)
    if network.min_frames > 1:  # an axis of length 0 is not understood by every runtime
        padded = torch.cat([padded, filling.expand(-1, -1, network.min_frames - 1)], 2)
    return padded, frames.clamp(min=network.min_frames)


def interpolate(spec: Tensor, frames: Tensor, filling: Tensor, size: int) -> Tensor:
    """Bring clips (B, M, F) to `size` frames: interpolated where they have more, else padded."""
    column = torch.arange(size, device=spec.device)
    place = ((column + 0.5) * (frames / size)[:, None] - 0.5).clamp(min=0)  # (B, size)
    place = torch.where(frames[:, None] > size, place, column)
    last = (frames - 1)[:, None]
    left = place.long().minimum(last)
    weight = (place - left)[:, None]  # (B, 1, size)
    mixed = _take(spec, left) * (1 - weight) + _take(spec, (left + 1).minimum(last)) * weight
    return torch.where(_mask(frames, size)[:, None], mixed, filling)


def places(frames: Tensor, longest: int, counts: Tensor, network: Network) -> Tensor:
    """The column of the last feature map that each frame belongs to (B, F)."""
    frame = torch.arange(longest, device=frames.device)[None]
    if size := network.fixed_frames:
        shrunk = (2 * frame + 1) * size // (2 * frames[:, None])  # the middle of it, in integers
        frame = torch.where(frames[:, None] > size, shrunk, frame)
    column = (frame + network.offset) // network.stride
    return column.minimum(
        counts[:, None] - 1
    )  # frames that pooling drops belong to the last column


def spread(columns: Tensor, place: Tensor, frames: Tensor) -> Tensor:
    """Divide the values (B, C, G) of columns among their frames: (B, C, F), with the same sums.

    Zero after a clip's end. Columns of the padding of a short clip have no frames and are dropped.
    """
    mask = _mask(frames, place.shape[1]).to(columns.dtype)  # (B, F)
    empty = columns.new_zeros(columns.shape[0], columns.shape[2])
    members = empty.scatter_add(1, place, mask)  # (B, G) frames of each column
    return _take(columns / members.clamp(min=1)[:, None], place) * mask[:, None]


def _mask(lengths: Tensor, longest: int) -> Tensor:
    """True for a clip's own frames or samples: (B, longest)."""
    return torch.arange(longest, device=lengths.device) < lengths[:, None]


def _take(x: Tensor, places: Tensor) -> Tensor:
    """Columns (B, P) of x (B, D, G), each clip its own: (B, D, P)."""
    return x.gather(2, places[:, None].expand(-1, x.shape[1], -1))
