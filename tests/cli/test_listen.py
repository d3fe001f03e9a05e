"""`emelia listen`: a microphone made of memory, recordings replayed, what is shown and printed."""

from __future__ import annotations

import io
import itertools
import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
from listeners import RATE, talk
from rich.console import Console
from toy_model import write_toy

from emelia import cli
from emelia.cli.listening import Screen
from emelia.config.thresholds import Thresholds
from emelia.errors import AudioError, ConfigError, MissingExtraError
from emelia.use import microphone
from emelia.use.microphone import Microphone, devices, find_device, replay
from emelia.use.timeline.segments import Segment
from emelia.use.timeline.windows import Window

WAVE = talk(1, 5, 2, 2, 1)


class PortAudioError(Exception):
    """As sounddevice has it."""


class FakeStream:
    """Plays a wave into the callback as fast as it goes, in a thread as PortAudio has one."""

    sound = WAVE

    def __init__(self, **settings: Any) -> None:
        if settings["device"] == 3:
            raise PortAudioError("Device unavailable [PaErrorCode -9985]")
        self.settings = settings
        self.closed = False

    def start(self) -> None:
        self._thread = threading.Thread(target=self._play)
        self._thread.start()

    def close(self) -> None:
        self.closed = True
        self._thread.join()

    def _play(self) -> None:
        size = self.settings["blocksize"]
        memory = np.zeros((size, 1), np.float32)  # PortAudio uses one again and again
        for at in range(0, len(self.sound) - size, size):
            memory[:, 0] = self.sound[at : at + size]
            overflow = at == 10 * size
            self.settings["callback"](memory, size, None, SimpleNamespace(input_overflow=overflow))


@pytest.fixture
def sounddevice(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A computer with two microphones, a loudspeaker and a microphone in use."""
    found = [
        {"name": "USB Mic", "max_input_channels": 1, "default_samplerate": 16_000.0},
        {"name": "Speaker", "max_input_channels": 0, "default_samplerate": 48_000.0},
        {"name": "Built-in Mic", "max_input_channels": 2, "default_samplerate": 16_000.0},
        {"name": "Taken", "max_input_channels": 2, "default_samplerate": 48_000.0},
    ]
    fake = SimpleNamespace(
        query_devices=lambda: found, default=SimpleNamespace(device=[2, 1]),
        InputStream=FakeStream, PortAudioError=PortAudioError,
    )  # fmt: skip
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    return fake


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy(tmp_path_factory.mktemp("models") / "toy.onnx")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    soundfile.write(path := tmp_path_factory.mktemp("ήχοι") / "η φωνή μου.wav", WAVE, RATE)
    return path


@pytest.fixture
def run(toy: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> Callable[..., Any]:
    """Run the command; its exit code, output and errors."""

    def ask(*words: Any) -> tuple[int, str, str]:
        monkeypatch.setattr(
            sys, "argv", ["emelia", "listen", "--model", str(toy), *map(str, words)]
        )
        try:
            code = cli.main()
        except SystemExit as left:
            code = int(left.code or 0)
        return code, *capsys.readouterr()

    return ask


Run = Callable[..., tuple[int, str, str]]
SEGMENT = re.compile(r" +\d:\d\d\.\d +\d:\d\d\.\d  (not sure \()?[a-z]+ \d+ %\)?")


# Microphones


def test_microphones_are_those_that_take_sound_in(sounddevice: SimpleNamespace) -> None:
    assert [(d.number, d.name, d.usual) for d in devices()] == [
        (0, "USB Mic", False), (2, "Built-in Mic", True), (3, "Taken", False),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("wanted", "number"), [(None, 2), ("0", 0), ("usb", 0), ("Built-in Mic", 2), ("taken", 3)]
)
def test_a_microphone_is_chosen_by_number_or_name(
    sounddevice: SimpleNamespace, wanted: str | None, number: int
) -> None:
    assert find_device(wanted).number == number


@pytest.mark.parametrize(("wanted", "words"), [("1", "is no"), ("mic", "is 2"), ("x", "is no")])
def test_a_choice_that_is_none_is_refused(
    sounddevice: SimpleNamespace, wanted: str, words: str
) -> None:
    with pytest.raises(ConfigError, match=f"--microphone {wanted}: {words} microphone"):
        find_device(wanted)


def test_without_a_usual_microphone_the_first_is_taken(sounddevice: SimpleNamespace) -> None:
    sounddevice.default.device = [-1, -1]
    assert find_device(None).number == 0


def test_a_microphone_gives_all_of_its_sound_in_order(sounddevice: SimpleNamespace) -> None:
    with Microphone(find_device(None)) as source:
        blocks = list(itertools.islice(source.blocks(), 100))
    np.testing.assert_array_equal(np.concatenate(blocks), WAVE[:160_000])
    assert source.lost == 1
    assert source._stream.closed and source._stream.settings["channels"] == 1


def test_what_waits_is_told_in_seconds(sounddevice: SimpleNamespace) -> None:
    with Microphone(find_device(None)) as source:
        next(iter(source.blocks()))
        source._stream._thread.join()
        assert source.waiting == pytest.approx(len(WAVE) / RATE - 0.2, abs=0.11)


def test_a_microphone_that_falls_silent_for_good_is_told_of(
    sounddevice: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(microphone, "_PATIENCE", 0.05)
    with (
        Microphone(find_device(None)) as source,
        pytest.raises(AudioError, match="Built-in Mic: gives no sound any more"),
    ):
        list(source.blocks())


def test_a_microphone_in_use_is_told_of_and_a_file_suggested(sounddevice: SimpleNamespace) -> None:
    with pytest.raises(AudioError, match=r"Taken: cannot be opened \(Device unav.*--file"):
        Microphone(find_device("Taken"))


def test_without_microphones_a_file_is_suggested(sounddevice: SimpleNamespace) -> None:
    sounddevice.query_devices = list
    with pytest.raises(AudioError, match=r"no microphone found.*--file clip\.wav"):
        find_device(None)


def test_without_sounddevice_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(MissingExtraError, match=r"emelia\[live\]"):
        devices()


def test_without_portaudio_the_package_to_install_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "sounddevice.py").write_text("raise OSError('PortAudio library not found')")
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(AudioError, match=r"apt install libportaudio2.*--file clip\.wav"):
        devices()


# Replay


def test_a_recording_is_replayed_at_the_pace_of_its_clock(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 50.0
    waits: list[float] = []

    def wait(seconds: float) -> None:
        nonlocal now
        waits.append(seconds)
        now += seconds

    monkeypatch.setattr(time, "monotonic", lambda: now)
    blocks = []
    for block in replay(clip, wait=wait):
        blocks.append(block)
        now += 0.03  # work that the clock does not wait for
    samples, _ = soundfile.read(clip, dtype="float32")
    np.testing.assert_array_equal(np.concatenate(blocks), samples)
    assert max(map(len, blocks)) == 1_600
    assert now - 50 == pytest.approx(len(WAVE) / RATE, abs=0.05)
    assert waits[1] == pytest.approx(0.07)


def test_in_a_hurry_there_is_no_waiting(clip: Path) -> None:
    def wait(seconds: float) -> None:
        raise AssertionError("waited")

    assert len(list(replay(clip, fast=True, wait=wait))) == 110


# The command


def test_a_microphone_is_heard_line_by_line(run: Run, sounddevice: SimpleNamespace) -> None:
    code, out, err = run("--seconds", "9.5")
    assert code == 0
    *segments, summary = out.splitlines()
    assert len(segments) >= 2 and all(SEGMENT.fullmatch(line) for line in segments)
    assert re.fullmatch(r"Heard 9\.5 s, [67]\.\d s of speech: .* \d+ %\.", summary)
    assert "sound was lost 1 times" in err


def test_json_lines_are_the_events_of_a_live_session(run: Run, clip: Path) -> None:
    code, out, _ = run("--file", clip, "--fast", "--format", "json")
    *events, end = map(json.loads, out.splitlines())
    assert code == 0 and end["type"] == "end" and end["seconds"] == 11
    assert {event["type"] for event in events} == {"window", "segment"}
    assert all(0 <= event["lag"] < 4 for event in events)
    spoken = sum(e["end"] - e["start"] for e in events if e["type"] == "segment")
    assert sum(end["spoken"].values()) == pytest.approx(spoken, abs=0.01)


def test_emotions_and_the_threshold_are_heeded(run: Run, clip: Path) -> None:
    words = ("--emotions", "anger, sad", "--threshold", "1", "--format", "json")
    _, out, _ = run("--file", clip, "--fast", *words)
    events = [json.loads(line) for line in out.splitlines()][:-1]
    assert all(set(event["probabilities"]) == {"anger", "sadness"} for event in events)
    assert all(event["unsure"] for event in events if event["type"] == "segment")


def test_without_speech_the_summary_says_so(run: Run, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "silence.wav", np.zeros(3 * RATE), RATE)
    assert run("--file", tmp_path / "silence.wav", "--fast")[1] == "Heard 3.0 s, no speech.\n"


def test_microphones_are_listed(run: Run, sounddevice: SimpleNamespace) -> None:
    code, out, _ = run("--list-devices")
    assert code == 0 and "2  Built-in Mic" in out and "Speaker" not in out
    sounddevice.query_devices = list
    assert "No microphone found." in run("--list-devices")[1]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["--file", "gone.wav"], 1, "gone.wav: no such file."),
        (["--fast"], 2, "a microphone cannot be hurried"),
        (["--device", "nothing"], 2, "--microphone nothing: is no microphone"),
        (["--window", "99"], 2, "window: 99 s; expected 0.5 to 30 s."),
    ],
)
def test_mistakes_are_one_line(
    run: Run, sounddevice: SimpleNamespace, words: list[str], code: int, told: str
) -> None:
    left, out, err = run(*words)
    assert (left, out) == (code, "")
    assert told in err and err.count("\n") == 1 and err.startswith("emelia: ")


def test_ctrl_c_ends_with_what_was_heard_and_a_summary(toy: Path, clip: Path) -> None:
    command = [sys.executable, "-m", "emelia", "listen", "--model", str(toy), "--file", str(clip)]
    process = subprocess.Popen(
        [*command, "--format", "json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    first = process.stdout.readline()  # comes while the recording is still played
    process.send_signal(signal.SIGINT)
    rest, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (0, "")
    assert json.loads(first)["type"] == "window"
    end = json.loads(rest.splitlines()[-1])
    assert end["type"] == "end" and 4 < end["seconds"] < 11


def test_on_a_terminal_there_is_a_picture_and_then_a_summary(toy: Path, clip: Path) -> None:
    terminal, end = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80", "LINES": "30"}
    command = ["listen", "--model", str(toy), "--file", str(clip), "--fast"]
    process = subprocess.Popen(
        [sys.executable, "-m", "emelia", *command], stdout=end, stderr=end, env=environment
    )
    os.close(end)
    drawn = b"".join(read(terminal)).decode()
    assert process.wait(timeout=30) == 0
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", drawn)
    for words in ("behind", "Ctrl-C ends", "level", "anger", "now  ", " s of speech: "):
        assert words in shown
    heard, following = shown.rstrip().partition("Heard 11.0 s")[1:]
    assert heard and "Next: " in following and "--timeline" in following
    assert "\x1b[?25h" in drawn  # the cursor is back


def read(terminal: int) -> Iterator[bytes]:
    while True:
        try:
            piece = os.read(terminal, 4096)
        except OSError:  # how Linux says that the other end is closed
            piece = b""
        if not piece:
            os.close(terminal)
            return
        yield piece


# The picture


def shown(screen: Screen, width: int = 80) -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=30)
    console.print(screen._picture())
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined]


def test_the_picture_shows_level_answer_and_history() -> None:
    screen = Screen(("anger", "sadness"), Thresholds(0.5))
    shares = {"anger": 0.75, "sadness": 0.25}
    events = [Window(1, 4, shares), Segment("sadness", 0.4, shares, True, 0, 2)]
    screen.tell(np.full(100, 0.5, np.float32), events, 4.5, 0.5)
    lines = shown(screen)
    assert lines[0] == "0:04.5   0.5 s behind   Ctrl-C ends"
    assert re.match(r"level +█{27}░{3} +-6 dB", lines[1])
    assert re.match(r"anger +█{22}░{8} +75 %", lines[3])
    assert "now  anger 75 %" in lines
    assert lines[-1].split() == ["0:00.0", "0:02.0", "not", "sure", "(sadness", "40", "%)"]


def test_an_old_answer_is_no_answer_for_now() -> None:
    screen = Screen(("anger", "sadness"), Thresholds(0.5))
    screen.tell(None, [Window(1, 4, {"anger": 0.75, "sadness": 0.25})], 9.0, 0.0)
    assert "now  no speech" in shown(screen)
    assert not any("75 %" in line for line in shown(screen))


def test_the_picture_fits_a_narrow_terminal_and_a_long_talk() -> None:
    screen = Screen(("anger", "sadness"), Thresholds(0.5))
    for start in range(100):
        piece = Segment("anger", 0.9, {"anger": 0.9, "sadness": 0.1}, False, start, start + 1)
        screen.tell(np.ones(10, np.float32), [piece], start + 1.0, 0.0)
    lines = shown(screen, 40)
    assert len(lines) < 20 and max(map(len, lines)) <= 40
    assert "0:01:39" not in lines[-1] and lines[-1].split()[0] == "1:39.0"
