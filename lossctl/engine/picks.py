"""Which positive and which negatives a strategy takes: exactly, whatever the block; ties go to the lower row number.

A place in the order of an anchor's negatives, by distance and then by row number, names one point. Sorted keys give it
wherever the neighbours in the order are too far to be confused; the rest is ordered by differences and by integers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cmp_to_key
from typing import TYPE_CHECKING

from ..errors import UsageError
from .panels import Points, scratch
from .ranks import Judge, Ranks, make_judge, rank, strip_starts

if TYPE_CHECKING:
    import numpy as np

FALLBACKS = ("hardest", "easiest", "drop")


def judge_of(points: Points, margins: tuple[float, ...] = ()) -> Judge:
    """The judge of these points for these margins, made once."""
    if margins not in points.judges:
        points.judges[margins] = make_judge(points, margins)
    judge: Judge = points.judges[margins]
    return judge


def strips(judge: Judge, start: int, stop: int) -> Iterator[Ranks]:
    """Ranks of the anchors start..stop, a few at a time; each is valid until the next."""
    gram, n = judge.gram, len(judge.points)
    squares = gram.squares(start, stop, out=scratch("squares", (stop - start, n)))
    starts = strip_starts(stop - start, n)
    for k in starts:
        yield rank(judge, squares[k : k + starts.step], start + k)


# ------------------------------------------------------------------------------------------------------ places in order


def negatives_at(judge: Judge, ranks: Ranks, places: np.ndarray) -> np.ndarray:
    """(B, K) the points at these places of each anchor's order; -1 where the place is -1."""
    import numpy as np

    rows = np.arange(len(ranks.keys))[:, None]
    inside = places.clip(0)
    found = np.where(places < 0, -1, ranks.keys[rows, inside] & ranks.key_mask)
    crowded = (places >= 0) & ~_stands_alone(judge, ranks, inside)
    for row in np.flatnonzero(crowded.any(axis=1)):
        runs: dict[int, tuple[int, list[int]]] = {}
        for k in np.flatnonzero(crowded[row]):
            begin, end = run_around(judge, ranks, int(row), int(inside[row, k]))
            if begin not in runs:
                runs[begin] = begin, in_order(judge, ranks.start + int(row), ranks.columns(int(row), slice(begin, end)))
            found[row, k] = runs[begin][1][int(inside[row, k]) - begin]
    return found


def farthest_negatives(judge: Judge, ranks: Ranks) -> np.ndarray:
    """(B,) the farthest negative of each anchor, the lowest row of those that tie."""
    import numpy as np

    last = ranks.negatives - 1
    found: np.ndarray = ranks.keys[np.arange(len(last)), last] & ranks.key_mask
    alone = _stands_alone(judge, ranks, last[:, None])[:, 0]
    for row in np.flatnonzero(~alone):
        begin, end = run_around(judge, ranks, int(row), int(last[row]))
        order = in_order(judge, ranks.start + int(row), ranks.columns(int(row), slice(begin, end)))
        found[row] = first_of_last_tie(judge, ranks.start + int(row), order)
    return found


def farthest_positives(judge: Judge, ranks: Ranks) -> np.ndarray:
    """(B,) the farthest positive of each anchor, the lowest row of those that tie."""
    import numpy as np

    candidates = np.where(ranks.weight > 0, ranks.positives, -1.0)
    slack = 4 * judge.gram.bounds(ranks.start, ranks.start + len(candidates))
    limit = candidates.max(axis=1) - slack
    found: np.ndarray = ranks.index[np.arange(len(candidates)), candidates.argmax(axis=1)]
    close = (ranks.weight > 0) & (candidates >= limit[:, None])
    for row in np.flatnonzero(close.sum(axis=1) > 1):
        order = in_order(judge, ranks.start + int(row), ranks.index[row, close[row]])
        found[row] = first_of_last_tie(judge, ranks.start + int(row), order)
    return found


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
    import numpy as np

    rows = np.arange(len(ranks.keys))[:, None]
    here = _value(ranks, ranks.keys[rows, places])
    before = _value(ranks, ranks.keys[rows, np.maximum(places - 1, 0)])
    after = _value(ranks, ranks.keys[rows, np.minimum(places + 1, ranks.keys.shape[1] - 1)])
    reach = _reach(judge, ranks, here, rows)
    is_first, is_last = places == 0, places >= ranks.negatives[:, None] - 1
    alone: np.ndarray = (is_first | (here - before > reach)) & (is_last | (after - here > reach))
    return alone


def _value(ranks: Ranks, keys: np.ndarray) -> np.ndarray:
    import numpy as np

    value: np.ndarray = np.ascontiguousarray(keys & ~ranks.key_mask).view(np.float64)
    return value


def run_around(judge: Judge, ranks: Ranks, row: int, place: int) -> tuple[int, int]:
    """The places around `place` whose order is in doubt: up to the next gaps that are wide enough."""
    import numpy as np

    values = _value(ranks, ranks.keys[row, : ranks.negatives[row]])
    gaps = np.diff(values) > _reach(judge, ranks, values[:-1], np.asarray(row))
    before, after = np.flatnonzero(gaps[:place]), np.flatnonzero(gaps[place:])
    begin = int(before[-1]) + 1 if len(before) else 0
    return begin, place + int(after[0]) + 1 if len(after) else len(values)


def in_order(judge: Judge, anchor: int, columns: np.ndarray) -> list[int]:
    """Points by their distance from the anchor, then by row number: by differences, and by integers where they tie."""
    import numpy as np

    points, gram = judge.points, judge.gram
    squares = gram.direct(np.full(len(columns), anchor), columns)
    order = np.lexsort((points.rows[columns], squares))
    columns, squares = columns[order], squares[order]
    if gram.is_exact:
        return [int(column) for column in columns]
    errors = gram.direct_errors(squares)
    is_apart = squares[1:] - errors[1:] > np.maximum.accumulate(squares + errors)[:-1]
    compared = cmp_to_key(_comparison(judge, anchor))
    result: list[int] = []
    for group in np.split(columns, np.flatnonzero(is_apart) + 1):
        members = [int(column) for column in group]
        result += members if len(members) == 1 else sorted(members, key=compared)
    return result


def settle(judge: Judge, anchor: int, columns: np.ndarray, is_farthest: bool) -> int:
    """The nearest of some points, or the farthest; of those that tie, the one with the lowest row number."""
    order = in_order(judge, anchor, columns)
    return first_of_last_tie(judge, anchor, order) if is_farthest else order[0]


def _comparison(judge: Judge, anchor: int) -> Callable[[int, int], int]:
    points = judge.points

    def compare(one: int, other: int) -> int:
        sign = _compare_distances(judge, anchor, one, other)
        return sign or int(points.rows[one]) - int(points.rows[other])

    return compare


def _compare_distances(judge: Judge, anchor: int, one: int, other: int) -> int:
    if judge.twins[one] == judge.twins[other] or judge.exact is None:
        return 0
    return judge.exact.compare(anchor, other, one)


def first_of_last_tie(judge: Judge, anchor: int, order: list[int]) -> int:
    """The first of the points, in order of distance, that are as far as the last."""
    import numpy as np

    if judge.gram.is_exact:
        squares = judge.gram.direct(np.full(len(order), anchor), np.asarray(order))
        return order[int(np.argmax(squares == squares[-1]))]
    place = len(order) - 1
    while place and _compare_distances(judge, anchor, order[place - 1], order[-1]) == 0:
        place -= 1
    return order[place]


# ----------------------------------------------------------------------------------------------------------- strategies


def semi_hard_negatives(points: Points, start: int, stop: int, fallback: str) -> np.ndarray:
    """(B, K) for each point of the anchors' classes the nearest negative beyond it; -1 for none, or no positive."""
    import numpy as np

    if fallback not in FALLBACKS:
        raise UsageError(f"unknown fallback {fallback!r}", fix=f"choose one of {', '.join(FALLBACKS)}")
    judge = judge_of(points)
    return _stacked([semi_hard_strip(judge, ranks, fallback) for ranks in strips(judge, start, stop)], np.int64)


def semi_hard_strip(judge: Judge, ranks: Ranks, fallback: str) -> np.ndarray:
    """(B, K), as above, for ranked anchors; column k is point first + k of the anchor's class."""
    import numpy as np

    places = (ranks.below + ranks.ties)[0]
    is_beyond = places < ranks.negatives[:, None]
    found = negatives_at(judge, ranks, np.where(is_beyond, places, -1))
    if fallback == "hardest":
        found = np.where(is_beyond, found, negatives_at(judge, ranks, np.zeros((len(found), 1), np.int64)))
    elif fallback == "easiest" and not is_beyond.all():
        found = np.where(is_beyond, found, farthest_negatives(judge, ranks)[:, None])
    return _by_class_place(judge, ranks, found)


def random_semi_hard_negatives(points: Points, start: int, stop: int, margin: float, seed: int) -> np.ndarray:
    """(B, K) for each point of the anchors' classes a random semi-hard negative; -1 for none, or no positive."""
    import numpy as np

    judge = judge_of(points, (float(margin),))
    return _stacked([random_strip(judge, ranks, seed) for ranks in strips(judge, start, stop)], np.int64)


def random_strip(judge: Judge, ranks: Ranks, seed: int) -> np.ndarray:
    """(B, K), as above, for ranked anchors."""
    import numpy as np

    first, band = (ranks.below + ranks.ties)[0], ranks.below[1]
    anchors = judge.points.rows[ranks.start : ranks.start + len(first), None]
    draw = uniform(seed, anchors, judge.points.rows[ranks.index])
    places = first + (draw * (band - first)).astype(np.int64)
    found = negatives_at(judge, ranks, np.where(band > first, places, -1))
    return _by_class_place(judge, ranks, found)


def _by_class_place(judge: Judge, ranks: Ranks, found: np.ndarray) -> np.ndarray:
    """Columns in the order of the positives' distances, back to the order of the class; -1 for no positive."""
    import numpy as np

    rows = np.arange(len(found))[:, None]
    result = np.full(found.shape, -1)
    first = judge.points.first[ranks.start : ranks.start + len(found), None]
    is_positive = ranks.weight > 0
    i, k = np.nonzero(is_positive)
    result[i, (ranks.index - first)[i, k]] = found[rows[i, 0], k]
    return result


def _stacked(parts: list[np.ndarray], dtype: type) -> np.ndarray:
    """Strips of (B, K), of different K, as one array, -1 where a strip has no column."""
    import numpy as np

    result = np.full((sum(map(len, parts)), max(part.shape[1] for part in parts)), -1, dtype)
    row = 0
    for part in parts:
        result[row : row + len(part), : part.shape[1]] = part
        row += len(part)
    return result


def uniform(seed: int, anchors: np.ndarray, positives: np.ndarray) -> np.ndarray:
    """A random number in [0, 1) for each pair of row numbers, of nothing but seed and pair.

    Source: the mixer of Steele, Lea, Flood, Fast splittable pseudorandom number generators, 2014 (splitmix64).
    """
    import numpy as np

    state = _mix(np.asarray([seed % 2**64], np.uint64))
    for rows in (anchors, positives):
        state = _mix(state ^ rows.astype(np.uint64))
    result: np.ndarray = (state >> np.uint64(11)) * 2.0**-53
    return result


def _mix(state: np.ndarray) -> np.ndarray:
    import numpy as np

    state = state + np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: np.ndarray = state ^ (state >> np.uint64(31))
    return mixed
