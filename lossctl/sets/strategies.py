"""Triplets by bounds of their own: pairs beyond a distance, wide angles, the easiest and the hardest, all distances.

What a strategy chooses of some anchors is a function of their places alone, decided exactly, as in `mining`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ..errors import UsageError
from ..rows.workers import Workers
from . import mining
from .mining import Blocks, Estimate, Mined, Sides, in_parts, joined
from .picks import settle, uniform
from .points import STRAIGHT, Points, own_class
from .ties import Judge, interval, make_judge, signs

Choose = Callable[[int, int, int, int], Mined]  # anchors start..stop, places first..last of their classes
WAYS = ("easy", "semi-hard", "hard", "all")
SQUARED_TANGENTS = {30.0: Fraction(1, 3), 45.0: Fraction(1), 60.0: Fraction(3)}  # the rational ones (Niven)
ROUNDED = 2.0**-48  # more than a few sums and products in float64 can be off, relatively
PANEL = 64  # rounding depends on the shape of a product, and a draw on its rounding
SAMPLE = 128


def pair_margin(points: Points, *, margin: float = 1.0, farther_than: float = 0.2, nearer_than: float = 0.8) -> Choose:
    """For each anchor the positives beyond one distance, each with all negatives within another.

    Source: Musgrave, Belongie, Lim, PyTorch Metric Learning, 2020 (its PairMarginMiner). UsageError for products.
    """
    check_distances(points)
    judge = make_judge(points)

    def choose(start: int, stop: int, first: int, last: int) -> Mined:
        is_far = against(judge, start, stop, farther_than) > 0
        is_near = (against(judge, start, stop, nearer_than) < 0) & points.relations(start, stop)[1]
        blocks = []
        for row, own in _positives(points, start, stop, first, last):
            blocks.append(product(points, start + row, own[is_far[row, own]], np.flatnonzero(is_near[row]), margin))
        return joined(blocks)

    return choose


def angular(points: Points, *, margin: float = 1.0, angle: float = 20.0) -> Choose:
    """The triplets whose angle at the negative, atan(|a - p| / (2 |c - n|)) with c midway between a and p, is wider.

    angle: in degrees; of 30, 45 and 60 the bound is exact, of others the square of their tangent in float64 is it
    Source: Wang, Zhou, Wen, Liu, Lin, Deep Metric Learning with Angular Loss, 2017. UsageError without angles.
    """
    if points.metric.partition(":")[0] in STRAIGHT:
        raise UsageError(
            f"angular mining of the distance {points.metric}",
            why="it asks for angles, which that distance has none of",
            fix="use --distance euclidean, or cosine",
        )
    judge = make_judge(points)
    weight = SQUARED_TANGENTS.get(angle, Fraction(math.tan(math.radians(angle))) ** 2)

    def choose(start: int, stop: int, first: int, last: int) -> Mined:
        squares, is_negative = points.squares(start, stop), points.relations(start, stop)[1]
        bounds = judge.gram.bounds(start, stop)
        blocks = []
        for row, own in _positives(points, start, stop, first, last):
            negatives = np.flatnonzero(is_negative[row])
            for positive in own.tolist():
                others = points.squares(positive, positive + 1)[0, negatives]
                error = 3.0 * (bounds[row] + judge.gram.bounds(positive, positive + 1)[0])
                sides = squares[row, positive], squares[row, negatives], others
                is_wide = _opens(judge, weight, (start + row, positive, negatives), sides, error)
                blocks.append(product(points, start + row, np.array([positive]), negatives[is_wide], margin))
        return joined(blocks)

    return choose


def easy_hard(points: Points, *, margin: float = 1.0, positives: str = "easy", negatives: str = "semi-hard") -> Choose:
    """For each anchor its easiest (nearest) or hardest (farthest) positive, and its hardest or easiest negative.

    semi-hard: the nearest negative beyond the positive, or the farthest positive nearer than the negative, which are
        chosen first; an anchor without one is left out.  all: each of them
    Source: Xuan, Stylianou, Pless, Improved Embeddings with Easy Positive Triplet Mining, 2020. UsageError.
    """
    sides = easy_hard_sides(points, positives, negatives)

    def choose(start: int, stop: int, first: int, last: int) -> Mined:
        blocks = []
        for anchor, own, others in sides(start, stop):
            place = own - points.first[anchor] if points.masks is None else np.arange(len(own))
            is_here = (place >= first) & (place < last) if points.masks is None else np.full(len(own), first == 0)
            blocks.append(product(points, anchor, own[is_here], others, margin))
        return joined(blocks)

    return choose


def easy_hard_sides(points: Points, positives: str, negatives: str) -> Sides:
    """What `easy_hard` takes of each anchor: both kinds, or neither unless all of the other are asked for."""
    _check_ways(positives, negatives)
    judge = make_judge(points)
    is_apart = "all" in (positives, negatives)

    def sides(start: int, stop: int) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        squares, is_negative = points.squares(start, stop), points.relations(start, stop)[1]
        bounds = judge.gram.bounds(start, stop)
        for row, own in _positives(points, start, stop):
            others = np.flatnonzero(is_negative[row])
            pick = partial(_pick, judge, start + row, squares[row], bounds[row])
            if positives == "semi-hard":
                others = pick(others, negatives, "hard")
                own = pick(own[_beyond(judge, start + row, others, own) < 0], "hard", "easy")
            else:
                own = pick(own, positives, "easy")
                if negatives == "semi-hard":
                    others = others[_beyond(judge, start + row, own, others) > 0]
                others = pick(others, "hard" if negatives == "semi-hard" else negatives, "hard")
            if is_apart or (len(own) and len(others)):
                yield start + row, own, others

    return sides


def mine_uniform_histogram(
    points: Points,
    *,
    margin: float = 1.0,
    seed: int = 0,
    steps: int = 100,
    per_bin: int = 10,
    threads: Workers | None = None,
    progress: Callable[[int, int], None] | None = None,
    block: int | None = None,
) -> Blocks:
    """Pairs drawn so that all distances are as likely: `per_bin` positive and as many negative ones of each of
    `steps` steps between the least and the largest distance of their kind; all triplets of two such pairs of an anchor.

    Fewer where a bin holds fewer. Distances are those of float64.
    Source: Musgrave, Belongie, Lim, PyTorch Metric Learning, 2020 (its UniformHistogramMiner).
    """
    kinds = drawn_pairs(points, seed, steps, per_bin)

    def choose(start: int, stop: int, first: int, last: int) -> Mined:
        blocks = []
        for anchor in range(start, stop if first == 0 else start):
            own, others = (np.sort(pairs[pairs[:, 0] == anchor, 1]) for pairs in kinds)
            blocks.append(product(points, anchor, own, others, margin))
        return joined(blocks)

    yield from in_parts(points, choose, threads, progress, block)


def drawn_pairs(points: Points, seed: int, steps: int, per_bin: int, *, is_lone: bool = False) -> list[np.ndarray]:
    """The positive pairs that `mine_uniform_histogram` draws, and the negative ones: each (k, 2), as places.

    is_lone: also those of anchors that have only one kind
    """
    stop = points.begin + (points.everyone if is_lone else points.anchors)
    ends = _ends(points, stop)
    kinds: list[np.ndarray] = []
    for kind in (0, 1):
        best = np.empty((0, 4))
        for start, pairs in _pairs_of(points, kind, stop):
            best = _lowest_of_bins(points, start, pairs, best, seed + kind, ends[kind], steps, per_bin)
        kinds.append(best[:, 2:].astype(np.int64))
    return kinds


# ------------------------------------------------------------------------------------------------------------ decisions


def against(judge: Judge, start: int, stop: int, distance: float) -> np.ndarray:
    """(B, N) the signs of the anchors' distances less one distance: by products, by differences, by integers."""
    points, gram = judge.points, judge.gram
    squares = points.squares(start, stop)
    errors = gram.bounds(start, stop)[:, None]
    low, high = (float(end[0]) for end in interval(judge, np.full(1, gram.offset), np.zeros(1), distance))
    sides: np.ndarray = (squares - errors > high).astype(np.int8) - (squares + errors < low)
    if gram.is_exact and low == high:
        return sides
    i, j = np.nonzero(sides == 0)
    squares = gram.direct(i + start, j)
    errors = gram.direct_errors(squares)
    finer = (squares - errors > high).astype(np.int8) - (squares + errors < low)
    rest = np.flatnonzero(finer == 0)
    twins = np.stack([judge.twins[i[rest] + start], judge.twins[j[rest]]])
    different, kind = np.unique(twins, axis=1, return_inverse=True)
    exact = [judge.exact.compare(int(a), int(a), int(b), distance) for a, b in different.T]
    finer[rest] = np.array(exact, np.int8)[kind.ravel()]
    sides[i, j] = finer
    return sides


def _opens(
    judge: Judge, weight: Fraction, triplet: tuple[int, int, np.ndarray], sides: tuple[Any, ...], error: float
) -> np.ndarray:
    """(n,) whether (1 + w) S_ap > 2 w (S_an + S_pn), for squares that may be wrong by `error` together."""
    anchor, positive, negatives = triplet
    w = float(weight)
    (opened, room) = _gap(w, *sides)
    unsure = np.flatnonzero(abs(opened) <= (1.0 + 4.0 * w) * error + room)
    is_wide: np.ndarray = opened > 0
    for place in unsure.tolist():
        negative = int(negatives[place])
        is_wide[place] = judge.exact.opens(anchor, positive, negative, weight) > 0
    return is_wide


def _gap(w: float, ap: Any, an: Any, pn: Any) -> tuple[Any, Any]:
    """The two sides' difference, and more than the rounding of it."""
    left, right = (1.0 + w) * ap, 2.0 * w * (an + pn)
    return left - right, ROUNDED * (abs(left) + abs(right))


def _beyond(judge: Judge, anchor: int, pivot: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(n,) the signs of the distances of the others less that of the pivot, (1,); all 0 without a pivot."""
    if not len(pivot):
        return np.zeros(len(others), np.int64)
    sides: np.ndarray
    sides, _ = signs(judge, anchor, np.zeros(len(others), np.int64), np.repeat(pivot, len(others)), others)
    return sides


def _pick(
    judge: Judge, anchor: int, squares: np.ndarray, bound: float, points: np.ndarray, way: str, nearest: str
) -> np.ndarray:
    """The nearest point, where the way is that of the nearest, or the farthest, (1,); all of them, or none of none."""
    if way == "all" or not len(points):
        return points
    is_farthest = way != nearest
    own = squares[points]
    end = own.max() if is_farthest else own.min()
    near = points[abs(own - end) <= 2.5 * bound]
    return near if len(near) == 1 else np.array([settle(judge, anchor, near, is_farthest)])


# ---------------------------------------------------------------------------------------------------------------- words


def product(points: Points, anchor: int, positives: np.ndarray, negatives: np.ndarray, margin: float) -> Mined:
    """Each positive of an anchor with each negative, by rows."""
    positives, negatives = (side[np.argsort(points.rows[side], kind="stable")] for side in (positives, negatives))
    d_ap, d_an = (points.measured(points.gram.direct(np.full(len(s), anchor), s)) for s in (positives, negatives))
    d_ap, d_an = np.repeat(d_ap, len(negatives)), np.tile(d_an, len(positives))
    own, others = np.repeat(points.rows[positives], len(negatives)), np.tile(points.rows[negatives], len(positives))
    rows = np.stack([np.full(len(own), points.rows[anchor]), own, others], axis=1)
    return Mined(rows, d_ap, d_an, np.maximum(d_ap - d_an + margin, 0.0))


def _positives(
    points: Points, start: int, stop: int, first: int = 0, last: int | None = None
) -> Iterator[tuple[int, np.ndarray]]:
    """Each of the anchors start..stop, from 0, with its positives among the places first..last of its class."""
    index, exists = own_class(points, start, stop)
    is_positive = exists & (index != np.arange(start, stop)[:, None]) if points.holds_self else exists
    for row in range(stop - start):
        here = slice(first, last)
        yield row, index[row, here][is_positive[row, here]]


def check_distances(points: Points) -> None:
    """UsageError for what only tells who is nearer."""
    if points.is_signed:
        raise UsageError(
            "pair-margin of the distance dot",
            why="it asks how far points are apart, and less the inner product only tells what is nearer",
            fix="use --distance cosine",
        )


def _check_ways(positives: str, negatives: str) -> None:
    for way in (positives, negatives):
        if way not in WAYS:
            raise UsageError(f"unknown kind {way!r}", fix=f"choose from {', '.join(WAYS)}")
    if "semi-hard" in (positives, negatives) and {positives, negatives} <= {"semi-hard", "all"}:
        raise UsageError(
            f"{positives} positives with {negatives} negatives",
            why="a semi-hard one is told by one of the other kind, which is chosen first",
            fix="use --positives easy --negatives semi-hard",
        )


def _pairs_of(points: Points, kind: int, end: int) -> Iterator[tuple[int, np.ndarray]]:
    """The positive (0) or negative (1) pairs of the anchors, some at a time: where these begin, and which, (B, N)."""
    for start in range(points.begin, end, PANEL):
        yield start, points.relations(start, min(start + PANEL, end))[kind]


def _ends(points: Points, end: int) -> list[tuple[float, float]]:
    """The least and the largest distance of positive pairs, and of negative ones."""
    ends = []
    for kind in (0, 1):
        low, high = math.inf, -math.inf
        for start, pairs in _pairs_of(points, kind, end):
            distances = _distances(points, start, len(pairs))[pairs]
            low, high = min(low, distances.min(initial=low)), max(high, distances.max(initial=high))
        ends.append((low, high))
    return ends


def _distances(points: Points, start: int, count: int) -> np.ndarray:
    return points.measured(np.maximum(points.squares(start, start + count), 0.0))


def _lowest_of_bins(
    points: Points, start: int, pairs: np.ndarray, best: np.ndarray, seed: int, ends: tuple[float, float], steps: int,
    per_bin: int,
) -> np.ndarray:  # fmt: skip
    """(k, 4) bin, draw, anchor and other of the `per_bin` pairs with the lowest draws of each bin: of these and those
    before."""
    i, j = np.nonzero(pairs)
    low, high = ends
    shares = (_distances(points, start, len(pairs))[i, j] - low) / ((high - low) or 1.0)
    of_bin = np.minimum((shares * steps).astype(np.int64), steps - 1)
    draws = uniform(seed, points.rows[i + start], points.rows[j])
    both = np.concatenate([best, np.stack([of_bin, draws, i + start, j], axis=1)])
    both = both[np.lexsort((both[:, 3], both[:, 2], both[:, 1], both[:, 0]))]
    place = np.arange(len(both)) - np.searchsorted(both[:, 0], both[:, 0])
    return both[place < per_bin]


# ---------------------------------------------------------------------------------------------------------------- table


class Strategy(NamedTuple):
    """How triplets are mined, how many are to be expected, whether a device can find them, and whether distances may be
    left rough."""

    mine: Callable[..., Blocks]
    expected: Callable[..., Estimate]
    is_on_device: bool = False
    may_be_rough: bool = False


def _estimate(choose_of: Callable[..., Choose], points: Points, **options: Any) -> Estimate:
    """What is chosen from about SAMPLE anchors spread over the set, for all of them."""
    choose, used = choose_of(points, **options), points.used
    most = int((points.positives(used.start, used.stop) * points.negatives(used.start, used.stop)).sum())
    anchors = range(used.start, used.stop, max(1, points.anchors // SAMPLE))
    count = sum(len(choose(anchor, anchor + 1, 0, points.widest)) for anchor in anchors)
    return Estimate(round(count * points.anchors / max(1, len(anchors))), len(anchors) == points.anchors, most)


def _estimate_uniform_histogram(points: Points, *, steps: int, per_bin: int, **_: Any) -> Estimate:
    """How many triplets full bins would give, of pairs that are spread evenly over the anchors."""
    sides = (count(points.used.start, points.used.stop) for count in (points.positives, points.negatives))
    positive, negative = (min(int(pairs.sum()), steps * per_bin) for pairs in sides)
    return Estimate(round(positive * negative / max(1, points.anchors)), False, positive * negative)


def _by_parts(
    choose_of: Callable[..., Choose],
    points: Points,
    *,
    threads: Workers | None = None,
    progress: Callable[[int, int], None] | None = None,
    block: int | None = None,
    **options: Any,
) -> Blocks:
    return in_parts(points, choose_of(points, **options), threads, progress, block)


def _chosen(choose_of: Callable[..., Choose]) -> Strategy:
    return Strategy(partial(_by_parts, choose_of), partial(_estimate, choose_of))


STRATEGIES = {
    "batch-hard": Strategy(mining.mine_batch_hard, mining.estimate_anchors, is_on_device=True),
    "semi-hard": Strategy(mining.mine_semi_hard, mining.estimate_pairs, is_on_device=True, may_be_rough=True),
    "random-semi-hard": Strategy(
        mining.mine_random_semi_hard,
        partial(mining.estimate_pairs, fallback="drop"),
        is_on_device=True,
        may_be_rough=True,
    ),
    "hardest": Strategy(mining.mine_hardest, mining.estimate_hardest),
    "all": Strategy(mining.mine_all, mining.estimate_all),
    "easy-positive": Strategy(mining.mine_easy_positive, partial(mining.estimate_anchors, fallback="drop")),
    "multi-similarity": Strategy(mining.mine_multi_similarity, mining.estimate_multi_similarity),
    "distance-weighted": Strategy(mining.mine_distance_weighted, mining.estimate_pairs, may_be_rough=True),
    "pair-margin": _chosen(pair_margin),
    "angular": _chosen(angular),
    "easy-hard": _chosen(easy_hard),
    "uniform-histogram": Strategy(mine_uniform_histogram, _estimate_uniform_histogram),
}
ON_DEVICE = tuple(name for name, strategy in STRATEGIES.items() if strategy.is_on_device)
