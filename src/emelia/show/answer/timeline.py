"""The figure of a timeline: segments, waveform, and each emotion's probability over time.

Each emotion has a fixed colour of Okabe and Ito's and its name beside it. A segment that is unsure
is hatched. Where nobody speaks only the waveform is drawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from emelia.show.style import FAINT, GRID, INK, OKABE_ITO, empty_figure, plain
from emelia.text import clock, duration

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDE = 10.0  # inches
_LETTER = 0.0075  # of the figure's width: a letter of 8 points
_BINS = 1_500  # of a curve, about as many as the picture has pixels
_COLOURS = dict(
    zip(
        ("sadness", "anger", "disgust", "surprise", "happiness", "fear", "neutral"),
        OKABE_ITO,
        strict=True,
    )
)


class SegmentLike(Protocol):
    """What is needed of a segment: speech with one emotion; times in seconds."""

    @property
    def start(self) -> float: ...
    @property
    def end(self) -> float: ...
    @property
    def emotion(self) -> str: ...
    @property
    def unsure(self) -> bool: ...


class WindowLike(Protocol):
    """What is needed of a window: its times in seconds and the probability of each emotion."""

    @property
    def start(self) -> float: ...
    @property
    def end(self) -> float: ...
    @property
    def probabilities(self) -> Mapping[str, float]: ...


def timeline_figure(
    title: str,
    seconds: float,
    envelope: tuple[float, NDArray[np.float32]],
    emotions: Sequence[str],
    windows: Iterable[WindowLike],
    segments: Iterable[SegmentLike],
) -> Figure:
    """Draw a timeline.

    Args:
        title: printed as it is.
        seconds: length of the recording.
        envelope: seconds of a step, and its lowest and highest sample, (N, 2).
        emotions: all the model may answer.
        windows: what was heard when.
        segments: what came of it.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    heights = [0.45, 1.2, *[0.5] * len(emotions)]  # inches
    figure = empty_figure(_WIDE, 0.9 + sum(heights))
    figure.set(facecolor="white", dpi=150)
    rows = figure.subplots(len(heights), 1, height_ratios=heights, sharex=True)
    figure.suptitle(title, fontsize=11, color=INK, parse_math=False)
    colours = _colours(emotions)
    _draw_segments(rows[0], segments, colours, seconds)
    _draw_waveform(rows[1], envelope)
    curves = _curves(windows, emotions, seconds)
    for axes, emotion, curve in zip(rows[2:], emotions, curves, strict=True):
        _draw_curve(axes, curve, emotion, colours[emotion], seconds)
    figure.align_ylabels(rows)
    for axes in rows[:-1]:
        axes.tick_params(bottom=False, labelbottom=False)
    rows[-1].set_xlim(0, max(seconds, 0.01))
    rows[-1].xaxis.set_major_locator(_locator(seconds))
    rows[-1].xaxis.set_major_formatter(lambda x, _: _clock(x))
    return figure


def _colours(emotions: Sequence[str]) -> dict[str, str]:
    """The colour of each emotion; a label without a fixed one gets one that is not taken."""
    left = [c for c in OKABE_ITO if c not in {_COLOURS.get(e) for e in emotions}] or [INK]
    strange = [e for e in emotions if e not in _COLOURS]
    others = {e: left[place % len(left)] for place, e in enumerate(strange)}
    return {e: _COLOURS.get(e) or others[e] for e in emotions}


def _draw_segments(
    axes: Axes, segments: Iterable[SegmentLike], colours: Mapping[str, str], seconds: float
) -> None:
    for segment in segments:
        colour, width = colours[segment.emotion], segment.end - segment.start
        look: dict[str, Any] = {"facecolor": colour}
        if segment.unsure:
            look = {"facecolor": "white", "edgecolor": colour, "hatch": "////"}
        axes.broken_barh([(segment.start, width)], (0, 1), linewidth=0, **look)
        name = "not sure" if segment.unsure else segment.emotion
        if len(name) * _LETTER < width / max(seconds, 0.01):
            paper = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
            axes.text(
                segment.start + width / 2, 0.5, name, fontsize=8, color=INK, ha="center",
                va="center", bbox=paper, parse_math=False, clip_on=True,
            )  # fmt: skip
    axes.set_ylim(0, 1)
    _tidy(axes, "emotion")


def _draw_waveform(axes: Axes, envelope: tuple[float, NDArray[np.float32]]) -> None:
    step, ranges = envelope
    time = (np.arange(len(ranges)) + 0.5) * step
    axes.fill_between(time, ranges[:, 0], ranges[:, 1], color=FAINT, linewidth=0.3)
    most = float(np.abs(ranges).max(initial=0.0)) or 1.0
    axes.set_ylim(-1.05 * most, 1.05 * most)
    _tidy(axes, "waveform")


def _draw_curve(
    axes: Axes, curve: NDArray[np.float64], emotion: str, colour: str, seconds: float
) -> None:
    """Draw a probability from 0 to 100 %, with a base line wherever there is speech."""
    time = (np.arange(len(curve)) + 0.5) * seconds / len(curve)
    axes.fill_between(time, 100 * curve, color=colour, linewidth=0.5, step="mid")
    axes.plot(time, np.where(np.isfinite(curve), 0, np.nan), color=colour, linewidth=1)
    axes.axhline(50, color=GRID, linewidth=0.6, zorder=0)
    axes.set_ylim(0, 100)
    _tidy(axes, emotion)
    axes.set_yticks([100], ["100 %"], fontsize=7)


def _tidy(axes: Axes, name: str) -> None:
    plain(axes)
    axes.spines[["left"]].set_visible(False)
    axes.set_yticks([])
    axes.set_ylabel(name, rotation=0, ha="right", va="center", color=INK, parse_math=False)


def _curves(
    windows: Iterable[WindowLike], emotions: Sequence[str], seconds: float
) -> NDArray[np.float64]:
    """Mean probability of each emotion over the windows at each moment, (C, N); NaN without any."""
    sums = np.zeros((_BINS + 1, len(emotions)))
    counts = np.zeros(_BINS + 1)
    scale = _BINS / max(seconds, 0.01)
    for window in windows:  # what begins and ends; added up below
        first = min(round(window.start * scale), _BINS - 1)
        last = min(max(round(window.end * scale), first + 1), _BINS)
        row = np.array([window.probabilities[e] for e in emotions])
        sums[first] += row
        sums[last] -= row
        counts[first] += 1
        counts[last] -= 1
    covering = np.cumsum(counts)[:-1]
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.cumsum(sums, axis=0)[:-1] / covering[:, None]
    return np.asarray(np.where(covering[:, None] > 0, means, np.nan).T)


def _locator(seconds: float) -> Any:
    """Ticks of the time axis at round numbers of seconds, minutes or hours."""
    from matplotlib.ticker import MaxNLocator, MultipleLocator

    steps = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800)
    # Twelve ticks at most, or their labels would overlap.
    fitting = [step for step in steps if seconds / step <= 12]
    return MultipleLocator(fitting[0]) if fitting and seconds > 5 else MaxNLocator(8)


def _clock(seconds: float) -> str:
    """A moment on the axis: 0:07 or, between whole seconds, 0:07.5."""
    return duration(seconds) if abs(seconds - round(seconds)) < 0.01 else clock(seconds)
