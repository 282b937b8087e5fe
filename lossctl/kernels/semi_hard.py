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
    """

    positive: Tensor
    positive_at: Tensor
    negative: Tensor
    negative_at: Tensor
    fell_back: Tensor


def naive(
    embeddings: Tensor, start: Tensor, end: Tensor, *, fallback: str = "easiest", precision: str = "ieee"
) -> SemiHardPairs:
    """The (N, N, N) broadcast. Arguments as in `panel`."""
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
    extreme, extreme_at = _fallback(squared, same, fallback)
    return _pairs(
        squared.gather(1, column), positive_at, nearest.gather(1, column), nearest_at.gather(1, column),
        extreme, extreme_at,
    )  # fmt: skip


def panel(
    embeddings: Tensor,
    start: Tensor,
    end: Tensor,
    *,
    fallback: str = "easiest",
    precision: str = "ieee",
    anchors: Tensor | None = None,
) -> SemiHardPairs:
    """Blocks of anchors: sort the negatives, find each positive's rank. The result is of size N x P.

    embeddings: (N, D) floats sorted by label; start, end: (N,) the slice of each row's class
    fallback: the negative where none is beyond the positive: easiest (the farthest), hardest (the nearest), drop
    precision: of the product, for float32: ieee, tf32x3, tf32, bf16; float64 is always ieee
    anchors: rows to answer for, all unless given
    Raises DataError for arrays that do not fit, UsageError for an unknown fallback or precision.
    """
    _check(fallback)
    points = tiles.prepare(embeddings, start, end, precision=precision)
    blocks = [_panel(points, block, fallback) for block in tiles.anchor_blocks(points, anchors)]
    return SemiHardPairs(
        *(torch.cat([getattr(block, field.name) for block in blocks]) for field in fields(SemiHardPairs))
    )


def _panel(points: PaddedPoints, anchors: Tensor, fallback: str) -> SemiHardPairs:
    squared = tiles.squared_distances(points, anchors)
    positive_at = tiles.positive_columns(points, anchors, points.largest_class - 1)
    positive = squared.gather(1, positive_at.clamp(min=0))
    same = tiles.class_mask(points, anchors)
    extreme, extreme_at = _fallback(squared, same, fallback)
    # A stable sort keeps equal distances in row order, so the first of a run is the lowest row.
    negatives, order = tiles.fill_own_class(squared, points, anchors, torch.inf).sort(dim=1, stable=True)
    rank = torch.searchsorted(negatives, positive, right=True).clamp(max=points.n - 1)
    return _pairs(positive, positive_at, negatives.gather(1, rank), order.gather(1, rank), extreme, extreme_at)


def _fallback(squared: Tensor, same: Tensor, fallback: str) -> tuple[Tensor, Tensor]:
    """(A,) squared distance and row of the negative to fall back on, inf where there is none."""
    if fallback == "drop":
        return squared.new_full(squared.shape[:1], torch.inf), torch.zeros_like(same[:, 0], dtype=torch.int64)
    signed = -squared if fallback == "easiest" else squared
    at = torch.where(same, torch.inf, signed).argmin(1)
    has_one = ~same.gather(1, at[:, None])[:, 0]
    return torch.where(has_one, squared.gather(1, at[:, None])[:, 0], torch.inf), at


def _pairs(
    positive: Tensor, positive_at: Tensor, nearest: Tensor, nearest_at: Tensor, extreme: Tensor, extreme_at: Tensor
) -> SemiHardPairs:
    exists = positive_at >= 0
    beyond = torch.isfinite(nearest)
    negative = torch.where(beyond, nearest, extreme[:, None])
    taken = exists & torch.isfinite(negative)
    return SemiHardPairs(
        torch.where(exists, positive.sqrt(), torch.nan),
        positive_at,
        torch.where(taken, negative.sqrt(), torch.nan),
        torch.where(taken, torch.where(beyond, nearest_at, extreme_at[:, None]), -1),
        exists & ~beyond,
    )


def fused(
    embeddings: Tensor,
    start: Tensor,
    end: Tensor,
    *,
    fallback: str = "easiest",
    precision: str = "ieee",
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
        return panel(embeddings, start, end, fallback=fallback, precision=precision, anchors=anchors)
    # One threshold more than positives: beyond -1 lies every negative, so the last finds the hardest to fall back on.
    n_thresholds = tiles.power_of_two(n_positives + 1, low=2, high=MOST_POSITIVES + 1)
    rows, (first, blocks) = points.norms.shape[0], tiles.blocks_of(points, anchors, tiling)
    splits, tiles_per_split = tiling.splits(rows)
    inner = tiles.all_squared_positive_distances(points, n_thresholds).to(points.norms.dtype)
    nearest = points.norms.new_empty((splits, rows, n_thresholds))
    nearest_at = torch.empty_like(nearest, dtype=torch.int32)
    farthest = points.norms.new_empty((splits, rows))
    farthest_at = torch.empty_like(farthest, dtype=torch.int32)
    with tiles.launching_on(points.values):
        _kernel[blocks, splits](
            points.values, points.norms, points.start.int(), points.end.int(),
            inner, nearest, nearest_at, farthest, farthest_at,
            first, rows, rows // tiling.block_n, tiles_per_split,
            THRESHOLDS=n_thresholds, UNROLL=min(n_thresholds, UNROLLED), EASIEST=fallback == "easiest",
            DIM=points.values.shape[1], BLOCK_M=tiling.block_m, BLOCK_N=tiling.block_n, BLOCK_D=tiling.block_d,
            PRECISION=tiles.dot_precision(precision), num_warps=tiling.warps, num_stages=tiling.stages,
        )  # fmt: skip
    own = tiles.rows_of(points, anchors)
    least, least_at = tiles.merged(nearest[:, own], nearest_at[:, own])
    extreme, extreme_at = least[:, -1], least_at[:, -1]
    if fallback == "easiest":
        most, extreme_at = tiles.merged(-farthest[:, own], farthest_at[:, own])
        extreme = torch.where(most > 0, torch.inf, -most)
    if fallback == "drop":
        extreme = torch.full_like(extreme, torch.inf)
    rows_asked = torch.arange(own.start, own.stop, device=extreme.device)
    positive_at = tiles.positive_columns(points, rows_asked, n_positives)
    positive = inner[:n_positives, own].T.clamp(min=0)
    return _pairs(positive, positive_at, least[:, :n_positives], least_at[:, :n_positives], extreme, extreme_at)


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
    farthest: tl.tensor,
    farthest_at: tl.tensor,
    first_block: tl.tensor,
    n_rows: tl.tensor,
    n_tiles: tl.tensor,
    tiles_per_split: tl.tensor,
    THRESHOLDS: tl.constexpr,
    UNROLL: tl.constexpr,
    EASIEST: tl.constexpr,
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

    positives = tl.arange(0, THRESHOLDS)[None, :]
    least = tl.full((BLOCK_M, THRESHOLDS), float("inf"), dtype=DTYPE)
    least_at = tl.zeros((BLOCK_M, THRESHOLDS), dtype=tl.int32)
    most = tl.full((BLOCK_M,), -1.0, dtype=DTYPE)
    most_at = tl.zeros((BLOCK_M,), dtype=tl.int32)

    first = tl.program_id(1) * tiles_per_split
    for tile in range(first, tl.minimum(first + tiles_per_split, n_tiles)):
        ab = tile_product(points, anchors, rows, tile * BLOCK_N, DTYPE, DIM, BLOCK_M, BLOCK_N, BLOCK_D, PRECISION)
        columns = (tile * BLOCK_N + tl.arange(0, BLOCK_N))[None, :]
        negative = tl.maximum(row_norm + (tl.load(norms + columns) - 2.0 * ab), 0.0)
        same = (columns >= row_start) & (columns < row_end)
        negative = tl.where(same, float("inf"), negative)
        # Tiles come in order, so a strict comparison keeps the first of equals.
        for group in range(0, THRESHOLDS, UNROLL):
            for j in tl.static_range(UNROLL):
                k = group + j
                positive = tl.load(inner + k * n_rows.to(tl.int64) + rows)[:, None]
                beyond = tl.where(negative > positive, negative, float("inf"))
                best = tl.min(beyond, 1)[:, None]
                best_at = tl.min(tl.where(beyond == best, columns, 2147483647), 1)[:, None]
                nearer = (positives == k) & (best < least)
                least = tl.where(nearer, best, least)
                least_at = tl.where(nearer, best_at, least_at)
        if EASIEST:
            finite = tl.where(negative < float("inf"), negative, -1.0)
            best = tl.max(finite, 1)
            best_at = tl.min(tl.where(finite == best[:, None], columns, 2147483647), 1)
            farther = best > most
            most = tl.where(farther, best, most)
            most_at = tl.where(farther, best_at, most_at)

    out = tl.program_id(1) * n_rows + rows
    pairs = out.to(tl.int64)[:, None] * THRESHOLDS + positives
    tl.store(nearest + pairs, least)
    tl.store(nearest_at + pairs, least_at)
    tl.store(farthest + out, most)
    tl.store(farthest_at + out, most_at)
