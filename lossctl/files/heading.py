"""The first lines of a text table: comments, what separates its cells, and whether a row of them names the columns."""

from __future__ import annotations

import contextlib
import csv
import re
from collections.abc import Mapping, Sequence

from ..errors import DataError
from ..language.roles import ROLES
from ..text import piped, shown
from .cells import (
    NUMBER,
    TRUTHS,
    Fault,
    Form,
    is_infinite,
    is_missing,
    may_be_list,
    plain_number,
    plain_rows,
    strict_rows,
)
from .dialect import Dialect
from .opening import Bytes, with_newlines
from .tables import Table, whole_rows

BOM = b"\xef\xbb\xbf"
SAMPLE_BYTES = 1 << 16
SAMPLE_ROWS = 1000
DELIMITED = re.compile(rb"[,\t;|]")
SEP_LINE = re.compile(rb"sep=(.)\r?\n", re.DOTALL)
ASK = "say which: --header yes, or --header no"
ORDINARY = (
    "id", "ids", "index", "idx", "key", "name", "fold", "subset", "category", "categories", "lang", "language", "text",
    "file", "filename", "path", "source", "domain", "site", "gender", "user", "item", "classes", "truths",
)  # fmt: skip
USUAL_NAMES = {*ORDINARY, *(name for role in ROLES.values() for name in (role.name, role.option, *role.columns))}


def open_table(stretch: Bytes, closing: contextlib.ExitStack, dialect: Dialect) -> Table:
    """A text table with its first rows looked at. DataError, where it is no table or can be read in two ways."""
    label = stretch.label
    head = stretch.pread(0, min(SAMPLE_BYTES, stretch.size))
    begin = len(BOM) if head.startswith(BOM) else 0
    _refuse_binary(head, label)
    if begin == stretch.size:
        raise DataError(f"{label}: is empty", fix="check the command that wrote it")
    if b"\r" in head and b"\n" not in head:
        stretch, head = with_newlines(stretch), head.replace(b"\r", b"\n")
    line, delimiter = 1, dialect.delimiter
    if (sep := SEP_LINE.match(head, begin)) and delimiter is None:
        begin, line, delimiter = sep.end(), 2, sep[1].decode("latin-1")
    comments, begin, line = _comments(stretch, begin, line, may_be_labels=dialect.header is not False)
    sample = whole_rows(stretch, begin, SAMPLE_BYTES)
    first = _first_row(sample)
    form = Form(label, ",", (), 0, dialect.allow_missing, dialect.decimal, dialect.thousands)
    if delimiter is None:
        delimiter, blanks = _delimiter(first, sample[len(first) :], form)
        form = form._replace(blanks=blanks)
    form = form._replace(delimiter=delimiter)
    _, cells = next(strict_rows(plain_rows(first, form), line, form))
    form = form._replace(width=len(cells))
    rows = _sample_rows(sample[len(first) :], form)
    lists: Mapping[int, int] = {}
    if rows and any(map(may_be_list, rows[0])):
        from .listed import list_widths

        lists = list_widths(rows)
    names = _names_in(comments, form) if dialect.header is None and _are_numbers(cells, form) else ()
    if names:
        return Table(stretch, form._replace(names=names), begin, line)
    if not (_is_header(cells, rows, form, line) if dialect.header is None else dialect.header):
        return Table(stretch, form, begin, line, lists=lists)
    if dialect.header is None:
        _refuse_second_header(cells, rows, form, line)
    form = form._replace(names=_header_names(cells, label, line))
    return Table(stretch, form, begin + len(first), line + first.count(b"\n"), lists=lists)


def _refuse_binary(head: bytes, label: str) -> None:
    zeros = head[:4096].count(b"\0")
    if head.startswith((b"\xff\xfe\0\0", b"\0\0\xfe\xff")):
        raise DataError(f"{label}: is UTF-32, not UTF-8 text", fix=piped("iconv -f UTF-32 -t UTF-8", label))
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError(f"{label}: is UTF-16, not UTF-8 text", fix=piped("iconv -f UTF-16 -t UTF-8", label))
    text = head[:4096]
    for order, high in (("LE", text[1::2]), ("BE", text[0::2])):
        if zeros and high.count(0) > 0.9 * len(high) and text.count(b"\0") <= 1.1 * len(high):
            raise DataError(f"{label}: is UTF-16, not UTF-8 text", fix=piped(f"iconv -f UTF-16{order} -t UTF-8", label))
    odd = len(re.findall(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f-\xff]", text)) if not _is_utf8(text) else zeros
    if odd > 0.1 * len(text):
        raise DataError(
            f"{label}: is binary, and does not say what it is",
            why="raw numbers have no header: their type and shape cannot be told",
            fix=f"if they are float32, add --dim D, their width; if not: np.save('x.npy', np.fromfile('{label}', 'f8')"
            ".reshape(-1, D)), with their type for f8",
        )


def _is_utf8(text: bytes) -> bool:
    try:
        text[:-4].decode("utf-8")
    except UnicodeDecodeError as fault:
        return fault.start >= len(text) - 8
    return True


# --- the first row


def _first_row(chunk: bytes) -> bytes:
    end = quotes = 0
    while True:
        start, end = end, chunk.find(b"\n", end) + 1
        if end == 0:
            return chunk
        quotes += chunk.count(b'"', start, end)
        if quotes % 2 == 0:
            return chunk[:end]


def _comments(stretch: Bytes, begin: int, line: int, *, may_be_labels: bool) -> tuple[list[str], int, int]:
    """The lines that begin with # before the first row, and where that stands. None where they may be labels."""
    comments: list[str] = []
    at, number = begin, line
    while at < stretch.size:
        row = whole_rows(stretch, at, SAMPLE_BYTES)
        row = row[: row.find(b"\n") + 1] or row
        if not row.startswith(b"#"):
            is_table = DELIMITED.search(row) or NUMBER.fullmatch(
                row.split()[0].decode("latin-1") if row.split() else ""
            )
            spaced = all(comment[1:2] in ("", " ", "#", "\t") for comment in comments)
            if comments and not (is_table or spaced):
                if not may_be_labels:
                    return [], begin, line
                raise DataError(
                    f"{stretch.label}:{line}: '{shown(comments[0])}' may be a comment or a label",
                    fix="keep it with --header no, or leave it out: " + piped("grep -v '^#'", stretch.label),
                )
            return comments, at, number
        comments.append(row.decode("utf-8", "replace").strip())
        at += len(row)
        number += 1
    return [], begin, line


def _names_in(comments: Sequence[str], form: Form) -> tuple[str, ...]:
    """Names for every column in the last of the comments, as np.savetxt(header=...) writes them."""
    text = comments[-1].lstrip("#").strip() if comments else ""
    names = (
        text.split() if form.blanks or form.delimiter == " " else [name.strip() for name in text.split(form.delimiter)]
    )
    fit = len(names) == form.width == len(set(names)) and all(names)
    return tuple(names) if fit and not any(NUMBER.fullmatch(name) for name in names) else ()


def _delimiter(first: bytes, rest: bytes, form: Form) -> tuple[str, bool]:
    """What separates cells, and whether runs of blanks do."""
    if b";" in first and b"," in first and _are_numbers(_texts(first, b";"), form, decimal=","):
        return ";", False
    order = b"\t;|," if form.decimal == "," else b",\t;|"
    for code in order:
        sign = bytes([code])
        if sign in first and (sign != b"|" or _texts(first, sign) != [first.decode("latin-1").strip()]):
            return sign.decode(), False
    second = _first_row(rest)
    here, below = _texts(first, None), _texts(second, None)
    if not DELIMITED.search(first) and re.search(rb'" +"', first):
        return " ", False  # as R writes tables
    if len(here) >= 2 and not DELIMITED.search(first) and b'"' not in first:
        of_numbers = [row for row in (here, below) if row and _are_numbers(row, form)]
        if here in of_numbers or (len(here) == len(below) and below in of_numbers):
            return " ", True
    return ",", False


def _texts(row: bytes, sign: bytes | None) -> list[str]:
    return [cell.strip().strip('"') for cell in row.decode("utf-8", "replace").split(sign.decode() if sign else None)]


def _is_number(cell: str, form: Form) -> bool:
    try:
        return NUMBER.fullmatch(plain_number(cell, form)) is not None or is_infinite(cell)
    except Fault:
        return True


def _are_numbers(cells: Sequence[str], form: Form, decimal: str = "") -> bool:
    form = form._replace(decimal=decimal) if decimal else form
    return all(_is_number(cell, form) for cell in cells)


# --- header or data


def _sample_rows(text: bytes, form: Form) -> list[list[str]]:
    """Some rows below the first, as far as they are rows."""
    lines = plain_rows(text, form).decode("utf-8", "replace").splitlines(keepends=True)
    rows: list[list[str]] = []
    try:
        for cells in csv.reader(lines, delimiter=form.delimiter, strict=True):
            if len(cells) == form.width:
                rows.append([cell.strip(" ") for cell in cells])
            if len(rows) == SAMPLE_ROWS:
                break
    except csv.Error:
        pass
    return rows


def _is_header(cells: list[str], rows: Sequence[Sequence[str]], form: Form, line: int) -> bool:
    """Whether the first row is of another kind than those below it. DataError where that cannot be told."""
    bare = [cell.strip(" ") for cell in cells]
    numeric = [_is_number(cell, form) for cell in bare]
    if all(numeric):
        counts = [str(count) for count in range(len(cells) + 1)]
        if len(cells) >= 2 and bare in (counts[:-1], counts[1:]):
            raise _two_readings(form.label, line, f"it is {bare[0]}, {bare[1]} ..., as if it counted the columns")
        return False
    if all(cell in TRUTHS for cell in bare):
        return bool(rows) and not any(cell in TRUTHS for cell in rows[0])
    if all(number or cell in TRUTHS for number, cell in zip(numeric, bare, strict=True)):
        return False
    for cell, number in zip(bare, numeric, strict=True):
        if number and not cell.isdigit():
            raise _two_readings(form.label, line, f"'{shown(cell)}' in it is a number, other cells are not")
    if not bare[0] and all(cell.isdigit() for cell in bare[1:]):
        return True  # an index without a name, and columns that are counted
    if not rows or any(_names_numbers(column, bare, rows, form) for column in range(len(cells))):
        return True
    below = [{row[column] for row in rows} for column in range(len(cells))]
    if any(cell and cell in values for cell, values in zip(bare, below, strict=True)):
        return False  # a value of the column, and no name
    if any(
        cell.lower() in USUAL_NAMES
        and (len(cell) > 1 or max(map(len, values)) > 1)  # x may stand above words, not y, z
        for cell, values in zip(bare, below, strict=True)
    ):
        return True
    raise _two_readings(
        form.label,
        line,
        f"'{shown(next(filter(None, bare), ''))}' is text, as the rows below it are, and no usual name",
    )


def _names_numbers(column: int, first: Sequence[str], rows: Sequence[Sequence[str]], form: Form) -> bool:
    """The first cell of a column is text, and those below it are numbers, but for missing ones and a few."""
    cell = first[column]
    if _is_number(cell, form) or _is_almost(cell) or cell in TRUTHS or is_missing(cell):
        return False
    below = [row[column] for row in rows if not is_missing(row[column])]
    fit = sum(_is_number(value, form) or value in TRUTHS or _is_almost(value) for value in below)
    return fit > 0.5 * len(below)


def _is_almost(cell: str) -> bool:
    """A number as others write it: 0,5, 97%, 1,234.5, [0.1, 0.2]."""
    return re.fullmatch(r"[-+\[(]*[0-9][0-9.,'_ eE+-]*[%\])]*", cell) is not None


def _refuse_second_header(cells: Sequence[str], rows: Sequence[Sequence[str]], form: Form, line: int) -> None:
    """DataError where the row below the first is of its kind too, and the rows below that are not."""
    if len(rows) < 2:
        return
    named = [column for column in range(len(cells)) if _names_numbers(column, rows[0], rows[1:], form)]
    if not named or any(_is_number(cell, form) or _is_almost(cell) for cell in rows[0]):
        return
    raise DataError(
        f"{form.label}:{line + 1}: a second row of names",
        why="several rows of names have no one reading as columns",
        fix=_one_header(cells, rows[0], form, line),
    )


def _one_header(first: Sequence[str], second: Sequence[str], form: Form, line: int) -> str:
    """How to make one row of names of two: the one that has the usual names, filled up from the other."""

    def usual(names: Sequence[str]) -> int:
        return sum(len(name.strip()) > 1 and name.strip().lower() in USUAL_NAMES for name in names)

    best, rest = (second, first) if usual(second) >= usual(first) else (first, second)
    names = [(a or b).strip() or f"column{at}" for at, (a, b) in enumerate(zip(best, rest, strict=True), 1)]
    if names == [name.strip() for name in second]:
        return piped(f"tail -n +{line + 1}", form.label)
    if names == [name.strip() for name in first]:
        return piped(f"sed {line + 1}d", form.label)
    names = [name if names.index(name) == at else f"{name}.{at + 1}" for at, name in enumerate(names)]
    if not all(re.fullmatch(r"[\w .:=-]+", name) for name in names):
        return "write one row of names in their place"
    sign = "\\t" if form.delimiter == "\t" else form.delimiter
    return piped(f"sed -e {'1,' if line > 1 else ''}{line}d -e '{line + 1}s/.*/{sign.join(names)}/'", form.label)


def _two_readings(label: str, line: int, reason: str) -> DataError:
    return DataError(f"{label}:{line}: the first row may be a header or data: {reason}", fix=ASK)


def _renamed(names: Sequence[str], label: str, line: int) -> str:
    """How to give each column a name of its own."""
    others = [name or f"column{at}" for at, name in enumerate(names, 1)]
    others = [name if others.index(name) == at else f"{name}.{at + 1}" for at, name in enumerate(others)]
    if not all(re.fullmatch(r"[\w .:=-]+", name) for name in others):
        return "rename one"
    at = next(at for at, (name, other) in enumerate(zip(names, others, strict=True)) if name != other)
    skipped = r"([^,;|\t]*.)" + f"{{{at}}}"
    return piped(f"sed -E '{line}s/^{skipped}{names[at]}/\\1{others[at]}/'", label)


def _header_names(cells: list[str], label: str, line: int) -> tuple[str, ...]:
    names = tuple(cell.strip(" ") for cell in cells)
    first: dict[str, int] = {}
    for column, name in enumerate(names, start=1):
        if not name and column > 1:
            what = f"{label}:{line}: column {column} has no name"
            raise DataError(what, fix=f"use --header no, or name it: {_renamed(names, label, line)}")
        if name in first:
            raise DataError(
                f"{label}:{line}: columns {first[name]} and {column} are both called '{shown(name)}'",
                fix=f"if this row is data, use --header no; if not: {_renamed(names, label, line)}",
            )
        first[name] = column
    return names
