"""`emelia export`: make a model file (ONNX) of a trained network."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emelia import console
from emelia.cli.model_output import warn_of, write_model
from emelia.errors import ConfigError, StorageError
from emelia.metrics import OVERALL, titles
from emelia.storage import ensure_writable
from emelia.table import Table
from emelia.text import between, percent

if TYPE_CHECKING:
    from emelia.config import Card


def export(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="RUN", help="A run folder that `emelia train` or `emelia study` made."
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="The model file. \\[default: NAME.onnx]", show_default=False)
    ] = None,
    name: Annotated[
        str, typer.Option(help="What the model is called. \\[default: that of the file or the run]")
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
    half: Annotated[
        bool,
        typer.Option(
            "--half", help="Store weights in 16 bits: half the size, answers within 0.005."
        ),
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a model file that is already there.")
    ] = False,
) -> None:
    """Make one ONNX file of a trained network: a waveform in, an emotion out.

    The file is checked against the network on recordings of its corpus, and its
    confidence calibrated on validation clips. A page with all figures is written beside it.

    Example: emelia export runs/aesdd-emelia --out greek.onnx --title "Greek actors"
    """
    name = name or (out.stem if out else run.resolve().name)
    if not name or Path(name).name != name:
        raise ConfigError(f"--name {name!r}: expected a plain word; --out takes a path.")
    out = out or Path(f"{name}.onnx")
    _check(out, force)
    if accuracy is not None and not 0 < accuracy <= 1:  # nor is NaN
        raise ConfigError(f"--accuracy {accuracy:g}: expected a share above 0 and up to 1.")
    ensure_writable(out.parent)

    from emelia.learn.export.build import export as make
    from emelia.learn.export.temperature import TARGET_ACCURACY

    with console.Progress() as progress:
        wanted = TARGET_ACCURACY if accuracy is None else accuracy
        made = make(
            run, progress, name=name, title=title, licence=licence, accuracy=wanted, half=half
        )
    warn_of(made)
    write_model(out, made.file, made.card)
    _show(out, made.card, len(made.file))


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
    rule = f"Temperature {card.temperature:g}; unsure below {card.threshold:g}."
    Table(card.title, columns, rows, f"{rule} {card.threshold_rule} {test['note']}").print()
    console.say(f"{path}: {size / 1e6:.1f} MB. About it: {path.with_suffix('.md')}")


def _percents(found: list[float]) -> str:
    value, low, high = found
    return f"{percent(value)} ({between(low, high)})"
