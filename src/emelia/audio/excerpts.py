"""Stretches of recordings: windows over a sound, and excerpts, for which it is decoded once."""

from __future__ import annotations

import math
import threading
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from emelia.audio.channels import MIX
from emelia.audio.decoding import content_digest, decode
from emelia.audio.heard import Heard
from emelia.audio.limits import Wave
from emelia.errors import AudioError, ChangedAudioError
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


def window_starts(length: int, window: int, step: int = 1) -> list[int]:
    """First positions of windows that cover a sound, evenly spaced by half a window or less.

    Args:
        length: of the sound, in samples or frames.
        window: length of a window; a sound of this length or less has one window, at 0.
        step: positions are rounded to multiples of it.
    """
    last = length - window
    if last <= 0:
        return [0]
    count = math.ceil(last / (window // 2))
    return [round(last * i / count / step) * step for i in range(count + 1)]


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


def decode_span(
    path: str | Path, span: Span | None, *, channel: str = MIX, heard: Heard | None = None,
    digest: str = "",
) -> tuple[Wave, int]:  # fmt: skip
    """Decode a span of a recording, or all of it: samples (T,) and their rate in Hz.

    The last recording of which a span was asked for stays in memory for the next, with two of its
    channels. `channel` and `heard` are those of `decode`.

    Args:
        digest: the `content_digest` that its samples must have; empty takes any.

    Raises:
        AudioError, MissingExtraError: see `decode` and `cut`.
        ChangedAudioError: they have another digest.
    """
    wave, rate = _decoded(path, span, channel, heard)
    if digest and content_digest(wave, rate) != digest:
        raise ChangedAudioError(
            f"{path}: has changed since the corpus was read. Leave its recordings as they are, "
            "and run the same command again."
        )
    return wave, rate


def _decoded(
    path: str | Path, span: Span | None, channel: str, heard: Heard | None
) -> tuple[Wave, int]:
    if span is None:
        return decode(path, channel=channel, heard=heard)
    with _one_at_a_time:
        wave, rate, told = _last_decoded(str(path), channel, *_stamp(path))
    if heard is not None:
        heard.channels, heard.warnings = told.channels, [*heard.warnings, *told.warnings]
    return cut(wave, rate, span, str(path)), rate


@lru_cache(maxsize=2)  # the turns of a call alternate between its channels
def _last_decoded(path: str, channel: str, *_stamp: int) -> tuple[Wave, int, Heard]:
    heard = Heard()
    return *decode(path, channel=channel, heard=heard), heard


def _stamp(path: str | Path) -> list[int]:
    """The `file_stamp` of a file; empty for a missing one, which decoding reports."""
    try:
        return file_stamp(Path(path))
    except OSError:
        return []
