"""Blocks of squared distances by one product of matrices, |a|^2 + |b|^2 - 2ab, and how far from the truth they can be.

The product is fast, but its error is in units of |a|^2 + |b|^2: points are centred first, the error has a proven bound,
and what must not depend on it is computed again as the sum of (a - b)^2.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from ..files import drawer
from ..language.rounded import row_dots, row_products
from ..language.twofold import Twofold
from .angles import BLUR, chord_errors, lengthwise, squared_chords
from .exact import lowest_exponent

LEAST = 2.0**-108  # the square of a chord of which the product has lost some digits, however near the centre
NEAR = 2.0**-10  # d^2 below this share of |a|^2 + |b|^2 is computed again: the product has lost more than 10 bits
PAIRS_AT_ONCE = 1 << 8
SIDE_BY_SIDE = 1 << 6  # points of a slice that are worth a step of their own
VALUES_AT_ONCE = 1 << 20
TILE = 1 << 9  # rows that are multiplied at a time, of points in a file: a multiple of what a processor takes at once


@dataclass(frozen=True, eq=False)
class Gram:
    """What a block of squared distances is made from, and how far from the truth it can be.

    All lengths are those of the points times 2**shift, so that no square overflows or vanishes.

    x: (N, D) the points, not centred; direct differences come from here
    right: (N, D + 2) the centred points b, then |b|^2 and 1; the left factor is -2a, 1, |a|^2
    norms: (N,) |b|^2 of the centred points
    slope, floor: a squared distance is within slope (|a|^2 + |b|^2) + floor of the truth, for any order of summation
    direct_slope, tiny: a direct one, d^2, is within direct_slope d^2 + tiny of the truth, one of directions within
        `angles.chord_errors`
    is_exact: the points are small integers, and every squared distance is exactly right, or in the exact order of those
        from its anchor, and within `spread` of the truth, relatively
    units: the directions, where these are compared, and x holds them rounded; points: what has these directions, (N, D)
    offset: what stands for a distance of 0
    length: the square that stands for 1, of directions of whole numbers
    """

    x: np.ndarray
    right: np.ndarray
    norms: np.ndarray
    shift: int
    slope: float
    floor: float
    direct_slope: float
    tiny: float
    is_exact: bool
    units: Twofold | None = None
    points: np.ndarray | None = None
    offset: float = 0.0
    length: float = 1.0
    spread: float = 0.0

    @property
    def least(self) -> float:
        """Squared distances below this are measured by differences, however near the centre the points are."""
        return 0.0 if self.units is None and self.length == 1.0 else LEAST

    @cached_property
    def largest_norm(self) -> float:
        return float(self.norms.max(initial=0.0))

    def bounds(self, start: int, stop: int) -> np.ndarray:
        """How far from the truth any squared distance of these anchors can be, (stop - start,)."""
        return self.slope * (self.norms[start:stop] + self.largest_norm) + self.floor

    def squares(self, start: int, stop: int, columns: slice = slice(None), out: np.ndarray | None = None) -> np.ndarray:
        """|a - b|^2 for the anchors start..stop against `columns`, by one product; not exactly 0 on the diagonal.

        The product is numpy's for every size and machine, so that the last bits do not depend on what else is
        installed, nor on how many anchors are asked for.
        """
        return self.products(slice(start, stop), columns, out)

    def products(
        self, anchors: slice | np.ndarray, columns: slice | np.ndarray, out: np.ndarray | None = None
    ) -> np.ndarray:
        """`squares` of any anchors and columns."""
        return multiplied(self.left(anchors), self.right, columns, out)

    def some(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        """|x_i - x_j|^2 for M pairs of positions, (M,), by products, within the bound of `squares`."""
        centred = self.right[:, :-2]
        result = np.empty(len(i))
        for part in self.parts(len(i)):
            result[part] = row_dots(centred[i[part]], centred[j[part]])
            drawer.let_go(self.right)
        result *= -2
        result += self.norms[i]
        result += self.norms[j]
        return result

    def left(self, anchors: slice | np.ndarray) -> np.ndarray:
        left = self.right[anchors] * -2
        left[:, -2] = 1
        left[:, -1] = self.norms[anchors]
        return left

    def direct(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        """|x_i - x_j|^2 for M pairs of positions, (M,), as sums of squared differences: exactly 0 for equal rows, and
        for parallel ones where directions are compared."""
        result = np.empty(len(i))
        for part in self.parts(len(i)):
            if self.units is not None and self.points is not None:
                result[part] = squared_chords(self.points, self.units, i[part], j[part])
                continue
            difference = self.x[i[part]] - self.x[j[part]]
            result[part] = row_dots(difference, difference)
            drawer.let_go(self.x)
        return result

    def beside(self, anchors: slice, columns: slice) -> np.ndarray:
        """`direct` of some anchors with all points of a slice, (B, n), to the same digits, without copies of these."""
        if self.units is not None or columns.stop - columns.start < SIDE_BY_SIDE:
            i, j = np.mgrid[anchors, columns]
            return self.direct(i.ravel(), j.ravel()).reshape(i.shape)
        result = np.empty((anchors.stop - anchors.start, columns.stop - columns.start))
        differences, copies = np.empty((2, min(PAIRS_AT_ONCE, result.shape[1]), self.x.shape[1]))
        for row, anchor in zip(result, self.x[anchors], strict=True):
            copies[:] = anchor  # one row from another at a time takes half as long again
            for part in self.parts(len(row)):
                others = self.x[columns][part]
                gaps = np.subtract(others, copies[: len(others)], out=differences[: len(others)])
                row[part] = row_dots(gaps, gaps)
        drawer.let_go(self.x)
        return result

    def parts(self, pairs: int) -> Iterator[slice]:
        """So many pairs in parts that are small beside the panels."""
        values = drawer.bytes_at_once(self.x, 8 * VALUES_AT_ONCE) // 8
        step = max(1, min(PAIRS_AT_ONCE, values // self.x.shape[1]))
        for start in range(0, pairs, step):
            yield slice(start, start + step)

    def direct_errors(self, squares: np.ndarray) -> np.ndarray:
        """How far from the truth each direct squared distance can be."""
        if self.is_exact:
            return np.zeros_like(squares)
        if self.units is not None:
            return chord_errors(squares, self.x.shape[1])
        errors: np.ndarray = self.direct_slope * squares + self.tiny
        return errors

    def narrowed(self) -> Gram:
        """The same with float32 factors, and the bound that goes with them."""
        slope, tiny = errors_of(self.x.shape[1], np.float32)
        shape = self.right.shape
        if drawer.file_of(self.right) is None:
            right = np.empty(shape[::-1], np.float32).T  # by columns, which a product reads faster
        else:
            right = drawer.like(self.right, shape, np.float32)
        for rows in drawer.blocks(right):
            right[rows] = self.right[rows]
            drawer.let_go(self.right)
        return replace(self, right=right, slope=slope, floor=self.floor + tiny, is_exact=False)

    def scaled(self, length: float) -> float:
        """A length as it is among the points; inf where that is too large."""
        try:
            return math.ldexp(length * math.sqrt(self.length), self.shift)
        except OverflowError:
            return math.inf


def make_gram(x: np.ndarray, *, units: Twofold | None = None, steps: Sequence[float] = ()) -> Gram:
    """The factors and error bounds for (N, D) points.

    units: the fine directions of the points, to compare these; steps: distances that should be whole numbers too where
        the points can be

    Source of the bound: Higham, Accuracy and Stability of Numerical Algorithms, 2002, 3.1, gamma(n) = n u / (1 - n u):
    the product of D + 2 terms errs by gamma(D + 2) (2|a||b| + |a|^2 + |b|^2), the norms and the centring by less.

    Directions are off by `BLUR` across, the centre taken away or not: so squares by 4 BLUR (|a| + |b| + BLUR) more, and
    since 2 BLUR |a| <= u |a|^2 + BLUR^2 / u, by no more than 4 u (|a|^2 + |b|^2) + 5 BLUR^2 / u. What they are off
    along counts squared, as in `chord_errors`.
    """
    n, d = x.shape
    wide, u = x.astype(np.float64, copy=False), 2.0**-53
    slope, tiny = errors_of(d, np.float64)
    floor = tiny
    if units is not None:
        wide, shift = units.high, 0
        slope, floor = slope + 8 * u, 5 * BLUR**2 / u + 5 * lengthwise(d) ** 2 + tiny
    else:
        ends = drawer.ends(wide)
        grid = grid_of(wide, ends, steps)
        shift = scale_of(ends) if grid is None else grid
        wide = drawer.scaled(wide, shift)
        if grid is not None:
            return _factors(wide, drawer.ends(wide)[1], shift=shift, is_exact=True)
    centre = drawer.mean(wide) if n else np.zeros(d)
    return _factors(
        wide,
        centre,
        shift=shift,
        slope=slope,
        floor=floor,
        direct_slope=gamma(d + 4, u),
        tiny=tiny,
        units=units,
        points=x,
    )


def multiplied(left: np.ndarray, right: np.ndarray, columns: slice | np.ndarray, out: np.ndarray | None) -> np.ndarray:
    """(B, n) products of (B, D) rows with these of (N, D) others; of what lies in a file, some at a time."""
    others = right[columns]
    if out is None:
        out = np.empty((len(left), len(others)), right.dtype)
    tiles = 1 if drawer.file_of(right) is None else max(1, len(others) // TILE)
    for tile in range(tiles):
        part = slice(tile * TILE, (tile + 1) * TILE if tile < tiles - 1 else len(others))
        row_products(left, others[part], out[:, part])
        drawer.let_go(right)
    return out


def narrow(gram: Gram) -> Gram:
    """The same in float32."""
    return gram.narrowed()


def errors_of(d: int, dtype: Any) -> tuple[float, float]:
    """The relative and the absolute part of the bound for products of D columns; the latter for underflow."""
    u, tiny = (2.0**-53, 2.0**-1060) if dtype == np.float64 else (2.0**-24, 2.0**-140)
    return 4 * gamma(d + 6, u) + 12 * u, (d + 4) * tiny


def gamma(n: int, u: float) -> float:
    return n * u / (1 - n * u)


def _factors(
    x: np.ndarray,
    centre: np.ndarray,
    *,
    shift: int,
    slope: float = 0.0,
    floor: float = 0.0,
    direct_slope: float = 0.0,
    tiny: float = 0.0,
    is_exact: bool = False,
    units: Twofold | None = None,
    points: np.ndarray | None = None,
) -> Gram:
    right, norms = drawer.like(x, (x.shape[0], x.shape[1] + 2)), np.empty(len(x))
    for rows in drawer.blocks(right):
        part = right[rows]
        np.subtract((x if units is None else units.high)[rows], centre, out=part[:, :-2])
        if units is not None:
            part[:, :-2] += units.low[rows]
        norms[rows] = row_dots(part[:, :-2], part[:, :-2])
        part[:, -2] = norms[rows]
        part[:, -1] = 1
        drawer.let_go(x)
    return Gram(x, right, norms, shift, slope, floor, direct_slope, tiny, is_exact, units, points)


def scale_of(ends: tuple[np.ndarray, np.ndarray]) -> int:
    """The power of two that brings far too large or small points near 1; 0 for all others. ends: `drawer.ends`"""
    top, bottom = ends
    largest = max(float(top.max(initial=0.0)), -float(bottom.min(initial=0.0)))
    exponent = math.frexp(largest)[1]
    return 0 if -20 < exponent < 20 else -exponent


def grid_of(
    x: np.ndarray,
    ends: tuple[np.ndarray, np.ndarray],
    steps: Sequence[float],
    degree: int = 2,
    about: float | None = None,
) -> int | None:
    """The power of two that makes integers of the points, so small that products and their sums are exact, or None.

    ends: `drawer.ends` of the points
    degree: how many differences a product has; of differences from `about`, or between points

    As many low bits of a squared distance stay clear as it takes to number the points: a key has both (ranks.py).
    """
    n, d = x.shape
    if not n:
        return None
    top, bottom = ends
    largest = math.frexp(max(float(top.max()), -float(bottom.min())))[1]
    if not -500 < largest < 500:
        return None
    spread = float((top - bottom).max()) if about is None else max(float(top.max()), -float(bottom.min()))
    bits = 53 - max(n - 1, 1).bit_length() - math.ceil(math.log2(4 * d)) - 1
    widest = 2.0 ** (bits // degree)
    lowest = None
    for block in from_few(x):
        exponent = lowest_exponent(block)
        if exponent is None:
            continue
        lowest = exponent if lowest is None else min(lowest, exponent)
        if lowest < -500 or math.ldexp(spread, -lowest) > widest:
            return None
    if lowest is None:
        return 0
    for step in steps:
        if step and _exponent(step) > -500 and math.ldexp(spread + step, -_exponent(step)) <= widest:
            lowest = min(lowest, _exponent(step))
    return -lowest


def from_few(x: np.ndarray) -> Iterator[np.ndarray]:
    """A row, which mostly shows that a set is no grid, then all rows in blocks."""
    yield x[:1]
    yield from np.array_split(x, max(1, min(len(x), x.size >> 16)))


def _exponent(value: float) -> int:
    return lowest_exponent(np.asarray([value])) or 0
