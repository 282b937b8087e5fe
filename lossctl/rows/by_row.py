"""The row engine: blocks of rows, one value a row, exact sums that merge, constant memory at any file size."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import reduce
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..errors import DataError
from ..language.registry import Weighted
from . import checks, sums
from .workers import forked, keep_freed_memory, ordered_map

if TYPE_CHECKING:
    from typing import Protocol

    class Block(Protocol):
        """Rows start..stop of all inputs, read when they are wanted."""

        @property
        def start(self) -> int: ...
        @property
        def stop(self) -> int: ...
        def load(self) -> tuple[np.ndarray, ...]: ...

    class Numbers(Protocol):
        """Which rows of the input the rows of a block are."""

        def at(self, positions: np.ndarray) -> np.ndarray: ...


BLOCK_VALUES = 1 << 17  # 1 MB of float64: a block and its temporaries stay in the second-level cache


class Part(NamedTuple):
    """What some rows add up to; parts of different rows merge.

    total: exact sum of weight times loss; weight: exact sum of the weights; positives: of the weights of labels 1
    n: rows that count
    """

    total: sums.Total = sums.ZERO
    weight: sums.Total = sums.ZERO
    positives: sums.Total = sums.ZERO
    n: int = 0
    facts: checks.Facts = checks.NOTHING

    def merge(self, other: Part) -> Part:
        """The sums of two sets of rows together."""
        return Part(
            self.total + other.total,
            self.weight + other.weight,
            self.positives + other.positives,
            self.n + other.n,
            self.facts if other.facts is checks.NOTHING else self.facts.merge(other.facts),
        )


class Rows(NamedTuple):
    """The loss of each row of a block: its total (weight times loss), and its weight (None: 1).

    numbers: which rows of the input these are; positives: the weight of the labels 1, for -r positives
    """

    numbers: Numbers
    total: np.ndarray
    weight: np.ndarray | None
    positives: np.ndarray | None
    facts: checks.Facts

    @property
    def number(self) -> np.ndarray:
        """The number of each row in the input, from 0."""
        return self.numbers.at(np.arange(len(self.total)))


def block_rows(plan: checks.Plan) -> int:
    """How many rows a block should have."""
    return max(1, BLOCK_VALUES // plan.width)


def each(plan: checks.Plan, blocks: Iterable[Block], jobs: int) -> Iterator[Rows]:
    """The loss of every row, block by block, in order."""
    yield from ordered_map(lambda block: score(plan, block), blocks, jobs)


def add_up(
    plan: checks.Plan,
    blocks: Iterable[Block],
    jobs: int,
    progress: Callable[[int], None] | None = None,
    *,
    forks: bool = False,
) -> Part:
    """The sums over all rows. DataError where no row counts.

    forks: share the blocks among processes, where blocks are cheap to hand out and there are many rows; threads would
        meet at the interpreter lock after each of the short operations of a block
    """
    keep_freed_memory()
    shares = None
    if forks and jobs > 1:
        blocks = list(blocks)  # walked twice where a process fails
        shares = forked(lambda mine: _added(plan, mine, progress, jobs), blocks, jobs)
    if shares is None:  # also after a fault in a process: in order, so that it is the same fault every time
        whole = _added(plan, ordered_map(lambda block: part_of(score(plan, block)), blocks, jobs), progress)
    else:
        whole = reduce(Part.merge, shares)
    if whole.n == 0:
        left_out = f": all {whole.facts.skipped} rows were left out" if whole.facts.skipped else ""
        raise DataError(
            f"no rows to average{left_out}", fix="check the file, --ignore-index, --na skip and the weights"
        )
    return whole


def _added(
    plan: checks.Plan, parts: Iterable[Block | Part], progress: Callable[[int], None] | None, share: int = 1
) -> Part:
    """The sum of some parts, or of blocks that become parts; `share`: of how many processes this is one."""
    whole = Part()
    for part in parts:
        whole = whole.merge(part if isinstance(part, Part) else part_of(score(plan, part)))
        if progress:
            progress(whole.n * share)
    return whole


def finish(plan: checks.Plan, part: Part) -> float:
    """The one number: mean, sum, or the sum over the number of positive labels."""
    if plan.reduction == "sum":
        return float(part.total)
    if plan.reduction == "positives":
        if part.positives.units == 0:
            raise DataError("no label is 1, so there are no positives to divide by", fix="use -r mean")
        return part.total / part.positives
    if part.weight.units == 0:
        if plan.reduction == "mean-active":
            return 0.0  # no triplet costs anything
        raise DataError("the weights of all rows are 0, so there is no mean", fix="check -w and --class-weights")
    mean = part.total / part.weight
    return plan.spec.loss.finish(mean) if plan.spec.loss.finish else mean


def score(plan: checks.Plan, block: Block) -> Rows:
    """The loss of each row of one block."""
    admitted = checks.admit(plan, block.load(), block.start)
    weights = admitted.weights
    with np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"):
        value = plan.spec.loss.function(*admitted.inputs, **plan.spec.options)
        total, weight = (value.total, value.weight) if isinstance(value, Weighted) else (value, None)
        if weights is not None:
            total = total * weights
            weight = weights if weight is None else weight * weights
    positives = _positives(admitted.inputs[-1], weights) if plan.reduction == "positives" else None
    return Rows(admitted.rows, total, weight, positives, admitted.facts)


def _positives(label: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    count = label if label.ndim == 1 else label.sum(axis=1) / label.shape[1]  # totals are row means
    return count if weights is None else count * weights


def part_of(rows: Rows) -> Part:
    """The sums over the rows of a block."""
    n = len(rows.total)
    total = sums.total(rows.total)
    return Part(
        total=total,
        weight=sums.count(n) if rows.weight is None else sums.total(rows.weight),
        positives=sums.Total() if rows.positives is None else sums.total(rows.positives),
        n=n,
        facts=rows.facts if total.is_finite else rows.facts.merge(infinite_rows(rows)),
    )


def infinite_rows(rows: Rows) -> checks.Facts:
    """Which rows have an infinite loss."""
    positions = np.flatnonzero(~np.isfinite(rows.total))
    return checks.Facts(
        infinite=len(positions), infinite_rows=tuple(rows.numbers.at(positions[: checks.SHOWN_ROWS]).tolist())
    )
