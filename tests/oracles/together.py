"""All rows together: what libraries have printed, scipy, scikit-learn, and loops over pairs, sets and orders."""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np
import scipy.special
import scipy.stats
import sklearn.metrics
import torch
import torch.nn.functional as F

from .case import Case, tensor
from .samples import CLASSES, OF_PROBS, PRED, PROBS, SCORES, TABLE, TABLE_TARGET, TARGET, C
from .views import LEFT, RIGHT, ST, V

RNG = np.random.default_rng(5)
RNG.normal(size=(5, 12, 6))
SIMILARITY, SAME = RNG.uniform(size=12).round(1), RNG.integers(0, 2, 12)
GRADED, PAIRS = (LEFT, RIGHT, SIMILARITY), (LEFT, RIGHT, SAME)
R = (np.array([2.5, 0, 2.1, 7.8]), np.array([3, -0.5, 2, 7]))
S = (np.array([0.9, 0.8, 0.3, 0.1, 0.7, 0.2, 0.6, 0.4]), np.array([1, 1, 0, 0, 1, 0, 1, 0]))
G = (np.array([-12.0, -15]), np.array([-14.0, -13]), np.array([-13, -14.5]), np.array([-13.5, -13.2]))
ANSWERS = tuple(-abs(np.random.default_rng(6).normal(0, 3, (4, 30))))
ROUTER = np.array([[2.0, 1, 0, -1], [0, 1, 2, 0.5], [1, 3, 0, 0]])
SURVIVAL = (np.array([0.5, 1, -0.2, 0.3]), np.array([3.0, 1, 4, 2]), np.array([1, 1, 1, 0]))
PATIENTS = (PRED, np.round(abs(TARGET), 1), CLASSES % 2)
MINUS = np.array([1.2, -0.8, 0.5, -0.3, 0.7, -1.1]), np.array([1, 0, 1, 0, 1, 1])


def out_of_order(a: Any, y: Any, s: float) -> float:
    """The sum over every two pairs, one by one."""
    terms = (math.exp(s * (a[j] - a[i])) for i, j in product(range(len(y)), repeat=2) if y[i] > y[j])
    return math.log1p(math.fsum(terms))


def cosines(left: Any, right: Any) -> list[float]:
    return F.cosine_similarity(tensor(left), tensor(right)).tolist()


def angles(left: Any, right: Any) -> list[float]:
    """As products of complex numbers, the halves of a vector their real and imaginary parts."""
    x, y = (F.normalize(tensor(view)).numpy() for view in (left, right))
    x, y = x[:, :3] + 1j * x[:, 3:], y[:, :3] + 1j * y[:, 3:]
    products = (x * y.conj()).sum(axis=1)
    return abs(products.real + products.imag).tolist()


def hard_pairs(margin: float) -> float:
    d = [1 - c for c in cosines(LEFT, RIGHT)]
    near, far = ([x for x, y in zip(d, SAME, strict=True) if y == kind] for kind in (1, 0))
    pull = sum(x * x for x in near if x > min(far))
    return pull + sum(max(0, margin - x) ** 2 for x in far if x < max(near))


def extension(cost: Any, error: Any, truth: Any) -> float:
    """The Lovasz extension of 1 - intersection over union, from the sets of missed pixels themselves."""
    order, missed, total, before = np.argsort(-np.asarray(error), kind="stable"), set(), 0.0, 0.0
    region = set(np.flatnonzero(truth).tolist())
    for pixel in order.tolist():
        missed.add(pixel)
        now = len(missed) / len(region | missed)
        total += cost[pixel] * (now - before)
        before = now
    return float(total)


def softmax_of(p: Any, names: Any) -> float:
    truths = [np.equal(CLASSES, c) for c in names]
    errors = [abs(truth - p[:, c]) for c, truth in zip(names, truths, strict=True)]
    return float(np.mean([extension(e, e, truth) for e, truth in zip(errors, truths, strict=True)]))


def partial_likelihood(h: Any, t: Any, event: Any) -> float:
    terms = [
        math.log(math.fsum(math.exp(h[j]) for j in range(len(t)) if t[j] >= t[i])) - h[i]
        for i in range(len(t))
        if event[i]
    ]
    return math.fsum(terms) / len(terms)


def dpo_of_sorted(beta: float, e: float, unpaired: bool) -> float:
    lc, lr, rc, rr = map(tensor, ANSWERS)
    one, other = (lc - rc, lr - rr) if unpaired else (lc - lr, rc - rr)
    d = beta * (one.sort().values - other.sort().values)
    return float((-F.logsigmoid(d) * (1 - e) - F.logsigmoid(-d) * e).mean())


def of_columns(function: Any) -> float:
    return float(np.mean([function(u, v) for u, v in zip(TABLE.T, TABLE_TARGET.T, strict=True)]))


def balance(scores: Any, k: int) -> float:
    """torch's softmax and topk, as transformers has it."""
    p = torch.softmax(tensor(scores), dim=-1)
    chosen = F.one_hot(p.topk(k, dim=-1).indices, p.shape[1]).sum(dim=1).double()
    return float(p.shape[1] * (chosen.mean(dim=0) * p.mean(dim=0)).sum())


def of_cosine(p: Any, y: Any) -> float:
    """By the angle between prediction and signal alone."""
    square = float(F.cosine_similarity(tensor(p), tensor(y), dim=0)) ** 2
    return 10 * math.log10(square / (1 - square))


def concordances(p: Any, y: Any) -> float:
    """By numpy's covariances."""
    table = np.cov(p, y, bias=True)
    return float(1 - 2 * table[0, 1] / (np.trace(table) + (np.mean(p) - np.mean(y)) ** 2))


FAR = (2.0**700, 2.0**-700)  # units in which squares leave float64


def of_any_unit(loss: str, unit: float, expected: Any) -> Case:
    """The same value in another unit."""
    return Case(f"in units of {unit:g}", loss, (np.multiply(PRED, unit), np.multiply(TARGET, unit)), expected)


OUT_OF_ORDER = ([0.9, 0.8, 0.3, 0.7, 0.7, 0.2, 0.6, 0.4], [1, 0, 0, 1, 0, 1, 1, 0])
RANKED = (np.round(PRED, 1), CLASSES % 2)


def under_the_curve(score: Any, label: Any) -> float:
    precision, recall, _ = sklearn.metrics.precision_recall_curve(label, score)
    return float(sklearn.metrics.auc(recall, precision))


def finely(score: Any, label: Any) -> float:
    """Precision over recall where hits and misses rise together between two scores, by many small steps."""
    tops = sorted(set(score), reverse=True)
    counts = [(sum(label[score >= top]), sum(score >= top)) for top in tops]
    area, (hits, rows) = 0.0, (0, 0)
    for later_hits, later_rows in counts:
        at = (np.arange(20000) + 0.5) / 20000
        gained = later_hits - hits
        area += gained * float(np.mean((hits + gained * at) / (rows + (later_rows - rows) * at)))
        hits, rows = later_hits, later_rows
    return area / float(np.sum(label))


CASES = {
    "average-precision": [
        Case(
            "scikit-learn", "average-precision", RANKED, lambda: sklearn.metrics.average_precision_score(*RANKED[::-1])
        ),
        Case("xgboost 3.2.0, aucpr", "average-precision:between=davis-goadrich", OUT_OF_ORDER, 0.62989683171837252),
        Case("fine steps", "average-precision:between=davis-goadrich", RANKED, lambda: finely(*RANKED), digits=6),
        Case("scikit-learn", "average-precision:between=trapezoid", RANKED, lambda: under_the_curve(*RANKED)),
        *(
            Case("all first", f"average-precision:between={word}", ([3.0, 2, 1], [1, 1, 0]), 1.0)
            for word in ("step", "davis-goadrich", "trapezoid")
        ),
    ],
    "correlation": [
        Case("scipy", "correlation", (PRED, TARGET), lambda: 1 - scipy.stats.pearsonr(PRED, TARGET).statistic),
        Case(
            "scipy, columns",
            "correlation",
            (TABLE, TABLE_TARGET),
            lambda: of_columns(lambda p, y: 1 - scipy.stats.pearsonr(p, y).statistic),
        ),
        *(of_any_unit("correlation", unit, lambda: 1 - scipy.stats.pearsonr(PRED, TARGET).statistic) for unit in FAR),
    ],
    "concordance": [
        Case("numpy", "concordance", (PRED, TARGET), lambda: concordances(PRED, TARGET)),
        Case("numpy, columns", "concordance", (TABLE, TABLE_TARGET), lambda: of_columns(concordances)),
        *(of_any_unit("concordance", unit, lambda: concordances(PRED, TARGET)) for unit in FAR),
    ],
    "cosent": [
        Case(ST, "cosent", (*V, np.array([0.9, 0.2, 0.5])), 1.593739, digits=6),
        Case(ST, "cosent", GRADED, 8.024295149256453, digits=12),
        Case("one by one", "cosent:s=5", GRADED, lambda: out_of_order(cosines(LEFT, RIGHT), SIMILARITY, 5)),
    ],
    "angle": [
        Case(ST, "angle", (*V, np.array([0.9, 0.2, 0.5])), 7.239786, digits=6),
        Case(ST, "angle", GRADED, 22.676167465267252, digits=12),
        Case("one by one", "angle:s=5", GRADED, lambda: out_of_order(angles(LEFT, RIGHT), SIMILARITY, 5)),
    ],
    "online-contrastive": [
        Case(ST, "online-contrastive", (*V, np.array([1, 0, 1])), 0.2515458, digits=7),
        Case(ST, "online-contrastive", PAIRS, 1.5597360887261393, digits=12),
        Case("one by one", "online-contrastive:margin=0.9", PAIRS, lambda: hard_pairs(0.9)),
    ],
    "lovasz-hinge": [
        Case(
            "segmentation-models-pytorch 0.6.0", "lovasz-hinge", (scipy.special.logit(S[0]), S[1]), 0.2785345, digits=6
        ),
        Case(
            "set by set",
            "lovasz-hinge",
            MINUS,
            lambda: extension(
                np.maximum(0, 1 - (2 * MINUS[1] - 1) * MINUS[0]), 1 - (2 * MINUS[1] - 1) * MINUS[0], MINUS[1]
            ),
        ),
    ],
    "lovasz-softmax": [
        Case("segmentation-models-pytorch 0.6.0", "lovasz-softmax", C, 0.4029591, digits=6, forms=OF_PROBS),
        Case("set by set", "lovasz-softmax", (PROBS, CLASSES), lambda: softmax_of(PROBS, range(4))),
        Case(
            "set by set",
            "lovasz-softmax:over=all",
            (PROBS[:, [0, 1, 2, 3]], CLASSES),
            lambda: softmax_of(PROBS, range(4)),
        ),
        Case(
            "segmentation-models-pytorch 0.6.0, in float32",
            "lovasz-softmax:ignore_index=255",
            (SCORES, np.where(np.arange(50) % 7 == 0, 255, CLASSES)),
            0.7830953,
            digits=7,
            forms=OF_PROBS,
        ),
        Case("set by set", "lovasz-softmax", (SCORES, CLASSES), lambda: softmax_of(PROBS, range(4)), forms=OF_PROBS),
    ],
    "wasserstein-1d": [
        Case("scipy", "wasserstein-1d", R, lambda: scipy.stats.wasserstein_distance(*R)),
        Case("scipy", "wasserstein-1d", (TABLE, TABLE_TARGET), lambda: of_columns(scipy.stats.wasserstein_distance)),
    ],
    "energy-distance": [
        Case("scipy", "energy-distance", R, lambda: scipy.stats.energy_distance(*R)),
        Case("scipy", "energy-distance", (TABLE, TABLE_TARGET), lambda: of_columns(scipy.stats.energy_distance)),
    ],
    "median-error": [
        Case("scikit-learn", "median-error", R, lambda: sklearn.metrics.median_absolute_error(R[1], R[0])),
        Case(
            "scikit-learn",
            "median-error",
            (TABLE[:19], TABLE_TARGET[:19]),
            lambda: sklearn.metrics.median_absolute_error(TABLE_TARGET[:19], TABLE[:19]),
        ),
    ],
    "max-error": [
        Case("scikit-learn", "max-error", R, lambda: sklearn.metrics.max_error(R[1], R[0])),
        Case(
            "scikit-learn",
            "max-error",
            (TABLE, TABLE_TARGET),
            lambda: sklearn.metrics.max_error(TABLE_TARGET.ravel(), TABLE.ravel()),
        ),
    ],
    "psnr": [
        Case("kornia 0.9.0, its negative", "psnr:peak=8", R, 23.47542, digits=5),
        Case("scikit-learn's mse", "psnr", R, lambda: -10 * math.log10(sklearn.metrics.mean_squared_error(*R))),
    ],
    "snr": [
        Case("torchmetrics 1.9.0", "snr", R, 17.33442, digits=5),
        Case("numpy", "snr:zero_mean=true", R, lambda: 10 * math.log10(np.var(R[1]) / np.var(R[1] - R[0]))),
    ],
    "si-sdr": [
        Case("torchmetrics 1.9.0", "si-sdr", R, 19.01206, digits=5),
        Case("the cosine", "si-sdr", (PRED, TARGET), lambda: of_cosine(PRED, TARGET)),
        Case(
            "the correlation",
            "si-sdr:zero_mean=true",
            (PRED, TARGET),
            lambda: of_cosine(PRED - PRED.mean(), TARGET - TARGET.mean()),
        ),
    ],
    "cox": [
        Case("xgboost 3.2.0", "cox", SURVIVAL, 0.4268164, digits=6),
        Case("one by one, with ties", "cox", PATIENTS, lambda: partial_likelihood(*PATIENTS)),
    ],
    "aot": [
        Case("trl 1.16.0", "aot", G, 0.6748583, digits=7),
        *(
            Case(
                "torch",
                f"aot:beta={beta},label_smoothing={e},unpaired={word}",
                ANSWERS,
                lambda beta=beta, e=e, word=word: dpo_of_sorted(beta, e, word == "true"),
            )
            for beta, e, word in ((0.1, 0, "false"), (0.5, 0.2, "false"), (0.3, 0.1, "true"))
        ),
    ],
    "load-balancing": [
        Case("transformers 5.24.0", "load-balancing", (ROUTER,), 2.733238, digits=5),
        Case("transformers 5.24.0", "load-balancing:experts=1", (ROUTER,), 1.243722, digits=6),
        Case("torch", "load-balancing:experts=3", (SCORES,), lambda: balance(SCORES, 3)),
    ],
}
