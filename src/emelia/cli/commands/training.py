"""`emelia train` and `emelia evaluate`: one cell of a study by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from emelia import console, metrics
from emelia.cli.common import divide, open_corpus, settings
from emelia.cli.confidence import tell_confidence
from emelia.cli.options import (
    CorpusArgument,
    DeviceOption,
    EmotionsOption,
    EpochsOption,
    FoldOption,
    ImbalanceOption,
    PrecisionOption,
    ResumeOption,
    SeedOption,
    SetOption,
    StartOption,
    TeacherOption,
    ThreadsOption,
    TrackOption,
    WithOption,
)
from emelia.corpora import Corpus
from emelia.corpora.records import UNKNOWN_SPEAKER
from emelia.corpora.splits.scheme import Fold, Split
from emelia.errors import ConfigError, RunError, SplitError
from emelia.learn.study.recipes import find_recipes
from emelia.results import Cell
from emelia.storage import ensure_writable, lock, write_atomically
from emelia.table import Table
from emelia.text import between, percent

if TYPE_CHECKING:
    from emelia.learn.study.tasks import Task
    from emelia.learn.study.tracking import Tracker
    from emelia.learn.training.hardware import Hardware


def train(
    recipe: Annotated[
        str, typer.Argument(help="A recipe's name, or a TOML file; see `emelia recipes`.")
    ],
    corpus: CorpusArgument,
    split: Annotated[
        str, typer.Option(help="How to divide the corpus; see `emelia study --help`.")
    ] = "",
    fold: FoldOption = "",
    seed: SeedOption = 0,
    emotions: EmotionsOption = "",
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
    start: StartOption = None,
    teacher: TeacherOption = None,
    track: TrackOption = "",
) -> None:
    """Train one network and test it once on speakers it has not heard.

    Ctrl-C keeps the best epoch so far in the run folder; --resume goes on from there.

    Examples: emelia train emelia recordings/ ·
    emelia train variable-3 aesdd/ --split loso --fold 6 ·
    emelia train joint aesdd --with ravdess+emodb --set train.target_share=0.5
    """
    chosen = find_recipes(recipe, settings(set_, epochs))
    if len(chosen) != 1:
        raise ConfigError(
            f"{recipe!r} names {len(chosen)} recipes; train takes one. "
            "`emelia study` compares several."
        )
    data = open_corpus(corpus, emotions)
    parts = divide(data, split or usual_split(data), imbalance, with_)
    fold = fold_of(parts, fold).name

    from emelia.learn.study.tasks import tasks
    from emelia.learn.training.hardware import Hardware

    (task,) = tasks(data, parts, chosen, [seed], start, teacher, only=fold)
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


def usual_split(corpus: Corpus) -> str:
    """Five speaker-disjoint folds, as far as there are speakers for them."""
    return f"folds-{min(5, max(3, len(corpus.speakers)))}"


def fold_of(parts: Split, name: str) -> Fold:
    """The fold of a name, the first where it is empty.

    Raises:
        SplitError: there is no such fold.
    """
    names = [fold.name for fold in parts.folds]
    if name and name not in names:
        raise SplitError(f"{parts.name} has no fold {name!r}; there are: {', '.join(names)}.")
    return parts.folds[names.index(name) if name else 0]


def make_cell(
    task: Task, folder: Path, resume: bool, hardware: Hardware, tracker: Tracker | None = None
) -> Cell:
    """Train and test, with a bar; the run folder then holds the network and result.json.

    Raises:
        RunError: the folder holds another training, or an unfinished one and `resume` is not set.
        typer.Exit: Ctrl-C; what is kept was told.
    """
    from emelia.learn.study.cell import Interrupted, forget_checkpoint, run_cell

    _check_folder(folder, resume)
    ensure_writable(folder)
    with lock(folder), console.Progress() as progress:
        progress.start(task.name, task.recipe.train.epochs)

        def tell(done: int, total: int, facts: str) -> None:
            progress.step(task.name, done, facts)
            if tracker:
                tracker.tell(task.name, done, total, facts)

        try:
            cell = run_cell(task, folder, tell, hardware)
        except Interrupted:
            console.warn(_what_is_kept(folder))
            raise typer.Exit(130) from None
        progress.finish(task.name, f"epoch {cell.best_epoch} kept")
    write_atomically(folder / "result.json", cell.to_json().encode())
    forget_checkpoint(folder)
    if tracker:
        tracker.finish(task.name, cell)
    return cell


def show_cell(cell: Cell, folder: Path) -> None:
    """Print the figures of a training, and what its confidence is worth."""
    _show(
        cell.predictions,
        cell.classes,
        f"{cell.recipe} on {cell.corpus}: {len(cell.predictions)} test clips",
    )
    left_out = cell.settings["train"]["selection_groups"]
    tell_confidence(folder, cell.classes, cell.predictions, left_out)


def _what_is_kept(folder: Path) -> str:
    if (folder / "run.json").exists():
        return f"stopped early. The best epoch so far is in {folder}; --resume goes on."
    return "stopped before the first epoch was over: there is nothing to keep yet."


def _check_folder(folder: Path, resume: bool) -> None:
    from emelia.learn.training.runs import CHECKPOINT

    begun = (folder / CHECKPOINT).exists()
    if begun and not resume:
        raise RunError(
            f"{folder}: holds an unfinished training. Add --resume to go on, "
            "or choose another --out."
        )
    if not begun and (folder / "run.json").exists():
        raise RunError(f"{folder}: holds a finished training. Choose another --out, or remove it.")


def evaluate(
    run: Annotated[
        Path, typer.Argument(help="A run folder that `emelia train` or `emelia study` made.")
    ],
    corpus: CorpusArgument,
    out: Annotated[
        Path | None, typer.Option(help="Write every answer to this JSON file.", show_default=False)
    ] = None,
) -> None:
    """Test a trained network on a corpus.

    Clips that its training or the choice of its epoch has heard are left out, also where
    they lie under another name; so are emotions it does not know. Both are counted. What its
    confidence is worth is told with the temperature and threshold an export of it would have.

    Example: emelia evaluate runs/aesdd-emelia recordings/ --out answers.json
    """
    from emelia.learn.study.evaluation import evaluate as ask
    from emelia.learn.training.runs import load_run

    trained = load_run(run)
    data = open_corpus(corpus, apart=trained.classes)
    found = ask(trained, data)
    if found.heard:
        console.warn(
            f"{found.heard} clips left out: training or choosing the epoch has heard them."
        )
    for emotion, count in found.foreign.items():
        console.warn(f"{count} clips of {emotion} left out: the run does not know it.")
    if found.shared_speakers:
        console.warn("training heard other clips of these speakers: the figures flatter.")
    if any(answer["speaker"] == UNKNOWN_SPEAKER for answer in found.answers):
        console.warn(
            "who speaks is not known of every clip: training may have heard the same voices, so "
            "that the figures flatter."
        )
    _show(
        found.answers,
        trained.classes,
        f"{trained.recipe.name} on {data.name}: {len(found.answers)} clips",
    )
    left_out = trained.recipe.train.selection_groups
    tell_confidence(run, trained.classes, found.answers, left_out)
    if out:
        document = {"classes": trained.classes, "answers": found.answers}
        write_atomically(out, json.dumps(document, ensure_ascii=False, indent=1).encode())


def _show(answers: Sequence[Mapping[str, Any]], classes: tuple[str, ...], title: str) -> None:
    """Print figures per class and, below, overall with intervals."""
    truth = np.array([answer["truth"] for answer in answers])
    predicted = np.array([answer["probabilities"] for answer in answers]).argmax(1)
    speakers = [answer["speaker"] for answer in answers]
    scores = metrics.scores(truth, predicted, classes)
    rows = [
        [
            name,
            *(percent(c[key]) if c["support"] else "–" for key in metrics.PER_CLASS),
            str(c["support"]),
        ]
        for name, c in scores["per_class"].items()
    ]
    ends = [metrics.interval(truth, predicted, speakers, name) for name in metrics.OVERALL]
    lines = [
        f"{metric.title} {percent(scores[name])} % ({between(end.low, end.high)})"
        for (name, metric), end in zip(metrics.OVERALL.items(), ends, strict=True)
    ]
    note = f"{', '.join(lines)}; 95 % intervals, {ends[0].note or 'speakers drawn first'}."
    if untested := [name for name, c in scores["per_class"].items() if not c["support"]]:
        note += f" UAR is the mean recall of the classes with clips: no {', '.join(untested)}."
    Table(title, ["emotion", *metrics.titles(metrics.PER_CLASS), "clips"], rows, note).print()
