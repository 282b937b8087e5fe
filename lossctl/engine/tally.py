"""The tally engine: counts of categories, exact sums, constant memory but for one entry a category."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from functools import reduce
from typing import TYPE_CHECKING, Any

from ..errors import DataError
from . import door, sums
from .workers import ordered_map

if TYPE_CHECKING:
    import numpy as np

    from .rows import Block

Key = tuple[Any, Any]  # (branch of the split, class); None where the loss has no such input


@dataclass(frozen=True)
class Tally:
    """Exact sums by branch and class; tallies of different rows merge with +."""

    totals: dict[Key, sums.Total] = field(default_factory=dict)
    targets: dict[Key, sums.Total] = field(default_factory=dict)
    n: int = 0
    facts: door.Facts = field(default_factory=door.Facts)

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            _merged(self.totals, other.totals),
            _merged(self.targets, other.targets),
            self.n + other.n,
            self.facts.merge(other.facts),
        )


def _merged(a: dict[Key, sums.Total], b: dict[Key, sums.Total]) -> dict[Key, sums.Total]:
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
        "target": [_fraction(whole.targets, (branch, None)) for branch in branches],
    }
    inputs = [seen[entry.role.name] for entry in plan.entries]
    return float(plan.spec.loss.function(*inputs, **plan.spec.options))


def _fraction(totals: dict[Key, sums.Total], key: Key) -> Fraction:
    return Fraction(totals[key].units, 1 << sums.UNIT_EXPONENT) if key in totals else Fraction(0)


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
            targets[key] = sums.total(target) if weights is None else _weighted_total(weights[mine], target)
    return Tally(totals, targets, n, admitted.facts)


def _codes(values: np.ndarray | None, n: int) -> tuple[list[Any], np.ndarray]:
    import numpy as np

    if values is None:
        return [None], np.zeros(n, dtype=np.int64)
    names, codes = np.unique(values.reshape(-1), return_inverse=True)
    return names.tolist(), codes.reshape(-1)


def _weighted_total(weights: np.ndarray, values: np.ndarray) -> sums.Total:
    """The exact sum of the products, each taken as its rounded value and what the rounding lost."""
    product = weights * values
    (w_high, w_low), (v_high, v_low) = _halves(weights), _halves(values)
    lost = ((w_high * v_high - product) + w_high * v_low + w_low * v_high) + w_low * v_low
    return sums.total(product) + sums.total(lost)


def _halves(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """x as two numbers of 26 bits. Source: Veltkamp 1968, Dekker 1971."""
    big = 134217729.0 * x
    high = big - (big - x)
    return high, x - high
