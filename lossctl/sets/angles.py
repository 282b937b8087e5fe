"""How far apart directions are, however near each other: from unit vectors in twice the digits of float64.

Two of these differ by 16 u^2 more or less than the directions do, u = 2^-53, so |a/|a| - b/|b||^2 has its digits down
to 2^-100; below, `chord` of the vectors as they are given has them. Parallel vectors give 0.
"""

from __future__ import annotations

import numpy as np

from ..files import drawer
from ..language.distances import cosine_distance
from ..language.rounded import row_dots
from ..language.rounding import near_one
from ..language.twofold import Directions, Twofold, directions, fine_directions, lengths

AT_ONCE, LEAST = 1 << 15, 1 << 4  # numbers, and at least so many rows, of which directions are made in one pass
UNIT = 2.0**-53
BLUR = 8 * UNIT * UNIT  # how far fine directions may be off, across
KNOWN = 2.0**-100  # squares that these have all digits of
PLAINLY_KNOWN = 2.0**-44  # squares that `Directions` have all digits of


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


def fine_directions_of(x: np.ndarray) -> Twofold:
    """The same as numbers of twice the digits."""
    units = Twofold(drawer.like(x, x.shape), drawer.like(x, x.shape))
    for block in drawer.blocks(x):
        for rows in _parts(block, x.shape[1]):
            part = fine_directions(x[rows].astype(np.float64, copy=False))
            units.high[rows], units.low[rows] = part.high, part.low
        drawer.let_go(units.high)
        drawer.let_go(units.low)
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


def squared_chords(x: np.ndarray, units: Twofold, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """|x_i/|x_i| - x_j/|x_j||^2 for M pairs of positions, (M,), right to some ulp; exactly 0 for parallel rows.

    x: (N, D) the rows as they are given; units: their fine directions
    """
    rows = slice(i[0], i[0] + 1) if len(i) and (i == i[0]).all() else i
    difference = units.high[rows] - units.high[j]
    difference += units.low[rows] - units.low[j]
    squares = row_dots(difference, difference)
    near = np.flatnonzero(squares < KNOWN)
    if len(near):
        a, b = x[i[near]], x[j[near]]
        is_other = (a != b).any(axis=1)
        squares[near] = 0.0
        a, b = (near_one(side[is_other].astype(np.float64)) for side in (a, b))
        squares[near[is_other]] = 2.0 * cosine_distance(a, b)
    return squares


def chord_errors(squares: np.ndarray, columns: int) -> np.ndarray:
    """How far `squared_chords` of rows of D columns may be from the truth.

    The difference of two directions, of length d, is computed to 3 u d, 16 u^2 across and twice `lengthwise` along. Of
    high parts within a factor of 2 it is exact; of others it is half of the larger at least, and its rounding relative.
    That of the low parts is 4 u^2, which the 16 u^2 hold beside twice the 5 u^2 of a direction. For vectors of lengths
    p and q the square is (p - q)^2 + p q d^2, so what lies along counts squared. Adding up errs by gamma(D).

    Below KNOWN it is `chord`: its (D + 16) u of a difference is no more than 2 sqrt(D) of the chord, since lengths
    differ by little or one number is the same. A larger square has no smaller error.
    """
    off, of_chord = 2 * BLUR, 16 * (columns + 16) ** 1.5 * UNIT
    errors: np.ndarray = off * (2 * np.sqrt(squares) + off) + (2 * lengthwise(columns)) ** 2
    errors *= squares >= KNOWN / 2
    errors += (columns + 12) * 1.01 * UNIT * squares
    errors += of_chord * np.minimum(squares, 2 * KNOWN)
    errors += (columns + 4) * 2.0**-1060
    return errors


def lengthwise(columns: int) -> float:
    """How far fine directions of D columns may be off in length."""
    return 4.0 * ((columns + 8) * UNIT) ** 2
