"""`emelia report`: finished studies as a page, or their tables in a document."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from emelia import console
from emelia.api.pages import report as page_of
from emelia.cli.next_steps import suggest
from emelia.errors import ConfigError, RunError
from emelia.results import Study, read_results, studies
from emelia.results.finding_cells import is_study


def report(
    results: Annotated[
        list[Path],
        typer.Argument(
            help="Folders of studies, or their results.jsonl; or the folder of one run or cell."
        ),
    ],
    into: Annotated[
        Path | None,
        typer.Option(
            help="Write the tables into this Markdown file, between its markers, and no report."
        ),
    ] = None,
    name: Annotated[
        str, typer.Option(metavar="NAME", help="Name of the markers: <!-- begin NAME -->.")
    ] = "study",
    only_comparison: Annotated[
        bool,
        typer.Option(
            "--only-comparison",
            help="With --into: of studies of several splits only what a random split would "
            "have claimed.",
        ),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the report. \\[default: that of the first results]", show_default=False
        ),
    ] = None,
    corpus: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CORPUS",
            help="Where a corpus lies, to have examples and players; "
            "without it the run folders are asked.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Write the report of finished studies or of a run again, or tables into a document.

    Studies of several splits given together are set side by side: what a random split would
    have claimed, and what new speakers get.

    Examples: emelia report runs/aesdd-loso · emelia report runs/aesdd-loso
    runs/aesdd-author-80-20 --out report ·
    emelia report runs/aesdd-loso --into docs/results/aesdd-loso.md
    """
    from emelia.show.tables import write_block

    if only_comparison and not into:
        raise ConfigError("--only-comparison says what --into writes; give --into PAGE.md too.")
    if len(results) == 1 and os.path.isdir(results[0]) and not is_study(results[0]) and not into:
        console.say(f"Page: {page_of(results[0], out)}")
        suggest(("emelia export", results[0]))
        return
    files = [path / "results.jsonl" if os.path.isdir(path) else path for path in results]
    for file in files:
        if not os.path.isfile(file):
            raise RunError(f"{file}: no such results. `emelia study` writes them.")
    cells = [cell for file in files for cell in read_results(file)]
    if not cells:
        raise RunError(f"{files[0]}: no finished cells to report. `emelia study` makes them.")
    if into:
        write_block(into, name, _tables(studies(cells), only_comparison))
        console.say(f"Tables written into {into}.")
        return
    from emelia.show.report.page import write_report
    from emelia.show.report.recordings import places_of, recordings

    if corpus and not any(recordings(found.sample, corpus) for found in studies(cells)):
        console.warn(f"{', '.join(corpus)}: not the recordings of these results; none is shown.")
    places = [*(corpus or []), *places_of(files)]
    for path in write_report(cells, out or files[0].parent, places=places):
        console.say(str(path))
    suggest(("emelia export", files[0].parent))


def _tables(found: Sequence[Study], only_comparison: bool) -> str:
    from emelia.show.report.markdown import comparison, markdown

    if not only_comparison:
        return markdown(found)
    if text := comparison(found):
        return text
    raise RunError(
        "These studies have nothing to compare; expected one recipe on a split whose test "
        "speakers also train, and on one whose do not. Give the results of both."
    )
