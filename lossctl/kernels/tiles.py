"""What the kernels share: points made ready for a product, one tile of that product, and how the work is cut.

A squared distance is |a|^2 + |b|^2 - 2ab. Its error grows with the norms, so float32 points are first moved near the
origin, and norms are summed in float64. Operands are rounded to TF32 or bf16 here, to nearest: the tensor cores, which
would truncate and so bias every product, then have nothing to cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor

from ..errors import DataError, DeviceError, UsageError

HAS_TRITON = find_spec("triton") is not None  # CPU builds of torch come without it, and the plain forms need only torch
if TYPE_CHECKING or HAS_TRITON:
    import triton
    import triton.language as tl

PRECISIONS = ("ieee", "tf32x3", "tf32", "bf16")
INT32_MAX = 2**31 - 1
WHOLE = 256  # rows that any library's product takes in whole tiles


@dataclass(frozen=True, slots=True)
class PaddedPoints:
    """Embeddings as a kernel reads them; rows and columns beyond the true ones are padding at infinity.

    values: (rows, dim), float64, float32 or bfloat16, already rounded to the precision of the product
    exact: (n, D), the same before rounding and padding, float64 or float32
    norms: (rows,), squared length of each row of `exact`, float64 or float32; inf in padding rows
    start, end: (rows,), int64, the class of each row as a slice; (n, n) in padding rows
    n: the number of true rows
    """

    values: Tensor
    exact: Tensor
    norms: Tensor
    start: Tensor
    end: Tensor
    n: int
    precision: str

    @property
    def largest_class(self) -> int:
        return int((self.end - self.start).max())


@dataclass(frozen=True, slots=True)
class Sorted:
    """An embedding set in label order: row i of `embeddings` is row `order[i]` of the set it came from."""

    embeddings: Tensor
    start: Tensor
    end: Tensor
    order: Tensor


def sort_by_label(embeddings: Tensor, labels: Tensor) -> Sorted:
    """Rows in label order, ties in input order, with the class slice of every row. embeddings (N, D), labels (N,)."""
    ordered, order = torch.sort(labels, stable=True)
    _, sizes = torch.unique_consecutive(ordered, return_counts=True)
    ends = sizes.cumsum(0)
    return Sorted(embeddings[order], (ends - sizes).repeat_interleave(sizes), ends.repeat_interleave(sizes), order)


def prepare(
    embeddings: Tensor, start: Tensor, end: Tensor, *, precision: str, row_multiple: int = 1, dim_multiple: int = 1
) -> PaddedPoints:
    """Checked, centred, rounded and padded points.

    embeddings: (N, D), float64, float32, float16 or bfloat16; start, end: (N,), integers, on the same device
    precision: of the product. float64 points know only "ieee".
    Raises DataError for shapes, dtypes, slices or values that cannot be used, UsageError for the precision.
    """
    _check(embeddings, start, end, precision)
    embeddings = embeddings.detach()
    if embeddings.dtype == torch.float64:
        exact = embeddings  # not moved, so that squared_distance_error holds for the values given
    elif precision == "bf16" and embeddings.dtype == torch.bfloat16:
        exact = embeddings.float()  # not moved: they would no longer be bfloat16
    else:
        exact = _centred(embeddings.float())
    values = _rounded(exact, precision)
    norms = exact.double().square().sum(1).to(exact.dtype)
    if not bool(torch.isfinite(norms).all()):
        unusable = torch.isfinite(embeddings).all(1).logical_not()
        if not bool(unusable.any()):
            unusable = torch.isfinite(norms).logical_not()
        row = int(unusable.nonzero()[0])
        raise DataError(f"embeddings: row {row} of the sorted set is not finite, or its squared length overflows")
    n, dim = exact.shape
    more_rows, more_columns = -n % row_multiple, -dim % dim_multiple
    pad = torch.nn.functional.pad
    return PaddedPoints(
        pad(values, (0, more_columns, 0, more_rows)).contiguous(),
        exact,
        pad(norms, (0, more_rows), value=torch.inf),
        pad(start.long(), (0, more_rows), value=n),
        pad(end.long(), (0, more_rows), value=n),
        n,
        precision,
    )


def _check(embeddings: Tensor, start: Tensor, end: Tensor, precision: str) -> None:
    if precision not in PRECISIONS:
        raise UsageError(f"unknown precision {precision!r}", fix=f"choose one of {', '.join(PRECISIONS)}")
    if embeddings.dtype not in (torch.float64, torch.float32, torch.float16, torch.bfloat16):
        raise DataError(f"embeddings: {embeddings.dtype} is not a floating type that the kernels read")
    if embeddings.dtype == torch.float64 and precision != "ieee":
        raise UsageError(f"float64 embeddings have no {precision} product", fix="use ieee, or float32 embeddings")
    if embeddings.ndim != 2 or 0 in embeddings.shape:
        raise DataError(f"embeddings: shape {tuple(embeddings.shape)}; need (N, D), neither of them 0")
    n = embeddings.shape[0]
    for name, bound in (("start", start), ("end", end)):
        if bound.shape != (n,) or bound.is_floating_point() or bound.device != embeddings.device:
            raise DataError(
                f"{name}: shape {tuple(bound.shape)}, {bound.dtype}, on {bound.device}; "
                f"need ({n},), integers, on {embeddings.device}"
            )
    row = torch.arange(n, device=embeddings.device)
    if not bool(((start >= 0) & (start <= row) & (row < end) & (end <= n)).all()):
        raise DataError("start, end: not the class slices of rows sorted by label")


def _centred(values: Tensor) -> Tensor:
    """Points moved by a vector near their mean.

    The vector is on a grid as coarse as the column's deviation, so the shift is exact for data with few digits
    (integers, halves) and nothing moves where the mean is already small.
    """
    deviation, mean = torch.std_mean(values, dim=0, correction=0)
    exponent = torch.frexp(deviation).exponent - 1
    step = torch.ldexp(torch.ones_like(mean), exponent)
    constant = (values == values[0]).all(0)
    return values - torch.where(constant, values[0], torch.round(mean / step) * step)


def _rounded(values: Tensor, precision: str) -> Tensor:
    if precision == "bf16":
        return values.bfloat16()
    return round_to_tf32(values) if precision == "tf32" else values


def round_to_tf32(values: Tensor) -> Tensor:
    """float32 values rounded to the 11 significant bits of TF32, to nearest, ties to even."""
    bits = values.view(torch.int32)
    return ((bits + 0xFFF + ((bits >> 13) & 1)) & ~0x1FFF).view(torch.float32)


def squared_distance_error(dim: int, dtype: torch.dtype, precision: str = "ieee") -> float:
    """c such that a squared distance is within c (|a|^2 + |b|^2) of the exact one, lengths taken after centring.

    Holds for any order of summation and with fused multiply-adds. Source: Higham, Accuracy and Stability of Numerical
    Algorithms, 2002, section 3.1: gamma_n = n u / (1 - n u); tensor cores truncate, which doubles u.
    """
    operand = {"ieee": 0.0, "tf32x3": 2.0**-21, "tf32": 2.0**-11, "bf16": 2.0**-9}[precision]
    unit = 2.0**-53 if dtype == torch.float64 else 2.0**-24
    moved = 0.0 if dtype == torch.float64 else unit
    terms = (dim + 8) * unit * (1 if precision == "ieee" else 2)
    return 2 * terms / (1 - terms) + 2 * operand + operand**2 + 8 * moved


# Plain torch


def product(left: Tensor, right: Tensor, precision: str) -> Tensor:
    """left @ right.T, summed in float32 (float64 for float64), from operands that `prepare` rounded."""
    if precision == "bf16":
        if left.is_cuda:
            return torch.mm(left, right.mT, out_dtype=torch.float32)
        return left.float() @ right.float().mT
    with _matmul_precision("ieee" if precision == "ieee" else "tf32"):
        if precision != "tf32x3":
            return left @ right.mT
        (left_high, left_low), (right_high, right_low) = _split(left), _split(right)
        return left_low @ right_high.mT + left_high @ right_low.mT + left_high @ right_high.mT


def _split(values: Tensor) -> tuple[Tensor, Tensor]:
    high = round_to_tf32(values)
    return high, round_to_tf32(values - high)


def blocked_product(values: Tensor, precision: str, most: int = 1 << 28) -> Tensor:
    """The N x N inner products, which no kernel is without: panels of about `most`, all but the last thrown away."""
    left = right = values.bfloat16() if precision == "bf16" else values
    if precision == "tf32x3":  # hi hi + hi lo + lo hi as one TF32 product of three times the width
        high, low = _split(values)
        left, right, precision = torch.cat((high, high, low), 1), torch.cat((high, low, high), 1), "tf32"
    for block in torch.split(left, max(1, most // len(values) // WHOLE) * WHOLE):
        panel = product(block, right, precision)
    return panel


@contextmanager
def _matmul_precision(precision: str) -> Iterator[None]:
    backend = torch.backends.cuda.matmul
    setting: tuple[str, str | bool] = ("fp32_precision", precision)
    if not hasattr(backend, "fp32_precision"):  # torch before 2.9
        setting = ("allow_tf32", precision == "tf32")
    name, value = setting
    before = getattr(backend, name)
    setattr(backend, name, value)
    try:
        yield
    finally:
        setattr(backend, name, before)


def squared_distances(points: PaddedPoints, anchors: Tensor) -> Tensor:
    """(A, N) squared distances, never below 0, from the given rows to all."""
    panel = product(-2 * points.values[anchors], points.values, points.precision)  # doubling rounds nothing
    return panel.add_(points.norms).add_(points.norms[anchors, None]).clamp_(min=0)


def anchor_blocks(points: PaddedPoints, anchors: Tensor | None) -> Iterator[Tensor]:
    """The anchors in blocks whose panels take a bounded share of memory: 16 MB in float32, on CUDA 1 GB."""
    if anchors is None:
        anchors = torch.arange(points.n, device=points.values.device)
    values = 1 << (28 if points.values.is_cuda else 22)
    return iter(torch.split(anchors, max(1, values // points.n)))


def rows_of(points: PaddedPoints, anchors: Tensor | None) -> slice:
    """Anchors that are neighbours, all unless given, as a slice."""
    return slice(0, points.n) if anchors is None else slice(int(anchors[0]), int(anchors[-1]) + 1)


def blocks_of(points: PaddedPoints, anchors: Tensor | None, tiling: Tiling) -> tuple[int, int]:
    """The first block of rows that has any of these anchors, and how many blocks have some."""
    own = rows_of(points, anchors)
    first = own.start // tiling.block_m
    return first, -(-own.stop // tiling.block_m) - first


def class_mask(points: PaddedPoints, anchors: Tensor) -> Tensor:
    """(A, N), true where a point is of the anchor's class, itself included."""
    column = torch.arange(points.n, device=anchors.device)
    return (column >= points.start[anchors, None]) & (column < points.end[anchors, None])


def fill_own_class(panel: Tensor, points: PaddedPoints, anchors: Tensor, value: float) -> Tensor:
    """The (A, N) panel with a value where a point is of the anchor's class; only columns of the anchors' classes are
    touched."""
    low, high = int(points.start[anchors].min()), int(points.end[anchors].max())
    column = torch.arange(low, high, device=panel.device)
    panel[:, low:high].masked_fill_(
        (column >= points.start[anchors, None]) & (column < points.end[anchors, None]), value
    )
    return panel


def positive_columns(points: PaddedPoints, anchors: Tensor, n_positives: int) -> Tensor:
    """(A, n_positives) rows of each anchor's positives in order, -1 beyond the last."""
    start, end = points.start[anchors, None], points.end[anchors, None]
    column = start + torch.arange(n_positives, device=anchors.device)
    column = column + (column >= anchors[:, None])
    return torch.where(column < end, column, -1)


def squared_positive_distances(points: PaddedPoints, anchors: Tensor, positives: Tensor) -> Tensor:
    """(A, P) squared distances from anchors (A,) to positives (A, P) by direct difference in float64, -1 for a -1."""
    anchor = points.exact[anchors].double()
    columns = [(anchor - points.exact[column]).square().sum(1) for column in positives.T]
    direct = torch.stack(columns, 1) if columns else anchor.new_empty(positives.shape)
    return torch.where(positives >= 0, direct, -1.0)


def all_squared_positive_distances(points: PaddedPoints, n_positives: int) -> Tensor:
    """(n_positives, rows) such distances for every row, padding included."""
    squared = points.norms.new_full((n_positives, points.norms.shape[0]), -1.0, dtype=torch.float64)
    everyone = torch.arange(points.n, device=squared.device)
    for block in torch.split(everyone, max(1, (1 << 24) // points.exact.shape[1])):
        positives = positive_columns(points, block, n_positives)
        squared[:, block] = squared_positive_distances(points, block, positives).T
    return squared


# Triton


@dataclass(frozen=True, slots=True)
class Tiling:
    """How a kernel is cut: BLOCK_M anchors a program, BLOCK_N columns a tile, BLOCK_D coordinates a step."""

    block_m: int
    block_n: int
    block_d: int
    warps: int = 4
    stages: int = 2
    programs: int = 264  # two for each of 132 multiprocessors; fixed, so that results do not depend on the card

    def splits(self, rows: int) -> tuple[int, int]:
        """(number of parts that the columns are split into, tiles in each)."""
        tiles = rows // self.block_n
        splits = min(tiles, max(1, -(-self.programs // (rows // self.block_m))))
        per_split = -(-tiles // splits)
        return -(-tiles // per_split), per_split


INTERPRETED = Tiling(16, 16, 16, programs=8)


ROOMY = 200 << 10  # bytes of shared memory, which sm_90 and sm_100 have


def default_tiling(embeddings: Tensor, precision: str) -> Tiling:
    """The tiling for the embeddings' device, width and dtype; on CUDA, one that hardly spills on sm_90."""
    if not embeddings.is_cuda:
        return INTERPRETED
    return cuda_tiling(embeddings.shape[-1], embeddings.dtype, precision, shared_memory(embeddings.device))


def shared_memory(device: torch.device) -> int:
    """Bytes that a block of threads can have on a GPU."""
    return int(getattr(torch.cuda.get_device_properties(device), "shared_memory_per_block_optin", ROOMY))


def cuda_tiling(dim: int, dtype: torch.dtype, precision: str, room: int) -> Tiling:
    """The tiling for points of so many columns where there are so many bytes of shared memory: 99 KiB are enough."""
    # Anchors that fit stay in shared memory for the whole walk, read once, if padding adds no more than a third.
    padded = power_of_two(dim, low=16, high=1024)
    fits_anywhere = padded * (2 if precision == "bf16" else dtype.itemsize) <= 256
    across = padded if (fits_anywhere or room >= ROOMY) and (padded <= 128 or 4 * dim > 3 * padded) else 1024
    if dtype == torch.float64:
        if across <= 256:
            return Tiling(64, 32 if across <= 128 else 16, across, warps=8, stages=2)
        return Tiling(64, 32, 32, warps=8, stages=3)
    if precision == "ieee":
        return Tiling(128, 64, 16, warps=8, stages=2)
    if precision == "tf32x3":
        return Tiling(128, 32, across if across <= 128 else 32, warps=8, stages=2)
    fits, stages = (256, 3) if precision == "bf16" else (128, 2)
    if fits < across <= 2 * fits:
        return Tiling(128, 32, across, warps=8, stages=2)
    return Tiling(128, 64, across if across <= fits else 64, warps=8, stages=stages)


def power_of_two(value: int, *, low: int, high: int) -> int:
    """The least power of two that is no less than the value, within the bounds."""
    return min(high, max(low, 1 << (value - 1).bit_length()))


def padded_for_triton(
    embeddings: Tensor, start: Tensor, end: Tensor, *, precision: str, tiling: Tiling
) -> PaddedPoints:
    """`prepare`, padded to whole tiles; raises DeviceError where triton cannot run on the embeddings' device."""
    if not HAS_TRITON:
        raise DeviceError("triton is not installed", fix="pip install triton, or use the panel implementation")
    if not (embeddings.is_cuda or is_interpreted()):
        raise DeviceError(
            f"embeddings are on {embeddings.device}; triton needs an NVIDIA GPU",
            fix="move them to cuda, or use the panel implementation",
        )
    rows = max(tiling.block_m, tiling.block_n)
    points = prepare(embeddings, start, end, precision=precision, row_multiple=rows, dim_multiple=tiling.block_d)
    if is_interpreted() and points.values.dtype == torch.bfloat16:  # numpy has none; the products are exact in float32
        return replace(points, values=points.values.float())
    return points


def merged(scores: Tensor, at: Tensor) -> tuple[Tensor, Tensor]:
    """The least score over the splits (axis 0) and the lowest row that has it."""
    least = scores.amin(0)
    return least, torch.where(scores == least, at, INT32_MAX).amin(0).long()


def runner_up(best: Tensor, second: Tensor) -> Tensor:
    """The second least score over the splits (axis 0), each of which has its two least."""
    return torch.cat((best, second)).sort(0).values[1]


def reach_of(points: PaddedPoints, anchors: Tensor | slice, slack: float) -> Tensor:
    """(A,) squared distances of an anchor that differ by more are in the order that they seem to be in.

    Either may be off by the slack, a relative error such as `squared_distance_error`; the rest is for rounding here.
    """
    norms = points.norms[: points.n]
    return 2.5 * slack * (norms[anchors] + norms.max())


def launching_on(values: Tensor) -> AbstractContextManager[None]:
    """Makes the tensor's GPU the current one, on which triton launches."""
    guard: Any = torch.cuda.device_of
    return cast(AbstractContextManager[None], guard(values))


def is_interpreted() -> bool:
    """Whether the kernels of this process run in triton's interpreter, which is settled when they are imported."""
    return HAS_TRITON and not isinstance(tile_product, triton.JITFunction)


def out_of_resources() -> tuple[type[Exception], ...]:
    """What triton raises where a kernel needs more shared memory than a card has."""
    if not HAS_TRITON:
        return ()
    from triton.runtime.errors import OutOfResources

    return (OutOfResources,)


def dot_precision(precision: str) -> str:
    """What tl.dot is told; it reads no float32 operands in bf16, and the word is then without effect."""
    return "ieee" if precision == "bf16" else precision


# Arguments that change from set to set, of which no variant is worth the seconds that it takes to compile.
UNSPECIALIZED = ("first_block", "n_tiles", "tiles_per_split", "n_thresholds", "first_step")


def jit(function: Callable[..., Any]) -> Any:
    """triton.jit where there is triton."""
    if not HAS_TRITON:
        return function
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    return triton.jit(do_not_specialize=[name for name in UNSPECIALIZED if name in names])(function)


@jit
def load_anchors(points: tl.tensor, rows: tl.tensor, DIM: tl.constexpr, BLOCK_D: tl.constexpr) -> tl.tensor:
    """The first BLOCK_D coordinates of the anchors: all there are where DIM == BLOCK_D."""
    return tl.load(points + rows.to(tl.int64)[:, None] * DIM + tl.arange(0, BLOCK_D)[None, :])


@jit
def tile_product(
    points: tl.tensor,
    anchors: tl.tensor,
    rows: tl.tensor,
    column: tl.tensor,
    DTYPE: tl.constexpr,
    DIM: tl.constexpr,
    BLOCK_M: tl.constexpr,
    BLOCK_N: tl.constexpr,
    BLOCK_D: tl.constexpr,
    PRECISION: tl.constexpr,
) -> tl.tensor:
    """(BLOCK_M, BLOCK_N) inner products of the anchors with the points from `column` on."""
    lanes, chunk = tl.arange(0, BLOCK_N), tl.arange(0, BLOCK_D)
    others = points + tl.cast(column, tl.int64) * DIM + lanes[:, None] * DIM + chunk[None, :]
    if DIM == BLOCK_D:
        tile = tl.dot(anchors, tl.trans(tl.load(others)), input_precision=PRECISION, out_dtype=DTYPE)
    else:
        tile = tl.zeros((BLOCK_M, BLOCK_N), dtype=DTYPE)
        for step in range(0, DIM, BLOCK_D):
            left = load_anchors(points + step, rows, DIM, BLOCK_D)
            right = tl.load(others + step)
            tile = tl.dot(left, tl.trans(right), tile, input_precision=PRECISION, out_dtype=DTYPE)
    return tile
