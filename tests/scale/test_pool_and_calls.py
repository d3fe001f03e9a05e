"""What workers and calls on a cluster do when one ends, on a stand-in for Ray."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from emelia import packages
from emelia.errors import EmeliaError, MissingExtraError, StorageError
from emelia.scale import cluster, scoring
from emelia.scale.cluster import Cluster, connect
from emelia.scale.remote import Call, calls_on
from emelia.scale.scoring import RayPool
from emelia.use.scoring.worker import Outcome, WorkerOptions


class RayError(Exception):
    """As Ray's own."""


class WorkerCrashedError(RayError):
    """As Ray's own."""


class FakeRay:
    """Calls functions here, when they are waited for; `fate` may end them instead."""

    exceptions = SimpleNamespace(
        RayError=RayError, WorkerCrashedError=WorkerCrashedError, OutOfMemoryError=RayError,
        NodeDiedError=RayError, LocalRayletDiedError=RayError, GetTimeoutError=TimeoutError,
    )  # fmt: skip

    def __init__(self, fate: Callable[..., None] = lambda *told: None) -> None:
        self.fate, self.work, self.killed = fate, dict[int, Callable[[], Any]](), 0
        self.most = 0  # calls at the same time

    def remote(self, function: Any = None, **options: Any) -> Any:
        if function is None:
            return self.remote
        if isinstance(function, type):
            return SimpleNamespace(remote=lambda *told: _Handle(self, function(*told)))
        return SimpleNamespace(remote=lambda *told: self.later(lambda: function(*told)))

    def later(self, call: Callable[[], Any]) -> int:
        number = len(self.work) + 1
        self.work[number] = call
        return number

    def put(self, value: Any) -> Any:
        return value

    def wait(self, answers: list[int], timeout: float) -> tuple[list[int], list[int]]:
        self.most = max(self.most, len(answers))
        return answers[:1], answers[1:]

    def get(self, answer: int, timeout: float = 0) -> Any:
        return self.work[answer]()

    def kill(self, handle: Any) -> None:
        self.killed += 1

    def cancel(self, answer: Any, force: bool) -> None:
        self.killed += 1


class _Handle:
    def __init__(self, ray: FakeRay, actor: Any) -> None:
        self._ray, self._actor = ray, actor

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._actor, name)

        def call(*told: Any) -> Any:
            self._ray.fate(*told)
            return method(*told)

        return SimpleNamespace(remote=lambda *told: self._ray.later(lambda: call(*told)))


class Echo:
    """A worker whose row is the name of the recording."""

    def __init__(self, *told: Any) -> None:
        pass

    def answer(self, asked: list[str]) -> list[Outcome]:
        return [Outcome(one, {"": (one,)}) for one in asked]


def outcomes(ray: FakeRay, chunks: list[list[str]], tmp_path: Any) -> dict[str, str]:
    file = tmp_path / "model.onnx"
    file.write_bytes(b"")
    found: list[Outcome] = []
    options = WorkerOptions(str(file), None, None, "mix", None)
    with RayPool(Cluster(ray, "here"), options, 2) as pool:
        for some in pool.answers(chunks):
            found += some
    assert len({one.asked for one in found}) == len(found)
    return {str(one.asked): one.reason for one in found}


@pytest.fixture(autouse=True)
def _echo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "_RemoteWorker", Echo)


def test_only_the_recording_that_ends_its_worker_is_lost(tmp_path: Any) -> None:
    def fate(chunk: list[str]) -> None:
        if "poison" in chunk:
            raise RayError("Worker exit type: SYSTEM_ERROR")

    ray = FakeRay(fate)
    found = outcomes(ray, [["a", "poison", "b"], ["c"], ["d", "e"]], tmp_path)
    assert found == {
        "a": "", "b": "", "c": "", "d": "", "e": "",
        "poison": "the worker that read it was ended twice",
    }  # fmt: skip
    assert ray.most == 2  # nothing piles up: a chunk for each worker


def test_a_node_that_ends_costs_nothing_however_often(tmp_path: Any) -> None:
    ends = deque([1, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0])

    def fate(chunk: list[str]) -> None:
        if chunk and ends and ends.popleft():
            raise RayError("The actor died because its node has died.")

    found = outcomes(FakeRay(fate), [["a", "b"], ["c", "d"], ["e", "f"]], tmp_path)
    assert found == dict.fromkeys("abcdef", "")


def test_workers_that_never_begin_end_the_scoring(tmp_path: Any) -> None:
    def fate(chunk: list[str]) -> None:
        raise RayError("Task was killed due to the node running low on memory")

    with pytest.raises(EmeliaError, match=r"before they began \(was ended for want of memory\)"):
        outcomes(FakeRay(fate), [["a"]], tmp_path)


def test_a_call_that_ends_from_outside_is_tried_again_and_gives_its_error_at_last() -> None:
    left = {"good": 2, "bad": 9}

    def work(name: str, news: Callable[..., None]) -> str:
        if left[name]:
            left[name] -= 1
            raise WorkerCrashedError("killed")
        news(name, 1, 1, "done")
        return name.upper()

    def wrong(news: Callable[..., None]) -> None:
        raise StorageError("full")

    told: list[tuple[Any, ...]] = []
    calls = [Call(name, work, (name,), {"num_cpus": 1}) for name in left]
    calls.append(Call("wrong", wrong, (), {"num_cpus": 1}))
    found = dict(calls_on(Cluster(FakeRay(), ""), calls, 2, lambda *news: told.append(news)))
    assert found["good"] == "GOOD" and str(found["wrong"]) == "full"
    assert "ended 3 times" in str(found["bad"])


@pytest.mark.parametrize(
    ("on", "error"),
    [
        ("dask", "expected ray, or ray:HOST:PORT"),
        ("ray:127.0.0.1:1", "no cluster there"),
        ("ray:127.0.0.1:x", "expected HOST:PORT, such as"),
        ("ray:ray://127.0.0.1:1", "Run the command on a machine of the cluster"),
    ],
)
def test_what_is_no_cluster_is_told_with_the_way_out(on: str, error: str) -> None:
    with pytest.raises(EmeliaError, match=error), connect(on, 1):
        pass


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ImportError

    monkeypatch.setattr(cluster, "package", missing)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with pytest.raises(MissingExtraError, match=r"pip install 'emelia\[ray\]'"), connect("ray", 1):
        pass
    assert packages.TELEMETRY_OFF["RAY_USAGE_STATS_ENABLED"] == "0"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Version mismatch: the cluster was started with Ray 2.9", "pip install 'ray==VERSION'"),
        ("Can't find a node", "ray start --address=h:1"),
    ],
)
def test_a_refusal_of_ray_is_one_line(text: str, told: str) -> None:
    assert told in str(cluster._refused("h:1", RuntimeError(text)))
    assert "too little memory" in str(cluster._refused("", ValueError("not enough memory")))
