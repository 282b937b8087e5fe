"""Sums over rows, one for each resample, that neither order nor cuts can change: whole numbers on a fixed grid.

A column of values is cut at fixed powers of two into digits of 32 bits, which float64 products add up exactly. Digits
more than 53 bits below the largest value of the column are left out, whichever rows that value comes with.
Source: Demmel, Nguyen, Fast reproducible floating-point summation, 2013 (bins by exponent; here they hold integers).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

BITS, FIRST = 32, -24  # digit p of a value counts 2^(BITS p + FIRST): most losses have two
KEPT = 53
NONE = -(1 << 20)  # the exponent of no value
MOST_ROWS = 1 << 15  # of a product: its digits stay small; its sums, with weights up to 8, are exact in float64
WIDEST = 1 << 27  # rows beyond which int64 may not hold a sum
PLAIN = 1000  # exponents that a factor has

Place = tuple[int, int]  # (column, digit)


class Digits(NamedTuple):
    """The digits of some values, (n, L) float64, their places, and of each column what `GridSums` keeps of it."""

    places: tuple[Place, ...]
    digits: np.ndarray
    tops: tuple[int, ...]
    lost: tuple[bool, ...]


@dataclass(frozen=True, eq=False, slots=True)
class GridSums:
    """The sums of k columns in each of R resamples; `a + b` are those of the rows of both.

    places: of the digits, in ascending order;  digits: their sums, (L, R) whole numbers
    tops: of each column the exponent of its largest value;  lost: whether a value of it is infinite or nan
    rows: how many were added
    """

    places: tuple[Place, ...]
    digits: np.ndarray
    tops: tuple[int, ...]
    lost: tuple[bool, ...]
    rows: int

    def __add__(self, other: GridSums) -> GridSums:
        rows = self.rows + other.rows
        tops = tuple(map(max, self.tops, other.tops))
        lost = tuple(a or b for a, b in zip(self.lost, other.lost, strict=True))
        kind = np.int64 if rows <= WIDEST else object
        if self.places == other.places and tops == self.tops and self.digits.dtype == kind:
            return GridSums(self.places, self.digits + other.digits, tops, lost, rows)
        both = {*self.places, *other.places}
        places = tuple(sorted(place for place in both if place[1] >= _lowest(tops[place[0]])))
        digits = np.zeros((len(places), self.digits.shape[1]), kind)
        for part in (self, other):
            for place, sums in zip(part.places, part.digits, strict=True):
                if place in places:
                    digits[places.index(place)] += sums
        return GridSums(places, digits, tops, lost, rows)

    def __len__(self) -> int:
        return int(self.digits.shape[1])

    @property
    def nbytes(self) -> int:
        """How much memory the sums take."""
        return self.digits.nbytes

    def columns(self, start: int, stop: int) -> GridSums:
        """The sums of some of the columns."""
        at = [row for row, (column, _) in enumerate(self.places) if start <= column < stop]
        places = tuple((self.places[row][0] - start, self.places[row][1]) for row in at)
        return GridSums(places, self.digits[at], self.tops[start:stop], self.lost[start:stop], self.rows)

    @property
    def table(self) -> np.ndarray:
        """The sums as float64, (R, k), infinite beyond it; nan in columns that hold what is no number."""
        result = np.zeros((len(self.tops), len(self)))
        with np.errstate(over="ignore"):
            for (column, digit), sums in zip(self.places, self.digits, strict=True):
                result[column] += _scaled(sums.astype(np.float64), BITS * digit + FIRST)
        result[list(self.lost)] = np.nan
        return result.T


def digits(values: np.ndarray) -> Digits:
    """The digits of values, (n, k)."""
    places: list[Place] = []
    parts: list[np.ndarray] = []
    tops, lost = [], []
    for column, rest in enumerate(values.T):
        largest = max(float(rest.max()), -float(rest.min())) if len(rest) else 0.0
        lost.append(not np.isfinite(largest))
        if lost[-1]:
            rest = np.where(np.isfinite(rest), rest, 0.0)
            largest = float(np.abs(rest).max())
        tops.append(int(np.frexp(largest)[1]) if largest else NONE)
        own = []
        digit = (tops[-1] - 1 - FIRST) // BITS
        while largest and digit >= _lowest(tops[-1]):
            exponent = BITS * digit + FIRST
            counts = np.trunc(_scaled(rest, -exponent))
            rest = rest - _scaled(counts, exponent)
            own.append(((column, digit), counts))
            digit = digit - 1 if rest.any() else _lowest(NONE) - 1
        for place, counts in reversed(own):
            if counts.any():
                places.append(place)
                parts.append(counts)
    table = np.stack(parts, axis=1) if parts else np.zeros((len(values), 0))
    return Digits(tuple(places), table, tuple(tops), tuple(lost))


def _lowest(top: int) -> int:
    """The last digit that is kept of a column with that largest exponent."""
    return (top - KEPT - FIRST) // BITS


def _scaled(values: np.ndarray, exponent: int) -> np.ndarray:
    if abs(exponent) <= PLAIN:
        return np.asarray(values * 2.0**exponent)
    with np.errstate(over="ignore", under="ignore"):
        return np.asarray(np.ldexp(values, exponent))
