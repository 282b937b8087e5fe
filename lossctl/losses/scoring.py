"""Scoring: probabilities judged by other measures than the surprise, and the surprise bent."""

from itertools import pairwise
from typing import Annotated, Literal

from ..language.domains import Bins, Domain, Flag, Fraction, NonNegative
from ..language.numerics import (
    Array,
    Total,
    expm1,
    log1p,
    one_hot,
    pick,
    quotient,
    relu,
    row_max,
    row_mean,
    row_sum,
    weigh,
    where,
)
from ..language.predictions import Binary, Categorical
from ..language.registry import Sums, loss

NonPositive = Annotated[float, Domain(float, high=0)]
Exponent = Annotated[float, Domain(float, low=0, high=1, low_open=True)]


@loss(aliases=("brier-score",))
def brier(chance: Binary | Categorical, label: Array, *, half: Flag = False) -> Array:
    """The squared distance of the probabilities from the truth: a proper score that stays finite.

    Formula: (1 - p_t)^2 for labels 0 and 1; sum_j (p_j - y_j)^2 over the classes, y one for the true one
    Paper: Brier, Verification of Forecasts Expressed in Terms of Probability, 1950
    Reading: 0 is perfect; certain and wrong is 1 for labels, 2 for classes
    Differs: for two classes the sum over both is twice the number of label 1 alone; scikit-learn halves it there
    half: halve it, so that it is at most 1 for classes too
    Use: to score probabilities where a single certain error should not make the number
    Misleads: rare labels: always saying "no" scores well
    Gradient: by p of the truth -2 (1 - p_t); by the logit it fades for rows that are certain and wrong
    Worked: brier = (1 - 0.8)^2
    Example: chance=0.8 label=1 -> 0.04
    """
    miss = chance.of(label).miss
    value = miss * miss
    if isinstance(chance, Categorical):
        rivals = where(one_hot(label, chance.classes, chance.values), 0.0, chance.p)
        value = value + row_sum(rivals * rivals)
    return row_mean(value / 2 if half else value)


@loss(aliases=("poly", "poly-1", "poly-loss"))
def poly1(chance: Binary | Categorical, label: Array, *, epsilon: NonNegative = 1.0) -> Array:
    """Cross-entropy with more weight on the first term of its expansion.

    Formula: -log p_t + epsilon (1 - p_t)
    Paper: Leng et al., PolyLoss, 2022
    Differs: optax and timm have epsilon 2 unless told
    epsilon: how much more the first term counts
    Use: as cross-entropy; the paper gains by tuning epsilon to the task
    Misleads: no surprise any more: probabilities that minimise it are not those that are true
    Gradient: by p_t -1 / p_t - epsilon
    Worked: p_t = 0.8; poly1 = -log(p_t) + 1 * (1 - p_t)
    Example: chance=0.8 label=1 -> 0.42314355131420972
    """
    truth = chance.of(label)
    return row_mean(epsilon * truth.miss - truth.log_p)


@loss(aliases=("sce", "symmetric-cross-entropy"))
def symmetric_ce(
    chance: Binary | Categorical,
    label: Array,
    *,
    alpha: NonNegative = 0.1,
    beta: NonNegative = 1.0,
    log_of_zero: NonPositive = -4.0,
) -> Array:
    """Cross-entropy in both directions: of the truth under the model, and of the model under the truth.

    Formula: -alpha log p_t - beta A (1 - p_t), A what stands for the log of 0
    Paper: Wang, Ma, Chen, Luo, Yi, Bailey, Symmetric Cross Entropy for Robust Learning with Noisy Labels, 2019
    Differs: much code clips the truth at 1e-4, which is A -9.21
    alpha: how much the cross-entropy counts
    beta: how much the reverse one counts
    log_of_zero: A, since the truth gives other classes a probability of 0
    Use: labels with noise: rows that the model contradicts pull less than in cross-entropy
    Misleads: no surprise any more, and values for different alpha, beta and A cannot be compared
    Gradient: by p_t -alpha / p_t + beta A
    Worked: symmetric_ce = -0.1 * log(0.8) + 1 * 4 * (1 - 0.8)
    Example: chance=0.8 label=1 -> 0.8223143551314209
    """
    truth = chance.of(label)
    return row_mean((-beta * log_of_zero) * truth.miss - weigh(alpha, truth.log_p))


@loss(aliases=("gce",))
def generalized_ce(chance: Binary | Categorical, label: Array, *, q: Exponent = 0.7) -> Array:
    """Between cross-entropy and the absolute error: rows that the model contradicts pull less.

    Formula: (1 - p_t^q) / q
    Paper: Zhang, Sabuncu, Generalized Cross Entropy Loss for Training Deep Neural Networks with Noisy Labels, 2018
    Reading: q near 0 is cross-entropy, q 1 is 1 - p_t; at most 1/q
    Differs: keras has q 0.5 unless told
    q: the larger, the less wrong labels count
    Use: labels of which some are wrong
    Misleads: rows learned late may be hard, not wrong: they are neglected too
    Gradient: by p_t -p_t^(q - 1); by the logit it fades for rows that are certain and wrong
    Worked: p_t = 0.5; generalized_ce = (1 - p_t^0.7) / 0.7
    Example: chance=0.5 label=1 -> 0.5491825618964884
    """
    return row_mean(-expm1(q * chance.of(label).log_p) / q)


@loss(aliases=("asl", "asymmetric-loss"))
def asymmetric(
    prob: Binary, label: Array, *, gamma_neg: NonNegative = 4.0, gamma_pos: NonNegative = 1.0, offset: Fraction = 0.05
) -> Array:
    """Focal loss with a gamma for each label, and easy negatives dropped: many labels, of which few hold.

    Formula: -(1 - p)^g+ log p for label 1, -q^g- log(1 - q) for label 0;  q = [p - offset]+
    Paper: Ridnik et al., Asymmetric Loss for Multi-Label Classification, 2021
    Differs: timm adds up the labels of a row, the paper's code rows too; here they are averaged, as in bce
    gamma_neg: g-, how fast easy negatives fade
    gamma_pos: g+, how fast easy positives fade
    offset: (clip in the paper and in timm) negatives with a probability up to it cost nothing
    Use: many labels a row of which few hold
    Misleads: a negative never costs more than at p = 1, where it is finite; no score for probabilities
    Gradient: that of focal, for a negative of p - offset
    Worked: p = 0.8; asymmetric = -(1 - p) * log(p)
    Example: prob=0.8 label=1 -> 0.04462871026284195
    """
    truth = prob.of(label)
    shifted = relu(where(label == 1, 0.0, truth.miss) - offset)
    positive = _fading(truth.miss, gamma_pos) * -truth.log_p
    negative = _fading(shifted, gamma_neg) * (-log1p(-shifted) if offset else -truth.log_p)
    return row_mean(where(label == 1, positive, negative))


def _fading(miss: Array, gamma: float) -> Array:
    return miss**gamma if gamma else 0.0 * miss + 1.0


def _mean_gap(*totals: Total) -> Array | float:
    *gaps, weight = totals
    return quotient(sum((abs(gap) for gap in gaps[1:]), abs(gaps[0])), weight)


@loss(finish=_mean_gap, stands_alone=False, reductions=("overall",), aliases=("ece", "expected-calibration-error"))
def calibration_error(
    chance: Binary | Categorical, label: Array, *, bins: Bins = 15, closed: Literal["right", "left"] = "right"
) -> Sums:
    """How far the probabilities are from the shares of rows where they come true, bin by bin.

    Formula: sum_b n_b / n |share of hits in b - mean probability in b|, bins of one width
    Paper: Guo et al., On Calibration of Modern Neural Networks, 2017
    Reading: for labels 0 and 1 it is the probability of label 1 and the share of ones; for classes that of the
        likeliest
        class and the share where it is the true one
    Differs: torchmetrics closes its bins on the left; some code takes max(p, 1 - p) of two classes
    bins: how many
    closed: the end of a bin that belongs to it, as the paper has it right
    Use: to see whether probabilities mean what they say
    Misleads: biased upwards for few rows or many bins; the mean rate for every row scores 0 and tells nothing
    Gradient: 1 or -1 for all rows of a bin alike
    Worked: low = 1 / 4 * abs(0.5 - 0 - 0); calibration_error = low + 3 / 4 * abs(2 / 3 - 0.8)
    Example: chance=[0.5,0.8,0.8,0.8] label=[0,1,1,0] bins=5 -> 0.225
    """
    if isinstance(chance, Categorical):
        p = row_max(chance.p)
        hit = where(pick(chance.p, label) == p, 0.0 * p + 1.0, 0.0)
    else:
        p, hit = chance.of(0.0 * label + 1.0).p, label
    gap = hit - p
    ends = [k / bins for k in range(1, bins)]
    above = [p > end if closed == "right" else p >= end for end in ends]
    beyond = [where(here, gap, 0.0) for here in above]
    left = [where(here, 0.0, gap) for here in above]
    inside = [left[0] if left else gap]
    inside += [where(low, where(high, 0.0, gap), 0.0) for low, high in pairwise(above)]
    return Sums(*(row_sum(column) for column in [*inside, *beyond[-1:]]))
