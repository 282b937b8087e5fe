"""The picks of a whole set, found by a device and proven there, anchor by anchor.

A kernel proposes, and sees the next best too: a pick stands where no other point lies within twice the error bound of
what was picked, nor of the threshold that it must pass. An anchor with any rival so near, a tie for example, is asked
again of the CPU's engine, which decides by exact numbers and then by rows. So the answers are those of the CPU.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..counting import precisions
from ..extremes import extremes
from ..picks import random_semi_hard_negatives, semi_hard_negatives, uniform
from ..points import HUGE, Points, Settle
from ..ties import Judges
from .distances import AT_ONCE, numbers
from .points import Placed, check, kernel_margin, place, refuse_metric, room_on, runs, slack_of, spans

if TYPE_CHECKING:
    from torch import Tensor

COMPARED = 32  # so many bounds an anchor are compared with all negatives; for more, these are sorted


class Proven(NamedTuple):
    """Picks for all A anchors: (A, K) positions, -1 for none, and (A,) where they are not proven."""

    picks: np.ndarray
    is_open: np.ndarray


def with_picks(points: Points, device: str) -> Points:
    """Points whose picks are made on a device. DeviceError where nothing runs there."""
    check(device)
    refuse_metric(points, device)
    return replace(points, finder=DevicePicks(device, points))


class DevicePicks:
    """A `points.Finder` that asks a device, once for each question, and the CPU about what stays open."""

    def __init__(self, device: str, points: Points) -> None:
        """points: numpy points that have no finder."""
        self.device = device
        self.points = points
        self._judges = Judges(points)
        self._placed: list[Placed] = []  # at the first question
        self.answers: dict[tuple[object, ...], Proven] = {}
        self._lock = threading.Lock()

    def undecided_anchors(self, start: int, stop: int) -> int:
        """As `ties.Judges.undecided_anchors`."""
        return self._judges.undecided_anchors(start, stop)

    def extremes(self, start: int, stop: int, settle: Settle | None) -> tuple[np.ndarray, np.ndarray]:
        """As `extremes.extremes`."""

        def again(first: int, last: int) -> np.ndarray:
            return np.stack(extremes(self.points, first, last, scratch=self._judges.scratch, settle=settle), axis=1)

        picks = self._settled(proven_extremes, start, stop, 2, again)
        return picks[:, 0], picks[:, 1]

    def semi_hard(self, start: int, stop: int, fallback: str) -> np.ndarray:
        """As `picks.semi_hard_negatives`."""
        again = partial(semi_hard_negatives, self._judges, fallback=fallback)
        return self._settled(proven_semi_hard, start, stop, self._width(start, stop), again, fallback)

    def random_semi_hard(self, start: int, stop: int, margin: float, seed: int) -> np.ndarray:
        """As `picks.random_semi_hard_negatives`."""
        again = partial(random_semi_hard_negatives, self._judges, margin=margin, seed=seed)
        return self._settled(proven_random, start, stop, self._width(start, stop), again, margin, seed)

    def _settled(
        self,
        ask: Callable[..., Proven],
        start: int,
        stop: int,
        width: int,
        again: Callable[[int, int], np.ndarray],
        *question: object,
    ) -> np.ndarray:
        """(B, width) picks of the anchors start..stop, those that are open made again on the CPU."""
        parts = []
        for span in spans(self.points):
            first, last = max(start, span[0]), min(stop, span[1])
            if first < last:
                proven = self._ask(ask, span, question)
                parts.append(_settled(proven, span[0], first, last, width, again))
        return np.concatenate(parts)

    def _ask(self, ask: Callable[..., Proven], span: tuple[int, int], question: tuple[object, ...]) -> Proven:
        """The answer for the anchors of a span; the threads of a fold share it."""
        key = (ask.__name__, span, *question)
        with self._lock:
            if key not in self.answers:
                with room_on(self.device):
                    self._placed = self._placed or [place(self.points, self.device)]
                    self.answers[key] = ask(self._placed[0], self.points, span, *question)
            return self.answers[key]

    def _width(self, start: int, stop: int) -> int:
        """The largest class of some anchors."""
        return int((self.points.last - self.points.first)[start:stop].max())


def _settled(
    proven: Proven, begin: int, start: int, stop: int, width: int, again: Callable[[int, int], np.ndarray]
) -> np.ndarray:
    """The same of anchors of one span, which begins at `begin`."""
    own = slice(start - begin, stop - begin)
    picks = proven.picks[own, :width].copy()
    for first, last in runs(start + np.flatnonzero(proven.is_open[own])):
        part = again(first, last)
        picks[first - start : last - start] = -1
        picks[first - start : last - start, : part.shape[1]] = part
    return picks


# --- what the device answers


class DeviceView(NamedTuple):
    """B anchors on the device against everyone.

    anchors: (B,); columns: (B, P) the positions of their positives, -1 beyond the last
    positives: (B, P) squared distances, -inf beyond the last; negatives: (B, N), inf in the own class
    reach: (B, 1) squared distances that differ by more than this are in the order that they seem to be in
    """

    anchors: Tensor
    columns: Tensor
    positives: Tensor
    negatives: Tensor
    reach: Tensor


def proven_extremes(placed: Placed, points: Points, span: tuple[int, int]) -> Proven:
    """Of a span of anchors (A, 2) the farthest positive and the nearest negative."""
    import torch

    pairs = placed.kernel("batch-hard", span)(placed.x, placed.start, placed.end, slack=slack_of(points, 0.0))
    return Proven(numbers(torch.stack([pairs.positive_at, pairs.negative_at], 1)), numbers(pairs.is_open))


def proven_semi_hard(placed: Placed, points: Points, span: tuple[int, int], fallback: str) -> Proven:
    """(A, K) for each point of the anchors' classes the nearest negative beyond it, or what to fall back on."""
    how = {"fallback": fallback, "slack": slack_of(points, 0.0)}
    pairs = placed.kernel("semi-hard", span)(placed.x, placed.start, placed.end, **how)
    columns, picks = (numbers(side) for side in (pairs.positive_at, pairs.negative_at))
    return Proven(_by_class_place(points, span, columns, picks), numbers(pairs.is_open.any(1)))


def proven_precisions(placed: Placed, points: Points, span: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """(3, A) `counting.precisions` of a span of anchors, and (A,) where they are not proven."""
    import torch

    parts, open_ones = [], []
    for view in _views(points, placed.padded, span):
        bounds = torch.cat([view.positives - view.reach, view.positives + view.reach], 1)
        low, high = _counted(view.negatives, bounds).tensor_split(2, 1)
        parts.append(precisions(low.sort(1).values, (view.columns >= 0).sum(1)))
        open_ones.append((low != high).any(1))
    return numbers(torch.cat(parts, 1)), numbers(torch.cat(open_ones))


def proven_random(placed: Placed, points: Points, span: tuple[int, int], margin: float, seed: int) -> Proven:
    """(A, K) for each point of the anchors' classes a random semi-hard negative."""
    import torch

    length, slack = kernel_margin(points, margin), slack_of(points, margin)
    if length * length >= HUGE or slack >= 0.5:
        width = int((points.last - points.first).max(initial=1))
        count = span[1] - span[0]
        return Proven(np.full((count, width), -1), np.ones(count, bool))
    padded = placed.padded
    columns, picks, open_ones = [], [], []
    for view in _views(points, padded, span):
        anchors, others = (numbers(side) for side in (view.anchors, view.columns))
        draw = torch.from_numpy(uniform(seed, points.rows[anchors, None], points.rows[others])).to(padded.values)
        inner, outer, band = _thresholds(points, padded, view, length, slack)
        chosen, is_sure = _drawn(view, inner, outer, band, draw)
        columns.append(others)
        picks.append(numbers(chosen))
        open_ones.append(numbers(((view.columns >= 0) & ~is_sure).any(1)))
    return Proven(_by_class_place(points, span, *map(np.concatenate, (columns, picks))), np.concatenate(open_ones))


def _thresholds(
    points: Points, padded: Any, view: DeviceView, length: float, slack: float
) -> tuple[Tensor, Tensor, Tensor]:
    """(B, P) squares of d_ap and of d_ap + margin, and half the width around them that is borderline."""
    from ...kernels import batch_all, tiles

    squares = tiles.squared_positive_distances(padded, view.anchors, view.columns)
    norms = padded.norms[view.anchors, None]
    at = batch_all.thresholds(
        squares, norms, padded.norms.max(), margin=length, squared=not points.is_root, slack=slack
    )
    return at.inner, at.outer, at.band


def _drawn(view: DeviceView, inner: Tensor, outer: Tensor, band: Tensor, draw: Tensor) -> tuple[Tensor, Tensor]:
    """(B, P) the negative at a random place between two thresholds, -1 if none is, and whether that is sure."""
    import torch

    ordered, order = view.negatives.sort(1)
    last = ordered.shape[1] - 1

    def below(bounds: Tensor, right: bool = False) -> Tensor:
        return torch.searchsorted(ordered, bounds.contiguous(), right=right)

    def value(places: Tensor) -> Tensor:
        return ordered.gather(1, places.clamp(0, last))

    first, end = below(inner, right=True), below(outer)
    is_clear = (below(inner - band) == below(inner + band, right=True)) & (
        below(outer - band) == below(outer + band, right=True)
    )
    place = first + (draw * (end - first)).long()
    here = value(place)
    alone = ((place == 0) | (here - value(place - 1) > view.reach)) & (value(place + 1) - here > view.reach)
    has_one = (end > first) & (view.columns >= 0)
    return torch.where(has_one, order.gather(1, place.clamp(0, last)), -1), is_clear & (~has_one | alone)


def _views(points: Points, padded: Any, span: tuple[int, int]) -> Iterator[DeviceView]:
    """The anchors of a span, in blocks."""
    import torch

    from ...kernels import tiles

    slack, largest = slack_of(points, 0.0), padded.norms.max()
    anchors = torch.arange(*span, device=padded.norms.device)
    for block in torch.split(anchors, max(1, AT_ONCE // len(points))):
        squares = tiles.squared_distances(padded, block)
        columns = tiles.positive_columns(padded, block, padded.largest_class - 1)
        positives = torch.where(columns >= 0, squares.gather(1, columns.clamp(min=0)), -torch.inf)
        negatives = tiles.fill_own_class(squares, padded, block, torch.inf)
        yield DeviceView(block, columns, positives, negatives, 2.5 * slack * (padded.norms[block, None] + largest))


def _counted(negatives: Tensor, bounds: Tensor) -> Tensor:
    """(B, K) how many of (B, N) values are at most each of (B, K) bounds."""
    import torch

    if bounds.shape[1] <= COMPARED:
        return torch.stack([(negatives <= bound[:, None]).sum(1) for bound in bounds.T], 1)
    return torch.searchsorted(negatives.sort(1).values, bounds.contiguous(), right=True)


def _by_class_place(points: Points, span: tuple[int, int], columns: np.ndarray, picks: np.ndarray) -> np.ndarray:
    """Of a span of anchors (A, K) picks in the order of their classes from those at (A, P) positives; -1 for no
    positive."""
    result = np.full((len(picks), picks.shape[1] + 1), -1)
    i, k = np.nonzero(columns >= 0)
    result[i, columns[i, k] - points.first[i + span[0]]] = picks[i, k]
    return result
