"""A graph as an ONNX file, and what runs one: bytes in memory, nothing written.

The file is made of operators of opset 18, which every runtime of the last years has. It
holds its weights itself and no trace of the machine it was made on.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray

from emelia.config import Card
from emelia.config.card import INPUTS, KEY, OUTPUTS
from emelia.learn.graph import Graph

OPSET = 18
_AXES = {  # what the free axes are called, in the file
    "wave": ("clips", "time"),
    "samples": ("clips",),
    "probabilities": ("clips", None),
    "logmel": ("clips", None, "frame"),
    "saliency": ("clips", None, "frame"),
    "frames": ("clips",),
}
_CHATTER = (  # of torch's exporter, about itself
    ("`isinstance.treespec, LeafSpec", FutureWarning),
)


def to_onnx(graph: Graph) -> onnx.ModelProto:
    """Export a graph for any number of clips of any length."""
    example = torch.zeros(2, 16_000), torch.tensor([16_000, 9_000])
    free = torch.export.Dim.DYNAMIC
    with _quiet(), torch.no_grad():
        # Not by torch.onnx alone: that takes the marks for promises, fails and traces twice.
        traced = torch.export.export(
            graph, example, dynamic_shapes=((free, free), (free,)), strict=False
        )
        program = torch.onnx.export(
            traced, dynamo=True, opset_version=OPSET, verbose=False,
            input_names=INPUTS, output_names=OUTPUTS,
        )  # fmt: skip
    assert program is not None  # it is with dynamo
    model = program.model_proto
    _tidy(model)
    return model


def with_card(model: onnx.ModelProto, card: Card) -> bytes:
    """The whole file."""
    labelled = onnx.ModelProto()
    labelled.CopyFrom(model)
    onnx.helper.set_model_props(labelled, {KEY: card.to_json()})
    onnx.checker.check_model(labelled)
    data: bytes = labelled.SerializeToString(deterministic=True)
    return data


class Session:
    """A model as ONNX Runtime computes it, on one thread."""

    def __init__(self, model: onnx.ModelProto | bytes) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        data = model if isinstance(model, bytes) else model.SerializeToString()
        self.session = onnxruntime.InferenceSession(
            data, options, providers=["CPUExecutionProvider"]
        )

    def __call__(self, waves: list[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        """Run clips as one batch; see `Graph.forward` for what comes back."""
        outputs: list[NDArray[np.float32]] = self.session.run(OUTPUTS, batch(waves))
        return outputs


def batch(waves: list[NDArray[np.float32]]) -> dict[str, NDArray[np.generic]]:
    """Put waveforms side by side, zeros after each clip's end, with their lengths."""
    samples = np.array([len(wave) for wave in waves])
    padded = np.zeros((len(waves), samples.max()), np.float32)
    for row, wave in zip(padded, waves, strict=True):
        row[: len(wave)] = wave
    return dict(zip(INPUTS, (padded, samples), strict=True))


def _tidy(model: onnx.ModelProto) -> None:
    """Take out notes of the exporter, paths of this machine among them, and name the axes."""
    graph = model.graph
    for part in (graph.node, graph.input, graph.output, graph.value_info, graph.initializer):
        for item in part:
            item.ClearField("metadata_props")
            item.ClearField("doc_string")
    graph.ClearField("metadata_props")
    graph.ClearField("value_info")
    model.producer_name, model.producer_version = "emelia", ""
    for value in (*graph.input, *graph.output):
        for axis, name in zip(value.type.tensor_type.shape.dim, _AXES[value.name], strict=True):
            if name:
                axis.dim_param = name


@contextmanager
def _quiet() -> Iterator[None]:
    """Hush what the exporter says of itself, and only that."""
    log = logging.getLogger("torch.onnx")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            for text, kind in _CHATTER:
                warnings.filterwarnings("ignore", text, kind)
            yield
    finally:
        log.setLevel(before)
