"""float64 numbers that say how wrong they may be: most sums of exponentials need no more, and the others can tell.

The bounds are worst cases of rounding (Higham, Accuracy and Stability of Numerical Algorithms, 2002, 2.2), in units of
2^-53, the most that one rounding takes of a number. What a sum of positive terms loses is not in them: it is the same
in twice the digits (`twofold.py`), which is where numbers go whose bound is too large.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .numerics import class_sum, expm1, log1p, picked, relu, softplus, where
from .twofold import Directions

UNIT = 2.0**-53
SPARE = 1.01  # for products of errors
ULP = 10.0  # an error that is borne
AT_ONCE = 1 << 13  # numbers of a row that numpy adds up at a time
GROUP = 24  # rows: a product of as many, or of a multiple, gives each the digits that it has among any others


@dataclass(frozen=True, eq=False)
class Rounded:
    """Numbers that are each within UNIT (slope |x| + floor) of the truth, and no larger than `most`."""

    x: np.ndarray
    slope: float
    floor: float
    most: float

    def __neg__(self) -> Rounded:
        return Rounded(-self.x, self.slope, self.floor, self.most)

    def __add__(self, number: float) -> Rounded:
        size = abs(number)
        return Rounded(self.x + number, self.slope + 1, self.floor + self.slope * size, self.most + size)

    def __sub__(self, number: float) -> Rounded:
        return self + -number

    def __mul__(self, other: Rounded | float) -> Rounded:
        if isinstance(other, Rounded):
            most, other_most = (min(factor.most, float(np.abs(factor.x).max())) for factor in (self, other))
            floor = self.floor * other_most + other.floor * most
            return Rounded(self.x * other.x, self.slope + other.slope + 1, floor, most * other_most)
        size = abs(other)
        slope = self.slope + (math.frexp(size)[0] != 0.5)  # a power of two leaves no rounding
        return Rounded(self.x * other, slope, self.floor * size, self.most * size)

    def __truediv__(self, divisor: float) -> Rounded:
        return Rounded(self.x / divisor, self.slope + 1, self.floor / divisor, self.most / divisor)

    __radd__, __rmul__ = __add__, __mul__

    def __rsub__(self, number: float) -> Rounded:
        return -self + number

    def positive_part(self) -> Rounded:
        """max(0, x)."""
        return Rounded(relu(self.x), self.slope, self.floor, self.most)

    def beside(self, other: Rounded) -> Rounded:
        """(B, N + M): the columns of both, side by side."""
        pairs = ((self.slope, other.slope), (self.floor, other.floor), (self.most, other.most))
        return Rounded(np.concatenate([self.x, other.x], axis=1), *map(max, pairs))

    def log_one_plus_exp(self) -> Bounded:
        """log(1 + e^x)."""
        return Bounded(self.x, UNIT * (self.slope * abs(self.x) + self.floor)).log_one_plus_exp()

    def columns(self, index: np.ndarray) -> Rounded:
        """(B, K) of the (B, N), as `numerics.picked`."""
        return Rounded(picked(self.x, index), self.slope, self.floor, self.most)

    def log_sum_exp(self, mask: np.ndarray) -> Bounded:
        """log of the sum of e^x over the masked columns of each row, (B, N) -> (B,); -inf where none is."""
        top, _, total = self._shares(mask)
        value = top + np.log(total)
        spread = math.log(self.x.shape[1])  # no weighted mean of gaps is more
        units = self.slope * (abs(top) + spread) + self.floor + spread + 4 + np.log(total) + abs(value)
        return Bounded(value, units * UNIT)

    def surprises(self, mask: np.ndarray, index: np.ndarray) -> Bounded:
        """-log of the softmax of x over the masked columns, for the columns at `index`, (B, K).

        By the mean value theorem it moves by the mean of what the columns move, weighted with their shares, and by what
        the column at `index` moves; beside the largest, by no more than the shares of all others of both.
        """
        top, share, _ = self._shares(mask)
        at = share.argmax(axis=1)
        np.put_along_axis(share, at[:, None], 0.0, axis=1)
        rest = share.sum(axis=1)
        x = picked(self.x, index)
        is_top = index == at[:, None]
        gap = where(is_top, 0.0, top[:, None] - x)
        value = gap + log1p(rest)[:, None]
        widest = math.log(self.x.shape[1])  # no mean of gaps, weighted with their shares, is more
        spread, others = widest + relu(-np.log(rest)), rest / (1 + rest)
        of_others = (self.slope * (2 * abs(top) + spread) + 2 * self.floor) * others
        of_both = self.slope * (abs(top)[:, None] + abs(x)) + 2 * self.floor + gap
        moved = where(is_top, of_others[:, None], of_both + np.minimum(self.slope * widest, of_others)[:, None])
        return Bounded(value, (moved + ((spread + 4) * others)[:, None] + 2 * value) * UNIT)

    def _shares(self, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The largest of the masked columns, (B,), e to how far each lies below it, (B, N), and the sum of these."""
        share = np.where(mask, self.x, -np.inf)
        top = share.max(axis=1)
        np.exp(np.subtract(share, top[:, None], out=share), out=share)
        return top, share, share.sum(axis=1)


@dataclass(frozen=True, eq=False)
class Bounded:
    """Numbers and how far each of them may be from the truth: two arrays of one shape."""

    x: np.ndarray
    error: np.ndarray

    def __add__(self, other: Bounded) -> Bounded:
        x = self.x + other.x
        return Bounded(x, self.error + other.error + UNIT * abs(x))

    def __truediv__(self, divisor: np.ndarray | float) -> Bounded:
        x = self.x / divisor
        return Bounded(x, self.error / divisor + UNIT * abs(x))

    def less(self, numbers: Rounded) -> Bounded:
        """(B, K): what is left of each row, (B,), without its numbers, (B, K)."""
        x = self.x[:, None] - numbers.x
        units = numbers.slope * abs(numbers.x) + numbers.floor + abs(x)
        return Bounded(x, self.error[:, None] + UNIT * units)

    def log_one_plus_exp(self) -> Bounded:
        """log(1 + e^x)."""
        value = softplus(self.x)
        return Bounded(value, -expm1(-value) * self.error + UNIT * (value + 3 * np.minimum(value, 1)))

    def total(self, mask: np.ndarray) -> Bounded:
        """The sum over the masked columns of each row, (B, K) -> (B,)."""
        return Bounded(class_sum(np.where(mask, self.x, 0.0)), np.where(mask, self.error, 0.0).sum(axis=1))

    @property
    def is_good(self) -> np.ndarray:
        """Which of them are within ULP units in the last place."""
        good: np.ndarray = SPARE * self.error <= ULP * np.spacing(abs(self.x))
        return good


def rounded_cosines(a: Directions, b: Directions, rest: np.ndarray) -> Rounded:
    """(B, N) cosines of B directions with N others, rounded; `rest` are the `factors` of the others."""
    cosines = row_products(a.high, b.high)
    cosines += row_products(np.concatenate([a.high, a.low], axis=1), rest)
    return Rounded(cosines, 0.0, 0.5 + a.high.shape[1] * 2.0**-24, 1.0)


def row_dots(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(M,) sums of the products of (M, D) rows, with digits that depend on the row alone: of longer ones einsum adds up
    so many at a time, across the ends of rows."""
    width = a.shape[1]
    sums: np.ndarray = np.einsum("ij,ij->i", a[:, :AT_ONCE], b[:, :AT_ONCE])
    for start in range(AT_ONCE, width, AT_ONCE):
        sums += np.einsum("ij,ij->i", a[:, start : start + AT_ONCE], b[:, start : start + AT_ONCE])
    return sums


def row_products(a: np.ndarray, b: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """(B, N) products of (B, D) rows with (N, D) others, with digits that do not depend on what other rows `a` has: a
    library multiplies what is left over beside whole groups, and few numbers, in other ways."""
    if out is None:
        out = np.empty((len(a), len(b)), b.dtype)
    groups = max(-(-len(a) // GROUP), 1 if len(b) > 2 * GROUP else 3)
    if len(a) == groups * GROUP or b.dtype != np.float64:
        return np.matmul(a, b.T, out=out)
    padded = np.zeros((groups * GROUP, a.shape[1]))
    padded[: len(a)] = a
    out[:] = np.matmul(padded, b.T)[: len(a)]
    return out


def factors(units: Directions) -> np.ndarray:
    """(N, 2 D) what gives the low part of cosines by one product."""
    return np.concatenate([units.low, units.nearest], axis=1) if units.rest is None else units.rest
