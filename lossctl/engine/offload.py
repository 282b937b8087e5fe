"""The breakdown and the picks of a whole set on another device, with the same certificate as on the CPU.

The device counts the triplets of every anchor from float64 products and says how many of them lie so near to a
threshold that its error bound cannot tell their category. An anchor with any such triplet is counted again by the
CPU's own engine, which proves it; for all others the device's counts are those of exact arithmetic.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..breakdown import Breakdown
from ..errors import DeviceError
from ..kernels import find
from .device_distances import distances, numbers, unscaled
from .panels import HUGE, Panel, Points, default_threads
from .triplets import BINS, Counts, Task, count_panel, joined, prepare, report
from .workers import ordered_map

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

EMULATION = "CUBLAS_EMULATE_DOUBLE_PRECISION"
TOGETHER = 64  # anchors a block, on the CPU
Progress = Callable[[int, int], None]


def breakdown_on(
    device: str,
    embeddings: np.ndarray,
    labels: Any,
    *,
    margins: Sequence[float] = (1.0,),
    metric: str = "euclidean",
    normalize: bool = False,
    precision: str = "float64",
    by_class: bool = False,
    pairs: int = 0,
    bins: int = BINS,
    threads: int | None = None,
    progress: Progress | None = None,
) -> Breakdown:
    """`triplets.breakdown` with the work done on a device, "cuda:0" for example; counts and certificate are the same.

    Losses, means and histograms come from products of matrices and agree with the CPU's to rounding; ties at a margin
    are counted in float64 only. Other arguments and errors as there, and DeviceError where no kernel
    runs on the device.
    """
    import numpy as np

    task = prepare(
        np.asarray(embeddings),
        np.asarray(labels),
        margins=margins,
        metric=metric,
        normalize=normalize,
        precision=precision,
        with_pairs=pairs > 0,
        bins=bins,
    )
    asked = [float(margin) for margin in margins]
    if not task.judge.points.anchors:
        return report(task, [], asked, precision, by_class, pairs)
    placed = _place(task.judge.points, device, "float64" if precision == "float64" else "float32")
    rough, is_open = _count(task, placed, asked)
    proven = _counted_here(task, np.flatnonzero(is_open), default_threads() if threads is None else threads)
    counts = _merged(task, placed, rough, proven, is_open, progress)
    return report(task, [counts], asked, precision, by_class, pairs)


def extremes_on(device: str, points: Points) -> tuple[np.ndarray, np.ndarray]:
    """Positions of each anchor's farthest positive and nearest negative, (A,) each, A = points.anchors.

    They are those of exact arithmetic wherever the runner-up is farther off than the error of a float64 product.
    """
    placed = _place(points, device, "float64")
    found = placed.kernel("batch-hard")(placed.x, placed.start, placed.end)
    return tuple(numbers(at)[: points.anchors] for at in (found.positive_at, found.negative_at))  # type: ignore[return-value]


def semi_hard_negatives_on(device: str, points: Points, fallback: str) -> np.ndarray:
    """(A, K) for each point of the anchors' classes the nearest negative beyond it; -1 for none, or no positive.

    Arguments as in `picks.semi_hard_negatives`, for all anchors at once; as exact as `extremes_on`.
    """
    import numpy as np

    placed = _place(points, device, "float64")
    found = placed.kernel("semi-hard")(placed.x, placed.start, placed.end, fallback=fallback)
    positives, negatives = (numbers(at)[: points.anchors] for at in (found.positive_at, found.negative_at))
    first = points.first[: points.anchors]
    result = np.full((points.anchors, positives.shape[1] + 1), -1)
    i, k = np.nonzero(positives >= 0)
    result[i, positives[i, k] - first[i]] = negatives[i, k]
    return result


# --- on the device


@dataclass(frozen=True)
class _Placed:
    """Points on a device, centred and scaled as in their gram. start, end: (N,) the slice of each one's class."""

    device: str
    x: Tensor
    start: Tensor
    end: Tensor

    @property
    def ready(self) -> Any:
        """The same as the kernels' own building blocks take them."""
        from ..kernels import tiles

        return tiles.prepare(self.x, self.start, self.end, precision="ieee")

    def kernel(self, name: str) -> Callable[..., Any]:
        """The fastest implementation that runs here: fused if triton can, or else plain torch."""
        found = find(name, "triton", self.device) or find(name, "panel", self.device)
        assert found is not None, "_place has seen that panels run"
        return found


def _place(points: Points, device: str, dtype: str) -> _Placed:
    if find("batch-hard", "panel", device) is None:
        raise DeviceError(f"nothing runs on {device} here", fix="see what does: lossctl doctor")
    import torch

    if os.environ.get(EMULATION, "0") not in ("", "0"):
        raise DeviceError(
            f"{EMULATION} is set", why="no error bound is known for emulated float64 products", fix=f"unset {EMULATION}"
        )

    def placed(array: np.ndarray) -> Tensor:
        return torch.from_numpy(array).to(device)

    x = placed(points.gram.right[:, :-2].copy())
    return _Placed(device, x.to(getattr(torch, dtype)), placed(points.first), placed(points.last))


def slack_of(points: Points, margin: float) -> float:
    """How far a squared distance on the device may be from the truth, in parts of |a|^2 + |n|^2 + (d_ap + margin)^2.

    The kernel's own error bound is for the centred points that it reads. Those differ from the truth by the error of
    centring and of scaling to unit length, which by the triangle inequality is at most twice the gram's bound; it
    enters through d_an, d_ap and, as 2 margin d_ap, through the square of d_ap + margin.
    """
    import torch

    from ..kernels import tiles

    gram = points.gram
    own = tiles.squared_distance_error(gram.x.shape[1], torch.float64)
    blur = gram.floor * (1 + gram.scaled(margin)) / gram.largest_norm if gram.largest_norm else math.inf
    return own + 5 * gram.slope + 5 * blur


@dataclass(frozen=True)
class _Rough:
    """What the device found for A anchors: (J, A) triplets below and at each threshold, and sums of the loss."""

    below: np.ndarray
    ties: np.ndarray
    losses: np.ndarray


def _count(task: Task, placed: _Placed, margins: Sequence[float]) -> tuple[_Rough, np.ndarray]:
    """The counts of the device, and (A,) which anchors they are not proven for."""
    import numpy as np

    judge = task.judge
    points = judge.points
    shape = len(judge.margins), points.anchors
    rough = _Rough(np.zeros(shape, np.int64), np.zeros(shape, np.int64), np.zeros(shape))
    is_open = np.zeros(points.anchors, bool)
    kernel = placed.kernel("batch-all")
    for j, margin in enumerate(judge.margins):
        if j == 0 and len(judge.margins) > 1 and 0.0 not in margins:
            continue  # any margin counts what is hard
        length, slack = _kernel_margin(points, margin), slack_of(points, margin) if judge.exact else 0.0
        if length >= math.sqrt(HUGE) or slack >= 0.5:
            return rough, np.ones(points.anchors, bool)
        found = kernel(placed.x, placed.start, placed.end, margin=length, squared=not points.is_root, slack=slack)
        hard, semi_hard, tied, borderline = (
            numbers(side)[: points.anchors] for side in (found.hard, found.semi_hard, found.tied, found.borderline)
        )
        is_open |= borderline > 0
        rough.below[j], rough.ties[0] = hard + semi_hard, tied
        rough.below[0] = hard - tied
        rough.losses[j] = unscaled(points, numbers(found.loss)[: points.anchors])
    return rough, is_open


def _kernel_margin(points: Points, margin: float) -> float:
    """The margin in the units of what the kernel compares: lengths, or squared lengths, scaled as in the gram."""
    if points.is_root:
        return points.gram.scaled(margin)
    return points.gram.scaled(points.gram.scaled(2 * margin if points.metric == "cosine" else margin))


# --- on the CPU


def _counted_here(task: Task, anchors: np.ndarray, threads: int) -> Counts | None:
    """The counts of some anchors, in order, by the CPU's engine."""
    points = task.judge.points
    panels = (Panel(points, start, stop) for start, stop in _runs(anchors))
    counted = list(ordered_map(lambda panel: count_panel(task, panel), panels, threads))
    return joined(counted) if counted else None


def _runs(anchors: np.ndarray) -> Iterator[tuple[int, int]]:
    """Ascending numbers as slices of neighbours, none of them long."""
    import numpy as np

    for run in np.split(anchors, np.flatnonzero(np.diff(anchors) > 1) + 1):
        for k in range(0, len(run), TOGETHER):
            part = run[k : k + TOGETHER]
            yield int(part[0]), int(part[-1]) + 1


def _merged(
    task: Task, placed: _Placed, rough: _Rough, proven: Counts | None, is_open: np.ndarray, progress: Progress | None
) -> Counts:
    """One set of counts: the device's, with those of the anchors that are open replaced by proven ones."""
    import numpy as np

    points = task.judge.points
    anchors = np.arange(points.anchors)
    hardest = placed.kernel("batch-hard")(placed.x, placed.start, placed.end)
    farthest, nearest = (
        points.measured(points.gram.direct(anchors, numbers(at)[: points.anchors]))
        for at in (hardest.positive_at, hardest.negative_at)
    )
    positives, negatives, by_class = distances(task, placed.ready, ~is_open, progress)
    undecided = np.zeros_like(rough.ties)
    if proven is not None:
        for mine, theirs in (
            (rough.below, proven.below), (rough.ties, proven.ties), (undecided, proven.undecided),
            (rough.losses, proven.losses), (farthest, proven.farthest), (nearest, proven.nearest),
        ):  # fmt: skip
            mine[..., is_open] = theirs
        for key, hard in proven.hard_by_class.items():
            by_class[key] = by_class[key] + hard if key in by_class else hard
    size = (points.last - points.first)[: points.anchors]
    return Counts(
        below=rough.below,
        ties=rough.ties,
        undecided=undecided,
        losses=rough.losses,
        triplets=(size - 1) * (len(points) - size),
        farthest=farthest,
        nearest=nearest,
        positives=positives,
        negatives=negatives,
        hard_by_class=by_class,
    )
