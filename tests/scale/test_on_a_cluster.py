"""A cluster of several nodes gives the rows of one machine, whatever ends on the way."""

from __future__ import annotations

import csv
import gc
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from vowels import vowels

pytest.importorskip("ray", reason="Ray is not installed: pip install 'emelia[ray]'")

from emelia import __version__
from emelia.scale import scoring
from emelia.scale.cluster import _OF_A_BUSY_MACHINE, Cluster, connect
from emelia.scale.scoring import pool_on
from emelia.use.scoring.run import Tally, score

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1500),
    # Of sockets and processes that Ray leaves to be collected.
    pytest.mark.filterwarnings("ignore"),
]
RATE = 16_000  # Hz
MEMORY = 200_000_000  # bytes of each node's shared memory
RealWorker: Any = scoring._RemoteWorker


class Poisoned(RealWorker):  # type: ignore[misc]
    """A worker that one recording ends, as a fault in a decoder would."""

    def answer(self, asked: Any) -> Any:
        if any("poison" in str(one) for one in asked):
            os._exit(1)
        return super().answer(asked)


@pytest.fixture(scope="module")
def head() -> Iterator[Any]:
    """A cluster with a head of no cores; tests add nodes, and take them away."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.update(_OF_A_BUSY_MACHINE)
    import ray
    from ray.cluster_utils import Cluster as LocalCluster

    # Workers find the class of this file without the file.
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    args = {"num_cpus": 0, "object_store_memory": MEMORY, "include_dashboard": False}
    found = LocalCluster(initialize_head=True, head_node_args=args)
    yield found
    found.shutdown()
    with warnings.catch_warnings():  # it leaves processes to the garbage collector
        warnings.simplefilter("ignore")
        gc.collect()


@pytest.fixture
def connected(head: Any) -> Iterator[Cluster]:
    nodes = [head.add_node(num_cpus=1, object_store_memory=MEMORY) for _ in range(2)]
    with connect(f"ray:{head.address}", 1) as cluster:
        yield cluster
    for node in nodes:
        if node in head.worker_nodes:
            head.remove_node(node)


def make(folder: Path, count: int) -> Path:
    folder.mkdir()
    wave, rng = vowels(), np.random.default_rng(0)
    for number in range(count):
        length = round(RATE * rng.uniform(0.6, 1.5))
        soundfile.write(folder / f"{number:03}.wav", wave[:length], RATE)
    (folder / "broken.wav").write_bytes(b"RIFF\x04\0\0\0WAVE")
    return folder


def rows(table: Path) -> list[dict[str, str]]:
    with table.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def alike(some: Path, other: Path) -> bool:
    """The same recordings, answered the same to 1e-6 of what is written with six decimals."""
    pairs = zip(rows(some), rows(other), strict=True)
    return all(
        one[key] == two[key] or abs(float(one[key]) - float(two[key])) < 2e-6
        for one, two in pairs
        for key in one
    )


def test_a_node_that_is_killed_loses_nothing_and_repeats_nothing(
    head: Any, connected: Cluster, tmp_path: Path
) -> None:
    folder = make(tmp_path / "calls", 60)
    connected.check([folder], 1)
    told: list[int] = []

    def kill_once(tally: Tally) -> None:
        told.append(tally.scored)
        if tally.scored and len(head.worker_nodes) == 2:
            head.remove_node(next(iter(head.worker_nodes)), allow_graceful=False)

    options = {"model": "aesdd", "adapt": False}
    ours = score(folder, tmp_path / "a.csv", **options, jobs=1)  # type: ignore[arg-type]
    theirs = score(
        folder, tmp_path / "b.csv", **options, jobs=2,  # type: ignore[arg-type]
        on_progress=kill_once, pool=pool_on(connected),
    )  # fmt: skip
    assert (theirs.scored, theirs.failed) == (ours.scored, ours.failed) == (60, 1)
    assert len(head.worker_nodes) == 1
    assert alike(tmp_path / "a.csv", tmp_path / "b.csv")


def test_a_recording_that_ends_its_worker_is_told_and_costs_no_other(
    connected: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make(tmp_path / "calls", 6)
    soundfile.write(folder / "poison.wav", vowels()[:RATE], RATE)
    monkeypatch.setattr(scoring, "_RemoteWorker", Poisoned)
    tally = score(folder, tmp_path / "parts", model="aesdd", jobs=1, pool=pool_on(connected))
    frame = tally.to_frame()
    assert (tally.scored, tally.failed, len(frame)) == (6, 2, 8)
    failed = frame[frame.reason.notna()].set_index("path").reason
    assert "ended" in failed[str(folder / "poison.wav")]
    assert frame.path.is_unique


def test_nodes_without_a_path_or_memory_are_named(connected: Cluster, tmp_path: Path) -> None:
    from emelia.errors import EmeliaError

    with pytest.raises(EmeliaError, match="too little memory: a worker needs"):
        connected.check([tmp_path], 999e12)
    with pytest.raises(EmeliaError, match="cannot see /not/there"):
        connected.check(["/not/there"], 1)
    with pytest.raises(EmeliaError, match=f"its emelia is 0.0.1; this one is {__version__}"):
        connected._complain(("0.0.1", []), "node")


def a_head() -> Any:
    from ray.cluster_utils import Cluster as LocalCluster

    args = {
        "port": 6401, "num_cpus": 1, "object_store_memory": MEMORY, "include_dashboard": False,
    }  # fmt: skip
    return LocalCluster(initialize_head=True, head_node_args=args)


def test_the_same_command_goes_on_when_a_head_has_come_back(tmp_path: Path) -> None:
    """A head that is killed ends the command; with a new one nothing is scored again."""
    folder = make(tmp_path / "calls", 80)
    command = [
        sys.executable, "-m", "emelia", "score", str(folder), str(tmp_path / "out.csv"),
        "--model", "aesdd", "--on", "ray:127.0.0.1:6401",
    ]  # fmt: skip
    environment = {**os.environ, "RAY_gcs_rpc_server_reconnect_timeout_s": "5"}
    cluster = a_head()
    first = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    journal, limit = tmp_path / "out.csv.journal", time.monotonic() + 600
    while not (journal.exists() and journal.stat().st_size > 20_000):
        assert first.poll() is None and time.monotonic() < limit
        time.sleep(0.1)
    cluster.remove_node(cluster.head_node, allow_graceful=False)
    _, told = first.communicate(timeout=300)
    assert first.returncode == 1 and "the cluster is gone" in told.splitlines()[-1], told
    cluster = a_head()
    try:
        again = subprocess.run(command, env=environment, capture_output=True, text=True)
    finally:
        cluster.shutdown()
    assert "80 of 81 recordings" in again.stdout and "of them before" in again.stdout
    paths = [row["path"] for row in rows(tmp_path / "out.csv")]
    assert len(paths) == len(set(paths)) == 80
