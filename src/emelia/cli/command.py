"""What all commands have in common: plain help, `--quiet`, and former names of options.

An option has the same name in every command; names it once had are understood and not shown.
"""

from __future__ import annotations

import copy
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, get_args

import typer
from typer.core import TyperCommand

from emelia import console

# What to write for a value where an option does not say so itself.
_PLACES = ((bool, ""), (Path, "PATH"), (int, "N"), (float, "X"), (str, "TEXT"))
_SHORT = {"out": "-o", "model": "-m", "jobs": "-j", "recipe": "-r", "recipes": "-r"}
_END = "--"  # what follows are arguments, whatever they look like
_QUIET = "quiet"

Former = Mapping[str, str]  # present names of options by former ones


class Command(TyperCommand):
    """A command that understands former names of its options."""

    former: Former = MappingProxyType({})

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        pieces = super().collect_usage_pieces(ctx)
        return [_usage(piece) for piece in pieces if piece != "[]"]

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        return super().parse_args(ctx, present(args, self.former))

    def get_params(self, ctx: Any) -> Any:
        return without_values(super().get_params(ctx))


def _usage(piece: str) -> str:
    """An argument without brackets and dots that say nothing: `{A}...` is `A...`."""
    bare = re.sub(r"^\{([^|]+)\}(\.*)$", r"\1\2", piece)
    return re.sub(r"(\.\.\.\]?)\.\.\.$", r"\1", bare)


def without_values(params: Sequence[Any]) -> Sequence[Any]:
    """Parameters without what the help need not say: types of arguments, values of switches."""
    for param in params:
        if getattr(param, "is_flag", False):
            param.metavar = ""
        elif param.param_type_name == "argument":
            param.display_type_rich = lambda ctx: None
    return params


def present(args: Sequence[str], former: Former) -> list[str]:
    """The words of a command line with former names of options replaced by present ones."""
    end = args.index(_END) if _END in args else len(args)
    told = []
    for word in args[:end]:
        name, equals, value = word.partition("=")
        told.append(f"{former.get(name, name)}{equals}{value}")
    return [*told, *args[end:]]


def help_text(docstring: str) -> str:
    """A docstring as help: paragraphs that the terminal wraps, and examples one a line.

    In the docstring examples are the last paragraph: "Examples: emelia a · emelia b".
    """
    parts = [" ".join(part.split()) for part in docstring.split("\n\n")]
    if found := re.fullmatch(r"(Examples?:) (.*)", parts[-1]):
        parts[-1] = "\n".join([found[1], *(f"  {one}" for one in found[2].split(" · "))])
    return "\n\n".join(parts)


def with_quiet(function: Callable[..., None]) -> Callable[..., None]:
    """A command's function with the option `--quiet`, and a word for the value of each option."""

    def quietly(**values: Any) -> None:
        if values.pop(_QUIET):
            console.be_quiet()
        function(**values)

    signature = inspect.signature(function, eval_str=True)
    about = typer.Option("--quiet", "-q", help="No progress, only results and warnings.")
    parameters = {
        **{name: _told(one) for name, one in signature.parameters.items()},
        _QUIET: inspect.Parameter(
            _QUIET, inspect.Parameter.KEYWORD_ONLY, default=False,
            annotation=Annotated[bool, about],
        ),
    }  # fmt: skip
    told: Any = quietly
    told.__signature__ = signature.replace(parameters=list(parameters.values()))
    told.__annotations__ = {name: one.annotation for name, one in parameters.items()}
    return quietly


def _told(parameter: inspect.Parameter) -> inspect.Parameter:
    """A parameter whose option has its short form and says what belongs in the value's place."""
    kind, about = get_args(parameter.annotation)
    told, name = copy.copy(about), parameter.name
    if isinstance(told, typer.models.ArgumentInfo):
        told.metavar = name.upper() if told.metavar is None else told.metavar
    elif told.metavar is None:
        kinds = _types(kind)
        told.metavar = next((word for base, word in _PLACES if base in kinds), None)
    if name in _SHORT:
        told.param_decls = (f"--{name}", _SHORT[name])
    return parameter.replace(annotation=Annotated[kind, told])


def _types(hint: Any) -> set[Any]:
    """The types in a hint: `list[Path] | None` has list, Path and None."""
    return {hint}.union(*map(_types, get_args(hint)))
