"""What all figures share: colours, an empty figure, a legend, and writing as SVG or PNG.

A figure has no background, and as SVG its dark inks become light where the reader prefers dark
pages. Colours are Okabe and Ito's, which people with any colour vision can tell apart.
"""

from __future__ import annotations

import contextlib
import io
import re
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal, cast

import numpy as np
from numpy.typing import NDArray

from emelia.audio import Wave
from emelia.audio.mel import hz_to_mel
from emelia.caches import set_matplotlib_cache
from emelia.config import FeatureConfig
from emelia.errors import MissingExtraError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Values = NDArray[np.float64]
# Without the yellow, which is lost on white.
# Of what has no middle: between 37 and 50 % it changes twice as much as cividis does.
SHADES = "magma"
PRINTED = 300  # dots an inch, as journals ask for
OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#333333")
INK, FAINT, GRID = "#333333", "#999999", "#dddddd"
_ON_DARK = {INK: "#dde2e0", FAINT: "#7d8784", GRID: "#3c4548", "#0072b2": "#4da6e0"}


def new_figure(width: float, height: float) -> tuple[Figure, Axes]:
    """An empty figure in inches and its axes; no global state is touched.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    drawn = empty_figure(width, height)
    axes = drawn.subplots()
    plain(axes)
    return drawn, axes


def empty_figure(
    width: float, height: float, layout: Literal["constrained"] | None = "constrained"
) -> Figure:
    """A figure in inches without axes.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    set_matplotlib_cache()
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError("drawing figures", "matplotlib", "plots") from None
    return Figure(figsize=(width, height), layout=layout, facecolor="none")


def plain(axes: Axes) -> None:
    """Give axes the usual look: two thin spines, text of 9 points, no background."""
    axes.set_facecolor("none")
    axes.spines[:].set_color(FAINT)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=9, colors=INK)
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set(fontsize=9, color=INK)


def legend(axes: Axes, columns: int = 2) -> None:
    """Put the legend below the axes, where it hides nothing."""
    drawn = cast("Figure", axes.get_figure(root=True))
    drawn.legend(
        loc="outside lower center", ncols=columns, fontsize=8, frameon=False, labelcolor=INK
    )


def mel_band(hz: float, features: FeatureConfig, bands: int) -> float:
    """The (fractional) index of the mel band at a frequency in Hz."""
    # Band k is centred k + 1 steps above fmin, and drawn around k + 0.5.
    low, high, mel = (hz_to_mel(f) for f in (features.fmin, features.fmax, hz))
    return (mel - low) / (high - low) * (bands + 1) - 0.5


def envelope(wave: Wave, rate: int, most: int = 1200) -> tuple[Values, Wave, Wave]:
    """Seconds, lowest and highest sample of each of `most` equal stretches of a waveform (T,)."""
    size = max(1, -(-wave.size // most))
    stretches = np.pad(wave, (0, -wave.size % size), mode="edge").reshape(-1, size)
    time = (np.arange(len(stretches)) + 0.5) * size / rate
    return time, stretches.min(axis=1), stretches.max(axis=1)


def draw_wave(axes: Axes, wave: Wave, rate: int, peak: float, colour: str = OKABE_ITO[0]) -> None:
    """Draw a waveform (T,) from -peak to peak over seconds."""
    plain(axes)
    axes.fill_between(*envelope(wave, rate), color=colour, linewidth=0.3)
    axes.set_ylim(-peak, peak)


def words(text: str) -> str:
    """Text for a figure as it is: dollar signs must not start a formula."""
    return text.replace("$", r"\$")


def png(drawn: Figure, dots: int = 160) -> bytes:
    """The figure as PNG on white, with `dots` dots an inch."""
    file = io.BytesIO()
    with any_script():
        drawn.savefig(file, format="png", facecolor="white", dpi=dots, metadata={"Software": None})
    return file.getvalue()


def pdf(drawn: Figure) -> bytes:
    """The figure as PDF whose text is text; the same figure gives the same bytes."""
    from matplotlib import rc_context

    file = io.BytesIO()
    with any_script(), rc_context({"pdf.fonttype": 42}):  # outlines that editors can read
        drawn.savefig(file, format="pdf", metadata={"CreationDate": None, "Creator": None})
    return file.getvalue()


def svg(drawn: Figure) -> bytes:
    """The figure as SVG for light and dark pages, its text as text.

    The same figure gives the same bytes.
    """
    from matplotlib import rc_context

    file = io.BytesIO()
    # A fixed salt and no date: figures that have not changed must not change in a repository.
    with any_script(), rc_context({"svg.hashsalt": "emelia", "svg.fonttype": "none"}):
        drawn.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    text = re.sub(rb' d="[^"]*"', _rounded, file.getvalue())
    return text.replace(b"<defs>", _dark_style().encode() + b"<defs>", 1)


@contextlib.contextmanager
def any_script() -> Iterator[None]:
    """Silence warnings about letters that the font lacks: boxes stand for them."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph", UserWarning)
        yield


def _rounded(path: re.Match[bytes]) -> bytes:
    """Round coordinates to tenths of a point, which halves the file."""
    return re.sub(rb"(\.\d)\d+| \n", rb"\1", path[0])


def _dark_style() -> str:
    """CSS that replaces the dark inks of the `style` attributes on dark pages."""
    rules = [
        f'[style*="{kind}: {light}"]{{{kind}:{dark}!important}}'
        for light, dark in _ON_DARK.items()
        for kind in ("fill", "stroke")
    ]
    return f"<style>@media (prefers-color-scheme: dark){{{''.join(rules)}}}</style>"
