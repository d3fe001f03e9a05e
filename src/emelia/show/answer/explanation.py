"""The figure of one answer: spectrogram, saliency of each frame, probability of each emotion.

Blue speaks for the answer and orange against it, which people with any colour vision can tell
apart; the spectrogram is grey.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from emelia.config import SAMPLE_RATE, FeatureConfig
from emelia.config.thresholds import Thresholds
from emelia.errors import ConfigError
from emelia.show.style import any_script, empty_figure, mel_band

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_FOR, _AGAINST, _OTHER, _INK, _FAINT = "#0072B2", "#D55E00", "#999999", "#222222", "#bbbbbb"
_KINDS = (".png", ".svg", ".pdf")
_TICKS = (250, 500, 1000, 2000, 4000)  # Hz
_STRONGEST = 0.5  # opacity of the tint where the saliency is largest


def check_picture(path: Path) -> None:
    """Check the name of a picture before the work for it begins.

    Raises:
        ConfigError: it does not end in .png, .svg or .pdf.
        MissingExtraError: matplotlib is not installed.
    """
    if path.suffix.lower() not in _KINDS:
        raise ConfigError(f"{path}: expected a picture named .png, .svg or .pdf.")
    empty_figure(1, 1)  # raises where matplotlib is missing


def explanation(
    title: str,
    logmel: NDArray[np.float32],
    saliency: NDArray[np.float32],
    probabilities: Mapping[str, float],
    features: FeatureConfig,
    thresholds: Thresholds,
) -> Figure:
    """Draw the answer to one recording.

    Args:
        title: printed as it is.
        logmel: (M, F) as the network saw it.
        saliency: (F,) what each frame says for the answer (above 0) or against it, as in a
            `Prediction`.
        probabilities: of every emotion.
        features: the front end that made the spectrogram.
        thresholds: below them an answer is unsure.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    rows = 0.45 + 0.26 * len(probabilities)  # inches
    figure = empty_figure(8, 4.6 + rows)
    figure.set(facecolor="white", dpi=150)
    heights = [2.8, 1.2, rows]
    top, middle, bottom = figure.subplots(3, 1, height_ratios=heights)
    figure.suptitle(title, fontsize=12, color=_INK, parse_math=False)
    seconds = logmel.shape[1] * features.hop / SAMPLE_RATE
    _draw_spectrogram(figure, top, logmel, saliency, seconds, features)
    _draw_saliency(middle, saliency, seconds)
    middle.sharex(top)
    _draw_probabilities(bottom, probabilities, thresholds)
    return figure


def picture(figure: Figure, suffix: str) -> bytes:
    """The figure as the bytes of a file: .png, .svg or .pdf."""
    file = io.BytesIO()
    with any_script():
        figure.savefig(file, format=suffix.lower().removeprefix("."))
    return file.getvalue()


def _draw_spectrogram(
    figure: Figure, axes: Axes, logmel: Any, saliency: Any, seconds: float, features: FeatureConfig
) -> None:
    bands = len(logmel)
    place: Any = (0, seconds, 0, bands)  # left, right, bottom, top
    # Grey, so that the colours of the saliency above it can be read.
    image = axes.imshow(logmel, cmap="gray_r", aspect="auto", origin="lower", extent=place)
    axes.imshow(_tint(saliency)[None], aspect="auto", origin="lower", extent=place)
    if features.kind == "mfcc":
        axes.set_ylabel("MFCC coefficient")
    elif features.kind == "wave":
        axes.set_yticks([])
        axes.set_ylabel("waveform")
    else:
        ticks = [hz for hz in _TICKS if features.fmin < hz < features.fmax]
        axes.set_yticks(
            [mel_band(hz, features, bands) for hz in ticks], [f"{hz:,}" for hz in ticks]
        )
        axes.set_ylim(0, bands)
        axes.set_ylabel("frequency, Hz (mel scale)")
    figure.colorbar(image, ax=axes, label=f"level, {_unit(features)}", pad=0.01, aspect=30)
    axes.tick_params(labelbottom=False)


def _unit(features: FeatureConfig) -> str:
    if features.standardise != "none":
        return "standardised"
    if features.kind == "pcen":
        return "PCEN"
    return "dB" if features.scale == "db" else "Whisper's scale"


def _tint(saliency: NDArray[np.float32]) -> NDArray[np.float64]:
    """Saliency (F,) as colours RGBA (F, 4): the stronger a frame counts, the less transparent."""
    from matplotlib.colors import to_rgb

    largest = float(np.abs(saliency).max(initial=0.0)) or 1.0
    colours = np.where(saliency[:, None] > 0, to_rgb(_FOR), to_rgb(_AGAINST))
    opacity = _STRONGEST * np.abs(saliency) / largest
    return np.concatenate([colours, opacity[:, None]], axis=1)


def _draw_saliency(axes: Axes, saliency: NDArray[np.float32], seconds: float) -> None:
    time = (np.arange(len(saliency)) + 0.5) * seconds / len(saliency)
    kinds = ((np.maximum(saliency, 0), _FOR, "for"), (np.minimum(saliency, 0), _AGAINST, "against"))
    for values, colour, name in kinds:
        axes.fill_between(time, values, color=colour, linewidth=0, label=f"{name} the answer")
    axes.axhline(0, color=_INK, linewidth=0.6)
    axes.set_ylabel("against the\naverage, logits")
    axes.set_xlabel("time, s")
    axes.legend(loc="upper right", ncols=2, fontsize=8, frameon=False)
    axes.margins(y=0.3)
    _tidy(axes)


def _draw_probabilities(
    axes: Axes, probabilities: Mapping[str, float], thresholds: Thresholds
) -> None:
    labels = sorted(probabilities, key=lambda label: probabilities[label])
    shares = [100 * probabilities[label] for label in labels]
    colours = [_OTHER] * (len(labels) - 1) + [_FOR]
    bars = axes.barh(range(len(labels)), shares, color=colours, height=0.7)
    limits = [100 * thresholds.of(label) for label in labels]
    rows = np.arange(len(labels))
    axes.vlines(limits, rows - 0.45, rows + 0.45, color=_INK, linewidth=1, linestyle=":")
    paper = {"facecolor": "white", "edgecolor": "none", "pad": 1}  # above the dotted line
    words = [f"{share:.0f} %" for share in shares]
    axes.bar_label(bars, words, padding=4, fontsize=9, color=_INK, bbox=paper)
    axes.text(limits[-1], len(labels) - 0.45, "not sure below", fontsize=8, ha="right", va="bottom")
    axes.set_yticks(range(len(labels)), labels, parse_math=False)
    axes.set_xlim(0, 100)
    axes.set_xlabel("probability, %")
    _tidy(axes)


def _tidy(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(_FAINT)
    axes.tick_params(labelsize=9)
