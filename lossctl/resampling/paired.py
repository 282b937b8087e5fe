"""One system against others on the same rows: differences, how they vary, and how likely chance alone makes them.

Systems share their rows, their weights and their random numbers, so a difference is resampled as a difference. A sign
flip swaps the losses of the two systems in a row (or in all rows of a cluster): if they are alike, the swapped
difference is as likely as the one seen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..errors import DataError, UsageError
from ..rows import by_row
from ..rows.shapes import Plan
from . import bootstrap, draws, statistic
from .bootstrap import Method, Spread
from .clusters import Clusters, cluster_numbers, cluster_sums, merge_into
from .draws import Draws

EXACT_UNITS = 20  # up to here all 2**n patterns of signs are tried, where they are no more than the resamples
TIE = 1e-12  # a flipped difference this close to the one seen, relatively, counts as equal to it


class Pairs(NamedTuple):
    """The losses of a base and S other systems on some rows; merges with those of other rows.

    A system has k columns, of which all systems share the last, the divisor.

    parts: exact sums, of the base first;  better, equal, worse: rows where another system's loss is below, at, above
    the base's, (S,), None where single rows have none;  units: rows (or lists, or clusters)
    resampled: the sums of the columns of each system, then of the divisor, over the resamples, (R, (S + 1)(k - 1) + 1)
    flipped: sums of the half differences of the columns under each sign pattern, (R, S (k - 1))
    moments: of each system beside the base, of the columns that `_beside` names
    few: half differences of the first units, (n, S (k - 1)), as long as they are few
    clusters: instead of the four above, the sums of the columns of each cluster
    """

    parts: tuple[by_row.Part, ...]
    better: np.ndarray | None
    equal: np.ndarray | None
    worse: np.ndarray | None
    resampled: np.ndarray | None
    flipped: np.ndarray | None
    moments: tuple[bootstrap.Moments, ...]
    few: np.ndarray
    units: int
    clusters: Clusters | None

    @property
    def width(self) -> int:
        """How many columns a system has of its own, k - 1."""
        return len(self.parts[0].sums) - 1

    def merge(self, other: Pairs) -> Pairs:
        """The pairs of two sets of rows together."""
        return Pairs(
            tuple(a.merge(b) for a, b in zip(self.parts, other.parts, strict=True)),
            _sum(self.better, other.better),
            _sum(self.equal, other.equal),
            _sum(self.worse, other.worse),
            _sum(self.resampled, other.resampled),
            _sum(self.flipped, other.flipped),
            tuple(a.merge(b) for a, b in zip(self.moments, other.moments, strict=True)),
            np.concatenate([self.few, other.few])[: EXACT_UNITS + 1],
            self.units + other.units,
            None if self.clusters is None or other.clusters is None else merge_into(self.clusters, other.clusters),
        )


def _sum(a: np.ndarray | None, b: np.ndarray | None) -> np.ndarray | None:
    return None if a is None or b is None else a + b


def pairs(plan: Plan, systems: Sequence[by_row.Scored], draws: Draws, cluster: int | None) -> Pairs:
    """What one block says of the base (the first of the systems) and the others. cluster: which side column"""
    _refuse_unequal(plan, systems)
    rows = [system.rows for system in systems]
    n = rows[0].n
    divisor = np.ones(n) if rows[0].columns[-1] is None else rows[0].columns[-1]
    own = [np.ones(n) if column is None else column for system in rows for column in system.columns[:-1]]
    columns = np.stack([*own, divisor], axis=1)
    width = len(rows[0].columns) - 1
    counted = _drawn(plan, rows[0].number, columns, width, draws)
    if cluster is not None:
        nothing = _drawn(plan, rows[0].number[:0], columns[:0], width, draws)
        counted = nothing._replace(clusters=cluster_sums(systems[0].side[cluster], columns))
    better, equal, worse = _row_counts(rows)
    parts = tuple(by_row.part_of(system) for system in rows)
    return counted._replace(parts=parts, better=better, equal=equal, worse=worse)


def _refuse_unequal(plan: Plan, systems: Sequence[by_row.Scored]) -> None:
    """DataError where systems have other rows, UsageError where their means are over other terms."""
    base = systems[0].rows
    for system in systems[1:]:
        if not np.array_equal(base.number, system.rows.number):
            raise DataError(
                "the systems leave out different rows, so they cannot be compared row by row",
                fix="give every system a value in every row, or leave rows out for all: --na skip",
            )
        divisors = (base.columns[-1], system.rows.columns[-1])
        if not all(column is None for column in divisors) and not np.array_equal(*divisors):  # type: ignore[arg-type]
            name = plan.reduction
            raise UsageError(
                f"each system's {name} is over other terms: only over the pairs or triplets that count for it",
                why="a mean that also changes by what it is over tells no system from another",
                fix="use -r mean for batch-all, fallback=easiest for semi-hard (random-semi-hard has no such mean)",
            )


def _row_counts(rows: Sequence[by_row.Rows]) -> tuple[np.ndarray | None, np.ndarray | None, np.ndarray | None]:
    """In how many rows each other system's loss is below, at and above the base's; None where rows have no loss."""
    values = [system.values for system in rows if system.values is not None]
    if len(values) < len(rows):
        return None, None, None
    with np.errstate(invalid="ignore"):
        gap = np.stack(values[1:], axis=1) - values[0][:, None]
    below, at = gap < 0, gap == 0
    better, equal, worse = (np.count_nonzero(mask, axis=0) for mask in (below, at, ~(below | at)))
    return better, equal, worse


def _drawn(plan: Plan, numbers: np.ndarray, columns: np.ndarray, width: int, asked: Draws) -> Pairs:
    """The random part of some units, from the columns of all systems and the divisor."""
    with np.errstate(invalid="ignore"):
        others = columns[:, width:-1]
        half = (others - np.tile(columns[:, :width], others.shape[1] // width)) / 2
    beside = [_beside(plan, columns, width, at) for at in range(others.shape[1] // width)]
    return Pairs(
        (),
        None,
        None,
        None,
        draws.resample_sums(asked, numbers, columns),
        draws.flip_sums(asked, numbers, half),
        tuple(map(bootstrap.moments, beside)),
        half[: EXACT_UNITS + 1],
        len(columns),
        None,
    )


def _beside(plan: Plan, columns: np.ndarray, width: int, other: int) -> np.ndarray:
    """What the influence on a difference is made of: the differences of means, or the columns of both; the divisor."""
    base, system, divisor = columns[:, :width], columns[:, width * (other + 1) :][:, :width], columns[:, -1:]
    with np.errstate(invalid="ignore"):
        own = [system - base] if plan.spec.finish is None else [base, system]
    return np.concatenate([*own, divisor], axis=1)


def settle(plan: Plan, whole: Pairs, asked: Draws) -> Pairs:
    """The pairs of all rows, with the clusters drawn as the units that they are."""
    if whole.clusters is None:
        return whole
    columns = np.array(list(whole.clusters.values()))
    counted = _drawn(plan, cluster_numbers(whole.clusters), columns, whole.width, asked)
    return counted._replace(parts=whole.parts, better=whole.better, equal=whole.equal, worse=whole.worse)


class Difference(NamedTuple):
    """Another system against the base: the difference of the two values, what surrounds it, and what chance makes.

    spread: of the difference;  p: two-sided;  exact: whether every sign pattern was tried
    """

    base: float
    other: float
    value: float
    spread: Spread
    p: float
    exact: bool


def difference(plan: Plan, whole: Pairs, other: int, test: str, method: Method = "percentile") -> Difference:
    """What all rows say of one other system (0 is the first). test: "sign-flip" or "bootstrap"

    method: of the interval that will be asked of the spread; BCa needs the influence of the rows
    """
    parts = whole.parts[0], whole.parts[other + 1]
    base, value = (by_row.value_of(plan, part) for part in parts)
    gap = value - base
    assert whole.resampled is not None and whole.flipped is not None
    held = whole.resampled[:, -1] > 0
    totals = whole.resampled[held]
    with np.errstate(invalid="ignore"):
        resampled = _values(plan, whole, totals, other + 1) - _values(plan, whole, totals, 0)
    influence = _influence(plan, whole, other) if method == "bca" else bootstrap.Influence(math.nan, math.nan, 0)
    spread = Spread(gap, resampled, np.ones(len(resampled), dtype=bool), influence.acceleration, influence)
    if not math.isfinite(gap):
        return Difference(base, value, gap, spread, math.nan, False)
    if test == "bootstrap":
        return Difference(base, value, gap, spread, _share(np.abs(resampled - gap), abs(gap), exact=False), False)
    exact = whole.units <= EXACT_UNITS and 1 << whole.units <= len(whole.flipped)
    own = slice(whole.width * other, whole.width * (other + 1))
    flips = draws.every_flip_sum(whole.few[:, own]) if exact else whole.flipped[:, own]
    swapped = np.abs(_swapped(plan, parts, flips))
    return Difference(base, value, gap, spread, _share(swapped, abs(gap), exact), exact)


def _values(plan: Plan, whole: Pairs, totals: np.ndarray, system: int) -> np.ndarray:
    """The value of one system in each resample."""
    own = totals[:, whole.width * system :][:, : whole.width]
    return statistic.resampled_values(plan, np.concatenate([own, totals[:, -1:]], axis=1), whole.parts[system].n)


def _swapped(plan: Plan, parts: tuple[by_row.Part, by_row.Part], flips: np.ndarray) -> np.ndarray:
    """The difference under each sign pattern. flips: the sums of half differences, (R, k - 1)"""
    base, other = (np.array([float(total) for total in part.sums]) for part in parts)
    middle = (base[:-1] + other[:-1]) / 2
    divisor = np.full((len(flips), 1), base[-1])
    with np.errstate(invalid="ignore"):
        sides = (np.concatenate([middle + sign * flips, divisor], axis=1) for sign in (1, -1))
        high, low = (statistic.resampled_values(plan, side, parts[0].n) for side in sides)
        gap: np.ndarray = high - low
    return gap


def _influence(plan: Plan, whole: Pairs, other: int) -> bootstrap.Influence:
    """That of the rows (or clusters) on the difference."""
    base, system = whole.parts[0], whole.parts[other + 1]
    means = [statistic.centre_of(part) for part in (base, system)]
    if plan.spec.finish is None:
        slope = (system.n if plan.reduction == "sum" else 1.0) / float(base.sums[-1])
        return whole.moments[other].about(means[1] - means[0]).influence(np.array([slope, 0.0]))
    moments = whole.moments[other].about(np.concatenate(means))
    slopes = [
        statistic.slopes_of(plan, part, _own(moments, start, whole.width))
        for part, start in ((base, 0), (system, whole.width))
    ]
    ends = slopes[1][-1] - slopes[0][-1]
    return moments.influence(np.concatenate([-slopes[0][:-1], slopes[1][:-1], [ends]]))


def _own(moments: bootstrap.Moments, start: int, width: int) -> bootstrap.Moments:
    """Those of one system's columns, and of the divisor."""
    at = np.array([*range(start, start + width), len(moments.centre)])
    return bootstrap.Moments(
        moments.centre[at[:-1]], moments.pairs[np.ix_(at, at)], moments.triples[np.ix_(at, at, at)], moments.n
    )


def _share(sizes: np.ndarray, seen: float, exact: bool) -> float:
    """How many of the sizes reach the one seen; where they are a sample, the one seen is of it too."""
    reached = int(np.count_nonzero(sizes >= seen * (1 - TIE)))
    return reached / len(sizes) if exact else (reached + 1) / (len(sizes) + 1)


def holm(p: Sequence[float]) -> list[float]:
    """p-values adjusted for their number (Holm 1979), in the order given; nan stays nan and counts."""
    order = sorted(range(len(p)), key=lambda at: math.inf if math.isnan(p[at]) else p[at])
    adjusted, largest = list(p), 0.0
    for rank, at in enumerate(order):
        if not math.isnan(p[at]):
            largest = max(largest, min(1.0, (len(p) - rank) * p[at]))
            adjusted[at] = largest
    return adjusted
