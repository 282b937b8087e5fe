"""Cosines and pairs of scores: torch, optax, sentence-transformers; scipy."""

import numpy as np
import scipy.spatial.distance
import torch.nn.functional as F

from .case import Case, reduced, tensor
from .samples import LEFT, PRED, RIGHT, SAME, TARGET, THIRD

A = ([[1, 0], [0.6, 0.8], [0, 1]], [[0.9, 0.1], [-0.5, 0.7], [0.3, 1]])
V = ([[1, 0], [0.6, 0.8], [0, 1]], [[0.9, 0.1], [0.5, 0.7], [0.3, 1]])
ORDER = ([0.5, 0.2, 0.9], [0.1, 0.4, 0.8], [1, 1, -1])
SIGN = tensor(2.0 * SAME - 1)
SIMILARITY = np.linspace(-1, 1, 30)
CASES = {
    "cosine-distance": [
        *reduced(Case("optax 0.2.8", "cosine-distance", A, 0.248682, digits=6), 3, "sum"),
        Case(
            "scipy",
            "cosine-distance",
            (LEFT, RIGHT),
            lambda: np.mean([scipy.spatial.distance.cosine(a, b) for a, b in zip(LEFT, RIGHT, strict=True)]),
        ),
    ],
    "alignment": [
        *reduced(
            Case(
                "torch",
                "alignment",
                (LEFT, RIGHT),
                lambda: (F.normalize(tensor(LEFT)) - F.normalize(tensor(RIGHT))).square().sum(dim=1).mean(),
            ),
            30,
            "sum",
        ),
        Case(
            "torch, as the paper's code",
            "alignment:alpha=1",
            (LEFT, RIGHT),
            lambda: (F.normalize(tensor(LEFT)) - F.normalize(tensor(RIGHT))).norm(p=2, dim=1).pow(1).mean(),
        ),
    ],
    "cosine-embedding": [
        *reduced(Case("torch 2.13.0", "cosine-embedding", (*A, [1, -1, -1]), 0.4220621, digits=7), 3, "sum"),
        *(
            Case(
                "torch",
                f"cosine-embedding:margin={margin}",
                (LEFT, RIGHT, SAME),
                lambda margin=margin: F.cosine_embedding_loss(tensor(LEFT), tensor(RIGHT), SIGN, margin=margin),
            )
            for margin in (0.0, 0.2, -0.3)
        ),
    ],
    "cosine-similarity-mse": [
        *reduced(
            Case("sentence-transformers 6.2.0", "cosine-similarity-mse", (*V, [0.9, 0.2, 0.5]), 0.2859955, digits=7),
            3,
            "sum",
        ),
        Case(
            "torch",
            "cosine-similarity-mse",
            (LEFT, RIGHT, SIMILARITY),
            lambda: F.mse_loss(F.cosine_similarity(tensor(LEFT), tensor(RIGHT)), tensor(SIMILARITY)),
        ),
    ],
    "margin-mse": [
        *reduced(
            Case(
                "sentence-transformers 6.2.0",
                "margin-mse",
                (*V, [[0.2, 1], [-1, 0.1], [0.8, 0.3]], [0.4, 0.1, 0.3]),
                0.6294667,
                digits=7,
            ),
            3,
            "sum",
        ),
        Case(
            "torch",
            "margin-mse",
            (LEFT, RIGHT, THIRD, SIMILARITY),
            lambda: F.mse_loss((tensor(LEFT) * (tensor(RIGHT) - tensor(THIRD))).sum(dim=1), tensor(SIMILARITY)),
        ),
    ],
    "pair-order": [
        *reduced(Case("torch 2.13.0", "pair-order:margin=0.3", ORDER, 0.3, digits=7), 3, "sum"),
        Case(
            "torch",
            "pair-order",
            (PRED[:30], TARGET[:30], SAME),
            lambda: F.margin_ranking_loss(tensor(PRED[:30]), tensor(TARGET[:30]), SIGN),
        ),
    ],
}
