"""Softmaxes, entropies and divergences that keep their digits where a plain formula would lose them.

Where p is nearly q the first-order terms of a divergence cancel: these words are series that do without them.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

from .numerics import (
    FEW_COLUMNS,
    Array,
    by_columns,
    columns,
    exp,
    expm1,
    log,
    log1p,
    namespace,
    pick,
    row_max,
    row_sum,
    weigh,
    where,
)
from .rounding import two_sum

NEVER = -1e300  # a score whose exponential is 0, and whose differences are no infinities
CACHED = 1 << 16  # values that a pass over them leaves in the cache
FAR = 1 << 1000  # a float64 holds numbers up to it, and their inverses, with all digits


def share(part: Any, total: Any) -> Any:
    """part / whole, an exact fraction of whole numbers or fractions; of arrays 0 where a sample has no whole."""
    if not hasattr(total, "shape"):
        from fractions import Fraction

        return Fraction(part, total)
    held = total > 0
    return where(held, part / where(held, total, 1.0), 0.0)


def entropy_term(count: Any, n: Any) -> Any:
    """-p log p for p = count / n, exact also where count is nearly n; 0 where there are none."""
    if not hasattr(n, "shape"):
        if not count:
            return 0.0
        return float(count / n) * (log_ratio(n, count) if 2 * count <= n else -math.log1p(-(n - count) / n))
    p, many = share(count, n), 2 * count > n
    return p * where(many, -log1p(-where(many, share(n - count, n), 0.0)), -log(where((p > 0) & ~many, p, 1.0)))


def log_ratio(a: Any, b: Any) -> Any:
    """log(a / b), also of what no float64 can hold; 0 where a or b is 0."""
    if hasattr(b, "shape"):
        held = (a > 0) & (b > 0)
        return log_quotient(where(held, a, 1.0), where(held, b, 1.0))
    if not (a and b):
        return 0.0
    if a < FAR * b and b < FAR * a:
        return math.log(a / b)
    ratio = share(a, b)
    return math.log(ratio.numerator) - math.log(ratio.denominator)


def softmax_parts(logits: Array) -> tuple[Array, Array, Array]:
    """What an (n, C) array of logits says, in parts that keep every digit: (gap, share, rest).

    gap    (n, C)  the largest logit of the row minus this one, >= 0
    share  (n, C)  e^-gap, so that the softmax is share / (1 + rest)
    rest   (n,)    the sum of the shares without one that is the largest, so that log(sum of shares) = log1p(rest)
    """
    logits = by_columns(logits)
    largest = row_max(logits)[:, None]
    gap = largest - logits
    share = exp(-gap)
    if not (_is_coarse(logits) or _is_exact(largest, logits, gap)):
        _, lost = two_sum(largest, -logits)
        share = share - share * lost  # gap was rounded; one rounding less than share * (1 - lost)
    return gap, share, _sum_without_largest(logits, largest, share)


def softmax_parts_at(logits: Array, column: Array, top: Array | None = None) -> tuple[Array, Array, Array]:
    """`softmax_parts` of one column a row: gap, share and rest, (n,) each. top: where each row has its largest

    The sum of many columns is that of e^x over e^largest, in fewer passes: no difference is taken that could be
    rounded. What is lost where e^x underflows is below 2^-1074 a column, which is nothing to a sum of 1e-290.
    """
    xp = namespace(logits)
    if columns(logits) <= FEW_COLUMNS or xp.__name__ != "numpy":
        gap, share, rest = softmax_parts(logits)
        return pick(gap, column), pick(share, column), rest
    top = logits.argmax(axis=1) if top is None else top
    largest = pick(logits, top)
    gap, lost = two_sum(largest, -pick(logits, column))
    share = exp(-gap)
    total = _powers_without(logits, top)
    rest = total / exp(largest)
    far = xp.flatnonzero(~((largest < 600) & (total > 1e-290)))
    if far.size:
        rest[far] = softmax_parts(logits[far])[2]
    return gap, share - share * lost, rest


def _powers_without(logits: Array, top: Array) -> Array:
    """The sum of e^x over the columns of each row but one, (n,); some rows at a time, which stay in the cache."""
    xp = namespace(logits)
    rows = max(1, CACHED // columns(logits))
    powers, sums = xp.empty((min(rows, len(logits)), columns(logits))), xp.empty(len(logits))
    for start in range(0, len(logits), rows):
        some = logits[start : start + rows]
        part = xp.exp(some, out=powers[: len(some)])
        part[xp.arange(len(some)), top[start : start + rows]] = 0.0
        xp.sum(part, axis=-1, out=sums[start : start + rows])
    return sums


def _is_coarse(x: Array) -> bool:
    """Whether the differences of numbers surely need no rounding, as of those of float32 that are of like size.

    All are multiples of 2^(e + t - 52), with t bits clear at the end of each and 2^e no larger than the smallest, and
    their differences are below 2^53 of these.
    """
    if namespace(x).__name__ != "numpy" or x.dtype != "float64":
        return False
    bits = int(namespace(x).bitwise_or.reduce(x.view("int64"), axis=None, initial=1 << 52))
    spread = (bits & -bits).bit_length() - 3
    sizes = abs(x) if spread > 0 else x
    return spread > 0 and bool(sizes.max(initial=0.0) < sizes.min(initial=math.inf) * 2.0**spread)


def _is_exact(largest: Array, logits: Array, gap: Array) -> bool:
    """Whether gap = largest - logits was rounded nowhere."""
    return bool(namespace(gap).all((largest - gap == logits) & (gap + logits == largest)))


def _sum_without_largest(logits: Array, largest: Array, share: Array) -> Array:
    """The sum of the shares of each row without one that is the largest, (n,)."""
    xp = namespace(logits)
    if xp.__name__ == "numpy" and columns(logits) > FEW_COLUMNS:
        at = (xp.arange(len(logits)), xp.argmax(logits, axis=1))
        own = share[at]
        share[at] = 0.0
        rest = row_sum(share)
        share[at] = own
        return rest
    below = xp.astype(logits < largest, share.dtype)
    others = float(columns(logits) - 1) - row_sum(below)  # how many more are the largest, with a share of 1 each
    return row_sum(share * below) + others


def log_sum_exp(logits: Array) -> Array:
    """log of the sum of e^x over the columns of an (n, C) array, exact where the largest is at least 0."""
    _, _, rest = softmax_parts(logits)
    return row_max(logits) + log1p(rest)


def log_softmax(logits: Array) -> Array:
    """log of the softmax over the columns of (n, C) logits, exact near 0 too: [40, 0, -3] gives -4.46e-18 first."""
    gap, _, rest = softmax_parts(logits)
    return -(gap + log1p(rest)[:, None])


def relative_entropy_parts(
    p: Array, q: Array, difference: Array, surplus: Array, log_ratio: Array
) -> tuple[Array, Array]:
    """p log(p/q) - difference + surplus, in two parts: one >= 0, and one of both signs whose sum may cancel.

    difference: p - q, from whatever knows it best: its digits are the digits of the result where p is near q
    surplus: p - q again, or 0 where the sums of p and q are known to be equal
    log_ratio: log(p/q), used where p is far from q; infinite where only q is 0

    With s = (p - q) / (p + q), p log(p/q) - (p - q) is (p - q) * [s + (1 + s) (atanh s - s) / s], where no first-order
    terms cancel. The series of atanh is used for |s| <= 1/2; beyond, the plain form loses less than two bits.
    """
    s = tilt(difference, p + q)
    near = abs(s) <= 1 / 2
    s = where(near, s, 0.0)
    beyond = where(near, difference, 0.0) * (s + (1.0 + s) * _atanh_tail(s * s))
    plain = weigh(p, log_ratio) - (difference - surplus)
    return beyond, where(log_ratio == _infinity, _infinity, where(near, surplus, plain))


def log_quotient(p: Array, q: Array) -> Array:
    """log(p/q) for p, q >= 0; of the quotient, unless that leaves the normal numbers."""
    quotient = p / where(q > 0, q, 1.0)
    normal = (quotient > 1e-300) & (quotient < 1e300) & (q > 0)
    return where(normal, log(where(normal, quotient, 1.0)), log(p) - log(q))


def log_quotient_of_softmaxes(a: Array, b: Array, log_p: Array, log_q: Array) -> Array:
    """log(p / q) for p and q the softmax of (n, C) logits a and b, exact also where the two are nearly equal.

    The logits are compared first, class by class, against the likeliest class of a. What is then added to all classes
    of a row is the softmaxes' own error at first; the second time, it makes the sum of p - q zero, as it must be.
    """
    xp = namespace(a)
    top = xp.astype(xp.argmax(a, axis=-1), xp.float64)
    difference, lost = two_sum(a, -b)
    r = (difference - pick(difference, top)[:, None]) + (lost - pick(lost, top)[:, None])
    r = r + (pick(log_p, top) - pick(log_q, top))[:, None]
    return r - log1p(row_sum(difference_of_masses(exp(log_p), exp(log_q), r)))[:, None]


def difference_of_masses(p: Array, q: Array, log_ratio: Array) -> Array:
    """p - q, by way of log(p/q) where they are nearly equal."""
    near = abs(log_ratio) < 1.2
    return where(near, q * expm1(where(near, log_ratio, 0.0)), p - q)


def tilt(difference: Array, total: Array) -> Array:
    """(p - q) / (p + q) for p, q >= 0; 0 where both are 0."""
    return difference / where(total > 0, total, 1.0)


_infinity = float("inf")


def jensen_term(p: Array, q: Array, difference: Array) -> Array:
    """p log(p/m) + q log(q/m) with m = (p + q) / 2, which is >= 0, exact also where p is nearly q.

    difference: p - q, from whatever knows it best

    With s = (p - q) / (p + q) it is p log(1 + s) + q log(1 - s), whose first-order terms cancel: the series does
    without them for |s| <= 1/2; beyond, the plain form loses less than two bits.
    """
    s = tilt(difference, p + q)
    near = abs(s) <= 1 / 2
    plain = weigh(p, log_quotient(2.0 * p, p + q)) + weigh(q, log_quotient(2.0 * q, p + q))
    return where(near, difference / 2 * s * _jensen_series(where(near, s * s, 0.0)), plain)


def expm1_tail(x: Array) -> Array:
    """e^x - 1 - x >= 0, exact also where x is small: there the series x^2/2 + x^3/6 + ..."""
    near = abs(x) < 1
    z = where(near, x, 0.0)
    series = z * z * _horner(z, [1.0 / math.factorial(k + 2) for k in range(18)])
    return where(near, series, expm1(x) - x)


def log_tail(y: Array, p: Array, excess: Array) -> Array:
    """u - log(1 + u) >= 0 with u = (y - p) / p for y >= 0 and p > 0, exact also where y is nearly p.

    excess: y - p, from whatever knows it best

    With s = (y - p) / (y + p), u is 2s/(1 - s) and log(1 + u) is 2 atanh s: the first-order terms cancel.
    """
    s = tilt(excess, y + p)
    near = abs(s) <= 1 / 2
    z = where(near, s, 0.0)
    series = z * (where(near, excess / p, 0.0) - 2.0 * _atanh_tail(z * z))
    far = log_quotient(p, where(near, p, y)) + excess / p
    return where(near, series, far)


def log_ratio_by_difference(p: Array, q: Array, difference: Array, log_ratio: Array) -> Array:
    """log(p/q) as 2 atanh of (p - q) / (p + q) where p is near q, with the digits of the difference; else log_ratio."""
    s = tilt(difference, p + q)
    near = abs(s) <= 1 / 2
    z = where(near, s, 0.0)
    return where(near, 2.0 * z * (1.0 + _atanh_tail(z * z)), log_ratio)


def log_cosh(x: Array) -> Array:
    """log cosh x, without overflow and exact near 0: there a series in x^2, of the product of cosh."""
    size = abs(x)
    near = size < 0.75
    z = where(near, size, 0.0)
    z = z * z
    return where(near, z * _horner(z, _log_cosh_coefficients()), (size - math.log(2.0)) + log1p(exp(-2.0 * size)))


@cache
def _log_cosh_coefficients() -> list[float]:
    """Of x^2n, n = 1, 2, ...: (-1)^(n-1) / n times the sum over odd k of (2 / (pi k))^2n."""
    exact = [1 / 2, -1 / 12, 1 / 45, -17 / 2520, 31 / 14175]
    sums = (math.fsum((2 / (math.pi * k)) ** (2 * n) for k in range(1, 25, 2)) for n in range(6, 28))
    return exact + [(-1) ** (n - 1) / n * value for n, value in enumerate(sums, 6)]


def _atanh_tail(z: Array) -> Array:
    """(atanh(s) - s) / s with z = s^2 <= 1/4: z/3 + z^2/5 + z^3/7 + ..."""
    return _horner(z, [0.0] + [1.0 / (2 * k + 1) for k in range(1, 27)])


def _jensen_series(z: Array) -> Array:
    """1 + z/6 + z^2/15 + ... = the sum of z^(k-1) / (k (2k - 1)), for z <= 1/4."""
    return _horner(z, [1.0 / (k * (2 * k - 1)) for k in range(1, 25)])


def _horner(z: Array, coefficients: list[float]) -> Array:
    result = z * 0.0 + coefficients[-1]
    for coefficient in reversed(coefficients[:-1]):
        result = result * z + coefficient
    return result
