"""A stress test from a corpus to its figures, pages and tables, and on again after an end.

.venv/bin/python -m pytest tests/robustness/test_running.py
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from toy_model import write_toy
from typer.testing import CliRunner
from vowels import vowels

from emelia import stress, train
from emelia.cli import app
from emelia.config import Card
from emelia.errors import ConfigError, CorpusError, ModelError, RunError, StorageError
from emelia.robustness import running
from emelia.show.card.page import to_markdown
from emelia.show.stress.page import write_tables
from emelia.show.stress.tables import read_for_card
from emelia.use.recognizer import load

RATE = 16_000  # Hz
SOME = ["white noise 20 dB", "500 zeros in front", "17 s of zeros behind", "joined to 10 s"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy(tmp_path_factory.mktemp("model") / "toy.onnx")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Vowels of two speakers and emotions, and a clip of silence."""
    root = tmp_path_factory.mktemp("corpus") / "own"
    for number in range(8):
        emotion = ("anger", "sadness")[number % 2]
        (root / emotion).mkdir(parents=True, exist_ok=True)
        wave = vowels(1.2 + 0.2 * number, 100 + 10 * number)
        speaker = "s1" if number < 4 else "s2"
        soundfile.write(root / emotion / f"{speaker}_{number}.wav", wave, RATE)
    soundfile.write(root / "anger" / "s1_9.wav", np.full(RATE, 1e-4, np.float32), RATE)
    return root


def test_a_model_is_stressed_and_goes_on_where_it_ended(
    model: Path, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[int, int, float]] = []
    found = stress(
        model, corpus, conditions=SOME, out=tmp_path, on_estimate=lambda *a: told.append(a)
    )
    assert told[0][:2] == (9, 5) and told[0][2] > 0
    assert [one.name for one in found.conditions] == [
        "500 zeros in front", "white noise 20 dB", "17 s of zeros behind", "joined to 10 s",
    ]  # fmt: skip
    assert found.plain.silent == 1 and 0 <= found.conditions[1].unchanged <= 1
    joined = found.conditions[3]
    assert len(joined.found.answers) == 4 and sum(map(len, joined.of)) == 9
    assert len(found.to_frame()) == 5 and "conditions passed" in str(found)
    assert {one.kind for one in found.groups} == {"speaker", "length"}

    lines = (tmp_path / running.JOURNAL).read_text(encoding="utf-8").splitlines()
    (tmp_path / running.JOURNAL).write_text("\n".join(lines[:4]) + "\n" + lines[4][:20])
    asked: list[str] = []
    kept = running._ask
    monkeypatch.setattr(running, "_ask", lambda batch: asked.append(batch.key) or kept(batch))
    again = stress(model, corpus, conditions=SOME, out=tmp_path)
    assert set(asked) == {"pauses: 17 s of zeros behind", "length: joined to 10 s"}
    assert again.rows() == found.rows()

    with pytest.raises(StorageError, match="of another model, or to other clips"):
        stress(model, corpus, conditions=SOME, out=tmp_path, seed=1)
    (tmp_path / running.JOURNAL).write_text('{"mark": 1}\n[]\n')
    with pytest.raises(StorageError, match=r"conditions\.jsonl"):
        stress(model, corpus, conditions=SOME, out=tmp_path)


def test_processes_answer_as_this_one_does(model: Path, corpus: Path) -> None:
    some = ["white noise 20 dB", "babble 20 dB"]
    alone = stress(model, corpus, conditions=some, clips=4)
    assert stress(model, corpus, conditions=some, clips=4, jobs=2).rows() == alone.rows()


def test_the_command_leaves_a_page_and_tables(model: Path, corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ["stress", str(model), str(corpus), "--out", str(out), "--jobs", "1",
             "--conditions", ",".join([*SOME[:2], "telephone"])]  # fmt: skip
    run = CliRunner().invoke(app, words)
    assert run.exit_code == 0, run.output
    shown = run.output
    assert "9 clips under" in shown and "By category" in shown and "GSM 06.10" in shown
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "toy on own under stress" in page and page.count("<img") >= 4
    rows = (out / "conditions.csv").read_text(encoding="utf-8").splitlines()
    assert rows[0].startswith("category,condition,clips") and "plain,as they are,9" in rows[1]
    assert (out / "groups.csv").exists() and (out / "figures").is_dir()


def test_a_card_tells_of_stress(model: Path, corpus: Path, tmp_path: Path) -> None:
    found = stress(model, corpus, conditions=[*SOME[:3], "joined to 60 s"])
    write_tables(found, tmp_path)
    known = read_for_card(tmp_path)
    assert read_for_card(tmp_path / "stress.json") == known
    card = Card.read(replace(load(model).card, stress=known).to_json())
    page = to_markdown(card)
    assert "## Under stress" in page and "white noise 20 dB" in page and "joined to 60 s" in page
    assert "Of 1 small changes" in page
    known["conditions"][0]["accuracy"] = "all"
    with pytest.raises(ModelError, match="no numbers"):
        Card.read(replace(card, stress=known).to_json())
    for damaged in ("[]", "{", '{"corpus": 3, "conditions": []}'):
        (tmp_path / "stress.json").write_text(damaged, encoding="utf-8")
        with pytest.raises(ConfigError, match="no figures of a stress test"):
            read_for_card(tmp_path)


@pytest.mark.parametrize(
    ("place", "options", "error", "message"),
    [
        ("runs/none", {}, RunError, "no such run folder"),
        ("MODEL", {"conditions": ["nois"]}, ConfigError, "expected|mean"),
        ("MODEL", {"clips": 0}, ConfigError, "expected 1 or more"),
        ("MODEL", {"labels": {"a": "b"}}, ConfigError, "has its own"),
    ],
)
def test_what_cannot_be_is_one_line(
    model: Path, corpus: Path, place: str, options: dict[str, object],
    error: type[Exception], message: str,
) -> None:  # fmt: skip
    with pytest.raises(error, match=message):
        stress(place.replace("MODEL", str(model)), corpus, **options)  # type: ignore[arg-type]


def test_a_corpus_of_other_emotions(model: Path, tmp_path: Path) -> None:
    (tmp_path / "boredom").mkdir()
    soundfile.write(tmp_path / "boredom" / "a.wav", vowels(1.0), RATE)
    with pytest.raises(CorpusError):
        stress(model, tmp_path)


@pytest.mark.slow  # exporting with torch takes seconds; the test below has all but that
def test_a_run_is_asked_as_its_model_file_would_answer(
    small_corpus: Callable[..., Path], tmp_path: Path
) -> None:
    corpus = small_corpus(speakers=3)
    tiny = {"model.width": 2, "features.mels": 16}
    train("variable-3", corpus, settings=tiny, epochs=1, out=tmp_path / "run", fold="1")
    found = stress(tmp_path / "run", corpus, conditions=["gain +2 dB"], out=tmp_path / "out")
    assert len(found.plain.answers) == 4 and found.plain.left_out[0].startswith("8 clips left out")
    again = stress(tmp_path / "run", corpus, conditions=["gain +2 dB"], out=tmp_path / "out")
    assert again.rows() == found.rows()


def test_the_file_made_of_a_run_need_not_be_the_same_again(
    model: Path, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "run.json").write_text("{}")
    made: list[Path] = []

    def exported(folder: Path, into: Path) -> Path:
        made.append(write_toy(into / "model.onnx", created=f"202{len(made)}"))
        return made[-1]

    monkeypatch.setattr("emelia.api.stress._exported", exported)
    options = {"conditions": SOME[:1], "clips": 3, "out": tmp_path / "out"}
    found = [stress(run, corpus, **options).rows() for _ in range(2)]  # type: ignore[arg-type]
    assert len(made) == 2 and made[0] != made[1] and not made[0].exists()
    assert found[0] == found[1]
