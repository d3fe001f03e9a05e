"""`emelia adapt`: get used to a voice, room or telephone line without labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from emelia import console
from emelia.audio.channels import EACH, OneChannel
from emelia.cli.next_steps import suggest
from emelia.cli.options import MIX, ChannelOption, JobsOption, ModelOption, channel_word, cores
from emelia.errors import ConfigError, StorageError
from emelia.text import counted

if TYPE_CHECKING:
    from emelia.use.adaptation.adapting import Adaptation
    from emelia.use.inputs import Recording

_TASK = "hearing"
_SHOWN = 20  # recordings that were not used


def adapt(
    where: Annotated[
        list[str],
        typer.Argument(
            metavar="RECORDINGS...",
            help="Recordings of one source without labels: folders, quoted patterns, lists (.txt, "
            ".csv) or files. Three at least, ten or more are better.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(metavar="FILE", help="The file to write: office.json.", show_default=False),
    ],
    model: ModelOption = "default",
    known: Annotated[
        list[str] | None,
        typer.Option(
            metavar="EMOTION:PATH",
            help="Further recordings of the source whose emotion is known, as in "
            "neutral:first.wav; they count fully. May be given several times.",
            show_default=False,
        ),
    ] = None,
    add: Annotated[
        bool, typer.Option("--add", help="Go on from what FILE has learnt already.")
    ] = False,
    channel: ChannelOption = MIX,
    jobs: JobsOption = None,
) -> None:
    """Get used to a voice, room or telephone line, without labels.

    The file it writes holds small sums, none of the sound. Give it to predict, score, listen and
    serve with --source. It is for one source and for the model it was made with.

    Examples: emelia adapt office/ --out office.json ·
    emelia predict clip.wav --source office.json ·
    emelia adapt calls/ --out line.json --known neutral:greeting.wav
    """
    from emelia.use.adaptation.profile import write_profile
    from emelia.use.inputs import recordings
    from emelia.use.recognizer import load

    word = channel_word(channel)
    if word == EACH:
        raise ConfigError("--channel each: the channels of a call are several sources; choose one.")
    if out.exists() and not add:
        raise StorageError(f"{out}: is there already. Add --add to go on from it, or delete it.")
    threads = jobs or cores()
    recognizer = load(model, threads=threads, source=out if add and out.exists() else None)
    found = [one for place in where for one in recordings(place, console.warn)]
    labelled: dict[str, list[Recording]] = {}
    for pair in known or []:
        emotion, path = _emotion_and_path(pair)
        labelled.setdefault(emotion, []).extend(recordings(path, console.warn))
    with console.Progress() as progress:
        adapted = recognizer.adapt(
            _told(found, progress), known=labelled, threads=threads,
            channel=cast("OneChannel", word),
        )  # fmt: skip
        progress.finish(_TASK, counted(len(found), "recording"))
    assert adapted.source and adapted.adaptation
    write_profile(out, adapted.source)
    _tell(adapted.adaptation, out)
    asked = ["--model", model] if model != "default" else []
    suggest(("emelia predict RECORDING --source", out, *asked))


def _emotion_and_path(pair: str) -> tuple[str, str]:
    emotion, colon, path = pair.partition(":")
    if not (emotion and colon and path):
        raise ConfigError(f"--known {pair}: expected EMOTION:PATH, as in neutral:first.wav.")
    return emotion, path


def _told(found: Sequence[Recording], progress: console.Progress) -> Iterator[Recording]:
    """The recordings, with a bar that goes on as they are taken."""
    progress.start(_TASK, len(found))
    for number, one in enumerate(found, 1):
        yield one
        progress.step(_TASK, number)


def _tell(adaptation: Adaptation, out: Path) -> None:
    for text in adaptation.unused[:_SHOWN]:
        console.warn(f"not used: {text}")
    if (more := len(adaptation.unused) - _SHOWN) > 0:
        console.warn(f"not used: {more} more")
    console.say(f"{adaptation}")
    console.say(f"Written: {out}")
