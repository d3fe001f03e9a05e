"""Recipes as TOML, the way `load_recipe` reads them."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from typing import Any

from emelia.config.recipe import Recipe


def recipe_toml(recipe: Recipe) -> str:
    """A recipe as TOML: its words, and every setting that is not at its default."""
    lines, tables = [], []
    for name, value, default in _pairs(recipe, Recipe()):
        if not is_dataclass(value):
            lines += [_line(name, value)] * (value != default)
        elif value != default:
            changed = [_line(n, v) for n, v, d in _pairs(value, default) if v != d]
            tables += ["", f"[{name}]", *changed]
    return "\n".join([*lines, *tables]).lstrip("\n") + "\n"


def _pairs(value: Any, default: Any) -> list[tuple[str, Any, Any]]:
    """Fields of a dataclass with their value and that of another of its kind."""
    return [(f.name, getattr(value, f.name), getattr(default, f.name)) for f in fields(value)]


def _line(name: str, value: Any) -> str:
    # Of words, numbers and pairs of numbers JSON is TOML too; \x7f alone TOML wants escaped.
    return f"{name} = {json.dumps(value)}".replace("\x7f", "\\u007f")
