"""Documents tell the truth: their commands, files and settings exist.

`test_document_blocks.py` runs them.

.venv/bin/python -m pytest tests/test_docs.py
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from emelia.cli import app
from emelia.config import recipe_from

ROOT = Path(__file__).parents[1]
TOP = ("README.md", "CONTRIBUTING.md", "SECURITY.md")
PAGES = [*(ROOT / name for name in TOP), *sorted((ROOT / "docs").rglob("*.md"))]
README = PAGES[0].read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_a_page_names_exists(page: Path) -> None:
    known = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    lines = re.findall(r"(?:^\$ |`)emelia ([a-z]+)(?=[ `])", page.read_text(encoding="utf-8"), re.M)
    assert set(lines) <= known


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_option_a_page_names_exists(page: Path) -> None:
    for command, rest in re.findall(r"emelia ([a-z]+)([^`\n]*)", page.read_text(encoding="utf-8")):
        options = re.findall(r"(?<= )--[a-z-]+", rest.split("#")[0])
        if options and command in typer.main.get_command(app).commands:  # type: ignore[attr-defined]
            shown = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"}).stdout
            assert all(option in shown for option in options), (command, options)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_benchmark_a_page_runs_is_there(page: Path) -> None:
    run = re.findall(r"python\s+(benchmarks/\w+\.py)", page.read_text(encoding="utf-8"))
    assert [name for name in run if not (ROOT / name).is_file()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_file_leads_to_one(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_heading_leads_to_one(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]*)#([^)]+)\)", page.read_text(encoding="utf-8"))
    assert [
        link
        for link in links
        if link[1] not in _anchors(page.parent / link[0] if link[0] else page)
    ] == []


def _anchors(page: Path) -> set[str]:
    """What GitHub names the headings of a page: small letters, spaces as hyphens, no signs."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_script_the_results_ask_for_is_there() -> None:
    pages = [page for page in PAGES if page.name != "log.md"]  # which is a record
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    scripts = set(re.findall(r"python ((?:benchmarks|docs)/\w+\.py)", text))
    assert scripts and [script for script in scripts if not (ROOT / script).is_file()] == []


def test_every_name_in_the_tree_of_the_readme_is_there() -> None:
    tree = README.split("    src/emelia/\n")[1].split("\n\n")[0]
    names = re.findall(r"^      (\w+/?)(?=  )", tree, re.M)
    assert len(names) > 8
    home = ROOT / "src" / "emelia"
    assert all((home / name).is_dir() or (home / f"{name}.py").is_file() for name in names)


def test_the_recipe_of_the_guide_is_one() -> None:
    guide = (ROOT / "docs" / "guide.md").read_text(encoding="utf-8")
    block = guide.split('    group = "own"\n')[1].split("\n\nA recipe")[0]
    recipe = recipe_from(tomllib.loads(re.sub(r"^    ", "", f'group = "own"\n{block}', flags=re.M)))
    assert recipe.features.mels == 64 and recipe.augment.copies == 4 and recipe.model.width == 32


def test_every_promise_names_a_test_that_is_there() -> None:
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "SECURITY.md").read_text(encoding="utf-8")))
    there = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert len(named) > 15 and named <= there
