"""A teacher: what it answers is learnt from, what it hears is imitated, and it never changes."""

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
from emelia.learn.training.init import solve_encoder
from emelia.learn.training.optim import make_optimizer
from emelia.learn.training.runs import Run, new_network
from emelia.learn.training.trainer import Lesson, _with_solved, learn

CLASSES = 3
TEACHER = ModelConfig("encoder", encoder=NAME)  # a frame of 2
PUPIL = ModelConfig("encoder", encoder="mel", blocks=1)  # a frame of 2, too
IMITATING = TrainConfig(4, 0, 4, lr=0.02, distill_alpha=0.5, feature_distill=0.3)

pytestmark = pytest.mark.usefixtures("small_encoders")


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
    teacher = Teacher(make(PUPIL), TrainConfig(distill_alpha=share), make(TEACHER))
    learnt = teacher.teach(clips, make(PUPIL))
    inputs, lengths = pad([torch.from_numpy(clip.spec) for clip in clips])
    answers = teacher.network(inputs, lengths).softmax(1)
    for clip, found, answer in zip(clips, learnt, answers, strict=True):
        wanted = (1 - share) * torch.eye(CLASSES)[clip.label] + share * answer
        torch.testing.assert_close(torch.from_numpy(found.target), wanted)
        assert found.spec is clip.spec


def test_frames_are_standardised_over_all_clips_each_as_it_is_heard_alone() -> None:
    clips, pupil = spoken([31, 64, 5, 33], BANDS), make(PUPIL)
    teacher = Teacher(pupil, TrainConfig(feature_distill=1), make(TEACHER))
    teacher.teach(clips, pupil)
    rows = [heard(teacher, clip) for clip in clips]
    every = torch.cat(rows, 1)
    torch.testing.assert_close(teacher.mean, every.mean(1))
    torch.testing.assert_close(1 / teacher.scale, every.std(1) + 1e-3)
    standard = [(row - every.mean(1)[:, None]) / (every.std(1) + 1e-3)[:, None] for row in rows]
    told = [torch.cat([x.mean(1), (x.var(1, correction=0) + 1e-5).sqrt()]) for x in standard]
    torch.testing.assert_close(teacher.spread, torch.stack(told).std(0) + 1e-3)


def heard(teacher: Teacher, clip: Clip) -> torch.Tensor:
    """The frames (D, N) that are imitated."""
    assert teacher.imitated is not None
    spec = torch.from_numpy(clip.spec)
    frames, counts = teacher.imitated(spec[None], torch.tensor([spec.shape[1]]))
    return frames[0, :, : int(counts)].detach()


@pytest.mark.parametrize("hidden", [False, True])
def test_a_pupil_that_hears_as_its_teacher_does_differs_in_nothing(hidden: bool) -> None:
    """What both hear is the same piece with the same parts hidden, whatever it is."""
    pupil = make(TEACHER)
    assert isinstance(pupil, Encoder)
    theirs = make(TEACHER)
    assert isinstance(theirs, Encoder)
    teacher = Teacher(pupil, TrainConfig(feature_distill=1), imitated=theirs.encoder)
    assert teacher.imitated is not None and teacher.project is None, "nothing to learn but it"
    pupil.encoder.load_state_dict(teacher.imitated.state_dict())
    clips = spoken([31, 64, 5, 33], BANDS)
    teacher.teach(clips, pupil)
    batch = collate(clips, pupil, CLASSES)
    inputs = batch.inputs * (torch.rand_like(batch.inputs) > 0.3) if hidden else batch.inputs
    with torch.no_grad():
        _, frames, counts = pupil.listen(inputs, batch.lengths)
        assert teacher.difference(frames, counts, inputs, batch.lengths).item() < 1e-10
        teacher.spread.fill_(1e6)  # statistics count for nothing
        moved = frames + 0.5 / teacher.scale[:, None]
        apart = teacher.difference(moved, counts, inputs, batch.lengths).item()
        assert apart == pytest.approx(0.25, abs=1e-4), "the mean square, whatever the padding"
        teacher.spread.fill_(0.5)  # means are 0.5 apart, deviations are alike
        apart = teacher.difference(moved, counts, inputs, batch.lengths).item()
        assert apart == pytest.approx(0.25 + 0.5, abs=1e-4)


def test_both_are_told_where_a_piece_begins() -> None:
    """Said to begin later a piece is heard otherwise, by both alike."""
    pupil, theirs = make(TEACHER), make(TEACHER)
    assert isinstance(pupil, Encoder) and isinstance(theirs, Encoder)
    pupil.encoder.load_state_dict(theirs.encoder.state_dict())
    teacher = Teacher(pupil, TrainConfig(feature_distill=1), imitated=theirs.encoder)
    clips = spoken([31, 64])
    teacher.teach(clips, pupil)
    heard = collate(clips, pupil, CLASSES)
    with torch.no_grad():
        _, there, counts = pupil.listen(heard.inputs, heard.lengths, 50)
        apart = [
            teacher.difference(there, counts, heard.inputs, heard.lengths, start).item()
            for start in (50, 0)
        ]
    assert apart[0] < 1e-10 < 1e-2 < apart[1]


def test_places_are_among_what_frames_vary_by() -> None:
    """Clips that are all alike differ in where they stand, and else in nothing."""
    clips = [replace(clip, spec=np.zeros((BANDS, 40), np.float32)) for clip in spoken([40] * 64)]
    pupil = make(PUPIL)
    still, moved = (
        Teacher(pupil, TrainConfig(feature_distill=1), make(TEACHER), place=place)
        for place in (0, 300)
    )
    assert moved.imitated is not None and still.imitated is not None
    moved.imitated.load_state_dict(still.imitated.state_dict())
    for teacher in (still, moved):
        teacher.teach(clips, pupil)
    assert still.spread.max() < 2e-3, "nothing but what is added to it"
    assert moved.spread.median() > 0.1


@pytest.mark.parametrize("teacher", [False, True])
def test_a_training_tells_the_places_that_its_batches_have(
    monkeypatch: pytest.MonkeyPatch, teacher: bool
) -> None:
    told: list[int] = []
    frames = Encoder.frames

    def listen(self: Encoder, x: torch.Tensor, lengths: torch.Tensor, start: int = 0) -> Any:
        if self.training:
            told.append(start)
        return frames(self, x, lengths, start)

    compared: list[int] = []
    difference = Teacher.difference

    def compare(self: Teacher, *heard: Any) -> torch.Tensor:
        compared.append(heard[4] if len(heard) > 4 else 0)
        return difference(self, *heard)

    monkeypatch.setattr(Encoder, "frames", listen)
    monkeypatch.setattr(Teacher, "difference", compare)
    recipe = Recipe(augment=AugmentConfig(position_jitter=40), model=PUPIL, train=IMITATING)
    if not teacher:
        recipe = replace(recipe, train=replace(IMITATING, feature_distill=0.0, distill_alpha=0.0))
    train(recipe, **({"teacher": make(TEACHER)} if teacher else {}))
    assert len(told) == 4 * 8, "epochs of 30 clips in batches of 4"
    assert len(set(told)) > 8 and max(told) <= 20
    assert compared == (told if teacher else []), "both hear the same place"


def test_whoever_teaches_a_recipe_knows_how_far_its_places_move() -> None:
    recipe = replace(
        TUNED, augment=AugmentConfig(position_jitter=41), train=TrainConfig(feature_distill=1)
    )
    pupil = new_network(replace(recipe, model=PUPIL), 2)
    run = Run(SOLVED, ("a", "b"), new_network(SOLVED, 2), {})
    for teacher in (run, None):
        found = teacher_of(pupil, replace(recipe, model=PUPIL), teacher)
        assert found is not None and found.place == 20, "encoder frames"


def test_deviations_are_told_apart_from_frames_that_cannot_be_guessed() -> None:
    """Frames of a mean guess vary in nothing; what they vary by at the teacher's costs nothing."""
    pupil, clips = make(PUPIL), spoken([80], BANDS)
    teacher = Teacher(pupil, TrainConfig(feature_distill=1), make(TEACHER))
    teacher.teach([*clips, *spoken([40, 60], BANDS)], pupil)
    assert teacher.project is not None
    wanted = (heard(teacher, clips[0]) - teacher.mean[:, None]) * teacher.scale[:, None]
    for layer in (teacher.project.frames, teacher.project.statistics):
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    teacher.project.statistics.bias.data = statistics(wanted[None], torch.tensor([40]))[0]
    batch = collate(clips, pupil, CLASSES)
    frames = torch.randn(1, WIDTH, 40)
    apart = teacher.difference(frames, torch.tensor([40]), batch.inputs, batch.lengths).item()
    assert apart == pytest.approx(wanted.square().mean().item(), rel=1e-4)


def test_frames_are_brought_together_by_least_squares_before_anything_is_learnt() -> None:
    pupil, clips = make(PUPIL), spoken([60, 45, 80])
    teacher = Teacher(pupil, replace(IMITATING, distill_alpha=0), make(TEACHER))
    teacher.teach(clips, pupil)
    assert isinstance(pupil, Encoder) and teacher.project
    own, wanted = [], []
    for clip in clips:
        batch = collate([clip], pupil, CLASSES)
        with torch.no_grad():
            own.append(pupil.encoder(batch.inputs.squeeze(1), batch.lengths)[0][0].T)
            wanted.append(teacher._hear(batch.inputs, batch.lengths, 0)[0].T)
    x, y = torch.cat(own), torch.cat(wanted)
    x = torch.cat([x, torch.ones(len(x), 1)], 1)
    best = (y - x @ torch.linalg.lstsq(x, y).solution).square().mean()
    with torch.no_grad():
        found = (y - teacher.project(torch.cat(own).T[None])[0].T).square().mean()
    assert best <= found <= 1.02 * best
    assert best < 0.9  # of 1, what guessing nothing leaves


def test_what_brings_frames_together_is_solved_for_once() -> None:
    pupil = make(PUPIL)
    teacher = Teacher(pupil, IMITATING, make(TEACHER))
    teacher.teach(spoken([60, 45]), pupil)
    assert teacher.project
    with torch.no_grad():
        teacher.project.frames.weight.add_(1.0)  # as learning does
    learnt = teacher.project.state_dict()
    other = Teacher(pupil, IMITATING, teacher.network)
    assert other.project
    other.project.load_state_dict(learnt)  # as a checkpoint does
    other.teach(spoken([60, 45]), pupil)
    assert same(other.project.state_dict(), learnt)


def test_a_pupil_learns_what_its_teacher_hears() -> None:
    share = TrainConfig(12, 0, 4, lr=0.02, feature_distill=1.0)
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
    pupil = make(PUPIL)
    teacher = Teacher(pupil, IMITATING, make(replace(TEACHER, dropout=0.9)))
    teacher.train()
    one, two = ([clip.target for clip in teacher.teach(toy(4), pupil)] for _ in range(2))
    assert np.array_equal(one, two)


def test_what_brings_frames_together_learns_along() -> None:
    pupil = make(PUPIL)
    teacher = Teacher(pupil, IMITATING, make(TEACHER))
    optimizer = make_optimizer(pupil, IMITATING, teacher)
    learning = {id(p) for group in optimizer.param_groups for p in group["params"]}
    assert teacher.project is not None
    assert {id(p) for p in teacher.project.parameters()} <= learning
    assert teacher.network is not None
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
    pupil = replace(TUNED, train=replace(TUNED.train, distill_alpha=0.5))
    with pytest.raises(ConfigError, match=message):
        learn(lesson(pupil, teacher, classes), Loader(pupil, ("a", "b")), toy(4))


def test_whose_frames_alone_are_imitated_may_know_other_classes() -> None:
    run = Run(SOLVED, ("b", "a", "c"), new_network(SOLVED, 3), {})
    check_teacher(replace(TUNED, train=replace(TUNED.train, feature_distill=1.0)), ("a", "b"), run)


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
        Teacher(make(pupil), IMITATING, make(teacher))
    assert (
        Teacher(make(pupil), replace(IMITATING, feature_distill=0), make(teacher)).project is None
    )


def test_frames_of_other_lengths_cannot_be_imitated() -> None:
    pupil = make(PUPIL)
    pupil.stride = 4
    with pytest.raises(ConfigError, match=r"a frame of the pupil, 4 .* as the teacher's, 2"):
        Teacher(pupil, IMITATING, make(TEACHER))


def test_whom_ours_can_stand_in_for_it_is_not_projected_to() -> None:
    """Block for block and of one width: its own frames are to be those."""
    two, three = replace(TEACHER, blocks=2), TEACHER
    pupil = make(replace(PUPIL, blocks=2))
    assert Teacher(pupil, IMITATING, make(two)).project is None
    assert Teacher(pupil, IMITATING, make(three)).project is not None
    assert Teacher(make(two), IMITATING, make(two)).project is not None, "not of our own kind"


def test_a_lesson_begins_with_what_its_teacher_hears() -> None:
    ours = replace(
        TUNED, model=replace(PUPIL, blocks=2), train=replace(TUNED.train, feature_distill=1.0)
    )
    taught_by = lesson(ours, TUNED)
    assert taught_by.teacher is not None
    clips = spoken([24] * 12)
    solved = _with_solved(taught_by, clips).solved
    wanted = solve_encoder(ours, 2, clips, taught_by.teacher)
    assert same(dict(solved), dict(wanted))
    assert not same(dict(solved), dict(solve_encoder(ours, 2, clips)))


def test_an_encoder_may_teach_one_that_hears_as_often() -> None:
    pupil = make(PUPIL)
    assert isinstance(pupil, Encoder)
    assert Teacher(pupil, IMITATING, make(PUPIL)).project is not None


def test_a_teacher_answers_long_clips_in_windows() -> None:
    network, pupil = make(TEACHER), make(PUPIL)
    long = replace(spoken([90])[0], longest=40)
    teacher = Teacher(pupil, replace(IMITATING, distill_alpha=1.0, feature_distill=0.0), network)
    (found,) = teacher.teach([long], pupil)
    pieces = [logits(network, [piece], CLASSES) for piece in in_windows([long])[0]]
    assert len(pieces) > 2 and found.target is not None
    wanted = torch.cat(pieces).mean(0).softmax(0).numpy()
    np.testing.assert_allclose(found.target, wanted, atol=1e-5)
