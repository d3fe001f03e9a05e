"""A pool of processes, each of which scores one chunk of recordings at a time.

A process may be ended from outside, for example by the system when memory runs out. The recordings
it was working on are then tried one by one, so that only one that ends its process again is lost.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import connection, get_context
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import NamedTuple, Self

from emelia.audio.channels import Channel
from emelia.audio.heard import incomplete
from emelia.errors import AudioError, EmeliaError, TooLongError
from emelia.processes import one_thread_each
from emelia.use.inputs import Recording, path_of
from emelia.use.recognizer import Prediction, Recognizer, load
from emelia.use.scoring.by_source import heard_row
from emelia.use.scoring.journal import Row
from emelia.use.scoring.overall import overall
from emelia.use.scoring.segment_files import SegmentFiles


class Outcome(NamedTuple):
    """What became of a recording: a row for each channel, or the reason why there is none."""

    asked: Recording
    rows: dict[str, Row]  # by channel; the only one is called ""
    reason: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Options:
    """How recordings are answered.

    Attributes:
        model: a file.
        emotions, threshold: see `load`.
        channel: see `Recognizer.predict`.
        segments: where timelines are written; None for none.
        strict: a recording that breaks off has no answer.
    """

    model: str
    emotions: Sequence[str] | None
    threshold: float | None
    channel: Channel
    segments: SegmentFiles | None
    strict: bool


_SPAWN = get_context("spawn")  # a forked process could inherit a lock that is held for ever
_NO_MEMORY = 12  # exit code, ENOMEM


@dataclass
class _Worker:
    """A process, our end of its pipe, and the chunk it is working on."""

    process: SpawnProcess
    pipe: Connection
    ready: bool = False  # its model is loaded
    chunk: list[Recording] = field(default_factory=list)


class Pool:
    """`jobs` processes with a recognizer each; they end with the `with` block."""

    def __init__(self, options: Options, jobs: int) -> None:
        self._options = options
        self._workers: list[_Worker] = []
        with _for_children():
            for _ in range(jobs):
                self._start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.process.terminate()
        for worker in self._workers:
            worker.process.join()
            worker.pipe.close()

    def answers(self, chunks: Iterable[list[Recording]]) -> Iterator[list[Outcome]]:
        """Yield the answers to each chunk of recordings, in the order they are finished.

        Raises:
            EmeliaError: no process lives long enough to begin.
        """
        todo = deque(chunks)
        while todo or any(worker.chunk for worker in self._workers):
            for worker in self._workers:
                if worker.ready and not worker.chunk and todo:
                    worker.chunk = todo.popleft()
                    with contextlib.suppress(OSError):  # it has died; its pipe will tell
                        worker.pipe.send(worker.chunk)
            busy = {w.pipe: w for w in self._workers if w.chunk or not w.ready}
            for pipe in connection.wait(list(busy)):
                yield self._hear(busy[pipe], todo)  # type: ignore[index]

    def _hear(self, worker: _Worker, todo: deque[list[Recording]]) -> list[Outcome]:
        try:
            answers: list[Outcome] = worker.pipe.recv()
        except (EOFError, OSError):
            return self._replace(worker, todo)
        worker.ready, worker.chunk = True, []
        return answers

    def _replace(self, dead: _Worker, todo: deque[list[Recording]]) -> list[Outcome]:
        """Start another process for one that ended; not for one that never became ready."""
        dead.process.join()
        dead.pipe.close()
        self._workers.remove(dead)
        if dead.ready:
            with _for_children():
                self._start()
        elif not self._workers:
            raise EmeliaError(
                f"the last process that scores {_ending(dead.process)} before it began. "
                "Free some memory, or ask for fewer --jobs."
            )
        if len(dead.chunk) == 1:
            reason = f"the process that read it {_ending(dead.process)}"
            return [Outcome(dead.chunk[0], {}, reason)]
        todo.extend([one] for one in dead.chunk)
        return []

    def _start(self) -> None:
        ours, theirs = _SPAWN.Pipe()
        process = _SPAWN.Process(target=_work, args=(theirs, self._options), daemon=True)
        process.start()
        theirs.close()  # so that the end of the process ends the pipe
        self._workers.append(_Worker(process, ours))


def _work(pipe: Connection, options: Options) -> None:
    """The work of a process: load the model, then answer chunks until the pipe is closed."""
    try:
        recognizer = load(options.model, emotions=options.emotions, threshold=options.threshold)
        follow = partial(_followed, recognizer, options)
        answers: list[Outcome] = []
        with contextlib.suppress(EOFError, ConnectionError):
            while True:
                pipe.send(answers)
                asked: list[Recording] = pipe.recv()
                told = recognizer.by_channel(asked, threads=1, channel=options.channel)
                answers = [
                    _answer(one, follow(one, own), recognizer)
                    for one, own in zip(asked, told, strict=True)
                ]
    except MemoryError:
        sys.exit(_NO_MEMORY)


Told = dict[str, Prediction] | AudioError


def _followed(recognizer: Recognizer, options: Options, asked: Recording, told: Told) -> Told:
    """Follow a recording over time where it is too long for one answer, or segments are wanted."""
    too_long = isinstance(told, TooLongError)
    failed = isinstance(told, AudioError) and not too_long
    if not isinstance(asked, str) or failed or not (too_long or options.segments):
        return _checked(told, options)
    try:
        found = recognizer.timeline(asked, channel=options.channel)
    except AudioError as error:
        return error
    timelines = found if isinstance(found, dict) else {"": found}
    if too_long:
        told = {name: overall(one, recognizer.thresholds) for name, one in timelines.items()}
    told = _checked(told, options)
    if options.segments and not isinstance(told, AudioError):
        options.segments.write(asked, list(timelines.values()))
    return told


def _checked(told: Told, options: Options) -> Told:
    """The answers, or an error in their place where the recording breaks off and must not."""
    if isinstance(told, AudioError) or not options.strict:
        return told
    cut = incomplete(text for answer in told.values() for text in answer.warnings)
    return AudioError(cut) if cut else told


def _answer(asked: Recording, told: Told, by: Recognizer) -> Outcome:
    if isinstance(told, AudioError):
        return Outcome(asked, {}, str(told).removeprefix(f"{path_of(asked)}: "))
    rows = {name: heard_row(answer, by.emotions) for name, answer in told.items()}
    warnings = dict.fromkeys(text for answer in told.values() for text in answer.warnings)
    return Outcome(asked, rows, "", tuple(warnings))


def _ending(process: SpawnProcess) -> str:
    code = process.exitcode or 0
    if code == _NO_MEMORY:
        return "had too little memory"
    if code < 0:
        name = signal.Signals(-code).name
        return f"was ended by {name}" + (", likely for want of memory" * (name == "SIGKILL"))
    return f"ended with code {code}"


@contextlib.contextmanager
def _for_children() -> Iterator[None]:
    """Settings that new processes inherit: one thread each, and SIGINT ignored.

    Ctrl-C reaches every process of the terminal; the workers are ended by the process that started
    them.
    """
    main = threading.current_thread() is threading.main_thread()
    heard = signal.signal(signal.SIGINT, signal.SIG_IGN) if main else None
    try:
        with one_thread_each():
            yield
    finally:
        if heard is not None:
            signal.signal(signal.SIGINT, heard)
