"""NPY: what a file holds, checked before anything is allocated, and its rows by pread.

The header goes through numpy's own routines, but only after its length is known, and what it declares is compared
with the size of the file in Python integers. Nothing is ever unpickled.
"""

from __future__ import annotations

import contextlib
import io
import math
import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import DataError
from ..text import shown
from .dialect import Dialect
from .opening import NPY, Bytes

if TYPE_CHECKING:
    from .arrays import Arrays

LONGEST_HEADER = 10_000
HEAD = LONGEST_HEADER + 12  # magic, version and the length field come first
MOST_TEXT_BYTES = 1024
BFLOAT16_AS_VOID = np.dtype("V2")  # what numpy writes for the bfloat16 of ml_dtypes
BFLOAT16_BITS = np.dtype("<u2")
AS_NUMBERS = "save it again as plain numbers: np.save(path, np.asarray(x, dtype=float))"


class Layout(NamedTuple):
    """What a header declares: (N,) or (N, k) items of one dtype, after `header` bytes.

    bfloat16: the items, of two bytes each, are the upper halves of float32
    axes: of an array of more axes, which is seen as (N, k); () for others
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    fortran: bool = False
    header: int = 0
    bfloat16: bool = False
    axes: tuple[int, ...] = ()

    @property
    def values_dtype(self) -> np.dtype[Any]:
        """What `read` gives."""
        return np.dtype(np.float32) if self.bfloat16 else self.dtype

    @property
    def rows(self) -> int:
        return self.shape[0]


# --- the header


def read_layout(head: bytes, size: int, label: str) -> Layout:
    """The layout of an NPY file of `size` bytes that begins with `head` (its first HEAD bytes, or all of it).

    DataError for a broken header, a dtype off the list, not 1 or 2 axes, no columns, or a size that does not fit.
    """
    dtype, shape, fortran, header = _declared(head, label)
    bfloat16 = dtype == BFLOAT16_AS_VOID
    dtype = BFLOAT16_BITS if bfloat16 else dtype
    check_dtype(dtype, label)
    check_shape(shape, dtype.names is not None, label)
    check_size(math.prod(shape) * dtype.itemsize, size - header, label)
    if len(shape) > 2 and fortran:
        raise DataError(
            f"{label}: an array of {len(shape)} axes in Fortran order", fix="np.save(path, np.ascontiguousarray(x))"
        )
    flat, axes = flattened(shape)
    return Layout(dtype, flat, fortran and len(shape) == 2, header, bfloat16, axes)


def _declared(head: bytes, label: str) -> tuple[np.dtype[Any], tuple[int, ...], bool, int]:
    from numpy.lib import format as numpy_format

    version = head[6:8]
    if not head.startswith(NPY) or version not in (b"\x01\x00", b"\x02\x00", b"\x03\x00"):
        raise _broken(label, "not NPY version 1, 2 or 3")
    prefix = 10 if version == b"\x01\x00" else 12
    length = int.from_bytes(head[8:prefix], "little")
    if len(head) < prefix or length > LONGEST_HEADER:
        raise _broken(label, f"its header is longer than {LONGEST_HEADER} bytes" if length else "it ends too soon")
    if len(head) < prefix + length:
        raise _broken(label, "truncated inside the header")
    text = io.BytesIO(head[8 : prefix + length])
    read = numpy_format.read_array_header_1_0 if prefix == 10 else numpy_format.read_array_header_2_0
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            shape, fortran, dtype = read(text, max_header_size=LONGEST_HEADER)
            if version == b"\x03\x00" and dtype.names:
                dtype = _renamed(dtype)
    except Exception as fault:  # ValueError, TypeError, SyntaxError, RecursionError, MemoryError, tokenize errors ...
        raise _broken(label, shown(str(fault))) from fault
    return dtype, tuple(int(length) for length in shape), bool(fortran), prefix + length


def _renamed(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Version 3 differs from 2 by UTF-8 names only, and numpy has a public reader for 2, which took them as Latin-1."""
    names = [name.encode("latin-1").decode("utf-8") for name in dtype.names or ()]
    copy = np.dtype(dtype)
    copy.names = tuple(names)
    return copy


def _broken(label: str, reason: str) -> DataError:
    return DataError(f"{label}: not a valid NPY file: {reason}", fix="write it again with np.save")


def check_size(declared: int, present: int, label: str) -> None:
    if present < declared:
        raise DataError(
            f"{label}: truncated: the header declares {declared} bytes of values, the file has {present}",
            fix="copy or write it again",
        )
    if present > declared:
        raise DataError(
            f"{label}: {present - declared} trailing bytes after the {declared} that the header declares",
            why="they could be a second array, or the end of an older file",
            fix="write it again with np.save, one array a file",
        )


def check_dtype(dtype: np.dtype[Any], label: str) -> None:
    """DataError unless it is float16-64, an integer, bool or text, or a structure of those."""
    if dtype.names is None:
        _check_scalar(dtype, label)
        return
    if not dtype.names:
        raise DataError(f"{label}: a structured array without fields", fix=AS_NUMBERS)
    for name in dtype.names:
        _check_scalar(dtype[name], f"{label}: field '{shown(name)}'")


def _check_scalar(dtype: np.dtype[Any], label: str) -> None:
    allowed = {"f": (2, 4, 8), "i": (1, 2, 4, 8), "u": (1, 2, 4, 8), "b": (1,)}
    if dtype.kind == "O" or dtype.hasobject:
        raise DataError(
            f"{label}: holds Python objects",
            why="reading them could run code, so what they are is not known here",
            fix="numbers or lists: np.save(path, np.array(x.tolist())); text: np.save(path, x.astype(str)); "
            "a dict: np.savez(path, **x)",
        )
    if dtype.kind in "US" and dtype.subdtype is None:
        if 0 < dtype.itemsize <= MOST_TEXT_BYTES:
            return
        raise DataError(
            f"{label}: text of {dtype.itemsize} bytes an item",
            why=f"labels have 1 to {MOST_TEXT_BYTES} bytes",
            fix="save short ones that differ as these do, such as their numbers: "
            "np.save(path, np.unique(labels, return_inverse=True)[1])",
        )
    if dtype.subdtype is not None or dtype.itemsize not in allowed.get(dtype.kind, ()):
        raise DataError(
            f"{label}: cannot use dtype {shown(str(dtype))}",
            why="only float16, float32, float64, integers, bool and text labels have one reading",
            fix=AS_NUMBERS,
        )


def check_shape(shape: tuple[int, ...], structured: bool, label: str) -> None:
    """DataError unless it is (N,), or (N, k ...) with no axis of length 0; structured arrays are (N,)."""
    if len(shape) == 1 and shape[0] >= 0:
        return
    if structured and len(shape) > 1:
        raise DataError(f"{label}: a structured array of shape {shape}", fix="save it flat: np.save(path, x.ravel())")
    if len(shape) >= 2 and shape[0] >= 0 and min(shape[1:]) > 0:
        return
    if not shape:
        raise DataError(f"{label}: a single value (shape ())", fix="save one row a value: np.save(path, x.reshape(1))")
    raise axes_unread(label, shape)


def axes_unread(label: str, shape: tuple[int, ...]) -> DataError:
    """The error of an array whose axes have no reading here."""
    return DataError(
        f"{label}: shape {shown(str(shape))}",
        why="values come as (N,) or as (N, k), one row an example",
        fix="save it with two axes: np.save(path, x.reshape(len(x), -1)) if all but the first are columns, "
        "np.save(path, x.reshape(-1, x.shape[-1])) if the last alone is",
    )


def flattened(shape: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """(N, k) of any shape, and its axes where there are more than two."""
    return (shape, ()) if len(shape) <= 2 else ((shape[0], math.prod(shape[1:])), shape)


# --- the values

WIDE = 1 << 14  # bytes of a row from which a few of its columns are read alone


class Stored(NamedTuple):
    """An array that stays in its file; `read` is safe from several threads."""

    layout: Layout
    stretch: Bytes

    def read(self, start: int, stop: int, columns: tuple[int, ...] | None = None) -> np.ndarray[Any, Any]:
        """Rows start..stop as stored, (n,) or (n, k); of a 2-D array, only `columns` when given."""
        layout = self.layout
        shape = (stop - start, *layout.shape[1:])
        if layout.fortran:
            return self._read_columns(start, stop, columns)
        rowbytes = math.prod(shape[1:]) * layout.dtype.itemsize
        if columns and rowbytes > WIDE and columns[-1] - columns[0] == len(columns) - 1 < shape[1] // 4:
            return self._read_strip(start, stop, columns[0], len(columns))
        content = self.stretch.pread(layout.header + start * rowbytes, (stop - start) * rowbytes)
        values = np.frombuffer(content, dtype=layout.dtype).reshape(shape)
        if layout.bfloat16:
            values = widened(values)
        return values if columns is None else values[:, list(columns)]

    def _read_strip(self, start: int, stop: int, column: int, count: int) -> np.ndarray[Any, Any]:
        """Neighbouring columns of wide rows, one stretch a row."""
        layout = self.layout
        size = layout.dtype.itemsize
        stretches = (
            self.stretch.pread(layout.header + (row * layout.shape[1] + column) * size, count * size)
            for row in range(start, stop)
        )
        values = np.frombuffer(b"".join(stretches), dtype=layout.dtype).reshape(stop - start, count)
        return widened(values) if layout.bfloat16 else values

    def _read_columns(self, start: int, stop: int, columns: tuple[int, ...] | None) -> np.ndarray[Any, Any]:
        layout = self.layout
        chosen = tuple(range(layout.shape[1])) if columns is None else columns
        values = np.empty((stop - start, len(chosen)), dtype=layout.dtype, order="F")
        for place, column in enumerate(chosen):
            position = layout.header + (column * layout.rows + start) * layout.dtype.itemsize
            content = self.stretch.pread(position, (stop - start) * layout.dtype.itemsize)
            values[:, place] = np.frombuffer(content, dtype=layout.dtype)
        return widened(values) if layout.bfloat16 else values


def widened(bits: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The float32 whose upper halves these uint16 are; exact."""
    upper: np.ndarray[Any, Any] = np.left_shift(bits, 16, dtype=np.uint32)
    return upper.view(np.float32)


def open_array(stretch: Bytes, closing: contextlib.ExitStack, dialect: Dialect) -> Arrays:
    """The columns of an NPY file. DataError."""
    from .arrays import of_array

    return of_array(open_npy(stretch), stretch.label, dialect.allow_missing)


def open_npy(stretch: Bytes) -> Stored:
    """An NPY file's array, checked, not yet read. DataError."""
    head = stretch.pread(0, min(HEAD, stretch.size))
    return Stored(read_layout(head, stretch.size, stretch.label), stretch)
