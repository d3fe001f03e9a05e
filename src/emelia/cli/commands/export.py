"""`emelia export`: make a model file (ONNX) of a trained network."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emelia import console
from emelia.api.export import ONLY_THE_CARD, Moved, final_run, is_model_file
from emelia.cli.common import open_corpus
from emelia.cli.model_output import warn_of, write_model
from emelia.cli.next_steps import suggest
from emelia.cli.options import SpeakersOption
from emelia.corpora import Corpus
from emelia.errors import ConfigError, StorageError
from emelia.metrics import OVERALL, titles
from emelia.results.finding_cells import is_study
from emelia.show.stress.tables import read_for_card
from emelia.storage import ensure_writable
from emelia.table import Table
from emelia.text import amount, between, percent

if TYPE_CHECKING:
    from emelia.config import Card


def export(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="RUN",
            help="A run folder that `emelia train` made; the folder of a study: its best recipe is "
            "trained once more on all speakers; or a model file, which gets another card or, with "
            "--int8, products in 8 bits.",
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="The model file. \\[default: NAME.onnx]", show_default=False)
    ] = None,
    name: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="What the model is called. \\[default: that of the file or the run]",
        ),
    ] = "",
    title: Annotated[
        str, typer.Option(help="One line for people. \\[default: emotions and languages]")
    ] = "",
    licence: Annotated[
        str, typer.Option(help="Of the weights. \\[default: what those of the data allow]")
    ] = "",
    accuracy: Annotated[
        float | None,
        typer.Option(
            help="Wanted accuracy, such as 0.8: answers of a confidence too low for it become "
            "`unsure`. \\[default: 0.75]",
            show_default=False,
        ),
    ] = None,
    recipe: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Of a study: this recipe. \\[default: its best]",
            show_default=False,
        ),
    ] = "",
    corpus: Annotated[
        str,
        typer.Option(
            metavar="CORPUS",
            help="Of a study: where its recordings lie, if they moved. With --int8: a corpus to "
            "round and compare by.",
            show_default=False,
        ),
    ] = "",
    speakers_from: SpeakersOption = "",
    with_: Annotated[
        str,
        typer.Option(
            "--with",
            metavar="CORPORA",
            help="Of a study: where the corpora added to training lie, if they moved.",
            show_default=False,
        ),
    ] = "",
    init_from: Annotated[
        Path | None,
        typer.Option(
            help="Of a study: the run or study that it begins with, if it moved.",
            show_default=False,
        ),
    ] = None,
    teacher: Annotated[
        Path | None,
        typer.Option(
            help="Of a study: the run or study that teaches it, if it moved.", show_default=False
        ),
    ] = None,
    half: Annotated[
        bool,
        typer.Option(
            "--half", help="Store weights in 16 bits: half the size, answers within 0.005."
        ),
    ] = False,
    int8: Annotated[
        bool,
        typer.Option(
            "--int8",
            help="Of a model file that exists: compute its large matrix products in 8 bits, at "
            "half the time. Refused where fewer than 98 % of answers stay the same.",
        ),
    ] = False,
    calibrate: Annotated[
        Path | None,
        typer.Option(
            help="Answers to corpora that trainings left out, which calibrate the confidence "
            "instead of validation clips; benchmarks/unseen_corpora.py writes them.",
            show_default=False,
        ),
    ] = None,
    stress: Annotated[
        Path | None,
        typer.Option(
            help="Put the figures of a stress test on the card: stress.json in the folder that "
            "`emelia stress` leaves.",
            show_default=False,
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a model file that is already there.")
    ] = False,
) -> None:
    """Make one ONNX file of a trained network: a waveform in, an emotion out.

    The file is checked against the network on recordings of its corpus, and its
    confidence calibrated on validation clips. A page with all figures is written beside it.

    Of a study the recipe with the highest UAR is trained once more on all speakers, for as many
    epochs as its folds took; the card has the study's figures. Of a model file only the card
    changes: by --name, --title, --licence and --stress.

    Examples: emelia export runs/aesdd-emelia --out greek.onnx --title "Greek actors" ·
    emelia export runs/aesdd-loso --recipe emelia ·
    emelia export greek.onnx --stress runs/stress/stress.json --force
    """
    of_file = is_model_file(run)
    name = name or (out.stem if out else run.stem if of_file else run.resolve().name)
    if not name or Path(name).name != name:
        raise ConfigError(f"--name {name!r}: expected a plain word; --out takes a path.")
    out = out or Path(f"{name}.onnx")
    _check(out, force)
    if accuracy is not None and not 0 < accuracy <= 1:  # nor is NaN
        raise ConfigError(f"--accuracy {accuracy:g}: expected a share above 0 and up to 1.")
    ensure_writable(out.parent)
    of_study = recipe or with_ or init_from or teacher
    known = read_for_card(stress) if stress else None
    if int8:
        _in_int8(run, out, corpus)
        return
    if of_file:
        if of_study or corpus or accuracy is not None or half or calibrate:
            raise ConfigError(ONLY_THE_CARD.format(run))
        from emelia.learn.export.recard import recarded

        write_model(out, *recarded(run, name=name, title=title, licence=licence, stress=known))
        console.say(f"{out}: has another card. About it: {out.with_suffix('.md')}")
        return

    from emelia.learn.export.build import export as make
    from emelia.learn.export.calibrate import TARGET_ACCURACY

    if is_study(run):
        moved = Moved(corpus or None, with_ or None, init_from, teacher)
        run = _final(run, recipe, moved, speakers_from)
    elif of_study or corpus:
        raise ConfigError(
            f"{run}: no study; --recipe, --corpus, --with, --init-from and --teacher are for "
            "studies."
        )
    with console.Progress() as progress:
        wanted = TARGET_ACCURACY if accuracy is None else accuracy
        made = make(
            run, progress, name=name, title=title, licence=licence, accuracy=wanted, half=half,
            calibrate=calibrate, stress=known,
        )  # fmt: skip
    warn_of(made)
    write_model(out, made.file, made.card)
    _show(out, made.card, len(made.file))
    suggest(
        ("emelia predict", "--model", out, "CLIP"), ("emelia evaluate", out, "OTHER-RECORDINGS")
    )


def _in_int8(path: Path, out: Path, corpus: str) -> None:
    """Make a model file of 8 bits from another one, with a bar."""
    if not is_model_file(path):
        raise ConfigError(f"{path}: --int8 is for model files (.onnx). Export the run first.")
    if not corpus:
        raise ConfigError("--int8: give recordings to round and compare by: --corpus PLACE.")

    from emelia.config.card import INT8
    from emelia.learn.export.smaller import CHECKED, LISTENED, smaller

    recordings = open_corpus(corpus).utterances
    with console.Progress() as progress:
        progress.start("compare", min(CHECKED, len(recordings) - LISTENED))
        made = smaller(path, recordings, lambda done: progress.step("compare", done))
        compared = made.card.parity[INT8]
        progress.finish("compare", f"{percent(compared['same'])} % the same answer")
    write_model(out, made.file, made.card)
    console.say(
        f"{out}: {amount(len(made.file) / 1e6)} MB. Of {compared['clips']} recordings "
        f"{percent(compared['same'])} % have the same answer, probabilities differ by "
        f"{compared['mean']:.2g} in the mean and {compared['largest']:.2g} at most."
    )


def _final(study: Path, recipe: str, moved: Moved, speakers_from: str) -> Path:
    """Train a study's recipe on all speakers, with a bar; return the run folder."""

    def read(place: str | Path, names: Sequence[str]) -> Corpus:
        return open_corpus(str(place), ",".join(names), speakers_from=speakers_from)

    name = "all speakers"
    with console.Progress() as progress:
        started: list[int] = []

        def tell(done: int, total: int, facts: str) -> None:
            if not started:
                progress.start(name, total)
                started.append(total)
            progress.step(name, done, facts)

        folder = final_run(study, recipe, moved, tell, read)
        if started:
            progress.finish(name, folder.name)
    console.say(f"Run folder: {folder}")
    return folder


def _check(path: Path, force: bool) -> None:
    if path.suffix != ".onnx":
        raise ConfigError(f"--out {path}: expected a name that ends with .onnx.")
    if os.path.isdir(path):
        raise StorageError(f"{path}: a folder stands there. Choose another --out.")
    if os.path.exists(path) and not force:
        raise StorageError(
            f"{path}: is already there. Add --force to replace it, or choose another --out."
        )


def _show(path: Path, card: Card, size: int) -> None:
    test = card.metrics["test"]
    rows = [
        [part, str(found["clips"]), *(_percents(found[key]) for key in OVERALL),
         " -> ".join(percent(value) for value in found["ece"]),
         " -> ".join(f"{value:.3f}" for value in found["brier"]), percent(found["aurc"]),
         percent(found["accepted"], 0),
         "-" if found["accepted_accuracy"] is None else percent(found["accepted_accuracy"])]
        for part, found in card.metrics.items()
    ]  # fmt: skip
    columns = ["", "clips", *titles(OVERALL), "ECE %", "Brier", "AURC %", "accepted %",
               "right of these %"]  # fmt: skip
    rule = f"Temperature {card.temperature:g}; unsure below {card.limits()}."
    Table(card.title, columns, rows, f"{rule} {card.threshold_rule} {test['note']}").print()
    console.say(f"{path}: {amount(size / 1e6)} MB. About it: {path.with_suffix('.md')}")


def _percents(found: list[float]) -> str:
    value, low, high = found
    return f"{percent(value)} ({between(low, high)})"
