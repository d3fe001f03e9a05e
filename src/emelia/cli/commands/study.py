"""`emelia study`: recipes x folds x seeds on one corpus, compared."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emelia import console
from emelia.cli.common import divide, open_corpus, settings, warn_of_bands
from emelia.cli.cost import tell_cost
from emelia.cli.next_steps import suggest
from emelia.cli.options import (
    CorpusArgument,
    DeviceOption,
    EmotionsOption,
    EpochsOption,
    ImbalanceOption,
    InitOption,
    JobsOption,
    OnOption,
    PrecisionOption,
    SetOption,
    SpeakersOption,
    TeacherOption,
    TrackOption,
    WideOption,
    WithOption,
    cores,
)
from emelia.cli.progress import Bars
from emelia.cli.runners import work_on
from emelia.corpora import Corpus
from emelia.corpora.splits.scheme import NAMES, can_split
from emelia.errors import EmeliaError
from emelia.learn.study.ablations import with_variants
from emelia.learn.study.recipes import QUICK, find_recipes
from emelia.learn.study.recipes import quick as shorten
from emelia.results import read_results, studies
from emelia.text import counted

if TYPE_CHECKING:
    from emelia.learn.study.runner import Outcome
    from emelia.learn.study.tasks import Task
    from emelia.learn.study.tracking import Tracker


def study(
    corpus: CorpusArgument = "demo",
    split: Annotated[
        str,
        typer.Option(
            metavar="SPLIT",
            help=f"{', '.join(NAMES[:-1])} or {NAMES[-1]}. \\[default: loso]",
            show_default=False,
        ),
    ] = "",
    recipes: Annotated[
        str,
        typer.Option(
            metavar="A,B,...",
            help="Names, groups or TOML files; see `emelia recipes`. \\[default: founding,emelia]",
            show_default=False,
        ),
    ] = "",
    seeds: Annotated[
        int, typer.Option(min=1, help="Random seeds: how many times all is repeated.")
    ] = 1,
    emotions: EmotionsOption = "",
    speakers_from: SpeakersOption = "",
    with_: WithOption = "",
    imbalance: ImbalanceOption = 1.0,
    epochs: EpochsOption = None,
    set_: SetOption = None,
    ablate: Annotated[
        bool,
        typer.Option("--ablate", help="Also train each recipe without each technique it uses."),
    ] = False,
    remedies: Annotated[
        bool,
        typer.Option(
            "--remedies",
            help="Train each recipe with each remedy for classes of unequal size; see --imbalance.",
        ),
    ] = False,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick", help="For trying out: one recipe a family, three folds, few epochs."
        ),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for results.jsonl and the report. \\[default: runs/CORPUS-SPLIT]",
            show_default=False,
        ),
    ] = None,
    jobs: JobsOption = None,
    on: OnOption = "",
    device: DeviceOption = "cpu",
    precision: PrecisionOption = "32-true",
    init_from: InitOption = None,
    teacher: TeacherOption = None,
    track: TrackOption = "",
    wide: WideOption = False,
) -> None:
    """Train and compare networks on a corpus, and write a report.

    Speakers of the test clips are never seen in training unless you ask for a random
    split. Finished trainings are kept: the same command goes on where it stopped.

    Of corpora joined by + you may test on one in turn, or on one language, that training has
    not seen: --split loco, --split language. --with adds corpora to training alone.

    Examples: emelia study · emelia study recordings/ --split folds-5 --seeds 3 ·
    emelia study aesdd --with ravdess+emodb · emelia study aesdd+emodb+nemo --split loco ·
    emelia study aesdd/ --recipes founding,emelia --set train.lr=0.0005 ·
    emelia study aesdd/ --ablate · emelia study aesdd/ --remedies --imbalance 10
    """
    usual = "emelia" if ablate or remedies else ",".join(QUICK) if quick else "founding,emelia"
    chosen = find_recipes(recipes or usual, settings(set_, epochs))
    warn_of_bands(chosen)
    data = open_corpus(corpus, emotions, speakers_from=speakers_from)
    parts, audits = divide(data, split or _usual_split(data, quick), imbalance, with_)
    if quick:
        chosen = [shorten(recipe) for recipe in chosen]
    chosen = with_variants(chosen, ablate, remedies)

    from emelia.learn.study.runner import run_study
    from emelia.learn.study.tasks import StudyData, tasks
    from emelia.learn.training.hardware import Hardware

    folder = out or Path("runs") / f"{data.name}-{parts.name.replace(':', '-').replace('/', '-')}"
    wanted = tasks(data, parts, chosen, range(seeds), init_from, teacher, audits=audits)
    hardware = Hardware(device, precision)
    shorter = () if quick else [task for task in wanted if recipes or task.recipe.name in QUICK]
    places: list[str | Path] = [folder, *StudyData.of(data, parts).places]
    with work_on(on, jobs or cores(), hardware, places) as there:
        jobs = jobs or there.cpus or cores()
        expected = tell_cost(wanted, shorter, folder, jobs, hardware)
        tracker = _tracker(track, f"{data.name} {parts.name}", folder, wanted)
        with console.Progress() as progress:
            bars = Bars(progress, len(wanted), tracker, expected)
            outcome = run_study(
                wanted, folder, bars.tell, jobs, hardware, bars.end, bars.begin, there.trainings
            )
    _conclude(outcome, folder, tracker, wide)
    suggest(("emelia export", folder), ("emelia report", folder))


def _usual_split(data: Corpus, quick: bool) -> str:
    """Each speaker left out; three folds are quicker, where there are speakers for them."""
    return "folds-3" if quick and can_split(data, "folds-3") else "loso"


def _tracker(kind: str, experiment: str, folder: Path, wanted: Sequence[Task]) -> Tracker | None:
    if not kind:
        return None
    from emelia.learn.study.runner import cell_folder
    from emelia.learn.study.tracking import tracker

    return tracker(kind, experiment, folder, [(t, cell_folder(folder, t)) for t in wanted])


def _conclude(outcome: Outcome, folder: Path, tracker: Tracker | None, wide: bool) -> None:
    """Print the tables, write the report, and fail if a training did."""
    if outcome.reused:
        console.say(
            f"{outcome.reused} of {len(outcome.cells)} trainings were finished before and kept."
        )
    if outcome.cells:
        written = _report(folder, shlex.join(["emelia", *sys.argv[1:]]), wide)
        if tracker:
            tracker.report(f"report of {folder.name}", [*written, folder / "results.jsonl"])
    for name, reason in outcome.failed.items():
        console.warn(f"{name}: {reason}")
    if outcome.failed:
        raise EmeliaError(
            f"{counted(len(outcome.failed), 'training')} failed; the others are in {folder}."
        )


def _report(folder: Path, command: str, wide: bool) -> list[Path]:
    from emelia.show.report.page import write_report
    from emelia.show.report.recordings import places_of
    from emelia.show.report.study_tables import all_tables

    file = folder / "results.jsonl"
    cells = read_results(file)
    for found in studies(cells):
        for table in all_tables(found):
            table.print(wide)
    written = write_report(cells, folder, command, places_of([file]))
    console.say(f"Report: {next(path for path in written if path.suffix == '.html')}")
    return written
