"""What the kernel is asked for: no connection when importing, predicting and serving.

Packages may open connections past Python, where its audit hooks see nothing.
"""

# ruff: noqa: F811  # tests take the fixture that is imported

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from test_privacy import ABROAD, Home, clips, emelia, home  # noqa: F401  # fixtures

from emelia.use.bundled import SAMPLE_CLIP

IMPORT = "import emelia, emelia.cli, emelia.use.recognizer, emelia.corpora, emelia.results"
ASK = "import sys, socket; socket.create_connection(('192.0.2.1', 9), 0.05)"
INTERNET = re.compile(r"\bAF_INET")  # 4 or 6


@pytest.fixture
def traced(tmp_path: Path) -> tuple[str, ...]:
    """Words before a command, which let the kernel's calls of it and its children be noted."""
    strace = shutil.which("strace")
    if not strace:
        pytest.skip("strace, which notes the kernel's calls, is not installed")
    words = (strace, "-D", "-f", "-e", "trace=network", "-o", str(tmp_path / "trace.txt"))
    probe = subprocess.run([*words, "true"], capture_output=True, text=True, check=False)
    if probe.returncode:
        pytest.skip(f"the kernel's calls cannot be noted here ({probe.stderr.strip()[:80]})")
    return words


def calls(tmp_path: Path, what: re.Pattern[str]) -> list[str]:
    lines = (tmp_path / "trace.txt").read_text().splitlines()
    return [line for line in lines if what.search(line)]


def test_a_connection_would_be_seen(traced: tuple[str, ...], home: Home, tmp_path: Path) -> None:
    home.start(*traced, sys.executable, "-c", ASK).communicate(timeout=60)
    assert calls(tmp_path, INTERNET) and calls(tmp_path, ABROAD)


@pytest.mark.parametrize("what", ["import", "predict"])
def test_importing_and_predicting_open_no_socket_of_the_internet(
    what: str,
    traced: tuple[str, ...],
    home: Home,
    tmp_path: Path,
) -> None:
    commands = {
        "import": (sys.executable, "-c", IMPORT),
        "predict": emelia("predict", "--model", "aesdd", str(SAMPLE_CLIP)),
    }
    home.run(*traced, *commands[what])
    assert calls(tmp_path, INTERNET) == []


@pytest.mark.slow  # seconds on a busy machine
def test_a_server_that_answers_asks_nobody(
    traced: tuple[str, ...],
    home: Home,
    tmp_path: Path,
) -> None:
    pytest.importorskip("fastapi")
    process = home.start(*traced, *emelia("serve", "--model", "aesdd", "--port", "0"))
    try:
        assert process.stdout is not None
        url = re.search(r"http://[^/\s]+", process.stdout.readline())
        assert url
        file = {"file": ("clip", SAMPLE_CLIP.read_bytes())}
        answer = httpx.post(f"{url.group()}/v1/predict", files=file, timeout=60, trust_env=False)
        assert answer.status_code == 200
    finally:
        process.terminate()
        process.communicate(timeout=60)
    assert calls(tmp_path, INTERNET), "it listened"
    assert calls(tmp_path, ABROAD) == []
