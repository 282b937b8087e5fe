"""Blocks of other keys than squared distances: sums of powers of differences, and inner products, with their bounds.

A key is what anchors and thresholds are compared by: not negative, and larger for what is farther.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..files import drawer
from ..language.rounded import row_dots
from .gram import Gram, errors_of, gamma, grid_of, scale_of

TILE = 1 << 17  # values of a block that are worked on together, near the processor
MOST_EXACT = 8  # a power up to here of whole numbers is a product of them


@dataclass(frozen=True, eq=False)
class PairKeys(Gram):
    """Keys that are no squares of differences, and are measured pair by pair alike wherever they are asked for."""

    def of_pairs(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """The keys of (n, D) points against others, (n,)."""
        raise NotImplementedError

    def some(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        return self.direct(i, j)

    def beside(self, anchors: slice, columns: slice) -> np.ndarray:
        i, j = np.mgrid[anchors, columns]
        return self.direct(i.ravel(), j.ravel()).reshape(i.shape)

    def direct(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        result = np.empty(len(i))
        for part in self.parts(len(i)):
            result[part] = self.of_pairs(self.x[i[part]], self.x[j[part]])
            drawer.let_go(self.x)
        return result


@dataclass(frozen=True, eq=False)
class PowerKeys(PairKeys):
    """Keys that are sums of |a - b|^p over the columns, each added up by itself: no product of matrices gives them.

    right: (D, N) the columns;  norms: zeros, since no bit is lost that differences would have
    power: p;  spans: (N,) no key of a point is above its own span and another's
    """

    power: float = 1.0
    spans: np.ndarray | None = None

    def bounds(self, start: int, stop: int) -> np.ndarray:
        assert self.spans is not None
        bounds: np.ndarray = self.slope * (self.spans[start:stop] + self.spans.max(initial=0.0)) + self.floor
        return bounds

    def products(
        self, anchors: slice | np.ndarray, columns: slice | np.ndarray, out: np.ndarray | None = None
    ) -> np.ndarray:
        """(B, n) keys of the anchors against `columns`."""
        here, there = self.right[:, anchors], self.right[:, columns]
        if out is None:
            out = np.empty((here.shape[1], there.shape[1]), self.right.dtype)
        step = max(1, TILE // max(1, here.shape[1]))
        for k in range(0, there.shape[1], step):
            part = out[:, k : k + step]
            part[:] = 0
            for own, column in zip(here, there[:, k : k + step], strict=True):
                difference = own[:, None] - column
                np.abs(difference, out=difference)
                part += power_of(difference, self.power)
        return out

    def of_pairs(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        keys: np.ndarray = power_of(np.abs(a - b), self.power).sum(axis=1)
        return keys

    def narrowed(self) -> PowerKeys:
        """The same with float32 columns: a difference errs by the rounding of both, its power by p times as much."""
        d, u = self.x.shape[1], 2.0**-24
        slope = 4 * gamma(d + 2 * self.power + 6, u) + 16 * self.power * u
        right = drawer.like(self.right, self.right.shape, np.float32)
        for rows in drawer.blocks(right):
            right[rows] = self.right[rows]
            drawer.let_go(self.right)
        return replace(
            self,
            right=right,
            spans=_spans(self.x, 0.0, self.power),
            slope=slope,
            floor=d * 2.0**-120,
            is_exact=False,
        )


@dataclass(frozen=True, eq=False)
class Products(PairKeys):
    """Keys that are an offset less the inner product, by one product of matrices."""

    def bounds(self, start: int, stop: int) -> np.ndarray:
        return np.full(stop - start, self.slope * self.offset + self.floor)

    def left(self, anchors: slice | np.ndarray) -> np.ndarray:
        left = -self.right[anchors]
        left[:, -2:] = 1, self.offset
        return left

    def of_pairs(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        keys: np.ndarray = self.offset - row_dots(a, b)
        return keys

    def direct_errors(self, squares: np.ndarray) -> np.ndarray:
        return np.full_like(squares, 0.0 if self.is_exact else self.direct_slope * self.offset + self.tiny)


def make_powers(x: np.ndarray, power: float, steps: Sequence[float] = ()) -> PowerKeys:
    """The keys and bounds of (N, D) points for sums of p-th powers."""
    n, d = x.shape
    wide = x.astype(np.float64, copy=False)
    ends = drawer.ends(wide)
    grid = grid_of(wide, ends, steps, degree=int(power)) if power == int(power) and power <= MOST_EXACT else None
    shift = grid if grid is not None else scale_of(ends) if power == 1 else -_exponent_of(ends) - 2
    wide = drawer.scaled(wide, shift)
    slope, tiny = (0.0, 0.0) if grid is not None else (gamma(d + 2 * power + 6, 2.0**-53), (d + 4) * 2.0**-1060)
    return PowerKeys(
        x=wide,
        right=_columns(wide),
        norms=np.zeros(n),
        shift=shift,
        slope=slope,
        floor=tiny,
        direct_slope=slope,
        tiny=tiny,
        is_exact=grid is not None,
        power=power,
        spans=_spans(wide, drawer.mean(wide) if n else 0.0, power),
    )


def _columns(x: np.ndarray) -> np.ndarray:
    """(D, N) of the (N, D) rows."""
    columns = drawer.like(x, x.shape[::-1])
    for rows in drawer.blocks(x):
        columns[:, rows] = x[rows].T
        drawer.let_go(columns)
    return columns


def _spans(x: np.ndarray, centre: np.ndarray | float, power: float) -> np.ndarray:
    """(N,) since |a - b|^p <= 2^(p - 1) (|a - c|^p + |b - c|^p)."""
    sums = [power_of(np.abs(x[rows] - centre), power).sum(axis=1) for rows in drawer.blocks(x)]
    spans: np.ndarray = 2.0 ** (power - 1) * np.concatenate(sums) * (1 + 2.0**-30)
    return spans


def make_products(x: np.ndarray, steps: Sequence[float] = ()) -> Products:
    """The keys and bounds of (N, D) points for inner products."""
    n, d = x.shape
    wide = x.astype(np.float64, copy=False)
    ends = drawer.ends(wide)
    grid = grid_of(wide, ends, steps, about=0.0)
    shift = scale_of(ends) if grid is None else grid
    wide = drawer.scaled(wide, shift)
    squares = np.concatenate([row_dots(wide[rows], wide[rows]) for rows in drawer.blocks(wide)])
    largest = float(squares.max(initial=0.0)) * (1 + 2.0**-40)
    offset = float(math.ceil(largest)) if grid is not None else largest
    right = drawer.like(wide, (n, d + 2))
    for rows in drawer.blocks(right):
        right[rows, :-2], right[rows, -2], right[rows, -1] = wide[rows], 0.0, 1.0
        drawer.let_go(wide)
    slope, tiny = (0.0, 0.0) if grid is not None else errors_of(d, np.float64)
    return Products(wide, right, np.zeros(n), shift, slope, tiny, slope, tiny, grid is not None, offset=offset)


def power_of(differences: np.ndarray, power: float) -> np.ndarray:
    """Numbers that are not negative to a power, within 2 p ulp; whole ones exactly, as far as float64 holds them."""
    if power != int(power) or power > MOST_EXACT:
        result: np.ndarray = differences**power
        return result
    result = differences
    for _ in range(int(power) - 1):
        result = result * differences
    return result


def _exponent_of(ends: tuple[np.ndarray, np.ndarray]) -> int:
    top, bottom = ends
    return math.frexp(max(float(top.max(initial=0.0)), -float(bottom.min(initial=0.0))))[1]
