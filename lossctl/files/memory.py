"""Values in memory as frames: arrays, tensors, tables and dicts of them, whatever library they come from.

No library is imported for it: a value is known by what it can do.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any, NamedTuple

import numpy as np

from ..errors import DataError
from ..text import shown
from .arrays import ArrayRows, Arrays, of_array, of_keys
from .content import Array
from .frames import Frame
from .npy import BFLOAT16_AS_VOID, BFLOAT16_BITS, Layout, check_dtype, check_shape, flattened, widened
from .values import EXACT, is_missing

PLAIN = (str, int, float, np.number, np.bool_)


class Held(NamedTuple):
    """An array in memory, seen like one in a file."""

    layout: Layout
    values: Array

    def read(self, start: int, stop: int, columns: tuple[int, ...] | None = None) -> Array:
        """Rows start..stop, (n,) or (n, k); may be a view."""
        part = self.values[start:stop]
        return part if columns is None else part[:, list(columns)]


def frame_of(value: object, name: str, allow_missing: bool = False) -> Frame:
    """A frame over an array, a table with named columns, or a dict of arrays; the rules are those for files. DataError.

    Tables are known by their columns (pandas, polars, pyarrow), tensors by `detach` (torch), other arrays by
    __array__ or DLPack.
    """
    columns = columns_of(value)
    if columns is None:
        content = of_array(hold(value, name), name, allow_missing)
    elif not columns:
        raise DataError(f"{name}: no arrays in it", fix="give at least one")
    else:
        unit = "key" if isinstance(value, Mapping) else "column"
        content = _of_columns(columns, name, unit, allow_missing)
    return Frame(name, "memory", content, contextlib.ExitStack())


def _of_columns(columns: Mapping[str, object], name: str, unit: str, allow_missing: bool) -> Arrays:
    held: dict[str, tuple[Layout, Any]] = {}
    for key, column in columns.items():
        array: ArrayRows = hold(column, f"{name}: {unit} '{shown(key)}'", objects=unit == "column")
        held[key] = (array.layout, lambda array=array: array)
    return of_keys(name, held, allow_missing, unit)


def columns_of(value: object) -> dict[str, object] | None:
    """The columns of a table or a dict by name; None for what has none."""
    table: Any = value
    if is_plain(table):
        return None
    if hasattr(table, "collect_schema") and hasattr(table, "collect"):
        raise DataError(
            f"a {type(value).__name__} holds no values yet",
            why="it is a query",
            fix="give what it collects: x.collect()",
        )
    if isinstance(value, Mapping):
        return {str(key): column for key, column in value.items()}
    if hasattr(table, "column_names") and hasattr(table, "column"):  # pyarrow
        return {str(name): table.column(position) for position, name in enumerate(table.column_names)}
    if hasattr(table, "columns") and hasattr(table, "__getitem__") and not hasattr(table, "detach"):
        names = list(table.columns)
        pick = table.iloc.__getitem__ if hasattr(table, "iloc") else None
        columns = [pick((slice(None), at)) if pick else table[name] for at, name in enumerate(names)]
        texts = [str(name) for name in names]
        if len(set(texts)) < len(texts):
            twice = next(text for text in texts if texts.count(text) > 1)
            raise DataError(f"two columns are called '{shown(twice)}'", fix="rename one")
        return dict(zip(texts, columns, strict=True))
    return None


OF_OBJECTS: dict[type, str] = {
    dict: "give the values of one key, [row['KEY'] for row in x]",
    list: "give one array, np.concatenate(x), where each value is a row; lists that are rows have one length",
}


def hold(value: object, label: str, *, objects: bool = False) -> Held:
    """One array in memory, under the same rules as a file. DataError.

    objects: Python objects that are texts, numbers or missing are taken, and judged where they are read
    """
    array = as_array(value, label)
    if array.dtype == object and array.ndim == 0:
        raise DataError(
            f"{label}: an input of type {type(array[()]).__name__} is no array",
            fix="give x.toarray() of a sparse matrix, list(x) of a generator",
        )
    if array.dtype == object and array.ndim == 1 and array.size:
        fault = next((item for item in array.tolist() if not (isinstance(item, PLAIN) or is_missing(item))), None)
        if fault is not None and not objects:
            raise DataError(
                f"{label}: holds {type(fault).__name__} objects, not numbers or text",
                fix=OF_OBJECTS.get(type(fault), "give an array of numbers, np.array(x, dtype=float), or of text"),
            )
    else:
        check_dtype(array.dtype, label)
    check_shape(array.shape, array.dtype.names is not None, label)
    flat, axes = flattened(array.shape)
    return Held(Layout(array.dtype, flat, axes=axes), array.reshape(flat))


def is_plain(value: object) -> bool:
    """Whether it is an array of numpy's own numbers, which is taken as it is."""
    return type(value) is np.ndarray and value.dtype.isbuiltin == 1 and value.dtype.kind in "biuf"


def as_array(value: Any, label: str) -> Array:
    """A numpy array of the same values: on the CPU, without gradient, bfloat16 as float32, masked as nan. DataError."""
    if is_plain(value):
        return np.asarray(value)
    if hasattr(value, "detach") and hasattr(value, "cpu"):
        value = value.detach().cpu()
        value = value.float() if str(value.dtype) == "torch.bfloat16" else value
    if hasattr(value, "__cuda_array_interface__"):  # cupy and numba do not copy to the host unless told to
        copy = getattr(value, "get", None) or getattr(value, "copy_to_host", None)
        value = value if copy is None else copy()
    if isinstance(value, np.ma.MaskedArray):
        value = np.ma.filled(value.astype(float), np.nan) if np.ma.getmaskarray(value).any() else value.data
    try:
        array = _to_numpy(value)
    except (ValueError, TypeError, RuntimeError, BufferError) as fault:
        if isinstance(value, list | tuple) and all(map(_is_list, value)):
            return of_lists(value)
        raise DataError(
            f"{label}: {shown(str(fault))}", why="it cannot be made a numpy array", fix="give one array"
        ) from fault
    if array.dtype.kind == "M":
        array = array.astype("M8[us]").astype(object)
    if array.dtype.isbuiltin != 1 and array.dtype.name == "bfloat16":
        array = array.astype(np.float32)
    if array.dtype == BFLOAT16_AS_VOID:
        array = widened(np.ascontiguousarray(array).view(BFLOAT16_BITS))
    return _settled(array) if array.dtype == object and array.size else array


def _to_numpy(value: Any) -> Array:
    if isinstance(value, np.ndarray):
        return value
    if hasattr(value, "__array__") or not hasattr(value, "__dlpack__"):
        return np.asarray(value)
    return np.from_dlpack(value)


def _settled(objects: Array) -> Array:
    """Objects that are all text, or all numbers or missing, as numpy has them; others as they are."""
    items = objects.ravel().tolist()
    if any(hasattr(item, "isoformat") for item in items):
        items = [_written(item) for item in items]
        objects = of_lists(items).reshape(objects.shape)
    if all(isinstance(item, str) for item in items):
        return np.array(items).reshape(objects.shape)
    if objects.ndim == 1 and all(_is_list(item) for item in items) and len({len(item) for item in items}) == 1:
        return _settled(np.array([list(item) for item in items]))
    numeric = [np.nan if is_missing(item) else item for item in items]
    if all(_is_exact(item) for item in numeric):
        return np.array(numeric, np.float64).reshape(objects.shape)
    return objects


def _written(item: Any) -> Any:
    """A date or a point in time as text, as one of a Parquet file; anything else as it is."""
    if is_missing(item) or not hasattr(item, "isoformat"):
        return item
    zone = getattr(item, "tzinfo", None)
    plain = item if zone is None else item.astimezone(UTC).replace(tzinfo=None)
    return str(plain).removesuffix(" 00:00:00") + "Z" * (zone is not None)


def of_lists(lists: Sequence[Any]) -> Array:
    """Lists of any lengths as objects, (n,)."""
    array = np.empty(len(lists), dtype=object)
    array[:] = lists
    return array


def _is_list(item: Any) -> bool:
    return hasattr(item, "__len__") and hasattr(item, "__getitem__") and not isinstance(item, str | bytes | Mapping)


def _is_exact(item: object) -> bool:
    return isinstance(item, PLAIN[1:]) and (not isinstance(item, int | np.integer) or abs(int(item)) <= EXACT)
