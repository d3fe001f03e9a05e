"""What to type next, as the last lines of a command."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from emelia import console

if TYPE_CHECKING:
    from emelia.corpora import Corpus

Part = str | Path


def quick_study(corpus: Corpus, place: Path, *words: str) -> list[tuple[Part, ...]]:
    """A quick study of a corpus as it was named, by a split that it allows; none where none is."""
    from emelia.corpora.splits.scheme import possible_splits

    for split in possible_splits(corpus)[:1]:
        chosen = [] if split == "loso" else ["--split", split]
        return [("emelia study --quick", *words, *chosen, place)]
    return []


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
