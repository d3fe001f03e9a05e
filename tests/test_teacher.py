"""A teacher: what it answers is learnt from, what it hears is imitated, and it never changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from test_models import clips_of, pad
from tiny import Trained, same, timeless, toy, train
from tiny_encoder import BANDS, NAME, SOLVED, TUNED, make_known
from torch import nn

from emelia.config import FeatureConfig, ModelConfig, Recipe, TrainConfig
from emelia.corpora.splits import Fold
from emelia.errors import ConfigError
from emelia.learn.data import Loader
from emelia.learn.hardware import CPU
from emelia.learn.lessons import Lesson, learn
from emelia.learn.models import Encoder, Network, build
from emelia.learn.rates import make_optimizer
from emelia.learn.runs import Run, new_network
from emelia.learn.teacher import Teacher

CLASSES = 3
TEACHER = ModelConfig("encoder", encoder=NAME)  # a frame of 2
PUPIL = ModelConfig("encoder", encoder="mel", blocks=1)  # a frame of 4
IMITATING = TrainConfig(4, 0, 4, lr=0.02, teacher_share=0.5, imitate=0.3)


@pytest.fixture(autouse=True)
def _small(one_thread: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        make_known(monkeypatch, tmp_path / "weights")
        yield


def make(config: ModelConfig) -> Network:
    return build(config, CLASSES, BANDS).eval()


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    return pad(clips_of([31, 64, 5, 33], BANDS))


def taught(config: TrainConfig = IMITATING, **options: Any) -> Trained:
    """A pupil taught by a fresh encoder of a fixed seed."""
    with torch.random.fork_rng():
        torch.manual_seed(9)
        teacher = make(TEACHER)
    return train(Recipe(model=PUPIL, train=config), teacher=teacher, **options)


# What is learnt from it


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_labels_and_the_teachers_answers_are_mixed(share: float) -> None:
    teacher = Teacher(make(TEACHER), make(PUPIL), TrainConfig(teacher_share=share))
    inputs, lengths = batch()
    labels = torch.eye(CLASSES)[[0, 1, 2, 0]]
    found = teacher.targets(inputs, lengths, labels)
    answers = teacher.network(inputs, lengths).softmax(1)
    torch.testing.assert_close(found, (1 - share) * labels + share * answers)
    torch.testing.assert_close(found.sum(1), torch.ones(4))
    assert not found.requires_grad


def test_a_pupil_that_hears_as_its_teacher_does_differs_in_nothing() -> None:
    teacher = Teacher(make(TEACHER), make(TEACHER), TrainConfig(imitate=1))
    assert teacher.project is not None
    nn.init.dirac_(teacher.project.weight)  # the identity
    nn.init.zeros_(teacher.project.bias)  # type: ignore[arg-type]
    inputs, lengths = batch()
    frames = teacher.imitated(inputs, lengths)
    counts = (lengths + 1) // 2
    assert teacher.difference(frames, counts, inputs, lengths).item() < 1e-10
    own = [row[:, : int(n)] for row, n in zip(frames, counts, strict=True)]
    assert torch.cat(own, 1).mean(0).abs().max() < 1e-5, "standardised, each of them"
    apart = teacher.difference(frames + 0.5, counts, inputs, lengths).item()
    assert apart == pytest.approx(0.25, abs=1e-5), "the mean square, whatever the padding"


def test_the_frames_to_imitate_are_means_of_the_teachers_own_and_each_clips_own() -> None:
    network = make(TEACHER)
    teacher, (inputs, lengths) = Teacher(network, make(PUPIL), TrainConfig(imitate=1)), batch()
    together = teacher.imitated(inputs, lengths)
    assert together.shape == (4, 8, 16)
    for place, length in enumerate(lengths):
        clip = inputs[place : place + 1, :, :, : int(length)]
        frames, counts = network.encoder(clip.squeeze(1), lengths[place : place + 1])  # type: ignore[operator]
        normed = (frames - frames.mean(1)) / (frames.var(1, correction=0) + 1e-5).sqrt()
        pairs = [normed[0, :, i : i + 2].mean(1) for i in range(0, int(counts), 2)]
        torch.testing.assert_close(together[place, :, : len(pairs)], torch.stack(pairs, 1))


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
    inputs, lengths = batch()
    labels = torch.zeros(4, CLASSES)
    assert torch.equal(*(teacher.targets(inputs, lengths, labels) for _ in range(2)))


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
        (PUPIL, TEACHER, "a frame of the pupil, 2 of the spectrogram, .* of 4"),
    ],
)
def test_frames_that_cannot_be_imitated_are_refused(
    teacher: ModelConfig, pupil: ModelConfig, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        Teacher(make(teacher), make(pupil), IMITATING)
    assert Teacher(make(teacher), make(pupil), replace(IMITATING, imitate=0)).project is None


def test_an_encoder_may_teach_one_that_hears_as_often() -> None:
    pupil = make(PUPIL)
    assert isinstance(pupil, Encoder)
    assert Teacher(make(PUPIL), pupil, IMITATING).project is not None
