"""How row losses are spread and whether probabilities mean what they say: frozen, and ready to be drawn."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

Z = 1.959963984540054  # the normal distribution has 95 % within


@dataclass(frozen=True, slots=True)
class Histogram:
    """Finite values in bins of one width.

    edges: one more than bins; counts: values in each bin; mean: of the finite values, nan if there are none
    infinite: how many values no bin holds
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    mean: float
    infinite: int = 0


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """The rows whose probability of label 1 is within [low, high); the last bin holds 1 too.

    predicted: their mean probability; observed: the share of label 1 among them
    """

    low: float
    high: float
    count: int
    predicted: float
    observed: float

    @property
    def interval(self) -> tuple[float, float]:
        """A 95 % interval of the observed share (Wilson, 1927)."""
        n, p = self.count, self.observed
        middle, half = p + Z * Z / (2 * n), Z * math.sqrt(p * (1 - p) / n + (Z / (2 * n)) ** 2)
        scale = 1 + Z * Z / n
        return max((middle - half) / scale, 0.0), min((middle + half) / scale, 1.0)

    def merge(self, other: ReliabilityBin) -> ReliabilityBin:
        """The rows of this bin and of the one that follows."""
        n = self.count + other.count
        predicted = (self.count * self.predicted + other.count * other.predicted) / n
        observed = (self.count * self.observed + other.count * other.observed) / n
        return ReliabilityBin(self.low, other.high, n, predicted, observed)


@dataclass(frozen=True, slots=True)
class Reliability:
    """Predicted probabilities against what happened, by bins; bins without a row are left out."""

    bins: tuple[ReliabilityBin, ...]

    @property
    def n(self) -> int:
        return sum(part.count for part in self.bins)

    def merged(self, least: int) -> Reliability:
        """With bins of fewer rows than `least` joined to their neighbours, from the left."""
        bins: list[ReliabilityBin] = []
        for part in self.bins:
            if bins and bins[-1].count < least:
                bins[-1] = bins[-1].merge(part)
            else:
                bins.append(part)
        if len(bins) > 1 and bins[-1].count < least:
            bins[-2:] = [bins[-2].merge(bins[-1])]
        return Reliability(tuple(bins))

    @property
    def expected_error(self) -> float:
        """The mean distance between predicted and observed over the rows (expected calibration error, ECE)."""
        return sum(part.count * abs(part.predicted - part.observed) for part in self.bins) / self.n


@dataclass(frozen=True, slots=True)
class RowPicture:
    """What there is to see of a loss row by row.

    label: the loss as a spec; unit: of its values, empty if none is known
    reliability: where there are probabilities of label 1
    """

    label: str
    unit: str
    losses: Histogram
    reliability: Reliability | None = None


def histogram(values: np.ndarray, *, bins: int = 40) -> Histogram:
    """Values, such as row losses, in bins from the smallest to the largest finite one."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return Histogram((0.0, 1.0), (0,), float("nan"), int(values.size))
    counts, edges = np.histogram(finite, bins=bins)
    return Histogram(
        tuple(edges.tolist()), tuple(counts.tolist()), float(finite.mean()), int(values.size - finite.size)
    )


def reliability(prob: np.ndarray, label: np.ndarray, *, bins: int = 10) -> Reliability:
    """Probabilities of label 1 and the labels, in bins of one width over [0, 1]."""
    at = np.minimum((prob * bins).astype(np.int64), bins - 1)
    counts, predicted, observed = (
        np.bincount(at, weights=weights, minlength=bins) for weights in (None, prob, label.astype(np.float64))
    )
    return Reliability(
        tuple(
            ReliabilityBin(k / bins, (k + 1) / bins, int(counts[k]), predicted[k] / counts[k], observed[k] / counts[k])
            for k in range(bins)
            if counts[k]
        )
    )
