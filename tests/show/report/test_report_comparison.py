"""Random splits against new speakers, written into a page by a command."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import fake_study
import pytest
from typer.testing import CliRunner

from emelia.cli import app
from emelia.errors import ConfigError, RunError, StorageError
from emelia.metrics import uar
from emelia.results import Cell, studies
from emelia.show.report.markdown import comparison, markdown
from emelia.show.report.study_tables import all_tables, folds
from emelia.show.tables import write_block

CLIPS = fake_study.utterances()
RANDOM = fake_study.study(fake_study.at_random(CLIPS), ["variable-3", "emelia"], [0])
LOSO = fake_study.study(fake_study.loso(CLIPS), ["variable-3", "emelia"], [0])
OPTIONS = ("--name", "against", "--only-comparison")


def kept(path: Path, cells: Iterable[Cell]) -> Path:
    path.write_text("".join(f"{cell.to_json()}\n" for cell in cells), encoding="utf-8")
    return path


def run(*args: object) -> None:
    CliRunner().invoke(app, ["report", *map(str, args)], catch_exceptions=False)


def test_studies_of_both_kinds_end_with_their_comparison() -> None:
    found = studies([*RANDOM, *LOSO])
    text = markdown(found)
    assert text.startswith("**aesdd, author-80-20**") and "**aesdd, loso**" in text
    assert text.endswith(comparison(found))
    assert comparison(found).startswith("**What random splits would have claimed**")


def test_studies_of_one_kind_have_no_comparison() -> None:
    assert comparison(studies(LOSO)) == ""
    assert "claimed" not in markdown(studies(LOSO)).rpartition("**Do two recipes differ?**")[2]


def test_the_comparison_alone_goes_between_its_markers_whatever_the_order(tmp_path: Path) -> None:
    page = tmp_path / "results.md"
    page.write_text("Before.\n\n<!-- begin against -->\n<!-- end against -->\n\nAfter.\n")
    random, apart = (kept(tmp_path / name, c) for name, c in (("a", RANDOM), ("b", LOSO)))
    run(random, apart, "--into", page, *OPTIONS)
    text = page.read_text(encoding="utf-8")
    assert comparison(studies([*RANDOM, *LOSO])) in text
    assert text.count("\n| ") == 4, "head, rule and two recipes: no table of one study"
    run(apart, random, "--into", page, *OPTIONS)
    assert page.read_text(encoding="utf-8") == text


def test_a_recipe_whose_folds_are_not_all_there_is_not_compared(tmp_path: Path) -> None:
    page, half = tmp_path / "results.md", [c for c in LOSO if (c.recipe, c.fold) != ("emelia", "2")]
    files = [kept(tmp_path / name, c) for name, c in (("a", RANDOM), ("b", half))]
    run(*files, "--into", page, *OPTIONS)
    assert "| variable-3 |" in page.read_text() and "| emelia |" not in page.read_text()


def test_what_cannot_be_compared_is_refused_and_the_page_left(tmp_path: Path) -> None:
    page, file = tmp_path / "results.md", kept(tmp_path / "a", LOSO)
    with pytest.raises(RunError, match="nothing to compare; expected one recipe on a split"):
        run(file, "--into", page, *OPTIONS)
    assert not page.exists()
    with pytest.raises(ConfigError, match="give --into"):
        run(file, *OPTIONS)


def test_a_folder_or_a_recording_is_no_page_to_write_into(tmp_path: Path) -> None:
    recording = tmp_path / "a.wav"
    recording.write_bytes(b"RIFF\xff\xfe")
    for place in (tmp_path, recording):
        with pytest.raises(StorageError, match="cannot be read as text"):
            write_block(place, "against", "text")
    assert recording.read_bytes() == b"RIFF\xff\xfe"


def test_a_study_that_leaves_corpora_out_tells_each_one_apart() -> None:
    cells = [replace(cell, split="loco", corpus="a+b") for cell in LOSO]
    (study,) = studies(cells)
    table = folds(study)
    assert [line[0] for line in table.rows] == list(dict.fromkeys(cell.fold for cell in cells))
    cell = next(cell for cell in cells if cell.recipe == "emelia")
    column = table.columns.index("emelia")
    right = f"{100 * uar(cell.truth, cell.predicted):.1f} ("
    assert table.rows[0][column].startswith(right)
    assert table.title in [one.title for one in all_tables(study)]
    assert not folds(studies(LOSO)[0]).rows, "of speakers there is a table already"
