"""Runs a function on many recordings in processes that end quietly when nobody needs them.

Importing librosa takes seconds, so a few recordings are worked on in this process; many are worked
on in processes of one thread each.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from emelia.errors import EmeliaError
from emelia.processes import block_ctrl_c, describe_end, exit_with_parent, one_thread_each

Item = TypeVar("Item")
Result = TypeVar("Result")
_FEW = 12  # items that are not worth starting a process for
_AT_ONCE = 4  # items a process takes at a time


def work(function: Callable[[Item], Result], items: Sequence[Item], jobs: int) -> Iterator[Result]:
    """Yield `function` of each item, in order.

    Args:
        function: of a module, with items and results that can be sent between processes.
        jobs: processes at the same time.

    Raises:
        EmeliaError: a process was killed, or crashed.
    """
    if jobs == 1 or len(items) <= _FEW:
        yield from map(function, items)
        return
    context = multiprocessing.get_context("spawn")  # fork and threads do not agree
    with one_thread_each(), ProcessPoolExecutor(jobs, context, exit_with_parent) as pool:
        with block_ctrl_c():  # which the processes inherit: the parent decides what it means
            results = pool.map(function, items, chunksize=_AT_ONCE)
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
