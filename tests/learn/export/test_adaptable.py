"""A model file that tells where clips lie in its space, and takes the offset of a source."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import RATE, voice
from numpy.typing import NDArray
from tiny_encoder import TUNED

from emelia.config import Card
from emelia.errors import ModelError
from emelia.learn.export.graph import Graph
from emelia.learn.export.modelfile import to_onnx, with_card
from emelia.learn.export.restore import load_model_run, metadata_of, settings_of
from emelia.learn.training.runs import Run, load_run, new_network, save_run
from emelia.learn.training.source_space import SourceSpace
from emelia.use.model import Model

CLASSES, SIZE = ("anger", "fear", "sadness"), 5
TEMPERATURE = 1.5
WAVES = [voice(120 + 40 * i, 0.5 + 0.4 * i, i).astype(np.float32) for i in range(3)]

pytestmark = pytest.mark.usefixtures("small_encoders", "one_thread")


def _run() -> Run:
    torch.manual_seed(3)
    network = new_network(TUNED, len(CLASSES))
    for parameter in network.parameters():
        parameter.data += 0.2 * torch.randn_like(parameter)
    network.shift += 0.3
    network.scale *= 1.7
    features = network.output.in_features
    directions = torch.randn(SIZE, features) / 4
    space = SourceSpace(
        torch.randn(features), directions, torch.linalg.pinv(directions),
        torch.randn(len(CLASSES), SIZE), torch.rand(SIZE),
    )  # fmt: skip
    return Run(TUNED, CLASSES, network.eval(), {}, space)


@pytest.fixture(scope="module")
def adaptation() -> dict:
    means = np.random.default_rng(0).standard_normal((3, SIZE)).round(3).tolist()
    return {"means": means, "variances": [1.0] * SIZE, "temperature": 2.0, "threshold": 0.3}


@functools.cache
def _model(with_space: bool) -> bytes:
    """The graph of `_run`, which takes seconds to write and is always the same."""
    run = _run()
    return to_onnx(Graph(run.recipe, run.network, TEMPERATURE, run.space if with_space else None))


def _file(run: Run, adaptation: dict, path: Path) -> Path:
    card = Card("m", CLASSES, run.recipe.features, run.recipe.audio, TEMPERATURE, 0.4)
    path.write_bytes(with_card(_model(run.space is not None), replace(card, adaptation=adaptation)))
    return path


def _pooled(run: Run, wave: NDArray[np.float32]) -> torch.Tensor:
    """What the network pools of a waveform, computed apart from the graph's own way."""
    graph = Graph(run.recipe, run.network)
    _, spec, _, frames = graph(torch.from_numpy(wave)[None], torch.tensor([len(wave)]))
    return run.network.pool(*run.network.frames(spec[:, None], frames))[0]


@torch.no_grad()
def test_coordinates_are_those_of_the_space_and_an_offset_is_taken_off(tmp_path, adaptation):
    run = _run()
    model = Model(_file(run, adaptation, tmp_path / "m.onnx"))
    assert model.adaptable
    offset = np.linspace(-1, 1, SIZE).astype(np.float32)
    plain, moved = model.run(WAVES), model.run(WAVES, offset)
    for wave, before, after in zip(WAVES, plain, moved, strict=True):
        pooled = _pooled(run, wave)
        where = run.space.directions @ (pooled - run.space.centre)
        np.testing.assert_allclose(before.coordinates, where, atol=2e-4)
        np.testing.assert_allclose(after.coordinates, where, atol=2e-4)  # without the offset
        less = pooled - run.space.back @ torch.from_numpy(offset)
        for found, own in ((before, pooled), (after, less)):
            logits = run.network.output((own - run.network.shift) * run.network.scale)
            wanted = (logits / TEMPERATURE).softmax(0)
            np.testing.assert_allclose(found.probabilities, wanted, atol=1e-4)


def test_a_model_without_a_space_has_none(tmp_path):
    run = replace(_run(), space=None)
    model = Model(_file(run, {}, tmp_path / "m.onnx"))
    assert not model.adaptable and model.run(WAVES)[0].coordinates is None


def test_a_card_that_promises_what_the_graph_has_not_is_refused(tmp_path, adaptation):
    run = replace(_run(), space=None)
    with pytest.raises(ModelError, match="its graph does not fit"):
        Model(_file(run, adaptation, tmp_path / "m.onnx"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"variances": [1.0, -1.0, 1, 1, 1]},
        {"variances": [1.0, float("nan"), 1, 1, 1]},
        {"variances": [1.0] * 4},
        {"means": [[0.0] * SIZE] * 2},
        {"means": [["a"] * SIZE] * 3},
        {"means": 5},
        {"temperature": 0},
        {"threshold": 1.5},
        {"threshold": "high"},
        {"thresholds": {"boredom": 0.5}},
        {"thresholds": {CLASSES[0]: 2.0}},
        {"prior": [1.0, 1.0]},
        {"prior": [1.0, 1.0, 0.0]},
    ],
    ids=str,
)
def test_numbers_of_an_adaptation_that_do_not_fit_are_refused(adaptation, wrong):
    run = _run()
    card = Card("m", CLASSES, run.recipe.features, run.recipe.audio, 1.0, 0.4)
    with pytest.raises(ModelError, match="card is damaged"):
        Card.read(replace(card, adaptation={**adaptation, **wrong}).to_json())


def test_a_run_keeps_its_space(tmp_path):
    run = _run()
    save_run(tmp_path, run.recipe, CLASSES, run.network, [], {}, run.space)
    again = load_run(tmp_path)
    assert again.space and torch.equal(again.space.back, run.space.back)
    save_run(tmp_path / "other", run.recipe, CLASSES, run.network, [], {})
    assert load_run(tmp_path / "other").space is None


def test_fine_tuning_finds_the_space_in_the_file(tmp_path, adaptation):
    run = _run()
    model = _model(with_space=True)
    card = Card("m", CLASSES, run.recipe.features, run.recipe.audio, TEMPERATURE, 0.4)
    card = replace(card, adaptation=adaptation, settings=settings_of(run.recipe))
    path = tmp_path / "m.onnx"
    path.write_bytes(with_card(model, card, metadata_of(run, model)))
    again = load_model_run(path)
    for name in ("centre", "directions", "back"):
        assert torch.equal(getattr(again.space, name), getattr(run.space, name))
    assert again.space.means.tolist() == pytest.approx(np.array(adaptation["means"]))


def test_half_a_second_is_enough(tmp_path, adaptation):
    model = Model(_file(_run(), adaptation, tmp_path / "m.onnx"))
    (found,) = model.run([WAVES[0][: RATE // 2]])
    assert found.coordinates is not None and found.coordinates.shape == (SIZE,)
