"""Figures tell the truth: tables are those of cells and cards.

.venv/bin/python -m pytest tests/test_figures.py
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import sys
from pathlib import Path
from types import ModuleType

import pytest
from typer.testing import CliRunner

from emelia.cli import app

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
FIGURE = r"(?<![\w.-])\d+\.\d+(?![\w.])"


def _make_results() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_results", DOCS / "make_results.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


make = _make_results()


def _block(page: Path, name: str) -> str:
    text = page.read_text(encoding="utf-8")
    (block,) = re.findall(rf"<!-- begin {name} -->\n\n(.*?)\n\n<!-- end {name} -->", text, re.S)
    return str(block)


@pytest.mark.parametrize("path", make.CELLS, ids=lambda path: path.stem)
def test_the_tables_of_a_page_are_those_of_the_cells_beside_it(path: Path) -> None:
    from emelia.show.markdown import markdown

    page = path.with_suffix(".md")
    assert _block(page, path.stem) == markdown(make.found(path.stem))
    place = f"docs/results/{path.stem}"
    command = f"    emelia report {place}.jsonl --into {place}.md --name {path.stem}\n"
    assert command in page.read_text(encoding="utf-8")


def test_the_command_on_a_page_writes_the_page_as_it_is(tmp_path: Path) -> None:
    page = Path(shutil.copy(DOCS / "results" / "front.md", tmp_path))
    cells = str(DOCS / "results" / "front.jsonl")
    done = CliRunner().invoke(app, ["report", cells, "--into", str(page), "--name", "front"])
    assert done.exit_code == 0, done.output
    assert page.read_bytes() == (DOCS / "results" / "front.md").read_bytes()


@pytest.mark.parametrize("name", make.SUMMARIES)
def test_the_tables_of_the_results_are_those_of_cells_and_cards(name: str) -> None:
    assert _block(make.PAGE, name) == make.SUMMARIES[name]()


def test_every_finding_of_the_log_is_in_its_index() -> None:
    log = make.LOG.read_text(encoding="utf-8")
    block = _block(make.LOG, "index")
    assert block == make.index(log)
    assert block.count("\n") > 80 and all(line.startswith("- [20") for line in block.splitlines())


def test_the_results_are_a_page_to_read_and_no_figure_of_it_is_typed() -> None:
    page = make.PAGE.read_text(encoding="utf-8")
    assert len(page.splitlines()) <= 300
    prose = re.sub(r"<!-- begin (\S+) -->.*?<!-- end \1 -->", "", page, flags=re.S)
    assert re.findall(FIGURE, re.sub(r"^    .*$", "", prose, flags=re.M)) == []
