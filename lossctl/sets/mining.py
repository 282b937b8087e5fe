"""Triplets of a whole set, chosen by a strategy and given in blocks, so that there may be more than fit in memory.

What mines is a function of Points that yields `Mined` blocks: class by class (the largest first), anchors in order of
rows. What it takes is decided exactly (picks.py), so the blocks' size and the number of threads change nothing but
where the blocks end.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ..errors import UsageError
from ..rows.workers import Workers, mapped
from .extremes import extremes, where_true
from .gram import NEAR, SIDE_BY_SIDE
from .panels import Panel, default_threads, fold
from .picks import (
    in_order,
    random_semi_hard_negatives,
    ranked,
    run_around,
    semi_hard_negatives,
    settle,
    uniform,
)
from .points import Points, own_class, own_runs
from .ranks import Ranks
from .strips import Reach
from .ties import Judge, make_judge

CATEGORIES = ("hard", "semi-hard", "easy")
BLOCK_TRIPLETS = 1 << 19
ROUGH = 16  # pairs of an anchor, of so many points, from which on a product of all costs less than their differences
CROWDED = 8  # share of an anchor's pairs from which on a table of all of them is worth its memory
Blocks = Iterator["Mined"]
Sides = Callable[[int, int], Iterator[tuple[int, np.ndarray, np.ndarray]]]  # each anchor, its positives, its negatives


@dataclass(frozen=True, eq=False)
class Mined:
    """M triplets.

    rows: (M, 3) int64, anchor, positive, negative as row numbers of the embeddings
    d_ap, d_an: (M,) distances, each from the differences of its pair alone, where they are told
    loss: (M,) [d_ap - d_an + margin]+
    """

    rows: np.ndarray
    d_ap: np.ndarray
    d_an: np.ndarray
    loss: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, chosen: slice | np.ndarray) -> Mined:
        return Mined(self.rows[chosen], self.d_ap[chosen], self.d_an[chosen], self.loss[chosen])


@dataclass(frozen=True)
class Estimate:
    """How many triplets a strategy will give, or what a sample of anchors leads to expect; `most` at most."""

    triplets: int
    is_exact: bool
    most: int


def measured(points: Points, anchor: np.ndarray, positive: np.ndarray, negative: np.ndarray, margin: float) -> Mined:
    """Triplets of positions as triplets of rows, with their distances and losses."""
    return _told(points, anchor, positive, negative, points.gram.direct(anchor, positive), margin)


def _told(
    points: Points, anchor: np.ndarray, positive: np.ndarray, negative: np.ndarray, squares: np.ndarray, margin: float
) -> Mined:
    """`measured`, where the squared distances of the positives are known; overwrites them."""
    triplets = anchor, positive, negative
    return _with_losses(points, triplets, squares, _each_once(points, anchor, negative), margin)


def _with_losses(
    points: Points, triplets: tuple[np.ndarray, ...], s_ap: np.ndarray, s_an: np.ndarray, margin: float
) -> Mined:
    """Triplets of positions with these squared distances, which are overwritten."""
    d_ap, d_an = (points.measured(squares, out=squares) for squares in (s_ap, s_an))
    rows = np.empty((len(d_ap), 3), np.int64)
    for side, positions in enumerate(triplets):
        rows[:, side] = points.rows[positions]
    loss = d_ap - d_an
    loss += margin
    return Mined(rows, d_ap, d_an, np.maximum(loss, 0.0, out=loss))


def _each_once(points: Points, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """Squared distances of M pairs, (M,), by differences; where anchors have many pairs, that of a pair once."""
    start, stop = (int(i.min()), int(i.max()) + 1) if len(i) else (0, 0)
    if CROWDED * len(i) < (stop - start) * len(points):
        return points.gram.direct(i, j)
    squares, is_pair = np.empty((stop - start, len(points))), np.zeros((stop - start, len(points)), bool)
    is_pair[i - start, j] = True
    anchors, others = where_true(is_pair)
    squares[anchors, others] = points.gram.direct(anchors + start, others)
    result: np.ndarray = squares[i - start, j]
    return result


def joined(blocks: Iterable[Mined]) -> Mined:
    """Blocks as one."""
    parts = list(blocks) or [Mined(np.empty((0, 3), np.int64), np.empty(0), np.empty(0), np.empty(0))]
    names = ("rows", "d_ap", "d_an", "loss")
    return Mined(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def limited(blocks: Iterable[Mined], limit: int) -> Blocks:
    """The first `limit` triplets."""
    for block in blocks:
        if limit <= 0:
            return
        yield block[:limit]
        limit -= len(block)


# ---------------------------------------------------------------------------------------------- one triplet an anchor


def mine_batch_hard(points: Points, *, margin: float = 1.0, **options: Any) -> Blocks:
    """One triplet an anchor: its farthest positive and its nearest negative, the lowest row of those that tie.

    `options` of this and the other strategies are those of panels.fold: block, threads, memory_bytes, progress.
    """
    judge = make_judge(points)

    def mine(panel: Panel) -> Mined:
        far, near = extremes(
            points, panel.start, panel.stop, scratch=panel.judges.scratch, settle=partial(settle, judge)
        )
        return measured(points, panel.positions, far, near, margin)

    yield from fold(points, mine, **options)


def mine_easy_positive(points: Points, *, margin: float = 1.0, fallback: str = "drop", **options: Any) -> Blocks:
    """One triplet an anchor: its nearest positive, and the nearest negative beyond that, or by `fallback`.

    Source: Xuan, Stylianou, Pless, Improved Embeddings with Easy Positive Triplet Mining, 2020.
    """

    def mine(panel: Panel) -> Mined:
        negatives = semi_hard_negatives(panel.judges, panel.start, panel.stop, fallback)
        index, exists = own_class(points, panel.start, panel.stop)
        is_positive, judge = exists & (index != panel.positions[:, None]), panel.judges.judge()
        nearest = [
            settle(judge, anchor, own[mine], False)
            for anchor, own, mine in zip(panel.positions.tolist(), index, is_positive, strict=True)
        ]
        place = np.argmax(is_positive & (index == np.array(nearest)[:, None]), axis=1)
        chosen = negatives[np.arange(len(place)), place]
        kept = chosen >= 0
        return measured(points, panel.positions[kept], np.array(nearest)[kept], chosen[kept], margin)

    yield from fold(points, mine, **options)


# ------------------------------------------------------------------------------------------------ one triplet a pair


def mine_semi_hard(
    points: Points, *, margin: float = 1.0, fallback: str = "easiest", is_told: bool = True, **options: Any
) -> Blocks:
    """For each positive pair the nearest negative beyond the positive; `fallback` where there is none.

    is_told: of this and the other strategies for pairs; else distances need not be right to the last digit, only on
        the right side of each other
    """
    return _by_pair(
        points, margin, is_told, lambda p: semi_hard_negatives(p.judges, p.start, p.stop, fallback), options
    )


def mine_random_semi_hard(
    points: Points, *, margin: float = 1.0, seed: int = 0, is_told: bool = True, **options: Any
) -> Blocks:
    """For each positive pair one of its semi-hard negatives, each as likely; pairs without one are left out."""
    return _by_pair(
        points, margin, is_told, lambda p: random_semi_hard_negatives(p.judges, p.start, p.stop, margin, seed), options
    )


def mine_distance_weighted(
    points: Points,
    *,
    margin: float = 1.0,
    seed: int = 0,
    cutoff: float = 0.5,
    reach: float = 1.4,
    is_told: bool = True,
    **options: Any,
) -> Blocks:
    """For each positive pair a negative drawn against the density of distances on the sphere: all are as likely.

    cutoff: nearer negatives count as this far; reach: farther ones are not drawn unless there are no others
    Source: Wu, Manmatha, Smola, Krahenbuhl, Sampling Matters in Deep Embedding Learning, 2017.
    Raises UsageError for points that are not on the unit sphere.
    """
    if not points.is_angular:
        raise UsageError(
            "distance-weighted mining needs embeddings of length 1",
            why="it draws by how distances spread on the unit sphere",
            fix="add --normalize, or --distance cosine",
        )
    options = {**options, "block": 64}  # rounding depends on the shape of a product, and a draw on its rounding
    return _by_pair(points, margin, is_told, lambda p: _distance_weighted(points, p, seed, cutoff, reach), options)


def _by_pair(
    points: Points, margin: float, is_told: bool, choose: Callable[[Panel], np.ndarray], options: dict[str, Any]
) -> Blocks:
    def mine(panel: Panel) -> Mined:
        negatives = choose(panel)
        index, _ = own_class(points, panel.start, panel.stop)
        kept = negatives >= 0
        anchor, positive, negative = np.repeat(panel.positions, kept.sum(axis=1)), index[kept], negatives[kept]
        if not is_told and ROUGH * len(anchor) > len(panel) * len(points) and has_rough(points):
            return _rough(points, panel, (anchor, positive, negative), margin)
        if points.masks is not None or 2 * len(positive) < kept.size or kept.shape[1] < SIDE_BY_SIDE:
            return measured(points, anchor, positive, negative, margin)
        squares = np.empty(kept.shape)
        for rows, columns in own_runs(points, panel.start, panel.stop, slice(0, len(points))):
            anchors = slice(panel.start + rows.start, panel.start + rows.stop)
            squares[rows, : columns.stop - columns.start] = points.gram.beside(anchors, columns)
        return _told(points, anchor, positive, negative, squares[kept], margin)

    return fold(points, mine, **options)


def has_rough(points: Points) -> bool:
    """Whether products tell distances to as many digits as a sum of them shows."""
    return points.metric in ("euclidean", "sqeuclidean", "cosine") and points.gram.slope < 2.0**-36


def _rough(points: Points, panel: Panel, triplets: tuple[np.ndarray, ...], margin: float) -> Mined:
    """`measured`, but for last digits: distances are by products, and where these cannot tell which of d_ap, d_an and
    d_ap + margin is less, by differences."""
    gram, (anchor, positive, negative) = points.gram, triplets
    shape = len(panel), len(points)
    squares = points.squares(panel.start, panel.stop, panel.judges.scratch.array("squares", shape))
    if not gram.is_exact:
        limits = np.maximum(NEAR * (gram.norms[panel.start : panel.stop] + gram.largest_norm), gram.least)
        i, j = where_true(squares < limits[:, None])
        squares[i, j] = gram.direct(i + panel.start, j)
    lines = (anchor - panel.start) * shape[1]
    s_ap, s_an = (squares.take(lines + side) for side in (positive, negative))
    mined = _with_losses(points, triplets, s_ap, s_an, margin)
    if gram.is_exact or not len(mined):
        return mined
    off = (2 * gram.slope / NEAR + 2.0**-40) * (mined.d_ap.max() + mined.d_an.max() + margin)
    gap = mined.d_ap - mined.d_an
    is_unsure = abs(gap) <= off
    gap += margin
    is_unsure |= np.abs(gap, out=gap) <= off
    unsure = np.flatnonzero(is_unsure)
    again = measured(points, anchor[unsure], positive[unsure], negative[unsure], margin)
    for name in ("d_ap", "d_an", "loss"):
        getattr(mined, name)[unsure] = getattr(again, name)
    return mined


def _distance_weighted(points: Points, panel: Panel, seed: int, cutoff: float, reach: float) -> np.ndarray:
    """(B, K) a negative for each point of the anchors' classes, -1 for the anchor itself and beyond the class."""
    squares = np.maximum(points.squares(panel.start, panel.stop) / points.gram.length, cutoff * cutoff)
    own, exists = own_class(points, panel.start, panel.stop)
    is_positive, is_negative = exists & (own != panel.positions[:, None]), panel.is_negative
    chosen = np.full(own.shape, -1)
    by_row = np.argsort(points.rows[: len(points)])
    for row, anchor in enumerate(panel.positions):
        weights = _inverse_density(squares[row], points.x.shape[1], reach, is_negative[row])
        sums = np.cumsum(weights[by_row])
        mine = is_positive[row]
        draw = uniform(seed, points.rows[anchor : anchor + 1], points.rows[own[row, mine]]) * sums[-1]
        places = np.minimum(sums.searchsorted(draw, "right"), np.flatnonzero(weights[by_row])[-1])
        chosen[row, mine] = by_row[places]
    return chosen


def _inverse_density(squares: np.ndarray, d: int, reach: float, is_negative: np.ndarray) -> np.ndarray:
    """(N,) weights 1/q(d), q(d) ~ d^(D-2) (1 - d^2/4)^((D-3)/2), scaled to at most 1; 0 where no negative is."""
    rest = np.maximum(1 - squares / 4, 1e-8)
    log_weight = -(d - 2) / 2 * np.log(squares) - (d - 3) / 2 * np.log(rest)
    is_candidate = (squares < reach * reach) & is_negative
    if not is_candidate.any():
        return is_negative.astype(np.float64)
    log_weight -= log_weight[is_candidate].max()
    return np.where(is_candidate, np.exp(np.minimum(log_weight, 0.0)), 0.0)


# ------------------------------------------------------------------------------------------------------ many triplets


def mine_all(
    points: Points,
    *,
    margin: float = 1.0,
    categories: Iterable[str] = ("hard", "semi-hard"),
    threads: Workers | None = None,
    progress: Callable[[int, int], None] | None = None,
    block: int | None = None,
) -> Blocks:
    """Every triplet of these categories: for each anchor its positives, for each positive the negatives, by rows.

    Blocks hold at most about BLOCK_TRIPLETS triplets, those of one anchor and positive at least.
    """
    yield from _mine_spans(points, _of_kinds(categories), margin, threads, progress, block)


def mine_multi_similarity(
    points: Points,
    *,
    margin: float = 0.1,
    threads: Workers | None = None,
    progress: Callable[[int, int], None] | None = None,
    block: int | None = None,
) -> Blocks:
    """For each anchor the positives farther than its nearest negative less the margin, each with all negatives nearer
    than its farthest positive and the margin.

    Source: Wang, Han, Huang, Dong, Scott, Multi-Similarity Loss with General Pair Weighting, 2019.
    """
    yield from _mine_spans(points, Negatives(_to_farthest, "below"), margin, threads, progress, block)


def multi_similarity_sides(points: Points, margin: float) -> Sides:
    """The positives and the negatives that `mine_multi_similarity` takes of each anchor."""
    judge = make_judge(points, (float(margin),) if margin else ())

    def sides(start: int, stop: int) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        for ranks in ranked(judge, start, max(start, min(stop, points.used.stop)), "below"):
            ends = _to_farthest(ranks)[0, ..., 1]
            for row, end in enumerate(ends.max(axis=1, initial=0).tolist()):
                own = ranks.index[row, (ends[row] > 0) & (ranks.weight[row] > 0)]
                yield ranks.start + row, own, _negatives_in(judge, ranks, row, 0, end)

    return sides


class Negatives(NamedTuple):
    """Which negatives each positive of ranked anchors meets.

    spans: (S, B, K, 2) the places of the negatives, in order of distance, as S half-open spans;  reach: how far to rank
    """

    spans: Callable[[Ranks], np.ndarray]
    reach: Reach


def _of_kinds(categories: Iterable[str]) -> Negatives:
    kinds = _checked(categories)
    return Negatives(partial(_spans, kinds=kinds), "all" if "easy" in kinds else "below")


def _to_farthest(ranks: Ranks) -> np.ndarray:
    """All negatives that cost something beside the farthest positive, for the positives beside which some do."""
    costly = _spans(ranks, ("hard", "semi-hard"))[1, ..., 1]
    farthest = np.max(np.where(ranks.weight > 0, costly, 0), axis=1, keepdims=True, initial=0)
    return np.stack([np.zeros_like(costly), np.where(costly > 0, farthest, 0)], axis=-1)[None]


def _mine_spans(
    points: Points,
    negatives: Negatives,
    margin: float,
    threads: Workers | None,
    progress: Callable[[int, int], None] | None,
    block: int | None,
) -> Blocks:
    judge = make_judge(points, (float(margin),) if margin else ())
    yield from in_parts(points, partial(_all_of, judge, negatives, margin), threads, progress, block)


def in_parts(
    points: Points,
    choose: Callable[[int, int, int, int], Mined],
    threads: Workers | None,
    progress: Callable[[int, int], None] | None,
    block: int | None,
) -> Blocks:
    """What is chosen of the anchors start..stop with the places first..last of their classes, part by part."""
    parts = list(_parts(points, block))
    jobs = default_threads() if threads is None else threads
    blocks = mapped(lambda part: choose(*part), parts, jobs)
    for part, triplets in zip(parts, blocks, strict=True):
        if progress is not None:
            progress(part[1] - points.begin, points.anchors)
        yield triplets


def _checked(categories: Iterable[str]) -> tuple[str, ...]:
    kinds = tuple(dict.fromkeys(categories))
    for category in kinds:
        if category not in CATEGORIES:
            raise UsageError(f"unknown category {category!r}", fix=f"choose from {', '.join(CATEGORIES)}")
    return kinds


def _parts(points: Points, block: int | None) -> Iterator[tuple[int, int, int, int]]:
    """Anchors start..stop with the places first..last of their classes, few enough to be one block."""
    start, end, sizes = points.begin, points.used.stop, points.sizes(0, points.used.stop)
    while start < end:
        size = int(sizes[start : start + 256].max())
        anchors = block or max(1, min(256, BLOCK_TRIPLETS // (len(points) * size)))
        stop = min(start + anchors, end)
        step = size if stop - start > 1 else max(1, BLOCK_TRIPLETS // len(points))
        for first in range(0, size, step):
            yield start, stop, first, min(first + step, size)
        start = stop


def _all_of(judge: Judge, negatives: Negatives, margin: float, start: int, stop: int, first: int, last: int) -> Mined:
    points = judge.points
    triplets = []
    for ranks in ranked(judge, start, stop, negatives.reach):
        spans = negatives.spans(ranks)
        for row in range(len(ranks.keys)):
            by_place = np.argsort(ranks.index[row] + np.where(ranks.weight[row] > 0, 0, len(points)))
            positives = [
                (int(ranks.index[row, k]), [(int(b), int(e)) for b, e in spans[:, row, k]])
                for k in by_place
                if ranks.weight[row, k] > 0 and first <= ranks.places[row, k] < last
            ]
            triplets.append(_of_anchor(judge, ranks, row, positives, margin))
    return joined(triplets)


def _spans(ranks: Ranks, kinds: tuple[str, ...]) -> np.ndarray:
    """(S, B, K, 2) the places of the negatives of each pair that count, in order of distance, as S half-open spans."""
    hard = ranks.below[:, 0] + ranks.ties[:, 0]
    costly = np.maximum(hard, ranks.below[:, -1])
    everyone = np.broadcast_to(ranks.negatives[:, None], hard.shape)
    spans = {"hard": (np.zeros_like(hard), hard), "semi-hard": (hard, costly), "easy": (costly, everyone)}
    return np.stack([np.stack(spans[category], axis=-1) for category in kinds])


def _of_anchor(
    judge: Judge, ranks: Ranks, row: int, positives: list[tuple[int, list[tuple[int, int]]]], margin: float
) -> Mined:
    """The triplets of one anchor with these positives, each with the spans of its negatives."""
    points, anchor = judge.points, ranks.start + row
    chosen = [
        np.concatenate([np.empty(0, np.int64)] + [_negatives_in(judge, ranks, row, *span) for span in spans])
        for _, spans in positives
    ]
    negative = np.concatenate([c[np.argsort(points.rows[c])] for c in chosen] or [np.empty(0, np.int64)])
    positive = np.repeat(np.array([p for p, _ in positives], np.int64), [len(c) for c in chosen])
    different, place = np.unique(negative, return_inverse=True)
    d_an = points.measured(points.gram.direct(np.full(len(different), anchor), different))[place]
    d_ap = points.measured(points.gram.direct(np.full(len(positive), anchor), positive))
    anchors = np.full(len(positive), points.rows[anchor])
    rows = np.stack([anchors, points.rows[positive], points.rows[negative]], axis=1)
    return Mined(rows, d_ap, d_an, np.maximum(d_ap - d_an + margin, 0.0))


def _negatives_in(judge: Judge, ranks: Ranks, row: int, begin: int, end: int) -> np.ndarray:
    """The negatives at the places begin..end of the exact order, in any order."""
    if begin >= end:
        return np.empty(0, np.int64)
    negatives = ranks.columns(row, slice(begin, end)).copy()
    for place in (begin, end):
        if not 0 < place < ranks.present[row]:
            continue
        left, right = run_around(judge, ranks, row, place)
        if left < place:  # the order is in doubt across the end of the span
            order = in_order(judge, ranks.start + row, ranks.columns(row, slice(left, right)))
            inside = slice(max(left, begin), min(right, end))
            negatives[inside.start - begin : inside.stop - begin] = order[inside.start - left : inside.stop - left]
    return negatives


# ------------------------------------------------------------------------------------------------- the hardest of all


def mine_hardest(points: Points, *, margin: float = 1.0, count: int = 1000, **options: Any) -> Blocks:
    """The `count` triplets of the whole set with the largest d_ap - d_an, largest first; the lower rows in a tie.

    Differences that agree in float64 tie. No more than a few times `count` triplets are ever held.
    """
    best = _Best(count)

    def mine(panel: Panel) -> Mined:
        judge = panel.judges.judge()
        ranking = ranked(judge, panel.start, panel.stop, "all")
        return best.merged([_candidates(judge, ranks, best, margin) for ranks in ranking])

    for block in fold(points, mine, **options):
        best.take(block)
    yield best.found


class _Best:
    """The `count` triplets with the largest d_ap - d_an so far, and the least of these differences."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.found = joined([])
        self.least = -math.inf

    def take(self, block: Mined) -> None:
        self.found = self.merged([self.found, block])
        if len(self.found) == self.count:
            self.least = float(self.found.d_ap[-1] - self.found.d_an[-1])

    def merged(self, blocks: list[Mined]) -> Mined:
        block = joined(blocks)
        order = np.lexsort((*block.rows.T[::-1], block.d_an - block.d_ap))
        return block[order[: self.count]]


def _candidates(judge: Judge, ranks: Ranks, best: _Best, margin: float) -> Mined:
    """The triplets of these anchors that may be among the best: those not surely below the least of them."""
    points, rows = judge.points, np.arange(len(ranks.keys))
    slack = judge.gram.bounds(ranks.start, ranks.start + len(rows))
    top = ranks.positives
    if points.power > 1:
        top = (np.maximum(top, 0.0) + slack[:, None]) ** (1 / points.power)
    hardest = joined([])
    for row in rows:
        least = max(best.least, float(hardest.d_ap[-1] - hardest.d_an[-1]) if len(hardest) == best.count else -math.inf)
        reach = _scaled_reach(points, top[row], least) + 3 * slack[row]
        line = ranks.keys[row, : ranks.negatives[row]]
        keys = np.where(reach > 0, reach, 0.0).view(np.int64) | ranks.key_mask
        counts = np.where((ranks.weight[row] > 0) & (reach >= 0), line.searchsorted(keys, "right"), 0)
        counts = np.minimum(counts, _with_ties(judge, line, ranks.key_mask, best.count, slack[row]))
        if not counts.any():
            continue
        positive = np.repeat(ranks.index[row], counts)
        place = np.arange(len(positive)) - np.repeat(np.cumsum(counts) - counts, counts)
        negative = line[place] & ranks.key_mask
        block = measured(points, np.full(len(positive), ranks.start + row), positive, negative, margin)
        hardest = best.merged([hardest, block])
    return hardest


def _scaled_reach(points: Points, top: np.ndarray, least: float) -> np.ndarray:
    """The square of the largest d_an with d_ap - d_an >= least, and a little more; negative if there is none."""
    if least == -math.inf:
        return np.full(top.shape, 1e300)
    if points.is_angle:
        reach = 2 * np.arcsin(np.minimum(np.sqrt(np.maximum(top, 0.0)) / 2, 1.0)) - least
        return np.where(reach >= 0, 4 * np.sin(np.minimum(reach, math.pi) / 2) ** 2 + 2.0**-40, -1e300)
    if points.power > 1:
        least = points.gram.scaled(least)
        reach = top - least + 2.0**-40 * (top + abs(least))
        return np.where(reach >= 0, np.clip(reach, 0.0, 1e300 ** (1 / points.power)) ** points.power, -1e300)
    step = points.square_of(abs(least))
    return top - math.copysign(step, least) + 2.0**-40 * (abs(top) + step)


def _with_ties(judge: Judge, line: np.ndarray, key_mask: int, count: int, slack: float) -> int:
    """How many of the nearest negatives can be among the `count` nearest, whatever the ties."""
    if count >= len(line):
        return len(line)
    value = np.asarray(line[count - 1] & ~key_mask).view(np.float64)
    return int(line.searchsorted(np.asarray(value + 4 * slack).view(np.int64) | key_mask, "right"))


# --------------------------------------------------------------------------------------------------------- estimates


def estimate_anchors(points: Points, *, fallback: str = "", **_: Any) -> Estimate:
    """One triplet for each anchor; at most, where some are dropped."""
    return Estimate(points.anchors, fallback != "drop", points.anchors)


def estimate_pairs(points: Points, *, fallback: str = "", **_: Any) -> Estimate:
    """One triplet for each pair of an anchor and a positive; at most, where some are dropped."""
    pairs = int(points.positives(points.used.start, points.used.stop).sum())
    return Estimate(pairs, fallback != "drop", pairs)


def estimate_all(
    points: Points, *, margin: float = 1.0, categories: Iterable[str] = ("hard", "semi-hard"), sample: int = 256
) -> Estimate:
    """What mine_all will give, from about `sample` anchors spread over the set; the number itself if these are all."""
    return _estimate(points, _of_kinds(categories), margin, sample)


def estimate_hardest(points: Points, *, margin: float = 1.0, **_: Any) -> Estimate:
    """All triplets, of which the hardest are taken."""
    return estimate_all(points, margin=margin, categories=CATEGORIES)


def estimate_multi_similarity(points: Points, *, margin: float = 0.1, sample: int = 256) -> Estimate:
    """What mine_multi_similarity will give, as estimate_all has it."""
    return _estimate(points, Negatives(_to_farthest, "below"), margin, sample)


def _estimate(points: Points, negatives: Negatives, margin: float, sample: int) -> Estimate:
    judge = make_judge(points, (float(margin),) if margin else ())
    used = points.used
    most = int((points.positives(used.start, used.stop) * points.negatives(used.start, used.stop)).sum())
    step = max(1, points.anchors * 8 // sample)
    triplets = anchors = 0
    for start in range(used.start, used.stop, step):
        stop = min(start + min(step, 8), used.stop)
        for ranks in ranked(judge, start, stop, negatives.reach):
            spans = negatives.spans(ranks)
            triplets += int(((spans[..., 1] - spans[..., 0]) * (ranks.weight > 0)).sum())
            anchors += len(ranks.keys)
    if not anchors:
        return Estimate(0, True, 0)
    return Estimate(round(triplets * points.anchors / anchors), anchors == points.anchors, most)
