"""Columns that come in batches of rows, from the first to the last, and are converted as they come."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import DataError
from .content import Array, Choice, Chunk, numbered_name, pieces
from .values import categories, numbers, settled, stacked

MOST_BATCH_ROWS = 1 << 16


@dataclass(frozen=True)
class ColumnType:
    """name: in the file;  type: as people read it;  kind: "number", "text" or "unknown";  lists: its cells are lists"""

    name: str
    type: str
    kind: str
    lists: bool = False


@dataclass(frozen=True)
class Batch:
    """Rows start.. of some columns, as stored: position -> (n,) or (n, k); Python objects where values are missing."""

    start: int
    rows: int
    arrays: dict[int, Array]


@dataclass(eq=False)
class Stream:
    """A file whose columns are read in batches.

    batches: the columns at some positions, at most how many rows at a time, from which row on -> batches
    place: how messages say where a row stands;  list_width: of a column of lists, how many each has
    rows: where the file says it, else None until a walk has come to the end
    """

    label: str
    columns: tuple[ColumnType, ...]
    batches: Callable[[Sequence[int], int, int], Iterator[Batch]]
    place: Callable[[int], str]
    list_width: Callable[[int], int]
    rows: int | None = None
    allow_missing: bool = False
    unit: str = "column"
    matrix: bool = False
    lazy: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def width(self) -> int:
        return len(self.columns)

    def rows_of(self, column: int) -> int | None:
        return self.rows

    def columns_of(self, column: int) -> int | None:
        return self.list_width(column) if self.columns[column].lists else None

    def kind_of(self, column: int) -> str:
        return self.columns[column].kind

    def dtype_name(self, column: int) -> str:
        return self.columns[column].type

    def column_name(self, column: int) -> str:
        return numbered_name(self.columns[column].name, column)

    def where(self, row: int) -> str:
        return self.place(row)

    def walk(self, choices: Sequence[Choice], rows: int, start: int = 0) -> Iterator[Chunk]:
        return pieces(self._arrays(choices, min(rows, MOST_BATCH_ROWS), start), rows)

    def _arrays(self, choices: Sequence[Choice], rows: int, start: int) -> Iterator[tuple[Array, ...]]:
        columns = sorted({column for choice in choices for column in choice.columns})
        count = start
        for batch in self.batches(columns, rows, start):
            count = batch.start + batch.rows
            yield tuple(self._chosen(choice, batch) for choice in choices)
        if self.rows not in (None, count):
            raise DataError(f"{self.label}: has {count} rows, and says that it has {self.rows}", fix="copy it again")
        self.rows = count

    def _chosen(self, choice: Choice, batch: Batch) -> Array:
        parts = [self._converted(column, choice, batch) for column in choice.columns]
        if len(parts) == 1:
            part = parts[0]
            return part if part.ndim == choice.ndim else part.reshape((-1,) if choice.ndim == 1 else (-1, 1))
        return np.stack(parts, axis=1) if choice.kind == "number" else settled(stacked(parts))

    def _converted(self, column: int, choice: Choice, batch: Batch) -> Array:
        stored = batch.arrays[column]
        if stored.ndim == 2 and choice.inner is not None:
            stored = stored[:, list(choice.inner)]

        def place(row: int, within: int) -> str:
            inside = within if choice.inner is None else choice.inner[within]
            nested = f" column {inside + 1}" if stored.ndim == 2 else ""
            return f"{self.place(batch.start + row)}: {self.column_name(column)}{nested}"

        return (numbers if choice.kind == "number" else categories)(stored, place, self.allow_missing)


def even_lists(lists: Sequence[object], width: int, place: Callable[[int], str]) -> Array:
    """Lists of `width` values each as (n, width) Python objects. DataError for one of another length, or for none."""
    table = np.empty((len(lists), width), object)
    for row, cell in enumerate(lists):
        if not isinstance(cell, list | tuple) or len(cell) != width:
            have = (
                f"a list of {len(cell)}"
                if isinstance(cell, list | tuple)
                else "no list"
                if cell is not None
                else "null"
            )
            raise DataError(
                f"{place(row)}: {have}, where the first row has a list of {width}",
                why="a column of lists is read as a matrix",
                fix="make them of one length",
            )
        table[row] = cell
    return table
