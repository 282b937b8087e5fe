"""How much memory may still be taken, and the refusal of what would take more: before it is read, not after."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path

from ..errors import FileError, UsageError

MEMORY, GROUPS = Path("/proc/meminfo"), Path("/sys/fs/cgroup")
LIMITS = (  # of a control group: the most, what is used, and where it says how much of that is files it can drop
    ("memory.max", "memory.current", "memory.stat", "inactive_file"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat", "total_inactive_file"),
)
SMALL = 1 << 26  # bytes that are not asked about
SIZE = re.compile(r"(\d+(?:\.\d+)?) ?(?:([kmgt])(i?))?b?", re.IGNORECASE)
ALLOWED: ContextVar[int | None] = ContextVar("ALLOWED", default=None)  # bytes, as somebody said


def parse_bytes(text: str, name: str) -> int:
    """A size such as 8GB, 512MiB or 1000000. UsageError. name: of the option"""
    match = SIZE.fullmatch(text.strip())
    if not match or not float(match[1]):
        raise UsageError(f"{name} cannot be {text!r}", why="it is a size", fix="give one such as 8GB or 512MB")
    unit = 1024 if match[3] else 1000
    power = " kmgt".index(match[2].lower()) if match[2] else 0
    return math.ceil(float(match[1]) * float(unit) ** power)


@contextlib.contextmanager
def allowed(size: int | None) -> Iterator[None]:
    """What is computed meanwhile may take so many bytes, whatever is free; None for what is free."""
    token = ALLOWED.set(ALLOWED.get() if size is None else size)
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):  # the context that it was set in is gone with its thread
            ALLOWED.reset(token)


def bytes_free() -> int | None:
    """What was allowed, or what the system, the control group and the process's own limit leave; None for not known."""
    if (size := ALLOWED.get()) is not None:
        return size
    limits = [value for value in (_available(), _left_in_group(), _left_to_process()) if value is not None]
    return min(limits, default=None)


def exceeds(needed: int, held: int = 0) -> bool:
    """Whether so many bytes, of which some are held already, are more than are free."""
    by_hand = ALLOWED.get()
    if by_hand is not None:
        return needed > by_hand
    free = bytes_free() if needed > SMALL else None
    return free is not None and needed > free + held


def refuse_beyond(needed: int, what: str, why: str, fix: str, held: int = 0) -> None:
    """FileError where so many bytes are more than are free. what: names the file;  held: so many are taken already"""
    if exceeds(needed, held):
        by_hand, free = ALLOWED.get(), (bytes_free() or 0) + (held if ALLOWED.get() is None else 0)
        told = f"{what} needs about {_size(needed)} of memory, {_size(free)} are"
        if by_hand is None:
            raise FileError(f"{told} free", why=why, fix=fix)
        enough = _size((1.1 if needed > SMALL else 2) * needed).replace(" ", "").replace(",", "")
        raise FileError(f"{told} allowed", why=why, fix=f"{fix}, or allow more: --memory {enough}")


def _size(size: float) -> str:
    for power, unit in ((12, "TB"), (9, "GB"), (6, "MB")):
        if size >= 10**power:
            return f"{size / 10**power:,.3g} {unit}" if size < 1e15 else f"{size / 10**power:,.0f} {unit}"
    return f"{size / 1000:.3g} kB"


def _available() -> int | None:
    with contextlib.suppress(OSError, ValueError, StopIteration):
        line = next(line for line in MEMORY.read_text().splitlines() if line.startswith("MemAvailable"))
        return int(line.split()[1]) << 10
    return None


def _left_in_group() -> int | None:
    for limit, usage, account, name in LIMITS:
        with contextlib.suppress(OSError, ValueError):  # "max" is no number: no limit
            most, used = (int((GROUPS / file).read_text()) for file in (limit, usage))
            return max(0, most - max(0, used - _dropped(GROUPS / account, name)))
    return None


def _dropped(account: Path, name: str) -> int:
    """The bytes of files read before that make room when it is needed: they count as used, and are free."""
    with contextlib.suppress(OSError, ValueError, StopIteration):
        return next(int(line.split()[1]) for line in account.read_text().splitlines() if line.split()[:1] == [name])
    return 0


def _left_to_process() -> int | None:
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        if limit != resource.RLIM_INFINITY:
            pages = int(Path("/proc/self/statm").read_text().split()[0])
            return max(0, limit - pages * resource.getpagesize())
    return None
