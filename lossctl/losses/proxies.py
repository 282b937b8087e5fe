"""Embeddings against one direction a class, from a file of class weights: softmaxes with margins, and proxies.

Row by row: the rows of `--class-weights` are the classes; embeddings and classes count by their direction alone.
"""

from __future__ import annotations

import math
from typing import Literal

from ..language.domains import Flag, NonNegative, Numbers, Positive
from ..language.numerics import Array, matrix, one_hot, relu, sqrt, where
from ..language.registry import loss
from ..language.twofold import Twofold, cosines, directions


@loss(is_angular=True, aliases=("additive-angular-margin",))
def arcface(
    emb: Array,
    label: Array,
    *,
    class_weights: Numbers = None,
    s: Positive = 64.0,
    margin: NonNegative = 0.5,
    beyond: Literal["linear", "easy", "plain"] = "linear",
) -> Array:
    """Cross-entropy of cosines, where the angle to the true class is made larger by the margin.

    Formula: -log [e^(s cos(t_y + m)) / (e^(s cos(t_y + m)) + sum_{j != y} e^(s cos t_j))], t_j the angle to j;
        where t_y + m is beyond pi, cos t_y - m sin m takes the place of cos(t_y + m)
    Paper: Deng, Guo, Xue, Zafeiriou, ArcFace: Additive Angular Margin Loss for Deep Face Recognition, 2019
    Differs: margins are radians here and in insightface, degrees in pytorch-metric-learning (28.6, not
        quite 0.5); W has a column a class in both, a row here
    class_weights: a file of (C, D) weights, row j for class j; required
    s: how far cosines count
    margin: m, in radians
    beyond: where t_y + m is beyond pi: linear as above; easy has no margin for angles beyond pi/2; plain does nothing,
        so that the loss falls again
    Unit: nats
    Use: recognition of faces and the like, with many classes
    Misleads: with s 64 the loss is large early in training; values for different s and m cannot be compared
    Gradient: s times the softmax minus the truth, for the true class times sin(t_y + m) / sin t_y
    Worked: own = 10 * (1 * 0.5403023058681398); other = 10 * 0; arcface = log(1 + exp(other - own))
    Example: emb=[1,0] label=0 class_weights=1/0/0/1 s=10 margin=1 -> 0.0044928397343074675
    """
    c, is_own = _cosines(emb, label, class_weights)
    sine = sqrt(relu((1.0 - c).high) * relu((1.0 + c).high))
    shifted = c * math.cos(margin) - Twofold(sine, 0.0 * sine) * math.sin(margin)
    if beyond == "linear":
        shifted = _where(c.high > math.cos(math.pi - margin), shifted, c - margin * math.sin(margin))
    elif beyond == "easy":
        shifted = _where(c.high > 0, shifted, c)
    return _surprise(c * s, shifted * s, is_own)


@loss(is_angular=True, aliases=("am-softmax", "large-margin-cosine"))
def cosface(
    emb: Array, label: Array, *, class_weights: Numbers = None, s: Positive = 64.0, margin: NonNegative = 0.35
) -> Array:
    """Cross-entropy of cosines, where that to the true class is made smaller by the margin.

    Formula: -log [e^(s (cos t_y - m)) / (e^(s (cos t_y - m)) + sum_{j != y} e^(s cos t_j))], t_j the angle to class j
    Paper: Wang et al., CosFace: Large Margin Cosine Loss for Deep Face Recognition, 2018
    Differs: s 30 and m 0.4 in some code; W has a column a class in pytorch-metric-learning, a row here
    class_weights: a file of (C, D) weights, row j for class j; required
    s: how far cosines count
    margin: m
    Unit: nats
    Use: recognition of faces and the like, with many classes
    Misleads: with s 64 the loss is large early in training; values for different s and m cannot be compared
    Gradient: s times the softmax minus the truth, by the cosines
    Worked: cosface = log(1 + exp(10 * 0 - 10 * (1 - 0.5)))
    Example: emb=[1,0] label=0 class_weights=1/0/0/1 s=10 margin=0.5 -> 0.006715348489118068
    """
    c, is_own = _cosines(emb, label, class_weights)
    return _surprise(c * s, (c - margin) * s, is_own)


@loss(is_angular=True, aliases=("norm-softmax",))
def normalized_softmax(
    emb: Array, label: Array, *, class_weights: Numbers = None, temperature: Positive = 0.05
) -> Array:
    """Cross-entropy of cosines divided by a temperature.

    Formula: -log [e^(cos t_y / T) / sum_j e^(cos t_j / T)], t_j the angle to class j
    Paper: Wang, Xiang, Cheng, Yuille, NormFace, 2017; Zhai, Wu, A Strong Baseline for Metric Learning, 2019
    Differs: W has a column a class in pytorch-metric-learning, a row here
    class_weights: a file of (C, D) weights, row j for class j; required
    temperature: T
    Unit: nats
    Use: classifiers of directions
    Misleads: T scales the value, so losses with different T cannot be compared
    Gradient: (1 / T) times the softmax minus the truth, by the cosines
    Worked: normalized_softmax = log(1 + exp((0 - 1) / 0.5))
    Example: emb=[1,0] label=0 class_weights=1/0/0/1 temperature=0.5 -> 0.1269280110429725
    """
    c, is_own = _cosines(emb, label, class_weights)
    return _surprise(c / temperature, c / temperature, is_own)


@loss(is_angular=True)
def proxy_nca(
    emb: Array, label: Array, *, class_weights: Numbers = None, s: Positive = 1.0, with_own: Flag = False
) -> Array:
    """Each embedding near the proxy of its class and far from those of all others, as a softmax of squared distances.

    Formula: -log [e^(-s d_y^2) / sum_{j != y} e^(-s d_j^2)], d_j of unit vectors, d_j^2 = 2 - 2 cos t_j
    Paper: Movshovitz-Attias et al., No Fuss Distance Metric Learning using Proxies, 2017; Teh et al., ProxyNCA++, 2020
    Reading: below 0 where the own proxy is nearest by far; with --with-own never below 0
    Differs: pytorch-metric-learning has the own proxy in the sum (--with-own), as ProxyNCA++; the paper has not
    class_weights: a file of (C, D) proxies, row j for class j; required
    s: how far cosines count
    with_own: the sum is over all proxies, as in ProxyNCA++
    Unit: nats
    Use: metric learning without mining of triplets
    Misleads: with few classes and s 1 the softmax is flat: the value says little
    Gradient: s times the softmax over the other proxies minus the truth, by the squared distances
    Worked: proxy_nca = log(exp(2 * 0) / exp(2 * 1))
    Example: emb=[1,0] label=0 class_weights=1/0/0/1 -> -2
    """
    c, is_own = _cosines(emb, label, class_weights)
    logits = c * (2.0 * s)
    if with_own:
        return _surprise(logits, logits, is_own)
    value = logits.log_sum_exp(~is_own) + (-logits).log_sum_exp(is_own)
    return value.high + value.low


def _cosines(emb: Array, label: Array, class_weights: Numbers) -> tuple[Twofold, Array]:
    """(n, C) cosines with the classes, and which of them is the own."""
    classes = directions(matrix(class_weights or (), emb))
    return cosines(directions(emb), classes), one_hot(label, len(classes.nearest), emb)


def _surprise(logits: Twofold, own_logits: Twofold, is_own: Array) -> Array:
    """-log of the softmax of the own class, whose logits are `own_logits`, among those of the others."""
    return (logits.log_sum_exp(~is_own) + (-own_logits).log_sum_exp(is_own)).log_one_plus_exp()


def _where(condition: Array, yes: Twofold, no: Twofold) -> Twofold:
    return Twofold(where(condition, yes.high, no.high), where(condition, yes.low, no.low))
