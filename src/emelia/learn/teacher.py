"""A trained network as a teacher: its answers for the training clips, and its frames.

The teacher hears each clip once, whole and unmasked; the pupil hears a piece of it with parts
hidden and learns what the teacher heard there. So the teacher costs one pass, not one an epoch.
Both have one front end. B clips, C classes, D features, N frames.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from emelia.config import TrainConfig
from emelia.errors import ConfigError
from emelia.learn.data import Array, Clip, evaluation_batches
from emelia.learn.layers import statistics, valid
from emelia.learn.models import Encoder, Network
from emelia.learn.probe import SMALL, fingerprint, remembered

FORMAT = 2  # of cached frames; raised when what is computed from the same teacher changes
Half = NDArray[np.float16]


class Imitation(nn.Module):
    """From a pupil's frames to the teacher's, and from their statistics to those of the teacher's.

    What the best guess of a frame is varies less than the frame. Held to the teacher's deviations
    itself it would have to guess worse, so these are told by a layer of their own.
    """

    def __init__(self, pupil: int, teacher: int) -> None:
        super().__init__()
        self.frames = nn.Conv1d(pupil, teacher, 1)
        self.statistics = nn.Linear(2 * teacher, 2 * teacher)
        nn.init.eye_(self.statistics.weight)
        nn.init.zeros_(self.statistics.bias)

    def forward(self, frames: Tensor) -> Tensor:
        """(B, D of the pupil, N) to (B, D of the teacher, N)."""
        found: Tensor = self.frames(frames)
        return found


class Teacher(nn.Module):
    """What is learnt from a teacher; `project` learns along with the pupil and is thrown away."""

    spread: Tensor  # (2D,) how far clips differ in mean and deviation of standardised frames

    def __init__(self, network: Network, pupil: Network, config: TrainConfig) -> None:
        super().__init__()
        self.network = network.eval().requires_grad_(False)
        self.share, self.weight = config.teacher_share, config.imitate
        self.project: Imitation | None = None
        if self.weight:
            if not (isinstance(network, Encoder) and isinstance(pupil, Encoder)):
                raise ConfigError("train.imitate: teacher and pupil must both be encoders.")
            if network.stride != pupil.stride:
                raise ConfigError(
                    f"train.imitate: a frame of the pupil, {pupil.stride} of the spectrogram, must "
                    f"be as long as the teacher's, {network.stride}."
                )
            width = network.encoder.width
            self.project = Imitation(pupil.encoder.width, width)
            self.register_buffer("spread", torch.ones(2 * width), persistent=False)

    def train(self, mode: bool = True) -> Teacher:
        """The teacher itself always answers as in use."""
        super().train(mode)
        self.network.eval()
        return self

    @torch.no_grad()
    def teach(self, clips: Sequence[Clip]) -> list[Clip]:
        """The clips with what is to be learnt of each: soft labels (C,) and frames (N, D)."""
        found = list(clips)
        if self.share:
            for place, answers in self._answers(clips):
                label = np.eye(len(answers), dtype=np.float32)[clips[place].label]
                target = (1 - self.share) * label + self.share * answers
                found[place] = replace(found[place], target=target)
        if self.project:
            frames = self._standardised(self._heard(clips))
            stride = self.network.stride
            found = [
                replace(clip, frames=x, stride=stride)
                for clip, x in zip(found, frames, strict=True)
            ]
        return found

    def difference(self, frames: Tensor, counts: Tensor, wanted: Tensor) -> Tensor:
        """How far the pupil's frames (B, D, N) are from the teacher's, and their statistics too.

        Both are mean squares of what is standardised. Without the second, what a frame says of
        its phoneme outweighs what all of them together say of the voice.
        """
        assert self.project is not None
        found = self.project(frames)
        mask = valid(found, counts)
        frame = ((found - wanted).square() * mask).sum() / (mask.sum() * found.shape[1])
        told = self.project.statistics(statistics(found, counts))
        apart = (told - statistics(wanted, counts)) / self.spread  # (B, 2D)
        loss: Tensor = frame + apart.square().mean()
        return loss

    def _answers(self, clips: Sequence[Clip]) -> Iterator[tuple[int, Array]]:
        for places, inputs, lengths in self._batches(clips):
            answers = self.network(inputs, lengths).softmax(1).cpu().numpy()
            yield from zip(places, answers, strict=True)

    def _heard(self, clips: Sequence[Clip]) -> list[Half]:
        """The teacher's frames for each clip (N, D); kept in the cache."""
        encoder = cast(Encoder, self.network).encoder

        def compute(missing: Sequence[Clip]) -> Iterator[tuple[int, Half]]:
            for places, inputs, lengths in self._batches(missing):
                frames, counts = encoder(inputs.squeeze(1), lengths)
                for row, count, place in zip(frames, counts.tolist(), places, strict=True):
                    yield place, row[:, :count].T.half().cpu().numpy()

        return remembered("frames", (FORMAT, fingerprint(encoder)), clips, compute)

    def _standardised(self, clips: Sequence[Half]) -> list[Half]:
        """Frames with mean 0 and deviation 1 over all clips; their statistics' spread is kept."""
        total = sum(len(x) for x in clips)
        mean = sum(x.sum(0, dtype=np.float64) for x in clips) / total
        square = sum(np.square(x - mean).sum(0) for x in clips) / total
        scale = 1 / (np.sqrt(square) + SMALL)
        found = [((x - mean) * scale).astype(np.float16) for x in clips]
        means = np.stack([x.mean(0, dtype=np.float32) for x in found])
        deviations = np.stack([x.std(0, dtype=np.float32) for x in found])
        spread = np.concatenate([means.std(0), deviations.std(0)]) + SMALL
        self.spread = torch.from_numpy(spread).to(self.spread)
        return found

    def _batches(self, clips: Sequence[Clip]) -> Iterator[tuple[list[int], Tensor, Tensor]]:
        network = self.network
        device = next(network.parameters()).device
        for places, batch in evaluation_batches(clips, network, network.output.out_features):
            yield places, batch.inputs.to(device), batch.lengths.to(device)
