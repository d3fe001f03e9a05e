"""`emelia finetune`: a trained model learns one's own recordings and labels."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from emelia import console, metrics
from emelia.cli.common import (
    CorpusArgument,
    DeviceOption,
    EmotionsOption,
    EpochsOption,
    FoldOption,
    PrecisionOption,
    ResumeOption,
    SeedOption,
    SetOption,
    ThreadsOption,
    divide,
    open_corpus,
    settings,
)
from emelia.cli.export import warn_of, write_model
from emelia.cli.training import fold_of, make_cell, show_cell
from emelia.corpora import Corpus
from emelia.corpora.splits import Fold
from emelia.corpora.utterance import UNKNOWN_SPEAKER
from emelia.results import Cell
from emelia.storage import expanded

if TYPE_CHECKING:
    from emelia.learn.origins import Origin
    from emelia.learn.tasks import Task


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
            help="How to divide the corpus. \\[default: speakers apart, or at random where fewer "
            "than three are known]"
        ),
    ] = "",
    fold: FoldOption = "",
    seed: SeedOption = 0,
    emotions: EmotionsOption = "",
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
    """Teach a trained model your own recordings and labels, and get a model file.

    Some 20 clips of each label are enough to begin with; labels may be any words. Part of the
    clips is kept to test what it has learnt. Ctrl-C keeps the best epoch so far; --resume goes on.

    Examples: emelia finetune default recordings/ ·
    emelia finetune runs/aesdd-emelia calls.csv --emotions calm,stressed
    """
    from emelia.learn.finetuning import gentler, usual_split
    from emelia.learn.hardware import Hardware
    from emelia.learn.origins import read
    from emelia.learn.tasks import tasks

    start = read(_place(model))
    data = _usable(open_corpus(corpus, emotions), start)
    parts = divide(data, split or usual_split(data))
    chosen = fold_of(parts, fold)
    _warn_of_shared_speakers(chosen)
    changes = settings(set_, epochs)
    recipe = gentler(start.run().recipe, start.name, chosen.train, changes)
    (task,) = tasks(data, parts, [recipe], [seed], start.place, only=chosen.name)
    folder = out or Path("runs") / f"{data.name}-{start.name}"
    cell = _finished(task, folder) if resume else None
    if cell is None:
        cell = make_cell(task, folder, resume, Hardware(device, precision, threads))
    show_cell(cell, folder)
    _compare(start, task, cell)
    file = _export(folder)
    console.say(f"Run folder: {folder}. Try it: emelia predict --model {file} CLIP")


def _place(model: str) -> Path:
    """A folder, a file, or the file of a shipped name."""
    from emelia.use.shipped import find_model

    folder = expanded(model)
    return folder if os.path.isdir(folder) else expanded(find_model(model))


def _usable(corpus: Corpus, start: Origin) -> Corpus:
    """What is new to the model, with a word on what is not and on what is scarce."""
    from emelia.learn.finetuning import check_sizes, unheard

    data = unheard(corpus, start.heard)
    if known := len(corpus.utterances) - len(data.utterances):
        console.warn(f"{known} clips left out: {start.name} has heard them before.")
        trained = {u.speaker for u in corpus.utterances if u.digest in start.heard}
        if trained & set(data.speakers) - {UNKNOWN_SPEAKER}:
            console.warn(
                f"{start.name} has heard other clips of these speakers: the figures flatter."
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


def _finished(task: Task, folder: Path) -> Cell | None:
    """The result of this very training, where it is done and no more than the file is wanting."""
    file = folder / "result.json"
    cell = Cell.from_json(file.read_text(encoding="utf-8")) if file.is_file() else None
    return cell if cell and cell.key == task.key else None


def _compare(start: Origin, task: Task, cell: Cell) -> None:
    """Print the figures of the model as it was beside those of what it has become."""
    from emelia.learn.finetuning import answers_of

    run = start.run()
    if unknown := [name for name in cell.classes if name not in run.classes]:
        console.say(f"Before: nothing to compare with; {start.name} has no {', '.join(unknown)}.")
        return
    names = sorted({*run.classes, *cell.classes})
    number = {name: i for i, name in enumerate(names)}
    asked = answers_of(run, task.fold.test)
    before = np.array([number[asked[str(p["id"])]] for p in cell.predictions])
    place = np.array([number[name] for name in cell.classes])
    truth, after = place[cell.truth], place[cell.predicted]
    rows = [
        ["before", *_figures(truth, before, cell.speakers)],
        ["after", *_figures(truth, after, cell.speakers)],
    ]
    gain = metrics.uar(truth, after) - metrics.uar(truth, before)
    ends = metrics.difference_interval(truth, before, after, cell.speakers)
    note = (
        f"UAR {100 * gain:+.1f} points ({100 * ends.low:+.1f} to {100 * ends.high:+.1f}); "
        f"95 % intervals, {ends.note or 'speakers drawn first'}. Before: the model as it was, with "
        f"its {len(run.classes)} classes."
    )
    title = f"{start.name} before and after, on the same {len(truth)} test clips"
    console.table(title, ["", "accuracy %", "UAR %"], rows, note)
    if gain <= 0:
        console.warn(
            f"it answers these clips no better than before. Keep {start.name}, or record more."
        )


def _figures(
    truth: metrics.Labels, predicted: metrics.Labels, speakers: tuple[str, ...]
) -> list[str]:
    shown = []
    for name, value in (
        ("accuracy", metrics.accuracy(truth, predicted)),
        ("uar", metrics.uar(truth, predicted)),
    ):
        ends = metrics.interval(truth, predicted, speakers, name)  # type: ignore[arg-type]
        shown.append(f"{100 * value:.1f} ({100 * ends.low:.1f} to {100 * ends.high:.1f})")
    return shown


def _export(folder: Path) -> Path:
    """Make the model file in the run folder."""
    from emelia.learn.export import export

    name = folder.resolve().name
    file = folder / f"{name}.onnx"
    try:
        with console.Progress() as progress:
            made = export(folder, progress, name=name)
    except KeyboardInterrupt:
        console.warn("stopped before the model file was made. Add --resume to make it.")
        raise typer.Exit(130) from None
    warn_of(made)
    write_model(file, made.file, made.card)
    return file
