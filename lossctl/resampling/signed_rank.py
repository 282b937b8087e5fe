"""Wilcoxon's signed-rank test of paired differences, for those who must report it beside the test of the mean.

Differences of 0 are left out and equal sizes share their mean rank. Up to `EXACT` differences the p-value counts the
sign patterns of these ranks; from there on it is that of the normal distribution, with the variance of tied ranks.
Sources: Wilcoxon, Individual comparisons by ranking methods, 1945; Pratt, Gibbons, Concepts of nonparametric theory,
1981 (ties).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

EXACT = 50  # differences up to which all patterns are counted


class SignedRanks(NamedTuple):
    """The smaller of the sums of ranks above and below 0, how many differences were ranked, and the two-sided p."""

    statistic: float
    n: int
    p: float


def signed_ranks(differences: np.ndarray) -> SignedRanks:
    """The test that differences, (n,), are symmetric about 0; nan where one of them is nan, p = 1 where all are 0."""
    if np.isnan(differences).any():
        return SignedRanks(math.nan, len(differences), math.nan)
    differences = differences[differences != 0]
    n = len(differences)
    if not n:
        return SignedRanks(0.0, 0, 1.0)
    _, place, counts = np.unique(np.abs(differences), return_inverse=True, return_counts=True)
    doubled = 2 * np.cumsum(counts) - counts + 1  # twice the mean rank of each size: whole numbers
    above = int(doubled[place][differences > 0].sum())
    smaller = min(above, n * (n + 1) - above)
    p = _counted(doubled[place], smaller) if n <= EXACT else _normal(n, counts, smaller / 2)
    return SignedRanks(smaller / 2, n, p)


def _counted(doubled: np.ndarray, smaller: int) -> float:
    """The share of sign patterns whose sum of (doubled) ranks is as far out, on either side."""
    patterns = [1]
    for rank in doubled.tolist():
        longer = patterns + [0] * rank
        for total, count in enumerate(patterns):
            longer[total + rank] += count
        patterns = longer
    return float(min(1.0, 2 * sum(patterns[: smaller + 1]) / 2 ** len(doubled)))


def _normal(n: int, counts: np.ndarray, smaller: float) -> float:
    ties = float((counts.astype(float) ** 3 - counts).sum())
    variance = n * (n + 1) * (2 * n + 1) / 24 - ties / 48
    return math.erfc((n * (n + 1) / 4 - smaller) / math.sqrt(2 * variance))
