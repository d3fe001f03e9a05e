"""The recipes that come with the package, by name and by group. No torch here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from emelia.config import Recipe, load_recipe
from emelia.errors import ConfigError
from emelia.text import did_you_mean

FOLDER = Path(__file__).parents[1] / "recipes"
QUICK = ("variable-3", "resized-3", "artificial-variable-4", "emelia")  # one a family
QUICK_EPOCHS, QUICK_COPIES = 10, 3


def all_recipes() -> dict[str, Recipe]:
    """Every recipe in the package, the founding study's first."""
    recipes = [load_recipe(path) for path in sorted(FOLDER.glob("*.toml"))]
    recipes.sort(key=lambda r: (r.group != "founding", -r.published, r.name))
    return {recipe.name: recipe for recipe in recipes}


def find_recipes(wanted: str, settings: Sequence[str] = ()) -> list[Recipe]:
    """Read recipes by a list of names, groups and TOML files, separated by commas.

    Raises:
        ConfigError: an unknown name, or a setting that does not fit.
    """
    names = [name for word in wanted.split(",") if word.strip() for name in _expand(word.strip())]
    if not names:
        raise ConfigError("no recipe given. `emelia recipes` lists them.")
    return [_load(_path(name), settings) for name in dict.fromkeys(names)]


def _load(path: Path, settings: Sequence[str]) -> Recipe:
    """Read a recipe; a published figure is kept only if no more than its epochs are changed."""
    recipe, plain = load_recipe(path, settings), load_recipe(path)
    train = replace(recipe.train, epochs=plain.train.epochs, patience=plain.train.patience)
    if replace(recipe, train=train) == plain:
        return recipe
    return replace(recipe, published=0.0, published_epoch=0)


def quick(recipe: Recipe) -> Recipe:
    """Shorten a recipe for trying out: few epochs, few artificial copies."""
    epochs = min(recipe.train.epochs, QUICK_EPOCHS)
    copies = min(recipe.augment.copies, QUICK_COPIES)
    train = replace(recipe.train, epochs=epochs)
    return replace(recipe, train=train, augment=replace(recipe.augment, copies=copies))


def _expand(word: str) -> list[str]:
    """Turn a group into the names in it; `all` is every group."""
    group = [r.name for r in all_recipes().values() if word in (r.group, "all")]
    return group or [word]


def _path(name: str) -> Path:
    if name.endswith(".toml"):
        return Path(name)
    path = FOLDER / f"{name}.toml"
    if path.is_file():
        return path
    recipes = all_recipes()
    known = [*recipes, *sorted({r.group for r in recipes.values()}), "all"]
    hint = did_you_mean(name, known, f"known are: {', '.join(known)}.")
    raise ConfigError(f"no recipe named {name!r}; {hint} One of your own ends in .toml.")
