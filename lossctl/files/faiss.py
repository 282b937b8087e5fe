"""Indexes of faiss that hold the vectors themselves: flat ones, and the flat ones inside of HNSW and of IDMap.

Nothing is computed from codes: an index that holds a rounded form of its vectors is refused. The layout is that of
faiss/impl/index_write.cpp.
"""

from __future__ import annotations

import contextlib
import struct
from functools import partial

import numpy as np

from ..errors import DataError
from ..text import shown
from .arrays import Arrays, of_array, of_keys
from .dialect import Dialect
from .npy import Layout, Stored
from .opening import Bytes

FLAT, WITH_IDS, HNSW = (b"IxF2", b"IxFI", b"IxFl"), (b"IxMp", b"IxM2"), (b"IHNf",)
HEADER = struct.Struct("<4si3qBi")  # the kind, the width, the rows, two numbers without a meaning, trained, the metric
HNSW_SIZES = (8, 4, 4, 8, 4)  # of what its lists hold
HNSW_NUMBERS = (20, 16)  # bytes of what follows them, of older and of newer versions
COUNT = 8
METRIC_HAS_ARGUMENT = 2  # from this metric on


def open_faiss(stretch: Bytes, closing: contextlib.ExitStack, dialect: Dialect) -> Arrays:
    """The vectors of an index, and its ids where it has some. DataError for an index of codes, or a broken one."""
    kind, layout, at = _header(stretch, 0)
    if kind in WITH_IDS:
        vectors, at = _flat(stretch, at)
        count = _count(stretch, at)
        ids = Stored(Layout(np.dtype("<i8"), (count,), header=at + COUNT), stretch)
        _check_end(stretch, at + COUNT + 8 * count, count == layout[0])
        columns = {"id": ids, "emb": vectors}
        return of_keys(stretch.label, {name: (item.layout, partial(_same, item)) for name, item in columns.items()})
    vectors, at = _flat(stretch, _after_graph(stretch, at) if kind in HNSW else 0)
    _check_end(stretch, at, vectors.layout.shape == layout)
    return of_array(vectors, stretch.label)


def _same(item: Stored) -> Stored:
    return item


def _header(stretch: Bytes, at: int) -> tuple[bytes, tuple[int, int], int]:
    """The kind of the index at a position, its rows and columns, and where its header ends."""
    kind, width, rows, _, _, _, metric = HEADER.unpack(_bytes(stretch, at, HEADER.size))
    if width < 1 or rows < 0:
        raise _broken(stretch)
    return kind, (rows, width), at + HEADER.size + 4 * (metric >= METRIC_HAS_ARGUMENT)


def _flat(stretch: Bytes, at: int) -> tuple[Stored, int]:
    kind, (rows, width), at = _header(stretch, at)
    if kind not in FLAT:
        mapped = "index.make_direct_map(); " if kind.startswith(b"Iw") else ""
        raise DataError(
            f"{stretch.label}: a faiss index of kind {shown(kind.decode('latin-1'))}, which has no flat vectors",
            why="its codes are a rounded form of the vectors, or stand in lists of their own",
            fix=f"import faiss; index = faiss.read_index('{stretch.label}'); {mapped}"
            "np.save('x.npy', index.reconstruct_n(0, index.ntotal))",
        )
    if _count(stretch, at) != rows * width:
        raise _broken(stretch)
    end = at + COUNT + 4 * rows * width
    if end > stretch.size:
        raise _broken(stretch)
    return Stored(Layout(np.dtype("<f4"), (rows, width), header=at + COUNT), stretch), end


def _after_graph(stretch: Bytes, at: int) -> int:
    """Where the index inside of an HNSW begins."""
    for size in HNSW_SIZES:
        at += COUNT + size * _count(stretch, at)
    fitting = [at + skip for skip in HNSW_NUMBERS if _bytes(stretch, at + skip, 4) in FLAT]
    return fitting[0] if fitting else at + HNSW_NUMBERS[0]


def _count(stretch: Bytes, at: int) -> int:
    count = int.from_bytes(_bytes(stretch, at, COUNT), "little")
    if count > stretch.size:
        raise _broken(stretch)
    return count


def _bytes(stretch: Bytes, at: int, length: int) -> bytes:
    if at + length > stretch.size:
        raise _broken(stretch)
    return stretch.pread(at, length)


def _check_end(stretch: Bytes, end: int, fits: bool) -> None:
    if end != stretch.size or not fits:
        raise _broken(stretch)


def _broken(stretch: Bytes) -> DataError:
    return DataError(f"{stretch.label}: a faiss index that ends early, or is broken", fix="write it again")
