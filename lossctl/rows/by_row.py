"""The row engine: blocks of rows, a few sums a row, exact totals that merge, constant memory at any file size."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from ..errors import DataError, UsageError
from ..language.registry import Loss, columns_of
from ..language.rounding import two_product
from . import checks, shapes, sums
from .facts import NOTHING, SHOWN_ROWS, Facts
from .job import Job, shared
from .sums import Total
from .workers import ordered_map

if TYPE_CHECKING:
    from fractions import Fraction
    from typing import Protocol

    from ..language.predictions import Binary
    from .job import Arrays, Read, RowBlock

    class Numbers(Protocol):
        """Which rows of the input the rows of a block are."""

        def at(self, positions: np.ndarray) -> np.ndarray: ...


BLOCK_VALUES = 1 << 18  # 2 MB of float64: what a block costs beside its values is then a few percent
Result = TypeVar("Result")
Column = np.ndarray | None  # (n,) float64; None for ones


class Part(NamedTuple):
    """What some rows add up to; parts of different rows merge.

    sums: the exact total of each column, the divisor last; () of no rows;  n: rows that count
    """

    sums: tuple[Total, ...] = ()
    n: int = 0
    facts: Facts = NOTHING

    def merge(self, other: Part) -> Part:
        """The sums of two sets of rows together."""
        if not self.sums or not other.sums:
            totals = self.sums or other.sums
        else:
            totals = tuple(a + b for a, b in zip(self.sums, other.sums, strict=True))
        return Part(totals, self.n + other.n, self.facts.merge(other.facts))


class Chosen(NamedTuple):
    """The numbers of the rows at some positions."""

    numbers: Numbers
    positions: np.ndarray

    def at(self, positions: np.ndarray) -> np.ndarray:
        return self.numbers.at(self.positions[positions])


class Rows(NamedTuple):
    """The loss of each row of a block (of each list, of each anchor).

    numbers: which rows of the input these are
    values: the loss of each row times its weight, (n,); None where a row alone has none
    weight: what each row adds to the divisor of a mean, (n,); None for ones
    columns: what is added up over all rows, the divisor of the reduction last
    lost: what rounding took from the columns where rows are weighted and sums of columns cancel; () for nothing
    """

    numbers: Numbers
    values: Column
    weight: Column
    columns: tuple[Column, ...]
    facts: Facts
    lost: tuple[np.ndarray, ...] = ()

    @property
    def total(self) -> np.ndarray:
        """The loss of each row times its weight. UsageError where there is none."""
        if self.values is None:
            raise UsageError(
                "a row alone has no value of this loss", fix="ask for its value, its groups or its interval"
            )
        return self.values

    @property
    def number(self) -> np.ndarray:
        """The number of each row in the input, from 0."""
        return self.numbers.at(np.arange(self.n))

    @property
    def n(self) -> int:
        """How many rows there are."""
        column = self.columns[0]
        assert column is not None
        return len(column)


class Scored(NamedTuple):
    """The loss of some rows (or lists), and the other columns of the same rows.

    side: what rides along, (n,) each;  inputs: the loss's inputs as they were read, one array an input
    """

    rows: Rows
    side: tuple[np.ndarray, ...]
    inputs: tuple[np.ndarray, ...]

    @property
    def facts(self) -> Facts:
        """What was noticed of the rows, and which of them have an infinite loss."""
        return self.rows.facts.merge(infinite_rows(self.rows))

    def only(self, positions: np.ndarray) -> Scored:
        """The rows at some positions, without what was noticed of the block."""
        rows = self.rows
        values, weight, *columns = (
            None if column is None else column[positions] for column in (rows.values, rows.weight, *rows.columns)
        )
        lost = tuple(rest[positions] for rest in rows.lost)
        chosen = Rows(Chosen(rows.numbers, positions), values, weight, tuple(columns), NOTHING, lost)
        return Scored(chosen, tuple(column[positions] for column in self.side), ())


# --- scoring


def score_blocks(
    jobs: tuple[Job, ...],
    side: tuple[int, ...],
    read: Read,
    threads: int,
    fold: Callable[[tuple[Scored, ...]], Result],
) -> Iterator[Result]:
    """fold(one Scored for each job), block by block, in order; `fold` runs on the threads.

    side: which arrays of a block ride along;  read: gives the blocks, from the start
    """
    yield from ordered_map(lambda block: fold(score_block(jobs, side, block)), read(), threads)


def score_block(jobs: tuple[Job, ...], side: tuple[int, ...], block: RowBlock) -> tuple[Scored, ...]:
    """One Scored for each job, of one block."""
    return tuple(_score_job(job, side, block.start, arrays) for job, arrays in shared(jobs, block.load()))


def _score_job(job: Job, side: tuple[int, ...], start: int, arrays: Arrays) -> Scored:
    picked = tuple(arrays[place] for place in job.picks)
    rows = score(job.plan, job.arrange(picked), start)
    assert isinstance(rows.numbers, checks.RowNumbers)
    keep = rows.numbers.keep

    def kept(array: np.ndarray) -> np.ndarray:
        return array if keep is None else array[keep]

    inputs = picked[: len(picked) - (job.plan.weight is not None)]
    return Scored(rows, tuple(kept(arrays[place]) for place in side), tuple(map(kept, inputs)))


def score(plan: shapes.Plan, arrays: Arrays, start: int = 0) -> Rows:
    """The loss of each row of one block. start: the number of its first row"""
    admitted = checks.admit(plan, arrays, start)
    with np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"):
        value = values_of(plan, admitted)
        rows = rows_of(plan, admitted.rows, columns_of(value), admitted.weights, admitted.facts)
    if plan.reduction == "positives":
        return rows._replace(columns=(rows.columns[0], _positives(admitted.inputs[-1], admitted.weights)))
    if plan.reduction == "mean-active":
        return rows._replace(columns=(rows.columns[0], _active(rows.total, rows.weight)))
    return rows


def values_of(plan: shapes.Plan, admitted: checks.Admitted) -> Any:
    """What the loss returns for the rows of a block that has passed the door."""
    if plan.is_soft:
        return _expected(plan, *admitted.inputs)
    return plan.spec.loss.function(*admitted.inputs, **plan.spec.options)


def _expected(plan: shapes.Plan, prediction: Binary, label: np.ndarray) -> np.ndarray:
    """The expected loss of each row where a label is the chance of 1: y loss(1) + (1 - y) loss(0), (n,)."""
    flat = prediction._replace(values=prediction.values.reshape(-1))

    def share(chance: np.ndarray, truth: float) -> np.ndarray:
        cells = plan.spec.loss.function(flat, np.full(flat.values.shape, truth), **plan.spec.options)
        return np.where(chance == 0, 0.0, chance * np.asarray(cells).reshape(label.shape))

    cells = share(label, 1.0) + share(1.0 - label, 0.0)
    return cells if cells.ndim == 1 else np.asarray(cells.mean(axis=1))


def rows_of(plan: shapes.Plan, numbers: Numbers, columns: tuple[Column, ...], weights: Column, facts: Facts) -> Rows:
    """The columns that a loss has returned, as its rows. weights: of the rows, None for ones"""
    columns = _times(plan.treatment.scale, columns)
    values: Column = plan.spec.alone(columns) if plan.spec.loss.stands_alone else None
    lost: tuple[np.ndarray, ...] = ()
    if weights is not None and not plan.spec.loss.stands_alone:
        products = [two_product(weights, column) for column in columns if column is not None]
        columns, lost = (*(product for product, _ in products), weights), tuple(rest for _, rest in products)
    elif weights is not None:
        values = None if values is None else _weighed(values, weights)
        columns = tuple(weights if column is None else _weighed(column, weights) for column in columns)
    weight = columns[-1]
    columns = _times(plan.cells, columns)
    by_n = plan.is_sum or plan.treatment.weight_norm == "n"
    return Rows(numbers, values, weight, (columns[0], None) if by_n else columns, facts, lost)


def _times(factor: float, columns: tuple[Column, ...]) -> tuple[Column, ...]:
    """The columns with the first, that of the losses, times a factor."""
    losses, *rest = columns
    return columns if factor == 1 or losses is None else (factor * losses, *rest)


def _weighed(column: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """A column times the weights; a row of weight 0 adds nothing, however large."""
    return np.where(weights == 0, 0.0, column * weights)


def _positives(label: np.ndarray, weights: Column) -> np.ndarray:
    count = label if label.ndim == 1 else label.sum(axis=1) / label.shape[1]  # totals are row means
    return count if weights is None else count * weights


def _active(losses: np.ndarray, weights: Column) -> np.ndarray:
    """What rows that cost something add to the divisor."""
    return np.where(losses > 0, 1.0 if weights is None else weights, 0.0)


def refuse_rows(loss: Loss) -> None:
    """UsageError where single rows have no loss, so that they cannot be listed, ranked or kept."""
    if not loss.stands_alone:
        raise UsageError(
            f"{loss.name} has no value for each row",
            why=loss.engine.no_values,
            fix="ask for its value, its groups or its interval",
        )


# --- sums


def part_of(rows: Rows, positions: np.ndarray | None = None) -> Part:
    """The sums over the rows of a block, or over those at some positions, with what was noticed of them."""
    n = rows.n if positions is None else len(positions)
    totals = tuple(
        sums.count(n) if column is None else sums.total(column if positions is None else column[positions])
        for column in rows.columns
    )
    for at, rest in enumerate(rows.lost):
        part = sums.total(rest if positions is None else rest[positions])
        totals = (*totals[:at], totals[at] + part, *totals[at + 1 :])
    facts = rows.facts if positions is None else NOTHING
    if not all(sum_of_column.is_finite for sum_of_column in totals):
        facts = facts.merge(infinite_rows(rows, positions))
    return Part(totals, n, facts)


def infinite_rows(rows: Rows, positions: np.ndarray | None = None) -> Facts:
    """Which rows have an infinite loss, of all or of those at some positions."""
    columns = rows.columns if rows.values is None else (rows.values,)
    finite = np.all([np.isfinite(column) for column in columns if column is not None], axis=0)
    infinite = np.flatnonzero(~finite) if positions is None else positions[~finite[positions]]
    first = rows.numbers.at(infinite[:SHOWN_ROWS])
    return Facts(infinite=len(infinite), infinite_rows=tuple(first.tolist()))


def value_of(plan: shapes.Plan, part: Part) -> float:
    """The number that the reduction makes of sums; nan where there is nothing to divide by."""
    divisor = part.sums[-1]
    if plan.is_sum:
        return float(part.sums[0])
    if not divisor.units:
        return 0.0 if plan.reduction == "mean-active" else float("nan")  # nothing costs anything
    finish = plan.spec.finish
    if finish is None:
        return part.sums[0] / divisor
    try:
        return float(finish(*map(_fraction, part.sums)))
    except OverflowError:  # one sum is infinite, another beyond the largest float64
        return float(finish(*map(float, part.sums)))


def _fraction(total: Total) -> Fraction | float:
    from fractions import Fraction

    return Fraction(total.units, 1 << sums.UNIT_EXPONENT) if total.is_finite else float(total)


def refuse_nothing(plan: shapes.Plan, part: Part) -> None:
    """DataError where all rows together leave nothing to divide by."""
    if part.sums[-1].units or plan.is_sum or plan.reduction == "mean-active":
        return
    if plan.reduction == "positives":
        raise DataError("no label is 1, so there are no positives to divide by", fix="use -r mean")
    raise DataError("the weights of all rows are 0, so there is no mean", fix="check -w and --class-weights")
