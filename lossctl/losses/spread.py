"""Losses by how embeddings spread: over the unit sphere, or over their columns. The latter are numbers of all rows."""

from __future__ import annotations

from typing import Annotated, Any

from ..language.distances import cosine_distance
from ..language.domains import Domain, NonNegative, Positive
from ..language.engines import VIEWS, WHOLE
from ..language.numerics import (
    Array,
    Total,
    centred,
    exp,
    log,
    logarithm,
    namespace,
    quotient,
    relu,
    row_sum,
    sqrt,
    where,
)
from ..language.registry import loss
from ..language.twofold import cosines, directions

ViewPanel = Any  # sets.views.ViewPanel, which losses do not know
Sharpness = Annotated[float, Domain(float, low=0, high=80, low_open=True)]  # e^(-4 t) is no 0
TOGETHER = 1 << 19  # cosines of a block

# ------------------------------------------------------------------------------------------------------------- one view


def _log_of_mean(total: Total, weight: Total) -> Array | float:
    return logarithm(quotient(total, weight))


@loss(engine=VIEWS, roles=("points",), is_angular=True, is_signed=True, finish=_log_of_mean)
def uniformity(panel: ViewPanel, *, t: Sharpness = 2.0) -> Array:
    """How unevenly embeddings lie on the unit sphere: all pairs push each other off.

    Formula: log of the mean over all pairs i != j of e^(-t |x_i - x_j|^2), x of length 1
    Paper: Wang, Isola, Understanding Contrastive Representation Learning through Alignment and Uniformity, 2020
    Reading: 0 where all are the same, at least -4 t; about -2 t + 2 t^2 / D where many points are evenly
        spread over D columns
    t: how soon the push fades with the distance
    Use: beside alignment, to see what a contrastive loss is made of; collapse
    Misleads: says nothing of whether what belongs together is together
    Gradient: -2 t times the softmax of all pairs, along their difference
    Worked: uniformity = log((exp(-2 * 2) + exp(-2 * 2)) / 2)
    Example: emb=1/0,0/1 -> -4
    """
    x = (panel.exact_cosines(0, 0) - 1.0) * (2.0 * t)
    terms = exp(x.high) * (1.0 + x.low)
    return row_sum(where(panel.is_other, terms, 0.0)) / (terms.shape[1] - 1.0)


@loss(engine=WHOLE, is_angular=True, is_signed=True, aliases=("alignment-uniformity",))
def hypersphere(
    left: Array, right: Array, *, t: Sharpness = 2.0, alpha: Positive = 2.0, uniformity_weight: NonNegative = 1.0
) -> Array:
    """Alignment and uniformity added up: pairs near each other, and each view spread evenly over the unit sphere.

    Formula: mean |a_i - b_i|^alpha + w (U_a + U_b) / 2, U the log of the mean over all pairs i != j of e^(-t
        |x_i - x_j|^2)
    Paper: Wang, Isola, Understanding Contrastive Representation Learning through Alignment and Uniformity, 2020
    Differs: t is 2 in the paper's code, 1 in lightly
    t: how soon the push fades with the distance
    alpha: the power of the distance of a pair
    uniformity_weight: w
    Use: learning from two views, with terms that can be read apart
    Misleads: two numbers in one: look at uniformity and cosine-distance apart
    Gradient: alpha |a - b|^(alpha - 2) (a - b) / N, and w / 2 times that of uniformity for each view
    Worked: pull = 2 * (1 - 0.6); hypersphere = pull - 4
    Example: left=1/0,0/1 right=0.6/0.8,-0.8/0.6 -> -3.2
    """
    xp = namespace(left)
    pull = xp.mean((2.0 * cosine_distance(left, right)) ** (alpha / 2.0))
    push = sum(_spread(view, t) for view in (left, right))
    return pull + uniformity_weight * push / 2.0


def _spread(x: Array, t: float) -> Array:
    """log of the mean over all pairs i != j of e^(-t |x_i - x_j|^2), of unit vectors."""
    xp, n, units, total = namespace(x), x.shape[0], directions(x), 0.0
    step = max(1, TOGETHER // max(1, n))
    for start in range(0, n, step):
        c = (cosines(units[start : min(n, start + step)], units) - 1.0) * (2.0 * t)
        rows = xp.arange(start, start + c.high.shape[0], device=getattr(x, "device", None))
        is_other = rows[:, None] != xp.arange(n, device=getattr(x, "device", None))[None, :]
        total = total + xp.sum(where(is_other, exp(c.high) * (1.0 + c.low), 0.0))
    return log(total / (n * (n - 1.0)))


@loss(engine=VIEWS, roles=("points",), is_angular=True, is_signed=True)
def koleo(panel: ViewPanel) -> Array:
    """How near embeddings are to their nearest neighbours on the unit sphere.

    Formula: -log min_{j != i} |x_i - x_j|, x of length 1
    Paper: Sablayrolles, Douze, Schmid, Jegou, Spreading Vectors for Similarity Search, 2019
    Reading: at least -log 2; infinite where two embeddings have one direction
    Differs: lightly and DINOv2 add 1e-8 to each difference and to the distance: equal rows cost 17.5 for 2 columns, 15
        for 768
    Unit: nats
    Use: to spread embeddings, as DINOv2 does; collapse
    Misleads: two copies of one row make it infinite
    Gradient: -1 / d along the difference from the nearest neighbour
    Worked: koleo = -log(sqrt(2))
    Example: emb=1/0,0/1 -> -0.34657359027997264
    """
    apart = where(panel.is_other, (1.0 - panel.exact_cosines(0, 0)).high, 9.0)
    xp, x = namespace(apart), panel.views[0].x
    nearest = xp.take(x, xp.argmin(apart, axis=-1), axis=0)
    return -log(2.0 * cosine_distance(x[panel.start : panel.stop, ...], nearest)) / 2.0


# -------------------------------------------------------------------------------------------------------------- columns


@loss(engine=WHOLE, aliases=("barlow",))
def barlow_twins(left: Array, right: Array, *, lambd: NonNegative = 0.005, eps: NonNegative = 0.0) -> Array:
    """How far the columns of two views are from being the same and from telling each something of its own.

    Formula: sum_i (1 - C_ii)^2 + lambda sum_{i != j} C_ij^2, C_ij the correlation of column i of a with column j of b
    Paper: Zbontar, Jing, Misra, LeCun, Deny, Barlow Twins: Self-Supervised Learning via Redundancy Reduction, 2021
    Differs: code takes batch norm for the correlations, which adds 1e-5 to each variance: --eps 1e-5
    lambd: lambda, the weight of correlations off the diagonal
    eps: is added to the variance of each column
    Use: learning from two views without rivals
    Misleads: a column that never changes has no correlation: nan, unless eps is above 0; the value grows with the
        number of columns
    Gradient: 2 (C_ii - 1) and 2 lambda C_ij by the correlations, through the standard columns
    Worked: same = 2 * (1 - 1)^2; other = 2 * 0.5 * 1^2; barlow_twins = same + other
    Example: left=1/1,0/0 right=1/1,0/0 lambd=0.5 -> 1
    """
    xp, n = namespace(left), left.shape[0]
    a, b = _standard(left, eps), _standard(right, eps)
    gap = a - b  # 1 - C_ii = (2 - |a_i|^2 - |b_i|^2 + |a_i - b_i|^2) / 2, without its cancelling
    short = 2.0 - xp.sum(a * a + b * b, axis=0) / n if eps else 0.0
    diagonal = (short + xp.sum(gap * gap, axis=0) / n) / 2.0
    correlation = a.T @ b / n
    square = correlation * correlation
    off = xp.sum(square) - xp.sum(xp.linalg.diagonal(square))
    return xp.sum(diagonal * diagonal) + lambd * off


@loss(engine=WHOLE)
def vicreg(
    left: Array,
    right: Array,
    *,
    invariance: NonNegative = 25.0,
    variance: NonNegative = 25.0,
    covariance: NonNegative = 1.0,
    eps: NonNegative = 1e-4,
) -> Array:
    """Views alike, columns that vary, and columns that tell each something of its own.

    Formula: lambda mean (a - b)^2 + mu/2 mean_j ([1 - sd a_j]+ + [1 - sd b_j]+) + nu/D sum_{i != j} (cov a_ij^2 +
        cov b_ij^2), sd = sqrt(var + eps); var and cov divide by N - 1
    Paper: Bardes, Ponce, LeCun, VICReg: Variance-Invariance-Covariance Regularization, 2022
    invariance: lambda
    variance: mu
    covariance: nu
    eps: is added to each variance
    Use: learning from two views without rivals and without unit vectors
    Misleads: the variance term is a mean of both views, the covariance term their sum, as in the paper's code
    Gradient: 2 lambda (a - b) / (N D), -mu / (2 D) by each sd below 1, 4 nu / D times the covariances off the diagonal
    Worked: sd = sqrt(0.5 + 0.0001); varies = 25 * (1 - sd); cov = 2 * 2 * 0.5^2 / 2; vicreg = varies + cov
    Example: left=1/1,0/0 right=1/1,0/0 -> 7.820562791762855
    """
    xp, n = namespace(left), left.shape[0]
    total = invariance * xp.mean((left - right) * (left - right))
    for view in (left, right):
        apart = centred(view)
        cov = apart.T @ apart / (n - 1.0)
        variances = xp.linalg.diagonal(cov)
        total = total + variance / 2.0 * xp.mean(relu(1.0 - sqrt(variances + eps)))
        total = total + covariance * (xp.sum(cov * cov) - xp.sum(variances * variances)) / view.shape[1]
    return total


def _standard(x: Array, eps: float) -> Array:
    """Columns of mean 0 and variance 1."""
    apart = centred(x)
    return apart / sqrt(namespace(x).mean(apart * apart, axis=0) + eps)
