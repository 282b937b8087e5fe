"""Classification: scikit-learn, scipy, torch; logarithms of fractions to 40 digits; what others have published."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import scipy.special
import scipy.stats
import sklearn.metrics
import torch
import torch.nn.functional as F

from . import focal
from .case import Case, index, log, mean, tensor
from .cross_entropies import torch_bce, torch_ce
from .samples import (
    CLASSES,
    H1,
    H4,
    K3,
    LABEL,
    LOGIT,
    MANY_LABELS,
    MANY_LOGITS,
    OF_CHANCE,
    OF_PROB,
    OF_PROBS,
    PROB,
    PROBS,
    SATURATED,
    SCORES,
    SOFT,
    WEIGHT,
    C,
    K,
)

CASES = {
    **focal.CASES,
    "bce": [
        Case(
            "scikit-learn, sum",
            "bce",
            (PROB, LABEL),
            lambda: sklearn.metrics.log_loss(LABEL, PROB, normalize=False),
            reduction="sum",
        ),
        Case(
            "torch, many labels by positives",
            "bce",
            (MANY_LOGITS, MANY_LABELS),
            lambda: torch_bce(MANY_LOGITS, MANY_LABELS) / MANY_LABELS.sum(),
            forms=OF_PROB,
            reduction="positives",
        ),
        Case("the table", "bce", K, 1.036079, digits=6, forms=OF_PROB),
        Case("saturated and wrong is infinite", "bce", SATURATED, math.inf),
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
        Case(
            "scikit-learn, sum",
            "log-loss",
            (PROBS, CLASSES),
            lambda: sklearn.metrics.log_loss(CLASSES, PROBS, normalize=False),
            reduction="sum",
        ),
        Case(
            "torch, by positives",
            "log-loss",
            (LOGIT, LABEL),
            lambda: torch_bce(LOGIT, LABEL) / LABEL.sum(),
            forms=OF_CHANCE,
            reduction="positives",
        ),
        Case("scikit-learn", "log-loss", (PROB, LABEL), lambda: sklearn.metrics.log_loss(LABEL, PROB)),
        Case(
            "scikit-learn, in bits",
            "log-loss:base=2",
            (PROB, LABEL),
            lambda: sklearn.metrics.log_loss(LABEL, PROB) / np.log(2),
        ),
        Case("by hand, in bits", "log-loss:base=2", ([0.25, 0.125], [1, 0]), (2 - math.log2(0.875)) / 2),
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
        Case("certain and wrong", "cross-entropy", ([[1.0, 0.0]], [1]), math.inf),
        Case("certain and right", "cross-entropy", ([[1.0, 0.0]], [0]), 0.0),
    ],
    "perplexity": [
        Case("the table", "perplexity", C, 2.122456, digits=6, forms=OF_PROBS),
        Case(
            "torch",
            "perplexity",
            (SCORES, CLASSES),
            lambda: torch.exp(F.cross_entropy(tensor(SCORES), index(CLASSES))),
            forms=OF_PROBS,
        ),
        Case(
            "scipy, a geometric mean",
            "perplexity",
            (PROBS, CLASSES),
            lambda: 1 / scipy.stats.gmean(PROBS[np.arange(50), CLASSES]),
        ),
        Case(
            "scipy, a weighted geometric mean",
            "perplexity",
            (PROBS, CLASSES),
            lambda: 1 / scipy.stats.gmean(PROBS[np.arange(50), CLASSES], weights=WEIGHT),
            weight=WEIGHT,
        ),
        Case(
            "torch, ignored class",
            "perplexity:ignore_index=2",
            (SCORES, CLASSES),
            lambda: torch.exp(F.cross_entropy(tensor(SCORES), index(CLASSES), ignore_index=2)),
            forms=OF_PROBS,
        ),
        Case("by hand", "perplexity", ([[0.5, 0.5], [0.875, 0.125]], [0, 1]), 4.0),
        Case("by hand, one ignored", "perplexity:ignore_index=-100", ([[0.25, 0.75], [0.5, 0.5]], [0, -100]), 4.0),
        Case("a uniform guess over eight", "perplexity", (np.full((3, 8), 1 / 8), [0, 3, 7]), 8.0),
        Case("certain and wrong", "perplexity", ([[1.0, 0.0]], [1]), math.inf),
        Case("certain and right", "perplexity", ([[1.0, 0.0]], [0]), 1.0),
    ],
    "hinge": [
        Case("the table, sum", "hinge", H1, 1.2, reduction="sum"),
        Case("the table, by its two positives", "hinge", H1, 0.6, reduction="positives"),
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
        Case("the table's scores by hand, sum", "squared-hinge", H1, 0.25 + 0.49, reduction="sum"),
        Case("the table's scores by hand, two positives", "squared-hinge", H1, 0.37, reduction="positives"),
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
        Case(
            "torch, sum",
            "multiclass-hinge:kind=weston-watkins",
            (SCORES, CLASSES),
            lambda: 4 * F.multi_margin_loss(tensor(SCORES), index(CLASSES), reduction="sum"),
            reduction="sum",
        ),
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
