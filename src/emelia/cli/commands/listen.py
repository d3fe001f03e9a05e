"""`emelia listen`: recognise emotions from the microphone, live."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emelia import console
from emelia.cli.next_steps import suggest
from emelia.cli.options import (
    AsItGoesOption,
    HopOption,
    ModelOption,
    OnlyOption,
    SourceOption,
    ThresholdOption,
    WindowOption,
    split_names,
    tell_source,
)
from emelia.errors import ConfigError
from emelia.table import Table
from emelia.text import counted

if TYPE_CHECKING:
    from emelia.audio.limits import Wave
    from emelia.cli.listening import Listener
    from emelia.use.microphone import Microphone
    from emelia.use.timeline.live import Live


class Format(StrEnum):
    """How events are written."""

    text = "text"
    json = "json"


def listen(
    model: ModelOption = "default",
    emotions: OnlyOption = None,
    threshold: ThresholdOption = None,
    microphone: Annotated[
        str | None,
        typer.Option(
            metavar="N|NAME", help="Which microphone; a part of its name will do.",
            show_default=False,
        ),
    ] = None,
    list_microphones: Annotated[
        bool, typer.Option("--list-microphones", help="Show all microphones and leave.")
    ] = False,
    file: Annotated[
        Path | None,
        typer.Option(help="Listen to a recording instead, as it plays.", show_default=False),
    ] = None,
    fast: Annotated[
        bool, typer.Option("--fast", help="With --file: as fast as it goes.")
    ] = False,
    seconds: Annotated[
        float | None,
        typer.Option(
            min=0.1, metavar="SECONDS", help="Stop then. \\[default: at Ctrl-C]",
            show_default=False,
        ),
    ] = None,
    window: WindowOption = None,
    hop: HopOption = None,
    source: SourceOption = None,
    adapt: AsItGoesOption = False,
    format_: Annotated[
        Format, typer.Option("--format", help="json: one event a line, windows and segments.")
    ] = Format.text,
) -> None:  # fmt: skip
    """Recognise emotions from the microphone, live.

    Nothing is recorded or sent anywhere. Ctrl-C ends with a summary. On a terminal the picture
    moves; in a pipe there is a line for each segment of speech with one emotion. With --adapt
    it gets used to the voice and room as it goes, and forgets what is minutes ago.

    Examples: emelia listen · emelia listen --file clip.wav · emelia listen --format json | jq
    """
    if list_microphones:
        _show_devices()
        return
    if fast and not file:
        raise ConfigError("--fast: a microphone cannot be hurried. Add --file clip.wav.")
    from emelia.cli.listening import make_listener
    from emelia.config import SAMPLE_RATE
    from emelia.use.recognizer import load
    from emelia.use.timeline.live import Live
    from emelia.use.timeline.windows import HOP, WINDOW

    words = None if emotions is None else split_names(emotions)
    recognizer = load(model, emotions=words, threshold=threshold, source=source)
    tell_source(source, recognizer.adapted)
    with _sound(file, microphone, fast) as (blocks, heard):
        rate = heard.rate if heard else SAMPLE_RATE
        live = Live(recognizer, rate=rate, window=window or WINDOW, hop=hop or HOP, adapt=adapt)
        listener = make_listener(
            json=format_ is Format.json,
            emotions=recognizer.emotions,
            thresholds=recognizer.thresholds,
        )
        _hear(live, blocks, heard, seconds, listener, adapt)
    if format_ is Format.text:
        suggest(("emelia predict", file or "RECORDING", "--timeline"))


@contextmanager
def _sound(
    file: Path | None, device: str | None, fast: bool
) -> Iterator[tuple[Iterable[Wave], Microphone | None]]:
    """The blocks of sound, and the microphone if they come from one."""
    from emelia.use.microphone import Microphone, find_device, replay

    if file:
        yield replay(file, fast=fast), None
        return
    with Microphone(find_device(device)) as microphone:
        yield microphone.blocks(), microphone


def _hear(
    live: Live,
    blocks: Iterable[Wave],
    microphone: Microphone | None,
    seconds: float | None,
    listener: Listener,
    adapt: bool,
) -> None:
    """Listen until the sound ends or Ctrl-C; then print the last segment and a summary."""
    with listener:
        try:
            for block in blocks:
                events = live.feed(block)
                behind = live.lag + (microphone.waiting if microphone else 0.0)
                listener.tell(block, events, live.seconds, behind)
                if seconds and live.seconds >= seconds:
                    break
        except KeyboardInterrupt:
            pass
        listener.tell(None, live.flush(), live.seconds, 0.0)
    listener.sum_up(live.seconds)
    if adapt:
        few = "too little speech to get used to; answers are plain."
        console.note(
            f"adapted to {counted(live.adapted, 'clip')} on the way." if live.adapted else few
        )
    if microphone and microphone.lost:
        console.warn(
            f"sound was lost {microphone.lost} times: this computer is too slow or too busy."
        )


def _show_devices() -> None:
    from emelia.use.microphone import devices

    rows = [
        [f"{d.number}  {d.name}", str(d.channels), f"{d.rate} Hz", "yes" if d.usual else ""]
        for d in devices()
    ]
    note = "Choose one with --microphone N." if rows else "No microphone found."
    Table("Microphones", ["", "channels", "rate", "usual"], rows, note).print()
