"""Directions that are nearly the same: how far off each of them is, their distances, and counts of triplets."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pytest
from exact_distances import category_counts

from lossctl.language.twofold import fine_directions
from lossctl.sets.angles import BLUR, chord_errors, fine_directions_of, lengthwise, squared_chords
from lossctl.sets.points import sort_points
from lossctl.sets.triplets import breakdown

SPREADS = (1e-1, 1e-4, 1e-7, 1e-11, 1e-14, 1e-15, 2e-16)


def units_of(x):
    """x / |x| in 1,200 bits."""
    rows = [[mp.mpf(float(value)) for value in row] for row in x]
    return [[value / mp.sqrt(mp.fdot(row, row)) for value in row] for row in rows]


def chord(a, b):
    return mp.fsum((u - v) ** 2 for u, v in zip(a, b, strict=True))


def near_rows(random, n, d, spread):
    """Rows of nearly one direction, some of which are others times a number."""
    x = random.standard_normal(d) * (1 + spread * random.standard_normal((n, d)))
    x[n // 2 :] = x[: n - n // 2] * random.choice([1.0, 2.0, 3.0, -0.7], (n - n // 2, 1))
    return x


@mp.workprec(1200)
@pytest.mark.parametrize("d", [1, 2, 3, 24])
def test_fine_directions_are_as_near_the_truth_as_they_say(d):
    random = np.random.default_rng(d)
    for size in (1.0, 1e-310, 1e300):
        x = random.standard_normal((6, d)) * 10.0 ** random.integers(-7, 1, (6, d)) * size
        found = fine_directions(x)
        for row, unit in enumerate(units_of(x)):
            sides = zip(found.high[row], found.low[row], unit, strict=True)
            error = [mp.mpf(float(high)) + mp.mpf(float(low)) - truth for high, low, truth in sides]
            along = mp.fdot(error, unit)
            assert abs(along) <= lengthwise(d)
            assert mp.fdot(error, error) - along**2 <= (5 / 8 * BLUR) ** 2


@mp.workprec(1200)
@pytest.mark.parametrize("spread", SPREADS)
def test_squared_chords_and_products_are_within_their_errors(spread):
    random = np.random.default_rng(7)
    for d in (2, 3, 16):
        x = near_rows(random, 8, d, spread)
        i, j = (side.ravel() for side in np.mgrid[:8, :8])
        squares, units = squared_chords(x, fine_directions_of(x), i, j), units_of(x)
        truth = [chord(units[a], units[b]) for a, b in zip(i.tolist(), j.tolist(), strict=True)]
        gram = sort_points(x, [0, 0, 0, 0, 1, 1, 1, 1], metric="cosine").gram
        products, bounds = gram.squares(0, 8).ravel(), np.repeat(gram.bounds(0, 8), 8)
        order = gram.points @ np.ones(d), x @ np.ones(d)
        assert np.array_equal(*order)  # classes were in order, and rows are
        for square, error, product, bound, exact in zip(
            squares, chord_errors(squares, d), products, bounds, truth, strict=True
        ):
            assert abs(mp.mpf(float(square)) - exact) <= error
            assert abs(mp.mpf(float(square)) - exact) <= 2**-45 * exact + mp.mpf(2) ** -1060
            assert abs(mp.mpf(float(product)) - exact) <= bound


def test_errors_of_chords_do_not_fall():
    squares = 2.0 ** np.linspace(-1074, 2, 20_000)
    for d in (1, 128, 10_000):
        assert (np.diff(chord_errors(squares, d)) >= 0).all()


def collapsed(random, n, d):
    """Sets of nearly one direction, by name."""
    row = random.standard_normal(d)

    def near(spread, count=n):
        return row * (1 + spread * random.standard_normal((count, d)))

    half, other = n // 2, random.standard_normal((n - n // 2, d))
    zeros, tiny = near(1e-7), np.tile(row, (n, 1)) * random.integers(1, 4, (n, 1))
    zeros[::3, : d // 2] = 0
    tiny[:, 0] = 1e-40 * random.integers(1, 6, n)
    yield "float32", near(1e-7).astype(np.float32)
    yield "half", np.concatenate([near(1e-7, half), other]).astype(np.float32)
    yield "two", np.concatenate([near(1e-7, half), other[0] + 1e-7 * other]).astype(np.float32)
    yield "opposite", near(1e-7).astype(np.float32) * random.choice([-1, 1], (n, 1))
    yield "float64", near(1e-15)
    yield "last bit", np.nextafter(row, np.where(random.random((n, d)) < 0.2, np.inf, row))
    yield "lengths", near(1e-15) * random.choice([1, 2, 3, 5, 7], (n, 1))
    yield "float16", near(1e-3).astype(np.float16)
    yield "bfloat16", (near(1e-2).astype(np.float32).view(np.uint32) & 0xFFFF0000).view(np.float32)
    yield "zeros", zeros
    yield "tiny coordinate", tiny
    yield "subnormal", near(1e-7) * 5e-320
    yield "parallel", np.repeat(near(1e-7).astype(np.float32), 3, axis=0)[:n] * np.tile([1.0, 2.0, 3.0], n)[:n, None]
    yield "all parallel", row.astype(np.float32) * random.integers(1, 9, (n, 1)).astype(float)


@pytest.mark.slow
@pytest.mark.parametrize("metric, normalize", [("cosine", False), ("euclidean", True), ("angular", False)])
def test_counts_of_collapsed_sets(metric, normalize):
    random = np.random.default_rng(3)
    for n, d in ((12, 3), (18, 8)):
        labels = random.integers(0, 3, n).tolist()
        for name, x in collapsed(random, n, d):
            x = x.astype(np.float64)
            for margin in (0.0, 1e-15 if n == 18 else 0.1):
                found = breakdown(x, labels, margins=[margin], metric=metric, normalize=normalize)
                c = found.margins[0].categories
                expected = category_counts(x, labels, margin, metric, normalize)
                assert (c.easy, c.semi_hard, c.hard, c.hard_ties, c.margin_ties) == expected, (name, margin)
                assert found.certified, name
