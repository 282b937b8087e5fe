"""How much memory may still be taken, and the refusal of what would take more: before it is read, not after."""

from __future__ import annotations

import contextlib
from pathlib import Path

from ..errors import FileError

MEMORY, GROUPS = Path("/proc/meminfo"), Path("/sys/fs/cgroup")
LIMITS = (  # of a control group: the most, what is used, and where it says how much of that is files it can drop
    ("memory.max", "memory.current", "memory.stat", "inactive_file"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat", "total_inactive_file"),
)
SMALL = 1 << 26  # bytes that are not asked about


def bytes_free() -> int | None:
    """What the system, the control group and the process's own limit leave; None where that is not known."""
    limits = [value for value in (_available(), _left_in_group(), _left_to_process()) if value is not None]
    return min(limits, default=None)


def refuse_beyond(needed: int, what: str, why: str, fix: str) -> None:
    """FileError where so many bytes are more than are free. what: names the file"""
    free = bytes_free() if needed > SMALL else None
    if free is not None and needed > free:
        raise FileError(
            f"{what} needs about {_gigabytes(needed)} of memory, {_gigabytes(free)} are free", why=why, fix=fix
        )


def _gigabytes(size: int) -> str:
    return f"{size / 1e9:,.3g} GB" if size < 1e12 else f"{size / 1e12:,.4g} TB"


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
