"""Margins: torch, keras, optax, timm; mpmath."""

import numpy as np
import torch
import torch.nn.functional as F
from exact_scoring import REFERENCES
from sklearn._loss.loss import ExponentialLoss

from .case import Case, by_mpmath, index, reduced, tensor
from .samples import CLASSES, LABEL, LOGIT, MANY_LABELS, MANY_LOGITS, SCORES, C

B = ([1.5, -0.5, 2, -1], [1, 1, 0, 0])
M = ([[1.2, -0.8, 0.5], [-0.3, 0.7, -1.1]], [[1, 0, 1], [0, 1, 1]])


def padded(labels: np.ndarray) -> torch.Tensor:
    """Labels of 0 and 1 as torch has them: indices, then -1."""
    return index([[*np.flatnonzero(row), *[-1] * int((row == 0).sum())] for row in labels])


def boosted(score: np.ndarray, label: np.ndarray) -> np.ndarray:
    """What gradient boosting with an exponential loss lowers, row by row."""
    return ExponentialLoss().loss(label.astype(float), score.astype(float))


def at_best(score: np.ndarray, label: np.ndarray) -> float:
    yes, no = score[label == 1], score[label == 0]
    return float(np.var(yes) + np.var(no) + max(0, 1 + no.mean() - yes.mean()) ** 2)


def both_ways(score: np.ndarray, label: np.ndarray, tp: float, tn: float) -> float:
    total = 0.0
    for x, y in ((tensor(score), index(label) == 1), (tensor(score).T, index(label).T == 1)):
        high = tn * (x / tn).masked_fill(y, -torch.inf).logsumexp(1)
        low = tp * (-x / tp).masked_fill(~y, -torch.inf).logsumexp(1)
        total += float(F.softplus(high + low)[y.any(1)].mean())
    return total


CASES = {
    "soft-margin": [
        *reduced(Case("torch 2.13.0", "soft-margin", B, 0.90392, digits=7), 4, "sum", "positives", positives=2),
        Case(
            "torch",
            "soft-margin",
            (LOGIT, LABEL),
            lambda: F.soft_margin_loss(tensor(LOGIT), tensor(2.0 * LABEL - 1)),
        ),
    ],
    "exponential": [
        Case("scikit-learn", "exponential", (LOGIT, LABEL), lambda: boosted(LOGIT, LABEL).mean()),
        Case("scikit-learn, sum", "exponential", (LOGIT, LABEL), lambda: boosted(LOGIT, LABEL).sum(), reduction="sum"),
        *by_mpmath(REFERENCES["exponential"], "exponential", (LOGIT, LABEL), "positives"),
    ],
    "perceptron": [
        *reduced(Case("optax 0.2.8", "perceptron", B, 0.625, digits=7), 4, "sum", "positives", positives=2),
    ],
    "multiclass-perceptron": [
        *by_mpmath(REFERENCES["multiclass-perceptron"], "multiclass-perceptron", (SCORES, CLASSES), "sum"),
        Case("by hand", "multiclass-perceptron", C, 1 / 3),
    ],
    "categorical-hinge": [
        *reduced(Case("keras 3.15.1", "categorical-hinge", C, 0.6666667, digits=7), 3, "sum"),
        *by_mpmath(REFERENCES["categorical-hinge"], "categorical-hinge", (SCORES, CLASSES)),
    ],
    "multi-margin": [
        *reduced(Case("torch 2.13.0", "multi-margin", C, 0.3888889, digits=7), 3, "sum"),
        *(
            Case(
                "torch",
                f"multi-margin:margin={margin},squared={str(power == 2).lower()}",
                (SCORES, CLASSES),
                lambda margin=margin, power=power: F.multi_margin_loss(
                    tensor(SCORES), index(CLASSES), margin=margin, p=power
                ),
            )
            for margin, power in ((1.0, 1), (0.4, 1), (1.0, 2), (0.4, 2))
        ),
    ],
    "multilabel-margin": [
        *reduced(Case("torch 2.13.0", "multilabel-margin", M, 0.3, digits=7), 2, "sum"),
        Case(
            "torch",
            "multilabel-margin",
            (MANY_LOGITS, MANY_LABELS),
            lambda: F.multilabel_margin_loss(tensor(MANY_LOGITS), padded(MANY_LABELS)),
        ),
    ],
    "sparsemax": [
        *reduced(Case("optax 0.2.8, entmax 1.3", "sparsemax", C, 0.3541667, digits=7), 3, "sum"),
        *by_mpmath(REFERENCES["sparsemax"], "sparsemax", (SCORES, CLASSES)),
        Case("by hand, a lead of 1", "sparsemax", ([[2.0, 1.0, 1.0]], [0]), 0.0),
        Case("by hand, all alike", "sparsemax", ([[3.0] * 4], [2]), 3 / 8),
    ],
    "entmax15": [
        *reduced(Case("entmax 1.3", "entmax15", C, 0.4216391, digits=7), 3, "sum"),
        *by_mpmath(REFERENCES["entmax15"], "entmax15", (SCORES, CLASSES)),
        Case("by hand, a lead of 2", "entmax15", ([[3.0, 1.0, 1.0]], [0]), 0.0),
        Case("by hand, all alike", "entmax15", ([[3.0] * 4], [2]), 2 / 3),
    ],
    "entmax": [
        *(
            Case("entmax 1.3, EntmaxBisectLoss", f"entmax:alpha={alpha}", (SCORES, CLASSES), value, digits=13)
            for alpha, value in ((1.1, 1.9429210674738937), (2, 1.647816531474005), (3.7, 1.609707603033077))
        ),
        *reduced(Case("entmax 1.3", "entmax", (SCORES, CLASSES), 1.721548332998126, digits=13), 50, "sum"),
        Case(
            "torch, where alpha is near 1",
            "entmax:alpha=1.0001",
            (SCORES, CLASSES),
            lambda: F.cross_entropy(tensor(SCORES), index(CLASSES)),
            digits=3,
        ),
        Case("by hand, a lead of 1 / (a - 1)", "entmax:alpha=3", ([[1.5, 1.0, 1.0]], [0]), 0.0),
    ],
    "normmax": [
        *(
            Case("entmax 1.3, NormmaxBisectLoss", f"normmax:alpha={alpha}", (SCORES, CLASSES), value, digits=13)
            for alpha, value in ((1.1, 1.6080437829896779), (1.5, 1.6360986584358648), (3.7, 1.6968690171996146))
        ),
        *reduced(Case("entmax 1.3", "normmax", (SCORES, CLASSES), 1.6614943800497526, digits=13), 50, "sum"),
        Case("by hand, a lead of 1", "normmax", ([[2.0, 1.0, 1.0]], [0]), 0.0),
        Case("by hand, all alike", "normmax", ([[3.0] * 4], [2]), 0.5),
    ],
    "aucm": [
        Case(
            "MONAI 1.6.1, AUCMLoss",
            "aucm:margin=0.7,a=0.3,b=-0.2,alpha=0.4,prior=true",
            (LOGIT, LABEL),
            1.7876611,
            digits=6,
        ),
        Case("MONAI 1.6.1, AUCMLoss v2", "aucm:margin=0.7,a=0.3,b=-0.2,alpha=0.4", (LOGIT, LABEL), 7.1506445, digits=6),
        Case("numpy, at its best", "aucm", (LOGIT, LABEL), lambda: at_best(LOGIT, LABEL)),
        Case("by hand, offset 1e12", "aucm", ([1e12 + 0.5, 1e12 + 0.25], [1, 0]), 0.5625),
    ],
    "two-way": [
        Case("timm 1.0.31, in float32", "two-way", (MANY_LOGITS, MANY_LABELS), 17.02459, digits=5),
        Case(
            "timm 1.0.31, in float32",
            "two-way:positive_temperature=2,negative_temperature=0.5",
            (MANY_LOGITS, MANY_LABELS),
            10.88606,
            digits=5,
        ),
        Case("torch", "two-way", (MANY_LOGITS, MANY_LABELS), lambda: both_ways(MANY_LOGITS, MANY_LABELS, 4, 1)),
    ],
    "distribution-balanced": [
        Case(
            "timm 1.0.31, in float32",
            "distribution-balanced:class_counts=3/40/11/25,count=100",
            (MANY_LOGITS, MANY_LABELS),
            0.976487,
            digits=6,
        ),
        Case(
            "timm 1.0.31, in float32",
            "distribution-balanced:class_counts=3/40/11/25,count=100,least=0.2,steepness=5,threshold=0.3,"
            "negative_scale=3,bias=0.1,gamma=1,focal_scale=1.5",
            (MANY_LOGITS, MANY_LABELS),
            0.895759,
            digits=6,
        ),
        Case(
            "timm 1.0.31, with the counts of these rows",
            "distribution-balanced",
            (MANY_LOGITS, MANY_LABELS),
            1.237828,
            digits=5,
        ),
    ],
    "zlpr": [
        *reduced(Case("timm 1.0.31", "zlpr", M, 1.537806, digits=6), 2, "sum"),
        *by_mpmath(REFERENCES["zlpr"], "zlpr", (MANY_LOGITS, MANY_LABELS)),
    ],
}
