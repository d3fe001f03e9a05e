"""From an upload to the JSON for its client: one answer, or a timeline."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from emelia.audio.channels import EACH, Channel, channel_names
from emelia.audio.heard import Heard
from emelia.audio.limits import Wave
from emelia.config import SAMPLE_RATE
from emelia.errors import TooLongError
from emelia.use.recognizer import LONGEST, Prediction, Recognizer
from emelia.use.server.jobs import Job
from emelia.use.server.service import Service
from emelia.use.timeline.envelope import Envelope
from emelia.use.timeline.live import Event
from emelia.use.timeline.timeline import TimelineBuilder
from emelia.use.timeline.windows import Window

_POINTS = 2000  # of a drawn waveform, at most
_PIECE = SAMPLE_RATE  # samples between two events of progress, and two looks for who has left


def predict(
    service: Service, recognizer: Recognizer, name: str, data: bytearray, explain: bool,
    channel: Channel, job: Job,
) -> dict[str, Any]:  # fmt: skip
    """The answer to an upload, ready for JSON; with `explain` also what the page draws.

    Args:
        channel: with `each` there is a list `channels` with an answer for each.

    Raises:
        AudioError: it cannot be decoded or used, or is too long.
        TimeoutError: nobody waits any more.
    """

    def of(one: str) -> tuple[dict[str, Any], int]:
        heard = Heard()
        wave = _whole(service, data, job, one, heard)
        answer = replace(recognizer.predict(wave, SAMPLE_RATE), warnings=tuple(heard.warnings))
        drawn = _picture(answer, wave) if explain else {}
        return {**answer.to_dict(), "model": name, **drawn}, heard.channels

    return {"channels": _each(of), "model": name} if channel == EACH else of(channel)[0]


def _each(of: Callable[[str], tuple[dict[str, Any], int]]) -> list[dict[str, Any]]:
    """What is told of each channel, with its name; `of` tells of one and how many there are."""
    first, count = of("1")
    others = (of(str(place))[0] for place in range(2, count + 1))
    told = zip(channel_names(count), (first, *others), strict=True)
    return [{"channel": name, **one} for name, one in told]


def _whole(service: Service, data: bytearray, job: Job, channel: str, heard: Heard) -> Wave:
    """A channel of an upload that gets one answer, at 16 kHz."""
    longest = min(LONGEST, service.settings.max_seconds)
    try:
        decoded = _decoded(service, data, longest, job, channel, heard)
        return np.concatenate([wave for wave, _ in decoded])
    except TooLongError as error:
        raise TooLongError(f"{error} Or ask /v1/timeline, which takes longer ones.") from None


def timeline(
    service: Service,
    recognizer: Recognizer,
    name: str,
    seconds: tuple[float, float],
    data: bytearray,
    channel: Channel,
    emit: Callable[[dict[str, Any]], None],
    job: Job,
) -> dict[str, Any]:
    """The timeline of an upload, ready for JSON; `emit` gets windows and progress on the way.

    Args:
        seconds: those of a window, and from one to the next.
        channel: with `each` there is a list `channels` with a timeline for each.

    Raises:
        AudioError, TimeoutError: see `predict`.
        ConfigError: windows that do not fit.
    """

    def of(one: str) -> tuple[dict[str, Any], int]:
        heard = Heard()
        builder = TimelineBuilder(
            recognizer, window=seconds[0], hop=seconds[1], adapt=recognizer.learns, check=job.check
        )
        return _followed(service, builder, data, one, heard, emit, job), heard.channels

    told = {"channels": _each(of)} if channel == EACH else of(channel)[0]
    return {"type": "timeline", **told, "model": name}


def _followed(
    service: Service,
    builder: TimelineBuilder,
    data: bytearray,
    channel: str,
    heard: Heard,
    emit: Callable[[dict[str, Any]], None],
    job: Job,
) -> dict[str, Any]:
    """The timeline of one channel."""
    longest = service.settings.max_seconds
    for wave, expected in _decoded(service, data, longest, job, channel, heard):
        for start in range(0, len(wave), _PIECE):
            job.check()
            _tell(emit, builder.feed(wave[start : start + _PIECE]))
            total = max(expected, builder.seconds) if expected else None
            emit({"type": "progress", "done": round(builder.seconds, 3), "total": total})
    _tell(emit, builder.flush())
    found = builder.build(warnings=heard.warnings)
    told = found.to_dict() | {"waveform": _drawn(found.envelope[1], found.seconds)}
    del told["path"]  # there is none
    return told


def _tell(emit: Callable[[dict[str, Any]], None], events: Iterable[Event]) -> None:
    for event in events:
        if isinstance(event, Window):
            emit({"type": "window", **event.to_dict()})


def _decoded(
    service: Service, data: bytearray, longest: float, job: Job, channel: str, heard: Heard
) -> Iterator[tuple[Wave, float]]:
    """Decode an upload piece by piece while its client waits; see `Sandbox.stream`."""
    decoded = service.sandbox.stream(
        data, max_seconds=longest, deadline=job.deadline, channel=channel, heard=heard
    )
    for wave, expected in decoded:
        service.metrics.decoded.inc(wave.size / SAMPLE_RATE)
        job.check()
        yield wave, expected


def _picture(answer: Prediction, wave: Wave) -> dict[str, Any]:
    """What the page needs to draw an answer: spectrogram, saliency and waveform."""
    envelope = Envelope()
    envelope.feed(wave)
    return {
        "hop": answer.hop,
        "logmel": _grey(answer.logmel),
        "saliency": _rounded(answer.saliency),
        "waveform": _drawn(envelope.read()[1], answer.seconds),
    }


def _drawn(ranges: NDArray[np.float32], seconds: float) -> dict[str, Any]:
    """An envelope (N, 2) reduced to at most 2000 points."""
    starts = np.arange(0, len(ranges), -(-len(ranges) // _POINTS))
    return {
        "seconds": round(seconds, 3),
        "low": _rounded(np.minimum.reduceat(ranges[:, 0], starts)),
        "high": _rounded(np.maximum.reduceat(ranges[:, 1], starts)),
    }


def _grey(logmel: NDArray[np.float32]) -> dict[str, Any]:
    """A spectrogram (M, F) in bytes, lowest band first: 0 is `low`, 255 is `high`."""
    low, high = (float(logmel.min()), float(logmel.max())) if logmel.size else (0.0, 0.0)
    grey = np.rint((logmel - low) * (255 / max(high - low, 1e-9))).astype(np.uint8)
    return {
        "bands": logmel.shape[0],
        "frames": logmel.shape[1],
        "low": low,
        "high": high,
        "data": base64.b64encode(grey.tobytes()).decode(),
    }


def _rounded(values: NDArray[np.float32]) -> list[float]:
    return [round(value, 4) for value in values.astype(np.float64).tolist()]
