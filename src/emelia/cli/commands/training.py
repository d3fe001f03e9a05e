"""`emelia train`: train one network and test it once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emelia import console
from emelia.api.training import usual_split
from emelia.cli.common import divide, fold_of, open_corpus, settings, warn_of_bands
from emelia.cli.next_steps import suggest
from emelia.cli.options import (
    CorpusArgument,
    DeviceOption,
    EmotionsOption,
    EpochsOption,
    FoldOption,
    FormerOrder,
    ImbalanceOption,
    InitOption,
    PrecisionOption,
    RecipeOption,
    ResumeOption,
    SeedOption,
    SetOption,
    SpeakersOption,
    SplitOption,
    TeacherOption,
    ThreadsOption,
    TrackOption,
    WithOption,
)
from emelia.cli.training_run import make_cell, show_cell
from emelia.errors import ConfigError
from emelia.learn.study.recipes import find_recipes

if TYPE_CHECKING:
    from emelia.learn.study.tasks import Task
    from emelia.learn.study.tracking import Tracker


def train(
    corpus: CorpusArgument,
    former: FormerOrder = "",
    recipe: RecipeOption = "emelia",
    split: SplitOption = "",
    fold: FoldOption = "",
    seed: SeedOption = 0,
    emotions: EmotionsOption = "",
    speakers_from: SpeakersOption = "",
    with_: WithOption = "",
    imbalance: ImbalanceOption = 1.0,
    epochs: EpochsOption = None,
    set_: SetOption = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Run folder. \\[default: runs/CORPUS-RECIPE]", show_default=False),
    ] = None,
    resume: ResumeOption = False,
    device: DeviceOption = "cpu",
    precision: PrecisionOption = "32-true",
    threads: ThreadsOption = 1,
    stream: Annotated[
        bool,
        typer.Option(
            "--stream",
            help="Keep spectrograms on disk and read them when they are used, for corpora larger "
            "than memory.",
        ),
    ] = False,
    init_from: InitOption = None,
    teacher: TeacherOption = None,
    track: TrackOption = "",
) -> None:
    """Train one network and test it once on speakers it has not seen.

    Ctrl-C keeps the best epoch so far in the run folder; --resume goes on from there. On several
    devices or machines: torchrun --nproc-per-node=2 -m emelia train ...; each takes its share of
    every batch.

    Examples: emelia train recordings/ ·
    emelia train aesdd/ --recipe variable-3 --split loso --fold 6 ·
    emelia train aesdd --recipe joint --with ravdess+emodb
    """
    if former:
        recipe, corpus = corpus, former
    chosen = find_recipes(recipe, settings(set_, epochs))
    warn_of_bands(chosen)
    if len(chosen) != 1:
        raise ConfigError(
            f"{recipe!r} names {len(chosen)} recipes; train takes one. "
            "`emelia study` compares several."
        )
    data = open_corpus(corpus, emotions, speakers_from=speakers_from)
    parts, audits = divide(data, split or usual_split(data), imbalance, with_)
    fold = fold_of(parts, fold).name

    from emelia.learn.study.tasks import tasks
    from emelia.learn.training.hardware import Hardware

    (task,) = tasks(data, parts, chosen, [seed], init_from, teacher, fold, audits)
    more = "".join(f"+{corpus.name}" for corpus in parts.added)
    folder = out or Path("runs") / f"{data.name}-{chosen[0].name}{more}"
    tracker = _tracker(track, f"{data.name} {parts.name}", folder, task)
    cell = make_cell(task, folder, resume, Hardware(device, precision, threads, stream), tracker)
    show_cell(cell, folder)
    console.say(f"Run folder: {folder}")
    suggest(("emelia export", folder), ("emelia evaluate", folder, "CORPUS"))


def _tracker(kind: str, experiment: str, folder: Path, task: Task) -> Tracker | None:
    if not kind:
        return None
    from emelia.learn.study.tracking import tracker

    return tracker(kind, experiment, folder, [(task, folder)])
