"""Margins: decision values of labels and classes, beside hinge and its kin."""

from ..language.domains import Flag, Positive
from ..language.entropy import NEVER, log_sum_exp
from ..language.numerics import (
    Array,
    column_list,
    joined,
    maximum,
    one_hot,
    pick,
    relu,
    row_max,
    row_sum,
    softplus,
    where,
)
from ..language.registry import loss
from ..language.rounding import sum_of_three


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


@loss(aliases=("perceptron-loss",))
def perceptron(score: Array, label: Array) -> Array:
    """Hinge without a margin: what a wrong decision is off by.

    Formula: [-(2y - 1) s]+
    Paper: Rosenblatt, The Perceptron, 1958
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
    Use: to count wrong decisions by how far they are off
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
    Differs: it is multiclass-hinge --kind weston-watkins divided by C, as in torch
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
