"""The command line. A user's mistake is one line and an exit code, never a traceback.

Exit codes: 0 all went well, 1 something could not be done, 2 the command itself is
wrong, 130 interrupted by Ctrl-C.

A command's module is imported when the command is asked for, so that predicting does not
wait for what training needs.
"""

from __future__ import annotations

import errno
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import copy_context
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from emelia import __version__, console
from emelia.cli.command import Command, help_text, with_quiet, without_values
from emelia.cli.extras import Learning
from emelia.cli.reading_rules import with_reading_rules
from emelia.errors import EmeliaError
from emelia.packages import disable_telemetry

INTERRUPTED = 130  # 128 + SIGINT, as shells have it
_PATIENCE = 5.0  # seconds in which Ctrl-C, pressed again, does not break off what tidies up

# The commands as the help lists them, each with the module of `cli.commands` it is a function of.
_PANELS = {
    "Recognise": {
        "predict": "predict",
        "listen": "listen",
        "score": "score",
        "adapt": "sources.adapt",
        "serve": "serve",
        "models": "models",
        "check": "trained.check",
        "demo": "corpora",
    },
    "Learn": {
        "study": "study",
        "train": "training",
        "repeat": "trained.repeat",
        "finetune": "finetune",
        "tune": "tune",
        "evaluate": "trained.evaluate",
        "stress": "trained.stress",
        "export": "export",
        "corpora": "corpora",
        "explore": "explore",
        "process": "process",
        "recipes": "recipes",
        "weights": "trained.weights",
        "report": "report",
    },
}
_HOMES = {name: (home, panel) for panel, names in _PANELS.items() for name, home in names.items()}
_LEARNING = {"study", "train", "repeat", "finetune", "tune", "export", "weights"}  # need torch
# Names that options once had.
_FORMER = {
    "predict": {"--threads": "--jobs"},
    "adapt": {"--threads": "--jobs"},
    "listen": {"--device": "--microphone", "--list-devices": "--list-microphones"},
    "study": {"--recipe": "--recipes"},
    "train": {"--recipes": "--recipe"},
    "tune": {"--recipes": "--recipe", "--seeds": "--test-seeds"},
}
_RESUMABLE = {"study", "tune", "score", "stress", "corpora", "explore", "process"}


class _Interrupted(EmeliaError):
    exit_code = INTERRUPTED


class _Commands(TyperGroup):
    """All commands, each imported on first use; Typer itself would import them all."""

    def __init__(self, **attrs: Any) -> None:
        super().__init__(**attrs)
        self.commands: Any = dict.fromkeys(_HOMES)  # None until it is asked for

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name in _HOMES and self.commands[cmd_name] is None:
            self.commands[cmd_name] = _command(cmd_name)
        return self.commands.get(cmd_name)

    def get_params(self, ctx: Any) -> Any:
        return without_values(super().get_params(ctx))

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            kept = " What is finished is kept: the same command goes on from there."
            more = kept if ctx.invoked_subcommand in _RESUMABLE else ""
            raise _Interrupted(f"interrupted.{more}") from None


def _command(name: str) -> Any:
    """Import a command and let Typer read its options."""
    home, panel = _HOMES[name]
    single = typer.Typer(
        add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich"
    )
    function = getattr(import_module(f"emelia.cli.commands.{home}"), name)
    kind = Learning if name in _LEARNING else Command
    text = help_text(function.__doc__ or "")
    asked = with_quiet(with_reading_rules(function))
    single.command(name, cls=kind, help=text, rich_help_panel=panel)(asked)
    command: Any = typer.main.get_command(single)
    command.former = _FORMER.get(name, {})
    return command


app = typer.Typer(
    name="emelia",
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Start here:\n"
    "  [bold]emelia demo clip.wav[/bold]      writes a clip to try\n"
    "  [bold]emelia predict clip.wav[/bold]   tells the emotion of a recording\n"
    "  [bold]emelia study --quick[/bold]      trains on an embedded corpus, writes a report",
)


def _show_version(wanted: bool) -> None:
    if wanted:
        console.say(f"emelia {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: bool = typer.Option(
        False,
        "--version",
        "-V",
        callback=_show_version,
        is_eager=True,
        help="Show the version and leave.",
    ),
) -> None:
    """Recognise emotion in recorded speech from mel spectrograms.

    Its models are Whisper's first blocks with a linear layer; those you train may be CNNs.
    """


def main() -> int:
    """Run the command line and return its exit code."""
    disable_telemetry()
    _open_closed_streams()
    try:
        with _one_ctrl_c():
            copy_context().run(app)  # what one command sets, such as --quiet, ends with it
    except EmeliaError as error:
        console.fail(str(error))
        return error.exit_code
    except SystemExit as end:
        # The reader of a pipe, `head` for one, has had enough: Typer and rich would leave with 1.
        if isinstance(end.__context__, BrokenPipeError):
            return 0
        raise
    except BrokenPipeError:
        _drop_output()
        return 0
    except (MemoryError, OSError, RuntimeError) as error:
        if not (reason := _want(error)):
            raise
        _drop_output()
        with suppress(OSError):
            console.fail(reason)
        return 1
    return 0


def _open_closed_streams() -> None:
    """Let streams that the caller has closed read nothing and lose what is written."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115


def _want(error: Exception) -> str:
    """What this computer lacks, as a sentence; empty where the error is another one."""
    if isinstance(error, OSError):
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO)
        return f"cannot write ({error.strerror}). Free some space, or write elsewhere." * full
    if isinstance(error, MemoryError) or "can't allocate memory" in str(error):  # the latter torch
        return "not enough memory. Close other programs, or take fewer --jobs."
    return ""


def _drop_output() -> None:
    """Lose what still waits to be written, or Python fails once more at its end."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _CtrlC:
    """Signal handler that interrupts once, however often Ctrl-C is pressed during clean-up.

    It interrupts again after `_PATIENCE`, for the tidying up may hang, or the first may have
    been lost: what a callback from C raises is.
    """

    _last = -math.inf

    def __call__(self, *_: object) -> None:
        if time.monotonic() - self._last > _PATIENCE:
            self._last = time.monotonic()
            raise KeyboardInterrupt

    @property
    def pressed(self) -> bool:
        return self._last > -math.inf


@contextmanager
def _one_ctrl_c() -> Iterator[None]:
    """Obey the first Ctrl-C and ignore further ones until the process has ended."""
    here = threading.current_thread() is threading.main_thread()
    if not here or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield  # a job in the background ignores it, as its shell wishes
        return
    heard = _CtrlC()
    signal.signal(signal.SIGINT, heard)
    try:
        yield
    finally:
        # `serve` hears Ctrl-C by itself, and leaves another handler than it found.
        unheard = not heard.pressed and signal.getsignal(signal.SIGINT) is heard
        signal.signal(signal.SIGINT, signal.default_int_handler if unheard else signal.SIG_IGN)
