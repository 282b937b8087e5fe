"""The last instance: signs that all but the last of some hundred bits leave open."""

from __future__ import annotations

import math
from fractions import Fraction

import mpmath as mp
import numpy as np
import pytest

from lossctl.sets.exact import Exact


def down(value):
    """The float64 below a number of many digits."""
    rounded = float(value)
    return rounded if rounded <= value else math.nextafter(rounded, -math.inf)


def at_angle(angle, moved):
    """A direction whose cosine with the first axis is `moved` below that of an angle, to 2^-140, as float64 numbers:
    each but the first takes what the others leave of the squared tangent."""
    left = 1 / (mp.cos(angle) - moved) ** 2 - 1
    rest = []
    for _ in range(3):
        rest.append(down(mp.sqrt(left)))
        left -= mp.mpf(rest[-1]) ** 2
    return [1.0, *rest]


@pytest.mark.parametrize("margin", [0.1, 0.75, 1.3])
def test_angles_that_differ_in_the_last_of_128_bits(margin):
    random = np.random.default_rng(1)
    with mp.workprec(700):
        for units in [-40, -8, -3, -1, -0.25, 0.25, 1, 3, 8, 40] * 4:
            positive = [1.0, 0.0, 0.0, float(random.uniform(0.1, 0.2))]
            angle = mp.atan(mp.mpf(positive[-1])) + mp.mpf(margin)
            negative = at_angle(angle, mp.mpf(units) * mp.mpf(2) ** -128)
            gap = mp.atan(mp.sqrt(mp.fsum(mp.mpf(v) ** 2 for v in negative[1:]))) - angle
            assert abs(gap) < mp.mpf(2) ** -120 and abs(gap) > mp.mpf(2) ** -131
            rows = np.array([[1.0, 0.0, 0.0, 0.0], positive, negative])
            assert Exact(rows, "angular", False).compare(0, 1, 2, margin) == (1 if gap > 0 else -1), (units, rows)


def test_angles_past_a_half_turn_are_never_reached():
    """And those that are short of it by little are."""
    random, found = np.random.default_rng(2), set()
    with mp.workprec(400):
        for _ in range(400):
            x = random.integers(-3, 4, (3, 2)) + random.choice([0.0, 1e-9, 1e-17], (3, 2))
            x[~x.any(axis=1)] = 1.0
            margin = float(random.choice([0.5, 1.0, 2.0, 2.9, 3.0, 3.1, math.pi, math.nextafter(math.pi, 4), 3.5, 5.0]))
            angles = [mp.atan2(*map(mp.mpf, row[::-1])) for row in x.tolist()]
            d_ap, d_an = (abs(angles[k] - angles[0]) for k in (1, 2))
            d_ap, d_an = (min(d, 2 * mp.pi - d) for d in (d_ap, d_an))
            gap = d_an - d_ap - mp.mpf(margin)
            found.add((gap > 0, d_ap + margin > mp.pi, margin >= 3))
            assert Exact(x, "angular", False).compare(0, 1, 2, margin) == (1 if gap > 0 else -1), (x, margin)
    assert len(found) == 5


@pytest.mark.parametrize(
    "margin, sign",
    [(3.0, 1), (3.1, 1), (math.pi, 1), (math.nextafter(math.pi, 4), -1), (3.5, -1), (5.0, -1), (7.0, -1)],
)
def test_a_half_turn_beyond_a_positive_of_the_same_direction(margin, sign):
    x = np.array([[1.0, 0.0], [2.0, 0.0], [-1.0, 0.0]])
    assert Exact(x, "angular", False).compare(0, 1, 2, margin) == sign


@pytest.mark.parametrize("power", [2, 3, 5])
def test_roots_that_differ_from_a_margin_in_the_last_of_64_bits(power):
    random, near = np.random.default_rng(power), 0
    with mp.workprec(400):
        for _ in range(60):
            size = int(2 ** (12 / (1 - 1 / power)))
            low = int(random.integers(size, 2 * size))
            high = low + int(random.integers(1, 3))
            gap = mp.root(high, power) - mp.root(low, power)
            margin = float(gap)
            near += abs(gap - margin) < mp.mpf(2) ** -64
            # powers of whole numbers that add up to each
            rows = np.zeros((3, 120))
            for row, left in ((1, low), (2, high)):
                for place in range(120):
                    side = int(mp.floor(mp.root(left, power)))
                    rows[row, place] = side
                    left -= side**power
                assert left == 0
            metric = f"minkowski:{power}"
            assert Exact(rows, metric, False).compare(0, 1, 2, margin) == (1 if gap > margin else -1), rows
            assert Exact(rows, metric, False).compare(0, 2, 1, 0.0) == -1
    assert near > 20


def test_angles_at_a_negative_that_are_just_as_wide_as_the_bound():
    """Sums of cosines that are 0 as such, and of which none is a fraction, are 0; those off by 2^-300 are not."""
    random = np.random.default_rng(3)
    for _ in range(60):
        s, t, m = random.integers(1, 300, 3)
        first, second = 2 * random.integers(1, 100, 2)
        x = np.zeros((3, 4))
        x[0, :2], x[2, 1:3] = s, t  # at 60 degrees: of weight 1 / 2 what has no root is 0, and so 3 cos ap = 2 cos pn
        x[1] = first, second, (3 * first + second) / 2, m
        assert Exact(x, "cosine", False).opens(0, 1, 2, Fraction(1, 2)) == 0, x
    for row, sign in ((1, 1), (2, -1)):
        x = np.array([[1.0, 2.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
        assert Exact(x, "cosine", False).opens(0, 1, 2, Fraction(1, 3)) == 0
        x[row, 2] = 2.0**-150  # it is farther from the others
        assert Exact(x, "cosine", False).opens(0, 1, 2, Fraction(1, 3)) == sign
