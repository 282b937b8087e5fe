"""Exact sums of many groups side by side: each a whole number in digits of 32 bits, one int64 column a digit.

A float64 has at most three such digits on a fixed grid, so groups of any rows merge by adding columns. A column has
room for 2^31 rows; carrying makes it again.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

BITS = 32
MASK = (1 << BITS) - 1
GRID = 36 * BITS  # the unit is 2^-1152: the least float64, 2^-1074, is a multiple of it
FULL = 1 << 62  # a digit that is to be carried before another is added


class Limbs(NamedTuple):
    """m whole numbers in units of 2^-GRID, none below 0.

    digits: (m, k) int64, of which column j counts 2^(BITS * (low + j)) units
    """

    digits: np.ndarray
    low: int

    def part(self, at: slice) -> Limbs:
        """Some of the numbers."""
        return Limbs(self.digits[at], self.low)

    def integers(self, low: int) -> list[int]:
        """The numbers, in units of column `low`, which none of them lies below."""
        result = [0] * len(self.digits)
        for at, column in enumerate(self.digits.T, self.low - low):
            result = [a + (b << BITS * at) for a, b in zip(result, column.tolist(), strict=True)]
        return result


def of(values: np.ndarray) -> Limbs:
    """The numbers of float64 values, (n,), finite and at least 0."""
    fractions, exponents = np.frexp(values)
    integers = np.ldexp(fractions, 53).astype(np.uint64)
    places = np.where(integers > 0, exponents.astype(np.int64) - 53 + GRID, 0)
    first, shift = places // BITS, (places % BITS).astype(np.uint64)
    last = integers >> np.uint64(BITS) >> (np.uint64(BITS) - shift)
    parts = [part & np.uint64(MASK) for part in (integers << shift, integers >> (np.uint64(BITS) - shift), last)]
    columns = {
        int(place): np.zeros(len(values), np.int64)
        for place in np.unique(np.concatenate([first[part > 0] + at for at, part in enumerate(parts)]))
    }
    for at, part in enumerate(parts):
        for place, column in columns.items():
            np.copyto(column, part.view(np.int64), where=first == place - at)
    low = min(columns, default=0)
    digits = [columns.get(place) for place in range(low, max(columns, default=0) + 1)]
    zeros = np.zeros(len(values), np.int64)
    return Limbs(np.stack([zeros if column is None else column for column in digits], axis=1), low)


def sums(numbers: Limbs, starts: np.ndarray) -> Limbs:
    """The sums of the stretches of numbers that begin at `starts`."""
    if not len(starts):
        return numbers.part(slice(0, 0))
    return Limbs(np.add.reduceat(numbers.digits, starts, axis=0), numbers.low)


def alike(many: list[Limbs]) -> list[Limbs]:
    """The same numbers with the same columns, with room for the sum of one of each."""
    if sum(int(numbers.digits.max(initial=0)) for numbers in many) >= FULL:
        many = [_carried(numbers) for numbers in many]
    low = min(numbers.low for numbers in many)
    high = max(numbers.low + numbers.digits.shape[1] for numbers in many)
    return [_between(numbers, low, high) for numbers in many]


def _between(numbers: Limbs, low: int, high: int) -> Limbs:
    """The same numbers with the columns from `low` to `high`."""
    digits = numbers.digits
    stop = numbers.low + digits.shape[1]
    if (numbers.low, stop) == (low, high):
        return numbers
    return Limbs(np.pad(digits, ((0, 0), (numbers.low - low, high - stop))), low)


def _carried(numbers: Limbs) -> Limbs:
    digits = np.pad(numbers.digits, ((0, 0), (0, 1)))
    for at in range(digits.shape[1] - 1):
        digits[:, at + 1] += digits[:, at] >> BITS
        digits[:, at] &= MASK
    return Limbs(digits, numbers.low)
