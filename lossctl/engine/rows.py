"""The row engine: blocks of rows, one value a row, exact sums that merge, constant memory at any file size."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import reduce
from typing import TYPE_CHECKING, Protocol

from ..errors import DataError
from ..registry import Weighted
from . import door, sums
from .workers import ordered_map

if TYPE_CHECKING:
    import numpy as np

BLOCK_VALUES = 1 << 15  # a block of float64 columns and their temporaries stays in the second-level cache


class Block(Protocol):
    """Rows start..stop of all inputs, read when they are wanted."""

    start: int
    stop: int

    def load(self) -> tuple[np.ndarray, ...]: ...


@dataclass(frozen=True)
class Part:
    """What some rows add up to; parts of different rows merge with +.

    total: exact sum of weight times loss; weight: exact sum of the weights; positives: of the weights of labels 1
    n: rows that count
    """

    total: sums.Total = field(default_factory=sums.Total)
    weight: sums.Total = field(default_factory=sums.Total)
    positives: sums.Total = field(default_factory=sums.Total)
    n: int = 0
    facts: door.Facts = field(default_factory=door.Facts)

    def __add__(self, other: Part) -> Part:
        return Part(
            self.total + other.total,
            self.weight + other.weight,
            self.positives + other.positives,
            self.n + other.n,
            self.facts + other.facts,
        )


@dataclass(frozen=True)
class Rows:
    """The loss of each row of a block: its row number, its total (weight times loss) and its weight."""

    number: np.ndarray
    total: np.ndarray
    weight: np.ndarray | None
    positives: np.ndarray | None
    facts: door.Facts


def block_rows(plan: door.Plan) -> int:
    """How many rows a block should have."""
    return max(1, BLOCK_VALUES // plan.width)


def each(plan: door.Plan, blocks: Iterable[Block], jobs: int) -> Iterator[Rows]:
    """The loss of every row, block by block, in order."""
    yield from ordered_map(lambda block: _rows(plan, block), blocks, jobs)


def add_up(
    plan: door.Plan, blocks: Iterable[Block], jobs: int, progress: Callable[[int], None] | None = None
) -> Part:
    """The sums over all rows. DataError where no row counts."""

    def merge(done: Part, part: Part) -> Part:
        if progress:
            progress(done.n + part.n)
        return done + part

    parts = ordered_map(lambda block: _part(_rows(plan, block)), blocks, jobs)
    whole = reduce(merge, parts, Part())
    if whole.n == 0:
        left_out = f": all {whole.facts.skipped} rows were left out" if whole.facts.skipped else ""
        raise DataError(f"no rows to average{left_out}", fix="check the file, --ignore-index, --na skip and the weights")
    return whole


def finish(plan: door.Plan, part: Part) -> float:
    """The one number: mean, sum, or the sum over the number of positive labels."""
    if plan.reduction == "sum":
        return float(part.total)
    if plan.reduction == "positives":
        if part.positives.units == 0:
            raise DataError("no label is 1, so there are no positives to divide by", fix="use -r mean")
        return part.total / part.positives
    mean = part.total / part.weight
    return plan.spec.loss.finish(mean) if plan.spec.loss.finish else mean


def _rows(plan: door.Plan, block: Block) -> Rows:
    import numpy as np

    inputs, weights, numbers, facts = door.admit(plan, block.load(), block.start)
    with np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"):
        value = plan.spec.loss.function(*inputs, **plan.spec.options)
        total, weight = (value.total, value.weight) if isinstance(value, Weighted) else (value, None)
        if weights is not None:
            total = total * weights
            weight = weights if weight is None else weight * weights
    infinite = np.isinf(total)
    if infinite.any():
        where = tuple(numbers[infinite][: door.SHOWN_ROWS].tolist())
        facts = facts + door.Facts(infinite=int(np.count_nonzero(infinite)), infinite_rows=where)
    positives = _positives(inputs[-1], weights) if plan.reduction == "positives" else None
    return Rows(numbers, total, weight, positives, facts)


def _positives(label: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    count = label if label.ndim == 1 else label.sum(axis=1) / label.shape[1]  # totals are row means
    return count if weights is None else count * weights


def _part(rows: Rows) -> Part:
    n = len(rows.total)
    return Part(
        total=sums.total(rows.total),
        weight=sums.count(n) if rows.weight is None else sums.total(rows.weight),
        positives=sums.Total() if rows.positives is None else sums.total(rows.positives),
        n=n,
        facts=rows.facts,
    )
