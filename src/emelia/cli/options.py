"""Options of the same meaning in several commands. Light: nothing else is loaded."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, cast

import typer

from emelia import console
from emelia.audio.channels import CHANNELS, Channel

ModelOption = Annotated[
    str, typer.Option(help="A model that comes with emelia, see `emelia models`, or a file.")
]
OnlyOption = Annotated[
    str | None,
    typer.Option(
        metavar="A,B,...",
        help="Only these emotions. \\[default: all of the model]",
        show_default=False,
    ),
]
ThresholdOption = Annotated[
    float | None,
    typer.Option(
        min=0, max=1, help="Confidence below which an answer is `not sure`. "
        "\\[default: the model's own]",
        show_default=False,
    ),
]  # fmt: skip

Channels = StrEnum("Channels", list(CHANNELS))  # type: ignore[misc]
MIX = Channels("mix")
ChannelOption = Annotated[
    Channels,
    typer.Option(
        "--channel",
        help="Of a recording with several: their mean, one of them, or an answer for each.",
    ),
]

SourceOption = Annotated[
    Path | None,
    typer.Option(
        "--source", metavar="FILE",
        help="Adapt answers to the voice or room of this file; `emelia adapt` makes it.",
        show_default=False,
    ),
]  # fmt: skip
AsItGoesOption = Annotated[
    bool,
    typer.Option("--adapt", help="Get used to the voice and room of each recording as it goes."),
]

# Of commands that learn

CorpusArgument = Annotated[
    str,
    typer.Argument(
        help="A folder, a CSV manifest, NAME:FOLDER to force a reader, or [bold]demo[/bold], "
        "the embedded corpus; several joined by [bold]+[/bold].",
        show_default=False,
    ),
]
EmotionsOption = Annotated[
    str,
    typer.Option(
        "--emotions",
        metavar="A,B,...",
        help="Only these classes. \\[default: all]",
        show_default=False,
    ),
]
SpeakersOption = Annotated[
    str,
    typer.Option(
        "--speakers-from",
        metavar="REGEX|folder|none",
        help="Who speaks, where neither a known corpus nor a table tells: the folder that is not "
        "the emotion's, nobody known, or what a regular expression (its first group) fits in the "
        "path. \\[default: found by names]",
        show_default=False,
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Change a setting of every recipe, e.g. train.lr=0.001.",
        show_default=False,
    ),
]  # fmt: skip
EpochsOption = Annotated[
    int | None,
    typer.Option(min=1, help="Most epochs, instead of the recipe's.", show_default=False),
]
WithOption = Annotated[
    str,
    typer.Option(
        "--with", metavar="CORPORA",
        help="Other corpora, joined by [bold]+[/bold], whose clips of the same classes are added "
        "to training, never to validation or test.",
        show_default=False,
    ),
]  # fmt: skip
ImbalanceOption = Annotated[
    float,
    typer.Option(
        "--imbalance", metavar="R",
        help="Leave out training clips until the rarest class is R times smaller than the "
        "largest, to compare remedies; test and validation stay whole.",
        show_default=False,
    ),
]  # fmt: skip
InitOption = Annotated[
    Path | None,
    typer.Option(
        "--init-from", metavar="FOLDER",
        help="Warm start: initial weights from an earlier run, a model file, or a study's run of "
        "the same fold.",
        show_default=False,
    ),
]  # fmt: skip
TeacherOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER",
        help="Run folder of the teacher for knowledge distillation, or a study's folder, of which "
        "the run of the same fold is taken; for recipes with train.distill_alpha or "
        "train.feature_distill.",
        show_default=False,
    ),
]
TrackOption = Annotated[
    str,
    typer.Option(
        metavar="mlflow|tensorboard",
        help="Also log to MLflow (MLFLOW_TRACKING_URI, or ./mlruns) or TensorBoard.",
        show_default=False,
    ),
]
FoldOption = Annotated[str, typer.Option(help="Which fold of the split. \\[default: its first]")]
SeedOption = Annotated[int, typer.Option(min=0, help="Seed of all random draws.")]
ResumeOption = Annotated[bool, typer.Option("--resume", help="Resume an interrupted training.")]
PrecisionOption = Annotated[
    str, typer.Option(help="Floating-point precision of training: 32-true or bf16-mixed.")
]
ThreadsOption = Annotated[
    int, typer.Option(min=1, help="Cores for one training; figures may differ in the last digits.")
]
DeviceOption = Annotated[str, typer.Option(help="Device to train on: cpu, cuda, mps or auto.")]


def channel_word(choice: Channels) -> Channel:
    """What --channel says, as recognizers take it."""
    return cast("Channel", choice.value)


def tell_source(source: Path | None, clips: int) -> None:
    """Say on standard error that answers are adapted, or why they are not; nothing without file."""
    if source:
        done = f"answers are adapted to its {clips} recordings" if clips else (
            "it has fewer than 3 recordings, so answers are plain"
        )  # fmt: skip
        console.note(f"{source}: {done}.")


def split_names(text: str) -> list[str]:
    """Names separated by commas."""
    return [name.strip() for name in text.split(",") if name.strip()]
