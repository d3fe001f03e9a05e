"""A graph as an ONNX model, and ONNX Runtime to run it: in memory, nothing is written.

The model is made of operators of opset 18, which every runtime of the last years has. It holds
its weights itself and no trace of the machine it was made on. Each weight of the network is in
it unchanged, under `network.` and its name, so that training can start from a model file
(`restore`). Folding and fusing weights is left to the runtime, which does it at the start.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from emelia.config import Card
from emelia.config.card import COORDINATES, INPUTS, KEY, OFFSET, OUTPUTS
from emelia.config.operators import EXACT_SUMS, OPERATORS, sealed
from emelia.errors import ModelError
from emelia.learn.export.graph import Graph
from emelia.packages import package

if TYPE_CHECKING:
    import onnx_ir

OPSET = 18
NETWORK, SPACE = "network.", "space."  # prefixes of the names of its weights and of its space
_AXES = {  # names of the dynamic axes, in the file
    "wave": ("clips", "time"),
    "samples": ("clips",),
    "probabilities": ("clips", None),
    "logmel": ("clips", None, "frame"),
    "saliency": ("clips", None, "frame"),
    "frames": ("clips",),
    COORDINATES: ("clips", None),
    OFFSET: ("sources", None),
}
_WARNINGS = (  # of torch's exporter, about itself
    ("`isinstance.treespec, LeafSpec", FutureWarning),
)


def to_onnx(graph: Graph) -> onnx.ModelProto:
    """Export a graph for any number of clips of any length."""
    free = torch.export.Dim.DYNAMIC
    size = len(graph.space.directions) if graph.space else 0
    example = (torch.zeros(2, 16_000), torch.tensor([16_000, 9_000]), torch.zeros(2, size))
    shapes = ((free, free), (free,), (free, torch.export.Dim.STATIC))
    inputs, outputs = (*INPUTS, OFFSET), (*OUTPUTS, COORDINATES)
    if not size:
        example, shapes, inputs, outputs = example[:2], shapes[:2], INPUTS, OUTPUTS  # type: ignore[assignment]
    with _quiet(), torch.no_grad():
        # Traced apart: torch.onnx alone takes dynamic axes for a promise, fails, and traces twice.
        traced = torch.export.export(graph, example, dynamic_shapes=shapes, strict=False)
        program = torch.onnx.export(
            traced, dynamo=True, opset_version=OPSET, verbose=False,
            input_names=inputs, output_names=outputs, optimize=False,
        )  # fmt: skip
        assert program is not None  # it is with dynamo
        with _unknown_weights(program.model.graph):
            program.optimize()
    model = program.model_proto
    _tidy(model)
    if size:  # an input with a value of its own may be left out
        zeros = np.zeros((1, size), np.float32)
        model.graph.initializer.append(onnx.numpy_helper.from_array(zeros, OFFSET))
    return model


@contextmanager
def _unknown_weights(graph: onnx_ir.Graph) -> Iterator[None]:
    """Keep the optimizer from folding or fusing the network's weights: declare them as inputs."""
    weights = {k: v for k, v in graph.initializers.items() if k.startswith((NETWORK, SPACE))}
    known = {name: value.const_value for name, value in weights.items()}
    before = len(graph.inputs)
    for name, value in weights.items():
        del graph.initializers[name]
        value.const_value = None
        graph.inputs.append(value)
    yield
    del graph.inputs[before:]
    for name, value in weights.items():
        value.const_value = known[name]
        graph.initializers[name] = value


def halved(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same model with the network's matrices and kernels stored in 16 bits.

    Each is cast to float32 before it is used, which a runtime does once, at the start. Small or
    sensitive weights stay in 32 bits: biases, batch norms and the front end.
    """
    made = onnx.ModelProto()
    made.CopyFrom(model)
    casts = []
    for tensor in made.graph.initializer:
        if tensor.name.startswith(NETWORK) and len(tensor.dims) > 1:
            values = onnx.numpy_helper.to_array(tensor).astype(np.float16)
            tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
            output = [f"{tensor.name}.float32"]
            casts.append(onnx.helper.make_node("Cast", [tensor.name], output, to=1))
    whole = {node.input[0]: node.output[0] for node in casts}
    for node in made.graph.node:
        node.input[:] = [whole.get(name, name) for name in node.input]
    nodes = [*casts, *made.graph.node]
    del made.graph.node[:]
    made.graph.node.extend(nodes)
    return made


def with_card(
    model: onnx.ModelProto, card: Card, metadata: Mapping[str, str] | None = None
) -> bytes:
    """The bytes of a model file, sealed by a digest of all of them.

    Args:
        metadata: besides the card, by key.

    Raises:
        ModelError: the graph has an operator that no reader accepts.
    """
    _check_operators(model)
    labelled = onnx.ModelProto()
    labelled.CopyFrom(model)
    onnx.helper.set_model_props(labelled, {KEY: card.to_json(), **(metadata or {})})
    onnx.checker.check_model(labelled)
    return sealed(_serialised(labelled))


def _serialised(model: onnx.ModelProto) -> bytes:
    """The bytes of a graph, the same every time.

    Raises:
        MemoryError: there is not enough for them; protobuf says only that it failed.
    """
    try:
        return bytes(model.SerializeToString(deterministic=True))
    except Exception as error:  # its own kind, which comes without types
        raise MemoryError(str(error)) from None


def _check_operators(model: onnx.ModelProto) -> None:
    used = {(node.domain, node.op_type) for node in model.graph.node}
    if new := {name for domain, name in used if name not in OPERATORS.get(domain, ())}:
        raise ModelError(
            f"the graph uses {', '.join(sorted(new))}, which no model file may. It is a fault of "
            "the export: add it to config.operators.OPERATORS if it neither loops nor holds graphs."
        )


class Session:
    """ONNX Runtime with a model, on one thread."""

    def __init__(self, model: onnx.ModelProto | bytes) -> None:
        onnxruntime = package("onnxruntime")
        options = onnxruntime.SessionOptions()
        options.add_session_config_entry(*EXACT_SUMS)
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3  # an input with a value of its own is meant to be one
        data = model if isinstance(model, bytes) else _serialised(model)
        self.session = onnxruntime.InferenceSession(
            data, options, providers=["CPUExecutionProvider"]
        )

    def __call__(
        self, waves: list[NDArray[np.float32]], names: Sequence[str] = OUTPUTS
    ) -> list[NDArray[np.float32]]:
        """Run clips as one batch; see `Graph.forward` for what comes back by default."""
        outputs: list[NDArray[np.float32]] = self.session.run(list(names), batch(waves))
        return outputs


def batch(waves: list[NDArray[np.float32]]) -> dict[str, NDArray[np.generic]]:
    """The inputs of a model: waveforms as (B, T), zeros after each clip's end, and lengths (B,)."""
    samples = np.array([len(wave) for wave in waves])
    padded = np.zeros((len(waves), samples.max()), np.float32)
    for row, wave in zip(padded, waves, strict=True):
        row[: len(wave)] = wave
    return dict(zip(INPUTS, (padded, samples), strict=True))


def _tidy(model: onnx.ModelProto) -> None:
    """Remove the exporter's metadata, paths of this machine among them, and name the axes."""
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
    """Silence messages of the exporter about itself, and only those."""
    log = logging.getLogger("torch.onnx")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            for text, kind in _WARNINGS:
                warnings.filterwarnings("ignore", text, kind)
            yield
    finally:
        log.setLevel(before)
