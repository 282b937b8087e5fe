"""Time, memory and limits: one run of a function, timed, weighed and stopped if it takes too long."""

from __future__ import annotations

import contextlib
import ctypes
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from ..files import room

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
RESET_PEAK = "5"


class TimeUp(Exception):
    """A run was stopped at its time limit."""


def timed(run: Callable[[], Any], device: str) -> tuple[float, Any]:
    """(seconds, what it returned) of one run; on CUDA by events on its stream."""
    if device == "cpu":
        before = time.perf_counter()
        answer = run()
        return time.perf_counter() - before, answer
    import torch

    with torch.cuda.device(device):
        event: Any = torch.cuda.Event
        start, end = event(enable_timing=True), event(enable_timing=True)
        torch.cuda.synchronize()
        start.record()
        answer = run()
        end.record()
        torch.cuda.synchronize()
        return float(start.elapsed_time(end)) / 1000, answer


def weighed(run: Callable[[], Any], device: str) -> tuple[int | None, Any]:
    """(peak of the bytes taken beyond those taken before, what it returned); None where the system does not tell."""
    if device == "cpu":
        return _weighed_on_the_cpu(run)
    import torch

    before = torch.cuda.memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    answer = run()
    torch.cuda.synchronize(device)
    return int(torch.cuda.max_memory_allocated(device)) - before, answer


def _weighed_on_the_cpu(run: Callable[[], Any]) -> tuple[int | None, Any]:
    release("cpu")
    try:
        CLEAR.write_text(RESET_PEAK)
        before = _resident("VmRSS")
    except (OSError, ValueError):  # no Linux
        return None, run()
    answer = run()
    return max(0, _resident("VmHWM") - before), answer


def _resident(name: str) -> int:
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) << 10


def release(device: str) -> None:
    """Give freed memory back, so that the next run starts from as little as it can."""
    if device != "cpu":
        import torch

        torch.cuda.empty_cache()
        return
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def bytes_free(device: str) -> int | None:
    """How much memory may still be taken, None if that is not known."""
    if device == "cpu":
        return room.bytes_free()
    import torch

    return int(torch.cuda.mem_get_info(device)[0])


def is_out_of_memory(fault: BaseException) -> bool:
    """Whether an exception says so, in any library's words; triton's are of the shared memory of a card."""
    words = str(fault).lower()
    parts = "out of memory", "can't allocate memory", "not enough memory", "bad_alloc", "out of resource: shared memory"
    return isinstance(fault, MemoryError) or any(part in words for part in parts)


@contextlib.contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raises TimeUp in what runs inside, once it has taken so long and is in Python again.

    Does nothing in a thread, where there are no signals; then only what is foreseen keeps the time.
    """
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        raise TimeUp

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 1e-3))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
