"""Options of the same meaning in several commands that recognise. Light: nothing else is loaded."""

from __future__ import annotations

from typing import Annotated

import typer

ModelOption = Annotated[
    str, typer.Option(help="A model that comes with emelia, see `emelia models`, or a file.")
]
OnlyOption = Annotated[
    str | None,
    typer.Option(metavar="A,B,...", help="Answer only these.", show_default=False),
]
ThresholdOption = Annotated[
    float | None,
    typer.Option(
        min=0, max=1, help="Confidence below which an answer is `not sure`. "
        "\\[default: the model's own]",
        show_default=False,
    ),
]  # fmt: skip


def split_names(text: str) -> list[str]:
    """Names separated by commas."""
    return [name.strip() for name in text.split(",") if name.strip()]
