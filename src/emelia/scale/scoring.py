"""Scoring on a Ray cluster: workers of one core each, on whichever node has one free.

What they answer goes into the same journal as that of processes, and the table is made of that: so
a worker, a node or a head may end at any time, and nothing is lost or scored twice. Each worker has
one chunk at a time: nothing piles up, however many recordings there are.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Self

from emelia.errors import EmeliaError
from emelia.scale.cluster import Cluster
from emelia.use.inputs import Recording, key_of
from emelia.use.scoring.run import MakePool
from emelia.use.scoring.worker import Outcome, Worker, WorkerOptions

MEMORY = 1_000_000_000  # bytes that a worker may need: 0.3 of model and libraries, and sound
_TRIES = 2  # for a recording that was alone when its worker ended: a node may have ended then
_FALSE_STARTS = 3  # workers in a row that end before they are ready
_PAUSE = 1.0  # s between two looks, so that Ctrl-C is heard


def pool_on(cluster: Cluster) -> MakePool:
    """What makes workers on a cluster, for `emelia.use.scoring.run.score`."""
    return partial(RayPool, cluster)


class _RemoteWorker:
    """A worker on a node, which has the model file from the one that asks."""

    def __init__(self, options: WorkerOptions, model: bytes, place: str) -> None:
        with contextlib.suppress(OSError):  # relative paths are from the folder of the command
            os.chdir(place)
        self._folder = tempfile.TemporaryDirectory()
        file = Path(self._folder.name) / Path(options.model).name
        file.write_bytes(model)
        self._worker = Worker(options._replace(model=str(file)))

    def answer(self, asked: list[Recording]) -> list[Outcome]:
        return self._worker.answer(asked) if asked else []


@dataclass
class _Actor:
    """A worker as Ray knows it, and the chunk it is working on."""

    handle: Any
    ready: bool = False  # its model is loaded
    chunk: list[Recording] = field(default_factory=list)


class RayPool:
    """Workers on a cluster; they end with the `with` block."""

    def __init__(self, cluster: Cluster, options: WorkerOptions, jobs: int) -> None:
        self._ray, self._options = cluster.ray, options
        self._model = self._ray.put(Path(options.model).read_bytes())
        self._working: dict[Any, _Actor] = {}  # by what they will answer
        self._tries: Counter[str] = Counter()
        self._false_starts = 0
        for _ in range(jobs):
            self._start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for actor in self._working.values():
            self._ray.kill(actor.handle)

    def answers(self, chunks: Iterable[list[Recording]]) -> Iterator[list[Outcome]]:
        """Yield the answers to each chunk of recordings, in the order they are finished.

        Raises:
            EmeliaError: no worker lives long enough to begin.
        """
        todo = deque(chunks)
        idle: list[_Actor] = []
        while todo or any(actor.chunk for actor in self._working.values()):
            while todo and idle:
                self._send(idle.pop(), todo.popleft())
            done, _ = self._ray.wait(list(self._working), timeout=_PAUSE)
            for answer in done:
                actor = self._working.pop(answer)
                try:
                    outcomes: list[Outcome] = self._ray.get(answer)
                except self._ray.exceptions.RayError as error:
                    outcomes = self._replace(actor, todo, error)
                else:
                    actor.ready, actor.chunk, self._false_starts = True, [], 0
                    idle.append(actor)
                yield outcomes
        for actor in idle:
            self._ray.kill(actor.handle)

    def _start(self) -> None:
        kind = self._ray.remote(num_cpus=1, memory=MEMORY, max_restarts=0)(_RemoteWorker)
        self._send(_Actor(kind.remote(self._options, self._model, os.getcwd())), [])

    def _send(self, actor: _Actor, chunk: list[Recording]) -> None:
        actor.chunk = chunk
        self._working[actor.handle.answer.remote(chunk)] = actor

    def _replace(
        self, dead: _Actor, todo: deque[list[Recording]], error: Exception
    ) -> list[Outcome]:
        """Start another worker for one that ended, and do again what it was doing."""
        text = str(error)
        if not dead.ready:
            self._false_starts += 1
            if self._false_starts >= _FALSE_STARTS:
                raise EmeliaError(
                    f"the workers on the cluster ended before they began ({_reason(text)}). "
                    "Free some memory, or ask for fewer --jobs."
                )
        self._start()
        if len(dead.chunk) != 1:
            # Of several, one may end its worker again: which one is seen when they are alone.
            alone = [[one] for one in dead.chunk]
            todo.extend([dead.chunk] if dead.chunk and "node" in text.lower() else alone)
            return []
        only = dead.chunk[0]
        self._tries[key_of(only)] += 1
        if self._tries[key_of(only)] < _TRIES:
            todo.append(dead.chunk)
            return []
        return [Outcome(only, {}, f"the worker that read it {_reason(text)}")]


def _reason(text: str) -> str:
    """How a worker ended, from what Ray tells of it in many lines."""
    low = text.lower()
    if "out of memory" in low or "oom" in low or "low on memory" in low:
        return "was ended for want of memory"
    if "creation task" in low:
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return lines[-1][:200]
    return "was ended twice" if "creation" not in low else "could not be made"
