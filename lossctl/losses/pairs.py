"""Pairs and triplets of embeddings that are given row by row: contrastive, pairwise ranking, triplet."""

from typing import Literal

from ..language.distances import distance_by_name, distance_on_sphere
from ..language.domains import Flag, Metric, NonNegative, Order, Positive
from ..language.engines import ROWS
from ..language.numerics import Array, Total, minimum, quotient, relu, softplus, where
from ..language.registry import Sums, loss


@loss(reductions=(*ROWS.reductions, "mean-active"))
def contrastive(
    left: Array,
    right: Array,
    same: Array,
    *,
    margin: Positive = 1.0,
    distance: Metric = "euclidean",
    legacy: Flag = False,
    eps: NonNegative = 0.0,
) -> Array:
    """Pulls similar pairs together and pushes dissimilar ones apart until the margin.

    Formula: [y d^2 + (1 - y) [margin - d]+^2] / 2;  y = 1 for a similar pair
    Paper: Hadsell, Chopra, LeCun, Dimensionality Reduction by Learning an Invariant Mapping, 2006
    Differs: tensorflow-addons has no 1/2; the paper has y = 0 for similar and a sum; pytorch-metric-learning neither
        squares nor halves: contrastive-sides
    margin: how far apart a dissimilar pair costs nothing
    distance: d; euclidean, sqeuclidean (squared), cosine (1 - cos), manhattan, minkowski:P, or angular (radians)
    legacy: [margin - d^2]+ for dissimilar pairs, as Caffe's legacy_version has it
    eps: added to each number of left - right; 1e-6 in torch's pairwise_distance
    Use: pairs known to be similar or not, as from siamese networks
    Misleads: similar pairs pull towards distance 0 for ever; the margin is in units of the embedding
    Gradient: by d: d for a similar pair, -(margin - d) for a dissimilar one within the margin, 0 beyond
    Worked: d = sqrt(0.6^2 + 0.8^2); contrastive = 1 * d^2 / 2
    Example: left=[0,0] right=[0.6,0.8] same=1 -> 0.5
    """
    d = distance_by_name(distance, eps)(left, right)
    gap = relu(margin - d * d if legacy else margin - d)
    return where(same == 1, d * (d / 2), gap / 2 if legacy else gap * (gap / 2))


@loss(aliases=("hinge-embedding",))
def pairwise_ranking(
    left: Array, right: Array, same: Array, *, margin: Positive = 1.0, distance: Metric = "euclidean"
) -> Array:
    """Contrastive without the squares and the 1/2: another loss, with other numbers.

    Formula: y d + (1 - y) [margin - d]+;  y = 1 for a similar pair
    Reading: the same pairs give 0.683 here where contrastive gives 0.311
    margin: how far apart a dissimilar pair costs nothing
    distance: d; euclidean, sqeuclidean (squared), cosine (1 - cos), manhattan, minkowski:P, or angular (radians)
    Use: as contrastive, where far-off pairs should not dominate
    Misleads: often called contrastive or margin ranking too, with other numbers
    Gradient: by d: 1 for a similar pair, -1 for a dissimilar one within the margin, 0 beyond
    Worked: d = sqrt(0.6^2 + 0.8^2); pairwise_ranking = 1 * d
    Example: left=[0,0] right=[0.6,0.8] same=1 -> 1
    """
    d = distance_by_name(distance)(left, right)
    return where(same == 1, d, relu(margin - d))


def mean_of_sides(
    similar: Total, similar_active: Total, dissimilar: Total, dissimilar_active: Total, weight: Total
) -> Array | float:
    """The means of two sides, each over what costs something; 0 for a side of which nothing does."""
    return quotient(_mean_of(similar, similar_active) + _mean_of(dissimilar, dissimilar_active), 1)


def _mean_of(cost: Total, active: Total) -> Total:
    if hasattr(active, "shape"):
        return where(active > 0, cost / where(active > 0, active, 1.0), 0.0)
    return cost / active if active else 0


@loss(finish=mean_of_sides, stands_alone=False, reductions=("overall",))
def contrastive_sides(
    left: Array,
    right: Array,
    same: Array,
    *,
    margin: Positive = 1.0,
    margin_similar: NonNegative = 0.0,
    distance: Metric = "euclidean",
    normalize: Flag = False,
    squared: Flag = False,
) -> Sums:
    """The mean over similar pairs that cost something plus that over dissimilar ones: neither side drowns the other.

    Formula: mean of [d - m_s]+ over similar pairs above 0 + mean of [margin - d]+ over dissimilar pairs above 0; half
        the squares of these with --squared
    Paper: Musgrave, Belongie, Lim, PyTorch Metric Learning, 2020
    Reading: a side of which no pair costs anything adds 0
    Differs: contrastive and pairwise-ranking take one mean over all pairs; pytorch-metric-learning takes points on the
        unit sphere unless told otherwise (--normalize), and all pairs of a batch: contrastive-pairs-sides
    margin: how far apart a dissimilar pair costs nothing
    margin_similar: m_s, up to where a similar pair costs nothing
    distance: d; euclidean, sqeuclidean (squared), cosine (1 - cos), manhattan, minkowski:P, or angular (radians)
    normalize: take the two points of a pair on the unit sphere
    squared: half the square of each pair's cost, as contrastive has it
    Use: as contrastive, where one kind of pair is rare
    Misleads: the means are over what still costs something, so the value may rise while pairs get better
    Gradient: by d: 1 / (similar active pairs) and -1 / (dissimilar active pairs)
    Worked: similar = 1; dissimilar = 1 - 0.5; contrastive_sides = similar + dissimilar
    Example: left=[[0],[0]] right=[[1],[0.5]] same=[1,0] -> 1.5
    """
    d = (distance_on_sphere if normalize else distance_by_name)(distance)(left, right)
    is_same = same == 1
    cost = relu(where(is_same, d - margin_similar, margin - d))
    active = where(cost <= 0, 0.0, 1.0)
    cost = cost * (cost / 2) if squared else cost
    sides = ((where(side, cost, 0.0), where(side, active, 0.0)) for side in (is_same, ~is_same))
    return Sums(*(column for side in sides for column in side))


@loss(aliases=("triplet-ranking",), reductions=(*ROWS.reductions, "mean-active"))
def triplet(
    anchor: Array,
    positive: Array,
    negative: Array,
    *,
    margin: NonNegative = 1.0,
    distance: Order = "euclidean",
    swap: Flag = False,
    soft: Flag = False,
    eps: NonNegative = 0.0,
    eps_in: Literal["differences", "root"] = "differences",
) -> Array:
    """By how much a negative fails to be farther from the anchor than the positive, by the margin.

    Formula: [d_ap - d_an + margin]+, or log(1 + e^(d_ap - d_an)) with --soft
    Paper: Schroff, Kalenichenko, Philbin, FaceNet, 2015 (squared distance on the unit sphere, margin 0.2)
    Differs: torch and optax have --eps 1e-6, which moves the sixth digit; --like sets it
    margin: by how much d_an should exceed d_ap; not used with --soft
    distance: euclidean, sqeuclidean (squared), cosine (1 - cos), manhattan, minkowski:P, angular (radians), dot (-a b)
    swap: also look from the positive, min(d_an, d_pn), as Balntas et al. 2016 do
    soft: a smooth margin, as in Hermans, Beyer, Leibe, In Defense of the Triplet Loss, 2017
    eps: keeps the distances, and so their gradients, from 0; 1e-6 in torch and optax
    eps_in: where it is added: to each number of a - b, as in torch, or under the root, as in optax
    Use: when only an order is known: this is nearer than that
    Misleads: most triplets soon cost 0, so the mean falls while the hard ones stay; a mean over active ones does not
    Slips: online mining chooses triplets anew in every batch; once an epoch, from the whole set, is offline mining
    Gradient: 1 by d_ap and -1 by d_an while d_an < d_ap + margin, then 0
    Worked: d_ap = sqrt(0.6^2 + 0.8^2); d_an = 0.5; triplet = max(0, d_ap - d_an + 1)
    Example: anchor=[0,0] positive=[0.6,0.8] negative=[0,0.5] -> 1.5
    """
    measure = distance_by_name(distance, eps, eps_in)
    d_ap, d_an = measure(anchor, positive), measure(anchor, negative)
    if swap:
        d_an = minimum(d_an, measure(positive, negative))
    return softplus(d_ap - d_an) if soft else relu(d_ap - d_an + margin)
