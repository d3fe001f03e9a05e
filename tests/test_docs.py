"""Documents tell the truth: their code runs, their commands, files and settings exist.

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
from emelia.results import read_results, studies
from emelia.show.wording import known

ROOT = Path(__file__).parents[1]
TOP = ("README.md", "CONTRIBUTING.md", "SECURITY.md")
PAGES = [*(ROOT / name for name in TOP), *sorted((ROOT / "docs").glob("*.md"))]
CELLS = sorted((ROOT / "docs" / "results").glob("*.jsonl"))
README = PAGES[0].read_text(encoding="utf-8")


@pytest.mark.parametrize("block", re.findall(r"```python\n(.*?)```", README, re.S))
def test_the_python_of_the_readme_runs(
    block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(block, "README.md", "exec"), {})


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
def test_every_link_to_a_file_leads_to_one(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_name_in_the_tree_of_the_readme_is_there() -> None:
    tree = README.split("    src/emelia/\n")[1].split("\n\n")[0]
    names = re.findall(r"^      (\w+/?)(?=  )", tree, re.M)
    assert len(names) > 10
    home = ROOT / "src" / "emelia"
    assert all((home / name).is_dir() or (home / f"{name}.py").is_file() for name in names)


def test_the_recipe_of_the_guide_is_one() -> None:
    guide = (ROOT / "docs" / "guide.md").read_text(encoding="utf-8")
    block = guide.split('    group = "own"\n')[1].split("\n\nA recipe")[0]
    recipe = recipe_from(tomllib.loads(re.sub(r"^    ", "", f'group = "own"\n{block}', flags=re.M)))
    assert recipe.features.mels == 64 and recipe.augment.copies == 4 and recipe.model.width == 32


@pytest.mark.parametrize("recipe", ["emelia", "resized-3", "variable-3"])
def test_the_figures_of_the_readme_are_those_of_the_results(recipe: str) -> None:
    (study,) = studies(read_results(ROOT / "docs" / "results" / "aesdd-loso.jsonl"))
    row = next(row for row in study.rows if row.recipe == recipe)
    (line,) = re.findall(rf"^\| `{recipe}`.*$", README, re.M)
    ends = row.accuracy_interval
    for share in (row.accuracy, ends.low, ends.high):
        assert f"{100 * share:.1f}" in line
    if row.published:
        assert f"{100 * row.published:.2f}" in line


@pytest.mark.parametrize("path", CELLS, ids=lambda path: path.stem)
def test_the_tables_of_the_results_are_those_of_the_committed_cells(path: Path) -> None:
    from emelia.show.markdown import markdown

    page = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    assert markdown(studies(read_results(path))) in page


@pytest.mark.parametrize("path", CELLS, ids=lambda path: path.stem)
def test_a_committed_cell_is_named_by_the_digest_of_its_settings(path: Path) -> None:
    cells = read_results(path)
    told = {cell.recipe_digest: recipe for cell in cells if (recipe := known(cell.settings))}
    assert told, "settings that are no more are read where they say what is done anyway"
    assert {name: recipe.digest for name, recipe in told.items()} == {name: name for name in told}


def test_random_and_new_speakers_are_compared_from_the_committed_cells() -> None:
    from emelia.show.markdown import comparison

    page = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    files = [ROOT / "docs" / "results" / f"aesdd-{name}.jsonl" for name in ("author", "loso")]
    text = comparison(studies(cell for file in files for cell in read_results(file)))
    block = page.split("<!-- begin random-against-loso -->\n\n")[1]
    assert text and block.startswith(f"{text}\n\n<!-- end random-against-loso -->")
