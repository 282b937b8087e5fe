"""Decisions: scikit-learn; counts by hand."""

import numpy as np
import scipy.special
import sklearn.metrics

from .case import Case, reduced
from .samples import (
    CLASSES,
    LABEL,
    LOGIT,
    MANY_LABELS,
    MANY_LOGITS,
    OF_CHANCE,
    PROB,
    PROBS,
    SCORES,
    C,
)

M = ([[1.2, -0.8, 0.5], [-0.3, 0.7, -1.1]], [[1, 0, 1], [0, 1, 1]])
CUT = scipy.special.expit(LOGIT) > 0.3
CASES = {
    "zero-one": [
        *reduced(Case("scikit-learn 1.9.1", "zero-one", C, 0.3333333, digits=7, forms=OF_CHANCE), 3),
        Case("scikit-learn 1.9.1, hamming", "zero-one", M, 0.1666667, digits=7, forms=OF_CHANCE),
        *reduced(
            Case("scikit-learn", "zero-one", (PROB, LABEL), lambda: sklearn.metrics.zero_one_loss(LABEL, PROB > 0.5)),
            50,
            "sum",
            "positives",
            positives=int(LABEL.sum()),
        ),
        Case(
            "scikit-learn, threshold",
            "zero-one:threshold=0.3",
            (PROB, LABEL),
            lambda: sklearn.metrics.zero_one_loss(LABEL, PROB > 0.3),
        ),
        Case(
            "scikit-learn, threshold of logits",
            "zero-one:threshold=0.3",
            (LOGIT, LABEL),
            lambda: sklearn.metrics.zero_one_loss(LABEL, CUT),
            forms=OF_CHANCE,
        ),
        Case(
            "scikit-learn, labels",
            "zero-one",
            (MANY_LOGITS, MANY_LABELS),
            lambda: sklearn.metrics.hamming_loss(MANY_LABELS, MANY_LOGITS > 0),
            forms=OF_CHANCE,
        ),
        Case(
            "scikit-learn, classes",
            "zero-one",
            (PROBS, CLASSES),
            lambda: sklearn.metrics.zero_one_loss(CLASSES, PROBS.argmax(axis=1)),
        ),
        Case(
            "scikit-learn, classes of logits",
            "zero-one",
            (SCORES, CLASSES),
            lambda: sklearn.metrics.zero_one_loss(CLASSES, SCORES.argmax(axis=1)),
            forms=OF_CHANCE,
        ),
        Case("by hand, the first of classes that tie", "zero-one", ([[0.5, 0.5], [0.5, 0.5]], [0, 1]), 0.5),
        Case("by hand, at the threshold", "zero-one", ([0.5, 0.5, 0.25], [0, 1, 0]), 1 / 3),
        Case("by hand, none is above 1", "zero-one:threshold=1", ([1.0, 0.0], [1, 0]), 0.5),
        Case("by hand, none of 0 is above 0", "zero-one:threshold=0", ([1e-300, 0.0], [1, 0]), 0.0),
        Case("by hand, logits", "zero-one:threshold=0", ([-700.0, 700.0], [1, 1]), 0.0, forms=OF_CHANCE),
    ],
    "coverage-error": [
        *reduced(Case("scikit-learn 1.9.1", "coverage-error", M, 2.5, digits=7), 2, "sum"),
        *(
            Case(
                "scikit-learn",
                "coverage-error",
                (scores, MANY_LABELS),
                lambda scores=scores: sklearn.metrics.coverage_error(MANY_LABELS, scores),
            )
            for scores in (MANY_LOGITS, np.round(MANY_LOGITS / 2))
        ),
        Case("by hand, none holds", "coverage-error", ([[1.0, 2.0]], [[0, 0]]), 0.0),
    ],
    "label-ranking": [
        *reduced(Case("scikit-learn 1.9.1", "label-ranking", M, 0.25, digits=7), 2, "sum"),
        *(
            Case(
                "scikit-learn",
                "label-ranking",
                (scores, MANY_LABELS),
                lambda scores=scores: sklearn.metrics.label_ranking_loss(MANY_LABELS, scores),
            )
            for scores in (MANY_LOGITS, np.round(MANY_LOGITS / 2))
        ),
    ],
}
