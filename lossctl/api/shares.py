"""How sure the shares of triplets are: from sampled anchors about the set, from points left out about new points."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from ..errors import DataError
from ..files import drawer
from ..resampling import jackknife, shares
from ..resampling.draws import Draws
from ..resampling.shares import ShareEnds
from ..results.breakdown import Breakdown, ShareConfidence, ShareInterval
from ..sets.by_anchor import EmbeddingSet, Progress
from ..sets.triplets import breakdown_of_some
from ..text import option_text

LEVEL = 0.95
KINDS = ("easy", "semi-hard", "hard")


class BoundedBreakdown(NamedTuple):
    """A breakdown whose shares have intervals, what these are, and what there is to say of them."""

    breakdown: Breakdown
    confidence: ShareConfidence
    remarks: tuple[str, ...]


def of_sample(
    embeddings: EmbeddingSet, anchors: int, seed: int, level: float, progress: Progress | None, **settings: Any
) -> BoundedBreakdown | None:
    """The triplets of some anchors, drawn by a seed; None where there are no more than that.

    settings: those of `breakdown_of_some`
    """
    some = breakdown_of_some(embeddings.emb, embeddings.label, anchors, seed, progress=progress, **settings)
    if some is None:
        return None
    assert some.breakdown.sample is not None
    of = some.breakdown.sample.of
    ends = [
        [shares.of_sample(kind, of_all.sum(axis=0), level, seed, of) for kind in of_all] for of_all in some.categories
    ]
    return _bounded(
        some.breakdown, ShareConfidence(level, "bca", "anchors", anchors, seed), ends, "count more --anchors"
    )


def of_points(
    breakdown: Breakdown,
    embeddings: EmbeddingSet,
    seed: int,
    level: float,
    count: Callable[[np.ndarray, np.ndarray], Breakdown],
) -> BoundedBreakdown:
    """A breakdown with intervals about new points. count: of the points that are left"""
    points = len(embeddings.label)
    confidence = ShareConfidence(level, "jackknife", "points", points, seed)
    if points < jackknife.FEW_POINTS:
        nothing = ShareEnds(math.nan, math.nan, f"{points} points are too few")
        return _bounded(breakdown, confidence, [[nothing] * len(KINDS) for _ in breakdown.margins], "")
    rests = [
        _shares(
            count,
            drawer.taken(embeddings.emb, np.arange(points)[stays]),
            embeddings.label[stays],
            len(breakdown.margins),
        )
        for stays in jackknife.blocks_of(Draws(seed, 1), points, None)
    ]
    left_out = np.array(rests)  # (blocks, margins, 3)
    ends = [
        [shares.of_points(share, left_out[:, j, kind], level) for kind, share in enumerate(at.categories.shares)]
        for j, at in enumerate(breakdown.margins)
    ]
    return _bounded(breakdown, confidence, ends, "")


def _shares(
    count: Callable[[np.ndarray, np.ndarray], Breakdown], emb: np.ndarray, label: np.ndarray, margins: int
) -> Sequence[Sequence[float]]:
    try:
        return [at.categories.shares for at in count(emb, label).margins]
    except DataError:  # the whole set has triplets, so the rest has lost them
        return [[math.nan] * len(KINDS)] * margins


def _bounded(
    breakdown: Breakdown, confidence: ShareConfidence, ends: Sequence[Sequence[ShareEnds]], fix: str
) -> BoundedBreakdown:
    margins = tuple(
        replace(at, intervals=tuple(ShareInterval(end.low, end.high) for end in of_kinds))
        for at, of_kinds in zip(breakdown.margins, ends, strict=True)
    )
    reasons: dict[str, list[str]] = {}
    for at, of_kinds in zip(breakdown.margins, ends, strict=True):
        for kind, end in zip(KINDS, of_kinds, strict=True):
            if end.why:
                reasons.setdefault(end.why, []).append(f"{kind} at margin {option_text(at.margin)}")
    then = f"; {fix}" if fix else ""
    told = tuple(f"no interval of the share of {', '.join(names)}: {why}{then}" for why, names in reasons.items())
    return BoundedBreakdown(replace(breakdown, margins=margins), confidence, told)
