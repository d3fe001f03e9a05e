"""Reads the metadata of an ONNX file without running it.

An ONNX file is one protobuf message. Read from it are the metadata, whether the values of some
tensor lie in another file, and the parts that `opening.rules` looks at. The file may come from
anybody, so every length in it is checked; a message of another shape raises ValueError.
"""

from __future__ import annotations

from collections.abc import Iterator

_DEEPEST = 50  # messages inside each other; real models have about ten

# Messages in which tensors may hide: their fields, by number, and the kind each holds.
# Source: onnx.proto3 of the ONNX project, whose numbers never change.
_INSIDE = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}
_METADATA = 14  # of the model: pairs of a key (1) and a value (2)
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14  # of a tensor


def metadata(model: bytes) -> dict[str, str]:
    """All keys and values of the metadata.

    Raises:
        ValueError: not an ONNX file, or a damaged one.
    """
    found = {}
    for number, value in parts(memoryview(model)):
        if number == _METADATA:
            pair = {n: bytes(message(v)).decode() for n, v in parts(message(value))}
            found[pair.get(1, "")] = pair.get(2, "")
    return found


def refers_to_other_files(model: bytes) -> bool:
    """Whether the values of some tensor lie outside the file.

    Raises:
        ValueError: not an ONNX file, or a damaged one.
    """
    return _refers(memoryview(model), "model", 0)


def _refers(part: memoryview, kind: str, depth: int) -> bool:
    if depth > _DEEPEST:
        raise ValueError("messages are nested too deeply")
    if kind == "tensor":
        return any(n == _EXTERNAL_DATA or (n == _DATA_LOCATION and v) for n, v in parts(part))
    inside = _INSIDE[kind]
    return any(
        _refers(message(value), inside[number], depth + 1)
        for number, value in parts(part)
        if number in inside
    )


def parts(part: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yield number and value of each field: an integer, or the bytes of any other type.

    Raises:
        ValueError: it is damaged.
    """
    place = 0
    while place < len(part):
        tag, place = _varint(part, place)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            whole, place = _varint(part, place)
            yield number, whole
            continue
        if wire == 2:
            size, place = _varint(part, place)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise ValueError(f"wire type {wire}")
        if place + size > len(part):
            raise ValueError("it is cut short")
        yield number, part[place : place + size]
        place += size


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    """An integer in groups of seven bits, lowest first, and the position after it."""
    value = 0
    for shift in range(0, 70, 7):
        if place == len(message):
            raise ValueError("it is cut short")
        byte = message[place]
        value |= (byte & 127) << shift
        place += 1
        if byte < 128:
            return value, place
    raise ValueError("a number is too long")


def numbers(value: int | memoryview) -> list[int]:
    """The integers of a field that has one or, packed, several."""
    if isinstance(value, int):
        return [value]
    found, place = [], 0
    while place < len(value):
        number, place = _varint(value, place)
        found.append(number)
    return found


def message(value: int | memoryview) -> memoryview:
    """The value of a field that holds bytes.

    Raises:
        ValueError: it holds a number.
    """
    if isinstance(value, int):
        raise ValueError("a number stands where a message should be")
    return value
