"""Intervals about new points of an embedding set: its value without each of some blocks of points.

Each point is anchor, positive and negative to all others, so it is points (or, with clusters, classes) that are left
out, and the loss of the rest is computed anew; the variance of the value is (G - 1) / G times the sum of squares of
what the G blocks change, and Student's t with G - 1 degrees of freedom bounds it.
Source: Shao, Wu, A general theory for jackknife variance estimation, 1989 (several points at once, for values that are
not smooth, such as a hardest negative).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from ..rows.groups import as_text
from . import student
from .clusters import cluster_numbers
from .draws import Draws, order_of

BLOCKS = 20
FEW_POINTS, FEW_CLUSTERS = 20, 10  # below these intervals were not shown to hold
ROUNDING = 1e-12  # of the values: differences of systems below it are rounding


def blocks_of(draws: Draws, points: int, clusters: np.ndarray | None) -> Iterator[np.ndarray]:
    """Masks of what stays, (points,), one for each block: points dealt out at random, or clusters whole."""
    if clusters is None:
        place, units = np.arange(points), points
        numbers = np.arange(points, dtype=np.uint64)
    else:
        names, place = np.unique(as_text(clusters), return_inverse=True)
        units, numbers = len(names), cluster_numbers(names.tolist())
    block = np.empty(units, dtype=np.int64)
    block[order_of(draws, numbers)] = np.arange(units) % BLOCKS
    for number in range(min(BLOCKS, units)):
        yield (block != number)[place]


class Jackknife(NamedTuple):
    """A value and what it is without each block.

    left_out: (G,), nan where the rest has no value;  units: how many points (or clusters) there are
    fewest: of these, from which on intervals were shown to hold
    """

    value: float
    left_out: np.ndarray
    units: int
    fewest: int = FEW_POINTS

    @property
    def standard_error(self) -> float:
        """Of the value, over sets of other points; nan where it has none."""
        blocks = len(self.left_out)
        if self.units < self.fewest or blocks < 2 or not np.isfinite(self.left_out).all():
            return math.nan
        gaps = self.left_out - self.left_out.mean()
        return math.sqrt((blocks - 1) / blocks * float((gaps * gaps).sum()))

    def interval(self, level: float) -> tuple[float, float]:
        """(low, high) of the value; nan where there is none."""
        reach = self.standard_error
        if reach != 0:
            reach *= student.quantile(level, max(1, len(self.left_out) - 1))
        return self.value - reach, self.value + reach

    @property
    def p(self) -> float:
        """Two-sided, of a value of 0."""
        error = self.standard_error
        if not self.value:
            return 1.0
        return student.two_sided(self.value / error, len(self.left_out) - 1) if error else math.nan

    @property
    def negative(self) -> Jackknife:
        """That of the value with the other sign."""
        return self._replace(value=-self.value, left_out=-self.left_out)

    @property
    def p_beyond(self) -> float:
        """One-sided, of a value that is not below 0."""
        error = self.standard_error
        return student.below(self.value / error, len(self.left_out) - 1) if error else math.nan

    @property
    def remark(self) -> str:
        """Why there is no interval, or why it tells little; "" for nothing to say."""
        if self.units < self.fewest:
            what = "clusters" if self.fewest == FEW_CLUSTERS else "points"
            return f"no interval of {self.units} {what}: they hold from {self.fewest} on"
        if not np.isfinite(self.left_out).all():
            return "no interval: without some of the points (or clusters) there is nothing to average"
        return ""


def mean(parts: Sequence[Jackknife]) -> Jackknife:
    """That of the mean of values of the same set."""
    value = float(np.mean([part.value for part in parts]))
    return parts[0]._replace(value=value, left_out=np.mean([part.left_out for part in parts], axis=0))


def difference(base: Jackknife, other: Jackknife, share: float = 1.0, margin: float = 0.0) -> Jackknife:
    """That of the other system's value minus a share of the base's and a margin."""
    scale = ROUNDING * (abs(base.value) + abs(other.value))
    gaps = np.array([other.value - share * base.value, *(other.left_out - share * base.left_out)]) - margin
    gaps = np.where(np.abs(gaps) <= scale, 0.0, gaps)
    return other._replace(value=float(gaps[0]), left_out=gaps[1:])
