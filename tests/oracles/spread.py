"""How embeddings spread: numbers that lightly has printed, torch's distances, and numpy's correlations."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from .case import Case, reduced, tensor
from .views import LEFT, LIGHTLY, TWO, V, printed

E = np.array([[1, 0.2], [0.8, 0.6], [0.1, 1], [-0.6, 0.8], [0.7, -0.8], [-0.9, 0.1]])


def of_correlations(left: Any, right: Any, lambd: float) -> float:
    """numpy's correlations of every column with every other."""
    columns = left.shape[1]
    correlation = np.corrcoef(left.T, right.T)[:columns, columns:]
    diagonal = np.diag(correlation)
    return float(((1 - diagonal) ** 2).sum() + lambd * ((correlation**2).sum() - (diagonal**2).sum()))


def of_pairs(t: float) -> float:
    """As the paper's code."""
    return float(torch.pdist(F.normalize(tensor(LEFT))).pow(2).mul(-t).exp().mean().log())


def nearest() -> float:
    x = F.normalize(tensor(LEFT))
    d = torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist").fill_diagonal_(9)
    return float(-d.min(dim=1).values.log().mean())


CASES = {
    "uniformity": [
        Case("torch", "uniformity", (LEFT,), lambda: of_pairs(2)),
        Case("torch", "uniformity:t=20", (LEFT,), lambda: of_pairs(20)),
    ],
    "koleo": [
        printed(LIGHTLY, "koleo", (E,), 0.4165904, 7),
        *reduced(Case("torch", "koleo", (LEFT,), nearest), 12, "sum"),
    ],
    "hypersphere": [
        printed(LIGHTLY, "hypersphere:t=1", TWO, -1.1930525763967614),
        printed(LIGHTLY, "hypersphere:alpha=3,uniformity_weight=0.3", TWO, -0.4653926796697198),
    ],
    "barlow-twins": [
        printed(LIGHTLY, "barlow-twins:eps=1e-5", V, 0.01169386, 8),
        printed(LIGHTLY, "barlow-twins:eps=1e-5", TWO, 0.2303324299188712),
        Case("numpy", "barlow-twins:lambd=0.3", TWO, lambda: of_correlations(*TWO, 0.3)),
    ],
    "vicreg": [
        printed(LIGHTLY, "vicreg", V, 14.38948, 5),
        printed(LIGHTLY, "vicreg", TWO, 12.198114060069871, 12),
        printed(LIGHTLY, "vicreg:invariance=1,variance=2,covariance=3,eps=0.01", TWO, 3.70305174555377),
    ],
}
