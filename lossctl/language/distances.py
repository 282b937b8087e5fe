"""Distances between rows, without overflow or underflow on the way, and exactly 0 between equal ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

from ..errors import UsageError
from .domains import MINKOWSKI
from .entropy import _infinity
from .numerics import Array, arcsine, cosine, maximum, namespace, pick, row_max, row_sum, sine, sqrt, where
from .rounding import near_one, two_product

NEAR = 2.0**-8  # the square of a chord of nearly equal directions
UNLIKE = 4.0  # how many times that the square of how much lengths differ has to be


def euclidean(a: Array, b: Array) -> Array:
    """|a - b| for two (n, D) arrays, without overflow or underflow on the way; exactly 0 for equal rows."""
    xp = namespace(a)
    difference = abs(a - b)
    plain = sqrt(row_sum(difference * difference))
    largest = row_max(difference)
    odd = (largest > 0) & (largest < _infinity) & ((largest < 1e-140) | (largest > 1e140))
    if not bool(xp.any(odd)):
        return plain
    scale = 2.0 ** xp.floor(xp.log2(where(odd, largest, 1.0)))  # a power of two: scaling rounds nothing
    scaled = difference / scale[:, None]
    return where(odd, sqrt(row_sum(scaled * scaled)) * scale, plain)


def squared_euclidean(a: Array, b: Array) -> Array:
    """|a - b|^2 for two (n, D) arrays."""
    difference = a - b
    return row_sum(difference * difference)


def chord(a: Array, b: Array) -> Array:
    """a / |a| - b / |b| for two (n, D) arrays, (n, D); nan where a row is all zeros, 0 where rows are parallel.

    It is made of a - b and |a| - |b|, exact where a is nearly b, not of the two unit vectors. Where directions are
    nearly equal and lengths are not, b is first scaled to have the largest number of a: what it then differs by is a
    quotient of b_i a_k - a_i b_k, exact to the last digit.
    """
    return _chord_and_square(a, b)[0]


def _chord_and_square(a: Array, b: Array) -> tuple[Array, Array]:
    """The chord, and the sum of its squares, (n,)."""
    xp = namespace(a)
    plain, excess = _chord(a, b, a - b)
    square = row_sum(plain * plain)
    unlike = (square < NEAR) & (excess * excess > UNLIKE * square)
    if not bool(xp.any(unlike)):
        return plain, square
    rows = unlike[:, None]
    a, b = near_one(a), near_one(b)
    column = xp.argmax(abs(a), axis=1)
    a_k, b_k = (pick(side, column)[:, None] for side in (a, b))
    (product, product_lost), (other, other_lost) = two_product(b, a_k), two_product(a, b_k)
    apart = where(rows, ((other - product) + (other_lost - product_lost)) / where(rows, b_k, 1.0), 0.0)
    result = where(rows, _chord(a, a - apart, apart)[0], plain)
    return result, row_sum(result * result)


def _chord(a: Array, b: Array, difference: Array) -> tuple[Array, Array]:
    """The chord by a - b as it is given, and (|a| - |b|) / max(|a|, |b|), (n,)."""
    zero = a * 0.0
    norm_a, norm_b = euclidean(a, zero)[:, None], euclidean(b, zero)[:, None]
    longest, unit = maximum(norm_a, norm_b), where(norm_a > norm_b, b / norm_b, a / norm_a)
    excess = row_sum(difference * ((a + b) / (norm_a + norm_b)))[:, None]  # |a| - |b|
    return (difference - unit * excess) / longest, (excess / longest)[:, 0]


def cosine_distance(a: Array, b: Array) -> Array:
    """1 - cos(a, b) for two (n, D) arrays, as |a/|a| - b/|b||^2 / 2; nan where a row is all zeros."""
    return _chord_and_square(a, b)[1] / 2.0


def manhattan(a: Array, b: Array) -> Array:
    """The sum over the columns of |a - b| for two (n, D) arrays."""
    return row_sum(abs(a - b))


def minkowski(p: float, a: Array, b: Array) -> Array:
    """The p-th root of the sum over the columns of |a - b|^p for two (n, D) arrays."""
    difference = abs(a - b)
    largest = row_max(difference)
    scale = where((largest > 0) & (largest < _infinity), largest, 1.0)
    return row_sum((difference / scale[:, None]) ** p) ** (1.0 / p) * scale


def angular(a: Array, b: Array) -> Array:
    """The angle between two (n, D) arrays, 0 to pi; right near both ends; nan where a row is all zeros."""
    near, far = cosine_distance(a, b), cosine_distance(a, -b)
    is_near = near <= 1.0
    half = arcsine(sqrt(where(is_near, near, far) / 2.0))
    return where(is_near, 2.0 * half, math.pi - 2.0 * half)


def negative_dot(a: Array, b: Array) -> Array:
    """Less the inner product of two (n, D) arrays: smaller for what is more alike, and below 0 too."""
    return -row_sum(a * b)


DISTANCES: dict[str, Callable[[Array, Array], Array]] = {
    "euclidean": euclidean,
    "sqeuclidean": squared_euclidean,
    "cosine": cosine_distance,
    "manhattan": manhattan,
    "angular": angular,
    "dot": negative_dot,
}
POWERS = {"euclidean": 2.0, "sqeuclidean": 2.0, "manhattan": 1.0}  # of the differences that are summed
LONGEST = {"cosine": 2.0, "angular": math.pi}  # where a distance is of directions


def distance_by_name(name: str, eps: float = 0.0, eps_in: str = "differences") -> Callable[[Array, Array], Array]:
    """The distance of a name, one of DISTANCES or minkowski:P; with eps in each a - b, or under the root.

    UsageError for eps where no differences are summed.
    """
    stem, _, power = name.partition(":")
    measure = partial(minkowski, float(power)) if stem == MINKOWSKI else DISTANCES[name]
    if not eps:
        return measure
    if stem not in POWERS and not power:
        raise UsageError(
            f"--eps beside --distance {name}",
            why=f"it is added to differences, of which {', '.join(POWERS)} and {MINKOWSKI}:P are sums",
            fix="leave --eps out, or use --distance euclidean",
        )
    return partial(_kept_from_0, measure, eps ** (1.0 / (float(power or 0) or POWERS[stem])), eps, eps_in == "root")


def distance_on_sphere(name: str) -> Callable[[Array, Array], Array]:
    """The distance of a name between points that are scaled to length 1 first."""
    measure = distance_by_name(name)
    return measure if name in LONGEST else partial(_of_directions, measure)


def _of_directions(measure: Callable[[Array, Array], Array], a: Array, b: Array) -> Array:
    difference = chord(a, b)
    return measure(difference, namespace(difference).zeros_like(difference))


def _kept_from_0(
    measure: Callable[[Array, Array], Array], edge: float, eps: float, in_root: bool, a: Array, b: Array
) -> Array:
    """A distance of a - b + eps, or of a - b and one more column that adds eps to the sum of the powers."""
    difference = a - b
    xp = namespace(difference)
    difference = xp.concat([difference, difference[:, :1] * 0.0 + edge], axis=1) if in_root else difference + eps
    return measure(difference, xp.zeros_like(difference))


def pair_at(name: str, d: Array) -> tuple[Array, Array]:
    """Two (n, 2) arrays whose rows are (n,) distances apart, the first the same for all."""
    zero = 0.0 * d
    unit = zero + 1.0
    corner, there = (zero, zero), (d, zero)
    if name == "cosine":
        corner, there = (unit, zero), (1.0 - d, sqrt(d * (2.0 - d)))
    elif name == "angular":
        d = where((d >= 0) & (d <= math.pi), d, math.nan)
        corner, there = (unit, zero), (cosine(d), sine(d))
    elif name == "dot":
        corner = (-unit, zero)
    elif name == "sqeuclidean":
        there = (sqrt(d), zero)
    xp = namespace(d)
    first, second = (xp.stack(side, axis=1) for side in (corner, there))
    return first, second
