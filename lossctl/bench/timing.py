"""Samples of running times into a number with its spread, and two sets of samples into a verdict.

Running times are skewed and now and then far off, so everything here rests on ranks: medians, quartiles, and for two
sets the interval of Hodges and Lehmann, which needs no assumption on the shape of the noise, only that samples are
independent and the two sets alike but for a factor.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

EXACT = 400  # products of sample counts up to which the rank distribution is counted out


@dataclass(frozen=True, slots=True)
class Timing:
    """A set of samples in brief, in seconds. spread: the interquartile range, 0 for one sample."""

    median: float
    spread: float
    minimum: float
    n: int


class Verdict(StrEnum):
    """How a time compares with its baseline."""

    SAME = "SAME"
    FAST = "FAST"
    SLOW = "SLOW"
    AMBIGUOUS = "AMBIGUOUS"


@dataclass(frozen=True, slots=True)
class Slowdown:
    """The time of a set relative to a baseline: 0.1 is a tenth slower, -0.5 twice as fast.

    difference: the median over all pairs of a sample and a baseline sample
    low, high: the interval that holds the true difference with at least the confidence asked for; -1 and inf where
        there are too few samples for any such interval
    """

    difference: float
    low: float
    high: float
    verdict: Verdict


def summarize(samples: Sequence[float]) -> Timing:
    """Samples in seconds in brief. Raises ValueError unless there are some, all positive and finite."""
    _check(samples)
    if len(samples) == 1:
        return Timing(samples[0], 0.0, samples[0], 1)
    lower, median, upper = statistics.quantiles(samples, n=4, method="inclusive")
    return Timing(median, upper - lower, min(samples), len(samples))


def compare(
    samples: Sequence[float], baseline: Sequence[float], *, threshold: float = 0.05, confidence: float = 0.95
) -> Slowdown:
    """Samples against a baseline, both in seconds.

    SLOW or FAST: the whole interval lies beyond the threshold, which counts in factors: 0.25 is 1.25 times the time
        or 1 / 1.25 of it. SAME: the whole interval lies within. AMBIGUOUS: neither, so measure longer.
    Raises ValueError for samples that are not positive and finite, a threshold below 0, a confidence outside (0, 1).
    Source: Hollander, Wolfe, Chicken, Nonparametric Statistical Methods, 2014, section 4.3, on the logarithms.
    """
    _check(samples)
    _check(baseline)
    if not (0 <= threshold < math.inf and 0 < confidence < 1):
        raise ValueError(f"threshold {threshold} must be at least 0 and confidence {confidence} between 0 and 1")
    ratios = sorted(sample / base for sample in samples for base in baseline)
    skipped = _tail(len(samples), len(baseline), (1 - confidence) / 2)
    low, high = (ratios[skipped], ratios[-1 - skipped]) if skipped >= 0 else (0.0, math.inf)
    return Slowdown(statistics.median(ratios) - 1, low - 1, high - 1, _verdict(low, high, 1 + threshold))


def _verdict(low: float, high: float, limit: float) -> Verdict:
    if low > limit:
        return Verdict.SLOW
    if high < 1 / limit:
        return Verdict.FAST
    return Verdict.SAME if 1 / limit <= low and high <= limit else Verdict.AMBIGUOUS


def _check(samples: Sequence[float]) -> None:
    if not samples or not all(0 < sample < math.inf for sample in samples):
        raise ValueError("samples: need at least one, each positive and finite, in seconds")


def _tail(n: int, m: int, probability: float) -> int:
    """How many of the n m ordered ratios may be skipped at either end, -1 where not even none.

    The i-th smallest ratio (from 0) exceeds the true one as often as the Mann-Whitney statistic is at most i.
    """
    if n * m > EXACT:
        deviation = math.sqrt(n * m * (n + m + 1) / 12)
        return math.floor(n * m / 2 + statistics.NormalDist().inv_cdf(probability) * deviation - 0.5)
    cumulative, total = 0, math.comb(n + m, n)
    for statistic, ways in enumerate(_mann_whitney(n, m)):
        cumulative += ways
        if cumulative > probability * total:
            return statistic - 1
    return n * m - 1


def _mann_whitney(n: int, m: int) -> list[int]:
    """In how many orders of n and m samples the statistic is 0, 1, ..., n m: the Gaussian binomial coefficients."""
    ways = [1] + [0] * (n * m)
    for i in range(1, n + 1):
        for k in range(n * m, m + i - 1, -1):
            ways[k] -= ways[k - m - i]
        for k in range(i, n * m + 1):
            ways[k] += ways[k - i]
    return ways
