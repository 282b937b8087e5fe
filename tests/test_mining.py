"""Each strategy takes what its definition takes in exact arithmetic: ties, duplicates, any block, any thread count."""

from __future__ import annotations

import math
import re
from fractions import Fraction
from functools import cmp_to_key

import mpmath as mp
import numpy as np
import pytest
from exact_distances import BITS, common_unit, compare, distance_table
from random_sets import codes, sets

import lossctl
from lossctl.errors import UsageError
from lossctl.sets import mining, strategies, thinning
from lossctl.sets.picks import uniform
from lossctl.sets.points import sort_points
from lossctl.sets.thinning import Thinning


def rows_of(blocks):
    return [tuple(int(v) for v in row) for row in mining.joined(blocks).rows]


def in_any_order(blocks):
    return sorted(rows_of(blocks))


def pairs(labels):
    n = len(labels)
    if len(set(labels)) < 2:
        return
    for a in range(n):
        for p in range(n):
            if a != p and labels[a] == labels[p]:
                yield a, p, [k for k in range(n) if labels[k] != labels[a]]


def nearest_first(table, a, rows):
    """Rows by exact distance from a, equal distances by row."""
    return sorted(rows, key=cmp_to_key(lambda i, j: compare(table[a][i] - table[a][j]) or i - j))


def farthest(table, a, rows):
    order = nearest_first(table, a, rows)
    return next(row for row in order if compare(table[a][row] - table[a][order[-1]]) == 0)


def brute_batch_hard(table, labels):
    by_anchor = {}
    for a, p, negatives in pairs(labels):
        by_anchor.setdefault(a, ([], negatives))[0].append(p)
    return [
        (a, farthest(table, a, positives), nearest_first(table, a, negatives)[0])
        for a, (positives, negatives) in by_anchor.items()
    ]


def brute_semi_hard(table, labels, fallback):
    for a, p, negatives in pairs(labels):
        beyond = [n for n in negatives if compare(table[a][n] - table[a][p]) > 0]
        if beyond:
            yield a, p, nearest_first(table, a, beyond)[0]
        elif fallback == "hardest":
            yield a, p, nearest_first(table, a, negatives)[0]
        elif fallback == "easiest":
            yield a, p, farthest(table, a, negatives)


def brute_categories(table, one, labels, margin):
    step = int(margin * one * 2**BITS)
    for a, p, negatives in pairs(labels):
        for n in negatives:
            if compare(table[a][n] - table[a][p]) <= 0:
                yield "hard", (a, p, n)
            elif compare(table[a][n] - table[a][p] - step) < 0:
                yield "semi-hard", (a, p, n)
            else:
                yield "easy", (a, p, n)


@pytest.fixture(scope="module", params=[("euclidean", False), ("euclidean", True), ("cosine", False)], ids=str)
def cases(request):
    metric, normalize = request.param
    found = []
    is_plain = metric == "euclidean" and not normalize
    of_kinds = sets(5, 60, 13) if is_plain else [*sets(5, 36, 13), *codes(5)]
    for k, (name, x, labels, margin) in enumerate(of_kinds):
        if not is_plain:
            kept = x.any(axis=1)
            x, labels, margin = x[kept], [y for y, keep in zip(labels, kept, strict=True) if keep], 0.25
        if len(x):
            points = sort_points(x, labels, metric=metric, normalize=normalize)
            found.append((name, points, labels, margin, distance_table(x, metric, normalize), k))
    return found


def test_batch_hard(cases):
    for name, points, labels, _, (table, _), k in cases:
        mined = mining.mine_batch_hard(points, block=1 + k % 4, threads=1 + k % 2)
        assert in_any_order(mined) == brute_batch_hard(table, labels), name


@pytest.mark.first_fast
@pytest.mark.parametrize("fallback", ["hardest", "easiest", "drop"])
def test_semi_hard(cases, fallback):
    for name, points, labels, _, (table, _), k in cases:
        mined = mining.mine_semi_hard(points, fallback=fallback, block=1 + k % 4, threads=1 + k % 2)
        assert in_any_order(mined) == list(brute_semi_hard(table, labels, fallback)), name


def test_distances_of_products_are_on_the_side_of_those_that_are_told(cases):
    for name, points, _, margin, _, k in cases:
        options = {"margin": margin, "fallback": "hardest", "block": 1 + k % 4}
        told, rough = (mining.joined(mining.mine_semi_hard(points, is_told=is_told, **options)) for is_told in (1, 0))
        assert (rough.rows == told.rows).all(), name
        assert ((rough.d_an <= rough.d_ap) == (told.d_an <= told.d_ap)).all(), name
        assert ((rough.loss > 0) == (told.loss > 0)).all(), name
        for side in ("d_ap", "d_an"):
            np.testing.assert_allclose(getattr(rough, side), getattr(told, side), rtol=1e-9, err_msg=name)


def test_semi_hard_beside_an_anchor_of_which_all_positives_matter():
    """At the edge of a large class a row stands again under another label: the other anchors are near no negative."""
    random = np.random.default_rng(3)
    labels = np.repeat([0, 1, 2], [90, 80, 70])
    x = random.integers(-4, 5, (240, 8)) + 200 * np.eye(3, 8, dtype=int)[labels]
    x[100] = x[0] = [200, 40, 0, 0, 0, 0, 0, 0]
    squares = ((x[:, None] - x) ** 2).sum(axis=2)
    expected = []
    for a, p in zip(*np.nonzero(labels[:, None] == labels), strict=True):
        beyond = np.where((labels != labels[a]) & (squares[a] > squares[a, p]), squares[a], 1 << 60)
        if a != p and beyond.min() < 1 << 60:
            expected.append((int(a), int(p), int(beyond.argmin())))
    points = sort_points(x.astype(float), labels)
    assert in_any_order(mining.mine_semi_hard(points, fallback="drop")) == expected


@pytest.mark.first_fast
@pytest.mark.parametrize("fallback", ["drop", "hardest", "easiest"])
def test_easy_positive(cases, fallback):
    for name, points, labels, _, (table, _), k in cases:
        of_pair = {(a, p): n for a, p, n in brute_semi_hard(table, labels, fallback)}
        positives = {}
        for a, p, _ in pairs(labels):
            positives.setdefault(a, []).append(p)
        nearest = [(a, nearest_first(table, a, own)[0]) for a, own in positives.items()]
        expected = [(a, p, of_pair[a, p]) for a, p in nearest if (a, p) in of_pair]
        mined = mining.mine_easy_positive(points, fallback=fallback, block=1 + k % 4, threads=1 + k % 2)
        assert in_any_order(mined) == expected, name


def test_multi_similarity(cases):
    for name, points, labels, margin, (table, one), k in cases:
        costly = {}
        for category, (a, p, n) in brute_categories(table, one, labels, Fraction(margin)):
            if category != "easy":
                costly.setdefault(a, []).append((p, n))
        expected = [
            (a, p, n) for a, kept in costly.items() for p in sorted({p for p, _ in kept}) for n in {n for _, n in kept}
        ]
        mined = mining.mine_multi_similarity(points, margin=margin, block=1 + k % 4, threads=1 + k % 2)
        assert in_any_order(mined) == sorted(expected), name
        assert mining.estimate_multi_similarity(points, margin=margin).triplets == len(expected), name


def products(table, labels, positives, negatives):
    """Triplets of the positives and the negatives that two functions of an anchor and the rows of a kind take."""
    for a in range(len(labels)):
        own = [p for p in range(len(labels)) if p != a and labels[p] == labels[a]]
        others = [n for n in range(len(labels)) if labels[n] != labels[a]]
        if own and others:
            yield from ((a, p, n) for p in positives(a, own, others) for n in negatives(a, own, others))


def test_pair_margin(cases):
    for name, points, labels, margin, (table, one), k in cases:
        beyond, within = margin or 0.5, 2.0 * margin or 1.25
        steps = [int(Fraction(bound) * one * 2**BITS) for bound in (beyond, within)]

        def take_own(a, own, _, table=table, step=steps[0]):
            return [p for p in own if compare(table[a][p] - step) > 0]

        def take_other(a, _, others, table=table, step=steps[1]):
            return [n for n in others if compare(table[a][n] - step) < 0]

        expected = products(table, labels, take_own, take_other)
        mine = strategies.STRATEGIES["pair-margin"].mine
        mined = mine(points, farther_than=beyond, nearer_than=within, block=1 + k % 4, threads=1 + k % 2)
        assert in_any_order(mined) == list(expected), name


def test_easy_hard(cases):
    def chosen(table, way, nearest):
        def of(a, rows):
            if way == "all" or not rows:
                return rows
            return [nearest_first(table, a, rows)[0] if way == nearest else farthest(table, a, rows)]

        return of

    ways = [("easy", "semi-hard"), ("semi-hard", "easy"), ("hard", "easy"), ("all", "hard"), ("easy", "all")]
    for name, points, labels, _, (table, _), k in cases:
        positives, negatives = ways[k % len(ways)]
        own_first, other_first = chosen(table, positives, "easy"), chosen(table, negatives, "hard")

        def take_own(a, own, others, table=table, way=positives, first=own_first, other=other_first):
            if way != "semi-hard":
                return first(a, own)
            (n,) = other(a, others)
            nearer = [p for p in own if compare(table[a][p] - table[a][n]) < 0]
            return [farthest(table, a, nearer)] if nearer else []

        def take_other(a, own, others, table=table, way=negatives, first=other_first, other=own_first):
            if way != "semi-hard":
                return first(a, others)
            (p,) = other(a, own)
            return nearest_first(table, a, [n for n in others if compare(table[a][n] - table[a][p]) > 0])[:1]

        expected = sorted(products(table, labels, take_own, take_other))
        mine = strategies.STRATEGIES["easy-hard"].mine
        mined = mine(points, positives=positives, negatives=negatives, block=1 + k % 4, threads=1 + k % 2)
        assert in_any_order(mined) == expected, (name, positives, negatives)


def test_angular_triplets_whose_angle_at_the_negative_is_wider():
    """Whole numbers, so that 45 degrees are met exactly: by the integers of |a - p|^2 and 4 |c - n|^2; the chords of
    directions by 60 digits."""
    random = np.random.default_rng(8)
    mine = strategies.STRATEGIES["angular"].mine
    for k in range(30):
        n = int(random.integers(4, 14))
        x, labels = random.integers(-2, 3, size=(n, 2)) + np.array([3.0, 0]), random.integers(0, 3, size=n).tolist()
        triplets = [(a, p, b) for a, p, bs in pairs(labels) for b in bs]
        expected = [
            (a, p, b) for a, p, b in triplets if ((x[a] - x[p]) ** 2).sum() > ((x[a] + x[p] - 2 * x[b]) ** 2).sum()
        ]
        assert in_any_order(mine(sort_points(x, labels), angle=45.0, block=1 + k % 3)) == sorted(expected)
        with mp.workdps(60):
            unit = [[mp.mpf(float(v)) / mp.sqrt(mp.fdot(row, row)) for v in row] for row in x]
            expected = [
                (a, p, b)
                for a, p, b in triplets
                if sum((u - v) ** 2 for u, v in zip(unit[a], unit[p], strict=True))
                - sum((u + v - 2 * w) ** 2 for u, v, w in zip(unit[a], unit[p], unit[b], strict=True)) / 3
                > mp.mpf(10) ** -40
            ]
        points = sort_points(x, labels, metric="cosine")
        assert in_any_order(mine(points, angle=30.0, block=1 + k % 3)) == sorted(expected)


def test_uniform_histogram_takes_as_many_pairs_of_each_step():
    random = np.random.default_rng(11)
    x, labels = random.standard_normal((60, 2)), np.arange(60) % 4
    d = np.linalg.norm(x[:, None] - x[None], axis=2)
    same, other = labels[:, None] == labels[None], np.eye(60) == 0
    rows = mining.joined(strategies.mine_uniform_histogram(sort_points(x, labels), steps=8, per_bin=30)).rows
    again = mining.joined(strategies.mine_uniform_histogram(sort_points(x, labels), steps=8, per_bin=30, seed=1)).rows
    assert len(np.setdiff1d(rows @ [3600, 60, 1], again @ [3600, 60, 1]))
    for column, is_pair in ((1, same & other), (2, ~same)):
        edges = np.linspace(d[is_pair].min(), d[is_pair].max(), 9)
        taken = np.unique(rows[:, [0, column]], axis=0)
        counts, most = (np.histogram(v, edges)[0] for v in (d[taken[:, 0], taken[:, 1]], d[is_pair]))
        assert (counts <= np.minimum(most, 30)).all() and is_pair[taken[:, 0], taken[:, 1]].all()
        assert (counts >= 0.6 * np.minimum(most, 30)).all(), (
            "all, but for anchors without a drawn pair of the other kind"
        )


def test_distances_to_a_large_class_are_those_of_each_pair():
    random = np.random.default_rng(6)
    x, labels = random.standard_normal((150, 5)), np.arange(150) // 75
    mined = mining.joined(mining.mine_semi_hard(sort_points(x, labels), block=7))
    for side, told in ((1, mined.d_ap), (2, mined.d_an)):
        truth = np.array([math.dist(x[row[0]], x[row[side]]) for row in mined.rows])
        assert (abs(told - truth) <= 2 * np.spacing(truth)).all()
    of_pairs = {tuple(pair): d for pair, d in zip(mined.rows[:, :2].tolist(), mined.d_ap.tolist(), strict=True)}
    assert all(of_pairs[b, a] == d for (a, b), d in of_pairs.items()) and len(of_pairs) == 150 * 74


def test_random_semi_hard(cases):
    for name, points, labels, margin, (table, one), k in cases:
        bands = {}
        for category, (a, p, n) in brute_categories(table, one, labels, Fraction(margin)):
            if category == "semi-hard":
                bands.setdefault((a, p), []).append(n)
        expected = []
        for (a, p), band in bands.items():
            draw = float(uniform(9, np.array([a]), np.array([p]))[0])
            expected.append((a, p, nearest_first(table, a, band)[int(draw * len(band))]))
        mined = mining.mine_random_semi_hard(points, margin=margin, seed=9, block=1 + k % 4) if margin else iter(())
        assert in_any_order(mined) == expected, name


@pytest.mark.first_fast
@pytest.mark.parametrize("categories", [("hard", "semi-hard"), ("easy",), ("hard", "hard"), ("semi-hard",)])
def test_all(cases, categories):
    for name, points, labels, margin, (table, one), k in cases:
        every = brute_categories(table, one, labels, Fraction(margin))
        expected = [row for category, row in every if category in categories]
        mined = mining.mine_all(points, margin=margin, categories=categories, block=1 + k % 4, threads=1 + k % 2)
        assert in_any_order(mined) == expected, name
        estimate = mining.estimate_all(points, margin=margin, categories=categories)
        assert estimate.triplets == len(expected) and estimate.is_exact


def test_hardest_are_the_largest_differences(cases):
    for name, points, labels, _, (table, _), k in cases:
        gaps = {(a, p, n): table[a][p] - table[a][n] for a, p, negatives in pairs(labels) for n in negatives}
        count = 1 + k % 7
        chosen = rows_of(mining.mine_hardest(points, count=count, block=1 + k % 4, threads=1 + k % 2))
        assert len(chosen) == min(count, len(gaps)) == len(set(chosen)), name
        rounding = max(map(abs, gaps.values()), default=0) >> 46
        if points.gram.units is None and points.metric == "euclidean":  # distances are told in units of 2^-1074 at best
            rounding += 2 << max(0, BITS - 1074 + common_unit(points.numbers))
        ranked = sorted(gaps.values(), reverse=True)
        for row, gap in zip(chosen, ranked, strict=False):
            assert abs(gaps[row] - gap) <= rounding, name


def test_hardest_takes_the_lowest_rows_of_a_tie():
    random = np.random.default_rng(3)
    for k in range(40):
        n = int(random.integers(4, 16))
        x, labels = random.integers(0, 4, size=(n, 1)).astype(float), random.integers(0, 3, size=n).tolist()
        gaps = [(abs(x[a, 0] - x[b, 0]) - abs(x[a, 0] - x[p, 0]), (a, p, b)) for a, p, bs in pairs(labels) for b in bs]
        mined = mining.mine_hardest(sort_points(x, labels), count=6, block=1 + k % 3, threads=1 + k % 2)
        assert rows_of(mined) == [row for _, row in sorted(gaps)[:6]]


@pytest.mark.parametrize("metric", ["euclidean", "sqeuclidean"])
def test_hardest_of_a_far_positive_and_a_near_negative_takes_the_lowest_rows_of_a_tie(metric):
    """What is left of such a difference is next to nothing beside what rounding takes of it."""
    random = np.random.default_rng(0)
    for far in [(73879, 82215), *random.integers(5000, 400000, (24, 2)).tolist()]:
        ends = np.array([(0, 0), far, (1, random.integers(3))], float)
        x, labels = np.concatenate([ends, ends + np.array([3e6, 0]), [far]]), [0, 0, 2, 1, 1, 3, 1]
        x[6, 0] += 3e6  # the class of the higher rows is the larger one, whose anchors come first
        points = sort_points(x, labels, metric=metric)
        for block in (None, 1, 3):
            assert rows_of(mining.mine_hardest(points, count=1, block=block)) == [(0, 1, 2)], far


@pytest.mark.slow
def test_any_block_and_thread_count_gives_the_same_bytes(monkeypatch):
    """Of rows that tie in whole numbers too, where 50 hardest end within a tie; parts of the places of an anchor."""
    random = np.random.default_rng(4)
    x, labels = random.standard_normal((90, 40)), random.integers(0, 15, size=90)
    x[::7] = x[3]
    grid = random.integers(0, 4, size=(70, 2)).astype(float), random.integers(0, 6, size=70)
    for points in (sort_points(x, labels, normalize=True), sort_points(*grid)):
        for name, strategy in strategies.STRATEGIES.items():
            if name == "distance-weighted" and not points.is_angular:
                continue
            asked, mined = {"count": 50} if name == "hardest" else {}, []
            for block, threads, triplets in ((300, 1, 1 << 20), (7, 2, 1 << 20), (4, 3, 200)):
                monkeypatch.setattr(mining, "BLOCK_TRIPLETS", triplets)
                blocks = [*strategy.mine(points, block=block, threads=threads, **asked)]
                if name not in ("hardest", "distance-weighted"):  # these end in one block, and have blocks of their own
                    assert len(blocks) >= points.anchors / block, name
                mined.append(mining.joined(blocks))
            for part in ("rows", "d_ap", "d_an", "loss"):
                assert len({getattr(each, part).tobytes() for each in mined}) == 1, (name, part)


def test_limit_and_per_anchor():
    random = np.random.default_rng(5)
    points = sort_points(random.standard_normal((30, 3)), random.integers(0, 4, size=30))
    everything = mining.joined(mining.mine_all(points, block=5))
    assert rows_of(mining.limited(mining.mine_all(points, block=7), 100)) == rows_of([everything])[:100]
    kept = mining.joined(thinning.hardest_per_anchor(mining.mine_all(points, block=1), 3))
    gap = everything.d_ap - everything.d_an
    for anchor in np.unique(everything.rows[:, 0]):
        own = everything.rows[:, 0] == anchor
        order = np.lexsort((everything.rows[own, 2], everything.rows[own, 1], -gap[own]))[:3]
        assert kept.rows[kept.rows[:, 0] == anchor].tolist() == everything.rows[own][order].tolist()
    parts = [block[np.array([k])] for block in mining.mine_all(points, block=1) for k in range(len(block))]
    nearest = mining.joined(thinning.hardest_per_positive(parts, 2))  # cut anew after each triplet
    pairs = {}
    for distance, row in zip(everything.d_an.tolist(), rows_of([everything]), strict=True):
        pairs.setdefault(row[:2], []).append((distance, row))
    assert rows_of([nearest]) == [row for own in pairs.values() for _, row in sorted(own)[:2]]


def test_thinned_triplets_are_those_of_lists():
    """Wherever blocks end: far enough, then the nearest of a pair, then the hardest of an anchor, then the first."""
    random = np.random.default_rng(8)
    rows = sorted({(a, p, 10 + n) for a, p, n in random.integers(0, 5, (150, 3)).tolist()})
    d_ap, d_an = np.array([p / 2 for _, p, _ in rows]), random.integers(0, 6, len(rows)) / 2
    every = mining.Mined(np.array(rows), d_ap, d_an, d_ap)
    expected, of_pair, of_anchor = [], {}, {}
    nearest = sorted((a, p, far, n) for (a, p, n), far in zip(rows, d_an.tolist(), strict=True) if far >= 1.0)
    for a, p, far, n in nearest:
        if len(of_pair.setdefault((a, p), [])) < 2:
            of_pair[a, p].append((far - p / 2, p, n))
    for (a, _), found in of_pair.items():
        of_anchor.setdefault(a, []).extend(found)
    for a, found in sorted(of_anchor.items()):
        expected += [(a, p, n) for _, p, n in sorted(found)[:3]]
    thinned = Thinning(min_distance=1.0, per_positive=2, per_anchor=3, limit=len(expected) - 1)
    for step in (1, 7, 1000):
        blocks = [every[slice(at, at + step)] for at in range(0, len(rows), step)]
        assert rows_of(thinned.of(blocks)) == expected[:-1], step
    assert rows_of(thinned.of([every[:0]])) == []
    alike = mining.Mined(np.array([(0, 3, 9), (1, 3, 8), (2, 3, 7)]), np.zeros(3), np.ones(3), np.zeros(3))
    assert len(rows_of(Thinning(per_positive=1).of([alike]))) == 3


@pytest.mark.slow
def test_random_band_is_uniform():
    from scipy.stats import chisquare

    x = np.array([[0.0], [0.5], [0.6], [0.7], [0.8], [0.9], [1.0], [5.0]])
    points = sort_points(x, [0, 0, 1, 1, 1, 1, 1, 1])
    drawn = [
        row[2]
        for seed in range(2000)
        for row in rows_of(mining.mine_random_semi_hard(points, margin=0.45, seed=seed))
        if row[0] == 0
    ]
    assert len(drawn) == 2000
    assert set(drawn) == {2, 3, 4, 5}
    assert chisquare(np.bincount(drawn)[2:6]).pvalue > 1e-3


@pytest.mark.slow
def test_distance_weighted_draws_by_the_inverse_density():
    from scipy.stats import chisquare

    random = np.random.default_rng(6)
    x, d = random.standard_normal((12, 6)), 6
    x[1] = x[0] + 0.1 * random.standard_normal(d)
    labels = [0, 0, *range(1, 11)]
    points = sort_points(x, labels, normalize=True)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    distance = np.maximum(np.linalg.norm(unit[0] - unit[2:], axis=1), 0.5)
    weight = np.exp(-((d - 2) * np.log(distance) + (d - 3) / 2 * np.log(1 - distance**2 / 4))) * (distance < 1.4)
    mined = (rows_of(mining.mine_distance_weighted(points, seed=seed)) for seed in range(3000))
    drawn = [negative for rows in mined for anchor, _, negative in rows if anchor == 0]
    seen = np.bincount(np.array(drawn) - 2, minlength=10)
    assert (seen[weight == 0] == 0).all()
    assert chisquare(seen[weight > 0], 3000 * weight[weight > 0] / weight.sum()).pvalue > 1e-3
    with pytest.raises(UsageError, match="length 1"):
        mining.mine_distance_weighted(sort_points(x, labels))


def test_what_is_not_known_is_refused():
    points = sort_points(np.eye(4), [0, 0, 1, 1])
    with pytest.raises(UsageError, match="unknown category"):
        list(mining.mine_all(points, categories=["soft"]))
    with pytest.raises(UsageError, match="unknown fallback"):
        list(mining.mine_semi_hard(points, fallback="none"))
    mine = strategies.STRATEGIES
    for strategy, settings, metric in (
        ("easy-hard", {"positives": "semi-hard", "negatives": "all"}, "euclidean"),
        ("easy-hard", {"negatives": "softer"}, "euclidean"),
        ("pair-margin", {}, "dot"),
        ("angular", {}, "manhattan"),
    ):
        with pytest.raises(UsageError) as fault:
            mine[strategy].mine(sort_points(np.eye(4), [0, 0, 1, 1], metric=metric), **settings)
        assert fault.value.fix


def test_nothing_to_mine():
    for labels in ([0, 1, 2], [0, 0, 0]):
        points = sort_points(np.eye(3), labels)
        for strategy in (mining.mine_batch_hard, mining.mine_semi_hard, mining.mine_all, mining.mine_hardest):
            assert rows_of(strategy(points)) == []


@pytest.mark.slow
def test_what_is_left_of_all_triplets_is_what_lists_leave():
    """Of integer points, each way to take fewer against lists; where blocks end changes nothing."""
    random = np.random.default_rng(6)
    x, label = random.integers(0, 5, (30, 1)).astype(float), random.integers(0, 5, 30)
    whole = lossctl.mine("all", x, label, margin=3.0)
    rows = [(*map(int, row), p, n) for row, p, n in zip(whole.rows, whole.d_ap, whole.d_an, strict=True)]
    far = [row for row in rows if row[4] >= 2.0]
    of_pair, of_anchor = {}, {}
    for row in sorted(far, key=lambda row: (row[4], row[2])):
        of_pair.setdefault(row[:2], []).append(row)
    for row in sorted(rows, key=lambda row: (row[4] - row[3], *row[1:3])):
        of_anchor.setdefault(row[0], []).append(row)
    few = {row[:3] for rows in of_pair.values() for row in rows[:2]}
    hard = {row[:3] for rows in of_anchor.values() for row in rows[:3]}
    taken = lambda **asked: lossctl.mine("all", x, label, margin=3.0, **asked).rows.tolist()  # noqa: E731
    assert taken(min_distance=2.0) == [list(row[:3]) for row in far]
    assert {tuple(row) for row in taken(min_distance=2.0, per_positive=2)} == few and len(few) < len(far)
    assert {tuple(row) for row in taken(per_anchor=3)} == hard
    drawn = taken(sample=40, seed=1)
    assert len({*map(tuple, drawn)}) == 40 and [row for row in whole.rows.tolist() if row in drawn] == drawn
    assert taken(sample=40, seed=2) != drawn == taken(sample=40, seed=1, jobs=1)
    assert taken(sample=40, seed=1, limit=7) == drawn[:7] and taken(sample=10**6) == whole.rows.tolist()
    points = sort_points(x, label)
    for block in (1, 7):
        blocks = mining.mine_all(points, margin=3.0, block=block)
        assert mining.joined(Thinning(sample=40, seed=1).of(blocks)).rows.tolist() == drawn
    hits = np.zeros(len(whole), int)
    place = {tuple(row): at for at, row in enumerate(whole.rows.tolist())}
    for seed in range(200):
        hits[
            [place[tuple(row)] for row in mining.joined(Thinning(sample=200, seed=seed).of([whole])).rows.tolist()]
        ] += 1
    share = 200 / len(whole)
    spread = np.sqrt(200 * share * (1 - share))
    assert abs(hits - 200 * share).max() < 6 * spread  # each triplet is as likely as any other
    for strategy, asked in (("hardest", {"limit": 5, "per_anchor": 1}), ("semi-hard", {"min_distance": 1.0})):
        with pytest.raises(UsageError):
            lossctl.mine(strategy, x, label, **asked)


@pytest.mark.slow
def test_miners_take_what_those_of_pytorch_metric_learning_take():
    """Pairs and triplets as sets; of the drawn histogram as many of each bin as are asked for or are there."""
    miners = pytest.importorskip("pytorch_metric_learning.miners")
    distances = pytest.importorskip("pytorch_metric_learning.distances")
    import torch

    random = np.random.default_rng(26)
    y = random.integers(0, 6, 50)
    x = random.standard_normal((50, 4)) + random.standard_normal((6, 4))[y]
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    inputs, length = (torch.tensor(x), torch.tensor(y)), distances.LpDistance(normalize_embeddings=True)

    def sides(arrays):
        return [set(map(tuple, np.stack(arrays[k : k + 2], axis=1).tolist())) for k in (0, 2)]

    for name, miner, asked in (
        ("pair-margin", miners.PairMarginMiner(0.7, 1.1, distance=length), {"farther_than": 0.7, "nearer_than": 1.1}),
        ("multi-similarity", miners.MultiSimilarityMiner(0.1), {"distance": "cosine", "margin": 0.1}),
    ):
        assert sides(lossctl.mine(name, x, y, as_pairs=True, **asked).indices) == sides(miner(*inputs)), name
    for angle in (10, 35):
        wide = np.stack(miners.AngularMiner(angle)(*inputs), axis=1)
        assert sorted(lossctl.mine("angular", x, y, angle=angle).rows.tolist()) == sorted(wide.tolist()), angle
    miner = miners.UniformHistogramMiner(num_bins=12, pos_per_bin=4, neg_per_bin=4, distance=length)
    pairs = lossctl.mine("uniform-histogram", x, y, steps=12, per_bin=4, as_pairs=True).indices
    d, is_same = length(inputs[0], inputs[0]).numpy(), y[:, None] == y
    for rows, mask in ((pairs[:2], is_same & ~np.eye(50, dtype=bool)), (pairs[2:], ~is_same)):
        bins = miner.get_bins(torch.tensor(d[mask])).numpy()
        there, taken = (np.histogram(values, bins)[0] for values in (d[mask], d[rows]))
        assert taken.tolist() == np.minimum(there, 4).tolist() and mask[rows].all()


@pytest.mark.slow
def test_nearest_negatives_are_those_of_scikit_learn():
    from sklearn.metrics import pairwise_distances
    from sklearn.neighbors import NearestNeighbors

    random = np.random.default_rng(27)
    y = random.integers(0, 5, 60)
    x = random.standard_normal((60, 3)) + random.standard_normal((5, 3))[y]
    kinds = ("hard", "semi-hard", "easy")
    for metric in ("euclidean", "cosine", "manhattan"):
        rows = lossctl.mine("all", x, y, category=kinds, per_positive=3, distance=metric).rows
        for anchor, positive in dict.fromkeys(map(tuple, rows[:, :2].tolist())):
            others = np.flatnonzero(y != y[anchor])
            near = NearestNeighbors(n_neighbors=3, metric=metric).fit(x[others]).kneighbors(x[[anchor]])[1][0]
            own = rows[(rows[:, 0] == anchor) & (rows[:, 1] == positive), 2]
            assert own.tolist() == others[near].tolist(), (metric, anchor, positive)
        d = pairwise_distances(x, metric=metric)
        least, is_same = np.quantile(d, 0.2), y[:, None] == y
        far = lossctl.mine("all", x, y, margin=0.5, min_distance=least, distance=metric).rows
        meant = is_same[:, :, None] & ~np.eye(60, dtype=bool)[:, :, None] & ~is_same[:, None]
        meant &= (d[:, None] >= least) & (d[:, None] < d[:, :, None] + 0.5)
        assert sorted(far.tolist()) == np.argwhere(meant).tolist(), metric


@pytest.mark.slow
def test_pairs_are_those_of_lists():
    """Integer points with rows that are alone, noise, rows kept apart or a second set, against loops over all pairs."""
    random = np.random.default_rng(8)
    x, label = random.integers(0, 4, (30, 2)).astype(float), random.integers(0, 5, 30)
    label[:4] = [50, 51, 52, -1]
    apart = random.integers(0, 3, 30)
    other, of_other = random.integers(0, 4, (20, 2)).astype(float), random.integers(0, 6, 20)
    ways = [(p, n) for p in ("easy", "hard", "all") for n in ("easy", "hard", "all")]
    asked = [("pair-margin", {"farther_than": 1.0, "nearer_than": 2.0}), ("multi-similarity", {"margin": 1.0})]
    asked += [("easy-hard", {"positives": p, "negatives": n}) for p, n in ways]
    asked += [("uniform-histogram", {"steps": 3, "per_bin": 10**6})]
    noise, kept = {"noise_label": -1, "noise": "negatives"}, {"exclude_same": apart}
    for setting in ({}, noise, kept, {"ref": other, "ref_label": of_other}):
        y, of_y = (other, of_other) if "ref" in setting else (x, label)
        d = np.linalg.norm(x[:, None] - y[None], axis=2)
        may = np.ones(d.shape, bool) if "ref" in setting else ~np.eye(30, dtype=bool)
        may &= (apart[:, None] != apart) if setting is kept else True
        may &= (label[:, None] != -1) if setting is noise else True
        same = label[:, None] == of_y
        for strategy, options in asked:
            pairs = lossctl.mine(strategy, x, label, as_pairs=True, **options, **setting)
            a1, p, a2, n = pairs.indices
            case = strategy, options, setting
            assert pairs.distances.tolist() == pytest.approx(d[tuple(pairs.rows.T)].tolist(), rel=1e-15), case
            for kind, got in ((same, (a1, p)), (~same, (a2, n))):
                rows, taken = list(zip(*(side.tolist() for side in got), strict=True)), np.zeros(d.shape, bool)
                for anchor, mine in enumerate(may & kind):
                    others = (may & ~kind)[anchor]
                    taken[anchor] = _taken(strategy, options, d[anchor], mine, others, kind is same)
                assert len(set(rows)) == len(rows), case
                assert set(rows) == set(zip(*(side.tolist() for side in np.nonzero(taken)), strict=True)), case


def _taken(strategy, options, d, mine, others, is_positive):
    """Which of the distances `mine` of an anchor a miner of pairs takes, of the same kind; the lowest row in a tie."""
    if strategy == "uniform-histogram":
        return mine
    if strategy == "pair-margin":
        return mine & (d > options["farther_than"] if is_positive else d < options["nearer_than"])
    none = np.zeros(len(d), bool)
    if strategy == "multi-similarity":
        if not (mine.any() and others.any()):
            return none
        return mine & (d > d[others].min() - 1.0 if is_positive else d < d[others].max() + 1.0)
    way, beside = (options["positives"], options["negatives"])[:: 1 if is_positive else -1]
    if not mine.any() or (not others.any() and "all" not in (way, beside)):
        return none
    if way == "all":
        return mine
    is_farthest = (way == "easy") != is_positive
    end = d[mine].max() if is_farthest else d[mine].min()
    none[np.flatnonzero(mine & (d == end))[0]] = True
    return none


def test_a_large_file_is_told_of_with_its_time(tmp_path, monkeypatch, capsys):
    from lossctl.api import mine as api
    from lossctl.cli.app import run

    monkeypatch.setattr(api, "LARGE", 1e4)
    monkeypatch.setattr(api, "TOLD_AFTER", 0.0)
    monkeypatch.setattr(mining, "BLOCK_TRIPLETS", 100)
    x, label = np.arange(12.0)[:, None], np.arange(12) % 3
    np.savez(tmp_path / "s.npz", emb=x, label=label)
    for asked, size in (
        ("all", "288 triplets, 18.4 kB"),
        ("all --sample 280 --seed 0", "280 triplets, 17.9 kB"),  # written at the end, all at once
        ("uniform-histogram --steps 9 --per-bin 9", "about 243 triplets, about 15.6 kB"),  # 36 of 36 pairs x 81 / 12
        ("batch-hard", ""),
    ):
        words = ["mine", *asked.split(), str(tmp_path / "s.npz"), "--margin", "100", "-o", str(tmp_path / "m.csv")]
        code, text = run(words), capsys.readouterr().err
        assert code == 0 and (f"m.csv will be large: {size}" in text) == bool(size), (asked, text)
        assert bool(re.search(r"writing it takes about \d+ seconds", text)) == bool(size), (asked, text)
