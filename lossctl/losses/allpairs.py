"""Losses of a labelled set as one number of all its pairs: their means, their histograms, those that cost something.

Pairs are gone through in blocks of rows, so memory does not grow with the square of the set.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from ..language.domains import Bins, Flag, NonNegative, Real
from ..language.engines import WHOLE
from ..language.numerics import Array, centred, maximum, namespace, relu, row_sum, sqrt, where
from ..language.registry import loss
from ..language.twofold import Twofold, cosines, directions

PAIRS = 1 << 19  # of a block: what is made of them stays near the processor


@loss(engine=WHOLE, is_angular=True, aliases=("ipv",))
def intra_pair_variance(
    points: Array, identity: Array, *, positive_slack: NonNegative = 0.01, negative_slack: NonNegative = 0.01
) -> Array:
    """How far similar pairs are less alike than their mean, and dissimilar pairs more alike than theirs.

    Formula: mean over positive pairs of [(1 - e_p) mean s_p - s]+^2 + mean over negative ones of
        [s - (1 + e_n) mean s_n]+^2, s the cosines
    Paper: Yu, Tao, Deep Metric Learning with Tuplet Margin Loss, 2019
    positive_slack: e_p, the share of the mean by which a positive pair may be less alike for nothing
    negative_slack: e_n, the share of the mean by which a negative pair may be more alike for nothing
    Use: beside another loss of a set, against pairs that fall out of line
    Misleads: 0 where all pairs are equally bad: it judges spread alone
    Gradient: twice what a pair is off by, less the mean of these, divided by the pairs of its kind
    Worked: pull = 2 * ((1 + 0 + 0) / 3)^2 / 3; push = (0 - (0 - 1 - 1) / 3)^2 / 3; intra_pair_variance = pull + push
    Example: emb=1/0,1/0,0/1,-1/0 label=0,0,0,1 positive_slack=0 negative_slack=0 -> 0.2222222222222222
    """
    sums: list[Any] = [0.0, 0.0]
    counts: list[Any] = [0.0, 0.0]
    for pairs in _blocks(points, identity):
        for kind, mask in enumerate((pairs.is_positive, pairs.is_negative)):
            sums[kind] = sums[kind] + pairs.total(pairs.cosine, mask)
            counts[kind] = counts[kind] + pairs.count(mask)
    means = [_quotient(part, count) for part, count in zip(sums, counts, strict=True)]
    bounds = (1.0 - positive_slack) * means[0], (1.0 + negative_slack) * means[1]
    total: list[Any] = [0.0, 0.0]
    for pairs in _blocks(points, identity):
        for kind, gap in enumerate((relu(bounds[0] - pairs.cosine), relu(pairs.cosine - bounds[1]))):
            total[kind] = total[kind] + pairs.total(gap * gap, pairs.kinds[kind])
    return _quotient(total[0], counts[0]) + _quotient(total[1], counts[1])


@loss(engine=WHOLE, is_angular=True, aliases=("histogram-loss",))
def histogram(points: Array, identity: Array, *, bins: Bins = 100) -> Array:
    """How likely a dissimilar pair is to be more alike than a similar one, from smooth histograms of cosines.

    Formula: sum_b h-_b (h+_0 + ... + h+_b), h+ and h- the shares of the positive and the negative pairs at the bins + 1
        edges from -1 to 1, a pair shared between the two nearest
    Paper: Ustinova, Lempitsky, Learning Deep Embeddings with Histogram Loss, 2016
    Differs: pytorch-metric-learning leaves out pairs of two points without a positive, and finds the bins in float32
    bins: how many steps the cosines fall into
    Use: no margin to choose; large batches
    Misleads: within a bin there is no order: kinds that a bin cannot tell apart count as wrong
    Gradient: the slope of the histograms' triangles times the share of the other kind beyond
    Worked: before = 1; histogram = 1 * (before - 1)
    Example: emb=1/0,1/0,0/1 label=0,0,1 bins=4 -> 0
    """
    edges: list[Any] = [0.0, 0.0]
    counts: list[Any] = [0.0, 0.0]
    for pairs in _blocks(points, identity):
        place = maximum(1.0 + pairs.cosine, 0.0) * (bins / 2.0)
        for kind, mask in enumerate(pairs.kinds):
            edges[kind] = edges[kind] + _at_edges(place[mask], bins)
            counts[kind] = counts[kind] + pairs.count(mask)
    xp = namespace(points)
    shares = [_quotient(edge, count) for edge, count in zip(edges, counts, strict=True)]
    return xp.sum(shares[1] * xp.cumulative_sum(shares[0]))


@loss(engine=WHOLE, aliases=("signal-to-noise-ratio-contrastive",))
def snr_contrastive(
    points: Array,
    identity: Array,
    *,
    margin: NonNegative = 1.0,
    positive_margin: NonNegative = 0.0,
    unit_length: Flag = False,
) -> Array:
    """Similar pairs with little noise against the signal of the anchor, dissimilar ones with much.

    Formula: mean over positive pairs with d > m_p of d - m_p + mean over negative ones with d < m of m - d,
        d = var(a - b) / var a over the columns
    Paper: Yuan, Deng, Hu, Li, Signal-to-Noise Ratio: A Robust Distance Metric for Deep Metric Learning, 2019
    Differs: pytorch-metric-learning compares unit vectors: --unit-length
    margin: m, the ratio beyond which a negative pair costs nothing
    positive_margin: m_p, the ratio within which a positive pair costs nothing
    unit_length: of a / |a|
    Use: embeddings whose scale differs from row to row
    Misleads: d is not symmetric: a point of small variance is far from all others
    Gradient: the derivative of d by each pair that costs something, divided by their number
    Worked: near = 1; far = 0; snr_contrastive = (near + 0.25) / 2 + 0
    Example: emb=1/-1,2/-2,-3/3 label=0,0,1 -> 0.625
    """
    apart = centred((directions(points).nearest if unit_length else points).T).T
    if namespace(points).any(namespace(points).max(abs(apart), axis=-1) == 0):
        return float("nan") * namespace(points).sum(points)  # a row without variance has no signal
    lengths = sqrt(row_sum(apart * apart))
    totals: list[Any] = [0.0, 0.0]
    counts: list[Any] = [0.0, 0.0]
    for pairs in _blocks(apart, identity):
        ratio = lengths[None, :] / lengths[pairs.start : pairs.stop, None]
        d = (1.0 - ratio) ** 2 + 2.0 * ratio * pairs.distance
        for kind, gap in enumerate((relu(d - positive_margin), relu(margin - d))):
            totals[kind] = totals[kind] + pairs.total(gap, pairs.kinds[kind])
            counts[kind] = counts[kind] + pairs.count(pairs.kinds[kind] & (gap > 0))
    return _quotient(totals[0], counts[0]) + _quotient(totals[1], counts[1])


@loss(engine=WHOLE, is_angular=True, aliases=("tcm",))
def threshold_consistent_margin(
    points: Array, identity: Array, *, positive_margin: Real = 0.9, negative_margin: Real = 0.5
) -> Array:
    """Similar pairs beyond one similarity and dissimilar ones below another: a mean of each that is not.

    Formula: mean over positive pairs with s <= m_p of m_p - s + mean over negative ones with s >= m_n of s - m_n, s the
        cosines
    Paper: Zhang et al., Learning for Transductive Threshold Calibration in Open-World Recognition, 2023
    positive_margin: m_p
    negative_margin: m_n
    Use: beside another loss, so that one threshold serves all classes
    Misleads: a mean over what costs something: it need not fall while fewer and fewer pairs do
    Gradient: -1 by each s_p below m_p and 1 by each s_n above m_n, divided by their numbers
    Worked: pull = 0.9 - 0; push = 1 - 0.5; threshold_consistent_margin = pull + push
    Example: emb=1/0,0/1,1/0 label=0,0,1 -> 1.4
    """
    totals: list[Any] = [0.0, 0.0]
    counts: list[Any] = [0.0, 0.0]
    for pairs in _blocks(points, identity):
        for kind, gap in enumerate((positive_margin - pairs.cosine, pairs.cosine - negative_margin)):
            is_counted = pairs.kinds[kind] & (gap >= 0)
            totals[kind] = totals[kind] + pairs.total(gap, is_counted)
            counts[kind] = counts[kind] + pairs.count(is_counted)
    return _quotient(totals[0], counts[0]) + _quotient(totals[1], counts[1])


# ---------------------------------------------------------------------------------------------------------------- words


class PairBlock(NamedTuple):
    """The pairs of the rows start..stop with all N rows, (B, N) each.

    cosine, distance: s, and 1 - s with the digits of what is small;  is_positive, is_negative: which are of a kind
    """

    start: int
    stop: int
    cosine: Array
    distance: Array
    is_positive: Array
    is_negative: Array

    @property
    def kinds(self) -> tuple[Array, Array]:
        return self.is_positive, self.is_negative

    def total(self, values: Array, mask: Array) -> Array:
        """The sum of some of them."""
        return namespace(values).sum(row_sum(where(mask, values, 0.0)))

    def count(self, mask: Array) -> Array:
        """How many are masked."""
        xp = namespace(self.cosine)
        return xp.sum(xp.astype(mask, self.cosine.dtype))


def _blocks(points: Array, identity: Array) -> Iterator[PairBlock]:
    xp, units, n = namespace(points), directions(points), points.shape[0]
    rows = xp.arange(n, device=points.device)
    step = max(1, PAIRS // n)
    for start in range(0, n, step):
        stop = min(start + step, n)
        s: Twofold = cosines(units[start:stop], units)
        gap = 1.0 - s
        is_same = identity[start:stop, None] == identity[None, :]
        is_other = rows[start:stop, None] != rows[None, :]
        yield PairBlock(start, stop, s.high + s.low, gap.high + gap.low, is_same & is_other, ~is_same)


def _at_edges(place: Array, bins: int) -> Array:
    """(bins + 1,) what places from 0 to `bins` give to the whole numbers: each to the two nearest, by how near."""
    xp = namespace(place)
    place = xp.sort(place)
    steps = xp.astype(xp.arange(bins + 1, device=place.device), place.dtype)
    ends = xp.searchsorted(place, steps)
    total = maximum(place, 0.0)
    below = xp.concat([0.0 * steps[:1], xp.cumulative_sum(total)])
    sums = below[ends]
    numbers = xp.astype(ends, place.dtype)
    none = 0.0 * steps[:1]
    all_sum, all_count = below[-1:], none + float(place.shape[0])
    sums, numbers = xp.concat([sums, all_sum]), xp.concat([numbers, all_count])
    share = sums[1:] - sums[:-1] - steps * (numbers[1:] - numbers[:-1])  # beyond each edge, up to the next
    here = (numbers[1:] - numbers[:-1]) - share
    return here + xp.concat([none, share[:-1]])


def _quotient(total: Any, count: Any) -> Any:
    """A mean, 0 of nothing."""
    return where(count > 0, total / where(count > 0, count, 1.0), 0.0)
