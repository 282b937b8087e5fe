"""The rows with the highest loss: a bounded list of them, or the mean over many of them in constant memory.

A row is as hard as its loss, weights included, says; nan is hardest of all; of rows that are equally hard the one that
stands first in the input wins.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial, reduce
from typing import Any, NamedTuple

import numpy as np

from ..errors import UsageError
from . import by_row, groups
from .by_row import Scored
from .facts import NOTHING, Facts

RANK_BITS, DIGIT_BITS = 64, 16


class Hardest(NamedTuple):
    """At most K rows, hardest first; merges with the hardest of other rows.

    number: which rows of the input;  loss: (k,), weights included;  weight: (k,)
    side, inputs: their other columns, as in `Scored`;  n: how many rows there were to choose from
    """

    number: np.ndarray
    loss: np.ndarray
    weight: np.ndarray
    side: tuple[np.ndarray, ...]
    inputs: tuple[np.ndarray, ...]
    n: int
    facts: Facts

    def merge(self, other: Hardest, count: int) -> Hardest:
        """The `count` hardest of both."""

        def joined(a: np.ndarray, b: np.ndarray) -> np.ndarray:
            if a.dtype.kind != b.dtype.kind:
                a, b = a.astype(object), b.astype(object)
            return np.concatenate([a, b])

        loss = joined(self.loss, other.loss)
        number = joined(self.number, other.number)
        order = np.lexsort((number, -_hardness(loss)))[:count]
        return Hardest(
            number[order],
            loss[order],
            joined(self.weight, other.weight)[order],
            tuple(joined(a, b)[order] for a, b in zip(self.side, other.side, strict=True)),
            tuple(joined(a, b)[order] for a, b in zip(self.inputs, other.inputs, strict=True)),
            self.n + other.n,
            self.facts.merge(other.facts),
        )


def _hardness(loss: np.ndarray) -> np.ndarray:
    return np.where(np.isnan(loss), np.inf, loss)


def top(count: int, scored: tuple[Scored, ...]) -> Hardest:
    """The `count` hardest rows of a block, by the first loss."""
    first = scored[0]
    loss = first.rows.total
    hardness = _hardness(loss)
    chosen = np.arange(len(loss))
    if count < len(loss):
        least = np.partition(hardness, len(loss) - count)[len(loss) - count]
        chosen = np.flatnonzero(hardness >= least)
    numbers = first.rows.numbers.at(chosen)
    chosen = chosen[np.lexsort((numbers, -hardness[chosen]))[:count]]
    weight = first.rows.weight
    return Hardest(
        first.rows.numbers.at(chosen),
        loss[chosen],
        np.ones(len(chosen)) if weight is None else weight[chosen],
        tuple(column[chosen] for column in first.side),
        tuple(column[chosen] for column in first.inputs),
        len(loss),
        first.rows.facts.merge(by_row.infinite_rows(first.rows)),
    )


def top_of(blocks: Iterable[Hardest], count: int) -> Hardest | None:
    """The hardest of all blocks; None where there is no block."""
    held: Hardest | None = None
    for more in blocks:
        held = more if held is None else held.merge(more, count)
    return held


# --- the mean over the hardest


class Kept(NamedTuple):
    """How many rows to keep: a count, or a share in percent (rounded up to whole rows)."""

    number: int | None
    percent: float | None

    @property
    def text(self) -> str:
        """As it was asked for: "100" or "10%"."""
        return str(self.number) if self.percent is None else f"{self.percent:g}%"

    def of(self, n: int) -> int:
        """How many of n rows. UsageError where there are not so many."""
        if self.percent is not None:
            from fractions import Fraction

            return math.ceil(Fraction(repr(self.percent)) * n / 100)
        assert self.number is not None
        if self.number > n:
            raise UsageError(f"--keep {self.number} of {n} rows", fix=f"keep {n} at most, or a share: --keep 10%")
        return self.number

    def at_most(self, n: int) -> int:
        """How many of n rows, all of them where there are not so many."""
        return min(self.of(n), n) if self.percent is not None else min(self.number or 0, n)


def read_kept(text: str) -> Kept:
    """ "100" or "10%". UsageError."""
    try:
        if text.endswith("%"):
            percent = float(text[:-1])
            if 0 < percent <= 100:
                return Kept(None, percent)
        elif int(text) > 0:
            return Kept(int(text), None)
    except ValueError:
        pass
    raise UsageError(f"--keep cannot be {text!r}", fix="give a number of rows, or a share such as 10%")


Each = Callable[[Callable[[tuple[Scored, ...]], Any]], Iterable[Any]]  # one reading of all rows, folded


class _Above(NamedTuple):
    """What one block holds above the threshold, and the rows on it."""

    part: by_row.Part
    tied: by_row.Rows


def mean_of_hardest(score: Each, loss: int, kept: Kept) -> by_row.Part:
    """The sums over the hardest rows. Reads the input five times, in constant memory.

    loss: which of the scored losses.  The threshold is found digit by digit of the losses' float64 ranks.
    """
    prefix, remaining, facts = 0, -1, NOTHING
    for shift in range(RANK_BITS - DIGIT_BITS, -1, -DIGIT_BITS):
        counts = np.zeros(1 << DIGIT_BITS, dtype=np.int64)
        for histogram, noticed in score(partial(_histogram, loss, prefix, shift)):
            counts += histogram
            facts = facts.merge(noticed) if remaining < 0 else facts
        remaining = kept.of(int(counts.sum())) if remaining < 0 else remaining
        if not remaining:
            return by_row.Part(facts=facts)
        reached = np.cumsum(counts[::-1])[::-1]  # how many rows have this digit or a larger one
        digit = int(np.flatnonzero(reached >= remaining)[-1])
        remaining -= int(reached[digit] - counts[digit])
        prefix = prefix << DIGIT_BITS | digit
    parts = [by_row.Part(facts=facts)]
    for above in score(partial(_above, loss, prefix)):
        tied = np.arange(min(above.tied.n, remaining))
        remaining -= len(tied)
        parts += [above.part, _sums(above.tied, tied)]
    return reduce(by_row.Part.merge, parts)


def of_groups(
    score: Each, loss: int, group: int, bins: groups.Bins | None, kept: Kept
) -> dict[str | None, by_row.Part]:
    """The sums over the hardest rows of each group, and under None those of all groups together.

    Reads the input twice and holds 16 bytes a row. A group of fewer rows than are to be kept gives all that it has.
    group: which side column names the group;  bins: of a numeric one
    """
    codes: dict[str, int] = {}
    held: list[tuple[np.ndarray, np.ndarray]] = []
    facts = NOTHING
    for ranked, noticed in score(partial(_ranked, loss, group, bins)):
        facts = facts.merge(noticed)
        for name, ranks in ranked:
            held.append((np.full(len(ranks), codes.setdefault(name, len(codes))), ranks))
    bars = _bars(held, len(codes), kept)
    left = dict(zip(codes, (bar.tied for bar in bars), strict=True))
    thresholds = dict(zip(codes, (bar.rank for bar in bars), strict=True))
    parts: dict[str | None, by_row.Part] = {None: by_row.Part(facts=facts)}
    for block in score(partial(_above_in_groups, loss, group, bins, thresholds)):
        for name, above in block:
            tied = np.arange(min(above.tied.n, left[name]))
            left[name] -= len(tied)
            part = above.part.merge(_sums(above.tied, tied))
            parts[name] = parts[name].merge(part) if name in parts else part
            parts[None] = parts[None].merge(part)
    return parts


class _Bar(NamedTuple):
    """The rank of the last row that a group keeps, and how many of the rows at that rank it keeps."""

    rank: int
    tied: int


def _bars(held: Sequence[tuple[np.ndarray, np.ndarray]], count: int, kept: Kept) -> list[_Bar]:
    """The bar of each group. held: (group, rank) of rows, block by block"""
    if not held:
        return []
    group, rank = (np.concatenate(column) for column in zip(*held, strict=True))
    rank = rank[np.lexsort((rank, group))]
    ends = np.cumsum(np.bincount(group, minlength=count)).tolist()
    bars = []
    for start, end in zip([0, *ends[:-1]], ends, strict=True):
        ranks = rank[start:end]
        number = kept.at_most(len(ranks))
        bar = ranks[len(ranks) - number]
        bars.append(_Bar(int(bar), number - (len(ranks) - int(np.searchsorted(ranks, bar, side="right")))))
    return bars


Ranked = list[tuple[str, np.ndarray]]


def _ranked(loss: int, group: int, bins: groups.Bins | None, scored: tuple[Scored, ...]) -> tuple[Ranked, Facts]:
    rows = scored[loss].rows
    ranks = _ranks(rows.total)
    named = [(name, ranks[at]) for name, at in groups.slices(scored[loss].side[group], bins)]
    return named, rows.facts.merge(by_row.infinite_rows(rows))


def _above_in_groups(
    loss: int, group: int, bins: groups.Bins | None, thresholds: Mapping[str, int], scored: tuple[Scored, ...]
) -> list[tuple[str, _Above]]:
    rows = scored[loss].rows
    ranks = _ranks(rows.total)
    return [
        (name, _split(rows, ranks, thresholds[name], at)) for name, at in groups.slices(scored[loss].side[group], bins)
    ]


def _ranks(loss: np.ndarray) -> np.ndarray:
    """Whole numbers that rise as the losses do, (n,) uint64; nan above all."""
    bits = (np.where(np.isnan(loss), np.inf, loss) + 0.0).view(np.uint64)
    sign = np.uint64(1 << 63)
    return np.where(bits & sign, ~bits, bits | sign)


def _histogram(loss: int, prefix: int, shift: int, scored: tuple[Scored, ...]) -> tuple[np.ndarray, Facts]:
    rows = scored[loss].rows
    ranks = _ranks(rows.total)
    if shift + DIGIT_BITS < RANK_BITS:
        ranks = ranks[ranks >> np.uint64(shift + DIGIT_BITS) == np.uint64(prefix)]
    digits = (ranks >> np.uint64(shift)) & np.uint64((1 << DIGIT_BITS) - 1)
    counts = np.bincount(digits.astype(np.int64), minlength=1 << DIGIT_BITS)
    return counts, rows.facts.merge(by_row.infinite_rows(rows))


def _above(loss: int, threshold: int, scored: tuple[Scored, ...]) -> _Above:
    rows = scored[loss].rows
    return _split(rows, _ranks(rows.total), threshold, np.arange(rows.n))


def _split(rows: by_row.Rows, ranks: np.ndarray, threshold: int, at: np.ndarray) -> _Above:
    """The rows at some positions by their ranks: the sums of those above the threshold, and those on it."""
    above = at[ranks[at] > np.uint64(threshold)]
    tied = at[ranks[at] == np.uint64(threshold)]
    columns = tuple(None if column is None else column[tied] for column in rows.columns)
    return _Above(_sums(rows, above), rows._replace(values=rows.total[tied], columns=columns))


def _sums(rows: by_row.Rows, positions: np.ndarray) -> by_row.Part:
    """The sums over some rows; what was noticed of the block is known already."""
    return by_row.part_of(rows, positions)._replace(facts=NOTHING)
