"""Several files as one: the rows of each after those of the one before."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ..errors import DataError, FileError, UsageError
from ..text import shown
from .content import Array, Choice, Chunk, Content, pieces
from .frames import Frame
from .opening import is_remote, label_of, nearby
from .selectors import listed

WEB = ("http://", "https://")  # where ? and * are no patterns


def matching(path: str) -> tuple[str, ...]:
    """The files that a glob matches, in natural order (part-2 before part-10); of any other path, itself. FileError."""
    if path == "-" or not glob.has_magic(path) or os.path.lexists(path) or path.startswith(WEB):
        return (path,)
    if is_remote(path):
        from .remote import matching_remote

        matches = matching_remote(path)
    else:
        matches = [match for match in glob.glob(path, recursive=True) if not os.path.isdir(match)]
    if not matches:
        raise FileError(f"{label_of(path)}: no file matches", fix=nearby(path))
    return tuple(sorted(matches, key=natural))


def natural(path: str) -> list[tuple[bool, int, str]]:
    """A key that sorts the numbers within names as numbers."""
    parts = re.split(r"([0-9]+)", path)
    return [
        (part.isdigit() and part.isascii(), int(part) if part.isdigit() and part.isascii() else 0, part)
        for part in parts
    ]


@dataclass(eq=False)
class Shards:
    """Files of the same columns. They are opened one after the other, and checked against the first beforehand.

    counts: the rows of each, None where only reading tells
    """

    label: str
    first: Content
    paths: tuple[str, ...]
    counts: list[int | None]
    open: Callable[[str], Frame]
    lazy: bool = False

    @property
    def unit(self) -> str:
        return self.first.unit

    @property
    def names(self) -> tuple[str, ...]:
        return self.first.names

    @property
    def width(self) -> int:
        return self.first.width

    @property
    def matrix(self) -> bool:
        return self.first.matrix

    @property
    def rows(self) -> int | None:
        known = [count for count in self.counts if count is not None]
        return sum(known) if len(known) == len(self.counts) else None

    def rows_of(self, column: int) -> int | None:
        return self.rows

    def columns_of(self, column: int) -> int | None:
        return self.first.columns_of(column)

    def kind_of(self, column: int) -> str:
        return self.first.kind_of(column)

    def dtype_name(self, column: int) -> str:
        return self.first.dtype_name(column)

    def column_name(self, column: int) -> str:
        return self.first.column_name(column)

    def where(self, row: int) -> str:
        for path, count in zip(self.paths, self.counts, strict=True):
            if count is None or row < count:
                return f"{label_of(path)}: row {row}"
            row -= count
        return f"{self.label}: row {row}"

    def walk(self, choices: Sequence[Choice], rows: int, start: int = 0) -> Iterator[Chunk]:
        return pieces(self._arrays(choices, rows, start), rows)

    def _arrays(self, choices: Sequence[Choice], rows: int, start: int) -> Iterator[tuple[Array, ...]]:
        for at, path in enumerate(self.paths):
            if start and start >= (self.counts[at] or 0):
                start -= self.counts[at] or 0
                continue
            with self.open(path) as frame:
                count, start = start, 0
                for piece in frame.content.walk(choices, rows, count):
                    count += piece.rows
                    yield piece.load()
            self.counts[at] = count


def open_shards(paths: Sequence[str], open: Callable[[str], Frame]) -> tuple[Shards, str]:
    """The files as one, and the name of their format. DataError for the first that is not like the first of all."""
    if not paths:
        raise UsageError("no files to read as one", fix="name at least one")
    counts: list[int | None] = []
    model: Frame | None = None
    for path in paths:
        with open(path) as frame:
            if model is None:
                model = frame
            else:
                _refuse_unlike(model, frame)
            content = frame.content
            counts.append(content.rows_of(0) if content.rows is None and content.width == 1 else content.rows)
            for column in range(content.width):  # what is told by reading the first rows is told while it is open
                content.columns_of(column)
    assert model is not None
    label = f"{label_of(paths[0])} .. {os.path.basename(label_of(paths[-1]))} ({len(paths)} files)"
    return Shards(label, model.content, tuple(paths), counts, open), model.format


def _refuse_unlike(model: Frame, frame: Frame) -> None:
    place, other = label_of(frame.path), label_of(model.path)
    if frame.format != model.format:
        raise _unlike(place, f"is {frame.format}, and {other} is {model.format}")
    first, content = model.content, frame.content
    if content.names != first.names or content.width != first.width:
        have = [listed(part.names) if part.names else f"{part.width} columns" for part in (content, first)]
        raise _unlike(place, f"has {have[0]}, and {other} has {have[1]}")
    for column in range(content.width):
        name = content.column_name(column)
        if content.kind_of(column) != first.kind_of(column):
            types = content.dtype_name(column), first.dtype_name(column)
            raise _unlike(place, f"{name}: is {shown(types[0])}, and in {other} {shown(types[1])}")
        if content.columns_of(column) != first.columns_of(column):
            widths = content.columns_of(column) or 1, first.columns_of(column) or 1
            raise _unlike(place, f"{name}: has {widths[0]} columns, and in {other} {widths[1]}")


def _unlike(place: str, what: str) -> DataError:
    fault = DataError(
        f"{place}: {what}",
        why="files that are read as one have the same columns, of the same types",
        fix="name the files that belong together, or write this one as the others are",
    )
    fault.is_placed = True
    return fault
