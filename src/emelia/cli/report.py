"""`emelia report`: finished studies as a page, or their tables in a document."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emelia import console
from emelia.errors import ConfigError, RunError
from emelia.results import read_results, studies


def report(
    results: Annotated[
        list[Path], typer.Argument(help="Folders of studies, or their results.jsonl.")
    ],
    into: Annotated[
        Path | None,
        typer.Option(help="Also write the tables into this Markdown file, between its markers."),
    ] = None,
    name: Annotated[str, typer.Option(help="Name of the markers: <!-- begin NAME -->.")] = "study",
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the report. \\[default: that of the first results]", show_default=False
        ),
    ] = None,
    corpus: Annotated[
        list[str] | None,
        typer.Option(
            help="Where a corpus lies, to have examples and players; "
            "without it the run folders are asked.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Write the report of finished studies again, or their tables into a document.

    Studies of several splits given together are set side by side: what a random split would
    have claimed, and what new speakers get.

    Examples: emelia report runs/aesdd-loso · emelia report runs/aesdd-loso
    runs/aesdd-author-80-20 --out report --corpus aesdd/ ·
    emelia report runs/aesdd-loso --into docs/results.md --name loso
    """
    from emelia.show.markdown import markdown
    from emelia.show.tables import write_block

    files = [path / "results.jsonl" if path.is_dir() else path for path in results]
    for file in files:
        if not file.is_file():
            raise ConfigError(f"{file}: no such results. `emelia study` writes them.")
    cells = [cell for file in files for cell in read_results(file)]
    if not cells:
        raise RunError(f"{files[0]}: no finished cells to report. `emelia study` makes them.")
    if into:
        write_block(into, name, markdown(studies(cells)))
        console.say(f"Tables written into {into}.")
        return
    from emelia.show.recordings import places_of, recordings
    from emelia.show.report import write_report

    if corpus and not any(recordings(found.sample, corpus) for found in studies(cells)):
        console.warn(f"{', '.join(corpus)}: not the recordings of these results; none is shown.")
    places = [*(corpus or []), *places_of(files)]
    for path in write_report(cells, out or files[0].parent, places=places):
        console.say(str(path))
