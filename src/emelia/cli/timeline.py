"""`emelia predict --timeline`: timelines of recordings, printed or written to files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from emelia import console
from emelia.audio.channels import Channel
from emelia.audio.heard import incomplete
from emelia.errors import AudioError, ConfigError, MissingExtraError
from emelia.table import Table
from emelia.text import clock, counted, duration, percent
from emelia.use.formats import FORMATS
from emelia.use.timeline.passages import shares

if TYPE_CHECKING:
    from emelia.use.recognizer import Recognizer
    from emelia.use.timeline.timeline import Timeline

_BAR = 20  # characters of the whole speech
_LONG = 600.0  # s of a recording from where progress is shown


def run_timeline(
    recognizer: Recognizer,
    names: Sequence[str],
    *,
    window: float,
    hop: float,
    format_: str = "text",
    out: Path | None = None,
    picture: Path | None = None,
    channel: Channel = "mix",
    segments: bool = False,
    adapt: bool = False,
    strict: bool = False,
) -> int:
    """Follow recordings over time; print what is found, or write it.

    Args:
        recognizer: what is asked.
        names: paths of the recordings.
        window: seconds heard at once.
        hop: seconds from one window to the next.
        format_: one of `FORMATS`, or text for a table on the screen.
        out: a file, or a folder for a file a recording; printed where there is none.
        picture: a .png, .svg or .pdf of the one recording.
        channel, adapt: see `Recognizer.timeline`.
        segments: print every segment below the summary, too.
        strict: a recording that breaks off cannot be used.

    Returns:
        How many recordings could not be used; each has been told of.

    Raises:
        ConfigError: options that do not fit each other.
    """
    _check(names, format_, out, picture)
    output = _Output(format_, out, names, recognizer.emotions, segments)
    failures = 0
    try:
        for name in names:
            try:
                timelines = _timelines(recognizer, name, window, hop, channel, adapt)
                told = [text for found in timelines for text in found.warnings]
                if strict and (cut := incomplete(told)):
                    raise AudioError(f"{name}: {cut}")
            except (AudioError, MissingExtraError) as error:
                console.fail(str(error))
                failures += 1
                continue
            for found in timelines:
                output.add(found)
                if adapt and not found.adapted:
                    console.note(f"{found.path}: too little speech to get used to: plain answers.")
                if picture:
                    _draw(found, picture)
            for text in dict.fromkeys(told):
                console.warn(f"{name}: {text}")
    finally:  # what was found before an end that came early is kept
        output.finish()
    return failures


class _Output:
    """Where timelines go: to the screen, to a file each, or all to one file."""

    def __init__(
        self, name: str, out: Path | None, names: Sequence[str], emotions: Sequence[str],
        segments: bool,
    ) -> None:  # fmt: skip
        self._segments = segments
        self._kind = FORMATS.get(name)
        self._header = self._kind.header(emotions) if self._kind else ""
        self._out, self._folder = out, out is not None and _is_folder(out, names)
        self._parts: list[str] = []
        self._taken: set[str] = set()

    def add(self, timeline: Timeline) -> None:
        """Print or write a timeline, or keep it for `finish`."""
        if self._kind is None:
            _print_shares(timeline)
            if self._segments and timeline.segments:
                _print_segments(timeline)
            return
        text = self._kind.write(timeline)
        if self._out is not None and self._folder:
            name = _unique(PurePath(timeline.path).stem, self._taken)
            _write(self._out / f"{name}{self._kind.suffix}", self._header + text)
            return
        if self._out is None:
            text = text if self._parts else self._header + text
            console.write(text.removesuffix("\n"))
            text = ""
        self._parts.append(text)

    def finish(self) -> None:
        """Write what goes into one file, if there is any."""
        if self._out is not None and self._parts:
            _write(self._out, self._header + "".join(self._parts))


def _check(names: Sequence[str], format_: str, out: Path | None, picture: Path | None) -> None:
    """Check before hours of work that their results can be written."""
    if format_ not in ("text", *FORMATS):
        raise ConfigError(f"--format {format_}: unknown; expected text, {', '.join(FORMATS)}.")
    if format_ == "text" and out:
        raise ConfigError(
            f"--out {out}: a table is for the screen. Add --format, one of {', '.join(FORMATS)}."
        )
    if picture and len(names) != 1:
        raise ConfigError(f"--picture draws one recording; {len(names)} were given.")
    if picture:
        from emelia.show.answer.explanation import check_picture

        check_picture(picture)
    one = format_ != "text" and not FORMATS[format_].joins and len(names) > 1
    if one and (out is None or not _is_folder(out, names)):
        raise ConfigError(
            f"--format {format_} of {len(names)} recordings needs a folder to write a file each: "
            "--out FOLDER/."
        )
    if out:
        from emelia.storage import ensure_writable

        ensure_writable(out if _is_folder(out, names) else out.parent)


def _is_folder(out: Path, names: Sequence[str]) -> bool:
    """A folder is one that is there, or for several recordings a name without a suffix."""
    return out.is_dir() or (len(names) > 1 and not out.suffix)


def _timelines(
    recognizer: Recognizer, name: str, window: float, hop: float, channel: Channel, adapt: bool
) -> list[Timeline]:
    """Follow one recording, or each of its channels; a bar for a long one."""
    title, started = PurePath(name).name, False

    def tell(done: float, total: float) -> None:
        nonlocal started
        if not started and total >= _LONG:
            progress.start(title, 100)
            started = True
        if started:
            facts = f"{duration(done)} of about {duration(total)}"
            progress.step(title, int(100 * done / total), facts)

    with console.Progress() as progress:
        if channel == "each":
            found = recognizer.timeline(
                name, window=window, hop=hop, channel="each", on_progress=tell, adapt=adapt
            )
            timelines = list(found.values())
        else:
            timelines = [
                recognizer.timeline(
                    name, window=window, hop=hop, channel=channel, on_progress=tell, adapt=adapt
                )
            ]
        if started:
            progress.finish(title, _summary(timelines[0]))
    return timelines


def _summary(timeline: Timeline) -> str:
    lasts = duration(timeline.seconds)
    if not timeline.segments:
        return f"{lasts}, no speech"
    many = counted(len(timeline.segments), "segment")
    told = f"{lasts}, {duration(timeline.speech)} of speech in {many}"
    return f"{told}, adapted to {counted(timeline.adapted, 'clip')}" if timeline.adapted else told


def _print_shares(timeline: Timeline) -> None:
    """Print how much of the speech each answer takes, and where it lasts longest."""
    title = f"{timeline.path}: {_summary(timeline)}"
    if not timeline.segments:
        console.say(f"{title}.")
        return
    rows = [
        [one.answer, f"{percent(one.share, 0)} %", console.bar(one.share, _BAR),
         duration(one.seconds), f"{clock(one.longest.start)} to {clock(one.longest.end)}"]
        for one in shares(timeline.segments)
    ]  # fmt: skip
    note = "--segments shows each segment, --format writes them."
    Table(title, ["answer", "of speech", "", "in all", "longest"], rows, note).print()


def _print_segments(timeline: Timeline) -> None:
    rows = [
        [clock(s.start), clock(s.end), f"{s.end - s.start:.1f} s", s.in_words()]
        for s in timeline.segments
    ]
    Table("", ["from", "to", "lasts", "emotion"], rows).print()


def _write(path: Path, text: str) -> None:
    from emelia.storage import write_atomically

    write_atomically(path, text.encode("utf-8", "replace"))  # a file name may be no text at all
    console.say(f"Written: {path}")


def _unique(stem: str, taken: set[str]) -> str:
    """A name that no recording before had: `talk`, then `talk-2`."""
    number, name = 1, stem
    while name.casefold() in taken:
        number += 1
        name = f"{stem}-{number}"
    taken.add(name.casefold())
    return name


def _draw(timeline: Timeline, path: Path) -> None:
    from emelia.show.answer.explanation import picture
    from emelia.show.answer.timeline import timeline_figure
    from emelia.storage import write_atomically

    title = f"{PurePath(timeline.path).name}: {_summary(timeline)}"
    figure = timeline_figure(
        title, timeline.seconds, timeline.envelope, timeline.emotions, timeline.windows,
        timeline.segments,
    )  # fmt: skip
    write_atomically(path, picture(figure, path.suffix))
    console.say(f"Picture: {path}")
