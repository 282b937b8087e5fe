"""What an open file is to its readers, whatever its format: named columns, walked in blocks of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from ..text import shown
from .values import joined

Array = np.ndarray[Any, Any]


class Choice(NamedTuple):
    """Columns to read as "number" or "category", as (n,) or as (n, k).

    inner: of a column that has columns of its own, which; None for all
    """

    columns: tuple[int, ...]
    kind: str
    ndim: int
    inner: tuple[int, ...] | None = None


class Chunk(NamedTuple):
    """Some rows of every choice; `load` gives an array a choice, and may be called from any thread."""

    rows: int
    load: Callable[[], tuple[Array, ...]]


class Content(Protocol):
    """The columns of one file, or of one value in memory, at positions 0..width-1.

    label: what messages call it;  unit: what a column is called, "column", "field" or "key"
    names: one a column, or () where there are only positions
    rows: None where it is not known, or where columns differ
    matrix: the columns are those of one array (n, k)
    lazy: pieces are read by `load`, and cost nothing before
    """

    @property
    def label(self) -> str: ...
    @property
    def unit(self) -> str: ...
    @property
    def names(self) -> tuple[str, ...]: ...
    @property
    def width(self) -> int: ...
    @property
    def rows(self) -> int | None: ...
    @property
    def matrix(self) -> bool: ...
    @property
    def lazy(self) -> bool: ...

    def rows_of(self, column: int) -> int | None:
        """How many rows one column has, where that is known without reading it."""

    def columns_of(self, column: int) -> int | None:
        """How many columns a two-dimensional column has; None for one that is a column and no more."""

    def kind_of(self, column: int) -> str:
        """ "number", "text", or "unknown" where only reading tells."""

    def dtype_name(self, column: int) -> str:
        """The type of its values, for people: "float32", "text"."""

    def column_name(self, column: int) -> str:
        """What messages call it: "column 'p' (4)", "column 2", "key 'label'"."""

    def where(self, row: int) -> str:
        """Where a row stands, after a walk: "scores.csv:1043", "preds.npy: row 1042" (counted from 0)."""

    def walk(self, choices: Sequence[Choice], rows: int, start: int = 0) -> Iterator[Chunk]:
        """The choices in step, `rows` rows at a time (the last piece may be shorter). DataError for a bad cell.

        start: the row to begin at, where `rows` is known
        """


def numbered_name(name: str | None, column: int) -> str:
    """ "column 'p' (4)", or "column 4" where there are no names."""
    return f"column {column + 1}" if name is None else f"column '{shown(name)}' ({column + 1})"


def pieces(parts: Iterable[tuple[Array, ...]], rows: int) -> Iterator[Chunk]:
    """Arrays in step, of any lengths, cut to `rows` rows each."""
    pending: list[tuple[Array, ...]] = []
    waiting = 0
    for part in parts:
        if not len(part[0]):
            continue
        pending.append(part)
        waiting += len(part[0])
        if waiting < rows:
            continue
        block = _joined(pending)
        for start in range(0, waiting - rows + 1, rows):
            yield _held(tuple(array[start : start + rows] for array in block))
        rest = waiting % rows
        pending = [tuple(array[waiting - rest :] for array in block)] if rest else []
        waiting = rest
    if waiting:
        yield _held(_joined(pending))


def dropped(parts: Iterable[tuple[Array, ...]], count: int) -> Iterator[tuple[Array, ...]]:
    """Arrays in step without their first `count` rows."""
    for arrays in parts:
        left_out = min(count, len(arrays[0]))
        count -= left_out
        yield tuple(array[left_out:] for array in arrays)


def _held(arrays: tuple[Array, ...]) -> Chunk:
    return Chunk(len(arrays[0]), lambda: arrays)


def _joined(parts: Sequence[tuple[Array, ...]]) -> tuple[Array, ...]:
    return parts[0] if len(parts) == 1 else tuple(map(joined, zip(*parts, strict=True)))
