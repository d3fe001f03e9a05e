"""A run folder gives back the network it was made from, or says what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny import BANDS, same, toy

from emelia.config import FeatureConfig, ModelConfig, Recipe
from emelia.errors import RunError
from emelia.learn.training.inference import predict
from emelia.learn.training.runs import load_run, new_network, save_run

NAMES = ("anger", "fear", "χαρά")
RECIPE = Recipe("tiny", features=FeatureConfig(mels=BANDS), model=ModelConfig(width=2))
KINDS = {
    "variable": RECIPE,
    "resized": replace(RECIPE, model=ModelConfig("resized", 2, 2, frames=16)),
    "emelia": replace(RECIPE, model=ModelConfig("emelia", width=4)),
}
HISTORY = [{"epoch": 1, "loss": 1.5}, {"epoch": 2, "loss": 1.2}]
ABOUT = {"corpus": "aesdd", "seed": 4, "parts": {"test": ["χαρά/ä 1.wav"]}, "heard": ["0a"]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A finished run."""
    save_run(tmp_path / "run", RECIPE, NAMES, new_network(RECIPE, 3), HISTORY, ABOUT)
    return tmp_path / "run"


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_comes_back_as_it_was_saved(kind: str, tmp_path: Path) -> None:
    recipe, clips = KINDS[kind], toy()
    network = new_network(recipe, 3)
    before = predict(network, clips)
    save_run(tmp_path / "new" / "run", recipe, NAMES, network, HISTORY, ABOUT)
    run = load_run(tmp_path / "new" / "run")
    assert (run.recipe, run.classes, run.about) == (recipe, NAMES, ABOUT)
    assert same(run.network.state_dict(), network.state_dict())
    np.testing.assert_array_equal(predict(run.network, clips), before)
    lines = (tmp_path / "new" / "run" / "history.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == HISTORY


def test_a_run_folder_holds_numbers_and_json_only(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == [
        "history.jsonl",
        "model.safetensors",
        "run.json",
    ]
    json.loads((folder / "run.json").read_text(encoding="utf-8"))
    data = (folder / "model.safetensors").read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])  # then nothing but numbers
    assert 8 + size + max(about["data_offsets"][1] for about in header.values()) == len(data)


def change(**values: Any) -> Callable[[Path], Any]:
    """Change entries of run.json; None takes one away."""

    def apply(folder: Path) -> None:
        about = json.loads((folder / "run.json").read_text(encoding="utf-8")) | values
        kept = {key: value for key, value in about.items() if value is not None}
        (folder / "run.json").write_text(json.dumps(kept))

    return apply


def rewrite(name: str, keep: float = 1.0, put: bytes = b"") -> Callable[[Path], Any]:
    """Keep a share of a file, and put something behind it."""

    def apply(folder: Path) -> None:
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: int(keep * len(data))] + put)

    return apply


DAMAGE = {
    "half the weights": rewrite("model.safetensors", 0.5),
    "no weights": rewrite("model.safetensors", 0),
    "noise for weights": rewrite("model.safetensors", 0, bytes(range(256)) * 9),
    "more weights than named": rewrite("model.safetensors", 1, b"1234"),
    "half of run.json": rewrite("run.json", 0.5),
    "an empty run.json": rewrite("run.json", 0),
    "bytes in run.json": rewrite("run.json", 0, b"\xff\xfe\x00"),
    "a list in run.json": rewrite("run.json", 0, b"[1, 2]"),
    "a word in run.json": rewrite("run.json", 0, b'"run"'),
    "no end of lists in run.json": rewrite("run.json", 0, b"[" * 200_000),
    "no schema": change(schema=None),
    "no recipe": change(recipe=None),
    "no classes": change(classes=None),
    "classes that are a number": change(classes=3),
    "another number of classes": change(classes=["anger", "fear"]),
    "a recipe that is a list": change(recipe=[1, 2]),
    "another network": change(recipe={"model": {"width": 4}}),
}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_run_is_named_with_the_remedy(how: str, folder: Path) -> None:
    DAMAGE[how](folder)
    with pytest.raises(RunError, match=r"run: damaged \(.+\)\. Train it again with") as caught:
        load_run(folder)
    assert "\n" not in str(caught.value)


def test_a_run_whose_weights_are_a_folder_is_damaged(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").mkdir()
    with pytest.raises(RunError, match="damaged"):
        load_run(folder)


def test_a_run_without_weights_is_damaged(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    with pytest.raises(RunError, match=r"damaged.*model\.safetensors.*Train it again"):
        load_run(folder)


def test_settings_of_another_version_are_named(folder: Path) -> None:
    change(recipe={"model": {"name": "variable", "heads": 4}})(folder)
    with pytest.raises(RunError, match=r"settings this version does not know.*model\.heads"):
        load_run(folder)


@pytest.mark.parametrize(
    "later",
    [
        change(schema=2),
        change(schema=2, recipe={"heads": 4}),
        change(schema=2, recipe=None, classes=None, labels=[]),
    ],
    ids=["alone", "with unknown settings", "with other entries"],
)
def test_a_run_of_a_later_version_asks_for_that_version(later: Any, folder: Path) -> None:
    later(folder)
    with pytest.raises(RunError, match=r"schema 2, this version reads 1\. Install a newer emelia"):
        load_run(folder)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"gone: no such run folder\. `emelia train"):
        load_run(tmp_path / "gone")


def test_an_unfinished_run_says_how_to_go_on(tmp_path: Path) -> None:
    (tmp_path / "checkpoint.safetensors").write_bytes(b"weights")
    with pytest.raises(RunError, match=r"not finished.*emelia train --resume"):
        load_run(tmp_path)


def test_any_other_folder_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"not a run folder \(it has no run\.json\)"):
        load_run(tmp_path)


def test_a_file_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(RunError, match=r"run\.json: no such run folder"):
        load_run(tmp_path / "run.json")
