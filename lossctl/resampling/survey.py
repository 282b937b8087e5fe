"""What several losses are over all rows and over groups of rows, with the bootstrap of each, in one reading."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import reduce
from typing import NamedTuple, TypeVar

import numpy as np

from ..errors import UsageError
from ..rows import by_row, checks, groups, sums
from ..rows.job import Scored, columns
from ..rows.workers import keep_freed_memory
from . import bootstrap, by_count
from .bootstrap import Influence, Spread
from .clusters import Clusters, cluster_numbers, cluster_sums, merge_into
from .draws import Draws

LARGEST_BYTES = 1 << 30
FEW = 24  # rows that are summed one by one


class Wanted(NamedTuple):
    """What is asked beside the value of all rows.

    group, cluster: which side column names the group or the cluster, None for none; bins: of a numeric group column
    draws: which resamples, None for no interval
    """

    group: int | None = None
    bins: groups.Bins | None = None
    cluster: int | None = None
    draws: Draws | None = None


class Slice(NamedTuple):
    """What is known of the losses of some rows; slices of different rows merge."""

    part: by_row.Part
    sample: bootstrap.Sample | None = None
    clusters: Clusters | None = None

    @property
    def n(self) -> int:
        return self.part.n

    @property
    def facts(self) -> checks.Facts:
        return self.part.facts

    @property
    def entries(self) -> int:
        """How many bootstraps it holds."""
        return 1 if self.sample else 0

    def merge(self, other: Slice) -> Slice:
        """The slice of two sets of rows together."""
        return Slice(
            self.part.merge(other.part),
            self.sample.merge(other.sample) if self.sample and other.sample else self.sample,
            merge_into(self.clusters, other.clusters)
            if self.clusters is not None and other.clusters is not None
            else None,
        )


Piece = TypeVar("Piece", Slice, by_count.Tally)
Pieces = dict[str | None, Piece]  # group -> its rows; None -> all rows
Slices = Pieces[Slice]
Tallies = Pieces[by_count.Tally]


def fold(wanted: tuple[Wanted, ...], reductions: tuple[str, ...]) -> Callable[[tuple[Scored, ...]], tuple[Slices, ...]]:
    """What one block adds: for each loss, all rows and each group.

    wanted, reductions: of each loss
    """

    def of_block(scored: tuple[Scored, ...]) -> tuple[Slices, ...]:
        return tuple(_slices(*each) for each in zip(scored, wanted, reductions, strict=True))

    return of_block


def counted(wanted: tuple[Wanted, ...]) -> Callable[[tuple[by_count.Seen, ...]], tuple[Tallies, ...]]:
    """What one block adds to losses of counts: for each loss, all rows and each group."""

    def of_block(seen: tuple[by_count.Seen, ...]) -> tuple[Tallies, ...]:
        return tuple(_tallies(*each) for each in zip(seen, wanted, strict=True))

    return of_block


def add_up(
    blocks: Iterable[tuple[Pieces[Piece], ...]],
    wanted: tuple[Wanted, ...],
    progress: Callable[[int], None] | None = None,
) -> tuple[Pieces[Piece], ...]:
    """All blocks together. UsageError where the intervals of all groups would need more than a GiB."""

    def merge(done: tuple[Pieces[Piece], ...], more: tuple[Pieces[Piece], ...]) -> tuple[Pieces[Piece], ...]:
        if not done:
            return more
        for held, new, asked in zip(done, more, wanted, strict=True):
            for name, piece in new.items():
                held[name] = held[name].merge(piece) if name in held else piece
            _refuse_too_many(len(held), sum(piece.entries for piece in held.values()), asked)
        if progress:
            progress(done[0][None].n)
        return done

    keep_freed_memory()
    return reduce(merge, blocks, ())


def _refuse_too_many(pieces: int, entries: int, asked: Wanted) -> None:
    """entries: how many bootstraps the pieces hold, all together."""
    if asked.draws and entries * asked.draws.resamples * 16 > LARGEST_BYTES:
        counts = f" ({entries} counts in all)" if entries > pieces else ""
        raise UsageError(
            f"{pieces - 1} groups or more{counts}, with {asked.draws.resamples} resamples each",
            why="their intervals need more than a GiB",
            fix="ask for fewer --resamples, for coarser groups, or for no --ci",
        )


def _tallies(seen: by_count.Seen, wanted: Wanted) -> Tallies:
    _refuse_too_many(1, len(seen.cells), wanted)
    clusters = None if wanted.cluster is None else seen.side[wanted.cluster]
    if wanted.group is None:
        whole = by_count.tally(seen, None, wanted.draws, clusters)
        return {None: whole._replace(facts=seen.facts)}
    found: Tallies = {}
    entries = 0
    for name, positions in groups.slices(seen.side[wanted.group], wanted.bins):
        found[name] = by_count.tally(seen, positions, wanted.draws, clusters)
        entries += found[name].entries
        _refuse_too_many(len(found) + 1, entries, wanted)
    return {None: reduce(by_count.Tally.merge, found.values(), by_count.Tally({}, 0, seen.facts)), **found}


def _slices(scored: Scored, wanted: Wanted, reduction: str) -> Slices:
    part = by_row.part_of(scored.rows)
    if wanted.group is None:
        return {None: _slice(scored, np.arange(len(scored.rows.total)), wanted, reduction, part)}
    found: Slices = {}
    for name, positions in groups.slices(scored.side[wanted.group], wanted.bins):
        found[name] = _slice(scored, positions, wanted, reduction, _part_at(scored.rows, positions))
    whole = Slice(part)
    if wanted.draws and found:
        joined = reduce(Slice.merge, (piece._replace(clusters=dict(piece.clusters or {})) for piece in found.values()))
        clusters = joined.clusters if wanted.cluster is not None else None
        whole = Slice(part, joined.sample, clusters)
    elif wanted.draws:
        whole = _slice(scored, np.arange(0), wanted, reduction, part)
    return {None: whole, **found}


def _part_at(whole: by_row.Rows, positions: np.ndarray) -> by_row.Part:
    """The sums over some rows of a block; what was noticed belongs to the block."""
    n = len(positions)
    total = _total(whole.total[positions])
    facts = checks.NOTHING
    if not total.is_finite:
        bad = positions[~np.isfinite(whole.total[positions])]
        facts = checks.Facts(
            infinite=len(bad), infinite_rows=tuple(whole.numbers.at(bad[: checks.SHOWN_ROWS]).tolist())
        )
    return by_row.Part(
        total,
        sums.count(n) if whole.weight is None else _total(whole.weight[positions]),
        sums.ZERO if whole.positives is None else _total(whole.positives[positions]),
        n,
        facts,
    )


def _total(values: np.ndarray) -> sums.Total:
    return sums.total_of_few(values.tolist()) if len(values) <= FEW else sums.total(values)


def _slice(scored: Scored, positions: np.ndarray, wanted: Wanted, reduction: str, part: by_row.Part) -> Slice:
    if not wanted.draws:
        return Slice(part)
    numerator, denominator = (column[positions] for column in columns(scored.rows, reduction))
    if wanted.cluster is None:
        numbers = scored.rows.numbers.at(positions)
        return Slice(part, bootstrap.sample(wanted.draws, numbers, numerator, denominator))
    return Slice(part, clusters=cluster_sums(scored.side[wanted.cluster][positions], numerator, denominator))


# --- what a piece says


def value_of(plan: checks.Plan, piece: Slice | by_count.Tally) -> float:
    """The loss of some rows; nan where they have no mean."""
    if isinstance(piece, by_count.Tally):
        return by_count.finish(plan, piece)
    part = piece.part
    if plan.reduction == "positives" and not part.positives.units:
        return math.nan
    if plan.spec.loss.engine == "panel" and plan.reduction == "mean" and not part.weight.units:
        return math.nan  # anchors none of whose pairs counts
    return by_row.finish(plan, part)


def mean_of(piece: Slice, reduction: str) -> float:
    """The quotient that is resampled."""
    part = piece.part
    if reduction == "positives":
        return part.total / part.positives
    return part.total / (sums.count(part.n) if reduction == "sum" else part.weight)


def spread(plan: checks.Plan, piece: Slice | by_count.Tally, draws: Draws, method: bootstrap.Method) -> Spread:
    """How the value of a piece varies over the resamples."""
    if isinstance(piece, by_count.Tally):
        return by_count.spread(plan, piece, draws, method)
    mean = mean_of(piece, plan.reduction)
    divisor = float(piece.part.positives if plan.reduction == "positives" else piece.part.weight)
    factor = 1 / divisor if divisor else math.nan
    if piece.clusters is None:
        assert piece.sample is not None
        moments = piece.sample.moments.about(mean)
        sums, acceleration = piece.sample.sums, bootstrap.acceleration(moments)
        influence = Influence(moments.uu, moments.uuu, moments.n).times(factor)
    else:
        values = np.array(list(piece.clusters.values())).reshape(-1, 2)
        sums = bootstrap.sample(draws, cluster_numbers(piece.clusters), values[:, 0], values[:, 1]).sums
        acceleration = bootstrap.jackknife_acceleration(values[:, 0], values[:, 1])
        change = {name: factor * (top - mean * bottom) for name, (top, bottom) in piece.clusters.items()}
        influence = Influence.of_clusters(change)
    held = sums[:, 1] > 0
    resampled = np.full(len(held), math.nan)
    resampled[held] = bootstrap.quotients(sums)
    return Spread(mean, resampled, held, acceleration, influence)


def interval_of(
    plan: checks.Plan, n: int, found: Spread, level: float, method: bootstrap.Method
) -> tuple[float, float, float, int]:
    """(low, high, standard error, units) of the value of n rows."""
    finish = plan.spec.loss.finish
    resampled = found.resampled[found.held]
    low, high = bootstrap.interval(resampled, found.value, level, method, found.acceleration)
    error = bootstrap.standard_error(resampled, finish)
    if plan.reduction == "sum":
        low, high, error = (n * number for number in (low, high, error))
    elif finish:
        low, high = (number if math.isnan(number) else finish(number) for number in (low, high))
    return low, high, error, found.influence.units


def macro_interval(
    plan: checks.Plan, spreads: list[Spread], level: float, method: bootstrap.Method
) -> tuple[float, float, float, int]:
    """(low, high, standard error, units) of the mean of the groups' values.

    A resample in which a group has no row is left out.
    """
    finish = plan.spec.loss.finish
    done = finished(finish)
    held = np.all([one.held for one in spreads], axis=0)
    with np.errstate(invalid="ignore", over="ignore"):
        resampled = np.mean([done(one.resampled[held]) for one in spreads], axis=0)
    value = float(np.mean(done(np.array([one.value for one in spreads]))))
    influence = reduce(Influence.plus, (one.influence.times(slope_of(finish, one.value)) for one in spreads))
    low, high = bootstrap.interval(resampled, value, level, method, influence.acceleration)
    return low, high, bootstrap.standard_error(resampled), influence.units


def finished(finish: Callable[[float], float] | None) -> Callable[[np.ndarray], np.ndarray]:
    """`finish` for many means at once."""
    if finish is None:
        return lambda means: means
    # a mean of squares that was made by subtracting may fall below 0 by a rounding
    return lambda means: np.array([finish(max(mean, 0.0)) for mean in means.tolist()])


def slope_of(finish: Callable[[float], float] | None, mean: float) -> float:
    """The derivative of `finish` at a mean."""
    if finish is None:
        return 1.0
    if not math.isfinite(mean) or mean <= 0:
        return math.nan
    step = 1e-6 * mean
    return (finish(mean + step) - finish(mean - step)) / (2 * step)
