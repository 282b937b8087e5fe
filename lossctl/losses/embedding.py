"""Losses of a labelled set of embeddings, each anchor against everyone.

A panel is a block of B anchors against N points; every anchor has a positive (another point of its class) and a
negative (a point of another class). A loss gives one value an anchor, or a total and a weight where the anchors do not
count alike. The distance is the panel's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from ..language.domains import Domain, Flag, NonNegative, Numbers, Positive, Real, Seed
from ..language.engines import SETS
from ..language.numerics import Array, class_sum, matrix, namespace, one_hot, relu, row_sum, softplus, where
from ..language.registry import Sums, Weighted, loss
from ..language.twofold import cosines, directions
from .pairs import mean_of_sides
from .triplet_terms import TripletLosses, cast, each_at_once, one_by_one

LOG_2 = math.log(2)  # of log(1 + e^z) at z = 0
Epsilon = Annotated[float | None, Domain(float, low=0, optional=True)]
Panel = Any  # sets.panels.Panel, which losses do not know
Cosines = Any  # Rounded or Twofold: float64 that says how wrong it may be, or twice its digits


# ------------------------------------------------------------------------------------------------------------- triplets


def _batch_all_at_once(panel: Panel, options: Sequence[Mapping[str, Any]]) -> list[TripletLosses]:
    is_sorted = [not (own["soft"] or own["swap"]) and own["mining"] != "semi-hard" for own in options]
    others = iter(each_at_once(panel, [own for own, plain in zip(options, is_sorted, strict=True) if not plain]))
    return [batch_all(panel, **own) if plain else next(others) for own, plain in zip(options, is_sorted, strict=True)]


@loss(engine=SETS, reductions=("mean-active", "mean", "sum", "none"), term="triplet", at_once=_batch_all_at_once)
def batch_all(
    panel: Panel,
    *,
    margin: NonNegative = 1.0,
    soft: Flag = False,
    swap: Flag = False,
    mining: Literal["all", "hard", "semi-hard"] = "all",
) -> TripletLosses:
    """Every triplet of the set: how much each negative fails to be farther than each positive, by the margin.

    Formula: [d_ap - d_an + margin]+ over all a, p, n with y_p = y_a != y_n, p != a; mean over those above zero;
        log(1 + e^(d_ap - d_an + margin)) with --soft
    Reading: the terms of a positive are r (d_ap + margin) - (the sum of the r distances below d_ap + margin); with
        --soft, --swap or semi-hard ones the triplets are gone through one by one, N^2 K of them, in float64
    Paper: Hermans, Beyer, Leibe, In Defense of the Triplet Loss for Person Re-Identification, 2017
    Differs: the margin counts with --soft too, as in pytorch-metric-learning's smooth_loss; --margin 0 is the soft
        margin of batch-hard
    margin: by how much d_an should exceed d_ap
    soft: a smooth hinge
    swap: also look from the positive, min(d_an, d_pn), as Balntas et al. 2016 do
    mining: which triplets count: hard ones, d_an <= d_ap, or semi-hard ones, d_ap < d_an < d_ap + margin
    Use: to train on every triplet of a batch that still costs something
    Misleads: the mean over those above 0 need not fall while fewer and fewer remain: look at their number too
    Gradient: 1 by each d_ap and -1 by each d_an of the triplets that cost something, divided by their number
    Worked: active = 2; total = active * max(0, 1 - 1 + 1); batch_all = total / active
    Example: emb=0,1,2,3 label=0,0,1,1 -> 1
    """
    if soft or swap or mining == "semi-hard":
        return one_by_one(panel, margin, soft, swap, mining)
    d_ap, reach, sums = panel.below(0.0, with_ties=True) if mining == "hard" else panel.below(margin)
    count = class_sum(cast(reach, sums))
    total = class_sum(cast(reach, sums) * (d_ap + margin) - sums)
    if mining == "hard":
        return TripletLosses(total, count if margin else _costly(panel), count)
    return TripletLosses(total, count, panel.positives * panel.negatives)


def _costly(panel: Panel) -> Array:
    """(B,) how many triplets of each anchor cost something where there is no margin."""
    _, reach, sums = panel.below(0.0)
    return row_sum(cast(reach, sums))


@loss(engine=SETS, reductions=(*SETS.reductions, "mean-active"), term="triplet", lone=("drop", "zero", "self"))
def batch_hard(
    panel: Panel, *, margin: NonNegative = 1.0, soft: Flag = False, mining: Literal["all", "hard"] = "all"
) -> TripletLosses:
    """Each anchor with its farthest positive and its nearest negative: the hardest triplet it is in.

    Formula: [max d_ap - min d_an + margin]+, or log(1 + e^(max d_ap - min d_an)) with --soft
    Paper: Hermans, Beyer, Leibe, In Defense of the Triplet Loss for Person Re-Identification, 2017
    Differs: anchors alone in their class are left out, where tensorflow-addons and others count them with d_ap = 0:
        --lone self
    margin: by how much d_an should exceed d_ap; not used with --soft
    soft: a smooth margin
    mining: which anchors count: hard, those whose nearest negative is no farther than their farthest positive
    Use: to train on the hardest triplet of each anchor
    Misleads: wrong labels and outliers are the hardest; a value near the margin means a collapse
    Slips: the hardest negative is the one of the smallest d_an; texts that take the largest d_an take the easiest
    Gradient: 1 by the farthest positive and -1 by the nearest negative of each anchor, 0 for all others
    Worked: outer = max(0, 1 - 2 + 1); inner = max(0, 1 - 1 + 1); batch_hard = (outer + inner + inner + outer) / 4
    Example: emb=0,1,2,3 label=0,0,1,1 -> 0.5
    """
    gap = panel.farthest_positive - panel.nearest_negative
    losses = softplus(gap) if soft else relu(gap + margin)
    counts = namespace(losses).ones_like(losses)
    if mining == "hard":
        _, reach, _ = panel.below(0.0, with_ties=True)
        counts = cast(row_sum(reach) > 0, losses)
        losses = where(counts > 0, losses, 0.0)
    return TripletLosses(losses, cast(losses > 0, losses), counts)


@loss(engine=SETS, reductions=(*SETS.reductions, "mean-active"), term="triplet")
def semi_hard(
    panel: Panel, *, margin: NonNegative = 1.0, fallback: Literal["hardest", "easiest", "drop"] = "easiest"
) -> TripletLosses:
    """Each positive pair with the nearest negative beyond it.

    Formula: [d_ap - min{d_an: d_an > d_ap} + margin]+, mean over the pairs
    Paper: Schroff, Kalenichenko, Philbin, FaceNet, 2015
    margin: by how much d_an should exceed d_ap
    fallback: the negative where none lies beyond: the hardest, the easiest (as tensorflow-addons), or drop the pair
    Use: to train without the hardest triplets, which may collapse a young network
    Misleads: the value depends on what is done where no negative lies beyond
    Gradient: 1 by d_ap and -1 by the chosen d_an while the margin is not met
    Worked: a = max(0, 1 - 1.5 + 1); b = max(0, 1 - 2 + 1); c = max(0, 1.5 - 1.5 + 1); d = max(0, 1.5 - 2 + 1);
        semi_hard = (a + b + c + d) / 4
    Example: emb=0,1,1.5,3 label=0,0,1,1 -> 0.5
    """
    negative, is_counted = panel.semi_hard(fallback)
    return _over_pairs(panel, negative, is_counted, margin)


@loss(engine=SETS, term="triplet")
def random_semi_hard(panel: Panel, *, margin: Positive = 1.0, seed: Seed = 0) -> TripletLosses:
    """Each positive pair with one random negative of its semi-hard band; pairs without one are left out.

    Formula: d_ap - d_an + margin, n drawn from d_ap < d_an < d_ap + margin; mean over the pairs with such an n
    Reading: a draw depends on the seed and on the row numbers of anchor and positive, on nothing else
    margin: the width of the band
    seed: of the draws
    Use: as semi-hard, with more variety
    Misleads: another seed, another number
    Gradient: 1 by d_ap and -1 by the drawn d_an, always: every pair that counts lies within the margin
    Worked: a = 1 - 1.5 + 1; d = 1.5 - 2 + 1; random_semi_hard = (a + d) / 2
    Example: emb=0,1,1.5,3 label=0,0,1,1 -> 0.5
    """
    negative, is_counted = panel.random_semi_hard(margin, seed)
    return _over_pairs(panel, negative, is_counted, margin)


def _over_pairs(panel: Panel, negative: Any, is_counted: Array, margin: float) -> TripletLosses:
    index, _ = panel.own
    terms = relu(panel.distance_to(index) - panel.distance_to(negative) + margin)
    return _active_total(terms, is_counted)


# ---------------------------------------------------------------------------------------------------------------- pairs


@loss(engine=SETS, reductions=(*SETS.reductions, "mean-active"), everyone=True, term="contrastive")
def contrastive_pairs(panel: Panel, *, margin: Positive = 1.0) -> TripletLosses:
    """Contrastive over all pairs of the set: pulls the pairs of a class together, pushes others apart until the margin.

    Formula: [y d^2 + (1 - y) [margin - d]+^2] / 2, mean over all pairs;  y = 1 within a class
    Paper: Hadsell, Chopra, LeCun, Dimensionality Reduction by Learning an Invariant Mapping, 2006
    margin: how far apart a dissimilar pair costs nothing
    Use: labelled sets, where contrastive wants all pairs
    Misleads: dissimilar pairs are by far the most, and most of them cost 0
    Gradient: by d: d within a class, -(margin - d) across within the margin, divided by the number of pairs
    Worked: same = 1^2 / 2; near = (1 - 0.5)^2 / 2; far = 0; contrastive_pairs = (same + near + far) / 3
    Example: emb=0,1,1.5 label=0,0,1 -> 0.20833333333333334
    """
    d = panel.distance
    gap = relu(margin - d)
    return _active_total(where(panel.is_positive, d * d, gap * gap) / 2, panel.is_pair)


@loss(engine=SETS, finish=mean_of_sides, stands_alone=False, reductions=("overall",), everyone=True, term="contrastive")
def contrastive_pairs_sides(
    panel: Panel, *, margin: Positive = 1.0, margin_similar: NonNegative = 0.0, squared: Flag = False
) -> Sums:
    """All pairs of the set: the mean over similar ones that cost something plus that over dissimilar ones.

    Formula: mean of [d - m_s]+ over pairs of a class above 0 + mean of [margin - d]+ over the other pairs above 0; half
        the squares of these with --squared
    Paper: Musgrave, Belongie, Lim, PyTorch Metric Learning, 2020
    Reading: a side of which no pair costs anything adds 0
    Differs: contrastive-pairs takes one mean over all pairs, of squares; pytorch-metric-learning compares unit vectors
        unless told otherwise: --normalize
    margin: how far apart a dissimilar pair costs nothing
    margin_similar: m_s, up to where a similar pair costs nothing
    squared: half the square of each pair's cost, as contrastive-pairs has it
    Use: labelled sets, where dissimilar pairs are by far the most
    Misleads: the means are over what still costs something, so the value may rise while pairs get better
    Gradient: by d: 1 / (similar active pairs) and -1 / (dissimilar active pairs)
    Worked: similar = 1; dissimilar = 1 - 0.5; contrastive_pairs_sides = similar + dissimilar
    Example: emb=0,1,1.5 label=0,0,1 -> 1.5
    """
    d = panel.distance
    cost = relu(where(panel.is_positive, d - margin_similar, margin - d))
    active = cast(cost > 0, cost)
    cost = cost * (cost / 2) if squared else cost
    sides = (panel.is_positive, panel.is_negative)
    return Sums(*(row_sum(where(side, column, 0.0)) for side in sides for column in (cost, active)))


@loss(engine=SETS, cosine=True, lone=("drop", "zero", "negatives"))
def multi_similarity(
    panel: Panel, *, alpha: Positive = 2.0, beta: Positive = 50.0, base: Real = 0.5, mining: Epsilon = None
) -> Array:
    """Soft maxima of how dissimilar the positives and how similar the negatives are.

    Formula: log(1 + sum_p e^(-alpha (s_p - base))) / alpha + log(1 + sum_n e^(beta (s_n - base))) / beta; s = cosine
    Paper: Wang, Han, Huang, Dong, Scott, Multi-Similarity Loss with General Pair Weighting, 2019
    Differs: its paper mines pairs first, pytorch-metric-learning where its miner is asked: --mining 0.1; an anchor
        alone in its class counts there by its negatives: --lone negatives, and as 0 after the mining: --lone zero
    alpha: sharpness for the positives
    beta: sharpness for the negatives
    base: the similarity that costs nothing
    mining: eps: only positives less similar than the most similar negative and eps, and negatives more similar than the
        least similar positive less eps, count; none for all
    Use: retrieval; hard pairs weigh more, and pairs relative to their rivals
    Misleads: without --mining all pairs count, also the easy ones
    Gradient: a softmax over the anchor's positives, and one over its negatives, each damped by the easy ones
    Worked: pull = log(1 + exp(-2 * (1 - 0.5))) / 2; push = log(1 + exp(50 * (0 - 0.5))) / 50; first = pull + push;
        multi_similarity = first
    Example: emb=1/0,1/0,0/1 label=0,0,1 -> 0.15663084375938918
    """
    index, is_positive = panel.own
    is_negative = panel.is_negative
    if mining is None:
        s = panel.similarity
    else:  # which pairs count is a question of sign: in twice the digits
        s = panel.exact_similarity
        least, most = -(-s).most(panel.is_positive), s.most(is_negative)
        is_positive = is_positive & ((most + mining).less(s.columns(index)).high > 0)
        is_negative = is_negative & ((least - mining).less(s).high < 0)
    pull = (-alpha * (s.columns(index) - base)).log_sum_exp(is_positive).log_one_plus_exp() / alpha
    push = (beta * (s - base)).log_sum_exp(is_negative).log_one_plus_exp() / beta
    return pull + push


@loss(engine=SETS, cosine=True, even_at=LOG_2, lone=("drop", "zero"))
def circle(panel: Panel, *, gamma: Positive = 256.0, margin: Real = 0.25, unified: Flag = False) -> Array:
    """Weighs every similarity by how far it is from its optimum, so that the decision boundary is a circle.

    Formula: log[1 + sum_n e^(gamma a_n (s_n - margin)) sum_p e^(-gamma a_p (s_p - 1 + margin))], s = cosine;
        a_p = [1 + margin - s_p]+, a_n = [s_n + margin]+; with --unified log[1 + sum_n sum_p e^(gamma (s_n - s_p +
        margin))]
    Paper: Sun, Cheng, Zhang, Zhang, Zheng, Wang, Wei, Circle Loss, 2020
    Differs: keras and pytorch-metric-learning have gamma 80 and margin 0.4
    gamma: scale of the similarities
    margin: relaxation; similarities should exceed 1 - margin within a class and stay below margin across
    unified: the form of equation 1 of the paper, without the weights a: the margin is added once
    Unit: nats
    Use: retrieval and recognition, with a clear target for s_p and s_n each
    Misleads: gamma scales the value, so losses with different gamma cannot be compared; 256 is for class weights, 80
        for pairs
    Gradient: each similarity pulls by how far it is from its best: it fades as s_p nears 1 and s_n nears 0
    Curve: circle:unified=true
    Worked: push = 256 * (0 + 0.25) * (0 - 0.25); pull = -256 * (1.25 - 0) * (0 - 0.75); first = push + pull; other =
        256 * (1 + 0.25) * (1 - 0.25) + pull; circle = (first + other) / 2
    Example: emb=1/0,0/1,0/1 label=0,0,1 -> 352
    """
    index, is_positive = panel.own
    s = panel.similarity
    return _circle(s.columns(index), is_positive, s, panel.is_negative, gamma, margin, unified)


@loss(is_angular=True)
def circle_class(
    emb: Array,
    label: Array,
    *,
    class_weights: Numbers = None,
    gamma: Positive = 256.0,
    margin: Real = 0.25,
    unified: Flag = False,
) -> Array:
    """Circle loss with one weight vector a class in place of the other points.

    Formula: as circle, with s_p = cos(x, w_y) and s_n = cos(x, w_j) for j != y
    Paper: Sun, Cheng, Zhang, Zhang, Zheng, Wang, Wei, Circle Loss, 2020
    class_weights: a file of (C, D) weights, row j for class j; required
    gamma: scale of the similarities
    margin: relaxation
    unified: the form of equation 1 of the paper, without the weights a: a softmax with a margin on the cosines
    Unit: nats
    Use: training a classifier whose last layer holds one direction a class
    Misleads: a class without rows is still pushed against; gamma scales the value
    Gradient: as circle, each similarity by how far it is from its best
    Worked: push = 256 * 0.25 * (0 - 0.25); pull = 256 * 0.25 * -(1 - 0.75); circle_class = log(1 + exp(push + pull))
    Example: emb=[1,0] label=0 class_weights=1/0/0/1 -> 1.2664165549094095e-14
    """
    classes = directions(matrix(class_weights or (), emb))
    is_own = one_hot(label, len(classes.nearest), emb)
    s = cosines(directions(emb), classes)
    return _circle(s, is_own, s, ~is_own, gamma, margin, unified)


# ----------------------------------------------------------------------------------------------------------- contrasts


@loss(engine=SETS, cosine=True, even_at=LOG_2, lone=("drop", "zero"))
def info_nce(panel: Panel, *, temperature: Positive = 0.1) -> Array:
    """Each positive against all negatives, as a softmax; every anchor counts the same.

    Formula: mean over p of -log[e^(s_p / T) / (e^(s_p / T) + sum_n e^(s_n / T))], s = cosine
    Paper: van den Oord, Li, Vinyals, Representation Learning with Contrastive Predictive Coding, 2018
    temperature: T
    Unit: nats
    Use: contrastive learning, several positives an anchor
    Misleads: the value depends on the number of negatives: compare equal batches only
    Gradient: (1 / T) times the softmax minus the truth, over the similarities
    Worked: others = exp(0 / 1); info_nce = log(1 + others / exp(1 / 1))
    Example: emb=1/0,1/0,0/1 label=0,0,1 temperature=1 -> 0.31326168751822286
    """
    terms = _contrast(panel, temperature)
    return terms.total / terms.weight


@loss(engine=SETS, cosine=True, even_at=LOG_2)
def nt_xent(panel: Panel, *, temperature: Positive = 0.07) -> Weighted:
    """Each positive against all negatives, as a softmax; every positive pair counts the same.

    Formula: -log[e^(s_p / T) / (e^(s_p / T) + sum_n e^(s_n / T))], s = cosine; mean over the pairs a, p
    Paper: Chen, Kornblith, Norouzi, Hinton, A Simple Framework for Contrastive Learning, 2020
    Differs: T is 0.5 in SimCLR and lightly, 0.07 in optax and pytorch-metric-learning
    temperature: T
    Unit: nats
    Use: contrastive learning from one file of views, where the label says which belong together
    Misleads: the value depends on the size of the batch and on T
    Gradient: (1 / T) times the softmax minus the truth, over the similarities
    Worked: others = exp(0 / 1); nt_xent = log(1 + others / exp(1 / 1))
    Example: emb=1/0,1/0,0/1 label=0,0,1 temperature=1 -> 0.31326168751822286
    """
    return _contrast(panel, temperature)


@loss(engine=SETS, cosine=True, even_at=LOG_2, lone=("drop", "zero"))
def supcon(panel: Panel, *, temperature: Positive = 0.1) -> Array:
    """Each positive against everyone else, as a softmax; the mean over an anchor's positives.

    Formula: mean over p of -log[e^(s_p / T) / sum_{j != a} e^(s_j / T)], s = cosine
    Paper: Khosla et al., Supervised Contrastive Learning, 2020 (its L_out)
    temperature: T
    Unit: nats
    Differs: the paper's code has T 0.07 and multiplies by T / 0.07
    Use: contrastive learning with labels
    Misleads: does not go to 0: other positives stand in the denominator, so its least value grows with the class
    Gradient: (1 / T) times the softmax over everyone minus 1 / |P| for each positive
    Worked: everyone = exp(1 / 1) + exp(0 / 1); supcon = log(everyone) - 1 / 1
    Example: emb=1/0,1/0,0/1 label=0,0,1 temperature=1 -> 0.31326168751822286
    """
    index, is_positive = panel.own
    logits = panel.similarity / temperature
    terms = _masked_total(logits.surprises(panel.is_pair, index), is_positive)
    return terms.total / terms.weight


def _circle(
    s_p: Cosines, is_own: Array, s_n: Cosines, is_other: Array, gamma: float, margin: float, unified: bool
) -> Any:
    if unified:
        pull, push = -gamma * s_p, gamma * (s_n + margin)
    else:
        pull = (1.0 - s_p + margin).positive_part() * (-gamma * (s_p - 1.0 + margin))
        push = (s_n + margin).positive_part() * (gamma * (s_n - margin))
    return (push.log_sum_exp(is_other) + pull.log_sum_exp(is_own)).log_one_plus_exp()


def _contrast(panel: Panel, temperature: float) -> Weighted:
    index, is_positive = panel.own
    logits = panel.similarity / temperature
    push = logits.log_sum_exp(panel.is_negative)
    return _masked_total(push.less(logits.columns(index)).log_one_plus_exp(), is_positive)


# ---------------------------------------------------------------------------------------------------------------- words


def _masked_total(terms: Any, is_counted: Array) -> Weighted:
    """Sums and counts of the terms of each row that count."""
    if hasattr(terms, "error"):  # Bounded, whose library a page of help does not load
        return Weighted(terms.total(is_counted), row_sum(cast(is_counted, terms.x)))
    return Weighted(class_sum(where(is_counted, terms, 0.0)), row_sum(cast(is_counted, terms)))


def _active_total(terms: Array, is_counted: Array) -> TripletLosses:
    """The same, with how many of them are above zero."""
    total, valid = _masked_total(terms, is_counted)
    return TripletLosses(total, row_sum(cast(is_counted & (terms > 0), terms)), valid)
