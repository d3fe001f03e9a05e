"""Limits how many recordings are worked on at once and how many may wait.

The work runs in threads, since decoding waits and ONNX Runtime releases the interpreter's lock. A
thread cannot be stopped from outside: it checks its `Job` now and then, and keeps its place until
it has ended, so that there are never more than allowed.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from emelia.use.server.errors import RequestError
from emelia.use.server.metrics import Metrics

Result = TypeVar("Result")


class Job:
    """The deadline of a job, and whether its client still waits."""

    def __init__(self, seconds: float) -> None:
        self.deadline = time.monotonic() + seconds
        self._stopped = threading.Event()

    @property
    def left(self) -> float:
        """Seconds until the deadline."""
        return self.deadline - time.monotonic()

    def stop(self) -> None:
        """Ask the thread to end at its next check."""
        self._stopped.set()

    def check(self) -> None:
        """Raise TimeoutError where nobody waits for the job any more.

        Raises:
            TimeoutError: the time is over, or somebody called `stop`.
        """
        if self._stopped.is_set() or self.left <= 0:
            raise TimeoutError


class Jobs:
    """The threads of a server and their queue; all methods must be called in its event loop."""

    def __init__(self, most: int, queue: int, metrics: Metrics) -> None:
        self._pool = ThreadPoolExecutor(most, "job")
        self._free = asyncio.Semaphore(most)
        self._places = most + queue
        self._taken = 0
        self._metrics = metrics
        self._running: dict[Job, tuple[asyncio.Future[None], asyncio.Future[Any]]] = {}
        self._waiting: set[asyncio.Timeout] = set()
        self._given_up = False
        self.stopping = False

    @contextlib.contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place in the queue, from before an upload is read until its answer is made.

        Raises:
            RequestError: 429, all are taken; 503, the server stops.
        """
        self.refuse_when_stopping()
        if self._taken >= self._places:
            raise RequestError(
                429, f"{self._taken} recordings are being worked on or wait. Try again in 2 s."
            )
        self._taken += 1
        self._show()
        try:
            yield
        finally:
            self._taken -= 1
            self._show()

    async def run(self, work: Callable[[Job], Result], job: Job) -> Result:
        """Do work in a thread as soon as one is free.

        Raises:
            RequestError: 504, waiting and working took too long; 503, the server has stopped
                before.
        """
        await self._wait_for_thread(job)
        loop = asyncio.get_running_loop()
        stopped = loop.create_future()
        future = loop.run_in_executor(self._pool, work, job)
        self._running[job] = stopped, future
        future.add_done_callback(lambda done: self._ended(job, done))
        self._show()
        # Not `wait_for`, which would cancel the future and free its place while the thread goes on.
        await asyncio.wait({future, stopped}, timeout=job.left, return_when="FIRST_COMPLETED")
        if future.done():
            return future.result()
        job.stop()
        self.refuse_when_stopping()
        raise TimeoutError

    def finish(self, grace: float) -> None:
        """Accept no more work; jobs that run or wait get `grace` seconds in all."""
        self.stopping = True
        asyncio.get_running_loop().call_later(grace, self._abandon)

    def close(self) -> None:
        """Stop all jobs and release the threads."""
        self._abandon()
        for _, future in self._running.values():
            future.cancel()
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _wait_for_thread(self, job: Job) -> None:
        self._show()
        if self._given_up:
            self.refuse_when_stopping()
        try:
            async with asyncio.timeout(job.left) as patience:
                self._waiting.add(patience)
                await self._free.acquire()
        except TimeoutError:
            if self._given_up:
                self.refuse_when_stopping()
            raise
        finally:
            self._waiting.discard(patience)

    def _ended(self, job: Job, done: asyncio.Future[Result]) -> None:
        self._running.pop(job)
        self._free.release()
        self._show()
        if not done.cancelled():
            done.exception()  # seen, also if nobody waits for it any more

    def _abandon(self) -> None:
        self._given_up = True
        for patience in (p for p in self._waiting if not p.expired()):
            patience.reschedule(asyncio.get_running_loop().time())
        for job, (stopped, _) in self._running.items():
            job.stop()
            if not stopped.done():
                stopped.set_result(None)

    def refuse_when_stopping(self) -> None:
        """Raise a RequestError, 503, if the server stops."""
        if self.stopping:
            raise RequestError(503, "this server is being stopped. Try again in a minute.")

    def _show(self) -> None:
        self._metrics.running.set(len(self._running))
        self._metrics.waiting.set(max(0, self._taken - len(self._running)))
