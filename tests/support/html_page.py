"""What stands on an HTML page, and whether it is whole and loads nothing."""

from __future__ import annotations

import re
from html.parser import HTMLParser

VOID = {"meta", "img", "br", "hr", "input", "link"}  # elements without an end
LOADED = ("src", "srcset", "data")  # attributes that make a browser fetch something
DATA = r"data:(image/svg\+xml|audio/wav|audio/flac);base64,"


class HtmlPage(HTMLParser):
    """The elements, table rows and text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.html = html
        self.open: list[str] = []
        self.faults: list[str] = []  # tags whose end is not where it should be
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.rows: list[list[str]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag == "tr":
            self.rows.append([])
        if tag in ("th", "td"):
            self.rows[-1].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append(tag)

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("th", "td"):
            self.rows[-1][-1] += data
        if not self.open or self.open[-1] != "style":
            self.text += data

    def all(self, tag: str) -> list[dict[str, str]]:
        """The attributes of each element of a kind."""
        return [attributes for name, attributes in self.elements if name == tag]

    def values(self, *names: str) -> list[str]:
        """The values of attributes, of whatever elements."""
        return [a[name] for _, a in self.elements for name in names if name in a]

    def check_whole(self) -> None:
        """Its elements are balanced, its ids unique, and its inner links lead to them."""
        assert self.faults == [] and self.open == []
        names = self.values("id")
        assert len(names) == len(set(names))
        links = [link for link in self.values("href") if link.startswith("#")]
        assert links and {link[1:] for link in links} <= set(names)

    def check_loads_nothing(self) -> None:
        """All it shows is inside it, and its policy forbids the rest."""
        assert self.values(*LOADED)
        assert all(re.match(DATA, value) for value in self.values(*LOADED))
        tags = {tag for tag, _ in self.elements}
        assert not tags & {"script", "link", "iframe", "object", "embed"}
        assert not re.search(r"@import|url\(", self.html)
        assert "default-src 'none'; img-src data:; media-src data:;" in self.html
