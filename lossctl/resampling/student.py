"""Student's t: its tails, the point that leaves so much in both of them, and the shift that a test of it detects.

Sources: the continued fraction of the incomplete beta function, DLMF 8.17.22, evaluated as by Lentz; the non-central t
as a normal over the root of an independent chi square, integrated over the latter.
"""

from __future__ import annotations

import math

STEPS, TINY, HALVINGS = 10_000, 1e-300, 200
REACH, NODES = 12.0, 400  # of the integral over a chi: so many standard deviations, at so many points


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


def below(t: float, freedom: float) -> float:
    """The probability below t."""
    tail = two_sided(t, freedom) / 2
    return tail if t < 0 else 1 - tail


def power(shift: float, level: float, freedom: float) -> float:
    """How often |t| is beyond `quantile(level, freedom)` where the mean lies `shift` standard errors from 0."""
    far = quantile(level, freedom)
    deviation = 1 / math.sqrt(2 * freedom)  # about that of chi / sqrt(freedom)
    low, high = max(0.0, 1 - REACH * deviation), 1 + REACH * deviation
    scale = math.log(2) + freedom / 2 * math.log(freedom / 2) - math.lgamma(freedom / 2)
    step = (high - low) / NODES
    total = 0.0
    for node in range(NODES + 1):  # Simpson's rule
        s = low + node * step
        power_of_s = (freedom - 1) * math.log(s) if s else 0.0 if freedom == 1 else -math.inf
        density = math.exp(scale + power_of_s - freedom * s * s / 2)
        beyond = (math.erfc((far * s - shift) / math.sqrt(2)) + math.erfc((far * s + shift) / math.sqrt(2))) / 2
        total += density * beyond * (1 if node in (0, NODES) else 4 if node % 2 else 2)
    return min(1.0, total * step / 3)


def detectable(level: float, chance: float, freedom: float) -> float:
    """The shift of the mean, in standard errors, that a two-sided test of 1 - level shows with a chance."""
    low, high = 0.0, 1.0
    while power(high, level, freedom) < chance:
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if power(middle, level, freedom) < chance else (low, middle)
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
