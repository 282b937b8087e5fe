"""Random signs of rows (or clusters): what they add up to, the p-value and the interval that this gives.

A difference D is judged against what it would be if each row's losses were swapped at random. A difference d is in the
interval if the test that says "the true difference is d" has p of at least 1 - level: for a mean, rows are shifted by d
and flipped, |F - d V| >= |D - d|, with F and V what a pattern makes of the differences and of the rows' shares; so 0
is outside exactly where p < 1 - level. For a value that is no mean, F at 0 is the swapped difference itself, at D and
beyond the sum of the rows' contributions to it, and between them in proportion.
Sources: Fisher, The Design of Experiments, 1935, section 21; Tritchler, On inverting permutation tests, 1984;
Phipson, Smyth, Permutation P-values should never be zero, 2010.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from operator import add
from typing import NamedTuple

import numpy as np

from ..rows.sums import Total, total
from . import draws
from .draws import Draws
from .grid import GridSums

EXACT_UNITS = 16  # up to here all 2**n patterns of signs are tried
TIE = 1e-12  # of the sum of the absolute differences: a flipped difference so close to the one observed equals it


class Patterns(NamedTuple):
    """What every sign pattern makes of all units.

    half: sums of the half differences, (R, k - 1);  still: of the columns that no system changes, the divisor last
    observed: sums of the half differences as they are, (k - 1,);  sizes: of their absolute values, (k - 1,)
    is_every: whether these are all patterns of the units that differ;  is_complete: of all units
    """

    half: np.ndarray
    still: np.ndarray
    observed: np.ndarray
    sizes: np.ndarray
    is_every: bool
    is_complete: bool


class Flips(NamedTuple):
    """What random signs make of some units, for one other system; flips of different units merge.

    half, still: see `Patterns`;  alike: `still` of the units that do not differ alone
    few: half differences and `still` of the first units that differ;  few_alike: `still` of the first that do not
    differ, alike_units: how many units differ, and how many do not
    """

    half: GridSums
    still: GridSums
    alike: GridSums
    observed: tuple[Total, ...]
    sizes: tuple[Total, ...]
    few: np.ndarray
    few_alike: np.ndarray
    differ: int
    alike_units: int

    def merge(self, other: Flips) -> Flips:
        """The flips of two sets of units together."""
        return Flips(
            self.half + other.half,
            self.still + other.still,
            self.alike + other.alike,
            tuple(map(add, self.observed, other.observed)),
            tuple(map(add, self.sizes, other.sizes)),
            np.concatenate([self.few, other.few])[: EXACT_UNITS + 1],
            np.concatenate([self.few_alike, other.few_alike])[: EXACT_UNITS + 1],
            self.differ + other.differ,
            self.alike_units + other.alike_units,
        )

    def patterns(self) -> Patterns:
        """All patterns where the units that differ are few, else those that were drawn.

        Units that do not differ have drawn signs beside all patterns of the others, unless they are few too.
        """
        observed, sizes = (np.array(list(map(float, totals))) for totals in (self.observed, self.sizes))
        if self.differ > EXACT_UNITS:
            return Patterns(self.half.table, self.still.table, observed, sizes, False, False)
        width = len(observed)
        few = _in_order(self.few)
        if self.differ + self.alike_units <= EXACT_UNITS:
            nothing = np.zeros((self.alike_units, width))
            units = np.concatenate([few, np.concatenate([nothing, _in_order(self.few_alike)], axis=1)])
            every = draws.every_flip_sum(units)
            return Patterns(every[:, :width], every[:, width:], observed, sizes, True, True)
        every = draws.every_flip_sum(few)
        times = -(-len(self.half) // len(every))
        every = np.tile(every, (times, 1))
        alike = self.alike.table
        alike = np.resize(alike, (len(every), alike.shape[1]))
        return Patterns(every[:, :width], every[:, width:] + alike, observed, sizes, True, False)


def _in_order(units: np.ndarray) -> np.ndarray:
    """Units in an order of their own, whatever came first."""
    ordered: np.ndarray = units[np.lexsort(units.T[::-1])]
    return ordered


def flipped(asked: Draws, numbers: np.ndarray, halves: Sequence[np.ndarray], still: np.ndarray) -> tuple[Flips, ...]:
    """The flips of some units, which `numbers` name, for each other system.

    halves: half the differences of its columns, (n, k - 1) each;  still: what no system changes, (n, m)
    """
    differs = [np.any(half != 0, axis=1) for half in halves]
    alike = [np.where(mask[:, None], 0.0, still) for mask in differs]
    sums = draws.flip_sums(asked, numbers, np.concatenate([still, *halves, *alike], axis=1))
    width, fixed = (halves[0].shape[1] if halves else 0), still.shape[1]
    after = fixed + width * len(halves)
    result = []
    for at, (half, mask) in enumerate(zip(halves, differs, strict=True)):
        place, count = np.flatnonzero(mask)[: EXACT_UNITS + 1], int(np.count_nonzero(mask))
        rest = np.flatnonzero(~mask)[: EXACT_UNITS + 1]
        result.append(
            Flips(
                sums.columns(fixed + width * at, fixed + width * (at + 1)),
                sums.columns(0, fixed),
                sums.columns(after + fixed * at, after + fixed * (at + 1)),
                tuple(map(total, half.T)),
                tuple(map(total, np.abs(half).T)),
                np.concatenate([half, still], axis=1)[place],
                still[rest],
                count,
                len(mask) - count,
            )
        )
    return tuple(result)


class Inverted(NamedTuple):
    """The interval of a difference and the p-value of 0, from the same patterns."""

    low: float
    high: float
    p: float


def inverted(
    gap: float, swapped: np.ndarray, linear: np.ndarray, share: np.ndarray, level: float, tie: float, is_every: bool
) -> Inverted:
    """The differences that the patterns do not reject at a level, and the p-value of none.

    gap: the difference observed;  swapped: under each pattern, (R,);  linear: the same as sums of contributions
    share: the sum of the flipped shares of the rows, (R,), from -1 to 1;  tie: how close counts as equal
    is_every: these are all patterns, so the one observed is among them
    """
    reached = ~(np.abs(swapped) < abs(gap) - tie)
    p = _p(int(np.count_nonzero(reached)), len(swapped), is_every)
    sign = -1.0 if gap < 0 else 1.0
    with np.errstate(divide="ignore", invalid="ignore"):
        near, far = _ends(abs(gap), sign * swapped, sign * linear, share, reached, tie)
    alpha = alpha_of(level)
    near, far = (np.where(np.isnan(end), math.inf, end) for end in (-near, far))
    low, high = _at(-near, alpha, is_every), -_at(-far, alpha, is_every)
    return Inverted(low, high, p) if sign > 0 else Inverted(-high, -low, p)


def p_beyond(gap: float, flipped: np.ndarray, tie: float, is_complete: bool) -> float:
    """One-sided, that a value is not below 0: how many patterns reach as far below 0 as it does.

    flipped: the value under each pattern, (R,);  tie: how close counts as equal
    """
    return _p(int(np.count_nonzero(~(flipped > gap + tie))), len(flipped), is_complete)


def alpha_of(level: float) -> float:
    """1 - level, as it is written in decimals."""
    return round(1 - level, 12)


def _p(count: int, patterns: int, is_every: bool) -> float:
    return count / patterns if is_every else (1 + count) / (1 + patterns)


def _ends(
    gap: float, swapped: np.ndarray, linear: np.ndarray, share: np.ndarray, reached: np.ndarray, tie: float
) -> tuple[np.ndarray, np.ndarray]:
    """The smallest and the largest difference at which each pattern reaches the one observed, `gap` >= 0."""
    far = np.maximum(_root(gap + linear, 1 + share), _root(gap - linear, 1 - share))
    up, down = (np.where(np.abs(short) <= tie, 0.0, short) for short in (gap - swapped, gap + swapped))
    below = np.minimum(0.0, np.minimum(-_root(-down, 1 + share), -_root(-up, 1 - share)))
    slope = (linear - swapped) / gap - share if gap else -share
    up, down = _root(gap - swapped, 1 + slope), _root(gap + swapped, 1 - slope)
    between = np.minimum(np.where(1 + slope > 0, up, math.inf), np.where(1 - slope > 0, down, math.inf))
    between = np.clip(between, np.finfo(float).tiny, max(gap, np.finfo(float).tiny))
    return np.where(reached, below, between), np.maximum(far, gap)


def _root(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """A quotient; infinite where the pattern flips all rows alike, and so reaches whatever is observed."""
    return np.where(np.abs(denominator) <= TIE, math.inf, numerator / denominator)


def _at(ends: np.ndarray, alpha: float, is_every: bool) -> float:
    """Where the p-value falls below alpha: ends at which patterns begin to reach, from outside in."""
    total = len(ends)
    count = max(0, math.ceil(alpha * (total if is_every else 1 + total)) - (0 if is_every else 1) - 1)
    while _p(count, total, is_every) < alpha:
        count += 1
    return float(np.sort(ends)[count - 1]) if count else -math.inf
