"""The vectors of faiss and TEXMEX: fvecs, ivecs and bvecs, where each row begins with its width, and raw float32."""

from __future__ import annotations

import contextlib
from typing import Any, NamedTuple

import numpy as np

from ..errors import DataError
from .arrays import Arrays, of_array
from .content import Array
from .dialect import Dialect
from .npy import Layout, Stored
from .opening import Bytes

WIDTH = np.dtype("<i4")
TYPES: dict[str, np.dtype[Any]] = {"f": np.dtype("<f4"), "i": np.dtype("<i4"), "b": np.dtype("u1")}
RAW = np.dtype("<f4")
SAMPLE = 1 << 14
LARGEST, SMALLEST, NARROWEST = 1e20, 1e-30, 1e-9  # what no embedding holds, and other types read as float32 do
MOST_ODD, FEW = 0.02, 8
UNUSED = np.uint32((1 << 29) - 1)  # bits of a float64 that are 0 where it was a float32


class Vecs(NamedTuple):
    """Rows of an int32 and as many values as that says; `read` is safe from several threads."""

    layout: Layout
    stretch: Bytes

    def read(self, start: int, stop: int, columns: tuple[int, ...] | None = None) -> Array:
        """Rows start..stop, (n, k). DataError for a row of another width."""
        width = self.layout.shape[1]
        length = WIDTH.itemsize + width * self.layout.dtype.itemsize
        rows = np.frombuffer(self.stretch.pread(start * length, (stop - start) * length), np.uint8)
        rows = rows.reshape(stop - start, length)
        widths = rows[:, : WIDTH.itemsize].copy().view(WIDTH)[:, 0]
        other = np.flatnonzero(widths != width)
        if len(other):
            raise DataError(
                f"{self.stretch.label}: row {start + other[0]}: says that it has {widths[other[0]]} values, "
                f"and the first has {width}",
                why="a set of embeddings has rows of one width",
                fix="write it again",
            )
        values: Array = rows[:, WIDTH.itemsize :].copy().view(self.layout.dtype)
        return values if columns is None else values[:, list(columns)]


def open_vecs(stretch: Bytes, closing: contextlib.ExitStack, dialect: Dialect) -> Arrays:
    """The columns of an fvecs, ivecs or bvecs file. DataError where its size is no whole number of rows."""
    letter = stretch.label.lower().rpartition("vecs")[0][-1]
    dtype = TYPES[letter]
    width = int.from_bytes(stretch.pread(0, min(WIDTH.itemsize, stretch.size)), "little", signed=True)
    length = WIDTH.itemsize + width * dtype.itemsize
    if width < 1 or stretch.size % length:
        raise DataError(
            f"{stretch.label}: {stretch.size} bytes are no rows of {width} values of {dtype.itemsize} bytes",
            why=f"each row of {letter}vecs is an int32, its width, and the values",
            fix="copy it again, or name it as its type is: .fvecs float32, .ivecs int32, .bvecs bytes",
        )
    return of_array(Vecs(Layout(dtype, (stretch.size // length, width)), stretch), stretch.label)


def open_raw(stretch: Bytes, closing: contextlib.ExitStack, dialect: Dialect) -> Arrays:
    """Raw little-endian float32 of `dialect.dim` columns. DataError where it cannot be that."""
    label, width = stretch.label, dialect.dim
    assert width is not None
    if stretch.size % (width * RAW.itemsize):
        raise DataError(
            f"{label}: {stretch.size} bytes are no rows of {width} float32",
            why=f"--dim {width} says that a row has {width * RAW.itemsize} bytes",
            fix="give the width that it was written with, or skip what stands before the numbers",
        )
    array = Stored(Layout(RAW, (stretch.size // (width * RAW.itemsize), width)), stretch)
    sample = array.read(0, min(array.layout.rows, max(1, SAMPLE // width)))
    other = _other_type(sample.reshape(-1))
    if other:
        raise DataError(
            f"{label}: its first {sample.size} numbers, as float32, look like {other}",
            why="--dim is for little-endian float32, and any bytes can be read so",
            fix=f"np.save('x.npy', np.fromfile('{label}', 'f8').reshape(-1, {width})), with their type for f8",
        )
    return of_array(array, label)


def _other_type(values: Array) -> str:
    """What float32 numbers rather are, told by their bits; "" where nothing speaks against them."""
    with np.errstate(invalid="ignore"):  # signalling nan
        sizes = np.abs(values).astype(np.float64)
    largest = sizes[sizes < LARGEST].max(initial=0.0)
    odd = ~(sizes < LARGEST) | ((sizes < max(SMALLEST, largest * NARROWEST)) & (sizes > 0))
    if np.count_nonzero(odd) > MOST_ODD * odd.size:
        return f"another type: {np.count_nonzero(odd)} are no number, or far from the size of the others"
    words = values.view("<u4")
    if not (words[::2] & UNUSED).any() and len(np.unique(words[1::2])) > FEW:
        return "float64: every second one has a handful of values"
    low = np.abs((words << np.uint32(16)).view(RAW))
    if np.count_nonzero((low > 1e-6) & (low < 1e4)) > 0.9 * low.size:
        return "bfloat16, two in one"
    return ""
