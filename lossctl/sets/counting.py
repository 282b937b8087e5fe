"""Easy, semi-hard and hard, counted for a panel of anchors and proven, without making one triplet.

For each anchor the negatives are sorted, and each positive gives two ranks a margin (ranks.py); a prefix sum of the
sorted distances gives the batch-all loss from the same ranks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..rows.sums import Total, total
from .panels import Panel
from .points import Points, clear_own
from .ranks import Ranks, rank, strip_starts, sums_below
from .ties import Judge

LONG = 1 << 8  # positives of an anchor from which on edges are searched among them, not they among edges
ENDLESS = 1e300  # a margin from which on a sum of losses may overflow


@dataclass(frozen=True)
class Census:
    """What counting needs to know of a set.

    margins: thresholds are d_ap + margin for each of these, the first is 0
    judge: proves the counts; None to take them from float32 products as they come
    edges, edge_squares: the bins of the histograms, and their inner edges as squared distances
    with_pairs: also count hard triplets by the classes of anchor and negative
    """

    points: Points
    margins: tuple[float, ...]
    judge: Judge | None
    edges: np.ndarray
    edge_squares: np.ndarray
    with_pairs: bool


@dataclass(frozen=True)
class Counts:
    """What B anchors add; (J, B) rows are for d_ap + margin with the census's margins.

    below, ties, undecided: triplets below and at each threshold, and not proven; losses: sums of [d_ap + m - d_an]+
    triplets: (B,); farthest, nearest: (B,) distances; positives, negatives: one DistanceSums
    hard_by_class: anchor class -> (C,) hard triplets by class of the negative
    """

    below: np.ndarray
    ties: np.ndarray
    undecided: np.ndarray
    losses: np.ndarray
    triplets: np.ndarray
    farthest: np.ndarray
    nearest: np.ndarray
    positives: DistanceSums
    negatives: DistanceSums
    hard_by_class: dict[int, np.ndarray]


@dataclass(frozen=True)
class DistanceSums:
    """Sums over the distances to positives, or to negatives, weighted by the anchors too."""

    pairs: int
    smallest: float
    sum: Total
    largest: float
    counts: np.ndarray


def joined(parts: list[Counts]) -> Counts:
    def along(name: str) -> np.ndarray:
        return np.concatenate([getattr(part, name) for part in parts], axis=-1)

    arrays = ("below", "ties", "undecided", "losses", "triplets", "farthest", "nearest")
    by_class: dict[int, np.ndarray] = {}
    for part in parts:
        for key, hard in part.hard_by_class.items():
            by_class[key] = by_class[key] + hard if key in by_class else hard
    return Counts(
        **{name: along(name) for name in arrays},
        positives=merged([part.positives for part in parts]),
        negatives=merged([part.negatives for part in parts]),
        hard_by_class=by_class,
    )


def merged(sides: list[DistanceSums]) -> DistanceSums:
    return DistanceSums(
        sum(side.pairs for side in sides),
        min(side.smallest for side in sides),
        sum((side.sum for side in sides), Total()),
        max(side.largest for side in sides),
        sum(side.counts for side in sides),  # type: ignore[arg-type]
    )


# --- proven


def proven_counts(census: Census, judge: Judge, panel: Panel) -> Counts:
    """The counts of one panel, strip by strip."""
    squares = judge.scratch.array("squares", (len(panel), len(panel.points)))
    panel.points.squares(panel.start, panel.stop, out=squares)
    starts = strip_starts(panel.points, panel.start, panel.stop)
    return joined([_count_strip(census, judge, squares[k : k + starts.step], panel.start + k) for k in starts])


def _count_strip(census: Census, judge: Judge, squares: np.ndarray, start: int) -> Counts:
    points, weight_of = census.points, census.points.weights
    stop = start + len(squares)
    ranks = rank(judge, squares, start, census.edge_squares)
    weight, positives = ranks.weight, ranks.weight.sum(axis=1)
    members = np.ones(len(squares), np.int64) if weight_of is None else weight_of[start:stop]
    negatives = points.negative_weight(start, stop)
    farthest, nearest = points.measured(_farthest(judge, ranks)), points.measured(_nearest(judge, ranks))
    d_ap = points.measured(ranks.positives)
    d_an = points.measured(squares, out=squares)  # the squares are not needed any more
    return Counts(
        below=np.einsum("bjk,bk->jb", ranks.below, weight) * members,
        ties=np.einsum("bjk,bk->jb", ranks.ties, weight) * members,
        undecided=ranks.undecided.T * members,
        losses=_batch_all_sums(judge, ranks, d_ap, d_an) * members,
        triplets=positives * negatives * members,
        farthest=farthest,
        nearest=nearest,
        positives=_positive_side(census, ranks, d_ap, members, positives * members),
        negatives=_negative_side(census, ranks, d_an, members, negatives * members),
        hard_by_class=_hard_by_class(judge, ranks, members) if census.with_pairs else {},
    )


def _batch_all_sums(judge: Judge, ranks: Ranks, d_ap: np.ndarray, d_an: np.ndarray) -> np.ndarray:
    """(J, B) sums of [d_ap + margin - d_an]+: the first r negatives cost r (d_ap + margin) less their own distances."""
    with np.errstate(over="ignore", invalid="ignore"):
        terms = d_ap[:, None] + np.asarray(judge.margins)[:, None]
        terms *= ranks.below
        terms -= sums_below(judge, ranks, d_an)
        if judge.margins[-1] < ENDLESS:
            terms *= ranks.weight[:, None]
        else:  # infinite, and not to be multiplied by 0
            terms = np.where(ranks.weight[:, None] > 0, terms * ranks.weight[:, None], 0.0)
    totals: np.ndarray = terms.sum(axis=2).T
    return totals


def _nearest(judge: Judge, ranks: Ranks) -> np.ndarray:
    """(B,) squared distance of the nearest negative, by differences among all that may be the nearest."""
    anchors = np.arange(ranks.start, ranks.start + len(ranks.keys))
    column = ranks.keys[:, 0] & ranks.key_mask
    nearest: np.ndarray = ranks.squares[anchors - ranks.start, column]
    if judge.gram.is_exact:
        return nearest
    limit = np.maximum(nearest, 0.0) + 4 * judge.gram.bounds(ranks.start, ranks.start + len(anchors))
    limit_keys = limit.view(np.int64) | ranks.key_mask
    nearest = judge.gram.direct(anchors, column)
    for row in map(int, np.flatnonzero(ranks.keys[:, min(1, ranks.keys.shape[1] - 1)] <= limit_keys)):
        rivals = ranks.columns(row, slice(0, int(ranks.keys[row].searchsorted(limit_keys[row], "right"))))
        nearest[row] = judge.gram.direct(np.full(len(rivals), anchors[row]), rivals).min()
    return nearest


def _farthest(judge: Judge, ranks: Ranks) -> np.ndarray:
    """(B,) squared distance of the farthest positive, by differences among all that may be the farthest."""
    farthest: np.ndarray = ranks.positives.max(axis=1)
    if judge.gram.is_exact:
        return farthest
    limit = farthest - 4 * judge.gram.bounds(ranks.start, ranks.start + len(farthest))
    i, k = np.nonzero(ranks.positives >= limit[:, None])
    measured = judge.gram.direct(i + ranks.start, ranks.index[i, k])
    farthest = np.zeros(len(farthest))
    np.maximum.at(farthest, i, measured)
    return farthest


def _positive_side(
    census: Census, ranks: Ranks, d_ap: np.ndarray, members: np.ndarray, pairs: np.ndarray
) -> DistanceSums:
    """The distances to positives; an anchor's to itself, which does not count, is 0."""
    points, inner = census.points, census.edges[1:-1]
    if points.weights is None and d_ap.shape[1] >= LONG:  # they are in order, but for what a key cannot tell
        sizes = points.sizes(ranks.start, ranks.start + len(d_ap))
        places = np.stack([line[:size].searchsorted(inner) for line, size in zip(d_ap, sizes, strict=True)])
        counts = np.diff(places, axis=1, prepend=0, append=sizes[:, None]).sum(axis=0)
        uncounted = int(sizes.sum() - pairs.sum())
    else:
        weight = None if points.weights is None else (ranks.weight * members[:, None]).ravel()
        bins = np.searchsorted(inner, d_ap.ravel(), "right")
        counts = np.bincount(bins, weight, len(inner) + 1).astype(np.int64)
        uncounted = d_ap.size - int(pairs.sum()) if weight is None else 0
    counts[np.searchsorted(inner, 0.0, "right")] -= uncounted
    sums = d_ap.sum(axis=1) if points.weights is None else (d_ap * ranks.weight).sum(axis=1)
    smallest = np.where(ranks.weight > 0, d_ap, np.inf).min()
    return DistanceSums(int(pairs.sum()), float(smallest), total(sums * members), float(d_ap.max()), counts)


def _negative_side(
    census: Census, ranks: Ranks, d_an: np.ndarray, members: np.ndarray, pairs: np.ndarray
) -> DistanceSums:
    """The distances to negatives; sets those within the own class, which are infinite, to 0 for their sum."""
    points, rows = census.points, np.arange(len(d_an))
    places = np.zeros((len(rows), len(census.edges)), np.int64)
    places[:, 1:-1], places[:, -1] = ranks.cuts, ranks.negatives
    if points.weights is not None:
        for row, line in enumerate(ranks.keys):
            places[row] = np.concatenate([[0], np.cumsum(points.weights[line & ranks.key_mask])])[places[row]]
    ends = np.stack([ranks.keys[:, 0], ranks.keys[rows, ranks.negatives - 1]]) & ranks.key_mask
    span = d_an[rows, ends]
    clear_own(points, d_an, ranks.start)
    sums = d_an.sum(axis=1) if points.weights is None else d_an @ points.weights[: len(points)]
    counts = (np.diff(places, axis=1) * members[:, None]).sum(axis=0)
    return DistanceSums(int(pairs.sum()), float(span.min()), total(sums * members), float(span.max()), counts)


def _hard_by_class(judge: Judge, ranks: Ranks, members: np.ndarray) -> dict[int, np.ndarray]:
    """Anchor class -> hard triplets by class of the negative: a negative counts once for each positive behind it."""
    points = judge.points
    by_class: dict[int, np.ndarray] = {}
    for row in range(len(ranks.keys)):
        sure, weight = ranks.hard[row], ranks.weight[row]
        columns = ranks.columns(row, slice(0, int(sure.max(initial=0))))
        behind = weight.sum() - np.cumsum(np.bincount(sure, weight, minlength=len(columns) + 1))[:-1]
        if points.weights is not None:
            behind = behind * points.weights[columns]
        hard = np.bincount(points.classes[columns], behind, minlength=len(points.names)).astype(np.int64)
        for k, decided in ranks.decided_hard.get(row, ()):
            counts = weight[k] * (1 if points.weights is None else points.weights[decided])
            np.add.at(hard, points.classes[decided], counts)
        key = int(points.classes[ranks.start + row])
        by_class[key] = by_class.get(key, 0) + hard * members[row]
    return by_class
