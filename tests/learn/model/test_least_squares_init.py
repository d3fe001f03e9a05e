"""Our own encoder stands in for one with attention: least squares, checked where they are exact."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from batches import clips_of
from tiny import same, toy
from tiny_encoder import BANDS, NAME, TUNED, WIDTH
from torch import Tensor, nn

from emelia.config import ModelConfig, Recipe, TrainConfig
from emelia.errors import ConfigError
from emelia.learn.model.encoders import (
    least_squares_init,
    load_reference,
    load_weights,
    new_encoder,
    reference_of,
)
from emelia.learn.model.encoders.least_squares_init import initialise
from emelia.learn.model.encoders.mel_student import MelEncoder
from emelia.learn.model.encoders.whisper import Block, WhisperEncoder
from emelia.learn.model.network import Encoder, parameters
from emelia.learn.study.warm_start import check_teachers
from emelia.learn.training import init
from emelia.learn.training.distill import Teacher
from emelia.learn.training.optim import make_optimizer
from emelia.learn.training.runs import Run, new_network

FRAMES = 24  # of the spectrogram: 12 of the encoder
OURS = replace(TUNED, name="ours", model=ModelConfig("encoder", encoder="mel", blocks=2))

pytestmark = pytest.mark.usefixtures("small_encoders")


def speech(clips: int, frames: int = FRAMES) -> list[Tensor]:
    return clips_of([frames] * clips, BANDS)


def told(ours: MelEncoder, theirs: WhisperEncoder, clips: list[Tensor]) -> list[float]:
    """How much of the variance of their frames ours explain, after each block."""
    x, lengths = torch.stack(clips), torch.tensor([clip.shape[1] for clip in clips])
    with torch.no_grad():
        found, wanted = (encoder.hidden_states(x, lengths)[0] for encoder in (ours, theirs))
    return [
        1 - ((a - b).square().sum() / (b - b.mean((0, 2), keepdim=True)).square().sum()).item()
        for a, b in zip(found, wanted, strict=True)
    ]


def simple(blocks: int = 2) -> WhisperEncoder:
    """Even attention to 12 frames, told in 3 directions, and 15 hidden units: ours can be that."""
    encoder = WhisperEncoder(BANDS, WIDTH, 2, blocks)
    for block in encoder.blocks:
        assert isinstance(block, Block)
        for part in (block.attn.query, block.attn.key):
            nn.init.zeros_(part.weight)
        nn.init.zeros_(block.attn.query.bias)
        block.attn.out.weight.data = 0.3 * torch.randn(WIDTH, 3) @ torch.randn(3, WIDTH)
        nn.init.normal_(block.mlp[0].weight, std=0.3)
        nn.init.normal_(block.mlp[2].weight, std=0.3)
        block.mlp[2].weight.data[:, 15:] = 0
    return encoder.eval()


def test_what_can_be_stood_in_for_is_on_clips_that_were_not_solved_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(least_squares_init, "RIDGE", 1e-9)
    theirs, ours = simple(), MelEncoder(BANDS, WIDTH, 2)
    before = told(ours, theirs, speech(20))
    initialise(ours, theirs, speech(60))
    after = told(ours, theirs, speech(20))
    assert after[0] == 1, "the convolutions are the same"
    assert min(after) > 0.999 > before[2]


def test_the_convolution_explains_more_of_real_attention_than_none() -> None:
    theirs, ours, deaf = (cls(BANDS, WIDTH, *n) for cls, n in (
        (WhisperEncoder, (2, 2)), (MelEncoder, (2,)), (MelEncoder, (2,))))  # fmt: skip
    assert isinstance(theirs, WhisperEncoder)
    for parameter in theirs.blocks.parameters():
        parameter.data += 0.3 * torch.randn_like(parameter)
    for encoder in (ours, deaf):
        assert isinstance(encoder, MelEncoder)
        initialise(encoder, theirs, speech(80))
    for block in deaf.blocks:
        nn.init.zeros_(block.up.weight)  # type: ignore[union-attr, arg-type]
    found, least = (told(e, theirs, speech(20)) for e in (ours, deaf))  # type: ignore[arg-type]
    assert found[1] > least[1] + 0.02 and found[2] > 0.5


def test_clips_of_other_lengths_in_another_order_give_the_same_encoder() -> None:
    """Frames past a clip's end are not solved on."""
    theirs, clips = simple(), clips_of([24, 31, 9, 40, 17, 22, 64, 30, 12, 28], BANDS)
    one, two = MelEncoder(BANDS, WIDTH, 2), MelEncoder(BANDS, WIDTH, 2)
    initialise(one, theirs, clips)
    initialise(two, theirs, clips[::-1])
    x, lengths = torch.stack(speech(5)), torch.tensor([FRAMES] * 5)
    with torch.no_grad():
        torch.testing.assert_close(one(x, lengths)[0], two(x, lengths)[0], atol=1e-2, rtol=1e-2)


def test_each_block_is_solved_on_the_activations_before_it() -> None:
    """So the first of two is the only one of one."""
    theirs, clips = simple(), speech(30)
    one, two = MelEncoder(BANDS, WIDTH, 1), MelEncoder(BANDS, WIDTH, 2)
    for encoder in (one, two):
        initialise(encoder, theirs, clips)
    assert same(one.state_dict(), {k: two.state_dict()[k] for k in one.state_dict()})


# How a training begins with it


def test_the_initial_encoder_is_the_one_solved_on_its_clips() -> None:
    clips = [replace(c, spec=x.numpy()) for c, x in zip(toy(12), speech(12), strict=True)]
    solved = init.least_squares_weights(OURS, 3, clips)
    network = init.initial_network(OURS, ("a", "b", "c"), encoder=solved)
    assert isinstance(network, Encoder)
    assert same(network.encoder.state_dict(), dict(solved))
    theirs = load_reference("mel", 2)
    ours = new_encoder("mel", 2, BANDS)
    load_weights(ours, "mel", clips=init._spectrograms(clips))
    assert same(ours.state_dict(), dict(solved))
    assert torch.equal(solved["conv2.weight"], theirs.state_dict()["conv2.weight"])


def test_with_a_teacher_the_reference_is_the_teachers_encoder() -> None:
    clips = [replace(c, spec=x.numpy()) for c, x in zip(toy(12), speech(12), strict=True)]
    tuned = new_network(TUNED, 3)  # random weights: not those of the encoder it began with
    deeper = new_network(replace(TUNED, model=replace(TUNED.model, blocks=3)), 3)
    teacher, other = (Run(TUNED, ("a", "b", "c"), network, {}) for network in (tuned, deeper))
    assert isinstance(tuned, Encoder)
    solved = init.least_squares_weights(OURS, 3, clips, teacher)
    assert torch.equal(solved["conv2.weight"], tuned.encoder.state_dict()["conv2.weight"])
    ours = new_encoder("mel", 2, BANDS)
    assert isinstance(ours, MelEncoder) and isinstance(tuned.encoder, WhisperEncoder)
    initialise(ours, tuned.encoder, init._spectrograms(clips))
    assert same(ours.state_dict(), dict(solved))
    usual = init.least_squares_weights(OURS, 3, clips)
    assert same(dict(init.least_squares_weights(OURS, 3, clips, other)), dict(usual)), "cannot"


def test_others_are_not_solved() -> None:
    assert init.least_squares_weights(TUNED, 3, toy(3)) == {}
    assert init.least_squares_weights(Recipe(), 3, toy(3)) == {}
    assert reference_of("mel") == NAME and reference_of(NAME) == "" and reference_of("hub:x") == ""


def test_speech_is_taken_evenly_half_of_it_joined() -> None:
    clips = [replace(c, spec=x.numpy()) for c, x in zip(toy(20), speech(20), strict=True)]
    found = init._spectrograms(clips)
    assert [x.shape[1] // FRAMES for x in found] == [1] * 10 + [4, 4, 2]
    long = [replace(clip, spec=clip.spec.repeat(60, 1)) for clip in clips]
    assert max(x.shape[1] for x in init._spectrograms(long)) == init.FRAMES
    assert len(init._spectrograms(clips * 100)) == pytest.approx(init.CLIPS * 5 / 8, rel=0.1)


def test_what_is_frozen_stays_and_still_counts() -> None:
    recipe = replace(OURS, train=replace(OURS.train, frozen=1))
    network = new_network(recipe, 3)
    every = parameters(network)
    optimizer = make_optimizer(network, recipe.train)
    assert isinstance(network, Encoder)
    still = {n.split(".")[0] for n, p in network.encoder.named_parameters() if not p.requires_grad}
    assert still == {"conv1", "conv2"}
    assert parameters(network) == every
    loss = network(torch.stack(speech(2))[:, None], torch.tensor([FRAMES] * 2)).square().sum()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    loss.backward()
    optimizer.step()
    moved = {k for k, v in network.state_dict().items() if not torch.equal(v, before[k])}
    assert not {key for key in moved if ".conv" in key}
    assert {key for key in moved if key.startswith("encoder.blocks")}


def test_without_a_teacher_features_are_distilled_from_the_reference() -> None:
    imitating = replace(OURS, train=TrainConfig(feature_distill=1.0))
    check_teachers([imitating], "")
    with pytest.raises(ConfigError, match="asks for a teacher"):
        check_teachers(
            [replace(imitating, train=TrainConfig(feature_distill=1.0, distill_alpha=0.5))], ""
        )
    with pytest.raises(ConfigError, match="asks for a teacher"):
        check_teachers([replace(TUNED, train=TrainConfig(feature_distill=1.0))], "")
    student = new_network(imitating, 3)
    teacher = Teacher(student, imitating.train, encoder=load_reference("mel", 2))
    assert teacher.project is None and teacher.network is None
    clips = toy(4)
    assert teacher.label(clips, student) == clips, "no labels change"
