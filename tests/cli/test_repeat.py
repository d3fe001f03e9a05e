"""`emelia repeat` does a training again: equal to the digit, or it says what differs."""

# ruff: noqa: F811  # tests take the fixture that is imported

from __future__ import annotations

import json
import shutil
from itertools import product
from pathlib import Path

import pytest

pytest.importorskip("torch")
import soundfile
from conftest import RATE, voice
from test_cli import Run, run  # noqa: F401  # a fixture

import emelia
from emelia.corpora import read_corpus

SMALL = {"model.width": 2, "train.batch_size": 4, "features.mels": 16}


def _clip(path: Path, pitch: float, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, voice(pitch, seconds=0.6, seed=seed), RATE)


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a corpus, another one that is added to training, and the run of both."""
    here = tmp_path_factory.mktemp("once")
    for number, (emotion, speaker, take) in enumerate(product(("anger", "fear"), "123", "12")):
        _clip(here / "corpus" / emotion / f"{speaker}_{take}.wav", 100 + 20 * number, number)
    for take in "12":
        _clip(here / "other" / "fear" / f"8_{take}.wav", 300, 100 + int(take))
    emelia.train(
        "variable-3", here / "corpus", others=read_corpus(here / "other"), settings=SMALL,
        epochs=2, seed=3, fold="2", out=here / "run",
    )  # fmt: skip
    return here


@pytest.fixture
def trained(once: Path, tmp_path: Path) -> Path:
    """The run, in a copy of that folder."""
    shutil.copytree(once, tmp_path, dirs_exist_ok=True)
    about = tmp_path / "run" / "run.json"
    about.write_text(about.read_text().replace(str(once), str(tmp_path)))
    return tmp_path / "run"


def test_a_training_done_again_is_equal_to_the_digit(run: Run, trained: Path) -> None:
    answer = run("repeat", trained)
    assert answer.code == 0, answer.err + answer.out
    assert "Equal to the last digit: 2 epochs, and the probabilities of 4 test clips." in answer.out
    again = trained.with_name("run-again")
    assert (again / "answers.json").read_bytes() == (trained / "answers.json").read_bytes()
    run("repeat", trained).refuses(1, "holds a finished training")
    assert "Equal to the last digit" in run("repeat", trained, "--resume").out


def test_what_differs_is_told(run: Run, trained: Path) -> None:
    result = trained / "result.json"
    cell = json.loads(result.read_text())
    cell["predictions"][0]["probabilities"].reverse()
    cell["versions"]["torch"] = "1.0"
    result.write_text(json.dumps(cell))
    answer = run("repeat", trained)
    assert answer.code == 1
    assert "Differs: the probabilities of the test clips: by up to" in answer.out
    assert "Other versions: torch 1.0, now" in answer.out


def test_recordings_that_changed_are_named(run: Run, trained: Path) -> None:
    added = sorted((trained.parent / "other").rglob("*.wav"))[0]
    _clip(added, 400, 999)
    run("repeat", trained).refuses(1, "1 recordings of the run have changed since", added.name)
    added.unlink()
    run("repeat", trained).refuses(1, "1 recordings of the run are not there any more", added.name)
    sorted((trained.parent / "corpus").rglob("*.wav"))[0].unlink()
    run("repeat", trained).refuses(1, "corpus: has other recordings, labels or speakers")


def test_a_corpus_that_moved_is_named(run: Run, trained: Path) -> None:
    (moved := trained.parent / "moved").mkdir()
    (trained.parent / "corpus").rename(moved / "corpus")
    run("repeat", trained).refuses(1, "no such folder")
    run("repeat", trained, moved / "corpus").refuses(1, "1 corpora; the run has 2")
    place = f"{moved / 'corpus'}+{trained.parent / 'other'}"
    answer = run("repeat", trained, place)
    assert answer.code == 0, answer.err


def test_other_settings_than_the_run_had_are_not_repeated(run: Run, trained: Path) -> None:
    result = trained / "result.json"
    result.write_text(result.read_text().replace('"lr": 0.001', '"lr": 0.002'))
    run("repeat", trained).refuses(1, "its settings, or the runs it began with")


def test_a_study_is_too_much_and_no_run_too_little(run: Run, tmp_path: Path) -> None:
    run("repeat", tmp_path).refuses(1, "no finished training here")
