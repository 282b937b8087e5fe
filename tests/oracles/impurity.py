"""Impurity: scikit-learn's trees, scipy's entropy; fractions."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import scipy.stats
import sklearn.metrics
import sklearn.tree

from .case import Case
from .samples import CLASSES, COUNTS, LABEL, LOGIT, PRED, SPLIT, WEIGHT


def stump(criterion: str, target: Any, split: Any, weight: Any = None, regression: bool = False) -> float:
    """What scikit-learn's tree says a node's impurity falls by, if it is split two ways by `split`."""
    kind = sklearn.tree.DecisionTreeRegressor if regression else sklearn.tree.DecisionTreeClassifier
    tree = kind(criterion=criterion, max_depth=1).fit(np.reshape(split, (-1, 1)), target, sample_weight=weight).tree_
    share = tree.weighted_n_node_samples / tree.weighted_n_node_samples[0]
    return tree.impurity[0] - share[1] * tree.impurity[1] - share[2] * tree.impurity[2]


def node(criterion: str, target: Any, weight: Any = None) -> float:
    return (
        sklearn.tree.DecisionTreeClassifier(criterion=criterion)
        .fit(np.zeros((len(target), 1)), target, sample_weight=weight)
        .tree_.impurity[0]
    )


TWO = (LOGIT > 0.3).astype(int)  # a split that says something
WORDS = np.array(["ant", "bee", "cat", "ant"])
CASES = {
    "gini": [
        Case("scikit-learn", "gini", (CLASSES,), lambda: node("gini", CLASSES)),
        Case("scikit-learn, weights", "gini", (CLASSES,), lambda: node("gini", CLASSES, WEIGHT), weight=WEIGHT),
        Case("by hand, of words", "gini", (WORDS,), 1 - Fraction(4 + 1 + 1, 16)),
        Case("one class", "gini", ([3, 3, 3],), 0.0),
        Case("the chance that two draws differ", "gini", ([0, 0, 1, 1, 1],), 2 * Fraction(2, 5) * Fraction(3, 5)),
    ],
    "entropy": [
        Case("scipy", "entropy", (CLASSES,), lambda: scipy.stats.entropy(COUNTS, base=2)),
        Case("scipy, nats", "entropy:base=2.718281828459045", (CLASSES,), lambda: scipy.stats.entropy(COUNTS)),
        Case("scikit-learn, weights", "entropy", (CLASSES,), lambda: node("entropy", CLASSES, WEIGHT), weight=WEIGHT),
        Case("by hand, of words", "entropy", (WORDS,), 1.5),
        Case("four classes alike, base 4", "entropy:base=4", ([0, 1, 2, 3],), 1.0),
        Case("one class", "entropy", ([3, 3, 3],), 0.0),
    ],
    "information-gain": [
        Case(
            "mutual information",
            "information-gain:base=2.718281828459045",
            (CLASSES, SPLIT),
            lambda: sklearn.metrics.mutual_info_score(CLASSES, SPLIT),
        ),
        Case(
            "scipy, entropies",
            "information-gain",
            (LABEL, TWO),
            lambda: sum(
                sign * scipy.stats.entropy(np.unique(pair, axis=0, return_counts=True)[1], base=2)
                for sign, pair in ((1, LABEL), (1, TWO), (-1, np.stack([LABEL, TWO], 1)))
            ),
        ),
        Case("scikit-learn, tree", "information-gain", (LABEL, TWO), lambda: stump("entropy", LABEL, TWO)),
        Case(
            "scikit-learn, tree, weights",
            "information-gain",
            (LABEL, TWO),
            lambda: stump("entropy", LABEL, TWO, WEIGHT),
            weight=WEIGHT,
        ),
        Case("a perfect split of four classes", "information-gain", ([0, 1, 2, 3], ["a", "b", "c", "d"]), 2.0),
        Case("a useless split", "information-gain", ([0, 1, 0, 1], [0, 0, 1, 1]), 0.0),
    ],
    "gini-gain": [
        Case("scikit-learn, tree", "gini-gain", (LABEL, TWO), lambda: stump("gini", LABEL, TWO)),
        Case(
            "scikit-learn, tree, weights",
            "gini-gain",
            (LABEL, TWO),
            lambda: stump("gini", LABEL, TWO, WEIGHT),
            weight=WEIGHT,
        ),
        Case(
            "by hand, three branches",
            "gini-gain",
            ([0, 0, 1, 1, 1, 1], [0, 0, 1, 1, 2, 0]),
            Fraction(4, 9) - Fraction(1, 2) * Fraction(4, 9),
        ),
        Case("a useless split", "gini-gain", ([0, 1, 0, 1], [0, 0, 1, 1]), 0.0),
    ],
    "variance-reduction": [
        Case(
            "scikit-learn, tree",
            "variance-reduction",
            (PRED, TWO),
            lambda: stump("squared_error", PRED, TWO, regression=True),
        ),
        Case(
            "scikit-learn, tree, weights",
            "variance-reduction",
            (PRED, TWO),
            lambda: stump("squared_error", PRED, TWO, WEIGHT, regression=True),
            weight=WEIGHT,
        ),
        Case(
            "scipy, between groups",
            "variance-reduction",
            (PRED, SPLIT),
            lambda: np.var(PRED) - sum(np.var(PRED[s == SPLIT]) * np.mean(s == SPLIT) for s in range(3)),
        ),
        Case("by hand", "variance-reduction", ([0.0, 2.0, 10.0, 12.0], [0, 0, 1, 1]), 25.0),
        Case("by hand, far from zero", "variance-reduction", ([1e9, 1e9 + 2, 1e9 + 10, 1e9 + 12], [0, 0, 1, 1]), 25.0),
    ],
}
