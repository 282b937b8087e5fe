"""Sums that do not depend on order: exact while adding, rounded once at the end.

Every float64 is an integer multiple of 2**-1074, so a sum of floats is a Python integer in that unit. Blocks of an
array get there in a few vector passes: split off the leading bits of all values at once on a common grid, add them up
as integers, and go on with the rests until none is left.
Source: the grid is that of Rump, Ogita, Oishi, Accurate floating-point summation, 2008 (ExtractVector); unlike there,
no rest is dropped, and integers hold more bits of each value than a float64 sum could.
"""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np

UNIT_EXPONENT = 1074
CHUNK = 1 << 15  # values a pass: they stay in the cache, their sum has 15 bits more than one, and an int64 holds it
GRID_BITS = 47
EXACT_WIDTH = 39  # bits of the rests, each half a step or less, of which a float64 holds the sum of a chunk
FEW = 128  # values that `math.fsum` adds faster
ALL_BUT_SIGN = (1 << 63) - 1  # bits of a float64 that are clear in 0 and -0 alone
SMALLEST_EXPONENT = GRID_BITS - UNIT_EXPONENT  # there the grid is the spacing of the subnormals: no rest remains


class Total(NamedTuple):
    """An exact sum of float64 values; `a + b` merges two of them.

    units: the sum of the finite values, in units of 2**-1074
    infinities, minus_infinities, nans: how many of each were added
    """

    units: int = 0
    infinities: int = 0
    minus_infinities: int = 0
    nans: int = 0

    def __add__(self, other: Total) -> Total:  # type: ignore[override]
        return Total(
            self.units + other.units,
            self.infinities + other.infinities,
            self.minus_infinities + other.minus_infinities,
            self.nans + other.nans,
        )

    def __truediv__(self, other: Total) -> float:
        """The quotient of two sums, rounded once; nan for 0/0 and inf/inf."""
        if not (self.is_finite and other.is_finite) or other.units == 0:
            numerator, denominator = float(self), float(other)
            if denominator == 0:
                return math.nan if numerator == 0 or math.isnan(numerator) else math.copysign(math.inf, numerator)
            return numerator / denominator
        try:
            return self.units / other.units
        except OverflowError:
            return math.inf if (self.units > 0) == (other.units > 0) else -math.inf

    def __float__(self) -> float:
        if self.nans or (self.infinities and self.minus_infinities):
            return math.nan
        if self.infinities or self.minus_infinities:
            return math.inf if self.infinities else -math.inf
        try:
            return self.units / (1 << UNIT_EXPONENT)
        except OverflowError:
            return math.inf if self.units > 0 else -math.inf

    @property
    def is_finite(self) -> bool:
        return not (self.infinities or self.minus_infinities or self.nans)


ZERO = Total()


def count(n: int) -> Total:
    """The exact sum of n ones."""
    return Total(n << UNIT_EXPONENT)


def total(values: np.ndarray) -> Total:
    """The exact sum of a float64 array of any shape, order and layout."""
    import numpy as np

    flat = np.ravel(values)
    if flat.size <= FEW:
        return _total_of_few(flat.tolist())
    low, high = float(flat.min()), float(flat.max())
    largest = max(high, -low)
    if not math.isfinite(largest):
        finite = np.isfinite(flat)
        return Total(
            total(flat[finite]).units,
            int(np.count_nonzero(flat == np.inf)),
            int(np.count_nonzero(flat == -np.inf)),
            int(np.count_nonzero(np.isnan(flat))),
        )
    if largest >= 2.0**900:  # the grid's own constant would overflow: sum the huge values apart, scaled
        huge = np.abs(flat) >= 2.0**800
        return Total((total(flat[huge] * 2.0**-200).units << 200) + total(flat[~huge]).units)
    if low == high:
        return Total(flat.size * _units(low))
    top, bottom = math.frexp(largest)[1], -UNIT_EXPONENT
    if low > 0 or high < 0:  # the smallest value knows the lowest bit that any of them can have
        bottom = max(bottom, math.frexp(max(low, -high))[1] - 53)
    grid, rest = np.empty((2, min(flat.size, CHUNK)))
    units = 0
    for start in range(0, flat.size, CHUNK):
        chunk = flat[start : start + CHUNK]
        units += _chunk_units(chunk, top, bottom, grid[: chunk.size], rest[: chunk.size])
    return Total(units)


def _total_of_few(values: list[float]) -> Total:
    """The same: their sum rounded, what that lost, rounded, and so on until nothing is left."""
    units, count = 0, len(values)
    try:
        rest = math.fsum(values)
        while rest:
            units += _units(rest)
            values.append(-rest)
            rest = math.fsum(values)
    except (OverflowError, ValueError):  # too large for a float64, or not finite
        return _total_of_any(values[:count])
    return Total(units)


def _total_of_any(values: list[float]) -> Total:
    """The same, one by one."""
    units = infinities = minus_infinities = nans = 0
    for value in values:
        if value - value == 0:
            units += _units(value)
        elif value > 0:
            infinities += 1
        elif value < 0:
            minus_infinities += 1
        else:
            nans += 1
    return Total(units, infinities, minus_infinities, nans)


def _chunk_units(chunk: np.ndarray, top: int, bottom: int, grid: np.ndarray, rest: np.ndarray) -> int:
    """The sum of values below 2**top that are multiples of 2**bottom, in units. grid, rest: room of the chunk's size"""
    import numpy as np

    units, remains, exponent = 0, True, top
    while remains:
        exponent = max(exponent, SMALLEST_EXPONENT)
        anchor = 1.5 * 2.0 ** (exponent + 52 - GRID_BITS)
        np.add(chunk, anchor, out=grid)  # between anchor / 1.5 and its double, where bits count steps of the grid
        steps = int(grid.view(np.int64).sum()) - chunk.size * _bits(anchor)
        units += _signed(steps) << (exponent - SMALLEST_EXPONENT)
        exponent -= GRID_BITS
        if exponent <= bottom:
            break
        np.subtract(grid, anchor, out=grid)
        chunk = np.subtract(chunk, grid, out=rest)
        if exponent - bottom <= EXACT_WIDTH:
            return units + _units(float(rest.sum()))
        if exponent - GRID_BITS > bottom:  # else the next pass takes all that there can be
            remains = int(np.bitwise_or.reduce(rest.view(np.int64))) & ALL_BUT_SIGN != 0
    return units


def _bits(value: float) -> int:
    """A float64 as the integer that its 64 bits are."""
    bits: int = struct.unpack("<q", struct.pack("<d", value))[0]
    return bits


def _signed(number: int) -> int:
    """The int64 that equals a number modulo 2**64, as sums of int64 wrap around."""
    return (number + (1 << 63)) % (1 << 64) - (1 << 63)


def _units(value: float) -> int:
    numerator, denominator = value.as_integer_ratio()
    return numerator << (UNIT_EXPONENT + 1 - denominator.bit_length())
