"""Which studies are only tries: recipes cut short, as `--quick` does."""

from __future__ import annotations

from emelia.learn.study.recipes import QUICK_COPIES, QUICK_EPOCHS, all_recipes
from emelia.results import Cell, Study

TRY = (
    "Recipes were cut short to try things out (few epochs, few copies of clips). Their figures are "
    "lower than they can be and are compared with no published ones."
)


def is_try(study: Study) -> bool:
    """Whether a recipe of the package was trained for fewer epochs or copies than it asks for."""
    return any(_is_cut(row.cells[0]) for row in study.rows)


def _is_cut(cell: Cell) -> bool:
    own = all_recipes().get(cell.recipe)
    if own is None:
        return False
    epochs = int(cell.settings.get("train", {}).get("epochs", own.train.epochs))
    copies = int(cell.settings.get("augment", {}).get("copies", own.augment.copies))
    # Other numbers are a choice of their own, such as of earlier versions of a recipe.
    return epochs == QUICK_EPOCHS < own.train.epochs or copies == QUICK_COPIES < own.augment.copies
