"""Cells: one recipe trained on one fold with one seed, as a line of `results.jsonl`.

A line holds all that figures, tables and reports need, so that a new one needs no new training.
Shapes: N test clips, C classes.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emelia.config.former import present_names, present_word
from emelia.config.value_kinds import check_kinds
from emelia.errors import RunError
from emelia.metrics import Labels, with_temperature
from emelia.results.architecture import Architecture
from emelia.storage import read_lines
from emelia.text import from_json


@dataclass(frozen=True)
class Cell:
    """One finished training, with the probabilities of its test clips."""

    key: str  # eight characters that identify the cell
    corpus: str
    corpus_digest: str
    recipe: str
    recipe_digest: str
    settings: Mapping[str, Any]  # the whole recipe
    split: str
    protocol: str  # one sentence
    fold: str
    seed: int
    classes: tuple[str, ...]
    parameters: int
    seconds: float  # of training
    train_clips: int
    validation_clips: int
    best_epoch: int  # counted from 1, chosen on validation
    history: tuple[Mapping[str, float], ...]  # one for each epoch; test_accuracy if it was tested
    predictions: tuple[Mapping[str, Any], ...]  # id, speaker, gender, truth, probabilities
    audit: Mapping[str, Any]
    versions: Mapping[str, str]
    demo: bool = False  # synthetic speech
    folds: int = 0  # of the whole split; 0 in lines of earlier versions
    temperature: float = 1.0  # fitted on validation clips; 1 where nothing was
    blocks: int = 0  # encoder blocks that are used; 0 where the recipe sets none
    division: str = ""  # digest of the parts of all folds and of corpora added to training
    layers: tuple[Mapping[str, Any], ...] = ()  # of `Architecture`; empty in earlier versions
    precision: str = "32-true"  # of training: or bf16-mixed

    def __post_init__(self) -> None:
        # By id, so that the same clips stand in the same places in every cell of a fold.
        ordered = tuple(sorted(self.predictions, key=lambda p: str(p["id"])))
        object.__setattr__(self, "predictions", ordered)  # the class is frozen
        object.__setattr__(self, "history", tuple(self.history))
        object.__setattr__(self, "classes", tuple(self.classes))
        object.__setattr__(self, "layers", tuple(self.layers))

    @classmethod
    def from_json(cls, line: str) -> Cell:
        """Read one line of results; unknown keys, of later versions, are ignored.

        Raises:
            RunError: the line is not a cell; the message says why.
        """
        try:
            values = from_json(line)
        except ValueError as error:
            raise RunError(f"not JSON ({error})") from None
        if not isinstance(values, dict):
            raise RunError(f"expected a JSON object, got {type(values).__name__}")
        needed = {f.name for f in fields(cls) if f.default is dataclasses.MISSING}
        if lacking := sorted(needed - values.keys()):
            raise RunError(f"has no {', '.join(lacking)}")
        try:
            known = {f.name: values[f.name] for f in fields(cls) if f.name in values}
            cell = cls(**_with_current_names(known))
            cell._check()
        except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
            raise RunError(f"has a value of the wrong kind ({error})") from None
        return cell

    def to_json(self) -> str:
        """One line, without a line break."""
        return json.dumps({f.name: getattr(self, f.name) for f in fields(self)})

    @cached_property
    def truth(self) -> Labels:
        """Class numbers (N,)."""
        return np.asarray([p["truth"] for p in self.predictions], dtype=np.int64)

    @cached_property
    def probabilities(self) -> NDArray[np.float64]:
        """(N, C) of the network, without temperature; NaN where training diverged."""
        return np.asarray([p["probabilities"] for p in self.predictions], dtype=np.float64)

    @cached_property
    def calibrated(self) -> NDArray[np.float64]:
        """(N, C) with temperature: softmax(log p / T)."""
        return with_temperature(self.probabilities, self.temperature)

    @cached_property
    def predicted(self) -> Labels:
        """Class numbers (N,)."""
        return np.asarray(self.probabilities.argmax(axis=1), dtype=np.int64)

    @cached_property
    def speakers(self) -> tuple[str, ...]:
        """Speaker of each test clip, N of them."""
        return tuple(str(p["speaker"]) for p in self.predictions)

    @cached_property
    def architecture(self) -> Architecture | None:
        """The layers of the network; None where they were not recorded."""
        return Architecture.read(self.layers) if self.layers else None

    def _check(self) -> None:
        check_kinds(self)
        for one in self.predictions:
            known = isinstance(one["truth"], int) and not isinstance(one["truth"], bool)
            if not (known and isinstance(one["speaker"], str) and isinstance(one["id"], str)):
                raise ValueError(f"an answer to {str(one['id'])[:40]!r}")
        size = (len(self.predictions), len(self.classes))
        if not size[0] or self.probabilities.shape != size:
            raise ValueError(f"probabilities {self.probabilities.shape}, expected {size}")
        if not 0 <= self.truth.min() <= self.truth.max() < size[1]:
            raise ValueError(f"truth outside 0 to {size[1] - 1}")
        if not (math.isfinite(self.temperature) and self.temperature > 0):
            raise ValueError(f"temperature {self.temperature}")
        if not all("loss" in epoch for epoch in self.history):
            raise ValueError("an epoch of the history without loss")
        if not 1 <= self.best_epoch <= len(self.history):
            raise ValueError(f"best epoch {self.best_epoch} of {len(self.history)}")
        self.architecture  # noqa: B018 - reads the records, which may be damaged


def _with_current_names(values: dict[str, Any]) -> dict[str, Any]:
    """Replace names of settings and splits of earlier versions by those of this version."""
    settings = present_names(values["settings"])
    words = {name: present_word(settings[name]) for name in ("name", "group") if name in settings}
    told = {name: present_word(values[name]) for name in ("recipe", "split")}
    return {**values, **told, "settings": {**settings, **words}}


def read_results(path: Path) -> tuple[Cell, ...]:
    """Read `results.jsonl`, or the one in a folder; no file is no cells.

    A half last line, which a killed writer leaves, is ignored.

    Raises:
        RunError: a line is damaged.
        StorageError: the file cannot be read.
    """
    path = path / "results.jsonl" if path.is_dir() else path
    cells = []
    for number, line in enumerate(read_lines(path), 1):
        try:
            cells.append(Cell.from_json(line))
        except RunError as error:
            ask = "" if cells else "Is this a study's results.jsonl? If it is: "
            raise RunError(
                f"{path}, line {number}: {error}; expected one finished cell. "
                f"{ask}Delete the line to have that cell run again."
            ) from None
    return tuple(cells)
