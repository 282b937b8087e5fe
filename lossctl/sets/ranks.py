"""Where d_ap and d_ap + margin fall among an anchor's negatives, counted and proven.

One sort does it. A key is a squared distance whose lowest bits are replaced by the column it belongs to, so a row of
sorted keys gives ranks and neighbours at once. A threshold is an interval that surely holds the truth: what lies below
it is below, what lies above it is above, and the few between are decided again, by differences and then by integers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ..language.numerics import picked
from .ordered import Ordered, added_below, in_order, places_of, with_columns
from .points import GATHERED, HUGE, Points, own_class, own_runs
from .strips import FEW, Strip, measured_squares
from .ties import Judge, interval, signs

AT_ONCE = 1 << 20  # borderline triplets decided in one pass
NEARBY = 1 << 16  # keys and ends that are sorted at a time, near the processor
ADDED = 1 << 18  # values added up at a time, so that copies are small and stay in the cache
SEARCHED = 8  # keys for each threshold from which on it is searched for, not sorted among them
SPARE = 1 << 4  # places behind those that matter: the order of a few is in doubt by the lowest bits of keys
CROWDED = 4  # so many times N borderline triplets, and an anchor's distances are all measured again


@dataclass(frozen=True, eq=False)
class Ranks:
    """The negatives of B anchors, nearest first, and where each positive falls among them.

    keys: (R, W) int64 in ascending order, see `columns`; those from present[r] on are no negatives
    keyed: (B,) which of these are an anchor's; -1 where nobody needs them
    squares, table: (R, W) as `squares` and `columns` of a strip
    present, negatives: (R,) how many negatives are here, and (B,) how many there are
    ordered: the squares of all B in order, where not all have keys
    index, weight: (B, K) the positives' positions, in the order of `points.own_class`, and how often each counts; the
        anchor itself, and once more for each point that is none, counts 0 times
    places: (B, K) where each stands in `points.own_class`, or -1;  width: how many places there are
    is_whole: all of these are here; else those are left out of which no negative is as near
    positives: (B, K) their squared distances
    sure: (B, J, K) how many columns are surely below d_ap + margins[j]
    hard: (B, K) how many columns are surely not beyond d_ap
    below, ties: (B, J, K) how many negatives are below, and exactly at, d_ap + margins[j], weighted
    is_open: whether any was not surely below or above
    undecided: (B, J) triplets that nothing but float64 decided
    decided_hard: row -> columns that are hard after all, and for how many positives, (counts, columns)
    within: (B,) how many columns may be below any threshold;  is_screened: as of the strip
    """

    start: int
    keys: np.ndarray
    keyed: np.ndarray
    squares: np.ndarray
    table: np.ndarray | None
    present: np.ndarray
    negatives: np.ndarray
    ordered: Ordered | None
    index: np.ndarray
    places: np.ndarray
    width: int
    is_whole: bool
    weight: np.ndarray
    positives: np.ndarray
    sure: np.ndarray
    hard: np.ndarray
    below: np.ndarray
    ties: np.ndarray
    is_open: bool
    undecided: np.ndarray
    decided_hard: dict[int, list[tuple[np.ndarray, np.ndarray]]]
    key_mask: int
    within: np.ndarray
    is_screened: bool

    def columns(self, anchor: int, positions: slice | np.ndarray) -> np.ndarray:
        """The points at these places of an anchor's order, nearest first up to the error of the product."""
        row = self.keyed[anchor]
        columns: np.ndarray = self.keys[row, positions] & self.key_mask
        return columns if self.table is None else self.table[row, columns]

    def at(self, places: np.ndarray) -> np.ndarray:
        """(R, K) the points at places of each order that has keys."""
        columns: np.ndarray = picked(self.keys, places) & self.key_mask
        return columns if self.table is None else picked(self.table, columns)


def rank(judge: Judge, strip: Strip, few: float | None = None) -> Ranks:
    """Ranks of the anchors of a strip, among what it holds; overwrites its squares.

    few: where more are surely below an anchor's last threshold, their columns are not needed; None where all are
    """
    points, start, squares, table = judge.points, strip.start, strip.squares, strip.columns
    stop = start + len(squares)
    index, places, weight, positives, errors = _positives(judge, strip)
    bounds = judge.gram.bounds(start, stop)
    low, high = _thresholds(judge, positives, errors, lambda _: bounds[:, None])
    ordered, rows = None, np.arange(len(squares))
    if few is not None and not strip.is_screened and judge.is_ordered(start):
        ordered = in_order(judge, squares, high.max(axis=(1, 2)), bounds)
        sure, is_inside = places_of(ordered, low, high)
        is_inside &= (weight > 0)[:, None]
        most = sure.max(axis=(1, 2))
        rows = np.flatnonzero(is_inside.any(axis=(1, 2)) | ((most > 0) & (most <= few)))
        squares, table = with_columns(squares, ordered.limits, rows)
    is_cut = table is None and points.masks is None and points.widest > GATHERED
    width = squares.shape[1] - int(points.sizes(start, stop).min()) + 1 if is_cut else squares.shape[1]
    keys = judge.scratch.array("keys", (len(squares), width), np.int64)
    negatives = points.negatives(start, stop)
    present = negatives if table is None else (squares < np.inf).sum(axis=1)
    filled = None if table is None else present
    key_mask, below, inside = _ranked(judge, squares, filled, start, is_cut, low[rows], high[rows], keys)
    if ordered is None:
        sure = below
    else:
        sure[rows] = below
        among, inside = inside, None
        if among is not None:
            inside = np.zeros(sure.shape, np.int64)
            inside[rows] = among
    if inside is not None and not judge.gram.is_exact:
        crowded = np.flatnonzero(inside[rows].sum(axis=(1, 2)) > CROWDED * len(points))
        again = squares.copy() if len(crowded) else squares
        for place, row in zip(crowded.tolist(), rows[crowded].tolist(), strict=True):
            here, line = slice(row, row + 1), slice(place, place + 1)
            columns = np.arange(squares.shape[1]) if table is None else table[place]
            positives[here] = _measure_again(judge, again[line], index[here], start + row, columns)
            squared, wrong = positives[here], judge.gram.direct_errors(positives[here])
            ends = _thresholds(judge, squared, wrong, lambda x: 2 * judge.gram.direct_errors(x))
            length = None if filled is None else filled[line]
            _, sure[here], still = _ranked(judge, again[line], length, start + row, is_cut, *ends, keys[line])
            inside[here] = 0 if still is None else still
    is_open = inside is not None
    keyed = np.full(len(sure), -1)
    keyed[rows] = np.arange(len(rows))
    ranks = Ranks(
        start=start,
        keys=keys,
        keyed=keyed,
        squares=squares,
        table=table,
        present=present,
        negatives=negatives,
        ordered=ordered,
        index=index,
        places=places,
        width=strip.own.shape[1],
        is_whole=strip.places is None,
        weight=weight,
        positives=positives,
        sure=sure,
        hard=sure[:, 0].copy(),
        below=sure,
        ties=np.zeros(sure.shape, np.int64) if is_open else np.broadcast_to(np.int64(0), sure.shape),
        is_open=is_open,
        undecided=np.zeros(sure.shape[:2], np.int64),
        decided_hard={},
        key_mask=key_mask,
        within=(sure if inside is None else sure + inside).max(axis=(1, 2), initial=0),
        is_screened=strip.is_screened,
    )
    if is_open or points.weights is not None:
        ranks = replace(ranks, below=_weighed(judge, ranks, sure))
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
    ranks.ties[...] = _weighed(judge, ranks, ranks.sure + tied) - ranks.below
    ranks.hard[...] += tied[:, 0]
    inside -= tied


def _positives(judge: Judge, strip: Strip) -> tuple[np.ndarray, ...]:
    """The anchors' own classes: positions, places in the class, weights, squared distances and their errors, (B, K)
    each."""
    points, start, stop = judge.points, strip.start, strip.start + len(strip.own)
    index, exists = own_class(points, start, stop)
    places, squares, is_direct = strip.places, strip.own, strip.is_direct
    if places is None:
        places, squares = np.broadcast_to(np.arange(index.shape[1]), index.shape), squares.copy()
    else:
        own, at = (squares, is_direct, index, exists), places.clip(0)
        squares, is_direct, index, exists = (picked(side, at) for side in own)
        exists &= places >= 0
    anchors = np.arange(start, stop)[:, None]
    index = np.where(exists, index, anchors)
    weight = np.ones(index.shape, np.int64) if points.weights is None else points.weights.take(index)
    is_self = index == anchors
    squares[is_self] = 0.0
    errors = np.repeat(judge.gram.bounds(start, stop)[:, None], index.shape[1], axis=1)
    errors[is_direct] = judge.gram.direct_errors(squares[is_direct])
    errors[is_self] = 0.0
    weight -= is_self
    weight[~exists] = 0
    return index, places, weight, squares, errors


def _measure_again(
    judge: Judge, squares: np.ndarray, index: np.ndarray, anchor: int, columns: np.ndarray
) -> np.ndarray:
    """Distances of one anchor by differences only: fills its `squares`, returns those of its positives."""
    measured = judge.direct(anchor, columns)
    squares[0] = np.where(np.isinf(squares[0]), np.inf, measured)
    again: np.ndarray = judge.direct(anchor, index.ravel()).reshape(index.shape)
    again[index == anchor] = 0.0  # of inner products it is not
    return again


def _make_keys(squares: np.ndarray, columns: np.ndarray, key_mask: int, out: np.ndarray) -> None:
    np.bitwise_and(squares.view(np.int64), ~key_mask, out=out)
    np.bitwise_or(out, columns, out=out)


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


def _ranked(
    judge: Judge,
    squares: np.ndarray,
    filled: np.ndarray | None,
    start: int,
    is_cut: bool,
    low: np.ndarray,
    high: np.ndarray,
    keys: np.ndarray,
) -> tuple[int, np.ndarray, np.ndarray | None]:
    """Fills (B, W) keys of the negatives in order; gives their mask, how many are surely below each threshold, and how
    many beside these lie inside it, (B, J, K), None for none at all.

    Few lower ends are searched for. Many are sorted together with the keys: the highest bit of a mask tells them apart:
    an end, numbered by the others, stands before a key that is the same beside; what is left of it in keys is 0.

    filled: (B,) the length of each row, behind which all is inf; None where they are all alike
    is_cut: whether the own classes of the anchors, from `start` on, are left out but for what fills a row
    """
    (margins, count), (rows, width), points = low.shape[1:], keys.shape, judge.points
    at_once = min(margins, max(1, 2 * len(points) // max(1, count)))  # margins, so that an exact square keeps its bits
    flag = 1 << max(1, squares.shape[1] - 1, at_once * count - 1).bit_length()
    key_mask, sure, touched = 2 * flag - 1, np.empty(low.shape, np.int64), np.empty(low.shape, bool)
    is_searched = margins * count * SEARCHED <= width
    step = max(1, NEARBY // (width + at_once * count))
    for part in (slice(at, at + step) for at in range(0, rows, step)):
        here, ends = keys[part], low[part]
        if is_cut:
            _cut_keys(points, squares[part], start + part.start, key_mask, here)
        else:
            _make_keys(squares[part], np.arange(width), key_mask, here)
        if is_searched:
            _sort(here, None if filled is None else filled[part])
            ends = ends.view(np.int64) & ~key_mask
            for line, own, places in zip(here, ends, sure[part], strict=True):
                places[:] = line.searchsorted(own)
        else:
            for j in range(0, margins, at_once):
                among = ends[:, j : j + at_once].reshape(len(here), -1)
                sure[part, j : j + at_once] = _sorted_with(judge, here, among, flag).reshape(len(here), -1, count)
        behind = here.take(sure[part] + np.arange(len(here))[:, None, None] * width, mode="clip")
        np.less_equal(behind, high[part].view(np.int64) | key_mask, out=touched[part])
    return key_mask, sure, _inside(keys, sure, high, key_mask, touched) if touched.any() else None


def _sort(keys: np.ndarray, filled: np.ndarray | None) -> None:
    """Puts (B, W) keys in order, row by row, as far as rows are filled, (B,)."""
    if filled is None:
        keys.sort(axis=1)
        return
    for line, length in zip(keys, filled.tolist(), strict=True):
        line[:length].sort()


def _sorted_with(judge: Judge, keys: np.ndarray, low: np.ndarray, flag: int) -> np.ndarray:
    """Puts (B, W) keys in order together with ends, (B, n); gives how many keys are before each end."""
    width = keys.shape[1]
    both = judge.scratch.array("both", (len(keys), width + low.shape[1]), np.int64)
    np.bitwise_or(keys, flag, out=both[:, :width])
    _make_keys(low, np.arange(low.shape[1]), 2 * flag - 1, both[:, width:])
    both.sort(axis=1)
    return _apart(judge, both, flag, keys)


def _cut_keys(points: Points, squares: np.ndarray, start: int, key_mask: int, out: np.ndarray) -> None:
    """Keys of the negatives of (B, N) squares, the anchors' own classes left out but for what fills a row."""
    for rows, own in own_runs(points, start, start + len(squares), slice(0, len(points))):
        left, right = own.start, own.start + len(points) - own.stop
        _make_keys(squares[rows, :left], np.arange(left), key_mask, out[rows, :left])
        _make_keys(squares[rows, own.stop :], np.arange(own.stop, len(points)), key_mask, out[rows, left:right])
        rest = left + np.arange(out.shape[1] - right)
        out[rows, right:] = np.float64(np.inf).view(np.int64) | rest


def _apart(judge: Judge, both: np.ndarray, flag: int, keys: np.ndarray) -> np.ndarray:
    """Takes the keys out of (B, W + n) keys and numbered ends in order; gives how many are before each end, (B, n)."""
    (rows, length), width = both.shape, keys.shape[1]
    count = length - width
    is_key = judge.scratch.array("is_key", both.shape, bool)
    np.not_equal(np.bitwise_and(both, flag, out=judge.scratch.array("flags", both.shape, np.int64)), 0, out=is_key)
    flat, lines = both.ravel(), np.arange(rows)[:, None]
    flat.take(np.flatnonzero(is_key), out=keys.ravel(), mode="clip")
    keys ^= flag
    at = np.flatnonzero(np.logical_not(is_key, out=is_key))
    numbers = flat.take(at).reshape(rows, count) & (flag - 1)
    before = at.reshape(rows, count) - (np.arange(count) + lines * length)
    result = np.empty(before.shape, np.int64)
    result.ravel()[numbers + lines * count] = before
    return result


def _inside(keys: np.ndarray, sure: np.ndarray, high: np.ndarray, key_mask: int, touched: np.ndarray) -> np.ndarray:
    """(B, J, K) how many keys behind those that are surely below lie inside an interval, where any does."""
    inside = np.zeros(high.shape, np.int64)
    for row in map(int, np.flatnonzero(touched.any(axis=(1, 2)))):
        j, k = np.nonzero(touched[row])
        high_keys = high[row, j, k].view(np.int64) | key_mask
        inside[row, j, k] = keys[row].searchsorted(high_keys, "right") - sure[row, j, k]
    return inside


def _weighed(judge: Judge, ranks: Ranks, counts: np.ndarray) -> np.ndarray:
    """How many points the first `counts` columns of each row stand for, (B, J, K)."""
    if judge.points.weights is None:
        return counts.copy()
    sums = np.zeros((len(counts), ranks.keys.shape[1] + 1), np.int64)
    columns = ranks.at(np.broadcast_to(np.arange(ranks.keys.shape[1]), ranks.keys.shape))
    np.cumsum(judge.points.weights[columns], axis=1, out=sums[:, 1:])
    weighed: np.ndarray = sums[np.arange(len(counts))[:, None, None], counts]
    return weighed


# --- decisions


def _decide(judge: Judge, ranks: Ranks, row: int, inside: np.ndarray) -> None:
    """Sort what lies inside the intervals of one anchor, (J, K), into below, tied and above; adds to `ranks`. Positives
    that are alike and have the same inside are asked about once."""
    j, k = np.nonzero(inside)
    leaders = judge.alike(ranks.start + row, ranks.index[row, k])
    spans = np.stack([j, leaders, ranks.sure[row, j, k], inside[j, k]])
    order = np.lexsort(spans)
    is_new = np.concatenate([[True], (np.diff(spans[:, order]) != 0).any(axis=0)])
    kind = np.empty(len(j), np.int64)
    kind[order] = np.cumsum(is_new) - 1
    first = order[is_new]
    weight = np.bincount(kind, ranks.weight[row, k]).astype(np.int64)
    turns = np.cumsum(inside[j[first], k[first]]) // AT_ONCE  # which of the passes an interval belongs to
    counts = np.empty((3, len(first)), np.int64)
    for turn in range(int(turns[-1]) + 1):
        part = turns == turn
        if part.any():
            counts[:, part] = _decide_part(judge, ranks, row, spans[:, first[part]], weight[part])
    below, ties, undecided = counts[:, kind]
    ranks.below[row, j, k] += below
    ranks.ties[row, j, k] += ties
    np.add.at(ranks.undecided[row], j, ranks.weight[row, k] * undecided)


def _decide_part(judge: Judge, ranks: Ranks, row: int, spans: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(3, M) how many points of M intervals, (4, M), are below, tied, and left to float64; adds to `decided_hard`.

    weight: (M,) how many positives each interval is of
    """
    j, leaders, sure, counts = spans
    starts = np.cumsum(counts) - counts
    columns = ranks.columns(row, np.arange(counts.sum()) + np.repeat(sure - starts, counts))
    j, leaders, weight = (np.repeat(side, counts) for side in (j, leaders, weight))
    sides, guessed = signs(judge, ranks.start + row, j, leaders, columns)
    members = np.ones(len(columns), np.int64) if judge.points.weights is None else judge.points.weights[columns]
    is_guessed = np.zeros(len(columns), bool)
    is_guessed[guessed] = True
    hard = (j == 0) & (sides <= 0)
    ranks.decided_hard.setdefault(row, []).append((weight[hard], columns[hard]))
    return np.add.reduceat(members * np.stack([sides < 0, sides == 0, is_guessed]), starts, axis=1)


# --- sums


def sums_below(judge: Judge, ranks: Ranks, first: int) -> np.ndarray:
    """(B, J - first, K) the sums of the distances to the negatives in `ranks.below`, from margin `first` on, 0 for
    no positive; overwrites the squares.

    They are of the nearest that are as many, whatever was screened or thinned before: where these are few, they are
    measured by differences; else they come from the product of all, in order.
    """
    points, counts = judge.points, np.where(ranks.weight[:, None] > 0, ranks.below[:, first:], 0)
    most = counts.max(axis=(1, 2), initial=0)
    sums = np.zeros(counts.shape)
    few, many = np.flatnonzero((most > 0) & (most <= FEW * len(points))), np.flatnonzero(most > FEW * len(points))
    if len(few):
        columns = _nearest(ranks, few)
        i, k = np.nonzero(np.arange(columns.shape[1]) < ranks.within[few, None])
        distances = np.full(columns.shape, np.inf)
        distances[i, k] = points.measured(judge.gram.direct(few[i] + ranks.start, columns[i, k]))
        sums[few] = _sums_of_nearest(points, distances, columns, counts[few])
    if not len(many):
        return sums
    if ranks.ordered is not None:
        sums[many] = added_below(points, ranks.ordered, counts)[many]
        return sums
    is_one_by_one = not judge.is_ordered(ranks.start)
    width = len(points) if ranks.is_screened else ranks.keys.shape[1]
    d_an = ranks.squares if ranks.is_screened else points.measured(ranks.squares, out=ranks.squares)
    for part in np.array_split(many, min(len(many), -(-len(many) * width // ADDED))):
        if is_one_by_one and not ranks.is_screened:
            sums[part] = _sums_in_order(judge, ranks, d_an, part, counts[part])
            continue
        squares = _all_squares(judge, part + ranks.start)
        if is_one_by_one:
            columns = np.broadcast_to(np.arange(len(points)), squares.shape)
            sums[part] = _sums_of_nearest(points, points.measured(squares), columns, counts[part])
        else:
            bounds = judge.gram.bounds(ranks.start, ranks.start + len(counts))[part]
            ordered = in_order(judge, squares, np.full(len(part), HUGE), bounds)
            sums[part] = added_below(points, ordered, counts[part])
    return sums


def _all_squares(judge: Judge, anchors: np.ndarray) -> np.ndarray:
    """(B, N) squared distances from the product of all, inf where no negative is."""
    points, there = judge.points, np.arange(len(judge.points))
    squares = measured_squares(judge, anchors)
    if points.masks is None:
        is_out = (there >= points.first[anchors, None]) & (there < points.last[anchors, None])
    else:
        is_out = ~points.masks.relations(anchors)[1]
    squares[is_out] = np.inf
    return squares


def _sums_in_order(judge: Judge, ranks: Ranks, d_an: np.ndarray, rows: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """(b, J, K) as `sums_below`, of some rows, from the distances as they are."""
    points, scratch = judge.points, judge.scratch
    width = min(int(ranks.within[rows].max()) + SPARE, ranks.keys.shape[1])
    keys = ranks.keys[:, :width] if len(rows) == len(ranks.keys) else ranks.keys[rows, :width]
    places = np.bitwise_and(keys, ranks.key_mask, out=scratch.array("columns", keys.shape, np.int64))
    columns = None if points.weights is None else places.copy()
    if columns is not None and ranks.table is not None:
        columns = picked(ranks.table[rows], columns)
    places += rows[:, None] * d_an.shape[1]
    distances = d_an.take(places, out=scratch.array("sorted", places.shape), mode="clip")  # "raise" would make a copy
    return _sums_of_nearest(points, distances, columns, counts)


def _nearest(ranks: Ranks, rows: np.ndarray) -> np.ndarray:
    """(b, n) the points at the first places of some rows, all that may be below a threshold."""
    width = int(ranks.within[rows].max())
    keyed = ranks.keyed[rows]
    columns: np.ndarray = ranks.keys[keyed, :width] & ranks.key_mask
    return columns if ranks.table is None else picked(ranks.table[keyed], columns)


def _sums_of_nearest(
    points: Points, distances: np.ndarray, columns: np.ndarray | None, counts: np.ndarray
) -> np.ndarray:
    """(b, J, K) the sums of the nearest points of each row that are as many as `counts`.

    distances: (b, n) to the points `columns`, almost in order, inf for none; overwritten
    """
    shape = len(counts), -1
    if points.weights is None:
        rows = np.flatnonzero((distances[:, 1:] < distances[:, :-1]).any(axis=1))
        distances[rows] = np.sort(distances[rows], axis=1)
        return _added_one_by_one(distances, counts.reshape(shape)).reshape(counts.shape)
    assert columns is not None
    is_point = distances < np.inf
    members = np.where(is_point, points.weights[columns], 0)
    is_unsure = is_point[:, 1:] & (distances[:, 1:] <= distances[:, :-1])
    for row in np.flatnonzero(is_unsure.any(axis=1)).tolist():
        order = np.lexsort((columns[row], distances[row]))
        distances[row], members[row] = distances[row, order], members[row, order]
    is_point = distances < np.inf
    distances = np.where(is_point, distances, 0.0)
    ends, sums = (np.pad(np.cumsum(side, axis=1), ((0, 0), (1, 0))) for side in (members, members * distances))
    result = np.empty((len(counts), counts[0].size))
    for row, own in enumerate(counts.reshape(shape)):
        at = ends[row].searchsorted(own, "right") - 1
        last = np.minimum(at, distances.shape[1] - 1)
        result[row] = sums[row, at] + (own - ends[row, at]) * distances[row, last]
    return result.reshape(counts.shape)


def _added_one_by_one(values: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """(b, K) the sums of the first counts[b, k] values of each row, (b, n)."""
    sums = np.zeros((len(values), values.shape[1] + 1))
    np.cumsum(values, axis=1, out=sums[:, 1:])
    nearest: np.ndarray = sums.take(counts + np.arange(len(values))[:, None] * sums.shape[1])
    return nearest


def by_place(ranks: Ranks, values: np.ndarray) -> np.ndarray:
    """(B, ..., width) of the positives, (B, ..., K), in the order of `points.own_class`; 0 where none is."""
    if ranks.is_whole:
        return values
    places = ranks.places.reshape(len(values), *(1,) * (values.ndim - 2), -1)
    result = np.zeros((*values.shape[:-1], ranks.width + 1), values.dtype)  # the last takes what has no place
    np.put_along_axis(result, np.broadcast_to(places, values.shape), values, axis=-1)
    return result[..., :-1]
