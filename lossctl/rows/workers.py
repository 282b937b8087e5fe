"""Blocks spread over the cores, or over other processes and machines, results in order."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any, Protocol, TypeAlias, TypeVar

import numpy as np

Item = TypeVar("Item")
Result = TypeVar("Result")


class Crew(Protocol):
    """Others that compute in the place of the threads here, each with a function of its own that does the same.

    threads: how many this process would use, which decides how large its blocks are
    """

    @property
    def threads(self) -> int: ...

    def map(self, function: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Any]: ...


Workers: TypeAlias = "int | Crew"  # so many threads of this process, or others


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def threads_of(workers: Workers) -> int:
    """How many threads this process would use."""
    return workers if isinstance(workers, int) else workers.threads


def keep_freed_memory() -> None:
    """Let the allocator keep the memory of temporaries from block to block.

    glibc gives it back to the system after each use, which costs more than the arithmetic, until it has seen one large
    block freed: its thresholds then grow to that size.
    """
    np.empty(30 << 20, dtype=np.uint8)


def mapped(function: Callable[[Item], Result], items: Sequence[Item], workers: Workers) -> Iterator[Result]:
    """function(item) for each item, in order, on threads or elsewhere; items must be picklable."""
    if isinstance(workers, int):
        return ordered_map(function, items, workers)
    return workers.map(function, items)


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
        fault: Exception | None = None
        try:
            while fault is None:
                try:
                    waiting.append(pool.submit(function, next(iterator)))
                except StopIteration:
                    break
                except Exception as raised:
                    fault = raised  # of an item that comes after all that wait
                else:
                    if len(waiting) > 2 * jobs + 1:
                        yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
            if fault:
                raise fault
        finally:
            for future in waiting:
                future.cancel()


def forked(function: Callable[[Iterable[Item]], Result], items: Iterable[Item], jobs: int) -> list[Result] | None:
    """function(every jobs-th item) in `jobs` processes, this one among them; None where one of them failed.

    Results must be picklable and small. None too where processes cannot be forked safely.
    """
    if not hasattr(os, "fork") or threading.active_count() > 1:
        return None
    children: list[tuple[int, int]] = []
    try:
        for k in range(1, jobs):
            children.append(_fork(partial(function, islice(items, k, None, jobs))))
        mine = function(islice(items, 0, None, jobs))
        others = [_received(end) for _, end in children]
    except Exception:
        return None
    finally:
        for process, _ in children:
            with contextlib.suppress(OSError):
                os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
    return None if None in others else [mine, *others]


def _fork(work: Callable[[], object]) -> tuple[int, int]:
    """Start a child that sends what `work` returns; (its process, the end of the pipe to read). Nothing on a fault."""
    import pickle

    end, far = os.pipe()
    process = os.fork()
    if process:
        os.close(far)
        return process, end
    with contextlib.suppress(BaseException):
        message = pickle.dumps(work())
        with os.fdopen(far, "wb") as pipe:
            pipe.write(message)
    os._exit(0)


def _received(end: int) -> Any:
    import pickle

    with os.fdopen(end, "rb") as pipe:
        message = pipe.read()
    return pickle.loads(message) if message else None
