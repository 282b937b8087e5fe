"""The panel engine and the losses on it: published values, any block, gradients, what is left out."""

from __future__ import annotations

import gc
import math
import os
import subprocess
import sys
import weakref
from dataclasses import replace
from fractions import Fraction
from functools import partial

import numpy as np
import pytest
from anchor_sums import sum_losses
from exact_distances import category_counts
from random_sets import sets

from lossctl.errors import DataError, UsageError
from lossctl.language.registry import Weighted, parse
from lossctl.language.rounded import SPARE, ULP
from lossctl.losses import embedding as losses
from lossctl.sets.panels import Panel, anchor_losses, fold
from lossctl.sets.panels import precise_losses as losses_of_panel
from lossctl.sets.points import sort_points
from lossctl.sets.ties import Judges

LINE, LINE_LABELS = np.arange(9.0)[:, None], [0, 0, 1, 1, 0, 2, 1, 1, 1]
ANGLES = np.deg2rad([0.0, 20.0, 40.0, 60.0, 80.0])
FAN, FAN_LABELS = np.stack([2 * np.cos(ANGLES), 0.5 * np.sin(ANGLES)], axis=1), [0, 0, 1, 1, 2]
KERAS = np.array(
    [
        [0.70014004, -0.42008403, 0.14002801, 0.56011203],
        [0.17609018, 0.70436073, -0.52827054, 0.44022545],
        [-0.34050261, 0.25537696, -0.68100522, 0.59587957],
        [0.32163376, -0.75047877, 0.53605627, -0.21442251],
        [0.51261459, -0.34174306, 0.17087153, 0.76892189],
    ]
)
KERAS_LABELS = [1, 1, 2, 2, 3]
VIEWS = np.array([[-1.954, 1.078], [0.238, -0.5703], [1.8745, -0.0195], [-0.6719, -1.921]])
ALL = [
    losses.batch_all,
    losses.batch_hard,
    losses.semi_hard,
    losses.random_semi_hard,
    losses.contrastive_pairs,
    losses.multi_similarity,
    losses.circle,
    losses.info_nce,
    losses.nt_xent,
    losses.supcon,
]


def mean(x, labels, function, *, metric="euclidean", normalize=False, everyone=False, **options):
    points = sort_points(x, labels, metric=metric, normalize=normalize)
    sums = sum_losses(points, lambda panel: function(panel, **options), everyone=everyone)
    return sums.mean if function is losses.batch_all else sums.plain_mean


def random_set(seed=0, n=40, d=5, classes=6):
    random = np.random.default_rng(seed)
    return random.standard_normal((n, d)), random.integers(0, classes, size=n)


# ---------------------------------------------------------------------------------------- values printed by others


def test_triplet_reductions_on_a_line():
    found = sum_losses(sort_points(LINE, LINE_LABELS), losses.batch_all)
    assert float(found.total) == 165
    assert found.mean == pytest.approx(2.89474, abs=5e-6)
    assert found.total / found.valid == pytest.approx(1.42241, abs=5e-6)
    assert mean(LINE, LINE_LABELS, losses.batch_hard) == 4.125
    assert mean(LINE, LINE_LABELS, losses.batch_hard, soft=True) == pytest.approx(3.18413, abs=5e-6)
    assert mean(LINE, LINE_LABELS, losses.semi_hard) == pytest.approx(0.615385, abs=5e-7)


def test_triplet_reductions_with_squared_distances():
    found = sum_losses(sort_points(LINE, LINE_LABELS, metric="sqeuclidean"), losses.batch_all)
    assert found.total / found.valid == pytest.approx(6.43966, abs=5e-6)
    assert found.mean == pytest.approx(13.10526, abs=5e-6)
    assert mean(LINE, LINE_LABELS, losses.batch_hard, metric="sqeuclidean") == 20.625
    squared = mean(FAN, FAN_LABELS, losses.batch_hard, metric="sqeuclidean", margin=0.2)
    assert squared == pytest.approx(0.12973, abs=5e-6)


def test_triplet_reductions_on_a_fan():
    found = sum_losses(sort_points(FAN, FAN_LABELS), lambda panel: losses.batch_all(panel, margin=0.2))
    assert found.total / found.valid == pytest.approx(0.0550, abs=5e-5)
    assert found.mean == pytest.approx(0.165076, abs=5e-7)
    assert mean(FAN, FAN_LABELS, losses.batch_all, margin=0.2, normalize=True) == pytest.approx(0.164933, abs=5e-7)
    assert mean(FAN, FAN_LABELS, losses.batch_all, margin=0.2, metric="cosine") == pytest.approx(0.161186, abs=5e-7)
    assert mean(FAN, FAN_LABELS, losses.batch_hard, margin=0.2) == pytest.approx(0.12107, abs=5e-6)


def test_distances_of_long_rows_depend_on_no_others():
    x = np.random.default_rng(0).standard_normal((5, 20_000))
    for metric in ("euclidean", "cosine", "dot"):
        gram = sort_points(x, [0, 0, 1, 1, 1], metric=metric).gram
        at = np.array([0, 1, 2, 3]), np.array([4, 4, 4, 4])
        alone = [gram.direct(at[0][k : k + 1], at[1][k : k + 1])[0] for k in range(4)]
        assert gram.direct(*at).tolist() == alone, metric


def test_circle():
    assert mean(KERAS, KERAS_LABELS, losses.circle, gamma=80.0, margin=0.4) == pytest.approx(188.388, abs=5e-4)
    assert mean(KERAS, KERAS_LABELS, losses.circle) == pytest.approx(652.762, abs=5e-4)
    assert mean(FAN, FAN_LABELS, losses.circle, gamma=80.0, margin=0.4) == pytest.approx(51.1103, abs=5e-5)


def test_contrasts():
    assert mean(VIEWS, [0, 0, 1, 1], losses.nt_xent) == pytest.approx(14.01032, abs=5e-6)
    assert mean(VIEWS, [0, 0, 1, 1], losses.nt_xent, temperature=0.5) == pytest.approx(2.307216, abs=5e-7)
    assert mean(VIEWS, [0, 0, 1, 1], losses.supcon) == pytest.approx(9.81444, abs=6e-6)
    assert mean(VIEWS, [0, 0, 0, 1], losses.nt_xent) == pytest.approx(8.968544, abs=5e-7)
    assert mean(VIEWS, [0, 0, 0, 1], losses.supcon, temperature=0.07) == pytest.approx(10.672104, abs=5e-7)


# ------------------------------------------------------------------------------------------ values from definitions


def loop(x, labels):
    """Distances, cosines, and masks of positives and negatives, from the full matrix."""
    x, labels = np.asarray(x), np.asarray(labels)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    same = labels[:, None] == labels
    distance = np.sqrt(((x[:, None] - x) ** 2).sum(-1))
    return distance, unit @ unit.T, same & ~np.eye(len(x), dtype=bool), ~same


def test_semi_hard_and_pairs_from_definitions():
    x, labels = random_set()
    d, _, positive, negative = loop(x, labels)
    terms = []
    for a, p in np.argwhere(positive):
        beyond = d[a][negative[a] & (d[a] > d[a, p])]
        terms.append(max(0.0, d[a, p] - (beyond.min() if len(beyond) else d[a][negative[a]].max()) + 0.7))
    assert mean(x, labels, losses.semi_hard, margin=0.7) == pytest.approx(np.mean(terms), rel=1e-13)
    terms = np.where(positive, d**2, np.maximum(0, 1 - d) ** 2)[~np.eye(len(x), dtype=bool)] / 2
    assert mean(x, labels, losses.contrastive_pairs, everyone=True) == pytest.approx(terms.mean(), rel=1e-13)


def test_multi_similarity_and_info_nce_from_definitions():
    x, labels = random_set()
    _, s, positive, negative = loop(x, labels)
    terms, contrasts = [], []
    for a in range(len(x)):
        s_p, s_n = s[a][positive[a]], s[a][negative[a]]
        pull = math.log1p(np.exp(-2 * (s_p - 0.5)).sum()) / 2
        terms.append(pull + math.log1p(np.exp(50 * (s_n - 0.5)).sum()) / 50)
        contrasts.append(np.mean(-np.log(np.exp(s_p / 0.1) / (np.exp(s_p / 0.1) + np.exp(s_n / 0.1).sum()))))
    assert mean(x, labels, losses.multi_similarity) == pytest.approx(np.mean(terms), rel=1e-13)
    assert mean(x, labels, losses.info_nce) == pytest.approx(np.mean(contrasts), rel=1e-13)


def test_unified_circle_and_circle_by_class_from_definitions():
    x, labels = random_set()
    _, s, positive, negative = loop(x, labels)
    terms = [
        math.log1p(np.exp(4 * (s[a][negative[a]] + 0.25)).sum() * np.exp(-4 * s[a][positive[a]]).sum())
        for a in range(len(x))
    ]
    assert mean(x, labels, losses.circle, gamma=4.0, unified=True) == pytest.approx(np.mean(terms), rel=1e-13)
    weights = np.random.default_rng(1).standard_normal((6, 5))
    s = (x / np.linalg.norm(x, axis=1, keepdims=True)) @ (weights / np.linalg.norm(weights, axis=1, keepdims=True)).T
    by_class = losses.circle_class(x, labels, class_weights=tuple(map(float, weights.ravel())), gamma=8.0)
    for row, found in enumerate(by_class):
        s_p, s_n = s[row, labels[row]], np.delete(s[row], labels[row])
        push = np.exp(8 * np.maximum(s_n + 0.25, 0) * (s_n - 0.25)).sum()
        assert found == pytest.approx(math.log1p(push * math.exp(-8 * max(1.25 - s_p, 0) * (s_p - 0.75))), rel=1e-12)


def test_pytorch_metric_learning_agrees():
    torch = pytest.importorskip("torch")
    pml = pytest.importorskip("pytorch_metric_learning.losses")
    distances = pytest.importorskip("pytorch_metric_learning.distances")
    x, labels = random_set(n=30, classes=4)
    args = torch.tensor(x), torch.tensor(labels)
    raw = distances.LpDistance(normalize_embeddings=False)
    expected = {
        losses.batch_all: pml.TripletMarginLoss(margin=1.0, distance=raw),
        losses.nt_xent: pml.NTXentLoss(temperature=0.07),
        losses.supcon: pml.SupConLoss(temperature=0.1),
        losses.multi_similarity: pml.MultiSimilarityLoss(),
        losses.circle: pml.CircleLoss(m=0.25, gamma=256),
    }
    for function, other in expected.items():
        assert mean(x, labels, function) == pytest.approx(float(other(*args)), rel=1e-9), function.__name__


# --------------------------------------------------------------------------------------------------------- invariance


@pytest.mark.parametrize("function", ALL, ids=lambda f: f.__name__)
@pytest.mark.parametrize("metric", ["euclidean", "sqeuclidean", "cosine"])
def test_any_block_any_threads_any_order(function, metric):
    x, labels = random_set(2)
    x[7] = x[3]
    options = {"everyone": function is losses.contrastive_pairs}
    points = sort_points(x, labels, metric=metric)
    expected = sum_losses(points, function, threads=1, **options)
    for block, threads in ((1, 1), (7, 2), (40, 2)):
        found = sum_losses(points, function, block=block, threads=threads, **options)
        assert (found.weight, found.valid, found.anchors) == (expected.weight, expected.valid, expected.anchors)
        assert found.mean == pytest.approx(expected.mean, rel=1e-13)
    if function is not losses.random_semi_hard:  # its draws belong to row numbers
        order = np.random.default_rng(0).permutation(len(x))
        shuffled = sum_losses(sort_points(x[order], labels[order], metric=metric), function, **options)
        assert shuffled.mean == pytest.approx(expected.mean, rel=1e-13)


@pytest.mark.parametrize("function", [losses.batch_hard, losses.semi_hard, losses.random_semi_hard])
def test_chosen_triplets_give_the_same_bits_for_any_block(function, monkeypatch):
    from lossctl.sets import panels

    monkeypatch.setattr(panels, "MANY", 0)  # the product of large classes depends on the block, in its last bits
    x, labels = random_set(3, n=200, classes=30)
    points = sort_points(x + 1e6, labels)
    found = {float(sum_losses(points, function, block=block).total) for block in (1, 3, 64, 200)}
    assert len(found) == 1


@pytest.mark.parametrize("function", [losses.semi_hard, losses.random_semi_hard])
def test_large_and_small_classes_are_measured_alike(function, monkeypatch):
    from lossctl.sets import panels

    x, labels = np.random.default_rng(3).standard_normal((90, 5)), np.arange(90) % 7
    x[40:44] = x[47]  # at distance 0, within a class and across
    values = []
    for many in (0, 1 << 20):
        monkeypatch.setattr(panels, "MANY", many)
        values.append(sum_losses(sort_points(x, labels), function).mean)
    assert values[0] == pytest.approx(values[1], rel=1e-13)


@pytest.mark.slow
def test_batch_all_counts_active_triplets_exactly():
    """By exact arithmetic, in any order of the rows: ties at the margin are where rounding would show."""
    some = 0
    for name, x, labels, margin in [*sets(3, 96, 12), *sets(4, 96, 30)]:
        if not len(x) or not margin:
            continue
        _, semi_hard, hard = category_counts(x, labels, margin)[:3]
        x, labels = np.asarray(x, float), np.asarray(labels)
        for order in (slice(None), slice(None, None, -1)):
            points = sort_points(x[order], labels[order])
            if points.anchors:
                found = sum_losses(points, partial(losses.batch_all, margin=margin))
                assert float(found.weight) == semi_hard + hard, name
                some += 1
    assert some > 100


def test_ties_left_undecided_are_said(monkeypatch):
    import lossctl
    from lossctl.sets import ties as judging

    x, labels = np.eye(12) * 0.1, np.arange(12) % 3
    assert not any("left to float64" in text for text in lossctl.compute("batch-all", x, labels).warnings)
    monkeypatch.setattr(judging, "LEAST_BUDGET", 0)
    monkeypatch.setattr(judging, "EXACT_WORK", 0)
    assert any("12 anchors" in text for text in lossctl.compute("batch-all", x, labels).warnings)


def test_labels_of_any_kind_and_progress():
    x, labels = random_set()
    names = np.array(["a", "bee", "c", "d", "e", "f"])[labels]
    seen = []
    points = sort_points(x, names)
    assert sum_losses(points, losses.batch_hard, block=9, progress=lambda *at: seen.append(at)).plain_mean == mean(
        x, labels, losses.batch_hard
    )
    assert seen[-1] == (points.anchors, points.anchors)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_float32_points_stay_near():
    x, labels = random_set()
    for function in ALL:
        points = sort_points(x, labels, dtype="float32")
        everyone = function is losses.contrastive_pairs
        sums = sum_losses(points, function, everyone=everyone)
        found = sums.mean if function is losses.batch_all else sums.plain_mean
        assert found == pytest.approx(mean(x, labels, function, everyone=everyone), rel=1e-5), function.__name__
    assert next(fold(points, lambda panel: panel.distance)).dtype == np.float32


# ------------------------------------------------------------------------------------------------ left out, refused


def test_points_that_are_no_anchors_are_counted():
    points = sort_points(LINE, LINE_LABELS)
    assert (points.anchors, points.without_positive, points.without_negative) == (8, 1, 0)
    points = sort_points(np.eye(3), [5, 5, 5])
    assert (points.anchors, points.without_positive, points.without_negative) == (0, 0, 3)
    for labels in ([0, 1, 2], [0, 0, 0]):
        found = sum_losses(sort_points(np.eye(3), labels), losses.batch_hard)
        assert found.anchors == 0 and math.isnan(found.mean)


@pytest.mark.parametrize(
    "x, labels, options, message",
    [
        (np.eye(3), [0, 1], {}, "3 embeddings but 2 labels"),
        (np.zeros(3), [0, 1, 2], {}, "shape"),
        ([[0.0], [np.nan]], [0, 1], {}, "row 1: the embedding is not finite"),
        ([[0.0], [1.0]], [0, 1], {"metric": "cosine"}, "row 0: the embedding is all zeros"),
        ([[1e301], [1.0]], [0, 1], {}, "beyond"),
    ],
)
def test_unusable_input_is_refused(x, labels, options, message):
    with pytest.raises(DataError, match=message):
        sort_points(np.asarray(x), labels, **options)


def test_unknown_choices_are_refused():
    with pytest.raises(UsageError, match="unknown metric"):
        sort_points(np.eye(2), [0, 1], metric="chebyshev")
    with pytest.raises(UsageError, match="unknown dtype"):
        sort_points(np.eye(2), [0, 1], dtype="float16")


# ---------------------------------------------------------------------------------------------------------- gradients


def torch_total(x, labels, function, metric, block, everyone):
    parts = fold(sort_points(x, labels, metric=metric), function, block=block, threads=1, everyone=everyone)
    return sum((part[0] if isinstance(part, tuple) else part).sum() for part in parts)


@pytest.mark.slow
@pytest.mark.parametrize("function", ALL, ids=lambda f: f.__name__)
@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_gradients_equal_finite_differences(function, metric):
    torch = pytest.importorskip("torch")
    x, labels = random_set(4, n=12, d=3, classes=3)
    everyone = function is losses.contrastive_pairs
    gradients = []
    for block in (None, 5):
        leaf = torch.tensor(x, requires_grad=True)
        torch_total(leaf, labels, function, metric, block, everyone).backward()
        gradients.append(leaf.grad)
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-9, atol=1e-9)

    def value(shifted):
        return float(sum_losses(sort_points(shifted, labels, metric=metric), function, everyone=everyone).total)

    for i, k in ((0, 0), (5, 2), (11, 1)):
        step = np.zeros_like(x)
        step[i, k] = 1e-6
        slope = (value(x + step) - value(x - step)) / 2e-6
        assert float(gradients[0][i, k]) == pytest.approx(slope, rel=1e-5, abs=1e-5 * max(1.0, abs(slope)))


def test_gradient_equals_that_of_the_full_matrix():
    torch = pytest.importorskip("torch")
    x, labels = random_set(5)
    same = torch.tensor(labels[:, None] == labels)
    eye = torch.eye(len(x), dtype=torch.bool)
    leaf = torch.tensor(x, requires_grad=True)
    d = torch.sqrt(((leaf[:, None] - leaf) ** 2).sum(-1) + eye)
    terms = torch.relu(d[:, :, None] - d[:, None, :] + 1.0)
    terms[(same & ~eye)[:, :, None] & ~same[:, None, :]].sum().backward()
    ours = torch.tensor(x, requires_grad=True)
    torch_total(ours, labels, losses.batch_all, "euclidean", 7, False).backward()
    torch.testing.assert_close(ours.grad, leaf.grad, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("function", ALL, ids=lambda f: f.__name__)
def test_no_nan_at_distance_zero(function):
    torch = pytest.importorskip("torch")
    leaf = torch.ones((6, 2), dtype=torch.float64, requires_grad=True)
    total = torch_total(leaf, [0, 0, 0, 1, 1, 1], function, "euclidean", None, function is losses.contrastive_pairs)
    total = total + 0 * leaf.sum()  # no random negative lies at distance zero, so there may be no graph
    total.backward()
    assert torch.isfinite(leaf.grad).all()


CERTAIN = [
    "info-nce",
    "info-nce:temperature=3",
    "nt-xent:temperature=0.01",
    "supcon",
    "supcon:temperature=0.02",
    "circle",
    "circle:unified=true",
    "circle:gamma=77.3,margin=0.4",
    "multi-similarity:base=0.1,beta=11.1",
]


@pytest.mark.first_fast
@pytest.mark.parametrize("spec", CERTAIN)
@pytest.mark.parametrize("columns", [2, 16, 200])
def test_errors_in_float64_are_within_what_they_say(spec, columns):
    """Held to twice the digits, over sets without structure and sets whose classes are tight."""
    rng = np.random.default_rng(columns)
    loss, kept = parse(spec), []
    for spread in (0.0, 0.3, 3.0, 30.0):
        labels = rng.integers(0, 5, 120)
        x = rng.standard_normal((120, columns)) + spread * rng.standard_normal((5, columns))[labels]
        points = sort_points(x, labels, metric="cosine")
        panel = Panel(points, 0, points.anchors, Judges(points))
        rough, fine = (loss.loss.function(view, **loss.options) for view in (panel, replace(panel, is_precise=True)))
        rough, fine = (value.total if isinstance(value, Weighted) else value for value in (rough, fine))
        assert (abs(rough.x - fine) <= SPARE * rough.error + 4 * np.spacing(fine)).all()
        assert (abs(rough.x - fine) <= (ULP + 4) * np.spacing(fine))[rough.is_good].all()
        held = losses_of_panel(partial(loss.loss.function, **loss.options), panel, len(points))[0]
        assert (held == np.where(rough.is_good, rough.x, held)).all()
        assert (abs(held - fine) <= np.where(rough.is_good, ULP + 4, 4) * np.spacing(fine)).all()
        kept.append(rough.is_good.mean())
    assert max(kept) > 0.5


def test_small_losses_are_measured_again():
    points = sort_points(np.array([[1.0, 0], [1, 1e-3], [-1, 0], [-1, 1e-3]]), [0, 0, 1, 1], metric="cosine")
    panel = Panel(points, 0, 4, Judges(points))
    assert not parse("supcon").loss.function(panel, temperature=0.1).is_good.any()


def test_a_set_is_gone_with_its_last_name():
    """Nothing that a pass over a set leaves behind holds the set: no cycle that only the garbage collector ends."""
    points = sort_points(*random_set(50))
    alive = weakref.ref(points)
    gc.disable()
    try:
        for loss in (losses.batch_all, losses.batch_hard, losses.semi_hard):
            sum_losses(points, loss)
        del points
        assert alive() is None
    finally:
        gc.enable()


def test_numpy_never_imports_torch():
    import subprocess

    code = (
        "import sys, numpy as np; from lossctl.sets.panels import anchor_losses;"
        "from lossctl.sets.points import sort_points;"
        "from lossctl.losses import embedding as e;"
        "from lossctl.sets.triplets import breakdown; breakdown(np.eye(4), [0, 0, 1, 1]);"
        "p = sort_points(np.random.default_rng(0).random((9, 2)), [0, 0, 0, 1, 1, 1, 2, 2, 2]);"
        "[anchor_losses(p, f) for f in (e.batch_all, e.batch_hard, e.semi_hard, e.circle, e.supcon)];"
        "assert 'torch' not in sys.modules and 'array_api_compat' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.slow
def test_large_sets_are_multiplied_by_numpy_s_product_too(monkeypatch):
    """Whose product it is would show in the last bits."""
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch, "matmul", lambda *a, **k: pytest.fail("torch was asked"))
    points = sort_points(np.zeros((80_000, 128), np.float32), np.arange(80_000) % 2, dtype="float32")
    assert points.gram.squares(0, 2).shape == (2, 80_000)


def test_hard_triplets_are_those_of_exact_numbers_whatever_holds_the_points():
    rng = np.random.default_rng(5)
    half = rng.normal(size=(12, 3))
    x = np.concatenate([np.zeros((2, 3)), half, -half])  # as far from 0 as each other, which a product may not tell
    label = np.concatenate([[0, 1], np.arange(12) % 2, np.arange(12) % 3])
    rows = [[Fraction(value) for value in row] for row in x.tolist()]
    squares = [[sum((a - b) ** 2 for a, b in zip(p, q, strict=True)) for q in rows] for p in rows]
    members = range(len(x))
    expected = [
        sum(
            squares[a][n] <= squares[a][p]
            for p in members
            for n in members
            if p != a and label[p] == label[a] != label[n]
        )
        for a in members
    ]
    points = sort_points(x, label)
    torch = pytest.importorskip("torch")
    placed = replace(points, x=torch.from_numpy(points.x.copy()))
    for options in ({}, {"soft": True}, {"swap": True}):
        function = partial(losses.batch_all, mining="hard", **options)
        here, there = (anchor_losses(each, function, block=5) for each in (points, placed))
        np.testing.assert_array_equal(here.valid, np.array(expected)[points.rows])
        np.testing.assert_array_equal(here.valid, there.valid)
        np.testing.assert_allclose(here.total, there.total, rtol=1e-13)


BLOCKS = """
from functools import partial
import numpy as np
from lossctl.losses import embedding
from lossctl.sets.panels import anchor_losses
from lossctl.sets import ties
from lossctl.sets.points import sort_points
ties.SHORT = 0  # small classes without columns, large ones with them
random = np.random.default_rng(5)
labels = random.permutation(np.repeat(np.arange(30), 1 + np.arange(30)))
widths = np.where(labels % 3, 0.03, 1.0)[:, None]  # blocks that are screened, and some that are ranked in full
for columns in (3, 40, 300):
    x = random.standard_normal((30, columns))[labels] + widths * random.standard_normal((len(labels), columns))
    points = sort_points(x, labels)
    for loss in (embedding.batch_all, embedding.batch_hard, embedding.semi_hard):
        for block in (5, 37, 240):
            total = anchor_losses(points, partial(loss, margin=0.3), block=block).total
            print(columns, loss.__name__, hash(total.tobytes()))
"""


@pytest.mark.slow
def test_no_digit_of_an_anchor_depends_on_the_block_it_is_in():
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # as on the command line: a BLAS may cut a product again
    run = subprocess.run([sys.executable, "-c", BLOCKS], env=environment, capture_output=True, text=True, check=True)
    lines = run.stdout.splitlines()
    assert len(lines) == 27
    for first in range(0, 27, 3):
        assert len(set(lines[first : first + 3])) == 1, lines[first : first + 3]


CUTS = """
import hashlib, sys
import numpy as np
import lossctl
from lossctl.sets import mining, strategies
from lossctl.sets.points import sort_points
from lossctl.sets.triplets import breakdown
for n, columns, classes, metric in ((401, 33, 30, "euclidean"), (203, 257, 7, "cosine")):
    random = np.random.default_rng(n)
    x, labels = random.standard_normal((n, columns)), np.arange(n) % classes
    x[::9] = x[3]
    found = breakdown(x, labels, margins=[0.3, 1.0], metric=metric, by_class=True, pairs=5)
    counts = [at.categories for at in found.margins], found.positives.counts, found.negatives.counts, found.edges
    print(found.certified, counts, found.classes, found.pairs)
    points = sort_points(x[: 5 * classes], labels[: 5 * classes], metric=metric)
    for name, strategy in strategies.STRATEGIES.items():
        if name != "distance-weighted" or metric == "cosine":
            some = mining.joined(mining.limited(strategy.mine(points), 3000))
            parts = (getattr(some, part).tobytes() for part in ("rows", "d_ap", "d_an", "loss"))
            print(name, *(hashlib.sha1(part).hexdigest() for part in parts))
    loss = lossctl.compute("batch-all", x, labels, distance=metric, margin=0.3).value
    sums = [(at.batch_all_sum, at.batch_hard) for at in found.margins]
    print(*np.ravel(sums), found.positives.mean, found.negatives.mean, loss, file=sys.stderr)
"""


@pytest.mark.slow
def test_counts_and_choices_do_not_depend_on_how_a_blas_cuts_products():
    """Threads of a BLAS change the last bits of products, and with them those of sums of distances: nothing else."""
    runs = [
        subprocess.run(
            [sys.executable, "-c", CUTS],
            env={**os.environ, "OPENBLAS_NUM_THREADS": str(threads)},
            capture_output=True,
            text=True,
            check=True,
        )
        for threads in (1, 2)
    ]
    lines, others = (run.stdout.splitlines() for run in runs)
    assert len(lines) == 2 + 11 + 12 and lines[0].startswith("True") and lines[12].startswith("True")
    assert lines == others
    sums, other_sums = (np.array(run.stderr.split(), float) for run in runs)
    np.testing.assert_allclose(sums, other_sums, rtol=1e-14)
