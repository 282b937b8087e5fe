"""What CSV cells and rows may be, and the strict reader, which decides: slow, and exact about every fault."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import DataError
from ..text import piped, shown
from .content import numbered_name
from .values import EXACT, NAMELESS

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

LONGEST_LABEL = 256
NUMBER = re.compile(r" *[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)? *")
WHOLE = re.compile(r" *[+-]?[0-9]+(?:\.[0-9]*(?:[eE][+-][0-9]+)?)? *")  # 3, 3.0, and 3.000e+00 as np.savetxt has it
TRUTHS = {"True": 1.0, "true": 1.0, "TRUE": 1.0, "False": 0.0, "false": 0.0, "FALSE": 0.0}
MISSING = frozenset(("", "na", "n/a", "#n/a", "nan", "null", "none"))
LIKE = {" ": str.maketrans("\xa0\u202f\u2009", "   "), "'": str.maketrans("\u2019", "'")}  # the same mark, as printed
BETWEEN = re.compile(r"\s*[,;|]\s*|\s+")
FEWEST_BARE = 4  # numbers that are a list without brackets; fewer may be a date, or one number in groups of digits
SKIP = "drop those rows with --na skip, or choose another column"


class Form(NamedTuple):
    """What every row of a file looks like. names: () without a header; width: 0 before the first row is read.

    decimal, thousands: as in a Dialect;  blanks: cells are separated by any number of blanks
    """

    label: str
    delimiter: str
    names: tuple[str, ...]
    width: int
    allow_missing: bool
    decimal: str = "."
    thousands: str = ""
    blanks: bool = False

    def column_name(self, column: int) -> str:
        """What messages call a column: "column 'p' (4)", or "column 4"."""
        return numbered_name(self.names[column] if self.names else None, column)


class ColumnKinds(NamedTuple):
    """The columns to parse: as numbers, and as labels."""

    numbers: tuple[int, ...]
    labels: tuple[int, ...]


class Parsed(NamedTuple):
    """Rows: numbers (n, len(plan.numbers)) float64, and an array (n,) a label column: int64, str or objects.

    A missing cell, where that is allowed, is nan or None.
    """

    numbers: Array
    labels: tuple[Array, ...]


# --- one row


def plain_rows(chunk: bytes, form: Form) -> bytes:
    """Rows with one blank between cells and none around them, where blanks separate them."""
    if not form.blanks or b'"' in chunk:
        return chunk
    chunk = re.sub(rb"[ \t]{2,}|\t", b" ", chunk)
    return re.sub(rb"(?m)^ | (?=\r?$)", b"", chunk)


# --- one cell


class Fault(Exception):
    """A cell that cannot be read: what is wrong with it, why, and what to do."""

    def __init__(self, what: str, why: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.parts = (what, why, fix)


def is_missing(cell: str) -> bool:
    """An empty cell, NA, N/A, nan, null or None, in any case."""
    return cell.strip(" ").lower() in MISSING


def is_nameless(cell: str) -> bool:
    """Of a label: empty, or NA, nan, null or None as tables write a missing value; none is a word."""
    return cell.strip() in NAMELESS


def is_infinite(cell: str) -> bool:
    """Of a number: inf or infinity, with or without a sign."""
    return cell.strip(" ").lower().lstrip("+-") in ("inf", "infinity")


def may_be_list(cell: str) -> bool:
    """Whether a look at a cell does not rule out that it is a list."""
    return cell.lstrip().startswith(("[", "(")) or len(BETWEEN.split(cell.strip(), FEWEST_BARE - 1)) == FEWEST_BARE


def plain_number(cell: str, form: Form) -> str:
    """A number in the form's decimal point and thousands as float() has it; any other cell as it stands."""
    if form.decimal == "." and not form.thousands:
        return cell
    bare = cell.strip(" ")
    if form.thousands in LIKE:
        bare = bare.translate(LIKE[form.thousands])
    if form.thousands and form.thousands in bare:
        if not _grouped(form.thousands, form.decimal).fullmatch(bare):
            return cell
        bare = bare.replace(form.thousands, "")
    if form.decimal == ",":
        bare = bare.replace(".", "?").replace(",", ".")
    if NUMBER.fullmatch(bare):
        return bare
    if form.decimal == "," and "." in cell and NUMBER.fullmatch(cell):
        raise Fault(
            f"'{shown(cell)}' has a point", "the decimal point is ','", "add --thousands . or leave --decimal out"
        )
    return cell


@cache
def _grouped(mark: str, point: str) -> re.Pattern[str]:
    """A number with its digits in groups: of three, or as in India of two before the last three."""
    mark, point = re.escape(mark), re.escape(point)
    groups = rf"[0-9]{{1,3}}(?:{mark}[0-9]{{3}})+|[0-9]{{1,2}}(?:{mark}[0-9]{{2}})+{mark}[0-9]{{3}}"
    return re.compile(rf"[+-]?(?:{groups})(?:{point}[0-9]*)?")


def number(cell: str) -> float:
    """A decimal number, an infinite one, or 1 and 0 for true and false (True, true, TRUE).

    Fault for anything else, also for whole numbers beyond 2**53, as for arrays of them.
    """
    if (truth := TRUTHS.get(cell.strip(" "))) is not None:
        return truth
    if NUMBER.fullmatch(cell):
        value = float(cell)
        if not math.isfinite(value):
            raise Fault(f"'{shown(cell)}' is beyond the largest float64", fix="correct it, or choose another column")
        if abs(value) >= EXACT and is_inexact(cell):
            raise Fault(
                f"'{shown(cell)}' is beyond 2**53",
                "float64 cannot hold every whole number that large",
                "if it is an identifier, choose another column; if not, write it with a decimal point",
            )
        return value
    if is_infinite(cell):  # as in arrays: whoever asks for the number says whether it may be one
        return float(cell)
    if is_missing(cell):
        raise Fault(f"'{shown(cell)}' is not a number", "every row needs one", SKIP)
    raise Fault(f"'{shown(cell)}' is not a number", _reason(cell), _remedy(cell))


def is_inexact(cell: str) -> bool:
    """Of a cell that rounds to 2**53 or more: whether it is a whole number, written out, beyond 2**53."""
    digits = cell.strip(" +-")
    return digits.isdigit() and digits.lstrip("0") != str(EXACT)


def _reason(cell: str) -> str:
    bare = cell.strip().lower().lstrip("+-")
    if bare.startswith("0x"):
        return "hexadecimal is not read"
    if not cell.isascii():
        return "only 0-9, '.', 'e' and an ASCII sign make a number"
    if bare.startswith(("[", "(", "tensor", "array")):
        return "a column of lists has one in every row"
    if bare.endswith("%"):
        return "whether 97% is 97 or 0.97 is not for a reader to say"
    if "_" in bare or "," in bare or "'" in bare or re.fullmatch(r"[0-9]{1,3}(?:[. ][0-9]{3})+", bare):
        return "digits cannot be grouped, and the decimal point is '.'"
    return "numbers look like 12, -0.5 or 1e-3"


MARKS = {",": ",", ".": ".", "_": "_", "'": '"\'"', "\u2019": '"\'"', **dict.fromkeys(" \xa0\u202f\u2009", "' '")}


def _remedy(cell: str) -> str:
    """What mends a cell that is a number in another country, or a list."""
    bare = cell.strip()
    if re.fullmatch(r"[+-]?[0-9.,]+ ?%", bare):
        return "read it as 0.97 with sed -E 's/ ?%/e-2/g'"
    if re.fullmatch(r"[+-]?[0-9]+,[0-9]{3}", bare):
        return "add --thousands , where that is a whole number, or --decimal , where it is a fraction"
    if re.fullmatch(r"[+-]?[0-9]*,[0-9]+(?:[eE][+-]?[0-9]+)?", bare):
        return "add --decimal ,"
    for mark, flag in MARKS.items():
        point = next((point for point in ".," if point != mark and _grouped(mark, point).fullmatch(bare)), "")
        if point:
            return f"add --thousands {flag}" + (
                " --decimal ," if point == "," and (point in bare or mark == ".") else ""
            )
    return "correct it, or choose another column"


def label(cell: str) -> int | str:
    """A whole number as int (3, 3.0, 3.000e+00), other text as it stands; raises Fault for 1.5 and for an empty cell.

    Whole numbers beyond int64 stay text, so that two identifiers are equal only if their digits are.
    """
    if cell.isdigit() and cell.isascii() and len(cell) < 19:
        return int(cell)
    if is_nameless(cell):
        raise Fault(f"'{shown(cell)}' is not a label", "every row needs one; NA, nan and None are missing values", SKIP)
    if len(cell) > LONGEST_LABEL:
        raise Fault(f"'{shown(cell)}' is longer than {LONGEST_LABEL} characters", fix="choose another column")
    if not WHOLE.fullmatch(cell):
        return cell.strip()
    bare = cell.strip(" ")
    value = int(bare) if bare.lstrip("+-").isdigit() else _whole(bare)
    return value if -(2**63) <= value < 2**63 else cell


def _whole(text: str) -> int:
    value = float(text)
    if value.is_integer() and abs(value) >= EXACT:
        raise Fault(
            f"'{shown(text)}' is beyond 2**53",
            "float64, which writes labels so, does not tell neighbours of that size apart",
            "write whole numbers without a point or an exponent, or choose another column",
        )
    if not value.is_integer():
        raise Fault(
            f"'{shown(text)}' is not a label",
            "labels are whole numbers (1.0 reads as 1), or text",
            "round it, or choose another column",
        )
    return int(value)


# --- the strict reader


def read_strictly(chunk: bytes, line: int, form: Form, plan: ColumnKinds) -> Parsed:
    """Rows by the csv module, cells by regular expressions and float(). DataError with file, line and column."""
    numbers: list[list[float]] = []
    labels: list[list[int | str | None]] = [[] for _ in plan.labels]
    for begins, cells in strict_rows(chunk, line, form):
        numbers.append([_read(_number_or_nan, cells, column, begins, form) for column in plan.numbers])
        for values, column in zip(labels, plan.labels, strict=True):
            values.append(_read(label_or_none, cells, column, begins, form))
    matrix = np.array(numbers, np.float64).reshape(len(numbers), len(plan.numbers))
    return Parsed(matrix, tuple(map(objects, labels)))


def _number_or_nan(cell: str, form: Form) -> float:
    return math.nan if form.allow_missing and is_missing(cell) else number(plain_number(cell, form))


def label_or_none(cell: str, form: Form) -> int | str | None:
    """A cell as a label, None where it is missing and may be. Fault."""
    return None if form.allow_missing and is_nameless(cell) else label(plain_number(cell, form))


def _read(reader: Any, cells: Sequence[str], column: int, line: int, form: Form) -> Any:
    try:
        return reader(cells[column], form)
    except Fault as fault:
        what, why, fix = fault.parts
        fix = piped(fix, form.label) if " sed " in fix else fix
        raise DataError(f"{form.label}:{line}: {form.column_name(column)}: {what}", why=why, fix=fix) from None


def strict_rows(chunk: bytes, line: int, form: Form) -> Iterator[tuple[int, list[str]]]:
    """Each row with the line it begins on. DataError for ragged rows, NUL, bad UTF-8, unclosed quotes, and for a blank
    row, unless it is one cell that may be missing."""
    lines = _text(chunk, line, form.label).split("\n")
    if not lines[-1]:
        del lines[-1]
    reader = csv.reader([f"{text}\n" for text in lines], delimiter=form.delimiter, strict=True)
    begins = line
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as fault:
            reason = _csv_reason(str(fault))
            raise DataError(f"{form.label}:{begins}: {reason}", why="quotes and line ends follow RFC 4180") from None
        if cells is None:
            return
        if not cells and form.width == 1 and form.allow_missing:
            cells = [""]
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
        fix = piped("sed '/^[[:space:]]*$/d'", form.label)
        if form.width != 1:
            return DataError(f"{form.label}:{line}: a blank line", fix=fix)
        return DataError(
            f"{form.label}:{line}: a blank line",
            why="in a file of one column it may be a row whose value is missing",
            fix=f"where it is: --na skip; where it is no row: {fix}",
        )
    if cells[0].startswith("#"):
        return DataError(
            f"{form.label}:{line}: {len(cells)} cell{'s' if len(cells) > 1 else ''}: a comment among the rows",
            fix=piped("grep -v '^#'", form.label),
        )
    is_first = line == 2 and form.names
    if is_first and len(cells) == form.width + 1 and cells[0].strip() not in form.names:
        return DataError(
            f"{form.label}:{line}: {len(cells)} cells, but the header has {form.width}",
            why="R writes a name for each row, and none for their column",
            fix="where that is so: " + piped(f"sed '1s/^/row{form.delimiter}/'", form.label),
        )
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
        raise DataError(
            f"{label}:{line}: a NUL byte",
            why="text has none: the file has a hole, or is padded",
            fix="make it again, or, where it is padding, " + piped("tr -d '\\000' <", label),
        )
    try:
        return chunk.decode("utf-8")
    except UnicodeDecodeError as fault:
        line += chunk.count(b"\n", 0, fault.start)
        raise DataError(
            f"{label}:{line}: byte 0x{chunk[fault.start]:02x} is not UTF-8",
            fix=piped("iconv -f LATIN1 -t UTF-8", label),
        ) from None


def objects(cells: Sequence[int | str | None]) -> Array:
    """As int64 where all are int, else as they are; (n,)."""
    if set(map(type, cells)) == {int}:
        return np.array(cells, np.int64)
    labels = np.empty(len(cells), object)
    labels[:] = cells
    return labels
