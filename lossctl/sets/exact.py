"""Decisions that rounding cannot touch: is d_an below, at or above d_ap + margin, for the float64 rows as given.

A float64 is an integer times a power of two, so a squared distance is an integer in a common unit, and a comparison of
distances is a comparison of integers after squaring, with care for signs. Cosine and normalised distances add the roots
of two integers, |a||p| and |a||n|; their sign is found by squaring too. Nothing here is approximate, or fast.
"""

from __future__ import annotations

from fractions import Fraction
from math import isqrt

import numpy as np

from ..language.domains import ANGULAR, MINKOWSKI

Rational = int | Fraction
UNSURE = 1 << 12  # units of a fixed point that rounding may take
SAME = 1 << 13  # bits to which sums of three roots are compared
CACHED_COORDINATES, CACHED_PRODUCTS = 1 << 20, 1 << 17  # kept as Python integers, at most


def lowest_exponent(values: np.ndarray) -> int | None:
    """The largest e such that all values are integer multiples of 2**e; None if all are zero."""
    fraction, exponent = np.frexp(values[values != 0])
    if not fraction.size:
        return None
    digits = np.ldexp(fraction, 53).astype(np.int64)
    lowest_bit = np.frexp((digits & -digits).astype(np.float64))[1] - 1
    return int((exponent - 53 + lowest_bit).min())


class Exact:
    """Exact comparisons of the distances of a set; keeps the integers it has made.

    source: the rows as given, (N, D) of any float dtype; not normalised, not centred
    metric: as `Points.metric`; normalize: whether distances are those of x / |x|
    """

    def __init__(self, source: np.ndarray, metric: str, normalize: bool) -> None:
        self._source = source
        stem, _, power = metric.partition(":")
        self._is_root = metric == "euclidean"
        self._is_angular = normalize or metric in ANGULAR
        self._is_angle = metric == "angular"
        self._is_product = metric == "dot"
        self._power = int(power) if stem == MINKOWSKI else 1 if metric == "manhattan" else 0  # 0 for squares, products
        self._factor = 1 if metric == "cosine" else 2  # the distance (or its square) is factor * (1 - cosine)
        self._exponent: int | None = None
        self._rows: dict[int, list[int]] = {}
        self._products: dict[tuple[int, int], int] = {}

    def compare(self, anchor: int, positive: int, negative: int, margin: float = 0.0) -> int:
        """The sign of d_an - (d_ap + margin): -1, 0 or 1. Anchor, positive and negative are rows of the source."""
        if self._is_angle and margin:
            return self._compare_turned(anchor, positive, negative, Fraction(margin))
        if self._is_angular:
            return self._compare_angles(anchor, positive, negative, Fraction(margin))
        d_ap, d_an = self.key(anchor, positive), self.key(anchor, negative)
        if not margin:
            return _sign(d_an - d_ap)
        unit = Fraction(2) ** self._unit()
        if self._power:
            return _above_powers(d_an, d_ap, Fraction(margin) / unit, self._power)
        return _above(self._is_root, d_an, d_ap, Fraction(margin) / (unit if self._is_root else unit * unit))

    def order(self, anchor: int, other: int) -> Rational:
        """A number that orders points by their distance from one anchor, exactly."""
        if not self._is_angular:
            return self.key(anchor, other)
        dot = self._dot(anchor, other)
        return Fraction(-dot * abs(dot), self._dot(other, other))

    def opens(self, anchor: int, positive: int, negative: int, weight: Fraction) -> int:
        """The sign of (1 + w) |a - p|^2 - 2 w (|a - n|^2 + |p - n|^2), of unit vectors where distances are those of
        directions. What agrees to SAME bits is equal."""
        pairs = ((anchor, positive), (anchor, negative), (positive, negative))
        shares = (1 + weight, -2 * weight, -2 * weight)
        if not self._is_angular:
            return _sign(sum(share * self.key(*pair) for share, pair in zip(shares, pairs, strict=True)))
        bits = 128
        while True:
            gap = Fraction(0)
            for share, (i, j) in zip(shares, pairs, strict=True):
                length = isqrt(self._dot(i, i) * self._dot(j, j) << (2 * bits))
                gap += 2 * share * ((1 << bits) - (self._dot(i, j) << (2 * bits)) // length)
            if bits >= SAME or abs(gap) > UNSURE * (1 + weight):
                return _sign(gap) if abs(gap) > UNSURE * (1 + weight) else 0
            bits *= 2

    def key(self, i: int, j: int) -> int:
        """|x_i - x_j|^2, the sum of |x_i - x_j|^p, or less the product, in units of a power of 2**e, e the common
        exponent of the set."""
        if self._power:
            return sum(abs(a - b) ** self._power for a, b in zip(self._row(i), self._row(j), strict=True))
        if self._is_product:
            return -self._dot(i, j)
        return self._dot(i, i) + self._dot(j, j) - 2 * self._dot(i, j)

    def _compare_turned(self, anchor: int, positive: int, negative: int, margin: Fraction) -> int:
        """The same of angles, whose cosines are algebraic, and of a margin whose cosine is not: so no two are equal
        (Lindemann), and some number of bits tells them apart."""
        norm_a, norm_p, norm_n = (self._dot(i, i) for i in (anchor, positive, negative))
        dot_p, dot_n = self._dot(anchor, positive), self._dot(anchor, negative)
        if margin >= 4:  # beyond a half turn
            return -1
        bits = 128
        while True:
            cos_m, sin_m = _cosine_and_sine(margin, bits)
            length_p, length_n = (isqrt(norm_a * norm << (2 * bits)) for norm in (norm_p, norm_n))
            cos_p, cos_n = (dot_p << (2 * bits)) // length_p, (dot_n << (2 * bits)) // length_n
            sin_p = (isqrt(norm_a * norm_p - dot_p * dot_p << (2 * bits)) << bits) // length_p
            past = cos_p + cos_m if margin < 3 else cos_p + cos_m if sin_m > 0 else -(1 << bits)
            turned = (cos_p * cos_m - sin_p * sin_m >> bits) - cos_n
            if past < -UNSURE:  # the sum is more than a half turn
                return -1
            if past > UNSURE and abs(turned) > UNSURE:
                return _sign(turned)
            bits *= 2

    def _compare_angles(self, anchor: int, positive: int, negative: int, margin: Fraction) -> int:
        norm_a, norm_p, norm_n = (self._dot(i, i) for i in (anchor, positive, negative))
        r, s = norm_a * norm_p, norm_a * norm_n
        d_ap = (self._factor, -Fraction(self._factor * self._dot(anchor, positive), r), 0, 0)
        d_an = (self._factor, 0, -Fraction(self._factor * self._dot(anchor, negative), s), 0)
        return _above_surds(self._is_root, d_an, d_ap, margin, r, s)

    def _dot(self, i: int, j: int) -> int:
        key = (i, j) if i <= j else (j, i)
        known = self._products.get(key)
        if known is None:
            known = sum(map(int.__mul__, self._row(i), self._row(j)))
            _remember(self._products, key, known, CACHED_PRODUCTS)
        return known

    def _row(self, i: int) -> list[int]:
        known = self._rows.get(i)
        if known is None:
            unit = self._unit()
            known = [_in_units(float(value), unit) for value in self._source[i]]
            _remember(self._rows, i, known, CACHED_COORDINATES // len(known))
        return known

    def _unit(self) -> int:
        if self._exponent is None:
            step = max(1, (1 << 18) // max(self._source.shape[1], 1))
            blocks = (self._source[k : k + step].astype(np.float64) for k in range(0, len(self._source), step))
            lowest = [e for e in map(lowest_exponent, blocks) if e is not None]
            self._exponent = min(lowest, default=0)
        return self._exponent


def _remember(cache: dict, key: object, value: object, most: int) -> None:  # type: ignore[type-arg]
    if len(cache) >= most:
        cache.clear()
    cache[key] = value


def _in_units(value: float, exponent: int) -> int:
    numerator, denominator = value.as_integer_ratio()
    shift = 1 - denominator.bit_length() - exponent
    return numerator << shift if shift >= 0 else numerator >> -shift


def _sign(x: Rational) -> int:
    return (x > 0) - (x < 0)


def _above_powers(d_an: int, d_ap: int, margin: Fraction, power: int) -> int:
    """The sign of the p-th root of d_an less that of d_ap, less the margin.

    Roots that are no whole numbers differ by no fraction but 0, unless both are whole (Besicovitch 1940): so these are
    compared as they are, and of others some number of bits tells.
    """
    bits = 64
    while True:
        an, ap = (_root(key << (power * bits), power) for key in (d_an, d_ap))
        if an**power == d_an << (power * bits) and ap**power == d_ap << (power * bits):
            return _sign(Fraction(an - ap, 1 << bits) - margin)
        gap = an - ap - margin * (1 << bits)
        if abs(gap) > 2:
            return _sign(gap)
        bits *= 2


def _root(value: int, power: int) -> int:
    """The largest whole number whose power is no more than the value."""
    if power == 1 or value < 2:
        return value
    root = 1 << -(-value.bit_length() // power)
    while True:
        lower = ((power - 1) * root + value // root ** (power - 1)) // power
        if lower >= root:
            return root
        root = lower


def _cosine_and_sine(angle: Fraction, bits: int) -> tuple[int, int]:
    """In units of 2**-bits, to within UNSURE / 8 of them."""
    x = (angle.numerator << bits) // angle.denominator
    sums, term, n = [0, 0], 1 << bits, 0
    while term:
        sums[n % 2] += term if n % 4 < 2 else -term
        n += 1
        term = (term * x >> bits) // n
    return sums[0], sums[1]


def _above(is_root: bool, d_an: Rational, d_ap: Rational, margin: Rational) -> int:
    """The sign of d_an - d_ap - margin; of sqrt(d_an) - sqrt(d_ap) - margin if they are squares of distances."""
    if not is_root:
        return _sign(d_an - d_ap - margin)
    gap = d_an - d_ap - margin * margin  # must exceed 2 margin sqrt(d_ap)
    return -1 if gap < 0 else _sign(gap * gap - 4 * margin * margin * d_ap)


Surd = tuple[Rational, Rational, Rational, Rational]  # c0 + c1 sqrt(r) + c2 sqrt(s) + c3 sqrt(r s)


def _above_surds(is_root: bool, d_an: Surd, d_ap: Surd, margin: Rational, r: int, s: int) -> int:
    shift = margin * margin if is_root else margin
    gap = (d_an[0] - d_ap[0] - shift, -d_ap[1], d_an[2], 0)
    sign = _surd_sign(gap, r, s)
    if not is_root or not margin:
        return sign
    if sign < 0:
        return -1
    a, b, c, _ = gap
    four = 4 * margin * margin
    rest = (a * a + b * b * r + c * c * s - four * d_ap[0], 2 * a * b - four * d_ap[1], 2 * a * c, 2 * b * c)
    return _surd_sign(rest, r, s)


def _surd_sign(x: Surd, r: int, s: int) -> int:
    """The sign of c0 + c1 sqrt(r) + sqrt(s) (c2 + c3 sqrt(r)), for r, s > 0."""
    left, right = _root_sign(x[0], x[1], r), _root_sign(x[2], x[3], r)
    if left == right or not right:
        return left
    if not left:
        return right
    square = x[0] * x[0] + x[1] * x[1] * r - s * (x[2] * x[2] + x[3] * x[3] * r)
    return left * _root_sign(square, 2 * (x[0] * x[1] - s * x[2] * x[3]), r)


def _root_sign(x: Rational, y: Rational, r: int) -> int:
    """The sign of x + y sqrt(r), for r > 0."""
    left, right = _sign(x), _sign(y)
    if left == right or not right:
        return left
    return left * _sign(x * x - y * y * r) if left else right
