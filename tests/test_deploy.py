"""The recipes of deploy/ say what emelia takes, and a server of several processes stays."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import soundfile
import typer
from vowels import vowels

from emelia.cli import app

httpx = pytest.importorskip("httpx")
yaml = pytest.importorskip("yaml")
pytest.importorskip("fastapi")

DEPLOY = Path(__file__).resolve().parents[1] / "deploy"
NAME = "emelia.example.org"
WHO = {"authorization": "Bearer long-enough", "host": NAME}
A_LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \[(\d)\] ")


def text(name: str) -> str:
    return (DEPLOY / name).read_text(encoding="utf-8")


def commands() -> dict[str, list[str]]:
    """What each recipe gives to `emelia`."""
    words = json.loads(text("Dockerfile").split("\nCMD ")[1])
    composed = yaml.safe_load(text("compose.yaml"))["services"]["emelia"]["command"]
    server = next(iter(yaml.safe_load_all(text("kubernetes/server.yaml"))))
    job = yaml.safe_load(text("kubernetes/score.yaml"))["spec"]["entrypoint"]
    unit = re.search(r"ExecStart=\S+/emelia (.*)", text("emelia.service"))
    assert unit
    return {
        "Dockerfile": words,
        "compose.yaml": [re.sub(r"\$\{.*\}", NAME, word) for word in composed],
        "server.yaml": server["spec"]["template"]["spec"]["containers"][0]["args"],
        "score.yaml": shlex.split(job)[1:],
        "emelia.service": unit[1].split(),
    }


@pytest.mark.parametrize("recipe", commands())
def test_the_command_of_a_recipe_is_one_that_emelia_takes(recipe: str) -> None:
    name, *words = commands()[recipe]
    group = typer.main.get_command(app)
    command = group.get_command(None, name)  # type: ignore[attr-defined]
    command.make_context(name, list(words))  # raises what a user would be told


@dataclass
class Served:
    process: subprocess.Popen[str]
    client: Any
    log: Path

    def numbers(self) -> set[str]:
        """Which processes have left counters."""
        return set(re.findall(r'process="(\d)"', self.client.get("/metrics").text))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Started as in compose.yaml, but for two processes on a free port of this machine."""
    log = tmp_path_factory.mktemp("served") / "log"
    words = ["serve", "--model", "aesdd", "--workers", "2", "--max-jobs", "1"]
    words += ["--name", NAME, "--port", "0"]
    with log.open("w", encoding="utf-8") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "emelia", *words],
            stdout=subprocess.PIPE, stderr=file, text=True,
            env={**os.environ, "EMELIA_TOKEN": "long-enough", "COLUMNS": "200"},
        )  # fmt: skip
        assert process.stdout
        address = next(m[0] for m in map(_ADDRESS.search, process.stdout) if m)
        with httpx.Client(base_url=address, headers=WHO, timeout=60, trust_env=False) as client:
            yield Served(process, client, log)
        process.kill()
        process.wait()
        process.stdout.close()


_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end, "it has not become so"
        time.sleep(0.1)


def children(pid: int) -> list[int]:
    if not Path("/proc/self/task").exists():
        pytest.skip("needs /proc")
    return [
        int(word)
        for file in Path(f"/proc/{pid}/task").glob("*/children")
        for word in file.read_text().split()
    ]


def command_of(pid: int) -> bytes:
    """Empty for one that has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        return b""


def ask(served: Served) -> Any:
    """On a connection of its own, which any of the processes may take."""
    sound = io.BytesIO()
    soundfile.write(sound, vowels()[:16_000], 16_000, format="WAV")
    with httpx.Client(base_url=served.client.base_url, headers=WHO, timeout=60) as client:
        return client.post("/v1/predict", files={"file": ("a.wav", sound.getvalue())})


def test_the_health_check_of_the_image_finds_the_server(served: Served) -> None:
    words = text("Dockerfile").split("HEALTHCHECK")[1].split("CMD ")[1].splitlines()[0]
    _, flag, code = json.loads(words)
    port = str(served.client.base_url.port)
    check = [sys.executable, flag, code.replace("8000", port)]
    until(lambda: subprocess.run(check, capture_output=True).returncode == 0)
    check[-1] = code.replace("8000", "9")
    assert subprocess.run(check, capture_output=True).returncode != 0


def test_the_probe_of_kubernetes_asks_by_a_name_that_the_server_answers_to(served: Served) -> None:
    pod = next(iter(yaml.safe_load_all(text("kubernetes/server.yaml"))))["spec"]["template"]["spec"]
    (probe,) = pod["containers"][0]["readinessProbe"]["httpGet"]["httpHeaders"]
    answer = httpx.get(f"{served.client.base_url}/healthz", headers={"host": probe["value"]})
    assert answer.status_code == 200
    by_address = httpx.get(f"{served.client.base_url}/healthz", headers={"host": "10.1.2.3"})
    assert by_address.status_code != 200


def test_counters_and_log_tell_which_process_answered(served: Served) -> None:
    until(lambda: len(served.numbers()) == 2)
    assert ask(served).status_code == 200
    counted = re.compile(r'emelia_requests_total\{[^}]*process="\d"[^}]*status="200"')
    until(lambda: bool(counted.search(served.client.get("/metrics").text)))
    until(lambda: bool(A_LINE.search(served.log.read_text(encoding="utf-8"))))


def test_one_that_is_killed_is_started_anew_and_the_other_answers(served: Served) -> None:
    until(lambda: len(served.numbers()) == 2)
    workers = [pid for pid in children(served.process.pid) if b"spawn_main" in command_of(pid)]
    assert len(workers) == 2
    os.kill(workers[0], signal.SIGKILL)
    assert all(ask(served).status_code == 200 for _ in range(3))
    until(lambda: "ended with code -9; started anew" in served.log.read_text(encoding="utf-8"))


def test_at_the_end_of_all_nothing_is_left_behind(served: Served) -> None:
    first = children(served.process.pid)
    family = {*first, *(pid for one in first for pid in children(one))}
    assert len(family) >= 2
    served.process.send_signal(signal.SIGTERM)
    assert served.process.wait(timeout=60) == 0
    until(lambda: not any(command_of(pid) for pid in family))
