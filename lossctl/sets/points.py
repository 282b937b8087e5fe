"""A labelled set of points, sorted by class: an anchor's positives are a slice, its negatives the rest."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from ..errors import DataError, UsageError
from ..language.numerics import Array, namespace, sqrt
from ..language.twofold import Directions, directions
from .gram import Gram, make_gram, narrow

METRICS = ("euclidean", "sqeuclidean", "cosine")
DTYPES = ("float64", "float32")
LARGEST = 1e300  # values up to here have distances in float64; for squared ones, up to the root of it
HUGE = 1e300  # beyond any scaled squared distance
Settle = Callable[[int, "np.ndarray", bool], int]  # anchor, candidates, whether the farthest -> the one


class Finder(Protocol):
    """Picks for the anchors start..stop, made elsewhere: those that `extremes` and picks.py make, ties included."""

    @property
    def undecided_anchors(self) -> int: ...

    def extremes(self, start: int, stop: int, settle: Settle | None) -> tuple[np.ndarray, np.ndarray]: ...

    def semi_hard(self, start: int, stop: int, fallback: str) -> np.ndarray: ...

    def random_semi_hard(self, start: int, stop: int, margin: float, seed: int) -> np.ndarray: ...


@dataclass(frozen=True, eq=False)
class Points:
    """A labelled set, points of one class side by side, the classes with anchors first, the largest first.

    x: (N, D), numpy or torch, in this order; not normalised, and of the dtype that was asked for
    rows: (N,) the row each point had in the file; classes: (N,) its class, an index into `names`
    first, last: (N,) its class is first <= position < last
    weights: (N,) how many equal points each one stands for, or None
    anchors: the points before this one have a positive and a negative
    metric: "euclidean", "sqeuclidean" or "cosine"; normalize: distances between x / |x|
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
    anchors: int
    metric: str
    normalize: bool
    steps: tuple[float, ...] = ()
    finder: Finder | None = None

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def is_root(self) -> bool:
        """Whether a distance is the root of what is computed."""
        return self.metric == "euclidean"

    @property
    def is_angular(self) -> bool:
        return self.normalize or self.metric == "cosine"

    @property
    def without_positive(self) -> int:
        """How many points are left out as anchors, being alone in their class."""
        if self.weights is None:
            return int(((self.last - self.first) == 1).sum())
        return int(((self.last - self.first == 1) & (self.weights == 1)).sum())

    @property
    def without_negative(self) -> int:
        """How many points are left out as anchors only because there is no other class."""
        if len(self.names) > 1 or not len(self):
            return 0
        return int(len(self) if self.weights is None else self.weights.sum()) - self.without_positive

    @property
    def widest(self) -> int:
        """How many points the largest class of the anchors has; it is the first."""
        return int(self.last[0] - self.first[0]) if self.anchors else 0

    @cached_property
    def numbers(self) -> np.ndarray:
        """x as numpy, (N, D), outside any graph."""
        return self.x if isinstance(self.x, np.ndarray) else self.x.detach().cpu().numpy()

    @cached_property
    def units(self) -> Directions:
        """x / |x| as numpy, (N, D), in more digits than float64 holds."""
        return directions(self.numbers.astype(np.float64, copy=False))

    @cached_property
    def gram(self) -> Gram:
        gram = make_gram(self.numbers, units=self.units if self.is_angular else None, steps=self.steps)
        return gram if self.numbers.dtype.itemsize == 8 else narrow(gram)

    @cached_property
    def screen(self) -> Gram:
        """A gram with float32 factors and their own bound: half the time, where it only narrows a choice."""
        return narrow(self.gram)

    def finish(self, squares: Array) -> Array:
        """`measured`, in any array library."""
        if self.is_root:
            return shifted(sqrt(squares), -self.gram.shift)
        squares = shifted(shifted(squares, -self.gram.shift), -self.gram.shift)
        return squares / 2 if self.metric == "cosine" else squares

    def measured(self, squares: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """The distances that belong to squared distances of the points as they are scaled in `gram`."""
        shift = self.gram.shift if self.is_root else 2 * self.gram.shift
        distances: np.ndarray = np.sqrt(squares, out=out) if self.is_root else np.add(squares, 0, out=out)
        if self.metric == "cosine":
            distances /= 2
        if shift:
            np.ldexp(distances, -shift, out=distances)
        return distances

    def square_of(self, distance: float) -> float:
        """The squared distance, scaled as in `gram`, that belongs to a distance; at most HUGE."""
        if self.is_root:
            root = min(self.gram.scaled(distance), math.sqrt(HUGE))
            return root * root
        return min(self.gram.scaled(self.gram.scaled(2 * distance if self.metric == "cosine" else distance)), HUGE)


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
) -> Points:
    """Points from (N, D) embeddings (numpy or torch) and N labels of any kind that can be sorted.

    numbers: (N,) which row of the input each embedding is, ascending, if not all rows are here

    Raises DataError where shapes do not fit, a value is not finite, or a row without direction should be normalised.
    """
    _check_choice("metric", metric, METRICS)
    _check_choice("dtype", dtype, DTYPES)
    labels = np.asarray(labels)
    _check_shapes(embeddings, labels)
    names, codes = np.unique(labels, return_inverse=True)
    order, size, anchors = _class_order(codes, len(names), weights)
    xp = namespace(embeddings)
    index = order if xp is np else xp.asarray(order, device=embeddings.device)
    with np.errstate(over="ignore"):
        x = xp.astype(embeddings[index], getattr(xp, dtype), copy=False)
    classes = codes[order]
    starts = np.flatnonzero(np.diff(classes, prepend=-1)) if len(order) else order
    lengths = np.diff(starts, append=len(order))
    first = np.repeat(starts, lengths)
    points = Points(
        x=x,
        rows=order if numbers is None else numbers[order],
        classes=classes,
        first=first,
        last=first + size[classes],
        names=names,
        weights=None if weights is None else weights[order],
        anchors=anchors,
        metric=metric,
        normalize=normalize,
        steps=tuple(steps),
    )
    _check_values(points)
    return points


def _class_order(codes: np.ndarray, classes: int, weights: np.ndarray | None) -> tuple[np.ndarray, np.ndarray, int]:
    """The order of the points, the number of points of each class, and how many points are anchors."""
    size = np.bincount(codes, minlength=classes)
    members = size if weights is None else np.bincount(codes, weights, minlength=classes).astype(np.int64)
    usable = (members > 1) & (classes > 1)
    place = np.empty(classes, dtype=np.int64)
    place[np.lexsort((np.arange(classes), -size, ~usable))] = np.arange(classes)
    return np.argsort(place[codes], kind="stable"), size, int(size[usable].sum())


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
    largest = np.maximum(x.max(axis=1), -x.min(axis=1)).astype(np.float64) if len(x) else np.zeros(0)
    if not np.isfinite(largest).all():
        row = int(points.rows[~np.isfinite(largest)].min())
        raise DataError(f"embedding {row} is not finite in {x.dtype}", why="a distance to it is not a number")
    limit = math.inf if points.is_angular else LARGEST if points.is_root else math.sqrt(LARGEST)
    if (largest > limit).any():
        row = int(points.rows[largest > limit].min())
        raise DataError(f"embedding {row} has values beyond {limit:g}", why="distances to it are too large for float64")
    if points.is_angular and (largest == 0).any():
        row = int(points.rows[largest == 0].min())
        raise DataError(
            f"embedding {row} is all zeros",
            why="it has no direction, so no cosine and no unit length",
            fix="leave such rows out: --na skip, or use another distance",
        )


def own_class(points: Points, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
    """(B, K) positions of each anchor's class, K the largest class of the block, and a mask of those that exist."""
    first, last = (side[start:stop, None] for side in (points.first, points.last))
    index = first + np.arange(int((last - first).max(initial=0)))
    return np.minimum(index, last - 1), index < last


def own_runs(points: Points, start: int, stop: int, tile: slice) -> Iterator[tuple[slice, slice]]:
    """Where the anchors' own classes lie in a tile of columns: slices of anchors, with slices of its columns."""
    position = start
    while position < stop:
        first, last = int(points.first[position]), int(points.last[position])
        end = min(last, stop)
        left, right = max(first, tile.start), min(last, tile.stop)
        if left < right:
            yield slice(position - start, end - start), slice(left - tile.start, right - tile.start)
        position = end


def shifted(x: Array, shift: int) -> Array:
    """x times 2**shift, in two steps: one factor may be too large."""
    return x * 2.0 ** (shift // 2) * 2.0 ** (shift - shift // 2) if shift else x
