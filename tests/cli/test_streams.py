"""Output that nobody reads or takes, and streams that are closed: one line, or none."""

from __future__ import annotations

import subprocess
import sys

import pytest

from emelia import cli, console
from emelia.text import csv_text

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="these are streams of a shell")
EMELIA = f"{sys.executable} -m emelia"


def shell(line: str) -> tuple[int, str]:
    """Exit code of the first command of a line, and all it wrote to standard error."""
    run = subprocess.run(
        ["bash", "-c", f"{line}; exit ${{PIPESTATUS[0]}}"],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    return run.returncode, run.stderr


@POSIX
@pytest.mark.parametrize("command", ["--help", "recipes"])
def test_a_full_disk_is_one_line_whatever_writes(command: str) -> None:
    code, error = shell(f"{EMELIA} {command} > /dev/full")
    assert (code, error.count("\n")) == (1, 1) and error.startswith(
        "emelia: cannot write (No space"
    )


@POSIX
@pytest.mark.parametrize("command", ["--help", "recipes", "recipes --help"])
def test_a_reader_that_has_had_enough_is_no_error(command: str) -> None:
    assert shell(f"{EMELIA} {command} | true") == (0, "")


@POSIX
def test_closed_streams_are_no_traceback() -> None:
    assert shell(f"{EMELIA} models >&-") == (0, "")
    code, error = shell(f"{EMELIA} predict - <&-")
    assert code == 1 and error.count("\n") == 1 and "standard input: is empty" in error


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("[enforce fail] can't allocate memory: 12 bytes")]
)
def test_want_of_memory_is_named_as_such(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails() -> None:
        raise error

    monkeypatch.setattr(cli, "app", fails)
    monkeypatch.setattr(cli, "_drop_output", lambda: None)
    assert cli.main() == 1
    assert capsys.readouterr().err.startswith("emelia: not enough memory. ")


def test_a_fault_of_the_program_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> None:
        raise OSError(2, "no such file")

    monkeypatch.setattr(cli, "app", fails)
    with pytest.raises(OSError, match="no such file"):
        cli.main()


def test_a_spreadsheet_takes_text_for_text_and_numbers_for_numbers() -> None:
    cells = ['=HYPERLINK("http://evil.example")', "+cmd", "-x.wav", "@sum", "-0.125", -0.5, "a"]
    line = csv_text([cells]).strip()
    assert line.startswith("\"'=HYPERLINK(") and line.endswith(",'+cmd,'-x.wav,'@sum,-0.125,-0.5,a")


def test_a_table_holds_no_text_that_reads_otherwise_than_it_is() -> None:
    assert csv_text([["calls/\u202egnp.wav", "\x1b[31m", "a\nb"]]) == (
        'calls/\ufffdgnp.wav,\ufffd[31m,"a\nb"\n'
    )


def test_text_cannot_turn_the_direction_of_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    console.say("calls/\u202egnp.wav \u2067x")
    assert capsys.readouterr().out == "calls/?gnp.wav ?x\n"
