"""From Python: models that ship and their server, and the search of settings."""

from __future__ import annotations

import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from toy_model import write_toy

from emelia import EmeliaError, model_card, models, serve, tune
from emelia.api.shipped import side_by_side


def test_models_are_listed_by_how_often_they_are_right_elsewhere() -> None:
    pandas = pytest.importorskip("pandas")
    told = models()
    frame = told.to_frame()
    assert list(frame["name"]) == list(told) and set(told) >= {"default", "aesdd", "free"}
    assert frame["unseen_uar"].dropna().between(0.2, 1).all()
    corpora, means = side_by_side(told)
    assert list(means) == sorted(means, key=lambda name: -means[name]) == list(told)[: len(means)]
    for name, mean in means.items():
        each = told[name].expected["per_corpus"]
        assert mean == pytest.approx(sum(each[one]["uar"][0] for one in corpora) / len(corpora))
    assert pandas.isna(frame["unseen_uar"].iloc[-1]), "what was not measured comes last"
    assert frame.set_index("name")["chance"]["aesdd"] == pytest.approx(1 / 5)
    assert model_card("aesdd") == told["aesdd"] and "aesdd: " in str(told)
    with pytest.raises(EmeliaError, match="aesd"):
        model_card("aesd")


def test_a_server_is_started_from_python(tmp_path: Path) -> None:
    pytest.importorskip("fastapi")
    toy = write_toy(tmp_path / "toy.onnx")
    code = (
        "from emelia import serve\n"
        f"serve({str(toy)!r}, port=0, max_seconds=10, on_ready=lambda url: print(url, flush=True))"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    with process.stdout as told:
        url = told.readline().strip()
        with urllib.request.urlopen(f"{url.rstrip('/')}/v1/models", timeout=30) as answer:
            assert "toy" in answer.read().decode()
        process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 0
    with pytest.raises(TypeError, match="no_such"):
        serve(toy, no_such=1)


@pytest.mark.usefixtures("one_thread")
def test_settings_are_searched_and_tested_from_python(
    small_corpus: Callable[..., Path], tmp_path: Path
) -> None:
    pytest.importorskip("optuna")
    place, out = small_corpus(speakers=4), tmp_path / "tuned"
    small = {"model.width": 2, "features.mels": 16, "train.batch_size": 4}
    asked = {"settings": small, "epochs": 1, "test_seeds": 1, "split": "loso", "out": out}
    found = tune(place, "variable-3", trials=2, **asked)
    assert len(found.to_frame()) == 2 and found.file.is_file()
    assert str(found).startswith(f"{found.file}: best of 2 trials, validation UAR")
    tested = {cell.recipe for cell in found.tested.cells}
    assert tested <= {"variable-3", "variable-3-tuned"} and "variable-3" in tested
    again = tune(place, "variable-3", trials=2, **asked)
    assert again.search.best == found.search.best, "what is finished is kept"
    with pytest.raises(EmeliaError, match="no fold '9'; there are: 1, 2, 3, 4"):
        tune(place, "variable-3", fold="9", **asked)
