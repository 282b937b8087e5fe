"""An anchor's negatives in the order of their squared distances, of which nothing but these is known.

Numbers are sorted in less than half the time of numbers with columns. Where thresholds fall among them is seen without
columns, and so are the sums of the distances below.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from .points import Points
from .strips import as_table, true_cells
from .ties import Judge

AT_ONCE = 1 << 15  # values that are worked on together, near the processor
MOST = 0.5  # share of the negatives from which on all are sorted


class Ordered(NamedTuple):
    """Of B anchors the squared distances that matter.

    squares: (M,) ascending in each row, the last of which is inf;  starts: (B + 1,) where the rows begin
    limits: (B,) what is above them may be left out;  nearest: (B,) columns of the smallest
    """

    squares: np.ndarray
    starts: np.ndarray
    limits: np.ndarray
    nearest: np.ndarray

    def parts(self) -> list[slice]:
        """Rows, about as many values at a time as are worked on together."""
        turns = self.starts[:-1] // AT_ONCE
        cuts = [0, *(np.flatnonzero(np.diff(turns)) + 1).tolist(), len(turns)]
        return [slice(first, last) for first, last in pairwise(cuts)]


def in_order(judge: Judge, squares: np.ndarray, highest: np.ndarray, bounds: np.ndarray) -> Ordered:
    """(B, N) squared distances in order: all that are not above the `highest` of their rows, (B,), and all that may be
    the nearest; in the judge's scratch."""
    rows, count = squares.shape
    nearest = squares.argmin(axis=1)
    limits = np.maximum(highest, squares[np.arange(rows), nearest] + 4 * bounds)
    values = judge.scratch.array("sorted", (rows * (count + 1),))
    starts, at = np.zeros(rows + 1, np.int64), 0
    step = max(1, AT_ONCE // count)
    for start in range(0, rows, step):
        part = slice(start, min(start + step, rows))
        here, end = squares[part], at + (part.stop - start) * count
        mask = np.less_equal(here, limits[part, None], out=judge.scratch.array("passing", here.shape, bool))
        if np.count_nonzero(mask) > MOST * mask.size:
            line = values[at:end].reshape(here.shape)
            line[...] = here
            line.sort(axis=1)
            starts[start + 1 : part.stop + 1] = at + count * np.arange(1, len(here) + 1)
            at = end
            continue
        for row, (line, passing) in enumerate(zip(here, mask, strict=True), start + 1):
            some = line[passing]
            some.sort()
            end = at + len(some)
            values[at:end] = some
            values[end] = np.inf
            at = starts[row] = end + 1
    return Ordered(values[:at], starts, limits, nearest)


def places_of(ordered: Ordered, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How many squares are below each interval, (B, J, K), and whether any lies inside."""
    below, starts = np.empty(low.shape, np.int64), ordered.starts.tolist()
    for row in range(len(low)):
        below[row] = ordered.squares[starts[row] : starts[row + 1]].searchsorted(low[row])
    return below, ordered.squares.take(below + ordered.starts[:-1, None, None]) <= high


def with_columns(squares: np.ndarray, limits: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What of (B, N) squared distances is not above the limits, of some rows, as `squares` and `columns` of a strip."""
    some = squares[rows]
    passing = true_cells(some <= np.minimum(limits[rows, None], np.finfo(float).max))
    return as_table(passing, some[passing], len(rows))


def added_below(points: Points, ordered: Ordered, counts: np.ndarray) -> np.ndarray:
    """(B, J, K) the sums of the distances to the counts[b, j, k] nearest of each row, by the sums between one count
    and the next; overwrites the squares."""
    flat = counts.reshape(len(counts), -1)
    order = flat.argsort(axis=1, kind="stable")
    ends = np.zeros((len(flat), flat.shape[1] + 1), np.int64)
    ends[:, 1:] = np.take_along_axis(flat, order, axis=1)
    is_empty = ends[:, 1:] == ends[:, :-1]
    ends += ordered.starts[:-1, None]
    between = np.empty(ends.shape)
    for part in ordered.parts():
        start, stop = ordered.starts[part.start], ordered.starts[part.stop]
        distances = ordered.squares[start:stop]
        distances = points.measured(distances, out=distances)
        between[part] = np.add.reduceat(distances, (ends[part] - start).ravel()).reshape(-1, ends.shape[1])
    between = between[:, :-1]  # the last value of a row is in no sum
    between[is_empty] = 0.0  # reduceat gives one value where it should give none
    sums = np.empty(flat.shape)
    np.put_along_axis(sums, order, between.cumsum(axis=1), axis=1)
    return sums.reshape(counts.shape)
