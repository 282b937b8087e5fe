"""Directions that are those of small whole numbers: their squared chords tie where distances do, and nowhere else.

For whole a and b the squared length of a across b's line, (|a|^2 |b|^2 - (ab)^2) / |b|^2, and along it, (ab)^2 / |b|^2,
are quotients of exact numbers. float64 rounds equal quotients to equal numbers, and so all that is made of these two
and |a| alone: points as far from an anchor have equal squares, however long each of them is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import numpy as np

from ..files import drawer
from ..language.rounded import row_dots
from ..language.twofold import Twofold
from .gram import Gram, from_few, make_gram, multiplied

AT_ONCE = 1 << 15  # squares that are worked on together, near the processor
SPREAD = 8 * 2.0**-53  # more than seven roundings take of a square, relatively


@dataclass(frozen=True, eq=False, kw_only=True)
class WholeChords(Gram):
    """The same, of directions, by exact products of whole numbers: squares are in the order of the distances from an
    anchor, equal for equal ones, and within `spread` of the truth.

    whole: (N, D) whole numbers of these directions;  sizes: (N,) their squared lengths
    plain: what has only the directions, and bounds for these
    """

    whole: np.ndarray
    sizes: np.ndarray
    plain: Gram

    def bounds(self, start: int, stop: int) -> np.ndarray:
        return np.zeros(stop - start)

    def products(
        self, anchors: slice | np.ndarray, columns: slice | np.ndarray, out: np.ndarray | None = None
    ) -> np.ndarray:
        sizes, others = self.sizes[anchors, None], self.sizes[columns]
        squares = multiplied(self.whole[anchors], self.whole, columns, out)
        step = max(1, AT_ONCE // max(1, len(others)))
        for rows in (slice(at, at + step) for at in range(0, len(squares), step)):
            _chords(squares[rows], sizes[rows], others)
        return squares

    def some(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        return self.direct(i, j)

    def direct(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        result = np.empty(len(i))
        for part in self.parts(len(i)):
            result[part] = row_dots(self.whole[i[part]], self.whole[j[part]])
            _chords(result[part], self.sizes[i[part]], self.sizes[j[part]])
            drawer.let_go(self.whole)
        return result

    def beside(self, anchors: slice, columns: slice) -> np.ndarray:
        return self.products(anchors, columns)

    def narrowed(self) -> Gram:
        return self.plain.narrowed()


def _chords(dots: np.ndarray, sizes: np.ndarray, others: np.ndarray) -> None:
    """Squared chords from whole products a b, |a|^2 and |b|^2, in place: 2 s^2 / (1 + c), or 2 (1 + c) beyond a right
    angle, with c = |cos|."""
    along = dots * dots
    across = sizes * others
    across -= along
    across /= others
    along /= others
    along *= 1.0 / sizes
    np.sqrt(along, out=along)
    along += 1.0
    is_beyond = dots < 0
    np.divide(across, along, out=dots)
    if is_beyond.any():
        along *= sizes
        np.copyto(dots, along, where=is_beyond)
    dots *= 2.0 / sizes


def make_chords(x: np.ndarray, units: Callable[[], Twofold]) -> Gram | None:
    """The factors for the directions of (N, D) points, if these are of small whole numbers: of the numbers themselves
    where all have one length, and exact, or `WholeChords`. None of other points.

    units: makes the fine directions

    Squares of different distances differ by 1 / m^3 at least, m the largest squared length: (ab)^2 / |b|^2 do by
    1 / m^2, cosines by half of 1 / m of that. So much has to be left where keys (ranks.py) take the lowest bits.
    """
    whole = whole_directions(x)
    if whole is None:
        return None
    sizes = np.concatenate([row_dots(whole[rows], whole[rows]) for rows in drawer.blocks(whole)])
    if sizes.min() == sizes.max():
        gram = make_gram(whole)
        return replace(gram, length=float(sizes[0])) if gram.is_exact else None
    if float(sizes.max()) ** 3 > 2.0 ** (47 - max(len(x) - 1, 1).bit_length()):
        return None
    plain = make_gram(x, units=units())
    parts = {field.name: getattr(plain, field.name) for field in fields(plain)}
    return WholeChords(**parts | {"is_exact": True, "spread": SPREAD}, whole=whole, sizes=sizes, plain=plain)


def whole_directions(x: np.ndarray) -> np.ndarray | None:
    """(N, D) whole numbers of the directions of the points, in least terms and so small that float64 products are
    exact; None of others, and of no points. A row of zeros stays one."""
    most, whole, at = 2.0 ** ((53 - (x.shape[1] - 1).bit_length()) // 2), None, 0
    for block in from_few(x) if len(x) else ():
        part = _least_terms(block.astype(np.float64, copy=False))
        drawer.let_go(x)
        if part is None or abs(part).max() > most:
            return None
        if whole is None:  # the first is a row of the next
            whole = drawer.like(x, x.shape)
            continue
        whole[at : at + len(part)] = part
        at += len(part)
    return whole


def _least_terms(x: np.ndarray) -> np.ndarray | None:
    """(n, D) rows as whole numbers without a common divisor; None where they have more than 62 bits."""
    share, exponent = np.frexp(x)
    digits = np.ldexp(share, 53).astype(np.int64)
    is_zero = digits == 0
    lowest_bit = np.frexp((digits & -digits).astype(np.float64))[1] - 1
    digits >>= np.where(is_zero, 0, lowest_bit)
    lowest = exponent - 53 + lowest_bit
    least = np.where(is_zero, 1 << 20, lowest).min(axis=1, keepdims=True)
    if (np.where(is_zero, -(1 << 20), exponent) - least).max() > 62:
        return None
    digits <<= np.where(is_zero, 0, lowest - least)
    divisors = np.gcd.reduce(digits, axis=1, keepdims=True)
    digits //= np.maximum(divisors, 1)
    least_terms: np.ndarray = digits.astype(np.float64)
    return least_terms
