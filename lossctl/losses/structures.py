"""More losses of a labelled set of embeddings: by all positives and negatives of an anchor at once, and by their ranks.

A panel is a block of B anchors against N points, as in `embedding`. Those by ranks go over the positives one by one, so
that they hold B x N numbers too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, Literal

from ..language.domains import Bins, Flag, Fraction, NonNegative, Positive, Real
from ..language.engines import SETS
from ..language.numerics import (
    Array,
    class_sum,
    exp,
    expm1,
    log1p,
    log_add,
    namespace,
    relu,
    row_max,
    row_sum,
    sigmoid,
    sqrt,
    where,
)
from ..language.registry import Weighted, loss
from ..language.twofold import Twofold
from .triplet_terms import TripletLosses

Panel = Any  # sets.panels.Panel, which losses do not know


# ---------------------------------------------------------------------------------------------------- all pairs at once


@loss(engine=SETS, aliases=("lifted", "generalized-lifted-structure"))
def generalized_lifted(panel: Panel, *, margin: Real = 1.0) -> Array:
    """Soft maxima of how far the positives and how near the negatives are.

    Formula: [log sum_p e^(d_ap) + log sum_n e^(margin - d_an)]+
    Paper: Hermans, Beyer, Leibe, In Defense of the Triplet Loss for Person Re-Identification, 2017 (its equation 9)
    Differs: Song et al.'s lifted structure takes the negatives of both ends of a positive pair, and half
        of a square
    margin: the distance beyond which a negative counts little
    Unit: that of distances
    Use: as batch-hard, but all points of the set pull and push
    Misleads: more negatives, larger value: log N of them stand in it; compare equal sets only
    Gradient: a softmax over the positives, which pulls, and one over the negatives, which pushes
    Worked: pull = log(exp(6)); push = log(exp(1 - 5)); generalized_lifted = max(0, pull + push)
    Example: emb=0/0,6/0,3/4 label=0,0,1 -> 2
    """
    index, is_positive = panel.own
    d = _exact(panel.distance)
    pull, push = d.columns(index).log_sum_exp(is_positive), (margin - d).log_sum_exp(panel.is_negative)
    return (pull + push).positive_part().high


@loss(engine=SETS, aliases=("lifted-structured",))
def lifted_structure(panel: Panel, *, margin: Real = 1.0, positive_margin: Real = 0.0) -> Weighted:
    """Each positive pair against the negatives of both its ends, nearest first.

    Formula: [log(sum_n e^(margin - d_an) + sum_n e^(margin - d_pn)) + d_ap - m_p]+^2 / 2; mean over the pairs a, p
    Paper: Song, Xiang, Jegelka, Savarese, Deep Metric Learning via Lifted Structured Feature Embedding, 2016
    Differs: pytorch-metric-learning compares unit vectors: --normalize; generalized-lifted is another loss, of anchors
    margin: the distance beyond which a negative counts little
    positive_margin: m_p, the distance within which a positive pair counts little
    Unit: that of squared distances
    Use: all pairs of a batch at once
    Misleads: more negatives, larger value: log N of them stand in it; compare equal sets only
    Gradient: the bracket by d_ap, and minus it by a softmax over the negatives of both ends
    Worked: push = log(2 * exp(1 - 5)); lifted_structure = (push + 6)^2 / 2
    Example: emb=0/0,6/0,3/4 label=0,0,1 -> 3.6265208680789915
    """
    index, is_positive = panel.own

    def push(panel: Panel) -> Array:
        return (margin - _exact(panel.distance)).log_sum_exp(panel.is_negative).high

    other = panel.of_class(push)
    both = log_add(push(panel)[:, None] + 0.0 * other, other)
    gap = relu(both + (_picked(panel.distance, index) - positive_margin))
    return _mean_of(gap * gap / 2.0, is_positive)


@loss(engine=SETS, aliases=("nca-loss",))
def nca(panel: Panel, *, s: Positive = 1.0) -> Array:
    """How unlikely an anchor is to choose a neighbour of its own class, where near ones are likely.

    Formula: -log [sum_p e^(-s d_ap^2) / sum_{j != a} e^(-s d_aj^2)]
    Paper: Goldberger, Roweis, Hinton, Salakhutdinov, Neighbourhood Components Analysis, 2004
    Differs: pytorch-metric-learning compares unit vectors: --normalize; sentence embeddings often take cosines over a
        temperature instead
    s: how far squared distances count
    Unit: nats
    Use: embeddings for a nearest-neighbour classifier
    Misleads: one near positive is enough: others may stay far
    Gradient: -s d^2 of each neighbour pulls by its share among the positives less its share among all
    Worked: own = exp(-4); other = exp(-5); nca = log(1 + other / own)
    Example: emb=0/0,2/0,1/2 label=0,0,1 -> 0.31326168751822286
    """
    index, is_positive = panel.own
    d = panel.distance
    logits = _exact(-s * (d * d))
    return (logits.log_sum_exp(panel.is_negative) - logits.columns(index).log_sum_exp(is_positive)).log_one_plus_exp()


@loss(engine=SETS, reductions=("mean-active", "mean", "sum", "none"), aliases=("margin-loss", "margin-based"))
def margin_wu(panel: Panel, *, margin: NonNegative = 0.2, beta: Real = 1.2) -> TripletLosses:
    """Every positive within beta less the margin, every negative beyond beta and the margin.

    Formula: [d_ap - beta + m]+ + [beta - d_an + m]+ over all a, p, n; divided by how many of the terms are above 0
    Paper: Wu, Manmatha, Smola, Kraehenbuehl, Sampling Matters in Deep Embedding Learning, 2017
    Differs: pytorch-metric-learning compares unit vectors: --normalize; the paper draws the negatives and learns beta
    margin: m
    beta: the distance that parts positives from negatives
    Use: one threshold for a pair to be a match
    Misleads: beta is of the scale of the distances: 1.2 is for unit vectors
    Gradient: 1 by each d_ap and -1 by each d_an beyond their bounds, divided by their number
    Worked: pull = max(0, 1.5 - 1.2 + 0.2); push = max(0, 1.2 - 1 + 0.2); margin_wu = (pull + push + pull) / 3
    Example: emb=0,1.5,-1 label=0,0,1 -> 0.4666666666666666
    """
    index, is_positive = panel.own
    d = panel.distance
    pull = where(is_positive, relu(_picked(d, index) - beta + margin), 0.0)
    push = where(panel.is_negative, relu(beta - d + margin), 0.0)
    negatives, positives = panel.negatives, panel.positives
    total = negatives * class_sum(pull) + positives * row_sum(push)
    active = negatives * _count(pull > 0, d) + positives * _count(push > 0, d)
    return TripletLosses(total, active, positives * negatives)


@loss(engine=SETS, cosine=True)
def tuplet_margin(panel: Panel, *, margin: NonNegative = 0.1, s: Positive = 64.0) -> Weighted:
    """Each positive, its angle made smaller by a margin, against all negatives, as a softmax.

    Formula: log(1 + sum_n e^(s (cos t_an - cos(t_ap - m)))), t the angle between two points; mean over the pairs a, p
    Paper: Yu, Tao, Deep Metric Learning with Tuplet Margin Loss, 2019
    Differs: the margin is in degrees in pytorch-metric-learning (5.73, nearly 0.1 radians)
    margin: m, in radians; it makes the angle to the positive smaller, so that hard positives pull less
    s: how far cosines count
    Unit: nats
    Use: retrieval, many classes
    Misleads: values for different s cannot be compared
    Gradient: s times the softmax over the negatives, by their cosines; pulls by sin(t_ap - m) / sin t_ap
    Worked: own = 0.9950041652780258; tuplet_margin = log(1 + exp(1 * (0 - own)))
    Example: emb=1/0,1/0,0/1 label=0,0,1 s=1 -> 0.3146077298526574
    """
    index, is_positive = panel.own
    s_all, d = panel.exact_similarity, panel.distance_to(index)  # 1 - cos, from differences: digits for small angles
    own, sine = s_all.columns(index), sqrt(relu(d * (2.0 - d)))
    eased = own * math.cos(margin) + Twofold(sine, 0.0 * sine) * math.sin(margin)
    push = (s_all * s).log_sum_exp(panel.is_negative)
    terms = push.less(eased * s).log_one_plus_exp()
    return _mean_of(terms, is_positive)


@loss(engine=SETS, aliases=("rll",))
def ranked_list(
    panel: Panel,
    *,
    margin: NonNegative = 0.4,
    alpha: Positive = 1.2,
    balance: Fraction = 0.5,
    negative_sharpness: NonNegative = 10.0,
    positive_sharpness: NonNegative = 0.0,
) -> Array:
    """Positives pulled within a ball, negatives pushed out of a larger one, those far over the line by more.

    Formula: (1 - b) sum_p w_p [d_ap - (alpha - m)]+ / sum w_p + b sum_n w_n [alpha - d_an]+ / sum w_n, over those over
        their line; w_p = e^(T_p (d_ap - (alpha - m))), w_n = e^(T_n (alpha - d_an)), b = balance
    Paper: Wang, Hua, Kodirov, Hu, Garnier, Robertson, Ranked List Loss for Deep Metric Learning, 2019
    Differs: pytorch-metric-learning compares unit vectors (--normalize), and adds 1e-5 N to the sums of weights
    margin: m, between the balls
    alpha: the distance that negatives should keep
    balance: b, the share of the negatives
    negative_sharpness: T_n
    positive_sharpness: T_p
    Use: retrieval, where the inner spread of a class should stay
    Misleads: alpha is of the scale of the distances: 1.2 is for unit vectors
    Gradient: the weighted mean of 1 over the positives that are out, and of -1 over the negatives that are in
    Worked: pull = 1.5 - (1.2 - 0.4); push = 1.2 - 0.75; ranked_list = 0.5 * pull + 0.5 * push
    Example: emb=0,1.5,0.75 label=0,0,1 -> 0.575
    """
    index, is_positive = panel.own
    d = panel.distance
    out = where(is_positive, relu(_picked(d, index) - (alpha - margin)), 0.0)
    into = where(panel.is_negative, relu(alpha - d), 0.0)
    return (1.0 - balance) * _sharp_mean(out, positive_sharpness) + balance * _sharp_mean(into, negative_sharpness)


# ---------------------------------------------------------------------------------------------------------------- ranks


@loss(engine=SETS, cosine=True, aliases=("smoothap",))
def smooth_ap(panel: Panel, *, temperature: Positive = 0.01, with_anchor: Flag = False) -> Array:
    """One minus the average precision of an anchor's neighbours, with ranks made smooth.

    Formula: mean over p of B_p / (A_p + B_p), A_p = 1 + sum_{q != p} g(s_q - s_p) over the positives q,
        B_p = sum_n g(s_n - s_p), g(x) = 1 / (1 + e^(-x / T))
    Paper: Brown, Xie, Kalogeiton, Zisserman, Smooth-AP: Smoothing the Path Towards Large-Scale Image Retrieval, 2020
    Differs: the paper's code and pytorch-metric-learning take the anchor for one of its positives: --with-anchor; the
        latter (2.9) is right only where there are as many classes as rows in each
    temperature: T
    with_anchor: the anchor is a positive of itself
    Use: retrieval, where average precision is what counts
    Misleads: where T is small the gradient is 0 but for pairs that are about to change places
    Gradient: 1 / T times g (1 - g) of each rival that could change places
    Worked: before = 1 / (1 + exp(-(0 - 1) / 1)); smooth_ap = before / (1 + before)
    Example: emb=1/0,1/0,0/1 label=0,0,1 temperature=1 -> 0.21194155761708547
    """
    rivals, own, is_own = panel.exact_similarity, *_positives(panel, with_anchor)
    total: Any = 0.0
    for at, place in _columns(own):
        before = row_sum(where(panel.is_negative, _steps(rivals, place, temperature), 0.0))
        ahead = row_sum(where(_without(is_own, at), _steps(own, place, temperature), 0.0))
        total = total + where(is_own[:, at], before / (1.0 + ahead + before), 0.0)
    return total / _count(is_own, total)


@loss(engine=SETS, cosine=True)
def pnp(
    panel: Panel,
    *,
    variant: Literal["o", "ds", "dq", "iu", "ib"] = "o",
    b: Positive = 2.0,
    alpha: Positive = 1.0,
    temperature: Positive = 0.01,
    with_anchor: Flag = False,
) -> Array:
    """How many negatives stand before each positive, made smooth: average precision without its other half.

    Formula: mean over p of f(B_p), B_p = sum_n g(s_n - s_p), g(x) = 1 / (1 + e^(-x / T)); o: f = B; ds: log(1 + B);
        dq: 1 - (1 + B)^-alpha; iu: (1 + B) log(1 + B); ib: (b B - log(1 + b B)) / b^2
    Paper: Li, Min, Zhang, Rethinking the Optimization of Average Precision: Only Penalizing Negative Instances before
        Positive Ones is Enough, 2022
    Differs: the paper's code and pytorch-metric-learning take the anchor for one of its positives: --with-anchor
    variant: f
    b: of variant ib
    alpha: of variant dq
    temperature: T
    with_anchor: the anchor is a positive of itself
    Use: retrieval
    Misleads: variants have values of different size: compare one with itself only
    Gradient: f' times 1 / T times g (1 - g) of each negative that could change places with the positive
    Worked: pnp = 1 / (1 + exp(-(0 - 1) / 1))
    Example: emb=1/0,1/0,0/1 label=0,0,1 temperature=1 -> 0.2689414213699951
    """
    costs: dict[str, Callable[[Array], Array]] = {
        "o": lambda x: x,
        "ds": log1p,
        "dq": lambda x: -expm1(-alpha * log1p(x)),
        "iu": lambda x: (1.0 + x) * log1p(x),
        "ib": lambda x: _beyond_log(b * x) / b**2,
    }
    rivals, own, is_own = panel.exact_similarity, *_positives(panel, with_anchor)
    total: Any = 0.0
    for at, place in _columns(own):
        before = row_sum(where(panel.is_negative, _steps(rivals, place, temperature), 0.0))
        cost = costs[variant](before)
        total = total + where(is_own[:, at], cost, 0.0)
    return total / _count(is_own, total)


@loss(engine=SETS, cosine=True, aliases=("fastap",))
def fast_ap(panel: Panel, *, bins: Bins = 10) -> Array:
    """One minus the average precision of an anchor's neighbours, from histograms of their distances.

    Formula: 1 - sum_b h+_b H+_b / H_b / P, h a histogram of d^2 = 2 - 2 cos from 0 to 4 whose weight is shared between
        the two nearest of the bins + 1 edges; h+ of the P positives, H the sum of h up to b
    Paper: Cakir, He, Xia, Kulis, Sclaroff, Deep Metric Learning to Rank, 2019
    bins: how many steps the distances fall into
    Use: retrieval, in large batches
    Misleads: within a bin there is no order: a perfect order costs something too
    Gradient: the slope of the histogram's triangles, bin by bin
    Worked: ties = 1 / (1 + 1); fast_ap = 1 - ties
    Example: emb=1/0,1/0,1/0 label=0,0,1 -> 0.5
    """
    d = 2.0 - 2.0 * panel.exact_similarity
    place = relu(d.high + d.low) / (4.0 / bins)
    total, own_sum, rivals = 0.0, 0.0, 0.0
    for edge in range(bins + 1):
        share = relu(1.0 - abs(place - float(edge)))
        own = row_sum(where(panel.is_positive, share, 0.0))
        own_sum, rivals = own_sum + own, rivals + row_sum(where(panel.is_negative, share, 0.0))
        total = total + where(rivals > 0, own * rivals / where(rivals > 0, own_sum + rivals, 1.0), 0.0)
    return total / panel.positives


# --------------------------------------------------------------------------------------------------------------- angles


@loss(engine=SETS, cosine=True, of_triangle=True, aliases=("angular-loss",))
def angular(panel: Panel, *, alpha: Positive = 40.0) -> Weighted:
    """The angle at each negative, in the triangle with a positive pair, below a bound.

    Formula: log(1 + sum_n e^(4 t (cos(a, n) + cos(p, n)) - 2 (1 + t) cos(a, p))), t = tan^2 alpha; mean over pairs a, p
    Paper: Wang, Zhou, Wen, Liu, Lin, Deep Metric Learning with Angular Loss, 2017
    Differs: pytorch-metric-learning (2.9) leaves the negatives at their lengths: the same only for unit vectors
    alpha: the bound, in degrees, below 90
    Unit: nats
    Use: where distances of classes have different scales
    Misleads: each positive pair meets all negatives of its anchor: large classes take long
    Gradient: a softmax over the negatives, by 4 t for each end of the pair, and -2 (1 + t) by the pair itself
    Worked: angular = log(1 + exp(4 * (0 + 0) - 2 * 2 * 1))
    Example: emb=1/0,1/0,0/1 label=0,0,1 alpha=45 -> 0.01814992791780974
    """
    tangent = math.tan(math.radians(alpha)) ** 2
    index, is_positive = panel.own
    near = panel.exact_similarity
    own = near.columns(index) * (2.0 * (1.0 + tangent))
    total: Any = 0.0
    for at, pair in _columns(own):
        logits = (near + panel.similarity_from(index[:, at])) * (4.0 * tangent) - pair
        terms = logits.log_sum_exp(panel.is_negative).log_one_plus_exp()
        total = total + where(is_positive[:, at], terms, 0.0)
    return Weighted(total, _count(is_positive, total))


# ---------------------------------------------------------------------------------------------------------------- words


def _exact(x: Array) -> Twofold:
    """An array as a number in twice the digits."""
    return Twofold(x, 0.0 * x)


def _picked(x: Array, index: Any) -> Array:
    return Twofold(x, x).columns(index).high


def _count(mask: Array, like: Array) -> Array:
    """(B,) how many of each row are true."""
    return row_sum(namespace(like).astype(mask, like.dtype))


def _mean_of(terms: Array, is_counted: Array) -> Weighted:
    return Weighted(row_sum(where(is_counted, terms, 0.0)), _count(is_counted, terms))


def _sharp_mean(gaps: Array, sharpness: float) -> Array:
    """(B,) the mean of what is above 0 of each row, larger gaps weighing more; 0 where nothing is."""
    top = row_max(gaps)
    weights = where(gaps > 0, exp(sharpness * (gaps - top[:, None])), 0.0)
    return row_sum(weights * gaps) / where(top > 0, row_sum(weights), 1.0)


def _positives(panel: Panel, with_anchor: bool) -> tuple[Twofold, Array]:
    """(B, K) cosines of the positives, and which of them there are; the anchor itself behind them where it counts."""
    index, is_positive = panel.own
    own = panel.exact_similarity.columns(index)
    if not with_anchor:
        return own, is_positive
    itself = own.high[:, :1] * 0.0 + 1.0
    return own.beside(_exact(itself)), namespace(itself).concat([is_positive, itself > 0], axis=1)


def _beyond_log(x: Array) -> Array:
    """x - log(1 + x) for x >= 0, by its series where the two cancel."""
    series = 0.0 * x
    for power in range(30, 1, -1):
        series = 1.0 / power - x * series
    return where(x < 0.25, x * x * where(x < 0.25, series, 0.0), x - log1p(x))


def _columns(x: Twofold) -> Iterator[tuple[int, Twofold]]:
    """Each column of (B, K), as (B, 1)."""
    for at in range(x.high.shape[1]):
        yield at, Twofold(x.high[:, at : at + 1], x.low[:, at : at + 1])


def _without(mask: Array, at: int) -> Array:
    columns = namespace(mask).arange(mask.shape[1], device=getattr(mask, "device", None))
    return mask & (columns != at)[None, :]


def _steps(others: Twofold, place: Twofold, temperature: float) -> Array:
    """How surely each of the others stands before a place: a smooth step."""
    gap = (others - place) / temperature
    return sigmoid(gap.high + gap.low)
