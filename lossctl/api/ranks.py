"""Ranks that torchrun has started: the first asks and prints, all do parts of what it asks.

What goes between them are parts and what they give, which lie in the memory of processors: gloo carries them, also
where a part is computed on a GPU. Points do not travel, since every rank reads the files itself.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import DeviceError, UsageError
from ..rows.workers import cores

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

NAMES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
LAUNCHERS = ("torchrun", "torch.distributed.run", "torch.distributed.launch")
MOMENT = 1.0  # seconds in which the end of a rank is noticed, after torchrun has
PATIENCE = timedelta(days=30)  # between two parts; where a rank ends, torchrun ends the others


def is_one() -> bool:
    """Whether torchrun has started this process beside others; not one that a training script has started itself."""
    if any(name not in os.environ for name in NAMES) or os.environ["WORLD_SIZE"] == "1":
        return False
    with contextlib.suppress(OSError):
        words = Path(f"/proc/{os.getppid()}/cmdline").read_bytes().decode(errors="replace").split("\0")
        return any(os.path.basename(word) in LAUNCHERS for word in words)
    return True


def is_first() -> bool:
    """Whether this is the rank that asks and prints."""
    return os.environ["RANK"] == "0"


def threads() -> int:
    """How many cores of the machine are this rank's."""
    return max(1, cores() // int(os.environ["LOCAL_WORLD_SIZE"]))


class RankExecutor(NamedTuple):
    """An executor over all ranks, this one among them: each does one part at a time."""

    pool: ThreadPoolExecutor
    threads: int
    ahead: int

    def submit(self, fn: Callable[..., Any], /, *args: Any) -> Future[Any]:
        return self.pool.submit(_done_by_own, fn, args)


_own = threading.local()  # the rank that does what a thread of the pool is asked
_lost: list[DeviceError] = []  # of ranks that are no more, and when there is one
_is_lost = threading.Event()


@contextlib.contextmanager
def connected(host: str) -> Iterator[RankExecutor]:
    """The executor. UsageError where torchrun has not started this process."""
    import queue
    from concurrent.futures import ThreadPoolExecutor

    if host or not is_one():
        raise UsageError(
            "there are no ranks to run on",
            why="it is torchrun that starts them",
            fix="start it by torchrun, or compute without --on",
        )
    world = _join()
    _lost.clear()
    _is_lost.clear()
    free: queue.SimpleQueue[int] = queue.SimpleQueue()
    for rank in range(world):
        free.put(rank)

    def begin() -> None:
        _own.rank = free.get()

    pool = ThreadPoolExecutor(world, initializer=begin)
    try:
        yield RankExecutor(pool, threads(), 2 * world)
    except BaseException as stop:
        pool.shutdown(wait=False, cancel_futures=True)  # what is being done is of no use any more
        if isinstance(stop, SystemExit) and (fault := _lost_rank()):  # torchrun ends the others where a rank has ended
            raise fault from stop
        raise
    pool.shutdown()


def _lost_rank() -> DeviceError | None:
    """The fault of a rank that has been lost just now."""
    return _lost[0] if _is_lost.wait(MOMENT) else None


def dismiss() -> None:
    """Tell all other ranks, which wait for a part, that there is no other."""
    for rank in range(1, _join()):
        _send(b"", rank)


def serve() -> int:
    """Do the parts that the first rank sends, until there is no other; the exit code."""
    devices = os.environ.get("CUDA_VISIBLE_DEVICES")
    own = int(os.environ["LOCAL_RANK"])
    visible = devices.split(",") if devices is not None else [str(device) for device in range(own + 1)]
    os.environ["CUDA_VISIBLE_DEVICES"] = visible[own] if own < len(visible) else ""  # each rank's cuda:0 is its own
    _join()
    while message := _asked_for():
        fn, args = pickle.loads(message)
        try:
            answer = True, fn(*args)
        except Exception as fault:
            answer = False, f"{type(fault).__name__}: {fault}"
        _send(pickle.dumps(answer), 0)
    return 0


def _asked_for() -> bytes:
    """The next part; nothing where the first rank has ended, which torchrun sees to."""
    try:
        return _received(0)
    except RuntimeError:
        return b""


def _done_by_own(fn: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    rank = _own.rank
    if rank == 0:
        return fn(*args)
    try:
        _send(pickle.dumps((fn, args)), rank)
        is_good, answer = pickle.loads(_received(rank))
    except RuntimeError as fault:
        lost = DeviceError(
            f"rank {rank} was lost: {_reason(fault)}",
            why="what it was doing is missing, so there is no result",
            fix="see what torchrun says of it; a process that is killed often had too little memory",
        )
        _lost.append(lost)
        _is_lost.set()
        raise lost from fault
    if not is_good:
        raise RuntimeError(f"rank {rank}: {answer}")
    return answer


def _reason(fault: RuntimeError) -> str:
    """What gloo says, without the line of its source before and the advice behind."""
    import re

    return re.sub(r"^\[\S+\] |\. This is typically.*", "", str(fault).splitlines()[0])


# --- messages


def _join() -> int:
    """How many ranks there are, once all have met."""
    import torch.distributed as ranks

    if not ranks.is_initialized():
        _apart(lambda: ranks.init_process_group("gloo", timeout=PATIENCE))
    return ranks.get_world_size()


def _apart(function: Callable[[], None]) -> None:
    """Do it in a thread of its own, so that the signal by which torchrun ends this rank is not kept waiting."""
    from concurrent.futures import Future

    done: Future[None] = Future()

    def work() -> None:
        try:
            function()
            done.set_result(None)
        except BaseException as fault:
            done.set_exception(fault)

    threading.Thread(target=work, daemon=True).start()  # daemon: it may wait for a rank that is no more
    done.result()


def _send(message: bytes, rank: int) -> None:
    import torch
    import torch.distributed as ranks

    ranks.send(torch.tensor([len(message)]), rank)
    if message:
        ranks.send(torch.frombuffer(bytearray(message), dtype=torch.uint8), rank)


def _received(rank: int) -> bytes:
    import torch
    import torch.distributed as ranks

    size = torch.zeros(1, dtype=torch.int64)
    ranks.recv(size, rank)
    message = torch.empty(int(size), dtype=torch.uint8)
    if len(message):
        ranks.recv(message, rank)
    return message.numpy().tobytes()
