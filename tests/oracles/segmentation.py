"""Segmentation: scikit-learn, scipy; exact fractions; what others have published."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import numpy as np
import scipy.spatial.distance
import scipy.special
import sklearn.metrics

from .case import Case
from .samples import LABEL, LOGIT, MANY_LABELS, MANY_LOGITS, OF_PROB, PROB, WEIGHT

HARD = (PROB > 0.5).astype(float)
S = ([0.9, 0.8, 0.3, 0.1, 0.7, 0.2, 0.6, 0.4], [1, 1, 0, 0, 1, 0, 1, 0])  # two images of four pixels


def dissimilarity(prob: np.ndarray, label: np.ndarray) -> float:
    """scipy's of boolean vectors, where a weight stands for a share of a pixel: a sure one and a sure zero apart."""
    prob, label = np.ravel(prob), np.ravel(label)
    sure = np.concatenate([np.ones_like(prob), np.zeros_like(prob)]).astype(bool)
    weight = np.concatenate([prob, 1 - prob])
    return scipy.spatial.distance.dice(sure, np.concatenate([label, label]).astype(bool), weight)


def exact(prob: np.ndarray, label: np.ndarray, smooth: Fraction = Fraction(0)) -> Fraction:
    pairs = [(Fraction(p), int(y)) for p, y in zip(np.ravel(prob).tolist(), np.ravel(label).tolist(), strict=True)]
    overlap, size = sum(p * y for p, y in pairs), sum(p + y for p, y in pairs)
    return 1 - (2 * overlap + smooth) / (size + smooth)


CASES = {
    "dice": [
        Case("keras 3.15.1, two images flattened", "dice", S, 0.25, digits=7),
        Case("fractions", "dice", (PROB, LABEL), lambda: exact(PROB, LABEL)),
        Case("fractions, smooth", "dice:smooth=2.5", (PROB, LABEL), lambda: exact(PROB, LABEL, Fraction(5, 2))),
        Case("by hand, smooth", "dice:smooth=1", ([0.75, 0.25], [1, 0]), Fraction(1, 6)),
        Case("by hand, an empty region, as optax", "dice:smooth=1", ([0.5, 0.5], [0, 0]), 0.5),
        Case("by hand, an empty region met", "dice:smooth=1", ([0.0, 0.0], [0, 0]), 0.0),
        Case("no overlap", "dice", ([1.0, 0.0], [0, 1]), 1.0),
        Case("perfect", "dice", ([1.0, 0.0], [1, 0]), 0.0),
        Case(
            "far right logits: what is missed",
            "dice",
            ([700.0, -700.0], [1, 0]),
            lambda: Decimal(-700).exp(),
            forms=OF_PROB,
        ),
        Case(
            "scikit-learn, hard regions, weights",
            "dice",
            (HARD, LABEL),
            lambda: 1 - sklearn.metrics.f1_score(LABEL, HARD, sample_weight=WEIGHT),
            weight=WEIGHT,
        ),
        Case("scikit-learn, hard regions", "dice", (HARD, LABEL), lambda: 1 - sklearn.metrics.f1_score(LABEL, HARD)),
        Case("scipy, shares of pixels", "dice", (PROB, LABEL), lambda: dissimilarity(PROB, LABEL)),
        Case(
            "scipy, logits",
            "dice",
            (LOGIT, LABEL),
            lambda: dissimilarity(scipy.special.expit(LOGIT), LABEL),
            forms=OF_PROB,
        ),
        Case(
            "scipy, labels together",
            "dice",
            (MANY_LOGITS, MANY_LABELS),
            lambda: dissimilarity(scipy.special.expit(MANY_LOGITS), MANY_LABELS),
            forms=OF_PROB,
        ),
    ],
}
