"""Metadata of settings: meaning, range, ablations and the rest, kept with each field."""

from __future__ import annotations

import functools
import typing
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, Literal

KEEP: Any = object()  # fine-tuning leaves the setting as the model has it
_ABOUT = "setting"


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of a recipe.

    Attributes:
        meaning: one line, with its unit.
        within: smallest and largest number that make sense; of a pair, for both ends.
        without: names of ablations that change it, each with its value in them.
        solved: whether it changes a linear layer that is solved on a frozen encoder.
        solved_only: whether it changes nothing else.
        finetune: its value when a model is fine-tuned.
        part_of: the kept data it changes besides features: waveforms of changed copies, or masks.
    """

    meaning: str
    within: tuple[float, float] | None = None
    without: Mapping[str, Any] = field(default_factory=dict)
    solved: bool = False
    solved_only: bool = False
    finetune: Any = KEEP
    part_of: Literal["", "copy", "mask"] = ""


def setting(default: Any, meaning: str, **known: Any) -> Any:
    """A field of a settings dataclass; see `Setting` for the names of `known`."""
    return field(default=default, metadata={_ABOUT: Setting(meaning, **known)})


@functools.cache
def kinds_of(cls: Hashable) -> Mapping[str, Any]:
    """The annotations of a dataclass, as types; to work them out takes far longer than to use."""
    return typing.get_type_hints(cls)


def all_settings(cls: Any, prefix: str = "") -> Iterator[tuple[str, Setting]]:
    """All settings of a dataclass and of those inside it, as `train.lr`, in their order."""
    hints = kinds_of(cls)
    for one in fields(cls):
        if is_dataclass(hints[one.name]):
            yield from all_settings(hints[one.name], f"{prefix}{one.name}.")
        elif _ABOUT in one.metadata:
            yield f"{prefix}{one.name}", one.metadata[_ABOUT]


def values_of(config: Any, part: str) -> dict[str, Any]:
    """The settings of a dataclass that change one kind of kept data, with their values."""
    return {
        name: getattr(config, name) for name, s in all_settings(type(config)) if s.part_of == part
    }
