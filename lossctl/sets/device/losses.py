"""The losses of a whole set on another device: the same functions, on panels whose points lie there.

What a panel asks, the device answers: distances and similarities in torch, picks by the kernels (device_picks.py). One
loss is left to its kernel as a whole, batch-all, whose sums a fused kernel gives without writing a distance; a test
holds them equal to those of the function.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ...language.registry import Spec
from ...losses.embedding import batch_all
from ...rows.workers import ordered_map
from ..gram import NEAR
from ..panels import AnchorLosses, Panel, anchor_losses, losses_of
from ..points import HUGE, Points
from ..ties import Judges
from .distances import numbers, unscaled
from .picks import with_picks
from .points import Placed, backend_of, check, kernel_margin, place, room_on, runs, slack_of

MEMORY_BYTES = 1 << 32
Function = Callable[[Panel], Any]
Progress = Callable[[int, int], None]


def anchor_losses_on(
    device: str, points: Points, spec: Spec, *, threads: int = 1, progress: Progress | None = None
) -> tuple[AnchorLosses, str]:
    """A panel loss of all anchors of numpy points, and what computed it: "triton-cuda" or "torch-cuda".

    DeviceError where nothing runs on the device, or where no error bound would hold there.
    """
    import torch

    check(device)
    loss = spec.loss
    backend = backend_of(device, loss.name, int((points.last - points.first).max(initial=0)))

    def function(panel: Panel) -> Any:
        return loss.function(panel, **spec.options)

    with room_on(device):
        if loss.function in BY_KERNEL and points.anchors:
            losses, is_open = BY_KERNEL[loss.function](place(points, device), points, function, spec.options, threads)
            if progress is not None:
                progress(points.anchors, points.anchors)
            return losses, "numpy" if is_open.all() else backend
        there = replace(with_picks(points, device), x=torch.from_numpy(points.x).to(device))
        options: dict[str, Any] = {"threads": threads, "progress": progress, "memory_bytes": MEMORY_BYTES}
        return anchor_losses(there, function, everyone=loss.everyone, **options), backend


def batch_all_losses(
    placed: Placed, points: Points, function: Function, options: dict[str, Any], threads: int
) -> tuple[AnchorLosses, np.ndarray]:
    """Batch-all: by its kernel where that is as good as the function, else by the function on the CPU; and (A,) where
    it was the CPU.

    It is where no triplet is borderline, so that the count of those above zero is exact, and no negative so near that
    the product has lost its distance.
    """
    total, active, is_open = _batch_all(placed, points, options["margin"])
    size = (points.last - points.first)[: points.anchors]
    losses = AnchorLosses(total, active.astype(float), ((size - 1) * (len(points) - size)).astype(float))
    judges = Judges(points)
    panels = (Panel(points, start, stop, judges) for start, stop in runs(np.flatnonzero(is_open)))
    for panel, (total, weight, _) in ordered_map(lambda p: (p, losses_of(function(p), p)), panels, threads):
        losses.total[panel.start : panel.stop] = total
        losses.weight[panel.start : panel.stop] = weight
    return replace(losses, undecided=judges.undecided_anchors(0, points.anchors)), is_open


def _batch_all(placed: Placed, points: Points, margin: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(A,) sums of the triplets above zero, how many they are, and where neither is certain."""
    length, slack = kernel_margin(points, margin), slack_of(points, margin)
    if length >= math.sqrt(HUGE) or slack >= 0.5:
        return np.zeros(points.anchors), np.zeros(points.anchors, np.int64), np.ones(points.anchors, bool)
    where = placed.x, placed.start, placed.end
    sums = placed.kernel("batch-all")(*where, margin=length, squared=not points.is_root, slack=slack)
    nearest = placed.kernel("batch-hard")(*where).negative
    losses, active, borderline, near = (
        numbers(side)[: points.anchors] for side in (sums.loss, sums.hard + sums.semi_hard, sums.borderline, nearest)
    )
    norms, largest = points.gram.norms[: points.anchors], points.gram.largest_norm
    least = np.maximum(NEAR * (norms + largest), points.gram.least)
    return unscaled(points, losses), active, (borderline > 0) | (near * near < least)


BY_KERNEL: dict[Function, Callable[..., tuple[AnchorLosses, np.ndarray]]] = {batch_all: batch_all_losses}
