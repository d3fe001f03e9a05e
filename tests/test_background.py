"""Tests work in a background job, too, where a shell lets programs ignore Ctrl-C."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys

import pytest

WAITS = "import time; print('ready', flush=True); time.sleep(60)"


def test_a_program_that_a_test_starts_hears_ctrl_c() -> None:
    command = [sys.executable, "-c", WAITS]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            assert process.stdout and process.stdout.readline() == b"ready\n"
            process.send_signal(signal.SIGINT)
            _, told = process.communicate(timeout=10)
        finally:
            process.kill()
    assert process.returncode == -signal.SIGINT and b"KeyboardInterrupt" in told


@pytest.mark.skipif(not shutil.which("sh"), reason="needs a shell that lets its jobs ignore Ctrl-C")
def test_it_hears_ctrl_c_where_the_tests_are_not_to() -> None:
    test = f"{__file__}::{test_a_program_that_a_test_starts_hears_ctrl_c.__name__}"
    tests = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", test]
    shell = ["sh", "-c", "trap '' INT; exec \"$@\"", "sh"]
    run = subprocess.run([*shell, *tests], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0 and "1 passed" in run.stdout, run.stdout
