"""Systems on the same rows: what is kept of their losses to tell how they differ, and whether chance would do.

Systems share their rows, their weights and their random numbers. What is made of it stands in `contrast`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import add
from typing import NamedTuple

import numpy as np

from ..errors import DataError, UsageError
from ..rows import by_row
from ..rows.shapes import Plan
from ..rows.sums import Total, total
from . import bootstrap, draws, flips
from .clusters import Clusters, cluster_numbers, cluster_sums, merge_into, table_of
from .draws import Draws
from .flips import Flips
from .grid import GridSums

SIGN_FLIP, BOOTSTRAP, SEEDS = "sign-flip", "bootstrap", "t over seeds"


class Margin(NamedTuple):
    """How much worse is no harm: an amount of the loss, or a share of the base's value.

    text: as it was asked for
    """

    text: str
    amount: float
    is_relative: bool


class Ask(NamedTuple):
    """What is asked of two systems.

    test: "sign-flip", "bootstrap" or "t over seeds";  cluster, seed: which side columns name them, None for none
    margin: what is no harm;  ranks: whether Wilcoxon's test is asked for, which needs all differences
    """

    draws: Draws
    test: str = SIGN_FLIP
    cluster: int | None = None
    seed: int | None = None
    margin: Margin | None = None
    ranks: bool = False

    @property
    def is_relative(self) -> bool:
        """Whether the base's own value takes part in the test of a margin."""
        return self.margin is not None and self.margin.is_relative


class Pairs(NamedTuple):
    """The losses of a base and S other systems on some rows; merges with those of other rows.

    A system has k columns, of which all systems share the last, the divisor.

    parts: exact sums, of the base first;  better, equal, worse: rows where another system's loss is below, at, above
    the base's, (S,), None where single rows have none;  units: rows (or lists, or clusters)
    resampled: the sums of the columns of each system, then of the divisor, over the resamples, (R, (S + 1)(k - 1) + 1);
    None where signs are flipped;  sizes: beside it, sums of absolute differences of columns and of their squares,
    of each other system in turn;  flipped: what each other system's flips add up to; () where rows are resampled
    moments: of each system beside the base, of the columns that `_beside` names
    clusters: instead of the three above, the sums of the columns of each cluster;  seeds: of each seed
    gaps: differences of single rows, (n, S), block by block; () where they are not asked for
    """

    parts: tuple[by_row.Part, ...]
    better: np.ndarray | None
    equal: np.ndarray | None
    worse: np.ndarray | None
    resampled: GridSums | None
    flipped: tuple[Flips, ...]
    moments: tuple[bootstrap.Powers, ...]
    units: int
    clusters: Clusters | None
    seeds: Clusters | None = None
    gaps: tuple[np.ndarray, ...] = ()
    sizes: tuple[Total, ...] = ()

    @property
    def width(self) -> int:
        """How many columns a system has of its own, k - 1."""
        return len(self.parts[0].sums) - 1

    def merge(self, other: Pairs) -> Pairs:
        """The pairs of two sets of rows together."""
        return Pairs(
            tuple(a.merge(b) for a, b in zip(self.parts, other.parts, strict=True)),
            _sum(self.better, other.better),
            _sum(self.equal, other.equal),
            _sum(self.worse, other.worse),
            self.resampled + other.resampled if self.resampled and other.resampled else None,
            tuple(a.merge(b) for a, b in zip(self.flipped, other.flipped, strict=True)),
            tuple(a.merge(b) for a, b in zip(self.moments, other.moments, strict=True)),
            self.units + other.units,
            _merged(self.clusters, other.clusters),
            _merged(self.seeds, other.seeds),
            (*self.gaps, *other.gaps),
            tuple(map(add, self.sizes, other.sizes)),
        )

    @property
    def bytes(self) -> int:
        """How much memory it takes that does not grow with the rows."""
        arrays = [self.resampled] if self.resampled else []
        arrays += [array for flip in self.flipped for array in (flip.half, flip.still, flip.alike)]
        return sum(array.nbytes for array in arrays)


def _sum(a: np.ndarray | None, b: np.ndarray | None) -> np.ndarray | None:
    return None if a is None or b is None else a + b


def _merged(a: Clusters | None, b: Clusters | None) -> Clusters | None:
    return None if a is None or b is None else merge_into(a, b)


def pairs(plan: Plan, systems: Sequence[by_row.Scored], ask: Ask) -> Pairs:
    """What one block says of the base (the first of the systems) and the others."""
    _refuse_unequal(plan, systems)
    rows = [system.rows for system in systems]
    n = rows[0].n
    divisor = np.ones(n) if rows[0].columns[-1] is None else rows[0].columns[-1]
    own = [np.ones(n) if column is None else column for system in rows for column in system.columns[:-1]]
    columns = np.stack([*own, divisor], axis=1)
    width = len(rows[0].columns) - 1
    if ask.cluster is None or ask.seed is not None:
        counted = _drawn(plan, rows[0].number, columns, width, ask)
    else:
        counted = _drawn(plan, rows[0].number[:0], columns[:0], width, ask)
    clusters, seeds_of = (
        None if at is None else cluster_sums(systems[0].side[at], columns) for at in (ask.cluster, ask.seed)
    )
    gaps = (_gaps(columns, width),) if ask.ranks and ask.cluster is None else ()
    counted = counted._replace(clusters=clusters, seeds=seeds_of, gaps=gaps)
    better, equal, worse = _row_counts(rows)
    parts = tuple(by_row.part_of(system) for system in rows)
    return counted._replace(parts=parts, better=better, equal=equal, worse=worse)


def _refuse_unequal(plan: Plan, systems: Sequence[by_row.Scored]) -> None:
    """DataError where systems have other rows, UsageError where their means are over other terms."""
    base = systems[0].rows
    for system in systems[1:]:
        if not np.array_equal(base.number, system.rows.number):
            raise DataError(
                "the systems leave out different rows, so they cannot be compared row by row",
                fix="give every system a value in every row, or leave rows out for all: --na skip",
            )
        divisors = (base.columns[-1], system.rows.columns[-1])
        if not all(column is None for column in divisors) and not np.array_equal(*divisors):  # type: ignore[arg-type]
            name = plan.reduction
            raise UsageError(
                f"each system's {name} is over other terms: only over the pairs or triplets that count for it",
                why="a mean that also changes by what it is over tells no system from another",
                fix="use -r mean for batch-all, fallback=easiest for semi-hard (random-semi-hard has no such mean)",
            )


def _row_counts(rows: Sequence[by_row.Rows]) -> tuple[np.ndarray | None, np.ndarray | None, np.ndarray | None]:
    """In how many rows each other system's loss is below, at and above the base's; None where rows have no loss."""
    values = [system.values for system in rows if system.values is not None]
    if len(values) < len(rows):
        return None, None, None
    with np.errstate(invalid="ignore"):
        gap = np.stack(values[1:], axis=1) - values[0][:, None]
    below, at = gap < 0, gap == 0
    better, equal, worse = (np.count_nonzero(mask, axis=0) for mask in (below, at, ~(below | at)))
    return better, equal, worse


def _gaps(columns: np.ndarray, width: int) -> np.ndarray:
    """The difference of each unit from the base, by what it adds to the divisor, (n, S)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((columns[:, width:-1:width] - columns[:, :1]) / columns[:, -1:])


def _drawn(plan: Plan, numbers: np.ndarray, columns: np.ndarray, width: int, ask: Ask) -> Pairs:
    """The random part of some units, from the columns of all systems and the divisor."""
    others = range((columns.shape[1] - 1) // width - 1)
    beside = [_beside(plan, columns, width, at, ask.is_relative) for at in others]
    resampled: GridSums | None = None
    sizes: tuple[Total, ...] = ()
    if ask.test == BOOTSTRAP:
        resampled = draws.resample_sums(ask.draws, numbers, columns)
        sizes = tuple(total for at in others for total in _sizes(columns, width, at))
    flipped: tuple[Flips, ...] = ()
    if ask.test == SIGN_FLIP:
        base, divisor = columns[:, :width], columns[:, -1:]
        needs_base = plan.spec.finish is not None or ask.is_relative
        still = columns[:, [*range(width), -1]] if needs_base else divisor
        with np.errstate(invalid="ignore"):
            halves = [(columns[:, width * (at + 1) :][:, :width] - base) / 2 for at in others]
        flipped = flips.flipped(ask.draws, numbers, halves, still)
    moments = tuple(map(bootstrap.moments, beside))
    return Pairs((), None, None, None, resampled, flipped, moments, len(columns), None, sizes=sizes)


def _sizes(columns: np.ndarray, width: int, other: int) -> Iterator[Total]:
    """The sums of the absolute differences of each column from the base, and of their squares, (k - 1,) each."""
    with np.errstate(invalid="ignore", over="ignore"):
        size = np.abs(columns[:, width * (other + 1) :][:, :width] - columns[:, :width])
        return (total(column) for part in (size, size * size) for column in part.T)


def _beside(plan: Plan, columns: np.ndarray, width: int, other: int, is_relative: bool) -> np.ndarray:
    """What the influence on a difference is made of, the divisor last.

    For means their difference, and the base too where a margin is a share of it; else the columns of both
    """
    base, system, divisor = columns[:, :width], columns[:, width * (other + 1) :][:, :width], columns[:, -1:]
    with np.errstate(invalid="ignore"):
        own = [system - base, *([base] if is_relative else [])] if plan.spec.finish is None else [base, system]
    return np.concatenate([*own, divisor], axis=1)


def settle(plan: Plan, pairs: Pairs, ask: Ask) -> Pairs:
    """The pairs of all rows, with the clusters drawn as the units that they are."""
    if pairs.clusters is None or pairs.seeds is not None:
        return pairs
    names, columns = table_of(pairs.clusters)
    counted = _drawn(plan, cluster_numbers(names), columns, pairs.width, ask)
    gaps = (_gaps(columns, pairs.width),) if ask.ranks else ()
    return counted._replace(parts=pairs.parts, better=pairs.better, equal=pairs.equal, worse=pairs.worse, gaps=gaps)
