"""Scores of prototypes: what lightly has printed, and balancing by plain division, round by round."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.special
import scipy.stats

from .case import Case

A = np.array([[0.9, 0.1, -0.3], [0.2, 0.8, 0.1], [-0.5, 0.3, 0.7], [0.4, 0.4, -0.2]])
B = np.array([[0.7, 0.2, -0.1], [0.1, 0.9, 0.3], [-0.2, 0.1, 0.8], [0.5, 0.3, 0.6]])
X, Y = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (A, B))  # features whose prototypes are the axes
LEFT, RIGHT = np.random.default_rng(19).uniform(-1, 1, (2, 20, 6))
LIGHTLY = "lightly 1.6.0"


def balanced(weights: Any, rounds: int) -> Any:
    for _ in range(rounds):
        weights = weights / weights.sum(axis=0)
        weights = weights / weights.sum(axis=1, keepdims=True)
    return weights


def surprise(x: Any, codes: Any) -> float:
    """scipy's entropy of the codes and their divergence from the predictions."""
    p = scipy.special.softmax(x, axis=1)
    return float(np.mean(scipy.stats.entropy(codes, axis=1) + scipy.stats.entropy(codes, p, axis=1)))


def swapped(rounds: int, temperature: float, epsilon: float) -> float:
    sides = ((LEFT, RIGHT), (RIGHT, LEFT))
    return sum(surprise(x / temperature, balanced(np.exp(y / epsilon), rounds)) for x, y in sides) / 2


def siamese(rounds: int, temperature: float, sharpness: float) -> float:
    sharp = scipy.special.softmax(RIGHT / temperature, axis=1) ** (1 / sharpness)
    return surprise(LEFT / temperature, balanced(sharp / sharp.sum(axis=1, keepdims=True), rounds))


def use(temperature: float) -> Any:
    return scipy.special.softmax(LEFT / temperature, axis=1).mean(axis=0)


CASES = {
    "swav": [
        Case(LIGHTLY, "swav", (A, B), 0.8197958566039715, digits=12),
        Case(LIGHTLY, "swav:temperature=0.3,iterations=5,epsilon=0.2", (A, B), 0.6181708657722718, digits=12),
        Case("scipy", "swav:iterations=1,epsilon=1", (LEFT, RIGHT), lambda: swapped(1, 0.1, 1)),
    ],
    "capi": [
        Case(f"{LIGHTLY}, 1e-8 beside its sums", "capi", (A, B), 0.8098433063, digits=7),
        Case(
            "scipy",
            "capi:temperature=0.5,teacher_temperature=0.2,iterations=4",
            (LEFT, RIGHT),
            lambda: surprise(LEFT / 0.5, balanced(np.exp(RIGHT / 0.2), 4)),
        ),
    ],
    "msn": [
        Case(LIGHTLY, "msn", (X, Y), 2.548956710126107, digits=12),
        Case(
            f"{LIGHTLY}, not balanced",
            "msn:temperature=0.5,iterations=0,regularization=0.3,sharpness=0.5",
            (X, Y),
            0.7998800069077261,
            digits=12,
        ),
        Case(
            "scipy",
            "msn:temperature=0.4,regularization=2",
            (LEFT, RIGHT),
            lambda: siamese(3, 0.4, 0.25) + 2 * scipy.stats.entropy(use(0.4), np.full(6, 1 / 6)),
        ),
    ],
    "pmsn": [
        Case(f"{LIGHTLY}, its prior in float32", "pmsn", (X, Y), 2.53945025145835, digits=7),
        Case(f"{LIGHTLY}, PMSNCustomLoss, in float32", "pmsn:prior-shares=5/3/2", (X, Y), 2.563522069, digits=6),
        Case(
            "scipy",
            "pmsn:temperature=0.4,exponent=1,iterations=2,sharpness=0.5,regularization=3",
            (LEFT, RIGHT),
            lambda: siamese(2, 0.4, 0.5) + 3 * scipy.stats.entropy(1 / np.arange(1, 7), use(0.4)),
        ),
    ],
}
