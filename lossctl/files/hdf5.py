"""HDF5, by h5py: its datasets by path, read in ranges of rows."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from ..errors import DataError, FileError
from ..text import shown
from .arrays import Arrays, of_array, of_keys
from .content import Array
from .dialect import Dialect
from .npy import Layout, axes_unread, check_dtype, check_shape
from .opening import Bytes

MOST_DATASETS = 10_000


@dataclass(frozen=True)
class Dataset:
    """One dataset of an open file. The library takes one thread at a time."""

    layout: Layout
    label: str
    values: Any
    lock: threading.Lock = field(default_factory=threading.Lock)

    def read(self, start: int, stop: int, columns: tuple[int, ...] | None = None) -> Array:
        """Rows start..stop as stored, (n,) or (n, k)."""
        with self.lock, _faults(self.label):
            part: Array = self.values[start:stop]
        return part if columns is None else part[:, list(columns)]


def open_hdf5(stretch: Bytes, closing: contextlib.ExitStack, dialect: Dialect) -> Arrays:
    """The datasets of an HDF5 file, "group/name" each. Links to other files are not followed. DataError."""
    import h5py

    label = stretch.label
    with _faults(label):
        file = closing.enter_context(h5py.File(stretch.reader(), "r"))
        datasets: dict[Any, Any] = {}
        file.visititems(lambda name, item: datasets.update({name: item}) if isinstance(item, h5py.Dataset) else None)
    nameless = next((name for name in datasets if not isinstance(name, str)), None)
    if nameless is not None:
        raise DataError(
            f"{label}: {shown(ascii(nameless))} names a dataset, and is not UTF-8",
            fix="write it again with names that are text",
        )
    if not datasets:
        raise DataError(f"{label}: no datasets in it", fix="check the command that wrote it")
    if len(datasets) > MOST_DATASETS:
        raise DataError(f"{label}: {len(datasets)} datasets", why=f"more than {MOST_DATASETS}", fix="save fewer")
    lock = threading.Lock()
    arrays = {name: _dataset(item, f"{label}: key '{shown(name)}'", lock) for name, item in datasets.items()}
    structured = [name for name, item in arrays.items() if item.layout.dtype.names]
    if structured and len(arrays) > 1:
        raise DataError(
            f"{label}: key '{shown(structured[0])}' is a structured array", fix="save each of its fields as a dataset"
        )
    if structured:
        return of_array(arrays[structured[0]], label, dialect.allow_missing)
    return of_keys(
        label, {name: (item.layout, partial(_same, item)) for name, item in arrays.items()}, dialect.allow_missing
    )


def _same(item: Dataset) -> Dataset:
    return item


def _dataset(dataset: Any, label: str, lock: threading.Lock) -> Dataset:
    import h5py

    with _faults(label):
        if dataset.is_virtual or dataset.external:
            raise DataError(f"{label}: keeps its values in other files", fix="copy them into one: h5repack")
        if dataset.shape is None:
            raise DataError(f"{label}: is empty", fix="check the command that wrote it")
        text = h5py.check_string_dtype(dataset.dtype)
        dtype = np.dtype(object) if text and text.length is None else dataset.dtype
        values = dataset.asstr() if text and text.length is None else dataset
        shape = tuple(int(length) for length in dataset.shape)
    if dtype.kind != "O":
        check_dtype(dtype, label)
    elif not text:
        raise DataError(f"{label}: holds objects or lists of unequal lengths", fix="choose another, or save numbers")
    check_shape(shape, dtype.names is not None, label)
    if len(shape) > 2:
        raise axes_unread(label, shape)
    return Dataset(Layout(dtype, shape), label, values, lock)


@contextlib.contextmanager
def _faults(place: str) -> Iterator[None]:
    """h5py raises some six types on damaged files; all mean the same here."""
    try:
        yield
    except (DataError, FileError):
        raise
    except Exception as fault:
        reason = shown(str(fault)) or type(fault).__name__
        raise DataError(f"{place}: broken HDF5: {reason}", fix="copy it again, or write it again") from fault
