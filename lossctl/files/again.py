"""What was done again after a fault that passed: requests to a store, parts whose worker was lost.

It is counted where it happens, comes back with the parts of other processes, and is told at the end: by the command on
stderr, by a call from Python to the logger "lossctl".
"""

from __future__ import annotations

import os
import threading
from collections import Counter, defaultdict
from collections.abc import Mapping

LOST = "parts of lost workers"
_counts: defaultdict[int, Counter[str]] = defaultdict(Counter)  # by process: one that is forked has counted nothing
_lock = threading.Lock()


def count(counts: Mapping[str, int]) -> None:
    """So many times more. Keys: what it was, in the plural."""
    with _lock:
        _counts[os.getpid()].update(counts)


def taken() -> dict[str, int]:
    """What was counted since this was last asked."""
    with _lock:
        return dict(_counts.pop(os.getpid(), {}))


def told(counts: Mapping[str, int]) -> list[str]:
    """A line for each kind."""
    return [f"{what}: {times:,} done again" for what, times in sorted(counts.items()) if times]


def log() -> None:
    """Tell the logger what was counted since this was last asked."""
    for line in told(taken()):
        import logging

        logging.getLogger("lossctl").warning(line)
