"""The rows of a table of scores, made of what the journal holds of each recording."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

from emelia.audio.channels import named
from emelia.use.inputs import Recording, columns_of, key_of, place_of
from emelia.use.scoring.by_source import Adapting, SourceOf, cells
from emelia.use.scoring.journal import Journal, Row


def rows_of(
    asked: Sequence[Recording],
    journal: Journal,
    emotions: Sequence[str],
    adapting: Adapting | None,
    named_source: SourceOf,
) -> Iterator[Sequence[Any]]:
    """The rows of the table, in the order of the recordings."""
    columns = columns_of(asked)
    for one, side, row in journalled(asked, journal):
        told = adapting.row(named_source(one, side), row) if adapting else cells(row, emotions)
        yield (*_place(one, columns, side), *told)


def journalled(
    asked: Sequence[Recording], journal: Journal
) -> Iterator[tuple[Recording, str, Row]]:
    """Each recording, channel and row of the journal."""
    for one in asked:
        for channel, row in journal.rows(key_of(one)).items():
            yield one, channel, row


def failures(asked: Sequence[Recording], journal: Journal) -> Iterator[Sequence[Any]]:
    """The place of each recording that could not be scored, and the reason."""
    columns = columns_of(asked)
    for one in asked:
        if reason := journal.reason(key_of(one)):
            yield (*_place(one, columns), reason)


def _place(one: Recording, columns: Sequence[str], channel: str = "") -> Sequence[Any]:
    """The first cells of a row: path and, where some are segments, start, end and speaker."""
    path, *times = place_of(one, columns).values()
    return (_text(named(path, channel)), *times)


def _text(name: str) -> str:
    """A path as UTF-8 can write it: bytes of file names that are none are replaced."""
    return os.fsencode(name).decode(errors="replace")
