"""What of the distances of a few anchors can matter to a question about them: all, or the few that pass a screen.

Where classes are well apart, hardly any negative is as near as the farthest positive. One comparison with each anchor's
farthest threshold, in float32 and widened by its proven bound, leaves those few out of N that have to be ranked.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np

from ..language.numerics import picked
from ..language.rounded import GROUP
from .gram import NEAR
from .points import HUGE, Points, class_positions, own_class, take_own
from .ties import Judge, distinct, minus_margin, plus_margin, widened

STRIP = 1 << 18  # values ranked at a time, so that keys and sums stay in the cache
THINNED = 1 << 20  # the same, of which few are left: most are gone over only a few times
SCREENED = 1 << 22  # the same in float32, where what a strip costs beside counts more than the cache
SMALL = 1 << 14  # values that are measured at once, since another pass would cost as much
PARTS = (4, 6, 8, 12, GROUP)  # of a group
PROBED = 8  # so many anchors show whether a screen leaves little
LONG = 1 << 6  # positives of an anchor from which on those that cannot matter are left out too
BESIDE = 3 * GROUP  # anchors whose own classes lie in one product
FEW = 2.0**-6  # share of pairs from which on a product of all costs less than one pair after the other
MOST = 0.25  # share of the columns from which on all are ranked
Reach = Literal["counts", "below", "beyond", "all"]


class Strip(NamedTuple):
    """B anchors and the squared distances that matter (scaled as in the gram), right to the bound of float64 products,
    the near ones measured by differences.

    own: (B, K) to the points of `points.own_class`, inf for those that a class lacks
    is_direct: (B, K) which of them are by differences
    places: (B, P) which of these matter, -1 for none; None for all
    squares: (B, W) to negatives, inf where no negative is; the last of each row is inf
    columns: (B, W) the points that these belong to; None where column j is point j
    everyone: (B, N) as `squares`, of all points, until ranks are made; None where these were screened
    is_screened: squares are of pairs, not of the product that all anchors have
    """

    start: int
    own: np.ndarray
    is_direct: np.ndarray
    places: np.ndarray | None
    squares: np.ndarray
    columns: np.ndarray | None
    everyone: np.ndarray | None = None
    is_screened: bool = False


def lengths(points: Points, start: int, stop: int, values: int = STRIP) -> int:
    """How many of the anchors start..stop are a strip of about so many values: of groups, or a part of a group."""
    count, widest = stop - start, int(points.sizes(start, stop).max(initial=0))
    parts = max(1, round(count * (len(points) + widest) / values))
    length = -(-count // parts)
    return next((part for part in PARTS if part >= length), -(-length // GROUP) * GROUP)


def full_strip(judge: Judge, squares: np.ndarray, start: int) -> Strip:
    """Everything: (B, N) squared distances by the product of the judge's gram; overwrites them."""
    own = take_own(judge.points, squares, start)
    _measure_near(judge, squares, np.arange(start, start + len(squares)))
    return Strip(start, own, _measure_near_own(judge, own, start), None, squares, None, squares)


def measured_squares(judge: Judge, anchors: np.ndarray) -> np.ndarray:
    """(B, N) squared distances of any anchors as in a full strip."""
    squares = judge.gram.products(anchors, slice(0, len(judge.points)))
    _measure_near(judge, squares, anchors)
    return squares


def _measure_near(judge: Judge, squares: np.ndarray, anchors: np.ndarray) -> None:
    """Measures the small ones of (B, N) squared distances by differences, in place."""
    gram = judge.gram
    if gram.is_exact:
        return
    limits = np.maximum(NEAR * (gram.norms[anchors] + gram.largest_norm), gram.least)
    for row in np.flatnonzero(squares.min(axis=1) < limits):
        near = np.flatnonzero(squares[row] < limits[row])
        squares[row, near] = judge.direct(int(anchors[row]), near)


def strips(judge: Judge, start: int, stop: int, reach: Reach, *, with_everyone: bool = False) -> Iterator[Strip]:
    """The anchors start..stop, a few at a time; what is made lies in the judge's scratch, until the next.

    They are screened until a strip shows that too much passes, and thinned until one shows that most matters.

    reach: what has to be among them, see `Reach`;  with_everyone: no strip is screened, so that all distances are there
    """
    points, scratch = judge.points, judge.scratch
    at, step = start, lengths(points, start, stop)
    is_screened = is_thinned = reach != "all"
    span, group = slice(start, start), np.empty((0, 0))  # anchors, and the products of all of them
    is_screened &= not with_everyone and (stop - start) * len(points) > SMALL and _is_sparse(judge, reach)
    while at < stop:
        strip, last = None, judge.crowded if at < judge.crowded < stop else stop  # all of a strip are crowded, or none
        end = min(at + step, last)
        if is_screened:
            wide = min(at + lengths(points, at, stop, SCREENED if points.widest < LONG else THINNED), last)
            strip = screened_strip(judge, _rough(judge, at, wide), at, reach)
            is_screened, end = strip is not None, end if strip is None else wide
        if strip is None:
            if (is_thinned and at > start) or (reach == "counts" and at >= judge.crowded):
                end = min(at + lengths(points, at, stop, THINNED), last)
            if end > span.stop:
                span = slice(at, min(max(end, at + GROUP), stop))
                group = points.squares(at, span.stop, out=scratch.array("squares", (span.stop - at, len(points))))
            strip = full_strip(judge, group[at - span.start : end - span.start], at)
            if is_thinned and not (reach == "counts" and judge.is_ordered(at)):
                thin = thinned_strip(judge, strip, reach)
                strip, is_thinned = thin or strip, thin is not None
        yield strip
        at = end


def _rough(judge: Judge, start: int, stop: int) -> np.ndarray:
    """(B, N) squared distances by the float32 product, in the judge's scratch."""
    points = judge.points
    rough = judge.scratch.array("rough", (stop - start, len(points)), np.float32)
    return points.screen.squares(start, stop, slice(0, len(points)), rough)


def _is_sparse(judge: Judge, reach: Reach) -> bool:
    """Whether a screen is worth it: of large sets, whether it leaves little to a few anchors from all parts, of which
    some may have much."""
    points = judge.points
    if points.anchors * len(points) <= THINNED:
        return True
    if reach not in judge.sparse:
        places = points.begin + np.arange(PROBED) * points.anchors // PROBED
        passing = [_passing_screen(judge, _rough(judge, at, at + 1), at, reach) for at in places.tolist()]
        shares = [4 * FEW if some is None else min(4 * FEW, len(some[0]) / len(points)) for some in passing]
        judge.sparse[reach] = sum(shares) <= FEW * PROBED
    return judge.sparse[reach]


def thinned_strip(judge: Judge, strip: Strip, reach: Reach) -> Strip | None:
    """A full strip without what cannot matter; None where most does."""
    bounds = judge.gram.bounds(strip.start, strip.start + len(strip.own))
    passing = _passing(judge, strip.start, strip.own, strip.squares, bounds, reach)
    if passing is None:
        return None
    nearest = strip.squares.min(axis=1) - bounds if judge.points.widest >= LONG else bounds
    squares, columns = as_table(passing, strip.squares[passing], len(strip.own))
    places = _places(judge, strip.own, nearest, strip.start)
    return strip._replace(places=places, squares=squares, columns=columns)


def screened_strip(judge: Judge, rough: np.ndarray, start: int, reach: Reach) -> Strip | None:
    """The few that matter by (B, N) squared distances of `points.screen`, which it overwrites; None where they are
    not few."""
    points, stop = judge.points, start + len(rough)
    bounds = points.screen.bounds(start, stop)
    passing = _passing_screen(judge, rough, start, reach)
    if passing is None or len(passing[0]) > FEW * rough.size:
        return None
    nearest = rough.min(axis=1) - bounds if points.widest >= LONG else bounds
    own = _own_squares(points, start, stop)
    is_direct = _measure_near_own(judge, own, start)
    values, places = _pair_squares(judge, start, passing), _places(judge, own, nearest, start)
    return Strip(start, own, is_direct, places, *as_table(passing, values, len(rough)), is_screened=True)


def _pair_squares(judge: Judge, start: int, passing: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """(M,) squared distances of pairs of rows from `start` on and columns, the near ones by differences."""
    gram, i, j = judge.gram, passing[0] + start, passing[1]
    values = gram.some(i, j)
    if not gram.is_exact:
        near = np.flatnonzero(values < np.maximum(NEAR * (gram.norms[i] + gram.norms[j]), gram.least))
        values[near] = gram.direct(i[near], j[near])
    return values


def _passing_screen(judge: Judge, rough: np.ndarray, start: int, reach: Reach) -> tuple[np.ndarray, np.ndarray] | None:
    """`_passing` by squares of the screen."""
    bounds = judge.points.screen.bounds(start, start + len(rough))
    return _passing(judge, start, take_own(judge.points, rough, start), rough, bounds, reach)


def _passing(
    judge: Judge, start: int, own: np.ndarray, squares: np.ndarray, bounds: np.ndarray, reach: Reach
) -> tuple[np.ndarray, np.ndarray] | None:
    """Rows and columns, row by row, of the negatives that can matter; None where these are most.

    own, squares: as they come from a product with these `bounds`
    reach: "below" and "counts" for all that may be below the farthest threshold, and the nearest; "beyond" for the
        nearest that is surely above it as well
    """
    scratch, limit = judge.scratch, _highest(judge, own, bounds) + bounds
    mask = scratch.array("passing", squares.shape, bool)
    nearest = squares.min(axis=1)
    if reach == "beyond":
        near = _where(_below(squares, limit, mask))
        if near is None:
            return None
        values = squares[near]
        squares[near] = np.inf
        nearest = squares.min(axis=1)
        squares[near] = values
    limit = np.maximum(limit, np.where(nearest < np.inf, nearest + 4 * bounds, 0.0))
    return _where(_below(squares, limit, mask))


def _where(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """`true_cells`; None where they are many."""
    return None if np.count_nonzero(mask) > MOST * mask.size else true_cells(mask)


def true_cells(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of what is true, row by row."""
    at = np.flatnonzero(mask)
    ends = at.searchsorted(np.arange(len(mask) + 1) * mask.shape[1])
    i = np.repeat(np.arange(len(mask)), np.diff(ends))
    return i, at - i * mask.shape[1]


def _below(squares: np.ndarray, limit: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """(B, N) which squares are not above the limits of their rows, (B,)."""
    if squares.dtype == np.float32:
        limit = limit * (1 + 2.0**-22) + 2.0**-140  # above, whatever its rounding
    limit = np.minimum(limit, np.finfo(squares.dtype).max).astype(squares.dtype)
    np.less_equal(squares, limit[:, None], out=mask)
    return mask


def _highest(judge: Judge, own: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    """(B,) no square of d_ap + margin is above, for any margin of the judge."""
    farthest = np.where(own < np.inf, own, 0.0).max(axis=1).astype(np.float64)
    high: np.ndarray = np.maximum(farthest + bounds, 0.0)
    if judge.margins[-1]:
        high = widened(judge.points, plus_margin(judge.points, judge.gram, high, judge.margins[-1]))
    high = np.minimum(high, HUGE)
    return high


def _places(judge: Judge, own: np.ndarray, nearest: np.ndarray, start: int) -> np.ndarray | None:
    """(B, P) places of the positives whose thresholds may reach the nearest negative, -1 beyond the last; None for all.

    nearest: (B,) squared distances that no negative is below
    """
    if own.shape[1] < LONG:
        return None
    low = minus_margin(judge.points, judge.gram, np.maximum(nearest, 0.0), judge.margins[-1])
    low -= judge.gram.bounds(start, start + len(own))
    mask = own >= low[:, None]
    mask &= own < np.inf
    passing = _where(mask)
    if passing is None:
        return None
    i, k = passing
    counts = np.bincount(i, minlength=len(own))
    places = np.full((len(own), max(1, int(counts.max()))), -1)
    places[i, np.arange(len(i)) - (np.cumsum(counts) - counts)[i]] = k
    return places


def as_table(passing: tuple[np.ndarray, np.ndarray], values: np.ndarray, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Values of a few columns of each row, row by row, as `squares` and `columns` of a strip."""
    i, j = passing
    counts = np.bincount(i, minlength=rows)
    at = np.arange(len(i)) - (np.cumsum(counts) - counts)[i]
    shape = rows, int(counts.max(initial=0)) + 1
    squares, columns = np.full(shape, np.inf), np.zeros(shape, np.int64)
    at += i * shape[1]
    squares.ravel()[at], columns.ravel()[at] = values, j
    return squares, columns


def _own_squares(points: Points, start: int, stop: int) -> np.ndarray:
    """(B, K) squared distances to the points of `points.own_class` by products, inf for those that a class lacks."""
    gram, (index, exists) = points.gram, own_class(points, start, stop)
    own = np.full(index.shape, np.inf)
    if points.masks is not None:
        tail = len(points) // GROUP * GROUP
        for at in range(start, stop, GROUP):
            end = min(at + GROUP, stop)
            row, place = np.nonzero(exists[at - start : end - start])
            column = index[at - start + row, place]
            others, among = distinct(column, len(points))
            count = max(4 * GROUP, -(-len(others) // GROUP) * GROUP)  # whole groups, and no few of them
            if count < tail:  # and what stands behind whole groups stays there
                some = np.concatenate([np.resize(others[others < tail], count), np.arange(tail, len(points))])
                places = np.where(column < tail, among, count + column - tail)
                values = gram.products(slice(at, end), some)[row, places]
            else:
                values = points.squares(at, end)[row, column]
            own[at - start + row, place] = values
        return own
    for at in range(start, stop, BESIDE):
        end = min(at + BESIDE, stop)
        first, last = int(points.first[at:end].min()) // GROUP * GROUP, int(points.last[at:end].max())
        first = max(0, min(first, (len(points) - 4 * GROUP) // GROUP * GROUP))  # whole groups, and no few of them
        last = min(max(first + 4 * GROUP, -(-last // GROUP) * GROUP), len(points))
        part = slice(at - start, end - start)
        around = gram.squares(at, end, slice(first, last))
        np.copyto(own[part], picked(around, index[part] - first), where=exists[part])
    return own


def _measure_near_own(judge: Judge, own: np.ndarray, start: int) -> np.ndarray:
    """Measures near points of the own class by differences, in place; (B, K) which."""
    points, gram, stop = judge.points, judge.gram, start + len(own)
    is_direct = np.zeros(own.shape, bool)
    if gram.is_exact:
        return is_direct
    limits = np.maximum(NEAR * (gram.norms[start:stop, None] + gram.largest_norm), gram.least)
    i, k = true_cells(own < limits)
    index = class_positions(points, start, i, k)
    near = own[i, k] < np.maximum(NEAR * (gram.norms[i + start] + gram.norms[index]), gram.least)
    i, k, index = i[near], k[near], index[near]
    own[i, k] = gram.direct(i + start, index)
    is_direct[i, k] = True
    return is_direct
