"""What the rows of an input sum to, for any options and any way of reading, and every number that sums give.

Rows are read once. A way of reading and a set of options give sums of rows; every reduction, every factor, and every
option in which the loss is a straight line come from those sums alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from ..errors import UsageError
from ..language import choices
from ..language.choices import Knob
from ..language.registry import columns_of, make
from ..rows import by_row, checks, shapes


class ColumnSums(NamedTuple):
    """The sums of the columns of a loss, its divisor last, and how much of that costs something."""

    columns: tuple[float, ...]
    active: float

    @property
    def total(self) -> float:
        return self.columns[0]

    @property
    def divisor(self) -> float:
        return self.columns[-1]


def read(blocks: Iterable[Any]) -> tuple[np.ndarray, ...]:
    """All rows of an input, a column for each role."""
    return tuple(np.concatenate(column) for column in zip(*(block.arrays for block in blocks), strict=True))


def plan_of(plan: shapes.Plan, reading: Mapping[str, Any]) -> shapes.Plan:
    """A plan with another way of reading. UsageError where that means nothing."""
    treated = {key: value for key, value in reading.items() if hasattr(plan.treatment, key)}
    plan = plan._replace(**{key: value for key, value in reading.items() if key in shapes.Plan._fields})
    plan, entries = plan._replace(treatment=replace(plan.treatment, **treated)), plan.entries
    if reading.get("from_logits"):
        entries = tuple(entry._replace(form="logits", check="logits") if entry.form else entry for entry in entries)
    if reading.get("clip"):
        entries = tuple(entry._replace(slack=shapes.CLIPPED) for entry in entries)
    if reading.get("renormalize") and entries[0].ndim == 1:
        raise UsageError("a sum of one probability a row", fix="leave it out")
    if plan.treatment.squash == "softmax" and entries[0].ndim == 1:
        raise UsageError("a softmax of one score a row", fix="use a sigmoid")
    return plan._replace(entries=entries)


def exactly(plan: shapes.Plan, arrays: tuple[np.ndarray, ...]) -> float:
    """What `compute` prints, to the last digit."""
    return by_row.value_of(plan, by_row.part_of(by_row.score(plan, arrays)))


class Totals:
    """The sums of rows that are read in one way.

    plan, arrays: of the rows;  fixed: the options that stay, among them "reduction" and "scale"
    """

    def __init__(self, plan: shapes.Plan, arrays: tuple[np.ndarray, ...], fixed: Mapping[str, Any]) -> None:
        self.plan, self.fixed = plan, fixed
        self.loss = plan.spec.loss
        with np.errstate(all="ignore"):
            self.admitted = checks.admit(plan, arrays, 0)
        last = self.admitted.inputs[-1]
        self.n = float(len(getattr(last, "values", last)))

    def sums(self, own: Mapping[str, Any]) -> ColumnSums:
        """Those of the loss with these options."""
        plan = self.plan._replace(spec=make(self.loss, **{**self.plan.spec.options, **own}))
        weights = self.admitted.weights
        with np.errstate(all="ignore"):
            columns = columns_of(by_row.values_of(plan, self.admitted))
            sums = []
            for column in columns:
                if weights is not None:
                    column = weights if column is None else np.where(weights == 0, 0.0, weights * column)
                sums.append(self.n if column is None else float(np.sum(column)))
        return ColumnSums(tuple(sums), self._active(columns) if "mean-active" in self.loss.reductions else 0.0)

    def _active(self, columns: Sequence[Any]) -> float:
        weights = self.admitted.weights
        shares = np.ones(len(columns[0])) if weights is None else weights
        return float(np.sum(shares[columns[0] > 0]))

    def sums_along(self, own: dict[str, Any], straight: Sequence[Knob]) -> Iterator[tuple[dict[str, Any], ColumnSums]]:
        """The sums for the options, and for each value of an option in which the loss is a straight line."""
        yield own, self.sums(own)
        for knob in straight:
            if knob.option.name in own:
                continue
            ends = (0.0, 1.0) if knob.option.default is None else (knob.option.default, 1.0)
            low, high = (self.sums({**own, knob.option.name: end}) for end in ends)
            for value in knob.values:
                share = (value - ends[0]) / (ends[1] - ends[0])
                total = low.total + share * (high.total - low.total)
                yield {**own, knob.option.name: value}, low._replace(columns=(total, *low.columns[1:]))

    def numbers(self, own: Mapping[str, Any]) -> list[tuple[dict[str, Any], float]]:
        """Settings, and what the loss with these options gives with them."""
        return list(self.reduced(own, self.sums(own)))

    def reduced(self, own: Mapping[str, Any], sums: ColumnSums) -> Iterator[tuple[dict[str, Any], float]]:
        """Settings, and the number that the sums of the loss with these options give with them."""
        finish = make(self.loss, **{**self.plan.spec.options, **own}).finish
        if finish is not None:
            yield {}, _finished(finish, sums)
            return
        for settings, value in self._rules(sums):
            for scale in self._scales:
                scaled = scale * (self.plan.treatment.scale * value)
                yield ({**settings, "scale": scale} if scale != 1 else settings), scaled

    def _rules(self, sums: ColumnSums) -> Iterator[tuple[dict[str, Any], float]]:
        divisor = self.n if self.plan.treatment.weight_norm == "n" else sums.divisor
        mean = sums.total / divisor if divisor else math.nan
        yield {}, mean
        if "reduction" not in self.fixed:
            yield {"reduction": "sum"}, sums.total
            if self._positives:
                yield {"reduction": "positives"}, sums.total / self._positives
            if sums.active:
                yield {"reduction": "mean-active"}, sums.total / sums.active
            for name, factor in self._cells.items():
                yield {"reduction": name}, (sums.total if name.startswith("sum") else mean) * factor
        is_weighted = self.plan.weight is not None or self.plan.spec.is_weighted
        if is_weighted and "weight_norm" not in self.fixed:
            yield {"weight_norm": "n"}, sums.total / self.n

    @cached_property
    def _scales(self) -> tuple[float, ...]:
        return (1.0,) if "scale" in self.fixed else choices.SCALES

    @cached_property
    def _cells(self) -> dict[str, float]:
        """The reductions over cells, and by what they multiply."""
        names = set(self.loss.all_reductions) - set(self.loss.reductions)
        return {name: self.plan._replace(reduction=name).cells for name in sorted(names)}

    @cached_property
    def _positives(self) -> float:
        """How many labels are 1, where that divides."""
        if "positives" not in self.loss.reductions or self.plan.entries[-1].check != "binary":
            return 0.0
        label, weights = self.admitted.inputs[-1], self.admitted.weights
        count = label if label.ndim == 1 else label.mean(axis=1)
        return float(np.sum(count if weights is None else weights * count))


def _finished(finish: Any, sums: ColumnSums) -> float:
    """What a loss makes of its sums, as `compute` has it made."""
    if not all(map(math.isfinite, sums.columns)):
        return float(finish(*sums.columns))
    return float(finish(*map(Fraction, sums.columns)))
