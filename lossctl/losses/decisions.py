"""Decisions: what is counted once probabilities and scores are read as yes or no, as a class, or as an order."""

import math

from ..language.domains import Fraction
from ..language.numerics import Array, column_list, columns, pick, row_mean, row_sum, where
from ..language.predictions import Binary, Categorical
from ..language.registry import loss

INFINITY = float("inf")


@loss(aliases=("zero-one-loss", "error-rate", "misclassification", "hamming", "hamming-loss"))
def zero_one(chance: Binary | Categorical, label: Array, *, threshold: Fraction = 0.5) -> Array:
    """The share of wrong decisions: wrong labels, or wrong classes.

    Formula: [y != [p > threshold]] for labels 0 and 1, averaged over the labels of a row; or [y != argmax_j p_j]
    Reading: 1 - accuracy; for several labels a row the hamming loss; of classes that tie the first is decided for
    Differs: p > threshold is label 1 in xgboost, as here, p >= 0.5 in some code; for several labels a row
        scikit-learn's zero_one_loss counts the rows with any wrong label, its hamming_loss the labels, as here
    threshold: of a probability; not used for classes
    Use: to report what surrogates stand for
    Misleads: rare classes: always deciding for the common one scores well; nearly right and far off are alike
    Gradient: 0 wherever it has one: train on log-loss or hinge
    Worked: zero_one = 1 - 0
    Example: chance=0.4 label=1 -> 1
    """
    values = chance.values
    if isinstance(chance, Categorical):
        own = pick(values, label)[:, None]
        beaten = own * 0.0
        for at, rival in enumerate(column_list(values)):
            rival = rival[:, None]
            wins = (rival > own) | ((rival == own) & (label[:, None] > at))
            beaten = where(wins, beaten * 0.0 + 1.0, beaten)
        return beaten[:, 0]
    cut = _logit(threshold) if chance.logits else threshold
    decided = where(values > cut, values * 0.0 + 1.0, values * 0.0)
    return row_mean(abs(decided - label))


def _logit(p: float) -> float:
    if p in (0.0, 1.0):
        return INFINITY if p else -INFINITY
    return math.log(p) - math.log1p(-p)


@loss(aliases=("multilabel-coverage-error",))
def coverage_error(label_scores: Array, label: Array) -> Array:
    """How far down the labels, in the order of their scores, one has to go to meet all that hold.

    Formula: max over the labels that hold of #{j: s_j >= s_i}; 0 where none holds
    Paper: Tsoumakas, Katakis, Vlahavas, Mining Multi-label Data, 2010
    Reading: the least value is the mean number of labels that hold, not 0
    Differs: the paper counts from 0, scikit-learn and torchmetrics from 1, as here
    Use: labels that are shown as a list and read down to the last one that holds
    Misleads: one label that holds far down makes the row
    Gradient: 0 almost everywhere, as order alone counts: train on zlpr
    Worked: coverage_error = 1 + 1
    Example: label_scores=[0.5,0.2,-1] label=[0,1,0] -> 2
    """
    scores, labels = column_list(label_scores), column_list(label)
    least = scores[0] * 0.0 + INFINITY
    for score, holds in zip(scores, labels, strict=True):
        least = where((holds == 1) & (score < least), score, least)
    count = scores[0] * 0.0
    for score in scores:
        count = count + where(score >= least, score * 0.0 + 1.0, 0.0)
    return count


@loss(aliases=("label-ranking-loss", "multilabel-ranking-loss"))
def label_ranking(label_scores: Array, label: Array) -> Array:
    """The share of pairs of labels, one that holds and one that does not, that are in the wrong order.

    Formula: #{(i, j): y_i = 1, y_j = 0, s_i <= s_j} / (#{y = 1} #{y = 0}); 0 where all hold, or none
    Paper: Tsoumakas, Katakis, Vlahavas, Mining Multi-label Data, 2010
    Reading: 0 is perfect, 1 all wrong; a tie counts as wrong
    Differs: the area under the ROC curve of a row is 1 less it where nothing ties; there a tie counts one half
    Use: labels that are shown as a list, where every one that holds should come first
    Misleads: rows where all labels hold, or none, count as perfect
    Gradient: 0 almost everywhere, as order alone counts: train on zlpr
    Worked: label_ranking = 1 / (1 * 2)
    Example: label_scores=[0.5,0.2,-1] label=[0,1,0] -> 0.5
    """
    scores, labels = column_list(label_scores), column_list(label)
    wrong = scores[0] * 0.0
    for score, holds in zip(scores, labels, strict=True):
        for rival, rival_holds in zip(scores, labels, strict=True):
            pair = (holds == 1) & (rival_holds == 0) & (score <= rival)
            wrong = where(pair, wrong + 1.0, wrong)
    held = row_sum(label)
    pairs = held * (float(columns(label)) - held)
    return wrong / where(pairs > 0, pairs, 1.0)
