"""Choices that are options of every loss: what weights, cells, scales, clips and squashes do to a number."""

import numpy as np
import pytest
import scipy.special
import sklearn.metrics
import torch
import torch.nn.functional as F
from conftest import run_lossctl

import lossctl
from lossctl.errors import LossctlError
from lossctl.language import registry

RNG = np.random.default_rng(4)
N, C = 60, 4
PRED, TARGET = RNG.normal(size=(2, N, 3))
LOGITS, CLASSES = RNG.normal(0, 2, (N, C)), RNG.integers(0, C, N)
PROBS = scipy.special.softmax(LOGITS, axis=1)
OTHER = RNG.dirichlet(np.ones(C), N)
CHANCE, LABEL = RNG.uniform(0.01, 0.99, N), RNG.integers(0, 2, N)
WEIGHT = RNG.integers(0, 4, N).astype(float)


def t(array):
    return torch.from_numpy(np.asarray(array))


def value(*arguments, **options):
    return lossctl.compute(*arguments, **options).value


@pytest.mark.parametrize(
    ("arguments", "options", "truth"),
    [
        (("mse", PRED, TARGET), {"reduction": "sum-elements"}, lambda: F.mse_loss(t(PRED), t(TARGET), reduction="sum")),
        (("mse", PRED, TARGET), {"reduction": "mean-elements"}, lambda: F.mse_loss(t(PRED), t(TARGET))),
        (("mse", PRED, TARGET), {"reduction": "sum"}, lambda: F.mse_loss(t(PRED), t(TARGET), reduction="sum") / 3),
        (
            ("kl", PROBS, OTHER),
            {"reduction": "mean-elements"},
            lambda: F.kl_div(t(OTHER).log(), t(PROBS), reduction="none").mean(),
        ),
        (
            ("kl", PROBS, OTHER),
            {"reduction": "sum-elements"},
            lambda: F.kl_div(t(OTHER).log(), t(PROBS), reduction="sum"),
        ),
        (("mse", PRED, TARGET), {"scale": 0.5}, lambda: F.mse_loss(t(PRED), t(TARGET)) / 2),
        (("mae", PRED, TARGET), {"scale": 100, "reduction": "sum"}, lambda: 100 * np.abs(PRED - TARGET).mean(1).sum()),
        (
            ("mse", PRED[:, 0], TARGET[:, 0]),
            {"weight": WEIGHT, "weight_norm": "n"},
            lambda: np.mean(WEIGHT * (PRED[:, 0] - TARGET[:, 0]) ** 2),
        ),
        (
            ("cross-entropy", LOGITS, CLASSES),
            {"class_weights": [1, 2, 4, 0.5], "weight_norm": "n", "from_logits": True},
            lambda: F.cross_entropy(t(LOGITS), t(CLASSES), weight=t([1, 2, 4, 0.5]), reduction="none").mean(),
        ),
        (
            ("bce", [0.0, 1.0, 0.5], [1, 1, 0]),
            {"clip_log": 100},
            lambda: F.binary_cross_entropy(t([0.0, 1, 0.5]), t([1.0, 1, 0])),
        ),
        (("log-loss", [[0.0, 1.0], [1.0, 0.0]], [0, 0]), {"clip_log": 100}, lambda: 50.0),
        (
            ("hinge", 3 * PRED[:, 0], LABEL),
            {"squash": "sigmoid"},
            lambda: sklearn.metrics.hinge_loss(LABEL, scipy.special.expit(3 * PRED[:, 0])),
        ),
        (
            ("squared-hinge", 3 * PRED[:, 0], LABEL),
            {"squash": "tanh"},
            lambda: np.mean(np.maximum(0, 1 - (2 * LABEL - 1) * np.tanh(3 * PRED[:, 0])) ** 2),
        ),
        (
            ("multiclass-hinge", LOGITS, CLASSES),
            {"squash": "softmax"},
            lambda: sklearn.metrics.hinge_loss(CLASSES, PROBS),
        ),
    ],
)
def test_a_choice_gives_the_number_of_who_makes_it(arguments, options, truth):
    assert value(*arguments, **options) == pytest.approx(float(truth()), rel=1e-12)


def test_probabilities_in_float32_are_clipped_to_other_ends():
    """1 - 1e-7 is 1 - 1.19e-7 there, so that p = 1 and p = 0 cost differently."""
    clipped = {"clip": 1e-7, "clip_type": "float32"}
    assert value("bce", [1.0], [0], **clipped) == pytest.approx(15.942385, abs=1e-6)
    assert value("bce", [0.0], [1], **clipped) == pytest.approx(16.118096, abs=1e-6)
    assert value("bce", [1.0], [0], clip=1e-7) == pytest.approx(16.118096, abs=1e-6)


def test_a_row_of_weight_0_counts_as_a_row_and_costs_nothing():
    p, y, w = [0.5, 0.0, 0.5, 0.5], [1, 1, 0, 1], [1.0, 0.0, 2.0, 1.0]
    assert value("bce", p, y, weight=w, weight_norm="n") == pytest.approx(np.log(2))
    assert value("bce", p, y, weight=w) == pytest.approx(np.log(2))


def test_intervals_rows_and_sums_are_scaled_too():
    plain = lossctl.compute("mse", PRED, TARGET, ci=0.9)
    half = lossctl.compute("mse", PRED, TARGET, ci=0.9, scale=0.5)
    assert half.ci.low == plain.ci.low / 2 and half.ci.high == plain.ci.high / 2
    assert lossctl.row_losses("mse", PRED, TARGET, scale=0.5) == pytest.approx(((PRED - TARGET) ** 2).mean(1) / 2)
    assert not any("scale" in text for text in half.warnings)
    for loss, own in (("mnrl", "its s: 20"), ("clip", "its temperature: 0.05, 1 over it"), ("cauchy", "its c: 20")):
        assert lossctl.compute(loss, PRED, TARGET, scale=20).warnings[-1].endswith(own)  # a library's scale
    cells = lossctl.compute("mse", PRED, TARGET, ci=0.9, reduction="sum-elements")
    total = lossctl.compute("mse", PRED, TARGET, ci=0.9, reduction="sum")
    assert cells.ci.low == pytest.approx(3 * total.ci.low, rel=1e-12)


@pytest.mark.first_fast
@pytest.mark.parametrize(
    "loss",
    [loss for loss in registry.walk() if len(loss.all_reductions) > len(loss.reductions)],
    ids=lambda loss: loss.name,
)
def test_help_offers_sums_over_cells(loss):
    assert "sum-elements" in run_lossctl("compute", loss.name, "--help").out


LONE = np.array([[1.0, 0], [0.8, 0.6], [0, 1], [0.1, 0.9], [-1, 0]]), np.array([0, 0, 1, 1, 2])
LINE = np.arange(9.0)[:, None], np.array([0, 0, 1, 1, 0, 2, 1, 1, 1])


@pytest.mark.parametrize(
    ("spec", "inputs", "lone", "printed"),
    [
        ("multi-similarity", LONE, "drop", 0.305958),
        ("multi-similarity", LONE, "zero", 0.244766),
        ("supcon", LONE, "drop", 0.109376),
        ("supcon", LONE, "zero", 0.087500),
        ("circle:gamma=80,margin=0.4", LONE, "drop", 7.562735),
        ("circle:gamma=80,margin=0.4", LONE, "zero", 6.050188),
        ("batch-hard", LINE, "drop", 4.125),
        ("batch-hard", LINE, "self", 3.666667),
        ("batch-hard:soft=true", LINE, "self", 2.86515),
    ],
)
def test_lone_anchors_count_as_libraries_count_them(spec, inputs, lone, printed):
    result = lossctl.compute(spec, *inputs, lone=lone)
    assert result.value == pytest.approx(printed, abs=6e-6)
    assert (f"lone:{lone}" in result.signature) == (lone != "drop")
    if lone != "drop":
        assert result.n == len(inputs[1]) and len(lossctl.row_losses(spec, *inputs, lone=lone)) == len(inputs[1])


def test_a_lone_anchor_stands_at_its_row():
    rows = lossctl.row_losses("batch-hard", *LINE, lone="self")
    assert rows[5] == pytest.approx(max(0.0, 0 - 1 + 1))
    assert np.delete(rows, 5) == pytest.approx(lossctl.row_losses("batch-hard", *LINE))
    names = np.array(["a", "a", "b", "b", "c"])
    assert lossctl.compute("supcon", LONE[0], names, lone="zero").value == pytest.approx(0.0875, abs=1e-6)


CHANGES = {"scale": 2.0, "weight_norm": "n", "clip_log": 50.0, "clip_type": "float32"}


@pytest.mark.parametrize("name", CHANGES)
def test_a_choice_stands_in_the_signature(name):
    plain = lossctl.compute("bce", CHANCE, LABEL, weight=WEIGHT).signature
    assert plain != lossctl.compute("bce", CHANCE, LABEL, weight=WEIGHT, **{name: CHANGES[name]}).signature


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        (("rmse", PRED, TARGET), {"scale": 2.0}),
        (("rmse", PRED, TARGET), {"reduction": "sum-elements"}),
        (("bce", CHANCE, LABEL), {"squash": "tanh"}),
        (("mse", PRED, TARGET), {"clip_log": 3.0}),
        (("hinge", CHANCE, LABEL), {"squash": "softmax"}),
        (("mse", PRED, TARGET), {"scale": 0.0}),
        (("circle", *LONE), {"lone": "self"}),
        (("nt-xent", *LONE), {"lone": "zero"}),
        (("bce", LOGITS[:, 0], LABEL), {"clip_log": 100.0, "from_logits": True}),
        (("bce", PROBS, OTHER), {"pos_weight": [1, 2, 3, 4], "soft": True}),
        (("bce", PROBS, np.eye(C)[CLASSES]), {"pos_weight": [1, 2]}),
    ],
)
def test_a_choice_that_means_nothing_is_refused(arguments, options):
    with pytest.raises(LossctlError) as fault:
        lossctl.compute(*arguments, **options)
    assert fault.value.fix
