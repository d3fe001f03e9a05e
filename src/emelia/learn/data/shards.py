"""Spectrograms of a corpus that is larger than memory, in a few large files.

    DIGEST/00000.f32    spectrograms one after the other, float32
    DIGEST/00000.json   of each: where it begins, bands, frames, and its key; written after the file
    DIGEST/whole        that no shard is missing

Making them goes on at the first shard without its list. They are mapped into memory, so the system
reads what is asked for and drops it again where memory is short. M bands, F frames.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from emelia.storage import open_atomically, write_atomically
from emelia.text import from_json

Array = NDArray[np.float32]
SHARD = 256_000_000  # bytes of a shard, about
_WHOLE = "whole"
_VALUE = 4  # bytes

Made = Callable[[], Iterator[tuple[Array, Array, str]]]  # spectrograms (M, F), silence (M,), keys


class Shards:
    """Shards that are made; spectrograms are numbered through all of them."""

    def __init__(self, folder: Path) -> None:
        self._places: list[tuple[int, int, int, int, str]] = []  # shard, offset, bands, frames, key
        self._maps: list[Array] = []
        for number, entries in enumerate(_lists(folder)):
            self._places += [(number, *entry) for entry in entries]
            self._maps.append(np.memmap(folder / f"{number:05}.f32", np.float32, "r"))

    def __len__(self) -> int:
        return len(self._places)

    def read(self, place: int) -> tuple[Array, Array, str]:
        """The spectrogram (M, F), a silent frame (M,) and the key of a clip; not copied."""
        shard, offset, bands, frames, key = self._places[place]
        both = self._maps[shard][offset : offset + bands * (frames + 1)].reshape(bands, frames + 1)
        return both[:, :-1], both[:, -1], key


def open_shards(root: Path, name: str, made: Made) -> Shards:
    """Open the shards of a name, which are made first where they are not there or not whole.

    Args:
        made: gives all spectrograms anew, in the same order each time.

    Raises:
        StorageError: they cannot be written.
    """
    folder = root / name
    if not (folder / _WHOLE).exists():
        ready = list(_lists(folder)) if folder.is_dir() else []
        left = islice(made(), sum(map(len, ready)), None)
        number = len(ready)
        while _write(folder, number, left):
            number += 1
        write_atomically(folder / _WHOLE, b"")
    return Shards(folder)


def _write(folder: Path, number: int, clips: Iterator[tuple[Array, Array, str]]) -> bool:
    """Write one shard of the next clips; whether there were any."""
    entries: list[tuple[int, int, int, str]] = []
    values = 0
    first = next(clips, None)
    if first is None:
        return False
    with open_atomically(folder / f"{number:05}.f32") as file:
        one: tuple[Array, Array, str] | None = first
        while one is not None:
            spec, silence, key = one
            file.write(np.column_stack([spec, silence]).astype(np.float32).tobytes())
            entries.append((values, *spec.shape, key))
            values += spec.shape[0] * (spec.shape[1] + 1)
            one = next(clips, None) if values * _VALUE < SHARD else None
    write_atomically(folder / f"{number:05}.json", json.dumps(entries).encode())
    return True


def _lists(folder: Path) -> Iterator[list[tuple[int, int, int, str]]]:
    """The list of each shard, up to the first that is missing."""
    number = 0
    while (file := folder / f"{number:05}.json").exists():
        yield [tuple(entry) for entry in from_json(file.read_bytes())]
        number += 1
