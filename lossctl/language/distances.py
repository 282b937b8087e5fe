"""Distances between rows, without overflow or underflow on the way, and exactly 0 between equal ones."""

from __future__ import annotations

from .entropy import _infinity
from .numerics import Array, maximum, namespace, row_max, row_sum, sqrt, where


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


def cosine_distance(a: Array, b: Array) -> Array:
    """1 - cos(a, b) for two (n, D) arrays, as |a/|a| - b/|b||^2 / 2; nan where a row is all zeros.

    The difference of the unit vectors is made of a - b and |a| - |b|, exact where a is nearly b, not of the two.
    """
    zero = a * 0.0
    norm_a, norm_b = euclidean(a, zero)[:, None], euclidean(b, zero)[:, None]
    longest, unit = maximum(norm_a, norm_b), where(norm_a > norm_b, b / norm_b, a / norm_a)
    excess = row_sum((a - b) * ((a + b) / (norm_a + norm_b)))[:, None]  # |a| - |b|
    chord = ((a - b) - unit * excess) / longest
    return row_sum(chord * chord) / 2.0


def manhattan(a: Array, b: Array) -> Array:
    """The sum over the columns of |a - b| for two (n, D) arrays."""
    return row_sum(abs(a - b))


DISTANCES = {
    "euclidean": euclidean,
    "sqeuclidean": squared_euclidean,
    "cosine": cosine_distance,
    "manhattan": manhattan,
}
