"""Many recordings in bounded memory: read ahead, grouped, and batched by length."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from typing import TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")


def in_order(
    pool: Executor, work: Callable[[Item], Made], items: Iterable[Item], ahead: int
) -> Iterator[Made]:
    """Like `pool.map`, but with at most `ahead` items taken from `items` in advance.

    The first result is given before a second item is taken.
    """
    under_way: deque[Future[Made]] = deque()
    try:
        for count, item in enumerate(items):
            under_way.append(pool.submit(work, item))
            if len(under_way) > min(ahead, count):
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    finally:  # also where nobody wants the rest
        for future in under_way:
            future.cancel()


def groups(
    items: Iterable[Item], size: Callable[[Item], int], most: int, largest: int
) -> Iterator[list[Item]]:
    """Cut a stream into lists of at most `most` items whose sizes sum to about `largest`.

    The first list has one item and each next twice as many: the first answer comes at once.
    """
    group: list[Item] = []
    total, wanted = 0, 1
    for item in items:
        group.append(item)
        total += size(item)
        if len(group) == wanted or total >= largest:
            yield group
            group, total, wanted = [], 0, min(2 * wanted, most)
    if group:
        yield group


def batches(sizes: Sequence[int], largest: int) -> Iterator[list[int]]:
    """Indices of items of like size, batched so that each batch, padded, has at most `largest`."""
    batch: list[int] = []
    for place in sorted(range(len(sizes)), key=sizes.__getitem__):
        if batch and (len(batch) + 1) * sizes[place] > largest:
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch
