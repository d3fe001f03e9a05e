"""The recipes that come with the package, by name and by group. No torch here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from emelia.config import Recipe, load_recipe
from emelia.errors import ConfigError
from emelia.text import did_you_mean, listed

FOLDER = Path(__file__).parents[1] / "recipes"
QUICK = ("variable-3", "resized-3", "artificial-variable-4", "emelia")  # one a family
QUICK_EPOCHS, QUICK_COPIES = 10, 3
_SHOWN = 3  # recipes named in a message
# Words that no description has, with one of what they mean here.
_OTHER_NAMES = {
    **dict.fromkeys(("wav2vec", "wav2vec2", "hubert", "wavlm", "transformer", "hf"), "whisper"),
    **dict.fromkeys(("pretrained", "transfer learning", "foundation"), "whisper"),
    **dict.fromkeys(("cnn", "convnet", "conv", "baseline"), "convolutions"),
    **dict.fromkeys(("resnet", "attention"), "residual"),
    "augmentation": "artificial",
    "distillation": "distilled",
}


def all_recipes() -> dict[str, Recipe]:
    """Every recipe in the package, the founding study's first."""
    return {recipe.name: recipe for recipe in _read_all()}


@cache
def _read_all() -> tuple[Recipe, ...]:
    recipes = (load_recipe(path) for path in FOLDER.glob("*.toml"))
    return tuple(sorted(recipes, key=lambda r: (r.group != "founding", -r.published, r.name)))


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
    told = _told_of(name, recipes.values()) or f"known are: {', '.join(known)}."
    hint = did_you_mean(name, known, told)
    raise ConfigError(f"no recipe named {name!r}; {hint} One of your own ends in .toml.")


def _told_of(word: str, recipes: Iterable[Recipe]) -> str:
    """Recipes whose description has a word, or what others call them; empty for none."""
    word = word.lower().strip()
    word = _OTHER_NAMES.get(word, word)
    found = [r.name for r in recipes if word in f"{r.name} {r.title}".lower()]
    found.sort(key=lambda name: not name.startswith(word))  # stable: others stay in order
    return f"did you mean {listed(found[:_SHOWN], 'or')}?" if found else ""
