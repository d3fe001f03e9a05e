"""Damaged files of every kind are read, or refused in one line; `tools/fuzz_files.py` does more."""

from __future__ import annotations

import json
import random
import sqlite3
import sys
from pathlib import Path

import pytest
from conftest import ROOT

pytest.importorskip("torch")
sys.path.append(str(ROOT / "tools"))
import fuzz_files
from file_readers import readers

from emelia.config import load_recipe
from emelia.errors import ConfigError, StorageError
from emelia.learn.export.temperature import answers_of
from emelia.text import from_json
from emelia.use.scoring.journal import Journal


def test_a_seed_of_damaged_files_leads_to_no_traceback(tmp_path: Path) -> None:
    for reader in readers(tmp_path):
        found, wrong = fuzz_files.faults(reader, tmp_path, mutants=15, seed=7)
        assert wrong == [] and found.total() == 15


def test_mutants_of_a_file_are_other_files() -> None:
    good = b'{"a": [1, {"b": "c"}], "d": 2}\n' * 2
    made = {fuzz_files.mutant(good, random.Random(seed)) for seed in range(200)}
    assert len(made) > 120 and sum(one != good for one in made) > 120


def test_what_is_nested_too_deeply_is_no_value(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nested too deeply"):
        from_json("[" * 100_000)
    (recipe := tmp_path / "deep.toml").write_text(f"x = {'[' * 100_000}")
    with pytest.raises(ConfigError, match=r"not valid TOML \(nested too deeply\)"):
        load_recipe(recipe)


@pytest.mark.parametrize(
    "row", ["nul", "null", "3", '{"mix": null}', "[]", "[3]", '{"1": ["a"], "2": 3}', "[" * 100_000]
)
def test_a_damaged_row_of_a_journal_is_named(row: str, tmp_path: Path) -> None:
    with Journal(tmp_path / "a.journal", {"model": "a"}) as journal:
        journal.add("a.wav", (1, 1), {"": ("anger", 0.5)})
        assert journal.rows("a.wav") == {"": ("anger", 0.5)}
    base = sqlite3.connect(tmp_path / "a.journal")
    with base:
        base.execute("UPDATE rows SET row = ?", (row,))
    base.close()
    with (
        Journal(tmp_path / "a.journal", {"model": "a"}) as journal,
        pytest.raises(StorageError, match=r"damaged. Delete it to start anew\."),
    ):
        journal.rows("a.wav")


@pytest.mark.parametrize("number", [2**70, float("inf")])
def test_a_truth_too_large_for_a_class_is_no_answer(number: float) -> None:
    records = json.loads(json.dumps([{"truth": number, "logits": [0.0, 1.0]}]))
    with pytest.raises(ValueError, match=r"too large|cannot convert"):
        answers_of(records, 2)
