"""`--layout`, `--columns` and `--map` of every command that reads a corpus.

They are added to the commands that have `--speakers-from`, and told to what reads the corpus by a
context variable, so that each function need not hand them on.
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Annotated, Any

import typer

from emelia.errors import ConfigError
from emelia.listing.sheet import read_text
from emelia.storage import expanded

_told: ContextVar[dict[str, str]] = ContextVar("reading_rules")
_AFTER = "speakers_from"  # the parameter that they follow
_OPTIONS = {
    "layout": typer.Option(
        metavar="speaker/emotion", show_default=False,
        help="What the folders are, from the corpus down: emotion, speaker, or * for others. "
        "\\[default: found by names]",
    ),
    "columns": typer.Option(
        metavar="ROLE=NAME,...", show_default=False,
        help="Which columns of a manifest are file, emotion, speaker, part, start and end: "
        "emotion=label,file=wav. \\[default: found by names]",
    ),
    "map": typer.Option(
        metavar="LABEL=EMOTION,...", show_default=False,
        help="Other names for labels, or a file with one a line; "
        "- leaves their clips out: θυμός=anger,other=-",
    ),
}  # fmt: skip


def with_reading_rules(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function of a command with these options, if it reads a corpus; else the function."""
    signature = inspect.signature(function, eval_str=True)
    if _AFTER not in signature.parameters:
        return function

    @functools.wraps(function)
    def command(**given: Any) -> Any:
        before = _told.set({name: given.pop(name) for name in _OPTIONS})
        try:
            return function(**given)
        finally:
            _told.reset(before)

    own = list(signature.parameters.values())
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    added = [
        inspect.Parameter(name, kind, default="", annotation=Annotated[str, option])
        for name, option in _OPTIONS.items()
    ]
    place = list(signature.parameters).index(_AFTER) + 1
    parameters = [*own[:place], *added, *own[place:]]
    command.__annotations__ = {one.name: one.annotation for one in parameters}
    command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return command


def reading_rules() -> dict[str, Any]:
    """What the running command was told, as arguments of `read_corpus`."""
    told = _told.get({})
    return {
        "layout": told.get("layout", ""),
        "columns": _pairs("--columns", told.get("columns", "")),
        "labels": _pairs("--map", _text(told.get("map", ""))),
    }


def _text(value: str) -> str:
    """The text of a map; that of a file as one line."""
    if not value or ("=" in value and not os.path.isfile(expanded(value))):
        return value
    path: Path = expanded(value)
    try:
        lines = read_text(path).splitlines()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"--map {value}: neither LABEL=EMOTION nor a file ({reason}).") from None
    return ",".join(line for line in map(str.strip, lines) if line and not line.startswith("#"))


def _pairs(option: str, text: str) -> dict[str, str]:
    """`a=b,c=d` as a mapping."""
    found = {}
    for part in filter(None, (one.strip() for one in text.split(","))):
        key, sign, value = part.partition("=")
        if not (sign and key.strip() and value.strip()):
            raise ConfigError(f"{option}: {part!r}; expected NAME=OTHER, separated by commas.")
        found[key.strip()] = value.strip()
    return found
