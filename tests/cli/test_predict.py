"""`emelia predict` and `emelia models`: answers for people and programs, one line a mistake."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from conftest import RATE, ROOT, voice
from toy_model import CARD, LABELS, expected, write_toy
from vowels import vowels

from emelia import console
from emelia.audio.speech.speech_runs import Run as Stretch
from emelia.cli import _CtrlC, main
from emelia.config.thresholds import Thresholds
from emelia.show import style
from emelia.show.answer import explanation as pictures
from emelia.use import pooling


@dataclass
class Answer:
    """What a command leaves behind."""

    code: int
    out: str
    err: str

    def refuses(self, code: int, *words: str) -> None:
        """Assert that it ended with one clear line that has all these words, and no answer."""
        assert (self.code, self.out) == (code, ""), self.err
        assert self.err.startswith("emelia: ") and self.err.count("\n") == 1, self.err
        for word in words:
            assert word in self.err


Run = Callable[..., Answer]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in this process, where any sound but silence counts as speech."""
    monkeypatch.setattr(
        pooling, "speech_runs", lambda w: [Stretch(0, len(w))] if np.abs(w).max() > 0 else []
    )

    def command(*words: str | Path) -> Answer:
        monkeypatch.setattr(sys, "argv", ["emelia", *map(str, words)])
        try:
            code = main()
        except SystemExit as leaving:
            code = int(leaving.code or 0)
        return Answer(code, *capsys.readouterr())

    return command


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    """A model file whose answers are known."""
    return write_toy(tmp_path / "toy.onnx")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three recordings: anger, sadness and silence, some with a Greek name and spaces."""
    root = tmp_path / "ηχογραφήσεις 1"
    (root / "inside").mkdir(parents=True)
    square = np.sign(np.sin(np.arange(RATE) / 9)).astype(np.float32)  # mean 1: anger
    soundfile.write(root / "b θυμός.wav", 0.5 * square, RATE)
    soundfile.write(root / "inside" / "a.flac", voice(140, 1.5, 0), RATE)
    soundfile.write(root / "silence.wav", np.zeros(2 * RATE), RATE)
    (root / "notes.txt").write_text("not a recording")
    (root / ".hidden.wav").touch()
    return root


def said(path: Path) -> str:
    """What the toy says of a recording, by its definition."""
    shares = expected(soundfile.read(path)[0])
    return f"{LABELS[shares.argmax()]} {100 * shares.max():.0f} %"


# Text


def test_a_single_recording_is_answered_with_all_probabilities(
    run: Run, toy: Path, folder: Path
) -> None:
    path = folder / "b θυμός.wav"
    answer = run("predict", path, "--model", toy)
    assert (answer.code, answer.err) == (0, "")
    first, *rest = answer.out.splitlines()
    assert first == f"{path}: {said(path)}" and "anger" in first
    shares = expected(soundfile.read(path)[0])
    in_order = sorted(zip(shares, LABELS, strict=True), reverse=True)
    assert [" ".join(line.split()) for line in rest] == [
        f"{label} {100 * share:.0f} %" for share, label in in_order
    ]


def test_several_recordings_are_a_line_each_in_order(run: Run, toy: Path, folder: Path) -> None:
    answer = run("predict", folder, "--model", toy)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.splitlines() == [
        f"{folder / 'b θυμός.wav'}: {said(folder / 'b θυμός.wav')}",
        f"{folder / 'inside' / 'a.flac'}: {said(folder / 'inside' / 'a.flac')}",
        f"{folder / 'silence.wav'}: no speech",
    ]


def test_below_the_threshold_an_answer_is_not_sure(run: Run, toy: Path, folder: Path) -> None:
    clip = folder / "inside" / "a.flac"
    answer = run("predict", clip, "--model", toy, "--threshold", "0.9")
    assert answer.out.splitlines()[0] == f"{clip}: not sure ({said(clip)})"
    answer = run("predict", clip, "--model", toy, "--threshold", "2")
    assert answer.code == 2 and "--threshold" in answer.err and "Traceback" not in answer.err


def test_only_the_emotions_asked_for_are_answered(run: Run, toy: Path, folder: Path) -> None:
    clip = folder / "inside" / "a.flac"
    answer = run("predict", clip, "--model", toy, "--emotions", "Angry, fear", "--format", "json")
    (line,) = answer.out.splitlines()
    shares = expected(soundfile.read(clip)[0])[:2]
    assert json.loads(line)["probabilities"] == pytest.approx(
        dict(zip(("anger", "fear"), shares / shares.sum(), strict=True)), abs=1e-4
    )
    answer = run("predict", clip, "--model", toy, "--emotions", "anger,happyness")
    answer.refuses(2, "'happyness' is unknown", "Did you mean happiness?")
    run("predict", clip, "--model", toy, "--emotions", "").refuses(2, "two or more")


def test_a_quoted_pattern_a_list_and_a_recording_named_like_a_pattern_are_understood(
    run: Run, toy: Path, folder: Path, tmp_path: Path
) -> None:
    answer = run("predict", f"{folder}/**/*.flac", "--model", toy)
    clip = folder / "inside" / "a.flac"
    assert answer.out.splitlines()[0] == f"{clip}: {said(clip)}"
    (tmp_path / "list.txt").write_text("ηχογραφήσεις 1/silence.wav\n", encoding="utf-8")
    answer = run("predict", tmp_path / "list.txt", "--model", toy)
    assert answer.out.splitlines() == [f"{folder / 'silence.wav'}: no speech"]
    odd = folder / "[b]*.wav"
    (folder / "silence.wav").rename(odd)
    assert run("predict", odd, "--model", toy).out == f"{odd}: no speech\n"


# Mistakes


def test_recordings_that_cannot_be_used_are_named_and_the_rest_go_on(
    run: Run, toy: Path, folder: Path, tmp_path: Path
) -> None:
    broken, empty = folder / "broken.wav", folder / "c.wav"
    broken.write_bytes((folder / "silence.wav").read_bytes()[:40])
    empty.touch()
    answer = run("predict", tmp_path / "gone.wav", folder, "--model", toy)
    assert answer.code == 1
    assert [line.split(": ")[0] for line in answer.out.splitlines()] == [
        str(folder / name) for name in ("b θυμός.wav", "inside/a.flac", "silence.wav")
    ]
    gone, first, second = answer.err.splitlines()
    assert gone == f"emelia: {tmp_path / 'gone.wav'}: no such file or folder. Check the path."
    assert first.startswith(f"emelia: {broken}: cannot be decoded")
    assert second.startswith(f"emelia: {empty}: is empty")


def test_where_nothing_is_found_one_line_says_so(run: Run, toy: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for place in (tmp_path / "empty", tmp_path / "*.wav"):
        run("predict", place, "--model", toy).refuses(
            1, f"{place}: no recordings here", "expected .wav"
        )
    run("predict", tmp_path / "no", "--model", toy).refuses(1, "no: no such file or folder")


def test_a_file_one_may_not_read_is_one_clear_line(
    run: Run, toy: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked = folder / "silence.wav"
    usual = Path.open

    def refused(path: Path, *rest: Any, **options: Any) -> Any:
        if path == locked:
            raise PermissionError(13, "Permission denied")
        return usual(path, *rest, **options)

    monkeypatch.setattr(Path, "open", refused)
    run("predict", locked, "--model", toy).refuses(1, "silence.wav: cannot be read (Permission")


@pytest.mark.parametrize("name", ["~no such user/clip.wav", "~clip.wav", 300 * "a"])
def test_a_name_that_no_system_takes_is_one_clear_line(run: Run, toy: Path, name: str) -> None:
    run("predict", name, "--model", toy).refuses(1, f"{name}: no such file or folder")
    assert run("predict", "x.wav", "--model", f"{name}.onnx").code == 1


def test_a_name_that_begins_with_a_tilde_is_answered(
    run: Run, toy: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    (folder / "silence.wav").rename(folder / "~silence.wav")
    assert "~silence.wav" in run("predict", "~silence.wav", "--model", toy).out


def test_a_wrong_model_is_one_clear_line(run: Run, folder: Path, tmp_path: Path) -> None:
    run("predict", folder, "--model", "aesd").refuses(1, "'aesd'", "Did you mean aesdd?")
    run("predict", folder, "--model", tmp_path).refuses(1, "is a folder")
    wrong = tmp_path / "wrong.onnx"
    wrong.write_text("hello")
    run("predict", folder, "--model", wrong).refuses(1, "wrong.onnx: not an ONNX file")


def test_control_characters_in_a_name_do_not_reach_the_terminal(
    run: Run, toy: Path, folder: Path
) -> None:
    odd = folder / "a\x1b[31m\n\x9b2J.wav"
    (folder / "silence.wav").rename(odd)
    answer = run("predict", odd, "--model", toy)
    assert answer.out == f"{folder}/a?[31m ?2J.wav: no speech\n"
    answer = run("predict", odd, "--model", toy, "--format", "json")
    assert json.loads(answer.out)["path"] == str(odd)
    assert "\x1b" not in answer.out and "\x9b" not in answer.out and answer.out.count("\n") == 1


def test_a_name_that_is_no_unicode_is_answered(run: Run, toy: Path, folder: Path) -> None:
    odd = os.fsdecode(os.fsencode(folder) + b"/t\xe9.wav")
    try:
        (folder / "silence.wav").rename(odd)
    except OSError:
        pytest.skip("this file system takes only Unicode")
    for kind in ("text", "csv", "json"):
        answer = run("predict", odd, "--model", toy, "--format", kind)
        assert answer.code == 0 and "no speech" in answer.out
    assert json.loads(answer.out)["path"] == str(folder / "t\ufffd.wav")
    assert "\\ud" not in answer.out, "half a character, which other programs refuse"


# For programs


def test_json_is_one_object_a_line_of_a_fixed_schema(run: Run, toy: Path, folder: Path) -> None:
    answer = run("predict", folder, folder / "gone.wav", "--model", toy, "--format", "json")
    assert answer.code == 1 and answer.err.count("\n") == 1
    lines = [json.loads(line) for line in answer.out.splitlines()]
    assert [Path(line["path"]).name for line in lines] == ["b θυμός.wav", "a.flac", "silence.wav"]
    kinds = {
        "path": str, "emotion": str, "confidence": float, "unsure": bool,
        "seconds": float, "speech": float, "probabilities": dict,
    }  # fmt: skip
    for line in lines:
        assert {name: type(value) for name, value in line.items()} == kinds
        assert list(line) == list(kinds)
    assert [list(line["probabilities"]) for line in lines] == [[*LABELS], [*LABELS], []]
    assert lines[2] == {
        "path": str(folder / "silence.wav"), "emotion": "no speech", "confidence": 0.0,
        "unsure": False, "seconds": 2.0, "speech": 0.0, "probabilities": {},
    }  # fmt: skip
    assert "θυμός" in answer.out, "Greek stays readable"


def test_csv_has_a_header_and_a_column_for_each_emotion(run: Run, toy: Path, folder: Path) -> None:
    (folder / "silence.wav").rename(folder / 'the "last", one.wav')
    answer = run("predict", folder, "--model", toy, "--format", "csv")
    assert (answer.code, answer.err) == (0, "")
    header, *rows = csv.reader(io.StringIO(answer.out))
    assert header == [
        "path", "emotion", "confidence", "unsure", "seconds", "speech", *LABELS
    ]  # fmt: skip
    assert [row[1] for row in rows] == ["anger", "sadness", "no speech"]
    assert rows[2] == [str(folder / 'the "last", one.wav'), "no speech", "0.0", "false", "2.0",
                       "0.0", "", "", "", ""]  # fmt: skip
    assert sum(map(float, rows[1][6:])) == pytest.approx(1, abs=1e-5)


def test_standard_input_is_a_recording(
    run: Run, toy: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def pipe(data: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))

    clip = folder / "inside" / "a.flac"
    pipe(clip.read_bytes())
    answer = run("predict", "-", folder / "silence.wav", "--model", toy)
    assert answer.out.splitlines() == [f"-: {said(clip)}", f"{folder / 'silence.wav'}: no speech"]
    pipe(b"")
    run("predict", "-", "--model", toy).refuses(1, "standard input: is empty")


# Over time


def test_a_long_recording_is_followed_over_time(
    corpora: Callable[[str], Path], tmp_path: Path
) -> None:
    clip, rate = soundfile.read(corpora("aesdd") / "sadness" / "s20 (6).flac")
    talk = tmp_path / "talk.wav"
    soundfile.write(talk, np.concatenate([clip, np.zeros(2 * rate), clip]), rate)
    ask = [sys.executable, "-m", "emelia", "predict", str(talk), "--model", "aesdd", "--timeline"]
    answer = subprocess.run([*ask, "--format", "json"], capture_output=True, check=True)
    found = json.loads(answer.stdout)
    assert found["path"] == str(talk) and found["seconds"] == pytest.approx(
        len(clip) / rate * 2 + 2
    )
    assert len(found["segments"]) >= 2
    table = subprocess.run([*ask, "--hop", "0.5"], capture_output=True, check=True, text=True)
    assert "talk.wav" in table.stdout and "of speech" in table.stdout


@pytest.mark.parametrize("columns", [80, 100, 140])
def test_a_timeline_begins_with_a_summary_and_lists_segments_when_asked(
    run: Run, toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setattr("emelia.console.width", lambda: columns)
    talk = tmp_path / "talk.wav"
    sound = np.concatenate([vowels(4.0), np.zeros(3 * RATE), 0.1 * vowels(2.0, 150.0)])
    soundfile.write(talk, sound, RATE)
    ask = ("predict", talk, "--timeline", "--model", toy)
    brief, full = run(*ask).out, run(*ask, "--segments").out
    found = [line.split(" % ")[0].split()[-1] for line in brief.splitlines() if " % " in line]
    assert 99 <= sum(map(int, found)) <= 101
    assert "longest" in brief and "from" not in brief and full.startswith(brief.rstrip())
    assert re.search(r"from +to +lasts +emotion", full)
    assert max(len(line) for line in full.splitlines() if str(talk) not in line) <= columns
    run("predict", talk, "--segments").refuses(2, "--segments is for timelines")


def test_options_of_timelines_and_of_answers_do_not_mix(run: Run, toy: Path, folder: Path) -> None:
    ask = ("predict", folder / "silence.wav", "--model", toy)
    for option in ("--window", "--hop"):
        run(*ask, option, "2").refuses(2, f"{option} is for timelines. Add --timeline")
    run(*ask, "--out", "x").refuses(2, "--out is for timelines")
    run(*ask, "--picture", "x.png").refuses(2, "--picture is for timelines")
    run(*ask, "--format", "srt").refuses(2, "--format srt is for timelines")
    run(*ask, "--timeline", "--explain", "x.png").refuses(2, "--explain", "--picture")
    run(*ask, "--timeline", "--window", "99").refuses(2, "99")
    run("predict", "-", "--timeline", "--model", toy).refuses(2, "not standard input")
    run("predict", "gone", "--timeline", "--model", toy).refuses(1, "gone: no such file")


# As a process


def child(*words: str | Path, **options: Any) -> subprocess.Popen[bytes]:
    """Start a command in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "emelia", *map(str, words)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"},
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},
    )


def test_real_speech_through_a_pipe_is_answered(corpora: Callable[[str], Path]) -> None:
    clip = corpora("aesdd") / "anger" / "a01 (2).flac"
    with clip.open("rb") as file:
        process = child("predict", "-", "--model", "aesdd", "--format", "json", stdin=file)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, b"")
    found = json.loads(out)
    assert found["emotion"] == max(found["probabilities"], key=found["probabilities"].get)
    assert found["speech"] > 0


def test_ctrl_c_leaves_with_one_line_and_130(toy: Path, folder: Path) -> None:
    read, write = os.pipe()  # nothing ever comes through: the command waits for it
    process = child("predict", folder / "silence.wav", "-", "--model", toy, stdin=read)
    assert process.stdout
    assert b"silence.wav" in process.stdout.readline(), "the first answer does not wait"
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    os.close(write)
    _, err = process.communicate(timeout=60)
    os.close(read)
    assert (process.returncode, err.decode()) == (130, "emelia: interrupted.\n")


@pytest.mark.parametrize("pause", [0.1, 0.01])
def test_ctrl_c_pressed_again_and_again_leaves_no_less_quietly(
    toy: Path, folder: Path, pause: float
) -> None:
    words = ("predict", folder / "silence.wav", "-", "--model", toy)
    with child(*words, stdin=subprocess.PIPE) as process:
        assert process.stdout and process.stdout.readline()
        press_until_it_ends(process, pause)
        assert process.stderr
        assert (process.returncode, process.stderr.read()) == (130, b"emelia: interrupted.\n")


def press_until_it_ends(process: subprocess.Popen[Any], pause: float) -> None:
    """Press Ctrl-C as a terminal does, often, while the program leaves and after."""
    deadline = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < deadline:
        process.send_signal(signal.SIGINT)
        time.sleep(pause)
    process.kill()
    process.wait()


def test_what_hangs_after_ctrl_c_can_be_interrupted_once_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [100.0]
    monkeypatch.setattr("emelia.cli.time.monotonic", lambda: now[0])
    heard = _CtrlC()
    assert not heard.pressed
    with pytest.raises(KeyboardInterrupt):
        heard()
    now[0] += 4
    heard()
    now[0] += 2
    with pytest.raises(KeyboardInterrupt):
        heard()
    assert heard.pressed


def test_a_command_leaves_ctrl_c_as_it_was(run: Run) -> None:
    for handler in (signal.SIG_IGN, signal.default_int_handler):
        before = signal.signal(signal.SIGINT, handler)
        try:
            assert run("models").code == 0
            assert signal.getsignal(signal.SIGINT) is handler
        finally:
            signal.signal(signal.SIGINT, before)


def test_a_reader_that_goes_away_ends_it_quietly(toy: Path, folder: Path) -> None:
    for number in range(40):
        (folder / f"{number}.wav").write_bytes((folder / "silence.wav").read_bytes())
    process = child("predict", folder, "--model", toy)
    assert process.stdout and process.stderr
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait(timeout=60) in (0, 1)


def test_on_a_terminal_there_are_bars(toy: Path, folder: Path) -> None:
    terminal, end = pty.openpty()
    process = child("predict", folder, "--model", toy, stdout=end, stdin=end, stderr=end)
    os.close(end)
    drawn = b""
    while True:
        try:
            piece = os.read(terminal, 4096)
        except OSError:  # how Linux says that the other end is closed
            break
        if not piece:
            break
        drawn += piece
    os.close(terminal)
    assert process.wait(timeout=60) == 0
    lines = drawn.decode().splitlines()
    following = lines.index("Next: emelia score RECORDINGS scores.csv --model")
    lines = lines[:following]
    assert len(lines) == 3 and all("no speech" in line and "░" * 20 in line for line in lines)
    assert len({line.index("░") for line in lines}) == 1, "the bars stand below each other"


def test_predicting_loads_nothing_of_training_or_drawing(toy: Path, tone: Any) -> None:
    code = (
        "import sys; from emelia.cli import main\n"
        f"sys.argv = ['emelia', 'predict', {str(tone())!r}, '--model', {str(toy)!r}]\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'matplotlib', 'scipy', 'rich', 'emelia.corpora', 'emelia.metrics'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert (run.returncode, run.stderr) == (0, "")


# The picture


def test_an_answer_is_explained_by_a_picture(
    run: Run, toy: Path, folder: Path, tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib")
    starts = {".png": b"\x89PNG", ".PDF": b"%PDF"}
    for suffix, start in starts.items():
        picture = tmp_path / f"why{suffix}"
        clip = folder / "b θυμός.wav"
        answer = run("predict", clip, "--model", toy, "--explain", picture)
        assert (answer.code, answer.err) == (0, "")
        assert picture.read_bytes().startswith(start)
        assert answer.out.splitlines()[-1] == f"Picture: {picture}"


def test_a_picture_does_not_disturb_what_programs_read(
    run: Run, toy: Path, folder: Path, tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib")
    clip, picture = folder / "b θυμός.wav", tmp_path / "why.png"
    answer = run("predict", clip, "--model", toy, "--explain", picture, "--format", "json")
    assert len(answer.out.splitlines()) == 1 and json.loads(answer.out)["emotion"] == "anger"
    assert picture.exists()


def test_a_picture_that_cannot_be_drawn_is_refused_before_the_work(
    run: Run, toy: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip, picture = folder / "b θυμός.wav", tmp_path / "why.png"
    ask = ("predict", "--model", toy, "--explain")
    run(*ask, picture, folder).refuses(2, "--explain draws one recording; 3 were given")
    run(*ask, tmp_path / "why.jpeg", clip).refuses(2, "why.jpeg", ".png, .svg or .pdf")
    run(*ask, tmp_path / "why", clip).refuses(2, ".png, .svg or .pdf")
    silent = run(*ask, picture, folder / "silence.wav")
    assert silent.code == 1 and "no speech found, so there is nothing to draw" in silent.err
    assert not picture.exists()
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    run(*ask, picture, clip).refuses(1, "matplotlib", "pip install 'emelia[plots]'")


def test_a_picture_shows_time_frequency_and_every_emotion() -> None:
    pytest.importorskip("matplotlib")
    rng = np.random.default_rng(0)
    probabilities = {"anger": 0.7, "$fear_1$": 0.2, "喜び": 0.1}
    figure = pictures.explanation(
        "a $b$ 喜.wav: anger 70 %", rng.standard_normal((64, 300)).astype(np.float32),
        rng.standard_normal(300).astype(np.float32), probabilities, CARD.features,
        Thresholds(0.4, {"anger": 0.6}),
    )  # fmt: skip
    assert pictures.picture(figure, ".png").startswith(b"\x89PNG")
    top, middle, bottom = figure.axes[:3]
    assert top.get_xlim() == (0, 3.0) == middle.get_xlim()
    assert "Hz" in top.get_ylabel() and middle.get_xlabel() == "time, s"
    assert [t.get_text() for t in bottom.get_yticklabels()] == ["喜び", "$fear_1$", "anger"]
    (lines,) = (one for one in bottom.collections if one.get_linestyle()[0][1])
    np.testing.assert_allclose([line[0, 0] for line in lines.get_segments()], [40, 40, 60])
    heights = top.get_yticks()
    assert list(heights) == sorted(heights) and heights[0] > 0 and heights[-1] <= 64


def test_frequencies_stand_where_their_mel_bands_are() -> None:
    # On Slaney's scale 200 Hz are 3 mels, 1000 Hz 15 and 6400 Hz 42. The centres of 41 bands
    # up to 6400 Hz are therefore 1, 2, ... 41 mels; the first is drawn from 0 to 1.
    features = replace(CARD.features, mels=41, fmin=0.0, fmax=6400.0)
    for hz, place in ((200, 2.5), (1000, 14.5), (1000 * 6.4 ** (10 / 27), 24.5)):
        assert style.mel_band(hz, features, 41) == pytest.approx(place)


# Models


def test_the_models_that_come_with_emelia_are_listed(run: Run) -> None:
    answer = run("models")
    assert (answer.code, answer.err) == (0, "")
    assert "aesdd" in answer.out and "anger, disgust, fear, happiness, sadness" in answer.out
    assert "MB" in answer.out and "licence" in answer.out


@pytest.mark.parametrize("columns", [80, 100, 140])
def test_the_list_of_models_leads_with_what_counts_for_own_recordings(
    run: Run, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    from emelia.api.shipped import side_by_side
    from emelia.use.bundled import shipped
    from emelia.use.model import read_card

    monkeypatch.setattr("emelia.console.width", lambda: columns)
    cards = {name: read_card(path) for name, path in shipped().items()}
    told = run("models").out
    assert max(map(len, told.splitlines())) <= columns
    table = told[: told.index("Corpora never heard: answered")]
    order = [line.split()[0] for line in table.splitlines() if line.split()[:1] and
             line.split()[0] in cards]  # fmt: skip
    known = {name: card.expected["uar"][0] for name, card in cards.items() if card.expected}
    # Of corpora that all of them were asked about: others are easier for any.
    means = side_by_side(cards)[1]
    assert order[: len(known)] == sorted(known, key=lambda name: -means[name])
    assert all(f"{name} {100 * mean:.1f}" in " ".join(told.split()) for name, mean in means.items())
    for name, share in known.items():
        assert re.search(rf"^{name} +{100 * share:.1f}\b", table, re.MULTILINE)
        assert f"{cards[name].expected['clips']:,} / {cards[name].expected['speakers']}" in table
        assert f"expect about {100 * share:.1f} (" in " ".join(run("models", name).out.split())
    for name in cards.keys() - known:
        assert "own recordings: not measured" in " ".join(run("models", name).out.split())


def test_a_card_may_have_figures_of_unseen_corpora_of_their_own() -> None:
    told = {"uar": [0.5, 0.4, 0.6], "clips": 10, "speakers": 2}
    card = replace(CARD, metrics={"validation": {"uar": [0.9, 0.9, 0.9]}, "unseen": told})
    assert card.expected == told and card.title_of("unseen") == "corpora never heard"
    assert replace(CARD, metrics={"validation": told}).expected == {}


def test_the_card_of_a_model_is_shown(run: Run, toy: Path) -> None:
    answer = run("models", toy)
    assert (answer.code, answer.err) == (0, "")
    for fact in ("A toy that listens to loudness", *LABELS, "for tests", "0.4", "chosen for tests",
                 "No corpus", "2026-01-01", "float32"):  # fmt: skip
        assert fact in answer.out
    assert run("models", "aesdd").out.startswith("aesdd")
    run("models", "aesd").refuses(1, "'aesd'", "Did you mean aesdd?")
    run("models", toy.parent / "gone.onnx").refuses(1, "gone.onnx: no such model file")


def test_a_model_for_strangers_says_who_validated_it(run: Run) -> None:
    unheard = "So it was on corpora never heard"
    told = {name: " ".join(run("models", name).out.split()) for name in ("default", "aesdd")}
    assert unheard in told["default"] and unheard not in told["aesdd"]


@pytest.mark.parametrize(
    "settings", [{}, {"train": "corpora"}, {"train": {"selection_groups": ["corpora"]}}]
)
def test_settings_of_any_shape_do_not_break_a_card(settings: Any, run: Run, tmp_path: Path) -> None:
    answer = run("models", write_toy(tmp_path / "odd.onnx", settings=settings))
    assert (answer.code, answer.err) == (0, "") and "heard nothing" not in answer.out


def test_a_strangers_card_cannot_reach_the_terminal(run: Run, tmp_path: Path) -> None:
    path = write_toy(tmp_path / "bad.onnx", title="\x1b[31mred", metrics={"x\x1b": {"y": "\x9b"}})
    answer = run("models", path)
    assert answer.code == 0 and "\x1b" not in answer.out and "\x9b" not in answer.out
    assert console._printable("\x1b", sys.stdout) == "?"


# Channels and what was amiss


def stereo(path: Path) -> Path:
    one, rest = voice(140, 2, 0), np.zeros(2 * RATE, np.float32)
    call = np.stack([np.append(one, rest), np.append(rest, voice(220, 2, 1))], axis=1)
    soundfile.write(path, call, RATE)
    return path


def test_each_channel_has_a_line_of_its_own(run: Run, toy: Path, tmp_path: Path) -> None:
    call = stereo(tmp_path / "call.wav")
    mixed = run("predict", "--model", toy, call)
    assert mixed.code == 0 and f"warning: {call}: its 2 channels differ" in mixed.err
    each = run("predict", "--model", toy, "--format", "json", "--channel", "each", call)
    told = [json.loads(line) for line in each.out.splitlines()]
    assert [one["path"] for one in told] == [f"{call} [left]", f"{call} [right]"] and not each.err
    left = run("predict", "--model", toy, "--format", "json", "--channel", "left", call)
    assert json.loads(left.out) == {**told[0], "path": str(call)}
    follow = ("predict", "--model", toy, "--timeline", "--format", "json", "--channel", "each")
    timelines = [json.loads(line)["path"] for line in run(*follow, call).out.splitlines()]
    assert timelines == [f"{call} [left]", f"{call} [right]"]


def test_a_channel_that_is_not_there_or_cannot_be_drawn_is_refused(
    run: Run, toy: Path, tmp_path: Path
) -> None:
    soundfile.write(tmp_path / "mono.wav", voice(140, 1, 0), RATE)
    command = ("predict", "--model", toy, tmp_path / "mono.wav", "--channel")
    run(*command, "right").refuses(1, "mono.wav: has 1 channel, and no channel right.")
    run(*command, "each", "--explain", tmp_path / "a.png").refuses(2, "a picture shows one channel")


def test_how_much_of_a_cut_recording_was_read_is_a_warning(
    run: Run, toy: Path, tmp_path: Path
) -> None:
    soundfile.write(path := tmp_path / "cut.wav", voice(140, 2, 0), RATE)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    told = run("predict", "--model", toy, "--format", "json", path)
    assert told.code == 0
    (warning,) = json.loads(told.out)["warnings"]
    assert warning == "1.00 of 2.00 s could be read; the file is damaged or cut short."
    assert told.err.replace("\n", " ").strip() == f"warning: {path}: {warning}"


@pytest.mark.parametrize("more", [(), ("--timeline",)])
def test_with_strict_a_cut_recording_is_an_error_and_the_rest_go_on(
    run: Run, toy: Path, tmp_path: Path, more: tuple[str, ...]
) -> None:
    soundfile.write(whole := tmp_path / "whole.wav", voice(140, 2, 0), RATE)
    (cut := tmp_path / "cut.wav").write_bytes(whole.read_bytes()[:30_000])
    told = run("predict", "--model", toy, "--strict", *more, cut, whole)
    assert told.code == 1 and str(whole) in told.out and str(cut) not in told.out
    assert told.err.replace("\n", " ").startswith(f"emelia: {cut}: 0.94 of 2.00 s could be read")
    answered = run("predict", "--model", toy, "--strict", *more, whole)
    assert answered.code == 0 and not answered.err


def test_a_collection_takes_a_threshold_and_no_cut_recordings(
    run: Run, toy: Path, tmp_path: Path
) -> None:
    (calls := tmp_path / "calls").mkdir()
    soundfile.write(whole := calls / "whole.wav", vowels(2.0), RATE)
    (calls / "cut.wav").write_bytes(whole.read_bytes()[:30_000])
    command = ("score", calls, table := tmp_path / "s.csv", "--model", toy, "--jobs", "1")
    told = run(*command, "--threshold", "1", "--strict", "--timeline", tmp_path / "segments")
    assert told.code == 1 and "1 of 2 recordings could not be scored" in told.err
    (row,) = csv.DictReader(table.read_text(encoding="utf-8").splitlines())
    assert row["path"] == str(whole) and row["unsure"] == "true"
    failures = (tmp_path / "s.failures.csv").read_text(encoding="utf-8")
    (failure,) = csv.DictReader(failures.splitlines())
    assert failure["reason"].startswith("0.94 of 2.00 s could be read")
    assert [one.name for one in (tmp_path / "segments").iterdir()] == ["whole.wav.csv"]
    run(*command).refuses(1, "threshold")


def test_what_to_type_next_is_told_at_a_terminal_alone(
    run: Run, toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    soundfile.write(clip := tmp_path / "a clip.wav", voice(140, 2, 0), RATE)
    command = ("predict", "--model", toy, clip)
    assert "Next:" not in run(*command).out
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    told = " ".join(run(*command).out.split())
    assert f"Next: emelia predict '{clip}' --model {toy} --explain why.png" in told
    assert "Next:" not in run(*command, "--quiet").out
    assert "Next:" not in run(*command, "--format", "json").out


def test_a_folder_names_what_it_passes_over(run: Run, toy: Path, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", voice(140, 1, 0), RATE)
    (tmp_path / "b.ds2").touch()
    told = run("predict", "--model", toy, tmp_path)
    assert told.code == 0 and told.out.startswith(str(tmp_path / "a.wav"))
    assert "1 .ds2 file passed over" in told.err
