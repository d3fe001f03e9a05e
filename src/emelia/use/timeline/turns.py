"""Speaker turns that somebody has already, as RTTM: an excerpt of the recording for each.

RTTM is NIST's Rich Transcription Time Marked. Of its lines those count that begin with `SPEAKER`:
`SPEAKER talk 1 12.5 3.2 <NA> <NA> anna <NA> <NA>` says that anna speaks in talk from 12.5 s on for
3.2 s. The 1 is the channel. Where the turns of a recording name several, each is heard in its own;
where they name a single one it is not heeded, as programs write 1 for a recording that they mixed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from emelia.audio.excerpts import Span
from emelia.errors import AudioError
from emelia.listing.sheet import read_text
from emelia.text import listed
from emelia.use.inputs import Excerpt, Recording, path_of

_SHOWN = 3  # recordings named in a message
_FIELDS = 8  # up to the speaker; what follows is not needed


class Turn(NamedTuple):
    """Who speaks from where to where in a recording (s)."""

    recording: str
    span: Span
    speaker: str
    channel: str


def read_turns(path: Path) -> list[Turn]:
    """The turns of an RTTM file, in its order.

    Raises:
        AudioError: it cannot be read, a line is damaged, or it has no turns.
    """
    try:
        lines = read_text(path).splitlines()
    except OSError as error:
        raise AudioError(f"{path}: cannot be read ({error.strerror or error}).") from None
    except ValueError as error:
        raise AudioError(f"{path}: not an RTTM file ({error}).") from None
    rows = [(number, line.split()) for number, line in enumerate(lines, 1)]
    turns = [_turn(path, number, row) for number, row in rows if row and row[0] == "SPEAKER"]
    if not turns:
        raise AudioError(
            f"{path}: no turns; expected lines such as "
            "SPEAKER talk 1 12.5 3.2 <NA> <NA> anna <NA> <NA>."
        )
    return turns


def _turn(path: Path, number: int, row: Sequence[str]) -> Turn:
    try:
        start, length = float(row[3]), float(row[4])
        channel = int(row[2]) if row[2] != "<NA>" else 1
        if len(row) < _FIELDS or not (start >= 0 and length > 0 and channel > 0):  # nor is NaN
            raise ValueError
    except (IndexError, ValueError):
        raise AudioError(
            f"{path}, line {number}: expected SPEAKER, recording, channel, start, length above 0 "
            "(in seconds), <NA>, <NA>, speaker; channels are numbers from 1."
        ) from None
    return Turn(row[1], Span(start, start + length), row[7], str(channel))


def turns_of(found: Sequence[Recording], path: Path) -> list[Recording]:
    """An excerpt for each turn of each recording, in the order of the recordings.

    A turn belongs to the recording of its name, with or without suffix; a file of turns of a
    single recording may name it otherwise if a single one is asked for.

    Raises:
        AudioError: see `read_turns`; or a recording has no turns.
    """
    turns = defaultdict(list)
    for turn in read_turns(path):
        turns[turn.recording].append(turn)
    names = list(dict.fromkeys(path_of(one) for one in found))
    own = {name: turns.get(Path(name).stem) or turns.get(Path(name).name) or [] for name in names}
    if len(names) == len(turns) == 1 and not own[names[0]]:
        own[names[0]] = next(iter(turns.values()))
    if lacking := [name for name in names if not own[name]]:
        there = listed(sorted(turns)[:_SHOWN])
        raise AudioError(
            f"{lacking[0]}: {path} has no turns of it; it has those of {there}. Recordings are "
            "found by their names without suffix."
        )
    return [one for name in names for one in _excerpts(name, own[name])]


def _excerpts(name: str, turns: Sequence[Turn]) -> list[Recording]:
    several = len({turn.channel for turn in turns}) > 1
    return [
        Excerpt(name, turn.span, speaker=turn.speaker, channel=turn.channel if several else "")
        for turn in turns
    ]
