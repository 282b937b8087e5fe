"""Grades in order: scikit-learn's kappa and log loss, torch; what allRank and tensorflow-addons have printed."""

from __future__ import annotations

import math

import numpy as np
import sklearn.metrics
import torch.nn.functional as F

from .case import Case, reduced, tensor
from .samples import CLASSES, OF_PROBS, PROBS, SCORES

RNG = np.random.default_rng(28)
STEPS, LEVELS = RNG.normal(size=(40, 3)), RNG.integers(0, 4, 40)
REACHED = np.arange(3) < LEVELS[:, None]
STEPS_AS_LOGITS = {"thresholds": "logits"}
DECIDED = np.eye(4)[PROBS.argmax(axis=1)]
OWN = np.eye(4)[CLASSES]


def disagreement(power: int) -> float:
    """By loops over the rows, and over all pairs of two rows for what chance would give."""
    far = math.fsum(abs(y - j) ** power * p for y, row in zip(CLASSES, PROBS, strict=True) for j, p in enumerate(row))
    chance = math.fsum(abs(y - j) ** power * p for y in CLASSES for row in PROBS for j, p in enumerate(row))
    return far * len(PROBS) / chance


def kappa(weights: str) -> float:
    return sklearn.metrics.cohen_kappa_score(CLASSES, PROBS.argmax(axis=1), weights=weights)


CASES = {
    "ordinal": [
        *reduced(
            Case(
                "torch, three labels of yes or no",
                "ordinal",
                (STEPS, LEVELS),
                lambda: F.binary_cross_entropy_with_logits(tensor(STEPS), tensor(REACHED)) * 3,
                forms=STEPS_AS_LOGITS,
            ),
            40,
            "sum",
        ),
        Case(
            "scikit-learn, step by step",
            "ordinal",
            (1 / (1 + np.exp(-STEPS)), LEVELS),
            lambda: math.fsum(
                sklearn.metrics.log_loss(REACHED[:, k], 1 / (1 + np.exp(-STEPS[:, k])), labels=[0, 1]) for k in range(3)
            ),
        ),
        Case(
            "allRank 1.4.3",
            "ordinal",
            ([[0.9, 0.6, 0.2], [0.8, 0.3, 0.1], [0.4, 0.2, 0.1]], [3, 1, 0]),
            1.2500442,
            digits=6,
        ),
    ],
    "weighted-kappa": [
        *(
            Case(
                "scikit-learn, of decided classes",
                f"weighted-kappa:weights={weights}",
                (DECIDED, CLASSES),
                lambda weights=weights: 1 - kappa(weights),
            )
            for weights in ("linear", "quadratic")
        ),
        Case("pair by pair", "weighted-kappa", (PROBS, CLASSES), lambda: disagreement(2)),
        Case(
            "pair by pair", "weighted-kappa:weights=linear", (SCORES, CLASSES), lambda: disagreement(1), forms=OF_PROBS
        ),
        Case(
            "pair by pair, as tensorflow-addons has it",
            "weighted-kappa:take_log=true,eps=1e-6",
            (PROBS, CLASSES),
            lambda: math.log(disagreement(2) + 1e-6),
        ),
        Case("perfect", "weighted-kappa", (OWN, CLASSES), 0.0),
        Case("perfect", "weighted-kappa:take_log=true", (OWN, CLASSES), -math.inf),
        Case("turned", "weighted-kappa", ([[1.0, 0], [0, 1]], [1, 0]), 2.0),
    ],
}
