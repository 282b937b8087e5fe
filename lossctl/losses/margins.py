"""Margins: decision values of labels and classes, beside hinge and its kin."""

import math
from typing import Annotated

from ..language.domains import Domain, Flag, NonNegative, Positive, Real, Weights
from ..language.engines import WHOLE
from ..language.entropy import NEVER, log_sum_exp
from ..language.numerics import (
    Array,
    column_list,
    columns,
    counted_columns,
    exp,
    expm1,
    joined,
    log,
    log1p,
    maximum,
    minimum,
    namespace,
    one_hot,
    ordered_by,
    pick,
    relu,
    row_max,
    row_sum,
    sigmoid,
    softplus,
    sqrt,
    where,
)
from ..language.orders import running_sum
from ..language.registry import loss
from ..language.rounding import sum_of_three

Sparsity = Annotated[float, Domain(float, low=1, high=64, low_open=True)]
Settled = Annotated[float | None, Domain(float, optional=True)]
Multiplier = Annotated[float | None, Domain(float, low=0, optional=True)]
Rows = Annotated[float | None, Domain(float, low=2, optional=True)]
HALVINGS = 60


@loss(aliases=("logistic", "soft-margin-loss"))
def soft_margin(score: Array, label: Array) -> Array:
    """The logistic loss of a decision value: bce of logits under another name.

    Formula: log(1 + exp(-(2y - 1) s))
    Differs: torch prints inf at s -800 with label 1, where it is 800
    Unit: nats
    Use: decisions by the sign of a score, where every row should pull
    Misleads: scores have no scale: doubling them changes the loss, not one decision
    Gradient: -sigmoid(-s) for label 1: never 0
    Worked: soft_margin = log(1 + exp(-0.5))
    Example: score=0.5 label=1 -> 0.4740769841801067
    """
    return softplus(-(2.0 * label - 1.0) * score)


@loss(aliases=("exponential-loss", "adaboost"))
def exponential(score: Array, label: Array) -> Array:
    """The exponential of how wrong a decision value is: what AdaBoost lowers, step by step.

    Formula: exp(-(2y - 1) s)
    Paper: Friedman, Hastie, Tibshirani, Additive Logistic Regression, 2000
    Reading: 1 for a score of 0; scores are on half the scale of logits: the best s is half the log-odds
    Use: the decision values of boosted trees and stumps
    Misleads: one wrong label far off outweighs all other rows
    Gradient: -exp(-s) for label 1: never 0
    Worked: exponential = exp(-0.5)
    Example: score=0.5 label=1 -> 0.6065306597126334
    """
    return exp(-(2.0 * label - 1.0) * score)


@loss(aliases=("perceptron-loss",))
def perceptron(score: Array, label: Array) -> Array:
    """Hinge without a margin: what a wrong decision is off by.

    Formula: [-(2y - 1) s]+
    Paper: Rosenblatt, The Perceptron, 1958
    Differs: optax multiplies by labels as they are, so that each label 0 costs nothing; it wants -1 and 1
    Use: to count wrong decisions by how far they are off
    Misleads: scores of 0 cost nothing, so a model that says 0 everywhere is perfect
    Gradient: -1 for a wrong decision, 0 for a right one
    Worked: perceptron = max(0, -(2 * 0 - 1) * 0.5)
    Example: score=0.5 label=0 -> 0.5
    """
    return relu(-(2.0 * label - 1.0) * score)


@loss
def multiclass_perceptron(scores: Array, label: Array) -> Array:
    """By how much the best rival beats the true class.

    Formula: max_j s_j - s_y
    Paper: Collins, Discriminative Training Methods for Hidden Markov Models, 2002
    Use: to see by how much wrong classes win; what the updates of a multi-class perceptron lower
    Misleads: equal scores for all classes cost nothing
    Gradient: 1 for the winner, -1 for the true class, 0 where they are the same
    Worked: multiclass_perceptron = 0.5 - 0.2
    Example: scores=[0.5,0.2,0.1] label=1 -> 0.3
    """
    return relu(_best_rival(scores, label) - pick(scores, label))


def _best_rival(scores: Array, label: Array) -> Array:
    return row_max(where(one_hot(label, scores.shape[1], scores), -float("inf"), scores))


@loss
def categorical_hinge(scores: Array, label: Array) -> Array:
    """The hinge of keras: the best rival, or 0 where all rivals are negative, against the true class.

    Formula: [1 + max(0, max_{j != y} s_j) - s_y]+
    Differs: multiclass-hinge has no 0 among the rivals, so negative rivals lower it
    Use: to compare with keras
    Misleads: adding a number to all scores changes it
    Gradient: 1 for the best rival above 0, -1 for the true class, within the margin
    Worked: rival = max(0, 0.2, 0.1); categorical_hinge = max(0, 1 + rival - 0.5)
    Example: scores=[0.5,0.2,0.1] label=0 -> 0.7
    """
    return relu(sum_of_three(maximum(_best_rival(scores, label), 0.0), -pick(scores, label), 1.0))


@loss(aliases=("multi-margin-loss",))
def multi_margin(scores: Array, label: Array, *, margin: Positive = 1.0, squared: Flag = False) -> Array:
    """What all rivals lack to the margin, divided by the number of classes.

    Formula: sum_{j != y} [margin + s_j - s_y]+ / C, or of the squares with --squared
    Paper: Weston, Watkins, Support Vector Machines for Multi-Class Pattern Recognition, 1999
    Differs: it is multiclass-hinge --kind weston-watkins divided by C, as in torch, whose mean with class weights is
        over n, not over their sum
    margin: by how much the true class should lead
    squared: square what is lacking (torch: p=2)
    Use: to compare with torch
    Misleads: the division by C makes it small for many classes
    Gradient: 1/C for each rival within the margin, minus their number / C for the true class
    Worked: multi_margin = (max(0, 1 + 0.2 - 0.5) + max(0, 1 + 0.1 - 0.5)) / 3
    Example: scores=[0.5,0.2,0.1] label=0 -> 0.43333333333333335
    """
    mine = one_hot(label, scores.shape[1], scores)
    lacking = where(mine, 0.0, relu(sum_of_three(scores, -pick(scores, label)[:, None], margin)))
    return row_sum(lacking * lacking if squared else lacking) / scores.shape[1]


@loss(aliases=("multilabel-margin-loss",))
def multilabel_margin(label_scores: Array, label: Array) -> Array:
    """What each label that holds lacks to lead each one that does not by 1, divided by the number of labels.

    Formula: sum_{i: y_i = 1} sum_{j: y_j = 0} [1 - (s_i - s_j)]+ / L
    Differs: torch takes indices padded with -1, here labels are 0 and 1
    Use: labels of which those that hold should rank first
    Misleads: rows where all labels hold, or none, cost nothing
    Gradient: -1/L and 1/L for each pair within the margin
    Worked: multilabel_margin = max(0, 1 - (0.5 - 0.2)) / 2
    Example: label_scores=[0.5,0.2] label=[1,0] -> 0.35
    """
    scores, labels = column_list(label_scores), column_list(label)
    lacking = 0.0 * scores[0]
    for i, score in enumerate(scores):
        for j, rival in enumerate(scores):
            if i != j:
                pair = (labels[i] == 1) & (labels[j] == 0)
                lacking = lacking + where(pair, relu(sum_of_three(rival, -score, 1.0)), 0.0)
    return lacking / len(scores)


@loss(aliases=("multilabel-softmax",))
def zlpr(label_scores: Array, label: Array) -> Array:
    """Every label that holds above 0 and above every one that does not: a softmax for any number of true labels.

    Formula: log(1 + sum_{j: y_j = 0} e^s_j) + log(1 + sum_{i: y_i = 1} e^-s_i)
    Paper: Su et al., ZLPR: A Novel Loss for Multi-label Classification, 2022
    Reading: one number a row, not divided by the labels
    Unit: nats
    Use: many labels a row of which an unknown number holds
    Misleads: rows with many labels cost more than rows with few
    Gradient: the share of each label in its sum, with the sign against the truth
    Worked: zlpr = log(1 + exp(0.2)) + log(1 + exp(-0.5))
    Example: label_scores=[0.5,0.2] label=[1,0] -> 1.2722158535616985
    """
    s, y = (label_scores[:, None], label[:, None]) if label.ndim == 1 else (label_scores, label)
    zero = 0.0 * s[:, :1]
    return log_sum_exp(joined(zero, where(y == 1, NEVER, s))) + log_sum_exp(joined(zero, where(y == 1, -s, NEVER)))


@loss(aliases=("sparsemax-loss", "multiclass-sparsemax-loss", "sparsemax-bisect"))
def sparsemax(scores: Array, label: Array) -> Array:
    """Cross-entropy's kin for the sparsemax, which gives classes far behind a probability of exactly 0.

    Formula: 1/2 - s_y + sum_{j in S} (s_j^2 - t^2) / 2, S the classes above t, where sum_{j in S} (s_j - t) = 1;
        as [(1 - p_y)^2 + sum_{j != y} p_j^2] / 2 + [t - s_y]+ with p_j = [s_j - t]+, which keeps digits
    Paper: Martins, Astudillo, From Softmax to Sparsemax, 2016
    Reading: exactly 0 once the true class leads all others by 1
    Differs: optax's sparsemax_loss for labels 0 and 1 is a quarter of a square: that of two classes s/2 and -s/2
    Use: classifiers whose output should name few classes
    Misleads: scores have a scale: a lead of 1 is enough, however that was reached
    Gradient: p - y, of which most are exactly 0
    Worked: p = (1 + 0.5) / 2; sparsemax = (1 - p)^2
    Example: scores=[0.5,0] label=0 -> 0.0625
    """
    gap = scores - row_max(scores)[:, None]
    ranked = ordered_by(gap, -gap)
    place = counted_columns(gap)
    inside = 1.0 + place * ranked > running_sum(ranked)
    size = row_sum(where(inside, ranked * 0.0 + 1.0, 0.0))
    threshold = (row_sum(where(inside, ranked, 0.0)) - 1.0) / size
    own = one_hot(label, columns(gap), gap)
    rival = where(own, 0.0, relu(gap - threshold[:, None]))
    missed = row_sum(rival)
    return (missed * missed + row_sum(rival * rival)) / 2 + relu(threshold - pick(gap, label))


@loss(aliases=("entmax15-loss",))
def entmax15(scores: Array, label: Array) -> Array:
    """Between cross-entropy and sparsemax: the loss of the 1.5-entmax, which gives few classes a probability above 0.

    Formula: H(p) + p . s - s_y, p = [s/2 - t]+^2 with sum p = 1, H(p) = 4/3 (1 - sum p^1.5);
        as 2/3 [(1 - q)^2 (2 + q) + sum_{j != y} p_j^1.5] + [2 t - s_y]+ with q = sqrt(p_y), which keeps digits
    Paper: Peters, Niculae, Martins, Sparse Sequence-to-Sequence Models, 2019
    Reading: exactly 0 once the true class leads all others by 2; alpha 1 is cross-entropy, alpha 2 sparsemax
    Use: classifiers and language models whose output should name few classes
    Misleads: scores have a scale: a lead of 2 is enough, however that was reached
    Gradient: p - y, of which most are exactly 0
    Worked: q = sqrt(1 / 2); entmax15 = 2 / 3 * ((1 - q)^2 * (2 + q) + q^3)
    Example: scores=[0,0] label=0 -> 0.39052429175126996
    """
    half = (scores - row_max(scores)[:, None]) / 2
    ranked = ordered_by(half, -half)
    place = counted_columns(half)
    mean = running_sum(ranked) / place
    spread = running_sum(ranked * ranked) - place * mean * mean
    inside = ranked >= mean - sqrt(relu(1.0 - spread) / place)
    size = row_sum(where(inside, ranked * 0.0 + 1.0, 0.0))
    mean = row_sum(where(inside, ranked, 0.0)) / size
    off = where(inside, ranked - mean[:, None], 0.0)
    threshold = mean - sqrt(relu(1.0 - row_sum(off * off)) / size)
    own = one_hot(label, columns(half), half)
    root = relu(half - threshold[:, None])
    q, rival = pick(root, label), where(own, 0.0, root)
    missed = row_sum(rival * rival) / (1.0 + q)  # 1 - q
    value = missed * missed * (2.0 + q) + row_sum(rival * rival * rival)
    return 2.0 / 3.0 * value + 2.0 * relu(threshold - pick(half, label))


@loss(aliases=("entmax-bisect", "tsallis"))
def entmax(scores: Array, label: Array, *, alpha: Sparsity = 1.5) -> Array:
    """The losses between cross-entropy and sparsemax and beyond: alpha says how readily a class gets exactly 0.

    Formula: H(p) + p . s - s_y, p_j = [(a - 1) s_j - t]+^(1 / (a - 1)) with sum p = 1,
        H(p) = (1 - sum p^a) / [a (a - 1)];  as {1 - u [1 + (a - 1) (1 - p_y)] + (a - 1) sum_{j != y} p_j^a} /
        [a (a - 1)], u = p_y^(a - 1), for p_y above 0
    Paper: Blondel, Martins, Niculae, Learning with Fenchel-Young Losses, 2020; Peters, Niculae, Martins, 2019
    Reading: towards 1 it is cross-entropy, at 1.5 entmax15, at 2 sparsemax; 0 once the true class leads by 1 / (a - 1)
    Differs: entmax cuts its search off after 50 steps, here it ends with the digits
    alpha: a
    Use: classifiers whose output should name few classes, as many as alpha makes it
    Misleads: scores have a scale, and values for different alpha cannot be compared
    Gradient: p - y, of which those far behind are exactly 0
    Worked: p = (1 + 0.5) / 2; entmax = (1 - p)^2
    Example: scores=[0.5,0] label=0 alpha=2 -> 0.0625
    """
    a = alpha - 1.0
    gap = (scores - row_max(scores)[:, None]) * a
    t = _halved(gap, 1.0 / a, columns(gap) ** -a)
    rival = where(one_hot(label, columns(gap), gap), 0.0, relu((gap + 1.0) - t[:, None]))
    behind = t - pick(gap, label)  # 1 - u of the true class, without its cancelling
    inside = behind < 1
    missed = -expm1(log1p(-where(inside, behind, 0.0)) / a)
    near = (missed < 0.4) & (a * missed < 0.4)
    m = where(near, missed, 0.0)
    power, less = m, 0.0 * m
    for k in range(2, 46):
        power = power * m
        less = less - power * ((a + (-a) ** k) / k)
    far = where(near, 0.0, missed)
    log_whole = log1p(-where(inside & ~near, behind, 0.0)) + log1p(a * far)
    own = where(inside, -expm1(where(near, less, log_whole)), 1.0 + alpha * (behind - 1.0))
    return (own + a * row_sum(rival ** (alpha / a))) / (alpha * a)


@loss(aliases=("normmax-bisect", "normmax-loss"))
def normmax(scores: Array, label: Array, *, alpha: Sparsity = 2.0) -> Array:
    """Cross-entropy's kin for the normmax, whose probabilities are drawn to be equal or exactly 0.

    Formula: 1 + t - s_y, where sum_j [s_j - t]+^(a / (a - 1)) = 1; which is 1 - |p|_a + p . s - s_y, p its normmax
    Paper: Blondel, Martins, Niculae, Learning with Fenchel-Young Losses, 2020; Santos et al., 2024
    Reading: exactly 0 once the true class leads all others by 1
    Differs: entmax cuts its search off after 50 steps, here it ends with the digits
    alpha: a
    Use: memories and classifiers that should name some classes, about equally
    Misleads: scores have a scale: a lead of 1 is enough, however that was reached
    Gradient: p - y, of which those far behind are exactly 0
    Worked: normmax = 1 - sqrt(1 / 2)
    Example: scores=[0,0] label=0 -> 0.2928932188134525
    """
    power = alpha / (alpha - 1.0)
    gap = scores - row_max(scores)[:, None]
    t = _halved(gap, power, columns(gap) ** (-1.0 / power))
    for _ in range(3):  # Newton's steps, for the digits of a t near 0
        over, u = _excess(gap, t, power)
        t = t + over / (power * row_sum(where(u > 0, where(u > 0, u, 1.0) ** (power - 1.0), 0.0)))
    return t - pick(gap, label)


@loss(engine=WHOLE, is_signed=True, stands_alone=False, aliases=("auc-margin", "aucm-loss"))
def aucm(
    score: Array,
    label: Array,
    *,
    margin: NonNegative = 1.0,
    a: Settled = None,
    b: Settled = None,
    alpha: Multiplier = None,
    prior: Flag = False,
) -> Array:
    """The area under the ROC curve by squares: scores of each kind alike, and the true ones ahead by the margin.

    Formula: mean (s - a)^2 of the true + mean (s - b)^2 of the others + 2 alpha (m + mean s of the others - mean s of
        the true) - alpha^2; at their best a and b are these means, alpha [m + mean of the others - mean of the true]+
    Paper: Yuan, Yan, Sonka, Yang, Large-Scale Robust Deep AUC Maximization, 2021
    Reading: nan where one kind has no row
    Differs: a, b and alpha are learned beside the model in LibAUC and MONAI, and 0 at first; here they are at their
        best unless given
    margin: m
    a: that of the true rows
    b: that of the others
    alpha: how much the lead counts
    prior: times p (1 - p), p the share of the true rows, as in the paper and in MONAI's "v1"
    Use: a model that is judged by the area under the ROC curve
    Misleads: a constant spread of scores costs as much as a wrong order
    Gradient: 2 (s - a - alpha) / n of the true, 2 (s - b + alpha) / n of the others
    Worked: first = (0.5 - 0.5)^2; lead = 1 + 0.25 - 0.5; aucm = first + lead^2
    Example: score=[0.5,0.25] label=[1,0] -> 0.5625
    """
    xp, s, yes = namespace(score), score - score[:1, ...], label == 1
    means, spreads, shares = [], [], []
    for fixed, mask in ((a, yes), (b, ~yes)):
        n = xp.sum(where(mask, 0.0 * s + 1.0, 0.0))
        mean = xp.sum(where(mask, s, 0.0)) / n
        apart = where(mask, s - mean if fixed is None else score - fixed, 0.0)
        means.append(mean)
        spreads.append(xp.sum(apart * apart) / n)
        shares.append(n / (n * 0.0 + float(math.prod(s.shape))))
    lead = margin + (means[1] - means[0])
    weight = relu(lead) if alpha is None else 0.0 * lead + alpha
    value = spreads[0] + spreads[1] + weight * (2.0 * lead - weight)
    return value * shares[0] * shares[1] if prior else value


@loss(engine=WHOLE, aliases=("two-way-loss",))
def two_way(
    label_scores: Array, label: Array, *, positive_temperature: Positive = 4.0, negative_temperature: Positive = 1.0
) -> Array:
    """The highest score of what does not hold against the lowest of what holds, by rows and by labels.

    Formula: mean over rows of log(1 + e^(tn log sum_{y = 0} e^(s / tn) + tp log sum_{y = 1} e^(-s / tp))), and the same
        over labels; those where nothing holds are left out
    Paper: Kobayashi, Two-Way Multi-Label Loss, 2023
    positive_temperature: tp
    negative_temperature: tn
    Unit: nats
    Use: many labels a row, that are rare
    Misleads: the half by labels is of all rows together: values of sets of other sizes cannot be compared
    Gradient: the softmax of what does not hold, minus that of what holds, by the sigmoid of their gap
    Worked: row = log(1 + exp(0.2 - 0.5)); column = log(1 + 0); two_way = row + column
    Example: label_scores=[[0.5,0.2]] label=[[1,0]] -> 0.5543552444685271
    """
    s, y = (label_scores[:, None], label[:, None]) if label.ndim == 1 else (label_scores, label)
    xp, total = namespace(s), 0.0
    for x, truth in ((s, y == 1), (s.T, y.T == 1)):
        highest = negative_temperature * log_sum_exp(where(truth, NEVER, x / negative_temperature))
        lowest = positive_temperature * log_sum_exp(where(truth, -x / positive_temperature, NEVER))
        holds, fails = xp.any(truth, axis=-1), xp.any(~truth, axis=-1)
        cost = where(holds & fails, softplus(where(holds & fails, highest + lowest, 0.0)), 0.0)
        total = total + xp.sum(cost) / xp.sum(where(holds, 0.0 * cost + 1.0, 0.0))
    return total


@loss(engine=WHOLE, aliases=("db-loss", "distribution-balanced-loss"))
def distribution_balanced(
    label_scores: Array,
    label: Array,
    *,
    class_counts: Weights = None,
    count: Rows = None,
    least: NonNegative = 0.1,
    steepness: NonNegative = 10.0,
    threshold: Real = 0.2,
    negative_scale: Positive = 2.0,
    bias: Real = 0.05,
    gamma: NonNegative = 2.0,
    focal_scale: Positive = 2.0,
) -> Array:
    """Binary cross-entropy of many labels: rare ones and rare rows weighed up, easy negatives of rare labels spared.

    Formula: mean over cells of r (y f(-z) + (1 - y) f(l z) / l), f(x) = c sigmoid(x)^gamma log(1 + e^x), z = s - k
        log(N / n_j - 1) / l, r = least + sigmoid(steepness (1 / n_j / sum_i y_i / n_i - threshold))
    Paper: Wu, Huang, Liu, Wang, Lin, Distribution-Balanced Loss for Multi-Label Classification, 2020
    Reading: n_j the rows in which label j holds, of N; a row without labels has the weight least + 1
    Differs: timm takes n and N of the training set: --class-counts, --count
    class_counts: n, one number a label; those of these rows by default, kept between 1 and N - 1
    count: N; how many rows there are by default
    least: the smallest weight
    steepness: how sharply rare labels are told from others
    threshold: where the weight is half way
    negative_scale: l, how fast negatives fade
    bias: k, how far rare labels start below the others
    gamma: how fast easy cells fade, as in focal
    focal_scale: c
    Unit: nats
    Use: many labels with a long tail
    Misleads: eight settings in one number: values for different ones cannot be compared
    Gradient: that of focal loss of the shifted scores, times the weight
    Worked: w = 0.1 + 1 / (1 + exp(-8)); first = w * log(2) / 4; second = (0.1 + 1) * log(2) / 8;
        distribution_balanced = (first + second) / 2
    Example: label_scores=[[0],[0]] label=[[1],[0]] bias=0 focal_scale=1 -> 0.14293255011580958
    """
    s, y = (label_scores[:, None], label[:, None]) if label.ndim == 1 else (label_scores, label)
    xp = namespace(s)
    rows = float(s.shape[0]) if count is None else count
    n = (
        xp.sum(y + 0.0 * s, axis=0)
        if class_counts is None
        else xp.asarray(class_counts, dtype=s.dtype, device=s.device)
    )
    n = maximum(minimum(n, rows - 1.0), 1.0)
    met = row_sum(y / n)
    share = 1.0 / n / where(met > 0, met, 1.0)[:, None]
    rare = where((met > 0)[:, None], sigmoid(steepness * (share - threshold)), 1.0)
    z = s - log((rows - n) / n) * (bias / negative_scale)

    def fading(x: Array) -> Array:
        return focal_scale * sigmoid(x) ** gamma * softplus(x)

    cost = where(y == 1, fading(-z), fading(negative_scale * z) / negative_scale)
    return xp.mean((least + rare) * cost)


def _halved(gap: Array, power: float, least: float) -> Array:
    """t where the sum of [gap + 1 - t]+^power is 1, (n,), found by halving between 0 and 1 - least."""
    low, width = 0.0 * gap[:, 0], 1.0 - least
    for _ in range(HALVINGS):
        width = width / 2.0
        low = where(_excess(gap, low + width, power)[0] >= 0, low + width, low)
    return low


def _excess(gap: Array, t: Array, power: float) -> tuple[Array, Array]:
    """The sum of [gap + 1 - t]+^power less 1, (n,), without cancelling; and [gap + 1 - t]+, (n, C)."""
    u = relu((gap + 1.0) - t[:, None])
    place = counted_columns(gap) + 0.0 * gap
    is_first = place == -row_max(where(gap == 0, -place, -float("inf")))[:, None]
    return expm1(power * log1p(-t)) + row_sum(where(is_first, 0.0, u**power)), u
