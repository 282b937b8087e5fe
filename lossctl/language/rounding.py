"""Sums and products that keep what rounding loses, for terms that nearly cancel."""

from __future__ import annotations

import math
import sys

from .numerics import Array, exp, like, namespace, sigmoid, softplus, where


def compensated_row_sum(x: Array, plus: float = 0.0) -> Array:
    """`plus` and the sum over the columns, as if in twice the precision: for terms of both signs that nearly cancel.

    Source: Ogita, Rump, Oishi, Accurate sum and dot product, 2005, arranged as a tree so that it stays vectorised.
    """
    xp = namespace(x)
    if x.ndim == 1:
        return x + plus
    error = xp.zeros_like(x[:, 0])
    while x.shape[1] > 1:
        half = x.shape[1] // 2
        a, b, odd = x[:, :half], x[:, half : 2 * half], x[:, 2 * half :]
        s, e = two_sum(a, b)
        error = error + xp.sum(e, axis=-1)
        x = xp.concat([s, odd], axis=1)
    s, e = two_sum(x[:, 0], like(plus, x))
    return s + (error + e)


def two_sum(a: Array, b: Array) -> tuple[Array, Array]:
    """a + b rounded, and what the rounding lost, exactly; 0 where the sum overflows. Source: Knuth, TAOCP 2, 4.2.2."""
    s = a + b
    b_part = s - a
    return s, finite_part(s, (a - (s - b_part)) + (b - b_part))


def ordered_sum(a: Array, b: Array) -> tuple[Array, Array]:
    """`two_sum` where a is 0 or no smaller than b, in half the steps. Source: Dekker 1971."""
    s = a + b
    return s, finite_part(s, b - (s - a))


def finite_part(x: Array, lost: Array) -> Array:
    """What rounding took from x, with 0 where x is not finite; where that adds up, numpy need not look at each."""
    if _is_of_numpy(lost) and math.isfinite(lost.sum()):
        return lost
    return chosen(namespace(x).isfinite(x), lost, 0.0)


def chosen(mask: Array, x: Array, otherwise: float) -> Array:
    """x, with another number where the mask does not hold; where all of it does, numpy need not look at each."""
    if _is_of_numpy(mask) and mask.all():
        return x
    return where(mask, x, otherwise)


def sum_of_three(a: Array, b: Array, c: Array | float) -> Array:
    """a + b + c, exact also where they nearly cancel."""
    s, lost = two_sum(a, b)
    return (s + c) + lost


def multiply_add(factor: float, x: Array, plus: float) -> tuple[Array, Array]:
    """factor * x + plus rounded, and what the rounding lost."""
    product, lost = two_product(factor, x)
    s, e = two_sum(product, like(plus, x))
    return s, lost + e


def two_product(a: Array | float, b: Array) -> tuple[Array, Array]:
    """a * b rounded, and what the rounding lost; 0 where a factor is beyond 1e300. Source: Dekker 1971."""
    product = a * b
    (a_high, a_low), (b_high, b_low) = _halves(a), _halves(b)
    lost = a_low * b_low - (((product - a_high * b_high) - a_low * b_high) - a_high * b_low)
    return product, finite_part(lost, lost)


def difference(a: Array, b: Array) -> tuple[Array, Array]:
    """a - b rounded, and what the rounding lost."""
    return two_sum(a, -b)


def difference_of_pairs(x: tuple[Array, Array], y: tuple[Array, Array]) -> tuple[Array, Array]:
    """x - y of two numbers that are each given rounded with what the rounding lost; the same of the result."""
    s, e = two_sum(x[0], -y[0])
    return two_sum(s, e + (x[1] - y[1]))


def multiply_pair(factor: float, x: tuple[Array, Array], plus: float = 0.0) -> tuple[Array, Array]:
    """factor * x + plus of a number that is given rounded with what the rounding lost; the same of the result."""
    product, lost = multiply_add(factor, x[0], plus)
    return two_sum(product, lost + factor * x[1])


def surprise(x: tuple[Array, Array]) -> Array:
    """-log sigmoid(x) of a number that is given rounded with what the rounding lost."""
    return softplus(-x[0]) - x[1] * sigmoid(-x[0])


def chance(x: tuple[Array, Array]) -> Array:
    """sigmoid(x) of a number that is given rounded with what the rounding lost."""
    p = sigmoid(x[0])
    return p + x[1] * p * sigmoid(-x[0])


def exponential(x: tuple[Array, Array]) -> Array:
    """e^x of a number that is given rounded with what the rounding lost."""
    return exp(x[0]) * (1.0 + where(abs(x[0]) < 1e3, x[1], 0.0))


def negative(x: tuple[Array, Array]) -> tuple[Array, Array]:
    """-x of a number that is given rounded with what the rounding lost."""
    return -x[0], -x[1]


def _is_of_numpy(x: Array) -> bool:
    numpy = sys.modules.get("numpy")
    return numpy is not None and type(x) is numpy.ndarray


def _halves(x: Array | float) -> tuple[Array, Array]:
    """x as two numbers of 26 bits. Source: Veltkamp 1968."""
    big = 134217729.0 * x
    high = big - (big - x)
    return high, x - high


def near_one(x: Array) -> Array:
    """(N, D) rows times a power of two each, so that the largest number of a row is between 1 and 2."""
    xp = namespace(x)
    exponent = xp.floor(xp.log2(xp.max(abs(x), axis=-1, keepdims=True)))
    half = xp.floor(exponent / 2)  # one power may be too large
    return x * 2.0**-half * 2.0 ** -(exponent - half)
