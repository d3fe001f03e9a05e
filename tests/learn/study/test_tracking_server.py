"""Studies told to a real MLflow server, and read back over its REST interface.

The server does not install beside our pins, so it gets an environment of its own: minutes, and
850 MB while the tests run.

.venv/bin/python -m pytest -m slow tests/learn/study/test_tracking_server.py
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import httpx
import pytest

from emelia.results import Cell, read_results

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

RECIPE = """[features]
mels = 16
[model]
width = 2
[train]
patience = 0
batch_size = 8
"""


@dataclass(frozen=True)
class Server:
    """What a server answers over REST."""

    url: str
    client: httpx.Client

    def get(self, path: str, **query: object) -> dict[str, Any]:
        answer = self.client.get(f"/api/2.0/mlflow/{path}", params=query)  # type: ignore[arg-type]
        return dict(answer.raise_for_status().json())

    def runs(self, experiment: str) -> dict[str, dict[str, Any]]:
        """All runs of an experiment by emelia's key; a key that is there twice fails."""
        found = self.get("experiments/get-by-name", experiment_name=experiment)["experiment"]
        body = {"experiment_ids": [found["experiment_id"]], "max_results": 100}
        answer = self.client.post("/api/2.0/mlflow/runs/search", json=body).raise_for_status()
        runs = answer.json().get("runs", [])
        keyed = {by(run["data"]["tags"])["emelia.key"]: run for run in runs}
        assert len(keyed) == len(runs)
        return keyed

    def history(self, run: dict[str, Any], name: str) -> list[tuple[int, float]]:
        query = {"run_id": run["info"]["run_id"], "metric_key": name, "max_results": 1000}
        lines = self.get("metrics/get-history", **query).get("metrics", [])
        return [(line["step"], line["value"]) for line in lines]

    def file(self, run: dict[str, Any], name: str) -> bytes:
        query = {"path": name, "run_id": run["info"]["run_id"]}
        return self.client.get("/get-artifact", params=query).raise_for_status().content

    def files(self, run: dict[str, Any]) -> set[str]:
        listed = self.get("artifacts/list", run_id=run["info"]["run_id"])
        return {file["path"] for file in listed.get("files", [])}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of the client's own version, with a database and a store of files."""
    try:
        wanted = f"mlflow=={version('mlflow-skinny')}"
    except PackageNotFoundError:
        pytest.skip("mlflow-skinny is not installed")
    home = tmp_path_factory.mktemp("mlflow")
    python = environment(home / "venv", wanted)
    url = f"http://127.0.0.1:{free_port()}"
    process = start(python, url, home)
    try:
        with httpx.Client(base_url=url, timeout=30, trust_env=False) as client:
            wait_for(client, process, home / "server.log")
            yield Server(url, client)
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # its workers too; nothing of it is kept
        process.wait()


def environment(folder: Path, package: str) -> Path:
    """Install a package into an environment of its own; return its Python."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = folder / "bin" / "python"
    command = [str(python), "-m", "pip", "install", "-q", "--no-input", "--only-binary", ":all:"]
    done = subprocess.run([*command, package], capture_output=True, text=True)
    if "No matching distribution found" in done.stderr:
        pytest.skip(f"pip finds no {package}: no registry to be reached, or one without it")
    assert done.returncode == 0, done.stderr
    return python


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(python: Path, url: str, home: Path) -> subprocess.Popen[bytes]:
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    command = [
        str(python), "-m", "mlflow", "server", "--host", "127.0.0.1",
        "--port", url.rpartition(":")[2], "--workers", "1",
        "--backend-store-uri", f"sqlite:///{home / 'mlflow.db'}",
        "--artifacts-destination", str(home / "artifacts"),
    ]  # fmt: skip
    with (home / "server.log").open("wb") as log:
        return subprocess.Popen(
            command, stdout=log, stderr=subprocess.STDOUT, cwd=home, start_new_session=True,
            env=without_settings() | quiet,
        )  # fmt: skip


def wait_for(client: httpx.Client, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + 600
    while time.monotonic() < until and process.poll() is None:
        try:
            client.get("/health").raise_for_status()
            return
        except httpx.HTTPError:
            time.sleep(0.5)
    pytest.fail(f"the server has not started:\n{log.read_text()[-3000:]}")


def without_settings() -> dict[str, str]:
    """The surroundings without a person's own settings of MLflow."""
    return {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}


def by(pairs: list[Mapping[str, Any]]) -> dict[str, Any]:
    return {pair["key"]: pair["value"] for pair in pairs}


@contextmanager
def study(
    server: Server, folder: Path, epochs: int, *options: str
) -> Iterator[subprocess.Popen[str]]:
    """Run a study of the embedded corpus in a folder, with the results in `folder/told`."""
    recipe = folder / "tiny.toml"
    recipe.write_text(RECIPE)
    command = [
        sys.executable, "-m", "emelia", "study", "demo", "--recipes", str(recipe), "--jobs", "1",
        "--epochs", str(epochs), "--out", "told", "--track", "mlflow", *options,
    ]  # fmt: skip
    surroundings = without_settings() | {"MLFLOW_TRACKING_URI": server.url, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        command, cwd=folder, env=surroundings, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


def compare(server: Server, run: dict[str, Any], cell: Cell) -> None:
    """Hold what the server has of a training against its line in `results.jsonl`."""
    assert run["info"]["status"] == "FINISHED"
    settings = by(run["data"]["params"])
    assert settings["recipe_digest"] == cell.recipe_digest
    assert settings["features.mels"] == "16" and settings["fold"] == cell.fold
    assert settings["train.lr"] == str(cell.settings["train"]["lr"])
    for name in ("loss", "validation_uar"):
        told = [(n, pytest.approx(line[name], rel=1e-5)) for n, line in enumerate(cell.history, 1)]
        assert server.history(run, name) == told
    figures = by(run["data"]["metrics"])
    assert figures["final_test_accuracy"] == (cell.truth == cell.predicted).mean()
    assert figures["parameters"] == cell.parameters


def test_a_study_is_on_the_server_with_settings_epochs_figures_and_files(
    server: Server, tmp_path: Path
) -> None:
    with study(server, tmp_path, 2, "--quick") as process:
        told, _ = process.communicate()
    assert process.returncode == 0, told
    assert "tracking has failed" not in told
    runs, cells = server.runs("demo folds-3"), read_results(tmp_path / "told")
    assert len(cells) == 3 and set(runs) == {c.key for c in cells} | {"report of told"}
    for cell in cells:
        compare(server, runs[cell.key], cell)
        (folder,) = (tmp_path / "told" / "cells").glob(f"*-fold-{cell.fold}-*")
        for name in ("run.json", "history.jsonl", "answers.json"):
            assert server.file(runs[cell.key], name) == (folder / name).read_bytes()
    report = runs["report of told"]
    assert server.files(report) == {"report.html", "report.md", "results.jsonl"}
    assert server.file(report, "report.html") == (tmp_path / "told" / "report.html").read_bytes()
    assert not (tmp_path / "mlruns").exists()


def test_a_study_that_was_killed_goes_on_in_the_same_runs_of_the_server(
    server: Server, tmp_path: Path
) -> None:
    epochs = 60
    with study(server, tmp_path, epochs, "--split", "founding-70-20-10") as process:
        key = first_key(server, "demo founding-70-20-10", process)
        process.kill()
    before = server.history(server.runs("demo founding-70-20-10")[key], "loss")
    assert 1 <= len(before) < epochs
    with study(server, tmp_path, epochs, "--split", "founding-70-20-10") as process:
        told, _ = process.communicate()
    runs, cells = server.runs("demo founding-70-20-10"), read_results(tmp_path / "told")
    assert set(runs) == {cell.key for cell in cells} | {"report of told"}, told
    for cell in cells:
        compare(server, runs[cell.key], cell)
    assert server.history(runs[key], "loss")[: len(before)] == before


def first_key(server: Server, experiment: str, process: subprocess.Popen[str]) -> str:
    """Wait until an epoch of the first training is on the server; return the training's key."""
    while process.poll() is None:
        time.sleep(0.2)
        try:
            runs = server.runs(experiment)
        except httpx.HTTPStatusError:  # there is no such experiment yet
            continue
        for key, run in runs.items():
            if server.history(run, "loss"):
                return key
    pytest.fail(f"the study has ended: {process.communicate()[0]}")
