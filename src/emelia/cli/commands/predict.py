"""`emelia predict`: the emotion of recordings."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from emelia import console
from emelia.audio.channels import EACH, Channel, named
from emelia.cli.answers import complete, writer
from emelia.cli.next_steps import Part, suggest
from emelia.cli.options import (
    MIX,
    AsItGoesOption,
    ChannelOption,
    HopOption,
    JobsOption,
    ModelOption,
    OnlyOption,
    SourceOption,
    StrictOption,
    ThresholdOption,
    TurnsOption,
    WindowOption,
    channel_word,
    cores,
    split_names,
    tell_source,
)
from emelia.errors import AudioError, ConfigError
from emelia.use.formats import FORMATS

if TYPE_CHECKING:
    from emelia.use.inputs import Recording
    from emelia.use.recognizer import Prediction, Recognizer

_STDIN = "-"
_MOST_BYTES = 200_000_000  # of standard input


# What --format may be; text is for people. mypy wants members of an enumeration spelt out.
Format = StrEnum("Format", ["text", *FORMATS])  # type: ignore[misc]
_TEXT = Format("text")


def predict(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH",
            help="Recordings, folders of them, quoted patterns such as 'calls/**/*.wav', lists "
            "(.txt, .csv), or - for standard input.",
            show_default=False,
        ),
    ],
    model: ModelOption = "default",
    emotions: OnlyOption = None,
    threshold: ThresholdOption = None,
    format_: Annotated[
        Format,
        typer.Option(
            "--format",
            help="json: one object a line; csv: one row a recording, or a segment with --timeline. "
            "The others are for timelines.",
        ),
    ] = _TEXT,
    explain: Annotated[
        Path | None,
        typer.Option(
            metavar="PICTURE",
            help="Draw one recording and the moments that counted: .png, .svg, .pdf.",
            show_default=False,
        ),
    ] = None,
    timeline: Annotated[
        bool,
        typer.Option(
            "--timeline", help="Recordings of any length: how much of the speech each answer takes."
        ),
    ] = False,
    segments: Annotated[
        bool,
        typer.Option("--segments", help="With --timeline: also each segment and its emotion."),
    ] = False,
    window: WindowOption = None,
    hop: HopOption = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Write timelines to this file, or one file each into this folder.",
            show_default=False,
        ),
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option(help="Draw a timeline as .png, .svg or .pdf.", show_default=False),
    ] = None,
    speakers: TurnsOption = None,
    channel: ChannelOption = MIX,
    strict: StrictOption = False,
    jobs: JobsOption = None,
    source: SourceOption = None,
    adapt: AsItGoesOption = False,
) -> None:  # fmt: skip
    """Tell the emotion of recordings.

    One answer a recording of up to five minutes: an emotion, `not sure` where its confidence
    is low, or `no speech`; with --timeline how much of the speech each answer takes, and with
    --adapt it gets used to each recording on the way. A recording that cannot be used is named
    and the rest go on; the exit code then is 1.

    Examples: emelia predict clip.wav · emelia predict calls/ --format csv > calls.csv ·
    emelia predict clip.wav --explain why.png · emelia predict talk.mp3 --timeline
    """
    from emelia.use.recognizer import load

    threads = jobs or cores()
    of_timelines = {"--window": window, "--hop": hop, "--out": out, "--picture": picture,
                    "--segments": segments or None}  # fmt: skip
    _check(timeline, format_, explain, of_timelines)
    if adapt and not timeline:
        raise ConfigError(
            "--adapt is for timelines. Add --timeline; for many recordings of one source take "
            "`emelia score --adapt`, or `emelia adapt` and --source."
        )
    word = channel_word(channel)
    if word == EACH and (explain or picture):
        raise ConfigError("a picture shows one channel; --channel each answers for several.")
    words = None if emotions is None else split_names(emotions)
    recognizer = load(model, emotions=words, threshold=threshold, threads=threads, source=source)
    tell_source(source, recognizer.adapted)
    names, failures = _recordings(paths)
    if speakers:
        if timeline:
            raise ConfigError("--speakers gives an answer for each turn. Leave out --timeline.")
        from emelia.use.timeline.turns import turns_of

        names = turns_of(names, speakers)
    if explain and len(names) + failures != 1:
        raise ConfigError(f"--explain draws one recording; {len(names) + failures} were given.")
    if timeline and names:
        failures += _follow(
            recognizer,
            names,
            window,
            hop,
            format_,
            out,
            picture,
            word,
            segments,
            adapt,
            strict,
        )
    elif names:
        failures += _answer(recognizer, names, format_, explain, threads, word, strict)
    if failures:
        raise typer.Exit(1)
    if format_ is _TEXT:
        _suggest(names, model, timeline=timeline or bool(speakers), explained=bool(explain))


def _check(
    timeline: bool, format_: Format, explain: Path | None, of_timelines: Mapping[str, Any]
) -> None:
    """Refuse options that do not go together."""
    given = [name for name, value in of_timelines.items() if value is not None]
    if given and not timeline:
        raise ConfigError(f"{given[0]} is for timelines. Add --timeline, or leave it out.")
    if not timeline and format_ is not _TEXT and FORMATS[format_].single is None:
        raise ConfigError(
            f"--format {format_} is for timelines. Add --timeline, or choose another."
        )
    if timeline and explain:
        raise ConfigError("--explain draws a single answer; a timeline is drawn by --picture.")


def _follow(
    recognizer: Recognizer, names: Sequence[Recording], window: float | None, hop: float | None,
    format_: Format, out: Path | None, picture: Path | None, channel: Channel, segments: bool,
    adapt: bool, strict: bool,
) -> int:  # fmt: skip
    """Follow recordings over time; return how many could not be used."""
    from emelia.cli.timeline import run_timeline
    from emelia.use.timeline.windows import HOP, WINDOW

    if _STDIN in names:
        raise ConfigError("--timeline follows files, not standard input. Save the sound first.")
    whole = [name for name in names if isinstance(name, str)]
    if len(whole) < len(names):
        raise ConfigError(
            "--timeline follows whole recordings, and a list names segments of them. Leave out its "
            "columns start and end, or --timeline."
        )
    return run_timeline(
        recognizer, whole, window=WINDOW if window is None else window,
        hop=HOP if hop is None else hop, format_=format_, out=out, picture=picture,
        channel=channel, segments=segments, adapt=adapt,
        strict=strict,
    )  # fmt: skip


def _answer(
    recognizer: Recognizer, names: Sequence[Recording], format_: Format, explain: Path | None,
    threads: int, channel: Channel, strict: bool,
) -> int:  # fmt: skip
    """Give each recording one answer; return how many could not be used."""
    if explain:
        from emelia.show.answer.explanation import check_picture

        check_picture(explain)
    write = writer(format_, names, recognizer.emotions)
    failures = 0
    for name, told in zip(names, _answers(recognizer, names, threads, channel), strict=True):
        if strict and not isinstance(told, AudioError):
            told = complete(str(name), told)
        if isinstance(told, AudioError):
            console.fail(_named(str(name), told))
            failures += 1
            continue
        for own, answer in told.items():
            write(named(name, own) if isinstance(name, str) else name, answer)
            if explain:
                _draw(explain, str(name), answer, recognizer)
                if format_ is _TEXT:
                    console.say(f"Picture: {explain}")
        _warn(str(name), told.values())
    return failures


def _suggest(names: Sequence[Recording], model: str, *, timeline: bool, explained: bool) -> None:
    """What one may ask next of the same recordings."""
    asked: list[Part] = ["--model", model] if model != "default" else []
    first = names[0]
    if len(names) > 1 or not isinstance(first, str):
        suggest(("emelia score RECORDINGS scores.csv", *asked))
    elif first != _STDIN and not timeline:
        why = () if explained else (("emelia predict", Path(first), *asked, "--explain why.png"),)
        suggest(*why, ("emelia predict", Path(first), *asked, "--timeline"))
    elif first != _STDIN:
        suggest(("emelia predict", Path(first), *asked, "--timeline --picture timeline.png"))


def _warn(name: str, answers: Iterable[Prediction]) -> None:
    """Print what was amiss with a recording, once for all its channels."""
    shown = "standard input" if name == _STDIN else name
    for text in dict.fromkeys(text for answer in answers for text in answer.warnings):
        console.warn(f"{shown}: {text}")


def _recordings(paths: Sequence[str]) -> tuple[list[Recording], int]:
    """The recordings that the arguments name, and how many arguments name none (warned of)."""
    from emelia.use.inputs import recordings

    found: list[Recording] = []
    failures = 0
    for path in paths:
        try:
            found += [path] if path == _STDIN else recordings(path, console.warn)
        except AudioError as error:
            console.fail(str(error))
            failures += 1
    return found, failures


def _answers(
    recognizer: Recognizer, names: Sequence[Recording], threads: int, channel: Channel
) -> Iterator[dict[str, Prediction] | AudioError]:
    sources = (_standard_input() if name == _STDIN else name for name in names)
    return recognizer.by_channel(sources, threads=threads, channel=channel)


def _standard_input() -> bytes:
    return sys.stdin.buffer.read(_MOST_BYTES)


def _named(name: str, error: AudioError) -> str:
    text = str(error)
    return text.replace("upload: ", "standard input: ", 1) if name == _STDIN else text


def _draw(path: Path, name: str, answer: Prediction, recognizer: Recognizer) -> None:
    from emelia.show.answer.explanation import explanation, picture
    from emelia.storage import write_atomically

    if not answer.probabilities:
        raise AudioError(f"{name}: no speech found, so there is nothing to draw.")
    figure = explanation(
        f"{Path(name).name}: {answer.in_words()}", answer.logmel, answer.saliency,
        answer.probabilities, recognizer.card.features, recognizer.thresholds,
    )  # fmt: skip
    write_atomically(path, picture(figure, path.suffix))
