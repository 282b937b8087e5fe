"""The bootstrap of a quotient of sums (a mean, weighted or not), streaming: two sums a resample, seven moments.

Every row gets a Poisson weight for each resample (`draws`), so sums of blocks merge and no resample is ever stored:
16 bytes a resample, whatever the number of rows. The acceleration of BCa comes from the third moment of the rows'
influence, which merges too.
Sources: Efron, Better bootstrap confidence intervals, 1987; Chamandy et al., Estimating uncertainty for massive data
streams, 2012 (Poisson weights).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np

from . import draws
from .draws import Draws

Method = Literal["bca", "percentile"]
METHODS: tuple[Method, ...] = ("bca", "percentile")


class Moments(NamedTuple):
    """Sums over rows of products of u = t - centre * w and w; t and w are a row's numerator and denominator."""

    centre: float = math.nan
    n: int = 0
    uu: float = 0.0
    uuu: float = 0.0
    uw: float = 0.0
    uuw: float = 0.0
    ww: float = 0.0
    uww: float = 0.0
    www: float = 0.0

    def about(self, centre: float) -> Moments:
        """The same rows about another centre."""
        if self.centre == centre:
            return self
        d = centre - self.centre
        return Moments(
            centre,
            self.n,
            self.uu - 2 * d * self.uw + d * d * self.ww,
            self.uuu - 3 * d * self.uuw + 3 * d * d * self.uww - d * d * d * self.www,
            self.uw - d * self.ww,
            self.uuw - 2 * d * self.uww + d * d * self.www,
            self.ww,
            self.uww - d * self.www,
            self.www,
        )

    def merge(self, other: Moments) -> Moments:
        """The moments of two sets of rows together."""
        if not (self.n and other.n):
            return self if self.n else other
        other = other.about(self.centre)
        sums = (a + b for a, b in zip(self[2:], other[2:], strict=True))
        return Moments(self.centre, self.n + other.n, *sums)


class Influence(NamedTuple):
    """What single rows (or clusters) do to a value: sums of the squares and cubes of their influences.

    units: how many of them there are;  by_cluster: the influence of each cluster, None for rows
    """

    squares: float
    cubes: float
    units: int
    by_cluster: dict[str, float] | None = None

    @classmethod
    def of_clusters(cls, by_cluster: dict[str, float]) -> Influence:
        """From the influence of each cluster."""
        values = by_cluster.values()
        return cls(sum(e * e for e in values), sum(e * e * e for e in values), len(by_cluster), by_cluster)

    @property
    def acceleration(self) -> float:
        """The a of BCa."""
        return skewness(self.squares, self.cubes)

    def times(self, factor: float) -> Influence:
        """On the value times a factor."""
        if self.by_cluster is not None:
            return Influence.of_clusters({name: factor * e for name, e in self.by_cluster.items()})
        return Influence(factor * factor * self.squares, factor * factor * factor * self.cubes, self.units)

    def plus(self, other: Influence) -> Influence:
        """On the sum of two values, of different rows, but perhaps of the same clusters."""
        if self.by_cluster is None or other.by_cluster is None:
            return Influence(self.squares + other.squares, self.cubes + other.cubes, self.units + other.units)
        more = {name: self.by_cluster.get(name, 0.0) + e for name, e in other.by_cluster.items()}
        return Influence.of_clusters({**self.by_cluster, **more})


class Spread(NamedTuple):
    """The bootstrap of one value: how it varies, and what BCa needs.

    value: of all rows, before the loss's `finish`;  resampled: of each resample, (resamples,)
    held: which resamples hold any row;  acceleration: of BCa;  influence: of the rows or clusters on the value
    """

    value: float
    resampled: np.ndarray
    held: np.ndarray
    acceleration: float
    influence: Influence


class Sample(NamedTuple):
    """What the bootstrap keeps of some rows; samples of different rows merge.

    sums: numerator and denominator of each resample, (resamples, 2)
    """

    sums: np.ndarray
    moments: Moments

    def merge(self, other: Sample) -> Sample:
        """The sample of two sets of rows together."""
        return Sample(self.sums + other.sums, self.moments.merge(other.moments))


def sample(asked: Draws, numbers: np.ndarray, numerator: np.ndarray, denominator: np.ndarray) -> Sample:
    """The sample of some rows, which `numbers` name; all (n,)."""
    values = np.stack([numerator, denominator], axis=1)
    return Sample(draws.resample_sums(asked, numbers, values), moments(numerator, denominator))


def moments(numerator: np.ndarray, denominator: np.ndarray) -> Moments:
    """The moments of some rows, about their own mean."""
    if not len(numerator):
        return Moments()
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        centre = float(numerator.sum() / denominator.sum())
        u, w = numerator - centre * denominator, denominator
        uu, ww = u * u, w * w
        sums = (uu.sum(), (uu * u).sum(), (u * w).sum(), (uu * w).sum(), ww.sum(), (u * ww).sum(), (ww * w).sum())
    return Moments(centre, len(u), *map(float, sums))


def acceleration(about_mean: Moments) -> float:
    """The a of BCa from the rows' influence on the mean."""
    return skewness(about_mean.uu, about_mean.uuu)


def skewness(squares: float, cubes: float) -> float:
    """sum e^3 / (6 (sum e^2)^1.5), the a of BCa; 0 where nothing varies, nan where the sums have overflowed."""
    if not (math.isfinite(squares) and math.isfinite(cubes)):
        return math.nan
    return float(cubes / squares / math.sqrt(squares) / 6) if squares > 0 else 0.0


def quotients(sums: np.ndarray) -> np.ndarray:
    """The statistic of each resample that holds anything at all."""
    held = sums[:, 1] > 0
    with np.errstate(over="ignore", invalid="ignore"):
        result: np.ndarray = sums[held, 0] / sums[held, 1]
    return result


def interval(
    resampled: np.ndarray, value: float, level: float, method: Method, accelerated: float
) -> tuple[float, float]:
    """(low, high) of the statistic `value` from its resamples, (resamples,); nan where the method has no answer.

    accelerated: the a of BCa
    """
    if not len(resampled) or not math.isfinite(value) or not np.isfinite(resampled).all():
        return math.nan, math.nan
    tail = (1 - level) / 2
    tails = (tail, 1 - tail)
    if method == "bca":
        tails = _corrected(resampled, value, tails, accelerated)
        if any(math.isnan(share) for share in tails):
            return math.nan, math.nan
    low, high = np.quantile(resampled, tails)
    return float(low), float(high)


def _corrected(
    resampled: np.ndarray, value: float, tails: tuple[float, float], accelerated: float
) -> tuple[float, float]:
    """The shares at which BCa reads the resamples. Efron 1987, equation 3.9"""
    from statistics import NormalDist

    lower, upper = int(np.count_nonzero(resampled < value)), int(np.count_nonzero(resampled > value))
    if (lower == 0) != (upper == 0) or not math.isfinite(accelerated):
        return math.nan, math.nan  # the value is at an end of what it can be: a shift tells nothing
    below = (len(resampled) + lower - upper) / (2 * len(resampled))
    normal = NormalDist()
    bias = normal.inv_cdf(below)

    def moved(share: float) -> float:
        z = bias + normal.inv_cdf(share)
        spread = 1 - accelerated * z
        return normal.cdf(bias + z / spread) if spread > 0 else math.nan

    return moved(tails[0]), moved(tails[1])


def standard_error(resampled: np.ndarray, finish: Callable[[float], float] | None = None) -> float:
    """The standard deviation of the resampled statistic; `finish` is what is done to a mean at the end."""
    if len(resampled) < 2 or not np.isfinite(resampled).all():
        return math.nan
    finished = resampled if finish is None else np.array([finish(value) for value in resampled.tolist()])
    with np.errstate(over="ignore"):
        return float(finished.std(ddof=1))


def jackknife_acceleration(numerator: np.ndarray, denominator: np.ndarray) -> float:
    """The a of BCa from the quotients that leave one unit out; 0 where they are all alike."""
    if len(numerator) < 2:
        return 0.0
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        left = (numerator.sum() - numerator) / (denominator.sum() - denominator)
        gap = left.mean() - left
        squares, cubes = float((gap * gap).sum()), float((gap**3).sum())
    return skewness(squares, cubes)
