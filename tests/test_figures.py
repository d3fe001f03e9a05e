"""Figures tell the truth: tables are those of cells and cards, the README's are those of tables.

.venv/bin/python -m pytest tests/test_figures.py
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest
from typer.testing import CliRunner

from emelia.cli import app
from emelia.results import read_results
from emelia.show.describe import known

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
README = (ROOT / "README.md").read_text(encoding="utf-8")
FIGURE = r"(?<![\w.-])\d+\.\d+(?![\w.])"
UNHEARD = "corpora never seen"


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
    from emelia.show.report.markdown import markdown

    page = path.with_suffix(".md")
    assert _block(page, path.stem) == markdown(make.found(path.stem))
    place = f"docs/results/{path.stem}"
    command = f"    emelia report {place}.jsonl --into {place}.md --name {path.stem}\n"
    assert command in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", make.CELLS, ids=lambda path: path.stem)
def test_a_committed_cell_is_named_by_the_digest_of_its_settings(path: Path) -> None:
    cells = read_results(path)
    told = {cell.recipe_digest: recipe for cell in cells if (recipe := known(cell.settings))}
    assert told, "settings that are no more are read where they say what is done anyway"
    assert {name: recipe.digest for name, recipe in told.items()} == {name: name for name in told}


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


def _prose(text: str) -> str:
    """The README without its code and without versions of Python."""
    return re.sub(r"^```.*?^```$|Python 3\.\d+( to 3\.\d+)?", "", text, flags=re.M | re.S)


def _stated(text: str) -> dict[str, list[str]]:
    """What is said where: figures of the README in their order, by the place they stand in."""
    places: dict[str, list[str]] = {}
    for part in re.split(r"\n\n+|\n(?=\|)", _prose(text)):
        said = re.sub(r"[\d.]+ [kM] parameters", "", part)
        if found := re.findall(FIGURE, said):
            places.setdefault(_place(part), []).extend(found)
    return places


def _place(part: str) -> str:
    if shipped := re.match(r"\| \[(\w+)\]\(", part):
        return f"the model {shipped[1]}"
    if part.startswith("The model that answers by default"):
        return "the first screen"
    if part.startswith("Of four emotions in a corpus"):
        return UNHEARD
    cell = part.replace("`", "").lstrip("| ")
    return next(
        (label for label in _labels() if cell.startswith((f"{label},", f"{label} |", f"{label}:"))),
        part,
    )


def _labels() -> list[str]:
    return [line.label for line in make.SPEAKERS if not line.label.startswith("mel,")]


@cache
def _measured() -> dict[str, list[str]]:
    """The same of cells and cards, in the order in which the README says it."""
    cards = make.cards()
    told = {
        f"the model {name}": [
            make.percent(part["accuracy"][0])
            for part in (cards[name].expected, cards[name].metrics["test"])
            if part
        ]
        for name in ("default", "best", "mel", "aesdd", "free")
    }
    told["the first screen"] = told["the model default"]
    told[UNHEARD] = _unheard()
    for line in make.SPEAKERS:
        shares = re.findall(FIGURE, make.shares(line.trainings))
        published = line.trainings[0].published
        told[line.label] = shares + ([f"{100 * published:.2f}"] if published else [])
    told["mel"].insert(0, told.pop("mel, one penalty, chosen")[0])
    return told


def _unheard() -> list[str]:
    rows = re.findall(r"^\| (\w+) \| ([\d.]+) [^|]*\| ([\d.]+|–)", make.unheard(), re.M)
    frozen = {name: share for name, share, _ in rows}
    tuned = {name: share for name, _, share in rows}
    return [frozen["emodb"], frozen["aesdd"], tuned["ravdess"], frozen["nemo"]]


@pytest.mark.parametrize("place", _stated(README))
def test_the_figures_of_the_readme_are_those_of_cells_and_cards(place: str) -> None:
    """A figure in another place, or in another order, needs its source in `_measured`."""
    assert _stated(README)[place] == _measured().get(place)


def test_the_readme_says_how_often_its_models_are_right() -> None:
    assert {
        "the model default",
        "the model best",
        UNHEARD,
        "whisper-base-tuned",
        "emelia",
        "variable-3",
    } <= set(_stated(README))


def test_no_figure_of_the_readme_can_change_unnoticed() -> None:
    """Each figure is made another, alone, and what is said there is no longer what is measured."""
    prose = _prose(README)
    figures = [m for m in re.finditer(FIGURE, prose) if "parameters" not in prose[m.end() :][:13]]
    assert len(figures) > 20
    for found in figures:
        other = found.group()[:-1] + str((int(found.group()[-1]) + 1) % 10)
        said = _stated(prose[: found.start()] + other + prose[found.end() :])
        before = _stated(README)
        changed = [place for place in said if said[place] != before[place]]
        assert len(changed) == 1, found.group()
        assert said[changed[0]] != _measured()[changed[0]], found.group()


def test_the_sizes_of_the_readme_are_those_of_the_networks() -> None:
    for line in make.SPEAKERS:
        (row,) = [part for part in README.splitlines() if f"| `{line.label}`" in part] or [""]
        size = line.trainings[0].parameters
        for number, unit in re.findall(r"([\d.]+) ([kM]) parameters", row):
            assert number == (f"{size / 1e6:.1f}" if unit == "M" else f"{size / 1e3:.0f}")
