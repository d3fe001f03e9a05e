"""Knowledge distillation: soft labels of a trained network, and frames of a teacher's encoder.

Soft labels are for whole clips, so a teacher answers each clip once. Frames are compared in every
batch, on the very crop, with the same masks, that the student gets. B clips, C classes, D features,
N frames.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from emelia.config import Recipe, TrainConfig
from emelia.errors import ConfigError
from emelia.learn.data.loader import Clip, evaluation_batches, in_windows
from emelia.learn.model.encoders import load_reference
from emelia.learn.model.encoders.hub import HubEncoder
from emelia.learn.model.encoders.least_squares_init import can_initialise, ridge
from emelia.learn.model.layers import statistics, valid
from emelia.learn.model.network import Encoder, Network
from emelia.learn.training.inference import predict
from emelia.learn.training.runs import Run

SAMPLE = 200  # clips by which frames are standardised
SMALL = 1e-3  # added to deviations, so that a constant feature is not blown up


class FeatureProjection(nn.Module):
    """Linear maps from a student's frames, and from their statistics, to the teacher's.

    The best prediction of a frame varies less than the frame itself. If its deviation had to equal
    the teacher's, frames would have to be predicted worse, so the statistics have a layer of their
    own. The layer of the frames is solved for before training: a random one would pull the student
    in a random direction.
    """

    begun: Tensor  # whether the layer of the frames was solved for; checkpoints have this name

    def __init__(self, student: int, teacher: int) -> None:
        """`student` and `teacher` are the numbers of features D."""
        super().__init__()
        self.frames = nn.Conv1d(student, teacher, 1)
        self.statistics = nn.Linear(2 * teacher, 2 * teacher)
        nn.init.eye_(self.statistics.weight)
        nn.init.zeros_(self.statistics.bias)
        self.register_buffer("begun", torch.tensor(False))

    @torch.no_grad()
    def solve(self, frames: Tensor, wanted: Tensor) -> None:
        """Map a student's frames (N, D) to the teacher's (N, D') by least squares."""
        weight, bias = ridge(frames, wanted)
        self.frames.weight.copy_(weight.T[:, :, None])
        cast(Tensor, self.frames.bias).copy_(bias)
        self.begun.fill_(True)

    def forward(self, frames: Tensor) -> Tensor:
        """(B, D of the student, N) to (B, D of the teacher, N)."""
        found: Tensor = self.frames(frames)
        return found


class Teacher(nn.Module):
    """What a student is distilled from; `project` is trained with the student and thrown away.

    An encoder with a reference encoder needs no projection: its frames are to be the same.
    """

    mean: Tensor  # (D,) of the teacher's frames
    scale: Tensor  # (D,) one over their deviation
    spread: Tensor  # (2D,) deviation over clips of the mean and deviation of standardised frames

    def __init__(
        self,
        student: Network,
        config: TrainConfig,
        network: Network | None = None,
        encoder: HubEncoder | None = None,
        jitter: int = 0,
    ) -> None:
        """Freeze the teacher and see that it fits the student.

        Args:
            network: gives soft labels.
            encoder: gives frames; the network's own encoder where it is left out.
            jitter: encoder frames by which the positions of a batch may be moved.

        Raises:
            ConfigError: frames are distilled, but teacher or student has no encoder, or their
                frames are of different lengths.
        """
        super().__init__()
        if encoder is None and isinstance(network, Encoder):
            encoder = network.encoder
        self.network, self.encoder, self.jitter = network, encoder, jitter
        self.alpha = config.distill_alpha if network else 0.0
        self.feature_weight = config.feature_distill
        self.project: FeatureProjection | None = None
        for part in filter(None, (network, encoder)):
            part.eval().requires_grad_(False)
        if self.feature_weight:
            self._prepare_features(student)

    def _prepare_features(self, student: Network) -> None:
        if self.encoder is None or not isinstance(student, Encoder):
            raise ConfigError("train.feature_distill: teacher and student must both be encoders.")
        if self.encoder.stride != student.stride:
            raise ConfigError(
                f"train.feature_distill: a frame of the student, {student.stride} of the "
                f"spectrogram, must be as long as the teacher's, {self.encoder.stride}."
            )
        width = self.encoder.width
        if self.network and not can_initialise(student.encoder, self.encoder):
            self.project = FeatureProjection(student.encoder.width, width)
        for name, size in (("mean", width), ("scale", width), ("spread", 2 * width)):
            self.register_buffer(name, torch.ones(size), persistent=False)

    def train(self, mode: bool = True) -> Teacher:
        """Switch only the projection: a teacher always answers as in evaluation."""
        super().train(mode)
        for part in filter(None, (self.network, self.encoder)):
            part.eval()
        return self

    @torch.no_grad()
    def label(self, clips: Sequence[Clip], student: Network) -> list[Clip]:
        """The clips with soft labels (C,): a mix of the label and the teacher's probabilities.

        Where frames are distilled, these clips also decide how they are standardised.
        """
        if self.feature_weight:
            self._standardise(clips[:: max(1, len(clips) // SAMPLE)], student)
        if not self.alpha or self.network is None:
            return list(clips)
        found = predict(self.network, clips)
        hard = np.eye(self.network.classes, dtype=np.float32)
        return [
            replace(clip, target=(1 - self.alpha) * hard[clip.label] + self.alpha * soft)
            for clip, soft in zip(clips, found, strict=True)
        ]

    def feature_loss(
        self, frames: Tensor, counts: Tensor, inputs: Tensor, lengths: Tensor, position: int = 0
    ) -> Tensor:
        """Mean squared difference of the student's frames, and of their statistics, from these.

        Both are of standardised values. Without the statistics, what a frame says of its phoneme
        outweighs what all of them together say of the voice.

        Args:
            frames: (B, D, N), and `counts`: (B,), what the student made of the inputs.
            inputs: (B, 1, M, F), and `lengths`: (B,), of student and teacher.
            position: encoder frames that came before these, for both.
        """
        wanted = self._frames(inputs, lengths, position)
        found = self.project(frames) if self.project else self._standard(frames)
        mask = valid(found, counts)
        by_frame = ((found - wanted).square() * mask).sum() / (mask.sum() * found.shape[1])
        own = statistics(found, counts)
        own = self.project.statistics(own) if self.project else own
        by_clip = (own - statistics(wanted, counts)) / self.spread  # (B, 2D)
        loss: Tensor = by_frame + by_clip.square().mean()
        return loss

    @torch.no_grad()
    def _frames(self, inputs: Tensor, lengths: Tensor, position: int) -> Tensor:
        """The teacher's standardised frames (B, D, N)."""
        assert self.encoder is not None
        frames, _ = self.encoder(inputs.squeeze(1), lengths, position)
        return self._standard(frames)

    def _standard(self, frames: Tensor) -> Tensor:
        return (frames - self.mean[:, None]) * self.scale[:, None]

    def _standardise(self, clips: Sequence[Clip], student: Network) -> None:
        """Measure mean and deviation of the teacher's frames, and how much clips differ.

        Batches are spread over all positions that training draws from: at a single position,
        features that encode it would seem constant and outweigh all others.
        """
        assert self.encoder is not None and isinstance(student, Encoder)
        unsolved = self.project if self.project and not self.project.begun else None
        theirs, own = [], []
        batches = list(_batches(in_windows(clips)[0], student, self.encoder))
        positions = np.linspace(0, self.jitter, len(batches)).astype(int).tolist()
        for position, (inputs, lengths) in zip(positions, batches, strict=True):
            theirs += _by_clip(self.encoder, inputs, lengths, position)
            own += _by_clip(student.encoder, inputs, lengths, position) if unsolved else []
        every = torch.cat(theirs, 1)  # (D, N of all)
        self.mean, self.scale = every.mean(1), 1 / (every.std(1) + SMALL)
        found = [
            statistics(self._standard(x[None]), torch.tensor([x.shape[1]], device=x.device))
            for x in theirs
        ]
        self.spread = torch.cat(found).std(0) + SMALL
        if unsolved:
            unsolved.solve(torch.cat(own, 1).T, self._standard(every[None])[0].T)


def _by_clip(encoder: HubEncoder, inputs: Tensor, lengths: Tensor, position: int) -> list[Tensor]:
    """An encoder's frames (D, N) of each clip, without the padding."""
    frames, counts = encoder(inputs.squeeze(1), lengths, position)
    return [row[:, :n] for row, n in zip(frames, counts.tolist(), strict=True)]


def _batches(
    clips: Sequence[Clip], network: Network, part: nn.Module
) -> Iterator[tuple[Tensor, Tensor]]:
    """Inputs and lengths of clips as a network takes them, on the device of another module."""
    device = next(part.parameters()).device
    for _, batch in evaluation_batches(clips, network):
        yield batch.inputs.to(device), batch.lengths.to(device)


def teacher_of(student: Network, recipe: Recipe, run: Run | None) -> Teacher | None:
    """The teacher of a network: a run or, where there is none, the reference of its encoder."""
    model, train = recipe.model, recipe.train
    jitter = recipe.augment.position_jitter // student.stride
    if not train.uses_teacher:
        return None
    if run:
        return Teacher(student, train, run.network, jitter=jitter)
    reference = load_reference(model.encoder, model.blocks)
    return Teacher(student, train, encoder=reference, jitter=jitter)


def check_teacher(recipe: Recipe, classes: Sequence[str], run: Run | None) -> None:
    """See that a run can be the teacher of a recipe.

    Raises:
        ConfigError: it takes other spectrograms, or is to give soft labels of other classes.
    """
    if not run:
        return
    if (run.recipe.features, run.recipe.audio) != (recipe.features, recipe.audio):
        raise ConfigError(
            f"{recipe.name}: its teacher hears other spectrograms. Give both the same audio "
            "and features settings."
        )
    if recipe.train.distill_alpha and run.classes != tuple(classes):
        raise ConfigError(
            f"{recipe.name}: its teacher knows {', '.join(run.classes)}, not {', '.join(classes)}."
        )
