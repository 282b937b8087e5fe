"""Two networks against each other: what MONAI has printed, torch's hinge_embedding_loss, and numbers worked by hand."""

import numpy as np
import torch
import torch.nn.functional as F

from .case import Case, tensor
from .samples import CLASSES, SCORES

SCORE, REAL = SCORES[:, 0], CLASSES % 2
S = np.array([0.5, -1, 2])
KINDS = tensor(SCORE)[torch.from_numpy(REAL == 1)], tensor(SCORE)[torch.from_numpy(REAL == 0)]
ALL_REAL = np.ones(3, dtype=int)


def hinges() -> float:
    """torch's hinge of a distance from the other side: [1 - d]+ for y = -1."""
    real, other = (F.hinge_embedding_loss(s, -torch.ones_like(s)) for s in (KINDS[0], -KINDS[1]))
    return float(real + other)


CASES = {
    "gan-hinge": [
        Case("MONAI 1.6.1, tanh first", "gan-hinge", (np.tanh(S), ALL_REAL), 0.778483, digits=6),
        Case("torch", "gan-hinge", (SCORE, REAL), hinges),
        Case("torch", "gan-hinge:network=generator", (SCORE, REAL), lambda: -KINDS[1].mean()),
    ],
    "gan-least-squares": [
        Case("MONAI 1.6.1", "gan-least-squares", (S, ALL_REAL), 1.75),
        Case(
            "torch",
            "gan-least-squares",
            (SCORE, REAL),
            lambda: F.mse_loss(KINDS[0], torch.ones_like(KINDS[0])) + F.mse_loss(KINDS[1], torch.zeros_like(KINDS[1])),
        ),
        Case(
            "torch",
            "gan-least-squares:network=generator",
            (SCORE, REAL),
            lambda: F.mse_loss(KINDS[1], torch.ones_like(KINDS[1])),
        ),
    ],
    "wasserstein-gan": [
        Case("torch", "wasserstein-gan", (SCORE, REAL), lambda: KINDS[1].mean() - KINDS[0].mean()),
        Case("torch", "wasserstein-gan:network=generator", (SCORE, REAL), lambda: -KINDS[1].mean()),
    ],
}
