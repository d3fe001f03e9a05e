"""The documentation site has every page, follows its links, and loads nothing from elsewhere."""

from __future__ import annotations

import importlib.util
import re
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import emelia

ROOT = Path(__file__).parents[1]
MADE = {"tutorial.md", "reference.md"}  # by the build, of the notebook and docstrings


def _tool() -> Any:
    spec = importlib.util.spec_from_file_location("docs_site", ROOT / "tools" / "docs_site.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


site = _tool()


def _named(nav: Any) -> Iterator[str]:
    for entry in nav:
        for value in entry.values():
            yield from [value] if isinstance(value, str) else _named(value)


def test_the_menu_names_pages_that_are_there_and_forgets_none() -> None:
    nav = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))["project"]["nav"]
    named, there = set(_named(nav)), set(site.sources()) | MADE
    assert named <= there
    assert {name for name in there if not name.startswith("results/")} <= named


def test_the_reference_has_every_promised_name() -> None:
    headings = re.findall(r"heading: emelia\.(\w+)", site.reference())
    assert headings == emelia.__all__


def test_links_lead_to_pages_of_the_site_and_those_to_code_are_plain_words(tmp_path: Path) -> None:
    page = site.DOCS / "results.md"
    sources = {"results.md": page, "models/default.md": site.MODELS / "default.md"}
    text = site.relinked("results.md", page, sources)
    assert "](models/default.md)" in text and "](../src" not in text


def test_the_check_finds_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(
        '<h1 id="top">A</h1><a href="b.html#there">b</a><a href="c.html">c</a><a href="#no">no</a>'
        '<img src="https://example.org/x.png"><script src="gone.js"></script>'
    )
    (tmp_path / "b.html").write_text('<h1 id="there">B</h1><a href="a.html#top">a</a>')
    assert sorted(site.check(tmp_path)) == [
        "a.html: gone.js is not there",
        "a.html: loads https://example.org/x.png",
        "a.html: no heading #no",
        "a.html: the link c.html leads nowhere",
    ]
    assert list(site.check(tmp_path / "nothing")) != []


@pytest.mark.slow
def test_the_site_is_built_and_whole() -> None:
    pytest.importorskip("zensical", reason="the site needs the extra `docs`")
    if not shutil.which("zensical"):
        pytest.skip("zensical is not among the programs of this environment")
    with pytest.raises(SystemExit) as ended:
        site.main(["--no-notebook"])
    assert ended.value.code == 0


def test_the_kept_tutorial_is_of_the_tutorial_as_it_is() -> None:
    """Else run `tools/docs_site.py --keep tutorial-aesdd` on the corpus again."""
    kept = iter((ROOT / "docs" / "tutorial-aesdd.md").read_text(encoding="utf-8").splitlines())
    script = (ROOT / "docs" / "tutorial.py").read_text(encoding="utf-8")
    for line in script[script.index("# %%") :].splitlines():
        if line not in {"", "#"} and not line.startswith("# %%"):
            assert any(one in {line, line.removeprefix("# ")} for one in kept), line
