"""Means over several trainings, as the README has them."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest
from fake_study import loso, study, utterances

ROOT = Path(__file__).resolve().parents[1]
README = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
BENCH: dict[str, Any] = runpy.run_path(str(ROOT / "benchmarks" / "quality.py"))


@pytest.mark.parametrize(
    ("results", "digests", "column", "told"),
    [
        ("tuned", "7e222c11,2b4f71ca,97924dfc", 1, "| **{}**, mean of three seeds: "),
        ("seeds", "cd5b8323,1259c58f,85faeda3", 1, "| {}, mean of three seeds: "),
        ("shun", "2803b66a,491f6eb6,aa8cc7e4", 2, "{} % on RAVDESS with fine-tuned ones (three"),
    ],
)
def test_the_means_of_the_readme_are_those_of_the_results(
    results: str, digests: str, column: int, told: str
) -> None:
    split = "loso+ravdess+emodb+nemo" if results == "tuned" else ""
    path = ROOT / "docs" / "results" / f"{results}.jsonl"
    found = BENCH["table"](BENCH["chosen"](path, digests.split(","), split))
    assert len(found.rows) == 4 and found.rows[-1][0] == "mean of 3"
    assert told.format(found.rows[-1][column].partition(" ±")[0]) in README


def test_what_is_not_finished_or_not_there_has_no_mean(tmp_path: Path) -> None:
    cells = study(loso(utterances()), ("emelia", "variable-3"), (0,), epochs=1)
    one, other = cells[0].recipe_digest, cells[-1].recipe_digest
    results = tmp_path / "results.jsonl"
    results.write_text("".join(f"{cell.to_json()}\n" for cell in cells[:-1]))
    assert len(BENCH["chosen"](results, [one])) == 1
    for digest in (other, "00000000"):
        with pytest.raises(SystemExit, match=f"0 finished rows of {digest}, expected one"):
            BENCH["chosen"](results, [one, digest])
