"""A model file and the page about it, written side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from emelia import console
from emelia.storage import write_atomically

if TYPE_CHECKING:
    from emelia.config import Card
    from emelia.learn.export.build import Exported


def warn_of(made: Exported) -> None:
    """Warn where the export could not be checked in full, or the wanted accuracy is not reached."""
    if made.card.parity["made"]:
        console.warn(
            "the recordings of this run are not where they were: the file was checked on "
            "made sounds alone."
        )
    elif made.missing:
        console.warn(
            f"{made.missing} recordings of this run are gone or damaged: checked without them."
        )
    if not made.threshold.reached:
        console.warn(f"the wanted accuracy is not reached. {made.threshold.rule}")


def write_model(path: Path, data: bytes, card: Card) -> None:
    """Write a model file and, beside it, the page about it."""
    from emelia.show.card.page import to_markdown

    write_atomically(path, data)
    write_atomically(path.with_suffix(".md"), to_markdown(card).encode())
