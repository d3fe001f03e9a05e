"""The command line: every user's mistake is one line and an exit code, never a traceback.

Exit codes: 0 all went well, 1 something could not be done, 2 the command itself is
wrong, 130 interrupted by Ctrl-C.
"""

from __future__ import annotations

import sys
from typing import Any

import typer
from typer.core import TyperGroup

from emelia import __version__, console
from emelia.cli.corpora import corpora
from emelia.cli.study import recipes, report, study
from emelia.cli.training import evaluate, train
from emelia.errors import EmeliaError

INTERRUPTED = 130  # 128 + SIGINT, as shells have it


class _Interrupted(EmeliaError):
    exit_code = INTERRUPTED


class _Commands(TyperGroup):
    """All commands. Typer itself would leave without a word at Ctrl-C."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise _Interrupted(
                "interrupted. What is finished is kept: the same command goes on from there."
            ) from None


app = typer.Typer(
    name="emelia",
    cls=_Commands,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Start here: [bold]emelia study --quick[/bold] trains on an embedded corpus "
    "and writes a report.",
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
        callback=_show_version,
        is_eager=True,
        help="Show the version and leave.",
    ),
) -> None:
    """Recognise emotion in recorded speech with mel spectrograms and CNNs."""


for command in (study, train, evaluate, corpora, recipes, report):
    app.command()(command)


def main() -> int:
    """Run the command line and return its exit code."""
    try:
        app()
    except EmeliaError as error:
        console.fail(str(error))
        return error.exit_code
    except BrokenPipeError:  # the reader of a pipe, `head` for one, has had enough
        sys.stderr.close()
        return 0
    return 0
