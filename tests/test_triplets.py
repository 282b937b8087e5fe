"""Counts of triplets are those of exact arithmetic, for any set; losses are those of the definitions."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import mpmath as mp
import numpy as np
import pytest
from exact_distances import category_counts
from random_sets import codes, sets, sets_at_a_tie

from lossctl.errors import DataError, UsageError
from lossctl.losses.embedding import batch_all
from lossctl.sets import counting, ordered, ranks, strips
from lossctl.sets import points as points_module
from lossctl.sets import ties as judging
from lossctl.sets.batches import sampled
from lossctl.sets.chords import whole_directions
from lossctl.sets.diagnosis import Appearance, diagnose, surely_spread
from lossctl.sets.gram import Gram
from lossctl.sets.panels import anchor_losses
from lossctl.sets.points import sort_points
from lossctl.sets.triplets import breakdown

LINE = np.arange(9.0)[:, None]
LINE_LABELS = [0, 0, 1, 1, 0, 2, 1, 1, 1]


def counts_of(x, labels, margin, **options):
    found = breakdown(x, labels, margins=[margin], **options)
    c = found.margins[0].categories
    assert found.certified, found.why
    return c.easy, c.semi_hard, c.hard, c.hard_ties, c.margin_ties


@pytest.mark.parametrize("seed", range(5))
def test_equal_exact_arithmetic(seed):
    for name, x, labels, margin in sets(seed, 72, 18):
        assert counts_of(x, labels, margin) == category_counts(x, labels, margin), (name, x, labels, margin)


@pytest.mark.first_fast
@pytest.mark.parametrize(
    "metric, normalize",
    [("sqeuclidean", False), ("euclidean", True), ("sqeuclidean", True), ("cosine", False)]
    + [(metric, False) for metric in ("angular", "manhattan", "minkowski:3", "dot")],
)
def test_equal_exact_arithmetic_in_other_metrics(metric, normalize):
    options = {"metric": metric, "normalize": normalize}
    is_angular = normalize or metric in ("cosine", "angular")
    for name, x, labels, margin in sets(11, 72, 10):
        if is_angular:
            kept = x.any(axis=1)
            x, labels = x[kept], [label for label, keep in zip(labels, kept, strict=True) if keep]
            margin = min(max(margin, 0.125), 1.0) if margin else 0.0
        if len(x) and (is_angular or name != "huge"):
            expected = category_counts(x, labels, margin, **options)
            assert counts_of(x, labels, margin, **options) == expected, (name, x, labels, margin)


@pytest.mark.parametrize("metric, normalize", [("cosine", False), ("euclidean", True), ("sqeuclidean", True)])
def test_directions_that_tie(metric, normalize):
    options = {"metric": metric, "normalize": normalize}
    for name, x, labels, margin in codes(3):
        assert sort_points(x, labels, **options).gram.is_exact, name
        assert counts_of(x, labels, margin, **options) == category_counts(x, labels, margin, **options), name


def test_directions_of_whole_numbers_of_many_lengths():
    """Equal products tie only where lengths are equal too."""
    random = np.random.default_rng(0)
    for _ in range(4):
        x, labels = random.integers(-2, 3, (14, 2)).astype(float), random.integers(0, 3, 14).tolist()
        x[~x.any(axis=1)] = 1
        assert counts_of(x, labels, 0.0, metric="cosine") == category_counts(x, labels, 0.0, metric="cosine"), x


@pytest.mark.parametrize("bits", [25, 26, 29])
def test_products_of_whole_numbers_that_float64_rounds_are_no_ties(bits):
    """Rows of one length whose products with another differ by 1: up to 25 bits their sums are exact."""
    random = np.random.default_rng(0)
    for _ in range(12):
        ends = random.integers(2 ** (bits - 1) + 1, 2**bits - 1, 3)[:, None] + np.array([1, 0, 0, 0])
        x, labels = np.concatenate([ends, np.roll(ends, 1, axis=1)]).astype(float), [0, 0, 0, 1, 1, 1]
        assert (whole_directions(x) is None) == (bits > 25)
        assert counts_of(x, labels, 0.0, metric="cosine") == category_counts(x, labels, 0.0, metric="cosine"), x


def test_powers_of_distances_far_below_the_largest():
    """On a line every distance is a difference. The logarithm of such a power is large, and so is what rounding 1 / p
    does to its root."""
    random = np.random.default_rng(0)
    for _ in range(24):
        d = random.uniform(1, 2) * 1e-95
        margin = random.uniform(0.05, 0.5) * d
        x = np.array([[0.0], [d], [(d + margin) * (1 + random.integers(-200, 200) * 2.0**-53)], [1.0]])
        at = [[abs(Fraction(a) - Fraction(b)) for b in x[:, 0]] for a in x[:, 0]]
        gaps = [at[a][n] - at[a][p] for a, p in ((0, 1), (1, 0)) for n in (2, 3)]
        easy, hard = sum(gap >= Fraction(margin) for gap in gaps), sum(gap <= 0 for gap in gaps)
        counts = counts_of(x, [0, 0, 1, 2], margin, metric="minkowski:3")
        assert counts[:3] == (easy, 4 - easy - hard, hard), (x, margin)


@pytest.mark.parametrize("margin", [math.pi, 3.14159265, math.nextafter(math.pi, 4), 3.0])
def test_angles_that_reach_a_half_turn(margin):
    """Opposite vectors are pi apart, which is more than the float64 next to it."""
    x, labels = np.array([[1.0, 0.3], [2, 0.6], [1, 0.3 + 1e-9], [-1, -0.3], [-1, -0.3 + 1e-9]]), [0, 0, 0, 1, 1]
    counts = counts_of(x, labels, margin, metric="angular")
    assert counts == category_counts(x, labels, margin, "angular")


@pytest.mark.slow
def test_equal_exact_arithmetic_at_sixty():
    for name, x, labels, margin in sets(99, 24, 60):
        x, labels = np.resize(x, (60, x.shape[1])), (labels * 60)[:60]
        assert counts_of(x, labels, margin) == category_counts(x, labels, margin), name


@pytest.mark.parametrize("largest", [12, 40])
def test_equal_exact_arithmetic_at_margins_that_nearly_tie(largest):
    for name, x, labels, margin in sets_at_a_tie(largest, 96, largest):
        assert counts_of(x, labels, margin) == category_counts(x, labels, margin), (name, margin)


@pytest.mark.parametrize("most, at_once", [(0.0, 1), (0.0, 100), (0.5, 100), (1.0, 1 << 15)])
def test_equal_exact_arithmetic_in_the_order_of_squares_alone(monkeypatch, most, at_once):
    """All of an anchor's squares in order, or those that matter; where a bound is missing, counts are wrong."""
    monkeypatch.setattr(judging, "WIDE", 1e-9)
    monkeypatch.setattr(judging, "SHORT", 0)
    monkeypatch.setattr(ordered, "MOST", most)
    monkeypatch.setattr(ordered, "AT_ONCE", at_once)
    monkeypatch.setattr(counting, "FEW", -1.0)  # else the few points of such sets all have columns
    random = np.random.default_rng(961480225)
    halves = random.integers(0, 9, (24, 2)).astype(float), random.integers(0, 3, 24).tolist()
    cases = [("ties", *halves, 0.0), *sets_at_a_tie(5, 48, 30), *sets(6, 24, 24)]
    expected = [category_counts(x, labels, margin) for _, x, labels, margin in cases]
    for case, counts in zip(cases, expected, strict=True):
        assert counts_of(*case[1:], bins=0) == counts, case
        assert counts_of(*case[1:], bins=0, block=5) == counts, case
    monkeypatch.setattr(Gram, "bounds", lambda gram, start, stop: np.zeros(stop - start))
    assert sum(counts_of(*case[1:], bins=0) != counts for case, counts in zip(cases, expected, strict=True)) > 0


@pytest.mark.parametrize("most", [0.0, 1.0])
def test_what_may_be_nearest_is_in_order_where_no_threshold_is_as_far(monkeypatch, most):
    """Negatives that tie but for rounding."""
    monkeypatch.setattr(ordered, "MOST", most)
    order = np.array([*itertools.permutations(range(5))])
    x = np.array([5, 5.5, -5, -5.5, 0.3])[order] + 4e-15 * np.random.default_rng(0).standard_normal(order.shape)
    points = sort_points(np.repeat(x, 2, axis=0), np.repeat(np.arange(120), 2))
    squares, bounds = points.squares(0, 240), points.gram.bounds(0, 240)
    squares[~points.relations(0, 240)[1]] = np.inf
    limits = squares.min(axis=1) + 4 * bounds
    kept = ordered.in_order(judging.make_judge(points), squares, np.full(240, -1.0), bounds)
    assert (kept.nearest == squares.argmin(axis=1)).all()
    for row, (begin, end) in enumerate(itertools.pairwise(kept.starts)):
        line = kept.squares[begin:end]
        assert (np.diff(line[np.isfinite(line)]) >= 0).all() and line[-1] == np.inf
        assert (line[line <= limits[row]] == np.sort(squares[row][squares[row] <= limits[row]])).all()


@pytest.mark.parametrize("share", [0.06, *(pytest.param(share, marks=pytest.mark.slow) for share in (0.02, 0.2))])
def test_equal_exact_arithmetic_where_products_lose_bits(share):
    """Two far groups, which no centring helps, and margins that all but tie."""
    random = np.random.default_rng(8)
    for _ in range(40):
        x = random.choice([-1.0, 1.0], (24, 1)) * random.uniform(0.5, 1, 12) + share * random.standard_normal((24, 12))
        labels = [*map(int, random.integers(0, 4, 24))]
        d = np.sqrt(((x - x[0]) ** 2).sum(axis=1))
        for margin in (float(abs(d[i] - d[k])) for i, k in random.integers(1, 24, (4, 2))):
            assert counts_of(x, labels, margin) == category_counts(x, labels, margin)


def test_any_block_and_thread_count_gives_the_same_counts(monkeypatch):
    random = np.random.default_rng(1)
    x, labels = random.standard_normal((150, 4)).round(1), random.integers(0, 9, size=150)
    options = {"margins": [0.0, 0.3, 1.0], "by_class": True, "pairs": 5}
    first = breakdown(x, labels, block=150, threads=1, **options)
    monkeypatch.setattr(ranks, "ADDED", 1)  # as where there are more points than are added up at a time
    second = breakdown(x, labels, block=7, threads=2, **options)
    assert [at.categories for at in first.margins] == [at.categories for at in second.margins]
    assert first.classes == second.classes
    assert first.pairs == second.pairs
    assert first.negatives.counts == second.negatives.counts
    for one, other in zip(first.margins, second.margins, strict=True):
        assert one.batch_hard == other.batch_hard
        assert one.batch_all_sum == pytest.approx(other.batch_all_sum, rel=1e-13)


# ---------------------------------------------------------------------------------------------------- negative controls


def distances_and_margins(random: np.random.Generator, metric: str) -> Iterator[tuple[float, float]]:
    """Squares of distances, or what stands for them, and margins of all sizes beside them."""
    for k in range(400):
        if metric == "angular":
            angle = math.pi * random.uniform() ** random.integers(1, 9)
            rest = (math.pi - angle) * (1 + random.choice([-1, 1]) * 2.0 ** -random.integers(2, 53))
            yield 4 * math.sin(angle / 2) ** 2, float(random.choice([rest, random.uniform(0, math.pi), 1e-9]))
            continue
        square = 2.0 ** (
            random.uniform(-1000, 3) if k % 3 else random.uniform(-1070, -1000) if k % 2 else random.uniform()
        )
        root = {"euclidean": square**0.5, "minkowski:3": square ** (1 / 3)}.get(metric, square)
        yield square, min(root * 2.0 ** random.uniform(-12, 12), 1.0)


def threshold(metric: str, square: float, margin: float) -> mp.mpf:
    """What stands for d + margin, where `square` stands for d."""
    s, m = mp.mpf(square), mp.mpf(margin)
    if metric == "angular":
        angle = 2 * mp.asin(mp.sqrt(s) / 2) + m
        return mp.mpf(points_module.HUGE) if angle > mp.pi else 4 * mp.sin(angle / 2) ** 2
    power = {"euclidean": 2, "minkowski:3": 3}.get(metric, 1)
    return (mp.root(s, power) + (2 * m if metric == "cosine" else m)) ** power


@pytest.mark.parametrize(
    "metric, rooms",
    [
        ("euclidean", ["ROUNDING", "TINY"]),
        ("minkowski:3", ["ROOTS"]),
        ("sqeuclidean", ["ROUNDING"]),
        ("cosine", ["ROUNDING"]),
        ("angular", ["TURNED"]),
    ],
)
def test_a_threshold_lies_between_its_ends(monkeypatch, metric, rooms):
    """And what a screen leaves out as too near does not reach it; without any of the rooms for rounding this fails."""
    judge = judging.make_judge(sort_points(np.diag([0.25, 0.26, 0.27, 0.28]) / 3 + 0.1, [0, 0, 1, 1], metric=metric))
    cases, unit = (
        [*distances_and_margins(np.random.default_rng(1), metric)],
        0 if metric in ("cosine", "angular") else 1,
    )
    shift = judge.gram.shift * unit * (2 if metric == "sqeuclidean" else 1)
    with mp.workprec(300):
        truths = [threshold(metric, square, math.ldexp(margin, shift)) for square, margin in cases]

    def faults():
        found = [0, 0, 0]
        for (square, margin), truth in zip(cases, truths, strict=True):
            low, high = judging.interval(judge, np.array([square]), np.zeros(1), margin)
            least = judging.minus_margin(judge.points, judge.gram, np.array([float(truth) * (1 - 2.0**-53)]), margin)
            found = np.add(found, [low[0] > truth, high[0] < truth, truth < 5 and least[0] > square])
        return found.tolist()

    assert faults() == [0, 0, 0]
    for room in rooms:
        with monkeypatch.context() as patch:
            patch.setattr(judging, room, 0.0)
            assert sum(faults()) > 0, room


@pytest.mark.parametrize("metric", ["euclidean", "sqeuclidean", "cosine", "manhattan", "minkowski:3"])
def test_thresholds_beside_exact_numbers_have_room_for_their_rounding(monkeypatch, metric):
    """Whole numbers, whose distances are exact, and margins one rounding from a difference of two: only the room of a
    threshold stands between rounding and a count. A quarter of it is proven enough; a 32nd is not."""
    random, (stem, _, power) = np.random.default_rng(0), metric.partition(":")
    cases = []
    while len(cases) < 24:
        x = random.choice([-1.0, 1.0], (8, 8)) if metric == "cosine" else random.integers(-50, 51, (8, 3)).astype(float)
        steps = abs(x[0] - x[1:])
        d = (steps ** float(power or (1 if stem == "manhattan" else 2))).sum(axis=1)
        d = {"euclidean": d**0.5, "cosine": d / 16, "minkowski": d ** (1 / 3)}.get(stem, d)
        margin = float(d[random.integers(3, 7)] - d[random.integers(3)]) * (1 + random.integers(-2, 3) * 2.0**-53)
        cases += [(x, [0, 0, 0, 0, 1, 1, 1, 1], margin)] if margin > 0 else []
    expected = [category_counts(*case, metric=metric) for case in cases]
    assert [counts_of(*case, metric=metric) for case in cases] == expected
    monkeypatch.setattr(judging, "ROUNDING", judging.ROUNDING / 32)
    monkeypatch.setattr(judging, "ROOTS", 0.0)
    assert [counts_of(*case, metric=metric) for case in cases] != expected


def gram_counts(x, labels, margin, dtype):
    """The quick way: |a|^2 + |b|^2 - 2ab in one precision, compared as it comes."""
    x = np.asarray(x, dtype)
    norms = (x * x).sum(axis=1)
    d = np.sqrt(np.maximum(norms[:, None] + norms - 2 * x @ x.T, 0))
    labels = np.asarray(labels)
    positive = (labels[:, None] == labels) & ~np.eye(len(x), dtype=bool)
    valid = positive[:, :, None] & (labels[:, None] != labels)[:, None, :]
    gap = (d[:, None, :] - d[:, :, None])[valid]
    hard, easy = int((gap <= 0).sum()), int(((gap >= margin) & (gap > 0)).sum())
    return easy, gap.size - easy - hard, hard


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid", "ignore:underflow")
@pytest.mark.parametrize("dtype, failures", [(np.float32, 12), (np.float64, 6)])
def test_the_quick_way_fails_where_ours_is_right(dtype, failures):
    wrong = sum(
        gram_counts(x, labels, margin, dtype) != counts_of(x, labels, margin)[:3]
        for _, x, labels, margin in sets(0, 72, 18)
    )
    assert wrong > failures


@pytest.mark.slow
@pytest.mark.parametrize("metric, normalize", [("euclidean", False), ("cosine", False), ("sqeuclidean", True)])
def test_whatever_share_passes_the_screen_the_counts_are_exact(monkeypatch, metric, normalize):
    """Every way that a strip can take, on the same sets: counts of triplets, and the active ones of batch-all."""
    for name, x, labels, margin in sets(21, 24, 16):
        kept = x.any(axis=1)
        x, labels = x[kept], [label for label, keep in zip(labels, kept, strict=True) if keep]
        if metric == "cosine" or normalize:
            margin = min(max(margin, 0.125), 1.0) if margin else 0.0
        elif name == "huge":
            continue
        if not len(x):
            continue
        options = {"metric": metric, "normalize": normalize}
        expected = category_counts(x, labels, margin, **options)
        ways = ((1.0, 1.0, 1, 1 << 6), (0.0, 1.0, 1 << 20, 1 << 18), (0.0, -1.0, 1, 1 << 18), (1.0, 0.25, 1, 1 << 4))
        ways = [(*way, wide) for way in ways for wide in (8, 1e-9)]
        monkeypatch.setattr(judging, "SHORT", 0)
        for few, most, long, values, wide in ways:
            monkeypatch.setattr(judging, "WIDE", wide)
            for constant, value in {
                "FEW": few,
                "MOST": most,
                "LONG": long,
                "STRIP": values,
                "SCREENED": values,
                "THINNED": values,
            }.items():
                monkeypatch.setattr(strips, constant, value)
            with_screen = {"bins": 0} if few else {}  # else the histograms need all products
            assert counts_of(x, labels, margin, **with_screen, **options) == expected, (name, few, most)
            losses = anchor_losses(sort_points(x, labels, **options), lambda p, m=margin: batch_all(p, margin=m))
            assert losses.weight.sum() == expected[1] + expected[2] - (0 if margin else expected[3]), (name, few, most)


def nasty_points() -> Iterator[tuple[str, np.ndarray]]:
    random = np.random.default_rng(5)
    x = random.standard_normal((9, 5))
    yield "plain", x
    yield "near ties", x[0] * (1 + 1e-8 * random.standard_normal((9, 5)))
    yield "an offset", x + 1e6
    yield "two far groups", np.where(np.arange(9) % 2, 1e6, -1e6)[:, None] + x
    yield "equal rows", np.repeat(x[:3], 3, axis=0)
    yield "tiny", x * 1e-30
    yield "huge", x * 1e30
    yield "subnormal", np.ceil(x * 9) * 5e-324
    yield "lost beside a large one", np.vstack([x * 1e-43, x[:1] * 2.0**18])
    yield "columns of all sizes", x * [1e5, 1.0, 1e-20, 1e-42, 1e-300]


def errors_and_bounds(gram, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N, N) how far squared distances are from the truth, in rational arithmetic, and (N, 1) their bounds."""
    n, scale = len(x), Fraction(4) ** gram.shift
    rows = [[Fraction(float(value)) for value in row] for row in x]
    true = [[scale * sum((u - v) ** 2 for u, v in zip(a, b, strict=True)) for b in rows] for a in rows]
    squares = gram.squares(0, n)
    errors = [[abs(Fraction(float(squares[i, j])) - true[i][j]) for j in range(n)] for i in range(n)]
    return np.array([[float(error) for error in row] for row in errors]), gram.bounds(0, n)[:, None]


def test_no_distance_by_differences_errs_by_more_than_its_bound():
    """And no bound is idle: a hundredth of it would fail. Of directions too, by hundreds of digits."""
    shares = {"euclidean": [], "cosine": []}
    for metric, own in shares.items():
        for name, x in nasty_points():
            if metric == "cosine" and not x.any(axis=1).all():
                continue
            points = sort_points(x, np.arange(len(x)) // 3, metric=metric)
            gram, i, j = points.gram, *np.divmod(np.arange(len(x) ** 2), len(x))
            squares = gram.direct(i, j)
            with mp.workdps(400 if metric == "cosine" else 1200):
                rows = [[mp.mpf(float(value)) for value in row] for row in points.x]
                if metric == "cosine":
                    rows = [[value / mp.sqrt(mp.fdot(row, row)) for value in row] for row in rows]
                scale = mp.mpf(4) ** gram.shift
                true = [
                    scale * mp.fsum((u - v) ** 2 for u, v in zip(rows[a], rows[b], strict=True))
                    for a, b in zip(i, j, strict=True)
                ]
                errors = np.array([float(abs(square - t)) for square, t in zip(squares.tolist(), true, strict=True)])
            bounds = gram.direct_errors(squares) + gram.spread * squares
            assert (errors <= bounds).all(), (metric, name)
            own.append(float((errors[bounds > 0] / bounds[bounds > 0]).max(initial=0.0)))
    assert all(1e-2 < max(own) < 1 for own in shares.values()), shares


def test_no_product_errs_by_more_than_its_bound():
    """That of a screen in float32 too, wherever the points lie; and no bound is idle: a thousandth of it would fail."""
    shares = {np.float32: [], np.float64: []}
    for name, x in nasty_points():
        points = sort_points(x, np.arange(len(x)) // 3)
        for gram in (points.gram, points.screen):
            errors, bounds = errors_and_bounds(gram, points.x)
            assert (errors <= bounds).all(), (name, gram.right.dtype)
            if not gram.is_exact:
                shares[gram.right.dtype.type].append(float((errors / bounds).max()))
    assert all(1e-3 < max(of) < 1 for of in shares.values()), shares


def test_whole_numbers_are_exact_as_far_as_they_are_said_to_be():
    """Squares of the widest grids, far from its own lowest corner too, leave the bits free that number the points."""
    random, widest = np.random.default_rng(4), []
    for columns in (1, 3, 16):
        for bits in range(16, 30):
            x = random.choice([0, 2**bits - 1, 2 ** (bits - 1) + 1], (40, columns))
            gram = sort_points(x.astype(float), np.arange(40) // 2).gram
            if gram.is_exact:
                squares, mask = gram.squares(0, 40), (1 << 6) - 1
                assert (squares == ((x[:, None] - x) ** 2).sum(axis=2)).all(), (columns, bits)
                assert not (squares.view(np.int64) & mask).any(), (columns, bits)
                widest.append((columns, bits))
    assert {columns: bits for columns, bits in widest} == {1: 22, 3: 21, 16: 20}


def test_a_screen_that_is_too_narrow_is_noticed(monkeypatch):
    """The negative control: without its bound, the screen loses what float32 cannot tell."""
    random = np.random.default_rng(8)
    groups = np.where(np.arange(400) < 200, -1.0, 1.0)[:, None] * random.uniform(0.5, 1, 12)
    x, labels = groups + 0.02 * random.standard_normal((400, 12)), np.arange(400) // 4

    def active():
        return anchor_losses(sort_points(x, labels), lambda panel: batch_all(panel, margin=0.0)).weight.sum()

    expected = active()  # most pass: nothing is left out
    monkeypatch.setattr(strips, "MOST", 1.0)
    monkeypatch.setattr(strips, "FEW", 1.0)
    assert active() == expected
    narrow = points_module.narrow
    monkeypatch.setattr(points_module, "narrow", lambda gram: replace(narrow(gram), slope=0.0, floor=0.0))
    assert active() < expected


@pytest.mark.parametrize("margin", [1e-300, 5e-324, 1e-160])
@pytest.mark.parametrize("metric", ["euclidean", "sqeuclidean"])
def test_tiny_margins_make_no_ties(margin, metric):
    found = breakdown(np.repeat([[0.25, 0.75]], 4, 0), [0, 0, 1, 1], margins=[margin], metric=metric).margins[0]
    assert (found.categories.easy, found.categories.semi_hard, found.categories.hard) == (0, 0, 8)
    assert (found.categories.hard_ties, found.categories.margin_ties, found.active) == (8, 0, 8)


def test_bins_of_subnormal_distances_hold_no_negative_number():
    found = breakdown(np.array([[0], [1], [0], [0]]) * 5e-324, [0, 0, 1, 2], margins=[1.0])
    assert min(found.positives.counts) == 0 and sum(found.positives.counts) == found.positives.pairs


@pytest.mark.filterwarnings("error")
def test_crowded_anchors_at_distance_0():
    x = np.tile(np.random.default_rng(2).standard_normal((12, 2)), (3, 1)) * 1e200
    labels = [*range(12), *range(12), *range(12, 24)]
    for margin in (0.2, 0.0):
        assert counts_of(x, labels, margin) == category_counts(x, labels, margin)


def test_triplets_that_only_integers_tell_from_ties_have_their_loss():
    from fractions import Fraction

    x, labels = np.array([[0.0], [1.0], [1.0 + 2**-50], [3.0]]), [0, 0, 1, 1]
    for metric in ("euclidean", "sqeuclidean"):
        at = breakdown(x, labels, margins=[2.0**-49], metric=metric).margins[0]
        exact = [[Fraction(float(a[0])) - Fraction(float(b[0])) for b in x] for a in x]
        d = [[abs(v) if metric == "euclidean" else v * v for v in row] for row in exact]
        terms = [
            d[a][p] - d[a][n] + Fraction(2) ** -49
            for a in range(4)
            for p in range(4)
            for n in range(4)
            if a != p and labels[a] == labels[p] != labels[n]
        ]
        assert at.active == sum(term > 0 for term in terms)
        assert at.batch_all_sum == pytest.approx(float(sum(term for term in terms if term > 0)), rel=1e-12)


def test_histograms_count_every_distance_in_its_bin():
    random = np.random.default_rng(9)
    x, labels = random.standard_normal((90, 3)), random.choice(4, 90, p=[0.6, 0.2, 0.1, 0.1])
    found, d = breakdown(x, labels), np.sqrt(((x[:, None] - x) ** 2).sum(-1))
    same = labels[:, None] == labels
    for side, mask in ((found.positives, same & ~np.eye(90, dtype=bool)), (found.negatives, ~same)):
        edges = [-np.inf, *found.edges[1:-1], np.inf]
        assert side.counts == tuple(np.histogram(d[mask], edges)[0])
        assert (side.smallest, side.mean, side.largest) == pytest.approx((d[mask].min(), d[mask].mean(), d[mask].max()))


def test_the_least_distances_have_all_digits():
    """Where a product of matrices would have lost some: tight classes far from the centre."""
    random = np.random.default_rng(0)
    y = np.arange(150) // 5
    x = 9 * random.normal(size=(30, 16))[y] + 0.9 * random.normal(size=(150, 16)) + 5
    wide = x.astype(np.longdouble)
    squares = ((wide[:, None] - wide) ** 2).sum(axis=2)
    same = y[:, None] == y
    for metric, truth in (("sqeuclidean", squares), ("euclidean", np.sqrt(squares))):
        counts = breakdown(x, y, metric=metric, threads=1)
        for side, mask in ((counts.positives, same & ~np.eye(150, dtype=bool)), (counts.negatives, ~same)):
            least = truth[mask].min()
            assert abs(side.smallest - least) <= 2 * np.spacing(float(least)), (metric, side)


def test_a_tight_cluster_far_from_others_has_all_digits():
    """A product of matrices leaves ten digits of its distances."""
    random = np.random.default_rng(0)
    x, labels = random.standard_normal((46, 3)), np.arange(46) % 2
    x[:40] = 1 + 1e-7 * x[:40]
    x[40:] *= 100
    found = breakdown(x, labels, margins=[0.0])
    with mp.workprec(300):
        rows = [[mp.mpf(value) for value in row] for row in x.tolist()]
        d = [[mp.sqrt(mp.fsum((u - v) ** 2 for u, v in zip(a, b, strict=True))) for b in rows] for a in rows]
        others = [[k for k in range(46) if k % 2 != a % 2] for a in range(2)]
        pairs = [(a, p) for a in range(46) for p in range(a % 2, 46, 2) if a != p]
        loss = mp.fsum(max(d[a][p] - d[a][k], 0) for a, p in pairs for k in others[a % 2])
        mean = mp.fsum(d[a][k] for a in range(46) for k in others[a % 2]) / (46 * 23)
    assert abs(found.margins[0].batch_all_sum / loss - 1) < 1e-15
    assert abs(found.negatives.mean / mean - 1) < 1e-15


def test_an_endless_margin():
    x, labels = np.random.default_rng(0).standard_normal((10, 2)), np.arange(10) % 3
    assert breakdown(x, labels, margins=[1.5e308]).margins[0].batch_all_sum == np.inf


def test_retrieval_by_inner_products_leaves_the_anchor_out_where_all_is_measured_again():
    random = np.random.default_rng(3)
    x, labels = random.standard_normal((150, 8)), np.arange(150) // 16
    x[:3] *= 1e6
    at_r = []
    for i in range(150):
        is_positive = (labels == labels[i]) & (np.arange(150) != i)
        order = np.lexsort((is_positive, -x @ x[i]))
        hits = is_positive[order[order != i]][: is_positive.sum()]
        at_r.append((np.cumsum(hits) / np.arange(1, len(hits) + 1) * hits).mean())
    retrieval = breakdown(x, labels, metric="dot").retrieval
    assert retrieval.map_at_r == pytest.approx(np.mean(at_r), rel=1e-12)


def test_what_is_left_undecided_is_said(monkeypatch):
    monkeypatch.setattr(judging, "LEAST_BUDGET", 0)
    monkeypatch.setattr(judging, "EXACT_WORK", 0)
    found = breakdown(np.eye(12) * 0.1, np.arange(12) % 3)
    assert not found.certified
    assert found.undecided > 0
    assert str(found.undecided) in found.why


def test_a_tight_cluster_far_from_another_is_measured_again():
    random = np.random.default_rng(5)
    x = 1e-7 * random.standard_normal((400, 2))
    x[:200] += 1.0
    labels = random.integers(0, 4, size=400)
    d = np.sqrt(((x[:, None] - x) ** 2).sum(-1))
    same = labels[:, None] == labels
    valid = (same & ~np.eye(400, dtype=bool))[:, :, None] & ~same[:, None, :]
    hard = int(((d[:, None, :] <= d[:, :, None]) & valid).sum())
    assert counts_of(x, labels, 1e-7)[2] == hard


# ----------------------------------------------------------------------------------------------------- the known values


def test_the_line():
    found = breakdown(LINE, LINE_LABELS)
    at = found.margins[0]
    assert (at.categories.easy, at.categories.semi_hard, at.categories.hard) == (59, 0, 57)
    assert (at.categories.hard_ties, at.categories.margin_ties) == (8, 16)  # others print 43 / 16 / 57 or 43 / 0 / 49
    assert at.batch_all_sum == 165
    assert at.batch_all_mean_active == pytest.approx(2.89474, abs=5e-6)
    assert at.batch_all_mean == pytest.approx(1.42241, abs=5e-6)
    assert at.batch_hard == 4.125
    assert (found.anchors.used, found.anchors.without_positive) == (8, 1)


@pytest.mark.parametrize(
    "options, expected", [({}, (8, 3, 1)), ({"metric": "sqeuclidean", "normalize": True}, (4, 7, 1))]
)
def test_the_fan(options, expected):
    angle = np.deg2rad([0.0, 20.0, 40.0, 60.0, 80.0])
    x = np.stack([2 * np.cos(angle), 0.5 * np.sin(angle)], axis=1)
    assert counts_of(x, [0, 0, 1, 1, 2], 0.2, **options)[:3] == expected


def test_margins_in_one_pass_are_margins_one_by_one():
    margins = [1.0, 0.0, 0.25, 3.0]
    together = breakdown(LINE, LINE_LABELS, margins=margins)
    for margin, at in zip(margins, together.margins, strict=True):
        assert at == breakdown(LINE, LINE_LABELS, margins=[margin]).margins[0]


def test_many_margins_of_a_large_class_keep_the_bits_of_whole_numbers():
    x, labels = np.random.default_rng(3).integers(-400, 401, (150, 1)).astype(float), np.arange(150) // 120
    margins = [0.0, 0.5, 1.0, 2.0, 5.0, 7.0, 60.0]
    together = breakdown(x, labels, margins=margins)
    assert sum(at.categories.margin_ties for at in together.margins) > 1000
    for margin, at in zip(margins, together.margins, strict=True):
        assert at == breakdown(x, labels, margins=[margin]).margins[0]


@pytest.mark.parametrize("metric", ["euclidean", "sqeuclidean", "cosine"])
@pytest.mark.parametrize("with_duplicates", [False, True])
def test_losses_classes_pairs_and_histograms_from_definitions(metric, with_duplicates):
    random = np.random.default_rng(2)
    x, labels = random.standard_normal((60, 4)), random.integers(0, 5, size=60)
    if with_duplicates:
        x = x[random.integers(0, 20, size=60)]
    found = breakdown(x, labels, margins=[0.3], metric=metric, by_class=True, pairs=100)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True) / np.sqrt(2)
    d = (((unit[:, None] - unit) if metric == "cosine" else (x[:, None] - x)) ** 2).sum(-1)
    d = np.sqrt(d) if metric == "euclidean" else d
    same = labels[:, None] == labels
    positive = same & ~np.eye(60, dtype=bool)
    valid = positive[:, :, None] & ~same[:, None, :]
    gap = d[:, :, None] - d[:, None, :]
    at = found.margins[0]
    assert at.batch_all_sum == pytest.approx(np.maximum(gap + 0.3, 0)[valid].sum(), rel=1e-13)
    worst = np.where(positive, d, 0).max(1) - np.where(same, np.inf, d).min(1)
    assert at.batch_hard == pytest.approx(np.maximum(worst + 0.3, 0).mean(), rel=1e-13)
    hard = ((gap >= 0) & valid).sum(axis=1)
    for pair in found.pairs:
        assert pair.hard == hard[labels == pair.anchor][:, labels == pair.negative].sum()
    assert sum(pair.hard for pair in found.pairs) == at.categories.hard
    for share in found.classes:
        assert share.categories[0].hard == hard[labels == share.label].sum()
        assert share.points == (labels == share.label).sum()
    for side, mask in ((found.positives, positive), (found.negatives, ~same)):
        assert side.pairs == mask.sum() == sum(side.counts)
        assert side.mean == pytest.approx(d[mask].mean(), rel=1e-13)
        assert side.largest == pytest.approx(d[mask].max(), rel=1e-13)
        assert side.counts[1:-1] == tuple(np.histogram(d[mask], found.edges)[0][1:-1])


# --------------------------------------------------------------------------------------------- batches, facts, refusals


def test_batches_see_what_breakdowns_of_them_see():
    random = np.random.default_rng(3)
    x, labels = random.standard_normal((90, 4)), np.repeat(np.arange(9), 10)
    found = sampled(x, labels, classes=4, rows=3, batches=5, seed=7, margins=[0.2, 1.0])
    assert found == sampled(x, labels, classes=4, rows=3, batches=5, seed=7, margins=[0.2, 1.0])
    assert found != sampled(x, labels, classes=4, rows=3, batches=5, seed=8, margins=[0.2, 1.0])
    assert found.certified
    assert found.eligible == 9
    at = found.margins[0]
    assert at.easy.mean + at.semi_hard.mean + at.hard.mean == pytest.approx(1)
    assert at.easy.deviation > 0
    whole = sampled(x, labels, classes=9, rows=10, batches=1, margins=[1.0]).margins[0]
    alone = breakdown(x, labels).margins[0]
    assert (whole.easy.mean, whole.semi_hard.mean, whole.hard.mean) == alone.categories.shares
    assert whole.batch_hard.mean == pytest.approx(alone.batch_hard, rel=1e-13)
    with pytest.raises(DataError, match="9 classes have 10 rows, 10 are wanted"):
        sampled(x, labels, classes=10, rows=10)
    with pytest.raises(UsageError):
        sampled(x, labels, classes=1, rows=3)


def test_facts():
    random = np.random.default_rng(4)
    x, labels = random.standard_normal((60, 8)), np.repeat(np.arange(6), 10)

    def facts(x):
        return diagnose(Appearance(x), labels, breakdown(x, labels))

    healthy = facts(x)
    assert not (healthy.is_collapsed or healthy.is_nearly_unit or any(healthy.is_stuck))
    assert (healthy.duplicates, healthy.conflicting) == (0, 0)
    collapsed = facts(x[0] + 1e-6 * x)
    assert collapsed.is_collapsed
    assert collapsed.is_stuck == (True,)
    assert facts(np.ones((60, 2))).is_collapsed
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    assert not facts(unit).is_nearly_unit
    assert facts(unit * random.uniform(0.95, 1.05, size=(60, 1))).is_nearly_unit
    x[10], x[1] = x[0], x[2]
    doubled = facts(x)
    assert (doubled.duplicates, doubled.conflicting) == (2, 2)


def test_what_is_surely_spread_has_not_collapsed():
    """By the farthest positives and nearest negatives alone, as where no distance is printed; and it is not idle."""
    random, answers = np.random.default_rng(3), []
    labels = np.arange(24) // 3
    for spread in 10.0 ** np.arange(-8, 1):
        for x in (1 + spread * random.standard_normal((24, 4)), np.eye(24) + spread * random.standard_normal((24, 24))):
            for metric, normalize in itertools.product(
                ("euclidean", "sqeuclidean", "cosine", "angular"), (False, True)
            ):
                how = {"margins": [0.2], "metric": metric, "normalize": normalize}
                is_spread = surely_spread(x, breakdown(x, labels, bins=0, **how))
                is_collapsed = diagnose(Appearance(x), labels, breakdown(x, labels, **how)).is_collapsed
                assert not (is_spread and is_collapsed), (spread, how)
                answers.append((is_spread, is_collapsed))
    assert {(True, False), (False, True)} <= set(answers)


@pytest.mark.parametrize("labels", [[0, 1, 2], [4, 4, 4]])
def test_no_triplets_is_a_stated_answer(labels):
    found = breakdown(np.eye(3), labels, by_class=True, pairs=3)
    at = found.margins[0]
    assert (at.categories.triplets, at.batch_all_sum, found.anchors.used) == (0, 0.0, 0)
    assert np.isnan(at.batch_hard)
    assert np.isnan(at.batch_all_mean)
    assert np.isnan(at.categories.shares[0])
    assert found.certified
    assert breakdown(np.eye(1), [0]).anchors.points == 1


def test_bad_margins_are_refused():
    for margins in ([], [-1.0], [float("nan")], [float("inf")]):
        with pytest.raises(UsageError, match="margin"):
            breakdown(LINE, LINE_LABELS, margins=margins)


def test_a_row_is_named_by_its_number_also_beside_equal_rows():
    with pytest.raises(DataError, match="row 3: the embedding is all zeros"):
        breakdown([[1.0, 2], [1, 2], [1, 2], [0, 0], [3, 4]], [0, 0, 0, 1, 1], metric="cosine")


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("huge", [1e200, 2.0**700])
def test_directions_of_very_different_lengths(metric, huge):
    """As whole numbers of one unit they would have hundreds of digits."""
    x = np.array([[huge, 1], [1, 1], [1, huge], [2, 3], [2.0**-400, 2.0**-400]])
    found = breakdown(x, [0, 0, 0, 1, 1], margins=[0.2], metric=metric, normalize=True)
    scaled = breakdown(
        x / np.abs(x).max(axis=1, keepdims=True), [0, 0, 0, 1, 1], margins=[0.2], metric=metric, normalize=True
    )
    assert found.certified
    assert found.margins[0].categories.easy == scaled.margins[0].categories.easy
