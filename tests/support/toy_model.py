"""A model file small enough for tests, that keeps the contract of `emelia.config.card`.

What it answers is known: it brings the peak of a clip to 1 and looks at its mean absolute
sample alone. Made with onnx, without torch. `write_adaptable` makes one that can be adapted to a
source: its only coordinate tells the same mean, and an offset is taken off it.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from emelia.config import AudioConfig, Card, FeatureConfig
from emelia.config.card import KEY

HOP = 160
BANDS = 4
LABELS = ("anger", "fear", "happiness", "sadness")
WEIGHTS = np.array([9.0, 3.0, -2.0, -6.0], np.float32)  # of the mean, for each label
BIAS = np.array([-3.0, -0.5, 1.0, 2.0], np.float32)
CARD = Card(
    name="toy",
    labels=LABELS,
    features=FeatureConfig(n_fft=400, window=400, hop=HOP, mels=BANDS),
    audio=AudioConfig(),
    temperature=1.0,
    threshold=0.4,
    threshold_rule="chosen for tests",
    title="A toy that listens to loudness",
    recipe="toy",
    parameters=8,
    licence="for tests",
    corpora=({"name": "none", "title": "No corpus", "language": "none", "licence": "none",
              "home": "nowhere", "clips": 0},),
    created="2026-01-01T00:00:00+00:00",
)  # fmt: skip


def graph() -> onnx.GraphProto:
    """The nodes: peak to 1, mean absolute sample a frame, a linear layer, softmax."""
    constants = {
        "tiny": np.array(1e-30, np.float32),
        "hop": np.array(HOP, np.int64),
        "one": np.array(1, np.int64),
        "last": np.array([1], np.int64),
        "tail": np.array([0, 0, 0, 0, 0, HOP], np.int64),
        "bands": np.linspace(1, 2, BANDS, dtype=np.float32)[None, :, None],
        "weights": WEIGHTS[None, :, None],
        "bias": BIAS[None],
    }
    nodes = [
        helper.make_node("Abs", ["wave"], ["sizes"]),
        helper.make_node("ReduceMax", ["sizes"], ["peak"], axes=[1], keepdims=1),
        helper.make_node("Max", ["peak", "tiny"], ["some"]),
        helper.make_node("Div", ["sizes", "some"], ["level"]),
        helper.make_node("Unsqueeze", ["level", "last"], ["channel"]),
        helper.make_node("Pad", ["channel", "tail"], ["padded"]),
        helper.make_node(
            "AveragePool", ["padded"], ["means"], kernel_shape=[HOP], strides=[HOP]
        ),  # (B, 1, F)
        helper.make_node("Div", ["samples", "hop"], ["full"]),
        helper.make_node("Add", ["full", "one"], ["frames"]),
        helper.make_node("Cast", ["frames"], ["count"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["count", "last"], ["counts"]),
        helper.make_node("ReduceSum", ["means", "two"], ["sum"], keepdims=0),  # (B, 1)
        helper.make_node("Div", ["sum", "counts"], ["mean"]),
        helper.make_node("Squeeze", ["weights", "two"], ["row"]),
        helper.make_node("MatMul", ["mean", "row"], ["scores"]),
        helper.make_node("Add", ["scores", "bias"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
        helper.make_node("Mul", ["means", "bands"], ["logmel"]),
        helper.make_node("Mul", ["means", "weights"], ["saliency"]),
    ]
    constants["two"] = np.array([2], np.int64)
    value = helper.make_tensor_value_info
    return helper.make_graph(
        nodes,
        "toy",
        [
            value("wave", TensorProto.FLOAT, ["clips", "time"]),
            value("samples", TensorProto.INT64, ["clips"]),
        ],
        [
            value("probabilities", TensorProto.FLOAT, ["clips", len(LABELS)]),
            value("logmel", TensorProto.FLOAT, ["clips", BANDS, "frame"]),
            value("saliency", TensorProto.FLOAT, ["clips", len(LABELS), "frame"]),
            value("frames", TensorProto.INT64, ["clips"]),
        ],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )


SCALE, CENTRE = np.float32(40), np.float32(14)  # of the coordinate: mean * SCALE - CENTRE
# The means of the coordinate are those of means 0.55, 0.36, 0.275 and 0.2, each in its class.
ADAPTATION = {
    "means": [[8.0], [0.4], [-3.0], [-6.0]],
    "variances": [25.0],
    "prior": [0.1] * 4,
    "temperature": 1.0,
    "threshold": 0.3,
}


def adaptable_graph() -> onnx.GraphProto:
    """As `graph`, with the output `coordinates` (B, 1) and the input `offset` (1, 1) or (B, 1)."""
    plain = graph()
    nodes = [
        helper.make_node("Mul", ["mean", "scale"], ["scaled"]),
        helper.make_node("Sub", ["scaled", "centre"], ["coordinates"]),
        helper.make_node("Div", ["offset", "scale"], ["lower"]),
        helper.make_node("Sub", ["mean", "lower"], ["moved"]),
    ]
    place = next(i for i, node in enumerate(plain.node) if list(node.output) == ["scores"])
    plain.node[place].input[0] = "moved"
    for number, node in enumerate(nodes):
        plain.node.insert(place + number, node)
    constants = {"scale": SCALE, "centre": CENTRE, "offset": np.zeros((1, 1), np.float32)}
    plain.initializer.extend(
        numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()
    )
    info = helper.make_tensor_value_info
    plain.input.append(info("offset", TensorProto.FLOAT, ["sources", 1]))
    plain.output.append(info("coordinates", TensorProto.FLOAT, ["clips", 1]))
    return plain


def write_adaptable(path: Path, **changes: Any) -> Path:
    """Write a model file that can be adapted and return its path."""
    return write_toy(path, adaptable_graph(), **{"adaptation": ADAPTATION, **changes})


def toy_model(graph_: onnx.GraphProto | None = None, card: str | None = "", **changes: Any) -> Any:
    """The model; another graph or card, or changed fields of the card, make it a wrong one."""
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("strange", 1)]
    model = helper.make_model(graph_ or graph(), opset_imports=opsets, ir_version=9)
    if card is not None:
        helper.set_model_props(model, {KEY: card or replace(CARD, **changes).to_json()})
    return model


def write_toy(path: Path, graph_: onnx.GraphProto | None = None, **changes: Any) -> Path:
    """Write the model file and return its path."""
    path.write_bytes(toy_model(graph_, **changes).SerializeToString())
    return path


def expected(wave: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Probabilities (C,) of a waveform (T,), by the definition above."""
    level = np.abs(wave.astype(np.float64)) / np.abs(wave).max()
    frames = wave.size // HOP + 1
    padded = np.pad(level, (0, frames * HOP - wave.size))
    logits = padded.reshape(frames, HOP).mean(1).mean() * WEIGHTS + BIAS
    shares = np.exp(logits - logits.max())
    return np.asarray(shares / shares.sum())
