"""Views of the same things against each other: row i of each belongs to thing i, and all other rows are its rivals.

A block of B things meets all N, so memory is B x N; what a thing gets does not depend on its block.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..files import drawer
from ..language.numerics import Array, namespace
from ..language.rounded import GROUP, Bounded, Rounded, factors, rounded_cosines
from ..language.twofold import Directions, Twofold, cosines, directions, lengths, scaled
from ..rows.workers import Workers, keep_freed_memory, mapped, threads_of
from .angles import directions_of, lengths_of
from .panels import CACHED, precise_losses

MOST, LEAST = 11 * GROUP, 32  # things of a block: batches of 256 are one
BYTES_EACH = 80  # of each thing that a thing is compared with in each view, in twice the digits
FACTORS = 8  # times its own size, of a thing as a factor


@dataclass(frozen=True, eq=False)
class View:
    """One embedding of each thing, (N, D), of any array library."""

    x: Array

    @cached_property
    def units(self) -> Directions:
        """x / |x|, in more digits than float64 holds."""
        return directions_of(self.x) if isinstance(self.x, np.ndarray) else directions(self.x)

    @cached_property
    def lengths(self) -> Twofold:
        """|x|, (N,)."""
        return lengths_of(self.x) if isinstance(self.x, np.ndarray) else lengths(self.x)

    @cached_property
    def low_factors(self) -> np.ndarray:
        """What gives the low part of cosines by one product."""
        return factors(self.units)


@dataclass(frozen=True, eq=False)
class ViewPanel:
    """A block of B things, start <= position < stop, against all N; its arrays are of the library of the views.

    views: of all things, two or more;  is_precise: cosines are in twice the digits at once
    """

    views: tuple[View, ...]
    start: int
    stop: int
    is_precise: bool = False

    def __len__(self) -> int:
        return self.stop - self.start

    def cosines(self, view: int, other: int) -> Rounded | Twofold:
        """(B, N) cosines of the block in one view with all things in another, of numpy views with a bound on their
        errors, else in twice the digits."""
        a, b = self.views[view], self.views[other]
        if self.is_precise or not isinstance(a.x, np.ndarray):
            return self.exact_cosines(view, other)
        return rounded_cosines(a.units[self.start : self.stop], b.units, b.low_factors)

    def exact_cosines(self, view: int, other: int) -> Twofold:
        """The same, in twice the digits."""
        return cosines(self.views[view].units[self.start : self.stop], self.views[other].units)

    def logits(self, view: int, other: int, *, times: float = 1.0, over: float = 1.0) -> Rounded | Twofold:
        """`cosines` times one number, or over one; in twice the digits the block is scaled, not its products."""
        is_plain = all(1e-200 < size < 1e200 for size in (times, over, times / over))
        if is_plain and (self.is_precise or not isinstance(self.views[view].x, np.ndarray)):
            block = scaled(self.views[view].units[self.start : self.stop], times, over)
            return cosines(block, self.views[other].units)
        logits = self.cosines(view, other)
        logits = logits * times if times != 1 else logits
        return logits / over if over != 1 else logits

    def products(self, view: int, other: int) -> Twofold:
        """(B, N) dot products of the block in one view with all things in another, in twice the digits."""
        near, far = self.views[view].lengths, self.views[other].lengths
        own = Twofold(near.high[self.start : self.stop, None], near.low[self.start : self.stop, None])
        return self.exact_cosines(view, other) * own * Twofold(far.high[None, :], far.low[None, :])

    @cached_property
    def own(self) -> Array:
        """(B, 1) which thing each row of the block is."""
        xp = namespace(self.views[0].x)
        return xp.arange(self.start, self.stop, device=getattr(self.views[0].x, "device", None))[:, None]

    @property
    def everyone(self) -> Array:
        """(B, N), true."""
        return self.is_other | ~self.is_other

    @cached_property
    def is_other(self) -> Array:
        """(B, N), true where two things are not the same."""
        xp = namespace(self.views[0].x)
        return xp.arange(self.views[0].x.shape[0], device=getattr(self.views[0].x, "device", None))[None, :] != self.own


def values_of(
    views: tuple[np.ndarray, ...],
    function: Callable[[ViewPanel], Any],
    *,
    block: int | None = None,
    threads: Workers = 1,
    progress: Callable[[int, int], None] | None = None,
) -> np.ndarray:
    """function(panel) of all N things, (N,), in blocks, on `threads` threads (or by others); in twice the digits at
    once where most of the first ones need them, so that blocks change no digit.

    block: things a panel; if None, as many as stay near the processor
    """
    keep_freed_memory()
    held, count = tuple(map(View, views)), len(views[0])
    for view in held:
        _ = view.low_factors  # once, before threads ask for them
    size = block or _block_size(views, threads_of(threads))

    def quietly(panel: ViewPanel) -> np.ndarray:
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            values = precise_losses(function, panel, count)[0]
        for view in held:
            drawer.let_go(view.units.high)
            drawer.let_go(view.low_factors)
        return values

    is_precise = _needs_precision(held, function, size)
    panels = [(start, min(start + size, count)) for start in range(0, count, size)]
    values = []
    for at, part in enumerate(mapped(lambda at: quietly(ViewPanel(held, *at, is_precise)), panels, threads)):
        values.append(part)
        if progress is not None:
            progress(min((at + 1) * size, count), count)
    return np.concatenate(values)


def _block_size(views: tuple[np.ndarray, ...], threads: int) -> int:
    """How many things a panel has; of views in a file so many as memory has room for."""
    count, columns = views[0].shape
    size: int = max(LEAST, min(MOST, CACHED // max(1, count)))
    if drawer.file_of(views[0]) is None:
        return size
    anchor_bytes = BYTES_EACH * len(views) * count + FACTORS * 8 * columns
    most: int = drawer.panel_bytes(views[0], size * anchor_bytes) // (anchor_bytes * threads)
    return max(1, min(size, most))


def _needs_precision(held: tuple[View, ...], function: Callable[[ViewPanel], Any], size: int) -> bool:
    """Whether most of the first things need cosines in twice the digits."""
    count, good = min(LEAST, len(held[0].x)), 0
    for start in range(0, count, size):
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            values = function(ViewPanel(held, start, min(start + size, count)))
        if not isinstance(values, Bounded):
            return False
        good += int(np.count_nonzero(values.is_good))
    return 2 * good < count
