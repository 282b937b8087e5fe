"""Numbers in twice the digits of float64, for what an exponential makes relative: e^x has as many wrong units as x has
absolute ones, so a similarity that is multiplied by 256 must be known to more than it can hold.

A value is the sum of two arrays, the second what rounding took from the first. Sums and products are as exact as some
100 bits, whichever array library they come from; a plain number or array stands for itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from .numerics import (
    Array,
    exp,
    like,
    log,
    log1p,
    namespace,
    pick,
    picked,
    relu,
    row_max,
    row_sum,
    sigmoid,
    softplus,
    sqrt,
    where,
)
from .rounding import chosen, compensated_row_sum, finite_part, near_one, ordered_sum, two_product, two_sum


@dataclass(frozen=True, eq=False)
class Twofold:
    """high + low: two arrays of one shape, `low` at most half a unit in the last place of `high`."""

    high: Array
    low: Array
    __array_ufunc__ = None  # an array of numpy leaves the arithmetic to this class

    def __neg__(self) -> Twofold:
        return Twofold(-self.high, -self.low)

    def __add__(self, other: Twofold | Array | float) -> Twofold:
        high, low = _parts(other, self.high)
        s, lost = two_sum(self.high, high)
        return Twofold(*ordered_sum(s, lost + (self.low + low)))

    def __sub__(self, other: Twofold | Array | float) -> Twofold:
        high, low = _parts(other, self.high)
        return self + Twofold(-high, -low)

    def __mul__(self, other: Twofold | Array | float) -> Twofold:
        high, low = _parts(other, self.high)
        product, lost = two_product(self.high, high)
        return Twofold(*ordered_sum(product, lost + (self.high * low + self.low * high)))

    def __truediv__(self, divisor: Array | float) -> Twofold:
        quotient = self.high / divisor
        number = like(divisor, quotient) if isinstance(divisor, (int, float)) else divisor
        product, lost = two_product(quotient, number)
        rest = finite_part(product, ((self.high - product) - lost) + self.low)
        return Twofold(*ordered_sum(quotient, rest / divisor))

    __radd__, __rmul__ = __add__, __mul__

    def __rsub__(self, other: Array | float) -> Twofold:
        return -self + other

    def positive_part(self) -> Twofold:
        """max(0, x)."""
        return Twofold(relu(self.high), where(self.high > 0, self.low, 0.0))

    def beside(self, other: Twofold) -> Twofold:
        """(B, N + M): the columns of both, side by side."""
        concat = namespace(self.high).concat
        return Twofold(concat([self.high, other.high], axis=1), concat([self.low, other.low], axis=1))

    def columns(self, index: Any) -> Twofold:
        """(B, K) of the (B, N), as `numerics.picked`."""
        return Twofold(picked(self.high, index), picked(self.low, index))

    def most(self, mask: Array) -> Twofold:
        """The largest of the masked columns of each row, (B, N) -> (B,); -inf where none is."""
        high = row_max(where(mask, self.high, -float("inf")))
        low = row_max(where(mask & (self.high == high[:, None]), self.low, -float("inf")))
        return Twofold(high, where(high > -float("inf"), low, 0.0))

    def less(self, numbers: Twofold) -> Twofold:
        """(B, K): what is left of each row, (B,), without its numbers, (B, K)."""
        return Twofold(self.high[:, None], self.low[:, None]) - numbers

    def log_one_plus_exp(self) -> Array:
        """log(1 + e^x), rounded."""
        return softplus(self.high) + where(self.low == 0, 0.0, self.low * sigmoid(self.high))

    def log_sum_exp(self, mask: Array) -> Twofold:
        """log of the sum of e^x over the masked columns of each row, (B, N) -> (B,); -inf where none is."""
        top, _, share, _ = _shares(self, mask)
        result: Twofold = top + log(row_sum(share))
        return result

    def surprises(self, mask: Array, index: Any) -> Array:
        """-log of the softmax of x over the masked columns, for the columns at `index`, (B, K).

        Above the largest, x_max - x plus log(1 + the shares of all others): a sum of two that are >= 0, where the log
        of the sum of all minus x would cancel.
        """
        xp = namespace(self.high)
        _, gap, share, at = _shares(self, mask)
        columns = xp.arange(self.high.shape[1], device=self.high.device)
        is_top = columns[None, :] == at[:, None]
        rest = row_sum(where(is_top, 0.0, share))
        return (picked(gap.high, index) + log1p(rest)[:, None]) + picked(gap.low, index)


def _parts(value: Twofold | Array | float, near: Array) -> tuple[Array, Array]:
    if isinstance(value, Twofold):
        return value.high, value.low
    high = value if hasattr(value, "shape") else like(value, near)
    return high, namespace(high).zeros_like(high)


def _shares(x: Twofold, mask: Array) -> tuple[Twofold, Twofold, Array, Array]:
    """The largest of the masked columns, (B,); how far each lies below it, and e to the minus of that, (B, N); which
    column it is, (B,)."""
    xp = namespace(x.high)
    masked = chosen(mask, x.high, -float("inf"))
    largest, at = row_max(masked), xp.argmax(masked, axis=-1)
    top = Twofold(
        where(largest > -float("inf"), largest, 0.0),
        where(largest > -float("inf"), pick(x.low, at), 0.0),
    )
    gap, lost = two_sum(top.high[:, None], -x.high)
    lost = lost + (top.low[:, None] - x.low)
    share = chosen(mask, exp(-chosen(mask, gap, 0.0)), 0.0)
    return top, Twofold(gap, lost), share - share * lost, at


# --- directions


@dataclass(frozen=True, eq=False)
class Directions:
    """Unit vectors, (N, D) each: high holds the first 25 bits behind the point, low the rest; nearest is their sum.

    rest: (N, 2 D) low and nearest side by side, where they are kept so
    """

    high: Array
    low: Array
    nearest: Array
    rest: Array | None = None

    def __getitem__(self, rows: Any) -> Directions:
        return Directions(self.high[rows, ...], self.low[rows, ...], self.nearest[rows, ...])


def directions(x: Array) -> Directions:
    """x / |x| for (N, D) rows that are not all zeros, to some 78 bits behind the point, whatever their lengths."""
    x = near_one(x)
    length, shorter = (part[:, None] for part in _length(x))
    quotient = x / length
    high = _first_bits(quotient)
    product, product_lost = two_product(high, length)
    low = ((x - product) - product_lost) / length - quotient * shorter
    return Directions(high, low, high + low)


def fine_directions(x: Array) -> Twofold:
    """x / |x| for (N, D) rows that are not all zeros, (N, D), whatever their lengths.

    A row times its inverse length s, rounded, is exact in two parts; what s |x| is above 1, no more than some 2^-53, is
    then taken away. So a row errs by 5 u^2 across its direction, u = 2^-53: u^2 each for s |x| - 1 times the low part,
    left out, and the rounding of its product with the high part, 3 u^2 for that of the sum of both. Along it, it errs
    by the square of s |x| - 1 and the rounding of |x|, `lengthwise`, below 4 (D + 8)^2 u^2.
    """
    x = near_one(x)
    length, shorter = _length(x)
    inverse = 1.0 / length
    inverse = inverse - inverse * _beyond_one(inverse, length, shorter)
    beyond = _beyond_one(inverse, length, shorter)
    high, low = two_product(inverse[:, None], x)
    return Twofold(high, low - high * beyond[:, None])


def _beyond_one(inverse: Array, length: Array, shorter: Array) -> Array:
    """What (N,) numbers times lengths, as of `_length`, are above 1."""
    product, lost = two_product(inverse, length)
    return ((product - 1.0) + lost) + shorter


def scaled(units: Directions, times: float, over: float) -> Directions:
    """The vectors times one number, over another, so that products with directions are as exact as cosines; the numbers
    and their quotient are between 1e-200 and 1e200."""
    parts = Twofold(units.high, units.low)
    parts = parts * times if times != 1 else parts
    parts = parts / over if over != 1 else parts
    high = _first_bits(parts.high, max(0, math.ceil(math.log2(times / over)) + 1))
    low = (parts.high - high) + parts.low
    return Directions(high, low, high + low)


def _first_bits(x: Array, exponent: int = 0) -> Array:
    """The first 25 bits behind the point, or so many less as an exponent says."""
    bits = (53 if x.dtype == namespace(x).float64 else 24) - 1
    step = 1.5 * 2.0 ** (bits - min(25, bits // 2) + exponent)
    return (x + step) - step


def _length(x: Array) -> tuple[Array, Array]:
    """(N,) lengths of (N, D) rows near one, and the share by which they are still too short."""
    length = sqrt(row_sum(x * x))
    square, lost = two_product(x, x)
    own, own_lost = two_product(length, length)
    terms = namespace(x).concat([square, -own[:, None]], axis=1)
    excess = compensated_row_sum(terms) + (row_sum(lost) - own_lost)  # |x|^2 - length^2
    return length, excess / (2.0 * own)


def lengths(x: Array) -> Twofold:
    """|x| of (N, D) rows that are not all zeros, (N,)."""
    near = near_one(x)
    length, shorter = _length(near)
    top = row_max(abs(near))
    scale = row_max(abs(x)) / top  # a power of two
    return Twofold(length * scale, length * shorter * scale)


def cosines(a: Directions, b: Directions) -> Twofold:
    """(B, N) cosines of B directions with N others, to some 70 bits behind the point.

    The product of the high parts is exact in any order of summation: its terms are whole numbers of steps of 2^-50, and
    no part of a sum of products of unit vectors exceeds 1.
    """
    return Twofold(*ordered_sum(a.high @ b.high.T, a.high @ b.low.T + a.low @ b.nearest.T))


# --- rows


def centred_rows(rows: Twofold) -> Twofold:
    """Rows less their means; rows of equal numbers become 0."""
    xp = namespace(rows.high)
    apart: Twofold = rows - xp.mean(rows.high, axis=-1, keepdims=True)
    apart -= xp.mean(apart.high + apart.low, axis=-1, keepdims=True)
    return apart


def row_length(rows: Array) -> Array:
    """(k,) lengths of (k, n) rows, whose squares may be beyond float64."""
    top = row_max(abs(rows))
    top = where(top > 0, top, 1.0)
    return top * sqrt(row_sum((rows / top[:, None]) ** 2))
