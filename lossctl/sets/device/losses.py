"""The losses of a whole set on another device: the same functions, on panels whose points lie there.

What a panel asks, the device answers: distances and similarities in torch, picks by the kernels (device_picks.py). One
loss is left to its kernel as a whole, batch-all, whose sums a fused kernel gives without writing a distance; a test
holds them equal to those of the function.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from ...language.registry import Spec
from ...losses.embedding import batch_all
from ...rows.workers import Workers, mapped, ordered_map, threads_of
from ..gram import NEAR
from ..panels import AnchorLosses, Panel, anchor_losses, losses_of
from ..points import HUGE, Points
from ..ties import Judges
from .distances import numbers, unscaled
from .picks import with_picks
from .points import Placed, backend_of, check, kernel_margin, place, room_on, runs, slack_of, spans

MEMORY_BYTES = 1 << 32
Function = Callable[[Panel], Any]
Progress = Callable[[int, int], None]


def anchor_losses_on(
    device: str,
    points: Points,
    spec: Spec,
    *,
    everyone: bool = False,
    threads: Workers = 1,
    progress: Progress | None = None,
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
        if loss.function in BY_KERNEL and points.anchors and spec.by_hand.keys() <= KERNEL_OPTIONS:
            return _by_kernel(device, points, function, spec, threads, progress)
        there = replace(with_picks(points, device), x=torch.from_numpy(points.x).to(device))
        vars(there).update(numbers=points.numbers, gram=points.gram)  # not once more from what lies there
        options: dict[str, Any] = {"threads": threads, "progress": progress, "memory_bytes": MEMORY_BYTES}
        return anchor_losses(there, function, everyone=everyone or loss.everyone, **options), backend


def _by_kernel(
    device: str, points: Points, function: Function, spec: Spec, workers: Workers, progress: Progress | None
) -> tuple[AnchorLosses, str]:
    """A loss that has a kernel of its own, span by span, and what computed it."""
    placed, lock, parts = place(points, device), threading.Lock(), []
    losses = partial(BY_KERNEL[spec.loss.function], placed, points, function, spec.options, lock, threads_of(workers))
    for losses_of_span, is_open in mapped(losses, spans(points), 1 if isinstance(workers, int) else workers):
        parts.append((losses_of_span, is_open))
        if progress is not None:
            progress(sum(len(other) for other, _ in parts), points.anchors)
    total, weight, valid = (
        np.concatenate([getattr(part, name) for part, _ in parts]) for name in ("total", "weight", "valid")
    )
    together = AnchorLosses((total, weight), valid, sum(part.undecided for part, _ in parts))
    backend = backend_of(device, spec.loss.name, int((points.last - points.first).max(initial=0)))
    return together, "numpy" if all(is_open for _, is_open in parts) else backend


def batch_all_losses(
    placed: Placed,
    points: Points,
    function: Function,
    options: dict[str, Any],
    lock: Any,
    threads: int,
    span: tuple[int, int],
) -> tuple[AnchorLosses, bool]:
    """Batch-all of a span of anchors: by its kernel where that is as good as the function, else by the function on the
    CPU; and whether that was so for all of them.

    It is where no triplet is borderline, so that the count of those above zero is exact, and no negative so near that
    the product has lost its distance.
    """
    with lock, room_on(placed.device):
        total, active, is_open = _batch_all(placed, points, options["margin"], span)
    size, start = (points.last - points.first)[slice(*span)], span[0]
    losses = AnchorLosses((total, active.astype(float)), ((size - 1) * (len(points) - size)).astype(float))
    judges = Judges(points)
    panels = (Panel(points, *run, judges) for run in runs(start + np.flatnonzero(is_open)))
    for panel, (of_panel, weight, _) in ordered_map(lambda p: (p, losses_of(function(p), p)), panels, threads):
        own = slice(panel.start - start, panel.stop - start)
        losses.total[own], losses.weight[own] = of_panel, weight
    return replace(losses, undecided=judges.undecided_anchors(*span)), bool(is_open.all())


def _batch_all(
    placed: Placed, points: Points, margin: float, span: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(A,) sums of the triplets above zero, how many they are, and where neither is certain."""
    own, anchors = slice(*span), span[1] - span[0]
    length, slack = kernel_margin(points, margin), slack_of(points, margin)
    if length >= math.sqrt(HUGE) or slack >= 0.5:
        return np.zeros(anchors), np.zeros(anchors, np.int64), np.ones(anchors, bool)
    where = placed.x, placed.start, placed.end
    sums = placed.kernel("batch-all", span)(*where, margin=length, squared=not points.is_root, slack=slack)
    nearest = placed.kernel("batch-hard", span)(*where).negative
    losses, active, borderline, near = map(numbers, (sums.loss, sums.hard + sums.semi_hard, sums.borderline, nearest))
    norms, largest = points.gram.norms[own], points.gram.largest_norm
    least = np.maximum(NEAR * (norms + largest), points.gram.least)
    return unscaled(points, losses), active, (borderline > 0) | (near * near < least)


KERNEL_OPTIONS = {"margin"}
BY_KERNEL: dict[Function, Callable[..., tuple[AnchorLosses, bool]]] = {batch_all: batch_all_losses}
