"""Intervals of the shares of triplets: of all of a set from sampled anchors, or of the population of its points.

Sampled anchors: a share is a quotient of sums over anchors, and BCa takes their skewness into account, which few
anchors with most of the triplets have. Points: the share without each of some blocks of points (`jackknife`), on the
scale of its log odds, which a share near 0 or 1 needs.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from . import bootstrap, student
from .bootstrap import Spread
from .draws import Draws

FEWEST = 200  # anchors with triplets of a kind, and with others, below which intervals held too few truths
RESAMPLES = 1000


class ShareEnds(NamedTuple):
    """An interval of a share, or nan and why there is none."""

    low: float
    high: float
    why: str = ""


def of_sample(counts: np.ndarray, triplets: np.ndarray, level: float, seed: int, of: int) -> ShareEnds:
    """That of a share from the triplets of one kind, and of all kinds, that each sampled anchor has, (m,).

    of: how many anchors these were drawn from, without replacement: where they are most, little is left to guess
    Source: Cochran, Sampling Techniques, 1977, 2.6, the finite population correction.
    """
    columns = np.stack([counts, triplets], axis=1) / triplets.mean()
    sums = columns.sum(axis=0)
    share = float(sums[0] / sums[1])
    held = min(np.count_nonzero(counts), np.count_nonzero(triplets - counts))
    if held < FEWEST:
        return ShareEnds(math.nan, math.nan, f"fewer than {FEWEST} sampled anchors have such triplets, or have others")
    sample = bootstrap.sample(Draws(seed, RESAMPLES), np.arange(len(counts)), columns)
    moments = sample.moments.about(np.array([share]))
    influence = moments.influence(np.array([1 / sums[1], 0.0]))
    totals = sample.sums.table
    resampled = totals[:, 0] / totals[:, 1]
    weight = triplets / triplets.max()
    effective = float(weight.sum()) ** 2 / float(weight @ weight)
    some = np.ones(len(resampled), dtype=bool)
    spread = Spread(share, resampled, some, influence.acceleration, influence, effective)
    low, high = spread.interval(level, "bca")
    left = math.sqrt(1 - len(counts) / of)
    return ShareEnds(max(0.0, share + left * (low - share)), min(1.0, share + left * (high - share)))


def of_points(share: float, left_out: np.ndarray, level: float) -> ShareEnds:
    """That of a share from the shares without each block of points, (G,): Student's t of log odds."""
    if not 0 < share < 1:
        return ShareEnds(math.nan, math.nan, "no triplet is of this kind, or all are")
    if not np.isfinite(left_out).all():
        return ShareEnds(math.nan, math.nan, "without some of the points there is no triplet")
    blocks = len(left_out)
    gaps = left_out - left_out.mean()
    error = math.sqrt((blocks - 1) / blocks * float(gaps @ gaps)) / (share * (1 - share))
    reach = error * student.quantile(level, blocks - 1)
    centre = math.log(share / (1 - share))
    return ShareEnds(_share(centre - reach), _share(centre + reach))


def _share(odds: float) -> float:
    return 1 / (1 + math.exp(-odds)) if odds > -700 else 0.0
