"""The tally engine: counts of categories, exact sums, constant memory but for one entry a category."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from functools import reduce
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import DataError
from ..numerics import two_product
from . import door, sums
from .workers import ordered_map

if TYPE_CHECKING:
    import numpy as np

    from .rows import Block

Sum = TypeVar("Sum", sums.Total, Fraction)
Key = tuple[Any, Any]  # (branch of the split, class); None where the loss has no such input


@dataclass(frozen=True)
class Tally:
    """Exact sums by branch and class; tallies of different rows merge with +."""

    totals: dict[Key, sums.Total] = field(default_factory=dict)
    targets: dict[Key, Fraction] = field(default_factory=dict)
    n: int = 0
    facts: door.Facts = field(default_factory=door.Facts)

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            _merged(self.totals, other.totals),
            _merged(self.targets, other.targets),
            self.n + other.n,
            self.facts.merge(other.facts),
        )


def _merged(a: dict[Key, Sum], b: dict[Key, Sum]) -> dict[Key, Sum]:
    return {**a, **{key: a[key] + total if key in a else total for key, total in b.items()}}


def count_up(plan: door.Plan, blocks: Iterable[Block], jobs: int) -> Tally:
    """The tally of all rows. DataError where no row counts."""
    whole = reduce(Tally.__add__, ordered_map(lambda block: _tally(plan, block), blocks, jobs), Tally())
    if not whole.n:
        raise DataError("no rows to count", fix="check the file, --na skip and the weights")
    return whole


def finish(plan: door.Plan, whole: Tally) -> float:
    """The number that the loss makes of the counts."""
    branches = sorted({branch for branch, _ in whole.totals}, key=_order)
    classes = sorted({name for _, name in whole.totals}, key=_order)
    table = [[_fraction(whole.totals, (branch, name)) for name in classes] for branch in branches]
    seen: dict[str, Any] = {
        "category": table if len(plan.entries) > 1 else table[0],
        "split": [sum(row, Fraction(0)) for row in table],
        "target": [whole.targets.get((branch, None), Fraction(0)) for branch in branches],
    }
    inputs = [seen[entry.role.name] for entry in plan.entries]
    value = plan.spec.loss.function(*inputs, **plan.spec.options)
    try:
        return float(value)
    except OverflowError:  # a fraction beyond the largest float64
        return math.inf if value > 0 else -math.inf


def _fraction(totals: dict[Key, sums.Total], key: Key) -> Fraction:
    return _exact(totals[key]) if key in totals else Fraction(0)


def _exact(total: sums.Total) -> Fraction:
    return Fraction(total.units, 1 << sums.UNIT_EXPONENT)


def _order(name: Any) -> tuple[str, Any]:
    return type(name).__name__, name


def _tally(plan: door.Plan, block: Block) -> Tally:
    import numpy as np

    admitted = door.admit(plan, block.load(), block.start)
    weights = admitted.weights
    by_role = dict(zip((entry.role.name for entry in plan.entries), admitted.inputs, strict=True))
    n = len(admitted.inputs[0])
    branches, branch_of = _codes(by_role.get("split"), n)
    classes, class_of = _codes(by_role.get("category"), n)
    code = branch_of * len(classes) + class_of
    totals, targets = {}, {}
    for value in np.unique(code).tolist():
        mine = code == value
        key = (branches[value // len(classes)], classes[value % len(classes)])
        totals[key] = sums.count(int(np.count_nonzero(mine))) if weights is None else sums.total(weights[mine])
        if "target" in by_role:
            target = by_role["target"].reshape(-1)[mine]
            targets[key] = _exact(sums.total(target)) if weights is None else _weighted_sum(weights[mine], target)
    return Tally(totals, targets, n, admitted.facts)


def _codes(values: np.ndarray | None, n: int) -> tuple[list[Any], np.ndarray]:
    import numpy as np

    if values is None:
        return [None], np.zeros(n, dtype=np.int64)
    names, codes = np.unique(values.reshape(-1), return_inverse=True)
    return names.tolist(), codes.reshape(-1)


def _weighted_sum(weights: np.ndarray, values: np.ndarray) -> Fraction:
    """The exact sum of the products, each taken as its rounded value and what the rounding lost."""
    import numpy as np

    counts = values != 0
    weights, values = weights[counts], values[counts]
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        product, lost = two_product(weights, values)
        size = np.abs(product)
    if size.size and (size.min() < 1e-250 or max(size.max(), weights.max(), np.abs(values).max()) > 1e250):
        pairs = zip(map(Fraction, weights.tolist()), map(Fraction, values.tolist()), strict=True)
        return sum((weight * value for weight, value in pairs), Fraction(0))
    return _exact(sums.total(product) + sums.total(lost))
