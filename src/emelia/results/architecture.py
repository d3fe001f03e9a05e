"""The layers of a network, recorded when it was trained, for tables.

Shapes are (channels, bands, frames), or (values,) after pooling.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

Shape = tuple[int, ...]
INPUT = "input"  # name of the first record, which is the input and no layer


@dataclass(frozen=True)
class Layer:
    """One line of the table of layers."""

    name: str
    shape: Shape  # of its output
    parameters: int
    sees: tuple[int, int] | None = None  # receptive field, bands and frames; None: all of the input


@dataclass(frozen=True)
class Architecture:
    """The layers of a network as a table."""

    layers: tuple[Layer, ...]
    input: Shape  # of the clip that the shapes are for

    @classmethod
    def read(cls, records: Iterable[Mapping[str, Any]]) -> Architecture:
        """Read what `records` returned.

        Raises:
            ValueError, TypeError, KeyError: it has another form.
        """
        first, *others = map(_layer, records)
        if first.name != INPUT or not others:
            raise ValueError(f"layers begin with {first.name!r}, expected {INPUT!r} and more")
        return cls(tuple(others), first.shape)

    def records(self) -> tuple[dict[str, Any], ...]:
        """One record for the input and one for each layer, JSON-able."""
        first = Layer(INPUT, self.input, 0, (1, 1))
        return tuple(asdict(layer) for layer in (first, *self.layers))

    @property
    def parameters(self) -> int:
        """Number of trained parameters."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def sees(self) -> tuple[int, int] | None:
        """Receptive field of the last feature map in bands and frames; None: all of the input."""
        return next((layer.sees for layer in self.layers[::-1] if len(layer.shape) == 3), None)


def _layer(record: Mapping[str, Any]) -> Layer:
    sees = record["sees"]
    if sees is not None:
        bands, frames = map(int, sees)
        sees = bands, frames
    shape = tuple(map(int, record["shape"]))
    return Layer(str(record["name"]), shape, int(record["parameters"]), sees)
