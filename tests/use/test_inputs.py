"""Lists for `predict` and `score`: as spreadsheets and shells write them, with segments or not."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from vowels import vowels

from emelia import console, load
from emelia.audio import excerpts
from emelia.cli import main
from emelia.errors import AudioError
from emelia.use.inputs import Excerpt, path_of, recordings
from emelia.use.scoring.run import score

RATE = 16_000  # Hz
SEGMENTS = "path,start,end\nb c.wav,0,1\nb c.wav,0 days 00:00:01,\na/0.wav,,\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two recordings of 2 s, one in a folder and one with a blank in its name."""
    (tmp_path / "a").mkdir()
    wave = vowels(2.0)
    soundfile.write(tmp_path / "a/0.wav", wave, RATE)
    soundfile.write(tmp_path / "b c.wav", wave[::-1], RATE)
    return tmp_path


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Any:
    """Run a command in this process; return exit code, output and errors."""

    def command(*words: str | Path) -> tuple[int, str, str]:
        console._stderr.cache_clear()
        monkeypatch.setattr(sys, "argv", ["emelia", *map(str, words)])
        try:
            code = main()
        except SystemExit as leaving:
            code = int(leaving.code or 0)
        return code, *capfd.readouterr()

    return command


Run = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("semicolon.csv", "\ufeffid;path\r\n1;a/0.wav\r\n2;b c.wav\r\n"),
        ("tab.tsv", "id\tfile\n1\ta/0.wav\n2\tb c.wav\n"),
        ("space.csv", "id, path\n1, a/0.wav\n2, b c.wav\n"),
        ("windows.csv", "path\na\\0.wav\nb c.wav\n"),
        ("copied.csv", 'Filename\n"C:\\talks\\a\\0.wav"\n"C:\\talks\\b c.wav"\n'),
        ("kaggle.csv", "Path,Emotions\n/kaggle/input/set/a/0.wav,angry\nb c.wav,sad\n"),
        ("odd.csv", "id,Klang\n1,a/0.wav\n2,b c.wav\n"),
        ("bare.csv", "a/0.wav,1\nb c.wav,2\n"),
        ("gap.csv", "path,x\na/0.wav,1\nnan,2\n,3\nb c.wav,4\n"),
        ("quoted.txt", '"a/0.wav"\n"b c.wav"\n'),
        ("trailing.txt", "a/0.wav  \r\n\n b c.wav \r\n"),
        ("windows.txt", "\ufeffa\\0.wav\r\nb c.wav\r\n"),
        ("header.txt", "path\na/0.wav\nb c.wav\n"),
        ("bare.txt", "a/0.wav\t1\nb c.wav\t2\n"),
        ("comment.txt", "# mine\na/0.wav\nb c.wav\n"),
        ("tabs.txt", "wav\tspeaker\na/0.wav\t1\nb c.wav\t2\n"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_list_may_be_written_by_any_program(
    folder: Path, name: str, text: str, encoding: str
) -> None:
    text = text.removeprefix("\ufeff") if encoding == "utf-16" else text
    (folder / name).write_text(text, encoding=encoding, newline="")
    assert recordings(folder / name) == [str(folder / "a/0.wav"), str(folder / "b c.wav")]


def test_a_column_can_be_named(folder: Path) -> None:
    (folder / "list.csv").write_text("path,sound\nx,a/0.wav\n")
    assert recordings(f"{folder}/list.csv?path=sound") == [str(folder / "a/0.wav")]
    with pytest.raises(AudioError, match="no column sounds; there are path, sound"):
        recordings(f"{folder}/list.csv?path=sounds")


def test_segments_are_excerpts_each_with_an_answer_of_its_own(folder: Path, run: Run) -> None:
    (folder / "list.csv").write_text(SEGMENTS)
    code, said, _ = run("predict", folder / "list.csv", "--model", "aesdd", "--format", "csv")
    first, second, third = csv.DictReader(said.splitlines())
    assert code == 0 and list(first)[:4] == ["path", "start", "end", "emotion"]
    assert [(r["start"], r["end"]) for r in (first, second, third)] == (
        [("0.0", "1.0"), ("1.0", ""), ("", "")]
    )
    wave = soundfile.read(folder / "b c.wav", dtype="float32")[0]
    for row, part in ((first, wave[:RATE]), (second, wave[RATE:])):
        answer = load("aesdd").predict(part, RATE)
        assert row["path"].endswith("b c.wav") and float(row["seconds"]) == 1.0
        assert float(row["confidence"]) == pytest.approx(answer.confidence, abs=1e-4)
    code, said, _ = run("predict", folder / "list.csv", "--model", "aesdd", "--format", "json")
    told = [json.loads(line) for line in said.splitlines()]
    assert [(t["start"], t["end"]) for t in told] == [(0.0, 1.0), (1.0, None), (None, None)]
    code, said, _ = run("predict", folder / "list.csv", "--model", "aesdd")
    assert "b c.wav 0–1 s: " in said and "b c.wav 1–end: " in said and "a/0.wav: " in said


def test_score_has_a_row_for_each_segment_and_goes_on(folder: Path, tmp_path: Path) -> None:
    (folder / "list.csv").write_text(SEGMENTS)
    out = tmp_path / "out.csv"
    assert score(folder / "list.csv", out, model="aesdd").scored == 3
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(r["start"], r["end"], r["seconds"]) for r in rows] == (
        [("0.0", "1.0", "1.0"), ("1.0", "", "1.0"), ("", "", "2.0")]
    )
    (folder / "list.csv").write_text(f"{SEGMENTS}a/0.wav,0.5,1.5\n")
    tally = score(folder / "list.csv", out, model="aesdd")
    assert (tally.kept, tally.scored) == (3, 1)


def test_segments_that_cannot_be_cut_are_named_and_the_rest_go_on(folder: Path, run: Run) -> None:
    (folder / "list.csv").write_text(
        "path,start,end\na/0.wav,0,1\na/0.wav,1,0.5\na/0.wav,1,3\na/0.wav,x,2\na/0.wav,1\n"
    )
    code, said, told = run("predict", folder / "list.csv", "--model", "aesdd")
    assert code == 1 and "0–1 s: " in said
    assert "list.csv:3: the segment ends at 0.5 s, not after its start at 1 s." in told
    assert "a/0.wav: the segment from 1 s to 3 s goes beyond the recording" in told
    assert "list.csv:5: 'x' is no time" in told and "list.csv:6: 2 cells, expected 3" in told
    code, _, _ = run("score", folder / "list.csv", folder / "out.csv", "--model", "aesdd")
    with (folder / "out.failures.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert code == 1 and len(rows) == 4 and list(rows[0]) == ["path", "start", "end", "reason"]


def test_a_long_recording_is_decoded_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [f"a/0.wav,{n / 10},{n / 10 + 0.5}" for n in range(15)]
    (folder / "list.csv").write_text("\n".join(["path,start,end", *rows]))
    decoded: list[str] = []
    decode = excerpts.decode

    def counting(path: str, **how: Any) -> tuple[np.ndarray, int]:
        decoded.append(path)
        return decode(path, **how)

    monkeypatch.setattr(excerpts, "decode", counting)
    found = recordings(folder / "list.csv")
    assert all(isinstance(one, Excerpt) for one in found)
    answers = list(load("aesdd").predict_many(found, threads=4))
    assert not any(isinstance(answer, AudioError) for answer in answers)
    assert decoded == [path_of(found[0])]


def test_a_timeline_is_of_whole_recordings(folder: Path, run: Run) -> None:
    (folder / "list.csv").write_text(SEGMENTS)
    code, _, told = run("predict", folder / "list.csv", "--model", "aesdd", "--timeline")
    assert code == 2 and "--timeline follows whole recordings" in told
