"""Whether a graph only computes: known operators, no graphs inside, bounded numbers and sizes.

An ONNX file is a program. One with a loop runs for ever in a few bytes, one with a function may
call it a billion times, and ONNX Runtime cannot be interrupted from the keyboard. So a file is
read here, without running it, and refused where it holds anything that the export of this project
never writes. Fields are those of onnx.proto3, whose numbers never change.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from emelia.config.operators import (
    ENDS,
    MOST_DIMENSIONS,
    MOST_NODES,
    MOST_NUMBER,
    MOST_TENSORS,
    OPERATORS,
)
from emelia.use.onnxfile import message, numbers, parts

_GRAPH, _TRAINING, _FUNCTION, _OPSET = 7, 20, 25, 8  # of the model
_NODE, _TENSOR, _SPARSE = 1, 5, 15  # of the graph
_OPERATOR, _ATTRIBUTE, _DOMAIN = 4, 5, 7  # of a node
_NAME, _INT, _TENSOR_VALUE, _INTS = 1, 3, 5, 8  # of an attribute
_INSIDE = {6: "graph", 11: "graph", 22: "tensor", 23: "tensor", 14: "type", 15: "type", 21: "name"}
_DIMS, _KIND, _INT32S, _INT64S, _RAW = 1, 2, 5, 7, 9  # of a tensor
_WHOLE = {6: "<i4", 7: "<i8"}  # kinds of tensors of whole numbers


class RefusedError(ValueError):
    """A graph holds what no graph of ours does."""


def check_graph(model: bytes) -> None:
    """Refuse a model file whose graph does more than compute.

    Raises:
        RefusedError: it does, or is too large.
        ValueError: not an ONNX file, or a damaged one.
    """
    graphs = 0
    for number, value in parts(memoryview(model)):
        if number in (_TRAINING, _FUNCTION):
            what = "functions of its own" if number == _FUNCTION else "a training"
            raise RefusedError(f"it has {what}")
        if number == _GRAPH:
            graphs += 1
            _check(message(value))
    if graphs != 1:
        raise RefusedError(f"it has {graphs} graphs")


def _check(graph: memoryview) -> None:
    nodes = tensors = 0
    for number, value in parts(graph):
        if number == _NODE:
            nodes += 1
            _check_node(message(value))
        elif number == _TENSOR:
            tensors += 1
            _check_tensor(message(value))
        elif number == _SPARSE:
            raise RefusedError("it has sparse weights")
        if nodes > MOST_NODES or tensors > MOST_TENSORS:
            raise RefusedError(f"it has more than {MOST_NODES} nodes or {MOST_TENSORS} weights")


def _check_node(node: memoryview) -> None:
    operator = domain = ""
    for number, value in parts(node):
        if number == _OPERATOR:
            operator = _text(value)
        elif number == _DOMAIN:
            domain = _text(value)
        elif number == _ATTRIBUTE:
            _check_attribute(message(value))
    domain = "" if domain == "ai.onnx" else domain
    if operator not in OPERATORS.get(domain, ()):
        raise RefusedError(f"it uses the operator {f'{domain}:' if domain else ''}{operator[:40]}")


def _check_attribute(attribute: memoryview) -> None:
    for number, value in parts(attribute):
        if number in _INSIDE:
            raise RefusedError(f"an operator has a {_INSIDE[number]} inside")
        if number in (_INT, _INTS):
            _check_numbers(np.array([_signed(n) for n in numbers(value)], np.int64))
        elif number == _TENSOR_VALUE:
            _check_tensor(message(value))
        elif number == 10:  # several tensors
            raise RefusedError("an operator has tensors inside")


def _check_tensor(tensor: memoryview) -> None:
    dims: list[int] = []
    kind, whole = 0, np.zeros(0, np.int64)
    raw = memoryview(b"")
    for number, value in parts(tensor):
        if number == _DIMS:
            dims += numbers(value)
        elif number == _KIND and isinstance(value, int):
            kind = value
        elif number in (_INT32S, _INT64S):
            listed = np.array([_signed(n) for n in numbers(value)], np.int64)
            whole = np.concatenate([whole, listed])
        elif number == _RAW:
            raw = message(value)
    if len(dims) > MOST_DIMENSIONS or math.prod(dims) > len(tensor) * 8:
        raise RefusedError("weights are of a size that they do not have")
    if kind in _WHOLE and len(raw) % int(_WHOLE[kind][-1]) == 0:
        _check_numbers(np.frombuffer(raw, _WHOLE[kind]).astype(np.int64))
    if kind in _WHOLE:
        _check_numbers(whole)


def _check_numbers(values: np.ndarray) -> None:
    """Whole numbers are sizes, places and axes: large ones ask for memory."""
    near = values[(values > -ENDS) & (values < ENDS)]
    if near.size and max(-int(near.min()), int(near.max())) > MOST_NUMBER:
        raise RefusedError(f"it has sizes above {MOST_NUMBER:,}")


def _signed(value: int) -> int:
    """An integer of a file, whose negative ones are written as large ones."""
    value &= 2**64 - 1
    return value - 2**64 if value >= 2**63 else value


def _text(value: int | memoryview) -> str:
    return bytes(message(value)).decode(errors="replace")


def operators(model: bytes) -> Iterator[tuple[str, str]]:
    """Domain and name of each node's operator, of a model without graphs inside."""
    for number, value in parts(memoryview(model)):
        if number == _GRAPH:
            for part, node in parts(message(value)):
                if part == _NODE:
                    fields = dict(parts(message(node)))
                    yield _text(fields.get(_DOMAIN, memoryview(b""))), _text(fields[_OPERATOR])
