"""Where d_ap and d_ap + margin fall among an anchor's negatives, counted and proven.

One sort does it. A key is a squared distance whose lowest bits are replaced by the column it belongs to, so a row of
sorted keys gives ranks and neighbours at once. A threshold is an interval that surely holds the truth: what lies below
it is below, what lies above it is above, and the few between are decided again, by differences and then by integers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..language.numerics import picked
from .gram import NEAR
from .points import HUGE, Points, own_class, take_own
from .ties import Judge, interval, signs

STRIP = 1 << 18  # values ranked at a time, so that keys and sums stay in the cache
AT_ONCE = 1 << 20  # borderline triplets decided in one pass
ADDED = 1 << 18  # values added up at a time, so that copies are small and stay in the cache
CROWDED = 4  # so many times N borderline triplets, and an anchor's distances are all measured again


@dataclass(frozen=True)
class Ranks:
    """The negatives of B anchors, nearest first, and where each positive falls among them.

    keys: (B, N) int64 in ascending order, see `columns`; those from negatives[b] on are no negatives
    squares: (B, N) squared distances (scaled as in the gram), inf for the anchor's own class
    index, weight: (B, K) the positives' positions, nearest first up to the resolution of a key, and how often each
        counts; the anchor itself, and once more for each point that its class lacks, counts 0 times
    places: (B, K) where each stands in `points.own_class`
    positives: (B, K) their squared distances
    sure: (B, J, K) how many columns are surely below d_ap + margins[j]
    hard: (B, K) how many columns are surely not beyond d_ap
    below, ties: (B, J, K) how many negatives are below, and exactly at, d_ap + margins[j], weighted
    undecided: (B, J) triplets that nothing but float64 decided
    decided_hard: row -> (k, columns) for the borderline triplets that are hard after all
    decided_sums: row -> (J, K) the sums of d_an over those that are below after all, weighted
    cuts: (B, C) how many columns are below each of the C squared distances that were asked for too
    """

    start: int
    keys: np.ndarray
    squares: np.ndarray
    negatives: np.ndarray
    index: np.ndarray
    places: np.ndarray
    weight: np.ndarray
    positives: np.ndarray
    sure: np.ndarray
    hard: np.ndarray
    below: np.ndarray
    ties: np.ndarray
    undecided: np.ndarray
    decided_hard: dict[int, list[tuple[np.ndarray, np.ndarray]]]
    decided_sums: dict[int, np.ndarray]
    cuts: np.ndarray
    key_mask: int

    def columns(self, anchor: int | slice, positions: slice) -> np.ndarray:
        """The points at these places of the order, nearest first up to the error of the product."""
        return self.keys[anchor, positions] & self.key_mask


def strip_starts(points: Points, start: int, stop: int) -> range:
    """Where strips of the anchors start..stop begin, relative to `start`: of about STRIP values, and of one length."""
    count, widest = stop - start, int(points.sizes(start, stop).max(initial=0))
    strips = max(1, round(count * (len(points) + widest) / STRIP))
    return range(0, count, max(4, -(-count // strips)))


def rank(judge: Judge, squares: np.ndarray, start: int, cuts: Sequence[float] | np.ndarray = ()) -> Ranks:
    """Ranks of the anchors from `start` on, (B, N) squared distances given, and those of C squared distances `cuts`;
    overwrites `squares`."""
    points, stop = judge.points, start + len(squares)
    key_mask = _mask(len(points))
    index, places, weight, positives, errors = _positives(judge, squares, start)
    keys = _sorted_keys(judge, squares, start, key_mask)
    bounds = judge.gram.bounds(start, stop)[:, None]
    low, high = _thresholds(judge, positives, errors, lambda _: bounds)
    negatives = points.negatives(start, stop)
    reach = int(negatives.max()) + 1  # one that is infinite closes each row
    sure, inside, below_cuts = _search(keys, reach, low, high, key_mask, np.asarray(cuts, np.float64))
    if inside is not None and not judge.gram.is_exact:
        for row in map(int, np.flatnonzero(inside.sum(axis=(1, 2)) > CROWDED * len(points))):
            here = slice(row, row + 1)
            positives[here] = _measure_again(judge, squares[here], keys[here], index[here], start + row, key_mask)
            squared, wrong = positives[here], judge.gram.direct_errors(positives[here])
            low[here], high[here] = _thresholds(judge, squared, wrong, lambda x: 2 * judge.gram.direct_errors(x))
            sure[here], still, _ = _search(keys[here], reach, low[here], high[here], key_mask, np.zeros(0))
            inside[here] = 0 if still is None else still
    ranks = Ranks(
        start=start,
        keys=keys,
        squares=squares,
        negatives=negatives,
        index=index,
        places=places,
        weight=weight,
        positives=positives,
        sure=sure,
        hard=sure[:, 0].copy(),
        below=_weighed(judge, keys, sure, key_mask),
        ties=np.zeros(sure.shape, np.int64),
        undecided=np.zeros(sure.shape[:2], np.int64),
        decided_hard={},
        decided_sums={},
        cuts=below_cuts,
        key_mask=key_mask,
    )
    if inside is not None:
        inside *= (weight > 0)[:, None]
        _count_sharp(judge, ranks, inside, low == high)
        for row in map(int, np.flatnonzero(inside.any(axis=(1, 2)))):
            _decide(judge, ranks, row, inside[row])
    return ranks


def _count_sharp(judge: Judge, ranks: Ranks, inside: np.ndarray, is_point: np.ndarray) -> None:
    """Where squares are exact and an interval is one number, all inside are ties; takes them out of `inside`."""
    if not judge.gram.is_exact or not inside.any():
        return
    tied = np.where(is_point, inside, 0)
    ranks.ties[...] = _weighed(judge, ranks.keys, ranks.sure + tied, ranks.key_mask) - ranks.below
    ranks.hard[...] += tied[:, 0]
    inside -= tied


def _mask(count: int) -> int:
    """The lowest bits of a key that can hold any of so many columns."""
    return (1 << max(count - 1, 1).bit_length()) - 1


def _positives(judge: Judge, squares: np.ndarray, start: int) -> tuple[np.ndarray, ...]:
    """The anchors' own classes, nearest first: positions, places in the class, weights, squared distances and their
    errors, (B, K) each.

    Makes what is no negative in `squares` infinite.
    """
    points, gram = judge.points, judge.gram
    stop = start + len(squares)
    anchors, first = np.arange(start, stop)[:, None], points.first[start:stop, None]
    size = points.sizes(start, stop)[:, None]
    own_squares = take_own(points, squares, start)
    mask = _mask(own_squares.shape[1])
    order = _make_keys(own_squares, np.arange(own_squares.shape[1]), mask)
    order.sort(axis=1)
    order &= mask
    ordered = own_squares.take(order + np.arange(len(order))[:, None] * order.shape[1])
    index = order + first if points.masks is None else picked(own_class(points, start, stop)[0], order)
    weight = np.ones(index.shape, np.int64) if points.weights is None else points.weights.take(index, mode="clip")
    errors = np.repeat(gram.bounds(start, stop)[:, None], index.shape[1], axis=1)
    if not gram.is_exact:
        limits = np.maximum(NEAR * (gram.norms[start:stop, None] + gram.largest_norm), gram.least)
        near = np.flatnonzero(ordered < limits)
        i, k = near // index.shape[1] + start, index.ravel()[near]
        is_near = ordered.ravel()[near] < np.maximum(NEAR * (gram.norms[i] + gram.norms[k]), gram.least)
        near, measured = near[is_near], gram.direct(i[is_near], k[is_near])
        ordered.ravel()[near] = measured
        errors.ravel()[near] = gram.direct_errors(measured)
    zero = np.flatnonzero(index == anchors)
    weight.ravel()[zero] -= 1
    if int(size.min()) < index.shape[1]:
        is_lacking = order >= size
        index = np.where(is_lacking, anchors, index)
        weight[is_lacking] = 0
        zero = np.flatnonzero(index == anchors)
    ordered.ravel()[zero] = errors.ravel()[zero] = 0.0
    return index, order, weight, ordered, errors


def _sorted_keys(judge: Judge, squares: np.ndarray, start: int, key_mask: int) -> np.ndarray:
    """Keys in ascending order, (B, N); near pairs are measured by differences first, in `squares` too."""
    gram = judge.gram
    keys = _make_keys(
        squares, np.arange(squares.shape[1]), key_mask, judge.scratch.array("keys", squares.shape, np.int64)
    )
    keys.sort(axis=1)
    if gram.is_exact:
        return keys
    stop = start + len(squares)
    limits = np.maximum(NEAR * (gram.norms[start:stop] + gram.largest_norm), gram.least)
    reach = limits + 2 * gram.bounds(start, stop)
    for row in np.flatnonzero((keys[:, 0] & ~key_mask) < limits.view(np.int64)):
        count = int(keys[row].searchsorted(reach.view(np.int64)[row] | key_mask, "right"))
        columns = keys[row, :count] & key_mask
        near = columns[squares[row, columns] < limits[row]]
        squares[row, near] = gram.direct(np.full(len(near), start + row), near)
        keys[row, :count] = np.sort(_make_keys(squares[row, columns], columns, key_mask))
    return keys


def _measure_again(
    judge: Judge, squares: np.ndarray, keys: np.ndarray, index: np.ndarray, anchor: int, key_mask: int
) -> np.ndarray:
    """Distances of one anchor by differences only: fills its `squares` and `keys`, returns those of its positives."""
    columns = np.arange(squares.shape[1])
    measured: np.ndarray = judge.gram.direct(np.full(len(columns), anchor), columns)
    squares[0] = np.where(np.isinf(squares[0]), np.inf, measured)
    keys[0] = np.sort(_make_keys(squares[0], columns, key_mask))
    again: np.ndarray = judge.gram.direct(np.full(index.size, anchor), index.ravel()).reshape(index.shape)
    return again


def _make_keys(squares: np.ndarray, columns: np.ndarray, key_mask: int, out: np.ndarray | None = None) -> np.ndarray:
    keys: np.ndarray = np.bitwise_and(squares.view(np.int64), ~key_mask, out=out)
    np.bitwise_or(keys, columns, out=keys)
    return keys


# --- thresholds


def _thresholds(
    judge: Judge, positives: np.ndarray, errors: np.ndarray, slack: Callable[[np.ndarray], np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Both ends, (B, J, K) each, of intervals that hold the square of d_ap + margin, widened by the error `slack` of
    the squares that will be compared with them."""
    low, high = np.empty((2, len(positives), len(judge.margins), positives.shape[1]))
    for j, margin in enumerate(judge.margins):
        lowest, highest = interval(judge, positives, errors, margin)
        np.subtract(lowest, slack(lowest), out=low[:, j])
        np.add(highest, slack(highest), out=high[:, j])
    return np.clip(low, 0.0, HUGE, out=low), np.minimum(high, HUGE, out=high)


def _search(
    keys: np.ndarray, reach: int, low: np.ndarray, high: np.ndarray, key_mask: int, cuts: np.ndarray
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
    """How many keys are surely below each interval, and how many lie inside, (B, J, K) each, None for none at all; and
    how many are below each of the cuts, (B, C).

    reach: how many keys of a row matter, one that is infinite among them
    """
    shape, ends = low.shape, low.shape[1] * low.shape[2]
    places = np.empty((len(keys), ends + len(cuts)), np.int64)
    sure, below_cuts = places[:, :ends].reshape(shape), places[:, ends:]
    np.bitwise_and(low.view(np.int64), ~key_mask, out=sure)
    below_cuts[...] = cuts.view(np.int64) & ~key_mask
    for row, line in enumerate(keys[:, :reach]):
        places[row] = line.searchsorted(places[row])
    high_keys = high.view(np.int64) | key_mask
    touched = keys.take(sure + np.arange(len(keys))[:, None, None] * keys.shape[1]) <= high_keys
    if not touched.any():
        return sure, None, below_cuts
    inside = np.zeros(shape, np.int64)
    for row in map(int, np.flatnonzero(touched.any(axis=(1, 2)))):
        j, k = np.nonzero(touched[row])
        inside[row, j, k] = keys[row].searchsorted(high_keys[row, j, k], "right") - sure[row, j, k]
    return sure, inside, below_cuts


def _weighed(judge: Judge, keys: np.ndarray, counts: np.ndarray, key_mask: int) -> np.ndarray:
    """How many points the first `counts` columns of each row stand for, (B, J, K)."""
    if judge.points.weights is None:
        return counts.copy()
    sums = np.zeros((keys.shape[0], keys.shape[1] + 1), np.int64)
    np.cumsum(judge.points.weights[keys & key_mask], axis=1, out=sums[:, 1:])
    weighed: np.ndarray = sums[np.arange(len(keys))[:, None, None], counts]
    return weighed


# --- decisions


def _decide(judge: Judge, ranks: Ranks, row: int, inside: np.ndarray) -> None:
    """Sort what lies inside the intervals of one anchor, (J, K), into below, tied and above; adds to `ranks`."""
    j, k = np.nonzero(inside)
    turns = np.cumsum(inside[j, k]) // AT_ONCE  # which of the passes an interval belongs to
    for turn in range(int(turns[-1]) + 1):
        part = turns == turn
        _decide_part(judge, ranks, row, j[part], k[part], inside)


def _decide_part(judge: Judge, ranks: Ranks, row: int, j: np.ndarray, k: np.ndarray, inside: np.ndarray) -> None:
    counts = inside[j, k]
    first = ranks.sure[row, j, k] - (np.cumsum(counts) - counts)
    places = np.arange(counts.sum()) + np.repeat(first, counts)
    columns = ranks.keys[row, places] & ranks.key_mask
    j, k = np.repeat(j, counts), np.repeat(k, counts)
    sides, guessed, d_an = signs(judge, ranks.start + row, j, ranks.index[row, k], columns)
    members = np.ones(len(columns), np.int64) if judge.points.weights is None else judge.points.weights[columns]
    np.add.at(ranks.below[row], (j, k), members * (sides < 0))
    np.add.at(ranks.ties[row], (j, k), members * (sides == 0))
    np.add.at(ranks.undecided[row], j[guessed], ranks.weight[row, k[guessed]] * members[guessed])
    sums = ranks.decided_sums.setdefault(row, np.zeros(inside.shape))
    np.add.at(sums, (j, k), judge.points.measured(d_an) * members * (sides < 0))
    hard = (j == 0) & (sides <= 0)
    ranks.decided_hard.setdefault(row, []).append((k[hard], columns[hard]))


# --- sums


def sums_below(judge: Judge, ranks: Ranks, d_an: np.ndarray) -> np.ndarray:
    """(B, J, K) the sums of the distances to the negatives in `ranks.below`, (B, N) distances given."""
    weights, counts = judge.points.weights, ranks.sure.reshape(len(d_an), -1)
    width = int(counts.max(initial=0)) + 1
    columns = np.bitwise_and(
        ranks.keys[:, :width], ranks.key_mask, out=judge.scratch.array("columns", (len(d_an), width), np.int64)
    )
    members = None if weights is None else weights[columns]
    columns += np.arange(len(d_an))[:, None] * d_an.shape[1]
    ordered = d_an.take(
        columns, out=judge.scratch.array("sorted", columns.shape), mode="clip"
    )  # "raise" would make a copy
    if members is not None:
        ordered *= members
    sums = sums_of_first(ordered, counts).reshape(ranks.sure.shape)
    for row, decided in ranks.decided_sums.items():
        sums[row] += decided
    return sums


def sums_of_first(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """(B, K) the sums of the first counts[b, k] values of each row, float64; (B, W) values, the last is in no sum."""
    size, width = values.shape
    step = max(1, ADDED // width)
    if step < size:
        strips = (slice(k, k + step) for k in range(0, size, step))
        return np.concatenate([sums_of_first(values[strip], counts[strip]) for strip in strips])
    if 8 * counts.shape[1] > width:
        sums = np.zeros(values.shape)
        np.cumsum(values[:, :-1], axis=1, dtype=np.float64, out=sums[:, 1:])
        result: np.ndarray = sums.take(counts + np.arange(size)[:, None] * width)
        return result
    order = counts.argsort(axis=1)
    ends = np.zeros((size, counts.shape[1] + 1), np.int64)
    ends[:, 1:] = np.take_along_axis(counts, order, axis=1)
    rows = np.arange(size)[:, None] * width
    parts = np.add.reduceat(values.ravel(), (ends + rows).ravel(), dtype=np.float64).reshape(ends.shape)[:, :-1]
    parts[ends[:, 1:] == ends[:, :-1]] = 0  # reduceat gives one value where it should give none
    totals = np.empty(counts.shape)
    np.put_along_axis(totals, order, parts.cumsum(axis=1), axis=1)
    return totals
