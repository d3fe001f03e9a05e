"""Worker processes: threads, Ctrl-C, and how they end."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import TypeVar

from emelia.errors import EmeliaError

Item = TypeVar("Item")
Result = TypeVar("Result")

_CRASHES = ("SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE", "SIGABRT")  # signals of faults in a program
# Environment variables that numerical libraries read when a process starts.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Let processes started inside this block compute on one thread: workers share the cores."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def one_openmp_thread() -> Iterator[None]:
    """Let OpenMP compute on one thread in this block, where it is GNU's and loaded already.

    The speech detector takes four threads for frames of 0.1 ms, unless the environment forbade it
    when the library was loaded. Beside torch that was too early, and it would be ten times slower.
    """
    try:
        library = ctypes.CDLL("libgomp.so.1", mode=getattr(os, "RTLD_NOLOAD", 0))
    except OSError:  # not there, or of another make
        yield
        return
    before = library.omp_get_max_active_levels()
    library.omp_set_max_active_levels(0)
    try:
        yield
    finally:
        library.omp_set_max_active_levels(before)


@contextmanager
def block_ctrl_c() -> Iterator[None]:
    """Block Ctrl-C during this block; processes started inside keep it blocked."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def delay_ctrl_c() -> Iterator[None]:
    """Delay Ctrl-C to the end of this block, whose steps must not be interrupted.

    Blocking the signal does not suffice: another thread of the process would receive it.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield  # Ctrl-C reaches the main thread only, and not a job in the background
        return
    pressed: list[tuple[int, FrameType | None]] = []
    signal.signal(signal.SIGINT, lambda number, frame: pressed.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if pressed:
        before(*pressed[-1])


def exit_with_parent() -> None:
    """In a worker: ignore Ctrl-C, which the parent handles, and end when the parent ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with_parent, daemon=True).start()


def describe_end(workers: Iterable[BaseProcess]) -> tuple[str, str]:
    """Say how the worker that broke a pool ended, and what to do besides trying again.

    Returns two parts of a sentence such as "a process HOW: run the same command againMORE."

    Args:
        workers: all workers of the pool, which have ended.
    """
    codes = [worker.exitcode for worker in workers if worker.exitcode]
    # The pool has ended the others by SIGTERM.
    code = next((code for code in codes if code != -signal.SIGTERM), codes[0] if codes else 0)
    name = {one.value: one.name for one in signal.Signals}.get(-code, f"signal {-code}")
    if name == "SIGKILL":
        return "was killed, perhaps for want of memory", ", with --jobs 1 if memory is short"
    if name in _CRASHES:
        what = (signal.strsignal(-code) or name).lower()
        return f"crashed ({name}: {what})", "; it is a fault of the program, so please report it"
    return f"was ended by {name}" if code < 0 else f"ended with code {code}", ""


def work(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    jobs: int,
    *,
    few: int = 12,
    at_once: int = 4,
) -> Iterator[Result]:
    """Yield `function` of each item, in order, from processes of one thread each.

    Args:
        function: of a module, with items and results that can be sent between processes.
        items: what it is called with.
        jobs: processes at the same time.
        few: items that are not worth starting a process for; this one works on them.
        at_once: items a process takes at a time.

    Raises:
        EmeliaError: a process was killed, or crashed.
    """
    if jobs == 1 or len(items) <= few:
        yield from map(function, items)
        return
    context = multiprocessing.get_context("spawn")  # fork and threads do not agree
    with one_thread_each(), ProcessPoolExecutor(jobs, context, exit_with_parent) as pool:
        with block_ctrl_c():  # which the processes inherit: the parent decides what it means
            results = pool.map(function, items, chunksize=at_once)
        workers = list((pool._processes or {}).values())
        try:
            yield from results
        except BrokenProcessPool:
            pool.shutdown()  # only then it is known how each has ended
            how, more = describe_end(workers)
            raise EmeliaError(
                f"a process {how}. What is finished is kept: run the same command again{more}."
            ) from None
        finally:  # also at Ctrl-C: what has begun is finished, so that no file is half written
            pool.shutdown(cancel_futures=True)


def _leave_with_parent() -> None:
    """Wait for the parent to end, then end this process: its results would be lost."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
