"""Functions called on a cluster: news on the way, tried again where a process or node ended."""

from __future__ import annotations

import contextlib
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from emelia.errors import EmeliaError
from emelia.scale.cluster import Cluster

_TRIES = 3  # of a call that gives no news before it ends
_PAUSE = 0.5  # s between two looks at what is new
# Folders that may be set for every node alike; a token, say, is nobody else's.
_PLACES = ("EMELIA_CORPORA", "EMELIA_WEIGHTS", "EMELIA_CACHE")

News = Callable[..., None]


@dataclass(frozen=True)
class Call:
    """A function to be called on a node, with its arguments and what it needs there.

    Attributes:
        work: called with `arguments` and, last, a function that takes news.
        needs: `num_cpus`, `num_gpus` and `memory` (bytes).
    """

    name: str
    work: Callable[..., Any]
    arguments: tuple[Any, ...]
    needs: dict[str, float]


def calls_on(
    cluster: Cluster, calls: Sequence[Call], at_once: int, news: News
) -> Iterator[tuple[str, Any]]:
    """Call functions on a cluster; give the name and result of each as they end.

    An EmeliaError that one raises is its result. With the generator, what still runs is ended.

    Args:
        at_once: how many are handed to the cluster at the same time.
        news: called here with what the functions tell.
    """
    ray = cluster.ray
    box = ray.remote(num_cpus=0)(_Box).remote()
    todo, running = deque(calls), dict[Any, Call]()
    tries: dict[str, int] = {}
    try:
        while todo or running:
            while todo and len(running) < at_once:
                one = todo.popleft()
                running[_begin(ray, one, box)] = one
            done, _ = ray.wait(list(running), timeout=_PAUSE)
            for told in _taken(ray, box):
                tries[told[0]] = 0  # it gets on
                news(*told)
            for answer in done:
                call = running.pop(answer)
                try:
                    yield call.name, ray.get(answer)
                except ray.exceptions.RayError as error:
                    tries[call.name] = tries.get(call.name, 0) + 1
                    if not _ended_from_outside(ray, error):
                        raise
                    if tries[call.name] < _TRIES:
                        todo.append(call)
                    else:
                        yield call.name, EmeliaError(_why(error))
    finally:
        for answer in running:
            with contextlib.suppress(ray.exceptions.RayError):
                ray.cancel(answer, force=True)
        ray.kill(box)


class _Box:
    """On a node: what functions tell, until it is fetched."""

    def __init__(self) -> None:
        self._kept: list[tuple[Any, ...]] = []

    def put(self, told: tuple[Any, ...]) -> None:
        self._kept.append(told)

    def take(self) -> list[tuple[Any, ...]]:
        kept, self._kept = self._kept, []
        return kept


def _begin(ray: Any, call: Call, box: Any) -> Any:
    places = {name: os.environ[name] for name in _PLACES if name in os.environ}
    # Tried again here: Ray would not know that a training has got on since.
    remote = ray.remote(max_retries=0, max_calls=1, **call.needs)(_call)
    return remote.remote(os.getcwd(), places, box, call.work, call.arguments)


def _call(
    folder: str, places: dict[str, str], box: Any, work: Callable[..., Any],
    arguments: tuple[Any, ...],
) -> Any:  # fmt: skip
    """On a node: call a function as if it were in the folder of the command."""
    with contextlib.suppress(OSError):  # the paths that matter have been looked for
        os.chdir(folder)
    os.environ.update(places)
    try:
        return work(*arguments, lambda *told: box.put.remote(told))
    except EmeliaError as error:
        return error


def _taken(ray: Any, box: Any) -> list[tuple[Any, ...]]:
    try:
        told: list[tuple[Any, ...]] = ray.get(box.take.remote(), timeout=60)
    except ray.exceptions.RayError:  # its node has ended: work goes on without news
        return []
    return told


def _ended_from_outside(ray: Any, error: Exception) -> bool:
    kinds = ("WorkerCrashedError", "OutOfMemoryError", "NodeDiedError", "LocalRayletDiedError")
    found = tuple(getattr(ray.exceptions, kind) for kind in kinds)
    return isinstance(error, found)


def _why(error: Exception) -> str:
    how = "for want of memory" if "memory" in str(error).lower() else "by a crash or the system"
    return (
        f"its process on the cluster ended {_TRIES} times, {how}. The same command goes on from "
        "its last epoch."
    )
