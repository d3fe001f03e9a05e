"""What all HTML pages share: templates, and pictures as data URIs.

A page is one file that loads nothing: styles are inside, pictures are data URIs with a text
alternative, and a Content-Security-Policy in its head forbids everything else.
"""

from __future__ import annotations

import io
import re
from base64 import b64encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile

from emelia.audio.limits import Wave
from emelia.errors import MissingExtraError
from emelia.show.style import PRINTED, empty_figure, pdf, png, svg
from emelia.show.terms import terms
from emelia.table import escaped
from emelia.text import between, counted, percent

if TYPE_CHECKING:
    from jinja2 import Environment
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Picture:
    """A figure for a page: caption, text alternative and data URI."""

    caption: str
    alt: str
    uri: str
    file: str = ""  # beside the page, if it is there too
    number: int = 0  # among the figures of the page; 0 for none
    about: str = ""  # how many clips of what it is drawn from

    @property
    def full_caption(self) -> str:
        """Such as "Figure 3. Confusion matrix. n = 604 test clips; aesdd, loso."."""
        number = f"Figure {self.number}. " if self.number else ""
        return f"{number}{self.caption}.{f' {self.about}.' if self.about else ''}"


@dataclass
class Figures:
    """Collects the figures of a page in its order, also as files that lie beside it."""

    files: dict[str, bytes] = field(default_factory=dict)
    count: int = 0

    def picture(
        self, figure: Figure, name: str, caption: str, alt: str, about: str = ""
    ) -> Picture:
        """Add a figure: drawn for the page, and as SVG, PNG and PDF files of that name.

        Args:
            about: how many clips of what it shows, for the caption.
        """
        stem = f"figures/{file_name(name)}"
        # Two recipes may differ only in signs that file names cannot have.
        while f"{stem}.svg" in self.files:
            stem += "-"
        vector = svg(figure)
        figure.set_layout_engine("none")  # everything has its place now; to find it again is slow
        self.files |= {
            f"{stem}.svg": vector, f"{stem}.png": png(figure, PRINTED), f"{stem}.pdf": pdf(figure),
        }  # fmt: skip
        self.count += 1
        uri = data_uri("image/svg+xml", vector)
        return Picture(caption, alt, uri, f"{stem}.svg", self.count, about)


def data_uri(kind: str, data: bytes) -> str:
    """The bytes of a file as a data URI; `kind` is its media type."""
    return f"data:{kind};base64,{b64encode(data).decode()}"


def wav(wave: Wave, rate: int) -> bytes:
    """A waveform (T,) as a WAV file of 16 bit, which every browser plays."""
    file = io.BytesIO()
    soundfile.write(file, np.clip(wave, -1, 1), rate, format="WAV", subtype="PCM_16")
    return file.getvalue()


def file_name(text: str) -> str:
    """A text as a file name that every system accepts, without folders."""
    return re.sub(r'[\x00-\x1f<>:"/\\|?*]', "-", text).strip(" .") or "-"


def render(template: str, **values: Any) -> str:
    """Fill in a template of `show/templates/`.

    Raises:
        MissingExtraError: jinja2 is not installed.
    """
    return _environment().get_template(template).render(values).rstrip() + "\n"


def check_extras() -> None:
    """Check before the work begins that what draws pages is installed.

    Raises:
        MissingExtraError: matplotlib or jinja2 is not installed.
    """
    empty_figure(1, 1)
    _environment()


def _environment() -> Environment:
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
    except ImportError:
        raise MissingExtraError("writing a report", "jinja2", "plots") from None
    environment = Environment(
        loader=PackageLoader("emelia.show"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": percent,
        "between": between,
        "counted": counted,
        "plain": escaped,
        "terms": terms,
    }
    return environment
