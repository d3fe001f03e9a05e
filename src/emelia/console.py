"""Lines, tables and progress on the terminal; no other module writes to it.

Results go to standard output, so that they can be piped; warnings, failures and progress go to
standard error. On a terminal progress is shown as bars with the time left, anywhere else as a plain
line at most every tenth of a task. Rich is imported only by functions that draw, so that a command
that prints plain lines starts quickly.
"""

from __future__ import annotations

import functools
import os
import shutil
import sys
import textwrap
import time
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, TextIO

from emelia.text import TURNS, duration

if TYPE_CHECKING:
    from rich import progress
    from rich.console import Console
    from rich.text import Text

_BOLD, _FAINT = 1, 2  # codes of terminals
_NARROWEST = 20  # characters; a narrower terminal is not filled
_ROOMY = 100  # characters from where progress has room for a long bar and the time it took
_TENTHS = 10  # plain progress lines a task, at most
_quiet = ContextVar("quiet", default=False)
# File names and labels may hold what would move the cursor, change the colours of a terminal, or
# turn the direction of writing, so that a line reads otherwise than it is.
_CONTROLS = dict.fromkeys([*range(9), *range(11, 32), *range(127, 160), *TURNS], "?")


def be_quiet() -> None:
    """Show no progress from now on, in this context."""
    _quiet.set(True)


def for_people() -> bool:
    """Whether somebody reads standard output at a terminal, and wants more than results."""
    return not _quiet.get() and sys.stdout.isatty()


def say(text: str) -> None:
    """Print lines for people on standard output, wrapped at blanks where it is a terminal."""
    write(_filled(text, width()))


def write(text: str) -> None:
    """Print lines on standard output as they are: those of files, and what programs read."""
    # Not through rich: this is the stream it watches to keep lines clear of the bars.
    print(_printable(text, sys.stdout), flush=True)


def warn(text: str) -> None:
    """Print a warning on standard error; the work goes on."""
    _tell("warning: ", "bold yellow", text)


def note(text: str) -> None:
    """Print on standard error how a result was made, where that itself is for programs."""
    _tell("note: ", "bold cyan", text)


def fail(text: str) -> None:
    """Print on standard error, in one line, why the work stopped."""
    _tell("emelia: ", "bold red", text.replace("\n", " "))


def titled(title: str, lines: Sequence[str], notes: Sequence[str] = ()) -> None:
    """Print lines as they are below a title, with notes under them."""
    if title:
        _styled(title, _BOLD)
    write("\n".join([*lines, ""]))
    for note in notes:
        _styled(note, _FAINT)
    if notes:
        write("")


def width() -> int | None:
    """Characters of a line of the terminal; None where output goes to a pipe or a file."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def rule() -> str:
    """The character that lines are drawn of."""
    return "─" if _can_show("─") else "-"


def _can_show(text: str) -> bool:
    """Whether standard output has these signs."""
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


@dataclass
class _Task:
    """One task of a progress display: how far it is and when it began."""

    name: str
    total: int
    first: int  # where an earlier start had got to
    done: int
    begun: float  # seconds on the monotonic clock
    bar: progress.TaskID | None = None
    expected: float = 0.0  # seconds that it was thought to take; 0 where nobody knows
    told: int = 0  # tenths already told of

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self.begun

    @property
    def left(self) -> str:
        """The estimated time left, as text; empty before the first step and after the last."""
        here = self.done - self.first
        if not here and self.expected > self.elapsed:
            return f"{duration(self.expected - self.elapsed)} left"
        if not here or self.done >= self.total:
            return ""
        return f"{duration(self.elapsed / here * (self.total - self.done))} left"


class Progress:
    """Shows the progress of several tasks at once, each known by its name.

    with Progress() as progress:
        progress.start("epochs", 60)
        progress.step("epochs", 1, "loss 1.61")
        progress.finish("epochs", "best epoch 17")
    """

    def __init__(self) -> None:
        self._tasks: dict[str, _Task] = {}
        self._quiet = _quiet.get()
        draws = not self._quiet and sys.stderr.isatty() and _stderr().is_interactive
        self._bars = _make_bars() if draws else None

    def __enter__(self) -> Self:
        if self._bars:
            self._bars.start()
        return self

    def __exit__(self, *failure: object) -> None:
        if self._bars:
            self._bars.stop()

    def start(self, name: str, total: int, done: int = 0, expected: float = 0.0) -> None:
        """Begin a task of `total` steps, of which an earlier run has done `done`.

        Args:
            expected: seconds it is thought to take; told as the time left until a step is done.
        """
        task = self._tasks[name] = _Task(name, max(total, 1), done, done, time.monotonic())
        task.told, task.expected = _TENTHS * done // task.total, expected
        if self._bars:
            shown = _printable(shortened(name, max(12, _stderr().width - 54)), sys.stderr)
            task.bar = self._bars.add_task(
                shown, total=task.total, completed=done, left=task.left, facts=""
            )

    def step(self, name: str, done: int, facts: str = "") -> None:
        """Show that `done` steps of a task are done, with a few words about the last one."""
        task = self._tasks[name]
        task.done = done
        if self._bars and task.bar is not None:
            shown = _printable(facts, sys.stderr)
            self._bars.update(task.bar, completed=done, left=task.left, facts=shown)
        elif self._quiet:
            return
        elif (tenths := _TENTHS * done // task.total) > task.told:
            task.told = tenths
            _line(name, f"{done}/{task.total}", task.left, facts)

    def finish(self, name: str, facts: str = "") -> None:
        """End a task: its bar is replaced by a line that stays."""
        task = self._tasks.pop(name)
        if self._bars and task.bar is not None:
            self._bars.remove_task(task.bar)
        if not self._quiet:
            _line(name, f"done in {duration(task.elapsed)}", facts)


def bar(share: float, width: int) -> str:
    """A bar of `width` characters of which a share from 0 to 1 is full; ASCII if it must be."""
    full = round(min(max(share, 0.0), 1.0) * width)
    if not _can_show("█░"):
        return f"{'#' * full:<{width}}"
    return "█" * full + "░" * (width - full)


def _make_bars() -> progress.Progress:
    from rich import progress
    from rich.table import Column

    roomy = _stderr().width >= _ROOMY
    # What was last told has the rest of the line and goes first: bar, count and time left stay.
    rest = Column(ratio=1, no_wrap=True, overflow="ellipsis")
    return progress.Progress(
        progress.SpinnerColumn(),
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(bar_width=24 if roomy else 10),
        progress.MofNCompleteColumn(),
        *([progress.TimeElapsedColumn()] if roomy else []),
        progress.TextColumn("{task.fields[left]}", markup=False),
        progress.TextColumn("{task.fields[facts]}", markup=False, style="dim", table_column=rest),
        console=_stderr(),
        transient=True,
        expand=True,
        # Results piped elsewhere must not be drawn among the bars.
        redirect_stdout=sys.stdout.isatty(),
    )


def shortened(name: str, room: int) -> str:
    """A name of at most `room` characters; its middle goes, for both ends tell it apart."""
    if len(name) <= room:
        return name
    end = (room - 1) // 2
    return f"{name[: room - 1 - end]}…{name[len(name) - end :]}"


@functools.cache
def _stderr() -> Console:
    """The one console that draws on standard error, so that lines do not overwrite bars."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def _tell(prefix: str, style: str, text: str) -> None:
    from rich.text import Text

    shown = _filled(prefix + _printable(text, sys.stderr), _stderr_width())
    line = Text.assemble((shown[: len(prefix)], style), shown[len(prefix) :])
    _stderr().print(line, soft_wrap=True)


def _line(name: str, *facts: str) -> None:
    text = _filled(f"{name}: {', '.join(fact for fact in facts if fact)}", _stderr_width())
    _stderr().print(_text(text, sys.stderr), soft_wrap=True)


def _stderr_width() -> int | None:
    return _stderr().width if sys.stderr.isatty() else None


def _filled(text: str, room: int | None) -> str:
    """Each line of a text wrapped at blanks, further lines indented as the first and two more."""
    if room is None:
        return text
    told = []
    for line in text.split("\n"):
        indent = " " * (len(line) - len(line.lstrip()))
        indent += "  " if indent or line.startswith("- ") else ""
        # A path or an address stays whole, to be copied, even where it is longer than a line.
        more = textwrap.wrap(
            line, max(room, _NARROWEST), subsequent_indent=indent,
            break_long_words=False, break_on_hyphens=False, drop_whitespace=True,
        ) if len(line) > room else [line]  # fmt: skip
        told += more or [""]
    return "\n".join(told)


def _styled(text: str, code: int) -> None:
    """Print a text in bold or faint, where the terminal shows such and nobody asked for none."""
    shown = _printable(_filled(text, width()), sys.stdout)
    plain = "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb"
    print(shown if plain or not sys.stdout.isatty() else f"\x1b[{code}m{shown}\x1b[0m", flush=True)


def _text(text: str, stream: TextIO) -> Text:
    """A text for rich in which square brackets are printed, not read as mark-up."""
    from rich.text import Text

    return Text(_printable(text, stream))


def _printable(text: str, stream: TextIO) -> str:
    """Replace what the stream cannot carry: control characters, undecodable file names."""
    encoding = stream.encoding or "utf-8"
    return text.translate(_CONTROLS).encode(encoding, "replace").decode(encoding)
