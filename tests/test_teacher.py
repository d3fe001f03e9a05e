"""A teacher: what it answers is learnt from, what it hears is imitated, and it never changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from test_models import clips_of, pad
from tiny import Trained, same, timeless, toy, train
from tiny_encoder import BANDS, NAME, SOLVED, TUNED, WIDTH, make_known
from torch import nn

from emelia.config import AugmentConfig, FeatureConfig, ModelConfig, Recipe, TrainConfig
from emelia.corpora.splits import Fold
from emelia.errors import ConfigError
from emelia.learn.data import Clip, Loader, collate, mixed, training_batches
from emelia.learn.hardware import CPU
from emelia.learn.layers import statistics
from emelia.learn.lessons import Lesson, learn
from emelia.learn.models import Encoder, Network, build
from emelia.learn.rates import make_optimizer
from emelia.learn.runs import Run, new_network
from emelia.learn.teacher import Teacher

CLASSES = 3
TEACHER = ModelConfig("encoder", encoder=NAME)  # a frame of 2
PUPIL = ModelConfig("encoder", encoder="mel", blocks=1)  # a frame of 2, too
IMITATING = TrainConfig(4, 0, 4, lr=0.02, teacher_share=0.5, imitate=0.3)


@pytest.fixture(autouse=True)
def _small(one_thread: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        make_known(monkeypatch, tmp_path / "weights")
        yield


def make(config: ModelConfig) -> Network:
    return build(config, CLASSES, BANDS).eval()


def spoken(lengths: list[int], key: str = "") -> list[Clip]:
    made = toy(len(lengths))
    specs = [x.numpy() for x in clips_of(lengths, BANDS)]
    return [replace(clip, spec=x, key=key) for clip, x in zip(made, specs, strict=True)]


def taught(config: TrainConfig = IMITATING, **options: Any) -> Trained:
    """A pupil taught by a fresh encoder of a fixed seed."""
    with torch.random.fork_rng():
        torch.manual_seed(9)
        teacher = make(TEACHER)
    return train(Recipe(model=PUPIL, train=config), teacher=teacher, **options)


# What is learnt from it


@pytest.mark.parametrize("share", [0.3, 1.0])
def test_labels_and_the_teachers_answers_are_mixed(share: float) -> None:
    clips = toy(7)
    teacher = Teacher(make(TEACHER), make(PUPIL), TrainConfig(teacher_share=share))
    learnt = teacher.teach(clips)
    inputs, lengths = pad([torch.from_numpy(clip.spec) for clip in clips])
    answers = teacher.network(inputs, lengths).softmax(1)
    for clip, found, answer in zip(clips, learnt, answers, strict=True):
        wanted = (1 - share) * torch.eye(CLASSES)[clip.label] + share * answer
        torch.testing.assert_close(torch.from_numpy(found.target), wanted)
        assert found.frames is None, "nobody asked for them"
        assert found.spec is clip.spec


def test_frames_are_standardised_over_all_clips_each_as_the_teacher_hears_it_alone() -> None:
    clips, network = spoken([31, 64, 5, 33], BANDS), make(TEACHER)
    learnt = Teacher(network, make(PUPIL), TrainConfig(imitate=1)).teach(clips)
    rows = []
    for clip in clips:
        frames, counts = network.encoder(*spec_and_length(clip))  # type: ignore[operator]
        rows.append(frames[0, :, : int(counts)].T)
    every = torch.cat(rows)
    for clip, row in zip(learnt, rows, strict=True):
        wanted = (row - every.mean(0)) / (every.std(0, correction=0) + 1e-3)
        assert clip.frames is not None
        torch.testing.assert_close(
            torch.from_numpy(clip.frames).float(), wanted, atol=0.02, rtol=0.02
        )
        assert clip.stride == 2


def spec_and_length(clip: Clip) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.from_numpy(clip.spec)[None], torch.tensor([clip.spec.shape[1]])


def test_a_piece_of_a_clip_comes_with_its_own_frames() -> None:
    clips = spoken([99, 64, 41], BANDS)
    for clip in clips:  # every column says which it is
        clip.spec[:] = np.arange(clip.spec.shape[1])
    heard = [np.arange(0, clip.spec.shape[1], 4, dtype=np.float16)[:, None] for clip in clips]
    clips = [replace(c, frames=x, stride=4) for c, x in zip(clips, heard, strict=True)]
    recipe = Recipe(model=PUPIL, augment=AugmentConfig(crop=30), train=TrainConfig(4, 0, 3))
    starts = set()
    for seed in range(20):
        rng = np.random.default_rng(seed)
        for batch in training_batches(clips, recipe, make(PUPIL), CLASSES, rng):
            assert batch.frames is not None
            assert torch.equal(batch.frames[:, 0], batch.inputs[:, 0, 0, ::4])
            assert batch.frames.shape[2] == 8
            starts |= set(batch.frames[:, 0, 0].tolist())
    assert len(starts) > 8


def test_what_is_mixed_is_mixed_with_what_the_teacher_hears() -> None:
    clips = spoken([20, 12], BANDS)
    heard = [np.full((5, 2), 1, np.float16), np.full((3, 2), 2, np.float16)]
    clips = [replace(c, frames=x, stride=4) for c, x in zip(clips, heard, strict=True)]
    batch = collate(clips, make(PUPIL), CLASSES)
    assert batch.frames is not None
    assert batch.frames[1, :, 3:].abs().max() == 0, "past the end"
    mix = mixed(batch, 1.0, np.random.default_rng(3))
    assert mix.frames is not None
    share = (mix.frames[:, 0, 0] - batch.frames[:, 0, 0]).abs()  # of the partner
    assert share.min() > 0.01
    wanted = (mix.inputs - batch.inputs).abs() / (batch.inputs - batch.inputs.flip(0)).abs()
    torch.testing.assert_close(wanted[:, 0, 0, 0], share)


def test_a_pupil_that_hears_as_its_teacher_does_differs_in_nothing() -> None:
    teacher = Teacher(make(TEACHER), make(TEACHER), TrainConfig(imitate=1))
    assert teacher.project is not None
    nn.init.dirac_(teacher.project.frames.weight)  # the identity
    nn.init.zeros_(teacher.project.frames.bias)  # type: ignore[arg-type]
    clips = spoken([31, 64, 5, 33], BANDS)
    batch = collate(teacher.teach(clips), make(TEACHER), CLASSES)
    frames, counts = batch.frames, (batch.lengths + 1) // 2
    assert frames is not None
    assert teacher.difference(frames, counts, frames).item() < 1e-10
    teacher.spread.fill_(1e6)  # statistics count for nothing
    apart = teacher.difference(frames + 0.5, counts, frames).item()
    assert apart == pytest.approx(0.25, abs=1e-5), "the mean square, whatever the padding"
    teacher.spread.fill_(0.5)  # means are 0.5 apart, deviations are alike
    apart = teacher.difference(frames + 0.5, counts, frames).item()
    assert apart == pytest.approx(0.25 + 0.5, abs=1e-5)


def test_deviations_are_told_apart_from_frames_that_cannot_be_guessed() -> None:
    """Frames of a mean guess vary in nothing; what they vary by at the teacher's costs nothing."""
    teacher = Teacher(make(TEACHER), make(PUPIL), TrainConfig(imitate=1))
    assert teacher.project is not None
    wanted, counts = torch.randn(1, WIDTH, 40), torch.tensor([40])
    for layer in (teacher.project.frames, teacher.project.statistics):
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    teacher.project.statistics.bias.data = statistics(wanted, counts)[0]
    apart = teacher.difference(torch.randn(1, WIDTH, 40), counts, wanted).item()
    assert apart == pytest.approx(wanted.square().mean().item(), rel=1e-5)


def test_frames_are_kept_in_the_cache_and_those_of_another_teacher_are_not_taken() -> None:
    clips = [replace(clip, key=f"clip-{i}") for i, clip in enumerate(spoken([31, 64], BANDS))]
    network, pupil = make(TEACHER), make(PUPIL)
    first = Teacher(network, pupil, TrainConfig(imitate=1)).teach(clips)
    silent = [replace(clip, spec=clip.spec * 0) for clip in clips]  # of the same name
    again = Teacher(network, pupil, TrainConfig(imitate=1)).teach(silent)
    other = Teacher(make(TEACHER), pupil, TrainConfig(imitate=1)).teach(clips)
    for one, two, three in zip(first, again, other, strict=True):
        assert np.array_equal(one.frames, two.frames)  # type: ignore[arg-type]
        assert not np.array_equal(one.frames, three.frames)  # type: ignore[arg-type]


def test_a_pupil_learns_what_its_teacher_hears() -> None:
    share = TrainConfig(12, 0, 4, lr=0.02, imitate=1.0)
    found = taught(share)
    assert found.history[-1]["loss"] < 0.8 * found.history[0]["loss"]
    alone = train(Recipe(model=PUPIL, train=share))
    assert not same(found.weights, alone.weights)


# What becomes of it


def test_the_teacher_never_changes_and_is_not_in_the_file_of_the_training(tmp_path: Path) -> None:
    network = make(TEACHER)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    file = tmp_path / "checkpoint.safetensors"
    found = train(Recipe(model=PUPIL, train=IMITATING), teacher=network, checkpoint=file)
    assert same(network.state_dict(), before)
    assert not network.training
    with safe_open(file, "pt") as tensors:
        names = {key.partition(".")[0] for key in tensors.keys()}  # noqa: SIM118
    assert names == {"network", "project", "best", "optimizer"}
    assert found.weights.keys() == make(PUPIL).state_dict().keys()


def test_the_teacher_answers_as_in_use_while_the_pupil_trains() -> None:
    teacher = Teacher(make(replace(TEACHER, dropout=0.9)), make(PUPIL), IMITATING)
    teacher.train()
    one, two = ([clip.target for clip in teacher.teach(toy(4))] for _ in range(2))
    assert np.array_equal(one, two)


def test_what_brings_frames_together_learns_along() -> None:
    pupil = make(PUPIL)
    teacher = Teacher(make(TEACHER), pupil, IMITATING)
    optimizer = make_optimizer(pupil, IMITATING, teacher)
    learning = {id(p) for group in optimizer.param_groups for p in group["params"]}
    assert teacher.project is not None
    assert {id(p) for p in teacher.project.parameters()} <= learning
    assert not {id(p) for p in teacher.network.parameters()} & learning


def test_a_taught_training_goes_on_as_if_there_had_been_no_break(tmp_path: Path) -> None:
    whole, file = taught(), tmp_path / "checkpoint.safetensors"

    def stop(epoch: Any) -> None:
        if epoch["epoch"] == 2:
            raise KeyboardInterrupt

    assert taught(checkpoint=file, on_epoch=stop).progress.interrupted
    again = taught(checkpoint=file)
    assert timeless(again.progress.history) == timeless(whole.progress.history)
    assert same(again.weights, whole.weights)


# Who may be one


def lesson(pupil: Recipe, teacher: Recipe, classes: tuple[str, ...] = ("a", "b")) -> Lesson:
    run = Run(teacher, classes, new_network(teacher, 2), {})
    fold = Fold("1", (), (), ())
    return Lesson(pupil, fold, ("a", "b"), 0, CPU.fabric(), teacher=run)


@pytest.mark.parametrize(
    ("teacher", "classes", "message"),
    [
        (replace(SOLVED, features=FeatureConfig(mels=BANDS)), ("a", "b"), "other spectrograms"),
        (SOLVED, ("b", "a"), "its teacher knows b, a, not a, b"),
    ],
)
def test_a_teacher_of_other_sounds_or_classes_is_refused(
    teacher: Recipe, classes: tuple[str, ...], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        learn(lesson(TUNED, teacher, classes), Loader(TUNED, ("a", "b")), toy(4))


@pytest.mark.parametrize(
    ("teacher", "pupil", "message"),
    [
        (ModelConfig(width=2), PUPIL, "must both be encoders"),
        (TEACHER, ModelConfig(width=2), "must both be encoders"),
    ],
)
def test_frames_that_cannot_be_imitated_are_refused(
    teacher: ModelConfig, pupil: ModelConfig, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        Teacher(make(teacher), make(pupil), IMITATING)
    assert Teacher(make(teacher), make(pupil), replace(IMITATING, imitate=0)).project is None


def test_frames_of_other_lengths_cannot_be_imitated() -> None:
    pupil = make(PUPIL)
    pupil.stride = 4
    with pytest.raises(ConfigError, match=r"a frame of the pupil, 4 .* as the teacher's, 2"):
        Teacher(make(TEACHER), pupil, IMITATING)


def test_an_encoder_may_teach_one_that_hears_as_often() -> None:
    pupil = make(PUPIL)
    assert isinstance(pupil, Encoder)
    assert Teacher(make(PUPIL), pupil, IMITATING).project is not None
