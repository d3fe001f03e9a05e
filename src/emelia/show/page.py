"""What all pages share: pictures as data URIs, and templates.

A page is one file that loads nothing: styles are inside, pictures are data URIs with their
content in words beside them, and a policy in its head forbids the rest.
"""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from emelia.errors import MissingExtraError
from emelia.show.style import empty_figure, png, svg
from emelia.table import escaped
from emelia.text import between, percent

if TYPE_CHECKING:
    from jinja2 import Environment
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Picture:
    """A figure for a page: what it shows in one line, in words, and as data URI."""

    caption: str
    alt: str
    uri: str
    file: str = ""  # beside the page, if it is there too


@dataclass
class Figures:
    """The figures of a page, each of them also as files that lie beside it."""

    files: dict[str, bytes] = field(default_factory=dict)

    def picture(self, figure: Figure, name: str, caption: str, alt: str) -> Picture:
        """Draw a figure for the page, and as SVG and PNG of that name."""
        stem = f"figures/{file_name(name)}"
        while f"{stem}.svg" in self.files:
            stem += "-"
        vector = svg(figure)
        figure.set_layout_engine("none")  # everything has its place now; to find it again is slow
        self.files |= {f"{stem}.svg": vector, f"{stem}.png": png(figure)}
        return Picture(caption, alt, data_uri("image/svg+xml", vector), f"{stem}.svg")


def data_uri(kind: str, data: bytes) -> str:
    """Put a file into a page: `kind` is its media type."""
    return f"data:{kind};base64,{b64encode(data).decode()}"


def file_name(text: str) -> str:
    """Text as a name that every file system takes, and that leads to no other folder."""
    return re.sub(r'[\x00-\x1f<>:"/\\|?*]', "-", text).strip(" .") or "-"


def render(template: str, **values: Any) -> str:
    """Fill in a template of `templates/`.

    Raises:
        MissingExtraError: jinja2 is not installed.
    """
    return _environment().get_template(template).render(values).rstrip() + "\n"


def check_extras() -> None:
    """Find out that something is missing before work begins that needs it.

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
    environment.filters |= {"percent": percent, "between": between, "plain": escaped}
    return environment
