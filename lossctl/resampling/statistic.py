"""What is resampled: the number that a loss makes of the sums of its columns, for one set of sums or for many."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..errors import DataError
from ..rows import by_row, sums
from ..rows.shapes import Plan
from .bootstrap import Influence, Moments

if TYPE_CHECKING:
    from fractions import Fraction

FIRST_STEP, SMALLER, STEPS = 2.0**-4, 8.0, 20
SMALLEST = 2.0**-450  # columns whose squares are numbers
BENT = 1e-6  # the most by which a difference may bend: then its error is the square of it


def resampled_values(plan: Plan, totals: np.ndarray, n: int) -> np.ndarray:
    """The value of each of many sets of sums, (m, k) -> (m,). n: rows that count, for a sum

    A sum is n times the mean of a resample, for a resample has another number of rows.
    """
    finish = plan.spec.finish
    with np.errstate(all="ignore"):
        if finish is not None:
            values: np.ndarray = finish(*totals.T)
            return values
        mean: np.ndarray = totals[:, 0] / totals[:, -1]
    return n * mean if plan.is_sum else mean


def centre_of(part: by_row.Part) -> np.ndarray:
    """The mean of each column but the last, (k - 1,)."""
    return np.array([column / part.sums[-1] for column in part.sums[:-1]])


def slopes_of(plan: Plan, part: by_row.Part, moments: Moments) -> np.ndarray:
    """The derivatives of the value by the sum of each centred column, u = v - centre * w and w itself, (k,).

    moments: of the rows about `centre_of(part)`
    """
    divisor = part.sums[-1]
    slopes = np.zeros(len(part.sums))
    if not divisor.units:
        return slopes * math.nan
    if plan.spec.finish is None:
        slopes[0] = (part.n if plan.is_sum else 1.0) / float(divisor)
        return slopes
    if not all(total.is_finite for total in part.sums):
        return slopes * math.nan
    from fractions import Fraction

    totals = [Fraction(total.units, 1 << sums.UNIT_EXPONENT) for total in part.sums]
    centre = [Fraction(mean) for mean in centre_of(part).tolist()]
    for at in range(len(slopes) - 1):
        spread = math.sqrt(max(0.0, moments.pairs[at, at]))
        moved = _moved(plan.spec.finish, totals, at)
        is_lost = spread < SMALLEST and 0 < abs(centre[at]) < SMALLEST and moved(-totals[at]) != moved(Fraction(0))
        slopes[at] = math.nan if is_lost else _slope(moved, spread)
    everything = [*centre, Fraction(1)]
    slopes[-1] = _slope(_moved_along(plan.spec.finish, totals, everything), float(divisor))
    return slopes


def _moved(finish: Callable[..., float], totals: list[Fraction], at: int) -> Callable[[Fraction], float]:
    from fractions import Fraction

    return _moved_along(finish, totals, [Fraction(place == at) for place in range(len(totals))])


def _moved_along(
    finish: Callable[..., float], totals: list[Fraction], direction: list[Fraction]
) -> Callable[[Fraction], float]:
    """The value as a function of how far the totals have moved in a direction."""
    return lambda step: float(finish(*(total + step * part for total, part in zip(totals, direction, strict=True))))


def _slope(function: Callable[[Fraction], float], scale: float) -> float:
    """The derivative at 0, by differences of steps that shrink until they no longer bend; exact totals bear that."""
    if not scale or not math.isfinite(scale):
        return 0.0 if not scale else math.nan
    from fractions import Fraction

    middle, step = function(Fraction(0)), FIRST_STEP * scale
    slope = math.nan
    for _ in range(STEPS):
        low, high = function(Fraction(-step)), function(Fraction(step))
        gap = high - low
        slope = gap / (2 * step)
        if abs(high + low - 2 * middle) <= BENT * abs(gap) or not gap:
            return slope
        step /= SMALLER
    return slope


def refuse_cancelled(plan: Plan, part: by_row.Part, value: float, spread: float) -> None:
    """DataError where float64 sums of resamples lose what the value and its spread are made of."""
    if plan.spec.finish is None or not math.isfinite(value):
        return
    (rounded,) = resampled_values(plan, np.array([[float(total) for total in part.sums]]), part.n).tolist()
    reach = min(spread, max(abs(value), 1e-6 * spread)) if math.isfinite(spread) else abs(value)
    if not abs(rounded - value) <= 1e-3 * reach + 1e-15 * abs(value):
        raise DataError(
            f"no interval of {plan.spec.loss.name}: its sums cancel beyond the digits of a resample",
            why=f"the value is {value!r}, but {rounded!r} from sums that are rounded to float64",
            fix="subtract a constant near the mean from the columns, which does not change the value",
        )


def influence_of_clusters(
    names: Sequence[str], totals: np.ndarray, centre: np.ndarray, slopes: np.ndarray
) -> Influence:
    """The influence of whole clusters, by their sums (m, k), on a value; see `slopes_of`."""
    changes = (totals[:, :-1] - centre * totals[:, -1:]) @ slopes[:-1] + slopes[-1] * totals[:, -1]
    return Influence.of_clusters(dict(zip(names, changes.tolist(), strict=True)))
