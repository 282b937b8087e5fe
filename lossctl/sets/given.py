"""Triplets that are given row by row, by category: the same certified comparisons, without counting a whole set."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from ..results.breakdown import Categories
from ..rows.checks import index_rows
from ..rows.sums import ZERO, Total, total
from .points import sort_points
from .ties import Judge, interval, make_judge


class GivenTriplets(NamedTuple):
    """The categories of some triplets at one margin, the exact sum of their losses, and how many are above zero."""

    margin: float
    categories: Categories
    loss: Total = ZERO
    active: int = 0


def categorize(
    embeddings: np.ndarray,
    blocks: Iterable[np.ndarray],
    margins: Sequence[float],
    *,
    metric: str = "euclidean",
    normalize: bool = False,
    path: str = "index",
) -> tuple[GivenTriplets, ...]:
    """The categories of triplets (M, 3) of row numbers, in blocks, at each margin; every one is certified.

    path: what messages call the index. Raises DataError for what is no triplet.
    """
    points = sort_points(embeddings, np.zeros(len(embeddings)), metric=metric, normalize=normalize)
    judge = make_judge(points, tuple(margins))
    position = np.empty(len(points), np.int64)
    position[points.rows] = np.arange(len(points))
    totals = tuple(GivenTriplets(margin, Categories(0, 0, 0)) for margin in margins)
    for block in blocks:
        rows = index_rows(block, len(points), path)
        totals = tuple(map(_merged, totals, _categorize(judge, position[rows], margins)))
    return totals


def _merged(a: GivenTriplets, b: GivenTriplets) -> GivenTriplets:
    pairs = zip(
        (
            a.categories.easy,
            a.categories.semi_hard,
            a.categories.hard,
            a.categories.hard_ties,
            a.categories.margin_ties,
        ),
        (
            b.categories.easy,
            b.categories.semi_hard,
            b.categories.hard,
            b.categories.hard_ties,
            b.categories.margin_ties,
        ),
        strict=True,
    )
    return GivenTriplets(a.margin, Categories(*(x + y for x, y in pairs)), a.loss + b.loss, a.active + b.active)


def _categorize(judge: Judge, triplets: np.ndarray, margins: Sequence[float]) -> list[GivenTriplets]:
    points, gram = judge.points, judge.gram
    anchor, positive, negative = triplets.T
    d_ap, d_an = gram.direct(anchor, positive), gram.direct(anchor, negative)
    at_zero = _signs(judge, triplets, d_ap, d_an, 0.0)
    gap = points.measured(d_ap) - points.measured(d_an)
    counts = []
    for margin in margins:
        at_margin = _signs(judge, triplets, d_ap, d_an, margin) if margin else at_zero
        hard, costly = at_zero <= 0, (at_zero <= 0) | (at_margin < 0)
        categories = Categories(
            easy=int(np.count_nonzero(~costly)),
            semi_hard=int(np.count_nonzero(costly & ~hard)),
            hard=int(np.count_nonzero(hard)),
            hard_ties=int(np.count_nonzero(at_zero == 0)),
            margin_ties=int(np.count_nonzero(at_margin == 0)),
        )
        active = at_margin < 0
        loss = total(np.where(active, np.maximum(gap + margin, 0.0), 0.0))
        counts.append(GivenTriplets(margin, categories, loss, int(np.count_nonzero(active))))
    return counts


def _signs(judge: Judge, triplets: np.ndarray, d_ap: np.ndarray, d_an: np.ndarray, margin: float) -> np.ndarray:
    """The sign of d_an - (d_ap + margin) of each triplet: by differences, and by integers where these cannot tell."""
    gram = judge.gram
    low, high = interval(judge, d_ap, gram.direct_errors(d_ap), margin)
    errors = gram.direct_errors(d_an)
    signs: np.ndarray = (d_an - errors > high).astype(np.int64) - (d_an + errors < low)
    for place in np.flatnonzero(signs == 0).tolist():
        anchor, positive, negative = triplets[place].tolist()
        same = not margin and judge.twins[positive] == judge.twins[negative]
        signs[place] = 0 if same else judge.exact.compare(anchor, positive, negative, margin)
    return signs
