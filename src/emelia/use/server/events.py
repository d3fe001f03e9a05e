"""An answer that is sent as JSON lines while a thread still computes it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack
from typing import Any

from emelia.use.server.errors import RequestError, as_request_error
from emelia.use.server.jobs import Job, Jobs

Event = dict[str, Any]
Emit = Callable[[Event], None]


class EventStream:
    """Carries the events of one job from its thread to its client."""

    def __init__(self, seconds: float) -> None:
        self._job = Job(seconds)
        self._events: asyncio.Queue[Event | RequestError] = asyncio.Queue()

    async def work(self, jobs: Jobs, place: ExitStack, ask: Callable[[Emit, Job], Event]) -> None:
        """Run a job in a place of `jobs`; its result, or its refusal, is the last event."""
        loop = asyncio.get_running_loop()

        def emit(event: Event) -> None:
            # Called in the job's thread, but a queue of asyncio belongs to the thread of its loop.
            loop.call_soon_threadsafe(self._events.put_nowait, event)

        with place:
            try:
                last: Event | RequestError = await jobs.run(lambda job: ask(emit, job), self._job)
            except Exception as error:
                last = as_request_error(error)
            self._events.put_nowait(last)

    async def first(self) -> Event:
        """The first event; a refusal before it gets an HTTP status of its own.

        Raises:
            RequestError: the work could not begin.
        """
        event = await self._events.get()
        if isinstance(event, RequestError):
            raise event
        return event

    async def lines(self, event: Event) -> AsyncIterator[str]:
        """All events as JSON lines, beginning with `event`."""
        try:
            while event["type"] not in ("timeline", "error"):
                yield json_line(event)
                got = await self._events.get()
                event = {"type": "error", **got.body} if isinstance(got, RequestError) else got
            yield json_line(event)
        finally:
            self.stop()  # the client may have gone

    def stop(self) -> None:
        """End the job: nobody waits for it any more."""
        self._job.stop()


def json_line(value: Event) -> str:
    """A value as JSON on one line."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"
