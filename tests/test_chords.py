"""Directions of whole numbers: squares in the exact order of distances, counts and choices those of fractions."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import mpmath as mp
import numpy as np
import pytest
from exact_distances import category_counts

from lossctl.files import drawer
from lossctl.sets import gram, mining
from lossctl.sets.chords import WholeChords, whole_directions
from lossctl.sets.points import sort_points
from lossctl.sets.triplets import breakdown

LENGTHS = [1.0, 0.3, 1e-3, 7.0, 2.0**-1060, 2.0**900, 1 / 3]


def whole_rows(random, n, d, low=-2, high=3):
    x = random.integers(low, high, (n, d))
    x[~x.any(axis=1)] = 1
    return x


def stretched(random, x):
    """Powers of two leave directions as they are; other lengths, which round, only of rows of one size of number."""
    lengths = random.choice([1.0, 0.25, 2.0**-1050, 2.0**900], len(x))
    is_even = abs(x).max(axis=1) == 1
    lengths[is_even] = random.choice(LENGTHS, int(is_even.sum()))
    return x * lengths[:, None]


def key(a, b):
    """What orders the directions b by their distance from a."""
    dot = sum(map(int.__mul__, a, b))
    return Fraction(-dot * abs(dot), sum(map(int.__mul__, b, b)))


def keys_of(x):
    rows = x.tolist()
    return [[key(a, b) for b in rows] for a in rows]


def counts_of(x, labels, margin, **options):
    found = breakdown(x, labels, margins=[margin], **options)
    c = found.margins[0].categories
    assert found.certified, found.why
    return c.easy, c.semi_hard, c.hard, c.hard_ties, c.margin_ties


@pytest.mark.parametrize("metric, normalize", [("cosine", False), ("sqeuclidean", True), ("euclidean", True)])
def test_counts_of_whole_directions_are_those_of_exact_arithmetic(metric, normalize):
    """At margins that are differences of two distances, or one rounding off, too."""
    random, options, kinds = np.random.default_rng(7), {"metric": metric, "normalize": normalize}, set()
    for number in range(12):
        whole = whole_rows(random, 11, 1 + number % 4, *((-2, 3), (0, 2), (0, 5))[number % 3])
        x, labels = stretched(random, whole), random.integers(0, 3, 11).tolist()
        margin = float(random.choice([0.0, 0.2, 0.5, 1 / 3, 0.25, 1 - 0.5**0.5]))
        kinds.add(type(sort_points(x, labels, **options).gram))
        expected = category_counts(x, labels, margin, **options)
        assert counts_of(x, labels, margin, **options) == expected, (x, labels, margin)
    assert WholeChords in kinds


def test_margins_between_rational_distances():
    """Of which neither is one in float64, however whole the margin looks."""
    random = np.random.default_rng(1)
    rows = np.array([[1, 1, 1, 1], [1, 1, 3, 5], [1, 1, 7, 7], [1, 5, 5, 7], [0, 0, 0, 1], [0, 1, 2, 2], [0, 2, 3, 6]])
    for _ in range(12):
        x = random.permuted(rows[random.integers(0, len(rows), 12)], axis=1) * random.choice([-1, 1], (12, 4))
        labels = random.integers(0, 2, 12).tolist()
        for margin in (0.5, 0.25):
            expected = category_counts(x, labels, margin, "cosine")
            assert counts_of(x.astype(float), labels, margin, metric="cosine") == expected, (x, labels)


def test_directions_in_least_terms():
    random = np.random.default_rng(2)
    x = np.concatenate([whole_rows(random, 40, 5, -9, 10), np.eye(5, dtype=int)])
    divisors = np.gcd.reduce(x, axis=1, keepdims=True)
    assert (whole_directions(x * 3.0 * 2.0 ** random.integers(-900, 900, (45, 1))) == x // divisors).all()
    assert (whole_directions(np.sign(x) * random.standard_normal((45, 1)) ** 2) == np.sign(x)).all()
    wide = np.array([[1.0, 2.0**24], [1.0, 2.0**-24]])
    assert whole_directions(wide).tolist() == [[1, 2**24], [2**24, 1]]
    for other in ([1.0, 2.0**27], [1.0, 0.1], [1.0, 2.0**70], [5e-324, 1.0]):
        assert whole_directions(np.array([[1.0, 2.0], other])) is None, other


def test_rows_of_more_numbers_than_a_block_holds():
    x = whole_rows(np.random.default_rng(5), 4, 150_000)
    assert (whole_directions(x * 0.5) == x).all()
    assert whole_directions(x[:0] * 0.5) is None


def test_what_lies_in_a_file_has_the_same_squares(monkeypatch):
    monkeypatch.setattr(gram, "TILE", 16)
    x, labels = whole_rows(np.random.default_rng(6), 90, 6), np.arange(90) % 9
    filed = drawer.filed(x.shape)
    filed[:] = x
    held, there = (sort_points(points, labels, metric="cosine").gram for points in (x.astype(float), filed))
    assert isinstance(there, WholeChords) and drawer.file_of(there.whole) is not None
    assert (held.squares(0, 90) == there.squares(0, 90)).all()
    assert (held.products(np.array([5, 40]), slice(3, 80)) == there.products(np.array([5, 40]), slice(3, 80))).all()


def farey(random, longest, n):
    """Directions in the plane of squared lengths up to the longest, as near each other as they can be, and others."""
    x = []
    side = int((longest / 2) ** 0.5)
    while len(x) < n:
        a, b = (int(v) for v in random.integers(1, side + 1, 2))
        u = pow(b, -1, a) if a > 1 and np.gcd(a, b) == 1 else 1
        v = (u * b - 1) // a if a > 1 and np.gcd(a, b) == 1 else 1  # u b - v a = 1
        x += [[a, b], [u, max(v, 0)], [a, -b], [-v, u]]
    return np.array(x[:n])


def test_squares_are_in_the_order_of_distances_and_right_to_a_few_ulp():
    """Also without the bits that number points and thresholds, of the longest directions that are taken."""
    random, taken = np.random.default_rng(3), []
    for longest in (30, 1000, 8000, 12000, 40000):
        x = farey(random, longest, 48)
        chords = sort_points(x.astype(float), np.arange(48) % 2, metric="cosine").gram
        taken.append(isinstance(chords, WholeChords))
        if not taken[-1]:
            continue
        exact = keys_of(np.array(x)[np.argsort(np.arange(48) % 2, kind="stable")])
        squares = chords.squares(0, 48)
        i, j = np.divmod(np.arange(48 * 48), 48)
        assert (chords.direct(i, j).reshape(48, 48) == squares).all()
        assert (chords.products(np.array([5, 40]), slice(3, 30)) == squares[[5, 40], 3:30]).all()
        leading = squares.view(np.int64) & ~255
        for row, keys in zip(leading, exact, strict=True):
            order = np.argsort(row, kind="stable").tolist()
            for near, far in pairwise(order):
                assert (row[near] < row[far]) == (keys[near] < keys[far]), longest
                assert (row[near] == row[far]) == (keys[near] == keys[far]), longest
        with mp.workprec(200):
            for a, row in enumerate(squares):
                for b, square in enumerate(row):
                    u, v = chords.whole[a].astype(int).tolist(), chords.whole[b].astype(int).tolist()
                    dot, sizes = u[0] * v[0] + u[1] * v[1], (u[0] ** 2 + u[1] ** 2) * (v[0] ** 2 + v[1] ** 2)
                    truth = 2 - 2 * dot / mp.sqrt(sizes)
                    assert abs(square - truth) <= chords.spread * truth + 1e-50, (longest, u, v)
    assert taken == [True, True, True, True, False]


@pytest.mark.parametrize("fallback", ["drop", "hardest", "easiest"])
def test_choices_of_whole_directions_are_those_of_fractions(fallback):
    """Of equal distances the lowest row, in sets whose classes are far enough apart for few columns to matter too."""
    random = np.random.default_rng(4)
    for n, classes, noise in [(40, 3, 1.0), (150, 8, 0.05)]:
        labels = random.integers(0, classes, n)
        middle = random.integers(0, 2, (classes, 10))[labels]
        whole = np.where(random.random((n, 10)) < noise, random.integers(0, 3, (n, 10)), 2 * middle)
        whole[~whole.any(axis=1)] = 1
        exact, expected = keys_of(whole), []
        for a in range(n):
            negatives = sorted((exact[a][k], k) for k in range(n) if labels[k] != labels[a])
            farthest = min((-distance, k) for distance, k in negatives)[1]
            for p in range(n):
                if p == a or labels[p] != labels[a]:
                    continue
                beyond = next((k for distance, k in negatives if distance > exact[a][p]), None)
                other = {"drop": None, "hardest": negatives[0][1], "easiest": farthest}[fallback]
                if beyond is not None or other is not None:
                    expected.append((a, p, beyond if beyond is not None else other))
        points = sort_points(stretched(random, whole), labels, metric="cosine")
        assert isinstance(points.gram, WholeChords)
        found = mining.joined(mining.mine_semi_hard(points, margin=0.2, fallback=fallback)).rows
        assert sorted(map(tuple, found.tolist())) == expected


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("low", [0, -3])
def test_ties_are_among_the_hard_triplets_of_pairs_of_classes(metric, low):
    random = np.random.default_rng(6)
    whole, labels = whole_rows(random, 50, 3, low, 4), random.integers(0, 4, 50)
    exact = keys_of(whole) if metric == "cosine" else ((whole[:, None] - whole) ** 2).sum(axis=2).tolist()
    expected = {(a, n): 0 for a in range(4) for n in range(4) if a != n}
    for a, row in enumerate(exact):
        for p in np.flatnonzero(labels == labels[a]).tolist():
            for n in np.flatnonzero(labels != labels[a]).tolist():
                expected[int(labels[a]), int(labels[n])] += p != a and row[n] <= row[p]
    found = breakdown(whole.astype(float), labels, margins=[0.2], metric=metric, pairs=12)
    assert found.margins[0].categories.hard_ties > 100
    assert {(pair.anchor, pair.negative): pair.hard for pair in found.pairs} == expected
