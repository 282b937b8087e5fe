"""Student's t: its tails, and the point that leaves so much in both of them.

Source: the continued fraction of the incomplete beta function, DLMF 8.17.22, evaluated as by Lentz.
"""

from __future__ import annotations

import math

STEPS, TINY, HALVINGS = 10_000, 1e-300, 200


def two_sided(t: float, freedom: float) -> float:
    """The probability beyond -|t| and |t|; freedom: degrees of freedom, above 0."""
    if math.isnan(t) or math.isnan(freedom):
        return math.nan
    if math.isinf(t):
        return 0.0
    return _beta(freedom / (freedom + t * t), t * t / (freedom + t * t), freedom / 2, 0.5)


def quantile(level: float, freedom: float) -> float:
    """The t with the probability `level` between -t and t."""
    if math.isnan(freedom):
        return math.nan
    low, high = 0.0, 1.0
    while two_sided(high, freedom) > 1 - level:
        low, high = high, 2 * high
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if two_sided(middle, freedom) > 1 - level else (low, middle)
    return high


def _beta(x: float, rest: float, a: float, b: float) -> float:
    """The regularised incomplete beta function of x = 1 - rest."""
    if x <= 0 or rest <= 0:
        return float(rest <= 0)
    if x > (a + 1) / (a + b + 2):
        return 1 - _beta(rest, x, b, a)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log(rest))
    return front * _fraction(x, a, b) / a


def _fraction(x: float, a: float, b: float) -> float:
    upper, lower = 1.0, 1 / (1 - (a + b) * x / (a + 1) or TINY)
    result = lower
    for m in range(1, STEPS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            lower = 1 / (1 + term * lower or TINY)
            upper = 1 + term / upper or TINY
            result *= lower * upper
        if abs(lower * upper - 1) < 1e-16:
            break
    return result
