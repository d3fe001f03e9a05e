"""A model whose large matrix products are computed in 8 bits: half the time, half the size.

Only products with matrices of the network are: the front end in 8 bits would cost points. Each row
of inputs, a frame, is rounded to 8 bits with a step of its own when the model runs.

T frames, K inputs, N outputs of a product.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from emelia.errors import ModelError
from emelia.learn.export.modelfile import NETWORK, Session
from emelia.learn.export.rewriting import convolution_as_product, fusible
from emelia.learn.export.rounding import Array, Heard, Rounded, rounded, smoothing

RUNTIME = "com.microsoft"  # the domain of ONNX Runtime's own operators
PRODUCT = "MatMulIntegerToFloat"
_SMALLEST = 128  # inputs and outputs of a matrix; smaller ones take no time
_STEPS, _MIDDLE = 127, 128  # of an input; of its unsigned bytes, what stands for 0
_BYTES, _SMOOTHING, _STEP = ".bytes", ".smoothing", ".step"  # ends of names
_FLOAT = onnx.TensorProto.FLOAT


def in_int8(model: onnx.ModelProto, sounds: Sequence[NDArray[np.float32]]) -> onnx.ModelProto:
    """The same model with its large products in 8 bits.

    Args:
        sounds: waveforms (T,) at 16 kHz, some dozens, on which rounding errors are kept small.

    Raises:
        ModelError: it has no large products, as convolutional networks have none.
    """
    made = _Editing(model)
    if not made.inputs:
        raise ModelError("--int8: has no large matrix products, so it would be no faster.")
    made.listen(sounds)
    for name, nodes in made.inputs.items():
        made.round(name, nodes)
    return made.done()


def holds_steps(model: onnx.ModelProto) -> bool:
    """Whether a model has weights in 8 bits as they are made here; older ones had others."""
    return any(node.op_type == PRODUCT for node in model.graph.node)


def whole_weights(
    model: onnx.ModelProto, shapes: Mapping[str, Sequence[int]]
) -> dict[str, NDArray[np.float32]]:
    """The weights of a network that are stored in 8 bits, as float32 and by their names.

    Args:
        shapes: of all its weights, by names.
    """
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    found = {}
    for node in model.graph.node:
        if node.op_type == PRODUCT and node.input[1] in shapes:
            names = (node.input[1], node.input[3], _ended(node.input[0], _SMOOTHING))
            steps, step, smooth = (onnx.numpy_helper.to_array(stored[name]) for name in names)
            found[node.input[1]] = _shaped(
                Rounded(steps, step, smooth).matrix.T, shapes[node.input[1]]
            )
    return found


def _shaped(values: Array, shape: Sequence[int]) -> Array:
    """A matrix (N, K) of a layer, or as the kernel (N, C, W) that it was."""
    if len(shape) == 2:
        return values
    outputs, channels, width = shape
    return values.reshape(outputs, width, channels).transpose(0, 2, 1)


class _Editing:
    """A model being changed: nodes, weights and what its products heard."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._model = fusible(model)
        self._weights = {tensor.name: tensor for tensor in self._model.graph.initializer}
        self._sources = {out: node for node in self._model.graph.node for out in node.output}
        self._stored: dict[str, str] = {}  # where a product's matrix is stored, by its own name
        self._nodes = [new for node in self._model.graph.node for new in self._as_products(node)]
        self.inputs: dict[str, list[onnx.NodeProto]] = {}
        for node in self._nodes:
            if node.op_type == "MatMul" and node.input[1] in self._stored:
                self.inputs.setdefault(node.input[0], []).append(node)

    def listen(self, sounds: Sequence[NDArray[np.float32]]) -> None:
        """Run the model as it is, and keep what its products get."""
        spy, names = self._written(), list(self.inputs)
        spy.graph.output.extend(onnx.helper.make_tensor_value_info(n, _FLOAT, None) for n in names)
        self._heard = _heard(Session(spy), names, sounds)

    def round(self, name: str, nodes: Sequence[onnx.NodeProto]) -> None:
        """Compute all products of one input in 8 bits."""
        heard, matrices = self._heard[name], [self._matrix(node.input[1]) for node in nodes]
        smooth = smoothing(heard.largest, matrices)
        self._put(name + _SMOOTHING, smooth)
        before = min(self._nodes.index(node) for node in nodes)
        self._nodes[before:before] = _rounding(name)
        for node, matrix in zip(nodes, matrices, strict=True):
            stored = self._stored[node.input[1]]
            small = rounded(matrix, heard, smooth)
            self._put(stored, small.steps)
            self._put(stored + _STEP, small.step)
            place = self._nodes.index(node)
            self._nodes[place : place + 1] = _product(node, name, stored)

    def done(self) -> onnx.ModelProto:
        """The model, without what nothing needs any longer."""
        for key, value in _CONSTANTS.items():
            self._put(key, value)
        self._nodes = _needed(self._nodes, {value.name for value in self._model.graph.output})
        made = self._written()
        # The products are ONNX Runtime's own; all else is what ONNX has.
        made.opset_import.append(onnx.helper.make_opsetid(RUNTIME, 1))
        return made

    def _written(self) -> onnx.ModelProto:
        made, used = onnx.ModelProto(), {name for node in self._nodes for name in node.input}
        made.CopyFrom(self._model)
        del made.graph.node[:], made.graph.initializer[:]
        made.graph.node.extend(self._nodes)
        made.graph.initializer.extend(t for name, t in self._weights.items() if name in used)
        return made

    def _as_products(self, node: onnx.NodeProto) -> Iterator[onnx.NodeProto]:
        """A node as it is, its matrix noted; a large convolution as nodes with a product."""
        name = node.input[1] if len(node.input) > 1 else ""
        stored = self._origin(name)
        tensor = self._weights.get(stored)
        large = tensor is not None and min(tensor.dims[:2], default=0) >= _SMALLEST
        if large and stored.startswith(NETWORK) and node.op_type == "MatMul" and stored != name:
            self._stored[name] = stored
        stride = _stride(node) if large and len(node.input) == 3 else 0
        if not tensor or not stride:
            yield node
            return
        matrix = f"{stored}.matrix"
        self._stored[matrix] = stored
        self._put(matrix, self._matrix(matrix))
        yield from convolution_as_product(node, tensor.dims[2], stride, matrix)

    def _origin(self, name: str) -> str:
        """The weight that something is, but for a cast and a transpose."""
        while (node := self._sources.get(name)) and node.op_type in ("Cast", "Transpose"):
            name = node.input[0]
        return name

    def _matrix(self, name: str) -> Array:
        """The matrix (K, N) of a product; of a kernel (N, C, W), K are its columns in turn."""
        values = onnx.numpy_helper.to_array(self._weights[self._stored[name]]).astype(np.float32)
        if values.ndim == 3:
            values = values.transpose(0, 2, 1).reshape(len(values), -1)
        return np.ascontiguousarray(values.T)

    def _put(self, name: str, values: NDArray[np.generic]) -> None:
        self._weights[name] = onnx.numpy_helper.from_array(np.ascontiguousarray(values), name)


def _stride(node: onnx.NodeProto) -> int:
    """The stride of a convolution over time that is padded by one; 0 of any other node."""
    if node.op_type != "Conv":
        return 0
    found = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    fits = list(found.get("pads", ())) == [1, 1] and found.get("group", 1) == 1
    return int(found["strides"][0]) if fits and len(found.get("strides", ())) == 1 else 0


_CONSTANTS: dict[str, NDArray[np.generic]] = {
    "int8.last": np.array([-1], np.int64),
    "int8.most": np.array(_STEPS, np.float32),
    "int8.tiny": np.array(1e-12, np.float32),
    "int8.one": np.array(1, np.float32),
    "int8.middle": np.array(_MIDDLE, np.uint8),
}


def _rounding(name: str) -> Iterator[onnx.NodeProto]:
    """Nodes that make bytes of an input (..., T, K), and tell the step (..., T, 1) of each row."""
    parts = {
        ".smooth": ("Mul", name, name + _SMOOTHING),
        ".abs": ("Abs", name + ".smooth"),
        ".largest": ("ReduceMax", name + ".abs", "int8.last"),
        ".steps": ("Div", name + ".largest", "int8.most"),
        _STEP: ("Max", name + ".steps", "int8.tiny"),
        ".counts": ("Div", name + ".smooth", name + _STEP),
        _BYTES: ("QuantizeLinear", name + ".counts", "int8.one", "int8.middle"),
    }
    for end, (operator, *inputs) in parts.items():
        more: dict[str, Any] = {"keepdims": 1} if operator == "ReduceMax" else {}
        yield onnx.helper.make_node(operator, inputs, [name + end], name=name + end, **more)


def _product(node: onnx.NodeProto, name: str, stored: str) -> Iterator[onnx.NodeProto]:
    """Nodes that stand for a product."""
    out = node.output[0]
    inputs = [name + _BYTES, stored, "int8.one", stored + _STEP, "int8.middle"]
    yield onnx.helper.make_node(PRODUCT, inputs, [f"{out}.counts"], name=node.name, domain=RUNTIME)
    yield onnx.helper.make_node("Mul", [f"{out}.counts", name + _STEP], [out], name=f"{out}.whole")


def _needed(nodes: Sequence[onnx.NodeProto], outputs: set[str]) -> list[onnx.NodeProto]:
    wanted, kept = set(outputs), []
    for node in reversed(nodes):
        if wanted & set(node.output):
            kept.append(node)
            wanted |= set(node.input)
    return kept[::-1]


def _heard(
    session: Session, names: Sequence[str], sounds: Sequence[NDArray[np.float32]]
) -> dict[str, Heard]:
    largest: dict[str, Array] = {}
    squares: dict[str, NDArray[np.float64]] = {}
    rows = 0
    for sound in sounds:
        found = [x.reshape(-1, x.shape[-1]) for x in session([sound], names)]
        for name, x in zip(names, found, strict=True):
            top = np.abs(x).max(0)
            largest[name] = np.maximum(largest.get(name, top), top)
            squares[name] = squares.get(name, 0) + x.T.astype(np.float64) @ x
        rows += len(found[0])
    return {name: Heard(largest[name], squares[name] / rows) for name in names}


def _ended(name: str, end: str) -> str:
    return name.removesuffix(_BYTES) + end
