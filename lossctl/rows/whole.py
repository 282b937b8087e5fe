"""Rows that are read whole, because each of them meets all others: what every engine that does so has in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..errors import DataError
from .job import Arrays, Job, Read, RowBlock, shared
from .workers import Workers

Progress = Callable[[int, int], None] | None


class WholeScores(NamedTuple):
    """What all rows gave.

    scored: in the order of the input;  backend: what computed them, "numpy" or for example "triton-cuda"
    counts: what the loss is a mean of, and what was left out
    """

    scored: Any
    backend: str = "numpy"
    counts: tuple[tuple[str, int], ...] = ()


class WholeLoss(NamedTuple):
    """One loss, and all that was read for it.

    arrays: the columns of all rows, (n, ...) each;  side: which of them ride along
    is_rest: some rows are left out, so that there is nothing to tell of the input
    """

    job: Job
    side: tuple[int, ...]
    arrays: Arrays
    threads: Workers = 1
    progress: Progress = None
    is_rest: bool = False

    @property
    def inputs(self) -> Arrays:
        """The columns that are read for the loss."""
        return tuple(self.arrays[place] for place in self.job.picks)


Engine = Callable[[WholeLoss], WholeScores]


def answers(
    engine: Engine,
    jobs: tuple[Job, ...],
    side: tuple[int, ...],
    read: Read,
    workers: Sequence[Workers],
    progress: Progress = None,
) -> tuple[WholeScores, ...]:
    """All rows of one reading, for each of several losses; `read` gives the blocks, from the start.

    workers: of each loss
    """
    assert not any(job.plan.weight for job in jobs)  # the table of options lets none through
    arrays = _all_rows(read())
    return tuple(
        engine(WholeLoss(job, side, columns, who, progress))
        for (job, columns), who in zip(shared(jobs, arrays), workers, strict=True)
    )


def without(
    engine: Engine,
    job: Job,
    side: tuple[int, ...],
    read: Read,
    threads: int,
    masks: Callable[[Arrays], Iterable[Any]],
) -> list[Any]:
    """What is scored where some rows are left out, once for each mask; None where nothing is.

    masks: of what stays, (n,) each, made of the columns that ride along
    """
    arrays = _all_rows(read())

    def of_rest(stays: np.ndarray) -> Any:
        try:
            return engine(WholeLoss(job, side, tuple(array[stays] for array in arrays), threads, is_rest=True)).scored
        except DataError:  # all rows have a value, so the rest has lost what makes one
            return None

    riders = tuple(arrays[place] for place in side) or (np.arange(len(arrays[0])),)
    return [of_rest(stays) for stays in masks(riders)]


def _all_rows(blocks: Iterable[RowBlock]) -> Arrays:
    """All blocks as one; text where some blocks of a column hold text."""
    parts = [block.load() for block in blocks]
    if not parts:
        raise DataError("no rows", fix="check the file")

    def joined(column: Sequence[np.ndarray]) -> np.ndarray:
        return np.concatenate(column) if column[0].dtype.kind == "f" else _joined_categories(column)

    return tuple(joined(column) for column in zip(*parts, strict=True))


def _joined_categories(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Categories of all blocks; None, which stands for a missing one, stays."""
    alike = len({part.dtype.kind for part in parts}) == 1
    return np.concatenate(parts if alike else [part.astype(object) for part in parts])
