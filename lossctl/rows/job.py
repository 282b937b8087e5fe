"""Several losses over one reading: each block is read once, and every loss takes the columns that it wants."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, Protocol

import numpy as np

from . import shapes

Arrays = tuple[np.ndarray, ...]


class RowBlock(Protocol):
    """Rows start..stop of all inputs, read when they are wanted."""

    @property
    def start(self) -> int: ...
    @property
    def stop(self) -> int: ...
    def load(self) -> Arrays: ...


Read = Callable[..., Iterable[RowBlock]]  # read(only=None): the blocks, of all arrays or of those in `only`


KEY_MARK = "\x1f"  # between a class and the keys of its row, where these ride in one label


class Pairing(NamedTuple):
    """Who may pair with whom in an embedding set, beside that points of one class are positives, others negatives.

    reference: (M, D) embeddings and (M,) labels of the set that positives and negatives come from; None: the set itself
    noise: the class that is none;  noise_stays: such points are negatives, where else they are left out
    sharing: rows have several classes, and are positives where they share "any" of them, or "all"; "" for one class
    has_keys: labels carry keys behind a KEY_MARK, and rows with equal ones are no pair
    negatives: "near" for those of the anchor's coarse class only, "far" for those of others only, "" for all; labels
        carry the coarse class behind a last KEY_MARK
    """

    reference: tuple[np.ndarray, np.ndarray] | None = None
    noise: str | None = None
    noise_stays: bool = False
    sharing: str = ""
    has_keys: bool = False
    negatives: str = ""

    @property
    def is_by_class(self) -> bool:
        """Whether rows of one label have the same positives and the same negatives."""
        return not (self.has_keys or self.negatives or self.sharing == "any")


PLAIN = Pairing()


class Space(NamedTuple):
    """How the points of an embedding set are compared: the metric, whether on the unit sphere, on which device, who
    may pair with whom, and what becomes of anchors that are alone in their class."""

    metric: str = "euclidean"
    normalize: bool = False
    device: str = "cpu"
    pairs: Pairing = PLAIN
    lone: str = "drop"


class Job(NamedTuple):
    """One loss of a shared reading.

    picks: which arrays of a block are read for it;  arrange: those arrays -> the arrays of the plan's entries
    space: of a loss of an embedding set
    complete: the arrays of which a row must hold a value, where rows without one are left out
    """

    plan: shapes.Plan
    picks: tuple[int, ...]
    arrange: Callable[[Arrays], Arrays]
    space: Space = Space()
    complete: tuple[int, ...] = ()


class RowsAt(NamedTuple):
    """The numbers of rows that need not be neighbours, (n,)."""

    numbers: np.ndarray

    def at(self, positions: np.ndarray) -> np.ndarray:
        """The numbers at some positions."""
        numbers: np.ndarray = self.numbers[positions]
        return numbers


class Loaded(NamedTuple):
    """A block that has been read."""

    start: int
    arrays: Arrays

    @property
    def stop(self) -> int:
        return self.start + len(self.arrays[0])

    def load(self) -> Arrays:
        return self.arrays


def shared(jobs: tuple[Job, ...], arrays: Arrays) -> Iterator[tuple[Job, Arrays]]:
    """Each job with the arrays of a block; with --na skip, a row without one of the job's values has no other."""
    gaps = [_missing(array) if jobs[0].plan.treatment.skip_nan else None for array in arrays]
    for job in jobs:
        own = [gap for at in job.complete if (gap := gaps[at]) is not None]
        yield job, _blanked(arrays, job.picks[0], np.logical_or.reduce(own)) if own else arrays


def _missing(array: np.ndarray) -> np.ndarray | None:
    """Which rows hold nan or None, (n,); None where no row does."""
    if array.dtype.kind == "f":
        from ..files import drawer

        rows = [np.isnan(array[rows].reshape(rows.stop - rows.start, -1)).any(axis=1) for rows in drawer.blocks(array)]
        missing = np.concatenate(rows) if rows else np.zeros(0, bool)
    elif array.dtype == object:
        missing = np.array([value is None for value in array.reshape(len(array), -1)[:, 0]], dtype=bool)
    else:
        return None
    return missing if missing.any() else None


def _blanked(arrays: Arrays, position: int, missing: np.ndarray) -> Arrays:
    if arrays[position].dtype.kind == "f":
        blank = arrays[position].copy()
        blank[missing] = np.nan
    else:
        blank = arrays[position].astype(object)
        blank[missing] = None
    return (*arrays[:position], blank, *arrays[position + 1 :])
