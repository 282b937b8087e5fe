"""One system against others on the same rows: differences, how they vary, and how likely chance alone makes them.

Systems share their rows, their weights and their random numbers. A sign flip swaps the losses of the two systems in a
row (or in all rows of a cluster): if they are alike, the swapped difference is as likely as the one observed. The
interval holds every difference that the same flips do not reject (`flips`); with `--test bootstrap` rows are resampled
instead, and p is one minus the largest level at which the interval leaves 0 out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..errors import DataError, UsageError
from ..rows import by_row
from ..rows.shapes import Plan
from . import bootstrap, draws, flips, statistic
from .bootstrap import Method, Spread
from .clusters import Clusters, cluster_numbers, cluster_sums, merge_into
from .draws import Draws
from .flips import Flips

NUDGE, EPSILON, ROUNDINGS = 2.0**-30, 2.0**-52, 16.0  # of totals, to see how far rounding moves a value
SIGN_FLIP, BOOTSTRAP = "sign-flip", "bootstrap"
TESTS = (SIGN_FLIP, BOOTSTRAP)


class Pairs(NamedTuple):
    """The losses of a base and S other systems on some rows; merges with those of other rows.

    A system has k columns, of which all systems share the last, the divisor.

    parts: exact sums, of the base first;  better, equal, worse: rows where another system's loss is below, at, above
    the base's, (S,), None where single rows have none;  units: rows (or lists, or clusters)
    resampled: the sums of the columns of each system, then of the divisor, over the resamples, (R, (S + 1)(k - 1) + 1);
    None where signs are flipped;  flipped: what each other system's flips add up to; () where rows are resampled
    moments: of each system beside the base, of the columns that `_beside` names
    clusters: instead of the three above, the sums of the columns of each cluster
    """

    parts: tuple[by_row.Part, ...]
    better: np.ndarray | None
    equal: np.ndarray | None
    worse: np.ndarray | None
    resampled: np.ndarray | None
    flipped: tuple[Flips, ...]
    moments: tuple[bootstrap.Moments, ...]
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
            tuple(a.merge(b) for a, b in zip(self.flipped, other.flipped, strict=True)),
            tuple(a.merge(b) for a, b in zip(self.moments, other.moments, strict=True)),
            self.units + other.units,
            None if self.clusters is None or other.clusters is None else merge_into(self.clusters, other.clusters),
        )


def _sum(a: np.ndarray | None, b: np.ndarray | None) -> np.ndarray | None:
    return None if a is None or b is None else a + b


def pairs(plan: Plan, systems: Sequence[by_row.Scored], draws: Draws, cluster: int | None, test: str) -> Pairs:
    """What one block says of the base (the first of the systems) and the others. cluster: which side column"""
    _refuse_unequal(plan, systems)
    rows = [system.rows for system in systems]
    n = rows[0].n
    divisor = np.ones(n) if rows[0].columns[-1] is None else rows[0].columns[-1]
    own = [np.ones(n) if column is None else column for system in rows for column in system.columns[:-1]]
    columns = np.stack([*own, divisor], axis=1)
    width = len(rows[0].columns) - 1
    if cluster is None:
        counted = _drawn(plan, rows[0].number, columns, width, draws, test)
    else:
        nothing = _drawn(plan, rows[0].number[:0], columns[:0], width, draws, test)
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


def _drawn(plan: Plan, numbers: np.ndarray, columns: np.ndarray, width: int, asked: Draws, test: str) -> Pairs:
    """The random part of some units, from the columns of all systems and the divisor."""
    others = range((columns.shape[1] - 1) // width - 1)
    beside = [_beside(plan, columns, width, at) for at in others]
    resampled = draws.resample_sums(asked, numbers, columns) if test == BOOTSTRAP else None
    flipped: tuple[Flips, ...] = ()
    if test == SIGN_FLIP:
        base, divisor = columns[:, :width], columns[:, -1:]
        still = divisor if plan.spec.finish is None else columns[:, [*range(width), -1]]
        with np.errstate(invalid="ignore"):
            halves = [(columns[:, width * (at + 1) :][:, :width] - base) / 2 for at in others]
        flipped = flips.flipped(asked, numbers, halves, still)
    return Pairs((), None, None, None, resampled, flipped, tuple(map(bootstrap.moments, beside)), len(columns), None)


def _beside(plan: Plan, columns: np.ndarray, width: int, other: int) -> np.ndarray:
    """What the influence on a difference is made of: the differences of means, or the columns of both; the divisor."""
    base, system, divisor = columns[:, :width], columns[:, width * (other + 1) :][:, :width], columns[:, -1:]
    with np.errstate(invalid="ignore"):
        own = [system - base] if plan.spec.finish is None else [base, system]
    return np.concatenate([*own, divisor], axis=1)


def settle(plan: Plan, pairs: Pairs, asked: Draws, test: str) -> Pairs:
    """The pairs of all rows, with the clusters drawn as the units that they are."""
    if pairs.clusters is None:
        return pairs
    columns = np.array(list(pairs.clusters.values()))
    counted = _drawn(plan, cluster_numbers(pairs.clusters), columns, pairs.width, asked, test)
    return counted._replace(parts=pairs.parts, better=pairs.better, equal=pairs.equal, worse=pairs.worse)


class Difference(NamedTuple):
    """Another system against the base: the difference of the two values, its interval, and what chance makes.

    method: of the interval, "sign-flip", "bca" or "percentile";  low, high: infinite where so few units cannot tell
    p: two-sided, at most 1 - level where the interval leaves 0 out, and above it where it does not
    test: how p was found;  draws, units: how many patterns, resamples or blocks, of how many rows, lists or clusters
    """

    base: float
    other: float
    value: float
    method: str
    low: float
    high: float
    standard_error: float
    p: float
    test: str
    draws: int
    units: int


def difference(plan: Plan, pairs: Pairs, other: int, level: float, test: str, method: Method = "bca") -> Difference:
    """What all rows say of one other system (0 is the first).

    method: of the interval of the test "bootstrap"; the sign flips have one of their own
    """
    base, value = (by_row.value_of(plan, part) for part in (pairs.parts[0], pairs.parts[other + 1]))
    gap = value - base
    nan = math.nan
    count = len(pairs.flipped[other].half if pairs.resampled is None else pairs.resampled)
    so_far = Difference(base, value, gap, test, nan, nan, nan, nan, test, count, pairs.units)
    if test == BOOTSTRAP:
        return _resampled(plan, pairs, other, level, method, so_far)
    return _flipped(plan, pairs, other, level, so_far)


def _resampled(plan: Plan, pairs: Pairs, other: int, level: float, method: Method, so_far: Difference) -> Difference:
    assert pairs.resampled is not None
    totals = pairs.resampled[pairs.resampled[:, -1] > 0]
    with np.errstate(invalid="ignore"):
        resampled = _values(plan, pairs, totals, other + 1) - _values(plan, pairs, totals, 0)
    influence = _influence(plan, pairs, other) if method == "bca" else bootstrap.Influence(math.nan, math.nan, 0)
    held = np.ones(len(resampled), dtype=bool)
    spread = Spread(so_far.value, np.sort(resampled), held, influence.acceleration, influence)
    low, high = spread.interval(level, method)
    p = bootstrap.p_of_zero(spread, method)
    return so_far._replace(method=method, low=low, high=high, standard_error=spread.standard_error, p=p)


def _flipped(plan: Plan, pairs: Pairs, other: int, level: float, so_far: Difference) -> Difference:
    if not math.isfinite(so_far.value):
        return so_far
    patterns = pairs.flipped[other].patterns()
    observed, swapped, tie = _swapped(plan, (pairs.parts[0], pairs.parts[other + 1]), patterns)
    influence = _influence(plan, pairs, other)
    linear = swapped if plan.spec.finish is None else _linear(plan, pairs, other, observed, patterns)
    share = patterns.still[:, -1] / float(pairs.parts[0].sums[-1])
    answer = flips.inverted(observed, swapped, linear, share, level, tie, patterns.is_every)
    error = math.sqrt(max(0.0, influence.squares) * pairs.units / (pairs.units - 1)) if pairs.units > 1 else math.nan
    name = f"{SIGN_FLIP}, all patterns" if patterns.is_every else SIGN_FLIP
    return so_far._replace(low=answer.low, high=answer.high, standard_error=error, p=answer.p, test=name)


def _values(plan: Plan, pairs: Pairs, totals: np.ndarray, system: int) -> np.ndarray:
    """The value of one system in each resample."""
    own = totals[:, pairs.width * system :][:, : pairs.width]
    return statistic.resampled_values(plan, np.concatenate([own, totals[:, -1:]], axis=1), pairs.parts[system].n)


def _swapped(
    plan: Plan, parts: tuple[by_row.Part, by_row.Part], patterns: flips.Patterns
) -> tuple[float, np.ndarray, float]:
    """The difference as it is and under each sign pattern, (R,), in one arithmetic, and what rounding may do to it."""
    divisor = parts[0].sums[-1]
    if plan.spec.finish is None:
        factor = 2.0 * (parts[0].n if plan.is_sum else 1.0) / float(divisor)
        tie = flips.TIE * abs(factor) * float(patterns.sizes[0])
        return factor * float(patterns.observed[0]), factor * patterns.half[:, 0], tie
    base, other = (np.array([float(total) for total in part.sums]) for part in parts)
    middle = (base[:-1] + other[:-1]) / 2

    def gap(steps: np.ndarray) -> np.ndarray:
        """The difference where the columns of the other system lie so far above the middle, (m, k - 1) -> (m,)."""
        ends = np.full((len(steps), 1), base[-1])
        sides = (np.concatenate([middle + sign * steps, ends], axis=1) for sign in (1, -1))
        high, low = (statistic.resampled_values(plan, side, parts[0].n) for side in sides)
        return np.asarray(high - low)

    nudged = np.concatenate([np.zeros((1, len(base))), np.diag(NUDGE * np.abs(base))]) + base
    values = statistic.resampled_values(plan, nudged, parts[0].n)
    with np.errstate(invalid="ignore"):
        reach = float(np.nansum(np.abs(gap(np.diag(patterns.sizes)))))
        rounding = float(np.nansum(np.abs(values[1:] - values[0]))) / NUDGE + abs(float(values[0]))
        (observed,) = gap(patterns.observed[None]).tolist()
        return observed, gap(patterns.half), flips.TIE * reach + ROUNDINGS * EPSILON * rounding


def _linear(plan: Plan, pairs: Pairs, other: int, gap: float, patterns: flips.Patterns) -> np.ndarray:
    """What rows contribute to the difference under each sign pattern, (R,): their influence, and their share of it."""
    slopes, means = _slopes(plan, pairs, other)
    base, divisor = patterns.still[:, :-1], patterns.still[:, -1:]
    columns = np.concatenate([base, base + 2 * patterns.half], axis=1) - np.concatenate(means) * divisor
    contributions = np.concatenate([columns, divisor], axis=1) @ slopes
    return np.asarray(contributions + gap * divisor[:, 0] / float(pairs.parts[0].sums[-1]))


def _influence(plan: Plan, pairs: Pairs, other: int) -> bootstrap.Influence:
    """That of the rows (or clusters) on the difference."""
    slopes, means = _slopes(plan, pairs, other)
    centre = means[1] - means[0] if plan.spec.finish is None else np.concatenate(means)
    return pairs.moments[other].about(centre).influence(slopes)


def _slopes(plan: Plan, pairs: Pairs, other: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """The derivatives of the difference by the columns that `_beside` names, and the means of both systems' own."""
    base, system = pairs.parts[0], pairs.parts[other + 1]
    means = [statistic.centre_of(part) for part in (base, system)]
    if plan.spec.finish is None:
        slope = (system.n if plan.is_sum else 1.0) / float(base.sums[-1])
        return np.array([slope, 0.0]), means
    moments = pairs.moments[other].about(np.concatenate(means))
    slopes = [
        statistic.slopes_of(plan, part, _own(moments, start, pairs.width))
        for part, start in ((base, 0), (system, pairs.width))
    ]
    ends = slopes[1][-1] - slopes[0][-1]
    return np.concatenate([-slopes[0][:-1], slopes[1][:-1], [ends]]), means


def _own(moments: bootstrap.Moments, start: int, width: int) -> bootstrap.Moments:
    """Those of one system's columns, and of the divisor."""
    at = np.array([*range(start, start + width), len(moments.centre)])
    return bootstrap.Moments(
        moments.centre[at[:-1]], moments.pairs[np.ix_(at, at)], moments.triples[np.ix_(at, at, at)], moments.n
    )


def holm(p: Sequence[float]) -> list[float]:
    """p-values adjusted for their number (Holm 1979), in the order given; nan stays nan and counts."""
    order = sorted(range(len(p)), key=lambda at: math.inf if math.isnan(p[at]) else p[at])
    adjusted, largest = list(p), 0.0
    for rank, at in enumerate(order):
        if not math.isnan(p[at]):
            largest = max(largest, min(1.0, (len(p) - rank) * p[at]))
            adjusted[at] = largest
    return adjusted
