"""An oracle for the distances of a set: whole numbers of hundreds of digits, and loops. Shares nothing with lossctl."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from math import isqrt

import mpmath as mp
import numpy as np

BITS = 1500  # a distance is known to 2**-BITS of a unit, and equal distances to within TIE
TIE = 1 << (BITS - 600)


def common_unit(x: np.ndarray) -> int:
    """-e, such that every value is a whole number times 2**e."""
    return max((Fraction(float(v)).denominator.bit_length() - 1 for v in x.ravel()), default=0)


def distance_table(x: np.ndarray, metric: str, normalize: bool) -> tuple[list[list[int]], Fraction]:
    """All distances times 2**BITS as whole numbers, and the length of 1 in the unit they are in."""
    unit = common_unit(x)
    rows = [[int(Fraction(float(v)) * 2**unit) for v in row] for row in x]
    angular = normalize or metric in ("cosine", "angular")
    table = [[_distance(a, b, metric, angular) for b in rows] for a in rows]
    is_length = metric in ("euclidean", "manhattan") or metric.startswith("minkowski")
    return table, Fraction(1 if angular else 2**unit if is_length else 4**unit)


def _distance(a: list[int], b: list[int], metric: str, angular: bool) -> int:
    if metric == "angular":
        with mp.workprec(2 * BITS):
            cosine = mp.fdot(a, b) / mp.sqrt(mp.fdot(a, a) * mp.fdot(b, b))
            return int(mp.acos(min(max(cosine, -1), 1)) * 2**BITS)
    if metric == "dot":
        return -sum(u * v for u, v in zip(a, b, strict=True)) << BITS
    if metric == "manhattan":
        return sum(abs(u - v) for u, v in zip(a, b, strict=True)) << BITS
    if metric.startswith("minkowski"):
        power = int(metric.partition(":")[2])
        with mp.workprec(2 * BITS):
            return int(mp.root(sum(abs(u - v) ** power for u, v in zip(a, b, strict=True)), power) * 2**BITS)
    if not angular:
        square = sum((u - v) ** 2 for u, v in zip(a, b, strict=True))
        return isqrt(square << (2 * BITS)) if metric == "euclidean" else square << BITS
    dot, norms = (sum(u * v for u, v in zip(p, q, strict=True)) for p, q in ((a, b), (a, a))), sum(v * v for v in b)
    ab, aa = dot
    cosine = (ab << (4 * BITS)) // isqrt((aa * norms) << (4 * BITS))  # times 2**(2 BITS)
    gap = max((1 << (2 * BITS)) - cosine, 0)
    if metric == "cosine":
        return gap >> BITS
    return isqrt(2 * gap) if metric == "euclidean" else (2 * gap) >> BITS


def triplets(labels: list[int]) -> Iterator[tuple[int, int, int]]:
    """Every valid triplet, in order of rows."""
    n = len(labels)
    for a in range(n):
        for p in range(n):
            if a != p and labels[a] == labels[p]:
                yield from ((a, p, k) for k in range(n) if labels[k] != labels[a])


def compare(gap: int) -> int:
    """The sign of a difference of distances from the table; 0 if it is nothing but rounding."""
    return 0 if abs(gap) < TIE else 1 if gap > 0 else -1


def category_counts(
    x: np.ndarray,
    labels: list[int],
    margin: float,
    metric: str = "euclidean",
    normalize: bool = False,
    valid: Iterable[tuple[int, int, int]] | None = None,
) -> tuple[int, int, int, int, int]:
    """Easy, semi-hard, hard, hard ties and margin ties, one triplet at a time; of those in `valid`, if not of all."""
    table, unit = distance_table(x, metric, normalize)
    step = int(Fraction(margin) * unit * 2**BITS)
    counts = {(hard, easy): 0 for hard in (-1, 0, 1) for easy in (-1, 0, 1)}
    for a, p, n in triplets(labels) if valid is None else valid:
        counts[compare(table[a][n] - table[a][p]), compare(table[a][n] - table[a][p] - step)] += 1
    hard = sum(count for (at_p, _), count in counts.items() if at_p <= 0)
    easy = sum(count for (at_p, at_m), count in counts.items() if at_m >= 0 and at_p > 0)
    total = sum(counts.values())
    hard_ties = sum(count for (at_p, _), count in counts.items() if at_p == 0)
    margin_ties = sum(count for (_, at_m), count in counts.items() if at_m == 0)
    return easy, total - easy - hard, hard, hard_ties, margin_ties
