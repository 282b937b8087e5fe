"""The mean of the values of groups, and how it varies: each group by itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce
from typing import NamedTuple

import numpy as np

from ..text import shown
from . import student
from .bootstrap import Ends, Influence, Method, Spread
from .survey import NAMED

LARGE = 30  # effective rows from which on a group is large enough for the bootstrap of the mean of groups


class GroupMean(NamedTuple):
    """The mean of groups of which some are small: each varies as its own rows do, not as resamples of few.

    Source: Welch, The generalization of Student's problem, 1947; Satterthwaite, 1946 (the degrees of freedom).

    squares: the variance of the mean;  freedom: its degrees of freedom;  influence: of rows or clusters
    small: how many groups have a single row (or cluster), so that nothing tells how they vary;  names: of the first
    """

    value: float
    squares: float
    freedom: float
    influence: Influence
    groups: int
    small: int
    names: tuple[str, ...] = ()

    @property
    def standard_error(self) -> float:
        """Of the mean; nan where it has none."""
        return math.nan if self.small else math.sqrt(self.squares)

    def ends(self, level: float, method: Method) -> Ends:
        """The interval of the mean; nan where there is none."""
        reach = self.standard_error
        if reach != 0:
            reach *= student.quantile(level, self.freedom)
        return Ends("welch", self.value - reach, self.value + reach)

    @property
    def remark(self) -> str:
        """Why there is no interval, or how it was made."""
        if self.small:
            named = f": {', '.join(self.names)}" if self.names else ""
            return f"no interval of the mean of groups: {self.small} of {self.groups} have a single row{named}"
        return f"some groups are small: an interval by t with {self.freedom:.3g} degrees of freedom"


def spread_of_mean(spreads: Sequence[Spread], names: Sequence[str]) -> Spread | GroupMean:
    """That of the mean of the groups' values, each resampled by itself; where some are small, without resamples."""
    value = float(np.mean([spread.value for spread in spreads]))
    influence = reduce(Influence.plus, (spread.influence for spread in spreads)).times(1 / len(spreads))
    if all(spread.effective >= LARGE for spread in spreads) and all(spread.held.all() for spread in spreads):
        with np.errstate(invalid="ignore", over="ignore"):
            resampled = np.mean([spread.resampled for spread in spreads], axis=0)
        return Spread(value, resampled, np.ones(len(resampled), dtype=bool), influence.acceleration, influence)
    if influence.by_cluster is not None:
        units = influence.units
        squares = influence.squares * units / (units - 1) if units > 1 else math.nan
        return GroupMean(value, squares, units - 1, influence, len(spreads), len(spreads) if units < 2 else 0)
    single = [name for name, spread in zip(names, spreads, strict=True) if not spread.effective > 1]
    with np.errstate(divide="ignore", invalid="ignore"):
        effective = np.array([spread.effective for spread in spreads])
        parts = np.array([spread.influence.squares for spread in spreads]) * effective / (effective - 1)
        parts = parts / len(spreads) ** 2
        bound = (parts * parts / (effective - 1)).sum()
        freedom = float(parts.sum() ** 2 / bound) if bound else float(np.sum(effective - 1))
    return GroupMean(
        value, float(parts.sum()), freedom, influence, len(spreads), len(single), tuple(map(shown, single[:NAMED]))
    )
