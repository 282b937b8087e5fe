"""Blocks of anchors against everyone: the engine of the losses that look at a labelled set of embeddings.

Points are sorted by label once, so an anchor's positives stand side by side and its negatives are the rest. A product
of matrices gives a block of squared distances, |a|^2 + |b|^2 - 2ab, fast but with an error in units of |a|^2 + |b|^2:
the points are centred first, the error has a proven bound, and what must not depend on it (pairs that nearly coincide,
the choice of a nearest point) is computed again as the sum of (a - b)^2.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from ..errors import DataError, UsageError
from ..numerics import Array, matmul, namespace, sqrt, where
from .sums import ZERO, Total
from .sums import total as sum_exactly
from .workers import cores, keep_freed_memory, ordered_map

if TYPE_CHECKING:
    import numpy as np

METRICS = ("euclidean", "sqeuclidean", "cosine")
DTYPES = ("float64", "float32")
NEAR = 2.0**-10  # d^2 below this share of |a|^2 + |b|^2 is computed again: the product has lost more than 10 bits
LARGEST = 1e300  # values up to here have distances in float64; for squared ones, up to the root of it
HUGE = 1e300  # beyond any scaled squared distance
PAIRS_AT_ONCE = 1 << 11
AT_ONCE = 1 << 18  # values added up at a time, so that copies are small and stay in the cache
MEMORY_BYTES = 1 << 28
Owner = TypeVar("Owner")
Result = TypeVar("Result")

# --- points


class Finder(Protocol):
    """Picks for the anchors start..stop, made elsewhere: those that `extremes` and picks.py make, ties included."""

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

    @cached_property
    def numbers(self) -> np.ndarray:
        """x as numpy, (N, D), outside any graph."""
        import numpy as np

        return self.x if isinstance(self.x, np.ndarray) else self.x.detach().cpu().numpy()

    @cached_property
    def units(self) -> np.ndarray:
        """x / |x| as numpy, (N, D)."""
        units: np.ndarray = unit_rows(self.numbers)
        return units

    @cached_property
    def judges(self) -> dict[tuple[float, ...], Any]:
        """The judges made for these points, by their margins (picks.py)."""
        return {}

    @cached_property
    def gram(self) -> Gram:
        gram = make_gram(self.numbers, unit=self.is_angular, steps=self.steps)
        return gram if self.numbers.dtype.itemsize == 8 else narrow(gram)

    @cached_property
    def screen(self) -> Gram:
        """A gram with float32 factors and their own bound: half the time, where it only narrows a choice."""
        return narrow(self.gram)

    def finish(self, squares: Array) -> Array:
        """`measured`, in any array library."""
        if self.is_root:
            return _shifted(sqrt(squares), -self.gram.shift)
        squares = _shifted(_shifted(squares, -self.gram.shift), -self.gram.shift)
        return squares / 2 if self.metric == "cosine" else squares

    def measured(self, squares: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """The distances that belong to squared distances of the points as they are scaled in `gram`."""
        import numpy as np

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
    import numpy as np

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
    import numpy as np

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
    import numpy as np

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
        raise DataError(f"embedding {row} is all zeros", why="it has no direction, so no cosine and no unit length")


def _is_numpy(x: Array) -> bool:
    import numpy as np

    return isinstance(x, np.ndarray)


def _shifted(x: Array, shift: int) -> Array:
    """x times 2**shift, in two steps: one factor may be too large."""
    return x * 2.0 ** (shift // 2) * 2.0 ** (shift - shift // 2) if shift else x


def unit_rows(x: Array) -> Array:
    """x / |x| for (N, D), without overflow or underflow on the way."""
    xp = namespace(x)
    exponent = xp.floor(xp.log2(xp.max(abs(x), axis=-1, keepdims=True)))
    x = x * 2.0 ** -exponent.clip(-1000, 1000)  # a power of two: rounds nothing
    return x / xp.sqrt(xp.sum(x * x, axis=-1, keepdims=True))


# --- gram


@dataclass(frozen=True, eq=False)
class Gram:
    """What a block of squared distances is made from, and how far from the truth it can be.

    All lengths are those of the points times 2**shift, so that no square overflows or vanishes.

    x: (N, D) the points, not centred; direct differences come from here
    right: (N, D + 2) the centred points b, then |b|^2 and 1; the left factor is -2a, 1, |a|^2
    norms: (N,) |b|^2 of the centred points
    slope, floor: a squared distance is within slope (|a|^2 + |b|^2) + floor of the truth, for any order of summation
    direct_slope, blur: a direct one, d^2, is within direct_slope d^2 + 4 blur (d + blur) + tiny of the truth
    is_exact: the points are small integers, and every squared distance is exactly right
    """

    x: np.ndarray
    right: np.ndarray
    norms: np.ndarray
    shift: int
    slope: float
    floor: float
    direct_slope: float
    blur: float
    tiny: float
    is_exact: bool

    @cached_property
    def largest_norm(self) -> float:
        return float(self.norms.max(initial=0.0))

    @cached_property
    def product(self) -> Callable[..., np.ndarray]:
        """The product of matrices that suits a set of this size."""
        return matmul(len(self.right) * self.right.size, self.right.dtype)

    def bounds(self, start: int, stop: int) -> np.ndarray:
        """How far from the truth any squared distance of these anchors can be, (stop - start,)."""
        return self.slope * (self.norms[start:stop] + self.largest_norm) + self.floor

    def squares(
        self,
        start: int,
        stop: int,
        columns: slice = slice(None),
        out: np.ndarray | None = None,
        repeatable: bool = False,
    ) -> np.ndarray:
        """|a - b|^2 for the anchors start..stop against `columns`, by one product; not exactly 0 on the diagonal.

        repeatable: whose product it is shall not depend on which is faster now
        """
        import numpy as np

        right = self.right[columns]
        if out is None:
            out = np.empty((stop - start, len(right)), right.dtype)
        product = np.matmul if repeatable else self.product
        squares: np.ndarray = product(self.left(slice(start, stop)), right.T, out=out)
        return squares

    def left(self, anchors: slice | np.ndarray) -> np.ndarray:
        left = self.right[anchors] * -2
        left[:, -2] = 1
        left[:, -1] = self.norms[anchors]
        return left

    def direct(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        """|x_i - x_j|^2 for M pairs of positions, (M,), as sums of squared differences: exactly 0 for equal rows."""
        import numpy as np

        result = np.empty(len(i))
        for k in range(0, len(i), PAIRS_AT_ONCE):
            part = slice(k, k + PAIRS_AT_ONCE)
            difference = self.x[i[part]] - self.x[j[part]]
            result[part] = np.einsum("ij,ij->i", difference, difference)
        return result

    def direct_errors(self, squares: np.ndarray) -> np.ndarray:
        """How far from the truth each direct squared distance can be."""
        import numpy as np

        if self.is_exact:
            return np.zeros_like(squares)
        errors: np.ndarray = self.direct_slope * squares + 4 * self.blur * (np.sqrt(squares) + self.blur) + self.tiny
        return errors

    def scaled(self, length: float) -> float:
        """A length times 2**shift; inf where that is too large."""
        try:
            return math.ldexp(length, self.shift)
        except OverflowError:
            return math.inf


def make_gram(x: np.ndarray, *, unit: bool, steps: Sequence[float] = ()) -> Gram:
    """The factors and error bounds for (N, D) points.

    unit: scale each row to length 1; steps: distances that should be whole numbers too where the points can be

    Source of the bound: Higham, Accuracy and Stability of Numerical Algorithms, 2002, 3.1, gamma(n) = n u / (1 - n u):
    the product of D + 2 terms errs by gamma(D + 2) (2|a||b| + |a|^2 + |b|^2), the norms and the centring by less.
    """
    import numpy as np

    n, d = x.shape
    wide = x.astype(np.float64, copy=False)
    blur = 0.0
    if unit:
        wide, shift, blur = unit_rows(wide), 0, (d + 8) * 2.0**-53
    else:
        grid = _grid(wide, steps)
        shift = _scale(wide) if grid is None else grid
        wide = np.ldexp(wide, shift) if shift else wide
        if grid is not None:
            return _factors(wide, wide.min(axis=0), shift=shift, is_exact=True)
    slope, tiny = _errors(d, np.float64)
    centre = wide.mean(axis=0) if n else np.zeros(d)
    return _factors(
        wide,
        centre,
        shift=shift,
        slope=slope,
        floor=9 * blur + tiny,
        direct_slope=_gamma(d + 4, 2.0**-53),
        blur=blur,
        tiny=tiny,
    )


def narrow(gram: Gram) -> Gram:
    """The same with float32 factors, and the bound that goes with them."""
    import numpy as np

    slope, tiny = _errors(gram.x.shape[1], np.float32)
    right = gram.right.astype(np.float32)
    floor = 9 * gram.blur + tiny
    return replace(gram, right=right, slope=slope, floor=floor, is_exact=False)


def _errors(d: int, dtype: Any) -> tuple[float, float]:
    """The relative and the absolute part of the bound for products of D columns; the latter for underflow."""
    import numpy as np

    u, tiny = (2.0**-53, 2.0**-1060) if dtype == np.float64 else (2.0**-24, 2.0**-140)
    return 4 * _gamma(d + 6, u) + 12 * u, (d + 4) * tiny


def _gamma(n: int, u: float) -> float:
    return n * u / (1 - n * u)


def _factors(
    x: np.ndarray,
    centre: np.ndarray,
    *,
    shift: int,
    slope: float = 0.0,
    floor: float = 0.0,
    direct_slope: float = 0.0,
    blur: float = 0.0,
    tiny: float = 0.0,
    is_exact: bool = False,
) -> Gram:
    import numpy as np

    right = np.empty((x.shape[0], x.shape[1] + 2))
    np.subtract(x, centre, out=right[:, :-2])
    norms = np.einsum("ij,ij->i", right[:, :-2], right[:, :-2])
    right[:, -2] = norms
    right[:, -1] = 1
    return Gram(x, right, norms, shift, slope, floor, direct_slope, blur, tiny, is_exact)


def _scale(x: np.ndarray) -> int:
    """The power of two that brings far too large or small points near 1; 0 for all others."""
    largest = max(float(x.max(initial=0.0)), -float(x.min(initial=0.0)))
    exponent = math.frexp(largest)[1]
    return 0 if -20 < exponent < 20 else -exponent


def _grid(x: np.ndarray, steps: Sequence[float]) -> int | None:
    """The power of two that makes integers of the points, so small that products and their sums are exact, or None.

    As many low bits of a squared distance stay clear as it takes to number the points: a key has both (ranks.py).
    """
    import numpy as np

    from .exact import lowest_exponent

    n, d = x.shape
    if not n:
        return None
    top, bottom = x.max(axis=0), x.min(axis=0)
    largest = math.frexp(max(float(top.max()), -float(bottom.min())))[1]
    if not -500 < largest < 500:
        return None
    spread = float((top - bottom).max())
    bits = 53 - max(n - 1, 1).bit_length() - math.ceil(math.log2(4 * d)) - 1
    widest = 2.0 ** (bits // 2)
    lowest = None
    for block in np.array_split(x, max(1, x.size >> 16)):
        exponent = lowest_exponent(block)
        if exponent is None:
            continue
        lowest = exponent if lowest is None else min(lowest, exponent)
        if lowest < -500 or math.ldexp(spread, -lowest) > widest:
            return None
    if lowest is None:
        return 0
    for step in steps:
        if step and _exponent(step) > -500 and math.ldexp(spread + step, -_exponent(step)) <= widest:
            lowest = min(lowest, _exponent(step))
    return -lowest


def _exponent(value: float) -> int:
    import numpy as np

    from .exact import lowest_exponent

    return lowest_exponent(np.asarray([value])) or 0


# --- panels


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
    """

    points: Points
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start

    @once
    def positions(self) -> np.ndarray:
        import numpy as np

        return np.arange(self.start, self.stop)

    @once
    def is_same(self) -> Array:
        """(B, N), true where the point is of the anchor's class, itself included."""
        import numpy as np

        anchors, everyone = slice(self.start, self.stop), np.arange(len(self.points))
        first, last = self.points.first[anchors, None], self.points.last[anchors, None]
        columns, first, last = (self._array(side) for side in (everyone, first, last))
        return (columns >= first) & (columns < last)

    @once
    def is_self(self) -> Array:
        """(B, N), true where the point is the anchor."""
        import numpy as np

        return self._array(np.arange(len(self.points))) == self._array(self.positions[:, None])

    @property
    def is_positive(self) -> Array:
        """(B, N), true where the point is another one of the anchor's class."""
        return self.is_same & ~self.is_self

    @property
    def is_negative(self) -> Array:
        """(B, N), true where the point is of another class."""
        return ~self.is_same

    @once
    def distance(self) -> Array:
        """(B, N) distances in the metric of the points; exactly 0 between equal points, with gradient 0 there."""
        if _is_numpy(self.points.x):
            squares = _plain_squares(self.points, self.start, self.stop)
            return self.points.measured(squares, out=squares)
        return self.points.finish(_graph_squares(self.points, self.start, self.stop))

    @once
    def similarity(self) -> Array:
        """(B, N) cosines."""
        units = self.points.units if _is_numpy(self.points.x) else unit_rows(self.points.x)
        return units[self.start : self.stop] @ units.T

    @once
    def own(self) -> tuple[Array, Array]:
        """(B, K) positions of the anchor's class, K the largest class, and a mask of those that are positives."""
        index, is_own = own_class(self.points, self.start, self.stop)
        is_positive = is_own & (index != self.positions[:, None])
        return index, self._array(is_positive)

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
        return extremes(self.points, self.start, self.stop)

    @once
    def negatives(self) -> Array:
        """(B,) how many negatives each anchor has, in the dtype of the points."""
        anchors = slice(self.start, self.stop)
        counts = len(self.points) - (self.points.last - self.points.first)[anchors]
        return namespace(self.points.x).astype(self._array(counts), self.points.x.dtype)

    @once
    def sorted_negatives(self) -> Array:
        """(B, N) distances to the negatives, nearest first, then inf for as many as the anchor's class has points."""
        if not _is_numpy(self.points.x):
            return namespace(self.points.x).sort(where(self.is_same, math.inf, self.distance), axis=-1, stable=False)
        distance = self.distance.copy()
        for row, anchor in enumerate(self.positions):
            distance[row, self.points.first[anchor] : self.points.last[anchor]] = math.inf
        distance.sort(axis=1)
        return distance

    def negatives_below(self, bounds: Array) -> Array:
        """(B, K) how many negatives are nearer than each of (B, K) distances."""
        ordered = self.sorted_negatives
        if not _is_numpy(ordered):
            import torch

            return torch.searchsorted(ordered.detach(), bounds.detach().contiguous())
        import numpy as np

        return np.stack([row.searchsorted(bound) for row, bound in zip(ordered, bounds, strict=True)])

    def sum_of_nearest(self, counts: Array) -> Array:
        """(B, K) the sums of the distances to the nearest counts[b, k] negatives."""
        ordered = self.sorted_negatives
        if _is_numpy(ordered):
            return sums_of_first(ordered[:, : int(counts.max(initial=0)) + 1], counts)
        xp = namespace(ordered)
        sums = xp.cumulative_sum(ordered[:, : int(counts.max())], axis=-1)
        return xp.take_along_axis(xp.concat([xp.zeros_like(ordered[:, :1]), sums], axis=-1), counts, axis=-1)

    def semi_hard(self, fallback: str) -> tuple[np.ndarray, Array]:
        """(B, K) for each of `own` the nearest negative beyond it, and a mask of the pairs that have one.

        fallback: where there is none, the "hardest" (nearest) or "easiest" (farthest) negative, or "drop" the pair
        """
        from .picks import semi_hard_negatives

        return self._chosen(semi_hard_negatives(self.points, self.start, self.stop, fallback))

    def random_semi_hard(self, margin: float, seed: int) -> tuple[np.ndarray, Array]:
        """(B, K) for each of `own` a random negative with d_ap < d_an < d_ap + margin, and a mask of those with one."""
        from .picks import random_semi_hard_negatives

        return self._chosen(random_semi_hard_negatives(self.points, self.start, self.stop, margin, seed))

    def _chosen(self, negatives: np.ndarray) -> tuple[np.ndarray, Array]:
        return negatives.clip(0), self._array(negatives >= 0)

    def distance_to(self, index: np.ndarray) -> Array:
        """Distances from each anchor to the points at `index`, (B,) or (B, K) positions: as roots of sums of squared
        differences, so they do not depend on the rest of the set."""
        import numpy as np

        anchors = np.repeat(self.positions, index.size // len(index))
        return pair_distances(self.points, anchors, index.ravel()).reshape(index.shape)

    def _array(self, values: np.ndarray) -> Array:
        x = self.points.x
        return values if _is_numpy(x) else namespace(x).asarray(values, device=x.device)


def pair_distances(points: Points, i: np.ndarray, j: np.ndarray) -> Array:
    """The distances of M pairs of positions, (M,): from differences, so they do not depend on the rest of the set."""
    xp = namespace(points.x)
    if _is_numpy(points.x):
        return points.measured(points.gram.direct(i, j)).astype(points.x.dtype, copy=False)
    a, b = (_scaled(points, points.x[xp.asarray(index, device=points.x.device)]) for index in (i, j))
    return points.finish(xp.sum((a - b) ** 2, axis=-1))


def _scaled(points: Points, x: Array) -> Array:
    """Some of the points of any array library, scaled as in their gram."""
    return unit_rows(x) if points.is_angular else _shifted(x, points.gram.shift)


def _plain_squares(points: Points, start: int, stop: int) -> np.ndarray:
    """(B, N) squared distances of numpy points, those of near pairs from differences."""
    gram = points.gram
    squares = gram.squares(start, stop)
    if not gram.is_exact:
        limit = NEAR * (gram.norms[start:stop] + gram.largest_norm)
        i, j = where_true(squares < limit[:, None])
        squares[i, j] = gram.direct(i + start, j)
    return squares


def _graph_squares(points: Points, start: int, stop: int) -> Array:
    """(B, N) squared distances of points of any array library, in one graph from `points.x`."""
    xp = namespace(points.x)
    x = as_given = _scaled(points, points.x)
    if not points.is_angular:  # whole numbers stay whole
        centre = points.gram.x.min(axis=0) if points.gram.is_exact else points.gram.x.mean(axis=0)
        x = x - xp.asarray(centre, dtype=x.dtype, device=x.device)
    anchors, norms = x[start:stop], xp.sum(x * x, axis=-1)
    squares = norms[start:stop, None] + norms - 2 * (anchors @ x.T)
    near = squares < NEAR * (norms[start:stop, None] + norms)
    i, j = xp.nonzero(near)
    difference = as_given[start:stop][i] - as_given[j]
    squares[i, j] = xp.sum(difference * difference, axis=-1)
    return squares


# --- extremes

TILE = 1 << 11
FEW = 1 << 8  # a class this much smaller than the set is measured pair by pair
MEASURED = 1 << 6  # pairs an anchor that are worth measuring by differences


Settle = Callable[[int, "np.ndarray", bool], int]  # anchor, candidates, whether the farthest -> the one


def extremes(points: Points, start: int, stop: int, settle: Settle | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Positions of each anchor's farthest positive and nearest negative, (B,) each.

    The product only narrows the choice: whatever it cannot tell from the best is measured again by differences. A
    product in float32 does, unless it leaves too many to measure.

    settle: decides between those that float64 cannot tell apart; if None, any of them
    """
    if points.finder is not None:
        return points.finder.extremes(start, stop, settle)
    if not points.gram.is_exact:
        far, near = _contests(points, points.screen, start, stop, None)
        if far.entries + near.entries <= MEASURED * (stop - start):
            return far.winners(points, start, True, settle), near.winners(points, start, False, settle)
    far, near = _contests(points, points.gram, start, stop, None if settle is None else points.rows)
    return far.winners(points, start, True, settle), near.winners(points, start, False, settle)


def _contests(
    points: Points, gram: Gram, start: int, stop: int, tie_rows: np.ndarray | None
) -> tuple[_Contest, _Contest]:
    import numpy as np

    slack = 4 * gram.bounds(start, stop)
    far, near = _Contest(slack, tie_rows), _Contest(slack, tie_rows)
    index, is_own = own_class(points, start, stop)
    is_small = index.shape[1] * FEW <= len(points)
    for k in range(0, len(points), TILE):
        tile = slice(k, min(k + TILE, len(points)))
        squares = gram.squares(start, stop, tile, scratch("tile", (stop - start, tile.stop - k), gram.right.dtype))
        if tile.start <= index[-1, -1] and index[0, 0] < tile.stop:
            if is_small:
                i, j = np.nonzero(is_own & (index >= tile.start) & (index < tile.stop))
                squares[i, index[i, j] - k] = np.inf
            else:
                rows_here = np.arange(max(start, k), min(stop, tile.stop))
                squares[rows_here - start, rows_here - k] = -np.inf  # the anchor is no positive of its own
                for rows, own in own_runs(points, start, stop, tile):
                    far.enter(rows.start, -squares[rows, own], k + own.start)
                    squares[rows, own] = np.inf
        near.enter(0, squares, k)
    if is_small:
        i, j = np.nonzero(is_own)
        far.pairs = [(i, index[i, j], np.full(len(i), -np.inf))]
    return far, near


class _Contest:
    """Which columns may hold each anchor's lowest value, kept while tiles of values go by."""

    def __init__(self, slack: np.ndarray, rows: np.ndarray | None) -> None:
        import numpy as np

        self.slack = slack
        self.rows = rows  # the numbers that decide a tie; None: anything does
        self.best = np.full(len(slack), np.inf)
        self.pairs: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    def enter(self, row: int, values: np.ndarray, column: int) -> None:
        """Values of the anchors from `row` on, for the columns from `column` on."""
        import numpy as np

        anchors = slice(row, row + len(values))
        first = values.argmin(axis=1)
        lowest = values[np.arange(len(values)), first]
        best = self.best[anchors] = np.minimum(self.best[anchors], lowest)
        if not self.slack.any():  # the values are exact: one of the lowest is enough
            if self.rows is not None:
                numbers = self.rows[column : column + values.shape[1]]
                first = np.where(values == lowest[:, None], numbers, np.iinfo(np.int64).max).argmin(axis=1)
            i = np.flatnonzero(lowest <= best)
            self.pairs.append((i + row, first[i] + column, lowest[i]))
            return
        limit = np.where(best < np.inf, best + self.slack[anchors], -np.inf)
        mask = np.less_equal(values, limit[:, None], out=scratch("mask", values.shape, bool))
        i, j = where_true(mask)
        self.pairs.append((i + row, j + column, values[i, j]))

    @property
    def entries(self) -> int:
        return sum(len(i) for i, _, _ in self.pairs)

    def winners(self, points: Points, start: int, is_farthest: bool, settle: Settle | None) -> np.ndarray:
        """For each anchor the position with the lowest value, by differences among those near its best."""
        import numpy as np

        i, j, value = (np.concatenate(side) for side in zip(*self.pairs, strict=True))
        kept = (value <= self.best[i] + self.slack[i]) & (i + start != j)
        i, j = i[kept], j[kept]
        squares = points.gram.direct(i + start, j)
        order = np.lexsort((j, -squares if is_farthest else squares, i))
        i, j, squares = i[order], j[order], squares[order]
        first = np.flatnonzero(np.diff(i, prepend=-1))
        winners: np.ndarray = j[first]
        if settle is not None:
            errors = points.gram.direct_errors(squares)
            lead = first[i]
            is_rival = abs(squares - squares[lead]) <= errors + errors[lead]
            for row in map(int, np.flatnonzero(np.bincount(i[is_rival]) > 1)):
                own = slice(first[row], first[row + 1] if row + 1 < len(first) else None)
                winners[row] = settle(row + start, j[own][is_rival[own]], is_farthest)
        return winners


def sums_of_first(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """(B, K) the sums of the first counts[b, k] values of each row; (B, W) values, of which the last is in no sum."""
    import numpy as np

    size, width = values.shape
    step = max(1, AT_ONCE // width)
    if step < size:
        strips = (slice(k, k + step) for k in range(0, size, step))
        return np.concatenate([sums_of_first(values[strip], counts[strip]) for strip in strips])
    if 8 * counts.shape[1] > width:
        sums = np.zeros(values.shape, values.dtype)
        np.cumsum(values[:, :-1], axis=1, out=sums[:, 1:])
        return np.take_along_axis(sums, counts, axis=1)
    order = counts.argsort(axis=1)
    ends = np.zeros((size, counts.shape[1] + 1), np.int64)
    ends[:, 1:] = np.take_along_axis(counts, order, axis=1)
    rows = np.arange(size)[:, None] * width
    parts = np.add.reduceat(values.ravel(), (ends + rows).ravel()).reshape(ends.shape)[:, :-1]
    parts[ends[:, 1:] == ends[:, :-1]] = 0  # reduceat gives one value where it should give none
    found = np.empty(counts.shape, values.dtype)
    np.put_along_axis(found, order, parts.cumsum(axis=1), axis=1)
    return found


def where_true(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """np.nonzero of a C-contiguous 2-D mask with few true values, which numpy does 40 times faster on a flat one."""
    import numpy as np

    i, j = np.divmod(np.flatnonzero(mask), mask.shape[1])
    return i, j


def own_class(points: Points, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
    """(B, K) positions of each anchor's class, K the largest class of the block, and a mask of those that exist."""
    import numpy as np

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


# --- fold

_kept = threading.local()


def scratch(name: str, shape: tuple[int, ...], dtype: Any = float) -> np.ndarray:
    """An uninitialised array that this thread will reuse at the next call with the same name."""
    import numpy as np

    size = math.prod(shape)
    buffer = getattr(_kept, name, None)
    if buffer is None or buffer.size < size or buffer.dtype != dtype:
        buffer = np.empty(size, dtype)
        setattr(_kept, name, buffer)
    return buffer[:size].reshape(shape)


def fold(
    points: Points,
    function: Callable[[Panel], Result],
    *,
    everyone: bool = False,
    block: int | None = None,
    threads: int | None = None,
    memory_bytes: int = MEMORY_BYTES,
    bytes_each: int = 32,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[Result]:
    """function(panel) for panels that cover all anchors, in order, on `threads` threads.

    everyone: cover all points, also those without a positive or without a negative
    block: anchors a panel; if None, as many as fit in memory_bytes at bytes_each for an anchor and a point
    progress: called with the number of anchors done, and of all
    """
    keep_freed_memory()
    jobs = default_threads() if threads is None else threads
    count = len(points) if everyone else points.anchors
    size = block or max(1, min(256, memory_bytes // (bytes_each * max(1, len(points)) * max(1, jobs))))
    panels = (Panel(points, start, min(start + size, count)) for start in range(0, count, size))
    try:
        for k, result in enumerate(ordered_map(function, panels, jobs)):
            if progress is not None:
                progress(min((k + 1) * size, count), count)
            yield result
    finally:
        _kept.__dict__.clear()


def default_threads() -> int:
    """One thread a core if the BLAS was told to use one thread each (before numpy was imported), else one."""
    import os

    single = next((os.environ[name] for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS") if name in os.environ), "")
    return cores() if single == "1" else 1


@dataclass(frozen=True)
class AnchorLosses:
    """The losses of A anchors, in the order of their points: three arrays of shape (A,).

    total: of what an anchor is in; weight: what it adds to the divisor of the mean; valid: how many triplets it is in,
    where the weight counts the active ones only, else the weight again
    """

    total: np.ndarray
    weight: np.ndarray
    valid: np.ndarray

    def __len__(self) -> int:
        return len(self.total)

    @property
    def sums(self) -> Sums:
        return Sums(sum_exactly(self.total), sum_exactly(self.weight), sum_exactly(self.valid), len(self))


def anchor_losses(points: Points, function: Callable[[Panel], Any], **options: Any) -> AnchorLosses:
    """A panel loss, anchor by anchor; `options` are those of `fold`."""
    import numpy as np

    found = [*fold(points, lambda panel: losses_of(function(panel), panel), **options)]
    if not found:
        return AnchorLosses(np.zeros(0), np.zeros(0), np.zeros(0))
    total, weight, *valid = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return AnchorLosses(total, weight, valid[0] if valid else weight)


def losses_of(value: Any, panel: Panel) -> tuple[np.ndarray, ...]:
    """What a panel loss gave, as numpy: total and weight, and valid where it tells that apart, (B,) each."""
    import numpy as np

    parts = value if isinstance(value, tuple) else (value, np.ones(len(panel)))
    return tuple(_as_numpy(part) for part in parts)


@dataclass(frozen=True)
class Sums:
    """What anchors add up to: the total of the losses, the weight to divide it by for the mean, and the valid triplets.

    anchors: how many
    """

    total: Total = ZERO
    weight: Total = ZERO
    valid: Total = ZERO
    anchors: int = 0

    @property
    def mean(self) -> float:
        """total / weight: over the triplets above zero, over pairs, or over anchors; nan where there is none."""
        return self.total / self.weight


def sum_losses(points: Points, function: Callable[[Panel], Any], **options: Any) -> Sums:
    """A panel loss over all anchors; `options` are those of `fold`. The order of the points does not matter."""
    return anchor_losses(points, function, **options).sums


def _as_numpy(x: Array) -> np.ndarray:
    import numpy as np

    return np.asarray(x if _is_numpy(x) else x.detach().cpu(), dtype=np.float64)
