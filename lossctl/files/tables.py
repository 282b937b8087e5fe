"""CSV in constant memory: the first row, chunks of whole rows, and blocks of as many rows as are asked for."""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..errors import DataError, UsageError
from ..text import shown
from .cells import NUMBER, TRUTHS, Form, Parsed, Plan, strict_rows
from .fast import read_rows
from .opening import Bytes

CHUNK = 1 << 17  # so that the arrays of one chunk stay in the cache
LONGEST_ROW = 16 << 20
BOM = b"\xef\xbb\xbf"
NO_DELIMITER = '"\r\n.+-eE0123456789'


@dataclass(frozen=True)
class Wanted:
    """Columns to read as "number" or "category", as (n,) or as (n, len(columns))."""

    columns: tuple[int, ...]
    kind: str
    ndim: int


@dataclass(eq=False)
class Table:
    """A CSV file whose first row has been looked at.

    begin, line: where its first data row stands, in bytes and as a line number
    rows: None until a walk has come to the end
    """

    stretch: Bytes
    form: Form
    begin: int
    line: int
    rows: int | None = None
    unit: str = "column"
    _marks: list[tuple[int, int, int]] = field(default_factory=list)  # first row, byte, line of each chunk walked

    @property
    def names(self) -> tuple[str, ...]:
        return self.form.names

    @property
    def width(self) -> int:
        return self.form.width

    def column_name(self, column: int) -> str:
        return self.form.column_name(column)

    def kind_of(self, column: int) -> str:
        """Not known without reading it all."""
        return "unknown"

    def dtype_name(self, column: int) -> str:
        return "text"

    def columns_of(self, column: int) -> int | None:
        return None

    def walk(self, wanted: Sequence[Wanted], rows: int) -> Iterator[tuple[np.ndarray[Any, Any], ...]]:
        """The wanted columns, `rows` rows at a time (the last block may be shorter). DataError with file and line.

        Numbers are float64. Labels are int64 when every cell of the block is a whole number, str when none is, and an
        object array of both otherwise: a cell has the same value whatever stands around it.
        """
        plan = Plan(_distinct(wanted, "number"), _distinct(wanted, "category"))
        self._marks = []
        pending: list[Parsed] = []
        waiting = seen = 0
        for offset, line, chunk in self._chunks():
            self._marks.append((seen, offset, line))
            parsed = read_rows(chunk, line, self.form, plan)
            seen += len(parsed)
            waiting += len(parsed)
            pending.append(parsed)
            if waiting >= rows:
                ready = _joined(pending)
                for start in range(0, waiting - rows + 1, rows):
                    yield _chosen(_part(ready, start, start + rows), wanted, plan)
                pending = [_part(ready, waiting - waiting % rows, waiting)]
                waiting %= rows
        self.rows = seen
        if waiting:
            yield _chosen(_joined(pending), wanted, plan)

    def where(self, row: int) -> str:
        """The line on which a row of the last walk begins: "scores.csv:1043"."""
        at = bisect.bisect_right(self._marks, (row, math.inf, math.inf)) - 1
        if at >= 0:
            first, offset, line = self._marks[at]
            for begins, _ in strict_rows(self._chunk(offset), line, self.form):
                if first == row:
                    return f"{self.form.label}:{begins}"
                first += 1
        return f"{self.form.label}: row {row}"

    def _chunks(self) -> Iterator[tuple[int, int, bytes]]:
        offset, line = self.begin, self.line
        while offset < self.stretch.size:
            chunk = self._chunk(offset)
            yield offset, line, chunk
            offset += len(chunk)
            line += _newlines(chunk)

    def _chunk(self, offset: int) -> bytes:
        return whole_rows(self.stretch, offset, CHUNK)


# --- the first row

FOREIGN = {
    b"\x80\x02": "a pickle, or an old file of torch.save",
    b"\x80\x03": "a pickle",
    b"\x80\x04": "a pickle",
    b"\x80\x05": "a pickle",
    b"\x89PNG": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"\x89HDF": "an HDF5 file",
    b"PAR1": "a Parquet file",
    b"ARROW1": "an Arrow or Feather file",
    b"SQLite format 3": "an SQLite database",
    b"MATLAB 5.0": "a MATLAB file",
    b"%PDF": "a PDF",
    b"<!DOCTYPE": "a web page",
    b"<html": "a web page",
    b'{"': "JSON",
    b"[{": "JSON",
}


def _foreign(head: bytes) -> str:
    """What a file is that begins like this and is no table; "" for a table."""
    if head[8:10] == b'{"' and head[3:8] == bytes(5):
        return "a safetensors file"
    return next((what for start, what in FOREIGN.items() if head.startswith(start)), "")


def open_table(stretch: Bytes, header: bool | None, delimiter: str | None, allow_missing: bool) -> Table:
    """A CSV file with its first row read. DataError, UsageError (a delimiter that cannot be one)."""
    label = stretch.label
    if delimiter is not None and (len(delimiter) != 1 or not delimiter.isascii() or delimiter in NO_DELIMITER):
        raise UsageError(f"the delimiter '{shown(delimiter)}' cannot be used", fix="give one character: , ; or |")
    what = _foreign(bytes(stretch.pread(0, min(16, stretch.size))))
    if what:
        raise DataError(f"{label}: is {what}", fix="write what is in it as NPY (np.save), NPZ or CSV")
    head = bytes(stretch.pread(0, min(4, stretch.size)))
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in head:
        raise DataError(
            f"{label}: is UTF-16 or binary, not UTF-8 text", fix=f"iconv -f UTF-16 -t UTF-8 {label} > utf8.csv"
        )
    begin = len(BOM) if head.startswith(BOM) else 0
    if begin == stretch.size:
        raise DataError(f"{label}: is empty", fix="check the command that wrote it")
    first = _first_row(whole_rows(stretch, begin, 1 << 16))
    form = Form(label, delimiter or _delimiter(first), (), 0, allow_missing)
    _, cells = next(strict_rows(first, 1, form))
    form = replace(form, width=len(cells))
    if header is None:
        header = _is_header(cells, label) or (_are_truths(cells) and _names_truths(stretch, begin + len(first), form))
    if not header:
        return Table(stretch, form, begin, 1)
    form = replace(form, names=_header_names(cells, label))
    return Table(stretch, form, begin + len(first), 1 + first.count(b"\n"))


def whole_rows(stretch: Bytes, offset: int, length: int) -> bytes:
    """About `length` bytes from `offset` that end with a row; a newline inside quotes ends none. DataError."""
    while True:
        length = min(length, stretch.size - offset)
        found = bytes(stretch.pread(offset, length))
        end = length if offset + length == stretch.size else _last_row_end(found)
        if end:
            return found[:end]
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
    codes = np.frombuffer(text, np.uint8)
    marks = np.flatnonzero((codes == ord('"')) | (codes == ord("\n")))
    is_quote = codes[marks] == ord('"')
    ends = marks[~is_quote & (np.cumsum(is_quote) % 2 == 0)]
    return int(ends[-1]) + 1 if ends.size else 0


def _newlines(text: bytes) -> int:
    """bytes.count, ten times as fast on short lines."""
    return int(np.count_nonzero(np.frombuffer(text, np.uint8) == ord("\n")))


def _first_row(chunk: bytes) -> bytes:
    end = quotes = 0
    while True:
        start, end = end, chunk.find(b"\n", end) + 1
        if end == 0:
            return chunk
        quotes += chunk.count(b'"', start, end)
        if quotes % 2 == 0:
            return chunk[:end]


def _delimiter(row: bytes) -> str:
    if b"," in row:
        return ","
    return "\t" if b"\t" in row else ";" if b";" in row else ","


def _is_header(cells: list[str], label: str) -> bool:
    """False if every cell is a number or a truth value. DataError when both readings are likely."""
    bare = [cell.strip(" ") for cell in cells]
    are_numbers = [NUMBER.fullmatch(cell) is not None for cell in cells]
    if all(is_one or cell in TRUTHS for is_one, cell in zip(are_numbers, bare, strict=True)) and not all(are_numbers):
        return False
    if all(are_numbers):
        counts = [str(count) for count in range(len(cells) + 1)]
        if len(cells) >= 2 and bare in (counts[:-1], counts[1:]):
            raise _two_readings(label, f"it is {bare[0]}, {bare[1]} ..., as if it counted the columns")
        return False
    for cell, is_one in zip(bare, are_numbers, strict=True):
        if is_one and not cell.isdigit():
            raise _two_readings(label, f"'{shown(cell)}' in it is a number, other cells are not")
    return True


def _are_truths(cells: list[str]) -> bool:
    return all(cell.strip(" ") in TRUTHS for cell in cells)


def _names_truths(stretch: Bytes, second: int, form: Form) -> bool:
    """Whether a first row of truth values alone names columns: there is a second row, and it has no truth value."""
    if second >= stretch.size:
        return False
    _, cells = next(strict_rows(_first_row(whole_rows(stretch, second, 1 << 16)), 2, form))
    return not any(cell.strip(" ") in TRUTHS for cell in cells)


def _two_readings(label: str, reason: str) -> DataError:
    return DataError(
        f"{label}:1: the first row may be a header or data: {reason}", fix="say which: --header yes, or --header no"
    )


def _header_names(cells: list[str], label: str) -> tuple[str, ...]:
    names = tuple(cell.strip(" ") for cell in cells)
    seen: dict[str, int] = {}
    for column, name in enumerate(names, start=1):
        if not name and column > 1:
            raise DataError(f"{label}:1: column {column} has no name", fix="name it, or use --header no")
        if name in seen:
            raise DataError(
                f"{label}:1: columns {seen[name]} and {column} are both called '{shown(name)}'",
                fix="rename one, or, if this row is data, use --header no",
            )
        seen[name] = column
    return names


# --- blocks


def _distinct(wanted: Sequence[Wanted], kind: str) -> tuple[int, ...]:
    return tuple(sorted({column for one in wanted if one.kind == kind for column in one.columns}))


def _joined(parts: Sequence[Parsed]) -> Parsed:
    if len(parts) == 1:
        return parts[0]
    labels = tuple(np.concatenate(columns) for columns in zip(*(part.labels for part in parts), strict=True))
    return Parsed(np.concatenate([part.numbers for part in parts]), labels)


def _part(rows: Parsed, start: int, stop: int) -> Parsed:
    return Parsed(rows.numbers[start:stop], tuple(column[start:stop] for column in rows.labels))


def _chosen(block: Parsed, wanted: Sequence[Wanted], plan: Plan) -> tuple[np.ndarray[Any, Any], ...]:
    found: list[np.ndarray[Any, Any]] = []
    number_at = {column: place for place, column in enumerate(plan.numbers)}
    label_at = {column: place for place, column in enumerate(plan.labels)}
    for one in wanted:
        if one.kind == "number":
            places = [number_at[column] for column in one.columns]
            found.append(np.array(block.numbers[:, places if one.ndim == 2 else places[0]], order="C"))
        else:
            columns = [block.labels[label_at[column]] for column in one.columns]
            found.append(_settled(np.stack(columns, axis=1) if one.ndim == 2 else columns[0]))
    return tuple(found)


def _settled(labels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Objects that are all int as int64, all str as str."""
    if labels.dtype != object:
        return labels
    kinds = set(map(type, labels.ravel().tolist()))
    if kinds == {int}:
        return labels.astype(np.int64)
    return labels.astype(str) if kinds == {str} else labels
