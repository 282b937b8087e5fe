"""The engine of losses that are one number of all rows together: sorted, correlated, or compared pair by pair.

The rows are held; a group of them is one more number, of its rows by themselves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NoReturn

import numpy as np

from ..errors import DataError
from . import checks, shapes
from .at_once import WholeLoss, WholeScores
from .facts import NOTHING, Facts


@dataclass(frozen=True, eq=False)
class HeldRows:
    """Rows that passed the door, with what rides along.

    inputs: what the loss takes: arrays or predictions of (n, ...) rows
    """

    plan: shapes.Plan
    inputs: tuple[Any, ...]
    n: int
    side: tuple[np.ndarray, ...]
    facts: Facts


@dataclass(frozen=True, eq=False)
class WholePart:
    """Some rows of those that are held, by their positions; a piece of `resampling.survey`, without resamples."""

    held: HeldRows
    positions: np.ndarray
    facts: Facts = NOTHING
    entries = 0

    @property
    def n(self) -> int:
        """How many rows there are."""
        return len(self.positions)

    def merge(self, other: WholePart) -> WholePart:
        """The rows of both."""
        return replace(
            self,
            positions=np.concatenate([self.positions, other.positions]),
            facts=self.facts.merge(other.facts),
        )

    def noticing(self, facts: Facts) -> WholePart:
        """The same with other facts."""
        return replace(self, facts=facts)

    @cached_property
    def _value(self) -> float:
        if not self.n:
            return math.nan
        plan, order = self.held.plan, np.sort(self.positions)
        inputs = self.held.inputs if self.n == self.held.n else tuple(_taken(item, order) for item in self.held.inputs)
        with np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"):
            return plan.treatment.scale * float(plan.spec.loss.function(*inputs, **plan.spec.options))

    def value(self, plan: shapes.Plan) -> float:
        """The loss of the rows; nan where they have none."""
        return self._value

    def refuse_nothing(self, plan: shapes.Plan) -> None:
        """DataError where all rows together have no value."""
        if math.isnan(self._value):
            raise DataError(
                f"{plan.spec.loss.name} of {self.n} row{'s' * (self.n > 1)} has no value",
                why=self._why_none(plan),
                fix=f"check the file; what the loss needs: lossctl explain {plan.spec.loss.name}",
            )

    def _why_none(self, plan: shapes.Plan) -> str:
        """What the rows lack: others to compare with, a column that varies, or what the loss is about."""
        if self.n == 1:
            return "it compares rows with each other, and there is one"
        inputs = zip(plan.spec.loss.roles, self.held.inputs, strict=False)
        arrays = [(role.name, item) for role, item in inputs if isinstance(item, np.ndarray)]
        constant = [name for name, item in arrays if np.all(item == item[:1], axis=0).any()]
        if constant:
            column = "a column of " * any(item.ndim > 1 and item.shape[1] > 1 for _, item in arrays)
            return f"{column}{' and '.join(constant)}: one value in every row"
        return f"it is {plan.spec.loss.summary[0].lower()}{plan.spec.loss.summary[1:]}"

    def spread(self, *_: Any) -> NoReturn:
        """Rows that are held are left out in turn; they are not resampled."""
        raise NotImplementedError


def answer(asked: WholeLoss) -> WholeScores:
    """All rows, held."""
    plan = asked.job.plan
    admitted = checks.admit(plan, asked.job.arrange(asked.inputs), 0)
    keep = admitted.rows.keep
    side = tuple(asked.arrays[place] if keep is None else asked.arrays[place][keep] for place in asked.side)
    n = len(asked.arrays[0]) if keep is None else int(np.count_nonzero(keep))
    return WholeScores(HeldRows(plan, admitted.inputs, n, side, admitted.facts))


def part_of(held: HeldRows, positions: np.ndarray | None, aspects: Any) -> WholePart:
    """All rows, or those at some positions, then without what was noticed of all."""
    if positions is None:
        return WholePart(held, np.arange(held.n), held.facts)
    return WholePart(held, positions)


def _taken(item: Any, order: np.ndarray) -> Any:
    """Some rows of an array, or of predictions."""
    return replace(item, values=item.values[order]) if hasattr(item, "values") else item[order]
