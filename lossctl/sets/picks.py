"""Which positive and which negatives a strategy takes: exactly, whatever the block; ties go to the lower row number.

A place in the order of an anchor's negatives, by distance and then by row number, names one point. Sorted keys give it
wherever the neighbours in the order are too far to be confused; the rest is ordered by differences and by integers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..errors import UsageError
from ..language.numerics import picked
from .points import Points
from .ranks import Ranks, by_place, rank, sums_below
from .strips import FEW, Reach, strips
from .ties import Judge, Judges, distinct

MANY = 4  # one place asked for among so many, and all are looked at in their order
FALLBACKS = ("hardest", "easiest", "drop")


def ranked(judge: Judge, start: int, stop: int, reach: Reach) -> Iterator[Ranks]:
    """Ranks of the anchors start..stop, a few at a time; their arrays lie in the judge's scratch, until the next."""
    for strip in strips(judge, start, stop, reach):
        yield rank(judge, strip)


# ------------------------------------------------------------------------------------------------------ places in order


def negatives_at(judge: Judge, ranks: Ranks, places: np.ndarray) -> np.ndarray:
    """(B, K) the points at these places of each anchor's order; -1 where the place is -1."""
    inside = places.clip(0)
    negatives = np.where(places < 0, -1, ranks.at(inside))
    crowded = (places >= 0) & ~_stands_alone(judge, ranks, inside)
    rows = np.flatnonzero(crowded.any(axis=1))
    if judge.gram.is_exact and len(rows):
        exact = picked(_exact_order(judge, ranks, rows)[1], inside[rows])
        negatives[rows] = np.where(crowded[rows], exact, negatives[rows])
        return negatives
    for row in rows.tolist():
        starts, targets = _run_starts(judge, ranks, row), inside[row, crowded[row]]
        runs, run = distinct(starts.searchsorted(targets, "right") - 1, len(starts))
        counts = starts[runs + 1] - starts[runs]
        before = starts[runs] - (np.cumsum(counts) - counts)  # the places of a run, less those in what follows
        columns = ranks.columns(row, np.arange(counts.sum()) + np.repeat(before, counts))
        order = in_order(judge, ranks.start + row, columns)
        negatives[row, crowded[row]] = order[targets - before[run]]
    return negatives


def farthest_negatives(judge: Judge, ranks: Ranks) -> np.ndarray:
    """(B,) the farthest negative that is here of each anchor, the lowest row of those that tie."""
    last = ranks.present - 1
    farthest = ranks.at(last[:, None])[:, 0]
    rows = np.flatnonzero(~_stands_alone(judge, ranks, last[:, None])[:, 0])
    if judge.gram.is_exact and len(rows):
        squares, exact = _exact_order(judge, ranks, rows)
        first = (squares < picked(squares, last[rows, None])).sum(axis=1)
        farthest[rows] = picked(exact, first[:, None])[:, 0]
        return farthest
    for row in rows.tolist():
        begin, end = run_around(judge, ranks, row, int(last[row]))
        farthest[row] = settle(judge, ranks.start + row, ranks.columns(row, slice(begin, end)), True)
    return farthest


def _exact_order(judge: Judge, ranks: Ranks, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(b, W) what stands at each place of some rows whose squares are exact, in the order of these and then of row
    numbers: the squares, as keys, and the points."""
    order, place = judge.by_row
    mask = (1 << max(len(order) - 1, 1).bit_length()) - 1
    keys = ranks.keys[rows]
    columns = keys & ranks.key_mask
    keys &= ~(ranks.key_mask | mask)
    keys |= place[columns if ranks.table is None else picked(ranks.table[rows], columns)]
    keys.sort(axis=1)
    return keys & ~mask, order[keys & mask]


def _reach(judge: Judge, ranks: Ranks, values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """How far apart two squared distances around `values` have to be, to be in the order that they seem to be."""
    if judge.gram.is_exact:
        return 0.0 * values
    bounds = judge.gram.bounds(ranks.start, ranks.start + len(ranks.keys))[rows]
    resolution = 4.0 * (ranks.key_mask + 1) * 2.0**-52
    reach: np.ndarray = 2.5 * bounds + resolution * values
    return reach


def _stands_alone(judge: Judge, ranks: Ranks, places: np.ndarray) -> np.ndarray:
    """Where the negative at a place cannot be confused with its neighbours in the order, (B, K)."""
    if places.shape[1] > ranks.keys.shape[1] // MANY:
        here: np.ndarray = picked(_all_alone(judge, ranks), places)
        return here
    rows, last = np.arange(len(ranks.keys))[:, None], ranks.keys.shape[1] - 1
    here, before, after = (
        _value(ranks, picked(ranks.keys, side))
        for side in (places, np.maximum(places - 1, 0), np.minimum(places + 1, last))
    )
    reach = _reach(judge, ranks, here, rows)
    is_first, is_last = places == 0, places >= ranks.present[:, None] - 1
    alone: np.ndarray = (is_first | (here - before > reach)) & (is_last | (after - here > reach))
    return alone


def _all_alone(judge: Judge, ranks: Ranks) -> np.ndarray:
    """(B, W) the same of all places: those of negatives."""
    values, rows = _value(ranks, ranks.keys), np.arange(len(ranks.keys))[:, None]
    is_apart = np.ones((len(values), values.shape[1] + 1), bool)  # what is before a place, and what is at it
    with np.errstate(invalid="ignore"):  # behind the negatives, where all is inf
        np.greater(np.diff(values, axis=1), _reach(judge, ranks, values[:, 1:], rows), out=is_apart[:, 1:-1])
    np.put_along_axis(is_apart, ranks.present[:, None], True, axis=1)
    alone: np.ndarray = is_apart[:, :-1] & is_apart[:, 1:]
    return alone


def _value(ranks: Ranks, keys: np.ndarray) -> np.ndarray:
    value: np.ndarray = np.ascontiguousarray(keys & ~ranks.key_mask).view(np.float64)
    return value


def _run_starts(judge: Judge, ranks: Ranks, row: int) -> np.ndarray:
    """Where the runs of places begin whose order is in doubt, and where the last one ends."""
    values = _value(ranks, ranks.keys[row, : ranks.present[row]])
    gaps = np.diff(values) > _reach(judge, ranks, values[:-1], np.asarray(row))
    return np.concatenate([[0], np.flatnonzero(gaps) + 1, [len(values)]])


def run_around(judge: Judge, ranks: Ranks, row: int, place: int) -> tuple[int, int]:
    """The places around `place` whose order is in doubt."""
    starts = _run_starts(judge, ranks, row)
    number = int(starts.searchsorted(place, "right")) - 1
    return int(starts[number]), int(starts[number + 1])


def in_order(judge: Judge, anchor: int, columns: np.ndarray) -> np.ndarray:
    """Points by their distance from the anchor, then by row number: by differences, and by integers where they tie."""
    order = np.lexsort((judge.points.rows[columns], distance_ranks(judge, anchor, columns)))
    return columns[order]


def settle(judge: Judge, anchor: int, columns: np.ndarray, is_farthest: bool) -> int:
    """The nearest of some points, or the farthest; of those that tie, the one with the lowest row number."""
    places = distance_ranks(judge, anchor, columns)
    tied = columns[places == (places.max() if is_farthest else places.min())]
    return int(tied[np.argmin(judge.points.rows[tied])])


def distance_ranks(judge: Judge, anchor: int, columns: np.ndarray) -> np.ndarray:
    """Whole numbers in the order of the points' distances from the anchor, equal for equal distances."""
    leaders = judge.alike(anchor, columns)
    if (leaders == leaders[0]).all():
        return np.zeros(len(leaders), np.int64)
    different, kind = np.unique(leaders, return_inverse=True)
    squares = judge.gram.direct(np.full(len(different), anchor), different)
    order = np.argsort(squares)
    low, high = squares - judge.gram.direct_errors(squares), squares + judge.gram.direct_errors(squares)
    apart = low[order][1:] > np.maximum.accumulate(high[order])[:-1]
    if judge.gram.is_exact:
        apart = np.diff(squares[order]) > 0
    ranks = np.empty(len(order), np.int64)
    ranks[order] = np.concatenate([[0], np.cumsum(apart)])
    if not judge.gram.is_exact:
        ranks *= len(order)
        for group in np.flatnonzero(np.bincount(ranks) > 1):
            members = np.flatnonzero(ranks == group)
            exact = [judge.exact.order(anchor, int(point)) for point in different[members]]
            place = {value: number for number, value in enumerate(sorted(set(exact)))}
            ranks[members] += [place[value] for value in exact]
    return ranks[kind]


# ----------------------------------------------------------------------------------------------------------- strategies


def semi_hard_negatives(judges: Judges, start: int, stop: int, fallback: str) -> np.ndarray:
    """(B, K) for each point of the anchors' classes the nearest negative beyond it; -1 for none, or no positive."""
    if fallback not in FALLBACKS:
        raise UsageError(f"unknown fallback {fallback!r}", fix=f"choose one of {', '.join(FALLBACKS)}")
    if judges.points.finder is not None:
        return judges.points.finder.semi_hard(start, stop, fallback)
    judge = judges.judge()
    anchors = ranked(judge, start, stop, "beyond")
    return _stacked([semi_hard_strip(judge, ranks, fallback) for ranks in anchors], np.int64)


def semi_hard_strip(judge: Judge, ranks: Ranks, fallback: str) -> np.ndarray:
    """(B, K), as above, for ranked anchors; column k is point k of `points.own_class`."""
    places = ranks.below[:, 0] + ranks.ties[:, 0]
    is_beyond = places < ranks.negatives[:, None]
    negatives = negatives_at(judge, ranks, np.where(is_beyond, places, -1))
    if fallback == "hardest":
        negatives = np.where(is_beyond, negatives, negatives_at(judge, ranks, np.zeros((len(negatives), 1), np.int64)))
    elif fallback == "easiest" and not is_beyond.all():
        negatives = np.where(is_beyond, negatives, farthest_negatives(judge, ranks)[:, None])
    nearest = None if ranks.is_whole else negatives_at(judge, ranks, np.zeros((len(negatives), 1), np.int64))
    return _by_class_place(judge.points, ranks, negatives, nearest)


def random_semi_hard_negatives(judges: Judges, start: int, stop: int, margin: float, seed: int) -> np.ndarray:
    """(B, K) for each point of the anchors' classes a random semi-hard negative; -1 for none, or no positive."""
    if judges.points.finder is not None:
        return judges.points.finder.random_semi_hard(start, stop, margin, seed)
    judge = judges.judge((float(margin),))
    return _stacked([random_strip(judge, ranks, seed) for ranks in ranked(judge, start, stop, "below")], np.int64)


def random_strip(judge: Judge, ranks: Ranks, seed: int) -> np.ndarray:
    """(B, K), as above, for ranked anchors."""
    first, band = ranks.below[:, 0] + ranks.ties[:, 0], ranks.below[:, 1]
    anchors = judge.points.rows[ranks.start : ranks.start + len(first), None]
    draw = uniform(seed, anchors, judge.points.rows[ranks.index])
    places = first + (draw * (band - first)).astype(np.int64)
    negatives = negatives_at(judge, ranks, np.where(band > first, places, -1))
    return _by_class_place(judge.points, ranks, negatives, None)


def costly_negatives(
    judges: Judges, start: int, stop: int, margin: float, with_ties: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """As `panels.Panel.below`."""
    points, judge = judges.points, judges.judge((float(margin),) if margin else ())
    parts = []
    for ranks in (rank(judge, strip, FEW * len(points)) for strip in strips(judge, start, stop, "counts")):
        is_positive = ranks.weight > 0
        d_ap = points.measured(ranks.positives)
        counts, sums = ranks.below[:, -1], sums_below(judge, ranks, len(judge.margins) - 1)[:, 0]
        if with_ties:
            ties = ranks.ties[:, -1]
            counts, sums = counts + ties, sums + ties * (d_ap + margin)
        sides = d_ap, np.where(is_positive, counts, 0), np.where(is_positive, sums, 0.0)
        parts.append(tuple(by_place(ranks, side) for side in sides))
    d_ap, counts, sums = (_stacked(list(sides), sides[0].dtype, 0) for sides in zip(*parts, strict=True))
    return d_ap, counts, sums


def _by_class_place(points: Points, ranks: Ranks, negatives: np.ndarray, nearest: np.ndarray | None) -> np.ndarray:
    """Columns in the order of the positives' distances, back to the order of the class; -1 for no positive.

    nearest: (B, 1) what the positives have that are not here, if not -1
    """
    if ranks.is_whole:
        return np.where(ranks.weight > 0, negatives, -1)
    result = np.full((len(negatives), ranks.width + 1), -1)  # the last takes what has no place
    if nearest is not None:
        anchors = np.arange(ranks.start, ranks.start + len(negatives))
        result[:, :-1] = np.where(
            np.arange(ranks.width) < points.sizes(anchors[0], anchors[-1] + 1)[:, None], nearest, -1
        )
        if points.holds_self:
            result[np.arange(len(anchors)), anchors - points.first[anchors]] = -1
    np.put_along_axis(result, ranks.places, np.where(ranks.weight > 0, negatives, -1), axis=1)
    return result[:, :-1]


def _stacked(parts: list[np.ndarray], dtype: Any, fill: int = -1) -> np.ndarray:
    """Strips of (B, K), of different K, as one array, `fill` where a strip has no column."""
    result = np.full((sum(map(len, parts)), max(part.shape[1] for part in parts)), fill, dtype)
    row = 0
    for part in parts:
        result[row : row + len(part), : part.shape[1]] = part
        row += len(part)
    return result


def uniform(seed: int, anchors: np.ndarray, positives: np.ndarray) -> np.ndarray:
    """A random number in [0, 1) for each pair of row numbers, of nothing but seed and pair.

    Source: the mixer of Steele, Lea, Flood, Fast splittable pseudorandom number generators, 2014 (splitmix64).
    """
    state = _mix(np.asarray([seed % 2**64], np.uint64))
    for rows in (anchors, positives):
        state = _mix(state ^ rows.astype(np.uint64))
    result: np.ndarray = (state >> np.uint64(11)) * 2.0**-53
    return result


def _mix(state: np.ndarray) -> np.ndarray:
    state = state + np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: np.ndarray = state ^ (state >> np.uint64(31))
    return mixed
