"""`emelia repeat`: do a finished training again, and compare."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from emelia import console
from emelia.cli.common import open_corpus
from emelia.cli.options import (
    DeviceOption,
    ResumeOption,
    SpeakersOption,
    ThreadsOption,
)
from emelia.cli.training_run import make_cell
from emelia.corpora import Corpus
from emelia.results import Cell
from emelia.results.repeats import differences, other_versions


def repeat(
    run: Annotated[
        Path, typer.Argument(help="A run folder, or the folder of one cell of a study.")
    ],
    corpus: Annotated[
        str,
        typer.Argument(
            help="Where its corpora lie now, joined by +, those added to training last. "
            "\\[default: where they lay]",
            show_default=False,
        ),
    ] = "",
    out: Annotated[
        Path | None,
        typer.Option(help="Run folder of the repetition. \\[default: RUN-again]",
                     show_default=False),
    ] = None,
    resume: ResumeOption = False,
    device: DeviceOption = "cpu",
    threads: ThreadsOption = 1,
    speakers_from: SpeakersOption = "",
) -> None:  # fmt: skip
    """Do a finished training again, and compare every figure.

    The same recordings in the same parts, with the same settings and seed. Leaves with 0 where
    history and answers are equal to the last digit, and with 1 where they differ; then it tells
    what differs, and which packages are of other versions. Another device or number of threads
    than that of the training changes the last digits; its precision is taken over.

    Examples: emelia repeat runs/aesdd-emelia · emelia repeat runs/aesdd-emelia aesdd/
    """
    from emelia.api.repeating import cell_of_run, task_again
    from emelia.learn.training.hardware import Hardware

    before = cell_of_run(run)
    classes = ",".join(before.classes)

    def read(place: str) -> Corpus:
        return open_corpus(place, classes, (), speakers_from, complete=False)

    task = task_again(run, corpus, read)
    folder = out or run.with_name(f"{run.resolve().name}-again")
    after = make_cell(task, folder, resume, Hardware(device, before.precision, threads))
    if _tell(before, after):
        raise typer.Exit(1)


def _tell(before: Cell, after: Cell) -> bool:
    """Print what differs; whether anything does."""
    found = differences(before, after)
    if not found:
        clips = len(before.predictions)
        console.say(
            f"Equal to the last digit: {len(before.history)} epochs, and the probabilities of "
            f"{clips} test clips."
        )
        return False
    for text in found:
        console.say(f"Differs: {text}")
    versions = other_versions(before, after)
    console.say(f"Other versions: {'; '.join(versions) or 'none'}.")
    return True
