"""Encoders: each clip has the features it has alone, and Whisper's are the textbook's."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from batches import assert_near, clips_of, gradients, pad
from numpy.typing import NDArray
from safetensors.torch import load_file
from tiny_encoder import BANDS, NAME, WIDTH, make_known
from torch import nn

from emelia.config import ModelConfig
from emelia.errors import ConfigError, ModelError
from emelia.learn.model.encoders import catalogue, load_weights, new_encoder
from emelia.learn.model.encoders.whisper import WhisperEncoder, sinusoids
from emelia.learn.model.network import Encoder, build

CLASSES = 5
LENGTHS = [31, 64, 5, 1, 40]
Array = NDArray[np.float64]
Levels = Literal["last", "all"]


@pytest.fixture(autouse=True)
def file(one_thread: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """The weights of the small encoder; one seed, and torch as it was afterwards."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield make_known(monkeypatch, tmp_path / "weights")


def make(name: str, levels: Levels = "last") -> Encoder:
    """A network in evaluation of which no part is as it was made: norms, attention, scales."""
    network = build(ModelConfig("encoder", encoder=name, pool_layers=levels), CLASSES, BANDS)
    assert isinstance(network, Encoder)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.3)  # type: ignore[arg-type]
            nn.init.uniform_(module.running_var, 0.5, 1.5)  # type: ignore[arg-type]
    nn.init.normal_(network.pool.score.weight)
    nn.init.normal_(network.shift)
    nn.init.uniform_(network.scale, 0.5, 1.5)
    return network.eval()


@pytest.mark.parametrize("levels", ["last", "all"])
@pytest.mark.parametrize("name", [NAME, "mel"])
def test_a_batch_of_clips_equals_each_alone_in_output_and_gradient(
    name: str, levels: Levels
) -> None:
    network, clips = make(name, levels), clips_of(LENGTHS, BANDS)
    logits = network(*pad(clips, extra=3))
    for place, clip in enumerate(clips):
        alone = network(clip[None, None], torch.tensor([clip.shape[1]]))
        ours = logits[place : place + 1]
        assert_near([ours], [alone])
        label = place % CLASSES
        assert_near(gradients(network, ours, label), gradients(network, alone, label))


@pytest.mark.parametrize("name", [NAME, "mel"])
def test_frames_of_every_level_are_those_of_the_clip_alone(name: str) -> None:
    encoder, clips = make(name).encoder, clips_of(LENGTHS, BANDS)
    batch, lengths = pad(clips)
    with torch.no_grad():
        levels, counts = encoder.hidden_states(batch.squeeze(1), lengths)
        assert len(levels) == 1 + len(encoder.blocks)
        for place, clip in enumerate(clips):
            alone, count = encoder.hidden_states(clip[None], lengths[place : place + 1])
            n = int(counts[place])
            assert n == int(count) == -(-clip.shape[1] // encoder.stride)
            assert_near([level[place, :, :n] for level in levels], [a[0] for a in alone])
    assert torch.equal(levels[-1], encoder(batch.squeeze(1), lengths)[0])


@pytest.mark.parametrize("levels", ["last", "all"])
@pytest.mark.parametrize("name", [NAME, "mel"])
def test_what_columns_contribute_adds_up_to_the_logits(name: str, levels: Levels) -> None:
    network = make(name, levels)
    batch, lengths = pad(clips_of(LENGTHS, BANDS))
    with torch.no_grad():
        found, counts = network.contributions(batch, lengths)
        assert_near([found.sum(2) + network.output.bias], [network(batch, lengths)])
    for row, count in zip(found, counts, strict=True):
        assert (row[:, int(count) :] == 0).all()


def test_all_layers_are_pooled_stacked_and_the_last_alone_is_distilled() -> None:
    network, (batch, lengths) = make(NAME, "all"), pad(clips_of(LENGTHS, BANDS))
    with torch.no_grad():
        levels, counts = network.encoder.hidden_states(batch.squeeze(1), lengths)
        pooled, also = network.frames(batch, lengths)
        _, last, _ = network.forward_with_frames(batch, lengths)
    assert torch.equal(counts, also)
    assert network.output.in_features == 2 * 3 * WIDTH
    assert torch.equal(pooled, torch.cat(levels[1:], 1)), "not what comes before the first block"
    assert torch.equal(last, levels[-1])


def test_before_training_attention_is_even() -> None:
    network = build(ModelConfig("encoder", encoder=NAME), CLASSES, BANDS)
    assert isinstance(network, Encoder)
    batch, lengths = pad(clips_of(LENGTHS, BANDS))
    frames, counts = network.encoder(batch.squeeze(1), lengths)
    weights = network.pool.weights(frames, counts)
    for row, count in zip(weights, counts, strict=True):
        torch.testing.assert_close(
            row[:, : int(count)], torch.full_like(row[:, : int(count)], 1 / count)
        )


# Whisper's encoder, as the textbook has it


def test_one_block_of_whisper_is_the_textbooks() -> None:
    encoder = WhisperEncoder(4, 8, 2, 1).double()
    for parameter in encoder.parameters():
        nn.init.normal_(parameter, std=0.5)
    values = {name: p.detach().numpy() for name, p in encoder.named_parameters()}
    clip = np.random.default_rng(0).standard_normal((4, 11))
    found, counts = encoder(torch.from_numpy(clip)[None], torch.tensor([11]))
    assert counts.tolist() == [6]
    np.testing.assert_allclose(found[0].detach().numpy(), by_hand(clip, values), atol=1e-6)


def by_hand(x: Array, w: dict[str, Array]) -> Array:
    """Convolutions, positions and a pre-norm block of two heads, frame by frame."""
    x = gelu(convolve(x, w["conv1.weight"], w["conv1.bias"], 1))
    x = gelu(convolve(x, w["conv2.weight"], w["conv2.bias"], 2)).T  # (N, D)
    frames, width = x.shape
    for t in range(frames):
        for k in range(width // 2):
            angle = t / 10_000 ** (k / (width // 2 - 1))
            x[t, k] += math.sin(angle)
            x[t, width // 2 + k] += math.cos(angle)
    block = {name.removeprefix("blocks.0."): value for name, value in w.items()}
    y = norm(x, block["attn_ln.weight"], block["attn_ln.bias"])
    query = y @ block["attn.query.weight"].T + block["attn.query.bias"]
    key = y @ block["attn.key.weight"].T
    value = y @ block["attn.value.weight"].T + block["attn.value.bias"]
    mixed = np.zeros_like(x)
    for head in (slice(0, 4), slice(4, 8)):
        for t in range(frames):
            score = np.exp(key[:, head] @ query[t, head] / math.sqrt(4))
            mixed[t, head] = score / score.sum() @ value[:, head]
    x = x + mixed @ block["attn.out.weight"].T + block["attn.out.bias"]
    y = norm(x, block["mlp_ln.weight"], block["mlp_ln.bias"])
    y = gelu(y @ block["mlp.0.weight"].T + block["mlp.0.bias"])
    return (x + y @ block["mlp.2.weight"].T + block["mlp.2.bias"]).T


def convolve(x: Array, weight: Array, bias: Array, step: int) -> Array:
    padded = np.pad(x, ((0, 0), (1, 1)))
    columns = [
        (weight * padded[None, :, t : t + 3]).sum((1, 2)) + bias for t in range(0, x.shape[1], step)
    ]
    return np.stack(columns, 1)


def gelu(x: Array) -> Array:
    return np.asarray(x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2))))


def norm(x: Array, weight: Array, bias: Array) -> Array:
    centred = x - x.mean(1, keepdims=True)
    return np.asarray(centred / np.sqrt((centred**2).mean(1, keepdims=True) + 1e-5) * weight + bias)


def test_whispers_own_weights_are_read_and_its_positions_are_those_computed(
    weights: Callable[[str], Path],
) -> None:
    path = weights(catalogue.KNOWN["whisper-tiny.en"].file)
    encoder = new_encoder("whisper-tiny.en", 0, 80)
    load_weights(encoder, "whisper-tiny.en")
    file = load_file(path)
    torch.testing.assert_close(encoder.conv1.weight, file["conv1.weight"].float())  # type: ignore[union-attr]
    positions = file["positional_embedding"].float()
    torch.testing.assert_close(sinusoids(*positions.shape), positions, atol=1e-3, rtol=0)
    torch.testing.assert_close(sinusoids(30, 384, 70), positions[70:100], atol=1e-3, rtol=0)
    with torch.no_grad():
        frames, counts = encoder(torch.zeros(1, 80, 100), torch.tensor([100]))
    assert frames.shape == (1, 384, 50) and counts.tolist() == [50]
    assert frames.isfinite().all()


# Names and files


def test_weights_are_read_and_cut_after_a_block(file: Path) -> None:
    encoder = new_encoder(NAME, 2, BANDS)
    load_weights(encoder, NAME)
    there = load_file(file)
    assert len(encoder.blocks) == 2 and "blocks.2.mlp.0.bias" in there
    for key, value in encoder.state_dict().items():
        torch.testing.assert_close(value, there[key].float())


def test_weights_are_looked_for_in_the_cache_folder_too(
    file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EMELIA_CACHE", str(tmp_path))  # the file lies below it in weights/
    monkeypatch.setenv("EMELIA_WEIGHTS", str(tmp_path / "nowhere"))
    assert catalogue.weights_file(NAME) == file
    file.unlink()
    with pytest.raises(ModelError, match=r"tiny\.safetensors is not in .*nowhere nor .*weights"):
        catalogue.weights_file(NAME)


def test_other_weights_than_those_known_are_refused(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(ModelError, match="SHA-256 differs"):
        load_weights(new_encoder(NAME, 1, BANDS), NAME)


@pytest.mark.parametrize(
    ("name", "blocks", "bands", "message"),
    [
        ("whisper-tiny", 0, 80, "did you mean whisper-tiny.en"),
        ("", 0, 80, "there are mel, whisper-tiny.en, whisper-base"),
        (NAME, 4, BANDS, "tiny has 1 to 3 blocks here, got 4"),
        (NAME, -1, BANDS, "got -1"),
        (NAME, 0, 64, r"takes 8 mel bands, got 64. Set features=whisper"),
    ],
)
def test_an_encoder_that_cannot_be_is_refused(
    name: str, blocks: int, bands: int, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        build(ModelConfig("encoder", encoder=name, blocks=blocks), CLASSES, bands)


def test_missing_weights_name_the_hub_only_where_it_has_them(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.unlink()
    with pytest.raises(ModelError, match="emelia weights fetch"):
        load_weights(new_encoder(NAME, 1, BANDS), NAME)
    with pytest.raises(ModelError, match=r"name its folder\.$"):
        load_weights(new_encoder("mel", 1, BANDS), "mel")
