"""Every clip gets the output, and gives the gradient, that it would at batch size 1."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from batches import assert_near, clips_of, gradients, pad
from tiny_encoder import BANDS
from torch import Tensor, nn
from torch.nn import functional as F

from emelia.config import PRESETS, ModelConfig
from emelia.errors import ConfigError
from emelia.learn.data.features import FrontEnd
from emelia.learn.model.layers import MaskedBatchNorm, Residual, halve, hide, valid
from emelia.learn.model.network import (
    Emelia,
    Encoder,
    Network,
    Resized,
    Variable,
    build,
    parameters,
)
from emelia.learn.study.recipes import all_recipes

CLASSES = 5
VARIABLE_3, VARIABLE_4 = ModelConfig(layers=3), ModelConfig(layers=4)
# Encoders that others have trained, in all their blocks, and the most that may be made of them.
PRETRAINED = {"whisper-tiny.en": 8_000_000, "whisper-base": 15_000_000}
EMELIA = ModelConfig(name="emelia", width=24, dropout=0.3)


@pytest.fixture(autouse=True)
def _repeatable() -> Iterator[None]:
    """One thread, one seed, and torch as it was afterwards."""
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(threads)
    torch.set_rng_state(state)


def make(config: ModelConfig, bands: int = 128) -> Network:
    """A network with dropout off and batch norms that have seen something."""
    network = build(config, CLASSES, bands)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for values in (module.running_mean, module.bias):
                nn.init.normal_(values, std=0.3)  # type: ignore[arg-type]
            for values in (module.running_var, module.weight):
                nn.init.uniform_(values, 0.5, 1.5)  # type: ignore[arg-type]
    return network.eval()


def seed_network(network: Network, spec: Tensor) -> Tensor:
    """The founding study's network on one clip (M, F), as it was written: convolve, ReLU, pool."""
    *pooled, last = network.convolutions  # type: ignore[misc]
    x = spec[None, None]
    for layer in pooled:
        x = F.max_pool2d(F.relu(F.conv2d(x, layer.weight, layer.bias, padding=1)), 2)
    x = F.relu(F.conv2d(x, last.weight, last.bias, padding=1))
    x = F.adaptive_avg_pool2d(x, 1).flatten(1)
    return F.linear(x, network.output.weight, network.output.bias)  # type: ignore[arg-type]


# Batches that equal batch size 1


@pytest.mark.parametrize(
    ("config", "bands", "seed"),
    [
        (VARIABLE_3, 128, 0),
        (VARIABLE_3, 128, 1),
        (VARIABLE_4, 128, 2),
        (VARIABLE_3, 65, 3),
        (VARIABLE_4, 40, 4),
        (EMELIA, 64, 5),
        (EMELIA, 80, 6),
        (EMELIA, 65, 7),
    ],
)
def test_random_lengths_in_a_batch_equal_batch_size_1(
    config: ModelConfig, bands: int, seed: int
) -> None:
    torch.manual_seed(seed)
    network = make(config, bands)
    drawn = torch.randint(network.min_frames, 1001, (2,)).tolist()
    shortest = network.min_frames
    clips = clips_of([*drawn, shortest, shortest + 1], bands)
    logits = network(*pad(clips))
    for place, clip in enumerate(clips):
        alone = network(clip[None, None], torch.tensor([clip.shape[1]]))
        ours = logits[place : place + 1]
        assert_near([ours], [alone])
        label = place % CLASSES
        assert_near(gradients(network, ours, label), gradients(network, alone, label))


@pytest.mark.parametrize("config", [VARIABLE_3, VARIABLE_4, EMELIA])
def test_every_short_length_equals_batch_size_1(config: ModelConfig) -> None:
    network = make(config, 16)
    clips = clips_of(range(network.min_frames, network.min_frames + 24), 16)
    with torch.no_grad():
        together = network(*pad(clips))
        alone = [network(clip[None, None], torch.tensor([clip.shape[1]])) for clip in clips]
    assert_near([together], [torch.cat(alone)])


@pytest.mark.parametrize("config", [VARIABLE_3, VARIABLE_4, EMELIA])
def test_the_gradient_of_a_batch_is_the_mean_of_its_clips(config: ModelConfig) -> None:
    network, clips = make(config, 64), clips_of([97, 40, 211, 8], 64)
    labels = torch.tensor([0, 3, 1, 4])
    loss = F.cross_entropy(network(*pad(clips)), labels)
    together = torch.autograd.grad(loss, list(network.parameters()))
    each = [
        gradients(network, network(clip[None, None], torch.tensor([clip.shape[1]])), int(label))
        for clip, label in zip(clips, labels, strict=True)
    ]
    assert_near(together, [torch.stack(parts).mean(0) for parts in zip(*each, strict=True)])


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("config", [VARIABLE_3, VARIABLE_4, EMELIA])
def test_the_content_of_the_padding_does_not_matter(config: ModelConfig, training: bool) -> None:
    network, clips = make(config, 64), clips_of([31, 64, 17], 64)
    dropout_off(network.train(training))
    found = [network(*pad(clips, garbage=g)) for g in (0.0, 1.0, 1e3)]
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])


@pytest.mark.parametrize("config", [VARIABLE_3, VARIABLE_4, EMELIA])
def test_more_padding_than_needed_does_not_matter(config: ModelConfig) -> None:
    network, clips = make(config, 64), clips_of([31, 64, 17], 64)
    with torch.no_grad():
        assert_near([network(*pad(clips))], [network(*pad(clips, extra=37))])


@pytest.mark.parametrize("config", [VARIABLE_3, EMELIA])
def test_no_gradient_reaches_the_padding(config: ModelConfig) -> None:
    network = make(config, 64)
    batch, lengths = pad(clips_of([31, 64, 18], 64))
    network(batch.requires_grad_(), lengths).square().sum().backward()
    assert batch.grad is not None
    for row, length in zip(batch.grad, lengths, strict=True):
        assert (row[..., int(length) :] == 0).all()
        assert (row[..., : int(length)] != 0).any()


@pytest.mark.parametrize("config", [VARIABLE_3, EMELIA])
def test_channels_last_is_a_layout_and_nothing_else(config: ModelConfig) -> None:
    network, (batch, lengths) = make(config, 64), pad(clips_of([31, 64, 18], 64))
    with torch.no_grad():
        usual = network(batch, lengths)
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        other = network(batch.contiguous(memory_format=torch.channels_last), lengths)
    assert_near([usual], [other])


# The founding study's networks


@pytest.mark.parametrize("config", [VARIABLE_3, VARIABLE_4])
def test_variable_is_the_seed_studys_network_in_output_and_gradient(config: ModelConfig) -> None:
    network, clips = make(config), clips_of([118, 61, 77, network_min(config)])
    logits = network(*pad(clips))
    for place, clip in enumerate(clips):
        ours, theirs = logits[place : place + 1], seed_network(network, clip)
        assert_near([ours], [theirs])
        label = place % CLASSES
        assert_near(gradients(network, ours, label), gradients(network, theirs, label))


@pytest.mark.parametrize("layers", [3, 4])
def test_resized_is_the_seed_studys_network_in_output_and_gradient(layers: int) -> None:
    network = make(ModelConfig(name="resized", layers=layers))
    naive = copy.deepcopy(network)
    for norm in (*network.norms, *naive.norms):  # type: ignore[misc]
        norm.train()
        nn.init.normal_(norm.weight)  # negative ones too: ReLU and pooling still change places
    naive.load_state_dict(network.state_dict())
    batch, lengths = torch.randn(3, 1, 128, 256), torch.full((3,), 256)

    x = batch
    for convolution, norm in zip(naive.convolutions, naive.norms, strict=True):  # type: ignore[arg-type]
        x = F.max_pool2d(F.relu(norm(convolution(x))), 2)
    theirs = naive.output(x.flatten(1))  # type: ignore[operator]
    ours = network(batch, lengths)
    assert_near([ours], [theirs])
    labels = torch.tensor([0, 1, 2])
    found, expected = (
        torch.autograd.grad(F.cross_entropy(logits, labels), list(net.parameters()))
        for logits, net in ((ours, network), (theirs, naive))
    )
    # A convolution before a batch norm has no gradient for its bias: there it is all rounding.
    assert_near(found, expected, most=5e-5)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        # 3 x 3 weights and a bias a convolution; pairs for batch norm; the linear layer
        (VARIABLE_3, 160 + 4640 + 18_496 + (64 * 5 + 5)),
        (VARIABLE_4, 160 + 4640 + 18_496 + 73_856 + (128 * 5 + 5)),
        (
            ModelConfig(name="resized", layers=3),
            160 + 4640 + 18_496 + 2 * (16 + 32 + 64) + (64 * 16 * 32 * 5 + 5),
        ),
        (
            ModelConfig(name="resized", layers=4),
            160 + 4640 + 18_496 + 73_856 + 2 * (16 + 32 + 64 + 128) + (128 * 8 * 16 * 5 + 5),
        ),
    ],
)
def test_the_seed_studys_networks_have_as_many_parameters_as_by_hand(
    config: ModelConfig, expected: int
) -> None:
    assert parameters(build(config, CLASSES, 128)) == expected


def test_variable_has_no_batch_norm() -> None:
    assert not [m for m in make(VARIABLE_4).modules() if isinstance(m, nn.BatchNorm2d)]


@pytest.mark.parametrize(("layers", "shortest"), [(1, 1), (3, 4), (4, 8)])
def test_variable_needs_what_its_pooling_eats(layers: int, shortest: int) -> None:
    network = make(ModelConfig(layers=layers))
    assert (network.min_frames, network.fixed_frames) == (shortest, 0)
    assert network(*pad(clips_of([shortest]))).isfinite().all()


@pytest.mark.parametrize("layers", [3, 4])
def test_resized_takes_128_bands_and_256_frames_only(layers: int) -> None:
    network = make(ModelConfig(name="resized", layers=layers))
    assert (network.min_frames, network.fixed_frames) == (256, 256)
    assert network(torch.zeros(2, 1, 128, 256), torch.full((2,), 256)).shape == (2, CLASSES)
    for shape in ((2, 1, 128, 240), (2, 1, 112, 256)):
        with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
            network(torch.zeros(shape), torch.full((2,), shape[3]))


# Few channels


@pytest.mark.parametrize("stride", [(2, 2), (2, 1)])
@pytest.mark.parametrize("width", [2, 7, 8, 15])
def test_a_block_of_few_channels_skips_what_a_stride_does(
    width: int, stride: tuple[int, int]
) -> None:
    block, x = Residual(width, 9, stride), torch.randn(3, width, 11, 14)
    seen = {}
    block.past.register_forward_hook(lambda module, inputs, found: seen.update(found=found))
    block(x, torch.tensor([14, 14, 14]))
    torch.testing.assert_close(seen["found"], F.conv2d(x, block.past.weight, stride=stride))


CRASHES = """
import os, sys, torch
from emelia.learn.model.layers import Residual
torch.set_num_threads(1)
def learn(inputs, stride):
    block = Residual(inputs, 16, stride).to(memory_format=torch.channels_last)
    for shape in [(4, 64, 96)] * 4 + [(n % 7 + 1, 32 + n % 5, 20 + n) for n in range(20)]:
        x = torch.randn(shape[0], inputs, *shape[1:]).contiguous(memory_format=torch.channels_last)
        x.requires_grad_()
        # Only the way past, as the block takes it: what is written beside is found out soonest.
        block.past(x[..., :: block.skip[0], :: block.skip[1]]).square().sum().backward()
        taken = [torch.randn(inputs * n + 1) for n in range(1, 40)]
for inputs in range(1, 18):
    for stride in ((2, 1), (2, 2)):
        child = os.fork()  # what is guarded against ends the whole process
        if not child:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            learn(inputs, stride)
            os._exit(0)
        if os.waitpid(child, 0)[1]:
            print(inputs, stride)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a crash is caught in a process forked for it")
def test_a_block_of_any_number_of_channels_learns_without_harm() -> None:
    checks = {"OMP_NUM_THREADS": "1", "MALLOC_CHECK_": "3", "MALLOC_PERTURB_": "7"}
    command = [sys.executable, "-c", CRASHES]
    child = subprocess.run(command, env=os.environ | checks, capture_output=True, text=True)
    assert (child.returncode, child.stdout) == (0, ""), child.stderr


@pytest.mark.parametrize("name", ["emelia", "variable", "resized", "tiny", "mel"])
def test_no_narrow_convolution_of_a_single_value_has_a_stride(
    name: str, small_encoders: None
) -> None:
    """OneDNN's gradient of one needs as many channels as its longest vector has values: 16."""
    encoder = ModelConfig("encoder", encoder=name)
    for width in range(1, 17):
        own = ModelConfig(name, width=width, frames=64)
        config, bands = (encoder, BANDS) if name in ("tiny", "mel") else (own, 64)
        network = build(config, CLASSES, bands)
        for layer in network.modules():
            if isinstance(layer, nn.Conv1d | nn.Conv2d) and max(layer.kernel_size) == 1:
                assert max(layer.stride) == 1 or layer.in_channels >= 16, (width, layer)


# Shapes


def shapes(network: Network, batch: Tensor, lengths: Tensor, kinds: Any) -> list[tuple[int, ...]]:
    found: list[tuple[int, ...]] = []
    for module in network.modules():
        if isinstance(module, kinds):
            module.register_forward_hook(lambda _, __, out: found.append(shape_of(out)))
    network(batch, lengths)
    return found


def test_the_maps_of_variable_have_the_shapes_of_its_comments() -> None:
    assert shapes(make(VARIABLE_4), *pad(clips_of([100, 77])), nn.Conv2d) == [
        (2, 16, 128, 100),
        (2, 32, 64, 50),
        (2, 64, 32, 25),
        (2, 128, 16, 12),
    ]


def test_the_maps_of_emelia_have_the_shapes_of_its_comments() -> None:
    found = shapes(make(EMELIA, 64), *pad(clips_of([100, 77], 64)), (Residual, nn.Linear))
    assert found == [(2, 36, 16, 25), (2, 48, 8, 25), (2, 72, 4, 25), (2, CLASSES)]


@pytest.mark.parametrize("bands", [1, 13, 20, 40, 64, 80, 128])
def test_emelia_takes_any_number_of_bands(bands: int) -> None:
    network = make(EMELIA, bands)
    assert network(*pad(clips_of([1, 50, 7], bands))).shape == (3, CLASSES)


@pytest.mark.parametrize("recipe", all_recipes().values(), ids=lambda recipe: recipe.name)
def test_shipped_recipes_build_and_stay_small(recipe: Any) -> None:
    network = build(recipe.model, CLASSES, FrontEnd(recipe.features).bands)
    kinds = {"variable": Variable, "resized": Resized, "emelia": Emelia, "encoder": Encoder}
    assert type(network) is kinds[recipe.model.name]
    most = PRETRAINED.get(recipe.model.encoder, 2_000_000)  # our own
    assert parameters(network) < most


@pytest.mark.parametrize("preset", PRESETS)
def test_emelia_has_less_than_a_million_parameters_on_every_preset(preset: str) -> None:
    assert parameters(build(EMELIA, 8, FrontEnd(PRESETS[preset]).bands)) < 1_000_000


def test_frozen_weights_count_as_parameters_and_statistics_do_not() -> None:
    network = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    network[0].bias.requires_grad_(False)
    assert parameters(network) == 8 + 4


@pytest.mark.parametrize(
    ("config", "bands", "message"),
    [
        (ModelConfig(name="resized", layers=4), 13, "needs at least 16 bands and 16 frames"),
        (ModelConfig(name="resized", layers=4, frames=15), 40, "got 40 and 15"),
        (ModelConfig(name="variable", layers=4), 7, "needs at least 8 bands"),
    ],
)
def test_a_network_that_would_pool_away_its_map_is_refused(
    config: ModelConfig, bands: int, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        build(config, CLASSES, bands)


@pytest.mark.parametrize("config", [VARIABLE_4, ModelConfig(name="resized", layers=3)])
def test_the_fewest_bands_a_network_takes_are_enough(config: ModelConfig) -> None:
    frames = torch.full((2,), 256)
    assert build(config, CLASSES, 8)(torch.randn(2, 1, 8, 256), frames).isfinite().all()


def test_fresh_weights_come_from_torchs_seed() -> None:
    found = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        found.append(next(build(VARIABLE_3, CLASSES, 128).parameters()))
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


@pytest.mark.parametrize("config", [VARIABLE_3, EMELIA])
def test_dropout_is_on_in_training_only(config: ModelConfig) -> None:
    network, batch = make(config, 64), pad(clips_of([30, 40], 64))
    assert torch.equal(network(*batch), network(*batch))
    network.train()
    assert not torch.equal(network(*batch), network(*batch))


# Batch norm


def norms(channels: int = 4) -> tuple[MaskedBatchNorm, nn.BatchNorm2d]:
    """A masked and a plain one with the same weights."""
    ours, theirs = MaskedBatchNorm(channels), nn.BatchNorm2d(channels)
    nn.init.normal_(ours.weight)
    nn.init.normal_(ours.bias)
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


def test_batch_norm_learns_from_valid_frames_only() -> None:
    ours, theirs = norms()
    lengths = torch.tensor([9, 4, 1, 7])
    batch = 5 + 2 * torch.randn(4, 4, 6, 9)
    batch[..., 8] *= 1 + 100 * (lengths < 9)[:, None, None]  # loud garbage
    pieces = [row[:, :, : int(n)] for row, n in zip(batch, lengths, strict=True)]
    joined = torch.cat(pieces, 2)[None].requires_grad_()  # (1, C, M, all valid frames)
    weight = torch.randn_like(joined)
    for _ in range(3):  # the running figures add up
        expected, padded = theirs(joined), batch.clone().requires_grad_()
        whole = ours(padded, lengths)
    found = torch.cat([r[:, :, : int(n)] for r, n in zip(whole, lengths, strict=True)], 2)[None]

    assert_near([found], [expected])
    for name in ("running_mean", "running_var"):
        torch.testing.assert_close(getattr(ours, name), getattr(theirs, name))
    assert ours.num_batches_tracked == theirs.num_batches_tracked == 3

    a = torch.autograd.grad((found * weight).sum(), [padded, ours.weight, ours.bias])
    b = torch.autograd.grad((expected * weight).sum(), [joined, theirs.weight, theirs.bias])
    parts = [row[:, :, : int(n)] for row, n in zip(a[0], lengths, strict=True)]
    assert_near([torch.cat(parts, 2)[None], *a[1:]], b, most=1e-4)
    assert all((row[:, :, int(n) :] == 0).all() for row, n in zip(a[0], lengths, strict=True))


@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_without_padding_is_torchs_own(training: bool) -> None:
    ours, theirs = norms()
    ours.train(training)
    theirs.train(training)
    batch = torch.randn(3, 4, 6, 9)
    assert torch.equal(ours(batch, torch.tensor([9, 9, 9])), theirs(batch))
    for name, value in theirs.state_dict().items():
        assert torch.equal(ours.state_dict()[name], value)


def test_batch_norm_in_evaluation_looks_at_no_batch() -> None:
    ours, theirs = norms()
    ours(torch.randn(3, 4, 6, 9), torch.tensor([9, 2, 5]))
    theirs.load_state_dict(ours.state_dict())
    ours.eval()
    theirs.eval()
    batch = torch.randn(3, 4, 6, 9)
    assert torch.equal(ours(batch, torch.tensor([9, 2, 5])), theirs(batch))
    assert torch.equal(ours.running_mean, theirs.running_mean)  # type: ignore[arg-type]


def test_emelias_running_figures_ignore_padding() -> None:
    first, clips = make(EMELIA, 64), clips_of([50, 33, 8], 64)
    second = copy.deepcopy(first)
    dropout_off(first.train())(*pad(clips))
    dropout_off(second.train())(*pad(clips, extra=40, garbage=100.0))
    for name, value in first.state_dict().items():
        torch.testing.assert_close(second.state_dict()[name], value, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("lengths", [[40, 23, 9], [40, 40, 40]])
def test_emelia_trains_in_half_precision(lengths: list[int]) -> None:
    network, other = make(EMELIA, 64), make(EMELIA, 64)
    other.load_state_dict(network.state_dict())
    batch, ends = pad(clips_of(lengths, 64))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = dropout_off(network.train())(batch, ends)
    whole = dropout_off(other.train())(batch, ends)
    assert (half - whole).abs().max() < 0.1
    half.float().square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())
    for name, value in other.state_dict().items():
        if "running" in name:
            torch.testing.assert_close(network.state_dict()[name], value, rtol=0.03, atol=0.02)


# Masks


def test_hide_sets_what_comes_after_the_end_to_zero() -> None:
    x, lengths = torch.ones(3, 2, 2, 5), torch.tensor([5, 1, 3])
    found = hide(x, lengths)
    assert found.sum((1, 2, 3)).tolist() == [20, 4, 12]
    assert (found[1, ..., 1:] == 0).all()
    assert valid(x, lengths).shape == (3, 1, 1, 5)
    assert valid(x[:, 0], lengths).shape == (3, 1, 5)


def test_halve_counts_the_frames_a_convolution_leaves() -> None:
    convolution = nn.Conv2d(1, 1, 3, stride=2, padding=1)
    for length in range(1, 20):
        left = convolution(torch.zeros(1, 1, 4, length)).shape[3]
        assert halve(torch.tensor([length])).tolist() == [left]


def dropout_off(network: Network) -> Network:
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return network


def network_min(config: ModelConfig) -> int:
    return build(config, CLASSES, 128).min_frames


def shape_of(out: Any) -> tuple[int, ...]:
    return tuple((out[0] if isinstance(out, tuple) else out).shape)


def test_the_residual_network_has_the_weights_of_its_description() -> None:
    """Convolutions before batch norm have no bias, which the norm would take away."""
    blocks = [m for m in make(EMELIA, 64).modules() if isinstance(m, Residual)]
    assert blocks
    for block in blocks:
        convolutions = [m for m in block.modules() if isinstance(m, nn.Conv2d)]
        assert len(convolutions) == 3 and all(c.bias is None for c in convolutions)
