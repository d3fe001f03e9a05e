"""`emelia tune`: search settings of a recipe on inner folds, without the test speakers."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emelia import console
from emelia.api.searching import compared, outer_fold, search_settings
from emelia.api.training import usual_split
from emelia.cli.common import divide, open_corpus, settings, warn_of_bands
from emelia.cli.next_steps import suggest
from emelia.cli.options import (
    CorpusArgument,
    DeviceOption,
    EmotionsOption,
    EpochsOption,
    FormerOrder,
    OnOption,
    PrecisionOption,
    RecipeOption,
    SeedOption,
    SetOption,
    SpeakersOption,
    SplitOption,
    ThreadsOption,
    WideOption,
)
from emelia.cli.progress import Bars
from emelia.cli.runners import Runners, work_on
from emelia.config import Recipe
from emelia.errors import ConfigError, EmeliaError
from emelia.learn.study.recipes import find_recipes
from emelia.learn.study.tune_space import SearchResult, own_values, space
from emelia.results import read_results, studies
from emelia.storage import write_atomically

if TYPE_CHECKING:
    from emelia.learn.study.runner import Outcome
    from emelia.learn.study.tasks import Task
    from emelia.learn.training.hardware import Hardware

_LOOKED = (
    "The test speakers were asked about {} tuned recipes in this folder: to choose among those "
    "figures would be to choose on test data."
)


def tune(
    corpus: CorpusArgument,
    former: FormerOrder = "",
    recipe: RecipeOption = "emelia",
    trials: Annotated[
        int,
        typer.Option(
            min=1, help="Settings to try; a larger number goes on from those tried before."
        ),
    ] = 30,
    split: SplitOption = "",
    fold: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Outer fold: its test speakers are kept out of the search. \\[default: the first]",
            show_default=False,
        ),
    ] = "",
    inner: Annotated[
        int, typer.Option(min=3, help="Inner folds that the other speakers are divided into.")
    ] = 3,
    test_seeds: Annotated[
        int, typer.Option(min=1, help="How many times the test at the end is repeated.")
    ] = 3,
    seed: SeedOption = 0,
    emotions: EmotionsOption = "",
    speakers_from: SpeakersOption = "",
    epochs: EpochsOption = None,
    set_: SetOption = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder. \\[default: runs/CORPUS-RECIPE-tuned]", show_default=False),
    ] = None,
    device: DeviceOption = "cpu",
    precision: PrecisionOption = "32-true",
    threads: ThreadsOption = 1,
    on: OnOption = "",
    jobs: Annotated[
        int | None,
        typer.Option(
            min=1,
            show_default=False,
            help="With --on: trials that are proposed together and run at the same time. Another "
            "number proposes others. \\[default: 1]",
        ),
    ] = None,
    wide: WideOption = False,
) -> None:
    """Search better settings for a recipe, and test them once.

    Learning rate, schedule, weight decay, dropout, width, masks, mixup and the strength of
    changed copies are searched. The test speakers of the fold are never seen in it: each
    trial is judged on inner folds of the others. At the end the best settings and the
    recipe itself are trained and tested on the fold. Ctrl-C keeps finished trials: the same
    command goes on.

    Examples: emelia tune recordings/ ·
    emelia tune aesdd/ --recipe variable-3 --trials 50 --fold 2 ·
    emelia study aesdd/ --recipes emelia,runs/aesdd-emelia-tuned/best.toml
    """
    if former:
        recipe, corpus = corpus, former
    chosen = find_recipes(recipe, settings(set_, epochs))
    warn_of_bands(chosen)
    if len(chosen) != 1:
        raise ConfigError(f"{recipe!r} names {len(chosen)} recipes; tune takes one.")
    data = open_corpus(corpus, emotions, speakers_from=speakers_from)
    parts, audits = divide(data, split or usual_split(data))
    outer = outer_fold(parts, fold)
    folder = out or Path("runs") / f"{data.name}-{chosen[0].name}-tuned"

    from emelia.learn.study.tasks import tasks
    from emelia.learn.training.hardware import Hardware

    hardware = Hardware(device, precision, threads)
    jobs = jobs or 1
    if jobs > 1 and not on:
        raise ConfigError(f"--jobs {jobs}: several trials at once need --on ray.")
    places = [folder, *(source.root for source in data.sources)]
    with work_on(on, jobs * threads, hardware, places) as there:
        with console.Progress() as progress:
            bars = _Bars(progress)
            best, found = search_settings(
                chosen[0], data, outer, folder, trials=trials, inner=inner, seed=seed,
                hardware=hardware, on_trial=bars.tell, on_trial_epoch=bars.tell_trial,
                jobs=jobs, runner=there.trials,
            )  # fmt: skip
        kept = [one for one in audits if one["fold"] == outer.folds[0].name]
        cells = tasks(data, outer, compared(chosen[0], best), range(test_seeds), audits=kept)
        outcome = _test(cells, folder, hardware, jobs, there)
    _conclude(folder, chosen[0], found, outcome, wide)


class _Bars:
    """Progress of a search: a bar for all trials and one for each under way."""

    def __init__(self, progress: console.Progress) -> None:
        self.progress = progress
        self.begun = False
        self.running: dict[str, str] = {}  # facts by the name of a trial

    def tell(self, done: int, total: int, facts: str) -> None:
        """Show how many trials are done, and what the last one came to."""
        if not self.begun:
            self.progress.start("trials", max(total, done), done)
        for name, last in self.running.items():
            self.progress.finish(name, last)
        self.progress.step("trials", done, facts)
        self.begun, self.running = True, {}

    def tell_trial(self, name: str, done: int, total: int, facts: str) -> None:
        """Show how many epochs of a trial under way are done."""
        if name not in self.running:
            self.progress.start(name, total)
        self.running[name] = facts
        self.progress.step(name, done, facts)


def _test(
    wanted: Sequence[Task], folder: Path, hardware: Hardware, jobs: int, there: Runners
) -> Outcome:
    """Train the recipe and the best settings on the outer fold, each tested once a seed."""
    from emelia.learn.study.runner import run_study

    with console.Progress() as progress:
        bars = Bars(progress, len(wanted))
        return run_study(
            wanted, folder, bars.tell, jobs, hardware, bars.end, bars.begin, there.trainings
        )


def _conclude(
    folder: Path, recipe: Recipe, found: SearchResult, outcome: Outcome, wide: bool
) -> None:
    """Print the tables, write tune.md, and fail if a training did."""
    from emelia.show import tables
    from emelia.show.report import differences
    from emelia.show.report.tuning import best_table, page

    asked = {cell.key for cell in outcome.cells}
    kept = read_results(folder)
    shown = [best_table(found, own_values(recipe, space(recipe)))]
    protocol = []
    for study in studies(cell for cell in kept if cell.key in asked):
        shown += [tables.main(study), *differences.tables(study)]
        protocol = [study.sample.protocol, *(f"Audit: {line}." for line in tables.audit(study))]
    others = {cell.recipe_digest for cell in kept} - {recipe.digest}
    if len(others) > 1:
        protocol.append(_LOOKED.format(len(others)))
        console.warn(_LOOKED.format(len(others)))
    for table in shown:
        table.print(wide)
    command = shlex.join(["emelia", *sys.argv[1:]])
    write_atomically(folder / "tune.md", page(recipe, shown, protocol, command).encode())
    console.say(f"Best settings: {folder / 'best.toml'}. All of it: {folder / 'tune.md'}")
    suggest(("emelia study", "CORPUS", "--recipes", folder / "best.toml"))
    if outcome.failed:
        raise EmeliaError("; ".join(f"{name}: {why}" for name, why in outcome.failed.items()))
