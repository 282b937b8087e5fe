"""What is in a source, column by column, in one streaming pass."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from ..errors import DataError
from .dialect import PLAIN, Dialect
from .opening import label_of
from .sources import Field, Frame, blocks, open_source, parse_source

BLOCK_ROWS = 1 << 15
WIDE = 256  # columns from which blocks have fewer rows
LISTED_VALUES = 12
FIRST_ROWS = 64
MOST_VALUES = 1 << 20  # of all columns that are read in one pass
MOST_HASHES = 1 << 22  # of different rows, of 100 bytes each; beyond them equal rows are not counted
LONG = 30.0  # seconds of reading that are said before
LOOKED = 0.2  # seconds of reading from which its pace is known
UNSURE = 5.0  # seconds after which a reading without a known end is told
SHORT = 10.0  # seconds that a reading of the first rows should take


@dataclass(frozen=True)
class Summary:
    """One column, or one array of several columns.

    dtype: "number" or "text" for the columns of a CSV
    values: "0 1" where there are few different ones; low, mean, high: of the finite numbers, None for text
    missing: how many nan or empty; infinite: how many inf or -inf
    vectors: what the rows of several columns are as vectors, None for a single column
    part: where only the first rows were looked at, else None
    """

    path: str
    name: str
    dtype: str
    rows: int
    columns: int
    low: float | None = None
    mean: float | None = None
    high: float | None = None
    missing: int = 0
    infinite: int = 0
    values: str = ""
    vectors: Vectors | None = None
    part: Excerpt | None = None


class Vectors(NamedTuple):
    """Rows as vectors: the shortest and the longest, how many equal an earlier one, how many columns have one value.

    duplicates: None where so many rows differ that equal ones were not counted
    """

    shortest: float
    longest: float
    duplicates: int | None
    constant: int


class Excerpt(NamedTuple):
    """The first rows of a file. of: how many it has, None where that is not known without reading them."""

    of: int | None


def summaries(
    text: str, dialect: Dialect = PLAIN, most: int | None = None, tell: Callable[[str], None] = lambda text: None
) -> Iterator[Summary]:
    """The columns of a source, or of what its selector chooses. FileError, DataError.

    most: how many rows are looked at, all unless given
    tell: is told, as soon as that is known, of a reading that takes over `LONG` seconds, and how it is made shorter
    """
    source = parse_source(text)
    with open_source(source.path, dialect._replace(allow_missing=True)) as frame:
        fields = [frame.select(source.selector)] if source.selector is not None else _parts(frame)
        reading = _Reading(fields, most, tell)
        if len(fields) > 1 and not frame.lazy and all(field.width == 1 for field in fields):
            yield from _of_all(fields, reading) or (_summary(field, reading) for field in fields)
        else:
            yield from (_summary(field, reading) for field in fields)


class _Reading:
    """The rows of the fields, no more than are wanted, and a word where they take long."""

    def __init__(self, fields: Sequence[Field], most: int | None, tell: Callable[[str], None]) -> None:
        self.most, self.tell, self.is_told = most, tell, False
        self.start, self.done = time.monotonic(), 0
        lengths = [_rows(field) for field in fields]
        self.all = (
            None
            if None in lengths
            else sum(self._looked_at(rows or 0) * field.width for rows, field in zip(lengths, fields, strict=True))
        )
        self.part: Excerpt | None = None

    def walk(self, fields: Sequence[Field], kinds: Sequence[str], step: int) -> Iterator[tuple[np.ndarray, ...]]:
        """The values of the fields, `step` rows at a time; `part` says afterwards whether there are more rows."""
        self.part = None
        walk = blocks(fields, kinds, self._looked_at(step))
        for block in walk:
            values, stop = block.load(), self._looked_at(block.stop)
            yield values if stop == block.stop else tuple(array[: stop - block.start] for array in values)
            self.done += (stop - block.start) * sum(field.width for field in fields)
            self._watch(fields, stop)
            if self._looked_at(stop + 1) == stop:
                if stop < block.stop or next(walk, None) is not None:
                    self.part = Excerpt(_rows(fields[0]))
                return

    def _looked_at(self, rows: int) -> int:
        return rows if self.most is None else min(rows, self.most)

    def _watch(self, fields: Sequence[Field], rows: int) -> None:
        seconds = time.monotonic() - self.start
        if self.is_told or seconds < (UNSURE if self.all is None else LOOKED):
            return
        label, width = label_of(fields[0].frame.path), sum(field.width for field in fields)
        few = 10 ** int(np.log10(max(1.0, SHORT * self.done / seconds / width)))
        shorter = f"; --first {few} looks at the first rows alone" if few < rows or self.all is not None else ""
        if self.all is None:
            self.is_told = True
            self.tell(f"{label}: {rows:,} rows read, and how many there are is not known before they are read{shorter}")
        elif (total := seconds * self.all / self.done) > LONG:
            self.is_told = True
            self.tell(f"{label}: {self.all:,} values are to be read, which takes about {_duration(total)}{shorter}")


def _duration(seconds: float) -> str:
    for unit, name in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:,.0f} {name}"
    return f"{seconds:.0f} seconds"


def _rows(field: Field) -> int | None:
    return field.frame.content.rows_of(field.columns[0])


def _parts(frame: Frame) -> list[Field]:
    """Each named column, or a plain array as a whole where it is wide."""
    if not frame.names and frame.width > 8:
        return [frame.all_columns()]
    return [frame.field(position) for position in range(frame.width)]


def _summary(field: Field, reading: _Reading) -> Summary:
    """One field, as numbers if it holds numbers, else as categories. DataError, of the numbers, if it is neither."""
    if field.axes:
        field = field._replace(flat=True, name=f"{field.name} {field.axes}")
    try:
        return _of_numbers(field, reading)
    except DataError as fault:
        try:
            return _of_categories(field, reading)
        except DataError:
            raise fault from None


def _of_numbers(field: Field, reading: _Reading) -> Summary:
    numbers = _Numbers(_Running() if field.width > 1 else None)
    for (values,) in reading.walk([field], ["number"], BLOCK_ROWS if field.width < WIDE else BLOCK_ROWS // 16):
        numbers.add(values)
    return replace(numbers.summary(field), part=reading.part)


@dataclass
class _Numbers:
    """What is known of the numbers so far."""

    running: _Running | None = None
    rows: int = 0
    missing: int = 0
    infinite: int = 0
    finite: int = 0
    low: float = np.inf
    high: float = -np.inf
    mean: float = 0.0
    distinct: set[float] = dataclasses.field(default_factory=set)

    def add(self, values: np.ndarray) -> None:
        self.rows += len(values)
        if self.running is not None:
            self.running.add(values)
        self.missing += int(np.count_nonzero(np.isnan(values)))
        self.infinite += int(np.count_nonzero(np.isinf(values)))
        good = values[np.isfinite(values)]
        if good.size:
            self.low, self.high = min(self.low, float(good.min())), max(self.high, float(good.max()))
            self.finite += good.size
            self.mean += (float(good.mean()) - self.mean) * good.size / self.finite
        if len(self.distinct) <= LISTED_VALUES:
            self.distinct |= set(np.unique(good[:FIRST_ROWS])[: LISTED_VALUES + 1].tolist())
        if len(self.distinct) <= LISTED_VALUES:
            self.distinct |= set(np.unique(good)[: LISTED_VALUES + 1].tolist())

    def summary(self, field: Field) -> Summary:
        count = len(self.distinct)
        shown = " ".join(f"{value:g}" for value in sorted(self.distinct)) if 0 < count <= LISTED_VALUES else ""
        dtype = "number" if field.kind == "unknown" else field.frame.dtype_of(field)
        lead = (field.frame.path, field.name, dtype, self.rows, field.width)
        if not self.finite:
            return Summary(*lead, missing=self.missing, infinite=self.infinite)
        vectors = self.running.vectors() if self.running else None
        return Summary(*lead, self.low, self.mean, self.high, self.missing, self.infinite, shown, vectors)


@dataclass
class _Running:
    """What is known of the rows so far: their lengths, a hash of each, and the first of them beside what differs."""

    shortest: float = np.inf
    longest: float = 0.0
    rows: int = 0
    hashes: set[bytes] | None = dataclasses.field(default_factory=set)
    first: np.ndarray | None = None
    varies: np.ndarray | None = None

    def add(self, values: np.ndarray) -> None:
        from hashlib import blake2b

        if not len(values):
            return
        with np.errstate(over="ignore", invalid="ignore"):
            norms = np.sqrt(np.einsum("ij,ij->i", values, values))
        good = norms[np.isfinite(norms)]
        if good.size:
            self.shortest, self.longest = min(self.shortest, float(good.min())), max(self.longest, float(good.max()))
        self.rows += len(values)
        plain = np.ascontiguousarray(values + 0.0)  # -0 is 0
        if self.hashes is not None:
            self.hashes.update(blake2b(row, digest_size=12).digest() for row in plain)
            if len(self.hashes) > MOST_HASHES:
                self.hashes = None
        self.first = plain[0].copy() if self.first is None else self.first
        changed = (plain != self.first).any(axis=0)
        self.varies = changed if self.varies is None else self.varies | changed

    def vectors(self) -> Vectors | None:
        """None where no row is finite."""
        if self.varies is None or not np.isfinite(self.shortest):
            return None
        constant = int(np.count_nonzero(~self.varies)) if self.rows > 1 else 0
        duplicates = None if self.hashes is None else self.rows - len(self.hashes)
        return Vectors(self.shortest, self.longest, duplicates, constant)


def _of_categories(field: Field, reading: _Reading) -> Summary:
    categories = _Categories()
    for (values,) in reading.walk([field], ["category"], BLOCK_ROWS):
        categories.add(values)
    return replace(categories.summary(field), part=reading.part)


@dataclass
class _Categories:
    """What is known of the labels so far."""

    rows: int = 0
    missing: int = 0
    distinct: set[Any] = dataclasses.field(default_factory=set)

    def add(self, values: np.ndarray) -> None:
        self.rows += len(values)
        items = values.reshape(-1).tolist()
        if len(self.distinct) <= LISTED_VALUES:
            self.distinct |= {item for item in items if item is not None}
        self.missing += sum(item is None for item in items)

    def summary(self, field: Field) -> Summary:
        names = sorted(map(str, self.distinct))
        shown = " ".join(names[:LISTED_VALUES]) + (" ..." if len(names) > LISTED_VALUES else "")
        return Summary(field.frame.path, field.name, "text", self.rows, field.width, missing=self.missing, values=shown)


# --- many columns of a file that is parsed as it is read


def _of_all(fields: list[Field], reading: _Reading) -> list[Summary] | None:
    """The columns in one pass; None where a column is neither numbers nor labels as its first rows are."""
    kinds = _kinds(fields)
    columns = [_Numbers() if kind == "number" else _Categories() for kind in kinds]
    try:
        for arrays in reading.walk(fields, kinds, max(FIRST_ROWS, MOST_VALUES // len(fields))):
            for column, values in zip(columns, arrays, strict=True):
                column.add(values)
    except DataError:
        return None
    return [replace(column.summary(field), part=reading.part) for column, field in zip(columns, fields, strict=True)]


def _kinds(fields: list[Field]) -> list[str]:
    """What the first rows of each are: those that are numbers together, the others by halves."""
    try:
        for block in blocks(fields, ["number"] * len(fields), FIRST_ROWS):
            block.load()
            break
    except DataError:
        half = len(fields) // 2
        return [*_kinds(fields[:half]), *_kinds(fields[half:])] if half else ["category"]
    return ["number"] * len(fields)
