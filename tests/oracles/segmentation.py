"""Segmentation: scikit-learn, scipy; exact fractions; what others have published."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import scipy.spatial.distance
import scipy.special
import sklearn.metrics

from .case import Case
from .samples import (
    LABEL,
    LOGIT,
    MANY_LABELS,
    MANY_LOGITS,
    OF_PROB,
    PROB,
    WEIGHT,
)

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


def regions(prob: np.ndarray, label: np.ndarray) -> tuple[Fraction, Fraction, Fraction]:
    """What is wrongly inside, wrongly outside, and rightly inside, exactly."""
    pairs = [(Fraction(p), int(y)) for p, y in zip(np.ravel(prob).tolist(), np.ravel(label).tolist(), strict=True)]
    return sum(p * (1 - y) for p, y in pairs), sum((1 - p) * y for p, y in pairs), sum(p * y for p, y in pairs)


def of_regions(name: str, function: Callable[..., Any], options: str) -> list[Case]:
    """Both forms, and the options."""
    chances = scipy.special.expit(LOGIT)
    return [
        Case("fractions", name, (PROB, LABEL), lambda: function(*regions(PROB, LABEL))),
        Case("fractions, logits", name, (LOGIT, LABEL), lambda: function(*regions(chances, LABEL)), forms=OF_PROB),
        Case(
            "fractions, options",
            f"{name}:{options}",
            (PROB, LABEL),
            lambda: function(
                *regions(PROB, LABEL), **{key: float(v) for key, v in (word.split("=") for word in options.split(","))}
            ),
        ),
    ]


def jaccard(extra: Fraction, missing: Fraction, inside: Fraction, smooth: float = 0.0) -> float:
    return (extra + missing) / (extra + missing + inside + Fraction(smooth))


def tversky(
    extra: Fraction, missing: Fraction, inside: Fraction, alpha: float = 0.5, beta: float = 0.5, smooth: float = 0.0
) -> Fraction:
    missed = Fraction(alpha) * extra + Fraction(beta) * missing
    return missed / (missed + inside + Fraction(smooth))


def focal_tversky(
    *parts: Fraction, alpha: float = 0.3, beta: float = 0.7, gamma: float = 0.75, smooth: float = 0.0
) -> float:
    return float(tversky(*parts, alpha, beta, smooth)) ** gamma


def squared(prob: np.ndarray, label: np.ndarray, smooth: float = 0.0) -> float:
    return np.sum((prob - label) ** 2) / (np.sum(prob**2) + np.sum(label) + smooth)


CASES |= {
    "jaccard": [
        Case("segmentation-models-pytorch 0.6.0", "jaccard", S, 0.4, digits=7),
        *of_regions("jaccard", jaccard, "smooth=1.5"),
        Case("scikit-learn", "jaccard", (HARD, LABEL), lambda: 1 - sklearn.metrics.jaccard_score(LABEL, HARD)),
    ],
    "tversky": [
        Case("keras 3.15.1", "tversky:alpha=0.3,beta=0.7", S, 0.25, digits=7),
        *of_regions("tversky", tversky, "alpha=0.2,beta=0.9,smooth=1.5"),
        Case(
            "scikit-learn, f2",
            "tversky:alpha=0.2,beta=0.8",
            (HARD, LABEL),
            lambda: 1 - sklearn.metrics.fbeta_score(LABEL, HARD, beta=2),
        ),
    ],
    "focal-tversky": [
        Case("segmentation-models-pytorch 0.6.0", "focal-tversky", S, 0.3535534, digits=7),
        *of_regions("focal-tversky", focal_tversky, "alpha=0.2,beta=0.9,gamma=1.5,smooth=1.5"),
    ],
    "dice-squared": [
        Case("fractions", "dice-squared", S, 1 - Fraction(6, 1) / (Fraction(26, 10) + 4)),
        *(
            Case(
                "numpy",
                f"dice-squared:smooth={smooth}",
                (PROB, LABEL),
                lambda smooth=smooth: squared(PROB, LABEL, smooth),
            )
            for smooth in (0, 1.5)
        ),
        Case(
            "numpy, logits",
            "dice-squared",
            (LOGIT, LABEL),
            lambda: squared(scipy.special.expit(LOGIT), LABEL),
            forms=OF_PROB,
        ),
    ],
    "dice-bce": [
        Case(
            "scikit-learn, hard regions and dice of them",
            "dice-bce:dice_weight=2,bce_weight=0.5",
            (PROB, LABEL),
            lambda: 2 * exact(PROB, LABEL) + sklearn.metrics.log_loss(LABEL, PROB) / 2,
        ),
        Case(
            "scikit-learn, logits",
            "dice-bce",
            (LOGIT, LABEL),
            lambda: (
                exact(scipy.special.expit(LOGIT), LABEL) + sklearn.metrics.log_loss(LABEL, scipy.special.expit(LOGIT))
            ),
            forms=OF_PROB,
        ),
    ],
}


def correlation(prob: np.ndarray, label: np.ndarray) -> float:
    """scikit-learn's of hard predictions, where a weight stands for a share of a pixel."""
    sure = np.concatenate([np.ones_like(prob), np.zeros_like(prob)])
    weight = np.concatenate([prob, 1 - prob])
    return sklearn.metrics.matthews_corrcoef(np.concatenate([label, label]), sure, sample_weight=weight)


CASES |= {
    "mcc": [
        Case("segmentation-models-pytorch 0.6.0", "mcc:smooth=1e-5", S, 0.5000025, digits=7),
        Case("scikit-learn, shares of pixels", "mcc", (PROB, LABEL), lambda: 1 - correlation(PROB, LABEL)),
        Case(
            "scikit-learn, logits",
            "mcc",
            (LOGIT, LABEL),
            lambda: 1 - correlation(scipy.special.expit(LOGIT), LABEL),
            forms=OF_PROB,
        ),
        Case(
            "scikit-learn, weights",
            "mcc",
            (HARD, LABEL),
            lambda: 1 - sklearn.metrics.matthews_corrcoef(LABEL, HARD, sample_weight=WEIGHT),
            weight=WEIGHT,
        ),
        Case("perfect", "mcc", ([1.0, 0.0], [1, 0]), 0.0),
        Case("all wrong", "mcc", ([1.0, 0.0], [0, 1]), 2.0),
        Case("nearly perfect", "mcc", ([1.0, 2.0**-50], [1, 0]), 2.0**-50, digits=29),
    ],
}


def of_focal(prob: Any, label: Any, gamma: float) -> float:
    """The mean of -(1 - p)^gamma log p of what is true."""
    chance = np.where(np.asarray(label) == 1, prob, 1 - np.asarray(prob))
    return float(np.mean(-((1 - chance) ** gamma) * np.log(chance)))


def unified(prob: np.ndarray, label: np.ndarray, delta: float, gamma: float, weight: float) -> float:
    """Both classes from their regions in fractions."""
    extra, missing, inside = regions(prob, label)
    outside = len(prob) - extra - missing - inside
    fore = float(tversky(extra, missing, inside, 1 - delta, delta)) ** (1 - gamma)
    back = float(tversky(missing, extra, outside, 1 - delta, delta))
    fade = np.where(label == 1, -delta * np.log(prob), -(1 - delta) * prob**gamma * np.log1p(-prob))
    return weight * float(np.mean(fade)) / 2 + (1 - weight) * (back + fore) / 2


MONAI = "MONAI 1.6.1, without its 1e-5"
S_LOGITS = (np.log(np.array(S[0]) / (1 - np.array(S[0]))), S[1])
CASES |= {
    "dice-focal": [
        Case(MONAI, "dice-focal", S_LOGITS, 0.2809530, digits=6, forms=OF_PROB),
        Case(
            MONAI,
            "dice-focal:gamma=1.5,dice_weight=0.7,focal_weight=0.2",
            S_LOGITS,
            0.1855564,
            digits=6,
            forms=OF_PROB,
        ),
        Case(
            "fractions and numpy",
            "dice-focal:gamma=0.5",
            (PROB, LABEL),
            lambda: float(exact(PROB, LABEL)) + of_focal(PROB, LABEL, 0.5),
        ),
    ],
    "unified-focal": [
        Case("MONAI 1.6.1", "unified-focal", S, 0.2197708, digits=6),
        Case("MONAI 1.6.1", "unified-focal:focal_weight=0.3,gamma=0.75,delta=0.6", S, 0.3520948, digits=6),
        Case(
            "fractions and numpy",
            "unified-focal:focal_weight=0.3,gamma=0.75,delta=0.6",
            (PROB, LABEL),
            lambda: unified(PROB, LABEL, 0.6, 0.75, 0.3),
        ),
        Case(
            "fractions and numpy, logits",
            "unified-focal",
            (LOGIT, LABEL),
            lambda: unified(scipy.special.expit(LOGIT), LABEL, 0.7, 0.5, 0.5),
            forms=OF_PROB,
        ),
        Case("perfect", "unified-focal", ([1.0, 0.0], [1, 0]), 0.0),
    ],
}
