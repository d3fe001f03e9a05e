"""`emelia adapt`, --source and --adapt: said, kept in a file, and never done unasked."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from toy_model import write_adaptable
from vowels import vowels

from emelia.cli import main

RATE = 16_000
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Run a command in a folder with a model and six recordings each of two offices."""
    monkeypatch.chdir(tmp_path)
    write_adaptable(Path("toy.onnx"))
    for office, power in (("a", 1.0), ("b", 0.5)):
        Path("calls", office).mkdir(parents=True)
        for number in range(4):
            wave = vowels(1.5, 100 + 15 * number)
            bent = np.sign(wave) * np.abs(2 * wave) ** (power * (0.5 + 0.2 * number))
            soundfile.write(f"calls/{office}/{number}.wav", bent, RATE)

    def command(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["emelia", *words])
        try:
            code = main()
        except SystemExit as leaving:
            code = int(leaving.code or 0)
        out, err = capsys.readouterr()
        return code, out, err

    return command


TOY = ("--model", "toy.onnx")


def rows(path: str) -> list[dict[str, str]]:
    return list(csv.DictReader(Path(path).read_text().splitlines()))


def test_a_source_is_learnt_gone_on_with_and_used(run: Run) -> None:
    code, out, _ = run("adapt", "calls/a", "--out", "office.json", *TOY)
    assert code == 0 and out.startswith("adapted to 4 recordings; ")
    assert out.endswith("Written: office.json\n")
    code, _, err = run("adapt", "calls/a", "--out", "office.json", *TOY)
    assert code == 1 and "is there already. Add --add" in err
    labelled = ("--known", "happy:calls/b/1.wav", "--add")
    code, out, _ = run("adapt", "calls/b", "--out", "office.json", *TOY, *labelled)
    assert code == 0 and out.startswith("adapted to 5 recordings (and 4 before); ")
    code, out, err = run(
        "predict", "calls/a/1.wav", *TOY, "--source", "office.json", "--format", "json"
    )
    assert json.loads(out)["adapted"] == 9 and "answers are adapted to its 9 recordings" in err
    assert "adapted" not in json.loads(run("predict", "calls/a/1.wav", *TOY, "--format", "json")[1])


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["adapt", "calls", "--out", "x.json", "--model", "aesdd"], 1, "cannot be adapted"),
        (["adapt", "none", "--out", "x.json", *TOY], 1, "no such file or folder"),
        (["adapt", "calls", "--out", "x.json", *TOY, "--known", "x.wav"], 2, "EMOTION:PATH"),
        (["adapt", "calls", "--out", "x.json", *TOY, "--channel", "each"], 2, "choose one"),
        (["predict", "calls/a/0.wav", *TOY, "--source", "toy.onnx"], 1, "not the file of a source"),
        (["predict", "calls/a/0.wav", *TOY, "--adapt"], 2, "Add --timeline"),
        (["score", "calls", "x.csv", *TOY, "--source-by", "folder"], 2, "Add --adapt"),
        (["score", "calls", "x.csv", *TOY, "--adapt", "--source-by", "caller"], 1, "not a table"),
    ],
)
def test_a_mistake_is_one_line(run: Run, words: list[str], code: int, said: str) -> None:
    found, out, err = run(*words)
    assert (found, out) == (code, "") and said in err, err
    assert err.startswith("emelia: ") and err.count("\n") == 1


def test_scores_are_adapted_by_source_and_nothing_is_heard_twice(run: Run) -> None:
    score = ("score", "calls", "scores.csv", *TOY, "--jobs", "1")
    assert run(*score)[0] == 0
    plain = rows("scores.csv")
    assert "adapted" not in plain[0]
    code, out, err = run(*score, "--adapt", "--source-by", "folder")
    assert code == 0 and "8 of them before" in out and "nothing new" in err
    by_folder = rows("scores.csv")
    changed = sum(a["emotion"] != b["emotion"] for a, b in zip(plain, by_folder, strict=True))
    assert f"adapted to 8 recordings of 2 sources; {changed} answer" in out
    assert {row["adapted"] for row in by_folder} == {"4"}

    run("adapt", "calls/a", "--out", "a.json", *TOY)
    asked = ("predict", "calls/a", *TOY, "--source", "a.json", "--format", "csv")
    for one, other in zip(csv.DictReader(run(*asked)[1].splitlines()), by_folder, strict=False):
        assert one["emotion"] == other["emotion"]
        assert float(one["confidence"]) == pytest.approx(float(other["confidence"]), abs=1e-4)

    table = "path,caller\n0.wav,x\n1.wav,x\n2.wav,x\n3.wav,\n../b/0.wav,y\n"
    Path("calls/a/list.csv").write_text(table)
    listed = ("score", "calls/a/list.csv", "two.csv", *TOY, "--jobs", "1", "--adapt")
    code, out, err = run(*listed, "--source-by", "caller")
    assert [row["adapted"] for row in rows("two.csv")] == ["3", "3", "3", "0", "0"]
    assert "adapted to 3 recordings; " in out
    assert "with enough speech: y." in err and "1 recording without a source" in err


def test_a_timeline_and_a_stream_are_got_used_to_as_they_go(run: Run) -> None:
    voices = np.concatenate([vowels(10), vowels(10, 180)])
    soundfile.write("long.wav", np.tile(voices, 4), RATE)  # too long to be heard as a whole first
    follow = ("predict", "long.wav", *TOY, "--timeline", "--format", "json")
    told = json.loads(run(*follow, "--adapt")[1])
    plain = json.loads(run(*follow)[1])
    assert told["adapted"] >= 5 and "adapted" not in plain
    assert told["windows"][0] == plain["windows"][0], "the first is heard before any source"
    assert told["windows"][-1] != plain["windows"][-1]
    code, _, err = run("listen", "--file", "long.wav", "--fast", "--adapt", *TOY)
    assert code == 0 and f"adapted to {told['adapted']} clips" in err
    code, _, err = run("predict", "calls/a/0.wav", *TOY, "--timeline", "--adapt")
    assert code == 0 and "too little speech to get used to" in err
