"""Scoring takes any number of files, loses nothing to a kill, and says what it could not do."""

from __future__ import annotations

import csv
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest
import soundfile
from conftest import ROOT
from vowels import vowels

from emelia import console, load
from emelia.cli import main
from emelia.errors import EmeliaError
from emelia.learn.export.recard import recarded
from emelia.use.inputs import recordings
from emelia.use.scoring import pool
from emelia.use.scoring.journal import Journal
from emelia.use.scoring.run import Tally, score

RATE = 16_000  # Hz
MANY = 60
BROKEN = b"RIFF\x04\0\0\0WAVE"
MODEL = ("--model", "aesdd")
Rows = list[dict[str, str]]


def make(root: Path) -> Path:
    """Seven recordings of several lengths, two of them in folders with spaces and Greek names."""
    wave = vowels()
    names = ("b.wav", "a.flac", "c 3.wav", "Δεκέμβριος/θυμός (2).wav", "z/deep/χαρά.ogg")
    for number, name in enumerate(names):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, wave[: RATE // 3 * (number + 1)], RATE)
    soundfile.write(root / "silence.wav", np.zeros(RATE), RATE)
    soundfile.write(root / "stereo 44.wav", np.stack([wave, wave / 2], axis=1), 44_100)
    (root / ".hidden.wav").write_bytes(BROKEN)
    (root / "notes.doc").write_text("no recording")
    return root


def test_a_call_is_scored_a_row_a_channel(tmp_path: Path) -> None:
    wave, rest = vowels(), np.zeros(2 * RATE, np.float32)
    call = np.stack([np.append(wave, rest), np.append(rest, wave)], axis=1)
    soundfile.write(tmp_path / "call.wav", call, RATE)
    (tmp_path / "x.ds2").touch()
    mixed = score(tmp_path, tmp_path / "mixed.csv", model="aesdd")
    passed, differ = mixed.warnings
    assert "1 .ds2 file passed over" in passed and "2 channels differ" in differ
    out = tmp_path / "each.csv"
    for _ in range(2):  # the second time from the journal
        tally = score(tmp_path, out, model="aesdd", channel="each")
        rows = list(csv.DictReader(out.read_text(encoding="utf-8").splitlines()))
        assert [row["path"] for row in rows] == [
            f"{tmp_path / 'call.wav'} [{side}]" for side in ("left", "right")
        ]
    assert (tally.kept, tally.failed) == (1, 0)
    with pytest.raises(EmeliaError, match="begun with channel each, now it is mix"):
        score(tmp_path, out, model="aesdd")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Recordings of the test's own."""
    return make(tmp_path / "τα αρχεία μου")


@dataclass(frozen=True)
class Scored:
    """Recordings, and the table that was made of them; to be left as they are."""

    folder: Path
    table: Path

    def copy(self, to: Path) -> Path:
        """Copy the table and its journal into a folder."""
        for name in (self.table.name, f"{self.table.name}.journal"):
            shutil.copy(self.table.parent / name, to)
        return to / self.table.name


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Scored:
    folder = make(tmp_path_factory.mktemp("τα αρχεία μου"))
    out = tmp_path_factory.mktemp("out") / "new" / "a.csv"
    assert score(folder, out, model="aesdd").scored == 7
    return Scored(folder, out)


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """One recording under many names."""
    root = tmp_path / "many"
    root.mkdir()
    soundfile.write(tmp_path / "one.wav", vowels(0.5), RATE)
    for number in range(MANY):
        (root / f"{number:03}.wav").symlink_to(tmp_path / "one.wav")
    return root


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Any:
    """Run `emelia score` in this process; return exit code, output and errors."""

    def command(*words: str | Path) -> tuple[int, str, str]:
        console._stderr.cache_clear()
        monkeypatch.setattr(sys, "argv", ["emelia", "score", *map(str, words)])
        try:
            code = main()
        except SystemExit as leaving:
            code = int(leaving.code or 0)
        return code, *capfd.readouterr()

    return command


Run = Callable[..., tuple[int, str, str]]


def rows(path: Path) -> Rows:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def alike(some: Rows, others: Rows) -> bool:
    """Equal but for what the order of additions does to the last digits."""
    return len(some) == len(others) and all(
        a.keys() == b.keys() and all(_near(a[key], b[key]) for key in a)
        for a, b in zip(some, others, strict=True)
    )


def _near(a: str, b: str) -> bool:
    try:
        return float(a) == pytest.approx(float(b), abs=2e-5)
    except ValueError:
        return a == b


# The table


def test_each_row_is_the_answer_to_its_recording_in_the_order_of_paths(scored: Scored) -> None:
    table, recognizer = rows(scored.table), load("aesdd")
    paths = [row["path"] for row in table]
    assert paths == sorted(paths) == recordings(scored.folder) and len(paths) == 7
    fixed = ["path", "emotion", "confidence", "unsure", "seconds", "speech"]
    assert list(table[0]) == [*fixed, *recognizer.emotions]
    for row in table:
        answer = recognizer.predict(row["path"])
        assert row["emotion"] == answer.emotion
        assert row["unsure"] == str(answer.unsure).lower()
        assert float(row["seconds"]) == pytest.approx(answer.seconds, abs=1e-5)
        got = {name: float(row[name]) for name in recognizer.emotions if row[name]}
        assert got == pytest.approx(answer.probabilities, abs=2e-5)
    (silent,) = [row for row in table if row["emotion"] == "no speech"]
    assert Path(silent["path"]).name == "silence.wav"
    assert {silent[name] for name in recognizer.emotions} == {""}
    assert {path.name for path in scored.table.parent.iterdir()} == {"a.csv", "a.csv.journal"}


def test_parquet_made_by_two_processes_holds_what_csv_made_by_one_holds(
    run: Run, scored: Scored, tmp_path: Path
) -> None:
    out = tmp_path / "new" / "a.parquet"
    code, said, told = run(scored.folder, out, *MODEL, "--jobs", 2)
    assert code == 0 and "7 of 7 recordings" in said and str(out) in said, told
    line = r"scoring: \d/7, \d+:\d\d left, [\d.]+ clips/s, \d+:\d\d of audio, [\d.]+ x real time"
    assert re.search(line, told), told  # of progress in a pipe
    table = pyarrow.parquet.read_table(out)
    kinds = dict(zip(table.column_names, map(str, table.schema.types), strict=True))
    assert (kinds["path"], kinds["unsure"], kinds["anger"]) == ("string", "bool", "double")
    written = [{k: _text(v) for k, v in row.items()} for row in table.to_pylist()]
    assert alike(written, rows(scored.table))


def _text(value: Any) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def test_only_the_emotions_asked_for_have_columns(run: Run, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.csv"
    assert run(folder, out, *MODEL, "--emotions", "anger, sadness,")[0] == 0
    for row in rows(out):
        assert list(row)[6:] == ["anger", "sadness"]
        if row["emotion"] != "no speech":
            assert float(row["anger"]) + float(row["sadness"]) == pytest.approx(1, abs=1e-5)


# Which recordings


def test_a_list_gives_its_order_from_its_own_folder(folder: Path, tmp_path: Path) -> None:
    listed = ["z/deep/χαρά.ogg", "b.wav", "", "c 3.wav", "b.wav", str(tmp_path / "gone.wav")]
    (folder / "λίστα.txt").write_text("\n".join(listed) + "\n", encoding="utf-8")
    lines = ["label,file", *(f"x,{name}" for name in listed)]
    (folder / "list.csv").write_text("\r\n".join(lines), encoding="utf-8-sig")
    wanted = [str(folder / name) for name in ("z/deep/χαρά.ogg", "b.wav", "c 3.wav")]
    for name in ("λίστα.txt", "list.csv"):
        assert recordings(folder / name) == [*wanted, str(tmp_path / "gone.wav")]


def test_a_pattern_gives_files_sorted(folder: Path) -> None:
    got = recordings(f"{folder}/**/*.wav")
    names = ["b.wav", "c 3.wav", "silence.wav", "stereo 44.wav", "Δεκέμβριος/θυμός (2).wav"]
    assert got == [str(folder / name) for name in names]
    assert recordings(folder / "b.wav") == [str(folder / "b.wav")]


def test_links_that_lead_back_are_entered_once(folder: Path) -> None:
    (folder / "z" / "loop").symlink_to(folder)
    assert len(recordings(folder)) == 7


def test_names_that_are_no_text_are_scored_and_written_as_well_as_can_be(
    run: Run, tmp_path: Path, tone: Callable[..., Path]
) -> None:
    (tmp_path / "odd").mkdir()
    tone(seconds=0.5).rename(tmp_path / "odd" / os.fsdecode(b"\xff.wav"))
    for _ in range(2):
        code, said, told = run(tmp_path / "odd", tmp_path / "a.csv", *MODEL)
        assert code == 0, told
    assert "1 of 1 recordings, 1 of them before" in said
    (row,) = rows(tmp_path / "a.csv")
    assert row["path"] == str(tmp_path / "odd" / "\ufffd.wav")


# What cannot be scored


def test_failures_are_listed_and_tried_again(run: Run, folder: Path, tmp_path: Path) -> None:
    out, broken = tmp_path / "a.csv", folder / "broken.wav"
    broken.write_bytes(BROKEN)
    (folder / "x.wav").mkdir()  # a folder, whatever its name
    (folder / "dangling.wav").symlink_to("nowhere")
    code, said, told = run(folder, out, *MODEL)
    assert code == 1 and "7 of 9" in said
    assert told.splitlines()[-1].startswith("emelia: 2 of 9 recordings could not be scored")
    assert str(tmp_path / "a.failures.csv") in told
    failures = {Path(row["path"]).name: row["reason"] for row in rows(tmp_path / "a.failures.csv")}
    assert "no such file" in failures["dangling.wav"] and "broken.wav" in failures
    assert len(rows(out)) == 7
    soundfile.write(broken, np.zeros(RATE), RATE)
    (folder / "dangling.wav").unlink()
    code, said, _ = run(folder, out, *MODEL)
    assert code == 0 and "8 of 8 recordings, 7 of them before" in said
    assert len(rows(out)) == 8 and not (tmp_path / "a.failures.csv").exists()


def test_a_recording_that_kills_its_process_fails_alone(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    soundfile.write(folder / "deadly.wav", np.zeros(RATE), RATE)
    deadly = "if 'deadly' in str(source): os.kill(os.getpid(), 9)"
    before_decoding(tmp_path, deadly, monkeypatch)
    tally = score(folder, tmp_path / "a.csv", model="aesdd", jobs=1)
    assert (tally.scored, tally.failed) == (7, 1)
    (failure,) = rows(tmp_path / "a.failures.csv")
    assert Path(failure["path"]).name == "deadly.wav"
    assert "SIGKILL" in failure["reason"] and "memory" in failure["reason"]


def test_processes_that_cannot_begin_are_one_clear_error(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text("import os; os._exit(3)\n")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{ROOT / 'src'}")
    with pytest.raises(EmeliaError, match="ended with code 3 before it began"):
        score(folder, tmp_path / "a.csv", model="aesdd", jobs=2)


# Going on


@pytest.mark.parametrize(
    ("by", "code"), [pytest.param(signal.SIGKILL, -9, marks=pytest.mark.slow), (signal.SIGINT, 130)]
)
def test_a_stopped_scoring_goes_on_where_it_was(
    run: Run,
    many: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    by: signal.Signals,
    code: int,
) -> None:
    out = tmp_path / "a.csv"
    words = ("score", str(many), str(out), *MODEL, "--jobs", "1")
    before_decoding(tmp_path, "time.sleep(0.1)", monkeypatch)  # 6 s of work on any machine
    with started(*words) as process:
        try:
            wait_for(lambda: committed(tmp_path / "a.csv.journal"))
            if by == signal.SIGINT:
                os.killpg(process.pid, by)  # as a terminal does
            else:
                process.send_signal(by)
            _, told = process.communicate(timeout=30)
            wait_for(lambda: not members(process.pid))  # what it started is gone too
        finally:
            process.kill()
    assert process.returncode == code and "Traceback" not in told, told
    assert not out.exists()
    if by == signal.SIGINT:
        assert told.splitlines()[-1].startswith("emelia: interrupted. What is finished is kept")
    monkeypatch.delenv("PYTHONPATH")
    answer, said, _ = run(many, out, *MODEL)
    kept = re.search(rf"{MANY} of {MANY} recordings, (\d+) of them before", said)
    assert answer == 0 and kept and 0 < int(kept[1]) < MANY, said
    table = rows(out)
    assert [row["path"] for row in table] == recordings(many)
    assert alike(table, [{**table[0], "path": row["path"]} for row in table])


@pytest.mark.slow
def test_ctrl_c_pressed_twice_stops_a_scoring_as_well_as_once(
    many: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before_decoding(tmp_path, "time.sleep(0.1)", monkeypatch)
    with started("score", str(many), str(tmp_path / "a.csv"), *MODEL, "--jobs", "1") as process:
        try:
            wait_for(lambda: committed(tmp_path / "a.csv.journal"))
            while process.poll() is None:  # while it ends its processes, and while Python ends
                os.killpg(process.pid, signal.SIGINT)
                time.sleep(0.02)
            _, told = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == 130, told
    assert told.splitlines()[-1].startswith("emelia: interrupted. What is finished is kept")
    assert "Traceback" not in told and "ignored" not in told


def started(*words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "emelia", *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, text=True, start_new_session=True, **pipes)


def before_decoding(folder: Path, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have processes started from here run a line before they decode `source`."""
    (folder / "sitecustomize.py").write_text(
        "import os, time, emelia.audio as audio\n"
        "real = audio.decode\n"
        "def decode(source, **options):\n"
        f"    {code}\n"
        "    return real(source, **options)\n"
        "audio.decode = decode\n"
    )
    monkeypatch.setenv("PYTHONPATH", f"{folder}{os.pathsep}{ROOT / 'src'}")


def wait_for(what: Callable[[], Any], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.005)


def committed(journal: Path) -> bool:
    """Whether rows are in it for good; before, it has four empty pages."""
    return journal.exists() and journal.stat().st_size > 4 * 4096


def members(group: int) -> list[str]:
    """Processes of a group."""
    found = subprocess.run(["ps", "-eo", "pgid,stat,args"], capture_output=True, text=True)
    lines = [line.split(maxsplit=2) for line in found.stdout.splitlines()[1:]]
    return [args for pgid, state, args in lines if pgid == str(group) and state[0] != "Z"]


def test_only_what_is_new_or_changed_is_scored_again(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.csv"
    first = score(folder, out, model="aesdd")
    assert (first.kept, first.scored) == (0, 7)
    soundfile.write(folder / "b.wav", np.zeros(2 * RATE), RATE)
    (folder / "a.flac").unlink()
    seen: list[tuple[int, int]] = []

    def note(tally: Tally) -> None:
        seen.append((tally.done, tally.total))

    again = score(folder, out, model="aesdd", on_progress=note)
    assert (again.kept, again.scored) == (5, 1)
    assert seen == [(5, 6), (5, 6), (6, 6)] or seen == [(5, 6), (6, 6)]
    table = {Path(row["path"]).name: row for row in rows(out)}
    assert "a.flac" not in table and table["b.wav"]["emotion"] == "no speech"


def test_a_file_that_was_replaced_is_scored_again_whatever_its_size_and_date(
    folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "a.csv"
    score(folder, out, model="aesdd")
    file = max(folder.glob("*.wav"), key=lambda path: path.stat().st_size)
    before = file.stat()
    data = bytearray(file.read_bytes())
    data[-2000:] = bytes(2000)
    file.write_bytes(data)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    again = score(folder, out, model="aesdd")
    assert again.scored == 1
    file.write_bytes(data[:-2] + b"\1\0")  # of the same size, later
    assert score(folder, out, model="aesdd").scored == 1


def test_a_finished_table_is_made_again_from_its_journal(scored: Scored, tmp_path: Path) -> None:
    out = scored.copy(tmp_path)
    out.unlink()
    tally = score(scored.folder, out, model="aesdd")
    assert (tally.kept, tally.scored) == (7, 0)
    assert out.read_bytes() == scored.table.read_bytes()


def test_scores_of_other_settings_are_refused_and_untouched(
    run: Run, scored: Scored, tmp_path: Path
) -> None:
    folder, out = scored.folder, scored.copy(tmp_path)
    before = out.read_bytes()
    other = tmp_path / "other.onnx"
    other.write_bytes(recarded(load("aesdd")._model.path, title="another")[0])
    for words, what in (
        ((folder, out, "--model", other), "begun with model aesdd"),
        ((folder, out, *MODEL, "--emotions", "anger,fear"), "begun with emotions anger, disgust"),
        ((folder / "z", out, *MODEL), "begun with input"),
    ):
        code, _, told = run(*words)
        assert code == 1 and what in told and "Choose another output, or delete" in told
        assert out.read_bytes() == before
    assert "7 of them before" in run(folder, out, *MODEL)[1]  # refusals have changed nothing


def test_a_table_of_unknown_origin_is_never_overwritten(
    run: Run, folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "mine.csv"
    out.write_text("years of work")
    code, _, told = run(folder, out, *MODEL)
    assert code == 1 and "without the journal" in told
    assert out.read_text() == "years of work"


# Mistakes


def test_mistakes_are_one_clear_line(
    run: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "odd.csv").write_text("words,numbers\nhello,3\n")
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\0")
    (tmp_path / "file").write_text("")
    out = tmp_path / "a.csv"
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    for words, code, what in (
        ((tmp_path / "gone", out), 1, "gone: no such file or folder"),
        ((tmp_path / "empty", out), 1, "no recordings here"),
        ((f"{folder}/*.mp3", out), 1, "no recordings here"),
        ((tmp_path / "odd.csv", out), 1, "columns words, numbers; expected one named path or file"),
        ((tmp_path / "binary.txt", out), 1, "not a list of recordings"),
        ((folder, tmp_path / "a.xlsx"), 2, "ends in .csv or .parquet"),
        ((folder, tmp_path / "a.parquet"), 1, "pip install 'emelia[scale]'"),
        ((folder, tmp_path / "file" / "a.csv"), 1, "a file stands where a folder should be"),
    ):
        got, _, told = run(*words, *MODEL)
        assert (got, told.count("\n")) == (code, 1) and what in told, told
    assert "no model of this name" in run(folder, out, "--model", "aesd")[2]
    assert not out.exists() and not (tmp_path / "a.csv.journal").exists()


def test_two_at_once_are_kept_apart(run: Run, folder: Path, tmp_path: Path) -> None:
    with Journal(tmp_path / "a.csv.journal", {}):
        code, _, told = run(folder, tmp_path / "a.csv", *MODEL)
    assert code == 1 and "another process is working here" in told


def test_a_damaged_journal_is_named_and_left(run: Run, folder: Path, tmp_path: Path) -> None:
    journal = tmp_path / "a.csv.journal"
    journal.write_bytes(b"no database, " * 500)
    code, _, told = run(folder, tmp_path / "a.csv", *MODEL)
    assert code == 1 and "damaged" in told and journal.read_bytes().startswith(b"no database")


def test_a_full_disk_is_one_clear_line_and_work_goes_on_after_it(
    run: Run, disk: Callable[[str], Path], many: Path
) -> None:
    place = disk("32k")
    code, _, told = run(many, place / "a.csv", *MODEL)
    assert code == 1 and "the disk is full" in told.splitlines()[-1], told
    subprocess.run(["mount", "-o", "remount,size=4m", place], check=True)
    code, said, _ = run(many, place / "a.csv", *MODEL)
    assert code == 0 and f"{MANY} of {MANY}" in said


def test_memory_does_not_grow_with_the_length_of_chunks(tmp_path: Path) -> None:
    """Chunks hold few bytes: one of large files has few of them."""
    from emelia.use.scoring.run import _CHUNK_BYTES, _chunks

    marks = {f"{n}.wav": (n * 1_000_000, 0) for n in range(100)}
    chunks = _chunks(marks, jobs=1)
    assert sorted(name for chunk in chunks for name in chunk) == sorted(marks)
    for chunk in chunks:
        assert len(chunk) == 1 or sum(marks[name][0] for name in chunk) <= _CHUNK_BYTES


def test_a_worker_has_one_thread_and_ignores_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    before = dict(os.environ), signal.getsignal(signal.SIGINT)
    with pool._for_children():
        assert os.environ["OMP_NUM_THREADS"] == "1"
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    assert (dict(os.environ), signal.getsignal(signal.SIGINT)) == before
