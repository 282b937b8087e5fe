"""Two sets, noise, several classes a row and rows kept apart: counts are those of exact arithmetic over the triplets
that their definition allows, losses and mined triplets those of loops over them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import astuple
from fractions import Fraction
from functools import partial
from itertools import product
from math import isqrt
from typing import NamedTuple

import mpmath as mp
import numpy as np
import pytest
from exact_distances import category_counts
from exact_sets import SET_REFERENCES
from random_sets import KINDS
from scipy.spatial.distance import cdist

import lossctl
from lossctl.errors import UsageError
from lossctl.language.registry import parse, walk
from lossctl.rows.job import KEY_MARK, Pairing
from lossctl.sets import mining, panels, strategies
from lossctl.sets.points import sort_points
from lossctl.sets.triplets import breakdown


class Row(NamedTuple):
    """A point as the tests know it. row: its number in its file"""

    classes: frozenset[str]
    key: int
    row: int
    is_noise: bool


class Case(NamedTuple):
    """Anchors, and the candidates they pair with: those of `x` from `begin` on, or all of it."""

    name: str
    x: np.ndarray
    rows: list[Row]
    begin: int
    labels: np.ndarray
    pairs: Pairing

    def positives(self, a: int) -> list[int]:
        mine = self.rows[a]
        return [b for b in self.others(a) if mine.classes & self.rows[b].classes and not self.rows[b].is_noise]

    def negatives(self, a: int) -> list[int]:
        positives = set(self.positives(a))
        return [b for b in self.others(a) if b not in positives]

    def others(self, a: int) -> list[int]:
        """All that may pair with an anchor."""
        has_keys = self.pairs.has_keys
        apart = [has_keys and self.rows[a].key == self.rows[b].key for b in range(len(self.rows))]
        return [b for b in range(self.begin, len(self.rows)) if b != a and not apart[b]]

    @property
    def anchors(self) -> list[int]:
        count = self.begin or len(self.rows)
        return [a for a in range(count) if not self.rows[a].is_noise]

    def triplets(self) -> Iterator[tuple[int, int, int]]:
        for a in self.anchors:
            yield from ((a, p, n) for p, n in product(self.positives(a), self.negatives(a)))

    @property
    def own(self) -> tuple[np.ndarray, np.ndarray]:
        """What the engine is given beside `pairs`."""
        return (self.x[: self.begin], self.labels) if self.begin else (self.x, self.labels)


KINDS_OF_PAIRS = ("two sets", "noise", "noise as negatives", "any", "all", "keys", "two sets, any", "two sets, keys",
                  "two sets, noise as negatives")  # fmt: skip


def case_of(kind: str, x: np.ndarray, random: np.random.Generator) -> Case:
    n = len(x)
    begin = int(random.integers(1, n)) if "two sets" in kind and n > 1 else 0
    count = int(random.integers(1, 5))
    several = "any" in kind or "all" in kind
    classes = [
        frozenset(map(str, random.choice(5, random.integers(0, 3) if several else 1, replace=False) % count))
        for _ in range(n)
    ]
    keys = random.integers(0, 3, n).tolist()
    noise = "0" if "noise" in kind else None
    texts = [";".join(sorted(names)) for names in classes]
    if "keys" in kind:
        texts = [f"{text}{KEY_MARK}{key}" for text, key in zip(texts, keys, strict=True)]
    stays = "negatives" in kind
    rows = []
    for row in range(n):
        names = classes[row] if "all" not in kind else frozenset([texts[row]] if texts[row] else [])
        is_noise = noise in names if noise else several and not names
        rows.append(Row(names, keys[row], row - begin if row >= begin else row, is_noise))
    labels = np.array(texts)
    if not several and "keys" not in kind:
        labels = np.array([int(text) for text in texts])
    sharing = "any" if "any" in kind else "all" if "all" in kind else ""
    reference = (x[begin:], labels[begin:]) if begin else None
    pairs = Pairing(reference, noise, stays, sharing, "keys" in kind)
    case = Case(kind, x, rows, begin, labels[:begin] if begin else labels, pairs)
    if noise and not stays:
        kept = [row for row in range(n) if not rows[row].is_noise]
        here = sum(row < begin for row in kept)
        if begin and not 0 < here < len(kept):
            return case_of(kind, x, random)
        return case._replace(x=x[kept], rows=[rows[row] for row in kept], begin=here) if kept else case
    return case


def cases(seed: int, count: int, largest: int) -> Iterator[tuple[Case, float, np.ndarray, np.random.Generator]]:
    random = np.random.default_rng(seed)
    for _ in range(count):
        for kind in KINDS_OF_PAIRS:
            n, d = int(random.integers(3, largest + 1)), int(random.integers(1, 5))
            x = KINDS[int(random.integers(len(KINDS)))](random, n, d)
            scale = float(np.abs(x - x[0]).max(initial=0.0)) or 1.0
            yield case_of(kind, x, random), float(random.choice([0.0, 0.2, scale * 0.25, scale])), x, random


def given_of(case: Case, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The whole set as it is given, noise included."""
    begin = len(case.labels) if case.pairs.reference is not None else 0
    return (x[:begin] if begin else x), case.labels


@pytest.mark.parametrize("seed", range(4))
def test_counts_equal_exact_arithmetic(seed):
    for case, margin, x, random in cases(seed, 8, 14):
        options = {"block": int(random.integers(1, 5)), "threads": 1}
        found = breakdown(*given_of(case, x), margins=[margin], who=case.pairs, by_class=True, **options)
        c = found.margins[0].categories
        assert found.certified, found.why
        expected = category_counts(case.x, [], margin, valid=case.triplets())
        assert (c.easy, c.semi_hard, c.hard, c.hard_ties, c.margin_ties) == expected, (case, margin)
        used = [a for a in case.anchors if case.positives(a) and case.negatives(a)]
        assert found.anchors.used == len(used), case
        assert sum(item.categories[0].triplets for item in found.classes) == c.triplets
        measures = np.mean([precisions(case, a) for a in used], axis=0) if used else [np.nan] * 3
        assert astuple(found.retrieval) == pytest.approx(measures, rel=1e-12, nan_ok=True), case


@pytest.mark.parametrize("is_two", [False, True])
def test_counts_of_small_and_large_classes_beside_each_other(is_two):
    """So many points that few of each anchor's matter: whole numbers, and who shares a class by sets."""
    random = np.random.default_rng(5)
    n, begin = 330, 90 if is_two else 0
    x = random.integers(-30, 31, (n, 3))
    x[::3] //= 8
    own = [
        set(names) | set((random.random(2) < 0.02).nonzero()[0]) for names in random.integers(2, 120, (n, 2)).tolist()
    ]
    own = [{*names, 1} if row % 8 == 0 else names for row, names in enumerate(own)]
    labels = np.array([";".join(map(str, names)) for names in own])
    squares = ((x[:, None] - x) ** 2).sum(axis=2)
    is_positive = np.array([[bool(a & b) for b in own] for a in own])
    here, there = range(begin or n), np.arange(begin, n)
    below_all = tied_all = 0
    for a in here:
        others = there[there != a]
        positives, negatives = (squares[a, others[is_positive[a, others] == side]] for side in (True, False))
        below = np.searchsorted(np.sort(negatives), positives + 40)
        below_all += int(below.sum())
        tied_all += int((np.searchsorted(np.sort(negatives), positives + 40, "right") - below).sum())
    pairs = Pairing((x[begin:].astype(float), labels[begin:]) if is_two else None, sharing="any")
    count = begin or n
    counts = breakdown(
        x[:count].astype(float), labels[:count], margins=[40.0], metric="sqeuclidean", who=pairs, threads=1, bins=0
    ).margins[0]
    assert (counts.active, counts.categories.margin_ties) == (below_all, tied_all)
    points = sort_points(x[:count].astype(float), labels[:count], pairs=pairs)
    for columns in (slice(0, 7), slice(100, 231), slice(None)):
        shares, apart = points.relations(points.begin, points.begin + points.anchors, columns)
        anchors = points.rows[points.used]
        candidates = (points.rows[: len(points)] + begin)[columns]
        is_self = anchors[:, None] == candidates
        assert (shares == (is_positive[np.ix_(anchors, candidates)] & ~is_self)).all(), columns
        assert (apart == ~is_positive[np.ix_(anchors, candidates)]).all(), columns


def precisions(case: Case, a: int) -> tuple[float, float, float]:
    """Precision at 1, R-precision and average precision at R, by the list of all points, a tied negative first."""
    rows = [[Fraction(float(value)) for value in row] for row in case.x]
    squares = [sum((u - v) ** 2 for u, v in zip(rows[a], row, strict=True)) for row in rows]
    positives = set(case.positives(a))
    ranked = sorted((*positives, *case.negatives(a)), key=lambda b: (squares[b], b in positives))
    hits = [b in positives for b in ranked[: len(positives)]]
    average = sum(sum(hits[: k + 1]) / (k + 1) for k, hit in enumerate(hits) if hit)
    return float(hits[0]), sum(hits) / len(hits), average / len(hits)


@pytest.mark.parametrize("metric, normalize", [("sqeuclidean", False), ("cosine", False), ("euclidean", True)])
def test_counts_equal_exact_arithmetic_in_other_metrics(metric, normalize):
    for case, margin, x, _ in cases(11, 5, 10):
        is_angular = normalize or metric == "cosine"
        if float(np.abs(x).max()) > 1e100 or (is_angular and not x.any(axis=1).all()):
            continue
        margin = min(margin, 1.0) if is_angular else margin
        options = {"metric": metric, "normalize": normalize}
        c = breakdown(*given_of(case, x), margins=[margin], who=case.pairs, **options).margins[0].categories
        expected = category_counts(case.x, [], margin, valid=case.triplets(), **options)
        assert (c.easy, c.semi_hard, c.hard, c.hard_ties, c.margin_ties) == expected, (case, margin)


def test_precisions_are_those_of_pytorch_metric_learning():
    """Of one set, where some are alone in their class, and of two."""
    calculators = pytest.importorskip("pytorch_metric_learning.utils.accuracy_calculator")
    inference, distances = (
        pytest.importorskip(f"pytorch_metric_learning.{name}") for name in ("utils.inference", "distances")
    )
    import torch

    nearest = inference.CustomKNN(distances.LpDistance(normalize_embeddings=False))
    names = ("precision_at_1", "r_precision", "mean_average_precision_at_r")
    calculator = calculators.AccuracyCalculator(include=names, k=None, knn_func=nearest)
    random = np.random.default_rng(0)
    for n in (9, 15, 20):  # from 26 on torch's distances are those of a product, and lose bits
        labels = np.where(np.arange(n) == 1, 5, np.arange(n) % 4)
        x = random.standard_normal((n, 3)) + random.standard_normal((6, 3))[labels]
        for begin in (0, n // 3):
            set_of = (x[begin:], labels[begin:])
            own, of = ((x[:begin], labels[:begin]), Pairing(reference=set_of)) if begin else (set_of, Pairing())
            sides = [torch.tensor(side) for side in (*own, *(set_of if begin else ()))]
            truth = calculator.get_accuracy(*sides, **({"ref_includes_query": False} if begin else {}))
            measures = [truth[name] for name in names]
            assert astuple(breakdown(*own, who=of).retrieval) == pytest.approx(measures, rel=1e-12), (n, begin)


class Anchor(NamedTuple):
    row: int
    d: list
    s: list
    positives: list[int]
    negatives: list[int]
    units: list


def tables(x: np.ndarray) -> tuple[list, list, list]:
    rows = [[mp.mpf(float(v)) for v in row] for row in x]
    norms = [mp.sqrt(mp.fdot(row, row)) for row in rows]
    d = [[mp.sqrt(mp.fsum((u - v) ** 2 for u, v in zip(a, b, strict=True))) for b in rows] for a in rows]
    s = [
        [mp.fdot(a, b) / (na * nb) for b, nb in zip(rows, norms, strict=True)]
        for a, na in zip(rows, norms, strict=True)
    ]
    return d, s, [[value / norm for value in row] for row, norm in zip(rows, norms, strict=True)]


def supcon(a: Anchor, temperature: float):
    everyone = mp.fsum(mp.exp(a.s[j] / temperature) for j in (*a.positives, *a.negatives))
    return mp.fsum(mp.log(everyone) - a.s[p] / temperature for p in a.positives) / len(a.positives)


def lifted_structure(case: Case, d: list, a: Anchor, margin: float, positive_margin: float):
    """Each end of a pair has negatives of its own where labels are several, or keys keep points apart."""
    pairs = []
    for p in a.positives:
        push = mp.fsum(mp.exp(margin - d[end][n]) for end in (a.row, p) for n in case.negatives(end))
        pairs.append(max(mp.log(push) + d[a.row][p] - positive_margin, 0) ** 2 / 2)
    return mp.fsum(pairs)


@pytest.mark.parametrize("kind", KINDS_OF_PAIRS)
def test_losses_equal_loops_over_the_pairs(kind):
    random = np.random.default_rng(len(kind))
    x = random.standard_normal((13, 3))
    case = case_of(kind, x, random)
    d, s, units = tables(case.x)
    for loss in (loss for loss in walk() if loss.engine.has_space and loss.name != "random-semi-hard"):
        if not loss.stands_alone:  # no anchor has a value
            continue
        spec = parse(loss.name)
        own = {"supcon": supcon, "lifted-structure": partial(lifted_structure, case, d)}
        reference = own.get(loss.name) or SET_REFERENCES[loss.name]
        if loss.name in ("info-nce",):
            reference = lambda a, temperature: SET_REFERENCES["nt-xent"](a, temperature) / len(a.positives)  # noqa: E731
        metric = "cosine" if loss.cosine else "euclidean"
        points = sort_points(*given_of(case, x), metric=metric, pairs=case.pairs)
        losses = panels.anchor_losses(points, partial(loss.function, **spec.options), everyone=loss.everyone, block=3)
        at = points.rows[points.begin : points.begin + len(losses)]
        found = dict(zip(at.tolist(), losses.total.tolist(), strict=True))
        anchors = {
            case.rows[a].row: Anchor(a, d[a], s[a], case.positives(a), case.negatives(a), units)
            for a in case.anchors
            if loss.everyone or (case.positives(a) and case.negatives(a))
        }
        assert found.keys() == anchors.keys(), (kind, loss.name)
        for row, anchor in anchors.items():
            truth = float(reference(anchor, **spec.options))
            assert found[row] == pytest.approx(truth, rel=1e-12, abs=1e-12), (kind, loss.name, row)


@pytest.mark.parametrize("kind", KINDS_OF_PAIRS)
def test_mined_triplets_equal_loops(kind):
    random = np.random.default_rng(7 + len(kind))
    x = random.standard_normal((16, 3))
    case = case_of(kind, x, random)
    points = sort_points(*given_of(case, x), pairs=case.pairs)
    d = np.sqrt(((case.x[:, None] - case.x) ** 2).sum(axis=2))
    number = [row.row for row in case.rows]
    used = [a for a in case.anchors if case.positives(a) and case.negatives(a)]

    def rows_of(strategy: str, **options) -> set[tuple[int, int, int]]:
        return {
            tuple(row)
            for block in strategies.STRATEGIES[strategy].mine(points, margin=0.5, **options)
            for row in block.rows.tolist()
        }

    hardest = {
        (a, max(case.positives(a), key=lambda p: d[a, p]), min(case.negatives(a), key=lambda n: d[a, n])) for a in used
    }
    assert rows_of("batch-hard") == {tuple(number[i] for i in row) for row in hardest}
    costly = {(a, p, n) for a, p, n in case.triplets() if d[a, n] < d[a, p] + 0.5}
    assert rows_of("all") == {tuple(number[i] for i in row) for row in costly}
    semi = {
        (a, p, min((n for n in case.negatives(a) if d[a, n] > d[a, p]), key=lambda n: d[a, n], default=-1))
        for a in used
        for p in case.positives(a)
    }
    assert rows_of("semi-hard", fallback="drop") == {tuple(number[i] for i in row) for row in semi if row[2] >= 0}
    top = sorted(case.triplets(), key=lambda t: d[t[0], t[2]] - d[t[0], t[1]])[:5]
    assert rows_of("hardest", count=5) == {tuple(number[i] for i in row) for row in top}
    bands = {
        (a, p): {n for n in case.negatives(a) if d[a, p] < d[a, n] < d[a, p] + 0.5}
        for a in used
        for p in case.positives(a)
    }
    allowed = {tuple(number[i] for i in (a, p, n)) for (a, p), band in bands.items() for n in band}
    drawn = rows_of("random-semi-hard")
    assert drawn <= allowed and len(drawn) == sum(bool(band) for band in bands.values())


def test_other_distances_give_the_losses_and_triplets_of_scipy_s():
    """A query against a gallery: batch-hard, batch-all, contrastive, and what is mined."""
    random = np.random.default_rng(2)
    x, other = random.standard_normal((12, 4)), random.standard_normal((15, 4))
    y, of = np.arange(12) % 3, np.arange(15) % 4
    is_positive = y[:, None] == of
    for metric in ("angular", "manhattan", "minkowski:3", "dot"):
        d = {
            "angular": lambda: np.arccos(1 - cdist(x, other, "cosine")),
            "manhattan": lambda: cdist(x, other, "cityblock"),
            "minkowski:3": lambda: cdist(x, other, "minkowski", p=3),
            "dot": lambda: -np.einsum("ik,jk->ij", x, other),
        }[metric]()
        given = {"ref": other, "ref_label": of, "distance": metric, "margin": 0.3}
        far, near = np.where(is_positive, d, -np.inf).max(axis=1), np.where(is_positive, np.inf, d).min(axis=1)
        gap = (d[:, :, None] - d[:, None])[is_positive[:, :, None] & ~is_positive[:, None]]
        for loss, truth in (
            ("batch-hard", np.maximum(far - near + 0.3, 0).mean()),
            ("batch-all", (gap + 0.3)[gap + 0.3 > 0].mean()),
            ("contrastive-pairs", np.where(is_positive, d * d, np.maximum(0.3 - d, 0) ** 2).mean() / 2),
        ):
            if metric == "dot" and loss == "contrastive-pairs":
                with pytest.raises(UsageError, match="only tells what is nearer"):
                    lossctl.compute(loss, x, y, **given)
                continue
            assert lossctl.compute(loss, x, y, **given).value == pytest.approx(truth, rel=1e-12), (metric, loss)
        points = sort_points(x, y, metric=metric, pairs=Pairing(reference=(other, of)))
        mined = [row for block in mining.mine_hardest(points, count=9) for row in block.rows.tolist()]
        every = [(a, p, n) for a, p in np.argwhere(is_positive) for n in np.flatnonzero(~is_positive[a])]
        assert mined == [list(row) for row in sorted(every, key=lambda t: d[t[0], t[2]] - d[t[0], t[1]])[:9]], metric
        beyond = np.where(is_positive[:, None] | (d[:, None] <= d[:, :, None]), np.inf, d[:, None])
        semi = [[a, p, beyond[a, p].argmin()] for a, p in np.argwhere(is_positive) if np.isfinite(beyond[a, p]).any()]
        mined = [row for block in mining.mine_semi_hard(points, fallback="drop") for row in block.rows.tolist()]
        assert sorted(mined) == sorted(semi), metric


def test_the_same_file_as_reference_counts_no_point_against_itself_where_it_is_kept_apart():
    """A set against its copy, rows kept apart by their number, is the set itself."""
    random = np.random.default_rng(3)
    x, labels = random.standard_normal((30, 4)).round(1), random.integers(0, 4, 30)
    keyed = np.array([f"{label}{KEY_MARK}{row}" for row, label in enumerate(labels.tolist())])
    two = breakdown(x, keyed, margins=[0.3], who=Pairing(reference=(x, keyed), has_keys=True))
    one = breakdown(x, labels, margins=[0.3])
    assert two.margins[0].categories == one.margins[0].categories
    assert two.margins[0].batch_hard == one.margins[0].batch_hard


def sign(p: int, q: int, margin: Fraction, metric: str) -> int:
    """Of d_an - d_ap - margin, from squared distances: p of the positive, q of the negative."""
    if metric == "sqeuclidean" or not margin:
        gap = q - p - margin
        return (gap > 0) - (gap < 0)
    if isqrt(p) ** 2 == p and isqrt(q) ** 2 == q:
        gap = isqrt(q) - isqrt(p) - margin
        return (gap > 0) - (gap < 0)
    # sqrt(q) - sqrt(p) = m > 0 is no tie: sqrt(q) + sqrt(p) = (q - p) / m would be rational, and so both roots
    gap = isqrt(q << 400) - isqrt(p << 400) - margin * 2**200
    assert abs(gap) > 2**50
    return 1 if gap > 0 else -1


class GridRow(NamedTuple):
    """A point of a grid. at: its coordinates, whole numbers"""

    at: tuple[int, ...]
    classes: frozenset[int]
    camera: int
    is_noise: bool


def counts_of(
    anchors: list[GridRow], others: list[GridRow], margin: Fraction, metric: str, sharing: str, has_cameras: bool
) -> tuple[int, ...]:
    """Anchors used, then easy, semi-hard, hard, hard ties and margin ties, by loops over whole numbers."""
    used, signs = 0, Counter()
    for a in anchors:
        if a.is_noise or not a.classes:
            continue
        positives, negatives = Counter(), Counter()
        for b in others:
            if b is a or (has_cameras and a.camera == b.camera):
                continue
            together = a.classes == b.classes if sharing == "all" else bool(a.classes & b.classes)
            side = positives if together and not b.is_noise else negatives
            side[sum((u - v) ** 2 for u, v in zip(a.at, b.at, strict=True))] += 1
        used += bool(positives and negatives)
        for (p, times), (q, more) in product(positives.items(), negatives.items()):
            signs[sign(p, q, Fraction(0), metric), sign(p, q, margin, metric)] += times * more
    hard = sum(count for (at_p, _), count in signs.items() if at_p <= 0)
    easy = sum(count for (at_p, at_m), count in signs.items() if at_p > 0 and at_m >= 0)
    ties = [sum(count for key, count in signs.items() if key[k] == 0) for k in (0, 1)]
    return used, easy, signs.total() - easy - hard, hard, *ties


@pytest.mark.slow
def test_certified_counts_of_grids_are_those_of_whole_numbers():
    """As a call gives them: one set and two, noise left out and kept, one label and several, rows kept apart."""
    random = np.random.default_rng(17)
    margins, noise, far = [0.0, 0.5, 1.75], -1, 1e6 / 3
    ways = product((False, True), ("", "out", "negatives"), ("", "any", "all"), (False, True))
    for number, (is_two, noises, sharing, has_cameras) in enumerate(ways):
        d, metric = 1 + number % 3, ("euclidean", "sqeuclidean")[number % 4 == 3]

        def rows(n: int, d: int = d, noises: str = noises, sharing: str = sharing) -> list[GridRow]:
            at = random.integers(-3, 4, (n, d)).tolist()
            sizes = random.integers(0 if noises == "" else 1, 4, n) if sharing else np.ones(n, int)
            classes = [frozenset(random.choice(5, size, replace=False).tolist()) for size in sizes.tolist()]
            is_noise = random.random(n) < (0.2 if noises else 0)
            cameras = random.integers(0, 4, n).tolist()
            return [
                GridRow(tuple(point), frozenset([noise]) if out else names, camera, bool(out))
                for point, names, camera, out in zip(at, classes, cameras, is_noise, strict=True)
            ]

        def given(points: list[GridRow], noises: str = noises, sharing: str = sharing, number: int = number):
            """Embeddings, labels and cameras; every other time beside a column that is the same for all, and no
            multiple of what the others are multiples of."""
            x = np.array([row.at for row in points], float)
            x = np.column_stack([x, np.full(len(x), far)]) if number % 2 else x
            if sharing and not noises:
                label = np.array([[name in row.classes for name in range(5)] for row in points], int)
            elif sharing:
                label = np.array([";".join(map(str, sorted(row.classes))) for row in points])
            else:
                label = np.array([next(iter(row.classes)) for row in points])
            return x, label, np.array([row.camera for row in points])

        own, ref = rows(40), rows(60) if is_two else None
        x, label, cameras = given(own)
        asked: dict = {"margin": margins, "distance": metric, "by_class": True}
        if noises:
            asked |= {"noise_label": noise, "noise": noises}
        if sharing:
            asked |= {"positive": sharing}
        if has_cameras:
            asked |= {"exclude_same": cameras}
        if ref is not None:
            ref_x, ref_label, ref_cameras = given(ref)
            asked |= {"ref": ref_x, "ref_label": ref_label} | ({"ref_exclude_same": ref_cameras} if has_cameras else {})
        counted = lossctl.triplets(x, label, **asked).breakdown
        way = (is_two, noises, sharing, has_cameras, metric, d)
        assert counted.certified, (way, counted.why)
        stays = [[row for row in side if noises != "out" or not row.is_noise] for side in (own, ref or own)]
        for at in counted.margins:
            c = at.categories
            truth = counts_of(*stays, Fraction(at.margin), metric, sharing, has_cameras)
            categories = (c.easy, c.semi_hard, c.hard, c.hard_ties, c.margin_ties)
            assert (counted.anchors.used, *categories) == truth, (way, at.margin)
            assert c.hard_ties, way
