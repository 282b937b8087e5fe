"""Arrays that lie in a temporary file where memory has no room for them, and go back to it block by block."""

from __future__ import annotations

import mmap
import os
import shutil
import tempfile
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..errors import FileError

BLOCK_BYTES = 1 << 26  # that are worked on at a time
ROOM = "set TMPDIR to a folder with more room, or take a sample of the rows"


def folder() -> str:
    """Where such files lie: TMPDIR, else /var/tmp, since /tmp may be memory itself."""
    return os.environ.get("TMPDIR") or ("/var/tmp" if os.path.isdir("/var/tmp") else tempfile.gettempdir())


def refuse_full(needed: int, what: str) -> None:
    """FileError where the disk has no room for so many bytes, or where the folder is none."""
    try:
        free = shutil.disk_usage(folder()).free
    except OSError as fault:
        raise FileError(f"{what} need a file in {folder()}: {fault.strerror}", fix=ROOM) from fault
    if needed > free:
        raise FileError(
            f"{what} need {needed / 1e9:,.3g} GB in {folder()}, {free / 1e9:,.3g} GB are free",
            why="memory has no room for them, so they are kept there meanwhile",
            fix=ROOM,
        )


def filed(shape: tuple[int, ...], dtype: Any = float) -> np.ndarray:
    """An array in a file that ends with it. FileError where there is no room."""
    count = int(np.prod(shape))
    size = max(1, count * np.dtype(dtype).itemsize)
    try:
        with tempfile.TemporaryFile(dir=folder()) as file:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)  # now: later a full disk ends the process
            else:
                file.truncate(size)
            array: np.ndarray = np.frombuffer(mmap.mmap(file.fileno(), size), dtype, count)
            return array.reshape(shape)
    except OSError as fault:
        raise FileError(f"no room for {size / 1e9:,.3g} GB in {folder()}: {fault.strerror}", fix=ROOM) from fault


def file_of(x: np.ndarray) -> mmap.mmap | None:
    """The file that an array lies in, or a view of it; None where it lies in memory."""
    base: object = x
    while isinstance(base, np.ndarray | memoryview):
        base = base.base if isinstance(base, np.ndarray) else base.obj
    return base if isinstance(base, mmap.mmap) else None


def like(x: np.ndarray, shape: tuple[int, ...], dtype: Any = float) -> np.ndarray:
    """An uninitialised array: in a file if x lies in one."""
    return np.empty(shape, dtype) if file_of(x) is None else filed(shape, dtype)


def blocks(x: np.ndarray) -> Iterator[slice]:
    """The rows of (N, ...) in blocks; of what lies in a file, a block leaves memory when the next is asked for."""
    if file_of(x) is None:
        yield slice(0, len(x))
        return
    step = max(1, BLOCK_BYTES // max(1, x[:1].nbytes))
    for start in range(0, len(x), step):
        yield slice(start, min(start + step, len(x)))
        let_go(x)


def mean(x: np.ndarray) -> np.ndarray:
    """(D,) the mean of the rows."""
    if file_of(x) is None:
        centre: np.ndarray = x.mean(axis=0)
        return centre
    total = np.zeros(x.shape[1])
    for rows in blocks(x):
        total += x[rows].sum(axis=0)
    return total / len(x)


def ends(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(D,) the largest and the smallest of each column; -inf and inf of no rows."""
    top, bottom = np.full(x.shape[1], -np.inf), np.full(x.shape[1], np.inf)
    for rows in blocks(x):
        np.maximum(top, x[rows].max(axis=0, initial=-np.inf), out=top)
        np.minimum(bottom, x[rows].min(axis=0, initial=np.inf), out=bottom)
    return top, bottom


def let_go(x: np.ndarray) -> None:
    """What lies in a file need not lie in memory too."""
    file = file_of(x)
    if file is not None and hasattr(mmap, "MADV_DONTNEED"):
        file.madvise(mmap.MADV_DONTNEED)


def taken(x: np.ndarray, index: np.ndarray) -> np.ndarray:
    """x[index], in a file if x lies in one."""
    if file_of(x) is None:
        chosen: np.ndarray = x[index]
        return chosen
    result = like(x, (len(index), *x.shape[1:]), x.dtype)
    for part in blocks(result):
        result[part] = x[index[part]]
        let_go(x)
    return result
