"""What is in a source, column by column, in one streaming pass."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from ..errors import DataError
from .dialect import PLAIN, Dialect
from .sources import Field, Frame, blocks, open_source, parse_source

BLOCK_ROWS = 1 << 15
WIDE = 256  # columns from which blocks have fewer rows
LISTED_VALUES = 12


@dataclass(frozen=True)
class Summary:
    """One column, or one array of several columns.

    dtype: "number" or "text" for the columns of a CSV
    values: "0 1" where there are few different ones; low, mean, high: of the finite numbers, None for text
    missing: how many nan or empty; infinite: how many inf or -inf
    vectors: what the rows of several columns are as vectors, None for a single column
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


class Vectors(NamedTuple):
    """Rows as vectors: the shortest and the longest, how many equal an earlier one, how many columns have one value."""

    shortest: float
    longest: float
    duplicates: int
    constant: int


def summaries(text: str, dialect: Dialect = PLAIN) -> Iterator[Summary]:
    """The columns of a source, or of what its selector chooses. FileError, DataError."""
    source = parse_source(text)
    with open_source(source.path, replace(dialect, allow_missing=True)) as frame:
        for field in [frame.select(source.selector)] if source.selector is not None else _parts(frame):
            yield summary(field)


def _parts(frame: Frame) -> list[Field]:
    """Each named column, or a plain array as a whole where it is wide."""
    if not frame.names and frame.width > 8:
        return [frame.all_columns()]
    return [frame.field(position) for position in range(frame.width)]


def summary(field: Field) -> Summary:
    """One field, as numbers if it holds numbers, else as categories. DataError, of the numbers, if it is neither."""
    try:
        return _of_numbers(field)
    except DataError as fault:
        try:
            return _of_categories(field)
        except DataError:
            raise fault from None


def _of_numbers(field: Field) -> Summary:
    rows = missing = infinite = finite = 0
    low, high, mean = np.inf, -np.inf, 0.0
    distinct: set[float] = set()
    running = _Running() if field.width > 1 else None
    for block in blocks([field], ["number"], BLOCK_ROWS if field.width < WIDE else BLOCK_ROWS // 16):
        (values,) = block.load()
        rows += len(values)
        if running is not None:
            running.add(values)
        missing += int(np.count_nonzero(np.isnan(values)))
        infinite += int(np.count_nonzero(np.isinf(values)))
        good = values[np.isfinite(values)]
        if good.size:
            low, high = min(low, float(good.min())), max(high, float(good.max()))
            finite += good.size
            mean += (float(good.mean()) - mean) * good.size / finite
        if len(distinct) <= LISTED_VALUES:
            distinct |= set(np.unique(good[: 1 << 12] if good.ndim == 1 else good)[: LISTED_VALUES + 1].tolist())
    shown = " ".join(f"{value:g}" for value in sorted(distinct)) if 0 < len(distinct) <= LISTED_VALUES else ""
    dtype = "number" if field.kind == "unknown" else field.frame.dtype_of(field)
    if not finite:
        return Summary(field.frame.path, field.name, dtype, rows, field.width, missing=missing, infinite=infinite)
    known = (low, mean, high, missing, infinite, shown, running.vectors() if running else None)
    return Summary(field.frame.path, field.name, dtype, rows, field.width, *known)


@dataclass
class _Running:
    """What is known of the rows so far: their lengths, a hash of each, and the first of them beside what differs."""

    shortest: float = np.inf
    longest: float = 0.0
    rows: int = 0
    hashes: set[bytes] = dataclasses.field(default_factory=set)
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
        self.hashes.update(blake2b(row, digest_size=12).digest() for row in plain)
        self.first = plain[0].copy() if self.first is None else self.first
        changed = (plain != self.first).any(axis=0)
        self.varies = changed if self.varies is None else self.varies | changed

    def vectors(self) -> Vectors | None:
        """None where no row is finite."""
        if self.varies is None or not np.isfinite(self.shortest):
            return None
        constant = int(np.count_nonzero(~self.varies)) if self.rows > 1 else 0
        return Vectors(self.shortest, self.longest, self.rows - len(self.hashes), constant)


def _of_categories(field: Field) -> Summary:
    rows = missing = 0
    distinct: set[Any] = set()
    for block in blocks([field], ["category"], BLOCK_ROWS):
        (values,) = block.load()
        rows += len(values)
        if len(distinct) <= LISTED_VALUES:
            distinct |= {value for value in values.reshape(-1).tolist() if value is not None}
        missing += sum(value is None for value in values.reshape(-1).tolist())
    names = sorted(map(str, distinct))
    shown = " ".join(names[:LISTED_VALUES]) + (" ..." if len(names) > LISTED_VALUES else "")
    return Summary(field.frame.path, field.name, "text", rows, field.width, missing=missing, values=shown)
