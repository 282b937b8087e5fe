"""A labelled set of points, sorted by class: an anchor's positives are a slice, its negatives the rest."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Protocol

import numpy as np

from ..errors import DataError, UsageError
from ..files import drawer
from ..language.domains import ANGULAR, MINKOWSKI, named_distance
from ..language.numerics import Array, arcsine, minimum, namespace, picked, sqrt
from ..language.rounded import factors
from ..language.twofold import Directions, Twofold
from ..rows.job import PLAIN, Pairing
from .angles import directions_of, fine_directions_of
from .chords import make_chords
from .gram import Gram, make_gram, narrow
from .pairing import LabelledSet, Masks, kept_rows, layout

METRICS = ("euclidean", "sqeuclidean", "cosine", "angular", "manhattan", "dot")
STRAIGHT = ("manhattan", "dot", MINKOWSKI)  # these are of the rows as they are
DTYPES = ("float64", "float32")
LARGEST = 1e300  # values up to here have distances in float64; for squared ones, up to the root of it
HUGE = 1e300  # beyond any scaled squared distance
GATHERED = 1 << 6  # of classes up to this size the distances are gathered, not taken class by class
Settle = Callable[[int, "np.ndarray", bool], int]  # anchor, candidates, whether the farthest -> the one


class Finder(Protocol):
    """Picks for the anchors start..stop, made elsewhere: those that `extremes` and picks.py make, ties included."""

    def undecided_anchors(self, start: int, stop: int) -> int: ...

    def extremes(self, start: int, stop: int, settle: Settle | None) -> tuple[np.ndarray, np.ndarray]: ...

    def semi_hard(self, start: int, stop: int, fallback: str) -> np.ndarray: ...

    def random_semi_hard(self, start: int, stop: int, margin: float, seed: int) -> np.ndarray: ...


@dataclass(frozen=True, eq=False)
class Points:
    """A labelled set, points of one class side by side, the classes with anchors first, the largest first.

    There are M positions: N candidates, which pair with anchors, then the anchors, where these are of another set.

    x: (M, D), numpy or torch, in this order; not normalised, and of the dtype that was asked for
    rows: (M,) the row each point had in its file; classes: (M,) its class, an index into `names`
    first, last: (M,) the candidates of its class are first <= position < last
    weights: (M,) how many equal points each one stands for, or None
    candidates: how many there are;  begin: the position of the first anchor
    anchors: so many points from there on have a positive and a negative;  everyone: so many may be anchors
    out: how many of those that may be have no positive, and how many of the others no negative
    masks: tells positives and negatives where they are no slices
    metric: one of METRICS, or minkowski:P; normalize: distances between x / |x|
    steps: distances, such as margins, that should be whole numbers where the points can be made whole
    finder: makes the picks on a device, in the place of this engine
    """

    x: Array
    rows: np.ndarray
    classes: np.ndarray
    first: np.ndarray
    last: np.ndarray
    names: np.ndarray
    weights: np.ndarray | None
    candidates: int
    begin: int
    anchors: int
    everyone: int
    out: tuple[int, int]
    metric: str
    normalize: bool
    masks: Masks | None = None
    steps: tuple[float, ...] = ()
    finder: Finder | None = None

    def __len__(self) -> int:
        return self.candidates

    @property
    def used(self) -> slice:
        """The positions of the anchors."""
        return slice(self.begin, self.begin + self.anchors)

    @property
    def holds_self(self) -> bool:
        """Whether an anchor stands in the slice of its own class."""
        return self.begin == 0 and self.masks is None

    @property
    def is_plain(self) -> bool:
        """Whether it is one set whose positives are slices."""
        return self.holds_self and self.everyone == len(self)

    @property
    def is_root(self) -> bool:
        """Whether a distance is the root of what is computed."""
        return self.metric == "euclidean"

    @property
    def is_angular(self) -> bool:
        return self.normalize or self.metric in ANGULAR

    @property
    def is_angle(self) -> bool:
        """Whether a distance is the angle that a squared chord belongs to."""
        return self.metric == "angular"

    @property
    def is_signed(self) -> bool:
        """Whether a distance may be below 0."""
        return self.metric == "dot"

    @cached_property
    def power(self) -> float:
        """Which root of a key a distance is."""
        stem, _, power = self.metric.partition(":")
        return 2.0 if self.is_root else float(power) if stem == MINKOWSKI else 1.0

    @property
    def without_positive(self) -> int:
        """How many points are left out as anchors, being alone in their class."""
        return self.out[0]

    @property
    def without_negative(self) -> int:
        """How many points are left out as anchors only because there is no other class."""
        return self.out[1]

    @cached_property
    def total(self) -> int:
        """How many points may be anchors, or stand for some that may, and others of that set."""
        mine = slice(self.begin, None)
        return int(len(self.rows[mine]) if self.weights is None else self.weights[mine].sum())

    @cached_property
    def widest(self) -> int:
        """How many points stand beside an anchor as its own class, at most."""
        return int(self.sizes(self.begin, self.begin + self.anchors).max(initial=0))

    def sizes(self, start: int, stop: int) -> np.ndarray:
        """(B,) how many candidates are of the anchor's class, itself included where it is one."""
        here = slice(start, stop)
        sizes: np.ndarray = self.last[here] - self.first[here] if self.masks is None else self.masks.positives[here]
        return sizes

    def positives(self, start: int, stop: int) -> np.ndarray:
        """(B,) how many candidates are positives of each anchor."""
        return self.sizes(start, stop) - self.holds_self

    def negatives(self, start: int, stop: int) -> np.ndarray:
        """(B,) how many candidates are negatives of each anchor."""
        if self.masks is None:
            return len(self) - self.sizes(start, stop)
        return self.masks.negatives[start:stop]

    def positive_weight(self, start: int, stop: int) -> np.ndarray:
        """(B,) how many points the positives of each anchor stand for, others like itself among them."""
        if self.weights is None:
            return self.positives(start, stop)
        sums = np.concatenate([[0], np.cumsum(self.weights[: len(self)])])
        own: np.ndarray = sums[self.last[start:stop]] - sums[self.first[start:stop]] - self.holds_self
        return own

    def negative_weight(self, start: int, stop: int) -> np.ndarray:
        """(B,) how many points the negatives of each anchor stand for."""
        if self.weights is None:
            return self.negatives(start, stop)
        sums = np.concatenate([[0], np.cumsum(self.weights[: len(self)])])
        own: np.ndarray = sums[self.last[start:stop]] - sums[self.first[start:stop]]
        others: np.ndarray = sums[-1] - own
        return others

    def relations(self, start: int, stop: int, columns: slice = slice(None)) -> tuple[np.ndarray, np.ndarray]:
        """(B, n) which candidates are positives of the anchors start..stop, and which are negatives."""
        if self.masks is not None:
            return self.masks.relations(slice(start, stop), columns)
        there = np.arange(len(self))[columns]
        same = (there >= self.first[start:stop, None]) & (there < self.last[start:stop, None])
        return same & (there != np.arange(start, stop)[:, None]), ~same

    def squares(self, start: int, stop: int, out: np.ndarray | None = None) -> np.ndarray:
        """(B, N) squared distances of anchors and candidates, by one product."""
        return self.gram.squares(start, stop, slice(0, len(self)), out)

    @cached_property
    def numbers(self) -> np.ndarray:
        """x as numpy, (M, D), outside any graph."""
        return self.x if isinstance(self.x, np.ndarray) else self.x.detach().cpu().numpy()

    @cached_property
    def units(self) -> Directions:
        """x / |x| as numpy, (M, D), in more digits than float64 holds."""
        return directions_of(self.numbers.astype(np.float64, copy=False))

    @cached_property
    def fine_units(self) -> Twofold:
        """The same in the digits of two."""
        return fine_directions_of(self.numbers)

    @cached_property
    def low_factors(self) -> np.ndarray:
        """(N, 2 D) what gives the low part of cosines with the points by one product."""
        return factors(self.units)

    @cached_property
    def gram(self) -> Gram:
        gram: Gram
        if self.metric == "dot":
            from .powers import make_products

            gram = make_products(self.numbers, self.steps)
        elif self.metric == "manhattan" or (not self.is_root and self.power > 1):
            from .powers import make_powers

            gram = make_powers(self.numbers, self.power, self.steps)
        else:
            chords = (
                make_chords(self.numbers, lambda: self.fine_units) if self.is_angular and not self.is_angle else None
            )
            units = self.fine_units if self.is_angular and chords is None else None
            gram = chords or make_gram(self.numbers, units=units, steps=self.steps)
        return gram if self.numbers.dtype.itemsize == 8 else narrow(gram)

    @cached_property
    def screen(self) -> Gram:
        """A gram with float32 factors and their own bound: half the time, where it only narrows a choice."""
        return narrow(self.gram)

    def finish(self, squares: Array) -> Array:
        """`measured`, in any array library."""
        if self.is_root:
            return shifted(sqrt(squares), -self.gram.shift)
        if self.is_angle:
            return 2.0 * arcsine(minimum(sqrt(squares) / 2.0, 1.0))
        squares = shifted(shifted(squares, -self.gram.shift), -self.gram.shift)
        return squares / 2 if self.metric == "cosine" else squares

    def measured(self, squares: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """The distances that belong to squared distances of the points as they are scaled in `gram`."""
        distances: np.ndarray
        if self.is_angle:
            distances = np.arcsin(np.minimum(np.sqrt(squares, out=out) / 2, 1.0), out=out)
            distances[squares == np.inf] = np.inf
            distances *= 2
            return distances
        if self.gram.length != 1.0:
            squares = np.divide(squares, self.gram.length, out=out)
        is_length = self.power > 1 or self.metric == "manhattan"
        shift = self.gram.shift if is_length else 2 * self.gram.shift
        if self.is_root:
            distances = np.sqrt(squares, out=out)
        elif self.power > 1:
            distances = np.power(squares, 1 / self.power, out=out)
        else:
            distances = np.subtract(squares, self.gram.offset, out=out)
        if self.metric == "cosine":
            distances /= 2
        if shift:
            np.ldexp(distances, -shift, out=distances)
        return distances

    def square_of(self, distance: float) -> float:
        """The squared distance, scaled as in `gram`, that belongs to a distance; at most HUGE. Where there is no root,
        that of a difference of two."""
        if self.is_angle:
            return 4.0 * math.sin(min(distance, math.pi) / 2) ** 2
        if self.power > 1 and not self.is_root:
            return float(min(self.gram.scaled(distance), HUGE ** (1 / self.power)) ** self.power)
        if self.metric == "manhattan":
            return min(self.gram.scaled(distance), HUGE)
        if self.is_root:
            root = min(self.gram.scaled(distance), math.sqrt(HUGE))
            return root * root
        size = 2 * distance if self.metric == "cosine" else distance
        if self.gram.length != 1.0:
            return min(size * self.gram.length, HUGE)
        return min(self.gram.scaled(self.gram.scaled(size)), HUGE)


def sort_points(
    embeddings: Array,
    labels: Any,
    *,
    metric: str = "euclidean",
    normalize: bool = False,
    dtype: str = "float64",
    weights: np.ndarray | None = None,
    numbers: np.ndarray | None = None,
    steps: Sequence[float] = (),
    pairs: Pairing = PLAIN,
    reference_weights: np.ndarray | None = None,
) -> Points:
    """Points from (N, D) embeddings (numpy or torch) and N labels of any kind that can be sorted.

    numbers: (N,) which row of the input each embedding is, ascending, if not all rows are here
    pairs: who may pair with whom, and another set that positives and negatives come from

    Raises DataError where shapes do not fit, a value is not finite, or a row without direction should be normalised.
    """
    metric = _checked_metric(metric, normalize)
    _check_choice("dtype", dtype, DTYPES)
    labels = np.asarray(labels)
    _check_shapes(embeddings, labels)
    kept, other = kept_rows(labels, pairs), None
    numbers = np.arange(len(labels)) if numbers is None else numbers
    if kept is not None:
        embeddings = embeddings[kept] if namespace(embeddings) is not np else drawer.taken(embeddings, kept)
        labels, numbers = labels[kept], numbers[kept]
        weights = None if weights is None else weights[kept]
    if pairs.reference is not None:
        other, candidates, other_numbers, reference_weights = _reference(embeddings, pairs, reference_weights)
        weights = _ones(weights, reference_weights, len(labels))
        reference_weights = _ones(reference_weights, weights, len(candidates))
    order = layout(
        LabelledSet(labels, weights), pairs, None if other is None else LabelledSet(candidates, reference_weights)
    )
    xp = namespace(embeddings)
    if other is not None:
        parts = [other, embeddings]
        embeddings, labels = drawer.joined(parts) if xp is np else xp.concat(parts), candidates
        numbers = np.concatenate([other_numbers, numbers])
        weights = None if weights is None else np.concatenate([reference_weights, weights])
    at = order.order
    if order.anchor_order is not None:
        at = np.concatenate([at, order.anchor_order + len(at)])
    index = at if xp is np else xp.asarray(at, device=embeddings.device)
    with np.errstate(over="ignore"):
        some = drawer.taken(embeddings, index) if xp is np else embeddings[index]
        x = xp.astype(some, getattr(xp, dtype), copy=False)
    points = Points(
        x=x,
        rows=numbers[at],
        classes=order.classes,
        first=order.first,
        last=order.last,
        names=order.names,
        weights=None if weights is None else weights[at],
        candidates=len(order.order),
        begin=0 if order.anchor_order is None else len(order.order),
        anchors=order.anchors,
        everyone=order.everyone,
        out=order.out,
        metric=metric,
        normalize=normalize,
        masks=order.masks,
        steps=tuple(steps),
    )
    _check_values(points)
    return points


def _ones(weights: np.ndarray | None, others: np.ndarray | None, count: int) -> np.ndarray | None:
    """Weights of 1 where the other set has some."""
    return np.ones(count, np.int64) if weights is None and others is not None else weights


def _reference(
    embeddings: Array, pairs: Pairing, weights: np.ndarray | None
) -> tuple[Array, np.ndarray, np.ndarray, np.ndarray | None]:
    """The embeddings, labels, rows and weights of the other set, without its noise. DataError."""
    assert pairs.reference is not None
    other, labels = pairs.reference
    labels = np.asarray(labels)
    _check_shapes(other, labels)
    if other.shape[1] != embeddings.shape[1]:
        raise DataError(
            f"embeddings of {embeddings.shape[1]} columns against references of {other.shape[1]}",
            why="a distance needs both in one space",
            fix="give two files of one model",
        )
    kept = kept_rows(labels, pairs)
    rows = np.arange(len(labels)) if kept is None else kept
    xp = namespace(embeddings)
    other = xp.asarray(other[rows], dtype=embeddings.dtype) if xp is not np else drawer.taken(other, rows)
    return other, labels[rows], rows, None if weights is None else weights[rows]


def _checked_metric(metric: str, normalize: bool) -> str:
    """Its plainest name. UsageError for one that is unknown, or that lengths of 1 do not go with."""
    stem, _, power = named_distance(metric).partition(":")
    if stem == MINKOWSKI:
        number = float(power)
        if number != int(number):
            raise UsageError(
                f"{metric} of an embedding set",
                why="only whole powers can be compared exactly",
                fix=f"use --distance minkowski:{int(number)}, or --distance minkowski:{int(number) + 1}",
            )
        metric = {1: "manhattan", 2: "euclidean"}.get(int(number), f"{stem}:{int(number)}")
    else:
        _check_choice("metric", metric, (*METRICS, f"{MINKOWSKI}:P"))
    if normalize and metric.partition(":")[0] in STRAIGHT:
        raise UsageError(
            f"{metric} of embeddings put on the unit sphere",
            why="it is of the rows as they are",
            fix="leave --normalize out, or use --distance cosine",
        )
    return metric


def _check_choice(what: str, value: str, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise UsageError(f"unknown {what} {value!r}", fix=f"choose one of {', '.join(allowed)}")


def _check_shapes(embeddings: Array, labels: np.ndarray) -> None:
    if embeddings.ndim != 2 or labels.ndim != 1 or embeddings.shape[1] == 0:
        raise DataError(
            f"embeddings of shape {tuple(embeddings.shape)} and labels of shape {labels.shape}",
            why="an embedding is a row of at least one number, and each has one label",
        )
    if len(embeddings) != len(labels):
        raise DataError(f"{len(embeddings)} embeddings but {len(labels)} labels", why="each embedding has one label")


def _check_values(points: Points) -> None:
    x = points.numbers
    is_length = points.power > 1 or points.metric == "manhattan"
    limit = math.inf if points.is_angular else LARGEST if is_length else math.sqrt(LARGEST)
    if drawer.file_of(x) is None and x.size:
        most = max(float(x.max()), -float(x.min()))
        if most < math.inf and most <= limit and (not points.is_angular or x.all()):
            return
    largest = np.zeros(len(x))
    for rows in drawer.blocks(x) if len(x) else ():
        largest[rows] = np.maximum(x[rows].max(axis=1), -x[rows].min(axis=1))
    if not np.isfinite(largest).all():
        what = f"the embedding is not finite in {x.dtype}"
        raise _fault(points, ~np.isfinite(largest), what, why="a distance to it is not a number")
    if (largest > limit).any():
        what = f"the embedding has values beyond {limit:g}"
        raise _fault(points, largest > limit, what, why="distances to it are too large for float64")
    if points.is_angular and (largest == 0).any():
        raise _fault(
            points,
            largest == 0,
            "the embedding is all zeros",
            why="it has no direction, so no cosine and no unit length",
            fix="leave such rows out: --na skip, or use another distance",
        )


def _fault(points: Points, bad: np.ndarray, what: str, *, why: str, fix: str = "") -> DataError:
    """An error at the first bad row, of the anchors' set where one is of it."""
    own = bad[points.begin :]
    if own.any():
        return DataError(what, why=why, fix=fix, row=int(points.rows[points.begin :][own].min()))
    return DataError(f"the references, row {points.rows[bad].min()}: {what}", why=why, fix=fix)


def own_class(points: Points, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
    """(B, K) positions of each anchor's class, K the largest class of the block, and a mask of those that exist.

    The anchor itself is among them where `points.holds_self`.
    """
    if points.masks is not None:
        block = points.masks.block(start, stop)
        return block.positives, block.exists
    first, last = (side[start:stop, None] for side in (points.first, points.last))
    sizes = last - first
    index = first + np.arange(int(sizes.max(initial=0)))
    if (sizes == index.shape[1]).all():
        return index, np.ones(index.shape, bool)
    return np.minimum(index, np.maximum(last - 1, 0)), index < last


def take_own(points: Points, squares: np.ndarray, start: int) -> np.ndarray:
    """(B, K) what (B, N) squares hold of each anchor's class, in the order of `own_class`, inf for those that a class
    lacks; and makes all that is no negative infinite there."""
    stop = start + len(squares)
    if points.masks is not None:
        index, exists = own_class(points, start, stop)
        own = np.where(exists, np.take_along_axis(squares, index, axis=1), squares.dtype.type(np.inf))
        squares[points.masks.block(start, stop).is_out] = np.inf
        return own
    if points.widest <= GATHERED:
        index, exists = own_class(points, start, stop)
        few: np.ndarray = np.where(exists, picked(squares, index), squares.dtype.type(np.inf))
        fill_own(points, squares, start, np.inf)
        return few
    own = np.full((len(squares), int(points.sizes(start, stop).max())), np.inf, squares.dtype)
    for rows, columns in own_runs(points, start, stop, slice(0, len(points))):
        own[rows, : columns.stop - columns.start] = squares[rows, columns]
        squares[rows, columns] = np.inf
    return own


def fill_own(points: Points, values: np.ndarray, start: int, value: float, columns: slice | None = None) -> None:
    """Gives all of (B, n) values, of these columns, that belong to no negative this one."""
    columns = slice(0, len(points)) if columns is None else columns
    if points.masks is not None:
        values[points.masks.block(start, start + len(values)).is_out[:, columns]] = value
    elif points.widest <= GATHERED:
        index, exists = own_class(points, start, start + len(values))
        i, k = np.nonzero(exists & (index >= columns.start) & (index < columns.stop))
        values[i, index[i, k] - columns.start] = value
    else:
        for own in own_runs(points, start, start + len(values), columns):
            values[own] = value


def class_positions(points: Points, start: int, row: np.ndarray, place: np.ndarray) -> np.ndarray:
    """(M,) the points at places of `own_class` of the anchors at rows from `start` on."""
    if points.masks is None:
        positions: np.ndarray = points.first[start + row] + place
        return positions
    positions = own_class(points, start, start + int(row.max(initial=0)) + 1)[0][row, place]
    return positions


def own_runs(points: Points, start: int, stop: int, tile: slice) -> Iterator[tuple[slice, slice]]:
    """Where the anchors' own classes lie in a tile of columns: slices of anchors, with slices of its columns."""
    firsts, lasts = points.first[start:stop], points.last[start:stop]
    changes = np.flatnonzero((np.diff(firsts) != 0) | (np.diff(lasts) != 0)) + 1
    for begin, end in pairwise([0, *changes.tolist(), stop - start]):
        left, right = max(int(firsts[begin]), tile.start), min(int(lasts[begin]), tile.stop)
        if left < right:
            yield slice(begin, end), slice(left - tile.start, right - tile.start)


def shifted(x: Array, shift: int) -> Array:
    """x times 2**shift, in two steps: one factor may be too large."""
    return x * 2.0 ** (shift // 2) * 2.0 ** (shift - shift // 2) if shift else x
