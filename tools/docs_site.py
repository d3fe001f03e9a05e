"""Build the documentation site: `make docs`, or `python tools/docs_site.py`.

Pages are those of `docs/`, the cards of the models, the notebook `docs/tutorial.py`, run on the
embedded corpus, and a reference made of docstrings. Formulae become MathML, so that the site needs
no script of others. At the end every link is followed and nothing may be loaded from elsewhere.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import emelia

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
MODELS = ROOT / "src" / "emelia" / "use" / "models"
WORK = ROOT / "build" / "docs"  # what the site is built of
CONFIG = ROOT / "zensical.toml"
KEPT = (
    "This is [the tutorial](tutorial.py) with the outputs it gave on real speech; "
    "`tools/docs_site.py --keep` wrote it."
)


def main(words: list[str] | None = None) -> None:
    """Gather the pages, build the site and check it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--no-notebook", action="store_true", help="leave the notebook as it is")
    parser.add_argument(
        "--keep",
        metavar="NAME",
        help="run the notebook on the corpus that EMELIA_TUTORIAL_CORPUS names, write the page "
        "docs/NAME.md with its pictures, and build nothing",
    )
    options = parser.parse_args(words)
    if options.keep:
        write_page(run_notebook(), DOCS, options.keep, KEPT)
        return
    notebook = None if options.no_notebook else run_notebook()
    shutil.rmtree(WORK, ignore_errors=True)
    for name, text in pages().items():
        (WORK / name).parent.mkdir(parents=True, exist_ok=True)
        (WORK / name).write_text(text, encoding="utf-8")
    shutil.copytree(DOCS / "pictures", WORK / "pictures")
    write_notebook(notebook)
    subprocess.run(["zensical", "build", "--clean", "-f", str(CONFIG)], cwd=ROOT, check=True)
    site = ROOT / "build" / "site"
    faults = list(check(site))
    print("\n".join(faults) or "Every link leads somewhere; nothing is loaded from elsewhere.")
    # From a disk all works but the search: browsers refuse its worker there.
    print("Look at it: python -m http.server --bind 127.0.0.1 --directory build/site")
    sys.exit(bool(faults))


def sources() -> dict[str, Path]:
    """The files that pages are made of, by the place of the page on the site."""
    found = {str(path.relative_to(DOCS)): path for path in DOCS.rglob("*.md")}
    found |= {f"models/{path.name}": path for path in MODELS.glob("*.md")}
    return found | {
        "security.md": ROOT / "SECURITY.md",
        "contributing.md": ROOT / "CONTRIBUTING.md",
    }


def pages() -> dict[str, str]:
    """Every page by its path, with links and formulae as the site needs them."""
    files = sources()
    found = {name: formulae(relinked(name, path, files)) for name, path in files.items()}
    return found | {"reference.md": reference()}


def relinked(name: str, path: Path, sources: dict[str, Path]) -> str:
    """The text of a page, its links to other pages as they lie on the site."""
    places = {source.resolve(): place for place, source in sources.items()}
    places[DOCS / "tutorial.py"] = "tutorial.md"  # which the build makes of it

    def link(match: re.Match[str]) -> str:
        target, _, anchor = match[1].partition("#")
        place = places.get((path.parent / target).resolve()) if target else None
        if place is None:
            outside = target and DOCS not in (path.parent / target).resolve().parents
            return "]" if outside and "://" not in target else match[0]
        there = os.path.relpath(place, os.path.dirname(name) or ".")
        return f"]({there}{f'#{anchor}' if anchor else ''})"

    return re.sub(r"\]\(([^)\s]+)\)", link, path.read_text(encoding="utf-8"))


def formulae(text: str) -> str:
    """Replace `$$...$$` and `$...$` outside of code by MathML, which browsers draw themselves."""
    from latex2mathml.converter import convert

    parts = re.split(r"(```.*?```|`[^`\n]+`)", text, flags=re.S)
    for i in range(0, len(parts), 2):
        parts[i] = re.sub(
            r"\$\$(.+?)\$\$", lambda m: convert(m[1], display="block"), parts[i], flags=re.S
        )
        parts[i] = re.sub(r"(?<![\w$])\$([^$\n]+)\$", lambda m: convert(m[1]), parts[i])
    return "".join(parts)


def reference() -> str:
    """A page of every promised name, filled in from its docstring."""
    lines = [
        "# Reference",
        "",
        "These names are promised; everything else may move. Each is imported from `emelia`.",
    ]
    for name in emelia.__all__:
        told = {"heading": f"emelia.{name}", "toc_label": name}
        home = emelia._HOMES.get(name)  # None: a module
        lines += ["", f"::: {home or 'emelia'}.{name}", "    options:"]
        lines += [f"      {key}: {value}" for key, value in told.items()]
    return "\n".join(lines) + "\n"


def run_notebook() -> Any:
    """The notebook with its outputs, run in an empty folder on the embedded corpus."""
    import jupytext
    from nbclient import NotebookClient

    place = ROOT / "build" / "notebook"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    book = jupytext.read(DOCS / "tutorial.py")
    NotebookClient(book, timeout=3600, resources={"metadata": {"path": str(place)}}).execute()
    for cell in book.cells:  # what libraries complain of is no part of the lesson
        if "outputs" in cell:
            cell.outputs = [one for one in cell.outputs if one.get("name") != "stderr"]
    return book


def write_notebook(book: object) -> None:
    """Write the notebook and a page of it; without outputs where it was not run."""
    import jupytext
    import nbformat

    book = book or jupytext.read(DOCS / "tutorial.py")
    nbformat.write(book, WORK / "tutorial.ipynb")
    write_page(book, WORK, "tutorial", "[The notebook to download](tutorial.ipynb)")


def write_page(book: object, folder: Path, name: str, below: str) -> None:
    """Write a notebook as `NAME.md` with its pictures, and a line below the title."""
    from nbconvert import MarkdownExporter

    text, resources = MarkdownExporter().from_notebook_node(
        book, resources={"output_files_dir": f"pictures/{name}"}
    )
    title, _, rest = text.lstrip().partition("\n")
    page = re.sub(r"\n{3,}", "\n\n", f"{title}\n\n{below}\n\n{rest.strip()}\n")
    page = page.replace("![png]", "![What the lines above draw]")
    # Frames of pandas are wider than a phone: they scroll, not the page, and look as other tables.
    wide = '<div style="overflow-x: auto">'
    page = re.sub(r"<div>\n<style scoped>.*?</style>", wide, page, flags=re.DOTALL)
    page = page.replace('<table border="1" class="dataframe">', "<table>")
    (folder / f"{name}.md").write_text(page, encoding="utf-8")
    for place, data in (resources.get("outputs") or {}).items():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_bytes(data)


class Links(HTMLParser):
    """Ids, links and loaded addresses of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        self.ids |= {told[name] for name in ("id", "name") if name in told}
        if tag == "a" and "href" in told:
            self.links.append(told["href"])
        fetched = told.get("src") or (told.get("href") if tag == "link" else "")
        if fetched and told.get("rel") not in ("canonical", "next", "prev"):
            self.loaded.append(fetched)


def check(site: Path) -> Iterator[str]:
    """What is wrong with the pages of a site: links that lead nowhere, addresses of others."""
    found = {path: Links(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}
    if not found:
        yield f"{site}: no page was built"
    for page, links in found.items():
        name = page.relative_to(site)
        for address in links.loaded:
            if urlsplit(address).netloc:
                yield f"{name}: loads {address}"
            elif not address.startswith("data:") and not _target(page, address, site).exists():
                yield f"{name}: {address} is not there"
        for address in links.links:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc or page.name == "404.html":
                continue
            target = _target(page, parts.path, site)
            if not target.exists():
                yield f"{name}: the link {address} leads nowhere"
            elif target in found and unquote(parts.fragment) not in found[target].ids | {""}:
                yield f"{name}: no heading {address}"


def _target(page: Path, address: str, site: Path) -> Path:
    """The file that an address on a page leads to."""
    path = unquote(address)
    target = site / path.lstrip("/") if path.startswith("/") else page.parent / path
    target = target.resolve() if path else page
    return target / "index.html" if target.is_dir() else target


if __name__ == "__main__":
    main()
