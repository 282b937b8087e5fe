"""CSV in constant memory: chunks of whole rows, and blocks of as many rows as are asked for."""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from ..errors import DataError
from .cells import ColumnKinds, Form, plain_rows, strict_rows
from .content import Array, Choice, Chunk, dropped, pieces
from .fast import MANY, NEWLINE, QUOTE, occurrences, read_rows
from .opening import Bytes
from .values import categories, settled, stacked

CHUNK = 1 << 17  # so that the arrays of one chunk stay in the cache
CHUNK_OF_MANY = 1 << 20  # so that a call of it is worth its setting up
LONGEST_ROW = 16 << 20
TAIL = 1 << 14  # bytes in which the last row mostly ends


@dataclass(eq=False)
class Table:
    """A CSV file whose first row has been looked at.

    begin, line: where its first data row stands, in bytes and as a line number
    rows: None until a walk has come to the end;  lists: how many numbers each column of lists has
    """

    stretch: Bytes
    form: Form
    begin: int
    line: int
    rows: int | None = None
    unit: str = "column"
    matrix: bool = False
    lazy: bool = False
    lists: Mapping[int, int] = field(default_factory=dict)
    _marks: list[tuple[int, int, int]] = field(default_factory=list)  # first row, byte, line of each chunk walked

    @property
    def label(self) -> str:
        return self.form.label

    @property
    def names(self) -> tuple[str, ...]:
        return self.form.names

    @property
    def width(self) -> int:
        return self.form.width

    def column_name(self, column: int) -> str:
        return self.form.column_name(column)

    def kind_of(self, column: int) -> str:
        """Not known without reading it all, but for lists."""
        return "number" if column in self.lists else "unknown"

    def dtype_name(self, column: int) -> str:
        return "text"

    def columns_of(self, column: int) -> int | None:
        return self.lists.get(column)

    def rows_of(self, column: int) -> int | None:
        return self.rows

    def walk(self, choices: Sequence[Choice], rows: int, start: int = 0) -> Iterator[Chunk]:
        """As for all contents, with file and line in its DataError; rows before `start` are read too.

        Numbers are float64. Labels are int64 when every cell of the block is a whole number, str when none is, and an
        object array of both otherwise: a cell has the same value whatever stands around it.
        """
        numbers: set[int] = set()
        labels: set[int] = set()
        matrices: set[int] = set()
        for choice in choices:
            is_list = choice.columns[0] in self.lists
            (matrices if is_list else numbers if choice.kind == "number" else labels).update(choice.columns)
        plan, lists = ColumnKinds(tuple(sorted(numbers)), tuple(sorted(labels))), tuple(sorted(matrices))
        parsed = self._parsed(plan, lists)
        for piece in pieces(dropped(parsed, start) if start else parsed, rows):
            yield Chunk(piece.rows, partial(_chosen, piece.load(), tuple(choices), plan, lists))

    def _parsed(self, plan: ColumnKinds, lists: tuple[int, ...]) -> Iterator[tuple[Array, ...]]:
        """The numbers of each chunk, (n, columns), then its labels, an array a column, then its lists."""
        if lists:
            from .listed import read_lists
        self._marks = []
        rows, offset, line = 0, self.begin, self.line
        while offset < self.stretch.size:
            chunk = self._chunk(offset)
            self._marks.append((rows, offset, line))
            parsed = read_rows(chunk, line, self.form, plan, self.stretch.size)
            matrices = [read_lists(chunk, line, self.form, column, self.lists[column]) for column in lists]
            yield (parsed.numbers, *parsed.labels, *matrices)
            rows += len(parsed.numbers)
            offset += len(chunk)
            line += occurrences(chunk, NEWLINE) if b'"' in chunk else len(parsed.numbers)
        self.rows = rows

    def where(self, row: int) -> str:
        """The line on which a row of the last walk begins: "scores.csv:1043"."""
        at = bisect.bisect_right(self._marks, (row, math.inf, math.inf)) - 1
        if at >= 0:
            first, offset, line = self._marks[at]
            for begins, _ in strict_rows(plain_rows(self._chunk(offset), self.form), line, self.form):
                if first == row:
                    return f"{self.form.label}:{begins}"
                first += 1
        return f"{self.form.label}: row {row}"

    def _chunk(self, offset: int) -> bytes:
        return whole_rows(self.stretch, offset, CHUNK_OF_MANY if self.stretch.size >= MANY else CHUNK)


# --- bytes


def whole_rows(stretch: Bytes, offset: int, length: int) -> bytes:
    """About `length` bytes from `offset` that end with a row; a newline inside quotes ends none. DataError."""
    while True:
        length = min(length, stretch.size - offset)
        text = stretch.pread(offset, length)
        end = length if offset + length == stretch.size else _last_row_end(text)
        if end:
            return text[:end]
        if length >= LONGEST_ROW:
            raise DataError(
                f"{stretch.label}: a row longer than {LONGEST_ROW >> 20} MiB, from byte {offset} on",
                why="this is not a CSV file, or a quote in it is never closed",
            )
        length = min(length * 4, LONGEST_ROW)


def _last_row_end(text: bytes) -> int:
    """One past the last newline that stands outside quotes, 0 if there is none."""
    if b'"' not in text:
        return text.rfind(b"\n") + 1
    for start in (max(0, len(text) - TAIL), 0):
        codes = np.frombuffer(text, np.uint8, offset=start)
        marks = np.flatnonzero((codes == QUOTE) | (codes == NEWLINE))
        is_quote = codes[marks] == QUOTE
        quotes = occurrences(text[:start], QUOTE) + np.cumsum(is_quote)
        ends = marks[~is_quote & (quotes % 2 == 0)]
        if ends.size:
            return start + int(ends[-1]) + 1
    return 0


# --- blocks


def _chosen(
    block: tuple[Array, ...], choices: Sequence[Choice], plan: ColumnKinds, lists: tuple[int, ...]
) -> tuple[Array, ...]:
    numbers, labels, matrices = block[0], block[1 : 1 + len(plan.labels)], block[1 + len(plan.labels) :]
    number_at = dict(zip(plan.numbers, range(len(plan.numbers)), strict=True))
    label_at = dict(zip(plan.labels, range(len(plan.labels)), strict=True))
    arrays: list[Array] = []
    for choice in choices:
        if choice.columns[0] in lists:
            matrix = matrices[lists.index(choice.columns[0])]
            inner = matrix if choice.inner is None else matrix[:, list(choice.inner)]
            arrays.append(_as_chosen(np.ascontiguousarray(inner), choice))
        elif choice.kind == "number":
            places = [number_at[column] for column in choice.columns]
            arrays.append(np.ascontiguousarray(numbers[:, places if choice.ndim == 2 else places[0]]))
        else:
            columns = [labels[label_at[column]] for column in choice.columns]
            arrays.append(settled(stacked(columns) if choice.ndim == 2 else columns[0]))
    return tuple(arrays)


def _as_chosen(matrix: Array, choice: Choice) -> Array:
    values = matrix if choice.ndim == 2 else matrix[:, 0]
    return values if choice.kind == "number" else categories(values, lambda row, column: f"list {row + 1}")
