"""The farthest positive and the nearest negative of every anchor.

Source: Hermans, Beyer, Leibe, In Defense of the Triplet Loss for Person Re-Identification, 2017, eq. 5.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from . import tiles
from .tiles import HAS_TRITON, PaddedPoints, Tiling, jit, load_anchors, tile_product

if TYPE_CHECKING or HAS_TRITON:
    import triton.language as tl


@dataclass(frozen=True, slots=True)
class HardPairs:
    """Per anchor, of shape (A,): a Euclidean distance and the row it leads to; nan and -1 where there is none.

    Of equal distances the lowest row is taken.
    is_open: another row is so near to one of the two that, at the `slack` asked for, it may be the right one
    """

    positive: Tensor
    positive_at: Tensor
    negative: Tensor
    negative_at: Tensor
    is_open: Tensor


def naive(embeddings: Tensor, start: Tensor, end: Tensor, *, precision: str = "ieee") -> HardPairs:
    """The full (N, N) matrix and two masks of its size, which knows no slack. Arguments as in `panel`."""
    points = tiles.prepare(embeddings, start, end, precision=precision)
    everyone = torch.arange(points.n, device=embeddings.device)
    squared = tiles.squared_distances(points, everyone)
    same = tiles.class_mask(points, everyone)
    positive = same & ~torch.eye(points.n, dtype=torch.bool, device=same.device)
    sides = torch.where(positive, -squared, torch.inf), torch.where(same, torch.inf, squared)
    return _pairs(_extreme(sides[0]), _extreme(sides[1]))


def panel(
    embeddings: Tensor,
    start: Tensor,
    end: Tensor,
    *,
    precision: str = "ieee",
    slack: float = 0.0,
    anchors: Tensor | None = None,
) -> HardPairs:
    """Blocks of anchors against everyone, masks only where the block's classes lie.

    embeddings: (N, D) floats sorted by label; start, end: (N,) the slice of each row's class
    precision: of the product, for float32: ieee, tf32x3, tf32, bf16; float64 is always ieee
    slack: relative error of a squared distance, as from `tiles.squared_distance_error`; what is then not open is that
        of exact arithmetic
    anchors: rows to answer for, all unless given
    Raises DataError for arrays that do not fit, UsageError for an unknown precision.
    """
    points = tiles.prepare(embeddings, start, end, precision=precision)
    blocks = [_panel(points, block, slack) for block in tiles.anchor_blocks(points, anchors)]
    return HardPairs(*(torch.cat([getattr(block, field.name) for block in blocks]) for field in fields(HardPairs)))


def _panel(points: PaddedPoints, anchors: Tensor, slack: float) -> HardPairs:
    squared = tiles.squared_distances(points, anchors)
    low, high = int(points.start[anchors].min()), int(points.end[anchors].max())
    column = torch.arange(low, high, device=squared.device)
    window = squared[:, low:high]
    same = (column >= points.start[anchors, None]) & (column < points.end[anchors, None])
    positive = same & (column != anchors[:, None])
    farthest = _extreme(torch.where(positive, -window, torch.inf), slack, low)
    window.masked_fill_(same, torch.inf)
    return _pairs(farthest, _extreme(squared, slack), tiles.reach_of(points, anchors, slack))


class _Extreme(NamedTuple):
    """The least of some scores, in which row it is, and how far behind the next is, (A,) each; inf where none is."""

    score: Tensor
    at: Tensor
    lead: Tensor


def _extreme(scores: Tensor, slack: float = 0.0, low: int = 0) -> _Extreme:
    """Of (A, N) scores, which begin at a row; overwrites them."""
    at = scores.argmin(1, keepdim=True)  # torch promises the first of equal minima for argmin, not for min
    least = scores.gather(1, at)[:, 0]
    lead = scores.scatter_(1, at, torch.inf).amin(1) - least if slack else torch.full_like(least, torch.inf)
    return _Extreme(least, at[:, 0] + low, lead)


def _pairs(farthest: _Extreme, nearest: _Extreme, reach: Tensor | float = 0.0) -> HardPairs:
    has_positive, has_negative = torch.isfinite(farthest.score), torch.isfinite(nearest.score)
    return HardPairs(
        torch.where(has_positive, (-farthest.score).clamp(min=0).sqrt(), torch.nan),
        torch.where(has_positive, farthest.at, -1),
        torch.where(has_negative, nearest.score.clamp(min=0).sqrt(), torch.nan),
        torch.where(has_negative, nearest.at, -1),
        (has_positive & ~(farthest.lead > reach)) | (has_negative & ~(nearest.lead > reach)),
    )


def fused(
    embeddings: Tensor,
    start: Tensor,
    end: Tensor,
    *,
    precision: str = "ieee",
    slack: float = 0.0,
    tiling: Tiling | None = None,
    anchors: Tensor | None = None,
) -> HardPairs:
    """One Triton program a block of anchors; nothing of size N^2 is written. Arguments and errors as in `panel`.

    anchors: neighbouring rows to answer for, all unless given
    tiling: how the work is cut, chosen by dtype unless given
    Raises DeviceError where there is no triton or the embeddings are not on a GPU.
    """
    tiling = tiling or tiles.default_tiling(embeddings, precision)
    points = tiles.padded_for_triton(embeddings, start, end, precision=precision, tiling=tiling)
    rows, (first, blocks) = points.norms.shape[0], tiles.blocks_of(points, anchors, tiling)
    splits, tiles_per_split = tiling.splits(rows)
    farthest, nearest, farther, nearer = points.norms.new_empty((4, splits, rows))
    farthest_at, nearest_at = points.start.new_empty((2, splits, rows), dtype=torch.int32)
    with tiles.launching_on(points.values):
        _kernel[blocks, splits](
            points.values, points.norms, points.start.int(), points.end.int(),
            farthest, farthest_at, farther, nearest, nearest_at, nearer,
            first, rows, rows // tiling.block_n, tiles_per_split, CERTIFY=slack > 0,
            DIM=points.values.shape[1], BLOCK_M=tiling.block_m, BLOCK_N=tiling.block_n, BLOCK_D=tiling.block_d,
            PRECISION=tiles.dot_precision(precision), num_warps=tiling.warps, num_stages=tiling.stages,
        )  # fmt: skip
    own = tiles.rows_of(points, anchors)
    norms = points.norms[own]

    def side(scores: Tensor, at: Tensor, seconds: Tensor, sign: int) -> _Extreme:
        best, rows = tiles.merged(scores[:, own], at[:, own])
        lead = tiles.runner_up(scores[:, own], seconds[:, own]) - best if slack else torch.full_like(best, torch.inf)
        return _Extreme(best + sign * norms, rows, lead)

    sides = side(-farthest, farthest_at, -farther, -1), side(nearest, nearest_at, nearer, 1)
    return _pairs(*sides, tiles.reach_of(points, own, slack))


@jit
def _kernel(
    points: tl.tensor,
    norms: tl.tensor,
    start: tl.tensor,
    end: tl.tensor,
    farthest: tl.tensor,
    farthest_at: tl.tensor,
    farther: tl.tensor,
    nearest: tl.tensor,
    nearest_at: tl.tensor,
    nearer: tl.tensor,
    first_block: tl.tensor,
    n_rows: tl.tensor,
    n_tiles: tl.tensor,
    tiles_per_split: tl.tensor,
    CERTIFY: tl.constexpr,
    DIM: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_D: tl.constexpr,
    PRECISION: tl.constexpr,
) -> None:
    DTYPE: tl.constexpr = norms.dtype.element_ty
    rows = (first_block + tl.program_id(0)) * BLOCK_M + tl.arange(0, BLOCK_M)
    lanes = tl.arange(0, BLOCK_N)
    row_start = tl.load(start + rows)
    row_end = tl.load(end + rows)
    anchors = load_anchors(points, rows, DIM, BLOCK_D)

    # Tiles in [low, high) hold classes of this block and need masks; those before and after hold negatives only.
    first = tl.program_id(1) * tiles_per_split
    last = tl.minimum(first + tiles_per_split, n_tiles)
    low = tl.minimum(tl.maximum(tl.min(row_start, 0) // BLOCK_N, first), last)
    high = tl.minimum(tl.maximum(tl.cdiv(tl.max(row_end, 0), BLOCK_N), low), last)

    # One running extreme a lane, with the tile it was in; lanes are compared once, at the end.
    # |a|^2 is the same for all columns: a score is |b|^2 - 2ab. Tiles come in order, so among equals the first stays.
    most = tl.full((BLOCK_M, BLOCK_N), float("-inf"), dtype=DTYPE)
    least = tl.full((BLOCK_M, BLOCK_N), float("inf"), dtype=DTYPE)
    most_tile = tl.zeros((BLOCK_M, BLOCK_N), dtype=tl.int32)
    least_tile = tl.zeros((BLOCK_M, BLOCK_N), dtype=tl.int32)

    # Of each lane the second too, where they are to be told apart.
    more = tl.full((BLOCK_M, BLOCK_N), float("-inf"), dtype=DTYPE)
    less = tl.full((BLOCK_M, BLOCK_N), float("inf"), dtype=DTYPE)

    least, least_tile, less = _nearest(
        points, norms, anchors, rows, first, low, least, least_tile, less,
        CERTIFY, DTYPE, DIM, BLOCK_M, BLOCK_N, BLOCK_D, PRECISION,
    )  # fmt: skip
    for tile in range(low, high):
        ab = tile_product(points, anchors, rows, tile * BLOCK_N, DTYPE, DIM, BLOCK_M, BLOCK_N, BLOCK_D, PRECISION)
        columns = (tile * BLOCK_N + lanes)[None, :]
        score = tl.load(norms + columns) - 2.0 * ab
        same = (columns >= row_start[:, None]) & (columns < row_end[:, None])
        positive = tl.where(same & (columns != rows[:, None]), score, float("-inf"))
        if CERTIFY:
            more = tl.maximum(more, tl.minimum(positive, most))
        is_farther = positive > most
        most = tl.where(is_farther, positive, most)
        most_tile = tl.where(is_farther, tile, most_tile)
        negative = tl.where(same, float("inf"), score)
        if CERTIFY:
            less = tl.minimum(less, tl.maximum(negative, least))
        is_nearer = negative < least
        least = tl.where(is_nearer, negative, least)
        least_tile = tl.where(is_nearer, tile, least_tile)
    least, least_tile, less = _nearest(
        points, norms, anchors, rows, high, last, least, least_tile, less,
        CERTIFY, DTYPE, DIM, BLOCK_M, BLOCK_N, BLOCK_D, PRECISION,
    )  # fmt: skip

    out = tl.program_id(1) * n_rows + rows
    best = tl.max(most, 1)
    at = tl.min(tl.where(most == best[:, None], most_tile * BLOCK_N + lanes[None, :], 2147483647), 1)
    tl.store(farthest + out, best)
    tl.store(farthest_at + out, at)
    if CERTIFY:
        tl.store(farther + out, tl.max(tl.where(lanes[None, :] == (at % BLOCK_N)[:, None], more, most), 1))
    best = tl.min(least, 1)
    at = tl.min(tl.where(least == best[:, None], least_tile * BLOCK_N + lanes[None, :], 2147483647), 1)
    tl.store(nearest + out, best)
    tl.store(nearest_at + out, at)
    if CERTIFY:
        tl.store(nearer + out, tl.min(tl.where(lanes[None, :] == (at % BLOCK_N)[:, None], less, least), 1))


@jit
def _nearest(
    points: tl.tensor,
    norms: tl.tensor,
    anchors: tl.tensor,
    rows: tl.tensor,
    first: tl.tensor,
    last: tl.tensor,
    least: tl.tensor,
    least_tile: tl.tensor,
    less: tl.tensor,
    CERTIFY: tl.constexpr,
    DTYPE: tl.constexpr,
    DIM: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_D: tl.constexpr,
    PRECISION: tl.constexpr,
) -> tuple[tl.tensor, tl.tensor, tl.tensor]:
    for tile in range(first, last):
        ab = tile_product(points, anchors, rows, tile * BLOCK_N, DTYPE, DIM, BLOCK_M, BLOCK_N, BLOCK_D, PRECISION)
        score = tl.load(norms + tile * BLOCK_N + tl.arange(0, BLOCK_N))[None, :] - 2.0 * ab
        if CERTIFY:
            less = tl.minimum(less, tl.maximum(score, least))
        is_nearer = score < least
        least = tl.where(is_nearer, score, least)
        least_tile = tl.where(is_nearer, tile, least_tile)
    return least, least_tile, less
