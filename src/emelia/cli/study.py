"""`emelia study`: recipes x folds x seeds on one corpus, compared; `recipes` and `report`."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emelia import console
from emelia.cli.common import (
    CorpusArgument,
    DeviceOption,
    EmotionsOption,
    EpochsOption,
    SetOption,
    cores,
    open_corpus,
    settings,
)
from emelia.corpora.splits import audit, audit_lines, make_split
from emelia.errors import ConfigError, EmeliaError, RunError
from emelia.learn.catalogue import QUICK, all_recipes, find_recipes
from emelia.learn.catalogue import quick as shorten
from emelia.results import read_results, studies

if TYPE_CHECKING:
    from emelia.learn.study import Outcome


def study(
    corpus: CorpusArgument = "demo",
    split: Annotated[
        str,
        typer.Option(
            help="loso, folds-K, sentence, published, seed-70-20-10, author-80-20 or "
            "list:FILE.toml. [default: loso]",
            show_default=False,
        ),
    ] = "",
    recipes: Annotated[
        str,
        typer.Option(
            help="Names, groups or TOML files, separated by commas; see `emelia recipes`."
        ),
    ] = "",
    seeds: Annotated[int, typer.Option(min=1, help="Repeat everything with so many seeds.")] = 1,
    emotions: EmotionsOption = "",
    epochs: EpochsOption = None,
    set_: SetOption = None,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick", help="For trying out: one recipe a family, three folds, few epochs."
        ),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for results.jsonl and the report. [default: runs/CORPUS-SPLIT]"),
    ] = None,
    jobs: Annotated[
        int, typer.Option(min=1, help="Trainings at the same time, one core each.")
    ] = cores(),
    device: DeviceOption = "cpu",
) -> None:
    """Train and compare CNNs on a corpus, and write a report.

    Speakers of the test clips are never heard in training unless you ask for a random
    split. Finished trainings are kept: the same command goes on where it stopped.

    Examples: emelia study · emelia study recordings/ --split folds-5 --seeds 3 ·
    emelia study aesdd/ --recipes seed,emelia --set train.lr=0.0005
    """
    chosen = find_recipes(
        recipes or (",".join(QUICK) if quick else "seed,emelia"), settings(set_, epochs)
    )
    data = open_corpus(corpus, emotions)
    parts = make_split(data, split or ("folds-3" if quick else "loso"))
    for line in audit_lines(audit(parts)):
        console.say(line)
    if quick:
        chosen = [shorten(recipe) for recipe in chosen]

    from emelia.learn.cells import tasks
    from emelia.learn.hardware import Hardware
    from emelia.learn.study import run_study

    folder = out or Path("runs") / f"{data.name}-{parts.name.replace(':', '-').replace('/', '-')}"
    wanted = tasks(data, parts, chosen, range(seeds))
    with console.Progress() as progress:
        bars = _Bars(progress, len(wanted))
        outcome = run_study(wanted, folder, bars.tell, jobs, Hardware(device), bars.end)
    _conclude(outcome, folder)


class _Bars:
    """Progress of a study: a bar for each training under way."""

    def __init__(self, progress: console.Progress, cells: int) -> None:
        self.progress = progress
        self.running: set[str] = set()
        self.ended: set[str] = set()
        progress.start("trainings", cells)

    def tell(self, name: str, done: int, total: int, facts: str) -> None:
        if name in self.ended:  # news that another process sent late
            return
        if name not in self.running:
            self.running.add(name)
            self.progress.start(name, total, done)
        self.progress.step(name, done, facts)

    def end(self, name: str, facts: str) -> None:
        if name in self.running:
            self.running.remove(name)
            self.progress.finish(name, facts)
        self.ended.add(name)
        self.progress.step("trainings", len(self.ended))


def _conclude(outcome: Outcome, folder: Path) -> None:
    """Print the tables, write the report, and fail if a training did."""
    if outcome.reused:
        console.say(
            f"{outcome.reused} of {len(outcome.cells)} trainings were finished before and kept."
        )
    if outcome.cells:
        _report(folder, shlex.join(["emelia", *sys.argv[1:]]))
    for name, reason in outcome.failed.items():
        console.warn(f"{name}: {reason}")
    if outcome.failed:
        raise EmeliaError(f"{len(outcome.failed)} trainings failed; the others are in {folder}.")


def _report(folder: Path, command: str) -> None:
    from emelia.show.report import write_report
    from emelia.show.tables import all_tables

    cells = read_results(folder / "results.jsonl")
    for found in studies(cells):
        for table in all_tables(found):
            console.table(table.title, table.columns, table.rows, table.note)
    written = write_report(cells, folder, command=command)
    console.say(f"Report: {next(path for path in written if path.suffix == '.html')}")


def recipes() -> None:
    """List the recipes that come with emelia.

    A recipe of your own is a TOML file with the same settings; name it in --recipes.

    Examples: emelia recipes · emelia study --recipes emelia,my-own.toml
    """
    rows = [
        [r.name, r.group, r.title, f"{r.train.epochs}", f"{r.train.batch_size}", f"{r.train.lr:g}"]
        for r in all_recipes().values()
    ]
    columns = ["recipe", "group", "what it is", "epochs", "batch", "learning rate"]
    console.table("Recipes", columns, rows, "The group `seed` repeats the founding study.")


def report(
    results: Annotated[
        list[Path], typer.Argument(help="Folders of studies, or their results.jsonl.")
    ],
    into: Annotated[
        Path | None,
        typer.Option(help="Also write the tables into this Markdown file, between its markers."),
    ] = None,
    name: Annotated[str, typer.Option(help="Name of the markers: <!-- begin NAME -->.")] = "study",
) -> None:
    """Write the report of finished studies again, or their tables into a document.

    Examples: emelia report runs/aesdd-loso ·
    emelia report runs/aesdd-loso --into docs/results.md --name loso
    """
    from emelia.show.tables import markdown, write_block

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
    from emelia.show.report import write_report

    for path in write_report(cells, files[0].parent, command=""):
        console.say(str(path))


__all__: Sequence[str] = ["recipes", "report", "study"]
