"""Cut stretches out of recordings; a recording of which several are wanted is decoded once."""

from __future__ import annotations

import threading
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from emelia.audio.decoding import decode
from emelia.audio.limits import Wave
from emelia.errors import AudioError
from emelia.storage import file_stamp

_ROUNDED = 0.1  # s that a segment may end after its recording: tables round, codecs pad
_one_at_a_time = threading.Lock()  # else each thread would decode the same long recording


class Span(NamedTuple):
    """A stretch of a recording, in seconds."""

    start: float
    end: float | None  # None: up to the end of the recording

    def __str__(self) -> str:
        """As in the web's media fragments: `0.8,1.6`."""
        # Ten digits: six would give two segments of a long recording one name.
        return f"{self.start:.10g},{'' if self.end is None else f'{self.end:.10g}'}"


def cut(wave: Wave, rate: int, span: Span, name: str) -> Wave:
    """The samples (T,) of a span.

    Args:
        name: of the recording, for messages.

    Raises:
        AudioError: the span ends before it starts, or goes beyond the recording.
    """
    length = len(wave) / rate
    end = length if span.end is None else span.end
    if end <= span.start and span.start < length:
        raise AudioError(
            f"{name}: the segment ends at {end:g} s, not after its start at {span.start:g} s."
        )
    if span.start >= length or end > length + _ROUNDED:
        raise AudioError(
            f"{name}: the segment from {span.start:g} s to {end:g} s goes beyond the recording, "
            f"which lasts {length:.2f} s."
        )
    first, last = round(span.start * rate), round(end * rate)
    if not len(wave[first:last]):
        raise AudioError(f"{name}: the segment from {span.start:g} s holds no samples.")
    return wave[first:last].copy()  # a view would keep the whole recording in memory


def decode_span(path: str | Path, span: Span | None) -> tuple[Wave, int]:
    """Decode a span of a recording, or all of it: samples (T,) and their rate in Hz.

    The last recording of which a span was asked for stays in memory for the next.

    Raises:
        AudioError, MissingExtraError: see `decode` and `cut`.
    """
    if span is None:
        return decode(path)
    with _one_at_a_time:
        wave, rate = _last_decoded(str(path), *_stamp(path))
    return cut(wave, rate, span, str(path)), rate


@lru_cache(maxsize=1)
def _last_decoded(path: str, *_stamp: int) -> tuple[Wave, int]:
    return decode(path)


def _stamp(path: str | Path) -> list[int]:
    """The `file_stamp` of a file; empty for a missing one, which decoding reports."""
    try:
        return file_stamp(Path(path))
    except OSError:
        return []
