"""Easy, semi-hard and hard, counted for a panel of anchors and proven, without making one triplet.

Each positive gives two ranks a margin among the anchor's negatives (ranks.py); the sums of the distances below give the
batch-all loss.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from ..language.numerics import Array, class_sum, namespace
from ..rows.sums import Total, total
from .panels import Panel
from .points import Points, class_positions, fill_own, own_class
from .ranks import Ranks, by_place, rank, sums_below
from .strips import FEW, Strip, lengths, strips, true_cells
from .ties import Judge

NO_BIN = 255
NARROWEST = 1e-300  # of histograms, and still to be divided by
HALVED = 24  # anchors: distances within as many are added up from both ends, whatever else is counted with them


@dataclass(frozen=True, eq=False)
class Census:
    """What counting needs to know of a set.

    margins: thresholds are d_ap + margin for each of these, the first is 0
    first: of the first of them that was asked for
    judge: proves the counts
    edges: of the bins of the histograms
    with_pairs: also count hard triplets by the classes of anchor and negative
    """

    points: Points
    margins: tuple[float, ...]
    first: int
    judge: Judge
    edges: np.ndarray
    with_pairs: bool

    @property
    def has_bins(self) -> bool:
        """Whether distances are told of, beside those of triplets."""
        return len(self.edges) > 1


@dataclass(frozen=True, eq=False)
class Counts:
    """What B anchors add; (J, B) rows are for d_ap + margin with the census's margins.

    below, ties, undecided: triplets below and at each threshold, and not proven
    losses: sums of [d_ap + m - d_an]+, 0 where none was asked for
    triplets: (B,); farthest, nearest: (B,) distances; positives, negatives: one DistanceSums
    precisions: (3, B) see the function
    hard_by_class: anchor class -> (C,) hard triplets by class of the negative
    """

    below: np.ndarray
    ties: np.ndarray
    undecided: np.ndarray
    losses: np.ndarray
    triplets: np.ndarray
    farthest: np.ndarray
    nearest: np.ndarray
    precisions: np.ndarray
    positives: DistanceSums
    negatives: DistanceSums
    hard_by_class: dict[int, np.ndarray]


@dataclass(frozen=True, eq=False)
class DistanceSums:
    """Sums over the distances to positives, or to negatives, weighted by the anchors too."""

    pairs: int
    smallest: float
    sum: Total
    largest: float
    counts: np.ndarray


NOTHING = DistanceSums(0, np.inf, Total(), -np.inf, np.zeros(1, np.int64))


def joined(parts: Sequence[Counts]) -> Counts:
    if len(parts) == 1:
        return parts[0]

    def along(name: str) -> np.ndarray:
        return np.concatenate([getattr(part, name) for part in parts], axis=-1)

    arrays = ("below", "ties", "undecided", "losses", "triplets", "farthest", "nearest", "precisions")
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


def count_panel(census: Census, panel: Panel, is_whole: bool = False) -> Counts:
    """The counts of one panel, strip by strip.

    is_whole: the panels that are counted hold each anchor once, so that distances between two are measured once
    """
    points, start, stop = census.points, panel.start, panel.stop
    members = np.ones(len(panel), np.int64) if points.weights is None else points.weights[start:stop]
    parts, sides, others = [], [], []
    for strip in strips(census.judge, start, stop, "counts", with_everyone=census.has_bins):
        if census.has_bins:  # first: ranks overwrite the squares
            others += _negative_sides(census, strip, is_whole and points.holds_self)
            sides.append(_positive_side(census, strip, members[strip.start - start :][: len(strip.own)]))
        parts.append(_count_strip(census, strip))
    counts = joined(parts)
    if not census.has_bins:
        return counts
    positives, negatives = (
        int((pairs * members).sum())
        for pairs in (points.positive_weight(start, stop), points.negative_weight(start, stop))
    )
    return replace(
        counts,
        positives=_joined_side(sides, positives),
        negatives=replace(_joined_side(others, negatives), smallest=float(counts.nearest.min())),
    )


def _count_strip(census: Census, strip: Strip) -> Counts:
    points, judge, weight_of = census.points, census.judge, census.points.weights
    start, stop = strip.start, strip.start + len(strip.own)
    ranks = rank(judge, strip, np.inf if census.with_pairs else FEW * len(points))
    members = np.ones(len(strip.own), np.int64) if weight_of is None else weight_of[start:stop]
    positives, negatives = points.positive_weight(start, stop), points.negative_weight(start, stop)
    farthest, nearest = points.measured(_farthest(judge, strip)), points.measured(_nearest(judge, strip, ranks))
    d_ap = points.measured(ranks.positives)
    return Counts(
        below=_added(ranks.below, ranks) * members,
        ties=_added(ranks.ties, ranks) * members if ranks.is_open else np.zeros_like(ranks.undecided.T),
        undecided=ranks.undecided.T * members,
        losses=_batch_all_sums(census, ranks, d_ap) * members,
        triplets=positives * negatives * members,
        farthest=farthest,
        nearest=nearest,
        precisions=_precisions(judge, ranks, positives),
        positives=NOTHING,
        negatives=NOTHING,
        hard_by_class=_hard_by_class(judge, ranks, members) if census.with_pairs else {},
    )


def _added(counts: np.ndarray, ranks: Ranks) -> np.ndarray:
    """(J, B) how many triplets (B, J, K) counts are."""
    added: np.ndarray = np.einsum("bjk,bk->jb", counts, ranks.weight)
    return added


def _batch_all_sums(census: Census, ranks: Ranks, d_ap: np.ndarray) -> np.ndarray:
    """(J, B) sums of [d_ap + margin - d_an]+: the first r negatives cost r (d_ap + margin) less their own distances."""
    first, totals = census.first, np.zeros((len(census.margins), len(d_ap)))
    with np.errstate(over="ignore", invalid="ignore"):
        terms = d_ap[:, None] + np.asarray(census.margins[first:])[:, None]
        terms *= ranks.below[:, first:]
        terms -= sums_below(census.judge, ranks, first)
        if census.points.weights is not None:
            terms *= ranks.weight[:, None]
        np.copyto(terms, 0.0, where=(ranks.weight == 0)[:, None])  # also what is infinite, or no number
    totals[first:] = class_sum(by_place(ranks, terms)).T
    return totals


def _precisions(judge: Judge, ranks: Ranks, positives: np.ndarray) -> np.ndarray:
    """`precisions` of B anchors with so many positives; those that are not ranked have no negative as near."""
    result = np.ones((3, len(positives)))
    hard = ranks.below[:, 0] + ranks.ties[:, 0]
    rows = np.flatnonzero(hard.any(axis=1))
    if judge.points.weights is not None:
        for row in map(int, rows):
            order = np.argsort(hard[row])
            behind = np.repeat(hard[row, order], ranks.weight[row, order])
            result[:, row] = precisions(behind[None], positives[row : row + 1])[:, 0]
    elif len(rows):
        hard = hard[rows].astype(np.int32)
        hard.sort(axis=1)
        behind = hard[:, int(hard.any(axis=0).argmax()) :]
        result[:, rows] = precisions(behind, positives[rows])
    return result


def precisions(hard: Array, positives: Array) -> Array:
    """(3, B) precision at 1, R-precision, and mean average precision at R of B anchors, of any array library.

    hard: (B, K) how many negatives are no farther than each of an anchor's last K positives, ascending
    positives: (B,) how many positives there are, R; those that are not in `hard` have no negative as near

    Source: Musgrave, Belongie, Lim, A Metric Learning Reality Check, 2020, 3
    """
    xp = namespace(hard)
    is_behind = hard > 0
    later = xp.arange(hard.shape[1] - 1, -1, -1, device=hard.device)
    is_within = is_behind & (hard <= later)  # the place among the positives, and all before it, is no more than R
    place = xp.astype(positives[:, None] - later, xp.float64)
    ahead = positives - xp.sum(is_behind, axis=1)
    within = ahead + xp.sum(is_within, axis=1)
    average = ahead + xp.sum(place / xp.where(is_within, place + hard, xp.inf), axis=1)
    shares = within / xp.astype(positives, xp.float64), average / positives
    return xp.stack([xp.astype(ahead > 0, xp.float64), *shares])


def _nearest(judge: Judge, strip: Strip, ranks: Ranks) -> np.ndarray:
    """(B,) squared distance of the nearest negative, by differences among all that may be the nearest."""
    squares, rows, ordered = strip.squares, np.arange(len(strip.squares)), ranks.ordered
    at = squares.argmin(axis=1) if ordered is None else ordered.nearest
    nearest: np.ndarray = squares[rows, at]
    if judge.gram.is_exact:
        return nearest
    anchors = rows + strip.start
    limits = np.maximum(nearest, 0.0) + 4 * judge.gram.bounds(strip.start, strip.start + len(rows))
    nearest = judge.gram.direct(anchors, at if strip.columns is None else strip.columns[rows, at])
    if ordered is None:
        is_rivalled = ranks.keys[:, min(1, squares.shape[1] - 1)] <= limits.view(np.int64) | ranks.key_mask
    else:
        is_rivalled = ordered.squares[ordered.starts[:-1] + 1] <= limits
    for row in np.flatnonzero(is_rivalled).tolist():
        rivals = np.flatnonzero(squares[row] <= limits[row])
        others = rivals if strip.columns is None else strip.columns[row, rivals]
        nearest[row] = judge.gram.direct(np.full(len(rivals), anchors[row]), others).min()
    return nearest


def _farthest(judge: Judge, strip: Strip) -> np.ndarray:
    """(B,) squared distance of the farthest positive, by differences among all that may be the farthest."""
    own = strip.own
    farthest: np.ndarray = own.max(axis=1)
    if (farthest == np.inf).any():
        own = np.where(own < np.inf, own, -np.inf)
        farthest = own.max(axis=1)
    if judge.gram.is_exact:
        return farthest
    limit = farthest - 4 * judge.gram.bounds(strip.start, strip.start + len(farthest))
    i, k = true_cells(own >= limit[:, None])
    measured = judge.gram.direct(i + strip.start, class_positions(judge.points, strip.start, i, k))
    farthest = np.zeros(len(farthest))
    np.maximum.at(farthest, i, measured)
    return farthest


class _Side(NamedTuple):
    """Distances of a few anchors: the sum of each, the smallest and the largest of all, how many are in each bin."""

    sums: np.ndarray
    smallest: float
    largest: float
    counts: np.ndarray


def _joined_side(sides: list[_Side], pairs: int) -> DistanceSums:
    return DistanceSums(
        pairs,
        min(side.smallest for side in sides),
        total(np.concatenate([side.sums for side in sides])),
        max(side.largest for side in sides),
        sum(side.counts for side in sides),  # type: ignore[arg-type]
    )


def _positive_side(census: Census, strip: Strip, members: np.ndarray) -> _Side:
    """The distances to positives; an anchor's to itself counts as often as there are others like it."""
    points, start, stop = census.points, strip.start, strip.start + len(strip.own)
    d_ap = points.measured(strip.own)
    weights = None
    if points.weights is not None:
        index, exists = own_class(points, start, stop)
        weights = np.where(exists, points.weights[index], 0)
    if points.holds_self:
        rows, places = np.arange(len(d_ap)), np.arange(start, stop) - points.first[start:stop]
        d_ap[rows, places] = np.inf if weights is None else 0.0
        if weights is not None:
            weights[rows, places] -= 1
    smallest = _smallest(census.judge, strip, d_ap if weights is None else np.where(weights > 0, d_ap, np.inf))
    is_out = d_ap == np.inf
    d_ap[is_out] = 0.0
    largest = float(np.where(is_out, -np.inf, d_ap).max())
    bins = binned(census.edges, d_ap)
    bins[is_out] = NO_BIN
    counts = _counted(census, bins, None if points.weights is None else members[:, None] * weights)
    sums = d_ap.sum(axis=1) if weights is None else (d_ap * weights).sum(axis=1) * members
    return _Side(sums, smallest, largest, counts)


def _smallest(judge: Judge, strip: Strip, d_ap: np.ndarray) -> float:
    """The smallest distance to a positive, by differences among all that may be the smallest; (B, K) with inf for
    what is none."""
    points, start = judge.points, strip.start
    is_known = strip.is_direct | judge.gram.is_exact
    smallest = float(d_ap[is_known].min(initial=np.inf))
    bounds = judge.gram.bounds(start, start + len(d_ap))[:, None]
    squares = np.where(is_known | (d_ap == np.inf), np.inf, strip.own)
    i, k = np.nonzero((squares - 2 * bounds <= (squares + 2 * bounds).min()) & (squares < np.inf))
    measured = points.measured(judge.gram.direct(i + start, class_positions(points, start, i, k)))
    return min(smallest, float(measured.min(initial=np.inf)))


def _negative_sides(census: Census, strip: Strip, is_half: bool) -> list[_Side]:
    """The distances to negatives, the smallest left out, from a strip that has everyone.

    is_half: those between anchors of two blocks of HALVED are told by the first of them
    """
    points, judge, sides = census.points, census.judge, []
    assert strip.everyone is not None
    start, stop = strip.start, strip.start + len(strip.own)
    step = lengths(points, start, stop)
    for first, last in _runs(start, stop, step):
        block = first // HALVED * HALVED
        columns = slice(block if is_half else 0, len(points))
        out = judge.scratch.array("places", (last - first, columns.stop - columns.start))  # ranks take it afterwards
        squares = strip.everyone[first - start : last - start, columns]
        d_an = points.measured(squares, out=out)
        fill_own(points, d_an, first, -np.inf if points.is_signed else 0.0, columns)
        largest = float(d_an.max())
        if points.is_signed:
            fill_own(points, d_an, first, 0.0, columns)
        bins = binned(census.edges, d_an)
        fill_own(points, bins, first, NO_BIN, columns)
        sums, counts = np.zeros(last - first), np.zeros(len(census.edges) - 1, np.int64)
        beyond = min(block + HALVED, points.anchors)
        cuts = (block, beyond, points.anchors, len(points)) if is_half else (0, len(points))
        for (left, right), times in zip(itertools.pairwise(cuts), (1, 2, 1), strict=False):
            part = slice(left - columns.start, right - columns.start)
            weight = None if points.weights is None else points.weights[first:last, None] * points.weights[left:right]
            values = d_an[:, part] if weight is None else d_an[:, part] * weight
            sums += times * values.sum(axis=1)
            counts += times * _counted(census, bins[:, part], weight)
        sides.append(_Side(sums, np.inf, largest, counts))
    return sides


def _runs(start: int, stop: int, step: int) -> Iterator[tuple[int, int]]:
    """The anchors start..stop, up to `step` at a time, cut at each multiple of HALVED."""
    for block in range(start // HALVED * HALVED, stop, HALVED):
        end = min(block + HALVED, stop)
        for first in range(max(block, start), end, step):
            yield first, min(first + step, end)


def _counted(census: Census, bins: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
    """How many are in each bin, those without one left out."""
    counts: np.ndarray = np.bincount(bins.ravel(), None if weight is None else weight.ravel(), NO_BIN + 1)
    return counts[: len(census.edges) - 1].astype(np.int64)


def binned(edges: np.ndarray, distances: np.ndarray) -> np.ndarray:
    """The bin of each distance, of equal bins; the first and the last have all that lies beyond."""
    count = len(edges) - 1
    places, width = distances - edges[0], edges[-1] - edges[0]
    if width > NARROWEST:
        places *= count / width
    else:  # which may have no inverse
        places /= width
        places *= count
    np.clip(places, 0, count - 1, out=places)
    bins: np.ndarray = places.astype(np.uint8)
    return bins


def _hard_by_class(judge: Judge, ranks: Ranks, members: np.ndarray) -> dict[int, np.ndarray]:
    """Anchor class -> hard triplets by class of the negative: a negative counts once for each positive behind it."""
    points = judge.points
    by_class: dict[int, np.ndarray] = {}
    for row in range(len(ranks.hard)):
        sure, weight = ranks.hard[row], ranks.weight[row]
        columns = ranks.columns(row, slice(0, int(sure.max(initial=0)))) if sure.any() else np.zeros(0, np.int64)
        behind = weight.sum() - np.cumsum(np.bincount(sure, weight, minlength=len(columns) + 1))[:-1]
        if points.weights is not None:
            behind = behind * points.weights[columns]
        hard = np.bincount(points.classes[columns], behind, minlength=len(points.names)).astype(np.int64)
        for behind, decided in ranks.decided_hard.get(row, ()):
            counts = behind * (1 if points.weights is None else points.weights[decided])
            np.add.at(hard, points.classes[decided], counts)
        key = int(points.classes[ranks.start + row])
        by_class[key] = by_class.get(key, 0) + hard * members[row]
    return by_class
