"""Blocks spread over the cores, results in order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def ordered_map(function: Callable[[Item], Result], items: Iterable[Item], jobs: int) -> Iterator[Result]:
    """function(item) for each item, in order, on `jobs` threads; a few items ahead at most, so memory stays bounded.

    An exception surfaces at the item that raised it, whatever the threads did first, so a fault is the same every time.
    """
    iterator = iter(items)
    ahead = list(islice(iterator, 2))
    if jobs <= 1 or len(ahead) < 2:
        yield from map(function, ahead)
        yield from map(function, iterator)
        return
    from concurrent.futures import Future, ThreadPoolExecutor

    with ThreadPoolExecutor(jobs) as pool:
        waiting: deque[Future[Result]] = deque(pool.submit(function, item) for item in ahead)
        try:
            for item in iterator:
                waiting.append(pool.submit(function, item))
                if len(waiting) > 2 * jobs + 1:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
