"""The breakdown of a whole set on another device, with the same certificate as on the CPU.

The device counts the triplets of every anchor from float64 products and says how many of them lie so near to a
threshold that its error bound cannot tell their category. An anchor with any such triplet is counted again by the
CPU's own engine, which proves it; for all others the device's counts are those of exact arithmetic.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ...results.breakdown import Breakdown
from ...rows.workers import Workers, mapped, ordered_map, threads_of
from ..counting import NOTHING, Census, Counts, count_panel, joined
from ..panels import Panel, default_threads
from ..points import HUGE
from ..ties import Judges
from ..triplets import BINS, prepare, report
from .distances import distances, numbers, unscaled
from .picks import proven_precisions
from .points import Placed, backend_of, kernel_margin, place, room_on, runs, slack_of, spans

Progress = Callable[[int, int], None]


def breakdown_on(
    device: str,
    embeddings: np.ndarray,
    labels: Any,
    *,
    margins: Sequence[float] = (1.0,),
    metric: str = "euclidean",
    normalize: bool = False,
    by_class: bool = False,
    pairs: int = 0,
    bins: int = BINS,
    threads: Workers | None = None,
    progress: Progress | None = None,
) -> Breakdown:
    """`triplets.breakdown` with the work done on a device, "cuda:0" for example; counts and certificate are the same.

    Losses, means and histograms come from products of matrices and agree with the CPU's to rounding. Other
    arguments and errors as there, and DeviceError where no kernel runs on the device.
    """
    census = prepare(
        np.asarray(embeddings),
        np.asarray(labels),
        margins=margins,
        metric=metric,
        normalize=normalize,
        merge=False,
        with_pairs=pairs > 0,
        bins=bins,
    )
    asked = [float(margin) for margin in margins]
    if not census.points.anchors:
        return report(census, [], asked, by_class, pairs)
    workers = default_threads() if threads is None else threads
    with room_on(device):
        placed = place(census.points, device)
    lock, parts = threading.Lock(), []
    count = partial(_counted, census, placed, asked, lock, threads_of(workers))
    for part in mapped(count, spans(census.points), 1 if isinstance(workers, int) else workers):
        parts.append(part)
        if progress is not None:
            progress(sum(len(other.counts.farthest) for other in parts), census.points.anchors)
    kernels = backend_of(device, "batch-all", census.points.widest)
    breakdown = report(census, [part.counts for part in parts], asked, by_class, pairs)
    return replace(breakdown, backend="numpy" if all(part.is_open for part in parts) else kernels)


class _Part(NamedTuple):
    """The counts of a span of anchors. is_open: the device has proven none of them"""

    counts: Counts
    is_open: bool


def _counted(
    census: Census, placed: Placed, margins: Sequence[float], lock: Any, threads: int, span: tuple[int, int]
) -> _Part:
    """A span of anchors, by the device, which answers one thread at a time, and the CPU."""
    with lock, room_on(placed.device):
        rough, is_open = _count(census, placed, margins, span)
        if not is_open.all():
            rough.precisions[:], is_unsure = proven_precisions(placed, census.points, span)
            is_open |= is_unsure
    proven = _counted_here(census, span[0] + np.flatnonzero(is_open), threads)
    with lock, room_on(placed.device):
        return _Part(_merged(census, placed, rough, proven, is_open, span), bool(is_open.all()))


# --- on the device


@dataclass(frozen=True)
class _Rough:
    """What the device found for A anchors: (J, A) triplets below and at each threshold, and sums of the loss; (3, A)
    `counting.precisions`."""

    below: np.ndarray
    ties: np.ndarray
    losses: np.ndarray
    precisions: np.ndarray


def _count(
    census: Census, placed: Placed, margins: Sequence[float], span: tuple[int, int]
) -> tuple[_Rough, np.ndarray]:
    """The counts of the device, and (A,) which of the span's anchors they are not proven for."""
    points, anchors = census.points, span[1] - span[0]
    shape = len(census.margins), anchors
    rough = _Rough(np.zeros(shape, np.int64), np.zeros(shape, np.int64), np.zeros(shape), np.zeros((3, anchors)))
    is_open = np.zeros(anchors, bool)
    kernel = placed.kernel("batch-all", span)
    for j, margin in enumerate(census.margins):
        if j == 0 and len(census.margins) > 1 and 0.0 not in margins:
            continue  # any margin counts what is hard
        length, slack = kernel_margin(points, margin), slack_of(points, margin)
        if length >= math.sqrt(HUGE) or slack >= 0.5:
            return rough, np.ones(anchors, bool)
        sums = kernel(placed.x, placed.start, placed.end, margin=length, squared=not points.is_root, slack=slack)
        hard, semi_hard, tied, borderline = (
            numbers(side) for side in (sums.hard, sums.semi_hard, sums.tied, sums.borderline)
        )
        is_open |= borderline > 0
        rough.below[j], rough.ties[0] = hard + semi_hard, tied
        rough.below[0] = hard - tied
        rough.losses[j] = unscaled(points, numbers(sums.loss))
    return rough, is_open


# --- on the CPU


def _counted_here(census: Census, anchors: np.ndarray, threads: int) -> Counts | None:
    """The counts of some anchors, in order, by the CPU's engine."""
    points = census.points
    judges = Judges(points)
    panels = (Panel(points, start, stop, judges) for start, stop in runs(anchors))
    counted = list(ordered_map(lambda panel: count_panel(census, panel), panels, threads))
    return joined(counted) if counted else None


def _merged(
    census: Census,
    placed: Placed,
    rough: _Rough,
    proven: Counts | None,
    is_open: np.ndarray,
    span: tuple[int, int],
) -> Counts:
    """One set of counts: the device's, with those of the anchors that are open replaced by proven ones."""
    points, anchors = census.points, np.arange(*span)
    hardest = placed.kernel("batch-hard", span)(placed.x, placed.start, placed.end)
    farthest, nearest = (
        points.measured(points.gram.direct(anchors, numbers(at))) for at in (hardest.positive_at, hardest.negative_at)
    )
    positives, negatives = NOTHING, NOTHING
    by_class: dict[int, np.ndarray] = {}
    if census.has_bins or census.with_pairs:
        positives, negatives, by_class = distances(census, placed.padded, span, ~is_open)
    undecided = np.zeros_like(rough.ties)
    if proven is not None:
        for mine, theirs in (
            (rough.below, proven.below), (rough.ties, proven.ties), (undecided, proven.undecided),
            (rough.losses, proven.losses), (rough.precisions, proven.precisions),
            (farthest, proven.farthest), (nearest, proven.nearest),
        ):  # fmt: skip
            mine[..., is_open] = theirs
        for key, hard in proven.hard_by_class.items():
            by_class[key] = by_class[key] + hard if key in by_class else hard
    size = (points.last - points.first)[slice(*span)]
    return Counts(
        below=rough.below,
        ties=rough.ties,
        undecided=undecided,
        losses=rough.losses,
        triplets=(size - 1) * (len(points) - size),
        farthest=farthest,
        nearest=nearest,
        precisions=rough.precisions,
        positives=positives,
        negatives=negatives,
        hard_by_class=by_class,
    )
