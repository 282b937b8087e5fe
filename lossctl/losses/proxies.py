"""Embeddings against one direction a class, from a file of class weights: softmaxes with margins, and proxies.

Row by row: the rows of `--class-weights` are the classes; embeddings and classes count by their direction alone.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

from ..language.distances import euclidean
from ..language.domains import Count, Domain, Flag, NonNegative, Numbers, Positive, Real
from ..language.engines import WHOLE
from ..language.numerics import (
    Array,
    exp,
    matrix,
    maximum,
    minimum,
    namespace,
    one_hot,
    relu,
    row_max,
    row_mean,
    row_sum,
    sqrt,
    where,
)
from ..language.registry import loss
from ..language.twofold import Twofold, centred_rows, cosines, directions, lengths, row_length

Multiple = Annotated[int, Domain(int, low=1)]
Angle = Annotated[float, Domain(float, low=0, high=math.pi)]


@loss(is_angular=True, aliases=("additive-angular-margin",))
def arcface(
    emb: Array,
    label: Array,
    *,
    class_weights: Numbers = None,
    s: Positive = 64.0,
    margin: Angle = 0.5,
    beyond: Literal["linear", "easy", "plain"] = "linear",
) -> Array:
    """Cross-entropy of cosines, where the angle to the true class is made larger by the margin.

    Formula: -log [e^(s cos(t_y + m)) / (e^(s cos(t_y + m)) + sum_{j != y} e^(s cos t_j))], t_j the angle to j;
        where t_y + m is beyond pi, cos t_y - m sin m takes the place of cos(t_y + m)
    Paper: Deng, Guo, Xue, Zafeiriou, ArcFace: Additive Angular Margin Loss for Deep Face Recognition, 2019
    Differs: margins are radians here and in insightface, degrees in pytorch-metric-learning (28.6, not
        quite 0.5); W has a column a class there, a row here and in insightface
    class_weights: a file of (C, D) weights, row j for class j; required
    s: how far cosines count
    margin: m, in radians, at most pi
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
    return _surprise(c * s, _shifted(c, margin, beyond) * s, is_own)


@loss(is_angular=True, aliases=("subcenter-arcface",))
def sub_center_arcface(
    emb: Array,
    label: Array,
    *,
    class_weights: Numbers = None,
    s: Positive = 64.0,
    margin: Angle = 0.5,
    centers: Count = 3,
) -> Array:
    """arcface with several centers a class, of which the nearest one counts.

    Formula: arcface of cos t_j = max_k cos(x, w_jk), over the K centers of class j
    Paper: Deng, Guo, Liu, Gong, Zafeiriou, Sub-center ArcFace, 2020
    Differs: margins are radians here, degrees in pytorch-metric-learning; W has a column a center there, a row here
    class_weights: a file of (C K, D) weights, the rows of class j from K j on; required
    s: how far cosines count
    margin: m, in radians, at most pi
    centers: K
    Unit: nats
    Use: classes whose labels are noisy, or that fall into parts
    Misleads: more centers, smaller loss: compare equal numbers only
    Gradient: that of arcface, by the nearest center of each class
    Worked: own = 10 * (1 * 0.5403023058681398); other = 10 * 0; sub_center_arcface = log(1 + exp(other - own))
    Example: emb=[1,0] label=0 class_weights=0/1/1/0/0/-1/-1/0 s=10 margin=1 centers=2 -> 0.0044928397343074675
    """
    c, is_own = _cosines(emb, label, class_weights, centers)
    best = namespace(c.high).argmax(c.high, axis=-1)
    nearest = Twofold(_at(c.high, best), _at(c.low, best))
    return _surprise(nearest * s, _shifted(nearest, margin, "linear") * s, is_own)


@loss(is_angular=True, aliases=("softtriple",))
def soft_triple(
    emb: Array,
    label: Array,
    *,
    class_weights: Numbers = None,
    s: Positive = 20.0,
    gamma: Positive = 0.1,
    margin: NonNegative = 0.01,
    centers: Count = 10,
) -> Array:
    """Cross-entropy of similarities to classes of several centers, of which the near ones count most.

    Formula: -log [e^(s (S_y - m)) / (e^(s (S_y - m)) + sum_{j != y} e^(s S_j))], S_j = sum_k q_k cos(x, w_jk),
        q the softmax of cos(x, w_jk) / gamma over the K centers of class j
    Paper: Qian, Shang, Sun, Hu, Li, Jin, SoftTriple Loss: Deep Metric Learning Without Triplet Sampling, 2019
    Differs: the paper adds a term of the centers alone, which no row changes; W has a column a center in
        pytorch-metric-learning, a row here
    class_weights: a file of (C K, D) centers, the rows of class j from K j on; required
    s: how far similarities count; lambda in the paper
    gamma: how far centers behind the nearest one count
    margin: m
    centers: K
    Unit: nats
    Use: metric learning without mining of triplets, for classes that fall into parts
    Misleads: values for different s and m cannot be compared
    Gradient: s times the softmax minus the truth, by the similarities to the classes
    Worked: q = exp(1) / (exp(1) + exp(0)); soft_triple = log(1 + exp(2 * (-(1 - q) - (q - 0.1))))
    Example: emb=[1,0] label=0 class_weights=1/0/0/1/-1/0/0/-1 s=2 gamma=1 margin=0.1 centers=2 -> 0.15297761052607414
    """
    c, is_own = _cosines(emb, label, class_weights, centers)
    c = c.high + c.low
    share = exp((c - row_max(c)[..., None]) / gamma)
    similarity = row_sum(share * c) / row_sum(share)
    logits = Twofold(similarity, 0.0 * similarity)
    return _surprise(logits * s, (logits - margin) * s, is_own)


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
    Use: as arcface; the margin is the same at every angle, and cannot turn the loss around
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
    s: how far squared distances count
    with_own: the sum is over all proxies, as in ProxyNCA++
    Unit: nats
    Use: metric learning without mining of triplets
    Misleads: with few classes and s 1 the softmax is flat: the value says little
    Gradient: s by the squared distance to the own proxy, -s times the softmax over the others by theirs
    Worked: proxy_nca = log(exp(2 * 0) / exp(2 * 1))
    Example: emb=[1,0] label=0 class_weights=1/0/0/1 -> -2
    """
    c, is_own = _cosines(emb, label, class_weights)
    logits = c * (2.0 * s)
    if with_own:
        return _surprise(logits, logits, is_own)
    value = logits.log_sum_exp(~is_own) + (-logits).log_sum_exp(is_own)
    return value.high + value.low


@loss(is_angular=True, aliases=("a-softmax", "large-margin-softmax", "l-softmax"))
def sphereface(
    emb: Array,
    label: Array,
    *,
    class_weights: Numbers = None,
    multiple: Multiple = 4,
    s: Positive = 1.0,
    at_length: Flag = False,
) -> Array:
    """Cross-entropy of the embedding's length times cosines, where the angle to the true class counts several times.

    Formula: -log [e^(s |x| f(t_y)) / (e^(s |x| f(t_y)) + sum_{j != y} e^(s |x| cos t_j))],
        f(t) = (-1)^k cos(m t) - 2 k, k the whole part of m t / pi; with --at-length |x| |w_j| for |x|
    Paper: Liu, Wen, Yu, Li, Raj, Song, SphereFace: Deep Hypersphere Embedding for Face Recognition, 2017;
        Liu, Wen, Yu, Yang, Large-Margin Softmax Loss for Convolutional Neural Networks, 2016 (--at-length)
    Reading: the length |x| stands where other losses have a scale
    Differs: the paper's code mixes in the plain cosine at first (annealing); W has a column a class in
        pytorch-metric-learning, a row here
    class_weights: a file of (C, D) weights, row j for class j; required
    multiple: m, how many times the angle counts
    s: a scale beside the length
    at_length: class weights count at their lengths, which is large-margin softmax
    Unit: nats
    Use: recognition of faces and the like
    Misleads: longer embeddings cost less where they are right and more where they are wrong
    Gradient: s |x| times the softmax minus the truth, for the true class times m sin(m t) / sin t
    Worked: sphereface = log(1 + exp(2 * 0 - 2 * 1))
    Example: emb=[2,0] label=0 class_weights=1/0/0/1 -> 0.1269280110429725
    """
    c, is_own = _cosines(emb, label, class_weights)
    xp, pi = namespace(emb), math.pi
    angle = _angle(c)
    turns = xp.floor(multiple * angle / pi)
    sign = 1.0 - 2.0 * (turns - 2.0 * xp.floor(turns / 2.0))
    bent = sign * xp.cos(multiple * angle) - 2.0 * turns
    top = row_max(abs(emb))[:, None]
    length = s * (top * sqrt(row_sum((emb / top) * (emb / top)))[:, None])
    if at_length:
        weights = matrix(class_weights or (), emb)
        length = length * euclidean(weights, 0.0 * weights)[None, :]
    return _surprise(c * length, Twofold(bent, 0.0 * bent) * length, is_own)


@loss(engine=WHOLE, is_angular=True)
def adaface(
    emb: Array,
    label: Array,
    *,
    class_weights: Numbers = None,
    s: Positive = 64.0,
    margin: NonNegative = 0.4,
    h: Positive = 0.333,
) -> Array:
    """arcface and cosface mixed by the length of the embedding, which tells how good an image is.

    Formula: -log [e^(s f) / (e^(s f) + sum_{j != y} e^(s cos t_j))], f = cos(t_y - m g) - m (1 + g), t_y - m g kept
        within 0 and pi, g = h (|x| - mean) / sd of the lengths of all rows, kept within -1 and 1; sd divides by n - 1
    Paper: Kim, Jain, Liu, AdaFace: Quality Adaptive Margin for Face Recognition, 2022
    Reading: short embeddings (g -1) get the margin of arcface, those of mean length that of cosface, long ones (g 1)
        twice that, and an angle smaller by m
    Differs: the paper's code keeps lengths within 0.001 and 100 and angles 0.001 from 0 and pi, adds 0.001 to sd, and
        may take mean and sd of earlier batches along
    class_weights: a file of (C, D) weights, row j for class j; required
    s: how far cosines count
    margin: m
    h: how far lengths from the mean count
    Unit: nats
    Use: recognition of faces, where images of low quality should not be pushed
    Misleads: all rows are one batch: mean and sd are theirs, and one more row changes the loss of all
    Gradient: that of arcface and cosface; the lengths are taken for constants in training
    Worked: first = log(1 + exp(0 - 4 * (1 - 0.5))); adaface = first
    Example: emb=[[1,0],[1,0]] label=[0,0] class_weights=1/0/0/1 s=4 margin=0.5 -> 0.1269280110429725
    """
    xp = namespace(emb)
    c, is_own = _cosines(emb, label, class_weights)
    length = lengths(emb)
    gap = centred_rows(Twofold(length.high[None, :], length.low[None, :])).high
    deviation = row_length(gap) / (emb.shape[0] - 1.0) ** 0.5
    quality = where(gap == 0, 0.0, h * gap / where(deviation > 0, deviation, 1.0))
    g = minimum(maximum(quality, -1.0), 1.0).T
    angle = minimum(maximum(_angle(c) - margin * g, 0.0), math.pi)
    own = s * (xp.cos(angle) - margin * (1.0 + g))
    return xp.mean(_surprise(c * s, Twofold(own, 0.0 * own), is_own))


@loss(engine=WHOLE, is_angular=True)
def proxy_anchor(
    emb: Array, label: Array, *, class_weights: Numbers = None, margin: Real = 0.1, s: Positive = 32.0
) -> Array:
    """Each proxy near all embeddings of its class, the farthest most, and far from all others, the nearest most.

    Formula: mean over proxies with embeddings of log(1 + sum_{x of its class} e^(-s (cos - m))) + mean over all
        proxies of log(1 + sum_{x of others} e^(s (cos + m)))
    Paper: Kim, Kim, Cho, Kwak, Proxy Anchor Loss for Deep Metric Learning, 2020
    Reading: the proxies are the anchors, so a row has no loss of its own
    class_weights: a file of (C, D) proxies, row j for class j; required
    margin: m
    s: how far cosines count; alpha in the paper
    Unit: nats
    Use: metric learning without mining of triplets; embeddings pull by how hard they are
    Misleads: it grows with the logarithm of the rows of a class: all rows are one batch
    Gradient: s times a softmax over the embeddings of a proxy, one over those of others
    Worked: pull = log(1 + exp(-2 * (1 - 0.5))); push = log(1 + exp(2 * (0 + 0.5))); proxy_anchor = pull + push / 2
    Example: emb=[[1,0]] label=[0] class_weights=1/0/0/1 margin=0.5 s=2 -> 0.9698925312773343
    """
    c, is_own = _cosines(emb, label, class_weights)
    proxies, own = Twofold(c.high.T, c.low.T), is_own.T
    pull = (-s * (proxies - margin)).log_sum_exp(own).log_one_plus_exp()
    push = (s * (proxies + margin)).log_sum_exp(~own).log_one_plus_exp()
    xp = namespace(c.high)
    met = xp.astype(xp.any(own, axis=-1), c.high.dtype)
    return xp.sum(pull) / xp.sum(met) + xp.mean(push)


@loss(is_angular=True)
def p2s_grad(emb: Array, label: Array, *, class_weights: Numbers = None) -> Array:
    """The squared error of cosines as predictions of the class: 1 for the own, 0 for all others.

    Formula: ((1 - cos t_y)^2 + sum_{j != y} cos^2 t_j) / C, t_j the angle to class j
    Paper: Zhang et al., P2SGrad: Refined Gradients for Optimizing Deep Face Models, 2019
    Differs: W has a column a class in pytorch-metric-learning, a row here
    class_weights: a file of (C, D) weights, row j for class j; required
    Use: recognition without a scale or a margin to choose
    Misleads: it does not reach 0 unless the classes are at right angles
    Gradient: twice cosine minus truth, divided by C
    Worked: p2s_grad = ((1 - 0)^2 + 1^2) / 2
    Example: emb=[1,0] label=1 class_weights=1/0/0/1 -> 1
    """
    c, is_own = _cosines(emb, label, class_weights)
    gap = _where(is_own, 1.0 - c, c)
    return row_mean(gap.high * gap.high + 2.0 * gap.high * gap.low)


@loss(aliases=("center-loss",))
def center(emb: Array, label: Array, *, class_weights: Numbers = None) -> Array:
    """How far each embedding is from the center of its class.

    Formula: |x - c_y|^2 / 2
    Paper: Wen, Zhang, Li, Qiao, A Discriminative Feature Learning Approach for Deep Face Recognition, 2016
    Differs: the paper adds the rows up; some code leaves out the half, or adds the squared distances to other centers
    class_weights: a file of (C, D) centers, row j for class j; required
    Unit: that of squared distances
    Use: beside a softmax, to make classes compact
    Misleads: it falls with the lengths of the embeddings: all at one point cost 0
    Gradient: x - c_y by the embedding
    Worked: center = ((1 - 0)^2 + (2 - 1)^2) / 2
    Example: emb=[1,2] label=1 class_weights=1/0/0/1 -> 1
    """
    centers = matrix(class_weights or (), emb)
    apart = emb - namespace(emb).take(centers, namespace(emb).astype(label, namespace(emb).int64), axis=0)
    return row_sum(apart * apart) / 2.0


def _cosines(emb: Array, label: Array, class_weights: Numbers, centers: int = 1) -> tuple[Twofold, Array]:
    """(n, C) cosines with the classes, or (n, C, K) with their centers, and which class is the own, (n, C)."""
    classes = directions(matrix(class_weights or (), emb))
    c, count = cosines(directions(emb), classes), classes.nearest.shape[0] // centers
    if centers > 1:
        c = Twofold(*(namespace(part).reshape(part, (-1, count, centers)) for part in (c.high, c.low)))
    return c, one_hot(label, count, emb)


def _at(x: Array, place: Array) -> Array:
    """(n, C) of the (n, C, K), one each; of (n, C) themselves."""
    return x if x.ndim == 2 else namespace(x).take_along_axis(x, place[..., None], axis=-1)[..., 0]


def _shifted(c: Twofold, margin: float, beyond: str) -> Twofold:
    """Cosines of angles that are made larger by a margin."""
    sine = sqrt(relu((1.0 - c).high) * relu((1.0 + c).high))
    shifted = c * math.cos(margin) - Twofold(sine, 0.0 * sine) * math.sin(margin)
    if beyond == "linear":
        return _where(c.high > math.cos(math.pi - margin), shifted, c - margin * math.sin(margin))
    return _where(c.high > 0, shifted, c) if beyond == "easy" else shifted


def _angle(c: Twofold) -> Array:
    """The angle of a cosine, between 0 and pi."""
    return 2.0 * namespace(c.high).atan2(sqrt(relu((1.0 - c).high)), sqrt(relu((1.0 + c).high)))


def _surprise(logits: Twofold, own_logits: Twofold, is_own: Array) -> Array:
    """-log of the softmax of the own class, whose logits are `own_logits`, among those of the others."""
    return (logits.log_sum_exp(~is_own) + (-own_logits).log_sum_exp(is_own)).log_one_plus_exp()


def _where(condition: Array, yes: Twofold, no: Twofold) -> Twofold:
    return Twofold(where(condition, yes.high, no.high), where(condition, yes.low, no.low))
