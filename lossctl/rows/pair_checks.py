"""What looks odd about pairs and triplets that are given row by row: distance 0, and labels that seem turned around."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ..language.registry import Loss

if TYPE_CHECKING:
    import numpy as np

LOOKED_AT = 1 << 12  # pairs that are measured, from the start of the input
FEW = 10  # of either kind: too few to tell
STANDARD_ERRORS = 4.0


class Turned(NamedTuple):
    """Mean distances of similar and of dissimilar pairs that seem turned around, and among how many pairs."""

    similar: float
    dissimilar: float
    pairs: int


class Oddities(NamedTuple):
    """zero: (similar, dissimilar) points at distance 0; turned: the first pairs, where they seem turned around."""

    zero: tuple[int, int] = (0, 0)
    turned: Turned | None = None


def oddities(loss: Loss, inputs: Sequence[Any], start: int) -> Oddities:
    """What is odd about one block of pairs or triplets, (n, D) points and (n,) labels; start: its first row."""
    if loss.is_of_triplets:
        anchor, positive, negative = inputs
        return Oddities((int(_equal(anchor, positive).sum()), int(_equal(anchor, negative).sum())))
    if not loss.is_of_pairs:
        return Oddities()
    left, right, same = inputs
    equal = _equal(left, right)
    similar = int((equal & (same == 1)).sum())
    some = slice(0, LOOKED_AT if start == 0 else 0)
    return Oddities((similar, int(equal.sum()) - similar), _turned(left[some], right[some], same[some]))


def _equal(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(n,) where two rows are the same."""
    import numpy as np

    equal: np.ndarray = a[:, 0] == b[:, 0]
    rows = np.flatnonzero(equal)
    equal[rows] = (a[rows] == b[rows]).all(axis=1)
    return equal


def _turned(left: np.ndarray, right: np.ndarray, same: np.ndarray) -> Turned | None:
    """The mean distances, where that of similar pairs is larger beyond chance (Welch's t)."""
    import numpy as np

    with np.errstate(over="ignore", invalid="ignore"):
        d = np.sqrt(((left - right) ** 2).sum(axis=1))
        similar, dissimilar = d[same == 1], d[same == 0]
        if min(len(similar), len(dissimilar)) < FEW:
            return None
        error = math.sqrt(similar.var() / len(similar) + dissimilar.var() / len(dissimilar))
        means = Turned(float(similar.mean()), float(dissimilar.mean()), len(d))
    return means if means.similar - means.dissimilar > STANDARD_ERRORS * error else None
