"""Lines, tables and progress on the terminal; no other module writes to it.

Results go to standard output, so that they can be piped; warnings, failures and progress go to
standard error. On a terminal progress is shown as bars with the time left, anywhere else as a plain
line at most every tenth of a task. Rich is imported only by functions that draw, so that a command
that prints plain lines starts quickly.
"""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, TextIO

from emelia.text import duration

if TYPE_CHECKING:
    from rich import progress
    from rich.console import Console
    from rich.text import Text

_TENTHS = 10  # plain progress lines a task, at most
# File names may hold what would move the cursor or change the colours of a terminal.
_CONTROLS = dict.fromkeys([*range(9), *range(11, 32), *range(127, 160)], "?")


def say(text: str) -> None:
    """Print a line of result on standard output."""
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


def table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], note: str = ""
) -> None:
    """Print a table: first column left, the others right aligned, a note below."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    grid = Table(box=SIMPLE_HEAD)
    for number, column in enumerate(columns):
        justify = "right" if number else "left"
        grid.add_column(_cell(column), justify=justify, overflow="fold")  # type: ignore[arg-type]
    for row in rows:
        grid.add_row(*map(_cell, row))
    # In a pipe or a file there is no edge to wrap at.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 10_000)
    with console.capture() as printed:
        console.print(_cell(title), style="bold", soft_wrap=True)
        console.print(grid)
        if note:
            console.print(_cell(note), style="dim", soft_wrap=True)
    print(printed.get(), end="", flush=True)


@dataclass
class _Task:
    """One task of a progress display: how far it is and when it began."""

    name: str
    total: int
    first: int  # where an earlier start had got to
    done: int
    begun: float  # seconds on the monotonic clock
    bar: progress.TaskID | None = None
    told: int = 0  # tenths already told of

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self.begun

    @property
    def left(self) -> str:
        """The estimated time left, as text; empty before the first step and after the last."""
        here = self.done - self.first
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
        self._bars = _make_bars() if sys.stderr.isatty() and _stderr().is_interactive else None

    def __enter__(self) -> Self:
        if self._bars:
            self._bars.start()
        return self

    def __exit__(self, *failure: object) -> None:
        if self._bars:
            self._bars.stop()

    def start(self, name: str, total: int, done: int = 0) -> None:
        """Begin a task of `total` steps, of which an earlier run has done `done`."""
        task = self._tasks[name] = _Task(name, max(total, 1), done, done, time.monotonic())
        task.told = _TENTHS * done // task.total
        if self._bars:
            shown = _printable(name, sys.stderr)
            task.bar = self._bars.add_task(
                shown, total=task.total, completed=done, left="", facts=""
            )

    def step(self, name: str, done: int, facts: str = "") -> None:
        """Show that `done` steps of a task are done, with a few words about the last one."""
        task = self._tasks[name]
        task.done = done
        if self._bars and task.bar is not None:
            shown = _printable(facts, sys.stderr)
            self._bars.update(task.bar, completed=done, left=task.left, facts=shown)
        elif (tenths := _TENTHS * done // task.total) > task.told:
            task.told = tenths
            _line(name, f"{done}/{task.total}", task.left, facts)

    def finish(self, name: str, facts: str = "") -> None:
        """End a task: its bar is replaced by a line that stays."""
        task = self._tasks.pop(name)
        if self._bars and task.bar is not None:
            self._bars.remove_task(task.bar)
        _line(name, f"done in {duration(task.elapsed)}", facts)


def bar(share: float, width: int) -> str:
    """A bar of `width` characters of which a share from 0 to 1 is full; ASCII if it must be."""
    full = round(min(max(share, 0.0), 1.0) * width)
    try:
        "█░".encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return f"{'#' * full:<{width}}"
    return "█" * full + "░" * (width - full)


def _make_bars() -> progress.Progress:
    from rich import progress

    return progress.Progress(
        progress.SpinnerColumn(),
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(bar_width=24),
        progress.MofNCompleteColumn(),
        progress.TimeElapsedColumn(),
        progress.TextColumn("{task.fields[left]}", markup=False),
        progress.TextColumn("{task.fields[facts]}", markup=False, style="dim"),
        console=_stderr(),
        transient=True,
        # Results piped elsewhere must not be drawn among the bars.
        redirect_stdout=sys.stdout.isatty(),
    )


@functools.cache
def _stderr() -> Console:
    """The one console that draws on standard error, so that lines do not overwrite bars."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def _tell(prefix: str, style: str, text: str) -> None:
    from rich.text import Text

    line = Text.assemble((prefix, style), _printable(text, sys.stderr))
    _stderr().print(line, soft_wrap=True)


def _line(name: str, *facts: str) -> None:
    text = f"{name}: {', '.join(fact for fact in facts if fact)}"
    _stderr().print(_text(text, sys.stderr), soft_wrap=True)


def _cell(text: str) -> Text:
    return _text(text, sys.stdout)


def _text(text: str, stream: TextIO) -> Text:
    """A text for rich in which square brackets are printed, not read as mark-up."""
    from rich.text import Text

    return Text(_printable(text, stream))


def _printable(text: str, stream: TextIO) -> str:
    """Replace what the stream cannot carry: control characters, undecodable file names."""
    encoding = stream.encoding or "utf-8"
    return text.translate(_CONTROLS).encode(encoding, "replace").decode(encoding)
