"""Options of the same meaning in several commands. Light: nothing else is loaded."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated, cast

import typer

from emelia import console
from emelia.audio.channels import CHANNELS, Channel

ModelOption = Annotated[
    str,
    typer.Option(
        metavar="NAME|FILE",
        help="A model that comes with emelia, see `emelia models`, or a file.",
    ),
]
OnlyOption = Annotated[
    str | None,
    typer.Option(
        metavar="A,B,...",
        help="Only these emotions. \\[default: all]",
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

StrictOption = Annotated[
    bool,
    typer.Option("--strict", help="A recording that breaks off is an error, and gets no answer."),
]

Channels = StrEnum("Channels", list(CHANNELS))  # type: ignore[misc]
MIX = Channels("mix")
ChannelOption = Annotated[
    Channels,
    typer.Option(
        "--channel",
        help="Of a recording with several: their mean, one of them, or an answer for each.",
    ),
]
TurnsOption = Annotated[
    Path | None,
    typer.Option(
        "--speakers",
        metavar="FILE.rttm",
        help="Who speaks when, as RTTM: an answer for each turn instead of each recording.",
        show_default=False,
    ),
]

WindowOption = Annotated[
    float | None,
    typer.Option(metavar="SECONDS", help="Length of a window. \\[default: 3]", show_default=False),
]
HopOption = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS", help="From one window to the next. \\[default: 1]", show_default=False
    ),
]
JobsOption = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Work on so many at the same time, a core each. \\[default: all cores]",
        show_default=False,
    ),
]
OnOption = Annotated[
    str,
    typer.Option(
        "--on",
        metavar="ray|ray:HOST:PORT",
        help="Work on a Ray cluster: that of a head, or one of this machine. \\[default: "
        "processes of this machine]",
        show_default=False,
    ),
]
WideOption = Annotated[bool, typer.Option("--wide", help="Tables with all columns, however wide.")]

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
        metavar="CORPUS",
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
        help="Only these emotions. \\[default: all]",
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
FoldOption = Annotated[
    str,
    typer.Option(
        metavar="NAME", help="Which fold of the split. \\[default: the first]", show_default=False
    ),
]
RecipeOption = Annotated[
    str,
    typer.Option(
        metavar="NAME|FILE", help="A recipe's name, or a TOML file; see `emelia recipes`."
    ),
]
# `emelia train RECIPE CORPUS` was the order of old.
FormerOrder = Annotated[str, typer.Argument(metavar="", hidden=True)]
SplitOption = Annotated[
    str,
    typer.Option(
        metavar="SPLIT",
        help="How to divide the corpus; `emelia study --help` names the ways. "
        "\\[default: speakers apart, five folds]",
        show_default=False,
    ),
]
SeedOption = Annotated[int, typer.Option(min=0, help="Seed of all random draws.")]
ResumeOption = Annotated[
    bool,
    typer.Option(
        "--resume",
        help="Go on with an interrupted training; of a finished one write what is missing.",
    ),
]
PrecisionOption = Annotated[
    str,
    typer.Option(
        metavar="32-true|bf16-mixed|auto",
        help="Floating-point precision of training. bf16-mixed takes half the time or less where "
        "the processor multiplies bfloat16, which auto finds out; figures then differ as between "
        "two seeds.",
    ),
]
ThreadsOption = Annotated[
    int, typer.Option(min=1, help="Cores for one training; figures may differ in the last digits.")
]
DeviceOption = Annotated[str, typer.Option(metavar="cpu|cuda|mps|auto", help="Device to train on.")]


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


def cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
