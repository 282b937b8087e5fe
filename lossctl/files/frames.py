"""Frames: an open file, or an array in memory, as columns that can be selected. Fields: the columns that were."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import UsageError
from .content import Content
from .opening import label_of
from .room import refuse_beyond
from .selectors import Names, listed, positions

COLUMN_BYTES = 100  # what a column takes that is selected, and its numbers of one row while it is computed

if TYPE_CHECKING:
    from types import TracebackType


class Field(NamedTuple):
    """A column, or a block of columns, of one frame.

    columns: 0-based positions within the frame;  ndim: 1 for arrays (n,), 2 for (n, width)
    kind: "number", "text", or "unknown" (CSV);  inner: which columns of a column that has columns, None for all
    flat: an array of more axes is meant to be read as (n, k);  said: what was decided about it, for a note
    is_guess: what was decided may be wrong
    """

    frame: Frame
    name: str
    columns: tuple[int, ...]
    ndim: int
    kind: str
    inner: tuple[int, ...] | None = None
    flat: bool = False
    said: str = ""
    is_guess: bool = False

    @property
    def axes(self) -> tuple[int, ...]:
        """The shape of an array of more than two axes; () for others."""
        content: Any = self.frame.content
        return content.axes_of(self.columns[0]) if hasattr(content, "axes_of") else ()

    @property
    def width(self) -> int:
        """How many columns its arrays have."""
        if self.inner is not None:
            return len(self.inner)
        return self.frame.content.columns_of(self.columns[0]) or len(self.columns)


class Frame:
    """An open file (or an array in memory) seen as columns. A context manager; compared by identity.

    format: its name in FORMATS, or "memory";  names: header, fields or keys, () when there are only positions
    width: how many of them can be selected;  lazy: its blocks cost nothing to hand out, and are read on loading
    """

    def __init__(self, path: str, format: str, content: Content, closing: contextlib.ExitStack) -> None:
        self.path = path
        self.format = format
        self.content = content
        self.names = content.names
        self.width = content.width
        self.lazy = content.lazy
        self._closing = closing

    @property
    def rows(self) -> int | None:
        """None where only reading tells (CSV), and for an NPZ whose keys differ."""
        return self.content.rows

    def select(self, selector: str) -> Field:
        """The columns a selector means. UsageError."""
        key, inner = self._split_key(selector)
        columns, is_block = positions(key, self._among())
        if inner is not None:
            return self._inside(columns[0], inner)
        return self.block(columns) if is_block else self.field(columns[0])

    def field(self, position: int) -> Field:
        """The 0-based column, field or key. UsageError."""
        if not 0 <= position < self.width:
            raise UsageError(f"{label_of(self.path)}: no {self.content.unit} {position + 1}: it has {self.width}")
        ndim = 1 if self.content.columns_of(position) is None else 2
        return Field(self, self.content.column_name(position), (position,), ndim, self.content.kind_of(position))

    def all_columns(self) -> Field:
        """All of a plain array or a CSV, or the only key or field there is. UsageError otherwise."""
        content = self.content
        if self.width == 1 and not content.matrix:
            return self.field(0)
        if content.unit == "column":
            if self.format != "memory":
                refuse_beyond(
                    COLUMN_BYTES * self.width,
                    f"{label_of(self.path)}: a row of {self.width:,} columns",
                    "a row is computed as one",
                    "save fewer columns a row, name those that are wanted, or run where there is more memory",
                )
            name = f"{content.unit}s 1..{self.width}" if self.width > 1 else ""
            return self.block(tuple(range(self.width)), name)
        raise UsageError(
            f"{label_of(self.path)}: has {self.width} {content.unit}s", fix=f"choose one of {listed(self.names)}"
        )

    def where(self, row: int) -> str:
        """Where a row stands: "scores.csv:1043", or "preds.npy: row 1042" (counted from 0)."""
        return self.content.where(row)

    def dtype_of(self, field: Field) -> str:
        """ "float32", "<U3", ... ; "text" for CSV; several, joined by commas, where the columns differ."""
        return ", ".join(dict.fromkeys(self.content.dtype_name(column) for column in self.unlike(field.columns)))

    def close(self) -> None:
        """Close the file and remove temporary copies."""
        self._closing.close()

    def __enter__(self) -> Frame:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.__exit__(kind, fault, trace)

    def _among(self) -> Names:
        return Names(self.names, self.width, label_of(self.path), self.content.unit)

    def unlike(self, columns: tuple[int, ...]) -> tuple[int, ...]:
        """Those of some columns that may differ in type or length: of one array the first stands for all."""
        return columns[:1] if self.content.matrix else columns

    def block(self, columns: tuple[int, ...], name: str = "") -> Field:
        """Some of the columns together. UsageError where one of them has columns of its own."""
        for column in self.unlike(columns):
            if self.content.columns_of(column) is not None:
                name = self.content.column_name(column)
                raise UsageError(f"{label_of(self.path)}: {name} has columns of its own", fix="select it alone")
        kinds = {self.content.kind_of(column) for column in self.unlike(columns)}
        kind = kinds.pop() if len(kinds) == 1 else "text"
        return Field(self, name or self._block_name(columns), columns, 2, kind)

    def _block_name(self, columns: tuple[int, ...]) -> str:
        if len(columns) == 1:
            return self.content.column_name(columns[0])
        if columns == tuple(range(columns[0], columns[-1] + 1)):
            return f"{self.content.unit}s {columns[0] + 1}..{columns[-1] + 1}"
        some = ", ".join(str(column + 1) for column in columns[:5])
        return f"{self.content.unit}s {some}" + (", ..." if len(columns) > 5 else "")

    def _split_key(self, selector: str) -> tuple[str, str | None]:
        """KEY[SEL] and KEY::SEL choose columns of a two-dimensional key, or of a column of lists."""
        if selector in self.names or not self._has_nested():
            return selector, None
        if selector.endswith("]") and "[" in selector:
            key, _, inner = selector[:-1].rpartition("[")
            return key, inner
        key, mark, inner = selector.rpartition("::")
        return (key, inner) if mark else (selector, None)

    def _has_nested(self) -> bool:
        content = self.content
        return content.unit == "key" or (
            not content.matrix and any(content.columns_of(column) is not None for column in range(self.width))
        )

    def _inside(self, key: int, inner: str) -> Field:
        count = self.content.columns_of(key)
        name = self.content.column_name(key)
        if count is None:
            raise UsageError(f"{label_of(self.path)}: {name} has no columns", fix="select it whole")
        columns, is_block = positions(inner, Names((), count, f"{label_of(self.path)}: {name}", "column"))
        text = f"{name} column {columns[0] + 1}" + (f"..{columns[-1] + 1}" if is_block else "")
        return Field(self, text, (key,), 2 if is_block else 1, self.content.kind_of(key), columns)
