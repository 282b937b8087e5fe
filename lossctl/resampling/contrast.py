"""How one system differs from the base on the rows that they share, how that varies, and what chance alone makes.

A sign flip swaps the losses of the two systems in a row (or in all rows of a cluster): if they are alike, the swapped
difference is as likely as the one observed. The interval holds every difference that the same flips do not reject
(`flips`); with `--test bootstrap` rows are resampled instead, and p is one minus the largest level at which the
interval leaves 0 out. Where rows are of several seeds (or folds), these are what varies (`seeds`). A margin is tested
on both sides, by the same means.
Source: Schuirmann, A comparison of the two one-sided tests procedure and the power approach, 1987.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..rows import by_row
from ..rows.shapes import Plan
from . import bootstrap, flips, seeds, statistic
from .bootstrap import Method, Spread
from .clusters import table_of
from .paired import BOOTSTRAP, SEEDS, SIGN_FLIP, Ask, Margin, Pairs

NUDGE, EPSILON, ROUNDINGS = 2.0**-30, 2.0**-52, 16.0  # of totals, to see how far rounding moves a value


class Difference(NamedTuple):
    """Another system against the base: the difference of the two values, its interval, and what chance makes.

    method: of the interval, "sign-flip", "bca" or "percentile";  low, high: infinite where so few units cannot tell
    p: two-sided, at most 1 - level where the interval leaves 0 out, and above it where it does not
    test: how p was found;  draws, units: how many patterns, resamples or blocks, of how many rows, lists or clusters
    freedom: degrees of freedom of the standard error
    beyond: one-sided p-values of a margin: that the difference is not below it, and not above its negative
    margin: how large it is, in the unit of the value
    carriers: how many units of equal differences tell as much, where units are resampled
    remark: what there is to say of resamples
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
    freedom: float = math.nan
    beyond: tuple[float, float] = (math.nan, math.nan)
    margin: float = math.nan
    carriers: float = math.inf
    remark: str = ""


class MarginSide(NamedTuple):
    """One side of a margin: the value sign * difference - amount - share * base, which is to be shown below 0."""

    sign: float
    amount: float
    share: float

    def of(self, base: float, gap: float) -> float:
        """The value, from those of the base and of the difference."""
        return self.sign * gap - self.amount - self.share * base


def sides_of(margin: Margin, base: float) -> tuple[MarginSide, MarginSide]:
    """Both sides of a margin about a base of some value."""
    share = math.copysign(margin.amount, base) if margin.is_relative else 0.0
    amount = 0.0 if margin.is_relative else margin.amount
    return MarginSide(1.0, amount, share), MarginSide(-1.0, amount, share)


def size_of(margin: Margin, base: float) -> float:
    """How large a margin is about a base of some value."""
    return margin.amount * abs(base) if margin.is_relative else margin.amount


def difference(plan: Plan, pairs: Pairs, other: int, level: float, ask: Ask, method: Method = "bca") -> Difference:
    """What all rows say of one other system (0 is the first).

    method: of the interval of the test "bootstrap"; the sign flips have one of their own
    """
    base, value = (by_row.value_of(plan, part) for part in (pairs.parts[0], pairs.parts[other + 1]))
    gap = value - base
    nan = math.nan
    margin = math.nan if ask.margin is None else size_of(ask.margin, base)
    sides = () if ask.margin is None or not margin > 0 else sides_of(ask.margin, base)
    so_far = Difference(base, value, gap, ask.test, nan, nan, nan, nan, ask.test, 0, pairs.units, pairs.units - 1.0)
    so_far = so_far._replace(margin=margin)
    if ask.test == SEEDS:
        return _over_seeds(plan, pairs, other, level, sides, so_far)
    if ask.test == BOOTSTRAP:
        return _resampled(plan, pairs, other, level, method, sides, so_far)
    return _flipped(plan, pairs, other, level, sides, so_far)


Sides = tuple[()] | tuple[MarginSide, MarginSide]


def _resampled(
    plan: Plan, pairs: Pairs, other: int, level: float, method: Method, sides: Sides, so_far: Difference
) -> Difference:
    assert pairs.resampled is not None
    carriers = _carriers(pairs, other)
    so_far = so_far._replace(
        method=method, standard_error=_error(plan, pairs, other), draws=len(pairs.resampled), carriers=carriers
    )
    if not carriers >= bootstrap.FEWEST:
        return so_far
    totals = pairs.resampled.table
    totals = totals[totals[:, -1] > 0]
    values = _values(plan, pairs, totals, 0), _values(plan, pairs, totals, other + 1)

    def spread_of(value: float, resampled: np.ndarray, share: float) -> Spread:
        influence = _influence(plan, pairs, other, share)
        held = np.ones(len(resampled), dtype=bool)
        return Spread(value, np.sort(resampled), held, influence.acceleration, influence, carriers)

    with np.errstate(invalid="ignore"):
        gaps = values[1] - values[0]
        spread = spread_of(so_far.value, gaps, 1.0)
        beyond = []
        for side in sides:
            value = side.of(so_far.base, so_far.value)
            moved = spread_of(
                value, side.sign * gaps - side.amount - side.share * values[0], 1 + side.sign * side.share
            )
            turned = moved._replace(acceleration=side.sign * moved.acceleration)
            beyond.append(bootstrap.p_beyond_zero(turned, method))
    ends = spread.ends(level, method)
    if ends.method != method:  # finer than resamples can tell
        ends = ends._replace(low=-math.inf, high=math.inf)
    p = bootstrap.p_of_zero(spread, method)
    so_far = so_far._replace(low=ends.low, high=ends.high, p=p, remark=spread.remark)
    return so_far._replace(beyond=(beyond[0], beyond[1])) if sides else so_far


def _carriers(pairs: Pairs, other: int) -> float:
    """How many units of equal differences tell as much, (sum |d|)^2 / sum d^2, of the column where they are most.

    Infinite where nothing differs, nan where squares leave float64.  Source: Kish, Survey Sampling, 1965, of weights
    """
    both = np.array(list(map(float, pairs.sizes))).reshape(-1, 2, pairs.width)[other]
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        sizes, squares = both[:, both[0] > 0]
        is_told = (squares >= bootstrap.SMALLEST) & (squares < math.inf)
        carriers = np.where(is_told, sizes * (sizes / squares), math.nan)
    return float(carriers.max()) if len(carriers) else math.inf


def _error(plan: Plan, pairs: Pairs, other: int) -> float:
    """The standard error of the difference, by what single units contribute; nan for a single one."""
    squares, units = _influence(plan, pairs, other).squares, pairs.units
    return math.sqrt(max(0.0, squares) * units / (units - 1)) if units > 1 else math.nan


def _flipped(plan: Plan, pairs: Pairs, other: int, level: float, sides: Sides, so_far: Difference) -> Difference:
    so_far = so_far._replace(draws=len(pairs.flipped[other].half))
    if not math.isfinite(so_far.value):
        return so_far
    patterns = pairs.flipped[other].patterns()
    observed, swapped, tie = _swapped(plan, (pairs.parts[0], pairs.parts[other + 1]), patterns)
    linear = swapped if plan.spec.finish is None else _linear(plan, pairs, other, observed, patterns)
    share = patterns.still[:, -1] / float(pairs.parts[0].sums[-1])
    answer = flips.inverted(observed, swapped, linear, share, level, tie, patterns.is_every)
    name = f"{SIGN_FLIP}, all patterns" if patterns.is_every else SIGN_FLIP
    so_far = so_far._replace(
        low=answer.low, high=answer.high, standard_error=_error(plan, pairs, other), p=answer.p, test=name,
        draws=1 << pairs.flipped[other].differ if patterns.is_every else so_far.draws,
    )  # fmt: skip
    beyond = []
    for side in sides:
        base = _base_flipped(plan, pairs, other, patterns) if side.share else 0.0
        flipped = side.sign * linear - side.amount * share - side.share * base
        near = tie + flips.TIE * (side.amount + abs(side.share * so_far.base))
        beyond.append(flips.p_beyond(side.of(so_far.base, observed), flipped, near, patterns.is_complete))
    return so_far._replace(beyond=(beyond[0], beyond[1])) if sides else so_far


def _over_seeds(plan: Plan, pairs: Pairs, other: int, level: float, sides: Sides, so_far: Difference) -> Difference:
    """Student's t of what pairs seeds contribute, and, where there are clusters, of what these do."""
    assert pairs.seeds is not None

    def spread_of(sign: float, share: float) -> seeds.Components:
        of_rows = _influence(plan, pairs, other, share).squares if pairs.clusters else 0.0
        units = tuple(
            sign * _contributions(plan, pairs, other, table_of(names).sums, share)
            for names in (pairs.seeds, pairs.clusters)
            if names
        )
        return seeds.components(units, of_rows, pairs.units)

    own = spread_of(1.0, 1.0)
    low, high, p = seeds.interval(so_far.value, own, level)
    so_far = so_far._replace(
        method="seeds", low=low, high=high, standard_error=own.standard_error, p=p, units=len(pairs.seeds),
        freedom=own.freedom,
    )  # fmt: skip
    beyond = [
        seeds.p_beyond(side.of(so_far.base, so_far.value), spread_of(side.sign, 1 + side.sign * side.share))
        for side in sides
    ]
    return so_far._replace(beyond=(beyond[0], beyond[1])) if sides else so_far


def _contributions(plan: Plan, pairs: Pairs, other: int, sums: np.ndarray, share: float) -> np.ndarray:
    """What some units, by the sums of their columns, (n, k), contribute to other - share * base, (n,)."""
    slopes, means = _own_slopes(plan, pairs, other)
    width, divisor = pairs.width, sums[:, -1:]
    base, system = sums[:, :width], sums[:, width * (other + 1) :][:, :width]
    if plan.spec.finish is None:
        gap = (system - base) - (means[1] - means[0]) * divisor + (1 - share) * (base - means[0] * divisor)
        return np.asarray(gap[:, 0] * slopes[0][0])
    parts = [
        (columns - mean * divisor) @ slope[:-1] + divisor[:, 0] * slope[-1]
        for columns, mean, slope in zip((base, system), means, slopes, strict=True)
    ]
    return np.asarray(parts[1] - share * parts[0])


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


def _base_flipped(plan: Plan, pairs: Pairs, other: int, patterns: flips.Patterns) -> np.ndarray:
    """The base's value as the sum of contributions of its rows, under each sign pattern, (R,)."""
    slopes, means = _own_slopes(plan, pairs, other)
    base, divisor = patterns.still[:, :-1], patterns.still[:, -1:]
    if plan.spec.finish is None:
        return np.asarray(slopes[0][0] * base[:, 0])
    changes = (base - means[0] * divisor) @ slopes[0][:-1] + divisor[:, 0] * slopes[0][-1]
    value = by_row.value_of(plan, pairs.parts[0])
    return np.asarray(changes + value * divisor[:, 0] / float(pairs.parts[0].sums[-1]))


def _linear(plan: Plan, pairs: Pairs, other: int, gap: float, patterns: flips.Patterns) -> np.ndarray:
    """What rows contribute to the difference under each sign pattern, (R,): their influence, and their share of it."""
    slopes, means = _slopes(plan, pairs, other)
    base, divisor = patterns.still[:, :-1], patterns.still[:, -1:]
    columns = np.concatenate([base, base + 2 * patterns.half], axis=1) - np.concatenate(means) * divisor
    contributions = np.concatenate([columns, divisor], axis=1) @ slopes
    return np.asarray(contributions + gap * divisor[:, 0] / float(pairs.parts[0].sums[-1]))


def _influence(plan: Plan, pairs: Pairs, other: int, share: float = 1.0) -> bootstrap.Influence:
    """That of the rows (or clusters) on the other's value minus a share of the base's."""
    slopes, means = _slopes(plan, pairs, other, share)
    centre = np.concatenate(means)
    if plan.spec.finish is None:
        centre = np.array([means[1][0] - means[0][0], means[0][0]])[: len(slopes) - 1]
    return pairs.moments[other].about(centre).influence(slopes)


def _slopes(plan: Plan, pairs: Pairs, other: int, share: float = 1.0) -> tuple[np.ndarray, list[np.ndarray]]:
    """The derivatives of other - share * base by the columns of `_beside`, and the means of both systems' own."""
    slopes, means = _own_slopes(plan, pairs, other)
    if plan.spec.finish is None:
        slope = slopes[1][0]
        rest = [(1 - share) * slope] if pairs.moments[other].width > 2 else []
        return np.array([slope, *rest, 0.0]), means
    ends = slopes[1][-1] - share * slopes[0][-1]
    return np.concatenate([-share * slopes[0][:-1], slopes[1][:-1], [ends]]), means


def _own_slopes(plan: Plan, pairs: Pairs, other: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The derivatives of each of the two values by its own columns, (k,), and the means of these, (k - 1,)."""
    base, system = pairs.parts[0], pairs.parts[other + 1]
    means = [statistic.centre_of(part) for part in (base, system)]
    if plan.spec.finish is None:
        slope = np.array([(system.n if plan.is_sum else 1.0) / float(base.sums[-1]), 0.0])
        return [slope, slope], means
    moments = pairs.moments[other].about(np.concatenate(means))
    slopes = [
        statistic.slopes_of(plan, part, _own(moments, start, pairs.width))
        for part, start in ((base, 0), (system, pairs.width))
    ]
    return slopes, means


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
