"""Grades in order: the steps that a prediction takes up to them, and how far beside them it puts its probability."""

from __future__ import annotations

from typing import Any, Literal

from ..language.domains import Flag, NonNegative
from ..language.numerics import Array, Total, column_list, full_like, logarithm, quotient, where
from ..language.predictions import Binary, Categorical
from ..language.registry import Sums, loss
from .regions import one_of_classes


@loss(aliases=("coral", "ordinal-loss", "cumulative-link"))
def ordinal(thresholds: Binary, level: Array) -> Array:
    """Binary cross-entropy of each step up to a grade: whether it reaches 1, whether it reaches 2, and so on.

    Formula: -sum_k [k <= y] log p_k + [k > y] log(1 - p_k), p_k the probability that the grade is at least k = 1..K
    Paper: Niu et al., Ordinal Regression with Multiple Output CNN for Age Estimation, 2016; Cao et al., 2020
    Reading: K columns are of K + 1 grades, 0 to K; a miss by several grades is wrong in as many columns
    Differs: the sum over the steps, as in allRank and CORAL; bce of K labels is their mean
    Unit: nats
    Use: grades in order: stars, stages of a disease, ages
    Misleads: it grows with the number of grades, and nothing makes p_1 >= p_2 >= ... but the data
    Gradient: by the logit of each step p_k - [k <= y]
    Worked: ordinal = -log(0.8) - log(1 - 0.4)
    Example: prob=[0.8,0.4] label=1 -> 0.7339691750802004
    """
    values = []
    for step, p in enumerate(column_list(thresholds.values)):
        is_reached = where(level > step, full_like(p, 1.0), 0.0)
        values.append(-Binary(p, thresholds.logits, thresholds.floor).of(is_reached).log_p)
    return sum(values[1:], values[0])


def _disagreement(*totals: Total, weights: str, take_log: bool, eps: float) -> Array | float:
    """totals: how far predictions are from the truth; then the rows of each true class, and of each predicted one."""
    distance, *counts, n = totals
    classes = len(counts) // 2
    chance: Any = 0 * n
    for i, own in enumerate(counts[:classes]):
        for j, other in enumerate(counts[classes:]):
            chance = chance + own * other * _apart(i, j, weights)
    value = quotient(distance * n, chance)
    return logarithm(value + eps) if take_log else value


def _apart(i: int, j: int, weights: str) -> int:
    return abs(i - j) if weights == "linear" else (i - j) ** 2


@loss(
    finish=_disagreement,
    stands_alone=False,
    reductions=("overall",),
    aliases=("weighted-kappa-loss", "kappa-loss", "quadratic-weighted-kappa", "qwk"),
)
def weighted_kappa(
    probs: Categorical,
    label: Array,
    *,
    weights: Literal["quadratic", "linear"] = "quadratic",
    take_log: Flag = False,
    eps: NonNegative = 0.0,
) -> Sums:
    """One minus Cohen's weighted kappa: how far predicted grades are from the true ones, to what chance would give.

    Formula: n sum_i sum_j w(y_i, j) p_ij / sum_ab w(a, b) Y_a P_b, w(a, b) = (a - b)^2, Y and P the rows of each true
        and each predicted class;  with --take-log the logarithm of that and eps
    Paper: Cohen, Weighted Kappa, 1968; de la Torre, Puig, Valls, Weighted Kappa Loss Function for Multi-class
        Classification of Ordinal Data in Deep Learning, 2018
    Reading: 0 is perfect, 1 is no better than chance, above 1 worse; of predictions of 0 and 1 it is 1 - kappa
    Differs: tensorflow-addons has --take-log and eps 1e-6; scikit-learn prints kappa, of decided classes
    weights: what a miss by d grades costs: d^2, or d
    take_log: the logarithm, as the paper trains on
    eps: added within the logarithm, which is -inf for a perfect prediction without it
    Use: grades in order: stages of a disease, marks of essays
    Misleads: depends on how often each grade occurs, so values of two data sets cannot be compared
    Gradient: by p_ij n w(y_i, j) / E, less the loss times what p_ij adds to E, E the disagreement by chance
    Worked: far = 0.2 * 1 + 0.6 * 1; chance = (1 * 0.6 + 1 * 1.4) / 2; weighted_kappa = far / chance
    Example: probs=[[0.8,0.2],[0.6,0.4]] label=[0,1] -> 0.8
    """
    truth = one_of_classes(probs, label)
    distance: Any = 0.0
    for i, own in enumerate(column_list(truth)):
        for j, other in enumerate(column_list(probs.p)):
            if i != j:
                distance = distance + own * other * float(_apart(i, j, weights))
    return Sums(distance, *column_list(truth), *column_list(probs.p))
