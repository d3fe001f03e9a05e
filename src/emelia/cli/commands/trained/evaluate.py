"""`emelia evaluate`: test any model on clips whose emotion is known."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from emelia import console
from emelia.cli.common import open_corpus
from emelia.cli.evaluation_output import leave_page, show
from emelia.cli.next_steps import suggest
from emelia.cli.options import (
    EmotionsOption,
    JobsOption,
    SpeakersOption,
    ThresholdOption,
    cores,
    split_names,
)
from emelia.corpora import Corpus
from emelia.errors import ConfigError
from emelia.results.evaluation import Evaluation
from emelia.show.page import file_name
from emelia.storage import write_atomically
from emelia.text import counted, csv_text

_TASK = "asking"


def evaluate(
    model: Annotated[
        str,
        typer.Argument(
            help="A model that comes with emelia, a model file (.onnx), the folder of a run or a "
            "study, or a table of answers (.csv).",
            show_default=False,
        ),
    ],
    corpus: Annotated[
        str,
        typer.Argument(
            help="What to test it on: a corpus as for `emelia train`. A table of answers with a "
            "column [bold]truth[/bold] needs none.",
            show_default=False,
        ),
    ] = "",
    out: Annotated[
        Path | None,
        typer.Option(
            help="Write every answer to this .csv or .json file.", show_default=False
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the page. \\[default: runs/MODEL-on-CORPUS]", show_default=False
        ),
    ] = None,
    emotions: EmotionsOption = "",
    threshold: ThresholdOption = None,
    speakers_from: SpeakersOption = "",
    long: Annotated[
        bool,
        typer.Option(
            "--long/--no-long",
            help="Also ask a model file about recordings of 10, 30 and 60 s, made of clips of one "
            "speaker and emotion.",
        ),
    ] = True,
    jobs: JobsOption = None,
) -> None:  # fmt: skip
    """Test a model on recordings whose emotion is known.

    Tells accuracy, UAR, what is mistaken for what, how it is with each speaker, what confidences
    are worth, how many answers are `not sure` or `no speech`, and how long recordings are answered;
    a page has it all in pictures.
    Clips that the model has seen are left out, also where they lie under another name; so are
    emotions it does not know. Both are counted.

    Examples: emelia evaluate default recordings/ · emelia evaluate runs/aesdd-emelia recordings/ ·
    emelia evaluate scores.csv recordings/ · emelia evaluate answers.csv
    """
    from emelia.api.evaluation import evaluate as ask

    if out and out.suffix not in (".csv", ".json"):
        raise ConfigError(f"--out {out}: expected a name that ends with .csv or .json.")
    names = split_names(emotions)
    with console.Progress() as progress:
        started: list[int] = []

        def tell(done: int, total: int) -> None:
            if not started:
                progress.start(_TASK, total)
                started.append(total)
            progress.step(_TASK, done)

        found = ask(
            model,
            corpus or None,
            emotions=names,
            threshold=threshold,
            threads=jobs or cores(),
            long=long,
            on_progress=tell,
            read=partial(_read, names, speakers_from),
        )
        if started:
            progress.finish(_TASK, counted(len(found.answers), "clip"))
    show(found)
    if out:
        _write(out, found)
    leave_page(found, report or Path("runs") / file_name(f"{_name(model)}-on-{found.corpus}"))
    _suggest(model, corpus, found)


def _suggest(model: str, corpus: str, found: Evaluation) -> None:
    if model.lower().endswith((".csv", ".tsv")):
        return
    if Path(model).is_dir():
        suggest(("emelia export", Path(model)))
        return
    if found.of_one_class:
        return
    steps: list[tuple[str | Path, ...]] = [("emelia finetune", Path(model), Path(corpus))]
    if found.untested and len(found.classes) - len(found.untested) > 1:
        tested = ",".join(name for name in found.classes if name not in found.untested)
        asked = ("emelia evaluate", Path(model), Path(corpus), "--emotions", Path(tested))
        steps.insert(0, asked)
    suggest(*steps)


def _read(
    names: Sequence[str], speakers_from: str, place: str | Path, apart: Sequence[str]
) -> Corpus:
    return open_corpus(str(place), ",".join(names), apart, speakers_from)


def _name(model: str) -> str:
    path = Path(model)
    return path.resolve().name if path.is_dir() else path.stem


def _write(path: Path, found: Evaluation) -> None:
    """Write the answers: a row for each clip, or the classes and a record for each."""
    columns, rows = found.rows()
    if path.suffix == ".csv":
        write_atomically(path, csv_text([columns, *rows]).encode())
        return
    records = [
        {
            "id": one.id,
            "speaker": one.speaker,
            "gender": one.gender,
            "truth": one.truth,
            "probabilities": one.uncalibrated or one.probabilities,
            "answer": row[columns.index("answer")],
            "unsure": one.unsure,
        }
        for one, row in zip(found.answers, rows, strict=True)
    ]
    document = {"classes": found.classes, "answers": records}
    write_atomically(path, json.dumps(document, ensure_ascii=False, indent=1).encode())
