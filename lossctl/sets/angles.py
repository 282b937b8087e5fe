"""How far apart nearly equal directions are: from the vectors as they are given, for a unit vector is rounded.

|a/|a| - b/|b||^2 of two directions that are known to 2^-79 has its digits down to 2^-44; below, the difference of the
vectors has them where their lengths are alike, and the products a_i b_k - b_i a_k always. Parallel vectors give 0.
"""

from __future__ import annotations

import numpy as np

from ..files import drawer
from ..language.distances import cosine_distance
from ..language.numerics import row_sum
from ..language.rounding import two_product
from ..language.twofold import Directions, Twofold, directions, lengths, near_one

KNOWN = 2.0**-44  # squares that the directions have all digits of
ALIKE = 4.0  # how many times their angle the vectors may differ by, squared


def directions_of(x: np.ndarray) -> Directions:
    """x / |x| of (N, D) points, which lie in a file if these do."""
    count, d = x.shape
    high, rest = drawer.like(x, x.shape), drawer.like(x, (count, 2 * d))
    units = Directions(high, rest[:, :d], rest[:, d:], rest)
    for rows in drawer.blocks(x):
        part = directions(x[rows])
        high[rows], units.low[rows], units.nearest[rows] = part.high, part.low, part.nearest
        drawer.let_go(high)
        drawer.let_go(rest)
    return units


def lengths_of(x: np.ndarray) -> Twofold:
    """|x| of (N, D) points, (N,)."""
    parts = [lengths(x[rows]) for rows in drawer.blocks(x)]
    return Twofold(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("high", "low")))


def squared_chords(x: np.ndarray, units: Directions, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """|x_i/|x_i| - x_j/|x_j||^2 for M pairs of positions, (M,), right to some ulp; exactly 0 for parallel rows.

    x: (N, D) the rows as they are given; units: their directions
    """
    difference = (units.high[i] - units.high[j]) + (units.low[i] - units.low[j])
    squares: np.ndarray = np.einsum("ij,ij->i", difference, difference)
    near = np.flatnonzero(squares < KNOWN)
    if len(near):
        a, b = x[i[near]], x[j[near]]
        is_other = (a != b).any(axis=1)
        squares[near] = 0.0
        squares[near[is_other]] = _squares_of_near(*(near_one(side[is_other].astype(np.float64)) for side in (a, b)))
    return squares


def _squares_of_near(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(M,) for (M, D) rows whose largest number is near 1, and whose directions are nearly equal."""
    if not len(a):
        return np.zeros(0)
    squares: np.ndarray = 2.0 * cosine_distance(a, b)
    difference = a - b
    apart = np.einsum("ij,ij->i", difference, difference)
    unlike = np.flatnonzero(apart > ALIKE * squares * np.einsum("ij,ij->i", a, a))
    squares[unlike] = _squares_by_products(a[unlike], b[unlike])
    return squares


def _squares_by_products(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The same of any lengths: b less its part along a is the same of c_i = b_i a_k - a_i b_k, divided by a_k; and each
    c_i is a difference of products, exact to the last digit where they are nearly equal."""
    k = np.abs(a).argmax(axis=1)[:, None]
    a_k, b_k = (np.take_along_axis(side, k, axis=1) for side in (a, b))
    (product, product_lost), (other, other_lost) = two_product(b, a_k), two_product(a, b_k)
    c = (product - other) + (product_lost - other_lost)
    along = a / np.sqrt(row_sum(a * a))[:, None]
    across = c - row_sum(c * along)[:, None] * along
    sine = np.sqrt(row_sum(across * across)) / (np.abs(a_k[:, 0]) * np.sqrt(row_sum(b * b)))
    squares: np.ndarray = sine * sine * (1 + sine * sine / 4)  # 2 (1 - cos), where the angle is small
    return squares
