"""For every anchor and positive, the nearest negative beyond the positive.

Source: Schroff, Kalenichenko, Philbin, FaceNet, 2015, eq. 4; the fallback to the farthest negative is that of
TensorFlow's triplet_semihard_loss.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..errors import UsageError
from . import tiles
from .tiles import HAS_TRITON, PaddedPoints, Tiling, jit, load_anchors, tile_product

if TYPE_CHECKING or HAS_TRITON:
    import triton.language as tl

FALLBACKS = ("easiest", "hardest", "drop")
MOST_POSITIVES = 31
UNROLLED = 4  # thresholds compared in one go; more would spill registers


@dataclass(frozen=True, slots=True)
class SemiHardPairs:
    """Per anchor and positive, of shape (A, P), P the largest class less one: Euclidean distances and rows.

    nan and -1 where the anchor has no such positive, and for the negative where there is none to take.
    Of equal distances the lowest row is taken.
    fell_back: no negative was farther than the positive
    is_open: at the `slack` asked for, the right negative may be another
    """

    positive: Tensor
    positive_at: Tensor
    negative: Tensor
    negative_at: Tensor
    fell_back: Tensor
    is_open: Tensor


def naive(
    embeddings: Tensor, start: Tensor, end: Tensor, *, fallback: str = "easiest", precision: str = "ieee"
) -> SemiHardPairs:
    """The (N, N, N) broadcast, which knows no slack. Arguments as in `panel`."""
    _check(fallback)
    points = tiles.prepare(embeddings, start, end, precision=precision)
    everyone = torch.arange(points.n, device=embeddings.device)
    squared = tiles.squared_distances(points, everyone)
    same = tiles.class_mask(points, everyone)
    beyond = ~same[:, None, :] & (squared[:, None, :] > squared[:, :, None])
    nearest_at = torch.where(beyond, squared[:, None, :], torch.inf).argmin(2)
    nearest = torch.where(beyond.any(2), squared.gather(1, nearest_at), torch.inf)
    positive_at = tiles.positive_columns(points, everyone, points.largest_class - 1)
    column = positive_at.clamp(min=0)
    negatives = nearest.gather(1, column), nearest_at.gather(1, column), nearest.gather(1, column)
    return _pairs(squared.gather(1, column), positive_at, negatives, _fallback(squared, same, fallback))


def panel(
    embeddings: Tensor,
    start: Tensor,
    end: Tensor,
    *,
    fallback: str = "easiest",
    precision: str = "ieee",
    slack: float = 0.0,
    anchors: Tensor | None = None,
) -> SemiHardPairs:
    """Blocks of anchors: sort the negatives, find each positive's rank. The result is of size N x P.

    embeddings: (N, D) floats sorted by label; start, end: (N,) the slice of each row's class
    fallback: the negative where none is beyond the positive: easiest (the farthest), hardest (the nearest), drop
    precision: of the product, for float32: ieee, tf32x3, tf32, bf16; float64 is always ieee
    slack: relative error of a squared distance, as from `tiles.squared_distance_error`; what is then not open is that
        of exact arithmetic
    anchors: rows to answer for, all unless given
    Raises DataError for arrays that do not fit, UsageError for an unknown fallback or precision.
    """
    _check(fallback)
    points = tiles.prepare(embeddings, start, end, precision=precision)
    blocks = [_panel(points, block, fallback, slack) for block in tiles.anchor_blocks(points, anchors)]
    return SemiHardPairs(
        *(torch.cat([getattr(block, field.name) for block in blocks]) for field in fields(SemiHardPairs))
    )


def _panel(points: PaddedPoints, anchors: Tensor, fallback: str, slack: float) -> SemiHardPairs:
    squared = tiles.squared_distances(points, anchors)
    positive_at = tiles.positive_columns(points, anchors, points.largest_class - 1)
    positive = squared.gather(1, positive_at.clamp(min=0))
    same = tiles.class_mask(points, anchors)
    extreme = _fallback(squared, same, fallback)
    # A stable sort keeps equal distances in row order, so the first of a run is the lowest row.
    negatives, order = tiles.fill_own_class(squared, points, anchors, torch.inf).sort(dim=1, stable=True)
    reach = tiles.reach_of(points, anchors, slack)[:, None]
    rank = torch.searchsorted(negatives, positive - reach, right=True).clamp(max=points.n - 1)
    after = (rank + 1).clamp(max=points.n - 1)  # the last is the anchor itself, at infinity
    nearest = negatives.gather(1, rank), order.gather(1, rank), negatives.gather(1, after)
    return _pairs(positive, positive_at, nearest, extreme, reach if slack else None)


Picked = tuple[Tensor, Tensor, Tensor]  # squared distance of a negative, its row, squared distance of the next best


def _fallback(squared: Tensor, same: Tensor, fallback: str) -> Picked:
    """(A,) each, of the negative to fall back on, inf where there is none."""
    if fallback == "drop":
        none = squared.new_full(squared.shape[:1], torch.inf)
        return none, torch.zeros_like(none, dtype=torch.int64), none
    signed = torch.where(same, torch.inf, -squared if fallback == "easiest" else squared)
    at = signed.argmin(1, keepdim=True)
    has_one = torch.isfinite(signed.gather(1, at))[:, 0]
    extreme = torch.where(has_one, squared.gather(1, at)[:, 0], torch.inf)
    return extreme, at[:, 0], signed.scatter_(1, at, torch.inf).amin(1).abs()


def _pairs(
    positive: Tensor, positive_at: Tensor, nearest: Picked, fallen: Picked, reach: Tensor | None = None
) -> SemiHardPairs:
    exists = positive_at >= 0
    beyond = torch.isfinite(nearest[0])
    negative, negative_at, after = (
        torch.where(beyond, own, other[:, None]) for own, other in zip(nearest, fallen, strict=True)
    )
    taken = exists & torch.isfinite(negative)
    is_open = torch.zeros_like(taken)
    if reach is not None:
        is_sure = ~(beyond & ~(negative > positive + reach)) & ((after - negative).abs() > reach)
        is_open = exists & ~(torch.isfinite(reach) & (is_sure | ~taken))
    return SemiHardPairs(
        torch.where(exists, positive.sqrt(), torch.nan),
        positive_at,
        torch.where(taken, negative.sqrt(), torch.nan),
        torch.where(taken, negative_at, -1),
        exists & ~beyond,
        is_open,
    )


def fused(
    embeddings: Tensor,
    start: Tensor,
    end: Tensor,
    *,
    fallback: str = "easiest",
    precision: str = "ieee",
    slack: float = 0.0,
    tiling: Tiling | None = None,
    anchors: Tensor | None = None,
) -> SemiHardPairs:
    """One Triton program a block of anchors, a running minimum for each positive.

    Arguments and errors as in `panel`. Classes of more than 32 take the sorted route of `panel`.
    anchors: neighbouring rows to answer for, all unless given
    tiling: how the work is cut, chosen by dtype unless given
    Raises DeviceError where there is no triton or the embeddings are not on a GPU.
    """
    _check(fallback)
    tiling = tiling or tiles.default_tiling(embeddings, precision)
    points = tiles.padded_for_triton(embeddings, start, end, precision=precision, tiling=tiling)
    n_positives = points.largest_class - 1
    if n_positives > MOST_POSITIVES:
        return panel(embeddings, start, end, fallback=fallback, precision=precision, slack=slack, anchors=anchors)
    # One threshold more than positives: beyond -1 lies every negative, so the last finds the hardest to fall back on.
    n_thresholds = -(-(n_positives + 1) // UNROLLED) * UNROLLED
    width = UNROLLED if n_thresholds == UNROLLED else MOST_POSITIVES + 1  # two compiled variants, not one a class size
    rows, (first, blocks) = points.norms.shape[0], tiles.blocks_of(points, anchors, tiling)
    splits, tiles_per_split = tiling.splits(rows)
    reach = tiles.reach_of(points, slice(None), slack)
    positives = tiles.all_squared_positive_distances(points, n_thresholds).to(points.norms.dtype)
    inner = positives.clone()
    inner[:, : points.n] -= reach
    nearest, after = points.norms.new_empty((2, splits, rows, width))
    nearest_at = torch.empty_like(nearest, dtype=torch.int32)
    farthest, before = points.norms.new_empty((2, splits, rows))
    farthest_at = torch.empty_like(farthest, dtype=torch.int32)
    with tiles.launching_on(points.values):
        _kernel[blocks, splits](
            points.values, points.norms, points.start.int(), points.end.int(),
            inner, nearest, nearest_at, after, farthest, farthest_at, before,
            first, rows, rows // tiling.block_n, tiles_per_split, n_thresholds,
            WIDTH=width, UNROLL=UNROLLED, EASIEST=fallback == "easiest", CERTIFY=slack > 0,
            DIM=points.values.shape[1], BLOCK_M=tiling.block_m, BLOCK_N=tiling.block_n, BLOCK_D=tiling.block_d,
            PRECISION=tiles.dot_precision(precision), num_warps=tiling.warps, num_stages=tiling.stages,
        )  # fmt: skip
    own = tiles.rows_of(points, anchors)
    least, least_at, second = _merged(nearest[:, own], nearest_at[:, own], after[:, own])
    last = n_thresholds - 1
    fallen: Picked = least[:, last], least_at[:, last], second[:, last]
    if fallback == "easiest":
        most, at, next_most = _merged(-farthest[:, own], farthest_at[:, own], -before[:, own])
        fallen = torch.where(most > 0, torch.inf, -most), at, torch.where(next_most > 0, torch.inf, -next_most)
    if fallback == "drop":
        fallen = torch.full_like(fallen[0], torch.inf), fallen[1], fallen[2]
    rows_asked = torch.arange(own.start, own.stop, device=reach.device)
    positive_at = tiles.positive_columns(points, rows_asked, n_positives)
    positive = positives[:n_positives, own].T.clamp(min=0)
    negatives = least[:, :n_positives], least_at[:, :n_positives], second[:, :n_positives]
    return _pairs(positive, positive_at, negatives, fallen, reach[own, None] if slack else None)


def _merged(scores: Tensor, at: Tensor, seconds: Tensor) -> Picked:
    return *tiles.merged(scores, at), tiles.runner_up(scores, seconds)


def _check(fallback: str) -> None:
    if fallback not in FALLBACKS:
        raise UsageError(f"unknown fallback {fallback!r}", fix=f"choose one of {', '.join(FALLBACKS)}")


@jit
def _kernel(
    points: tl.tensor,
    norms: tl.tensor,
    start: tl.tensor,
    end: tl.tensor,
    inner: tl.tensor,
    nearest: tl.tensor,
    nearest_at: tl.tensor,
    after: tl.tensor,
    farthest: tl.tensor,
    farthest_at: tl.tensor,
    before: tl.tensor,
    first_block: tl.tensor,
    n_rows: tl.tensor,
    n_tiles: tl.tensor,
    tiles_per_split: tl.tensor,
    n_thresholds: tl.tensor,
    WIDTH: tl.constexpr,
    UNROLL: tl.constexpr,
    EASIEST: tl.constexpr,
    CERTIFY: tl.constexpr,
    DIM: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_D: tl.constexpr,
    PRECISION: tl.constexpr,
) -> None:
    DTYPE: tl.constexpr = norms.dtype.element_ty
    rows = (first_block + tl.program_id(0)) * BLOCK_M + tl.arange(0, BLOCK_M)
    row_start = tl.load(start + rows)[:, None]
    row_end = tl.load(end + rows)[:, None]
    row_norm = tl.load(norms + rows)[:, None]
    anchors = load_anchors(points, rows, DIM, BLOCK_D)

    positives = tl.arange(0, WIDTH)[None, :]
    least = tl.full((BLOCK_M, WIDTH), float("inf"), dtype=DTYPE)
    least_at = tl.zeros((BLOCK_M, WIDTH), dtype=tl.int32)
    less = tl.full((BLOCK_M, WIDTH), float("inf"), dtype=DTYPE)  # the second least
    most = tl.full((BLOCK_M,), -1.0, dtype=DTYPE)
    most_at = tl.zeros((BLOCK_M,), dtype=tl.int32)
    more = tl.full((BLOCK_M,), -1.0, dtype=DTYPE)

    first = tl.program_id(1) * tiles_per_split
    for tile in range(first, tl.minimum(first + tiles_per_split, n_tiles)):
        ab = tile_product(points, anchors, rows, tile * BLOCK_N, DTYPE, DIM, BLOCK_M, BLOCK_N, BLOCK_D, PRECISION)
        columns = (tile * BLOCK_N + tl.arange(0, BLOCK_N))[None, :]
        negative = tl.maximum(row_norm + (tl.load(norms + columns) - 2.0 * ab), 0.0)
        same = (columns >= row_start) & (columns < row_end)
        negative = tl.where(same, float("inf"), negative)
        # Tiles come in order, so a strict comparison keeps the first of equals.
        for group in range(0, n_thresholds, UNROLL):
            for j in tl.static_range(UNROLL):
                k = group + j
                positive = tl.load(inner + k * n_rows.to(tl.int64) + rows)[:, None]
                beyond = tl.where(negative > positive, negative, float("inf"))
                best = tl.min(beyond, 1)[:, None]
                best_at = tl.min(tl.where(beyond == best, columns, 2147483647), 1)[:, None]
                if CERTIFY:
                    second = tl.min(tl.where(columns == best_at, float("inf"), beyond), 1)[:, None]
                    second = tl.minimum(tl.minimum(less, second), tl.maximum(least, best))
                    less = tl.where(positives == k, second, less)
                nearer = (positives == k) & (best < least)
                least = tl.where(nearer, best, least)
                least_at = tl.where(nearer, best_at, least_at)
        if EASIEST:
            finite = tl.where(negative < float("inf"), negative, -1.0)
            best = tl.max(finite, 1)
            best_at = tl.min(tl.where(finite == best[:, None], columns, 2147483647), 1)
            if CERTIFY:
                second = tl.max(tl.where(columns == best_at[:, None], -1.0, finite), 1)
                more = tl.maximum(tl.maximum(more, second), tl.minimum(most, best))
            farther = best > most
            most = tl.where(farther, best, most)
            most_at = tl.where(farther, best_at, most_at)

    out = tl.program_id(1) * n_rows + rows
    pairs = out.to(tl.int64)[:, None] * WIDTH + positives
    tl.store(nearest + pairs, least)
    tl.store(nearest_at + pairs, least_at)
    tl.store(farthest + out, most)
    tl.store(farthest_at + out, most_at)
    if CERTIFY:
        tl.store(after + pairs, less)
        tl.store(before + out, more)
