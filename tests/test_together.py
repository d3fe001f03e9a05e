"""Several networks together, as the benchmarks make them: answers averaged, weights averaged."""

from __future__ import annotations

import runpy
import sys
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fake_study import loso, study, utterances
from tiny import PLAIN, network
from tiny_encoder import NAME, TUNED

from emelia.learn.encoders import load_weights
from emelia.learn.models import Encoder
from emelia.learn.runs import load_run, save_run
from emelia.metrics import accuracy

ROOT = Path(__file__).resolve().parents[1]
ANSWERS: dict[str, Any] = runpy.run_path(str(ROOT / "benchmarks" / "averaged_answers.py"))
WEIGHTS = ROOT / "benchmarks" / "averaged_weights.py"
CLASSES = ("a", "b", "c")


def test_averaged_answers_stand_below_those_of_each_training() -> None:
    cells = [
        cell
        for cell in study(loso(utterances()), ("emelia", "variable-3"), (0, 1), epochs=1)
        if (cell.recipe, cell.seed) != ("variable-3", 1)
    ]
    table = ANSWERS["table"]("loso", cells)
    assert [row[0].partition(" (")[0] for row in table.rows] == ["emelia"] * 2 + [
        "variable-3",
        "all 3 together",
    ]
    folds = sorted({cell.fold for cell in cells})
    together, truth = [], []
    for fold in folds:
        alike = [cell for cell in cells if cell.fold == fold]
        together.append(np.mean([cell.calibrated for cell in alike], axis=0).argmax(1))
        truth.append(alike[0].truth)
    right = accuracy(np.concatenate(truth), np.concatenate(together))
    assert table.rows[-1][1].startswith(f"{100 * right:.1f} (")
    alone = [float(row[2].partition(" ")[0]) for row in table.rows[:-1]]
    mean, spread = table.note.rpartition("of UAR: ")[2].removesuffix(" %.").split(" ± ")
    assert float(mean) == pytest.approx(np.mean(alone), abs=0.11)
    assert float(spread) == pytest.approx(np.std(alone, ddof=1), abs=0.16)


def test_one_training_is_no_ensemble_and_one_that_lacks_folds_is_left_out() -> None:
    cells = study(loso(utterances()), ("emelia", "variable-3"), (0,), epochs=1)
    one = [cell for cell in cells if cell.recipe == "emelia"]
    assert ANSWERS["table"]("loso", one) is None
    last = max(cell.fold for cell in cells)
    part = [cell for cell in cells if (cell.recipe, cell.fold) != ("variable-3", last)]
    assert ANSWERS["table"]("loso", part) is None


def folders(place: Path, classes: tuple[str, ...] = CLASSES) -> list[Path]:
    made = [place / "one", place / "two"]
    for seed, folder in enumerate(made):
        about = {"heard": [f"{seed}", "both"], "seed": seed}
        save_run(folder, PLAIN, classes if seed else CLASSES, network(PLAIN, seed), [], about)
    return made


def average(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["averaged_weights.py", *map(str, arguments)])
    runpy.run_path(str(WEIGHTS), run_name="__main__")


def test_the_mean_of_weights_is_a_run_that_has_heard_what_all_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = folders(tmp_path)
    average(monkeypatch, *made, "--out", tmp_path / "mean")
    found, (one, two) = load_run(tmp_path / "mean"), map(load_run, made)
    for key, value in found.network.state_dict().items():
        ours = (one.network.state_dict()[key] + two.network.state_dict()[key]) / 2
        torch.testing.assert_close(value, ours)
    assert found.about["heard"] == ["0", "1", "both"]


def test_runs_of_other_classes_or_recipes_have_no_mean(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SystemExit, match="different recipes or classes"):
        average(monkeypatch, *folders(tmp_path, ("a", "b", "d")), "--out", tmp_path / "mean")
    other = replace(PLAIN, name="other", train=replace(PLAIN.train, lr=0.5))
    save_run(tmp_path / "two", other, CLASSES, network(PLAIN), [], {"heard": []})
    with pytest.raises(SystemExit, match="different recipes or classes"):
        average(monkeypatch, tmp_path / "one", tmp_path / "two", "--out", tmp_path / "mean")


@pytest.mark.usefixtures("small_encoders")
def test_a_share_of_what_an_encoder_was_before_is_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tuned = network(TUNED, 0)
    assert isinstance(tuned, Encoder)
    save_run(tmp_path / "one", TUNED, CLASSES, tuned, [], {"heard": ["0"]})
    average(monkeypatch, tmp_path / "one", "--pretrained", 0.25, "--out", tmp_path / "back")
    found, before = load_run(tmp_path / "back").network, deepcopy(tuned)
    assert isinstance(found, Encoder)
    load_weights(before.encoder, NAME)
    for key, value in found.state_dict().items():
        ours = 0.75 * tuned.state_dict()[key] + 0.25 * before.state_dict()[key]
        torch.testing.assert_close(value, ours)
    assert not torch.equal(found.encoder.conv1.weight, tuned.encoder.conv1.weight)  # type: ignore[arg-type,union-attr]


@pytest.mark.usefixtures("small_encoders")
def test_only_a_pretrained_encoder_has_something_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = folders(tmp_path)
    solved = replace(TUNED, model=replace(TUNED.model, encoder="mel", blocks=1))
    save_run(tmp_path / "mel", solved, CLASSES, network(solved, 0), [], {"heard": ["0"]})
    for run in (made[0], tmp_path / "mel"):
        with pytest.raises(SystemExit, match="no pre-trained encoder"):
            average(monkeypatch, run, "--pretrained", 0.5, "--out", tmp_path / "back")
