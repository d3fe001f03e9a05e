"""Whether two trainings of the same cell agree, to the digit, and where they do not."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import zip_longest

import numpy as np

from emelia.results.cells import Cell
from emelia.text import counted

_TIMES = ("seconds",)  # of an epoch: no two trainings take equally long


def differences(before: Cell, after: Cell) -> list[str]:
    """What differs between a training and its repetition, one sentence each; none where all agree.

    Seconds and versions do not count: see `other_versions`.
    """
    if before.classes != after.classes:
        return [f"the classes: {', '.join(before.classes)}, now {', '.join(after.classes)}."]
    return [
        *_history(before, after),
        *_epoch(before, after),
        *_answers(before, after),
        *_temperature(before, after),
    ]


def other_versions(before: Cell, after: Cell) -> list[str]:
    """The packages of other versions, such as `torch 2.8.0, now 2.9.0`: a likely reason."""
    names = sorted({*before.versions, *after.versions})
    return [
        f"{name} {before.versions.get(name, 'none')}, now {after.versions.get(name, 'none')}"
        for name in names
        if before.versions.get(name) != after.versions.get(name)
    ]


def _history(before: Cell, after: Cell) -> list[str]:
    for number, (old, new) in enumerate(zip_longest(before.history, after.history), 1):
        if old is None or new is None:
            return [
                f"the training: {counted(len(before.history), 'epoch')}, now {len(after.history)}."
            ]
        if told := _figures(old, new):
            return [f"the training, from epoch {number} on: {told}."]
    return []


def _figures(old: Mapping[str, float], new: Mapping[str, float]) -> str:
    """The first figure of an epoch that differs; empty where all agree."""
    for name in sorted({*old, *new} - set(_TIMES)):
        if not _same(old.get(name), new.get(name)):
            return f"{name} {old.get(name)}, now {new.get(name)}"
    return ""


def _same(old: float | None, new: float | None) -> bool:
    return old == new or (old != old and new != new)  # neither is a number: it diverged again


def _epoch(before: Cell, after: Cell) -> list[str]:
    same = before.best_epoch == after.best_epoch
    return [] if same else [f"the chosen epoch: {before.best_epoch}, now {after.best_epoch}."]


def _answers(before: Cell, after: Cell) -> list[str]:
    ids = [[str(p["id"]) for p in cell.predictions] for cell in (before, after)]
    if ids[0] != ids[1]:
        return [f"the test clips: {len(set(ids[0]) ^ set(ids[1]))} are in one of the two alone."]
    if np.array_equal(before.probabilities, after.probabilities, equal_nan=True):
        return []
    most = float(np.nanmax(np.abs(before.probabilities - after.probabilities), initial=0.0))
    other = int((before.predicted != after.predicted).sum())
    return [
        f"the probabilities of the test clips: by up to {most:.2g}; {other} of "
        f"{counted(len(ids[0]), 'clip')} are answered otherwise."
    ]


def _temperature(before: Cell, after: Cell) -> list[str]:
    same = before.temperature == after.temperature
    return [] if same else [f"the temperature: {before.temperature:g}, now {after.temperature:g}."]
