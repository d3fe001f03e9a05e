"""`emelia train` and `emelia evaluate`: train one network, test one on a corpus."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emelia import console
from emelia.cli.common import divide, fold_of, open_corpus, settings, usual_split, warn_of_bands
from emelia.cli.confidence import tell_confidence
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
from emelia.cli.training_run import make_cell, show_cell, show_figures
from emelia.corpora.records import UNKNOWN_SPEAKER
from emelia.errors import ConfigError
from emelia.learn.study.recipes import find_recipes
from emelia.storage import write_atomically

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
    init_from: InitOption = None,
    teacher: TeacherOption = None,
    track: TrackOption = "",
) -> None:
    """Train one network and test it once on speakers it has not seen.

    Ctrl-C keeps the best epoch so far in the run folder; --resume goes on from there.

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
    cell = make_cell(task, folder, resume, Hardware(device, precision, threads), tracker)
    show_cell(cell, folder)
    console.say(f"Run folder: {folder}. Try it on other speech: emelia evaluate {folder} CORPUS")


def _tracker(kind: str, experiment: str, folder: Path, task: Task) -> Tracker | None:
    if not kind:
        return None
    from emelia.learn.study.tracking import tracker

    return tracker(kind, experiment, folder, [(task, folder)])


def evaluate(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="RUN", help="A run folder that `emelia train` or `emelia study` made."
        ),
    ],
    corpus: CorpusArgument,
    out: Annotated[
        Path | None, typer.Option(help="Write every answer to this JSON file.", show_default=False)
    ] = None,
    speakers_from: SpeakersOption = "",
) -> None:
    """Test a trained network on a corpus.

    Clips that its training or the choice of its epoch has seen are left out, also where
    they lie under another name; so are emotions it does not know. Both are counted. What its
    confidence is worth is told with the temperature and threshold an export of it would have.

    Example: emelia evaluate runs/aesdd-emelia recordings/ --out answers.json
    """
    from emelia.learn.study.evaluation import evaluate as ask
    from emelia.learn.training.runs import load_run

    trained = load_run(run)
    data = open_corpus(corpus, apart=trained.classes, speakers_from=speakers_from)
    found = ask(trained, data)
    if found.seen:
        console.warn(
            f"{found.seen} clips left out: training or the choice of the epoch has seen them."
        )
    for emotion, count in found.foreign.items():
        console.warn(f"{count} clips of {emotion} left out: the run does not know it.")
    if found.shared_speakers:
        console.warn("training has seen other clips of these speakers: the figures flatter.")
    if any(answer["speaker"] == UNKNOWN_SPEAKER for answer in found.answers):
        console.warn(
            "who speaks is not known of every clip: training may have seen the same voices, so "
            "that the figures flatter."
        )
    show_figures(
        found.answers,
        trained.classes,
        f"{trained.recipe.name} on {data.name}: {len(found.answers)} clips",
    )
    left_out = trained.recipe.train.selection_groups
    tell_confidence(run, trained.classes, found.answers, left_out)
    if out:
        document = {"classes": trained.classes, "answers": found.answers}
        write_atomically(out, json.dumps(document, ensure_ascii=False, indent=1).encode())
