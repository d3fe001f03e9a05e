"""What is printed: as written, on the right stream, as bars on a terminal and lines elsewhere."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import textwrap

import pytest

from emelia import console

Captured = pytest.CaptureFixture[str]


def on_a_terminal(code: str, columns: int = 120) -> tuple[str, str]:
    """Run code with standard error on a terminal and standard output in a pipe; return both."""
    terminal, end = pty.openpty()
    environment = {
        **os.environ,
        "TERM": "xterm",
        "COLUMNS": str(columns),
        "PYTHONIOENCODING": "utf-8",
    }
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_INTERACTIVE"):
        environment.pop(name, None)
    run = subprocess.Popen(
        [sys.executable, "-c", "from emelia.console import *\n" + textwrap.dedent(code)],
        stdout=subprocess.PIPE,
        stderr=end,
        env=environment,
    )
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
    out, _ = run.communicate(timeout=60)
    os.close(terminal)
    assert run.returncode == 0, drawn.decode()
    return out.decode(), drawn.decode()


def test_results_go_to_output_and_troubles_to_error(capsys: Captured) -> None:
    console.say("54.3")
    console.warn("one file was skipped")
    console.fail("no such corpus")
    out, err = capsys.readouterr()
    assert out == "54.3\n"
    assert err == "warning: one file was skipped\nemelia: no such corpus\n"


@pytest.mark.parametrize("text", ["pip install 'emelia[train]'", "[/] :smile: [bold]", "x" * 300])
def test_text_is_printed_as_it_is(capsys: Captured, text: str) -> None:
    console.say(text)
    console.warn(text)
    console.fail(text)
    console.titled(text, [text, text], [text])
    out, err = capsys.readouterr()
    assert out.splitlines()[0] == text
    assert err == f"warning: {text}\nemelia: {text}\n"
    assert out.count(text) == 5


def test_a_failure_is_one_line(capsys: Captured) -> None:
    console.fail("first\nsecond")
    assert capsys.readouterr().err == "emelia: first second\n"


def test_file_names_cannot_steer_the_terminal_or_break_the_output(capsys: Captured) -> None:
    name = os.fsdecode(b"\x1b[2Jn\xe9.wav")  # an escape sequence, and a byte that is no UTF-8
    for tell in (console.say, console.warn, console.fail):
        tell(name)
    console.titled("files", [name])
    out, err = capsys.readouterr()
    assert "\x1b" not in out + err
    assert out.count("?[2Jn?.wav") == 2 and err.count("?[2Jn?.wav") == 2


def test_output_that_knows_no_greek_still_works() -> None:
    code = "from emelia.console import *\nsay('θ ± 1'); titled('θ', ['±', rule()]); warn('θ')"
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, env=environment, check=True, timeout=60
    )
    assert run.stdout == b"? ? 1\n?\n?\n-\n\n" and run.stderr == b"warning: ?\n"


@pytest.mark.parametrize("columns", [80, 100, 140])
def test_long_lines_are_wrapped_at_blanks_on_a_terminal(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    path = "/runs/" + "x" * 150
    text = "  " + "word " * 60 + path
    monkeypatch.setattr(console, "width", lambda: columns)
    console.say(text)
    lines = capsys.readouterr().out.splitlines()
    assert max(len(line) for line in lines if path not in line) <= columns
    assert all(line.startswith("  ") for line in lines) and lines[-1].strip() == path
    assert " ".join(text.split()) == " ".join(" ".join(lines).split())
    console.write(text)
    assert capsys.readouterr().out == text + "\n"


def test_progress_in_a_log_is_a_line_each_tenth_at_most(capsys: Captured) -> None:
    with console.Progress() as progress:
        progress.start("epochs", 250)
        for done in range(1, 251):
            progress.step("epochs", done, f"loss {1 / done:.2f}")
        progress.finish("epochs", "best epoch 17")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 11
    assert re.fullmatch(r"epochs: 25/250, \d+:\d\d left, loss 0\.04", lines[0])
    assert lines[-2] == "epochs: 250/250, loss 0.00"
    assert re.fullmatch(r"epochs: done in \d+:\d\d, best epoch 17", lines[-1])


def test_several_tasks_are_told_apart(capsys: Captured) -> None:
    with console.Progress() as progress:
        progress.start("cells", 2)
        progress.start("epochs", 3)
        progress.step("epochs", 1)
        progress.step("cells", 1)
        progress.finish("epochs")
        progress.finish("cells")
    names = [line.split(":")[0] for line in capsys.readouterr().err.splitlines()]
    assert names == ["epochs", "cells", "epochs", "cells"]


def test_time_left_counts_only_what_was_done_in_this_start(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr(console.time, "monotonic", lambda: now)
    with console.Progress() as progress:
        progress.start("epochs", 100, done=70)
        now += 60.0  # ten epochs take a minute, so the other twenty take two
        progress.step("epochs", 75)
        progress.step("epochs", 80)
    assert capsys.readouterr().err == "epochs: 80/100, 2:00 left\n"


def test_nothing_to_do_is_done_at_once(capsys: Captured) -> None:
    with console.Progress() as progress:
        progress.start("files", 0)
        progress.finish("files")
    assert capsys.readouterr().err == "files: done in 0:00\n"


def test_bars_are_drawn_on_a_terminal_and_results_stay_clean() -> None:
    out, drawn = on_a_terminal(
        """
        import time
        with Progress() as progress:
            progress.start("epochs [x]", 5)
            for done in range(1, 6):
                time.sleep(0.05)
                progress.step("epochs [x]", done, "loss [0.5]")
                say(f"result {done}")
            warn("an odd file")
            progress.finish("epochs [x]", "best 3")
        """
    )
    assert out == "".join(f"result {done}\n" for done in range(1, 6))
    assert "━" in drawn and "\x1b[" in drawn
    assert "epochs [x]" in drawn and "loss [0.5]" in drawn and "result" not in drawn
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", drawn)
    assert re.search(r"warning: an odd file\r?\n", plain)
    assert re.search(r"epochs \[x\]: done in 0:0\d, best 3\r?\n", plain)


def test_bars_are_left_out_on_a_terminal_that_cannot_draw() -> None:
    _, drawn = on_a_terminal(
        """
        import os
        os.environ["TERM"] = "dumb"
        with Progress() as progress:
            progress.start("a", 2)
            progress.step("a", 1)
        """
    )
    assert "\x1b" not in drawn and "a: 1/2" in drawn


def test_bars_keep_count_and_time_left_at_80_columns_whatever_the_name() -> None:
    _, drawn = on_a_terminal(
        """
        import time
        name = "artificial-variable-4-without-spec-augment fold 12 seed 3"
        with Progress() as progress:
            progress.start(name, 1200)
            time.sleep(0.1)
            progress.step(name, 600, "loss 1.6123, validation UAR 45.2 %, learning rate 0.0005")
            time.sleep(0.3)
        """,
        columns=80,
    )
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", drawn)
    lines = [line for line in re.split(r"[\r\n]+", plain) if "600/1200" in line]
    assert lines and all(len(line.rstrip()) <= 80 for line in lines)
    assert re.search(r"artificial.*….*seed 3 +━.* 600/1200 0:00 left loss", lines[-1])
