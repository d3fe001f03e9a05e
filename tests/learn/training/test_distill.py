"""Distillation: soft labels and features of a teacher, which never changes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from batches import clips_of, pad
from safetensors import safe_open
from tiny import Trained, same, timeless, toy, train
from tiny_encoder import BANDS, NAME, SOLVED, TUNED, WIDTH
from torch import nn

from emelia.config import AugmentConfig, FeatureConfig, ModelConfig, Recipe, TrainConfig
from emelia.corpora.splits.scheme import Fold
from emelia.errors import ConfigError
from emelia.learn.data.loader import Clip, Loader, collate, in_windows
from emelia.learn.model.layers import statistics
from emelia.learn.model.network import Encoder, Network, build
from emelia.learn.training.distill import Teacher, check_teacher, teacher_of
from emelia.learn.training.hardware import CPU
from emelia.learn.training.inference import logits
from emelia.learn.training.init import least_squares_weights
from emelia.learn.training.job import TrainingJob
from emelia.learn.training.optim import make_optimizer
from emelia.learn.training.runs import Run, new_network
from emelia.learn.training.trainer import _with_encoder
from emelia.learn.training.trainer import train as train_on

CLASSES = 3
TEACHER = ModelConfig("encoder", encoder=NAME)  # a frame of 2
STUDENT = ModelConfig("encoder", encoder="mel", blocks=1)  # a frame of 2, too
DISTILLED = TrainConfig(4, 0, 4, lr=0.02, distill_alpha=0.5, feature_distill=0.3)

pytestmark = pytest.mark.usefixtures("small_encoders")


def make(config: ModelConfig) -> Network:
    return build(config, CLASSES, BANDS).eval()


def spoken(lengths: list[int], key: str = "") -> list[Clip]:
    made = toy(len(lengths))
    specs = [x.numpy() for x in clips_of(lengths, BANDS)]
    return [replace(clip, spec=x, key=key) for clip, x in zip(made, specs, strict=True)]


def distilled(config: TrainConfig = DISTILLED, **options: Any) -> Trained:
    """A student distilled from an encoder of a fixed seed."""
    with torch.random.fork_rng():
        torch.manual_seed(9)
        teacher = make(TEACHER)
    return train(Recipe(model=STUDENT, train=config), teacher=teacher, **options)


# Soft labels and features


@pytest.mark.parametrize("share", [0.3, 1.0])
def test_labels_and_the_teachers_answers_are_mixed(share: float) -> None:
    clips = toy(7)
    teacher = Teacher(make(STUDENT), TrainConfig(distill_alpha=share), make(TEACHER))
    learnt = teacher.label(clips, make(STUDENT))
    inputs, lengths = pad([torch.from_numpy(clip.spec) for clip in clips])
    answers = teacher.network(inputs, lengths).softmax(1)
    for clip, found, answer in zip(clips, learnt, answers, strict=True):
        wanted = (1 - share) * torch.eye(CLASSES)[clip.label] + share * answer
        torch.testing.assert_close(torch.from_numpy(found.target), wanted)
        assert found.spec is clip.spec


def test_frames_are_standardised_over_all_clips_without_padding() -> None:
    clips, student = spoken([31, 64, 5, 33], BANDS), make(STUDENT)
    teacher = Teacher(student, TrainConfig(feature_distill=1), make(TEACHER))
    teacher.label(clips, student)
    rows = [frames_of(teacher, clip) for clip in clips]
    every = torch.cat(rows, 1)
    torch.testing.assert_close(teacher.mean, every.mean(1))
    torch.testing.assert_close(1 / teacher.scale, every.std(1) + 1e-3)
    standard = [(row - every.mean(1)[:, None]) / (every.std(1) + 1e-3)[:, None] for row in rows]
    told = [torch.cat([x.mean(1), (x.var(1, correction=0) + 1e-5).sqrt()]) for x in standard]
    torch.testing.assert_close(teacher.spread, torch.stack(told).std(0) + 1e-3)


def frames_of(teacher: Teacher, clip: Clip) -> torch.Tensor:
    """The frames (D, N) of the teacher."""
    assert teacher.encoder is not None
    spec = torch.from_numpy(clip.spec)
    frames, counts = teacher.encoder(spec[None], torch.tensor([spec.shape[1]]))
    return frames[0, :, : int(counts)].detach()


@pytest.mark.parametrize("hidden", [False, True])
def test_a_student_with_the_teachers_frames_has_no_loss(hidden: bool) -> None:
    """Both get the same crop with the same masks."""
    student = make(TEACHER)
    assert isinstance(student, Encoder)
    theirs = make(TEACHER)
    assert isinstance(theirs, Encoder)
    teacher = Teacher(student, TrainConfig(feature_distill=1), encoder=theirs.encoder)
    assert teacher.encoder is not None and teacher.project is None, "nothing to learn but it"
    student.encoder.load_state_dict(teacher.encoder.state_dict())
    clips = spoken([31, 64, 5, 33], BANDS)
    teacher.label(clips, student)
    batch = collate(clips, student)
    inputs = batch.inputs * (torch.rand_like(batch.inputs) > 0.3) if hidden else batch.inputs
    with torch.no_grad():
        _, frames, counts = student.forward_with_frames(inputs, batch.lengths)
        assert teacher.feature_loss(frames, counts, inputs, batch.lengths).item() < 1e-10
        teacher.spread.fill_(1e6)  # statistics count for nothing
        moved = frames + 0.5 / teacher.scale[:, None]
        apart = teacher.feature_loss(moved, counts, inputs, batch.lengths).item()
        assert apart == pytest.approx(0.25, abs=1e-4), "the mean square, whatever the padding"
        teacher.spread.fill_(0.5)  # means are 0.5 apart, deviations are alike
        apart = teacher.feature_loss(moved, counts, inputs, batch.lengths).item()
        assert apart == pytest.approx(0.25 + 0.5, abs=1e-4)


def test_student_and_teacher_have_the_same_position() -> None:
    """At another position frames differ, in both alike."""
    student, theirs = make(TEACHER), make(TEACHER)
    assert isinstance(student, Encoder) and isinstance(theirs, Encoder)
    student.encoder.load_state_dict(theirs.encoder.state_dict())
    teacher = Teacher(student, TrainConfig(feature_distill=1), encoder=theirs.encoder)
    clips = spoken([31, 64])
    teacher.label(clips, student)
    heard = collate(clips, student)
    with torch.no_grad():
        _, there, counts = student.forward_with_frames(heard.inputs, heard.lengths, 50)
        apart = [
            teacher.feature_loss(there, counts, heard.inputs, heard.lengths, start).item()
            for start in (50, 0)
        ]
    assert apart[0] < 1e-10 < 1e-2 < apart[1]


def test_positions_are_among_what_frames_vary_by() -> None:
    """Clips that are all alike differ in where they stand, and else in nothing."""
    clips = [replace(clip, spec=np.zeros((BANDS, 40), np.float32)) for clip in spoken([40] * 64)]
    student = make(STUDENT)
    still, moved = (
        Teacher(student, TrainConfig(feature_distill=1), make(TEACHER), jitter=place)
        for place in (0, 300)
    )
    assert moved.encoder is not None and still.encoder is not None
    moved.encoder.load_state_dict(still.encoder.state_dict())
    for teacher in (still, moved):
        teacher.label(clips, student)
    assert still.spread.max() < 2e-3, "nothing but what is added to it"
    assert moved.spread.median() > 0.1


@pytest.mark.parametrize("teacher", [False, True])
def test_a_training_passes_on_the_positions_of_its_batches(
    monkeypatch: pytest.MonkeyPatch, teacher: bool
) -> None:
    told: list[int] = []
    frames = Encoder.frames

    def recorded(self: Encoder, x: torch.Tensor, lengths: torch.Tensor, position: int = 0) -> Any:
        if self.training:
            told.append(position)
        return frames(self, x, lengths, position)

    compared: list[int] = []
    difference = Teacher.feature_loss

    def compare(self: Teacher, *heard: Any) -> torch.Tensor:
        compared.append(heard[4] if len(heard) > 4 else 0)
        return difference(self, *heard)

    monkeypatch.setattr(Encoder, "frames", recorded)
    monkeypatch.setattr(Teacher, "feature_loss", compare)
    recipe = Recipe(augment=AugmentConfig(position_jitter=40), model=STUDENT, train=DISTILLED)
    if not teacher:
        recipe = replace(recipe, train=replace(DISTILLED, feature_distill=0.0, distill_alpha=0.0))
    train(recipe, **({"teacher": make(TEACHER)} if teacher else {}))
    assert len(told) == 4 * 8, "epochs of 30 clips in batches of 4"
    assert len(set(told)) > 8 and max(told) <= 20
    assert compared == (told if teacher else []), "both have the same position"


def test_a_teacher_knows_the_position_jitter_of_its_recipe() -> None:
    recipe = replace(
        TUNED, augment=AugmentConfig(position_jitter=41), train=TrainConfig(feature_distill=1)
    )
    student = new_network(replace(recipe, model=STUDENT), 2)
    run = Run(SOLVED, ("a", "b"), new_network(SOLVED, 2), {})
    for teacher in (run, None):
        found = teacher_of(student, replace(recipe, model=STUDENT), teacher)
        assert found is not None and found.jitter == 20, "encoder frames"


def test_deviations_are_predicted_apart_from_frames() -> None:
    """Frames of a mean guess vary in nothing; what they vary by at the teacher's costs nothing."""
    student, clips = make(STUDENT), spoken([80], BANDS)
    teacher = Teacher(student, TrainConfig(feature_distill=1), make(TEACHER))
    teacher.label([*clips, *spoken([40, 60], BANDS)], student)
    assert teacher.project is not None
    wanted = (frames_of(teacher, clips[0]) - teacher.mean[:, None]) * teacher.scale[:, None]
    for layer in (teacher.project.frames, teacher.project.statistics):
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    teacher.project.statistics.bias.data = statistics(wanted[None], torch.tensor([40]))[0]
    batch = collate(clips, student)
    frames = torch.randn(1, WIDTH, 40)
    apart = teacher.feature_loss(frames, torch.tensor([40]), batch.inputs, batch.lengths).item()
    assert apart == pytest.approx(wanted.square().mean().item(), rel=1e-4)


def test_the_projection_is_solved_by_least_squares_before_training() -> None:
    student, clips = make(STUDENT), spoken([60, 45, 80])
    teacher = Teacher(student, replace(DISTILLED, distill_alpha=0), make(TEACHER))
    teacher.label(clips, student)
    assert isinstance(student, Encoder) and teacher.project
    own, wanted = [], []
    for clip in clips:
        batch = collate([clip], student)
        with torch.no_grad():
            own.append(student.encoder(batch.inputs.squeeze(1), batch.lengths)[0][0].T)
            wanted.append(teacher._frames(batch.inputs, batch.lengths, 0)[0].T)
    x, y = torch.cat(own), torch.cat(wanted)
    x = torch.cat([x, torch.ones(len(x), 1)], 1)
    best = (y - x @ torch.linalg.lstsq(x, y).solution).square().mean()
    with torch.no_grad():
        found = (y - teacher.project(torch.cat(own).T[None])[0].T).square().mean()
    assert best <= found <= 1.02 * best
    assert best < 0.9  # of 1, what guessing nothing leaves


def test_the_projection_is_solved_for_once() -> None:
    student = make(STUDENT)
    teacher = Teacher(student, DISTILLED, make(TEACHER))
    teacher.label(spoken([60, 45]), student)
    assert teacher.project
    with torch.no_grad():
        teacher.project.frames.weight.add_(1.0)  # as learning does
    learnt = teacher.project.state_dict()
    other = Teacher(student, DISTILLED, teacher.network)
    assert other.project
    other.project.load_state_dict(learnt)  # as a checkpoint does
    other.label(spoken([60, 45]), student)
    assert same(other.project.state_dict(), learnt)


def test_a_student_learns_its_teachers_features() -> None:
    share = TrainConfig(12, 0, 4, lr=0.02, feature_distill=1.0)
    found = distilled(share)
    assert found.history[-1]["loss"] < 0.8 * found.history[0]["loss"]
    alone = train(Recipe(model=STUDENT, train=share))
    assert not same(found.weights, alone.weights)


# In a training


def test_the_teacher_never_changes_and_is_not_in_the_file_of_the_training(tmp_path: Path) -> None:
    network = make(TEACHER)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    file = tmp_path / "checkpoint.safetensors"
    found = train(Recipe(model=STUDENT, train=DISTILLED), teacher=network, checkpoint=file)
    assert same(network.state_dict(), before)
    assert not network.training
    with safe_open(file, "pt") as tensors:
        names = {key.partition(".")[0] for key in tensors.keys()}  # noqa: SIM118
    assert names == {"network", "project", "best", "optimizer"}
    assert found.weights.keys() == make(STUDENT).state_dict().keys()


def test_the_teacher_answers_as_in_use_while_the_student_trains() -> None:
    student = make(STUDENT)
    teacher = Teacher(student, DISTILLED, make(replace(TEACHER, dropout=0.9)))
    teacher.train()
    one, two = ([clip.target for clip in teacher.label(toy(4), student)] for _ in range(2))
    assert np.array_equal(one, two)


def test_the_projection_is_trained_with_the_student() -> None:
    student = make(STUDENT)
    teacher = Teacher(student, DISTILLED, make(TEACHER))
    optimizer = make_optimizer(student, DISTILLED, teacher)
    learning = {id(p) for group in optimizer.param_groups for p in group["params"]}
    assert teacher.project is not None
    assert {id(p) for p in teacher.project.parameters()} <= learning
    assert teacher.network is not None
    assert not {id(p) for p in teacher.network.parameters()} & learning


def test_a_resumed_distillation_gives_the_numbers_of_an_uninterrupted_one(tmp_path: Path) -> None:
    whole, file = distilled(), tmp_path / "checkpoint.safetensors"

    def stop(epoch: Any) -> None:
        if epoch["epoch"] == 2:
            raise KeyboardInterrupt

    assert distilled(checkpoint=file, on_epoch=stop).progress.interrupted
    again = distilled(checkpoint=file)
    assert timeless(again.progress.history) == timeless(whole.progress.history)
    assert same(again.weights, whole.weights)


# Which teachers fit


def job_of(student: Recipe, teacher: Recipe, classes: tuple[str, ...] = ("a", "b")) -> TrainingJob:
    run = Run(teacher, classes, new_network(teacher, 2), {})
    fold = Fold("1", (), (), ())
    return TrainingJob(student, fold, ("a", "b"), 0, CPU.fabric(), teacher=run)


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
    student = replace(TUNED, train=replace(TUNED.train, distill_alpha=0.5))
    with pytest.raises(ConfigError, match=message):
        train_on(job_of(student, teacher, classes), Loader(student, ("a", "b")), toy(4))


def test_a_teacher_of_features_alone_may_have_other_classes() -> None:
    run = Run(SOLVED, ("b", "a", "c"), new_network(SOLVED, 3), {})
    check_teacher(replace(TUNED, train=replace(TUNED.train, feature_distill=1.0)), ("a", "b"), run)


@pytest.mark.parametrize(
    ("teacher", "student", "message"),
    [
        (ModelConfig(width=2), STUDENT, "must both be encoders"),
        (TEACHER, ModelConfig(width=2), "must both be encoders"),
    ],
)
def test_features_are_distilled_between_encoders_only(
    teacher: ModelConfig, student: ModelConfig, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        Teacher(make(student), DISTILLED, make(teacher))
    assert (
        Teacher(make(student), replace(DISTILLED, feature_distill=0), make(teacher)).project is None
    )


def test_frames_of_other_lengths_cannot_be_distilled() -> None:
    student = make(STUDENT)
    student.stride = 4
    with pytest.raises(ConfigError, match=r"a frame of the student, 4 .* as the teacher's, 2"):
        Teacher(student, DISTILLED, make(TEACHER))


def test_frames_of_a_reference_encoder_need_no_projection() -> None:
    """Block for block and of one width: its own frames are to be those."""
    two, three = replace(TEACHER, blocks=2), TEACHER
    student = make(replace(STUDENT, blocks=2))
    assert Teacher(student, DISTILLED, make(two)).project is None
    assert Teacher(student, DISTILLED, make(three)).project is not None
    assert Teacher(make(two), DISTILLED, make(two)).project is not None, "not of our own kind"


def test_the_encoder_is_initialised_from_that_of_the_teacher() -> None:
    ours = replace(
        TUNED, model=replace(STUDENT, blocks=2), train=replace(TUNED.train, feature_distill=1.0)
    )
    job = job_of(ours, TUNED)
    assert job.teacher is not None
    clips = spoken([24] * 12)
    solved = _with_encoder(job, clips).encoder
    wanted = least_squares_weights(ours, 2, clips, job.teacher)
    assert same(dict(solved), dict(wanted))
    assert not same(dict(solved), dict(least_squares_weights(ours, 2, clips)))


def test_an_encoder_may_teach_one_with_frames_of_the_same_length() -> None:
    student = make(STUDENT)
    assert isinstance(student, Encoder)
    assert Teacher(student, DISTILLED, make(STUDENT)).project is not None


def test_a_teacher_answers_long_clips_in_windows() -> None:
    network, student = make(TEACHER), make(STUDENT)
    long = replace(spoken([90])[0], window=40)
    teacher = Teacher(student, replace(DISTILLED, distill_alpha=1.0, feature_distill=0.0), network)
    (found,) = teacher.label([long], student)
    pieces = [logits(network, [piece]) for piece in in_windows([long])[0]]
    assert len(pieces) > 2 and found.target is not None
    wanted = torch.cat(pieces).mean(0).softmax(0).numpy()
    np.testing.assert_allclose(found.target, wanted, atol=1e-5)
