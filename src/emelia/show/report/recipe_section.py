"""The section of a report on one recipe: network, training, figures, confidence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from emelia import metrics
from emelia.config import Recipe
from emelia.results import Row
from emelia.show import describe, tables
from emelia.show.page import Figures, Picture
from emelia.show.report import confidence_section, detail_tables, plots
from emelia.show.tables import titled
from emelia.table import Table
from emelia.text import counted, listed, percent


@dataclass(frozen=True)
class RecipeSection:
    """The values of the template for one recipe."""

    row: Row
    title: str
    pictures: tuple[Picture, ...]
    tables: tuple[Table, ...]  # how good it is
    layers: Table | None  # None where they were not recorded
    training: tuple[tuple[str, str], ...]  # what is done to learn, in words
    changed: str  # settings that are not at their default
    settings: str


def recipe_section(row: Row, figures: Figures, name: str) -> RecipeSection:
    """Draw and describe one recipe.

    Args:
        figures: gets the figures.
        name: what names of figures begin with.
    """
    sample = row.cells[0]
    recipe = describe.known(sample.settings)
    flat = dict(tables.flattened(sample.settings))
    return RecipeSection(
        row,
        str(sample.settings.get("title", "")),
        _pictures(row, figures, f"{name}-{row.recipe}"),
        (detail_tables.overall(row), detail_tables.classes(row)),
        _layers(row, recipe) if recipe else None,
        _training(row, recipe) if recipe else (),
        _lines(describe.changed(recipe)) if recipe else "",
        _lines(flat),
    )


@dataclass(frozen=True)
class Processing:
    """The steps from a recording to a spectrogram, with the recipes that share them."""

    recipes: str
    audio: str
    features: str


def processing(rows: Sequence[Row]) -> list[Processing]:
    """The steps of all recipes in words, once for recipes that share them."""
    groups: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        recipe = describe.known(row.cells[0].settings)
        if recipe:
            steps = describe.audio(recipe.audio), describe.features(recipe.features)
            groups.setdefault(steps, []).append(row.recipe)
    return [Processing(listed(names), *steps) for steps, names in groups.items()]


def _layers(row: Row, recipe: Recipe) -> Table | None:
    """The table of layers, where they were recorded of the whole network."""
    found = row.cells[0].architecture
    whole = found and found.parameters == row.parameters
    return detail_tables.layers(recipe, found) if found and whole else None


def _training(row: Row, recipe: Recipe) -> tuple[tuple[str, str], ...]:
    told = {
        "beginning": describe.origins(recipe),
        "blocks": _blocks(row, recipe),
        "learning": describe.training(recipe),
        "training clips": describe.augmentation(recipe.augment) or "As they are, unchanged.",
    }
    return tuple((key, text) for key, text in told.items() if text)


def _blocks(row: Row, recipe: Recipe) -> str:
    """How many blocks of an encoder are used, and whether validation chose that."""
    counts = Counter(cell.blocks for cell in row.cells if cell.blocks)
    if not counts:
        return ""
    told = [f"{blocks} in {counted(n, 'training')}" for blocks, n in sorted(counts.items())]
    who = "" if recipe.model.blocks else ", chosen with speakers that were left out"
    return f"{listed(told)}{who}."


def _pictures(row: Row, figures: Figures, name: str) -> tuple[Picture, ...]:
    sample = row.cells[0]
    drawn = []
    if any(len(cell.history) > 1 for cell in row.cells):  # a point is no curve
        drawn = [
            (plots.losses(row), f"{row.recipe}: loss over the epochs", _losses_in_words(row)),
            (
                plots.progress(row),
                f"{row.recipe}: validation UAR, chosen epochs",
                _chosen_in_words(row),
            ),
        ]
    curves = ("loss", "uar")[: len(drawn)]
    stems = (*curves, "confusion", "reliability", "risk-coverage")
    matrix = plots.confusion(row.confusion, sample.classes)
    drawn.append((matrix, f"{row.recipe}: confusion matrix, all seeds", _confusion_in_words(row)))
    drawn += confidence_section.pictures(row)
    return tuple(
        figures.picture(
            figure, f"{name}-{stem}", titled(sample, caption), alt, tables.drawn_from(row)
        )
        for stem, (figure, caption, alt) in zip(stems, drawn, strict=False)
    )


def _losses_in_words(row: Row) -> str:
    first = fmean(cell.history[0]["loss"] for cell in row.cells)
    last = fmean(cell.history[-1]["loss"] for cell in row.cells)
    longest = max(len(cell.history) for cell in row.cells)
    return (
        f"Loss of {row.recipe} in {len(row.cells)} trainings of up to {longest} epochs: on average "
        f"the training loss goes from {first:.2f} to {last:.2f}."
    )


def _chosen_in_words(row: Row) -> str:
    chosen = [cell.best_epoch for cell in row.cells]
    return (
        f"Validation UAR of {row.recipe} in {len(row.cells)} trainings: the chosen epochs are "
        f"{min(chosen)} to {max(chosen)}, with {percent(row.validation_uar)} % on average."
    )


def _confusion_in_words(row: Row) -> str:
    shares = metrics.recall(row.confusion)
    names = row.cells[0].classes
    found = [f"{name} {percent(share)} %" for name, share in zip(names, shares, strict=True)]
    return f"Confusion matrix of {row.recipe}. Found of each class: {', '.join(found)}."


def _lines(settings: dict[str, object]) -> str:
    return "\n".join(f"{key} = {value!r}" for key, value in settings.items())
