"""Saliency adds up to the answer, lies where the sound is, and points at what decides."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from emelia import load
from emelia.audio import decode, resample
from emelia.config import FeatureConfig, ModelConfig, Recipe
from emelia.corpora.known.europe.aesdd import parse
from emelia.learn.export.graph import Graph, places, spread
from emelia.learn.model.network import Emelia, Network, Resized, Variable
from emelia.learn.training.runs import new_network

CLASSES = 4
FEATURES = FeatureConfig(n_fft=256, window=200, hop=80, mels=16)
KINDS = {
    "variable": ModelConfig("variable", 3, 4),
    "variable-4": ModelConfig("variable", 4, 2),
    "resized": ModelConfig("resized", 2, 3, frames=50),  # of which pooling leaves out two
    "emelia": ModelConfig("emelia", width=4),
}
every_kind = pytest.mark.parametrize("kind", KINDS)


def network(kind: str) -> Network:
    """Random weights, and running figures that batch norm has really seen."""
    torch.manual_seed(1)
    made = new_network(Recipe(features=FEATURES, model=KINDS[kind]), CLASSES)
    for parameter in made.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    frames = made.fixed_frames or 60
    made(torch.randn(6, 1, 16, frames), torch.full((6,), frames))
    return made.eval()


def clips(made: Network, *lengths: int) -> tuple[Tensor, Tensor]:
    """Random spectrograms of these lengths, or as many of the fixed one."""
    frames = torch.tensor([made.fixed_frames or n for n in lengths])
    x = torch.randn(len(lengths), 1, 16, int(frames.max()))
    return x, frames


def last_map(made: Network, x: Tensor, lengths: Tensor) -> Tensor:
    """What is pooled: (B, D, G)."""
    if isinstance(made, Resized):
        return made.maps(x).flatten(1, 2)
    assert isinstance(made, Variable | Emelia)
    return made.columns(x, lengths)[0]


@every_kind
@torch.no_grad()
def test_contributions_add_up_to_the_logits(kind: str) -> None:
    made = network(kind)
    x, lengths = clips(made, 8, 33, 70, 71)
    columns, counts = made.contributions(x, lengths)
    assert columns.shape == (4, CLASSES, int(counts.max()))
    want = made(x, lengths)
    assert want.std(0).min() > 1e-3 or made.fixed_frames  # they do differ
    torch.testing.assert_close(columns.sum(2) + made.output.bias, want, atol=1e-4, rtol=0)
    for row, count in zip(columns, counts, strict=True):
        assert not row[:, count:].any()


@every_kind
@torch.no_grad()
def test_a_column_is_where_its_frames_are(kind: str) -> None:
    made = network(kind)
    for parameter in made.parameters():
        parameter.data = parameter.abs()  # nothing cancels out, no unit is silent
    x, lengths = clips(made, 96)
    before, counts = last_map(made, x, lengths), made.contributions(x, lengths)[1]
    place = places(lengths, int(lengths[0]), counts, made)[0]
    frames = torch.arange(len(place))
    centres = torch.stack([frames[place == g].float().mean() for g in range(int(counts[0]))])
    off = []
    for frame in range(16, len(place) - 16):  # the ends would pull
        louder = x.clone()
        louder[..., frame] += 5
        change = (last_map(made, louder, lengths) - before).abs().sum((0, 1))
        off.append(float(change @ centres / change.sum()) - frame)
    assert abs(np.mean(off)) < made.stride / 4


def test_frames_of_a_column_share_its_value() -> None:
    columns = torch.tensor([[[6.0, 8.0, 3.0]], [[4.0, 0.0, 0.0]]])  # two clips, one class
    place = torch.tensor([[0, 0, 1, 1, 2, 2], [0, 0, 0, 0, 0, 0]])
    got = spread(columns, place, torch.tensor([5, 4]))
    torch.testing.assert_close(got, torch.tensor([[[3.0, 3, 4, 4, 3, 0]], [[1.0, 1, 1, 1, 0, 0]]]))


@pytest.mark.parametrize("kind", ["variable", "emelia", "resized"])
@torch.no_grad()
def test_saliency_adds_up_to_the_logit_against_the_others(kind: str) -> None:
    made = network(kind)
    graph = Graph(Recipe(features=FEATURES, model=KINDS[kind]), made)
    samples = torch.tensor([16_000, 4_321])  # more frames than the resized network takes
    wave = torch.randn(2, 16_000)
    probabilities, spec, saliency, frames = graph(wave, samples)
    assert saliency.shape == (2, CLASSES, spec.shape[2])
    assert frames.tolist() == [201, 55]
    assert not saliency[1, :, 55:].any()
    torch.testing.assert_close(saliency.sum(1), torch.zeros(2, 201), atol=1e-5, rtol=0)
    logits = probabilities.log()
    bias = made.output.bias
    want = (logits - logits.mean(1, keepdim=True)) - (bias - bias.mean())
    torch.testing.assert_close(saliency.sum(2), want, atol=1e-4, rtol=0)


@pytest.mark.parametrize("samples", [1, 79, 80, 400])
@every_kind
@torch.no_grad()
def test_the_shortest_clips_have_saliency_too(kind: str, samples: int) -> None:
    made = network(kind)
    graph = Graph(Recipe(features=FEATURES, model=KINDS[kind]), made)
    wave = torch.randn(1, samples)
    _, spec, saliency, frames = graph(wave, torch.tensor([samples]))
    assert saliency.shape[2] == spec.shape[2] == int(frames[0]) == samples // 80 + 1
    assert saliency.isfinite().all()


def silenced(wave: NDArray[np.float32], frames: NDArray[np.int64], hop: int) -> Any:
    """The wave with the hop of samples around the centre of each frame at zero."""
    places = (frames[:, None] * hop + np.arange(-(hop // 2), hop - hop // 2)).reshape(-1)
    quiet = wave.copy()
    quiet[places[(places >= 0) & (places < wave.size)]] = 0
    return quiet


@pytest.mark.slow
def test_silencing_salient_frames_takes_away_more_than_others(
    corpora: Callable[[str], Path],
) -> None:
    """The deletion test, on clips of speakers whom the model has not seen."""
    recognizer, rng = load("aesdd"), np.random.default_rng(0)
    paths = [
        p for p in sorted(corpora("aesdd").rglob("*")) if (f := parse(p)) and f.speaker in "15"
    ]
    drops = []
    for path in paths[::6]:
        wave = resample(*decode(path))
        answer = recognizer.predict(wave, 16_000)
        if answer.emotion not in recognizer.emotions:
            continue
        order = np.argsort(answer.saliency)
        count, hop = round(0.2 * len(order)), round(answer.hop * 16_000)
        ways = (order[-count:], rng.permutation(order)[:count], order[:count])
        asked = recognizer.probabilities([silenced(wave, frames, hop) for frames in ways])
        drops.append(answer.confidence - asked[:, recognizer.emotions.index(answer.emotion)])
    most, random, least = np.array(drops).T
    assert len(most) > 25 and most.mean() > 0.1
    for other in (random, least):
        draws = rng.integers(len(most), size=(2000, len(most)))
        low = np.quantile((most - other)[draws].mean(axis=1), 0.025)
        assert low > 0, "no more than others"
