"""Arrays that lie in a temporary file where memory has no room for them, and go back to it block by block."""

from __future__ import annotations

import math
import mmap
import os
import shutil
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from ..errors import FileError
from .room import bytes_free

BLOCK_BYTES = 1 << 24  # that are worked on at a time, at most
VIEWS = (np.ndarray, memoryview)  # what has something else for its base
BLOCKS = 32  # so many of them fit into the memory that there is, at least
LEAST = 1 << 16  # bytes of a block; below it takes long, and saves nothing
ROOM = "set TMPDIR to a folder with more room, or take a sample of the rows"


def folder() -> str:
    """Where such files lie: TMPDIR, else /var/tmp, since /tmp may be memory itself."""
    import tempfile

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


class Drawer(mmap.mmap):
    """A file that an array lies in. memory: bytes that what is done with it may take; None for not known"""

    memory: int | None = None


def filed(shape: tuple[int, ...], dtype: Any = float, beside: Drawer | None = None) -> np.ndarray:
    """An array in a file that ends with it. FileError where there is no room.

    beside: a file made from what memory there is, where that is not asked again
    """
    import tempfile

    count = math.prod(shape)
    size = max(1, count * np.dtype(dtype).itemsize)
    try:
        with tempfile.TemporaryFile(dir=folder()) as file:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)  # now: later a full disk ends the process
            else:
                file.truncate(size)
            drawer = Drawer(file.fileno(), size)
            drawer.memory = bytes_free() if beside is None else beside.memory
            array: np.ndarray = np.frombuffer(drawer, dtype, count)
            return array.reshape(shape)
    except OSError as fault:
        raise FileError(f"no room for {size / 1e9:,.3g} GB in {folder()}: {fault.strerror}", fix=ROOM) from fault


def file_of(x: np.ndarray) -> Drawer | None:
    """The file that an array lies in, or a view of it; None where it lies in memory."""
    base: object = x
    while isinstance(base, VIEWS):
        base = base.base if isinstance(base, np.ndarray) else base.obj
    return base if isinstance(base, Drawer) else None


def bytes_at_once(x: np.ndarray, most: int) -> int:
    """How many bytes of the rows may be copied at a time: `most`, of what lies in a file no more than memory has for
    it."""
    file = file_of(x)
    return most if file is None or file.memory is None else max(LEAST, min(most, file.memory // BLOCKS))


def panel_bytes(x: np.ndarray, most: int) -> int:
    """How many bytes the panels of a set may take, all together: of what lies in a file half of what memory has."""
    file = file_of(x)
    return most if file is None or file.memory is None else min(most, file.memory // 2)


def like(x: np.ndarray, shape: tuple[int, ...], dtype: Any = float) -> np.ndarray:
    """An uninitialised array: in a file if x lies in one."""
    file = file_of(x)
    return np.empty(shape, dtype) if file is None else filed(shape, dtype, file)


def blocks(x: np.ndarray) -> Iterator[slice]:
    """The rows of (N, ...) in blocks; of what lies in a file, a block leaves memory when the next is asked for."""
    if x.nbytes <= LEAST:
        yield slice(0, len(x))
        return
    step = max(1, bytes_at_once(x, BLOCK_BYTES) // max(1, x[:1].nbytes))
    for start in range(0, max(1, len(x)), step):
        yield slice(start, min(start + step, len(x)))
        let_go(x)


def mean(x: np.ndarray) -> np.ndarray:
    """(D,) the mean of the rows."""
    if file_of(x) is None:
        centre: np.ndarray = x.mean(axis=0)
        return centre
    total = np.zeros(x.shape[1])
    for rows in blocks(x):
        for row in x[rows]:  # in their order, as numpy adds them up
            total += row
    return total / len(x)


def ends(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(D,) the largest and the smallest of each column; -inf and inf of no rows."""
    if file_of(x) is None:
        return x.max(axis=0, initial=-np.inf), x.min(axis=0, initial=np.inf)
    top, bottom = np.full(x.shape[1], -np.inf), np.full(x.shape[1], np.inf)
    for rows in blocks(x):
        np.maximum(top, x[rows].max(axis=0, initial=-np.inf), out=top)
        np.minimum(bottom, x[rows].min(axis=0, initial=np.inf), out=bottom)
    return top, bottom


def scaled(x: np.ndarray, shift: int) -> np.ndarray:
    """x times 2**shift, (N, ...); x itself where that is 1."""
    if not shift:
        return x
    result = like(x, x.shape)
    for rows in blocks(result):
        np.ldexp(x[rows], shift, out=result[rows])
        let_go(x)
    return result


def joined(parts: list[np.ndarray]) -> np.ndarray:
    """(N, D) rows of all parts, in a file if any of them lies in one."""
    filed = next((part for part in parts if file_of(part) is not None), None)
    if filed is None:
        return np.concatenate(parts)
    result = like(filed, (sum(map(len, parts)), *parts[0].shape[1:]), np.result_type(*parts))
    start = 0
    for part in parts:
        for rows in blocks(part):
            result[start + rows.start : start + rows.stop] = part[rows]
            let_go(result)
        start += len(part)
    return result


def let_go(x: np.ndarray) -> None:
    """What lies in a file need not lie in memory too."""
    file = file_of(x)
    if file is not None and hasattr(mmap, "MADV_DONTNEED"):
        file.madvise(mmap.MADV_DONTNEED)


class Place(NamedTuple):
    """Where all rows of an input are kept. rows: how many there are, None for not known"""

    rows: int | None = None
    is_file: bool = False


class Stack:
    """Blocks of (n, ...) numbers as one array, which is written as they come where it is known how long it is.

    source: an array in a file whose rows the blocks may be as they are: then nothing is written
    """

    def __init__(self, place: Place, source: np.ndarray | None = None) -> None:
        self._place = place
        self._source = source
        self._parts: list[np.ndarray] = []
        self._whole: np.ndarray | None = None
        self._count = 0

    def add(self, part: np.ndarray) -> None:
        """One more block, of all rows or of those that are kept."""
        rows = self._place.rows
        if rows is None or (not self._count and len(part) == rows and not self._place.is_file):
            self._parts.append(part)
            return
        if self._whole is None and self._is_next(part):
            self._count += len(part)
            let_go(part)
            return
        if self._whole is None:
            shape = rows, *part.shape[1:]
            self._whole = filed(shape) if self._place.is_file else np.empty(shape)
            if self._count and self._source is not None:
                for copied in blocks(self._source[: self._count]):
                    self._whole[copied] = self._source[copied]
        self._whole[self._count : self._count + len(part)] = part
        self._count += len(part)
        let_go(self._whole)
        let_go(part)

    def _is_next(self, part: np.ndarray) -> bool:
        """Whether a block is just the rows of the source that come next."""
        if self._source is None or file_of(self._source) is None:
            return False
        rows = self._source[self._count : self._count + len(part)]
        alike = (rows.ctypes.data, rows.strides, rows.shape) == (part.ctypes.data, part.strides, part.shape)
        return alike and rows.dtype == part.dtype

    def array(self) -> np.ndarray:
        """All rows."""
        if self._whole is not None:
            return self._whole[: self._count]
        if self._source is not None and self._count:
            return self._source[: self._count]
        return self._parts[0] if len(self._parts) == 1 else np.concatenate(self._parts)


def taken(x: np.ndarray, index: np.ndarray) -> np.ndarray:
    """x[index], in a file if x lies in one; x itself where these are all rows in order."""
    if len(index) == len(x) and (index == np.arange(len(x))).all():
        return x
    if file_of(x) is None:
        chosen: np.ndarray = x[index]
        return chosen
    result = like(x, (len(index), *x.shape[1:]), x.dtype)
    for part in blocks(result):
        result[part] = x[index[part]]
        let_go(x)
    return result
