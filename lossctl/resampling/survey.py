"""What several losses are over all rows and over groups of rows, with the bootstrap of each, in one reading."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self

import numpy as np

from ..errors import UsageError
from ..rows import by_row, shapes
from ..rows.facts import Facts
from ..rows.workers import keep_freed_memory

if TYPE_CHECKING:
    from ..rows.groups import Bins
    from .bootstrap import Method, Sample, Spread
    from .clusters import Clusters
    from .draws import Draws

LARGEST_BYTES = 1 << 30
NAMED = 5  # groups that are named in a warning


class Aspects(NamedTuple):
    """What is asked of one loss beside the value of all rows.

    group, cluster: which side column names the group or the cluster, None for none; bins: of a numeric group column
    draws: which resamples, None for no interval;  most: how many sums a piece may have for it, None for any number
    """

    group: int | None = None
    bins: Bins | None = None
    cluster: int | None = None
    draws: Draws | None = None
    most: int | None = None


class Piece(Protocol):
    """What is known of the loss of some rows; pieces of different rows merge."""

    @property
    def n(self) -> int:
        """How many rows count."""

    @property
    def facts(self) -> Facts:
        """What was noticed of them."""

    @property
    def entries(self) -> int:
        """How many sums it holds of each resample."""

    def merge(self, other: Self) -> Self:
        """The piece of two sets of rows together."""

    def noticing(self, facts: Facts) -> Self:
        """The same with other facts."""

    def refuse_nothing(self, plan: shapes.Plan) -> None:
        """DataError where all rows together have no value."""

    def value(self, plan: shapes.Plan) -> float:
        """The loss of the rows; nan where they have none."""

    def spread(self, plan: shapes.Plan, draws: Draws, method: Method) -> Spread:
        """How the value varies over the resamples."""


class ScoredBlock(Protocol):
    """The loss of some rows of the input, before they are added up."""

    @property
    def side(self) -> tuple[np.ndarray, ...]: ...
    @property
    def facts(self) -> Facts: ...


Pieces = dict[str | None, Any]  # group -> the Piece of its rows; None -> that of all rows
Weigh = Callable[[Any, np.ndarray | None, Aspects], Any]  # (block, positions of its rows or None, aspects) -> Piece


def of_block(aspects: Sequence[Aspects], piece_of: Weigh, blocks: tuple[Any, ...]) -> tuple[Pieces, ...]:
    """What one block adds: for each loss, all rows and each group. aspects: of each loss;  blocks: as each scored it"""
    return tuple(_pieces(block, asked, piece_of) for block, asked in zip(blocks, aspects, strict=True))


def _pieces(block: ScoredBlock, aspects: Aspects, piece_of: Weigh) -> Pieces:
    if aspects.group is None:
        piece = piece_of(block, None, aspects)
        refuse_too_many(1, piece.entries, aspects)
        return {None: piece}
    from ..rows import groups

    pieces: Pieces = {}
    entries = 0
    for name, positions in groups.slices(block.side[aspects.group], aspects.bins):
        pieces[name] = piece_of(block, positions, aspects)
        entries += pieces[name].entries
        refuse_too_many(len(pieces) + 1, entries, aspects)
    nothing = piece_of(block, np.arange(0), aspects)
    return {None: reduce(lambda a, b: a.merge(b), pieces.values(), nothing).noticing(block.facts), **pieces}


def merged(held: tuple[Pieces, ...], more: tuple[Pieces, ...], aspects: Sequence[Aspects]) -> tuple[Pieces, ...]:
    """The pieces of two sets of rows together. UsageError where all intervals would need more than a GiB."""
    if not held:
        return more
    for pieces, others, asked in zip(held, more, aspects, strict=True):
        for name, piece in others.items():
            pieces[name] = pieces[name].merge(piece) if name in pieces else piece
        refuse_too_many(len(pieces), sum(piece.entries for piece in pieces.values()), asked)
        refuse_slow(max(piece.entries for piece in pieces.values()), asked.most)
    return held


def add_up(
    blocks: Iterable[tuple[Pieces, ...]], aspects: Sequence[Aspects], progress: Callable[[int], None] | None = None
) -> tuple[Pieces, ...]:
    """All blocks together; () where there is none. UsageError as in `merged`."""
    keep_freed_memory()
    held: tuple[Pieces, ...] = ()
    for more in blocks:
        held = merged(held, more, aspects)
        if progress:
            progress(held[0][None].n)
    return held


def refuse_too_many(pieces: int, entries: int, aspects: Aspects) -> None:
    """UsageError where the intervals need more than a GiB. entries: sums of each resample that the pieces hold"""
    if aspects.draws and entries * aspects.draws.resamples * 8 > LARGEST_BYTES:
        groups = f"{pieces - 1} groups or more, " if aspects.group is not None else ""
        coarser = "for coarser groups, " if aspects.group is not None else ""
        raise UsageError(
            f"{groups}{entries} sums in all, with {aspects.draws.resamples} resamples each",
            why="their intervals need more than a GiB",
            fix=f"ask for fewer --resamples, {coarser}or for no --ci",
        )


def refuse_slow(entries: int, most: int | None) -> None:
    """UsageError where a BCa interval of so many sums, two a count, would not end soon."""
    if most is not None and entries > most:
        raise UsageError(
            f"a BCa interval of {entries // 2} counts, or more",
            why=f"it needs the loss with each of them changed: too slow for more than {most // 2}",
            fix="use --ci-method percentile",
        )


# --- pieces of rows that have sums


class Slice(NamedTuple):
    """The sums of some rows, and what their bootstrap keeps: a sample of the rows, or the sums of each cluster."""

    part: by_row.Part
    sample: Sample | None = None
    clusters: Clusters | None = None

    @property
    def n(self) -> int:
        """How many rows count."""
        return self.part.n

    @property
    def facts(self) -> Facts:
        """What was noticed of them."""
        return self.part.facts

    @property
    def entries(self) -> int:
        """How many sums it holds of each resample."""
        return len(self.sample.sums.places) if self.sample else 0

    def merge(self, other: Slice) -> Slice:
        """The slice of two sets of rows together."""
        part = self.part.merge(other.part)
        if self.clusters is None or other.clusters is None:
            return Slice(part, self.sample.merge(other.sample) if self.sample and other.sample else self.sample)
        from .clusters import merge_into

        return Slice(part, self.sample, merge_into(self.clusters, other.clusters))

    def noticing(self, facts: Facts) -> Slice:
        """The same with other facts."""
        return self._replace(part=self.part._replace(facts=facts))

    def refuse_nothing(self, plan: shapes.Plan) -> None:
        """DataError where all rows together have no value."""
        by_row.refuse_nothing(plan, self.part)

    def value(self, plan: shapes.Plan) -> float:
        """The loss of the rows; nan where they have none."""
        return by_row.value_of(plan, self.part)

    def spread(self, plan: shapes.Plan, draws: Draws, method: Method) -> Spread:
        """How the value varies over the resamples."""
        from . import bootstrap, statistic

        value, centre = self.value(plan), statistic.centre_of(self.part)
        if self.clusters is None:
            assert self.sample is not None
            moments = self.sample.moments.about(centre)
            totals, squares = self.sample.sums.table, moments.pairs[-1, -1]
            influence = moments.influence(statistic.slopes_of(plan, self.part, moments))
            acceleration = influence.acceleration
        else:
            from .clusters import cluster_numbers, table_of
            from .draws import resample_sums

            names, columns = table_of(self.clusters)
            columns = columns.reshape(-1, len(self.part.sums))
            totals = resample_sums(draws, cluster_numbers(names), columns).table
            squares = float(columns[:, -1] @ columns[:, -1])
            left_out = statistic.resampled_values(plan, columns.sum(axis=0) - columns, self.n)
            acceleration = bootstrap.jackknife_acceleration(left_out)
            slopes = statistic.slopes_of(plan, self.part, bootstrap.moments(columns).about(centre))
            influence = statistic.influence_of_clusters(names, columns, centre, slopes)
        held = totals[:, -1] > 0
        resampled = np.full(len(held), np.nan)
        resampled[held] = statistic.resampled_values(plan, totals[held], self.n)
        weight = float(self.part.sums[-1])
        effective = weight / squares * weight if squares else math.nan
        spread = bootstrap.Spread(value, resampled, held, acceleration, influence, effective).in_range
        statistic.refuse_cancelled(plan, self.part, value, spread.standard_error)
        return spread


def slice_of(scored: by_row.Scored, positions: np.ndarray | None, aspects: Aspects) -> Slice:
    """The slice of a block's rows, or of those at some positions."""
    rows = scored.rows
    part = by_row.part_of(rows, positions)
    if not aspects.draws:
        return Slice(part)
    at = slice(None) if positions is None else positions
    n = rows.n
    columns = np.stack([np.ones(n) if column is None else column for column in rows.columns], axis=1)[at]
    if aspects.cluster is None:
        from . import bootstrap

        numbers = rows.numbers.at(np.arange(n) if positions is None else positions)
        return Slice(part, bootstrap.sample(aspects.draws, numbers, columns))
    from .clusters import cluster_sums

    return Slice(part, clusters=cluster_sums(scored.side[aspects.cluster][at], columns))
