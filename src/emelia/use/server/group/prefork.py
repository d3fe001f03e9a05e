"""Several server processes behind one socket, each with models and limits of its own.

The system hands each connection to a process that waits for one. One that ends is started anew;
those that end as soon as they start end the server.
"""

from __future__ import annotations

import logging
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from multiprocessing import connection, get_context
from multiprocessing.context import SpawnProcess
from types import FrameType

from emelia.errors import EmeliaError
from emelia.use.server.app import create_app
from emelia.use.server.settings import ServerSettings
from emelia.use.server.uvicorn_runner import address_of, listen, serve

_SPAWN = get_context("spawn")  # a forked process would share locks of the models
_FALSE_STARTS = 3  # processes in a row that end within so many seconds
_SHORT = 5.0
_LEAVE_EVERY = 1.0  # s between two times that a process leaves its counters
_log = logging.getLogger("emelia.server")


def serve_by(
    processes: int, settings: ServerSettings, on_ready: Callable[[str], None] | None = None
) -> None:
    """Serve by several processes until SIGINT or SIGTERM.

    Args:
        on_ready: called with the address once it is listened on.

    Raises:
        EmeliaError: the address cannot be listened on, or processes end as soon as they start.
    """
    with listen(settings) as listener, tempfile.TemporaryDirectory() as folder:
        group = _Group(replace(settings, metrics_folder=folder), listener)
        for kind in (signal.SIGINT, signal.SIGTERM):
            signal.signal(kind, group.stop)
        for number in range(1, processes + 1):
            group.start(str(number))
        if on_ready:
            on_ready(address_of(settings, listener))
        group.watch()


class _Group:
    """The processes by their number."""

    def __init__(self, settings: ServerSettings, listener: socket.socket) -> None:
        self._settings, self._listener = settings, listener
        self._running: dict[str, tuple[SpawnProcess, float]] = {}
        self._stopping = False
        self._false_starts = 0

    def start(self, number: str) -> None:
        settings = replace(self._settings, process=number)
        process = _SPAWN.Process(target=_work, args=(settings, self._listener))
        process.start()
        self._running[number] = (process, time.monotonic())

    def stop(self, sig: int, frame: FrameType | None) -> None:
        """Let all of them finish what they do."""
        self._stopping = True
        for process, _ in self._running.values():
            process.terminate()

    def watch(self) -> None:
        """Start one for each that ends, until they are to stop."""
        try:
            while self._running:
                connection.wait([process.sentinel for process, _ in self._running.values()])
                ended = [n for n, (process, _) in self._running.items() if not process.is_alive()]
                for number in ended:
                    self._replace(number)
        finally:
            self.stop(0, None)
            for process, _ in self._running.values():
                process.join()

    def _replace(self, number: str) -> None:
        process, began = self._running.pop(number)
        process.join()
        if self._stopping:
            return
        short = time.monotonic() - began < _SHORT
        self._false_starts = self._false_starts + 1 if short else 0
        if self._false_starts >= _FALSE_STARTS:
            raise EmeliaError(
                f"server processes end as soon as they start, with code {process.exitcode}. Free "
                "some memory, or ask for fewer --workers."
            )
        _log.warning("process %s ended with code %s; started anew", number, process.exitcode)
        self.start(number)


def _work(settings: ServerSettings, listener: socket.socket) -> None:
    """The work of one process."""
    log_to_stderr(settings.process)
    app = create_app(settings)
    threading.Thread(target=_leave, args=(app.state.service.metrics.leave,), daemon=True).start()
    serve(app, settings, listener=listener)


def _leave(leave: Callable[[], None]) -> None:
    """Leave the counters now and then, for whichever process is asked for them."""
    while True:
        with suppress(OSError):  # a full disk, or the folder that is gone at the end
            leave()
        time.sleep(_LEAVE_EVERY)


def log_to_stderr(process: str = "") -> None:
    """One line a request, and what goes wrong; of several processes, which tells it."""
    which = f"[{process}] " if process else ""
    logging.basicConfig(format=f"%(asctime)s {which}%(message)s", datefmt="%Y-%m-%d %H:%M:%S")
    logging.getLogger("emelia.server").setLevel(logging.INFO)
    for name in ("uvicorn.error", "python_multipart"):  # what a client did wrong it is told
        logging.getLogger(name).setLevel(logging.ERROR)
