"""Gains of a ranking, discounted by place, and losses that go by them. One value a list; see `ranking`.

The gain of a document comes from its relevance, the discount of a place k, from 1, is 1 / log2(1 + k).
A list without a relevant document has no ideal gain to be divided by.
"""

import math
from typing import Annotated, Literal

from ..language.domains import Domain, NonNegative, Positive
from ..language.engines import LISTS
from ..language.entropy import log_sum_exp
from ..language.numerics import (
    Array,
    columns,
    counted_columns,
    exp,
    exp2m1,
    full_like,
    joined,
    log1p,
    minimum,
    namespace,
    ordered_by,
    picked_from,
    relu,
    row_max,
    row_sum,
    sigmoid,
    softplus,
    where,
)
from ..language.orders import places, running_sum, tie_ends, tie_means
from ..language.registry import Weighted, loss
from .ranking import PAIRS_AT_ONCE, PerPair

Gain = Literal["linear", "exponential"]
Ties = Literal["average", "order"]
Empty = Literal["skip", "zero", "one"]
Cutoff = Annotated[int | None, Domain(int, low=1, optional=True)]
Iterations = Annotated[int, Domain(int, low=0)]
LOG_2 = math.log(2)


@loss(engine=LISTS, is_gain=True)
def dcg(
    rank_score: Array, grade: Array, *, gain: Gain = "linear", cutoff: Cutoff = None, ties: Ties = "average"
) -> Array:
    """What a ranking brings: the gains of its documents, those further down counted less.

    Formula: sum_k gain(y_k) / log2(1 + k), y_k the relevance at place k in the order of falling scores
    Paper: Jarvelin, Kekalainen, Cumulated Gain-Based Evaluation of IR Techniques, 2002; Burges et al., 2005 (2^y - 1)
    Reading: larger is better; with ties averaged, documents of one score share the gains of their places alike
    Differs: scikit-learn has linear gains and averages ties; xgboost, lightgbm and rax have 2^y - 1 and break ties by
        some order
    gain: of a relevance: y itself, or 2^y - 1
    cutoff: how many places count; none for all
    ties: the mean over all orders of documents of one score, or the order of the file
    Use: search results, where the first places matter most
    Misleads: grows with the length of the list and the number of relevant documents: lists cannot be compared
    Gradient: 0 almost everywhere, as order alone counts: train on approx-ndcg or lambda-loss
    Worked: first = 2 / log2(2); second = 3 / log2(3); dcg = first + second
    Example: score=[2,1] relevance=[2,3] -> 3.8927892607143724
    """
    return _cumulated(rank_score, _gains(grade, gain), cutoff, ties)


@loss(engine=LISTS, is_gain=True, aliases=("normalized-dcg",))
def ndcg(
    rank_score: Array,
    grade: Array,
    *,
    gain: Gain = "linear",
    cutoff: Cutoff = None,
    ties: Ties = "average",
    empty: Empty = "skip",
) -> Weighted:
    """What a ranking brings as a share of what the best order would: 1 is perfect.

    Formula: dcg / dcg of the order of falling relevance
    Paper: Jarvelin, Kekalainen, Cumulated Gain-Based Evaluation of IR Techniques, 2002; Burges et al., 2005 (2^y - 1)
    Reading: larger is better; a list without a relevant document is left out of the mean and counted
    Differs: scikit-learn has linear gains, averages ties and gives an empty list 0; rax, xgboost and lightgbm have
        2^y - 1; xgboost and lightgbm give an empty list 1 and take equal scores in the order of the file, which
        moves the number by chance
    gain: of a relevance: y itself, or 2^y - 1
    cutoff: how many places count; none for all
    ties: the mean over all orders of documents of one score, or the order of the file
    empty: what a list without a relevant document is: left out, 0 or 1
    Use: search results with graded relevance, compared over lists of any length
    Misleads: scores near 1 are common for short lists; constant scores are well above 0
    Gradient: 0 almost everywhere, as order alone counts: train on approx-ndcg or lambda-loss
    Worked: dcg = 0 / log2(2) + 1 / log2(3); best = 1 / log2(2) + 0 / log2(3); ndcg = dcg / best
    Example: score=[2,1] relevance=[0,1] -> 0.6309297535714575
    """
    gains = _gains(grade, gain)
    best = _ideal(gains, cutoff)
    return _share_of_best(_cumulated(rank_score, gains, cutoff, ties), best, empty)


@loss(engine=LISTS, is_gain=True, aliases=("map", "map@k", "map@n", "retrieval-map"))
def mean_average_precision(
    rank_score: Array, grade: Array, *, cutoff: Cutoff = None, ties: Ties = "average", empty: Empty = "skip"
) -> Weighted:
    """The mean share of relevant documents down to each relevant one: 1 where all of them come first.

    Formula: sum_{k <= n, y_k > 0} (relevant among the first k) / k / min(n, relevant ones), n the cutoff or the length
    Paper: Buckley, Voorhees, Evaluating Evaluation Measure Stability, 2000; ties as McSherry, Najork, 2008
    Reading: larger is better; a grade above 0 is relevant; with ties averaged, over all orders of equal scores
    Differs: xgboost gives a list without a relevant document 1, and 0 with a minus behind (map@3-); TREC divides by
        all relevant documents, whatever the cutoff
    cutoff: how many places count; none for all
    ties: the mean over all orders of documents of one score, or the order of the file
    empty: what a list without a relevant document is: left out, 0 or 1
    Use: search results that are relevant or not, of which there are several a list
    Misleads: grades above 0 are all alike: ndcg tells them apart
    Gradient: 0 almost everywhere, as order alone counts: train on lambda-loss or neural-ndcg
    Worked: mean_average_precision = (1 / 1 + 2 / 3) / 2
    Example: score=[3,2,1] relevance=[1,0,1] -> 0.8333333333333333
    """
    ones = full_like(rank_score, 1.0)
    hits = ordered_by(where(grade > 0, ones, 0.0), -rank_score)
    place = counted_columns(hits)
    relevant = row_sum(hits)
    if ties == "average":
        key, cumulated = ordered_by(rank_score, -rank_score), running_sum(hits)
        first, last = tie_ends(key)
        share = tie_means(key, hits)  # of the documents of one score that are relevant
        size, before = last - first + 1.0, place - 1.0 - first
        above = picked_from(joined(0.0 * ones[:, :1], cumulated), first)
        others = (share * size - 1.0) / where(size > 1.0, size - 1.0, 1.0)
        precision = share * (above + 1.0 + before * others) / place
    else:
        precision = hits * running_sum(hits) / place
    counted = precision[:, :cutoff]
    best = relevant if cutoff is None else minimum(relevant, full_like(relevant, float(cutoff)))
    return _share_of_best(row_sum(counted), best, empty)


@loss(engine=LISTS)
def neural_ndcg(
    rank_score: Array,
    grade: Array,
    *,
    temperature: Positive = 1.0,
    gain: Gain = "exponential",
    cutoff: Cutoff = None,
    iterations: Iterations = 50,
) -> Weighted:
    """Minus ndcg with the order made smooth: each place holds a mixture of documents, by NeuralSort.

    Formula: -sum_{k <= n} (P g)_k / log2(1 + k) / best dcg, g = gain(y);  P = softmax over j of ((L + 1 - 2 k) s_j -
        sum_i |s_j - s_i|) / T at place k of L, made doubly stochastic by so many rounds of Sinkhorn and Knopp
    Paper: Pobrotyn, Bialobrzeski, NeuralNDCG, 2021; Grover, Wang, Zweig, Ermon, Stochastic Optimization of Sorting
        Networks via Continuous Relaxations, 2019
    Reading: -1 is the least; a list without a relevant document is left out of the mean and counted
    Differs: allRank stops balancing once the whole batch is within 1e-6, in float32; its transposed form is the same
        sum in another order; the stochastic one draws at random
    temperature: T; near 0 it is minus ndcg
    gain: of a relevance: y itself, or 2^y - 1
    cutoff: how many places count; none for all
    iterations: how many rounds of balancing
    Use: to train for ndcg itself, as approx-ndcg; ties share their places
    Misleads: scores have no scale: T is in their units, and a small one has no gradient
    Gradient: through the mixtures: documents that may change places pull
    Worked: p = exp(1) / (1 + exp(1)); neural_ndcg = -(p + (1 - p) / log2(3))
    Example: score=[1,0] relevance=[1,0] -> -0.9007417233401334
    """
    gains = _gains(grade, gain)
    best, length = _ideal(gains, cutoff), columns(rank_score)
    discounts = _discount(counted_columns(rank_score[:1]))
    if cutoff is not None:
        discounts = where(counted_columns(discounts) <= float(cutoff), discounts, 0.0)
    step = max(1, PAIRS_AT_ONCE // (length * length))
    totals = [
        _expected_gain(rank_score[at : at + step], gains[at : at + step], discounts, temperature, iterations)
        for at in range(0, len(rank_score), step)
    ]
    return _share_of_best(-namespace(gains).concat(totals), best, "skip")


@loss(engine=LISTS)
def approx_ndcg(
    rank_score: Array, grade: Array, *, temperature: Positive = 0.1, gain: Gain = "exponential"
) -> Weighted:
    """Minus ndcg with places made smooth: a document stands behind another by the sigmoid of how far it is behind.

    Formula: -sum_i gain(y_i) / log2(1 + r_i) / best dcg;  r_i = 1 + sum_{j != i} sigmoid((s_j - s_i) / T)
    Paper: Qin, Liu, Li, A General Approximation Framework for Direct Optimization of IR Measures, 2010
    Reading: -1 is the least; a list without a relevant document is left out of the mean and counted
    Differs: rax has T 1 and allRank alpha = 1 / T = 1 unless told, TF-Ranking T 0.1; rax and the Keras
        class of TF-Ranking give an empty list 0
    temperature: T; near 0 it is minus ndcg
    gain: of a relevance: y itself, or 2^y - 1
    Use: to train for ndcg itself
    Misleads: scores have no scale: T is in their units, and a small one has no gradient
    Gradient: through the soft places: only documents near each other in score pull
    Worked: place = 1 + 1 / (1 + exp((1 - 0) / 1)); approx_ndcg = -1 / log2(1 + place)
    Example: score=[1,0] relevance=[1,0] temperature=1 -> -0.8460098300184329
    """
    gains = _gains(grade, gain)
    best = _ideal(gains, None)
    total = row_sum(gains * (LOG_2 / log1p(0.5 + _soft_places(rank_score, temperature))))
    return _share_of_best(-total, best, "skip")


@loss(engine=LISTS)
def approx_mrr(rank_score: Array, grade: Array, *, temperature: Positive = 0.1) -> Weighted:
    """Minus the reciprocal rank with places made smooth: a document stands behind another by a sigmoid.

    Formula: -sum_i y_i / r_i / sum_i y_i;  r_i = 1 + sum_{j != i} sigmoid((s_j - s_i) / T)
    Paper: Qin, Liu, Li, A General Approximation Framework for Direct Optimization of IR Measures, 2010
    Reading: -1 is the least; a list without a relevant document is left out of the mean and counted
    Differs: of several relevant documents the mean counts, as in TF-Ranking, not the first as in the reciprocal rank;
        rax and the Keras class of TF-Ranking give an empty list 0
    temperature: T; near 0 places are those of the ranking
    Use: one right answer a list, which should come first
    Misleads: scores have no scale: T is in their units, and a small one has no gradient
    Gradient: through the soft places: only documents near each other in score pull
    Worked: place = 1 + 1 / (1 + exp((1 - 0) / 1)); approx_mrr = -1 / place
    Example: score=[1,0] relevance=[1,0] temperature=1 -> -0.7880584423829144
    """
    return _share_of_best(-row_sum(grade / (0.5 + _soft_places(rank_score, temperature))), row_sum(grade), "skip")


@loss(engine=LISTS, aliases=("lambdaloss",))
def lambda_loss(
    rank_score: Array,
    grade: Array,
    *,
    scheme: Literal["ndcg-loss2", "ndcg-loss2++", "lambdarank"] = "ndcg-loss2",
    sigma: Positive = 1.0,
    mu: NonNegative = 10.0,
    cutoff: Cutoff = None,
    per: PerPair = "list",
) -> Weighted:
    """ranknet in bits with each pair weighed by what swapping its two documents would change in ndcg.

    Formula: sum over pairs with y_i > y_j of w_ij log2(1 + e^(-sigma (s_i - s_j)));  w_ij = |g_i - g_j| times
        |1/D(d) - 1/D(d + 1)| (ndcg-loss2), |1/D(r_i) - 1/D(r_j)| (lambdarank), or mu times the first plus the second
        (ndcg-loss2++);  g = (2^y - 1) / best dcg, D(k) = log2(1 + k), r the place, d = |r_i - r_j|
    Paper: Wang, Li, Golbandi, Bendersky, Najork, The LambdaLoss Framework for Ranking Metric Optimization, 2018
    Reading: a list without any pair is left out of the mean and counted
    Differs: in log2 here and in allRank, in ln in lightgbm, xgboost and TF-Ranking; allRank adds up the pairs of all
        lists
    scheme: which weights
    sigma: how steep
    mu: the part of ndcg-loss2 in ndcg-loss2++; not used by the others
    cutoff: how many places count: both documents of a pair must stand among them; none for all
    per: the mean is over lists (of the sum of their pairs), or over pairs
    Unit: bits
    Use: to train for ndcg: pairs count by what they cost there
    Misleads: the weights depend on the order at hand, so the loss jumps where two documents change places
    Gradient: that of ranknet times the weight, which is taken as a constant
    Worked: weight = (1 / log2(2) - 1 / log2(3)) * 1; lambda_loss = weight * log2(1 + exp(-1))
    Example: score=[1,0] relevance=[1,0] -> 0.16679800690464305
    """
    best = _ideal(exp2m1(grade), cutoff)
    place = places(-rank_score)
    limit = float(columns(rank_score) if cutoff is None else cutoff)
    step = _step(rank_score)
    total, pairs = full_like(best, 0.0), full_like(best, 0.0)
    for j in range(0, columns(rank_score), step):
        other = slice(j, j + step)
        leads = (grade[:, :, None] > grade[:, None, other]) & (place[:, :, None] <= limit)
        leads = leads & (place[:, None, other] <= limit)
        gap = rank_score[:, :, None] - rank_score[:, None, other]
        before, behind = place[:, :, None], place[:, None, other]
        by_distance = _discount_lost(1.0 + relu(abs(before - behind) - 1.0), 1.0)
        by_place = _discount_lost(minimum(before, behind), abs(before - behind))
        weight = {"ndcg-loss2": by_distance, "lambdarank": by_place}.get(scheme, mu * by_distance + by_place)
        weight = weight * 2.0 ** grade[:, None, other] * exp2m1(relu(grade[:, :, None] - grade[:, None, other]))
        terms = weight * (softplus(-sigma * gap) / LOG_2)
        total = total + row_sum(row_sum(where(leads, terms, 0.0)))
        pairs = pairs + row_sum(row_sum(where(leads, full_like(gap, 1.0), 0.0)))
    total = total / where(best > 0, best, 1.0)
    return Weighted(total, pairs if per == "pair" else where(pairs > 0, full_like(pairs, 1.0), 0.0))


# --- words


def _expected_gain(score: Array, gains: Array, discounts: Array, temperature: float, iterations: int) -> Array:
    """The discounted gains of each list, where each place holds a mixture of documents."""
    xp, (lists, length) = namespace(score), score.shape

    def distributions(x: Array) -> Array:
        """The log of the softmax of each row."""
        flat = xp.reshape(x, (-1, length))
        return xp.reshape(flat - log_sum_exp(flat)[:, None], x.shape)

    place = counted_columns(score[:1])[0, ...]
    lead = (length + 1.0 - 2.0 * place)[None, :, None] * (score - row_max(score)[:, None])[:, None, :]
    spread = row_sum(xp.reshape(abs(score[:, :, None] - score[:, None, :]), (-1, length)))
    x = distributions((lead - xp.reshape(spread, (lists, 1, length))) / temperature)
    for _ in range(iterations):
        by_document = distributions(xp.permute_dims(x, (0, 2, 1)))
        x = distributions(xp.permute_dims(by_document, (0, 2, 1)))
    mixed = row_sum(xp.reshape(exp(x) * gains[:, None, :], (-1, length)))
    return row_sum(xp.reshape(mixed, (lists, length)) * discounts)


def _soft_places(score: Array, temperature: float) -> Array:
    """(lists, length) how many documents stand before each and, by one half, on it: itself."""
    before = full_like(score, 0.0)
    step = _step(score)
    for j in range(0, columns(score), step):
        before = before + row_sum(sigmoid((score[:, None, j : j + step] - score[:, :, None]) / temperature))
    return before


def _step(x: Array) -> int:
    """How many columns are compared with all at once."""
    return max(1, PAIRS_AT_ONCE // max(1, len(x) * columns(x)))


def _gains(grade: Array, gain: str) -> Array:
    return grade if gain == "linear" else exp2m1(grade)


def _discount(place: Array) -> Array:
    return LOG_2 / log1p(place)


def _discount_lost(place: Array, steps: Array | float) -> Array:
    """The discount of a place less that of the place some steps behind it."""
    gap = log1p(steps / (1.0 + place))
    return LOG_2 * gap / (log1p(place) * log1p(place + steps))


def _cumulated(key: Array, gains: Array, cutoff: int | None, ties: str) -> Array:
    """The discounted sum of (lists, length) gains in the order of falling key, (lists,)."""
    ranked = ordered_by(gains, -key)
    if ties == "average":
        ranked = tie_means(ordered_by(key, -key), ranked)
    counted = ranked[:, :cutoff]
    return row_sum(counted * _discount(counted_columns(counted)))


def _ideal(gains: Array, cutoff: int | None) -> Array:
    return _cumulated(gains, gains, cutoff, "order")


def _share_of_best(total: Array, best: Array, empty: str) -> Weighted:
    held = best > 0
    share = where(held, total / where(held, best, 1.0), 1.0 if empty == "one" else 0.0)
    ones = full_like(best, 1.0)
    return Weighted(share, where(held, ones, 0.0) if empty == "skip" else ones)
