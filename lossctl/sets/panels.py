"""Blocks of anchors against everyone: the engine of the losses that look at a labelled set of embeddings.

A panel is a block of anchors with their distances to all points; a loss gives each of its anchors a value; a fold goes
through all panels, on all cores, in memory that does not grow with the square of the set.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import numpy as np

from ..files import drawer
from ..language.distances import cosine_distance
from ..language.numerics import Array, namespace, picked, row_sum, where
from ..language.registry import Sums, Weighted
from ..language.rounded import GROUP, Bounded, Rounded, rounded_cosines
from ..language.rounding import near_one
from ..language.twofold import Directions, Twofold, cosines, directions
from ..rows.workers import Workers, cores, keep_freed_memory, mapped, threads_of
from .angles import PLAINLY_KNOWN
from .extremes import extremes, where_true
from .points import Points, own_class, shifted
from .ties import Judges

MEMORY_BYTES = 1 << 28
ANCHORS = 22 * GROUP  # of a panel: batches of 512 are one, of 256 too where a panel has half as many
CLOSE = 2.0**-4  # squares below this share of |a|^2 + |b|^2 have lost more bits than a difference of distances bears
CACHED = 1 << 19  # similarities of a panel: what is made of them at once stays near the processor
BETWEEN = 1 << 12  # similarities in twice the digits that cost less than another pass
MANY = 32  # an anchor's distances to all points take about the time of so many differences less
Owner = TypeVar("Owner")
Result = TypeVar("Result")


class once(Generic[Owner, Result]):
    """functools.cached_property without its lock: before Python 3.12 that is one for all instances, so the threads of
    `fold` would take turns."""

    def __init__(self, function: Callable[[Owner], Result]) -> None:
        self.function = function
        self.__doc__ = function.__doc__

    def __set_name__(self, owner: type[Owner], name: str) -> None:
        self.name = name

    def __get__(self, instance: Owner, owner: type[Owner]) -> Result:
        if instance is None:
            return self  # type: ignore[return-value]
        value = instance.__dict__[self.name] = self.function(instance)
        return value


@dataclass(frozen=True, eq=False)
class Panel:
    """A block of B anchors, the points start <= position < stop, against all N points.

    Every anchor has a positive and a negative. Arrays are of the library and dtype of `points.x`; each property is
    computed from the points when first asked for, so a panel's graph is its own.

    judges: what the panels of one pass share
    is_precise: similarities are in twice the digits at once
    """

    points: Points
    start: int
    stop: int
    judges: Judges
    is_precise: bool = False

    def __len__(self) -> int:
        return self.stop - self.start

    @once
    def positions(self) -> np.ndarray:
        return np.arange(self.start, self.stop)

    @once
    def _relations(self) -> tuple[Array, Array]:
        is_positive, is_negative = self.points.relations(self.start, self.stop)
        return self._array(is_positive), self._array(is_negative)

    @property
    def is_positive(self) -> Array:
        """(B, N), true where the point is another one of the anchor's class."""
        return self._relations[0]

    @property
    def is_negative(self) -> Array:
        """(B, N), true where the point is of another class."""
        return self._relations[1]

    @property
    def is_pair(self) -> Array:
        """(B, N), true where anchor and point are a pair: not the same, and not kept apart."""
        return self.is_positive | self.is_negative

    @once
    def distance(self) -> Array:
        """(B, N) distances in the metric of the points; exactly 0 between equal points, with gradient 0 there."""
        if _is_numpy(self.points.x):
            squares = _plain_squares(self.points, self.start, self.stop)
            return self.points.measured(squares, out=squares)
        return self.points.finish(_graph_squares(self.points, self.start, self.stop))

    @once
    def similarity(self) -> Rounded | Twofold:
        """(B, N) cosines, of numpy points with a bound on their errors, else in twice the digits."""
        if self.is_precise or not _is_numpy(self.points.x):
            return self.exact_similarity
        anchors, others = self._units[self.start : self.stop], self._units[: len(self.points)]
        values = rounded_cosines(anchors, others, self.points.low_factors[: len(self.points)])
        drawer.let_go(others.high)
        drawer.let_go(self.points.low_factors)
        return values

    @once
    def exact_similarity(self) -> Twofold:
        """The same, in twice the digits."""
        return cosines(self._units[self.start : self.stop], self._units[: len(self.points)])

    def similarity_from(self, positions: np.ndarray) -> Twofold:
        """(B, N) cosines of the points at B positions with all, in twice the digits."""
        return cosines(self._units[positions], self._units[: len(self.points)])

    @once
    def _units(self) -> Directions:
        return self.points.units if _is_numpy(self.points.x) else directions(self.points.x)

    @once
    def own(self) -> tuple[Array, Array]:
        """(B, K) positions of the anchor's class, K the largest class, and a mask of those that are positives."""
        index, is_own = own_class(self.points, self.start, self.stop)
        is_positive = is_own & (index != self.positions[:, None]) if self.points.holds_self else is_own
        return index, self._array(is_positive)

    def of_class(self, function: Callable[[Panel], Array]) -> Array:
        """(B, K) what a function of a panel gives to the points of `own`, each as an anchor."""
        index, _ = self.own
        start, stop = int(index.min()), int(index.max()) + 1
        steps = range(start, stop, len(self))
        parts = [function(Panel(self.points, at, min(at + len(self), stop), self.judges)) for at in steps]
        values, place = namespace(parts[0]).concat(parts, axis=0), index - start
        return values[place] if _is_numpy(values) else values[namespace(values).asarray(place, device=values.device)]

    @once
    def farthest_positive(self) -> Array:
        """(B,) distance to the farthest point of the same class, as the root of a sum of squared differences."""
        return self.distance_to(self._extremes[0])

    @once
    def nearest_negative(self) -> Array:
        """(B,) distance to the nearest point of another class, as the root of a sum of squared differences."""
        return self.distance_to(self._extremes[1])

    @once
    def _extremes(self) -> tuple[np.ndarray, np.ndarray]:
        return extremes(self.points, self.start, self.stop, scratch=self.judges.scratch)

    @property
    def positives(self) -> Array:
        """(B,) how many positives each anchor has, in the dtype of the points."""
        return self._counts(self.points.positives(self.start, self.stop))

    @property
    def negatives(self) -> Array:
        """(B,) how many negatives each anchor has, in the dtype of the points."""
        return self._counts(self.points.negatives(self.start, self.stop))

    def _counts(self, counts: np.ndarray) -> Array:
        return namespace(self.points.x).astype(self._array(counts), self.points.x.dtype)

    def below(self, margin: float, with_ties: bool = False) -> tuple[Array, Array, Array]:
        """(B, K) for each positive of each anchor, in any order: its distance, how many negatives are nearer than that
        and the margin, and the sum of their distances; 0 beyond an anchor's last positive.

        with_ties: or just as far

        The counts of numpy points are those of exact arithmetic.
        """
        from .picks import costly_negatives

        if _is_numpy(self.points.x):
            return costly_negatives(self.judges, self.start, self.stop, margin, with_ties)
        import torch

        index, is_positive = self.own
        d_ap = torch.where(is_positive, picked(self.distance, index), 0.0)
        bounds = torch.where(is_positive, d_ap.detach() + margin, 0.0)
        ordered = where(self.is_negative, self.distance, math.inf).sort(dim=1).values
        counts = torch.searchsorted(ordered.detach(), bounds)
        if with_ties:  # what is just as far is told by exact numbers; the farther a positive, the more
            exact = np.sort(costly_negatives(self.judges, self.start, self.stop, margin, True)[1])[:, ::-1]
            d_ap = d_ap.gather(1, where(is_positive, -d_ap.detach(), math.inf).argsort(dim=1))
            counts = torch.nn.functional.pad(self._array(exact.copy()), (0, d_ap.shape[1]))[:, : d_ap.shape[1]]
        sums = torch.nn.functional.pad(ordered[:, : int(counts.max())].cumsum(1), (1, 0))
        return d_ap, counts, sums.gather(1, counts)

    def positives_in_turn(self) -> Iterator[tuple[slice, list[int]]]:
        """The anchors cut into runs that share their candidates: their rows, and the positions of the points that are
        a positive of any of them."""
        is_positive, _ = self.points.relations(self.start, self.stop)
        first, last = (side[self.start : self.stop] for side in (self.points.first, self.points.last))
        is_new = (np.diff(first) != 0) | (np.diff(last) != 0)
        cuts = [0, *(np.flatnonzero(is_new) + 1 if self.points.masks is None else []), len(self)]
        for begin, end in itertools.pairwise(map(int, cuts)):
            rows = slice(begin, end)
            yield rows, np.flatnonzero(is_positive[rows].any(axis=0)).tolist()

    def from_point(self, position: int) -> Array:
        """(N,) distances from the point at a position to all."""
        distances: Array = replace(self, start=position, stop=position + 1).distance[0]
        return distances

    def semi_hard(self, fallback: str) -> tuple[np.ndarray, Array]:
        """(B, K) for each of `own` the nearest negative beyond it, and a mask of the pairs that have one.

        fallback: where there is none, the "hardest" (nearest) or "easiest" (farthest) negative, or "drop" the pair
        """
        from .picks import semi_hard_negatives

        return self._chosen(semi_hard_negatives(self.judges, self.start, self.stop, fallback))

    def random_semi_hard(self, margin: float, seed: int) -> tuple[np.ndarray, Array]:
        """(B, K) for each of `own` a random negative with d_ap < d_an < d_ap + margin, and a mask of those with one."""
        from .picks import random_semi_hard_negatives

        return self._chosen(random_semi_hard_negatives(self.judges, self.start, self.stop, margin, seed))

    def _chosen(self, negatives: np.ndarray) -> tuple[np.ndarray, Array]:
        return negatives.clip(0), self._array(negatives >= 0)

    def distance_to(self, index: np.ndarray) -> Array:
        """Distances from each anchor to the points at `index`, (B,) or (B, K) positions: as roots of sums of squared
        differences, so they do not depend on the rest of the set; where a class is a good part of the set, and these
        would be many, by one product unless they are small."""
        if index.ndim == 2 and MANY * self.points.widest > len(self.points):
            return self._from_product(index) if _is_numpy(self.points.x) else picked(self.distance, index)
        anchors = np.repeat(self.positions, index.size // len(index))
        return pair_distances(self.points, anchors, index.ravel()).reshape(index.shape)

    @once
    def _product(self) -> np.ndarray:
        return self.points.squares(self.start, self.stop)

    def _from_product(self, index: np.ndarray) -> np.ndarray:
        """(B, K) distances by the product, those of which it loses more than a few bits by differences."""
        points, gram = self.points, self.points.gram
        squares = picked(self._product, index).astype(np.float64)
        if not gram.is_exact:
            norms = gram.norms[self.start : self.stop, None] + gram.norms[index]
            near = squares < np.maximum(CLOSE * norms, gram.least)
            i, k = where_true(near)
            squares[i, k] = gram.direct(i + self.start, index[i, k])
        return points.measured(squares, out=squares).astype(points.x.dtype, copy=False)

    def _array(self, values: np.ndarray) -> Array:
        x = self.points.x
        return values if _is_numpy(x) else namespace(x).asarray(values, device=x.device)


def pair_distances(points: Points, i: np.ndarray, j: np.ndarray) -> Array:
    """The distances of M pairs of positions, (M,): from differences, so they do not depend on the rest of the set."""
    xp = namespace(points.x)
    if _is_numpy(points.x):
        return points.measured(points.gram.direct(i, j)).astype(points.x.dtype, copy=False)
    a, b = (points.x[xp.asarray(index, device=points.x.device)] for index in (i, j))
    return points.finish(_squares_between(points, a, b))


def _squares_between(points: Points, a: Array, b: Array) -> Array:
    """(M,) squared distances of (M, D) points of any array library, scaled as in their gram, from differences."""
    if points.is_angular:
        return 2.0 * cosine_distance(near_one(a), near_one(b))
    difference = shifted(a, points.gram.shift) - shifted(b, points.gram.shift)
    return row_sum(difference * difference)


def _plain_squares(points: Points, start: int, stop: int) -> np.ndarray:
    """(B, N) squared distances of numpy points, those of near pairs from differences."""
    gram = points.gram
    squares = points.squares(start, stop)
    if not gram.is_exact:
        norms = gram.norms[start:stop, None] + gram.norms[: len(points)]
        i, j = where_true(squares < np.maximum(CLOSE * norms, gram.least))
        squares[i, j] = gram.direct(i + start, j)
    return squares


def _graph_squares(points: Points, start: int, stop: int) -> Array:
    """(B, N) squared distances of points of any array library, in one graph from `points.x`."""
    xp = namespace(points.x)
    units = directions(points.x) if points.is_angular else None
    x = units.high if units is not None else shifted(points.x, points.gram.shift)
    around = points.gram.x if units is None else points.fine_units.high
    is_whole = points.gram.is_exact and units is None
    centre = around.min(axis=0) if is_whole else around.mean(axis=0)  # whole ones stay whole
    x = x - xp.asarray(centre, dtype=x.dtype, device=x.device)
    x = x if units is None else x + units.low
    anchors, norms = x[start:stop], xp.sum(x * x, axis=-1)
    both = norms[start:stop, None] + norms[: len(points)]
    squares = both - 2 * (anchors @ x[: len(points)].T)
    limit = CLOSE * both
    i, j = xp.nonzero((squares < limit) | (squares < (PLAINLY_KNOWN if points.is_angular else 0.0)))
    squares[i, j] = _squares_between(points, points.x[start:stop][i], points.x[j])
    return squares


# --- fold


def fold(
    points: Points,
    function: Callable[[Panel], Result],
    *,
    everyone: bool = False,
    block: int | None = None,
    most: int | None = None,
    threads: Workers | None = None,
    memory_bytes: int = MEMORY_BYTES,
    bytes_each: int = 32,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[Result]:
    """function(panel) for panels that cover all anchors, in order, on `threads` threads (or by others).

    everyone: cover all points, also those without a positive or without a negative
    block: anchors a panel; if None, as many as fit in memory_bytes at bytes_each for an anchor and a point, up to most;
        if that is None too, up to ANCHORS; half as many of large classes, and where threads would have less than two
    progress: called with the number of anchors done, and of all
    """
    keep_freed_memory()
    jobs = default_threads() if threads is None else threads
    count = points.everyone if everyone else points.anchors
    is_wide = count >= 2 * ANCHORS * threads_of(jobs) and points.widest <= ANCHORS
    most = most or (ANCHORS if is_wide else ANCHORS // 2)
    size = block or block_size(points, threads_of(jobs), most, memory_bytes, bytes_each)
    shared, end = Judges(points), points.begin + count
    panels = [(start, min(start + size, end)) for start in range(points.begin, end, size)]
    for k, result in enumerate(mapped(lambda at: function(Panel(points, *at, shared)), panels, jobs)):
        if progress is not None:
            progress(min((k + 1) * size, count), count)
        yield result


def block_size(points: Points, threads: int, most: int, memory_bytes: int, bytes_each: int) -> int:
    """How many anchors a panel has: groups, if memory has room for one."""
    anchor_bytes = bytes_each * max(1, len(points))
    x = points.x
    if isinstance(x, np.ndarray) and drawer.file_of(x) is not None:
        anchor_bytes += 2 * 8 * x.shape[1]  # an anchor itself, as a factor
        memory_bytes = drawer.panel_bytes(x, memory_bytes)
    size: int = max(1, min(most, memory_bytes // (anchor_bytes * max(1, threads))))
    return size if size < GROUP else size // GROUP * GROUP


def default_threads() -> int:
    """One thread a core if the BLAS was told to use one thread each (before numpy was imported), else one."""
    import os

    single = next((os.environ[name] for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS") if name in os.environ), "")
    return cores() if single == "1" else 1


@dataclass(frozen=True, eq=False)
class AnchorLosses:
    """The losses of A anchors, in the order of their points: arrays of shape (A,).

    columns: what is added up: the total of what an anchor is in, or several sums; what it adds to the divisor last
    valid: how many triplets it is in, where the divisor counts the active ones only, else the divisor again
    undecided: how many anchors had more ties than are decided by integers
    """

    columns: tuple[np.ndarray, ...]
    valid: np.ndarray
    undecided: int = 0

    @property
    def total(self) -> np.ndarray:
        return self.columns[0]

    @property
    def weight(self) -> np.ndarray:
        return self.columns[-1]

    def __len__(self) -> int:
        return len(self.total)


def anchor_losses(points: Points, function: Callable[[Panel], Any], **options: Any) -> AnchorLosses:
    """A panel loss, anchor by anchor; `options` are those of `fold`."""

    def quietly(panel: Panel) -> tuple[int, tuple[np.ndarray, ...]]:
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is told of where it can be seen
            losses = precise_losses(function, panel, len(points))
        return panel.judges.undecided_anchors(panel.start, panel.stop), losses

    return _joined([*fold(points, quietly, **options)])


def anchor_losses_at_once(points: Points, function: Callable[[Panel], list[Any]], **options: Any) -> list[AnchorLosses]:
    """Those of a function that gives several losses of a panel; what no integers decide is not counted."""

    def quietly(panel: Panel) -> list[tuple[int, tuple[np.ndarray, ...]]]:
        with np.errstate(over="ignore", invalid="ignore"):
            return [(0, losses_of(value, panel)) for value in function(panel)]

    return [_joined(blocks) for blocks in zip(*fold(points, quietly, **options), strict=True)]


def _joined(blocks: Sequence[tuple[int, tuple[np.ndarray, ...]]]) -> AnchorLosses:
    """The losses of all panels, from how many anchors of each are undecided, and its columns."""
    if not blocks:
        return AnchorLosses((np.zeros(0), np.zeros(0)), np.zeros(0))
    *columns, valid = (np.concatenate(parts) for parts in zip(*(losses for _, losses in blocks), strict=True))
    *_, divisor, terms = blocks[0][1]
    valid = columns[-1] if terms is divisor else valid
    return AnchorLosses(tuple(columns), valid, sum(undecided for undecided, _ in blocks))


def precise_losses(function: Callable[[Any], Any], panel: Any, count: int) -> tuple[np.ndarray, ...]:
    """`losses_of` a loss of a `Panel`, of a set or of views, of so many points; those whose bound on their error is too
    large in twice the digits."""
    value = function(panel)
    total = value.total if isinstance(value, Weighted) else value
    if not isinstance(total, Bounded):
        return losses_of(value, panel)
    parts = losses_of(value._replace(total=total.x) if isinstance(value, Weighted) else total.x, panel)
    for run in _runs(np.flatnonzero(~total.is_good), BETWEEN // max(1, count)):
        start, stop = int(run[0]), int(run[-1]) + 1
        again = replace(panel, start=panel.start + start, stop=panel.start + stop, is_precise=True)
        for part, values in zip(parts, losses_of(function(again), again), strict=True):
            part[run] = values[run - start]
    return parts


def _runs(positions: np.ndarray, gap: int) -> list[np.ndarray]:
    """Ascending numbers, cut where more than `gap` others lie between two of them."""
    runs = np.split(positions, np.flatnonzero(np.diff(positions) > gap + 1) + 1)
    return [run for run in runs if len(run)]


def losses_of(value: Any, panel: Any) -> tuple[np.ndarray, ...]:
    """What a panel loss gave, as numpy, (B,) each: its total or its sums, what it adds to the divisor, and how many
    terms it is of; those of several sums are its pairs."""
    if isinstance(value, Sums):
        value = (*value, panel.positives + panel.negatives)
    parts = value if isinstance(value, tuple) else (value, np.ones(len(panel)))
    columns = tuple(_as_numpy(part) for part in parts)
    return columns if hasattr(value, "valid") else (*columns, columns[-1])


def _as_numpy(x: Array) -> np.ndarray:
    return np.asarray(x if _is_numpy(x) else x.detach().cpu(), dtype=np.float64)


def _is_numpy(x: Array) -> bool:
    return isinstance(x, np.ndarray)
