"""The farthest positive and the nearest negative of every anchor: a product narrows the choice, differences make it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .gram import Gram
from .points import Points, Settle, own_class, own_runs
from .scratch import Scratch

TILE = 1 << 11
FEW = 1 << 3  # of a class this much smaller than the set the squares are gathered, not taken class by class
SMALL = 1 << 14  # pairs up to which a product in float32 saves nothing
MEASURED = 1 << 6  # pairs an anchor that are worth measuring by differences


def extremes(
    points: Points, start: int, stop: int, *, scratch: Scratch, settle: Settle | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Positions of each anchor's farthest positive and nearest negative, (B,) each.

    The product only narrows the choice: whatever it cannot tell from the best is measured again by differences. A
    product in float32 does, unless it leaves too many to measure.

    settle: decides between those that float64 cannot tell apart; if None, any of them
    """
    if points.finder is not None:
        return points.finder.extremes(start, stop, settle)
    is_quick = points.gram.is_exact and not points.gram.spread
    if not is_quick and (stop - start) * len(points) > SMALL:
        far, near = _contests(points, points.screen, start, stop, None, scratch)
        if far.entries + near.entries <= MEASURED * (stop - start):
            return far.winners(points, start, True, settle), near.winners(points, start, False, settle)
    far, near = _contests(points, points.gram, start, stop, None if settle is None else points.rows, scratch)
    return far.winners(points, start, True, settle), near.winners(points, start, False, settle)


def _contests(
    points: Points, gram: Gram, start: int, stop: int, tie_rows: np.ndarray | None, scratch: Scratch
) -> tuple[_Contest, _Contest]:
    slack = 4 * gram.bounds(start, stop)
    far, near = _Contest(slack, tie_rows, scratch), _Contest(slack, tie_rows, scratch)
    lowest, highest = int(points.first[start]), int(points.last[stop - 1])
    widest = int(points.sizes(start, stop).max())
    own = _Own.of(points, start, stop) if widest * FEW <= len(points) and points.masks is None else None
    for k in range(0, len(points), TILE):
        tile = slice(k, min(k + TILE, len(points)))
        squares = gram.squares(
            start, stop, tile, scratch.array("tile", (stop - start, tile.stop - k), gram.right.dtype)
        )
        if points.masks is not None:
            is_positive, is_negative = points.relations(start, stop, tile)
            far.enter(0, np.where(is_positive, -squares, squares.dtype.type(np.inf)), k)
            squares[~is_negative] = np.inf
        elif tile.start < highest and lowest < tile.stop:
            if own is not None:
                own.take(squares, tile)
            else:
                rows_here = np.arange(max(start, k), min(stop, tile.stop))
                squares[rows_here - start, rows_here - k] = -np.inf  # the anchor is no positive of its own
                for rows, columns in own_runs(points, start, stop, tile):
                    far.enter(rows.start, -squares[rows, columns], k + columns.start)
                    squares[rows, columns] = np.inf
        near.enter(0, squares, k)
    if own is not None:
        far.enter_few(-own.squares, own.places)
    return far, near


class _Own(NamedTuple):
    """The squares between each anchor and its class, gathered while tiles go by.

    places: (B, K) positions, -1 beyond the class;  squares: (B, K), -inf there and for the anchor itself
    """

    places: np.ndarray
    squares: np.ndarray
    start: int

    @classmethod
    def of(cls, points: Points, start: int, stop: int) -> _Own:
        index, is_own = own_class(points, start, stop)
        return cls(np.where(is_own, index, -1), np.full(index.shape, -np.inf), start)

    def take(self, squares: np.ndarray, tile: slice) -> None:
        """Move the squares of a tile here, and leave inf behind."""
        i, k = np.nonzero((self.places >= tile.start) & (self.places < tile.stop))
        j = self.places[i, k]
        self.squares[i, k] = np.where(i + self.start == j, -np.inf, squares[i, j - tile.start])
        squares[i, j - tile.start] = np.inf


class _Contest:
    """Which columns may hold each anchor's lowest value, kept while tiles of values go by."""

    def __init__(self, slack: np.ndarray, rows: np.ndarray | None, scratch: Scratch) -> None:
        self.slack = slack
        self.scratch = scratch
        self.rows = rows  # the numbers that decide a tie; None: anything does
        self.best = np.full(len(slack), np.inf)
        self.pairs: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    def enter(self, row: int, values: np.ndarray, column: int) -> None:
        """Values of the anchors from `row` on, for the columns from `column` on."""
        anchors = slice(row, row + len(values))
        first = values.argmin(axis=1)
        lowest = values[np.arange(len(values)), first]
        best = self.best[anchors] = np.minimum(self.best[anchors], lowest)
        if not self.slack.any():  # the values are exact: one of the lowest is enough
            if self.rows is not None:
                numbers = self.rows[column : column + values.shape[1]]
                first = np.where(values == lowest[:, None], numbers, np.iinfo(np.int64).max).argmin(axis=1)
            i = np.flatnonzero(lowest <= best)
            self.pairs.append((i + row, first[i] + column, lowest[i]))
            return
        limit = np.where(best < np.inf, best + self.slack[anchors], -np.inf)
        mask = np.less_equal(values, limit[:, None], out=self.scratch.array("mask", values.shape, bool))
        i, j = where_true(mask)
        self.pairs.append((i + row, j + column, values[i, j]))

    def enter_few(self, values: np.ndarray, index: np.ndarray) -> None:
        """Values of all anchors for a few columns each, (B, K)."""
        self.best = np.minimum(self.best, values.min(axis=1))
        limit = np.where(self.best < np.inf, self.best + self.slack, -np.inf)
        i, k = where_true(values <= limit[:, None])
        self.pairs.append((i, index[i, k], values[i, k]))

    @property
    def entries(self) -> int:
        return sum(len(i) for i, _, _ in self.pairs)

    def winners(self, points: Points, start: int, is_farthest: bool, settle: Settle | None) -> np.ndarray:
        """For each anchor the position with the lowest value, by differences among those near its best."""
        i, j, value = (np.concatenate(side) for side in zip(*self.pairs, strict=True))
        winners: np.ndarray
        kept = (value <= self.best[i] + self.slack[i]) & (i + start != j)
        i, j = i[kept], j[kept]
        if np.array_equal(i, np.arange(len(self.slack))):  # each has one, so nothing is left to choose
            winners = j
            return winners
        squares = points.gram.direct(i + start, j)
        order = np.lexsort((j, -squares if is_farthest else squares, i))
        i, j, squares = i[order], j[order], squares[order]
        first = np.flatnonzero(np.diff(i, prepend=-1))
        winners = j[first]
        if settle is not None:
            errors = points.gram.direct_errors(squares)
            lead = first[i]
            is_rival = abs(squares - squares[lead]) <= errors + errors[lead]
            for row in map(int, np.flatnonzero(np.bincount(i[is_rival]) > 1)):
                own = slice(first[row], first[row + 1] if row + 1 < len(first) else None)
                winners[row] = settle(row + start, j[own][is_rival[own]], is_farthest)
        return winners


def where_true(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """np.nonzero of a C-contiguous 2-D mask with few true values, which numpy does 40 times faster on a flat one."""
    i, j = np.divmod(np.flatnonzero(mask), mask.shape[1])
    return i, j
