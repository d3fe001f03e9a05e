"""Studies: all recipes on one split of one corpus, whose figures may be compared."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

from emelia import metrics
from emelia.results.cells import Cell
from emelia.results.rows import Row, grouped


@dataclass(frozen=True)
class Pair:
    """Two recipes on the same clips: test whether one is right more often."""

    first: str
    second: str
    seed: int
    clips: int
    only_first: int  # clips that only the first recipe got right
    only_second: int
    p: float  # McNemar's exact test
    adjusted: float  # after Holm's correction for all pairs of the study


@dataclass(frozen=True)
class Study:
    """All recipes on one split of one corpus."""

    rows: tuple[Row, ...]

    @property
    def sample(self) -> Cell:
        """One of the cells, for what all share: corpus, split, protocol, classes."""
        return self.rows[0].cells[0]

    @property
    def complete(self) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.complete)

    @property
    def best(self) -> Row | None:
        """The complete row with the highest UAR."""
        return max(self.complete, key=lambda row: row.uar, default=None)

    @cached_property
    def pairs(self) -> tuple[Pair, ...]:
        """All pairs of complete rows, compared on the first seed that both have finished."""
        found = [p for a, b in combinations(self.complete, 2) if (p := _pair(a, b)) is not None]
        adjusted = metrics.holm([pair.p for pair in found])
        return tuple(
            dataclasses.replace(pair, adjusted=p) for pair, p in zip(found, adjusted, strict=True)
        )


def studies(cells: Iterable[Cell]) -> list[Study]:
    """Group cells to studies and rows, both in the order of their first cells.

    Of repeated cells the first counts. Cells of earlier versions have no `division`; they join
    the others of the same split if those have a single one.
    """
    cells = list(cells)
    divisions_at: dict[Hashable, set[str]] = {
        place: {cell.division for cell in own} - {""}
        for place, own in grouped(cells, _study_key).items()
    }

    def study(cell: Cell) -> tuple[str, ...]:
        divisions = divisions_at[_study_key(cell)]
        only = min(divisions) if len(divisions) == 1 else ""
        return *_study_key(cell), cell.division or only

    unique: dict[Hashable, Cell] = {}
    for cell in cells:
        unique.setdefault((study(cell), cell.recipe_digest, cell.fold, cell.seed), cell)
    return [Study(tuple(_rows(group))) for group in grouped(unique.values(), study).values()]


def summarise(cells: Iterable[Cell]) -> list[Row]:
    """One row for each recipe and split, in the order of their first cells."""
    return [row for study in studies(cells) for row in study.rows]


def _rows(cells: Sequence[Cell]) -> list[Row]:
    seen = len({cell.fold for cell in cells})
    folds = max(seen, *(cell.folds for cell in cells))
    recipes = grouped(cells, lambda cell: cell.recipe_digest)
    names = [group[0].recipe for group in recipes.values()]
    return [
        Row(name if names.count(name) == 1 else f"{name} ({digest})", tuple(group), folds)
        for name, (digest, group) in zip(names, recipes.items(), strict=True)
    ]


def _pair(first: Row, second: Row) -> Pair | None:
    seed = next((seed for seed in first.seeds if seed in second.seeds), None)
    if seed is None:
        return None
    # Both rows are complete and of one study, so their test clips are the same, in one order.
    truth = first.truth
    a, b = (row.predicted[row.seeds.index(seed)] for row in (first, second))
    only_first = int(((a == truth) & (b != truth)).sum())
    only_second = int(((a != truth) & (b == truth)).sum())
    p = metrics.mcnemar(truth, a, b)
    return Pair(first.recipe, second.recipe, seed, len(truth), only_first, only_second, p, p)


def _study_key(cell: Cell) -> tuple[str, ...]:
    """What the cells of a study share; the protocol, too, as a list of speakers may change."""
    return cell.corpus, cell.corpus_digest, cell.split, cell.protocol
