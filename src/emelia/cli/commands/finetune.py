"""`emelia finetune`: train a model further on recordings and labels of your own."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from emelia import console, metrics
from emelia.api.finetuning import Kept, choose, place_of_model
from emelia.cli.common import divide, fold_of, open_corpus, settings, warn_of_bands
from emelia.cli.model_output import warn_of, write_model
from emelia.cli.next_steps import suggest
from emelia.cli.options import (
    CorpusArgument,
    DeviceOption,
    EmotionsOption,
    EpochsOption,
    FoldOption,
    PrecisionOption,
    ResumeOption,
    SeedOption,
    SetOption,
    SpeakersOption,
    ThreadsOption,
)
from emelia.cli.training_run import make_cell, show_cell
from emelia.corpora import Corpus
from emelia.corpora.records import UNKNOWN_SPEAKER
from emelia.corpora.splits.scheme import Fold
from emelia.results import Cell
from emelia.table import Table
from emelia.text import between, counted, percent

if TYPE_CHECKING:
    from emelia.learn.export.temperature import Answers
    from emelia.learn.study.keeping import Verdict
    from emelia.learn.study.tasks import Task
    from emelia.learn.study.warm_start import EarlierRun


def finetune(
    model: Annotated[
        str,
        typer.Argument(
            help="A model file, the name of one that comes with emelia, or a run folder."
        ),
    ],
    corpus: CorpusArgument,
    split: Annotated[
        str,
        typer.Option(
            metavar="SPLIT",
            help="How to divide the corpus. \\[default: speakers apart, or at random where fewer "
            "than three are known]",
            show_default=False,
        ),
    ] = "",
    fold: FoldOption = "",
    seed: SeedOption = 0,
    emotions: EmotionsOption = "",
    speakers_from: SpeakersOption = "",
    epochs: EpochsOption = None,
    set_: SetOption = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Run folder. \\[default: runs/CORPUS-MODEL]", show_default=False),
    ] = None,
    resume: ResumeOption = False,
    device: DeviceOption = "cpu",
    precision: PrecisionOption = "32-true",
    threads: ThreadsOption = 1,
) -> None:
    """Fine-tune a model on recordings and labels of your own, and get a model file.

    Some 20 clips of each label are enough to begin with; labels may be any words. Part of the
    clips is kept to test what it has learnt. A model that knew all labels stays as it was where
    held-out clips are answered no better for what it learnt. Ctrl-C keeps the best epoch so far;
    --resume goes on.

    Examples: emelia finetune default recordings/ ·
    emelia finetune runs/aesdd-emelia calls.csv --emotions calm,stressed
    """
    from emelia.learn.study.finetuning import finetuning_recipe, usual_split
    from emelia.learn.study.tasks import tasks
    from emelia.learn.study.warm_start import read
    from emelia.learn.training.hardware import Hardware
    from emelia.learn.training.init import initial_linear_layer

    start = read(place_of_model(model))
    data = _usable(open_corpus(corpus, emotions, speakers_from=speakers_from), start)
    parts, audits = divide(data, split or usual_split(data))
    chosen = fold_of(parts, fold)
    _warn_of_shared_speakers(chosen)
    changes = settings(set_, epochs)
    run = start.run()
    prior = initial_linear_layer(run.recipe, data.emotions, run) is not None
    recipe = finetuning_recipe(run.recipe, start.recipe, chosen.train, changes, prior=prior)
    warn_of_bands([recipe])
    (task,) = tasks(data, parts, [recipe], [seed], start.place, only=chosen.name, audits=audits)
    folder = out or Path("runs") / f"{data.name}-{start.name}"
    cell = make_cell(task, folder, resume, Hardware(device, precision, threads))
    show_cell(cell, folder)
    try:
        file = _export(folder, _kept(start, task, cell, folder))
    except KeyboardInterrupt:
        console.warn("stopped before the model file was made. Add --resume to make it.")
        raise typer.Exit(130) from None
    console.say(f"Run folder: {folder}")
    suggest(
        ("emelia predict", "--model", file, "CLIP"), ("emelia evaluate", file, "OTHER-RECORDINGS")
    )


def _usable(corpus: Corpus, start: EarlierRun) -> Corpus:
    """The clips that the model has not seen; warn of those it has, and of rare classes."""
    from emelia.learn.study.finetuning import check_sizes, unseen

    data = unseen(corpus, start.seen)
    if known := len(corpus.utterances) - len(data.utterances):
        console.warn(f"{counted(known, 'clip')} left out: {start.name} has seen them before.")
        trained = {u.speaker for u in corpus.utterances if u.digest in start.seen}
        if trained & set(data.speakers) - {UNKNOWN_SPEAKER}:
            console.warn(
                f"{start.name} has seen other clips of these speakers: the figures flatter."
            )
    if few := check_sizes(data):
        console.warn(f"few clips: {', '.join(few)}. The figures will tell little.")
    return data


def _warn_of_shared_speakers(fold: Fold) -> None:
    heard = {u.speaker for u in (*fold.train, *fold.validation)}
    if heard & {u.speaker for u in fold.test} - {UNKNOWN_SPEAKER}:
        console.warn(
            "the voices it is tested with are among those it learns from: the figures flatter. "
            "With three or more speakers, named and each with every label, they are kept apart."
        )


def _kept(start: EarlierRun, task: Task, cell: Cell, folder: Path) -> Kept:
    """The network that the model file is made of; print why."""
    name = f"{start.name} as it was"
    if unknown := [one for one in cell.classes if one not in start.run().classes]:
        lacking = ", ".join(unknown)
        console.say(
            f"Before: nothing to compare with; {start.name} has no {lacking}, so what it learnt is "
            "kept."
        )
        return choose(start, task, cell, folder)
    with console.Progress() as progress:
        progress.start(name, len(task.fold.train) + len(task.fold.validation) + len(task.fold.test))
        kept = choose(start, task, cell, folder, partial(progress.step, name))
        progress.finish(name)
    if kept.verdict and kept.before:
        _tell_verdict(start, cell, folder, kept.verdict, kept.before)
    return kept


def _tell_verdict(
    start: EarlierRun, cell: Cell, folder: Path, verdict: Verdict, before: Answers
) -> None:
    """Print which network is kept, and on what grounds."""
    _compare(start, before, cell, verdict.better)
    counts = (
        f"of {verdict.clips} held-out clips it is right on {verdict.after}, {start.name} as it "
        f"was on {verdict.before}"
    )
    if verdict.better:
        console.say(f"What it learnt is kept: {counts}.")
        return
    console.warn(
        f"what it learnt is not kept: {counts}. The model file is {start.name} as it was; record "
        f"more and teach {start.name} again, or take what it learnt all the same: emelia export "
        f"{folder}"
    )


def _compare(start: EarlierRun, asked: Answers, cell: Cell, kept: bool) -> None:
    """Print the test figures before and after fine-tuning side by side.

    Where that is not kept, its figures are not those of the model file: title and note say so.
    """
    found = dict(zip(asked.ids, asked.logits.argmax(axis=1), strict=True))
    truth, after = cell.truth, cell.predicted
    before = np.array([found[str(p["id"])] for p in cell.predictions])
    rows = [
        ["before", *_figures(truth, before, cell.speakers)],
        ["after", *_figures(truth, after, cell.speakers)],
    ]
    note = (
        f"{'' if kept else 'The model file is the one before. After what it learnt: '}"
        f"{_gain(truth, before, after, cell.speakers)} Before: the model as it was, asked for "
        "these labels alone."
    )
    title = f"{start.name} before and after, on the same {len(truth)} test clips"
    title = title if kept else f"What it learnt, not kept: {title}"
    Table(title, ["", *metrics.titles(metrics.OVERALL)], rows, note).print()


def _gain(
    truth: metrics.Labels, before: metrics.Labels, after: metrics.Labels, speakers: tuple[str, ...]
) -> str:
    """What the UAR gained, and what that tells of other speakers."""
    gain = 100 * (metrics.uar(truth, after) - metrics.uar(truth, before))
    ends = metrics.difference_interval(truth, before, after, speakers)
    if ends.clustered:
        return (
            f"UAR {gain:+.1f} points, {100 * ends.low:+.1f} to {100 * ends.high:+.1f} for other "
            "speakers (95 % interval, speakers drawn first)."
        )
    known = len(set(speakers) - {UNKNOWN_SPEAKER})
    return (
        f"UAR {gain:+.1f} points on these clips. Too few speakers to tell what others gain: "
        f"{counted(known, 'known speaker')} here, {metrics.FEWEST_SPEAKERS} are needed."
    )


def _figures(
    truth: metrics.Labels, predicted: metrics.Labels, speakers: tuple[str, ...]
) -> list[str]:
    shown = []
    confusion = metrics.confusion_matrix(truth, predicted)
    for name, metric in metrics.OVERALL.items():
        ends = metrics.interval(truth, predicted, speakers, name)
        value = float(metric.of(confusion))
        shown.append(f"{percent(value)} ({between(ends.low, ends.high)})")
    return shown


def _export(folder: Path, kept: Kept) -> Path:
    """Make the model file in the run folder."""
    from emelia.learn.export.build import export_run

    name = folder.resolve().name
    file = folder / f"{name}.onnx"
    with console.Progress() as progress:
        made = export_run(kept.run, kept.answers, progress, name=name, title=kept.title)
    warn_of(made)
    write_model(file, made.file, made.card)
    return file
