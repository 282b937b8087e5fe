"""Where the distances of a whole set lie, measured on a device: sums, extremes, histograms, hard class pairs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ...rows.sums import total
from ..counting import Census, DistanceSums, merged
from ..points import Points

if TYPE_CHECKING:
    from torch import Tensor

AT_ONCE = 1 << 26  # squared distances a block


def distances(
    census: Census, padded: Any, span: tuple[int, int], with_pairs: np.ndarray
) -> tuple[DistanceSums, DistanceSums, dict[int, np.ndarray]]:
    """The distances of a span of anchors to positives, those to negatives, and hard triplets by class for the anchors
    in `with_pairs`, (A,) of the span.

    padded: kernels.tiles.Points of the task's points, centred and scaled as in their gram
    """
    import torch

    from ...kernels import tiles

    points = census.points
    inner = [points.square_of(edge) for edge in census.edges[1:-1].tolist()]
    edges = torch.tensor(inner, dtype=torch.float64).to(padded.values)
    step = max(1, AT_ONCE // len(points))
    sides: list[tuple[DistanceSums, DistanceSums]] = []
    by_class: dict[int, np.ndarray] = {}
    for start in range(*span, step):
        stop = min(start + step, span[1])
        anchors = torch.arange(start, stop, device=padded.values.device)
        squares = tiles.squared_distances(padded, anchors)
        columns = tiles.positive_columns(padded, anchors, padded.largest_class - 1)
        if census.with_pairs:
            counted = with_pairs[start - span[0] : stop - span[0]]
            _add_hard_by_class(by_class, points, padded, anchors, columns, squares, counted)
        own = squares.gather(1, columns.clamp(min=0))[columns >= 0]
        alone = squares.gather(1, anchors[:, None])[:, 0]
        everyone, positives, itself = (_binned(side, edges) for side in (squares, own, alone))
        sides.append(
            (
                _positive_side(points, own, positives),
                _negative_side(points, padded, anchors, squares, everyone - positives - itself),
            )
        )
    return merged([side for side, _ in sides]), merged([side for _, side in sides]), by_class


def _binned(squares: Tensor, edges: Tensor) -> np.ndarray:
    """How many squared distances are in each bin."""
    import torch

    bins = torch.bucketize(squares, edges, out_int32=True, right=True)
    return numbers(torch.bincount(bins.flatten(), minlength=len(edges) + 1))


def _positive_side(points: Points, squares: Tensor, counts: np.ndarray) -> DistanceSums:
    lengths = numbers(squares.sqrt() if points.is_root else squares).astype(float)
    sums = total(unscaled(points, lengths))
    return DistanceSums(len(lengths), _length(points, lengths.min()), sums, _length(points, lengths.max()), counts)


def _negative_side(points: Points, padded: Any, anchors: Tensor, squares: Tensor, counts: np.ndarray) -> DistanceSums:
    """Overwrites the squares."""
    import torch

    from ...kernels import tiles

    lengths = squares.sqrt_() if points.is_root else squares
    smallest = float(tiles.fill_own_class(lengths, padded, anchors, torch.inf).amin())
    tiles.fill_own_class(lengths, padded, anchors, 0.0)
    sums = numbers(lengths.sum(1, dtype=torch.float64))
    return DistanceSums(
        int(counts.sum()),
        _length(points, smallest),
        total(unscaled(points, sums)),
        _length(points, float(lengths.amax())),
        counts,
    )


def _length(points: Points, value: float) -> float:
    return float(unscaled(points, np.asarray(value)))


def _add_hard_by_class(
    by_class: dict[int, np.ndarray],
    points: Points,
    padded: Any,
    anchors: Tensor,
    columns: Tensor,
    squares: Tensor,
    counted: np.ndarray,
) -> None:
    """Adds anchor class -> hard triplets by class of the negative, which counts once for each positive behind it."""
    import torch

    from ...kernels import tiles

    positives = tiles.squared_positive_distances(padded, anchors, columns).to(squares.dtype).sort(1).values
    behind = positives.shape[1] - torch.searchsorted(positives, squares.contiguous())  # the absent, -1, come first
    classes = torch.from_numpy(points.classes).to(squares.device)
    by_negative = behind.new_zeros((len(anchors), len(points.names)))
    hard = numbers(by_negative.index_add_(1, classes, tiles.fill_own_class(behind, padded, anchors, 0)))
    for anchor, row, is_counted in zip(anchors.tolist(), hard, counted, strict=True):
        if is_counted:
            key = int(points.classes[anchor])
            by_class[key] = by_class[key] + row if key in by_class else row


def numbers(tensor: Tensor) -> np.ndarray:
    """A tensor of any device as numpy."""
    array: np.ndarray = tensor.cpu().numpy()
    return array


def unscaled(points: Points, values: np.ndarray) -> np.ndarray:
    """Sums of distances from sums of what the kernel measured."""
    shift = points.gram.shift if points.is_root else 2 * points.gram.shift
    values = values / (math.sqrt(points.gram.length) if points.is_root else points.gram.length)
    distances: np.ndarray = np.ldexp(values / 2 if points.metric == "cosine" else values, -shift)
    return distances
