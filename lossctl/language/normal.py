"""Words of the normal distribution, and of what is left of 1: logarithms that keep their digits far out and near 0."""

from __future__ import annotations

import math

from .numerics import Array, erf, exp, expm1, log, log1p, where

ROOT_HALF = 0.5**0.5
LOG_ROOT_2_PI = math.log(2 * math.pi) / 2
_STEP = 0.5  # of the trapezoid rule, which errs by e^-39 of its value at this one
_NODES = (  # of Gauss and Legendre on [0, 1], and their weights
    (0.013046735741414128, 0.03333567215434403),
    (0.06746831665550773, 0.0747256745752903),
    (0.16029521585048778, 0.10954318125799103),
    (0.2833023029353764, 0.1346333596549982),
    (0.4255628305091844, 0.14776211235737644),
    (0.5744371694908156, 0.14776211235737644),
    (0.7166976970646236, 0.1346333596549982),
    (0.8397047841495122, 0.10954318125799103),
    (0.9325316833444923, 0.0747256745752903),
    (0.9869532642585859, 0.03333567215434403),
)


def log_one_less_exp(x: Array) -> Array:
    """log(1 - e^-x) for x > 0; 0 where x is infinite."""
    near = x < 0.7
    return where(near, log(-expm1(-where(near, x, 0.5))), log1p(-exp(-where(near, 1.0, x))))


def log_tail_of_normal(z: Array) -> Array:
    """log of the probability that a standard normal variable exceeds z."""
    far = z > 1.0
    middle = where(far | (z < -1.0), 0.0, z)
    plain = log((1.0 - erf(middle * ROOT_HALF)) / 2.0)
    above = _far_tail(where(far, z, 2.0))
    below = log1p(-exp(_far_tail(where(z < -1.0, -z, 2.0))))
    return where(far, above, where(z < -1.0, below, plain))


def _far_tail(z: Array) -> Array:
    """The same for z >= 1, by the trapezoid rule for the integral of e^(-t^2) / (t^2 + x^2); x = z / sqrt 2."""
    finite = where(z < 1e150, z, 1e150)
    x = finite * ROOT_HALF
    square = x * x
    total = 0.5 / square
    for node in range(1, 14):
        at = (node * _STEP) ** 2
        total = total + math.exp(-at) / (at + square)
    scaled = (2.0 * _STEP / math.pi) * x * total
    near = x < math.pi / _STEP
    held = where(near, x, 1.0)
    scaled = scaled + where(near, 2.0 * exp(held * held) / -expm1((2.0 * math.pi / _STEP) * held), 0.0)
    return where(z < 1e150, log(scaled) - (math.log(2.0) + square), -float("inf"))


def log_mass_of_normal(low: Array, high: Array, gap: Array) -> Array:
    """log of the probability between low and high, which may be infinite; gap: high - low, from whatever knows it."""
    turned = high < -low
    near, far = where(turned, -high, low), where(turned, -low, high)  # near has the smaller size
    narrow = (gap <= 1.0) & (where(gap <= 1.0, gap, 1.0) * abs(near) <= 1.0)
    held = where(narrow, gap, 0.5)
    middle = where(narrow, near, 0.0) + held / 2.0
    area = 0.0 * held
    for node, weight in _NODES:
        half = held * (node / 2.0)
        area = area + (weight / 2.0) * exp(-half * half / 2.0) * (exp(middle * half) + exp(-middle * half))
    inner = log(held) + log(area) - middle * middle / 2.0 - LOG_ROOT_2_PI
    aside = (near >= 0) & ~narrow
    start, end = log_tail_of_normal(where(aside, near, 0.0)), log_tail_of_normal(where(aside, far, 1.0))
    beyond = start + log_one_less_exp(start - end)
    across = ~aside & ~narrow
    outer = log1p(
        -exp(log_tail_of_normal(where(across, far, 1.0))) - exp(log_tail_of_normal(where(across, -near, 1.0)))
    )
    return where(narrow, inner, where(aside, beyond, outer))
