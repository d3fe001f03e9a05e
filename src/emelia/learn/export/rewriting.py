"""A graph written otherwise, with the same values: what runtimes compute faster.

B clips, T columns, C channels, N outputs, W columns of a kernel.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx

_END = np.iinfo(np.int64).max  # of a slice


def fusible(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with GELU in the order that runtimes fuse, and no guard against NaN in attention.

    The guard is for clips that have no column at all; of ours each has one.
    """
    made = onnx.ModelProto()
    made.CopyFrom(model)
    sources = {out: node for node in made.graph.node for out in node.output}
    for node in made.graph.node:
        _order_gelu(node, sources)
    _without_guard(made.graph, sources)
    return made


def _order_gelu(last: onnx.NodeProto, sources: dict[str, onnx.NodeProto]) -> None:
    """Torch exports x * (0.5 * (1 + erf)); it becomes (x * (1 + erf)) * 0.5."""
    middle = sources.get(last.input[1]) if last.op_type == "Mul" else None
    if not middle or middle.op_type != "Mul":
        return
    half, inner = middle.input
    added = sources.get(inner)
    ends = [sources.get(name) for name in added.input] if added else []
    if half not in sources and any(end and end.op_type == "Erf" for end in ends):
        middle.input[:] = [last.input[0], inner]
        last.input[:] = [middle.output[0], half]


def _without_guard(graph: onnx.GraphProto, sources: dict[str, onnx.NodeProto]) -> None:
    names, dropped = {}, []
    for node in graph.node:
        test = sources.get(node.input[0]) if node.op_type == "Where" else None
        if test and test.op_type == "IsNaN" and test.input[0] == node.input[2]:
            made_by = sources.get(node.input[2])
            if made_by and made_by.op_type == "Softmax":
                names[node.output[0]] = node.input[2]
                dropped += [node, test]
    kept = [node for node in graph.node if node not in dropped]
    for node in kept:
        node.input[:] = [names.get(name, name) for name in node.input]
    fresh = [onnx.NodeProto.FromString(node.SerializeToString()) for node in kept]
    del graph.node[:]
    graph.node.extend(fresh)


def convolution_as_product(
    node: onnx.NodeProto, width: int, stride: int, matrix: str
) -> Iterator[onnx.NodeProto]:
    """Nodes for a convolution (B, C, T) over time, padded by one column: a product with a matrix.

    Args:
        width: W, of the kernel; 3.
        stride: of the convolution.
        matrix: name of the kernel as a matrix (W * C, N).
    """
    x, _, bias = node.input
    name = f"{node.output[0]}.product"
    pads, axis = f"{name}.pads", f"{name}.axis"
    constants = {pads: [0, 1, 0, 0, 1, 0], axis: [1], f"{name}.stride": [stride]}
    for place in range(width):
        constants[f"{name}.start{place}"] = [place]
        # All slices end where the last kernel does, so that they are of one length.
        constants[f"{name}.end{place}"] = [place + 1 - width or _END]
    for key, value in constants.items():
        tensor = onnx.numpy_helper.from_array(np.array(value, np.int64))
        yield onnx.helper.make_node("Constant", [], [key], name=key, value=tensor)

    def make(operator: str, inputs: list[str], end: str, **more: Any) -> onnx.NodeProto:
        return onnx.helper.make_node(operator, inputs, [name + end], name=name + end, **more)

    yield make("Transpose", [x], ".columns", perm=[0, 2, 1])
    yield make("Pad", [f"{name}.columns", pads], ".padded")
    slices = []
    for place in range(width):
        ends = [f"{name}.{part}{place}" for part in ("start", "end")]
        yield make("Slice", [f"{name}.padded", *ends, axis, f"{name}.stride"], f".slice{place}")
        slices.append(f"{name}.slice{place}")
    yield make("Concat", slices, ".rows", axis=2)
    yield make("MatMul", [f"{name}.rows", matrix], ".values")
    yield make("Add", [f"{name}.values", bias], ".biased")
    yield onnx.helper.make_node("Transpose", [f"{name}.biased"], list(node.output),
                                name=node.name, perm=[0, 2, 1])  # fmt: skip
