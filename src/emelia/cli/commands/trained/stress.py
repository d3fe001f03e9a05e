"""`emelia stress`: what a model does with noise, rooms, telephones, codecs, pauses and length."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from emelia import console
from emelia.cli.common import open_corpus
from emelia.cli.evaluation_output import leave
from emelia.cli.options import JobsOption, SpeakersOption, WideOption, cores, split_names
from emelia.corpora import Corpus
from emelia.errors import ConfigError
from emelia.results.stress import StressResults
from emelia.show.page import file_name
from emelia.show.stress.page import write_page, write_tables
from emelia.show.stress.tables import sentences, terminal_tables, title
from emelia.text import about, counted

_TASK = "conditions"


def stress(
    model: Annotated[
        str,
        typer.Argument(
            help="A model that comes with emelia, a model file (.onnx), the folder of a run, or "
            "[bold]hf:FOLDER[/bold], an audio classifier of Hugging Face.",
            show_default=False,
        ),
    ],
    corpus: Annotated[
        str,
        typer.Argument(help="Clips to test it on, as for `emelia evaluate`.", show_default=False),
    ],
    clips: Annotated[
        int, typer.Option(min=1, help="How many are drawn, emotions and speakers alike.")
    ] = 250,
    conditions: Annotated[
        str,
        typer.Option(
            metavar="A,B,...",
            help="Only these: small, background, rooms, telephone, level, clipping, microphones, "
            "pauses, length, or names of single conditions. \\[default: all]",
            show_default=False,
        ),
    ] = "",
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Folder of page, tables and what is finished. "
            "\\[default: runs/MODEL-on-CORPUS-stress]",
            show_default=False,
        ),
    ] = None,
    labels: Annotated[
        str,
        typer.Option(
            metavar="LABEL=EMOTION,...",
            help="Of hf: what its labels stand for, where they are no usual words: "
            "hap=happiness,neu=neutral.",
            show_default=False,
        ),
    ] = "",
    seed: Annotated[int, typer.Option(min=0, help="Of the draw of clips and all noises.")] = 0,
    speakers_from: SpeakersOption = "",
    jobs: JobsOption = None,
    wide: WideOption = False,
) -> None:  # fmt: skip
    """Test what a model does when recordings are not as they were.

    Clips are changed in some eighty ways: codecs, noise, talk and music behind the voice, rooms,
    telephones, level, clipping, microphones, pauses and length. For each it tells how many answers
    stay as they were, what is lost, whether confidence falls with it, and whether that is as
    wanted; and how genders, speakers, languages and lengths fare. Clips that the model has seen
    are left out. What is finished is kept: the same command goes on from there.

    Examples: emelia stress default recordings/ · emelia stress best recordings/ --clips 100
    --conditions telephone,rooms · emelia stress runs/aesdd-emelia recordings/ · emelia stress
    hf:wav2vec2-emotion recordings/ --labels hap=happiness
    """
    from emelia.api.stress import stress as test

    named, where = _pairs(labels), Path(corpus).name or corpus
    folder = out or Path("runs") / file_name(f"{_name(model)}-on-{where}-stress")
    with console.Progress() as progress:
        found = test(
            model, corpus, clips=clips, conditions=split_names(conditions), labels=named,
            seed=seed, jobs=jobs or cores(), out=folder,
            on_estimate=partial(_tell_cost, progress), on_progress=partial(_tell, progress),
            read=partial(_read, speakers_from),
        )  # fmt: skip
        progress.finish(_TASK)
    _show(found, wide)
    write_tables(found, folder)
    leave(partial(write_page, found, folder))


def _tell_cost(progress: console.Progress, clips: int, conditions: int, seconds: float) -> None:
    console.say(
        f"{counted(clips, 'clip')} under {counted(conditions, 'condition')}: about "
        f"{about(seconds)}, as measured on a few clips. What is finished is kept if you stop."
    )
    progress.start(_TASK, conditions, expected=seconds)


def _tell(progress: console.Progress, done: int, total: int, name: str) -> None:
    progress.step(_TASK, done, name)


def _show(found: StressResults, wide: bool) -> None:
    for text in (*found.plain.left_out, *found.plain.warnings, *found.failed):
        console.warn(text)
    console.say(f"{title(found)}\n")
    for table in terminal_tables(found):
        table.print(wide)
    for line in sentences(found):
        console.say(line)


def _read(speakers_from: str, place: str | Path, apart: Sequence[str]) -> Corpus:
    return open_corpus(str(place), "", apart, speakers_from)


def _pairs(text: str) -> dict[str, str]:
    """Labels and what they stand for, as told by "hap=happiness,neu=neutral".

    Raises:
        ConfigError: a pair is none.
    """
    pairs = [word.partition("=") for word in split_names(text)]
    for label, equals, emotion in pairs:
        if not (label and equals and emotion):
            raise ConfigError(
                f"--labels {text}: expected pairs such as hap=happiness, joined by commas."
            )
    return {label.strip(): emotion.strip() for label, _, emotion in pairs}


def _name(model: str) -> str:
    path = Path(model.removeprefix("hf:"))
    return path.resolve().name if path.is_dir() else path.stem
