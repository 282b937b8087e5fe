"""Columns of arrays: which array a column lives in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property, partial
from typing import Any, Protocol

import numpy as np

from ..text import shown
from .content import Array, Choice, Chunk
from .npy import Layout
from .values import categories, numbers


class ArrayRows(Protocol):
    """One array, (N,) or (N, k), of which any rows can be read, from any thread."""

    @property
    def layout(self) -> Layout: ...

    def read(self, start: int, stop: int, columns: tuple[int, ...] | None = None) -> Array:
        """Rows start..stop as stored, (n,) or (n, k); of a 2-D array, only `columns` when given."""


@dataclass(eq=False)
class Arrays:
    """One array, the fields of a structured one, or several arrays with a key each, as positions 0..width-1.

    names: fields or keys, () for a plain array;  unit: what one of them is called in messages
    keyed: each position is an array of its own
    allow_missing: a category that is nan becomes None instead of an error
    """

    label: str
    layouts: tuple[Layout, ...]
    fetch: tuple[Callable[[], ArrayRows], ...]
    names: tuple[str, ...] = ()
    unit: str = "column"
    keyed: bool = False
    allow_missing: bool = False
    _fetched: dict[int, ArrayRows] = field(default_factory=dict)

    @property
    def lazy(self) -> bool:
        return True

    @property
    def matrix(self) -> bool:
        return not self.keyed and len(self.layouts[0].shape) == 2

    @property
    def width(self) -> int:
        if self.names:
            return len(self.names)
        shape = self.layouts[0].shape
        return shape[1] if len(shape) == 2 else 1

    @cached_property
    def _everything(self) -> tuple[int, ...]:
        return tuple(range(self.width))

    @property
    def rows(self) -> int | None:
        counts = {layout.rows for layout in self.layouts}
        return counts.pop() if len(counts) == 1 else None

    def rows_of(self, column: int) -> int:
        """How many rows a column has; the keys of an NPZ may differ."""
        return self.layouts[column if self.keyed else 0].rows

    def columns_of(self, column: int) -> int | None:
        if not self.keyed:
            return None
        shape = self.layouts[column].shape
        return shape[1] if len(shape) == 2 else None

    def axes_of(self, column: int) -> tuple[int, ...]:
        """The shape of an array of more than two axes, which is read as (n, k); () for others."""
        return self.layouts[column if self.keyed else 0].axes

    def dtype(self, column: int) -> np.dtype[Any]:
        layout = self.layouts[column if self.keyed else 0]
        if layout.dtype.names and not self.keyed:
            return layout.dtype[self.names[column]]
        return layout.values_dtype

    def kind_of(self, column: int) -> str:
        return "text" if self.dtype(column).kind in "USO" else "number"

    def dtype_name(self, column: int) -> str:
        """As numpy writes it in native order: "float32", "<U3"."""
        dtype = self.dtype(column)
        if self.layouts[column if self.keyed else 0].bfloat16:
            return "bfloat16"
        return _name_of(dtype)

    def column_name(self, column: int) -> str:
        if not self.names:
            return f"column {column + 1}"
        return f"{self.unit} '{shown(self.names[column])}'"

    def where(self, row: int) -> str:
        return f"{self.label}: row {row}"

    def array(self, index: int) -> ArrayRows:
        """Fetched once; the first call of an NPZ key copies it out and checks its CRC."""
        if index not in self._fetched:
            self._fetched[index] = self.fetch[index]()
        return self._fetched[index]

    def walk(self, choices: Sequence[Choice], rows: int, start: int = 0) -> Iterator[Chunk]:
        """Only ranges are handed out; what was in memory may come as a view, so do not write into it."""
        for choice in choices:
            for column in choice.columns if self.keyed else (0,):
                self.array(column)
        length = self.rows_of(choices[0].columns[0])
        settled = tuple(
            choice._replace(columns=self._everything) if choice.columns == self._everything else choice
            for choice in choices
        )
        for begin in range(start, length, rows):
            end = min(begin + rows, length)
            yield Chunk(end - begin, partial(self._load, settled, begin, end))

    def _load(self, choices: Sequence[Choice], start: int, stop: int) -> tuple[Array, ...]:
        return tuple(self._convert(choice, start, stop) for choice in choices)

    def _convert(self, choice: Choice, start: int, stop: int) -> Array:
        stored = self.read(choice.columns, choice.inner, start, stop)
        convert = numbers if choice.kind == "number" else categories

        def place(at: int) -> Callable[[int, int], str]:
            return lambda row, column: f"{self.where(start + row)}: {self._cell_name(choice, max(at, column))}"

        parts = [convert(part, place(at), self.allow_missing) for at, part in enumerate(stored)]
        if len(parts) == 1:
            part = parts[0]
            return part if part.ndim == choice.ndim else part.reshape((-1,) if choice.ndim == 1 else (-1, 1))
        if choice.kind == "category" and any(part.dtype.kind == "U" for part in parts):
            parts = [part.astype(object) for part in parts]
        return np.stack(parts, axis=1)

    def _cell_name(self, choice: Choice, column: int) -> str:
        if self.columns_of(choice.columns[0]) is None:
            return self.column_name(choice.columns[column])
        inside = column if choice.inner is None else choice.inner[column]
        return f"{self.column_name(choice.columns[0])} column {inside + 1}"

    def read(
        self, columns: tuple[int, ...], inner: tuple[int, ...] | None, start: int, stop: int
    ) -> list[np.ndarray[Any, Any]]:
        """Rows start..stop as stored: one array (n, k), or one (n,) a column."""
        if self.keyed:
            return [self.array(column).read(start, stop, inner) for column in columns]
        array = self.array(0)
        if array.layout.dtype.names:
            records = array.read(start, stop)
            return [records[self.names[column]] for column in columns]
        if len(array.layout.shape) == 1:
            return [array.read(start, stop)]
        is_all = columns is self._everything or columns == self._everything  # wide ones take long to compare
        return [array.read(start, stop, None if is_all else columns)]


@cache
def _name_of(dtype: np.dtype[Any]) -> str:
    return dtype.newbyteorder("<").str if dtype.kind in "US" else dtype.newbyteorder("=").name


def of_array(array: ArrayRows, label: str, allow_missing: bool = False) -> Arrays:
    """A plain or a structured array."""
    names = array.layout.dtype.names
    unit = "field" if names else "column"
    return Arrays(label, (array.layout,), (lambda: array,), tuple(names or ()), unit, allow_missing=allow_missing)


def of_keys(
    label: str,
    arrays: Mapping[str, tuple[Layout, Callable[[], ArrayRows]]],
    allow_missing: bool = False,
    unit: str = "key",
) -> Arrays:
    """Arrays with a key each: its layout, and what fetches it."""
    layouts, fetch = zip(*arrays.values(), strict=True)
    return Arrays(label, layouts, fetch, tuple(arrays), unit, True, allow_missing)
