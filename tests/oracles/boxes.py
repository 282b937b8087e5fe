"""Boxes: torchvision; mpmath; by hand."""

import numpy as np
from exact_scoring import REFERENCES

from .case import Case, by_mpmath, reduced

RNG = np.random.default_rng(11)
CORNER = RNG.uniform(0, 9, (2, 40, 2))
SETS = tuple(np.concatenate([corner, corner + RNG.uniform(1, 9, (40, 2))], axis=1) for corner in CORNER)
X = ([[0, 0, 2, 2], [1, 1, 3, 4]], [[1, 1, 3, 3], [1, 1, 4, 4]])
PRINTED = {"iou": 0.5952381, "giou": 0.7063492, "diou": 0.6577381, "ciou": 0.6580953}
APART = ([[0, 0, 1, 1]], [[3, 0, 4, 1]])
FAR = {"iou": 1.0, "giou": 1.5, "diou": 1 + 9 / 17, "ciou": 1 + 9 / 17}
CASES = {
    name: [
        *reduced(Case("torchvision 0.28.0", name, X, number, digits=7), 2, "sum"),
        *by_mpmath(REFERENCES[name], name, SETS, "sum"),
        Case("by hand, apart", name, APART, FAR[name]),
        Case("the same box", name, (X[0], X[0]), 0.0),
    ]
    for name, number in PRINTED.items()
}
