"""The layers of a network as they were recorded when it was trained, for tables of them.

Shapes are (channels, bands, frames), or (values,) after pooling.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

Shape = tuple[int, ...]
INPUT = "input"  # the name of the first record, which is no layer


@dataclass(frozen=True)
class Layer:
    """One line of the table of layers."""

    name: str
    shape: Shape  # of what it gives
    parameters: int
    sees: tuple[int, int] | None = None  # bands and frames of the input; None: all of them


@dataclass(frozen=True)
class Architecture:
    """A network as a table."""

    layers: tuple[Layer, ...]
    input: Shape  # of the clip whose shapes are shown

    @classmethod
    def read(cls, records: Iterable[Mapping[str, Any]]) -> Architecture:
        """What `records` wrote.

        Raises:
            ValueError, TypeError, KeyError: it is something else.
        """
        first, *others = map(_layer, records)
        if first.name != INPUT or not others:
            raise ValueError(f"layers begin with {first.name!r}, expected {INPUT!r} and more")
        return cls(tuple(others), first.shape)

    def records(self) -> tuple[dict[str, Any], ...]:
        """One for the input and one a layer, of what JSON has."""
        first = Layer(INPUT, self.input, 0, (1, 1))
        return tuple(asdict(layer) for layer in (first, *self.layers))

    @property
    def parameters(self) -> int:
        """Number of values that are learnt."""
        return sum(layer.parameters for layer in self.layers)

    @property
    def sees(self) -> tuple[int, int] | None:
        """Bands and frames that one place of the last map depends on; None: all of them."""
        return next((layer.sees for layer in self.layers[::-1] if len(layer.shape) == 3), None)


def _layer(record: Mapping[str, Any]) -> Layer:
    sees = record["sees"]
    if sees is not None:
        bands, frames = map(int, sees)
        sees = bands, frames
    shape = tuple(map(int, record["shape"]))
    return Layer(str(record["name"]), shape, int(record["parameters"]), sees)
