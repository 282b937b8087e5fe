"""What every loss must print, said by someone else: another library, a closed form, a published table.

ORACLES is the one table: loss -> cases. No case repeats our formula on another backend: where a library has the loss,
it is asked; where none has, the truth is a number worked out by hand (in fractions or decimals) or a series.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal, getcontext
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import readings
import scipy.spatial.distance
import scipy.special
import scipy.stats
import sklearn.metrics
import sklearn.tree
import torch
import torch.nn.functional as F

from lossctl.api.reading import Reading
from lossctl.language import registry

getcontext().prec = 40
INFINITY = math.inf


@dataclass(frozen=True)
class Case:
    """One number: who says it, of which inputs, and how it is asked for.

    truth: the number, or a function without arguments that fetches it
    digits: how many decimals a published table gives; 0 where the truth is exact to rounding
    forms: role -> form of its probabilities
    """

    source: str
    spec: str
    inputs: tuple[Any, ...]
    truth: float | Callable[[], Any]
    digits: int = 0
    reduction: str = "mean"
    weight: Any = None
    clip: float = 0.0
    forms: dict[str, str] = field(default_factory=dict)


def value_of(case: Case) -> float:
    spec = registry.parse(case.spec)
    named = {role.name: np.asarray(given) for role, given in zip(spec.loss.roles, case.inputs, strict=True)}
    reading = Reading(forms=case.forms, clip=case.clip)
    weight = None if case.weight is None else np.asarray(case.weight)
    return readings.value_of(spec, [], named, reduction=case.reduction, weight=weight, reading=reading)


# --- data

rng = np.random.default_rng(7)
PRED, TARGET = rng.normal(size=(2, 50))
TABLE, TABLE_TARGET = rng.normal(size=(2, 20, 3))
WEIGHT = rng.integers(0, 5, 50).astype(float)
LABEL = rng.integers(0, 2, 50)
LOGIT = rng.normal(0, 2, 50)
PROB = rng.uniform(0.01, 0.99, 50)
MANY_LABELS = rng.integers(0, 2, (20, 4))
MANY_LOGITS = rng.normal(0, 2, (20, 4))
CLASSES = rng.integers(0, 4, 50)
SCORES = rng.normal(0, 2, (50, 4))
PROBS = scipy.special.softmax(SCORES, axis=1)
SOFT = rng.dirichlet(np.ones(4), 50)
OTHER = rng.dirichlet(np.ones(4), 50)
LEFT, RIGHT, THIRD = rng.normal(size=(3, 30, 5))
SAME = rng.integers(0, 2, 30)
SPLIT = rng.integers(0, 3, 50)

# of the published comparison: T (pairs by distance), K (three labels; three classes; two distributions), hinge scores
T = (np.array([[0.1], [0.3], [1.3], [0.7], [1.1], [0.5]]), np.zeros((6, 1)), np.array([0, 0, 1, 1, 0, 1]))
K = (np.array([[1.5, -2.7, 2.9], [-3.8, 1.2, -4.5]]), np.array([[1, 1, 0], [0, 1, 0]]))
K3 = (np.array([[8.0, 1, 1], [0, 9, 1], [2, 3, 5]]), np.array([0, 1, 2]))
KP = (np.array([[0.5, 0.8, 0.12], [0.7, 0.43, 0.8]]), np.array([[0.4, 0.9, 0.12], [0.36, 0.3, 0.4]]))
SATURATED = (np.array([1.0, 1, 1, 0]), np.array([1, 0, 1, 0]))
H1 = (np.array([-8.5, 0.5, 1.5, -0.3]), np.array([0, 1, 1, 0]))
H4 = (
    np.array(
        [
            [0.36, -0.17, -0.58, -0.99],
            [-0.54, -0.37, -0.48, -0.58],
            [-1.45, -0.58, -0.38, -0.17],
            [-0.54, -0.38, -0.48, -0.58],
            [-2.36, -0.79, -0.27, 0.24],
            [-1.45, -0.58, -0.38, -0.17],
        ]
    ),
    np.array([0, 1, 2, 1, 3, 2]),
)
LOGITS = {"prob": "logits"}, {"probs": "logits"}, {"chance": "logits"}, {"p": "logits", "q": "logits"}
OF_PROB, OF_PROBS, OF_CHANCE, OF_BOTH = LOGITS


def tensor(array: Any) -> torch.Tensor:
    return torch.from_numpy(np.asarray(array, dtype=np.float64))


def index(array: Any) -> torch.Tensor:
    return torch.from_numpy(np.asarray(array, dtype=np.int64))


def log(text: str | int | Fraction) -> Decimal:
    """The natural logarithm of a rational number, to 40 digits."""
    number = Fraction(text)
    return (Decimal(number.numerator) / Decimal(number.denominator)).ln()


def mean(terms: Any) -> Any:
    terms = list(terms)
    return sum(terms) / len(terms)


# --- regression


def fractions(pred: Any, target: Any) -> list[Fraction]:
    """Errors, exactly."""
    return [Fraction(p) - Fraction(t) for p, t in zip(np.ravel(pred).tolist(), np.ravel(target).tolist(), strict=True)]


REGRESSION = {
    "mean-error": [
        Case("by hand: too low is positive", "mean-error", ([1.0, 2.0], [3.0, 2.5]), 1.25),
        Case("fractions", "mean-error", (PRED, TARGET), lambda: -mean(fractions(PRED, TARGET))),
        Case("fractions, columns", "mean-error", (TABLE, TABLE_TARGET), lambda: -mean(fractions(TABLE, TABLE_TARGET))),
        Case("means apart", "mean-error", ([1.0, 2.0], [5.0, 7.0]), Fraction(9, 2), weight=[1, 1]),
        Case("numpy", "mean-error", (PRED, TARGET), lambda: np.average(TARGET - PRED, weights=WEIGHT), weight=WEIGHT),
    ],
    "mse": [
        Case("scikit-learn", "mse", (PRED, TARGET), lambda: sklearn.metrics.mean_squared_error(TARGET, PRED)),
        Case(
            "scikit-learn, weights",
            "mse",
            (PRED, TARGET),
            lambda: sklearn.metrics.mean_squared_error(TARGET, PRED, sample_weight=WEIGHT),
            weight=WEIGHT,
        ),
        Case("torch, columns", "mse", (TABLE, TABLE_TARGET), lambda: F.mse_loss(tensor(TABLE), tensor(TABLE_TARGET))),
        Case(
            "torch, sum",
            "mse",
            (PRED, TARGET),
            lambda: F.mse_loss(tensor(PRED), tensor(TARGET), reduction="sum"),
            reduction="sum",
        ),
        Case("scikit-learn's example", "mse", ([2.5, 0.0, 2, 8], [3, -0.5, 2, 7]), 0.375),
    ],
    "mae": [
        Case("scikit-learn", "mae", (PRED, TARGET), lambda: sklearn.metrics.mean_absolute_error(TARGET, PRED)),
        Case("torch, columns", "mae", (TABLE, TABLE_TARGET), lambda: F.l1_loss(tensor(TABLE), tensor(TABLE_TARGET))),
        Case("scipy", "mae", (PRED, TARGET), lambda: scipy.spatial.distance.cityblock(PRED, TARGET), reduction="sum"),
        Case("scikit-learn's example", "mae", ([2.5, 0.0, 2, 8], [3, -0.5, 2, 7]), 0.5),
    ],
    "rmse": [
        Case("scikit-learn", "rmse", (PRED, TARGET), lambda: sklearn.metrics.root_mean_squared_error(TARGET, PRED)),
        Case(
            "scikit-learn, weights",
            "rmse",
            (PRED, TARGET),
            lambda: sklearn.metrics.root_mean_squared_error(TARGET, PRED, sample_weight=WEIGHT),
            weight=WEIGHT,
        ),
        Case(
            "scipy, columns",
            "rmse",
            (TABLE, TABLE_TARGET),
            lambda: scipy.spatial.distance.euclidean(TABLE.ravel(), TABLE_TARGET.ravel()) / 60**0.5,
        ),
        Case("a 3-4-5 triangle", "rmse", ([3.0, 4.0], [0.0, 0.0]), 5 / math.sqrt(2)),
    ],
    "huber": [
        Case(
            "torch",
            f"huber:delta={delta}",
            (PRED, TARGET),
            lambda delta=delta: F.huber_loss(tensor(PRED), tensor(TARGET), delta=delta),
        )
        for delta in (0.5, 1.0, 3.0)
    ]
    + [
        Case(
            "scipy",
            "huber:delta=0.7",
            (PRED, TARGET),
            lambda: scipy.special.huber(0.7, PRED - TARGET).sum(),
            reduction="sum",
        ),
        Case(
            "torch, columns", "huber", (TABLE, TABLE_TARGET), lambda: F.huber_loss(tensor(TABLE), tensor(TABLE_TARGET))
        ),
        Case("by hand, all beyond", "huber:delta=0.5", ([2.0, 1.92, 1.84], [0, 0, 0]), 0.835),
        Case("by hand, both sides and the seam", "huber:delta=2", ([1.0, 2.0, 3.0], [0, 0, 0]), Fraction(1 + 4 + 8, 6)),
    ],
    "smooth-l1": [
        Case(
            "torch",
            f"smooth-l1:beta={beta}",
            (PRED, TARGET),
            lambda beta=beta: F.smooth_l1_loss(tensor(PRED), tensor(TARGET), beta=beta),
        )
        for beta in (0.5, 1.0, 3.0)
    ]
    + [
        Case("by hand, all beyond", "smooth-l1:beta=0.5", ([2.0, 1.92, 1.84], [0, 0, 0]), 1.67),
        Case(
            "torch, columns",
            "smooth-l1",
            (TABLE, TABLE_TARGET),
            lambda: F.smooth_l1_loss(tensor(TABLE), tensor(TABLE_TARGET)),
        ),
    ],
}

# --- classification


def fading(miss: Fraction, gamma: int) -> Decimal:
    """(1-p)^gamma (-log p) as the sum of (1-p)^(gamma+k) / k: the logarithm's own series."""
    m = Decimal(miss.numerator) / Decimal(miss.denominator)
    return sum((m ** (gamma + k) / k for k in range(1, 400)), Decimal(0))


def as_binary(probs: np.ndarray, label: np.ndarray) -> np.ndarray:
    """The probability of the true class, as a prediction of yes."""
    return probs[np.arange(len(label)), label]


def torch_ce(**options: Any) -> Callable[[], Any]:
    return lambda: F.cross_entropy(tensor(SCORES), index(CLASSES), **options)


def minus_log_sigmoid(x: np.ndarray) -> np.ndarray:
    return -scipy.special.log_expit(x)


FOCAL_BINARY = [Fraction(3, 4), Fraction(9, 10), Fraction(1, 2), Fraction(255, 256)]
COUNTS = np.bincount(CLASSES, minlength=4)
INVERSE = (1 / COUNTS) / (1 / COUNTS).sum()

CLASSIFICATION = {
    "bce": [
        Case("the table", "bce", K, 1.036079, digits=6, forms=OF_PROB),
        Case("saturated and wrong is infinite", "bce", SATURATED, INFINITY),
        Case(
            "scikit-learn's clip",
            "bce",
            SATURATED,
            lambda: sklearn.metrics.log_loss(SATURATED[1], SATURATED[0]),
            clip=2.0**-52,
        ),
        Case("the table, clip of float32", "bce", SATURATED, 3.985596, digits=6, clip=2.0**-23),
        Case("the table, clip of keras", "bce", SATURATED, 4.029524, digits=6, clip=1e-7),
        Case("saturated and right is zero", "bce", ([1.0, 0.0], [1, 0]), 0.0),
        Case("scikit-learn", "bce", (PROB, LABEL), lambda: sklearn.metrics.log_loss(LABEL, PROB)),
        Case(
            "scikit-learn, weights",
            "bce",
            (PROB, LABEL),
            lambda: sklearn.metrics.log_loss(LABEL, PROB, sample_weight=WEIGHT),
            weight=WEIGHT,
        ),
        Case(
            "torch, logits",
            "bce",
            (LOGIT, LABEL),
            lambda: F.binary_cross_entropy_with_logits(tensor(LOGIT), tensor(LABEL)),
            forms=OF_PROB,
        ),
        Case(
            "torch, many labels",
            "bce",
            (MANY_LOGITS, MANY_LABELS),
            lambda: F.binary_cross_entropy_with_logits(tensor(MANY_LOGITS), tensor(MANY_LABELS)),
            forms=OF_PROB,
        ),
        Case(
            "torch, many labels' probabilities",
            "bce",
            (scipy.special.expit(MANY_LOGITS), MANY_LABELS),
            lambda: F.multilabel_soft_margin_loss(tensor(MANY_LOGITS), tensor(MANY_LABELS)),
        ),
        Case(
            "torch, pos_weight",
            "bce:pos_weight=2.5",
            (LOGIT, LABEL),
            lambda: F.binary_cross_entropy_with_logits(
                tensor(LOGIT), tensor(LABEL), pos_weight=torch.tensor(2.5, dtype=torch.float64)
            ),
            forms=OF_PROB,
        ),
        Case("weight 0 silences infinity", "bce:pos_weight=0", ([0.0, 0.5], [1, 0]), math.log(2) / 2),
        Case("labels -1 and 1", "bce", ([0.25, 0.25], [-1, 1]), lambda: (log("4/3") + log(4)) / 2),
        Case("log 2 is a coin's score", "bce", ([0.5], [0]), math.log(2)),
        Case("a far logit is linear", "bce", ([1000.0, -1000.0], [0, 0]), 500.0, forms=OF_PROB),
    ],
    "log-loss": [
        Case("scikit-learn", "log-loss", (PROB, LABEL), lambda: sklearn.metrics.log_loss(LABEL, PROB)),
        Case("scikit-learn, classes", "log-loss", (PROBS, CLASSES), lambda: sklearn.metrics.log_loss(CLASSES, PROBS)),
        Case("torch, classes", "log-loss", (SCORES, CLASSES), torch_ce(), forms=OF_CHANCE),
        Case(
            "torch, logits",
            "log-loss",
            (LOGIT, LABEL),
            lambda: F.soft_margin_loss(tensor(LOGIT), tensor(2 * LABEL - 1)),
            forms=OF_CHANCE,
        ),
        Case(
            "torch, many labels",
            "log-loss",
            (MANY_LOGITS, MANY_LABELS),
            lambda: F.multilabel_soft_margin_loss(tensor(MANY_LOGITS), tensor(MANY_LABELS)),
            forms=OF_CHANCE,
        ),
    ],
    "cross-entropy": [
        Case("the table", "cross-entropy", K3, 0.057376, digits=6, forms=OF_PROBS),
        Case("the table, class weights", "cross-entropy:class_weights=1/2/4", K3, 0.097446, digits=6, forms=OF_PROBS),
        Case(
            "the table, class weights, sum",
            "cross-entropy:class_weights=1/2/4",
            K3,
            lambda: F.cross_entropy(tensor(K3[0]), index(K3[1]), weight=tensor([1, 2, 4]), reduction="sum"),
            reduction="sum",
            forms=OF_PROBS,
        ),
        Case("the table, smoothing", "cross-entropy:label_smoothing=0.1", K3, 0.457376, digits=6, forms=OF_PROBS),
        Case(
            "the table, one ignored",
            "cross-entropy:ignore_index=-100",
            (K3[0], [0, -100, 2]),
            0.085834,
            digits=6,
            forms=OF_PROBS,
        ),
        Case(
            "a named trap: [40, 0, -3]",
            "cross-entropy",
            ([[40.0, 0, -3]], [0]),
            lambda: Decimal(-40).exp() + Decimal(-43).exp() - (Decimal(-40).exp() + Decimal(-43).exp()) ** 2 / 2,
            forms=OF_PROBS,
        ),
        Case("torch", "cross-entropy", (SCORES, CLASSES), torch_ce(), forms=OF_PROBS),
        Case(
            "torch, weights",
            "cross-entropy:class_weights=0.5/2/1/3",
            (SCORES, CLASSES),
            torch_ce(weight=tensor([0.5, 2, 1, 3])),
            forms=OF_PROBS,
        ),
        Case(
            "torch, weights and smoothing",
            "cross-entropy:class_weights=0.5/2/1/3,label_smoothing=0.2",
            (SCORES, CLASSES),
            torch_ce(weight=tensor([0.5, 2, 1, 3]), label_smoothing=0.2),
            forms=OF_PROBS,
        ),
        Case(
            "torch, ignored class",
            "cross-entropy:ignore_index=2",
            (SCORES, CLASSES),
            torch_ce(ignore_index=2),
            forms=OF_PROBS,
        ),
        Case(
            "torch, ignored class and weights",
            "cross-entropy:ignore_index=2,class_weights=0.5/2/1/3",
            (SCORES, CLASSES),
            torch_ce(ignore_index=2, weight=tensor([0.5, 2, 1, 3])),
            forms=OF_PROBS,
        ),
        Case(
            "torch, distribution",
            "cross-entropy",
            (SCORES, SOFT),
            lambda: F.cross_entropy(tensor(SCORES), tensor(SOFT)),
            forms=OF_PROBS,
        ),
        Case(
            "torch, distribution, smoothing and weights",
            "cross-entropy:label_smoothing=0.3,class_weights=0.5/2/1/3",
            (SCORES, SOFT),
            lambda: F.cross_entropy(tensor(SCORES), tensor(SOFT), label_smoothing=0.3, weight=tensor([0.5, 2, 1, 3])),
            forms=OF_PROBS,
        ),
        Case(
            "scikit-learn, probabilities",
            "cross-entropy",
            (PROBS, CLASSES),
            lambda: sklearn.metrics.log_loss(CLASSES, PROBS),
        ),
        Case(
            "scikit-learn, row weights",
            "cross-entropy",
            (PROBS, CLASSES),
            lambda: sklearn.metrics.log_loss(CLASSES, PROBS, sample_weight=WEIGHT),
            weight=WEIGHT,
        ),
        Case(
            "scipy, distribution of probabilities",
            "cross-entropy",
            (PROBS, SOFT),
            lambda: mean(scipy.stats.entropy(SOFT, axis=1) + scipy.stats.entropy(SOFT, PROBS, axis=1)),
        ),
        Case(
            "entropy of a distribution with itself",
            "cross-entropy",
            ([[0.5, 0.25, 0.25]], [[0.5, 0.25, 0.25]]),
            1.5 * math.log(2),
        ),
        Case("a uniform guess costs log C", "cross-entropy", (np.full((3, 8), 1 / 8), [0, 3, 7]), 3 * math.log(2)),
        Case("certain and wrong", "cross-entropy", ([[1.0, 0.0]], [1]), INFINITY),
        Case("certain and right", "cross-entropy", ([[1.0, 0.0]], [0]), 0.0),
    ],
    "focal": [
        Case("the table", "focal", K, 0.850350, digits=6, forms=OF_CHANCE),
        Case("the table, alpha .25", "focal:alpha=0.25", K, 0.433715, digits=6, forms=OF_CHANCE),
        Case("the table, alpha reversed", "focal:alpha=0.75", K, 0.416635, digits=6, forms=OF_CHANCE),
        Case(
            "the table, by positives", "focal:alpha=0.25", K, 0.867430, digits=6, forms=OF_CHANCE, reduction="positives"
        ),
        Case("the table, no focus", "focal:gamma=0", K, 1.036079, digits=6, forms=OF_CHANCE),
        Case("a named trap: x = 37.5", "focal", ([37.5], [1]), lambda: Decimal("-37.5").exp() ** 3, forms=OF_CHANCE),
        *(
            Case(
                f"series, p = {p}",
                f"focal:gamma={gamma}",
                ([float(p)], [1]),
                lambda p=p, gamma=gamma: fading(1 - p if p != Fraction(9, 10) else 1 - Fraction(0.9), gamma),
            )
            for p in FOCAL_BINARY
            for gamma in (1, 2, 5)
        ),
        Case("by hand, half sure", "focal:gamma=3,alpha=0.3", ([0.5, 0.5], [1, 0]), math.log(2) / 16),
        Case(
            "by hand, 3/4 and 1/4",
            "focal:alpha=0.25",
            ([0.75, 0.75], [1, 0]),
            lambda: (log("4/3") / 16 / 4 + log(4) * 9 / 16 * 3 / 4) / 2,
        ),
        Case("torch, gamma 0 is cross-entropy", "focal:gamma=0", (SCORES, CLASSES), torch_ce(), forms=OF_CHANCE),
        Case(
            "torch, gamma 0 with weights",
            "focal:gamma=0,alpha=0.1/0.2/0.3/0.4",
            (SCORES, CLASSES),
            torch_ce(weight=tensor([0.1, 0.2, 0.3, 0.4]), reduction="sum"),
            reduction="sum",
            forms=OF_CHANCE,
        ),
        Case(
            "two classes are a binary case",
            "focal",
            ([[0.2, 0.8], [0.6, 0.4]], [1, 1]),
            lambda: (log("5/4") / 25 + log("5/2") * 9 / 25) / 2,
        ),
        Case(
            "by hand, a list of alphas",
            "focal:gamma=1,alpha=0.1/0.2/0.7",
            ([[0.5, 0.25, 0.25], [0.5, 0.25, 0.25]], [0, 2]),
            lambda: (log(2) / 2 / 10 + log(4) * 3 / 4 * 7 / 10) / 2,
        ),
        Case(
            "by hand, one alpha for all classes",
            "focal:gamma=1,alpha=0.3",
            ([[0.5, 0.25, 0.25]], [2]),
            lambda: log(4) * 3 / 4 * 3 / 10,
        ),
        Case(
            "balanced of labels 1, 0, 0, 0",
            "focal:alpha=balanced,gamma=0",
            ([0.5] * 4, [1, 0, 0, 0]),
            lambda: log(2) * (3 + 1 + 1 + 1) / 4 / 4,
        ),
        Case(
            "balanced classes",
            "focal:alpha=balanced,gamma=0",
            (SCORES, CLASSES),
            lambda: F.cross_entropy(tensor(SCORES), index(CLASSES), weight=tensor(INVERSE), reduction="sum") / 50,
            forms=OF_CHANCE,
        ),
        Case("saturated and wrong", "focal", ([0.0], [1]), INFINITY),
        Case("saturated and right", "focal", ([1.0, 0.0], [1, 0]), 0.0),
        Case(
            "many labels of one positive",
            "focal:gamma=1",
            ([[0.5, 0.5, 0.5]], [[1, 0, 0]]),
            lambda: 3 * log(2) / 2,
            reduction="positives",
        ),
    ],
    "focal-star": [
        Case("the table", "focal-star", K, 0.772634, digits=6),
        Case("the table, gamma 4 beta 0", "focal-star:gamma=4,beta=0", K, 0.933779, digits=6),
        Case(
            "scipy",
            "focal-star:gamma=1.5,beta=-2",
            (LOGIT, LABEL),
            lambda: mean(minus_log_sigmoid(1.5 * np.where(LABEL == 1, LOGIT, -LOGIT) - 2)) / 1.5,
        ),
        Case(
            "torch, gamma 1 beta 0 is bce",
            "focal-star:gamma=1,beta=0",
            (LOGIT, LABEL),
            lambda: F.binary_cross_entropy_with_logits(tensor(LOGIT), tensor(LABEL)),
        ),
        Case(
            "probabilities: (1 + odds^2) / 2",
            "focal-star:gamma=2,beta=0",
            ([0.75], [1]),
            lambda: log("10/9") / 2,
            forms={"logit": "prob"},
        ),
        Case("decimals, far right", "focal-star", ([300.0], [1]), lambda: Decimal(-601).exp() / 2),
    ],
    "hinge": [
        Case("the table", "hinge", H1, 0.3),
        Case("labels -1 and 1", "hinge", (H1[0], 2 * H1[1] - 1), 0.3),
        Case("scikit-learn", "hinge", (LOGIT, LABEL), lambda: sklearn.metrics.hinge_loss(LABEL, LOGIT)),
        Case(
            "scikit-learn, weights",
            "hinge",
            (LOGIT, LABEL),
            lambda: sklearn.metrics.hinge_loss(LABEL, LOGIT, sample_weight=WEIGHT),
            weight=WEIGHT,
        ),
        Case(
            "torch, margin",
            "hinge:margin=0.3",
            (LOGIT, LABEL),
            lambda: F.margin_ranking_loss(tensor(LOGIT), tensor(0 * LOGIT), tensor(2 * LABEL - 1), margin=0.3),
        ),
    ],
    "squared-hinge": [
        Case("the table's scores by hand", "squared-hinge", H1, (0.25 + 0.49) / 4),
        Case(
            "torch, two classes",
            "squared-hinge",
            (LOGIT, LABEL),
            lambda: 2 * F.multi_margin_loss(torch.stack([-tensor(LOGIT), tensor(LOGIT)], 1) / 2, index(LABEL), p=2),
        ),
        Case(
            "torch, two classes, margin",
            "squared-hinge:margin=2",
            (LOGIT, LABEL),
            lambda: (
                2
                * F.multi_margin_loss(torch.stack([-tensor(LOGIT), tensor(LOGIT)], 1) / 2, index(LABEL), p=2, margin=2)
            ),
        ),
    ],
    "multiclass-hinge": [
        Case("the table", "multiclass-hinge", H4, 0.861667, digits=6),
        Case("the table, Weston-Watkins", "multiclass-hinge:kind=weston-watkins", H4, 1.681667, digits=6),
        Case(
            "scikit-learn", "multiclass-hinge", (SCORES, CLASSES), lambda: sklearn.metrics.hinge_loss(CLASSES, SCORES)
        ),
        Case(
            "torch",
            "multiclass-hinge:kind=weston-watkins,margin=0.4",
            (SCORES, CLASSES),
            lambda: 4 * F.multi_margin_loss(tensor(SCORES), index(CLASSES), margin=0.4),
        ),
        Case(
            "two classes are hinge",
            "multiclass-hinge:margin=0.3",
            (np.stack([0 * LOGIT, LOGIT], 1), LABEL),
            lambda: F.margin_ranking_loss(tensor(LOGIT), tensor(0 * LOGIT), tensor(2 * LABEL - 1), margin=0.3),
        ),
        Case("by hand, the regulariser", "multiclass-hinge:l2=1/2/3,l2_strength=0.5", ([[5.0, 0, 0]], [0]), 7.0),
        Case("by hand, a tie", "multiclass-hinge", ([[1.0, 1.0, 0.0]], [0]), 1.0),
    ],
}

# --- divergence


def torch_kl(p: np.ndarray, log_q: np.ndarray) -> torch.Tensor:
    return F.kl_div(tensor(log_q), tensor(p), reduction="batchmean")


LOG_FORMS = {"p": "log-prob", "q": "log-prob"}
with np.errstate(divide="ignore"):
    LOG_ZERO = np.log([[0.5, 0.5, 0.0]])

DIVERGENCE = {
    "kl": [
        Case("the table", "kl", KP, 0.596074, digits=6),
        Case("the table, sum", "kl", KP, 1.192148, digits=6, reduction="sum"),
        Case("scipy", "kl", (SOFT, OTHER), lambda: mean(scipy.stats.entropy(SOFT, OTHER, axis=1))),
        Case("scipy, not normalised", "kl", KP, lambda: scipy.special.rel_entr(*KP).sum() / 2),
        Case(
            "torch, log-prob",
            "kl",
            (np.log(SOFT), np.log(OTHER)),
            lambda: torch_kl(SOFT, np.log(OTHER)),
            forms=LOG_FORMS,
        ),
        Case(
            "torch, q log-prob",
            "kl",
            (SOFT, np.log(OTHER)),
            lambda: torch_kl(SOFT, np.log(OTHER)),
            forms={"q": "log-prob"},
        ),
        Case(
            "torch, logits",
            "kl",
            (SCORES, 2 * np.roll(SCORES, 1)),
            lambda: torch_kl(PROBS, scipy.special.log_softmax(2 * np.roll(SCORES, 1), axis=1)),
            forms=OF_BOTH,
        ),
        Case(
            "torch, p probabilities, q logits",
            "kl",
            (SOFT, SCORES),
            lambda: torch_kl(SOFT, scipy.special.log_softmax(SCORES, axis=1)),
            forms={"q": "logits"},
        ),
        Case(
            "scipy, p logits, q log-prob",
            "kl",
            (SCORES, np.log(OTHER)),
            lambda: mean(scipy.stats.entropy(PROBS, OTHER, axis=1)),
            forms={"p": "logits", "q": "log-prob"},
        ),
        Case("by hand", "kl", ([[0.5, 0.5]], [[0.25, 0.75]]), lambda: log("4/3") / 2),
        Case("the other direction", "kl", ([[0.25, 0.75]], [[0.5, 0.5]]), lambda: log("27/16") / 4),
        Case("0 log 0 is 0", "kl", ([[1.0, 0.0]], [[0.5, 0.5]]), math.log(2)),
        Case("0 log 0 is 0, of log-prob", "kl", (LOG_ZERO, np.log([[0.25, 0.25, 0.5]])), math.log(2), forms=LOG_FORMS),
        Case("infinite where only q is 0", "kl", ([[0.5, 0.5]], [[1.0, 0.0]]), INFINITY),
        Case("infinite, of log-prob", "kl", (np.log([[0.25, 0.25, 0.5]]), LOG_ZERO), INFINITY, forms=LOG_FORMS),
        Case("equal", "kl", (SOFT, SOFT), 0.0),
        Case(
            "an offset of logits is nothing", "kl", ([[1.0, 2.0, 4.0]], [[1025.0, 1026.0, 1028.0]]), 0.0, forms=OF_BOTH
        ),
        Case("far logits", "kl", ([[0.0, 20000.0]], [[0.0, -20000.0]]), 20000.0, forms=OF_BOTH),
    ],
    "js": [
        Case(
            "scipy", "js", (SOFT, OTHER), lambda: mean(scipy.spatial.distance.jensenshannon(SOFT, OTHER, axis=1) ** 2)
        ),
        Case(
            "scipy, log-prob",
            "js",
            (np.log(SOFT), np.log(OTHER)),
            lambda: mean(scipy.spatial.distance.jensenshannon(SOFT, OTHER, axis=1) ** 2),
            forms=LOG_FORMS,
        ),
        Case(
            "scipy, logits",
            "js",
            (SCORES, -SCORES),
            lambda: mean(
                scipy.spatial.distance.jensenshannon(PROBS, scipy.special.softmax(-SCORES, axis=1), axis=1) ** 2
            ),
            forms=OF_BOTH,
        ),
        Case(
            "scipy, mixed",
            "js",
            (SCORES, OTHER),
            lambda: mean(scipy.spatial.distance.jensenshannon(PROBS, OTHER, axis=1) ** 2),
            forms={"p": "logits"},
        ),
        Case("nothing in common", "js", ([[1.0, 0.0]], [[0.0, 1.0]]), math.log(2)),
        Case("by hand", "js", ([[0.5, 0.5]], [[1.0, 0.0]]), lambda: 3 * log("4/3") / 4),
        Case("equal", "js", (SOFT, SOFT), 0.0),
        Case(
            "nearly equal: half the square of the step",
            "js",
            ([[0.5 + 2.0**-30, 0.5 - 2.0**-30]], [[0.5, 0.5]]),
            2.0**-61,
        ),
    ],
}

# --- impurity


def stump(criterion: str, target: Any, split: Any, weight: Any = None, regression: bool = False) -> float:
    """What scikit-learn's tree says a node's impurity falls by, if it is split two ways by `split`."""
    kind = sklearn.tree.DecisionTreeRegressor if regression else sklearn.tree.DecisionTreeClassifier
    tree = kind(criterion=criterion, max_depth=1).fit(np.reshape(split, (-1, 1)), target, sample_weight=weight).tree_
    share = tree.weighted_n_node_samples / tree.weighted_n_node_samples[0]
    return tree.impurity[0] - share[1] * tree.impurity[1] - share[2] * tree.impurity[2]


def node(criterion: str, target: Any, weight: Any = None) -> float:
    return (
        sklearn.tree.DecisionTreeClassifier(criterion=criterion)
        .fit(np.zeros((len(target), 1)), target, sample_weight=weight)
        .tree_.impurity[0]
    )


TWO = (LOGIT > 0.3).astype(int)  # a split that says something
WORDS = np.array(["ant", "bee", "cat", "ant"])
IMPURITY = {
    "gini": [
        Case("scikit-learn", "gini", (CLASSES,), lambda: node("gini", CLASSES)),
        Case("scikit-learn, weights", "gini", (CLASSES,), lambda: node("gini", CLASSES, WEIGHT), weight=WEIGHT),
        Case("by hand, of words", "gini", (WORDS,), 1 - Fraction(4 + 1 + 1, 16)),
        Case("one class", "gini", ([3, 3, 3],), 0.0),
        Case("the chance that two draws differ", "gini", ([0, 0, 1, 1, 1],), 2 * Fraction(2, 5) * Fraction(3, 5)),
    ],
    "entropy": [
        Case("scipy", "entropy", (CLASSES,), lambda: scipy.stats.entropy(COUNTS, base=2)),
        Case("scipy, nats", "entropy:base=2.718281828459045", (CLASSES,), lambda: scipy.stats.entropy(COUNTS)),
        Case("scikit-learn, weights", "entropy", (CLASSES,), lambda: node("entropy", CLASSES, WEIGHT), weight=WEIGHT),
        Case("by hand, of words", "entropy", (WORDS,), 1.5),
        Case("four classes alike, base 4", "entropy:base=4", ([0, 1, 2, 3],), 1.0),
        Case("one class", "entropy", ([3, 3, 3],), 0.0),
    ],
    "information-gain": [
        Case(
            "mutual information",
            "information-gain:base=2.718281828459045",
            (CLASSES, SPLIT),
            lambda: sklearn.metrics.mutual_info_score(CLASSES, SPLIT),
        ),
        Case(
            "scipy, entropies",
            "information-gain",
            (LABEL, TWO),
            lambda: sum(
                sign * scipy.stats.entropy(np.unique(pair, axis=0, return_counts=True)[1], base=2)
                for sign, pair in ((1, LABEL), (1, TWO), (-1, np.stack([LABEL, TWO], 1)))
            ),
        ),
        Case("scikit-learn, tree", "information-gain", (LABEL, TWO), lambda: stump("entropy", LABEL, TWO)),
        Case(
            "scikit-learn, tree, weights",
            "information-gain",
            (LABEL, TWO),
            lambda: stump("entropy", LABEL, TWO, WEIGHT),
            weight=WEIGHT,
        ),
        Case("a perfect split of four classes", "information-gain", ([0, 1, 2, 3], ["a", "b", "c", "d"]), 2.0),
        Case("a useless split", "information-gain", ([0, 1, 0, 1], [0, 0, 1, 1]), 0.0),
    ],
    "gini-gain": [
        Case("scikit-learn, tree", "gini-gain", (LABEL, TWO), lambda: stump("gini", LABEL, TWO)),
        Case(
            "scikit-learn, tree, weights",
            "gini-gain",
            (LABEL, TWO),
            lambda: stump("gini", LABEL, TWO, WEIGHT),
            weight=WEIGHT,
        ),
        Case(
            "by hand, three branches",
            "gini-gain",
            ([0, 0, 1, 1, 1, 1], [0, 0, 1, 1, 2, 0]),
            Fraction(4, 9) - Fraction(1, 2) * Fraction(4, 9),
        ),
        Case("a useless split", "gini-gain", ([0, 1, 0, 1], [0, 0, 1, 1]), 0.0),
    ],
    "variance-reduction": [
        Case(
            "scikit-learn, tree",
            "variance-reduction",
            (PRED, TWO),
            lambda: stump("squared_error", PRED, TWO, regression=True),
        ),
        Case(
            "scikit-learn, tree, weights",
            "variance-reduction",
            (PRED, TWO),
            lambda: stump("squared_error", PRED, TWO, WEIGHT, regression=True),
            weight=WEIGHT,
        ),
        Case(
            "scipy, between groups",
            "variance-reduction",
            (PRED, SPLIT),
            lambda: np.var(PRED) - sum(np.var(PRED[s == SPLIT]) * np.mean(s == SPLIT) for s in range(3)),
        ),
        Case("by hand", "variance-reduction", ([0.0, 2.0, 10.0, 12.0], [0, 0, 1, 1]), 25.0),
        Case("by hand, far from zero", "variance-reduction", ([1e9, 1e9 + 2, 1e9 + 10, 1e9 + 12], [0, 0, 1, 1]), 25.0),
    ],
}

# --- pairs

A345 = (np.array([[0.0, 0.0]]), np.array([[0.6, 0.8]]), np.array([[0.3, 0.4]]))
TORCH_DISTANCES = {
    "euclidean": lambda a, b: torch.linalg.vector_norm(a - b, dim=1),
    "sqeuclidean": lambda a, b: F.mse_loss(a, b, reduction="none").sum(1),
    "cosine": lambda a, b: 1 - F.cosine_similarity(a, b, dim=1, eps=0.0),
}


def distances(metric: str) -> np.ndarray:
    return np.array([getattr(scipy.spatial.distance, metric)(a, b) for a, b in zip(LEFT, RIGHT, strict=True)])


def torch_triplet(metric: str, margin: float, swap: bool) -> Any:
    return F.triplet_margin_with_distance_loss(
        tensor(LEFT), tensor(RIGHT), tensor(THIRD), distance_function=TORCH_DISTANCES[metric], margin=margin, swap=swap
    )


def torch_soft_triplet(metric: str) -> Any:
    d = TORCH_DISTANCES[metric]
    gap = d(tensor(LEFT), tensor(THIRD)) - d(tensor(LEFT), tensor(RIGHT))
    return F.soft_margin_loss(gap, torch.ones_like(gap))


def torch_embedding(metric: str, margin: float) -> Any:
    """Similar pairs at their distance, others at the hinge: torch calls it a hinge embedding, of given distances."""
    return F.hinge_embedding_loss(tensor(distances(metric)), tensor(2 * SAME - 1), margin=margin)


def halved_squares(metric: str, margin: float) -> Any:
    """Contrastive as two half squared errors, against a distance of 0 and of the margin."""
    d = distances(metric)
    return F.mse_loss(tensor(d), tensor(np.where(SAME == 1, 0, np.maximum(d, margin)))) / 2


METRICS = ("euclidean", "sqeuclidean", "cosine")
PAIRS = {
    "contrastive": [
        Case("the table", "contrastive", T, 0.310833, digits=6),
        Case("the table, the paper's sum", "contrastive", T, 1.865, reduction="sum"),
        *(
            Case(
                f"torch and scipy, {metric}",
                f"contrastive:margin={margin},distance={metric}",
                (LEFT, RIGHT, SAME),
                lambda metric=metric, margin=margin: halved_squares(metric, margin),
            )
            for metric, margin in zip(METRICS, (4, 9, 0.8), strict=True)
        ),
        Case("by hand, similar", "contrastive", (*A345[:2], [1]), 0.5),
        Case("by hand, dissimilar", "contrastive:margin=2", (*A345[:2], [0]), 0.5),
        Case("by hand, labels -1", "contrastive:margin=3", (*A345[:2], [-1]), 2.0),
        Case("the same twice", "contrastive", (LEFT, LEFT, np.ones(30)), 0.0),
    ],
    "pairwise-ranking": [
        Case("the table", "pairwise-ranking", T, 0.683333, digits=6),
        *(
            Case(
                f"torch and scipy, {metric}",
                f"pairwise-ranking:margin={margin},distance={metric}",
                (LEFT, RIGHT, SAME),
                lambda metric=metric, margin=margin: torch_embedding(metric, margin),
            )
            for metric, margin in zip(METRICS, (4, 9, 0.8), strict=True)
        ),
        Case("by hand", "pairwise-ranking:margin=3", (*A345[:2], [0]), 2.0),
        Case("the same twice", "pairwise-ranking", (LEFT, LEFT, np.zeros(30)), 1.0),
    ],
    "triplet": [
        *(
            Case(
                f"torch, {metric}",
                f"triplet:margin=0.7,distance={metric},swap={swap}",
                (LEFT, RIGHT, THIRD),
                lambda metric=metric, swap=swap: torch_triplet(metric, 0.7, swap),
            )
            for metric in METRICS
            for swap in (False, True)
        ),
        *(
            Case(
                f"torch, soft, {metric}",
                f"triplet:soft=true,distance={metric}",
                (LEFT, RIGHT, THIRD),
                lambda metric=metric: torch_soft_triplet(metric),
            )
            for metric in METRICS
        ),
        Case("by hand", "triplet", A345, 1.5),
        Case("by hand, easy", "triplet:margin=0.25", (A345[0], A345[2], A345[1]), 0.0),
        Case("by hand, on the boundary", "triplet:margin=0.5", ([[0.0]], [[1.0]], [[1.5]]), 0.0),
        Case("by hand, swapped", "triplet:swap=true", ([[0.0]], [[1.0]], [[1.5]]), 1.5),
        Case("a collapsed embedding pays the margin", "triplet:margin=0.2", (LEFT, LEFT, LEFT), 0.2),
        Case("a collapsed embedding pays log 2", "triplet:soft=true", (LEFT, LEFT, LEFT), math.log(2)),
    ],
}

ORACLES: dict[str, list[Case]] = {**REGRESSION, **CLASSIFICATION, **DIVERGENCE, **IMPURITY, **PAIRS}
ROW_FAMILIES = ("regression", "classification", "divergence", "impurity", "pairs")


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=f"{name}: {case.spec} {case.source}") for name in ORACLES for case in ORACLES[name]]
)
def test_what_others_say(case: Case) -> None:
    truth = float(case.truth() if callable(case.truth) else case.truth)
    value = value_of(case)
    if case.digits:
        assert abs(value - truth) <= 0.5000001 * 10.0**-case.digits
    else:
        assert value == pytest.approx(truth, rel=1e-13, abs=0)


def test_every_loss_has_an_oracle() -> None:
    assert set(ORACLES) == {loss.name for loss in registry.walk() if loss.family in ROW_FAMILIES}


@pytest.mark.parametrize("name", ORACLES)
def test_every_option_is_tried(name: str) -> None:
    tried = {option for case in ORACLES[name] for option, _ in registry.parse(case.spec).params}
    changed = {
        option.name
        for case in ORACLES[name]
        for option, (_, value) in zip(registry.find(name).options, registry.parse(case.spec).params, strict=True)
        if value != option.default
    }
    assert changed == tried


@pytest.mark.parametrize("name", ORACLES)
def test_every_form_is_tried(name: str) -> None:
    roles = [role for role in registry.find(name).roles if role.forms]
    for role in roles:
        tried = {case.forms.get(role.name, role.forms[0]) for case in ORACLES[name]}
        assert tried == set(role.forms)
