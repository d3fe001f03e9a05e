"""A trained network as a teacher: its answers for the same batches, and its frames.

The pupil learns from what the teacher says of exactly the crops, masks and mixtures it hears
itself (Beyer et al. 2022), so teacher and pupil have one front end. B clips, C classes, D
features, N frames.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from emelia.config import TrainConfig
from emelia.errors import ConfigError
from emelia.learn.layers import valid
from emelia.learn.models import Encoder, Network


class Teacher(nn.Module):
    """What is learnt from a teacher; `project` learns along with the pupil and is thrown away."""

    def __init__(self, network: Network, pupil: Network, config: TrainConfig) -> None:
        super().__init__()
        self.network = network.eval().requires_grad_(False)
        self.share, self.weight = config.teacher_share, config.imitate
        self.project: nn.Conv1d | None = None
        if self.weight:
            if not (isinstance(network, Encoder) and isinstance(pupil, Encoder)):
                raise ConfigError("train.imitate: teacher and pupil must both be encoders.")
            self.frames, rest = divmod(pupil.stride, network.stride)  # of his, to one of the pupil
            if rest or not self.frames:
                raise ConfigError(
                    f"train.imitate: a frame of the pupil, {pupil.stride} of the spectrogram, must "
                    f"be one or several of the teacher's, of {network.stride}."
                )
            self.project = nn.Conv1d(pupil.encoder.width, network.encoder.width, 1)

    def train(self, mode: bool = True) -> Teacher:
        """The teacher itself always answers as in use."""
        super().train(mode)
        self.network.eval()
        return self

    @torch.no_grad()
    def targets(self, inputs: Tensor, lengths: Tensor, targets: Tensor) -> Tensor:
        """What the pupil should answer: labels and the teacher's answers, mixed (B, C)."""
        if not self.share:
            return targets
        answers: Tensor = self.network(inputs, lengths).softmax(1)
        return (1 - self.share) * targets + self.share * answers

    def difference(self, frames: Tensor, counts: Tensor, inputs: Tensor, lengths: Tensor) -> Tensor:
        """Mean squared difference of the pupil's frames (B, D, N) from the teacher's."""
        assert self.project is not None
        wanted = self.imitated(inputs, lengths)
        found: Tensor = self.project(frames)
        mask = valid(found, counts)
        return ((found - wanted).square() * mask).sum() / (mask.sum() * found.shape[1])

    @torch.no_grad()
    def imitated(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """The teacher's frames, each standardised, averaged to as many as the pupil's (B, D, N)."""
        frames, counts = cast(Encoder, self.network).encoder(inputs.squeeze(1), lengths)
        frames = F.layer_norm(frames.transpose(1, 2), frames.shape[1:2]).transpose(1, 2)
        mask = valid(frames, counts)  # a clip's last frame may stand for fewer
        sums, heard = (
            F.avg_pool1d(x, self.frames, ceil_mode=True, count_include_pad=False)
            for x in (frames * mask, mask)
        )
        return sums / heard.clamp(min=1e-6)
