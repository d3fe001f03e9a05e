"""Whether the values of a record that was read from a file are of the kinds its class names."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from emelia.config.fields import kinds_of


def check_kinds(record: Any) -> None:
    """Refuse a dataclass with a value of another kind than its annotation, however deep.

    Raises:
        ValueError: there is one; the message names its field.
    """
    hints = kinds_of(record.__class__)
    for one in fields(record):
        value = getattr(record, one.name)
        if not _fits(value, hints[one.name]):
            raise ValueError(f"{one.name}: {str(value)[:40]!r}")


def _fits(value: Any, hint: Any) -> bool:
    kind, inside = typing.get_origin(hint) or hint, typing.get_args(hint)
    if kind is Any:
        return True
    if kind in (types.UnionType, typing.Union):
        return any(_fits(value, one) for one in inside)
    if kind in (int, float):  # in Python a truth value is a number, and in JSON it is not
        return isinstance(value, int if kind is int else (int, float)) and not isinstance(
            value, bool
        )
    if kind in (list, tuple):
        return isinstance(value, list | tuple) and all(_fits(one, inside[0]) for one in value)
    if kind in (dict, Mapping):
        return isinstance(value, Mapping) and all(_fits(one, inside[1]) for one in value.values())
    return isinstance(value, kind)
