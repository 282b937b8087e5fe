"""The fast reader of CSV rows, which proves itself right or answers None.

It takes a chunk in which nothing can have two readings: UTF-8, every row with every cell, quotes only around whole
cells, every wanted cell a number or a label. For any other chunk the strict reader finds either quoting that it can
read, or the fault.
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .cells import (
    TRUTHS,
    ColumnKinds,
    Fault,
    Form,
    Parsed,
    is_inexact,
    is_missing,
    label_or_none,
    objects,
    plain_rows,
    read_strictly,
)  # fmt: skip
from .decimals import EXACT, decimals, pad, whole_numbers
from .values import joined

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

QUOTE, NEWLINE, BLANK, ZERO, NINE = 34, 10, 32, 48, 57
WIDEST_WORD = 64
ROOMY = 8  # times as many bytes as its rows have in a file may an array of text take
SOME, MANY = 1 << 22, 1 << 25  # bytes from which pyarrow reads what the fast reader cannot; all that it can
BLOCK = 1 << 18  # bytes that pyarrow reads at once, so that they stay in the cache
BEGINS_WORD = np.isin(np.arange(256), list(b"abcdefghijklmopqrstuvwxyzABCDEFGHIJKLMOPQRSTUVWXYZ_"))
COMMA_TO_POINT = bytes.maketrans(b",.", b".?")
TRUTH_DIGITS = {word.encode(): b"%d" % value for word, value in TRUTHS.items()}


def read_rows(chunk: bytes, line: int, form: Form, plan: ColumnKinds, size: int = 0) -> Parsed:
    """The wanted cells of whole rows of which the first is on `line`. DataError with file, line and column.

    size: bytes of the file, which tell whether pyarrow, where it is installed, is worth its import
    """
    chunk = plain_rows(chunk, form)
    readers = (read_by_arrow, read_fast) if size >= MANY else (read_fast, read_by_arrow)[: 1 + (size >= SOME)]
    for reader in readers:
        if (parsed := reader(chunk, form, plan)) is not None:
            return parsed
    return read_strictly(chunk, line, form, plan)


def read_by_arrow(chunk: bytes, form: Form, plan: ColumnKinds) -> Parsed | None:
    """What `read_strictly` would give, by pyarrow, which rounds as float() does; None where that is not certain.

    Whatever is no plain number (words, signs, marks of thousands) it refuses too, or reads as what is not finite.
    """
    try:
        import pyarrow
        from pyarrow import csv
    except ImportError:
        return None
    text = _plain(chunk)
    columns = [*plan.numbers, *plan.labels]
    if text is None or not 0 < len(columns) == len(set(columns)) or form.decimal != "." or form.thousands:
        return None
    if text.startswith((codecs.BOM_UTF8, b"\n")) or (form.allow_missing and not plan.numbers and b"\n\n" in text):
        return None  # pyarrow takes the mark from the first cell, and a blank line as empty cells, which no number has
    is_quoted = b'"' in text
    if (b"\t" in text and form.delimiter != "\t") or (is_quoted and not _is_well_quoted(text, form.delimiter)):
        return None  # blanks around a number are no matter to pyarrow, nor is what stands after a quote
    names = [str(column) for column in range(form.width)]
    kinds = {names[column]: pyarrow.float64() for column in plan.numbers}
    kinds |= {names[column]: pyarrow.dictionary(pyarrow.int32(), pyarrow.string()) for column in plan.labels}
    try:
        table = csv.read_csv(
            pyarrow.py_buffer(text),
            csv.ReadOptions(use_threads=False, block_size=BLOCK, column_names=names),
            csv.ParseOptions(
                delimiter=form.delimiter,
                quote_char='"' if is_quoted else False,
                newlines_in_values=is_quoted,
                ignore_empty_lines=False,
            ),
            csv.ConvertOptions(column_types=kinds, include_columns=list(kinds), null_values=[]),
        )
    except pyarrow.ArrowInvalid:
        return None
    if b"\r" in chunk and table.num_rows != occurrences(text, NEWLINE):
        return None  # a cell has line ends of its own, which are as they stand
    numbers = np.empty((len(plan.numbers), table.num_rows))
    for values, column in zip(numbers, plan.numbers, strict=True):
        cells = table.column(names[column])
        if cells.null_count:
            return None
        np.concatenate([*map(np.from_dlpack, cells.chunks)], out=values)
        if not (values.max() < EXACT and values.min() > -EXACT):
            return None
    widest = ROOMY * len(text) // table.num_rows
    labels = [_labels_of_arrow(table.column(names[column]), form, widest) for column in plan.labels]
    if any(column is None for column in labels):
        return None
    return Parsed(numbers.T, tuple(column for column in labels if column is not None))


def _labels_of_arrow(column: Any, form: Form, widest: int) -> Array | None:
    """Labels, of cells of which each differing one stands once in a block; None for all if a cell is no label."""
    parts = []
    for block in column.chunks:
        kinds = _fast_labels(_cells_of(block.dictionary), form)
        if kinds is None:
            return None
        parts.append(_lean(kinds, widest)[np.from_dlpack(block.indices)])
    return joined(parts)


def _lean(labels: Array, widest: int) -> Array:
    """Text as objects where one of an array would take more bytes than this: a single long one makes all as wide."""
    return labels.astype(object) if labels.dtype.kind == "U" and labels.itemsize > widest else labels


def _cells_of(strings: Any) -> Cells:
    """The texts of an Arrow array, one after the other and without a look at their points; one-dimensional."""
    _, offsets, text = strings.buffers()
    bounds = np.frombuffer(offsets, np.int32)[strings.offset :][: len(strings) + 1].astype(np.int64)
    unknown = np.full(len(strings), -1)
    return Cells((text.to_pybytes() if text else b"") + b"\n", bounds[:-1], bounds[1:], unknown, unknown)


def occurrences(text: bytes, code: int) -> int:
    """How often a character stands in a text; where it is frequent, bytes.count takes ten times as long."""
    return int(np.count_nonzero(np.frombuffer(text, np.uint8) == code))


def _is_well_quoted(text: bytes, delimiter: str) -> bool:
    """Whether quotes stand around whole cells only, and doubled within these; of text that ends with a newline."""
    codes = np.frombuffer(text, np.uint8)
    at = np.flatnonzero(codes == QUOTE)
    around = np.isin(np.arange(256), [QUOTE, NEWLINE, ord(delimiter)])
    return len(at) % 2 == 0 and bool(around[codes[at[::2] - 1]].all() and around[codes[at[1::2] + 1]].all())


class Cells(NamedTuple):
    """Where cells lie in `text`, int64 (rows, width) each.

    points: how many decimal points stand before each end;  after_point: characters after a cell's point, -1 without
    one, more than any cell has when there are several
    """

    text: bytes
    starts: Array
    ends: Array
    points: Array
    after_point: Array

    def of(self, columns: Sequence[int]) -> Cells:
        """Some columns only, row by row in one dimension."""
        parts = (self.starts, self.ends, self.points, self.after_point)
        return Cells(self.text, *(part[:, list(columns)].ravel() for part in parts))

    def cut(self, which: Array | slice) -> list[bytes]:
        """The cells themselves; one-dimensional only."""
        bounds = zip(self.starts[which].tolist(), self.ends[which].tolist(), strict=True)
        return [self.text[start:end] for start, end in bounds]


def read_fast(chunk: bytes, form: Form, plan: ColumnKinds) -> Parsed | None:
    """What `read_strictly` would give, or None where that is not certain."""
    if form.decimal == form.delimiter or (form.thousands and form.thousands.strip(" ").encode() in chunk):
        return None
    text = _plain(chunk)
    cells = None if text is None else _locate(text, form)
    if text is None or cells is None:
        return None
    numbers = _fast_numbers(cells, form, plan)
    labels = [_fast_labels(cells.of([column]), form) for column in plan.labels]
    if numbers is None or any(column is None for column in labels):
        return None
    widest = ROOMY * len(text) // len(numbers)
    return Parsed(numbers, tuple(_lean(column, widest) for column in labels if column is not None))


def _plain(chunk: bytes) -> bytes | None:
    """The chunk with LF line ends; None if it holds what no cell may hold."""
    if b"\0" in chunk:
        return None
    if not chunk.isascii():
        try:
            chunk.decode("utf-8")
        except UnicodeDecodeError:
            return None
    if b"\r" in chunk:
        chunk = chunk.replace(b"\r\n", b"\n")
        if b"\r" in chunk:
            return None
    return chunk if chunk.endswith(b"\n") else chunk + b"\n"


def _locate(text: bytes, form: Form) -> Cells | None:
    """None unless every row has `width` cells and quotes stand around whole cells only."""
    codes = np.frombuffer(text, np.uint8)
    point = ord(form.decimal)
    marks = np.flatnonzero((codes == ord(form.delimiter)) | (codes == NEWLINE) | (codes == point))
    at = np.flatnonzero(codes[marks] != point)
    ends = marks[at]
    rows = int(np.count_nonzero(codes == NEWLINE))
    if len(ends) != rows * form.width or (codes[ends[form.width - 1 :: form.width]] != NEWLINE).any():
        return None
    points = at - np.arange(len(at))
    within = np.diff(points, prepend=0)
    after_point = np.where(within == 1, ends - marks[at - 1] - 1, -1)
    if within.max(initial=0) > 1:
        after_point[within > 1] = len(text)
    starts = np.empty_like(ends)
    starts[:1] = 0
    starts[1:] = ends[:-1] + 1
    if b'"' in text:
        quoted = (codes[starts] == QUOTE) & (codes[ends - 1] == QUOTE) & (ends - starts >= 2)
        if 2 * np.count_nonzero(quoted) != text.count(b'"'):
            return None
        starts += quoted
        ends -= quoted
        after_point -= quoted & (within == 1)
    return Cells(text, *(part.reshape(rows, form.width) for part in (starts, ends, points, after_point)))


def _fast_numbers(cells: Cells, form: Form, plan: ColumnKinds) -> Array | None:
    """nan for a missing cell, where that is allowed; None if a cell is no number."""
    numbers = np.empty((len(cells.starts), len(plan.numbers)))
    if not plan.numbers:
        return numbers
    digits = pad(cells.text.translate(None, form.decimal.encode()))
    # column by column, since columns differ in length and in their use of points; but not for hundreds of columns
    together = 1 if len(plan.numbers) <= 8 else len(plan.numbers)
    for first in range(0, len(plan.numbers), together):
        chosen = cells.of(plan.numbers[first : first + together])
        values, certain = _values(digits, chosen)
        if not certain.all():
            left = np.flatnonzero(~certain)
            by_float = _by_float(_with_points(chosen.cut(left), form))
            if by_float is None or (not form.allow_missing and np.isnan(by_float).any()):
                return None
            values[left] = by_float
        numbers[:, first : first + together] = values.reshape(-1, together)
    return numbers


def _values(digits: Array, chosen: Cells) -> tuple[Array, Array]:
    before = chosen.points - (chosen.after_point >= 0)
    starts, ends = chosen.starts - before, chosen.ends - chosen.points
    if chosen.after_point.max(initial=-1) < 0:
        values, certain = whole_numbers(digits, starts, ends)
        if certain.all() and abs(values).max(initial=0) <= EXACT:
            return values.astype(float), certain
    return decimals(digits, starts, ends, chosen.after_point)


def _with_points(cells: list[bytes], form: Form) -> list[bytes]:
    """A decimal comma as a point; a point, which is then no decimal, as what no number has."""
    return cells if form.decimal == "." else [cell.translate(COMMA_TO_POINT) for cell in cells]


def _by_float(cells: list[bytes]) -> Array | None:
    """Numbers, 1 and 0 for truth values, nan where a cell is missing. Of these characters float() takes just what
    NUMBER takes."""
    if b"".join(cells).translate(None, b"0123456789.eE+- ") or b"" in cells:
        cells = [TRUTH_DIGITS.get(cell.strip(b" "), cell) for cell in cells]
        cells = [b"nan" if is_missing(cell.decode()) else cell for cell in cells]
        if b"".join(cell for cell in cells if cell != b"nan").translate(None, b"0123456789.eE+- "):
            return None
    try:
        values = np.fromiter(map(float, cells), np.float64, len(cells))
    except ValueError:
        return None
    large = np.flatnonzero(abs(values) >= EXACT)
    if np.isinf(values[large]).any() or any(is_inexact(cells[at].decode()) for at in large.tolist()):
        return None
    return values


class _Memo(dict[bytes, "int | str | None"]):
    """Cell to label, None for a missing one: most cells of a column have been seen before."""

    def __init__(self, form: Form) -> None:
        super().__init__()
        self.form = form

    def __missing__(self, cell: bytes) -> int | str | None:
        value = self[cell] = label_or_none(cell.decode(), self.form)
        return value


def _fast_labels(cells: Cells, form: Form) -> Array | None:
    """None for a missing cell, where that is allowed; None for all if a cell is no label."""
    if any(cell[-1:].isdigit() for cell in cells.cut(slice(0, 1))):
        values, certain = whole_numbers(pad(cells.text), cells.starts, cells.ends)
        if certain.all():
            return values
    labels = _whole_decimals(cells, form) if (cells.after_point >= 0).all() else _words(cells)
    if labels is not None:
        return labels
    memo = _Memo(form)
    try:
        return _compact([memo[cell] for cell in cells.cut(slice(None))])
    except Fault:
        return None


def _compact(labels: Sequence[int | str | None]) -> Array:
    """As `objects` has them, but text without long ones as such."""
    texts = [label for label in labels if isinstance(label, str)]
    is_text = len(texts) == len(labels) and max(map(len, texts), default=0) <= WIDEST_WORD
    return np.array(texts) if is_text and texts else objects(labels)


def _whole_decimals(cells: Cells, form: Form) -> Array | None:
    """Labels that are written as 3.0, as int64; None where that is not certain."""
    codes = np.frombuffer(cells.text, np.uint8)
    before = codes[cells.ends - cells.after_point - 2]
    if (cells.after_point > cells.ends - cells.starts - 2).any() or not ((before >= ZERO) & (before <= NINE)).all():
        return None
    values, certain = _values(pad(cells.text.translate(None, form.decimal.encode())), cells)
    if certain.all() and bool(((values == np.floor(values)) & (abs(values) < EXACT)).all()):
        return values.astype(np.int64)
    return None


def _words(cells: Cells) -> Array | None:
    """Labels of ASCII that begin with a letter that begins no number and no missing value, as text; None for others."""
    lengths = cells.ends - cells.starts
    width = int(lengths.max(initial=0))
    if not 0 < width <= WIDEST_WORD or not lengths.all() or not cells.text.isascii():
        return None
    codes = np.frombuffer(cells.text + bytes(width), np.uint8)
    if not BEGINS_WORD[codes[cells.starts]].all() or (codes[cells.ends - 1] <= BLANK).any():
        return None
    letters = np.lib.stride_tricks.sliding_window_view(codes, width)[cells.starts]
    letters[np.arange(width) >= lengths[:, None]] = 0
    return letters.view(f"S{width}").ravel().astype(str)
