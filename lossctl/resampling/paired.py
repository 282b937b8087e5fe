"""One system against others on the same rows: differences, how they vary, and how likely chance alone makes them.

Systems share their rows, their weights and their random numbers, so a difference is resampled as a difference. A sign
flip swaps the losses of the two systems in a row (or in all rows of a cluster): if they are alike, the swapped
difference is as likely as the one seen.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from ..errors import DataError, UsageError
from ..rows import by_row, sums
from ..rows.job import Scored, columns
from . import bootstrap, draws, survey
from .clusters import cluster_numbers, cluster_sums
from .draws import Draws

Finish = Callable[[float], float] | None
EXACT_UNITS = 20  # up to here all 2**n patterns of signs are tried, where they are no more than the resamples
TIE = 1e-12  # a flipped difference this close to the one seen, relatively, counts as equal to it


class Pairs(NamedTuple):
    """The losses of a base and S other systems on some rows; merges with those of other rows.

    parts: exact sums, of the base first;  better, equal, worse: rows where another system's loss is below, at, above
    the base's, (S,);  resampled: sums over the resamples of each system and of the weights, (R, S + 2)
    flipped: sums of the half differences under each sign pattern, (R, S);  moments: of each difference
    few: half differences and units, row by row, (n, S), as long as they are few;  units: rows (or lists, or clusters)
    clusters: instead of the four above, the sums of each cluster, (S + 2,)
    """

    parts: tuple[by_row.Part, ...]
    better: np.ndarray
    equal: np.ndarray
    worse: np.ndarray
    resampled: np.ndarray | None
    flipped: np.ndarray | None
    moments: tuple[bootstrap.Moments, ...]
    few: np.ndarray
    units: int
    clusters: dict[str, np.ndarray] | None

    def merge(self, other: Pairs) -> Pairs:
        """The pairs of two sets of rows together."""
        return Pairs(
            tuple(a.merge(b) for a, b in zip(self.parts, other.parts, strict=True)),
            self.better + other.better,
            self.equal + other.equal,
            self.worse + other.worse,
            _sum(self.resampled, other.resampled),
            _sum(self.flipped, other.flipped),
            tuple(a.merge(b) for a, b in zip(self.moments, other.moments, strict=True)),
            np.concatenate([self.few, other.few])[: EXACT_UNITS + 1],
            self.units + other.units,
            None if self.clusters is None or other.clusters is None else _joined(self.clusters, other.clusters),
        )


def _sum(a: np.ndarray | None, b: np.ndarray | None) -> np.ndarray | None:
    return None if a is None or b is None else a + b


def _joined(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    for name, more in b.items():
        a[name] = a[name] + more if name in a else more
    return a


def pairs(scored: Sequence[Scored], reduction: str, asked: Draws, cluster: int | None) -> Pairs:
    """What one block says of the base (the first) and the others."""
    numbers = scored[0].rows.numbers.at(np.arange(len(scored[0].rows.total)))
    for other in scored[1:]:
        if not np.array_equal(numbers, other.rows.numbers.at(np.arange(len(other.rows.total)))):
            raise DataError(
                "the systems leave out different rows, so they cannot be compared row by row",
                fix="give every system a value in every row, or leave rows out for all: --na skip",
            )
    split = [columns(one.rows, reduction) for one in scored]
    if not all(np.array_equal(split[0][1], denominator) for _, denominator in split[1:]):
        raise UsageError(
            f"each system's {reduction} is over other terms: only over the pairs or triplets that count for it",
            why="a mean that also changes by what it is over tells no system from another",
            fix="use -r mean for batch-all, fallback=easiest for semi-hard (random-semi-hard has no such mean)",
        )
    values = np.stack([*(numerator for numerator, _ in split), split[0][1]], axis=1)
    with np.errstate(invalid="ignore"):
        gap = values[:, 1:-1] - values[:, :1]
    counts = [np.count_nonzero(mask, axis=0) for mask in (gap < 0, gap == 0, ~((gap < 0) | (gap == 0)))]
    parts = tuple(by_row.part_of(one.rows) for one in scored)
    if cluster is None:
        return _drawn(numbers, values, asked)._replace(parts=parts, better=counts[0], equal=counts[1], worse=counts[2])
    names = scored[0].side[cluster]
    kinds = [cluster_sums(names, column, values[:, -1]) for column in values.T]
    held = {name: np.array([kind[name][0] for kind in kinds]) for name in kinds[0]}
    empty = _drawn(numbers[:0], values[:0], asked)
    return empty._replace(parts=parts, better=counts[0], equal=counts[1], worse=counts[2], clusters=held)


def _drawn(numbers: np.ndarray, values: np.ndarray, asked: Draws) -> Pairs:
    """The random part of some units: values (n, S + 2), the base first, the weights last."""
    with np.errstate(invalid="ignore"):
        half = (values[:, 1:-1] - values[:, :1]) / 2
    none = np.zeros(half.shape[1], dtype=np.int64)
    return Pairs(
        (),
        none,
        none,
        none,
        draws.resample_sums(asked, numbers, values),
        draws.flip_sums(asked, numbers, half),
        tuple(bootstrap.moments(2 * column, values[:, -1]) for column in half.T),
        half[: EXACT_UNITS + 1],
        len(values),
        None,
    )


def settle(whole: Pairs, asked: Draws) -> Pairs:
    """The pairs of all rows, with the clusters drawn as the units that they are."""
    if whole.clusters is None:
        return whole
    values = np.array(list(whole.clusters.values()))
    made = _drawn(cluster_numbers(whole.clusters), values, asked)
    return made._replace(parts=whole.parts, better=whole.better, equal=whole.equal, worse=whole.worse)


class Difference(NamedTuple):
    """Another system against the base: the difference of the two values, what surrounds it, and what chance makes.

    resampled: the difference in each resample;  p: two-sided;  exact: whether every sign pattern was tried
    """

    base: float
    other: float
    value: float
    resampled: np.ndarray
    p: float
    exact: bool


def difference(whole: Pairs, other: int, finish: Finish, test: str, scale: float) -> Difference:
    """What all rows say of one other system (0 is the first).

    scale: what the quotients are multiplied by: 1 for means, n for sums;  test: "sign-flip" or "bootstrap"
    """
    done = survey.finished(finish)
    base, mine = _mean(whole.parts[0], scale), _mean(whole.parts[other + 1], scale)
    assert whole.resampled is not None and whole.flipped is not None
    held = whole.resampled[:, -1] > 0
    drawn = whole.resampled[held]
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        resampled = scale * (done(drawn[:, other + 1] / drawn[:, -1]) - done(drawn[:, 0] / drawn[:, -1]))
    base_value, value = (scale * _finished(finish, mean) for mean in (base, mine))
    seen = value - base_value
    if not math.isfinite(seen):
        return Difference(base_value, value, seen, resampled, math.nan, False)
    if test == "bootstrap":
        p = _share(np.abs(resampled - seen), abs(seen), exact=False)
        return Difference(base_value, value, seen, resampled, p, False)
    exact = whole.units <= EXACT_UNITS and 1 << whole.units <= len(whole.flipped)
    flips = draws.every_flip_sum(whole.few[:, [other]])[:, 0] if exact else whole.flipped[:, other]
    middle = (base + mine) / 2
    weight = _weight(whole.parts[0], scale)
    with np.errstate(invalid="ignore"):
        swapped = scale * (done(middle + flips / weight) - done(middle - flips / weight))
    return Difference(base_value, value, seen, resampled, _share(np.abs(swapped), abs(seen), exact), exact)


def _share(sizes: np.ndarray, seen: float, exact: bool) -> float:
    """How many of the sizes reach the one seen; where they are a sample, the one seen is of it too."""
    reached = int(np.count_nonzero(sizes >= seen * (1 - TIE)))
    return reached / len(sizes) if exact else (reached + 1) / (len(sizes) + 1)


def _finished(finish: Finish, mean: float) -> float:
    return mean if finish is None or math.isnan(mean) else finish(mean)


def _weight(part: by_row.Part, scale: float) -> float:
    return float(part.n) if scale != 1 else float(part.weight)


def _mean(part: by_row.Part, scale: float) -> float:
    return part.total / (sums.count(part.n) if scale != 1 else part.weight)


def acceleration(whole: Pairs, other: int, finish: Finish, scale: float) -> float:
    """The a of BCa for a difference of means: that of the mean difference. nan where a root is taken of each mean."""
    if finish is not None:
        return math.nan
    base, mine = _mean(whole.parts[0], scale), _mean(whole.parts[other + 1], scale)
    return bootstrap.acceleration(whole.moments[other].about(mine - base))


def influence_moments(
    scored: Sequence[Scored], reduction: str, means: Sequence[float], slopes: Sequence[float], cluster: int | None
) -> list[dict[str, float] | tuple[float, float]]:
    """For each other system, (sum e^2, sum e^3) of the influence e of a block's rows on a difference of finished means.

    With clusters, name -> sum of e. The second reading of an interval that one reading cannot give.
    """
    found: list[dict[str, float] | tuple[float, float]] = []
    numerator, weight = columns(scored[0].rows, reduction)
    base = slopes[0] * (numerator - means[0] * weight)
    for at, one in enumerate(scored[1:], start=1):
        other, weight = columns(one.rows, reduction)
        e = slopes[at] * (other - means[at] * weight) - base
        if cluster is None:
            found.append((float((e * e).sum()), float((e * e * e).sum())))
        else:
            held = cluster_sums(scored[0].side[cluster], e, np.ones(len(e)))
            found.append({name: one[0] for name, one in held.items()})
    return found


def holm(p: Sequence[float]) -> list[float]:
    """p-values adjusted for their number (Holm 1979), in the order given; nan stays nan and counts."""
    order = sorted(range(len(p)), key=lambda at: math.inf if math.isnan(p[at]) else p[at])
    adjusted, largest = list(p), 0.0
    for rank, at in enumerate(order):
        if not math.isnan(p[at]):
            largest = max(largest, min(1.0, (len(p) - rank) * p[at]))
            adjusted[at] = largest
    return adjusted
