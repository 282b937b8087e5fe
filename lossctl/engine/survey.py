"""What several losses are over all rows and over groups of rows, with the bootstrap of each, in one reading."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import reduce
from typing import TYPE_CHECKING, NamedTuple

from ..errors import UsageError
from . import bootstrap, door, groups, rows, sums
from .draws import Draws
from .scoring import Scored, columns
from .workers import keep_freed_memory

if TYPE_CHECKING:
    import numpy as np

Clusters = dict[str, tuple[float, float]]  # name -> numerator and denominator
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
    """What is known of some rows; slices of different rows merge."""

    part: rows.Part
    sample: bootstrap.Sample | None = None
    clusters: Clusters | None = None

    def merge(self, other: Slice) -> Slice:
        """The slice of two sets of rows together."""
        return Slice(
            self.part.merge(other.part),
            self.sample.merge(other.sample) if self.sample and other.sample else self.sample,
            _merged(self.clusters, other.clusters)
            if self.clusters is not None and other.clusters is not None
            else None,
        )


def _merged(a: Clusters, b: Clusters) -> Clusters:
    for name, (numerator, denominator) in b.items():
        held = a.get(name, (0.0, 0.0))
        a[name] = (held[0] + numerator, held[1] + denominator)
    return a


Slices = dict[str | None, Slice]  # group -> its rows; None -> all rows


def fold(wanted: tuple[Wanted, ...], reductions: tuple[str, ...]) -> Callable[[tuple[Scored, ...]], tuple[Slices, ...]]:
    """What one block adds: for each loss, all rows and each group.

    wanted, reductions: of each loss
    """

    def of_block(scored: tuple[Scored, ...]) -> tuple[Slices, ...]:
        return tuple(_slices(*each) for each in zip(scored, wanted, reductions, strict=True))

    return of_block


def add_up(
    blocks: Iterable[tuple[Slices, ...]], wanted: tuple[Wanted, ...], progress: Callable[[int], None] | None = None
) -> tuple[Slices, ...]:
    """All blocks together. UsageError where the intervals of all groups would need more than a GiB."""

    def merge(done: tuple[Slices, ...], more: tuple[Slices, ...]) -> tuple[Slices, ...]:
        if not done:
            return more
        for held, new, asked in zip(done, more, wanted, strict=True):
            for name, piece in new.items():
                held[name] = held[name].merge(piece) if name in held else piece
            _refuse_too_many(len(held), asked)
        if progress:
            progress(done[0][None].part.n)
        return done

    keep_freed_memory()
    return reduce(merge, blocks, ())


def _refuse_too_many(groups: int, asked: Wanted) -> None:
    if asked.draws and asked.cluster is None and groups * asked.draws.resamples * 16 > LARGEST_BYTES:
        raise UsageError(
            f"{groups - 1} groups or more, with {asked.draws.resamples} resamples each",
            why="their intervals need more than a GiB",
            fix="ask for fewer --resamples, for coarser groups, or for no --ci",
        )


def _slices(scored: Scored, wanted: Wanted, reduction: str) -> Slices:
    import numpy as np

    part = rows.part_of(scored.rows)
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


def _part_at(whole: rows.Rows, positions: np.ndarray) -> rows.Part:
    """The sums over some rows of a block; what was noticed belongs to the block."""
    import numpy as np

    n = len(positions)
    total = _total(whole.total[positions])
    facts = door.NOTHING
    if not total.is_finite:
        bad = positions[~np.isfinite(whole.total[positions])]
        facts = door.Facts(infinite=len(bad), infinite_rows=tuple(whole.numbers.at(bad[: door.SHOWN_ROWS]).tolist()))
    return rows.Part(
        total,
        sums.count(n) if whole.weight is None else _total(whole.weight[positions]),
        sums.ZERO if whole.positives is None else _total(whole.positives[positions]),
        n,
        facts,
    )


def _total(values: np.ndarray) -> sums.Total:
    return sums.total_of_few(values.tolist()) if len(values) <= FEW else sums.total(values)


def _slice(scored: Scored, positions: np.ndarray, wanted: Wanted, reduction: str, part: rows.Part) -> Slice:
    if not wanted.draws:
        return Slice(part)
    numerator, denominator = (column[positions] for column in columns(scored.rows, reduction))
    if wanted.cluster is None:
        numbers = scored.rows.numbers.at(positions)
        return Slice(part, bootstrap.sample(wanted.draws, numbers, numerator, denominator))
    return Slice(part, clusters=cluster_sums(scored.side[wanted.cluster][positions], numerator, denominator))


def cluster_sums(names: np.ndarray, numerator: np.ndarray, denominator: np.ndarray) -> Clusters:
    """What the rows of each cluster add up to."""
    import numpy as np

    kinds, codes = np.unique(groups.as_text(names), return_inverse=True)
    sums = (np.bincount(codes, column, len(kinds)).tolist() for column in (numerator, denominator))
    return dict(zip(kinds.tolist(), zip(*sums, strict=True), strict=True))


def cluster_numbers(names: Iterable[str]) -> np.ndarray:
    """A number for each name, (n,): its hash, so that it does not depend on the other names or on their order."""
    import hashlib

    import numpy as np

    digests = b"".join(hashlib.blake2b(name.encode(), digest_size=8).digest() for name in names)
    return np.frombuffer(digests, dtype="<u8")


# --- what a slice says


class Spread(NamedTuple):
    """The bootstrap of the mean of a slice: how it varies, and what BCa needs.

    sums: (resamples, 2); acceleration: of BCa; units: how many rows or clusters were resampled
    """

    sums: np.ndarray
    acceleration: float
    units: int


def mean_of(piece: Slice, reduction: str) -> float:
    """The quotient that is resampled."""
    part = piece.part
    if reduction == "positives":
        return part.total / part.positives
    return part.total / (sums.count(part.n) if reduction == "sum" else part.weight)


def spread(piece: Slice, wanted: Wanted, mean: float) -> Spread:
    """How the mean of a slice varies over the resamples."""
    import numpy as np

    assert wanted.draws is not None
    if piece.clusters is None:
        assert piece.sample is not None
        moments = piece.sample.moments
        return Spread(piece.sample.sums, bootstrap.acceleration(moments.about(mean)), moments.n)
    sums = np.array(list(piece.clusters.values())).reshape(-1, 2)
    numbers = cluster_numbers(piece.clusters)
    made = bootstrap.sample(wanted.draws, numbers, sums[:, 0], sums[:, 1])
    return Spread(made.sums, bootstrap.jackknife_acceleration(sums[:, 0], sums[:, 1]), len(sums))


def interval_of(
    piece: Slice, reduction: str, wanted: Wanted, level: float, method: bootstrap.Method,
    finish: Callable[[float], float] | None,
) -> tuple[float, float, float, int]:  # fmt: skip
    """(low, high, standard error, units) of the value of a slice."""
    mean = mean_of(piece, reduction)
    found = spread(piece, wanted, mean)
    resampled = bootstrap.quotients(found.sums)
    low, high = bootstrap.interval(resampled, mean, level, method, found.acceleration)
    error = bootstrap.standard_error(resampled, finish)
    if reduction == "sum":
        low, high, error = (piece.part.n * number for number in (low, high, error))
    elif finish:
        low, high = (number if math.isnan(number) else finish(number) for number in (low, high))
    return low, high, error, found.units


def macro_interval(
    pieces: list[Slice], wanted: Wanted, level: float, method: bootstrap.Method,
    finish: Callable[[float], float] | None, reduction: str,
) -> tuple[float, float, float, int]:  # fmt: skip
    """(low, high, standard error, units) of the mean of the groups' values.

    A resample in which a group has no row is left out.
    """
    import numpy as np

    means = [mean_of(piece, reduction) for piece in pieces]
    spreads = [spread(piece, wanted, mean) for piece, mean in zip(pieces, means, strict=True)]
    held = np.all([one.sums[:, 1] > 0 for one in spreads], axis=0)
    done = finished(finish)
    with np.errstate(invalid="ignore", over="ignore"):
        resampled = np.mean([done(one.sums[held, 0] / one.sums[held, 1]) for one in spreads], axis=0)
    value = float(np.mean(done(np.array(means))))
    slopes = [slope_of(finish, mean) for mean in means]
    accelerated = _macro_acceleration(pieces, means, slopes, reduction)
    low, high = bootstrap.interval(resampled, value, level, method, accelerated)
    units = len(set().union(*(piece.clusters for piece in pieces if piece.clusters is not None)))
    return low, high, bootstrap.standard_error(resampled), units or sum(one.units for one in spreads)


def finished(finish: Callable[[float], float] | None) -> Callable[[np.ndarray], np.ndarray]:
    """`finish` for many means at once."""
    import numpy as np

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


def _macro_acceleration(pieces: list[Slice], means: list[float], slopes: list[float], reduction: str) -> float:
    """From the influence of a row of a group on the mean of the groups: slope * (t - mean w) / (W of the group)."""
    weights = [float(p.part.positives if reduction == "positives" else p.part.weight) for p in pieces]
    factors = [slope / weight if weight else math.nan for slope, weight in zip(slopes, weights, strict=True)]
    squares = cubes = 0.0
    if pieces[0].clusters is None:
        for piece, mean, factor in zip(pieces, means, factors, strict=True):
            assert piece.sample is not None
            moments = piece.sample.moments.about(mean)
            squares += factor**2 * moments.uu
            cubes += factor**3 * moments.uuu
    else:
        influence: dict[str, float] = {}
        for piece, mean, factor in zip(pieces, means, factors, strict=True):
            for name, (numerator, denominator) in (piece.clusters or {}).items():
                influence[name] = influence.get(name, 0.0) + factor * (numerator - mean * denominator)
        squares = math.fsum(e * e for e in influence.values())
        cubes = math.fsum(e**3 for e in influence.values())
    return cubes / (6 * squares**1.5) if squares > 0 else 0.0
