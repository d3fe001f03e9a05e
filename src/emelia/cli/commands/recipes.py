"""`emelia recipes`: the recipes that come with emelia, and the settings they are made of."""

from __future__ import annotations

import json
import textwrap
import typing
from typing import Annotated, Any, Literal

import typer

from emelia import console
from emelia.cli.common import warn_of_bands
from emelia.cli.next_steps import suggest
from emelia.cli.options import WideOption
from emelia.config import Recipe, all_settings
from emelia.config.fields import Setting
from emelia.learn.study.recipes import all_recipes
from emelia.table import Table
from emelia.text import listed

_IN = 4 * " "


def recipes(
    settings: Annotated[
        bool, typer.Option("--settings", help="List the settings of recipes instead.")
    ] = False,
    wide: WideOption = False,
) -> None:
    """List the recipes that come with emelia, or the settings that a recipe may have.

    A recipe of your own is a TOML file with the same settings; name it in --recipes.

    Examples: emelia recipes · emelia recipes --settings ·
    emelia study --recipes emelia,my-own.toml
    """
    if settings:
        _show_settings()
        return
    warn_of_bands(all_recipes().values())
    rows = [
        [r.name, r.group, r.title, f"{r.train.epochs}", f"{r.train.batch_size}", f"{r.train.lr:g}"]
        for r in all_recipes().values()
    ]
    columns = ["recipe", "group", "what it is", "epochs", "batch", "learning rate"]
    needing = [r.name for r in all_recipes().values() if r.model.encoder]
    note = (
        "The group `founding` repeats the founding study. Weights of an encoder are needed by "
        f"{listed(needing)}: `emelia weights` tells which are here, and fetches them."
    )
    spare = ("learning rate", "batch", "epochs")
    Table("Recipes", columns, rows, note, spare=spare).print(wide)
    suggest(("emelia study --recipes", "NAME,...", "CORPUS"))


def _show_settings() -> None:
    for name, about in all_settings(Recipe):
        default, values = _of_setting(name, about)
        console.say(f"{name} = {default}" + (f"  ({values})" if values else ""))
        console.say(textwrap.fill(about.meaning, 76, initial_indent=_IN, subsequent_indent=_IN))
    console.say("\nChange one with --set, such as --set train.lr=0.0005, or in a recipe file.")


def _of_setting(name: str, about: Setting) -> tuple[str, str]:
    """Its default as TOML, and the values it may have."""
    part, _, field = name.partition(".")
    config = getattr(Recipe(), part)
    value = getattr(config, field)
    hint = typing.get_type_hints(type(config))[field]
    if typing.get_origin(hint) is Literal:
        return _plain(value), ", ".join(map(str, typing.get_args(hint)))
    return _plain(value), "{:g} to {:g}".format(*about.within) if about.within else ""


def _plain(value: Any) -> str:
    return json.dumps(list(value) if isinstance(value, tuple) else value)
