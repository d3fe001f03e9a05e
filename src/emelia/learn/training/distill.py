"""Who teaches a network: a trained one whose answers it learns, an encoder that it imitates.

Answers are for whole clips, and each is asked for once. What is imitated is heard anew in every
batch: the very piece, with the same parts hidden, that the pupil hears. B clips, C classes,
D features, N frames.
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
from emelia.learn.data.loader import Array, Clip, evaluation_batches, in_windows
from emelia.learn.model.encoders import load_source
from emelia.learn.model.encoders.hub import HubEncoder
from emelia.learn.model.encoders.least_squares_init import can_stand_in
from emelia.learn.model.layers import statistics, valid
from emelia.learn.model.least_squares import ridge
from emelia.learn.model.network import Encoder, Network
from emelia.learn.training.inference import logits
from emelia.learn.training.runs import Run

SAMPLE = 200  # clips by which frames are standardised
SMALL = 1e-3  # added to deviations, so that a constant feature is not blown up


class Imitation(nn.Module):
    """From a pupil's frames to the teacher's, and from their statistics to those of the teacher's.

    What the best guess of a frame is varies less than the frame. Held to the teacher's deviations
    itself it would have to guess worse, so these are told by a layer of their own. The first is
    solved for before anything is learnt: drawn at random, it would pull the pupil anywhere.
    """

    begun: Tensor  # whether the first was solved for

    def __init__(self, pupil: int, teacher: int) -> None:
        super().__init__()
        self.frames = nn.Conv1d(pupil, teacher, 1)
        self.statistics = nn.Linear(2 * teacher, 2 * teacher)
        nn.init.eye_(self.statistics.weight)
        nn.init.zeros_(self.statistics.bias)
        self.register_buffer("begun", torch.tensor(False))

    @torch.no_grad()
    def begin(self, frames: Tensor, wanted: Tensor) -> None:
        """Solve for what brings a pupil's frames (N, D) closest to the teacher's (N, D')."""
        weight, bias = ridge(frames, wanted)
        self.frames.weight.copy_(weight.T[:, :, None])
        cast(Tensor, self.frames.bias).copy_(bias)
        self.begun.fill_(True)

    def forward(self, frames: Tensor) -> Tensor:
        """(B, D of the pupil, N) to (B, D of the teacher, N)."""
        found: Tensor = self.frames(frames)
        return found


class Teacher(nn.Module):
    """What is learnt from others; `project` learns along with the pupil and is thrown away.

    An encoder that stands in for the one it imitates has none: its frames are to be the same.
    """

    mean: Tensor  # (D,) of the frames that are imitated
    scale: Tensor  # (D,) one over their deviation
    spread: Tensor  # (2D,) how far clips differ in mean and deviation of standardised frames

    def __init__(
        self,
        pupil: Network,
        config: TrainConfig,
        network: Network | None = None,
        imitated: HubEncoder | None = None,
        place: int = 0,
    ) -> None:
        """Check who is to teach.

        Args:
            network: whose answers are learnt.
            imitated: whose frames are; the network's own encoder where it is left out.
            place: encoder frames by which pieces may be said to begin later.

        Raises:
            ConfigError: frames are to be imitated that no encoder gives, or of another length.
        """
        super().__init__()
        if imitated is None and isinstance(network, Encoder):
            imitated = network.encoder
        self.network, self.imitated, self.place = network, imitated, place
        self.share, self.weight = config.distill_alpha if network else 0.0, config.feature_distill
        self.project: Imitation | None = None
        for part in filter(None, (network, imitated)):
            part.eval().requires_grad_(False)
        if self.weight:
            self._begin_to_imitate(pupil)

    def _begin_to_imitate(self, pupil: Network) -> None:
        if self.imitated is None or not isinstance(pupil, Encoder):
            raise ConfigError(
                "train.feature_distill: who teaches and who learns must both be encoders."
            )
        if self.imitated.stride != pupil.stride:
            raise ConfigError(
                f"train.feature_distill: a frame of the pupil, {pupil.stride} of the spectrogram, "
                f"must be as long as the teacher's, {self.imitated.stride}."
            )
        width = self.imitated.width
        if self.network and not can_stand_in(pupil.encoder, self.imitated):
            self.project = Imitation(pupil.encoder.width, width)
        for name, size in (("mean", width), ("scale", width), ("spread", 2 * width)):
            self.register_buffer(name, torch.ones(size), persistent=False)

    def train(self, mode: bool = True) -> Teacher:
        """Who teaches always answers as in use."""
        super().train(mode)
        for part in filter(None, (self.network, self.imitated)):
            part.eval()
        return self

    @torch.no_grad()
    def teach(self, clips: Sequence[Clip], pupil: Network) -> list[Clip]:
        """The clips with soft labels (C,), in which the teacher's answers share."""
        if self.weight:
            self._standardise(clips[:: max(1, len(clips) // SAMPLE)], pupil)
        found = list(clips)
        for place, answers in self._answers(clips):
            label = np.eye(len(answers), dtype=np.float32)[clips[place].label]
            target = (1 - self.share) * label + self.share * answers
            found[place] = replace(found[place], target=target)
        return found

    def difference(
        self, frames: Tensor, counts: Tensor, inputs: Tensor, lengths: Tensor, start: int = 0
    ) -> Tensor:
        """How far the pupil's frames, and their statistics, are from those that are imitated.

        Both are mean squares of what is standardised. Without the second, what a frame says of
        its phoneme outweighs what all of them together say of the voice.

        Args:
            frames: (B, D, N), and `counts`: (B,), what the pupil made of the inputs.
            inputs: (B, 1, M, F), and `lengths`: (B,), what both hear.
            start: encoder frames that went before, for both.
        """
        wanted = self._hear(inputs, lengths, start)
        found = self.project(frames) if self.project else self._standard(frames)
        mask = valid(found, counts)
        frame = ((found - wanted).square() * mask).sum() / (mask.sum() * found.shape[1])
        told = statistics(found, counts)
        told = self.project.statistics(told) if self.project else told
        apart = (told - statistics(wanted, counts)) / self.spread  # (B, 2D)
        loss: Tensor = frame + apart.square().mean()
        return loss

    @torch.no_grad()
    def _hear(self, inputs: Tensor, lengths: Tensor, start: int) -> Tensor:
        """The frames that are imitated, standardised (B, D, N)."""
        assert self.imitated is not None
        frames, _ = self.imitated(inputs.squeeze(1), lengths, start)
        return self._standard(frames)

    def _standard(self, frames: Tensor) -> Tensor:
        return (frames - self.mean[:, None]) * self.scale[:, None]

    def _answers(self, clips: Sequence[Clip]) -> Iterator[tuple[int, Array]]:
        if not self.share:
            return
        assert self.network is not None
        answers = logits(self.network, clips, self.network.output.out_features)
        yield from enumerate(answers.softmax(1).numpy())

    def _standardise(self, clips: Sequence[Clip], pupil: Network) -> None:
        """Measure what brings frames to mean 0 and deviation 1, and how far clips then differ.

        They differ by their places too: heard at one place alone, what tells the place would
        seem never to vary, and count for more than all else.
        """
        assert self.imitated is not None and isinstance(pupil, Encoder)
        new = self.project if self.project and not self.project.begun else None
        heard, own, batches = [], [], list(_batches(in_windows(clips)[0], pupil, self.imitated))
        places = np.linspace(0, self.place, len(batches)).astype(int).tolist()
        for start, (_, inputs, lengths) in zip(places, batches, strict=True):
            heard += _of_clips(self.imitated, inputs, lengths, start)
            own += _of_clips(pupil.encoder, inputs, lengths, start) if new else []
        every = torch.cat(heard, 1)  # (D, N of all)
        self.mean, self.scale = every.mean(1), 1 / (every.std(1) + SMALL)
        told = [
            statistics(self._standard(x[None]), torch.tensor([x.shape[1]], device=x.device))
            for x in heard
        ]
        self.spread = torch.cat(told).std(0) + SMALL
        if new:
            new.begin(torch.cat(own, 1).T, self._standard(every[None])[0].T)


def _of_clips(encoder: HubEncoder, inputs: Tensor, lengths: Tensor, start: int) -> list[Tensor]:
    """What an encoder makes of each clip's own frames: (D, N) each."""
    frames, counts = encoder(inputs.squeeze(1), lengths, start)
    return [row[:, :n] for row, n in zip(frames, counts.tolist(), strict=True)]


def _batches(
    clips: Sequence[Clip], network: Network, part: nn.Module
) -> Iterator[tuple[list[int], Tensor, Tensor]]:
    """Clips as a network takes them, where a part that is to hear them is."""
    device = next(part.parameters()).device
    for places, batch in evaluation_batches(clips, network, network.output.out_features):
        yield places, batch.inputs.to(device), batch.lengths.to(device)


def teacher_of(pupil: Network, recipe: Recipe, run: Run | None) -> Teacher | None:
    """Who teaches a network; where no run does, whom its encoder stands in for."""
    model, train, place = recipe.model, recipe.train, recipe.augment.position_jitter // pupil.stride
    if not train.taught:
        return None
    if run:
        return Teacher(pupil, train, run.network, place=place)
    return Teacher(pupil, train, imitated=load_source(model.encoder, model.blocks), place=place)


def check_teacher(recipe: Recipe, classes: Sequence[str], run: Run | None) -> None:
    """See that a run can teach.

    Raises:
        ConfigError: it hears other spectrograms, or is to be learnt answers from and knows other
            classes.
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
