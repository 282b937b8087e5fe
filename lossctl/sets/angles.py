"""How far apart nearly equal directions are: from the vectors as they are given, for a unit vector is rounded.

|a/|a| - b/|b||^2 of two directions that are known to 2^-79 has its digits down to 2^-44; below, `chord` of the vectors
has them. Parallel vectors give 0.
"""

from __future__ import annotations

import numpy as np

from ..files import drawer
from ..language.distances import cosine_distance
from ..language.rounded import row_dots
from ..language.rounding import near_one
from ..language.twofold import Directions, Twofold, directions, lengths

AT_ONCE, LEAST = 1 << 15, 1 << 4  # numbers, and at least so many rows, of which directions are made in one pass
KNOWN = 2.0**-44  # squares that the directions have all digits of


def directions_of(x: np.ndarray) -> Directions:
    """x / |x| of (N, D) points, which lie in a file if these do."""
    count, d = x.shape
    high, rest = drawer.like(x, x.shape), drawer.like(x, (count, 2 * d))
    units = Directions(high, rest[:, :d], rest[:, d:], rest)
    for block in drawer.blocks(x):
        for rows in _parts(block, d):
            part = directions(x[rows])
            high[rows], units.low[rows], units.nearest[rows] = part.high, part.low, part.nearest
        drawer.let_go(high)
        drawer.let_go(rest)
    return units


def _parts(rows: slice, columns: int) -> list[slice]:
    """The rows in parts of about the same size, so small that what is made of them stays near the processor."""
    count, step = rows.stop - rows.start, max(LEAST, AT_ONCE // max(1, columns))
    parts = max(1, -(-count // step))
    ends = [rows.start + count * part // parts for part in range(parts + 1)]
    return list(map(slice, ends, ends[1:]))


def lengths_of(x: np.ndarray) -> Twofold:
    """|x| of (N, D) points, (N,)."""
    parts = [lengths(x[rows]) for block in drawer.blocks(x) for rows in _parts(block, x.shape[1])]
    return Twofold(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("high", "low")))


def squared_chords(x: np.ndarray, units: Directions, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """|x_i/|x_i| - x_j/|x_j||^2 for M pairs of positions, (M,), right to some ulp; exactly 0 for parallel rows.

    x: (N, D) the rows as they are given; units: their directions
    """
    difference = (units.high[i] - units.high[j]) + (units.low[i] - units.low[j])
    squares = row_dots(difference, difference)
    near = np.flatnonzero(squares < KNOWN)
    if len(near):
        a, b = x[i[near]], x[j[near]]
        is_other = (a != b).any(axis=1)
        squares[near] = 0.0
        a, b = (near_one(side[is_other].astype(np.float64)) for side in (a, b))
        squares[near[is_other]] = 2.0 * cosine_distance(a, b)
    return squares
