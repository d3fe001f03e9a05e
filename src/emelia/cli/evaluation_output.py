"""An evaluation in the terminal and as a page."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from emelia import console
from emelia.errors import MissingExtraError
from emelia.results.evaluation import Evaluation
from emelia.show.evaluation.figures import sentences, terminal_tables
from emelia.show.evaluation.page import write_page


def show(found: Evaluation) -> None:
    """Print what was left out, the figures, and what confidences are worth."""
    for text in (*found.left_out, *found.warnings):
        console.warn(text)
    for table in terminal_tables(found):
        table.print()
    for line in sentences(found):
        console.say(line)


def leave_page(found: Evaluation, folder: Path) -> None:
    """Write the page of an evaluation; see `leave`."""
    leave(partial(write_page, found, folder))


def leave(write: Callable[[str], Path]) -> None:
    """Write a page, or say in one line what it needs: the figures have been told already.

    Args:
        write: writes it, given the command that makes it again.
    """
    try:
        page = write(shlex.join(["emelia", *sys.argv[1:]]))
    except MissingExtraError as error:
        console.warn(f"no page: {error}")
    else:
        console.say(f"Page: {page}")
