"""What to type next, as the last lines of a command."""

from __future__ import annotations

import shlex
from pathlib import Path

from emelia import console

Part = str | Path


def suggest(*commands: tuple[Part, ...]) -> None:
    """Print the commands one may want next, one a line, ready to be copied.

    Only for people: not into a pipe or file, nor with --quiet.

    Args:
        commands: each as its words; paths are quoted where a shell needs it.
    """
    if not console.for_people():
        return
    for number, words in enumerate(commands):
        told = " ".join(w if isinstance(w, str) else shlex.quote(str(w)) for w in words)
        console.say(f"{'Next:' if not number else '  or:'} {told}")
