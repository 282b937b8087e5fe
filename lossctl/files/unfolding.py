"""Columns seen as other rows: the cells of several columns one by one, the axes of an array, rows that repeat."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from .content import Array, Choice, Chunk, dropped, pieces
from .frames import Field, Frame


@dataclass(eq=False)
class SeenOtherwise:
    """A field as a column of other rows: what is the same of both."""

    field: Field

    names = ()
    width = 1
    matrix = False
    lazy = False

    @property
    def label(self) -> str:
        return self.field.frame.content.label

    def columns_of(self, column: int) -> int | None:
        return None

    def kind_of(self, column: int) -> str:
        return self.field.kind

    def dtype_name(self, column: int) -> str:
        return self.field.frame.dtype_of(self.field)

    def column_name(self, column: int) -> str:
        return self.field.name


@dataclass(eq=False)
class Unfolded(SeenOtherwise):
    """A field of which each row becomes `count` rows of `width` columns.

    cut: rows of the field, (n, k) or (n,) -> (n * count, width) or (n * count,)
    """

    count: int
    inside: int | None
    cut: Callable[[Array], Array]

    @property
    def unit(self) -> str:
        return self.field.frame.content.unit

    @property
    def rows(self) -> int | None:
        return self.rows_of(0)

    def rows_of(self, column: int) -> int | None:
        rows = self.field.frame.content.rows_of(self.field.columns[0])
        return None if rows is None else rows * self.count

    def columns_of(self, column: int) -> int | None:
        return self.inside

    def where(self, row: int) -> str:
        place = self.field.frame.where(row // self.count)
        return place if self.count == 1 else f"{place} [{row % self.count + 1}]"

    def walk(self, choices: Sequence[Choice], rows: int, start: int = 0) -> Iterator[Chunk]:
        choice = choices[0]
        own = Choice(self.field.columns, choice.kind, self.field.ndim, self.field.inner)
        walk = self.field.frame.content.walk([own], max(1, rows // self.count), start // self.count)
        parts = ((self.cut(chunk.load()[0]),) * len(choices) for chunk in walk)
        return pieces(dropped(parts, start % self.count), rows)


def unfolded(field: Field, count: int, inside: int | None, cut: Callable[[Array], Array]) -> Field:
    """A field with `count` rows for each; inside: how many columns it has then, None for (n,)."""
    content = Unfolded(field, count, inside, cut)
    frame = Frame(field.frame.path, field.frame.format, content, contextlib.ExitStack())
    return Field(frame, field.name, (0,), 1 if inside is None else 2, field.kind)


def cells_of(field: Field) -> Field:
    """The cells of all columns as rows, row by row."""
    return unfolded(field, field.width, None, lambda values: values.reshape(-1))


def repeated(field: Field, count: int) -> Field:
    """Each value of a column `count` times."""
    return unfolded(field, count, None, lambda values: values.reshape(-1).repeat(count))
