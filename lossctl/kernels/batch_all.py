"""Sums and category counts over all triplets of every anchor.

Source: Hermans, Beyer, Leibe, In Defense of the Triplet Loss for Person Re-Identification, 2017, eq. 6;
Schroff, Kalenichenko, Philbin, FaceNet, 2015, for the categories.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..errors import UsageError
from . import tiles
from .tiles import HAS_TRITON, PaddedPoints, Tiling, jit, load_anchors, tile_product

if TYPE_CHECKING or HAS_TRITON:
    import triton.language as tl

MOST_POSITIVES = 31  # one less than the lanes of a warp, in which an anchor's thresholds lie to be searched


@dataclass(frozen=True, slots=True)
class TripletSums:
    """Per anchor, of shape (A,), over its triplets (a, p, n).

    loss: sum of [d_ap - d_an + margin]+, float64
    hard: d_an <= d_ap; semi_hard: neither hard nor easy; easy: d_an >= d_ap + margin; int64, a partition
    tied: d_an = d_ap as computed; these are among the hard
    borderline: triplets so near to a threshold that, at the `slack` asked for, their category is not proven
    """

    loss: Tensor
    hard: Tensor
    semi_hard: Tensor
    easy: Tensor
    tied: Tensor
    borderline: Tensor


@dataclass(frozen=True, slots=True)
class Filter:
    """What the kernel compares first, in float32 whatever the points are.

    inner, outer: (rows, MOST_POSITIVES + 1), those of `Thresholds`, falling, -inf where there is none
    width: (rows,), a comparison that is off by more is decided; farthest: (rows,), beyond lies nothing that counts
    """

    inner: Tensor
    outer: Tensor
    width: Tensor
    farthest: Tensor


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What the squared distance of a negative is compared with, an entry for each anchor and positive.

    inner: d_ap^2; hard up to here. outer: (d_ap + margin)^2; easy from here on. Both -1 where there is no positive.
    reach: d_ap + margin. band: half the width around inner and outer that is borderline.
    """

    inner: Tensor
    outer: Tensor
    reach: Tensor
    band: Tensor


def thresholds(
    inner: Tensor, norms: Tensor, largest: Tensor, *, margin: float, squared: bool, slack: float
) -> Thresholds:
    """Thresholds in the dtype of the norms from squared positive distances, -1 for none.

    norms: squared lengths of the anchors, to be broadcast against `inner`; largest: of all points
    """
    exact = inner.double()
    reach = (exact if squared else exact.clamp(min=0).sqrt()) + margin
    inner, outer = inner.to(norms.dtype), (reach if squared else reach.square()).to(norms.dtype)
    # A tie at margin 0 is hard, not easy: count what is nearer than `outer` with every tie inside.
    outer = torch.maximum(outer, torch.nextafter(inner, torch.full_like(inner, torch.inf)))
    outer = torch.where(inner >= 0, outer, -1.0)
    band = slack * (norms + largest + outer.clamp(min=0))
    return Thresholds(inner, outer, torch.where(inner >= 0, reach, 0.0).to(norms.dtype), band)


def filter_of(at: Thresholds) -> Filter:
    """The filter for thresholds that fall along axis 0.

    Rounding is monotone: float32 values that differ are in the order of those that they came from. Where either is off
    by its rounding, 2^-24 of it, and the band lies within the width too, what is farther apart needs no second look.
    """
    highest = torch.finfo(torch.float32).max
    inner, outer = (
        _table(torch.where(at.inner >= 0, side, -torch.inf).float().clamp(max=highest), -torch.inf)
        for side in (at.inner, at.outer)
    )
    width = at.band.amax(0)
    if at.band.dtype == torch.float64:
        width = (1.001 * (width + 2.0**-23 * (width + at.outer[0].clamp(min=0))) + 2.0**-126).float()
    farthest = torch.nextafter(outer[:, 0] + width, torch.full_like(width, torch.inf))
    return Filter(inner, outer, width, farthest)


def sums_of_farthest(reach: Tensor) -> tuple[Tensor, Tensor]:
    """(rows, MOST_POSITIVES + 1) sums of none, of the first row, of the first two and so on, and what float32 sums
    lack."""
    exact = torch.nn.functional.pad(_table(reach.double(), 0.0).cumsum(1), (1, -1))
    sums = exact.to(reach.dtype)
    return sums, (exact - sums).float()


def _table(columns: Tensor, value: float) -> Tensor:
    """(rows, MOST_POSITIVES + 1) from (thresholds, rows), with a value where there is none."""
    return torch.nn.functional.pad(columns, (0, 0, 0, MOST_POSITIVES + 1 - len(columns)), value=value).T.contiguous()


def naive(
    embeddings: Tensor,
    start: Tensor,
    end: Tensor,
    *,
    margin: float = 1.0,
    squared: bool = False,
    precision: str = "ieee",
) -> TripletSums:
    """The (N, N, N) broadcast, which knows no slack. Arguments as in `panel`."""
    _check(margin, 0.0)
    points = tiles.prepare(embeddings, start, end, precision=precision)
    everyone = torch.arange(points.n, device=embeddings.device)
    distance = tiles.squared_distances(points, everyone)
    same = tiles.class_mask(points, everyone)
    positive = same & ~torch.eye(points.n, dtype=torch.bool, device=same.device)
    at = thresholds(distance, points.norms[:, None], points.norms.max(), margin=margin, squared=squared, slack=0.0)
    valid = positive[:, :, None] & ~same[:, None, :]
    negative = distance[:, None, :]
    inner, outer, reach = at.inner[:, :, None], at.outer[:, :, None], at.reach[:, :, None]
    hinge = (reach - (negative if squared else negative.sqrt())).clamp_(min=0)
    hard, active = valid & (negative <= inner), valid & (negative < outer)
    return TripletSums(
        (hinge * valid).sum((1, 2), dtype=torch.float64),
        hard.sum((1, 2)),
        (active & ~hard).sum((1, 2)),
        (valid & ~active).sum((1, 2)),
        (valid & (negative == inner)).sum((1, 2)),
        torch.zeros_like(points.start),
    )


def panel(
    embeddings: Tensor,
    start: Tensor,
    end: Tensor,
    *,
    margin: float = 1.0,
    squared: bool = False,
    precision: str = "ieee",
    slack: float = 0.0,
    anchors: Tensor | None = None,
) -> TripletSums:
    """Blocks of anchors: sort the negatives, rank the thresholds among them; O(N log N) an anchor, for any class size.

    embeddings: (N, D) floats sorted by label; start, end: (N,) the slice of each row's class
    margin: at least 0, in units of the distance. squared: compare and sum squared distances
    precision: of the product, for float32: ieee, tf32x3, tf32, bf16; float64 is always ieee
    slack: relative error of a squared distance, as from `tiles.squared_distance_error`; where `borderline` is then 0
        an anchor's counts are those of exact arithmetic
    anchors: rows to answer for, all unless given
    Raises DataError for arrays that do not fit, UsageError for an unknown precision or a negative margin.
    """
    _check(margin, slack)
    points = tiles.prepare(embeddings, start, end, precision=precision)
    blocks = [_panel(points, block, margin, squared, slack) for block in tiles.anchor_blocks(points, anchors)]
    return TripletSums(*(torch.cat([getattr(block, field.name) for block in blocks]) for field in fields(TripletSums)))


def _panel(points: PaddedPoints, anchors: Tensor, margin: float, squared: bool, slack: float) -> TripletSums:
    distance = tiles.squared_distances(points, anchors)
    positive = tiles.positive_columns(points, anchors, points.largest_class - 1)
    if slack:  # (d_ap + margin)^2 magnifies an absolute error of a small d_ap^2, so no product will do here
        inner = tiles.squared_positive_distances(points, anchors, positive)
    else:
        inner = torch.where(positive >= 0, distance.gather(1, positive.clamp(min=0)), -1.0)
    at = thresholds(inner, points.norms[anchors, None], points.norms.max(), margin=margin, squared=squared, slack=slack)
    negatives = tiles.fill_own_class(distance, points, anchors, torch.inf).sort(1).values

    def below(threshold: Tensor) -> Tensor:
        return torch.searchsorted(negatives, threshold.contiguous())

    def up_to(threshold: Tensor) -> Tensor:
        return torch.searchsorted(negatives, threshold.contiguous(), right=True)

    less, hard, active = below(at.inner), up_to(at.inner), below(at.outer)
    size = (points.end - points.start)[anchors]
    lengths = negatives.double() if squared else negatives.double().sqrt()
    sums = torch.nn.functional.pad(lengths.cumsum(1), (1, 0)).gather(1, active)
    borderline = torch.zeros_like(hard)
    if slack:
        first, middle = below(at.inner - at.band), up_to(at.inner + at.band)
        second, last = below(at.outer - at.band), up_to(at.outer + at.band)
        borderline = torch.where(positive >= 0, last - second + torch.minimum(middle, second) - first, 0)
    return TripletSums(
        (active * at.reach.double() - sums).sum(1),
        hard.sum(1),
        (active - hard).sum(1),
        (size - 1) * (points.n - size) - active.sum(1),
        (hard - less).sum(1),
        borderline.sum(1),
    )


def fused(
    embeddings: Tensor,
    start: Tensor,
    end: Tensor,
    *,
    margin: float = 1.0,
    squared: bool = False,
    precision: str = "ieee",
    slack: float = 0.0,
    tiling: Tiling | None = None,
    anchors: Tensor | None = None,
) -> TripletSums:
    """One Triton program a block of anchors, every element of a tile searched in its anchor's sorted thresholds.

    Arguments and errors as in `panel`. Classes of more than 32 take the sorted route of `panel`.
    anchors: neighbouring rows to answer for, all unless given
    tiling: how the work is cut, chosen by dtype unless given
    Raises DeviceError where there is no triton or the embeddings are not on a GPU.
    """
    _check(margin, slack)
    tiling = tiling or default_tiling(embeddings, precision)
    points = tiles.padded_for_triton(embeddings, start, end, precision=precision, tiling=tiling)
    n_positives = points.largest_class - 1
    if n_positives > MOST_POSITIVES or n_positives * points.n > tiles.INT32_MAX:
        how: dict[str, Any] = {"margin": margin, "squared": squared, "precision": precision, "slack": slack}
        return panel(embeddings, start, end, anchors=anchors, **how)
    n_thresholds = max(1, n_positives)
    rows, (first, blocks) = points.norms.shape[0], tiles.blocks_of(points, anchors, tiling)
    splits, tiles_per_split = tiling.splits(rows)
    loss = points.norms.new_empty((splits, rows), dtype=torch.float64)
    counts = points.start.new_empty((4, splits, rows), dtype=torch.int32)
    inner = tiles.all_squared_positive_distances(points, n_thresholds).sort(0, descending=True).values.contiguous()
    largest = points.norms[: points.n].max()
    at = thresholds(inner, points.norms, largest, margin=margin, squared=squared, slack=slack)
    rough = filter_of(at)
    reach, rest = sums_of_farthest(at.reach)
    round_root = not squared and points.norms.dtype == torch.float32 and precision in ("ieee", "tf32x3")
    with tiles.launching_on(points.values):
        _kernel[blocks, splits](
            points.values, points.norms, points.start.int(), points.end.int(),
            rough.inner, rough.outer, rough.width, rough.farthest, at.inner, at.outer, reach, rest, at.band, loss,
            counts, first, rows, rows // tiling.block_n, tiles_per_split, splits * rows, n_thresholds,
            1 << n_thresholds.bit_length() - 1, WIDEST=MOST_POSITIVES + 1,
            SQUARED=squared, ROUND_ROOT=round_root, CERTIFY=slack > 0,
            DIM=points.values.shape[1], BLOCK_M=tiling.block_m, BLOCK_N=tiling.block_n, BLOCK_D=tiling.block_d,
            PRECISION=tiles.dot_precision(precision), num_warps=tiling.warps, num_stages=tiling.stages,
        )  # fmt: skip
    own = tiles.rows_of(points, anchors)
    hard, active, tied, borderline = counts[:, :, own].sum(1)
    size = (points.end - points.start)[own]
    easy = (size - 1) * (points.n - size) - active
    # What is never below 0 was summed as differences.
    return TripletSums(loss[:, own].sum(0).clamp(min=0), hard, active - hard, easy, tied, borderline)


def default_tiling(embeddings: Tensor, precision: str) -> Tiling:
    """That of all kernels, on CUDA in smaller tiles: to search a tile takes longer than to read it, and needs an
    anchor's columns in one warp and few of them a thread."""
    tiling = tiles.default_tiling(embeddings, precision)
    return small(tiling, precision) if embeddings.is_cuda else tiling


def small(tiling: Tiling, precision: str) -> Tiling:
    """A tiling for CUDA in tiles of 64 x 32."""
    step = 32 if precision == "tf32x3" else tiling.block_d
    return replace(tiling, block_m=64, block_n=32, block_d=step)


def _check(margin: float, slack: float) -> None:
    if not (0 <= margin < float("inf") and 0 <= slack < 1):
        raise UsageError(f"margin {margin}, slack {slack}: a margin is finite and at least 0, slack is in [0, 1)")


@jit
def _kernel(
    points: tl.tensor,
    norms: tl.tensor,
    start: tl.tensor,
    end: tl.tensor,
    rough_inner: tl.tensor,
    rough_outer: tl.tensor,
    width: tl.tensor,
    farthest: tl.tensor,
    inner: tl.tensor,
    outer: tl.tensor,
    reach: tl.tensor,
    rest: tl.tensor,
    band: tl.tensor,
    loss: tl.tensor,
    counts: tl.tensor,
    first_block: tl.tensor,
    n_rows: tl.tensor,
    n_tiles: tl.tensor,
    tiles_per_split: tl.tensor,
    n_counts: tl.tensor,
    n_thresholds: tl.tensor,
    first_step: tl.tensor,
    WIDEST: tl.constexpr,
    SQUARED: tl.constexpr,
    ROUND_ROOT: tl.constexpr,
    CERTIFY: tl.constexpr,
    DIM: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_D: tl.constexpr,
    PRECISION: tl.constexpr,
) -> None:
    DTYPE: tl.constexpr = norms.dtype.element_ty
    IS_DOUBLE: tl.constexpr = norms.dtype.element_ty == tl.float64
    block = first_block + tl.program_id(0)
    rows = block * BLOCK_M + tl.arange(0, BLOCK_M)
    row_start = tl.load(start + rows)[:, None]
    row_end = tl.load(end + rows)[:, None]
    row_norm = tl.load(norms + rows)[:, None]
    row_width = tl.load(width + rows)[:, None]
    row_farthest = tl.load(farthest + rows)[:, None]
    begin = block.to(tl.int64) * (BLOCK_M * WIDEST)
    table = tl.arange(0, BLOCK_M)[:, None] * WIDEST + tl.arange(0, WIDEST)[None, :]
    anchors = load_anchors(points, rows, DIM, BLOCK_D)

    # Kept for each lane of a tile, and added up over the lanes once, at the end.
    total = tl.zeros((BLOCK_M, BLOCK_N), dtype=tl.float64)
    hard = tl.zeros((BLOCK_M, BLOCK_N), dtype=tl.int32)
    active = tl.zeros((BLOCK_M, BLOCK_N), dtype=tl.int32)
    tied = tl.zeros((BLOCK_M, BLOCK_N), dtype=tl.int32)
    borderline = tl.zeros((BLOCK_M, BLOCK_N), dtype=tl.int32)

    lanes = tl.arange(0, BLOCK_N)[None, :]
    first = tl.program_id(1) * tiles_per_split
    for tile in range(first, tl.minimum(first + tiles_per_split, n_tiles)):
        ab = tile_product(points, anchors, rows, tile * BLOCK_N, DTYPE, DIM, BLOCK_M, BLOCK_N, BLOCK_D, PRECISION)
        columns = tile * BLOCK_N + lanes
        negative = tl.maximum(row_norm + (tl.load(norms + columns) - 2.0 * ab), 0.0)
        same = (columns >= row_start) & (columns < row_end)
        negative = tl.where(same, float("inf"), negative)
        if tl.max(tl.max((negative.to(tl.float32) <= row_farthest).to(tl.int32), 1), 0) > 0:
            # An anchor's lanes move into one warp, where thresholds are searched without memory.
            negative = tl.gather(negative, tl.broadcast_to(lanes, (BLOCK_M, BLOCK_N)), 1)
            rough = negative.to(tl.float32)
            up_to = tl.zeros((BLOCK_M, BLOCK_N), dtype=tl.int32)
            below = tl.zeros((BLOCK_M, BLOCK_N), dtype=tl.int32)
            nearest = tl.full((BLOCK_M, BLOCK_N), float("inf"), dtype=tl.float32)
            # Each step halves what is left; both neighbours of an element are among those that it is compared with.
            inners, outers = tl.load(rough_inner + begin + table), tl.load(rough_outer + begin + table)
            step = first_step
            while step > 0:
                at_inner = tl.gather(inners, up_to + (step - 1), 1)
                at_outer = tl.gather(outers, below + (step - 1), 1)
                up_to += tl.where(rough < at_inner, step, 0)
                below += tl.where(rough < at_outer, step, 0)
                nearest = tl.minimum(nearest, tl.abs(rough - at_inner))
                if CERTIFY or IS_DOUBLE:
                    nearest = tl.minimum(nearest, tl.abs(rough - at_outer))
                step = step >> 1
            if tl.max(tl.max((nearest <= row_width).to(tl.int32), 1), 0) > 0:
                up_to = tl.zeros((BLOCK_M, BLOCK_N), dtype=tl.int32)
                below = tl.zeros((BLOCK_M, BLOCK_N), dtype=tl.int32)
                for k in range(0, n_thresholds):
                    at = k * n_rows.to(tl.int64) + rows
                    hard_to = tl.load(inner + at)[:, None]
                    easy_from = tl.load(outer + at)[:, None]
                    up_to += (negative <= hard_to).to(tl.int32)
                    below += (negative < easy_from).to(tl.int32)
                    tied += (negative == hard_to).to(tl.int32)
                    if CERTIFY:
                        half = tl.load(band + at)[:, None]
                        is_near = (tl.abs(negative - hard_to) <= half) | (tl.abs(negative - easy_from) <= half)
                        borderline += (is_near & (hard_to >= 0)).to(tl.int32)
            hard += up_to
            active += below
            # The thresholds above an element are the farthest: how many there are says which.
            lengths = tl.where(below > 0, negative, 0.0)
            if ROUND_ROOT:  # tl.sqrt is approximate in float32
                lengths = tl.sqrt_rn(lengths)
            elif not SQUARED:
                lengths = tl.sqrt(lengths)
            hinges = tl.fma(lengths, -below.to(DTYPE), tl.gather(tl.load(reach + begin + table), below, 1))
            if not IS_DOUBLE:
                hinges += tl.gather(tl.load(rest + begin + table), below, 1)
            total += hinges.to(tl.float64)

    out = tl.program_id(1) * n_rows + rows
    tl.store(loss + out, tl.sum(total, 1))
    tl.store(counts + out, tl.sum(hard, 1))
    tl.store(counts + n_counts + out, tl.sum(active, 1))
    tl.store(counts + 2 * n_counts + out, tl.sum(tied, 1))
    tl.store(counts + 3 * n_counts + out, tl.sum(borderline, 1))
