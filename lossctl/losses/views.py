"""Losses of two views of the same things, such as images and their captions: row i of both files belongs together.

A panel is a block of B things against all N; a loss gives each of them a value.
"""

from __future__ import annotations

from typing import Any, Literal

from ..language.distances import cosine_distance
from ..language.domains import Flag, Fraction, Positive, Real
from ..language.engines import VIEWS
from ..language.numerics import (
    Array,
    exp,
    expm1,
    namespace,
    row_sum,
    where,
)
from ..language.registry import loss

ViewPanel = Any  # sets.views.ViewPanel, which losses do not know
Cosines = Any  # Rounded or Twofold: float64 that says how wrong it may be, or twice its digits

# ------------------------------------------------------------------------------------------------------------ softmaxes


@loss(engine=VIEWS, is_angular=True, aliases=("clip-loss", "symmetric-info-nce"))
def clip(panel: ViewPanel, *, temperature: Positive = 0.07) -> Any:
    """Each thing of one view against all of the other, as a softmax, in both directions.

    Formula: -1/2 log [e^(s_ii / T) / sum_j e^(s_ij / T)] - 1/2 log [e^(s_ii / T) / sum_j e^(s_ji / T)],
        s_ij = cos(a_i, b_j)
    Paper: Radford et al., Learning Transferable Visual Models From Natural Language Supervision, 2021
    Differs: code gives 1 / T, the scale of the logits: 1 / 0.07 at first, and after training 100, which is T 0.01
    temperature: T
    Unit: nats
    Use: pairs of two kinds, such as images and captions
    Misleads: all N pairs of the files are one batch, and the value grows with log N: compare equal N only; rows
        that say the same thing twice are taken for rivals
    Gradient: (1 / T) times the softmax minus the truth, over the similarities, the mean of both directions
    Worked: clip = log(1 + exp((0 - 1) / 1))
    Example: left=1/0,0/1 right=1/0,0/1 temperature=1 -> 0.31326168751822286
    """
    there, back = panel.logits(0, 1, over=temperature), panel.logits(1, 0, over=temperature)
    return (_surprise(panel, there) + _surprise(panel, back)) / 2.0


@loss(engine=VIEWS, is_angular=True, aliases=("multiple-negatives-ranking", "in-batch-negatives"))
def mnrl(panel: ViewPanel, *, s: Positive = 20.0, symmetric: Flag = False) -> Any:
    """Each anchor's own candidate against those of all other anchors, as a softmax.

    Formula: -log [e^(k s_ii) / sum_j e^(k s_ij)], s_ij = cos(a_i, b_j), k = s
    Paper: Henderson et al., Efficient Natural Language Response Suggestion for Smart Reply, 2017
    Reading: clip in one direction, with 1 / k for T
    s: k, how far cosines count; 1 over a temperature
    symmetric: the mean of both directions, which is clip
    Unit: nats
    Use: training of embeddings for search, from pairs of a question and its answer
    Misleads: all N pairs of the files are one batch, where training has batches of its own; an answer that stands
        twice is taken for a rival of itself
    Gradient: k times the softmax minus the truth, over the similarities of an anchor
    Worked: mnrl = log(1 + exp(2 * (0 - 1)))
    Example: left=1/0,0/1 right=1/0,0/1 s=2 -> 0.1269280110429725
    """
    value = _surprise(panel, panel.logits(0, 1, times=s))
    return (value + _surprise(panel, panel.logits(1, 0, times=s))) / 2.0 if symmetric else value


@loss(
    engine=VIEWS,
    aliases=(
        "npairs",
        "multi-class-n-pair",
        "n-pair",
    ),
)
def n_pairs(panel: ViewPanel) -> Any:
    """Each anchor's positive against the positives of all other anchors, as a softmax of dot products.

    Formula: log(1 + sum_{j != i} e^(a_i . p_j - a_i . p_i)), a the left view, p the right one
    Paper: Sohn, Improved Deep Metric Learning with Multi-class N-pair Loss Objective, 2016
    Reading: one pair a class: row i of both files; vectors count at their lengths
    Differs: pytorch-metric-learning (unit vectors) takes a set with labels, and draws one pair of each class;
        tensorflow-addons takes the products, with one label for a row and its column, and shares the truth among equal
        labels; the paper adds a little of the squared lengths
    Unit: nats
    Use: metric learning from one pair of each class
    Misleads: longer vectors, steeper softmax: values of models with other lengths cannot be compared
    Gradient: the softmax minus the truth, by the dot products
    Worked: n_pairs = log(1 + exp(0 - 2))
    Example: left=1/0,0/1 right=2/0,0/2 -> 0.1269280110429725
    """
    return _surprise(panel, panel.products(0, 1))


@loss(engine=VIEWS, roles=("anchor", "positive", "negative"), is_angular=True)
def mnrl_negatives(panel: ViewPanel, *, s: Positive = 20.0) -> Any:
    """Each anchor's own candidate against those of all other anchors and all given negatives, as a softmax.

    Formula: -log [e^(k s_ii) / (sum_j e^(k s_ij) + sum_j e^(k t_ij))], s_ij = cos(a_i, p_j), t_ij = cos(a_i, n_j)
    Paper: Henderson et al., Efficient Natural Language Response Suggestion for Smart Reply, 2017
    s: k, how far cosines count; 1 over a temperature
    Unit: nats
    Use: training of embeddings for search, with a hard negative for each question
    Misleads: the negative of one anchor is a rival of all others too
    Gradient: k times the softmax minus the truth, over the similarities of an anchor
    Worked: others = 2 * exp(0) + exp(1); mnrl_negatives = log(1 + others / exp(1))
    Example: anchor=1/0,0/1 positive=1/0,0/1 negative=0/1,1/0 s=1 -> 1.0064088680781682
    """
    logits = panel.logits(0, 1, times=s).beside(panel.logits(0, 2, times=s))
    return _flat(logits.surprises(_beside(panel.everyone, panel.everyone), panel.own))


@loss(engine=VIEWS, is_angular=True, aliases=("simclr", "ntxent-views"))
def nt_xent_views(panel: ViewPanel, *, temperature: Positive = 0.5) -> Any:
    """Each embedding's other view against all embeddings of both views, as a softmax, in both directions.

    Formula: 1/2 (l_ab + l_ba), l_ab = -log [e^(s_ii / T) / (sum_j e^(s_ij / T) + sum_{j != i} e^(t_ij / T))],
        s_ij = cos(a_i, b_j), t_ij = cos(a_i, a_j)
    Paper: Chen, Kornblith, Norouzi, Hinton, A Simple Framework for Contrastive Learning, 2020
    Reading: nt-xent of both files one below the other, with the row as label
    Differs: T is 0.5 in SimCLR and lightly, 0.1 and 0.07 in others
    temperature: T
    Unit: nats
    Use: contrastive learning from two views of each image
    Misleads: all N pairs of the files are one batch, and the value grows with log N: compare equal N only
    Gradient: (1 / T) times the softmax minus the truth, over the similarities
    Worked: others = 2 * exp(0 / 1); nt_xent_views = log(1 + others / exp(1 / 1))
    Example: left=1/0,0/1 right=1/0,0/1 temperature=1 -> 0.5514447139320511
    """
    return (_against_both(panel, 0, 1, temperature) + _against_both(panel, 1, 0, temperature)) / 2.0


@loss(engine=VIEWS, is_angular=True, is_signed=True, aliases=("decoupled-contrastive",))
def dcl(panel: ViewPanel, *, temperature: Positive = 0.1) -> Any:
    """nt-xent of two views without the positive in the sum: what pulls no longer fades as the pair comes near.

    Formula: 1/2 (l_ab + l_ba), l_ab = -s_ii / T + log sum_{j != i} (e^(s_ij / T) + e^(t_ij / T)),
        s_ij = cos(a_i, b_j), t_ij = cos(a_i, a_j)
    Paper: Yeh et al., Decoupled Contrastive Learning, 2022
    Reading: below 0 where pairs are near and all others far
    temperature: T
    Unit: nats
    Use: contrastive learning from small batches
    Misleads: no least value: it falls as long as the pairs come nearer than the others
    Gradient: -1 / T by s_ii, (1 / T) times the softmax over the others by their similarities
    Worked: others = 2 * exp(0 / 1); dcl = log(others) - 1 / 1
    Example: left=1/0,0/1 right=1/0,0/1 temperature=1 -> -0.3068528194400547
    """
    return (_decoupled(panel, 0, 1, temperature) + _decoupled(panel, 1, 0, temperature)) / 2.0


@loss(engine=VIEWS, is_angular=True, is_signed=True, aliases=("dcl-w", "weighted-decoupled-contrastive"))
def dclw(panel: ViewPanel, *, temperature: Positive = 0.1, sigma: Positive = 0.5) -> Any:
    """dcl where pairs that are near already pull less, by a softmax over all pairs.

    Formula: 1/2 (l_ab + l_ba), l_ab = -w_i s_ii / T + log sum_{j != i} (e^(s_ij / T) + e^(t_ij / T)), w_i =
        2 - N e^(s_ii / sigma) / sum_k e^(s_kk / sigma), s_ij = cos(a_i, b_j), t_ij = cos(a_i, a_j)
    Paper: Yeh et al., Decoupled Contrastive Learning, 2022
    Reading: below 0 where pairs are near and all others far; the weights have a mean of 1
    temperature: T
    sigma: how far cosines count for the weights
    Unit: nats
    Use: contrastive learning from small batches, most of all where pairs differ in how hard they are
    Misleads: the weights are of all N pairs of the files: a pair's value changes with the others
    Gradient: -w_i / T by s_ii, (1 / T) times the softmax over the others; training takes the weights for constants
    Worked: others = 2 * exp(0 / 1); dclw = log(others) - 1 / 1
    Example: left=1/0,0/1 right=1/0,0/1 temperature=1 -> -0.3068528194400547
    """
    own = _own_cosines(panel)
    share = exp((own - namespace(own).max(own)) / sigma)
    weight = 2.0 - (share / namespace(own).mean(share))[panel.start : panel.stop]
    sides = []
    for view, other in ((0, 1), (1, 0)):
        logits = _exact_logits(panel, view, other) / temperature
        push, pull = logits.log_sum_exp(_beside(panel.is_other, panel.is_other)), logits.columns(panel.own)
        sides.append(_nearest(push.less(pull * weight[:, None]))[:, 0])
    return (sides[0] + sides[1]) / 2.0


@loss(engine=VIEWS, is_angular=True, aliases=("model-aware-contrastive",))
def macl(panel: ViewPanel, *, temperature: Positive = 0.1, alpha: Fraction = 0.5, alignment: Fraction = 0.0) -> Any:
    """nt-xent of two views whose temperature follows how alike all pairs are, each term divided by its own miss.

    Formula: 1/2 (l_ab + l_ba), l = -log P / (1 - P), P = e^(s_ii / T) / (sum_j e^(s_ij / T) + sum_{j != i} e^(t_ij /
        T)), T = t (1 + alpha (mean_k s_kk - A)), s_ij = cos(a_i, b_j), t_ij = cos(a_i, a_j)
    Paper: Huang et al., Model-Aware Contrastive Learning: Towards Escaping the Dilemmas, 2023
    Reading: at least 1, where all pairs are right for sure; nan where T is not above 0, as no softmax has such
    temperature: t
    alpha: how far the temperature follows the pairs
    alignment: A, how alike pairs are when T is t
    Unit: nats
    Use: contrastive learning where early and late training want other temperatures
    Misleads: it does not go to 0, and its temperature is that of all N pairs: compare equal N only
    Gradient: (1 / T) times the softmax minus the truth, divided by 1 - P; both are taken for constants in training
    Worked: x = log(1 + 2 * exp((0 - 1) / 1.5)); macl = x / (1 - exp(-x))
    Example: left=1/0,0/1 right=1/0,0/1 temperature=1 -> 1.3944878753451035
    """
    own = _own_cosines(panel)
    over = temperature * (1.0 + alpha * (namespace(own).mean(own) - alignment))
    total = 0.0
    for pair in ((0, 1), (1, 0)):
        x = (_exact_logits(panel, *pair) / over).surprises(_beside(panel.everyone, panel.is_other), panel.own)[:, 0]
        total = total + where(x > 0, x / -expm1(-where(x > 0, x, 1.0)), 1.0)
    return where(over > 0, total / 2.0, float("nan"))


@loss(engine=VIEWS, roles=("left", "right", "guide_left", "guide_right"), is_angular=True, aliases=("gist-embed",))
def gist(
    panel: ViewPanel,
    *,
    temperature: Positive = 0.01,
    margin: Real = 0.0,
    relative: Flag = False,
    within: Literal["both", "left", "right", "none"] = "both",
) -> Any:
    """mnrl without rivals that a guide holds for more alike than the pair: they may well be right answers.

    Formula: -log [e^(s_ii / T) / sum_j e^(s_ij / T)], over the own pair and all rivals whose cosine by the guide is at
        most that of the own pair, less the margin; rivals are all of b and a, and all of b as seen from b_i
    Reading: a thing is no rival of itself as long as the guide tells its two views apart
    Paper: Solatorio, GISTEmbed: Guided In-sample Selection of Training Negatives, 2024
    temperature: T
    margin: by how much a rival must stay below the own pair, by the guide
    relative: the margin is a share of the size of the own pair's cosine
    within: rivals of the same view too: of both views, of the left or right one, or none
    Unit: nats
    Use: training of embeddings for search, where answers to different questions are alike
    Misleads: a better guide leaves out more rivals, and the value falls though the model is the same
    Gradient: 1 / T times the softmax minus the truth, over the rivals that stay
    Worked: others = 2 * exp(0 / 1); gist = log(1 + others / exp(1 / 1))
    Example: left=1/0,0/1 right=1/0,0/1 guide_left=1/0,0/1 guide_right=0.8/0.6,0.6/0.8 temperature=1 ->
        0.5514447139320511
    """
    own = _nearest(panel.exact_cosines(2, 3).columns(panel.own))
    least = own - (abs(own) * margin if relative else margin)

    def kept(view: int, other: int) -> Array:
        return _nearest(panel.exact_cosines(2 + view, 2 + other)) <= least

    logits, mask = panel.cosines(0, 1), kept(0, 1) | ~panel.is_other
    for view, word in ((0, "left"), (1, "right")):
        if within in ("both", word):
            logits = logits.beside(panel.cosines(view, view))
            mask = _beside(mask, kept(view, view))
    return _flat((logits / temperature).surprises(mask, panel.own))


# ---------------------------------------------------------------------------------------------------------------- pairs


@loss(engine=VIEWS, is_angular=True, aliases=("sigmoid-loss", "siglip-loss"))
def siglip(panel: ViewPanel, *, s: Positive = 10.0, bias: Real = -10.0) -> Any:
    """Each pair of an image and a text by itself: whether it belongs together or not.

    Formula: sum_j log(1 + e^(-z_ij (t s_ij + b))), s_ij = cos(a_i, b_j), z_ij = 1 where j = i, else -1;
        t = s, b the bias
    Paper: Zhai, Mustafa, Kolesnikov, Beyer, Sigmoid Loss for Language Image Pre-Training, 2023
    Reading: the sum over all pairs is divided by N, not by N^2
    s: t
    bias: b; -10 at first, so that the many pairs that do not belong together cost little
    Unit: nats
    Use: pairs of two kinds, in batches of any size
    Misleads: it grows with N: a sum over all rivals of a thing
    Gradient: by s_ij: -t z_ij times the sigmoid of -z_ij (t s_ij + b)
    Worked: own = log(1 + exp(-(2 * 1 - 1))); rival = log(1 + exp(2 * 0 - 1)); siglip = own + rival
    Example: left=1/0,0/1 right=1/0,0/1 s=2 bias=-1 -> 0.6265233750364457
    """
    logits = panel.cosines(0, 1) * s + bias
    own = (-logits.columns(panel.own)).log_one_plus_exp()
    return _total(logits.log_one_plus_exp(), panel.is_other) + _flat(own)


@loss(engine=VIEWS, is_angular=True)
def mega_batch_margin(panel: ViewPanel, *, positive_margin: Real = 0.8, negative_margin: Real = 0.3) -> Array:
    """How far each pair is from being alike, and its hardest rival from being unlike.

    Formula: [m_p - s_ii]+ + [max_{j != i} s_ij - m_n]+, s_ij = cos(a_i, b_j)
    Paper: Wieting, Gimpel, ParaNMT-50M, 2018
    positive_margin: m_p
    negative_margin: m_n
    Use: paraphrases, in large batches
    Misleads: the hardest of all N rivals: the more rows, the harder
    Gradient: -1 by s_ii and 1 by the hardest rival, while they are beyond their margins
    Worked: pull = max(0, 0.8 - 0.6); push = max(0, 0.8 - 0.3); mega_batch_margin = pull + push
    Example: left=1/0,0/1 right=0.6/0.8,0.8/0.6 -> 0.7
    """
    s = panel.exact_cosines(0, 1)
    own = s.columns(panel.own)
    rivals = where(panel.is_other, s.high, -2.0)
    hardest = s.columns(namespace(rivals).argmax(rivals, axis=-1)[:, None])
    pull, push = (positive_margin - own).positive_part(), (hardest - negative_margin).positive_part()
    return _flat(_nearest(pull + push))


# ---------------------------------------------------------------------------------------------------------------- words


def _surprise(panel: ViewPanel, logits: Cosines) -> Any:
    """-log of the softmax of a thing's own other view among all of that view."""
    return _flat(logits.surprises(panel.everyone, panel.own))


def _against_both(panel: ViewPanel, view: int, other: int, temperature: float) -> Any:
    logits = panel.logits(view, other, over=temperature).beside(panel.logits(view, view, over=temperature))
    return _flat(logits.surprises(_beside(panel.everyone, panel.is_other), panel.own))


def _decoupled(panel: ViewPanel, view: int, other: int, temperature: float) -> Any:
    logits = panel.logits(view, other, over=temperature).beside(panel.logits(view, view, over=temperature))
    push = logits.log_sum_exp(_beside(panel.is_other, panel.is_other))
    return _flat(_nearest(push.less(logits.columns(panel.own))))


def _exact_logits(panel: ViewPanel, view: int, other: int) -> Any:
    """Cosines with all things in the other view, then with all in the same one, in twice the digits."""
    return panel.exact_cosines(view, other).beside(panel.exact_cosines(view, view))


def _own_cosines(panel: ViewPanel) -> Array:
    """The cosine of each pair, (N,)."""
    return 1.0 - cosine_distance(panel.views[0].x, panel.views[1].x)


def _beside(left: Array, right: Array) -> Array:
    return namespace(left).concat([left, right], axis=1)


def _nearest(numbers: Any) -> Any:
    """Numbers in twice the digits as an array; those with a bound on their error as they are."""
    return numbers.high + numbers.low if hasattr(numbers, "high") else numbers


def _total(terms: Any, is_counted: Array) -> Any:
    """The sum over the columns that count, (B,)."""
    return terms.total(is_counted) if hasattr(terms, "total") else row_sum(where(is_counted, terms, 0.0))


def _flat(terms: Any) -> Any:
    """(B, 1) as (B,)."""
    numbers = getattr(terms, "x", terms)
    return _total(terms, namespace(numbers).isfinite(numbers) | True)
