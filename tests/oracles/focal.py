"""Focal losses: the logarithm's own series, torch where they are cross-entropies; what others have published."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import scipy.special
import torch.nn.functional as F

from .case import Case, index, log, mean, tensor
from .cross_entropies import torch_bce, torch_ce
from .samples import CLASSES, COUNTS, LABEL, LOGIT, OF_CHANCE, SCORES, K


def fading(miss: Fraction, gamma: int) -> Decimal:
    """(1-p)^gamma (-log p) as the sum of (1-p)^(gamma+k) / k: the logarithm's own series."""
    m = Decimal(miss.numerator) / Decimal(miss.denominator)
    return sum((m ** (gamma + k) / k for k in range(1, 400)), Decimal(0))


def minus_log_sigmoid(x: np.ndarray) -> np.ndarray:
    return -scipy.special.log_expit(x)


CHANCES = [Fraction(3, 4), Fraction(9, 10), Fraction(1, 2), Fraction(255, 256)]
INVERSE = (1 / COUNTS) / (1 / COUNTS).sum()

CASES = {
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
            for p in CHANCES
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
        Case("saturated and wrong", "focal", ([0.0], [1]), math.inf),
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
        Case(
            "torch, gamma 1 beta 0, sum",
            "focal-star:gamma=1,beta=0",
            (LOGIT, LABEL),
            lambda: torch_bce(LOGIT, LABEL),
            reduction="sum",
        ),
        Case(
            "torch, gamma 1 beta 0, by positives",
            "focal-star:gamma=1,beta=0",
            (LOGIT, LABEL),
            lambda: torch_bce(LOGIT, LABEL) / LABEL.sum(),
            reduction="positives",
        ),
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
}
