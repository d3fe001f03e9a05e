"""Worker processes that come and go with the process that started them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from types import FrameType

_FAULTS = ("SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE", "SIGABRT")  # what no user's mistake ends with
# What the numerical libraries read when a process starts.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Let processes that are started inside compute on one thread."""
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
def block_ctrl_c() -> Iterator[None]:
    """Hold Ctrl-C back, here and in processes started inside; here it comes after all."""
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
    """Let steps that belong together be finished before Ctrl-C, if it comes, is obeyed.

    Blocking the signal would not do: a process with other threads gets it through those.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield  # no thread to interrupt, or a job in the background, which ignores it
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
    """In a worker: leave Ctrl-C to the parent, and end when the parent does, however that is."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with_parent, daemon=True).start()


def describe_end(workers: Iterable[BaseProcess]) -> tuple[str, str]:
    """How the worker that broke a pool ended, and what to do beside trying again.

    Both are parts of a sentence, such as "a process HOW: run the same command againMORE."

    Args:
        workers: all of the pool's, each of which has ended.
    """
    codes = [worker.exitcode for worker in workers if worker.exitcode]
    # The others were only told to end, by the pool.
    code = next((code for code in codes if code != -signal.SIGTERM), codes[0] if codes else 0)
    name = {one.value: one.name for one in signal.Signals}.get(-code, f"signal {-code}")
    if name == "SIGKILL":
        return "was killed, perhaps for want of memory", ", with --jobs 1 if memory is short"
    if name in _FAULTS:
        what = (signal.strsignal(-code) or name).lower()
        return f"crashed ({name}: {what})", "; it is a fault of the program, so please report it"
    return f"was ended by {name}" if code < 0 else f"ended with code {code}", ""


def _leave_with_parent() -> None:
    """End this process when its parent is killed; nobody would hear of its results."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
