"""Fewer of the triplets that a strategy takes: what is left out, and a sample, the same wherever the blocks end."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np

from .mining import Blocks, Mined, hardest_per_anchor, joined, limited
from .picks import uniform


class Thinning(NamedTuple):
    """Which triplets of a strategy stay, in this order.

    min_distance: those whose negative is at least so far from the anchor, by float64 distances
    per_positive, per_anchor: so many of each pair of anchor and positive, and of each anchor, their hardest
    sample: so many, drawn with `seed`, each as likely;  limit: the first so many
    """

    min_distance: float | None = None
    per_positive: int | None = None
    per_anchor: int | None = None
    sample: int | None = None
    limit: int | None = None
    seed: int = 0

    def of(self, blocks: Iterable[Mined]) -> Iterable[Mined]:
        """The triplets that stay."""
        steps: tuple[tuple[float | None, Callable[..., Blocks]], ...] = (
            (self.min_distance, _beyond),
            (self.per_positive, _hardest_per_positive),
            (self.per_anchor, hardest_per_anchor),
            (self.sample, self._sampled),
            (self.limit, limited),
        )
        for number, step in steps:
            if number is not None:
                blocks = step(blocks, number)
        return blocks

    def most(self, anchors: int, pairs: int) -> int | None:
        """At most how many stay, of so many anchors and pairs with a positive; None for all."""
        bounds = [self.sample, self.limit]
        bounds += [] if self.per_anchor is None else [self.per_anchor * anchors]
        bounds += [] if self.per_positive is None else [self.per_positive * pairs]
        return min((bound for bound in bounds if bound is not None), default=None)

    def _sampled(self, blocks: Iterable[Mined], count: int) -> Blocks:
        """Those with the smallest of random numbers that come of the seed and their three rows alone, in order."""
        kept, keys = joined([]), np.empty(0)
        for block in blocks:
            anchor, positive, negative = block.rows.T
            mark = uniform(self.seed, anchor, positive) * 2.0**53
            kept = joined([kept, block])
            keys = np.concatenate([keys, uniform(self.seed, mark.astype(np.int64), negative)])
            if len(keys) > count:
                stays = np.sort(np.argpartition(keys, count - 1)[:count])
                kept, keys = kept[stays], keys[stays]
        yield kept


def _beyond(blocks: Iterable[Mined], distance: float) -> Blocks:
    for block in blocks:
        yield block[block.d_an >= distance]


def _hardest_per_positive(blocks: Iterable[Mined], count: int) -> Blocks:
    """For each anchor and positive the `count` nearest negatives, the lower rows in a tie, nearest first.

    Expects each anchor's triplets side by side.
    """
    kept = joined([])
    for block in blocks:
        block = joined([kept, block])
        if not len(block):
            continue
        is_last = block.rows[:, 0] == block.rows[-1, 0]
        yield _nearest_of_each(block[~is_last], count)
        kept = block[is_last]
    yield _nearest_of_each(kept, count)


def _nearest_of_each(block: Mined, count: int) -> Mined:
    if not len(block):
        return block
    anchor, positive, negative = block.rows.T
    turn = np.cumsum(np.diff(anchor, prepend=anchor[0]) != 0)
    order = np.lexsort((negative, block.d_an, positive, turn))
    is_new = np.diff(positive[order], prepend=-1) != 0
    is_new |= np.diff(turn[order], prepend=-1) != 0
    starts = np.flatnonzero(is_new)
    place = np.arange(len(order)) - starts[np.cumsum(is_new) - 1]
    return block[order[place < count]]
