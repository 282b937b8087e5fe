"""An anchor's negatives counted and added up by buckets of their squared distances, without an order.

The bucket of a square is a function that never falls, computed alike for squares and thresholds. So what lies in a
lower bucket than a threshold is below it, and only what shares a bucket with one is in doubt: some per cent.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..language.numerics import picked
from .strips import as_table, true_cells
from .ties import Judge

MOST, LEAST, EACH = 1 << 11, 1 << 7, 32  # buckets of a row, and for each threshold
NARROWEST = 2.0**-900  # a width that the number of buckets can be divided by
LARGEST = 2.0**50  # in units of buckets
SHIFT = 1.5 * 2.0**52  # what is added to it is rounded to a whole number: the lowest bits of the sum
SHIFT_BITS = np.float64(SHIFT).view(np.int64)
SHARED = 1 << 32  # times one count and another are one number: more than there are points
AT_ONCE = 1 << 15  # values that are worked on together, near the processor


class Buckets(NamedTuple):
    """Of B anchors with J x K thresholds each; what an anchor's negatives stand for is counted.

    squares, columns: (B, W) those of the doubtful, as of a strip: they share a bucket with a threshold, or may be the
        nearest
    below: (B, J, K) how many others are in lower buckets than the threshold
    before: (B, J, K) how many of the doubtful are
    sums: (B, J, K) the sums of the distances to all that are
    """

    squares: np.ndarray
    columns: np.ndarray
    below: np.ndarray
    before: np.ndarray
    sums: np.ndarray


class Intervals(NamedTuple):
    """Intervals of B anchors that hold their thresholds, and how far their squared distances go.

    low, high: (B, J, K) both ends, widened by the error of the squares that are compared with them; -1 where none is
    errors, reaches: (B,) of the squares of any negative, which are not above the latter
    """

    low: np.ndarray
    high: np.ndarray
    errors: np.ndarray
    reaches: np.ndarray

    def of(self, rows: np.ndarray) -> Intervals:
        """Those of some anchors."""
        return Intervals(*(side[rows] for side in self))


def in_buckets(
    judge: Judge, squares: np.ndarray, columns: np.ndarray | None, thresholds: Intervals, few: float
) -> Buckets:
    """The negatives of B anchors by their squared distances.

    squares, columns: (B, W) as of a strip, whose last thresholds they reach
    few: where no more are surely below the last threshold, all of these are doubtful too
    """
    points, scratch, shape = judge.points, judge.scratch, thresholds.low.shape
    count = _number(judge)
    rows, stride = len(squares), count + 2
    nearest = squares.min(axis=1)
    nearest[nearest == np.inf] = 0.0  # of an anchor without negatives
    farthest = np.minimum(thresholds.high.max(axis=(1, 2), initial=0.0), thresholds.reaches)
    finest = LARGEST / np.maximum(np.maximum(farthest, nearest), NARROWEST)
    scale = np.minimum(count / np.maximum(farthest - nearest, NARROWEST), finest)[:, None]
    begin = np.rint(nearest[:, None] * scale)
    places = scratch.array("places", squares.shape)
    counts, sums = np.empty((rows, stride), np.int64), np.empty((rows, stride))
    weights = points.weights
    if weights is not None:
        weights = np.broadcast_to(weights[: len(points)], squares.shape) if columns is None else weights[columns]
    step = max(1, AT_ONCE // squares.shape[1])
    parts = [slice(start, min(start + step, rows)) for start in range(0, rows, step)]
    for part in parts:
        here = _placed(squares[part], scale[part], begin[part] + count + 1, places[part])
        here += SHIFT + (np.arange(len(here))[:, None] * stride - begin[part])
        whole = here.view(np.int64).ravel()
        whole -= SHIFT_BITS
        distances = points.measured(squares[part], out=scratch.array("sorted", here.shape))
        members = None if weights is None else weights[part].ravel()
        distances = distances if weights is None else distances * weights[part]
        counts[part] = np.bincount(whole, members, len(here) * stride).reshape(-1, stride)
        sums[part] = np.bincount(whole, distances.ravel(), len(here) * stride).reshape(-1, stride)
    sides = thresholds.low, thresholds.high, np.maximum(nearest, 0.0) + 4 * thresholds.errors
    low, high, near = (
        (np.maximum(_placed(side.reshape(rows, -1), scale, begin + count + 1), begin) + (SHIFT - begin)).view(np.int64)
        - SHIFT_BITS
        for side in sides
    )
    last, first = low.max(axis=1, keepdims=True), np.arange(rows)[:, None] * stride
    is_few = np.add.reduceat(counts.ravel(), (first + last * [0, 1]).ravel())[::2, None] * (last > 0) <= few
    is_doubtful = np.arange(stride) <= np.maximum(near, np.where(is_few, high.max(axis=1, keepdims=True), 0))
    for side in (low, high):
        is_doubtful.ravel()[(side + first).ravel()] = True
    for row, k in np.argwhere(high - low > 1).tolist():
        is_doubtful[row, low[row, k] : high[row, k]] = True
    passing = scratch.array("passing", squares.shape, bool)
    for part in parts:
        is_doubtful[part].take(places[part].view(np.int64), out=passing[part], mode="clip")  # "raise" would make a copy
    if is_doubtful[:, -1].any():  # something may be beyond the last bucket
        passing &= squares < np.inf
    doubtful = true_cells(passing)
    values, there = as_table(doubtful, squares.ravel()[doubtful[0] * squares.shape[1] + doubtful[1]], rows)
    counts.ravel()[np.flatnonzero(is_doubtful)] *= SHARED
    both, sums = added_between(low, counts, sums)
    return Buckets(
        squares=values,
        columns=there if columns is None else picked(columns, there),
        below=(both % SHARED).reshape(shape),
        before=(both // SHARED).reshape(shape),
        sums=sums.reshape(shape),
    )


def _number(judge: Judge) -> int:
    """How many buckets an anchor has, of a set, whatever the strip: an even number, so that halves are rounded alike in
    all rows."""
    points = judge.points
    thresholds = min(points.widest, judge.widest) * len(judge.margins)
    return min(max(LEAST, 1 << (EACH * thresholds).bit_length()), MOST, 1 << (len(points) // 2).bit_length())


def _placed(squares: np.ndarray, scale: np.ndarray, most: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """(B, n) squares in units of the buckets of their row, as far as these go."""
    with np.errstate(over="ignore"):
        out = np.multiply(squares, scale, out=out)
    placed: np.ndarray = np.minimum(out, most, out=out)
    return placed


def added_between(counts: np.ndarray, *sides: np.ndarray) -> list[np.ndarray]:
    """(B, K) the sums of the first counts[b, k] values of each row, (B, n), by the sums between one count and the
    next, of several sides; the last value is in no sum."""
    order = counts.argsort(axis=1, kind="stable")
    ends = np.zeros((len(counts), counts.shape[1] + 1), np.int64)
    ends[:, 1:] = np.take_along_axis(counts, order, axis=1)
    is_empty = ends[:, 1:] == ends[:, :-1]
    totals = []
    for values in sides:
        rows = np.arange(len(values))[:, None] * values.shape[1]
        parts = np.add.reduceat(values.ravel(), (ends + rows).ravel()).reshape(ends.shape)[:, :-1]
        parts[is_empty] = 0  # reduceat gives one value where it should give none
        total = np.empty(counts.shape, values.dtype)
        np.put_along_axis(total, order, parts.cumsum(axis=1), axis=1)
        totals.append(total)
    return totals
