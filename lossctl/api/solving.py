"""One option solved for: which value of it gives a number, with all else at its defaults."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from ..errors import LossctlError
from .combinations import Combination, Combinations
from .printed import Printed
from .totals import Totals

GRID = 17
DIGITS = 17  # of a float64


def solutions(field: Combinations, number: Printed) -> Iterator[tuple[str, list[Combination]]]:
    """The option, and the combinations of one value of it that give the number, the plainest first."""
    if not field.arrays:
        return
    totals = field.totals({})
    for knob in field.knobs:
        ends = sorted(value for value in knob.values if isinstance(value, float))
        if len(ends) < 2:
            continue
        twins: list[list[Combination]] = []
        for hit in _solved(field, totals, knob.option.name, (ends[0], ends[-1]), number):
            same = (group for group in twins if _is_same(knob.option.name, group[0], hit))
            group = next(same, None)
            if group is None:
                twins.append([hit])
            elif hit.key not in {other.key for other in group}:
                group.append(hit)
        for group in twins:
            yield knob.option.name, sorted(group, key=lambda hit: (hit.cost, len(hit.text)))


def _is_same(name: str, hit: Combination, other: Combination) -> bool:
    return math.isclose(dict(hit.options)[name], dict(other.options)[name], rel_tol=1e-9)


def _solved(
    field: Combinations, totals: Totals, name: str, ends: tuple[float, float], number: Printed
) -> Iterator[Combination]:
    """A combination for each rule and each root of it on a grid."""
    grid = np.linspace(*ends, GRID).tolist()
    try:
        table = [totals.numbers({name: x}) for x in grid]
    except (LossctlError, ValueError, ArithmeticError):
        return
    for at, (settings, _) in enumerate(table[0]):

        def gap(x: float, at: int = at) -> float:
            return totals.numbers({name: x})[at][1] - number.value

        gaps = [row[at][1] - number.value for row in table]
        for low, high, left, right in zip(grid, grid[1:], gaps, gaps[1:], strict=False):
            if left * right < 0 or left == 0:
                x = _shortest(gap, _root(low, high, left, gap), number)
                yield field.combination({name: x}, settings, number.value + gap(x))


def _shortest(gap: Callable[[float], float], root: float, number: Printed) -> float:
    """The number with the fewest digits, near a root, that gives the printed number."""
    roundings = (float(f"{root:.{digits}g}") for digits in range(1, DIGITS + 1))
    return next((x for x in roundings if abs(gap(x)) <= number.half), root)


def _root(low: float, high: float, at_low: float, gap: Callable[[float], float]) -> float:
    if at_low == 0:
        return low
    for _ in range(60):
        middle = (low + high) / 2
        value = gap(middle)
        if value == 0 or not low < middle < high:
            return middle
        if (value < 0) == (at_low < 0):
            low = middle
        else:
            high = middle
    return (low + high) / 2
