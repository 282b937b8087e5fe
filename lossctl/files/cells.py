"""Rows of a CSV chunk as values, twice: a fast reader that proves itself right, and a strict one that decides.

The fast reader takes a chunk in which nothing can have two readings: UTF-8, every row with every cell, quotes only
around whole cells, every wanted cell a decimal or a label. Otherwise it answers None and the strict reader takes the
same chunk: it finds either quoting that it can read, or the fault, which it names with its line and column.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lossctl.errors import DataError
from lossctl.files.decimals import decimals, whole_numbers
from lossctl.text import shown

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

LONGEST_LABEL = 256
NUMBER = re.compile(r" *[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)? *")
WHOLE = re.compile(r" *[+-]?[0-9]+(?:\.[0-9]*(?:[eE][+-][0-9]+)?)? *")  # 3, 3.0, and 3.000e+00 as np.savetxt has it
MISSING = frozenset(("", "na", "n/a", "nan", "null", "none"))
SKIP = "drop those rows with --na skip, or choose another column"
QUOTE, NEWLINE, POINT = 34, 10, 46


@dataclass(frozen=True)
class Form:
    """What every row of a file looks like. names: () without a header; width: 0 before the first row is read."""

    label: str
    delimiter: str
    names: tuple[str, ...]
    width: int
    na_skip: bool

    def column_name(self, column: int) -> str:
        """What messages call a column: "column 'p' (4)", or "column 4"."""
        return f"column '{shown(self.names[column])}' ({column + 1})" if self.names else f"column {column + 1}"


@dataclass(frozen=True)
class Plan:
    """The columns to parse: as numbers, and as labels."""

    numbers: tuple[int, ...]
    labels: tuple[int, ...]


@dataclass(frozen=True)
class Parsed:
    """Rows: numbers (n, len(plan.numbers)) float64, and one array (n,) a label column, int64 or objects (int, str)."""

    numbers: Array
    labels: tuple[Array, ...]
    skipped: int = 0

    def __len__(self) -> int:
        return len(self.numbers)


def read_rows(chunk: bytes, line: int, form: Form, plan: Plan) -> Parsed:
    """The wanted cells of whole rows of which the first is on `line`. DataError with file, line and column."""
    parsed = read_fast(chunk, form, plan)
    return read_strictly(chunk, line, form, plan) if parsed is None else parsed


# --- one cell


class Fault(Exception):
    """A cell that cannot be read: what is wrong with it, why, and what to do."""

    def __init__(self, what: str, why: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.parts = (what, why, fix)


def is_missing(cell: str) -> bool:
    """An empty cell, NA, N/A, nan, null or None, in any case."""
    return cell.strip(" ").lower() in MISSING


def number(cell: str) -> float:
    """A finite decimal number; raises Fault."""
    if NUMBER.fullmatch(cell):
        value = float(cell)
        if math.isfinite(value):
            return value
        raise Fault(f"'{shown(cell)}' is beyond the largest float64", fix="correct it, or choose another column")
    if is_missing(cell):
        raise Fault(f"'{shown(cell)}' is not a number", "every row needs one", SKIP)
    raise Fault(f"'{shown(cell)}' is not a number", _reason(cell), "correct it, or choose another column")


def _reason(cell: str) -> str:
    bare = cell.strip().lower().lstrip("+-")
    if bare in ("inf", "infinity"):
        return "only finite numbers have an average"
    if bare.startswith("0x"):
        return "hexadecimal is not read"
    if not cell.isascii():
        return "only 0-9, '.', 'e' and an ASCII sign make a number"
    if "_" in bare or "," in bare:
        return "digits cannot be grouped, and the decimal point is '.'"
    return "numbers look like 12, -0.5 or 1e-3"


def label(cell: str) -> int | str:
    """A whole number as int (3, 3.0, 3.000e+00), other text as it stands; raises Fault for 1.5 and for an empty cell.

    Whole numbers beyond int64 stay text, so that two identifiers are equal only if their digits are.
    """
    if not cell.strip(" "):
        raise Fault(f"'{shown(cell)}' is not a label", "every row needs one", SKIP)
    if len(cell) > LONGEST_LABEL:
        raise Fault(f"'{shown(cell)}' is longer than {LONGEST_LABEL} characters", fix="choose another column")
    if not WHOLE.fullmatch(cell):
        return cell
    bare = cell.strip(" ")
    value = int(bare) if bare.lstrip("+-").isdigit() else _whole(bare)
    return value if -(2**63) <= value < 2**63 else cell


def _whole(text: str) -> int:
    value = float(text)
    if not value.is_integer() or abs(value) > 2**53:
        raise Fault(
            f"'{shown(text)}' is not a label",
            "labels are whole numbers (1.0 reads as 1), or text",
            "round it, or choose another column",
        )
    return int(value)


# --- the fast reader


@dataclass(frozen=True)
class Cells:
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


def read_fast(chunk: bytes, form: Form, plan: Plan) -> Parsed | None:
    """What `read_strictly` would give, or None where that is not certain."""
    import numpy as np

    text = _plain(chunk)
    cells = None if text is None else _locate(text, form)
    if cells is None:
        return None
    missing = np.zeros(len(cells.starts), bool)
    numbers = _fast_numbers(cells, plan, missing)
    labels = [_fast_labels(cells.of([column]), missing) for column in plan.labels]
    if numbers is None or any(one is None for one in labels) or (missing.any() and not form.na_skip):
        return None
    if not missing.any():
        return Parsed(numbers, tuple(one for one in labels if one is not None))
    kept = tuple(one[~missing] for one in labels if one is not None)
    return Parsed(numbers[~missing], kept, int(missing.sum()))


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
    import numpy as np

    codes = np.frombuffer(text, np.uint8)
    marks = np.flatnonzero((codes == ord(form.delimiter)) | (codes == NEWLINE) | (codes == POINT))
    at = np.flatnonzero(codes[marks] != POINT)
    ends = marks[at]
    rows = int(np.count_nonzero(codes == NEWLINE))
    if len(ends) != rows * form.width or (codes[ends[form.width - 1 :: form.width]] != NEWLINE).any():
        return None
    points = at - np.arange(len(at))
    after_point = ends - marks[at - 1] - 1
    within = np.diff(points, prepend=0)
    after_point[within == 0] = -1
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


def _fast_numbers(cells: Cells, plan: Plan, missing: Array) -> Array | None:
    """Sets `missing` for the rows that lack one; None if a cell is neither a number nor missing."""
    import numpy as np

    if not plan.numbers:
        return np.empty((len(missing), 0))
    wanted = cells.of(plan.numbers)
    before = wanted.points - (wanted.after_point >= 0)
    pointless = Digits(wanted.text.translate(None, b"."))
    values, certain = decimals(pointless, wanted.starts - before, wanted.ends - wanted.points, wanted.after_point)
    if not certain.all():
        left = np.flatnonzero(~certain)
        found = _by_float(wanted.cut(left))
        if found is None:
            return None
        values[left] = found
        missing[left[np.isnan(found)] // len(plan.numbers)] = True
    return values.reshape(len(missing), len(plan.numbers))


def _by_float(cells: list[bytes]) -> Array | None:
    """Numbers, nan where a cell is missing. Of these characters float() takes just what NUMBER takes."""
    import numpy as np

    if b"".join(cells).translate(None, b"0123456789.eE+- ") or b"" in cells:
        cells = [b"nan" if is_missing(cell.decode()) else cell for cell in cells]
        if b"".join(cell for cell in cells if cell != b"nan").translate(None, b"0123456789.eE+- "):
            return None
    try:
        found = np.fromiter(map(float, cells), np.float64, len(cells))
    except ValueError:
        return None
    return None if np.isinf(found).any() else found


class _Memo(dict[bytes, "int | str | None"]):
    """Cell to label, None for a missing one: most cells of a column have been seen before."""

    def __missing__(self, cell: bytes) -> int | str | None:
        text = cell.decode()
        value = self[cell] = None if is_missing(text) else label(text)
        return value


def _fast_labels(cells: Cells, missing: Array) -> Array | None:
    """Sets `missing` for the rows that lack one; None if a cell is neither a label nor missing."""
    import numpy as np

    if cells.cut(slice(0, 1))[0][-1:].isdigit():
        values, certain = whole_numbers(cells.text, cells.starts, cells.ends)
        if certain.all():
            return values
    memo = _Memo()
    try:
        found = [memo[cell] for cell in cells.cut(slice(None))]
    except Fault:
        return None
    if None in memo.values():
        missing |= np.fromiter((one is None for one in found), bool, len(found))
    return _objects(found)


def _objects(found: Sequence[int | str | None]) -> Array:
    import numpy as np

    if set(map(type, found)) == {int}:
        return np.array(found, np.int64)
    labels = np.empty(len(found), object)
    labels[:] = found
    return labels


# --- the strict reader


def read_strictly(chunk: bytes, line: int, form: Form, plan: Plan) -> Parsed:
    """Rows by the csv module, cells by regular expressions and float(). DataError with file, line and column."""
    import numpy as np

    numbers: list[list[float]] = []
    labels: list[list[int | str | None]] = [[] for _ in plan.labels]
    skipped = 0
    for begins, cells in strict_rows(chunk, line, form):
        if form.na_skip and lacks(cells, plan):
            skipped += 1
            continue
        numbers.append([_read(number, cells, column, begins, form) for column in plan.numbers])
        for values, column in zip(labels, plan.labels, strict=True):
            values.append(_read(label, cells, column, begins, form))
    matrix = np.array(numbers, np.float64).reshape(len(numbers), len(plan.numbers))
    return Parsed(matrix, tuple(map(_objects, labels)), skipped)


def lacks(cells: Sequence[str], plan: Plan) -> bool:
    """Whether a wanted cell of the row is missing."""
    return any(is_missing(cells[column]) for column in (*plan.numbers, *plan.labels))


def _read(reader: Any, cells: Sequence[str], column: int, line: int, form: Form) -> Any:
    try:
        return reader(cells[column])
    except Fault as fault:
        what, why, fix = fault.parts
        raise DataError(f"{form.label}:{line}: {form.column_name(column)}: {what}", why=why, fix=fix) from None


def strict_rows(chunk: bytes, line: int, form: Form) -> Iterator[tuple[int, list[str]]]:
    """Each row with the line it begins on. DataError for ragged or blank rows, NUL, bad UTF-8, unclosed quotes."""
    lines = _text(chunk, line, form.label).split("\n")
    if not lines[-1]:
        del lines[-1]
    reader = csv.reader([f"{one}\n" for one in lines], delimiter=form.delimiter, strict=True)
    begins = line
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as fault:
            reason = _csv_reason(str(fault))
            raise DataError(f"{form.label}:{begins}: {reason}", why="quotes and line ends follow RFC 4180") from None
        if cells is None:
            return
        if not cells or len(cells) != (form.width or len(cells)):
            raise _wrong_width(begins, cells, form)
        yield begins, cells
        begins = line + reader.line_num


def _csv_reason(text: str) -> str:
    if "unexpected end of data" in text:
        return "a quote is never closed"
    if "new-line character" in text:
        return "a carriage return inside a row"
    if "field limit" in text:
        return "a cell longer than 131072 characters"
    return shown(text)


def _wrong_width(line: int, cells: list[str], form: Form) -> DataError:
    if not cells:
        return DataError(f"{form.label}:{line}: a blank line", fix="remove it")
    source = "header" if form.names else "first row"
    count = f"{len(cells)} cell" + ("s" if len(cells) > 1 else "")
    return DataError(
        f"{form.label}:{line}: {count}, but the {source} has {form.width}",
        why=f"cells are separated by '{shown(form.delimiter)}'",
        fix="correct that line, or quote the cells that hold a delimiter",
    )


def _text(chunk: bytes, line: int, label: str) -> str:
    if b"\0" in chunk:
        line += chunk.count(b"\n", 0, chunk.index(b"\0"))
        raise DataError(f"{label}:{line}: a NUL byte", why="this is not UTF-8 text", fix="convert it: iconv -t UTF-8")
    try:
        return chunk.decode("utf-8")
    except UnicodeDecodeError as fault:
        line += chunk.count(b"\n", 0, fault.start)
        raise DataError(
            f"{label}:{line}: byte 0x{chunk[fault.start]:02x} is not UTF-8", fix="convert it: iconv -f LATIN1 -t UTF-8"
        ) from None
