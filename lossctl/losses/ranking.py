"""Learning to rank: scores of documents against their relevance, list by list. One value a list.

A loss here takes lists of one length, a list a row, (lists, length). Ragged lists are the engine's business.
A list has no pair to rank where all its documents are equally relevant (a single document, or none relevant).
"""

from collections.abc import Callable
from typing import Literal

from ..language.domains import Flag, NonNegative, Positive
from ..language.engines import LISTS
from ..language.entropy import NEVER, log_softmax, log_sum_exp, softmax_parts
from ..language.numerics import (
    Array,
    columns,
    exp,
    exp2m1,
    full_like,
    joined,
    log,
    log1p,
    log_sums_behind,
    maximum,
    minimum,
    ordered_by,
    ratio,
    relu,
    row_max,
    row_mean,
    row_sum,
    sigmoid,
    softplus,
    where,
)
from ..language.registry import Weighted, loss

PerDocument = Literal["document", "list", "list-sum"]
PerPair = Literal["list", "pair", "document"]
PerPairs = Literal["list", "pair", "document", "all-documents"]
PAIRS_AT_ONCE = 1 << 18


@loss(engine=LISTS)
def pointwise_mse(rank_score: Array, relevance: Array, *, per: PerDocument = "document") -> Array | Weighted:
    """The squared error of scores as predictions of relevance: order is not looked at.

    Formula: (s_i - y_i)^2
    Differs: a mean over documents weighs long lists more, a mean over lists weighs all lists alike
    per: the mean is over documents, or over lists of the mean (or the list-sum) of each list
    Use: when grades themselves should be met, not their order alone
    Misleads: a perfect order can cost a lot, and a small loss can hide a wrong first place
    Gradient: 2 (s_i - y_i) by each score, whatever the others
    Worked: pointwise_mse = ((2 - 1)^2 + (0 - 0)^2) / 2
    Example: score=[2,0] relevance=[1,0] -> 0.5
    """
    error = rank_score - relevance
    return _pointwise(error * error, per)


@loss(engine=LISTS)
def pointwise_bce(
    rank_score: Array,
    relevance: Array,
    *,
    per: PerDocument = "document",
    grades: Literal["binary", "raw", "clipped"] = "binary",
) -> Array | Weighted:
    """Binary cross-entropy of scores as logits of being relevant; a grade above 0 is relevant.

    Formula: log(1 + e^-s_i) if y_i > 0, else log(1 + e^s_i);  with raw grades log(1 + e^s_i) - y_i s_i
    Differs: rax takes grades for soft labels, those above 1 for 1; allRank adds up a list's documents and
        averages lists
    per: the mean is over documents, or over lists of the mean (or the list-sum) of each list
    grades: binary, relevant or not; raw, as soft labels, which may exceed 1; or clipped into [0, 1]
    Unit: nats
    Use: relevant or not, as in click prediction
    Misleads: order is not looked at; grades above 0 are all alike
    Gradient: sigmoid(s_i) - y_i by each score
    Worked: one = log(1 + exp(-0)); other = log(1 + exp(0)); pointwise_bce = (one + other) / 2
    Example: score=[0,0] relevance=[1,0] -> 0.6931471805599453
    """
    if grades != "binary":
        share = relevance if grades == "raw" else minimum(maximum(relevance, 0.0), full_like(relevance, 1.0))
        return _pointwise(softplus(rank_score) - share * rank_score, per)
    return _pointwise(softplus(where(relevance > 0, -rank_score, rank_score)), per)


def _pointwise(value: Array, per: str) -> Array | Weighted:
    if per != "document":
        return row_mean(value) if per == "list" else row_sum(value)
    return Weighted(row_sum(value), full_like(value[:, 0], float(columns(value))))


@loss(engine=LISTS)
def ranknet(rank_score: Array, relevance: Array, *, sigma: Positive = 1.0, per: PerPairs = "list") -> Weighted:
    """Logistic loss of every pair of documents where one is more relevant than the other.

    Formula: sum over pairs with y_i > y_j of log(1 + e^(-sigma (s_i - s_j)))
    Reading: a pair of equal relevance is no pair; a list without any pair is left out of the mean and counted
    Paper: Burges et al., Learning to Rank using Gradient Descent, 2005
    Differs: the sum of a list's pairs, averaged over lists (as here), or the mean over all pairs (--per pair);
        the Keras classes of TF-Ranking and keras-rs divide by the length of the list (--per all-documents)
    sigma: how steep
    per: the mean is over lists (of the sum of their pairs, or of that per document), or over pairs; all-documents
        is per document, and a list without a pair counts as 0
    Unit: nats
    Use: order by pairs
    Misleads: long lists have more pairs and weigh more; a swap at the bottom costs as much as one at the top
    Gradient: -sigma sigmoid(-sigma (s_i - s_j)) for the more relevant document of a pair, its opposite for the other
    Worked: lead = 1 - 0; ranknet = log(1 + exp(-lead))
    Example: score=[1,0] relevance=[1,0] -> 0.31326168751822286
    """
    return _pairwise(rank_score, relevance, lambda gap: softplus(-sigma * gap), per)


@loss(engine=LISTS)
def margin_ranking(
    rank_score: Array, relevance: Array, *, margin: NonNegative = 1.0, per: PerPairs = "list"
) -> Weighted:
    """Hinge loss of every pair of documents where one is more relevant than the other.

    Formula: sum over pairs with y_i > y_j of [margin - (s_i - s_j)]+
    Reading: a pair of equal relevance is no pair; a list without any pair is left out of the mean and counted
    Paper: Herbrich, Graepel, Obermayer, Large Margin Rank Boundaries for Ordinal Regression, 2000
    Differs: torch.nn.MarginRankingLoss has margin 0 by default and takes pairs; the Keras classes of TF-Ranking and
        keras-rs divide by the length of the list (--per all-documents)
    margin: by how much the more relevant document should lead
    per: the mean is over lists (of the sum of their pairs, or of that per document), or over pairs; all-documents
        is per document, and a list without a pair counts as 0
    Use: order by pairs, where a clear lead is enough
    Misleads: scores have no scale: the margin is in their units
    Gradient: -1 and 1 for the two documents of each pair within the margin, else 0
    Worked: lead = 1 - 0.5; margin_ranking = max(0, 1 - lead)
    Example: score=[1,0.5] relevance=[1,0] -> 0.5
    """
    return _pairwise(rank_score, relevance, lambda gap: relu(margin - gap), per)


def _pairwise(rank_score: Array, relevance: Array, term: Callable[[Array], Array], per: str) -> Weighted:
    """Over the pairs (i, j), y_i > y_j, of each list: some j at a time, so that memory stays linear in the length."""
    length = columns(rank_score)
    step = max(1, PAIRS_AT_ONCE // max(1, rank_score.shape[0] * length))
    total = full_like(rank_score[:, 0], 0.0)
    pairs = full_like(rank_score[:, 0], 0.0)
    for j in range(0, length, step):
        leads = relevance[:, :, None] > relevance[:, None, j : j + step]
        gap = rank_score[:, :, None] - rank_score[:, None, j : j + step]
        total = total + row_sum(row_sum(where(leads, term(gap), 0.0)))
        pairs = pairs + row_sum(row_sum(where(leads, full_like(gap, 1.0), 0.0)))
    if per in ("document", "all-documents"):
        total = total / length
    some = where(pairs > 0, full_like(pairs, 1.0), float(per == "all-documents"))
    return Weighted(total, pairs if per == "pair" else some)


@loss(engine=LISTS, aliases=("softmax-cross-entropy-ranking",))
def listnet(rank_score: Array, relevance: Array, *, eps: NonNegative = 0.0) -> Array:
    """Cross-entropy between the softmax of the relevances and the softmax of the scores.

    Formula: -sum_i softmax(y)_i log softmax(s)_i
    Reading: without a relevant document the target is uniform; a single document costs 0
    Paper: Cao, Qin, Liu, Tsai, Li, Learning to Rank: From Pairwise Approach to Listwise Approach, 2007 (top one)
    Differs: never 0 for two documents or more, for the entropy of softmax(y) stays; allRank has eps 1e-10
    eps: added to softmax(s) inside the logarithm
    Unit: nats
    Use: order by lists, with grades
    Misleads: its least value is the entropy of softmax(y), not 0; adding 1 to all grades changes nothing, doubling them
        does
    Gradient: softmax(s) - softmax(y) by the scores
    Worked: first = exp(1) / (exp(1) + exp(0)); listnet = first * log(2) + (1 - first) * log(2)
    Example: score=[0,0] relevance=[1,0] -> 0.6931471805599453
    """
    gap, share, rest = softmax_parts(rank_score)  # -log softmax(s) = gap + log1p(rest), without a sign to cancel
    if eps:
        return -row_sum(exp(log_softmax(relevance)) * log(share / (1.0 + rest)[:, None] + eps))
    return row_sum(exp(log_softmax(relevance)) * (gap + log1p(rest)[:, None]))


@loss(engine=LISTS, aliases=("softmax-ranking", "ranking-softmax-loss"))
def ranking_softmax(
    rank_score: Array, relevance: Array, *, normalized: Flag = False, epsilon: NonNegative = 0.0
) -> Array:
    """Cross-entropy of the softmax of the scores, each document counted by its relevance as it is.

    Formula: -sum_i y_i log softmax(s)_i, with --normalized divided by sum_i y_i;
        with --epsilon E (1 - sum_i softmax(s)_i y_i / sum y) more
    Paper: Bruch et al., An Analysis of the Softmax Cost Function for Learning to Rank, 2019; Leng, PolyLoss, 2022
    Reading: a list without a relevant document costs 0
    Differs: grades as they are in TF-Ranking, rax and optax; divided by their sum in allRank's binary listNet;
        softmaxed in listnet: three numbers; epsilon is 1 in the poly1 losses of rax and TF-Ranking, which
        multiplies that term by the sum of the grades as well
    normalized: divide by the sum of the grades, so that they are shares
    epsilon: E, as in poly1: how much more the first term counts
    Unit: nats
    Use: order by lists, most of all where few documents are relevant
    Misleads: lists with many relevant documents weigh more, unless normalized
    Gradient: by s_i softmax(s)_i sum_j y_j - y_i
    Worked: ranking_softmax = 2 * log(2) + 0 * log(2)
    Example: score=[0,0] relevance=[2,0] -> 1.3862943611198906
    """
    gap, share, rest = softmax_parts(rank_score)
    total = row_sum(relevance)
    value = row_sum(relevance * (gap + log1p(rest)[:, None]))
    value = ratio(value, total) if normalized else value
    if not epsilon:
        return value
    missed = row_sum(share * (total[:, None] - relevance)) / (1.0 + rest)
    return value + epsilon * ratio(missed, total)


@loss(engine=LISTS)
def unique_softmax(rank_score: Array, grade: Array) -> Array:
    """Each document against those of less relevance, as a softmax, counted by its gain.

    Formula: -sum_i (2^y_i - 1) log[e^s_i / (e^s_i + sum_{y_j < y_i} e^s_j)]
    Paper: Zhu, Klabjan, Listwise Learning to Rank by Exploring Unique Ratings, 2020
    Reading: documents of equal relevance do not compete; a list where all are alike costs 0
    Differs: gains of 2^y - 1 in TF-Ranking and rax, as here
    Unit: nats
    Use: order by lists, with grades of which many are equal
    Misleads: a list with high grades weighs exponentially more than others
    Gradient: for each document a softmax over itself and those below it, minus the truth, times its gain
    Worked: unique_softmax = (2^1 - 1) * log(1 + exp(0 - 1))
    Example: score=[1,0] relevance=[1,0] -> 0.31326168751822286
    """
    length = columns(rank_score)
    step = max(1, PAIRS_AT_ONCE // max(1, rank_score.shape[0] * length))
    total = full_like(rank_score[:, 0], 0.0)
    for i in range(0, length, step):
        mine = slice(i, i + step)
        below = grade[:, None, :] < grade[:, mine, None]
        gap = where(below, rank_score[:, None, :] - rank_score[:, mine, None], NEVER).reshape(-1, length)
        surprise = log_sum_exp(joined(0.0 * gap[:, :1], gap)).reshape(below.shape[:2])
        total = total + row_sum(exp2m1(grade[:, mine]) * surprise)
    return total


@loss(engine=LISTS)
def pairwise_mse(rank_score: Array, relevance: Array, *, per: PerPair = "list") -> Weighted:
    """The squared error of differences of scores as predictions of differences of relevance: a common offset is free.

    Formula: sum over all i != j of [(s_i - s_j) - (y_i - y_j)]^2, which is 2 n sum_i (e_i - mean e)^2;  e = s - y
    Reading: both orders of a pair count; a single document costs 0
    Differs: rax has the mean over all n^2 pairs of the lists (--per pair), those of a document with itself among them;
        TF-Ranking leaves those out, and its Keras class and that of keras-rs divide the sum by the documents of all
        lists
    per: the mean is over lists (of the sum of their pairs), or over pairs, those with itself among them
    Use: as pointwise-mse, where scores have no zero
    Misleads: long lists have more pairs and weigh more; a perfect order can cost a lot
    Gradient: 4 n (e_i - mean e) by each score
    Worked: gap = (2 - 0) - (1 - 0); pairwise_mse = 2 * gap^2
    Example: score=[2,0] relevance=[1,0] -> 2
    """
    count = float(columns(rank_score))
    error = rank_score - relevance
    error = error - row_mean(error)[:, None]
    left = row_sum(error)  # what rounding left of the mean
    total = 2.0 * (count * row_sum(error * error) - left * left)
    return Weighted(total, full_like(total, count * count if per == "pair" else 1.0))


@loss(engine=LISTS)
def pairwise_soft_zero_one(rank_score: Array, relevance: Array, *, per: PerPairs = "list") -> Weighted:
    """The share of pairs in the wrong order, made smooth: each counts by the sigmoid of how wrong it is.

    Formula: sum over pairs with y_i > y_j of sigmoid(s_j - s_i)
    Reading: a pair of equal relevance is no pair; a list without any pair is left out of the mean and counted
    Differs: rax has the mean over all pairs (--per pair); the Keras classes of TF-Ranking and keras-rs divide by the
        length of the list (--per all-documents)
    per: the mean is over lists (of the sum of their pairs, or of that per document), or over pairs; all-documents
        is per document, and a list without a pair counts as 0
    Use: order by pairs, where pairs far in the wrong order should not dominate
    Misleads: pairs far in the wrong order have next to no gradient, so nothing brings them back
    Gradient: -p (1 - p) for the more relevant document of a pair with p the sigmoid, its opposite for the other
    Worked: pairwise_soft_zero_one = 1 / (1 + exp(1))
    Example: score=[1,0] relevance=[1,0] -> 0.2689414213699951
    """
    return _pairwise(rank_score, relevance, lambda gap: sigmoid(-gap), per)


@loss(engine=LISTS)
def list_mle(rank_score: Array, relevance: Array) -> Array:
    """How unlikely the true order is when documents are drawn by their scores (Plackett-Luce).

    Formula: sum_i [log sum_{k >= i} e^s_k - s_i], i in the order of falling relevance
    Reading: documents of equal relevance keep their order in the file, so shuffling ties changes the number;
        a single document costs 0
    Paper: Xia, Liu, Wang, Zhang, Li, Listwise Approach to Learning to Rank, 2008
    Unit: nats
    Use: order by lists, as a likelihood
    Misleads: the end of a long list weighs as much as its head; ties follow the order of the file
    Gradient: by s_i: the chances of being drawn in the rounds up to its own, minus 1
    Worked: list_mle = log(exp(1) + exp(0)) - 1
    Example: score=[1,0] relevance=[1,0] -> 0.31326168751822286
    """
    ranked = ordered_by(rank_score - row_max(rank_score)[:, None], -relevance)  # a common offset would cost digits
    return row_sum(softplus(log_sums_behind(ranked) - ranked[:, :-1]))  # log(1 + sum_{k > i} e^(s_k - s_i))
