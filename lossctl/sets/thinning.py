"""Fewer of the triplets that a strategy takes: what is left out, and a sample, the same wherever the blocks end."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple

import numpy as np

from .mining import Blocks, Mined, joined, limited
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
            (self.per_positive, hardest_per_positive),
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


def _in_anchors(blocks: Iterable[Mined], cut: Callable[[Mined], Mined]) -> Blocks:
    """What a cut leaves of each anchor's triplets, which have to stand side by side, as all but `hardest` gives them.

    What was cut is cut again with what follows, so no more of an anchor is held than what stays and a block.
    """
    kept = joined([])
    for block in blocks:
        block = joined([kept, block])
        if not len(block):
            continue
        is_last = block.rows[:, 0] == block.rows[-1, 0]
        yield cut(block[~is_last])
        kept = cut(block[is_last])
    yield kept


def _top(block: Mined, count: int) -> Mined:
    if not len(block):
        return block
    turn = np.cumsum(np.diff(block.rows[:, 0], prepend=block.rows[0, 0]) != 0)
    order = np.lexsort((block.rows[:, 2], block.rows[:, 1], block.d_an - block.d_ap, turn))
    place = np.arange(len(order)) - np.searchsorted(turn, turn)
    return block[order[place < count]]


def _nearest(block: Mined, count: int) -> Mined:
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


def hardest_per_anchor(blocks: Iterable[Mined], count: int) -> Blocks:
    """For each anchor the `count` triplets with the highest d_ap - d_an, the lower rows in a tie, highest first."""
    return _in_anchors(blocks, partial(_top, count=count))


def hardest_per_positive(blocks: Iterable[Mined], count: int) -> Blocks:
    """For each anchor and positive the `count` nearest negatives, the lower rows in a tie, nearest first."""
    return _in_anchors(blocks, partial(_nearest, count=count))
