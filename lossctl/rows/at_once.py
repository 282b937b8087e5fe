"""Rows that are read whole, because each of them meets all others: what every engine that does so has in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..errors import DataError
from ..files import drawer
from ..files.drawer import Place, Stack
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
    place: Place,
    workers: Sequence[Workers],
    progress: Progress = None,
) -> tuple[WholeScores, ...]:
    """All rows of one reading, for each of several losses; `read` gives the blocks, from the start.

    place: where the rows are kept;  workers: of each loss
    """
    assert not any(job.plan.weight for job in jobs)  # the table of options lets none through
    arrays = all_rows(read(), place)
    return tuple(
        engine(WholeLoss(job, side, columns, who, progress))
        for (job, columns), who in zip(shared(jobs, arrays), workers, strict=True)
    )


def without(
    engine: Engine,
    job: Job,
    side: tuple[int, ...],
    read: Read,
    place: Place,
    threads: int,
    masks: Callable[[Arrays], Iterable[Any]],
) -> list[Any]:
    """What is scored where some rows are left out, once for each mask; None where nothing is.

    masks: of what stays, (n,) each, made of the columns that ride along
    """
    arrays = all_rows(read(), place)

    def of_rest(stays: np.ndarray) -> Any:
        rest = tuple(drawer.taken(array, np.flatnonzero(stays)) for array in arrays)
        try:
            return engine(WholeLoss(job, side, rest, threads, is_rest=True)).scored
        except DataError:  # all rows have a value, so the rest has lost what makes one
            return None

    riders = tuple(arrays[place] for place in side) or (np.arange(len(arrays[0])),)
    return [of_rest(stays) for stays in masks(riders)]


def all_rows(blocks: Iterable[RowBlock], place: Place) -> Arrays:
    """All blocks as one; text where some blocks of a column hold text."""
    numbers: dict[int, Stack] = {}
    categories: dict[int, list[np.ndarray]] = {}
    for block in blocks:
        for at, part in enumerate(block.load()):
            if part.dtype.kind == "f":
                numbers.setdefault(at, Stack(place)).add(part)
            else:
                categories.setdefault(at, []).append(part)
    if not numbers and not categories:
        raise DataError("no rows", fix="check the file")
    columns = {at: stack.array() for at, stack in numbers.items()}
    columns |= {at: _joined_categories(parts) for at, parts in categories.items()}
    return tuple(columns[at] for at in sorted(columns))


def _joined_categories(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Categories of all blocks; None, which stands for a missing one, stays."""
    alike = len({part.dtype.kind for part in parts}) == 1
    return np.concatenate(parts if alike else [part.astype(object) for part in parts])
