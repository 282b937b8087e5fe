"""Several losses over one reading: each block is read once, and every loss takes the columns that it wants.

Losses that go row by row, list by list or anchor by anchor give the same thing, `Scored`: a value for each of their
rows (lists, anchors), with the columns that ride along (identifiers, groups, clusters). What is made of them, a fold
does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

from ..errors import UsageError
from . import by_row, checks
from .workers import ordered_map

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .by_row import Block

    Arrays = tuple[np.ndarray, ...]
    Read = Callable[..., Iterable[Block]]  # read(only=None): the blocks, of all arrays or of those in `only`

Result = TypeVar("Result")


class Space(NamedTuple):
    """How the points of an embedding set are compared: the metric, whether on the unit sphere, and on which device."""

    metric: str = "euclidean"
    normalize: bool = False
    device: str = "cpu"


class Job(NamedTuple):
    """One loss of a shared reading.

    picks: which arrays of a block are read for it;  arrange: those arrays -> the arrays of the plan's entries
    space: of a loss of an embedding set
    """

    plan: checks.Plan
    picks: tuple[int, ...]
    arrange: Callable[[Arrays], Arrays]
    space: Space = Space()


class Picked(NamedTuple):
    """The numbers of rows that need not be neighbours, (n,)."""

    numbers: np.ndarray

    def at(self, positions: np.ndarray) -> np.ndarray:
        """The numbers at some positions."""
        picked: np.ndarray = self.numbers[positions]
        return picked


class Scored(NamedTuple):
    """The loss of some rows (or lists), and the other columns of the same rows.

    side: what rides along, (n,) each;  inputs: the loss's inputs as they were read, one array an input
    """

    rows: by_row.Rows
    side: tuple[np.ndarray, ...]
    inputs: tuple[np.ndarray, ...]


class Loaded(NamedTuple):
    """A block that has been read."""

    start: int
    arrays: Arrays

    @property
    def stop(self) -> int:
        return self.start + len(self.arrays[0])

    def load(self) -> Arrays:
        return self.arrays


def each(
    jobs: tuple[Job, ...],
    side: tuple[int, ...],
    read: Read,
    threads: int,
    fold: Callable[[tuple[Scored, ...]], Result],
) -> Iterator[Result]:
    """fold(one Scored for each job), block by block, in order; `fold` runs on the threads.

    side: which arrays of a block ride along;  read: gives the blocks, from the start
    """
    engines = {job.plan.spec.loss.engine for job in jobs}
    if engines == {"lists"}:
        from . import by_list

        yield from by_list.each(jobs, side, read, threads, fold)
    elif engines == {"panel"}:
        from ..sets import by_anchor

        yield fold(by_anchor.score(jobs, side, read, threads).scored)
    elif engines == {"rows"}:
        yield from ordered_map(lambda block: fold(_scored(jobs, side, block)), read(), threads)
    else:
        name = jobs[0].plan.spec.loss.name
        raise UsageError(
            f"{name} has no value for each row",
            why="it goes by counts",
            fix="ask for its value, its groups or its interval",
        )


def _scored(jobs: tuple[Job, ...], side: tuple[int, ...], block: Block) -> tuple[Scored, ...]:
    return tuple(score(job, side, block.start, arrays) for job, arrays in shared(jobs, block.load()))


def shared(jobs: tuple[Job, ...], arrays: Arrays) -> Iterator[tuple[Job, Arrays]]:
    """Each job with the arrays of a block; with --na skip, a row that misses one value misses for all."""
    missing = _missing(arrays) if jobs[0].plan.skip_nan else None
    for job in jobs:
        yield job, arrays if missing is None else _blanked(arrays, job.picks[0], missing)


def _missing(arrays: Arrays) -> np.ndarray | None:
    found = np.zeros(len(arrays[0]), dtype=bool)
    for array in arrays:
        if array.dtype.kind == "f":
            found |= np.isnan(array) if array.ndim == 1 else np.isnan(array).any(axis=1)
        elif array.dtype == object:
            found |= np.array([value is None for value in array.reshape(len(array), -1)[:, 0]], dtype=bool)
    return found if found.any() else None


def _blanked(arrays: Arrays, position: int, missing: np.ndarray) -> Arrays:
    if arrays[position].dtype.kind == "f":
        blank = arrays[position].copy()
        blank[missing] = np.nan
    else:
        blank = arrays[position].astype(object)
        blank[missing] = None
    return (*arrays[:position], blank, *arrays[position + 1 :])


def score(job: Job, side: tuple[int, ...], start: int, arrays: Arrays) -> Scored:
    """The loss of one block's rows."""
    picked = tuple(arrays[place] for place in job.picks)
    scored = by_row.score(job.plan, Loaded(start, job.arrange(picked)))
    assert isinstance(scored.numbers, checks.RowNumbers)
    keep = scored.numbers.keep

    def kept(array: np.ndarray) -> np.ndarray:
        return array if keep is None else array[keep]

    inputs = picked[: len(picked) - (job.plan.weight is not None)]
    return Scored(scored, tuple(kept(arrays[place]) for place in side), tuple(map(kept, inputs)))


def columns(part: by_row.Rows, reduction: str) -> tuple[np.ndarray, np.ndarray]:
    """(numerator, denominator) of each row, (n,) each: the mean is the quotient of their sums.

    For a sum the denominator counts rows: the sum is their number times the quotient.
    """
    if reduction == "positives":
        assert part.positives is not None
        return part.total, part.positives
    if part.weight is None or reduction == "sum":
        return part.total, np.ones(len(part.total))
    return part.total, part.weight
