"""Easy, semi-hard and hard as float32 products have them: a sort of what came, nothing proven.

About twice as fast as the proven counts; wrong where distances differ by less than float32 can tell.
"""

from __future__ import annotations

import numpy as np

from ..rows.sums import total
from .counting import Census, Counts, DistanceSums, joined
from .extremes import where_true
from .gram import NEAR
from .panels import Panel
from .points import take_own
from .ranks import strip_starts, sums_of_first
from .ties import plus_margin


def uncertified_counts(census: Census, panel: Panel) -> Counts:
    """The counts of one panel of points without weights, strip by strip."""
    points, gram = census.points, census.points.screen
    squares = panel.judges.scratch.array("single", (len(panel), len(points)), np.float32)
    gram.squares(panel.start, panel.stop, slice(0, len(points)), squares)
    near = NEAR * (gram.norms[panel.start : panel.stop] + gram.largest_norm)
    i, j = where_true(squares < near.astype(np.float32)[:, None])
    squares[i, j] = gram.direct(i + panel.start, j)
    starts = strip_starts(points, panel.start, panel.stop)
    with np.errstate(over="ignore", invalid="ignore"):
        return joined([_count_strip(census, squares[k : k + starts.step], panel.start + k) for k in starts])


def _count_strip(census: Census, squares: np.ndarray, start: int) -> Counts:
    """Overwrites `squares`."""
    points, gram, (count, n) = census.points, census.points.screen, squares.shape
    own = take_own(points, squares, start)
    own.sort(axis=1)
    own = own[:, int(points.holds_self) :]  # the first is the anchor itself, or its equal
    is_positive = np.arange(own.shape[1]) < points.positives(start, start + count)[:, None]
    positives = np.where(is_positive, own, 0.0).astype(np.float64)
    d_ap, negatives = points.measured(positives), points.negatives(start, start + count)
    hard_by_class = _hard_by_class(census, squares, own, start) if census.with_pairs else {}

    squares.sort(axis=1)
    bounds = np.empty((count, len(census.margins), positives.shape[1]))
    for j, margin in enumerate(census.margins):
        bounds[:, j] = plus_margin(points, gram, positives, margin) if margin else positives
    below, ties, cuts = _search(squares, bounds, census.edge_squares)
    over = np.maximum(below[:, 1:], (below + ties)[:, :1])  # a margin that float32 rounds away costs no triplet
    ties[:, 1:][over > below[:, 1:]] = 0
    below[:, 1:] = over
    d_an = points.measured(squares, out=squares) if not gram.shift else points.measured(squares.astype(np.float64))
    last = d_an[np.arange(count), negatives - 1]
    tail = d_an[:, int(negatives.min()) :]
    tail[np.arange(n - tail.shape[1], n) >= negatives[:, None]] = 0.0  # the own class
    losses = below * (d_ap[:, None] + np.asarray(census.margins)[:, None])
    losses -= sums_of_first(d_an[:, : int(below.max()) + 1], below.reshape(count, -1)).reshape(below.shape)
    losses = np.where(is_positive[:, None], losses, 0.0)
    weight, lengths = is_positive.astype(np.int64), d_ap[is_positive]
    bins = np.bincount(np.searchsorted(census.edges[1:-1], lengths, "right"), minlength=len(census.edges) - 1)
    return Counts(
        below=np.einsum("bjk,bk->jb", below, weight),
        ties=np.einsum("bjk,bk->jb", ties, weight),
        undecided=np.zeros((len(census.margins), count), np.int64),
        losses=losses.sum(axis=2).T,
        triplets=weight.sum(axis=1) * negatives,
        farthest=d_ap.max(axis=1),
        nearest=d_an[:, 0].astype(np.float64),
        positives=DistanceSums(len(lengths), float(lengths.min()), total(lengths), float(lengths.max()), bins),
        negatives=DistanceSums(
            int(negatives.sum()),
            float(d_an[:, 0].min()),
            total(d_an.sum(axis=1, dtype=np.float64)),
            float(last.max()),
            np.diff(cuts, axis=1, prepend=0, append=negatives[:, None]).sum(axis=0),
        ),
        hard_by_class=hard_by_class,
    )


def _search(ordered: np.ndarray, bounds: np.ndarray, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How many squares of each sorted row are below and at (B, J, K) bounds, and below (E,) edges; all in float32."""
    shape, ends = bounds.shape, bounds.shape[1] * bounds.shape[2]
    largest = np.finfo(np.float32).max
    thresholds = np.empty((len(ordered), ends + len(edges)), np.float32)
    thresholds[:, :ends] = np.minimum(bounds.reshape(len(bounds), -1), largest)
    thresholds[:, ends:] = np.minimum(edges, largest)
    keys, thresholds = ordered.view(np.int32), thresholds.view(np.int32)  # in the same order, and faster to compare
    places = np.empty(thresholds.shape, np.int64)
    for row, line in enumerate(keys):
        places[row] = line.searchsorted(thresholds[row])
    below, thresholds = places[:, :ends].reshape(shape), thresholds[:, :ends].reshape(shape)
    tied = keys.take(below + np.arange(len(keys))[:, None, None] * keys.shape[1]) == thresholds
    ties = np.zeros(shape, np.int64)
    for row in map(int, np.flatnonzero(tied.any(axis=(1, 2)))):
        at = tied[row]
        ties[row, at] = keys[row].searchsorted(thresholds[row, at], "right") - below[row, at]
    return below, ties, places[:, ends:]


def _hard_by_class(census: Census, squares: np.ndarray, own: np.ndarray, start: int) -> dict[int, np.ndarray]:
    """Anchor class -> hard triplets by class of the negative: a negative counts once for each positive behind it.

    squares: (B, N), infinite where no negative is; own: (B, K) those of the positives, sorted
    """
    points = census.points
    by_class: dict[int, np.ndarray] = {}
    for row, line in enumerate(squares):
        size = int(points.positives(start + row, start + row + 1)[0])
        behind = np.where(line < np.inf, size - own[row, :size].searchsorted(line), 0)
        classes = points.classes[: len(points)]
        hard = np.bincount(classes, behind, minlength=len(points.names)).astype(np.int64)
        key = int(points.classes[start + row])
        by_class[key] = by_class[key] + hard if key in by_class else hard
    return by_class
