"""Scores of probabilities: scikit-learn, optax, keras, timm, torchmetrics; mpmath."""

import numpy as np
import sklearn.metrics
import torch
import torch.nn.functional as F
from exact_scoring import REFERENCES

from .case import Case, by_mpmath, index, reduced, tensor
from .samples import CLASSES, LABEL, LOGIT, MANY_LABELS, MANY_LOGITS, OF_CHANCE, OF_PROB, PROB, PROBS, SCORES, C

P = ([0.9, 0.4, 0.6, 0.1], [1, 1, 0, 0])
M = ([[1.2, -0.8, 0.5], [-0.3, 0.7, -1.1]], [[1, 0, 1], [0, 1, 1]])
BINS = ([0.95, 0.8, 0.65, 0.55, 0.7], [1, 1, 0, 1, 0])
BY_MPMATH = {
    "symmetric-ce": ("alpha=6,beta=0.1,log_of_zero=-9.2",),
    "brier": ("half=true",),
    "poly1": ("epsilon=2.5",),
    "generalized-ce": ("q=0.3",),
    "asymmetric": ("gamma_neg=2,gamma_pos=0,offset=0",),
}


def of_rows(name: str) -> list[Case]:
    """Every form and shape, every reduction and option."""
    reference, cases = REFERENCES[name], []
    inputs = {"prob": (PROB, LABEL), "logits": (LOGIT, LABEL)}
    role = "prob" if name == "asymmetric" else "chance"
    for form, pair in inputs.items():
        cases += by_mpmath(reference, name, pair, "sum", "positives", forms={role: form})
        for options in BY_MPMATH[name]:
            cases += by_mpmath(reference, f"{name}:{options}", pair, forms={role: form})
    cases += by_mpmath(reference, name, (MANY_LOGITS, MANY_LABELS), forms={role: "logits"})
    if role == "chance":
        cases += by_mpmath(reference, name, (PROBS, CLASSES))
        cases += by_mpmath(reference, name, (SCORES, CLASSES), "sum", forms=OF_CHANCE)
    return cases


def gaps(prob: np.ndarray, hits: np.ndarray, bins: int) -> float:
    """The calibration error from a histogram."""
    at = np.clip(np.ceil(prob * bins).astype(int) - 1, 0, bins - 1)
    return np.abs(np.bincount(at, hits, bins) - np.bincount(at, prob, bins)).sum() / len(prob)


def reverse_ce(least: float) -> torch.Tensor:
    """torch's cross-entropy of the truth, clipped, under the model."""
    truth = F.one_hot(index(CLASSES), 4).double().clamp(least, 1)
    return -(tensor(PROBS) * truth.log()).sum(dim=1).mean()


CASES = {
    "brier": [
        *reduced(Case("scikit-learn 1.9.1", "brier", P, 0.185, digits=7), 4, "sum", "positives", positives=2),
        Case("scikit-learn", "brier", (PROB, LABEL), lambda: sklearn.metrics.brier_score_loss(LABEL, PROB)),
        Case(
            "scikit-learn, classes",
            "brier:half=true",
            (PROBS, CLASSES),
            lambda: sklearn.metrics.brier_score_loss(CLASSES, PROBS, labels=range(4), scale_by_half=True),
        ),
        *of_rows("brier"),
    ],
    "poly1": [
        *reduced(Case("optax 0.2.8", "poly1:epsilon=2", C, 1.622334, digits=6, forms=OF_CHANCE), 3, "sum"),
        Case("timm 1.0.31, epsilon 2", "poly1:epsilon=2", M, 1.384447, digits=6, forms=OF_CHANCE),
        *of_rows("poly1"),
    ],
    "symmetric-ce": [
        Case(
            "torch, its two terms",
            "symmetric-ce:alpha=0.5",
            (SCORES, CLASSES),
            lambda: 0.5 * F.cross_entropy(tensor(SCORES), index(CLASSES)) + reverse_ce(1e-4**0.4342944819032518),
            forms=OF_CHANCE,
            digits=12,
        ),
        *of_rows("symmetric-ce"),
    ],
    "generalized-ce": [
        *reduced(Case("keras 3.15.1", "generalized-ce:q=0.5", C, 0.5560944, digits=7, forms=OF_CHANCE), 3, "sum"),
        *of_rows("generalized-ce"),
    ],
    "asymmetric": [
        Case("timm 1.0.31, a third of it: three labels", "asymmetric", M, 0.7126577 / 3, digits=7, forms=OF_PROB),
        *of_rows("asymmetric"),
    ],
    "calibration-error": [
        Case("torchmetrics 1.9.0", "calibration-error:bins=5,closed=left", BINS, 0.41, digits=7),
        Case("by hand, closed on the right", "calibration-error:bins=5", BINS, 0.33),
        Case("numpy", "calibration-error", (PROB, LABEL), lambda: gaps(PROB, LABEL, 15)),
        Case("numpy", "calibration-error:bins=4", (PROB, LABEL), lambda: gaps(PROB, LABEL, 4)),
        Case(
            "numpy, logits",
            "calibration-error",
            (LOGIT, LABEL),
            lambda: gaps(1 / (1 + np.exp(-LOGIT)), LABEL, 15),
            forms=OF_CHANCE,
        ),
        Case(
            "numpy, classes",
            "calibration-error:bins=10",
            (PROBS, CLASSES),
            lambda: gaps(PROBS.max(axis=1), PROBS.argmax(axis=1) == CLASSES, 10),
        ),
        Case("by hand, one bin: rates", "calibration-error:bins=1", ([0.5, 0.75, 0.25, 0.5], [1, 0, 0, 0]), 0.25),
    ],
}
